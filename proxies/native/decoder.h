// What an auto-encoder reads its tokens from: of every position the last state plus the position,
// then twice norm, product with bias, GELU by the error function (../models/decoder.py).

#pragma once

#include "arena.h"
#include "gemm.h"
#include "rows.h"
#include "sizes.h"

constexpr int STAGES = 2;

template <class Float> struct DecoderTensors {
    Float *norm[STAGES], *matrix[STAGES], *bias[STAGES];
};

class Decoder {
  public:
    static size_t working(const Sizes &sizes) {
        size_t whole = Arena::whole(size_t(sizes.T) * sizes.D);
        return (5 * STAGES + 2) * whole + STAGES * Arena::whole(sizes.T) +
               Arena::whole(size_t(sizes.D) * sizes.D);
    }

    // `positions`: what is added to the last state, (T, D). `grads` is null where none are wanted.
    Decoder(const Sizes &sizes, DecoderTensors<const float> weights, const float *positions,
            Arena &arena, const DecoderTensors<float> *grads)
        : T_(sizes.T), D_(sizes.D), size_(T_ * D_), weights_(weights), positions_(positions),
          grads_(grads) {
        for (int s = 0; s <= STAGES; ++s) in_[s] = arena.take(size_);
        for (int s = 0; s < STAGES; ++s) {
            normed_[s] = arena.take(size_), weighted_[s] = arena.take(size_);
            hidden_[s] = arena.take(size_), shares_[s] = arena.take(size_);
            scale_[s] = arena.take(T_);
            if (!grads) continue;
            std::memset(grads->norm[s], 0, sizeof(float) * D_);
            std::memset(grads->bias[s], 0, sizeof(float) * D_);
            std::memset(grads->matrix[s], 0, sizeof(float) * D_ * D_);
        }
        back_ = arena.take(D_ * D_), grad_hidden_ = arena.take(size_);
    }

    // Of every position what the final norm reads, (T, D).
    const float *forward(const float *last) {
        for (int i = 0; i < size_; ++i) in_[0][i] = last[i % D_] + positions_[i];
        for (int s = 0; s < STAGES; ++s) {
            for (int t = 0; t < T_; ++t) {
                const float *row = in_[s] + t * D_;
                scale_[s][t] = norm_scale(row, D_);
                scaled(row, scale_[s][t], D_, normed_[s] + t * D_);
                for (int d = 0; d < D_; ++d)
                    weighted_[s][t * D_ + d] = normed_[s][t * D_ + d] * weights_.norm[s][d];
                std::memcpy(hidden_[s] + t * D_, weights_.bias[s], sizeof(float) * D_);
            }
            product(T_, D_, D_, rows_of(weighted_[s], D_), weights_.matrix[s], D_, hidden_[s], D_,
                    true);
            for (int i = 0; i < size_; ++i) {
                float x = hidden_[s][i];
                shares_[s][i] = 0.5f + 0.5f * std::erf(x * ROOT_HALF);
                in_[s + 1][i] = x * shares_[s][i];
            }
        }
        return in_[STAGES];
    }

    // From the gradient of that, which is lost, to that of the last state (D).
    void backward(float *grad, float *grad_last) {
        for (int s = STAGES - 1; s >= 0; --s) {
            for (int i = 0; i < size_; ++i) {
                float x = hidden_[s][i], density = DENSITY * std::exp(-0.5f * x * x);
                grad_hidden_[i] = grad[i] * (shares_[s][i] + x * density);
            }
            for (int t = 0; t < T_; ++t) add_to(grads_->bias[s], grad_hidden_ + t * D_, D_);
            product(D_, D_, T_, columns_of(weighted_[s], D_), grad_hidden_, D_, grads_->matrix[s],
                    D_, true);
            transpose(D_, D_, weights_.matrix[s], D_, back_, D_);
            product(T_, D_, D_, rows_of(grad_hidden_, D_), back_, D_, grad, D_);
            for (int t = 0; t < T_; ++t) {
                float *own = grad + t * D_;
                const float *normed = normed_[s] + t * D_;
                for (int d = 0; d < D_; ++d) {
                    grads_->norm[s][d] += own[d] * normed[d];
                    own[d] *= weights_.norm[s][d];
                }
                norm_backward(own, normed, scale_[s][t], D_, own);
            }
        }
        std::memset(grad_last, 0, sizeof(float) * D_);
        for (int t = 0; t < T_; ++t) add_to(grad_last, grad + t * D_, D_);
    }

  private:
    static constexpr float ROOT_HALF = 0.70710678118654752f, DENSITY = 0.39894228040143268f;

    int T_, D_, size_;
    DecoderTensors<const float> weights_;
    const float *positions_;
    const DecoderTensors<float> *grads_;
    float *in_[STAGES + 1], *normed_[STAGES], *weighted_[STAGES], *hidden_[STAGES],
        *shares_[STAGES], *scale_[STAGES], *back_, *grad_hidden_;
};
