// What stands behind the layers: final norm, for an auto-encoder its decoder, logits and their
// loss.

#pragma once

#include <optional>

#include "arena.h"
#include "decoder.h"
#include "gemm.h"
#include "rows.h"
#include "sizes.h"

constexpr int64_t IGNORED = -100; // a target that does not count

template <class Float> struct HeadTensors {
    Float *norm, *head, *bias; // of tied weights `head` is the embedding (V, D); bias or null
    DecoderTensors<Float> decoder;
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
        if (sizes.tied) total += 2 * Arena::whole(V * D);
        return sizes.decodes ? total + Decoder::working(sizes) + Arena::whole(D) : total;
    }

    // `positions`: what an auto-encoder's decoder adds to the last state, (T, D).
    Head(const Sizes &sizes, HeadTensors<const float> weights, const float *positions, Arena &arena,
         HeadTensors<float> *grads = nullptr)
        : T_(sizes.T), D_(sizes.D), V_(sizes.V), tied_(sizes.tied), weights_(weights),
          grads_(grads) {
        normed_ = arena.take(T_ * D_), scale_ = arena.take(T_), features_ = arena.take(T_ * D_);
        if (sizes.decodes) {
            decoder_.emplace(sizes, weights.decoder, positions, arena,
                             grads ? &grads->decoder : nullptr);
            grad_last_ = arena.take(D_);
        }
        head_ = weights.head;
        if (tied_) {
            float *turned = arena.take(size_t(V_) * D_);
            transpose(V_, D_, weights.head, D_, turned, V_);
            head_ = turned;
        }
        if (!grads) return;
        logits_ = arena.take(size_t(T_) * V_), grad_features_ = arena.take(T_ * D_);
        head_back_ = arena.take(size_t(V_) * D_);
        transpose(D_, V_, head_, V_, head_back_, D_);
        grad_head_ = tied_ ? arena.take(size_t(V_) * D_) : grads->head;
        clear(grads->norm, D_), clear(grad_head_, size_t(D_) * V_);
        if (weights.bias) clear(grads->bias, V_);
    }

    // Logits (T, V) of one sequence from the layers' result (T, D).
    void forward(const float *x, float *logits) {
        if (decoder_) x = decoder_->forward(x + (T_ - 1) * D_);
        for (int t = 0; t < T_; ++t) {
            scale_[t] = norm_scale(x + t * D_, D_);
            float *normed = normed_ + t * D_, *to = features_ + t * D_;
            scaled(x + t * D_, scale_[t], D_, normed);
            for (int i = 0; i < D_; ++i) to[i] = normed[i] * weights_.norm[i];
        }
        product(T_, V_, D_, rows_of(features_, D_), head_, V_, logits, V_);
        if (weights_.bias)
            for (int t = 0; t < T_; ++t) add_to(logits + size_t(t) * V_, weights_.bias, V_);
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
            if (weights_.bias) add_to(grads_->bias, row, V_);
        }
        product(D_, V_, T_, columns_of(features_, D_), logits_, V_, grad_head_, V_, true);
        product(T_, D_, V_, rows_of(logits_, V_), head_back_, D_, grad_features_, D_);
        for (int t = 0; t < T_; ++t) {
            float *own = grad_features_ + t * D_;
            const float *normed = normed_ + t * D_;
            for (int i = 0; i < D_; ++i) {
                grads_->norm[i] += own[i] * normed[i];
                own[i] *= weights_.norm[i];
            }
            norm_backward(own, normed, scale_[t], D_, grad + t * D_);
        }
        if (!decoder_) return loss;
        decoder_->backward(grad, grad_last_);
        clear(grad, T_ * D_);
        std::memcpy(grad + (T_ - 1) * D_, grad_last_, sizeof(float) * D_);
        return loss;
    }

    // Of tied weights: what the head gives to the embedding's gradient, in its place.
    void finish() {
        if (tied_) transpose(D_, V_, grad_head_, V_, grads_->head, D_);
    }

  private:
    static void clear(float *at, size_t count) { std::memset(at, 0, sizeof(float) * count); }

    int T_, D_, V_;
    bool tied_;
    HeadTensors<const float> weights_;
    HeadTensors<float> *grads_;
    std::optional<Decoder> decoder_;
    const float *head_;
    float *normed_, *scale_, *features_, *grad_last_ = nullptr;
    float *logits_ = nullptr, *grad_features_ = nullptr, *head_back_ = nullptr,
          *grad_head_ = nullptr; // of a training
};
