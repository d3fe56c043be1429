// The inside of an attention layer: causal softmax attention, head by head, with rotary positions.
// Heads may share keys and values, `shared` of them each.
//
// Nothing is kept for the backward pass but the projections, queries and keys turned in their
// place: to compute the shares once more costs less than to fetch them from memory.

#pragma once

#include "arena.h"
#include "gemm.h"
#include "rows.h"
#include "sizes.h"

class AttentionCore {
  public:
    static int columns(const Sizes &sizes) {
        return (sizes.attention_heads + 2 * sizes.kv_heads) * sizes.K;
    }
    static int outputs(const Sizes &sizes) { return sizes.attention_heads * sizes.K; }
    static size_t kept(const Sizes &) { return 0; }
    static size_t working(const Sizes &sizes) {
        size_t T = sizes.T, K = sizes.K;
        return Arena::whole(K * T) + 2 * Arena::whole(T * padded(sizes.T));
    }

    // `turns`: two tables (T, H K), by which queries and keys are turned and scaled by K^-1/4: one
    // multiplies an element, the other, its sign alternating, the other element of its pair.
    AttentionCore(const Sizes &sizes, const float *turns, Arena &arena)
        : T_(sizes.T), H_(sizes.attention_heads), K_(sizes.K), shared_(H_ / sizes.kv_heads),
          queries_(H_ * K_), keys_(sizes.kv_heads * K_), row_(padded(T_)), own_(turns),
          other_(turns + T_ * queries_), turned_(arena.take(K_ * T_)),
          shares_(arena.take(T_ * row_)), grad_shares_(arena.take(T_ * row_)) {}

    void forward(float *projected, int row, float *, float *out) {
        for (int t = 0; t < T_; ++t) turn_both(projected + t * row, t, 1.0f);
        for (int h = 0; h < H_; ++h)
            attend(projected + h * K_, projected + key(h), row, out + h * K_);
    }

    void backward(const float *grad, const float *projected, int row, const float *, float *out,
                  float *grad_projected) {
        for (int h = 0; h < H_; ++h) {
            const float *query = projected + h * K_, *key_at = projected + key(h);
            const float *own = grad + h * K_;
            attend(query, key_at, row, out + h * K_);
            transpose(T_, K_, key_at + keys_, row, turned_, T_);
            product(T_, T_, K_, rows_of(own, queries_), turned_, T_, grad_shares_, row_, false,
                    Half::LOWER_C);
            for (int t = 0; t < T_; ++t)
                softmax_backward(grad_shares_ + t * row_, shares_ + t * row_, t + 1);
            float *to = grad_projected + key(h);
            bool adds = h % shared_; // to what the other heads of these keys gave
            product(T_, K_, T_, rows_of(grad_shares_, row_), key_at, row, grad_projected + h * K_,
                    row, false, Half::LOWER_A);
            product(T_, K_, T_, columns_of(grad_shares_, row_), query, row, to, row, adds,
                    Half::UPPER_A);
            product(T_, K_, T_, columns_of(shares_, row_), own, queries_, to + keys_, row, adds,
                    Half::UPPER_A);
        }
        for (int t = 0; t < T_; ++t) turn_both(grad_projected + t * row, t, -1.0f);
    }

  private:
    // Where the keys of a head begin; its values begin `keys_` later.
    int key(int h) const { return queries_ + h / shared_ * K_; }

    // One head's shares, left in `shares_`, and what they mix.
    void attend(const float *query, const float *key_at, int row, float *out) {
        transpose(T_, K_, key_at, row, turned_, T_);
        product(T_, T_, K_, rows_of(query, row), turned_, T_, shares_, row_, false, Half::LOWER_C);
        for (int t = 0; t < T_; ++t) softmax(shares_ + t * row_, t + 1);
        product(T_, K_, T_, rows_of(shares_, row_), key_at + keys_, row, out, queries_, false,
                Half::LOWER_A);
    }

    // Queries and keys of position t, in their place, turned forth (1) or back (-1).
    void turn_both(float *at, int t, float way) const {
        turn(at, t, way, queries_);
        turn(at + queries_, t, way, keys_);
    }

    void turn(float *at, int t, float way, int count) const {
        const float *own = own_ + t * queries_, *other = other_ + t * queries_;
        int i = 0;
        for (; i + LANES <= count; i += LANES) {
            Vec both = load(at + i);
            store(at + i, both * load(own + i) + way * exchanged<1>(both) * load(other + i));
        }
        for (; i + 1 < count; i += 2) {
            float even = at[i], odd = at[i + 1];
            at[i] = even * own[i] + way * odd * other[i];
            at[i + 1] = odd * own[i + 1] + way * even * other[i + 1];
        }
        if (i < count) at[i] *= own[i];
    }

    // The first `count` scores of a row become shares, the rest of it zero.
    void softmax(float *row, int count) const {
        Vec top = splat(-INFINITY);
        each_vector(row_, [&](int i) {
            Vec scores = is_before(count - i) ? load(row + i) : splat(-INFINITY);
            store(row + i, scores);
            top = scores <= top ? top : scores; // a nan it passes over enters the sum
        });
        Vec highest = largest(top), total{};
        each_vector(row_, [&](int i) {
            Vec share = is_before(count - i) ? exp(load(row + i) - highest) : Vec{};
            store(row + i, share);
            total += share;
        });
        Vec part = 1.0f / sum(total);
        each_vector(row_, [&](int i) { store(row + i, load(row + i) * part); });
    }

    void softmax_backward(float *grad, const float *share, int count) const {
        Vec total{};
        each_vector(row_, [&](int i) {
            Vec own = is_before(count - i) ? load(grad + i) : Vec{}; // beyond, it is undefined
            store(grad + i, own);
            total += own * load(share + i);
        });
        Vec inner = sum(total);
        each_vector(row_,
                    [&](int i) { store(grad + i, load(share + i) * (load(grad + i) - inner)); });
    }

    int T_, H_, K_, shared_, queries_, keys_, row_;
    const float *own_, *other_;
    float *turned_, *shares_, *grad_shares_;
};
