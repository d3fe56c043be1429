// Sizes that all models of a population share. The same fields, in the same order, stand in
// `library.py`.
//
// B sequences, T positions, D width, V vocabulary, H heads, K width of an attention's head, F
// hidden columns of an MLP, E inner columns of a Mamba-2 layer, N its state, G groups of heads with
// one B and C each, C = E + 2 G N its convolved channels.

#pragma once

#include <cstdint>

enum Activation : int32_t { GELU, SWIGLU, RELU2 };

struct Sizes {
    int32_t T, D, V;
    int32_t attention_heads, kv_heads, K;
    int32_t F;
    int32_t activation;
    int32_t E, N, mamba_heads, groups, taps;
    int32_t decodes; // 1: every position from the last state, by decoder.h
    int32_t tied;    // 1: the head is the embedding, transposed

    int C() const { return E + 2 * groups * N; }
    int mamba_columns() const { return E + C() + mamba_heads; }
    int mlp_columns() const { return activation == SWIGLU ? 2 * F : F; }
};
