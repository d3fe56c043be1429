// What Python calls: a training step, and a score, of a whole population, on some threads.
//
// Models do not know of each other, so each is computed the same whatever the population is.

#include <atomic>
#include <thread>
#include <vector>

#include "model.h"

// As in `library.py`. `offsets` has, for each model, those of its layers and its ends;
// `segments` the first element and the number of elements of each of a model's tensors, and whether
// weight decay applies; `segment_ends` where each model's segments end.
struct Population {
    Sizes sizes;
    int32_t count, depth;
    const int8_t *kinds;
    const int64_t *offsets, *segments, *segment_ends;
    float *weights, *gradient, *first, *second;
    const float *turns, *positions;
};

struct Update {
    float rate, beta1, beta2, weight_decay, clip, limit;
    double number; // of this step, from 1
};

namespace {

struct Workspace {
    explicit Workspace(int threads) : rooms(threads) {}
    std::vector<Room> rooms;
};

Model model_of(const Population &population, int p, Room &room) {
    return Model(population.sizes, population.depth, population.kinds + p * population.depth,
                 population.offsets + p * (population.depth * LAYER_TENSORS + END_TENSORS),
                 population.weights, population.gradient, population.turns, population.positions,
                 room);
}

// AdamW (Loshchilov & Hutter 2019) on one model, its gradient clipped by its own norm.
void adamw(const Population &population, int p, const Update &update) {
    const int64_t *begin = population.segments + 3 * (p ? population.segment_ends[p - 1] : 0);
    const int64_t *end = population.segments + 3 * population.segment_ends[p];
    double squares = 0.0;
    for (auto s = begin; s < end; s += 3) {
        const float *gradient = population.gradient + s[0];
        squares += sum_of(int(s[1]), [&](auto get) { return get(gradient) * get(gradient); });
    }
    float scale = std::min(1.0, update.clip / (std::sqrt(squares) + 1e-6));
    float step = update.rate / (1.0 - std::pow(double(update.beta1), update.number));
    float root = 1.0 / std::sqrt(1.0 - std::pow(double(update.beta2), update.number));
    for (auto s = begin; s < end; s += 3) {
        float *weight = population.weights + s[0], *gradient = population.gradient + s[0];
        float *first = population.first + s[0], *second = population.second + s[0];
        float left = s[2] ? 1.0f - update.rate * update.weight_decay : 1.0f;
        for (int64_t i = 0; i < s[1]; ++i) {
            float g = gradient[i] * scale;
            first[i] += (g - first[i]) * (1.0f - update.beta1);
            second[i] = second[i] * update.beta2 + g * g * (1.0f - update.beta2);
            weight[i] = weight[i] * left - step * first[i] / (std::sqrt(second[i]) * root + 1e-8f);
        }
    }
}

// `f(model number, room)` for all models, shared out among the threads; whether memory sufficed.
template <class F> bool each_model(Workspace &workspace, int count, F f) {
    std::atomic<int> next{0};
    std::atomic<bool> sufficed{true};
    auto work = [&](Room &room) {
        try {
            for (int p = next++; p < count && sufficed; p = next++) f(p, room);
        } catch (const std::bad_alloc &) {
            sufficed = false;
        }
    };
    std::vector<std::thread> others;
    try {
        for (size_t i = 1; i < workspace.rooms.size() && int(i) < count; ++i)
            others.emplace_back(work, std::ref(workspace.rooms[i]));
    } catch (const std::exception &) { // no more to be had: those that there are do the work
    }
    work(workspace.rooms[0]);
    for (auto &thread : others) thread.join();
    return sufficed;
}

} // namespace

extern "C" {

// Null where memory does not suffice.
void *nasarena_workspace(int32_t threads) {
    try {
        return new Workspace(threads);
    } catch (const std::exception &) {
        return nullptr;
    }
}

void nasarena_release(void *workspace) { delete static_cast<Workspace *>(workspace); }

// Largest memory that all workspaces of this process held at once.
size_t nasarena_most_bytes() { return most_held_bytes; }

// What a model keeps of B sequences for its backward pass; and what a thread takes for models of
// this pattern, in training steps on B sequences and scores of `scored`.
size_t nasarena_kept_bytes(const Sizes *sizes, int32_t depth, const int8_t *kinds, int32_t B) {
    return sizeof(float) * Model::need_of_training(*sizes, depth, kinds, B).kept;
}
size_t nasarena_room_bytes(const Sizes *sizes, int32_t depth, const int8_t *kinds, int32_t B,
                           int32_t scored) {
    Need trained = Model::need_of_training(*sizes, depth, kinds, B);
    Need read = Model::need_of_scoring(*sizes, depth, kinds, scored);
    return sizeof(float) *
           (std::max(trained.kept, read.kept) + std::max(trained.scratch, read.scratch));
}

// Tokens are (P, B, T). A model whose loss is not at most the limit is not alive from then on, and
// the loss of one that is not alive is undefined. False where memory did not suffice: then the
// workspace, and weights, are of no more use.
bool nasarena_step(void *workspace, const Population *population, int32_t B, const int64_t *inputs,
                   const int64_t *targets, const Update *update, float *losses, bool *alive) {
    return each_model(*static_cast<Workspace *>(workspace), population->count,
                      [&](int p, Room &room) {
                          size_t start = size_t(p) * B * population->sizes.T;
                          losses[p] = NAN;
                          if (!alive[p]) return;
                          losses[p] = model_of(*population, p, room)
                                          .train(B, inputs + start, targets + start, update->limit);
                          alive[p] = losses[p] <= update->limit;
                          if (alive[p]) adamw(*population, p, *update);
                      });
}

// C (count, M, N) = A (count, M, K) B (count, K, N), for tests of the products and of their speed.
void nasarena_products(int32_t count, int32_t M, int32_t N, int32_t K, const float *a,
                       const float *b, float *c) {
    for (int i = 0; i < count; ++i, a += long(M) * K, b += long(K) * N, c += long(M) * N)
        product(M, N, K, rows_of(a, K), b, N, c, N);
}

// Adds to `losses` (P) those of the counted targets, and fills `guesses` (P, B, T).
bool nasarena_score(void *workspace, const Population *population, int32_t B, const int64_t *inputs,
                    const int64_t *targets, double *losses, int64_t *guesses) {
    return each_model(
        *static_cast<Workspace *>(workspace), population->count, [&](int p, Room &room) {
            size_t start = size_t(p) * B * population->sizes.T;
            losses[p] += model_of(*population, p, room)
                             .score(B, inputs + start, targets + start, guesses + start);
        });
}
}
