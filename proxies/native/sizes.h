// Sizes that all models of a population share. The same fields, in the same order, stand in
// `native_library.py`.
//
// B sequences, T positions, D width, V vocabulary, H heads, K head width, F hidden columns of an
// MLP, E inner columns of a Mamba-2 layer, N its state, C = E + 2 N its convolved channels.

#pragma once

#include <cstdint>

enum Activation : int32_t { GELU, SWIGLU, RELU2 };

struct Sizes {
    int32_t T, D, V;
    int32_t attention_heads;
    int32_t F;
    int32_t activation;
    int32_t E, N, mamba_heads, taps;
    int32_t decodes; // 1: every position from the last state, through an MLP of 2 D

    int C() const { return E + 2 * N; }
    int mamba_columns() const { return E + C() + mamba_heads; }
    int mlp_columns() const { return activation == SWIGLU ? 2 * F : F; }
};
