// Memory for what lives during one model's step: taken piece by piece, given back all at once.
//
// It is kept from step to step, for fresh memory costs as much as the arithmetic on it.

#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>

#include "simd.h"

inline std::atomic<size_t> held_bytes{0}, most_held_bytes{0}; // of all arenas

class Arena {
  public:
    Arena() = default;
    Arena(const Arena &) = delete;
    ~Arena() { held_bytes -= sizeof(float) * size_; }

    // Floats that `take(count)` takes up.
    static size_t whole(size_t count) { return (count + LANES + 15) / 16 * 16; }

    // Of an arena of which nothing is taken: room for `count` floats in all.
    void reserve(size_t count) {
        if (count <= size_) return;
        memory_.reset();
        held_bytes -= sizeof(float) * size_;
        size_ = 0;
        memory_.reset(new float[count + 15]);
        at_ =
            reinterpret_cast<float *>((reinterpret_cast<uintptr_t>(memory_.get()) + 63) / 64 * 64);
        size_ = count;
        size_t held = held_bytes += sizeof(float) * count, most = most_held_bytes;
        while (held > most && !most_held_bytes.compare_exchange_weak(most, held)) {
        }
    }

    // `count` floats and up to a vector more, at the start of a cache line; not cleared.
    float *take(size_t count) {
        count = whole(count);
        if (count > size_ - used_) throw std::bad_alloc(); // what was reserved was counted wrong
        used_ += count;
        return at_ + used_ - count;
    }

    float *zeros(size_t count) {
        float *place = take(count);
        std::memset(place, 0, sizeof(float) * (count + LANES));
        return place;
    }

    size_t mark() const { return used_; }
    void release(size_t mark) { used_ = mark; }

  private:
    std::unique_ptr<float[]> memory_;
    float *at_ = nullptr;
    size_t size_ = 0, used_ = 0;
};

// Floats, of arenas that live as `Room` says.
struct Need {
    size_t kept, scratch;
};

// What a thread has: memory for what a model keeps of its forward pass, and for a layer at work.
struct Room {
    Arena kept, scratch;

    void reserve(Need need) { kept.reserve(need.kept), scratch.reserve(need.scratch); }
    void clear() { kept.release(0), scratch.release(0); }
};
