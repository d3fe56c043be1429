// Products of small matrices that lie in the nearest cache.
//
// C (M x N) = or += A (M x K) B (K x N), rows of B and C contiguous, A with any two strides: a
// transposed A is one whose strides are exchanged. Of a causal product only one half is needed.

#pragma once

#include "simd.h"

// Which part of the matrices counts: all; A is zero above its diagonal; A is zero below it; or
// nothing of C is read above its diagonal (what stands there afterwards is undefined).
enum class Half { NONE, LOWER_A, UPPER_A, LOWER_C };

struct Matrix {
    const float *at;
    long row, column; // strides
};

// Rows of a tile: with two vectors a row, as many sums as registers hold, each its own chain.
constexpr int ROWS = LANES > 8 ? 8 : 4;

inline Matrix rows_of(const float *at, long stride) { return {at, stride, 1}; }
inline Matrix columns_of(const float *at, long stride) { return {at, 1, stride}; } // transposed

// R rows by V vectors of W lanes of C, summed over k from `first` to below `last`.
template <int W, int R, int V>
inline void tile(int first, int last, Matrix a, const float *b, long b_row, float *c, long c_row,
                 bool adds) {
    typename Of<W>::Floats sums[R][V];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v)
            sums[r][v] = adds ? load<W>(c + r * c_row + v * W) : typename Of<W>::Floats{};
    for (int k = first; k < last; ++k) {
        typename Of<W>::Floats right[V];
        for (int v = 0; v < V; ++v) right[v] = load<W>(b + k * b_row + v * W);
        for (int r = 0; r < R; ++r) {
            float left = a.at[r * a.row + k * a.column];
            for (int v = 0; v < V; ++v) sums[r][v] += left * right[v];
        }
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) store<W>(c + r * c_row + v * W, sums[r][v]);
}

// V vectors of columns from `left` on, all rows: R at a time, then the rest in halves of R.
template <int W, int R, int V>
inline void strip(int begin, int M, int K, int left, Matrix a, const float *b, long b_row, float *c,
                  long c_row, bool adds, Half half) {
    int i = begin;
    for (; i + R <= M; i += R) {
        if (half == Half::LOWER_C && left > i + R - 1) continue;
        int first = half == Half::UPPER_A ? i : 0;
        int last = half == Half::LOWER_A && i + R < K ? i + R : K;
        tile<W, R, V>(first, last, {a.at + i * a.row, a.row, a.column}, b + left, b_row,
                      c + i * c_row + left, c_row, adds);
    }
    if constexpr (R > 1)
        if (i < M) strip<W, R / 2, V>(i, M, K, left, a, b, b_row, c, c_row, adds, half);
}

inline void product(int M, int N, int K, Matrix a, const float *b, long b_row, float *c, long c_row,
                    bool adds = false, Half half = Half::NONE) {
    int j = 0;
    for (; j + 2 * LANES <= N; j += 2 * LANES)
        strip<LANES, ROWS, 2>(0, M, K, j, a, b, b_row, c, c_row, adds, half);
    for (; j + LANES <= N; j += LANES)
        strip<LANES, ROWS, 1>(0, M, K, j, a, b, b_row, c, c_row, adds, half);
    if constexpr (LANES > 8)
        for (; j + 8 <= N; j += 8) strip<8, ROWS, 1>(0, M, K, j, a, b, b_row, c, c_row, adds, half);
    for (; j + 4 <= N; j += 4) strip<4, ROWS, 1>(0, M, K, j, a, b, b_row, c, c_row, adds, half);
    for (; j < N; ++j) strip<1, ROWS, 1>(0, M, K, j, a, b, b_row, c, c_row, adds, half);
}

inline void transpose(int rows, int columns, const float *from, long from_row, float *to,
                      long to_row) {
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j) to[j * to_row + i] = from[i * from_row + j];
}
