// The inside of a Mamba-2 layer: convolution, scan, gate and norm over one chunk of all positions.
//
// The masked matrix of state space duality (Dao & Gu 2024) takes up all that is linear in x, the
// step size as its logarithm in the exponent, and the skip on the diagonal:
//
//     y_t = sum over s <= t of W_ts x_s,   W_ts = exp(l_t - l_s + log dt_s) (C_t . B_s) + [t = s] D
//
// with l the running sum of dt A. So one matrix of gradients, G = dW * (W - D), gives those of l
// (its sums over rows less those over columns) and of log dt (over columns).

#pragma once

#include "arena.h"
#include "gemm.h"
#include "rows.h"
#include "sizes.h"

#include <algorithm>
#include <utility>

struct MambaWeights {
    const float *conv, *conv_bias, *dt_bias, *a_log, *skip;
};
struct MambaGrads {
    float *conv, *conv_bias, *dt_bias, *a_log, *skip;
};

class MambaCore {
  public:
    static int columns(const Sizes &sizes) { return sizes.mamba_columns(); }
    static int outputs(const Sizes &sizes) { return sizes.E; }
    static size_t kept(const Sizes &sizes) {
        return sizes.T * (sizes.C() + sizes.E + sizes.groups) + 3 * LANES;
    }
    static size_t working(const Sizes &sizes) {
        size_t T = sizes.T, C = sizes.C(), row = padded(sizes.T), H = sizes.mamba_heads;
        return 2 * Arena::whole(sizes.taps * C) + 2 * Arena::whole(T * C) +
               2 * Arena::whole(T * row) + 2 * Arena::whole(sizes.groups * T * row) +
               4 * Arena::whole(H * row) + 2 * Arena::whole(row) + Arena::whole(T * sizes.E) +
               Arena::whole(T * widest(sizes));
    }

    // `grads` may be left out where there is no backward pass.
    MambaCore(const Sizes &sizes, MambaWeights weights, Arena &arena, MambaGrads *grads = nullptr)
        : T_(sizes.T), E_(sizes.E), N_(sizes.N), C_(sizes.C()), H_(sizes.mamba_heads), K_(E_ / H_),
          G_(sizes.groups), W_(sizes.taps), row_(padded(T_)), weights_(weights), grads_(grads) {
        taps_ = arena.take(W_ * C_);
        transpose(C_, W_, weights.conv, W_, taps_, C_);
        active_ = arena.take(T_ * C_), match_ = arena.zeros(G_ * T_ * row_);
        decay_ = arena.zeros(T_ * row_), matrix_ = arena.zeros(T_ * row_);
        raw_ = arena.zeros(H_ * row_), step_ = arena.zeros(H_ * row_);
        total_ = arena.zeros(H_ * row_), log_step_ = arena.zeros(H_ * row_);
        turned_ = arena.take(T_ * widest(sizes));
        if (!grads) return;
        grad_active_ = arena.take(T_ * C_), grad_match_ = arena.zeros(G_ * T_ * row_);
        rows_ = arena.zeros(row_), columns_ = arena.zeros(row_);
        grad_y_ = arena.take(T_ * E_), grad_taps_ = arena.zeros(W_ * C_);
        for (auto [at, count] : {std::pair{grads->conv_bias, C_},
                                 {grads->dt_bias, H_},
                                 {grads->a_log, H_},
                                 {grads->skip, H_}})
            std::memset(at, 0, sizeof(float) * count);
    }

    void forward(const float *projected, int row, float *kept, float *out) {
        float *mixed = kept, *y = mixed + T_ * C_ + LANES, *scale = y + T_ * E_ + LANES;
        convolve(projected + E_, row, mixed);
        prepare(projected, row, mixed);
        for (int h = 0; h < H_; ++h) {
            weigh(h);
            product(T_, K_, T_, rows_of(matrix_, row_), active_ + h * K_, C_, y + h * K_, E_, false,
                    Half::LOWER_A);
        }
        for (int t = 0; t < T_; ++t) {
            float *to = out + t * E_;
            const float *z = projected + t * row, *own = y + t * E_;
            each_vector(E_, [&](int i) { put(to, i, E_, load(own + i) * silu(load(z + i))); });
            for (int g = 0, width = E_ / G_; g < G_; ++g, to += width) {
                scale[t * G_ + g] = norm_scale(to, width);
                scaled(to, scale[t * G_ + g], width, to);
            }
        }
    }

    void backward(const float *grad, const float *projected, int row, const float *kept, float *out,
                  float *grad_projected) {
        const float *mixed = kept, *y = mixed + T_ * C_ + LANES, *scale = y + T_ * E_ + LANES;
        for (int t = 0; t < T_; ++t)
            for (int g = 0, at = 0; g < G_; ++g, at += E_ / G_)
                ungate(grad + t * E_ + at, projected + t * row + at, y + t * E_ + at,
                       scale[t * G_ + g], out + t * E_ + at, grad_projected + t * row + at,
                       grad_y_ + t * E_ + at);
        prepare(projected, row, mixed);
        std::memset(grad_match_, 0, sizeof(float) * G_ * T_ * row_);
        float *grad_dt = grad_projected + E_ + C_;
        for (int h = 0; h < H_; ++h) {
            weigh(h);
            product(T_, K_, T_, columns_of(matrix_, row_), grad_y_ + h * K_, E_,
                    grad_active_ + h * K_, C_, false, Half::UPPER_A);
            transpose(T_, K_, active_ + h * K_, C_, turned_, T_);
            product(T_, T_, K_, rows_of(grad_y_ + h * K_, E_), turned_, T_, matrix_, row_, false,
                    Half::LOWER_C);
            unweigh(h);
            step_gradients(h, row, grad_dt);
        }
        for (int g = 0; g < G_; ++g) {
            const float *b = active_ + E_ + g * N_, *c = b + G_ * N_;
            const float *grad_match = grad_match_ + g * T_ * row_;
            float *grad_b = grad_active_ + E_ + g * N_, *grad_c = grad_b + G_ * N_;
            product(T_, N_, T_, columns_of(grad_match, row_), c, C_, grad_b, C_, false,
                    Half::UPPER_A);
            product(T_, N_, T_, rows_of(grad_match, row_), b, C_, grad_c, C_, false, Half::LOWER_A);
        }
        for (int t = 0; t < T_; ++t) {
            float *own = grad_active_ + t * C_;
            const float *in = mixed + t * C_;
            each_vector(C_,
                        [&](int i) { put(own, i, C_, load(own + i) * silu_slope(load(in + i))); });
        }
        convolve_backward(projected + E_, row, grad_projected + E_);
    }

    // What is summed in another order than it is to be returned in.
    void finish() { transpose(W_, C_, grad_taps_, C_, grads_->conv, W_); }

  private:
    // Of what is turned: of a head's channels, or of the state.
    static int widest(const Sizes &sizes) { return std::max(sizes.E / sizes.mamba_heads, sizes.N); }

    // Where the matrix C B^T of a head's group begins.
    size_t first(int h) const { return size_t(h / (H_ / G_)) * T_ * row_; }

    static Vec silu(Vec x) { return x * sigmoid(x); }
    static Vec silu_slope(Vec x) {
        Vec share = sigmoid(x), value = x * share;
        return share + value - value * share;
    }

    // Only what belongs to the row of `count` elements is written.
    static void put(float *to, int i, int count, Vec value) {
        if (i + LANES <= count)
            store(to + i, value);
        else
            std::memcpy(to + i, &value, sizeof(float) * (count - i));
    }

    // Depthwise, over the last W positions; the last tap weighs the present one.
    void convolve(const float *in, int row, float *mixed) const {
        for (int t = 0; t < T_; ++t) {
            float *to = mixed + t * C_;
            std::memcpy(to, weights_.conv_bias, sizeof(float) * C_);
            for (int lag = 0; lag < W_ && lag <= t; ++lag) {
                const float *tap = taps_ + (W_ - 1 - lag) * C_, *from = in + (t - lag) * row;
                for (int i = 0; i < C_; ++i) to[i] += tap[i] * from[i];
            }
        }
    }

    void convolve_backward(const float *in, int row, float *grad_in) {
        for (int t = 0; t < T_; ++t) {
            float *to = grad_in + t * row;
            for (int i = 0; i < C_; ++i) to[i] = 0.0f;
            for (int lag = 0; lag < W_ && t + lag < T_; ++lag) {
                const float *tap = taps_ + (W_ - 1 - lag) * C_, *of = grad_active_ + (t + lag) * C_;
                float *grad_tap = grad_taps_ + (W_ - 1 - lag) * C_;
                const float *from = in + t * row;
                for (int i = 0; i < C_; ++i) {
                    to[i] += tap[i] * of[i];
                    grad_tap[i] += from[i] * of[i];
                }
            }
            add_to(grads_->conv_bias, grad_active_ + t * C_, C_);
        }
    }

    // x, B and C from what the convolution gave; C B^T; and of each head steps and running sums.
    void prepare(const float *projected, int row, const float *mixed) {
        for (int i = 0; i < T_ * C_; i += LANES) store(active_ + i, silu(load(mixed + i)));
        for (int g = 0; g < G_; ++g) {
            const float *b = active_ + E_ + g * N_, *c = b + G_ * N_;
            transpose(T_, N_, b, C_, turned_, T_);
            product(T_, T_, N_, rows_of(c, C_), turned_, T_, match_ + g * T_ * row_, row_, false,
                    Half::LOWER_C);
        }
        for (int h = 0; h < H_; ++h) {
            float *raw = raw_ + h * row_, *step = step_ + h * row_, *total = total_ + h * row_;
            for (int t = 0; t < T_; ++t)
                raw[t] = projected[t * row + E_ + C_ + h] + weights_.dt_bias[h];
            each_vector(T_, [&](int i) {
                Vec size = softplus(load(raw + i));
                size =
                    size < 1.1754944e-38f ? splat(1.1754944e-38f) : size; // its logarithm is taken
                store(step + i, size);
                store(log_step_ + h * row_ + i, log(size) * LOG2_E);
            });
            float rate = -std::exp(weights_.a_log[h]) * LOG2_E, sum = 0.0f;
            for (int t = 0; t < T_; ++t) total[t] = sum += step[t] * rate;
        }
    }

    // Decay and W of one head; zero above the diagonal.
    void weigh(int h) {
        const float *total = total_ + h * row_, *log_step = log_step_ + h * row_;
        for (int t = 0; t < T_; ++t) {
            float *decay = decay_ + t * row_, *matrix = matrix_ + t * row_;
            const float *match = match_ + first(h) + t * row_;
            Vec here = splat(total[t]);
            each_vector(row_, [&](int i) {
                Ints counts = is_before(t + 1 - i);
                Vec own = i > t ? Vec{} : exp2(here - load(total + i) + load(log_step + i));
                own = counts ? own : Vec{};
                store(decay + i, own);
                store(matrix + i, counts ? own * load(match + i) : Vec{});
            });
            matrix[t] += weights_.skip[h];
        }
    }

    // From dW, which stands in `matrix_`: gradients of skip and of C B^T, and the sums of G.
    void unweigh(int h) {
        for (int i = 0; i < row_; ++i) columns_[i] = 0.0f;
        for (int t = 0; t < T_; ++t) {
            const float *grad = matrix_ + t * row_, *decay = decay_ + t * row_;
            const float *match = match_ + first(h) + t * row_;
            float *grad_match = grad_match_ + first(h) + t * row_;
            grads_->skip[h] += grad[t];
            Vec of_row{};
            for (int i = 0; i <= t; i += LANES) {
                Vec own = is_before(t + 1 - i) ? load(grad + i) * load(decay + i) : Vec{};
                store(grad_match + i, load(grad_match + i) + own);
                own = is_before(t + 1 - i) ? own * load(match + i) : Vec{};
                store(columns_ + i, load(columns_ + i) + own);
                of_row += own;
            }
            rows_[t] = sum(of_row)[0];
        }
    }

    // Gradients of dt, its bias and A, from the sums of G.
    void step_gradients(int h, int row, float *grad_dt) {
        const float *step = step_ + h * row_, *raw = raw_ + h * row_;
        float rate = -std::exp(weights_.a_log[h]), bias = 0.0f;
        double later = 0.0, grad_rate = 0.0; // differences that nearly cancel
        float *slope = rows_;                // one after the other, in its place
        for (int t = T_ - 1; t >= 0; --t) {
            later += rows_[t] - columns_[t]; // of l, over all positions from t on
            grad_rate += later * step[t];
            slope[t] = columns_[t] / step[t] + later * rate;
        }
        each_vector(T_, [&](int i) { store(slope + i, load(slope + i) * sigmoid(load(raw + i))); });
        for (int t = 0; t < T_; ++t) grad_dt[t * row + h] = slope[t], bias += slope[t];
        grads_->dt_bias[h] += bias;
        grads_->a_log[h] += grad_rate * rate;
    }

    // Gradients of the gate z and of y in one group's channels, from that of the gated norm, which
    // is recomputed in `out`.
    void ungate(const float *grad, const float *z, const float *y, float scale, float *out,
                float *grad_z, float *grad_y) const {
        int width = E_ / G_;
        each_vector(width,
                    [&](int i) { put(out, i, width, load(y + i) * silu(load(z + i)) * scale); });
        norm_backward(grad, out, scale, width, grad_y);
        each_vector(width, [&](int i) {
            Vec own = load(grad_y + i), gate = load(z + i);
            put(grad_z, i, width, own * load(y + i) * silu_slope(gate));
            put(grad_y, i, width, own * silu(gate));
        });
    }

    int T_, E_, N_, C_, H_, K_, G_, W_, row_;
    MambaWeights weights_;
    MambaGrads *grads_;
    float *taps_, *active_, *match_, *decay_, *matrix_, *raw_, *step_, *total_, *log_step_,
        *turned_;
    float *grad_active_, *grad_match_, *rows_, *columns_, *grad_y_, *grad_taps_;
};
