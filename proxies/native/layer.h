// A whole layer - norm, projections, what lies between, residual: y = x + core(norm(x) W_in) W_out
//
// A model's layer goes sequence by sequence, so that what it works on stays in the nearest cache.
// The norm's weight is multiplied into the rows of W_in, that of a Mamba-2's gated norm into those
// of W_out; their gradients follow from the products'.

#pragma once

#include "arena.h"
#include "gemm.h"
#include "rows.h"
#include "sizes.h"

// What a core brings, the first four for given sizes:
//   columns, outputs      of the input projection; rows of the output projection
//   kept                  floats it keeps of a sequence for the backward pass
//   working               floats of an arena that it takes at most
//   forward(projected, row, kept, out)
//   backward(grad, projected, row, kept, out, grad_projected), `out` being computed once more
// with `projected` of `row` floats a position and `out` of `outputs`. What the forward pass leaves
// in `projected` the backward pass finds there.

struct Projections {
    const float *norm, *in, *out, *out_norm; // out_norm: null where there is none
};
struct ProjectionGrads {
    float *norm, *in, *out, *out_norm;
};

template <class Core> class Layer {
  public:
    Layer(const Sizes &sizes, Core &core, Projections weights, Arena &arena)
        : T_(sizes.T), D_(sizes.D), F_(Core::columns(sizes)), row_(stride(sizes)),
          E_(Core::outputs(sizes)), core_(core), weights_(weights), arena_(arena) {
        in_ = arena.zeros(D_ * row_);
        for (int d = 0; d < D_; ++d)
            scaled(weights.in + d * F_, weights.norm[d], F_, in_ + d * row_);
        out_ = arena.take(E_ * D_);
        for (int e = 0; e < E_; ++e)
            scaled(weights.out + e * D_, weights.out_norm ? weights.out_norm[e] : 1.0f, D_,
                   out_ + e * D_);
    }

    // Floats to be kept of one sequence for the backward pass.
    static size_t kept(const Sizes &sizes) {
        return padded(sizes.T) + sizes.T * stride(sizes) + Core::kept(sizes) + 2 * LANES;
    }

    // Floats of the arena that a layer takes at most, in its backward pass, with its core.
    static size_t working(const Sizes &sizes) {
        size_t T = sizes.T, D = sizes.D, E = Core::outputs(sizes), row = stride(sizes);
        return 3 * Arena::whole(D * row) + 3 * Arena::whole(E * D) + 2 * Arena::whole(T * D) +
               2 * Arena::whole(T * E) + Arena::whole(T * row) + Core::working(sizes);
    }

    void forward(int B, const float *x, float *y, float *kept, size_t kept_each) {
        auto mark = arena_.mark();
        float *normed = arena_.take(T_ * D_), *out = arena_.take(T_ * E_);
        for (int b = 0; b < B; ++b, x += T_ * D_, y += T_ * D_, kept += kept_each) {
            float *scale = kept, *projected = kept + padded(T_);
            float *rest = projected + T_ * row_ + LANES;
            for (int t = 0; t < T_; ++t) {
                scale[t] = norm_scale(x + t * D_, D_);
                scaled(x + t * D_, scale[t], D_, normed + t * D_);
            }
            product(T_, row_, D_, rows_of(normed, D_), in_, row_, projected, row_);
            core_.forward(projected, row_, rest, out);
            std::memcpy(y, x, sizeof(float) * T_ * D_);
            product(T_, D_, E_, rows_of(out, E_), out_, D_, y, D_, true);
        }
        arena_.release(mark);
    }

    // `grad` is that of the layer's result, and becomes that of its input.
    void backward(int B, const float *x, float *grad, const float *kept, size_t kept_each,
                  ProjectionGrads grads) {
        auto mark = arena_.mark();
        float *in_back = arena_.take(row_ * D_), *out_back = arena_.take(D_ * E_);
        transpose(D_, row_, in_, row_, in_back, D_);
        transpose(E_, D_, out_, D_, out_back, E_);
        float *in_grad = arena_.zeros(D_ * row_), *out_grad = arena_.zeros(E_ * D_);
        float *normed = arena_.take(T_ * D_), *out = arena_.take(T_ * E_);
        float *grad_core = arena_.take(T_ * E_), *grad_normed = arena_.take(T_ * D_);
        float *grad_projected = arena_.zeros(T_ * row_);
        for (int b = 0; b < B; ++b, x += T_ * D_, grad += T_ * D_, kept += kept_each) {
            const float *scale = kept, *projected = kept + padded(T_);
            product(T_, E_, D_, rows_of(grad, D_), out_back, E_, grad_core, E_);
            core_.backward(grad_core, projected, row_, projected + T_ * row_ + LANES, out,
                           grad_projected);
            product(E_, D_, T_, columns_of(out, E_), grad, D_, out_grad, D_, true);
            for (int t = 0; t < T_; ++t) scaled(x + t * D_, scale[t], D_, normed + t * D_);
            product(D_, row_, T_, columns_of(normed, D_), grad_projected, row_, in_grad, row_,
                    true);
            product(T_, D_, row_, rows_of(grad_projected, row_), in_back, D_, grad_normed, D_);
            for (int t = 0; t < T_; ++t) {
                norm_backward(grad_normed + t * D_, normed + t * D_, scale[t], D_,
                              grad_normed + t * D_);
                add_to(grad + t * D_, grad_normed + t * D_, D_);
            }
        }
        unfold(D_, F_, in_grad, row_, weights_.norm, weights_.in, grads.norm, grads.in);
        unfold(E_, D_, out_grad, D_, weights_.out_norm, weights_.out, grads.out_norm, grads.out);
        arena_.release(mark);
    }

  private:
    static int stride(const Sizes &sizes) { return (Core::columns(sizes) + 3) / 4 * 4; }

    // From the gradient of (a norm's weight times a matrix), by rows, to those of the two.
    static void unfold(int rows, int columns, const float *grad, int stride, const float *norm,
                       const float *matrix, float *grad_norm, float *grad_matrix) {
        for (int i = 0; i < rows; ++i) {
            const float *of_row = grad + i * stride, *own = matrix + i * columns;
            if (norm)
                grad_norm[i] = sum_of(columns, [&](auto get) { return get(of_row) * get(own); });
            scaled(of_row, norm ? norm[i] : 1.0f, columns, grad_matrix + i * columns);
        }
    }

    int T_, D_, F_, row_, E_;
    Core &core_;
    Projections weights_;
    Arena &arena_;
    float *in_, *out_;
};
