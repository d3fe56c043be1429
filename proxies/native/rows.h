// What is done row by row: norms, and small sums.

#pragma once

#include "simd.h"

constexpr float NORM_EPS = 1e-5f;

// Sum over `count` elements of `f(get)`, where `get(row)` is the next vector of a row, zero beyond.
template <class F> inline float sum_of(int count, F f) {
    Vec total{};
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        total += f([&](const float *row) { return load(row + i); });
    if (i < count)
        total += f([&](const float *row) {
            Vec rest{};
            std::memcpy(&rest, row + i, sizeof(float) * (count - i));
            return rest;
        });
    return sum(total)[0];
}

// One over the root mean square of a row.
inline float norm_scale(const float *row, int width) {
    float squares = sum_of(width, [&](auto get) { return get(row) * get(row); });
    return 1.0f / std::sqrt(squares / width + NORM_EPS);
}

inline void scaled(const float *from, float factor, int width, float *to) {
    for (int i = 0; i < width; ++i) to[i] = from[i] * factor;
}

// Gradient of a row from that of its norm; `normed` is the norm.
inline void norm_backward(const float *grad, const float *normed, float scale, int width,
                          float *to) {
    float inner = sum_of(width, [&](auto get) { return get(grad) * get(normed); }) / width;
    for (int i = 0; i < width; ++i) to[i] = (grad[i] - normed[i] * inner) * scale;
}

inline void add_to(float *to, const float *from, int count) {
    for (int i = 0; i < count; ++i) to[i] += from[i];
}
