// Vectors of floats as the compiler offers them for any processor, and what is computed on them.
//
// Infinite and undefined values stay what they are: a training that diverges must show it.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

template <int N> struct Of {
    typedef float Floats __attribute__((vector_size(4 * N)));
    typedef float Anywhere __attribute__((vector_size(4 * N), aligned(4), may_alias));
};
template <> struct Of<1> {
    typedef float Floats;
    typedef float Anywhere;
};
typedef Of<LANES>::Floats Vec;
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES))); // these may overflow

constexpr float LOG2_E = 1.44269504088896341f;
constexpr float LN_2 = 0.69314718055994531f;

template <int N = LANES> inline typename Of<N>::Floats load(const float *from) {
    return *reinterpret_cast<const typename Of<N>::Anywhere *>(from);
}

template <int N = LANES> inline void store(float *to, typename Of<N>::Floats value) {
    *reinterpret_cast<typename Of<N>::Anywhere *>(to) = value;
}

inline Vec splat(float value) { return Vec{} + value; }

inline int padded(int count) { return (count + LANES - 1) / LANES * LANES; }

// Lane i of the result is lane i ^ X.
template <int X> inline Vec exchanged(Vec v) {
#if !defined(__clang__) && __GNUC__ < 12
    Ints from;
    for (int i = 0; i < LANES; ++i) from[i] = i ^ X;
    return __builtin_shuffle(v, from);
#elif defined(__AVX512F__)
    return __builtin_shufflevector(v, v, 0 ^ X, 1 ^ X, 2 ^ X, 3 ^ X, 4 ^ X, 5 ^ X, 6 ^ X, 7 ^ X,
                                   8 ^ X, 9 ^ X, 10 ^ X, 11 ^ X, 12 ^ X, 13 ^ X, 14 ^ X, 15 ^ X);
#else
    return __builtin_shufflevector(v, v, 0 ^ X, 1 ^ X, 2 ^ X, 3 ^ X, 4 ^ X, 5 ^ X, 6 ^ X, 7 ^ X);
#endif
}

// All lanes hold what `f` makes of all of `v`.
template <int X = LANES / 2, class F> inline Vec over_lanes(Vec v, F f) {
    v = f(v, exchanged<X>(v));
    if constexpr (X > 1) v = over_lanes<X / 2>(v, f);
    return v;
}

inline Vec sum(Vec v) {
    return over_lanes(v, [](Vec a, Vec b) { return a + b; });
}
inline Vec largest(Vec v) { // nan, if there is one
    return over_lanes(v, [](Vec a, Vec b) { return a <= b ? b : (b < a ? a : a + b); });
}

// For each lane whether it is one of the first `count`, as -1 or 0.
inline Ints is_before(int count) {
    Ints index;
    for (int i = 0; i < LANES; ++i) index[i] = i;
    return index < (Ints{} + count);
}

// 2^x to 2 units in the last place (Cephes, exp2f): 2^n from the exponent's bits, the rest of at
// most a half by a polynomial.
inline Vec exp2(Vec x) {
    x = x < -127.0f ? splat(-127.0f) : x; // so written, nan stays nan
    x = x > 128.0f ? splat(128.0f) : x;
    const Vec magic = splat(12582912.0f); // adding it rounds to a whole number
    Vec shifted = x + magic, rest = x - (shifted - magic);
    Vec poly = splat(1.535336188319500e-4f);
    poly = poly * rest + 1.339887440266574e-3f;
    poly = poly * rest + 9.618437357674640e-3f;
    poly = poly * rest + 5.550332471162809e-2f;
    poly = poly * rest + 2.402264791363012e-1f;
    poly = poly * rest + 6.931472028550421e-1f;
    poly = poly * rest + 1.0f;
    Words bits = ((Words)shifted - (Words)magic + 127) << 23;
    return poly * (Vec)bits;
}

inline Vec exp(Vec x) { return exp2(x * LOG2_E); }

// Natural logarithm of normal positive numbers (Cephes, logf).
inline Vec log(Vec x) {
    Words bits =
        (Words)x + (0x3f800000 - 0x3f3504f3); // mantissa from the root of a half to that of 2
    Vec whole = __builtin_convertvector((Ints)(bits >> 23) - 127, Vec);
    Vec m = (Vec)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    Vec poly = splat(7.0376836292e-2f);
    poly = poly * m - 1.1514610310e-1f;
    poly = poly * m + 1.1676998740e-1f;
    poly = poly * m - 1.2420140846e-1f;
    poly = poly * m + 1.4249322787e-1f;
    poly = poly * m - 1.6668057665e-1f;
    poly = poly * m + 2.0000714765e-1f;
    poly = poly * m - 2.4999993993e-1f;
    poly = poly * m + 3.3333331174e-1f;
    Vec square = m * m;
    return m + (poly * m * square - 0.5f * square) + whole * LN_2;
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp2(x * -LOG2_E)); }

// log(1 + e^x), accurate where e^x is small: log(1 + u) = u log(w) / (w - 1) for the rounded w.
inline Vec softplus(Vec x) {
    Vec u = exp(x > 0.0f ? -x : x), w = 1.0f + u;
    Vec tail = w == 1.0f ? u : log(w) * (u / (w - 1.0f));
    return (x > 0.0f ? x : splat(0.0f)) + tail;
}

// `f(i)` for i = 0, LANES, ... below `count`; arrays reach up to a whole number of vectors.
template <class F> inline void each_vector(int count, F f) {
    for (int i = 0; i < count; i += LANES) f(i);
}
