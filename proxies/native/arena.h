// Memory for what lives during one model's step: taken piece by piece, given back all at once.
//
// It is kept from step to step, for fresh memory costs as much as the arithmetic on it.

#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "simd.h"

inline std::atomic<size_t> held_bytes{0}, most_held_bytes{0}; // of all arenas

class Arena {
  public:
    Arena() = default;
    Arena(Arena &&) = default;
    ~Arena() {
        for (auto &chunk : chunks_) held_bytes -= sizeof(float) * chunk.size;
    }

    // Floats that `take(count)` takes up.
    static size_t whole(size_t count) { return (count + LANES + 15) / 16 * 16; }

    // `count` floats and up to a vector more, at the start of a cache line; not cleared.
    float *take(size_t count) {
        count = whole(count);
        while (chunk_ < chunks_.size() && used_ + count > chunks_[chunk_].size) ++chunk_, used_ = 0;
        if (chunk_ == chunks_.size()) add(count);
        float *place = chunks_[chunk_].at + used_;
        used_ += count;
        return place;
    }

    float *zeros(size_t count) {
        float *place = take(count);
        std::memset(place, 0, sizeof(float) * (count + LANES));
        return place;
    }

    // Of an arena of which nothing is taken: room for `count` floats in all, in one piece.
    void reserve(size_t count) {
        if (chunks_.size() == 1 && chunks_[0].size >= count) return;
        for (auto &chunk : chunks_) held_bytes -= sizeof(float) * chunk.size;
        chunks_.clear();
        chunk_ = 0;
        add(count);
    }

    struct Mark {
        size_t chunk, used;
    };
    Mark mark() const { return {chunk_, used_}; }
    void release(Mark mark) { chunk_ = mark.chunk, used_ = mark.used; }

  private:
    struct Chunk {
        std::unique_ptr<float[]> memory;
        float *at;
        size_t size;
    };

    void add(size_t count) {
        size_t size = count > SMALLEST ? count : SMALLEST;
        std::unique_ptr<float[]> memory(new float[size + 16]);
        auto start = (reinterpret_cast<uintptr_t>(memory.get()) + 63) / 64 * 64;
        chunks_.push_back({std::move(memory), reinterpret_cast<float *>(start), size});
        used_ = 0;
        size_t held = held_bytes += sizeof(float) * size, most = most_held_bytes;
        while (held > most && !most_held_bytes.compare_exchange_weak(most, held)) {
        }
    }

    static constexpr size_t SMALLEST = 1 << 18; // a megabyte
    std::vector<Chunk> chunks_;
    size_t chunk_ = 0, used_ = 0;
};

// What a thread has: memory for what a model keeps of its forward pass, and for a layer at work.
struct Room {
    Arena kept, scratch;
};
