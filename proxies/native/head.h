// What stands behind the layers: final norm, for an auto-encoder its decoder, logits and their
// loss.

#pragma once

#include "arena.h"
#include "gemm.h"
#include "mlp.h"
#include "rows.h"
#include "sizes.h"

constexpr int64_t IGNORED = -100; // a target that does not count

struct HeadWeights {
    const float *norm, *head, *decoder_in, *decoder_out;
};
struct HeadGrads {
    float *norm, *head, *decoder_in, *decoder_out;
};

// Loss of one position in nats; the logits become their gradient times `share`.
inline float cross_entropy(float *logits, int count, int64_t target, float share) {
    Vec tops = splat(-INFINITY), sums{};
    int whole = count / LANES * LANES;
    for (int i = 0; i < whole; i += LANES) {
        Vec own = load(logits + i);
        tops = own <= tops ? tops : own; // a nan it passes over enters the sum
    }
    float top = largest(tops)[0];
    for (int i = whole; i < count; ++i) top = logits[i] <= top ? top : logits[i];
    float picked = logits[target] - top;
    for (int i = 0; i < whole; i += LANES) {
        Vec own = exp(load(logits + i) - top);
        store(logits + i, own);
        sums += own;
    }
    float total = sum(sums)[0];
    for (int i = whole; i < count; ++i) total += logits[i] = std::exp(logits[i] - top);
    scaled(logits, share / total, count, logits);
    logits[target] -= share;
    return std::log(total) - picked;
}

class Head {
  public:
    // Floats of an arena for training; and for scoring, when the caller takes a sequence's logits.
    static size_t working(const Sizes &sizes) {
        size_t T = sizes.T, D = sizes.D, V = sizes.V;
        size_t total =
            3 * Arena::whole(T * D) + Arena::whole(T) + Arena::whole(T * V) + Arena::whole(V * D);
        if (!sizes.decodes) return total;
        return total + Arena::whole(T * D) + 4 * Arena::whole(2 * T * D) +
               2 * Arena::whole(2 * D * D);
    }

    // `positions`: what an auto-encoder's decoder adds to the last state, (T, D).
    Head(const Sizes &sizes, HeadWeights weights, const float *positions, Arena &arena,
         HeadGrads *grads = nullptr)
        : T_(sizes.T), D_(sizes.D), V_(sizes.V), decodes_(sizes.decodes), weights_(weights),
          grads_(grads), positions_(positions), mlp_(decoder_sizes(sizes)) {
        normed_ = arena.take(T_ * D_), scale_ = arena.take(T_), features_ = arena.take(T_ * D_);
        if (decodes_)
            queries_ = arena.take(T_ * D_), hidden_ = arena.take(2 * T_ * D_),
            active_ = arena.take(2 * T_ * D_);
        if (!grads) return;
        logits_ = arena.take(size_t(T_) * V_), grad_features_ = arena.take(T_ * D_);
        head_back_ = arena.take(size_t(V_) * D_);
        transpose(D_, V_, weights.head, V_, head_back_, D_);
        clear(grads->norm, D_), clear(grads->head, size_t(D_) * V_);
        if (!decodes_) return;
        in_back_ = arena.take(2 * D_ * D_), out_back_ = arena.take(2 * D_ * D_);
        transpose(D_, 2 * D_, weights.decoder_in, 2 * D_, in_back_, D_);
        transpose(2 * D_, D_, weights.decoder_out, D_, out_back_, 2 * D_);
        grad_active_ = arena.take(2 * T_ * D_), grad_hidden_ = arena.take(2 * T_ * D_);
        clear(grads->decoder_in, 2 * D_ * D_), clear(grads->decoder_out, 2 * D_ * D_);
    }

    // Logits (T, V) of one sequence from the layers' result (T, D).
    void forward(const float *x, float *logits) {
        int first = decodes_ ? T_ - 1 : 0;
        for (int t = first; t < T_; ++t) {
            scale_[t] = norm_scale(x + t * D_, D_);
            float *normed = normed_ + t * D_, *to = features_ + t * D_;
            scaled(x + t * D_, scale_[t], D_, normed);
            for (int i = 0; i < D_; ++i) to[i] = normed[i] * weights_.norm[i];
        }
        if (decodes_) decode();
        product(T_, V_, D_, rows_of(features_, D_), weights_.head, V_, logits, V_);
    }

    // Sum of one sequence's losses; `grad` becomes the gradient of x, of losses times `share`.
    double train(const float *x, const int64_t *targets, float share, float *grad) {
        forward(x, logits_);
        double loss = 0.0;
        for (int t = 0; t < T_; ++t) {
            float *row = logits_ + size_t(t) * V_;
            if (targets[t] == IGNORED)
                clear(row, V_);
            else
                loss += cross_entropy(row, V_, targets[t], share);
        }
        product(D_, V_, T_, columns_of(features_, D_), logits_, V_, grads_->head, V_, true);
        product(T_, D_, V_, rows_of(logits_, V_), head_back_, D_, grad_features_, D_);
        if (decodes_) {
            clear(grad, T_ * D_);
            decode_backward();
        }
        for (int t = decodes_ ? T_ - 1 : 0; t < T_; ++t) {
            float *own = grad_features_ + t * D_;
            const float *normed = normed_ + t * D_;
            for (int i = 0; i < D_; ++i) {
                grads_->norm[i] += own[i] * normed[i];
                own[i] *= weights_.norm[i];
            }
            norm_backward(own, normed, scale_[t], D_, grad + t * D_);
        }
        return loss;
    }

  private:
    static void clear(float *at, size_t count) { std::memset(at, 0, sizeof(float) * count); }

    static Sizes decoder_sizes(Sizes sizes) {
        sizes.activation = GELU, sizes.F = 2 * sizes.D;
        return sizes;
    }

    // Every position's features from the last state and the position, through a two-layer MLP.
    void decode() {
        const float *last = features_ + (T_ - 1) * D_;
        for (int t = 0; t < T_; ++t)
            for (int i = 0; i < D_; ++i) queries_[t * D_ + i] = last[i] + positions_[t * D_ + i];
        product(T_, 2 * D_, D_, rows_of(queries_, D_), weights_.decoder_in, 2 * D_, hidden_,
                2 * D_);
        mlp_.forward(hidden_, 2 * D_, nullptr, active_);
        product(T_, D_, 2 * D_, rows_of(active_, 2 * D_), weights_.decoder_out, D_, features_, D_);
    }

    // The gradient of all features becomes that of the last state, in its place.
    void decode_backward() {
        product(2 * D_, D_, T_, columns_of(active_, 2 * D_), grad_features_, D_,
                grads_->decoder_out, D_, true);
        product(T_, 2 * D_, D_, rows_of(grad_features_, D_), out_back_, 2 * D_, grad_active_,
                2 * D_);
        mlp_.backward(grad_active_, hidden_, 2 * D_, nullptr, active_, grad_hidden_);
        product(D_, 2 * D_, T_, columns_of(queries_, D_), grad_hidden_, 2 * D_, grads_->decoder_in,
                2 * D_, true);
        product(T_, D_, 2 * D_, rows_of(grad_hidden_, 2 * D_), in_back_, D_, grad_features_, D_);
        float *last = grad_features_ + (T_ - 1) * D_;
        for (int t = 0; t < T_ - 1; ++t) add_to(last, grad_features_ + t * D_, D_);
    }

    int T_, D_, V_;
    bool decodes_;
    HeadWeights weights_;
    HeadGrads *grads_;
    const float *positions_;
    MlpCore mlp_;
    float *normed_, *scale_, *features_;
    float *queries_ = nullptr, *hidden_ = nullptr, *active_ = nullptr;          // of a decoder
    float *logits_ = nullptr, *grad_features_ = nullptr, *head_back_ = nullptr; // of a training
    float *grad_active_ = nullptr, *grad_hidden_ = nullptr, *in_back_ = nullptr,
          *out_back_ = nullptr;
};
