// One model of a population: embedding, its pattern's layers, head; a training step, and a score.

#pragma once

#include <algorithm>

#include "attention.h"
#include "head.h"
#include "layer.h"
#include "mamba2.h"
#include "mlp.h"

// Places of a layer's tensors among its offsets; norm and projections are every kind's.
enum { NORM, IN_PROJ, OUT_PROJ, CONV, CONV_BIAS, DT_BIAS, A_LOG, SKIP, GATE_NORM, LAYER_TENSORS };
enum { EMBEDDING, FINAL_NORM, HEAD, HEAD_BIAS, DECODER };
// Of each stage of a decoder, from DECODER on.
enum { STAGE_NORM, STAGE_MATRIX, STAGE_BIAS, STAGE_TENSORS };
constexpr int END_TENSORS = DECODER + STAGES * STAGE_TENSORS;

// Kinds of layers, by their `native_index` in ../models/kinds.py.
enum { ATTENTION, MLP, MAMBA2 };

template <class Core> struct Kind {
    using Whole = Layer<Core>;
};
// `f` of the kind of layer with this index.
template <class F> auto with_kind(int kind, F f) {
    if (kind == ATTENTION) return f(Kind<AttentionCore>());
    if (kind == MLP) return f(Kind<MlpCore>());
    return f(Kind<MambaCore>());
}

class Model {
  public:
    // Of a training step on B sequences.
    static Need need_of_training(const Sizes &sizes, int depth, const int8_t *kinds, int B) {
        size_t kept = (depth + 1) * Arena::whole(size_t(B) * sizes.T * sizes.D);
        for (int slot = 0; slot < depth; ++slot)
            kept += Arena::whole(B * kept_each(sizes, kinds[slot]));
        return {kept, scratch(sizes, depth, kinds)};
    }

    // Of a score of B sequences.
    static Need need_of_scoring(const Sizes &sizes, int depth, const int8_t *kinds, int B) {
        size_t each = 0;
        for (int slot = 0; slot < depth; ++slot)
            each = std::max(each, kept_each(sizes, kinds[slot]));
        return {2 * Arena::whole(size_t(B) * sizes.T * sizes.D) + Arena::whole(each),
                scratch(sizes, depth, kinds)};
    }

    // `offsets`: of each layer's tensors and then of the ends', in the flat vectors.
    Model(const Sizes &sizes, int depth, const int8_t *kinds, const int64_t *offsets,
          const float *weights, float *gradient, const float *turns, const float *positions,
          Room &room)
        : sizes_(sizes), depth_(depth), kinds_(kinds), offsets_(offsets), weights_(weights),
          gradient_(gradient), turns_(turns), positions_(positions), room_(room), kept_(room.kept),
          scratch_(room.scratch), state_(size_t(sizes.T) * sizes.D) {}

    // Mean loss over the counted targets of B sequences, and the gradients of all tensors: these
    // only where the loss is at most `limit`.
    float train(int B, const int64_t *inputs, const int64_t *targets, float limit) {
        room_.reserve(need_of_training(sizes_, depth_, kinds_, B));
        int T = sizes_.T;
        auto counted = std::count_if(targets, targets + B * T, [](auto t) { return t != IGNORED; });
        float share = 1.0f / std::max<int64_t>(counted, 1);
        std::vector<float *> states = {kept_.take(B * state_)}, kept;
        embed(B, inputs, states[0]);
        for (int slot = 0; slot < depth_; ++slot) {
            kept.push_back(kept_.take(B * kept_each(slot)));
            states.push_back(kept_.take(B * state_));
            with_layer<false>(slot, [&](auto &layer) {
                layer.forward(B, states[slot], states[slot + 1], kept[slot], kept_each(slot));
            });
        }
        float *grad = states[depth_]; // read first, then written over
        float loss = head(B, states[depth_], targets, share, grad) * share;
        if (loss <= limit) {
            for (int slot = depth_ - 1; slot >= 0; --slot)
                with_layer<true>(slot, [&](auto &layer) {
                    layer.backward(B, states[slot], grad, kept[slot], kept_each(slot),
                                   projection_grads(slot));
                });
            embed_backward(B, inputs, grad);
        }
        room_.clear();
        return loss;
    }

    // Sum of the losses over the counted targets of B sequences; and of every position the guess.
    double score(int B, const int64_t *inputs, const int64_t *targets, int64_t *guesses) {
        room_.reserve(need_of_scoring(sizes_, depth_, kinds_, B));
        float *state = kept_.take(B * state_), *next = kept_.take(B * state_);
        auto mark = kept_.mark();
        embed(B, inputs, state);
        for (int slot = 0; slot < depth_; ++slot)
            with_layer<false>(slot, [&](auto &layer) {
                layer.forward(B, state, next, kept_.take(kept_each(slot)), 0);
                kept_.release(mark);
                std::swap(state, next);
            });
        Head head(sizes_, head_tensors(weights_), positions_, scratch_);
        double loss = 0.0;
        float *logits = scratch_.take(size_t(sizes_.T) * sizes_.V);
        for (int b = 0; b < B; ++b, state += state_) {
            head.forward(state, logits);
            for (int t = 0; t < sizes_.T; ++t) {
                int64_t target = targets[b * sizes_.T + t];
                float *row = logits + size_t(t) * sizes_.V;
                guesses[b * sizes_.T + t] = std::max_element(row, row + sizes_.V) - row;
                if (target != IGNORED) loss += cross_entropy(row, sizes_.V, target, 1.0f);
            }
        }
        room_.clear();
        return loss;
    }

  private:
    const float *weight(int slot, int which) const { return weights_ + at(slot, which); }
    float *grad(int slot, int which) const { return gradient_ + at(slot, which); }
    int64_t at(int slot, int which) const { return offsets_[slot * LAYER_TENSORS + which]; }

    // Floats that a layer keeps of one sequence.
    static size_t kept_each(const Sizes &sizes, int kind) {
        return with_kind(kind, [&](auto found) { return decltype(found)::Whole::kept(sizes); });
    }
    size_t kept_each(int slot) const { return kept_each(sizes_, kinds_[slot]); }

    // Floats that the costliest layer, or the head, works on.
    static size_t scratch(const Sizes &sizes, int depth, const int8_t *kinds) {
        size_t most = Head::working(sizes);
        for (int slot = 0; slot < depth; ++slot)
            most = std::max(most, with_kind(kinds[slot], [&](auto kind) {
                                return decltype(kind)::Whole::working(sizes);
                            }));
        return most;
    }

    // `f` with the layer of a slot, ready to go forward or, with `BACK`, backward.
    template <bool BACK, class F> void with_layer(int slot, F f) {
        auto mark = scratch_.mark();
        Projections projections{weight(slot, NORM), weight(slot, IN_PROJ), weight(slot, OUT_PROJ),
                                kinds_[slot] == MAMBA2 ? weight(slot, GATE_NORM) : nullptr};
        if (kinds_[slot] == ATTENTION) {
            AttentionCore core(sizes_, turns_, scratch_);
            Layer<AttentionCore> layer(sizes_, core, projections, scratch_);
            f(layer);
        } else if (kinds_[slot] == MLP) {
            MlpCore core(sizes_);
            Layer<MlpCore> layer(sizes_, core, projections, scratch_);
            f(layer);
        } else {
            MambaWeights own{weight(slot, CONV), weight(slot, CONV_BIAS), weight(slot, DT_BIAS),
                             weight(slot, A_LOG), weight(slot, SKIP)};
            MambaGrads grads{grad(slot, CONV), grad(slot, CONV_BIAS), grad(slot, DT_BIAS),
                             grad(slot, A_LOG), grad(slot, SKIP)};
            MambaCore core(sizes_, own, scratch_, BACK ? &grads : nullptr);
            Layer<MambaCore> layer(sizes_, core, projections, scratch_);
            f(layer);
            if (BACK) core.finish();
        }
        scratch_.release(mark);
    }

    ProjectionGrads projection_grads(int slot) const {
        return {grad(slot, NORM), grad(slot, IN_PROJ), grad(slot, OUT_PROJ),
                kinds_[slot] == MAMBA2 ? grad(slot, GATE_NORM) : nullptr};
    }

    // Those of the head among all weights or gradients.
    template <class Float> HeadTensors<Float> head_tensors(Float *all) const {
        auto end = [&](int which) { return all + at(depth_, which); };
        HeadTensors<Float> found{end(FINAL_NORM),
                                 end(sizes_.tied ? EMBEDDING : HEAD),
                                 sizes_.decodes ? end(HEAD_BIAS) : nullptr,
                                 {}};
        for (int s = 0; s < STAGES; ++s) {
            int first = DECODER + s * STAGE_TENSORS;
            found.decoder.norm[s] = end(first + STAGE_NORM);
            found.decoder.matrix[s] = end(first + STAGE_MATRIX);
            found.decoder.bias[s] = end(first + STAGE_BIAS);
        }
        return found;
    }

    // Sum of the losses; `grad`, which may be `x`, becomes the gradient of x.
    double head(int B, const float *x, const int64_t *targets, float share, float *grad_x) {
        auto mark = scratch_.mark();
        auto grads = head_tensors(gradient_);
        Head head(sizes_, head_tensors(weights_), positions_, scratch_, &grads);
        double loss = 0.0;
        for (int b = 0; b < B; ++b)
            loss += head.train(x + b * state_, targets + b * sizes_.T, share, grad_x + b * state_);
        head.finish();
        scratch_.release(mark);
        return loss;
    }

    void embed(int B, const int64_t *inputs, float *x) const {
        const float *table = weight(depth_, EMBEDDING);
        for (size_t i = 0; i < size_t(B) * sizes_.T; ++i)
            std::memcpy(x + i * sizes_.D, table + inputs[i] * sizes_.D, sizeof(float) * sizes_.D);
    }

    void embed_backward(int B, const int64_t *inputs, const float *grad_x) const {
        float *table = grad(depth_, EMBEDDING);
        // Of tied weights the head's gradient stands there.
        if (!sizes_.tied) std::memset(table, 0, sizeof(float) * sizes_.V * sizes_.D);
        for (size_t i = 0; i < size_t(B) * sizes_.T; ++i)
            add_to(table + inputs[i] * sizes_.D, grad_x + i * sizes_.D, sizes_.D);
    }

    const Sizes &sizes_;
    int depth_;
    const int8_t *kinds_;
    const int64_t *offsets_;
    const float *weights_;
    float *gradient_;
    const float *turns_, *positions_;
    Room &room_;
    Arena &kept_, &scratch_;
    size_t state_;
};
