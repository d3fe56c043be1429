// The inside of an attention layer: causal softmax attention, head by head, with rotary positions.
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
    static int columns(const Sizes &sizes) { return 3 * sizes.D; }
    static int outputs(const Sizes &sizes) { return sizes.D; }
    static size_t kept(const Sizes &) { return 0; }
    static size_t working(const Sizes &sizes) {
        size_t T = sizes.T, K = sizes.D / sizes.attention_heads;
        return Arena::whole(K * T) + 2 * Arena::whole(T * padded(sizes.T));
    }

    // `turns`: two tables (T, D), by which queries and keys are turned and scaled by K^-1/4: one
    // multiplies an element, the other, its sign alternating, the other element of its pair.
    AttentionCore(const Sizes &sizes, const float *turns, Arena &arena)
        : T_(sizes.T), D_(sizes.D), H_(sizes.attention_heads), K_(D_ / H_), row_(padded(T_)),
          own_(turns), other_(turns + T_ * D_), turned_(arena.take(K_ * T_)),
          shares_(arena.take(T_ * row_)), grad_shares_(arena.take(T_ * row_)) {}

    void forward(float *projected, int row, float *, float *out) {
        for (int t = 0; t < T_; ++t) {
            turn(projected + t * row, t, 1.0f);
            turn(projected + t * row + D_, t, 1.0f);
        }
        for (int h = 0; h < H_; ++h) attend(projected + h * K_, row, out + h * K_);
    }

    void backward(const float *grad, const float *projected, int row, const float *, float *out,
                  float *grad_projected) {
        for (int h = 0; h < H_; ++h) {
            const float *query = projected + h * K_, *key = query + D_, *value = key + D_;
            const float *own = grad + h * K_;
            attend(query, row, out + h * K_);
            transpose(T_, K_, value, row, turned_, T_);
            product(T_, T_, K_, rows_of(own, D_), turned_, T_, grad_shares_, row_, false,
                    Half::LOWER_C);
            for (int t = 0; t < T_; ++t)
                softmax_backward(grad_shares_ + t * row_, shares_ + t * row_, t + 1);
            float *to = grad_projected + h * K_;
            product(T_, K_, T_, rows_of(grad_shares_, row_), key, row, to, row, false,
                    Half::LOWER_A);
            product(T_, K_, T_, columns_of(grad_shares_, row_), query, row, to + D_, row, false,
                    Half::UPPER_A);
            product(T_, K_, T_, columns_of(shares_, row_), own, D_, to + 2 * D_, row, false,
                    Half::UPPER_A);
        }
        for (int t = 0; t < T_; ++t) {
            turn(grad_projected + t * row, t, -1.0f);
            turn(grad_projected + t * row + D_, t, -1.0f);
        }
    }

  private:
    // One head's shares, left in `shares_`, and what they mix.
    void attend(const float *query, int row, float *out) {
        const float *key = query + D_, *value = key + D_;
        transpose(T_, K_, key, row, turned_, T_);
        product(T_, T_, K_, rows_of(query, row), turned_, T_, shares_, row_, false, Half::LOWER_C);
        for (int t = 0; t < T_; ++t) softmax(shares_ + t * row_, t + 1);
        product(T_, K_, T_, rows_of(shares_, row_), value, row, out, D_, false, Half::LOWER_A);
    }

    // Queries or keys of position t, in their place, turned forth (1) or back (-1).
    void turn(float *at, int t, float way) const {
        const float *own = own_ + t * D_, *other = other_ + t * D_;
        int i = 0;
        for (; i + LANES <= D_; i += LANES) {
            Vec both = load(at + i);
            store(at + i, both * load(own + i) + way * exchanged<1>(both) * load(other + i));
        }
        for (; i + 1 < D_; i += 2) {
            float even = at[i], odd = at[i + 1];
            at[i] = even * own[i] + way * odd * other[i];
            at[i + 1] = odd * own[i + 1] + way * even * other[i + 1];
        }
        if (i < D_) at[i] *= own[i];
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

    int T_, D_, H_, K_, row_;
    const float *own_, *other_;
    float *turned_, *shares_, *grad_shares_;
};
