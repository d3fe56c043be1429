// The inside of an MLP layer: GELU (tanh form), SwiGLU or squared ReLU.

#pragma once

#include "arena.h"
#include "sizes.h"

class MlpCore {
  public:
    static int columns(const Sizes &sizes) { return sizes.mlp_columns(); }
    static int outputs(const Sizes &sizes) { return sizes.F; }
    static size_t kept(const Sizes &) { return 0; }
    static size_t working(const Sizes &) { return 0; }

    MlpCore(const Sizes &sizes) : T_(sizes.T), F_(sizes.F), kind_(sizes.activation) {}

    void forward(const float *projected, int row, float *, float *out) const {
        for (int t = 0; t < T_; ++t, projected += row, out += F_) active(projected, out);
    }

    void backward(const float *grad, const float *projected, int row, const float *, float *out,
                  float *grad_projected) {
        for (int t = 0; t < T_; ++t) {
            slopes(grad, projected, out, grad_projected);
            grad += F_, projected += row, out += F_, grad_projected += row;
        }
    }

    // One position's hidden values.
    void active(const float *in, float *out) const {
        if (kind_ == GELU)
            over([&](int i, auto put) { put(out, i, load(in + i) * gelu_share(load(in + i))); });
        else if (kind_ == SWIGLU)
            over([&](int i, auto put) {
                Vec gate = load(in + i);
                put(out, i, gate * sigmoid(gate) * load(in + F_ + i));
            });
        else
            over([&](int i, auto put) {
                Vec x = load(in + i), top = x > 0.0f ? x : (x <= 0.0f ? Vec{} : x);
                put(out, i, top * top);
            });
    }

    // One position's hidden values once more, and the gradient of what they were made of.
    void slopes(const float *grad, const float *in, float *out, float *to) const {
        if (kind_ == GELU)
            over([&](int i, auto put) {
                Vec x = load(in + i), share = gelu_share(x), value = x * share;
                put(out, i, value);
                Vec slope = GELU_C + 3 * GELU_C * GELU_A * (x * x);
                put(to, i, load(grad + i) * (share + (value - value * share) * slope));
            });
        else if (kind_ == SWIGLU)
            over([&](int i, auto put) {
                Vec gate = load(in + i), up = load(in + F_ + i), share = sigmoid(gate);
                Vec silu = gate * share, own = load(grad + i);
                put(out, i, silu * up);
                put(to, i, own * up * (share + silu - silu * share));
                put(to + F_, i, own * silu);
            });
        else
            over([&](int i, auto put) {
                Vec x = load(in + i), top = x > 0.0f ? x : (x <= 0.0f ? Vec{} : x);
                put(out, i, top * top);
                put(to, i, load(grad + i) * 2.0f * top);
            });
    }

  private:
    // x (1 + tanh u) / 2 is x times the logistic function of 2 u (Hendrycks & Gimpel 2016).
    static constexpr float GELU_C = 1.5957691216057308f, GELU_A = 0.044715f; // 2 sqrt(2 / pi)
    static Vec gelu_share(Vec x) { return sigmoid(x * (GELU_C + GELU_C * GELU_A * (x * x))); }

    // `f` for every vector of a row, the last of which may be short, and how it is to be stored.
    template <class F> void over(F f) const {
        int i = 0;
        for (; i + LANES <= F_; i += LANES)
            f(i, [](float *to, int at, Vec value) { store(to + at, value); });
        if (i < F_)
            f(i, [&](float *to, int at, Vec value) {
                std::memcpy(to + at, &value, sizeof(float) * (F_ - at));
            });
    }

    int T_, F_, kind_;
};
