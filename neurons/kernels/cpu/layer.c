// A layer of neurons over time, forward and backward, around the step of one model (step.h, generated).
//
// Elements (batch × features) are cut into tiles. A tile runs through all time steps with its states in the cache, so
// the input is read once and the output written once. Backward keeps nothing of forward but the input: it computes the
// states of a tile again, then runs the adjoint of the step from the last time step to the first.
//
// Layout: x, output and their gradients [steps, elements] of items; an element has channel (element / inner) % channels.
// Coefficients and sums hold 1, channels, or steps · channels values; sums are gathered in double precision.

#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include "vector.h"

enum { PER_LAYER, PER_CHANNEL, PER_STEP_CHANNEL };

#include "step.h"

#define AT_LEAST_ONE(n) ((n) > 0 ? (n) : 1)
#define TILE (4096 / VECTOR_BYTES)    // vectors in a tile: a row of it is a page
#define TURNS 4                      // slots of sums where nothing differs between channels
#define SCRATCH (384 * 1024)          // bytes that a tile may remember for backward before it gets narrower
#define LARGER_THAN_CACHE (16 << 20)  // bytes; with its input beyond the share of the cache that a core mostly has
#define PARALLEL_FROM (32 * 1024)     // element-steps that are worth a second thread

typedef struct {
    int64_t steps, elements, channels, inner;
    const real *const *coefficient;
} Shape;

// A tile: its first element and how many it holds; all vectors are full but the last.
// Vectors whose lanes have the same channels share a slot, which holds their coefficients once. Where nothing differs
// between channels all share the first slot; sums then take turns between a few, free of each other's latency.
typedef struct {
    int64_t first, count, full, rest, slots;
    int32_t slot[TILE];
    int32_t channel[TILE][WIDTH];  // of each lane of a slot
    vec coefficient[BY_CHANNEL ? TILE : 1][AT_LEAST_ONE(COEFFICIENTS)];
} Tile;

typedef struct {
    vec state[TILE][AT_LEAST_ONE(STATES)];
    vec sum[BY_CHANNEL ? TILE : TURNS][AT_LEAST_ONE(SUMS)];  // by slot
} Gradient;

// What backward needs of one vector at one time step: the states before it, and values that the step computed.
#define REMEMBERED AT_LEAST_ONE(STATES + KEPT)
typedef vec Memory[REMEMBERED];

// Rows of the next time step are fetched while this one is computed (the hardware does not foresee the jump between
// rows: 0.2 ns an element-step). The adjoint of a cheap step leaves bandwidth unused: it also fetches the input of the
// next tile into the second-level cache, row by row (LIF, T = 100: 0.63 against 0.68 ns; steps with exponentials lose).
// Prefetching beyond the ends is harmless.

// Calls body(vector, lanes) for each vector of a tile; `lanes` is a constant for full vectors.
#define FOR_EACH_VECTOR(tile, body)                                                                                    \
    for (int64_t i = 0; i < (tile)->full; i++)                                                                         \
        body(i, WIDTH);                                                                                                \
    if ((tile)->rest)                                                                                                  \
        body((tile)->full, (tile)->rest);

// How many vectors it takes until the lanes have the same channels again; the number of all vectors if that is never.
static int64_t vectors_until_repeat(const Shape *shape, int64_t vectors) {
    const int64_t period = shape->channels * shape->inner;
    return period % WIDTH == 0 && period / WIDTH < vectors ? period / WIDTH : vectors;
}

// Gives each vector its slot, and each lane of a slot its channel.
static void assign_slots(Tile *tile, const Shape *shape) {
    const int64_t vectors = tile->full + (tile->rest > 0), repeat = vectors_until_repeat(shape, vectors);
    const int one_channel = shape->inner % WIDTH == 0;
    int64_t channel = tile->first / shape->inner % shape->channels, within = tile->first % shape->inner;
    tile->slots = 0;
    for (int64_t i = 0; i < vectors; i++) {
        if (i >= repeat) {
            tile->slot[i] = tile->slot[i - repeat];
            continue;
        }
        const int same = one_channel && i > 0 && within != 0;
        tile->slot[i] = (int32_t)(same ? tile->slots - 1 : tile->slots++);
        for (int lane = 0; lane < WIDTH; lane++) {
            tile->channel[tile->slot[i]][lane] = (int32_t)channel;
            if (++within == shape->inner) {
                within = 0;
                channel = channel + 1 == shape->channels ? 0 : channel + 1;
            }
        }
    }
}

// Coefficient c of each slot, at a time step (0 for those that do not change with it).
static void fill_coefficient(Tile *tile, const Shape *shape, int c, int64_t step) {
    const real *values = shape->coefficient[c] + (granularity[c] == PER_STEP_CHANNEL ? step * shape->channels : 0);
    for (int64_t slot = 0; slot < (BY_CHANNEL ? tile->slots : 1); slot++) {
        real *lanes = (real *)&tile->coefficient[slot][c];  // by an address: gcc 12 below -O3 loses other stores
        for (int lane = 0; lane < WIDTH; lane++)
            lanes[lane] = values[granularity[c] == PER_LAYER ? 0 : tile->channel[slot][lane]];
    }
}

// Adds sum c of the tile to the sums of the layer, and clears it. Lanes beyond the tile hold zeros.
static void drain_sum(const Tile *tile, const Shape *shape, Gradient *gradient, int c, int64_t step, double *sums) {
    sums += sum_granularity[c] == PER_STEP_CHANNEL ? step * shape->channels : 0;
    for (int64_t slot = 0; slot < tile->slots; slot++) {
        for (int lane = 0; lane < WIDTH; lane++)
            sums[sum_granularity[c] == PER_LAYER ? 0 : tile->channel[slot][lane]] += gradient->sum[slot][c][lane];
        gradient->sum[slot][c] = splat(0);
    }
}

static void begin_tile(Tile *tile, const Shape *shape, int64_t index, int64_t vectors) {
    const int64_t size = vectors * WIDTH;
    tile->first = index * size;
    tile->count = shape->elements - tile->first < size ? shape->elements - tile->first : size;
    tile->full = tile->count / WIDTH;
    tile->rest = tile->count % WIDTH;
    if (BY_CHANNEL)
        assign_slots(tile, shape);
    else
        tile->slots = TURNS;
    for (int c = 0; c < COEFFICIENTS; c++)
        if (granularity[c] != PER_STEP_CHANNEL)
            fill_coefficient(tile, shape, c, 0);
}

INLINE void begin_step(Tile *tile, const Shape *shape, int64_t step) {
    for (int c = 0; c < COEFFICIENTS; c++)
        if (granularity[c] == PER_STEP_CHANNEL)
            fill_coefficient(tile, shape, c, step);
}

INLINE const vec *coefficients_of(const Tile *tile, int64_t i) { return tile->coefficient[BY_CHANNEL ? tile->slot[i] : 0]; }

// Whether a result is better written past the cache: it is larger than the cache, and its vectors are aligned.
static int exceeds_cache(const Shape *shape, const item *result) {
    const int64_t bytes = shape->steps * shape->elements * (int64_t)sizeof(item);
    const int aligned = (uintptr_t)result % ITEMS_BYTES == 0 && shape->elements % WIDTH == 0;
    return aligned && bytes >= LARGER_THAN_CACHE;
}

INLINE void put(item *to, vec value, int64_t lanes, int past_cache) {
    if (lanes == WIDTH && past_cache)
        store_past_cache(to, value);
    else
        store(to, value, lanes);
}

static int threads_for(const Shape *shape, int threads) {
    return shape->steps * shape->elements < PARALLEL_FROM ? 1 : threads;
}

void forward(
    const item *x, item *output, const real *const *coefficient, int64_t steps, int64_t elements, int64_t channels,
    int64_t inner, int threads) {
    const Shape shape = {steps, elements, channels, inner, coefficient};
    const int64_t tiles = (elements + TILE * WIDTH - 1) / (TILE * WIDTH);
    const int past_cache = exceeds_cache(&shape, output);
#pragma omp parallel for num_threads(threads_for(&shape, threads)) schedule(static)
    for (int64_t index = 0; index < tiles; index++) {
        Tile tile;
        vec state[TILE][AT_LEAST_ONE(STATES)];
        memset(state, 0, sizeof state);
        begin_tile(&tile, &shape, index, TILE);
        for (int64_t t = 0; t < steps; t++) {
            begin_step(&tile, &shape, t);
            const item *x_t = x + t * elements + tile.first;
            const item *next_x = t + 1 < steps ? x_t + elements : x + tile.first + tile.count;
            item *output_t = output + t * elements + tile.first;
#define FORWARD(i, lanes)                                                                                              \
    do {                                                                                                               \
        vec spike;                                                                                                     \
        __builtin_prefetch(next_x + (i)*WIDTH);                                                                        \
        if (!past_cache)                                                                                               \
            __builtin_prefetch(output_t + elements + (i)*WIDTH, 1);                                                    \
        step_forward(load(x_t + (i)*WIDTH, lanes), state[i], coefficients_of(&tile, i), &spike, state[i]);                   \
        put(output_t + (i)*WIDTH, spike, lanes, past_cache);                                                           \
    } while (0)
            FOR_EACH_VECTOR(&tile, FORWARD)
        }
    }
}

// Runs the tile forward again and remembers what its adjoint needs at each time step.
static void remember(
    Tile *tile, const Shape *shape, const item *x, const item *grad_output, Memory *memory, int64_t vectors) {
    memset(memory, 0, (size_t)vectors * sizeof *memory);
    const item *last_grad = grad_output + (shape->steps - 1) * shape->elements + tile->first;
    for (int64_t t = 0; t < shape->steps; t++, memory += vectors) {
        const int last = t + 1 == shape->steps;
        if (last && !KEPT)
            break;
        begin_step(tile, shape, t);
        const item *x_t = x + t * shape->elements + tile->first;
        const item *next_row = last ? last_grad : x_t + shape->elements;
        Memory *next = last ? memory : memory + vectors;
#define AGAIN(i, lanes)                                                                                                \
    do {                                                                                                               \
        vec new_state[AT_LEAST_ONE(STATES)];                                                                           \
        __builtin_prefetch(next_row + (i)*WIDTH);                                                                      \
        if (!KEPT && t + 2 == shape->steps)                                                                            \
            __builtin_prefetch(last_grad + (i)*WIDTH);                                                                 \
        step_again(load(x_t + (i)*WIDTH, lanes), memory[i], coefficients_of(tile, i), new_state, memory[i] + STATES);      \
        for (int s = 0; s < STATES && !last; s++)                                                                      \
            next[i][s] = new_state[s];                                                                                 \
    } while (0)
        FOR_EACH_VECTOR(tile, AGAIN)
    }
}

// The adjoint of one step of a tile: from the gradients of its output (none: 0) and of the states after it.
INLINE void adjoint_step(
    Tile *tile, Gradient *gradient, const Shape *shape, const item *x, const item *grad_output, item *grad_x,
    const Memory *now, int64_t t, int add, int past_cache) {
    const int64_t at = t * shape->elements + tile->first;
    const int64_t next = t > 0 ? at - shape->elements : tile->first + tile->count;
    const int64_t next_tile = (shape->steps - 1 - t) * shape->elements + tile->first + tile->count;
    begin_step(tile, shape, t);
#define BACKWARD(i, lanes)                                                                                             \
    do {                                                                                                               \
        vec to_x, to_state[AT_LEAST_ONE(STATES)], to_sum[AT_LEAST_ONE(SUMS)];                                          \
        __builtin_prefetch(x + next + (i)*WIDTH);                                                                      \
        if (!KEPT)                                                                                                     \
            __builtin_prefetch(x + next_tile + (i)*WIDTH, 0, 2);                                                       \
        if (grad_output != NULL && t > 0)                                                                              \
            __builtin_prefetch(grad_output + next + (i)*WIDTH);                                                        \
        if (!past_cache)                                                                                               \
            __builtin_prefetch(grad_x + next + (i)*WIDTH, 1);                                                          \
        step_backward(                                                                                                 \
            load(x + at + (i)*WIDTH, lanes), now[i], coefficients_of(tile, i), now[i] + STATES,                            \
            grad_output != NULL ? load(grad_output + at + (i)*WIDTH, lanes) : splat(0), gradient->state[i], &to_x,     \
            to_state, to_sum);                                                                                         \
        if (add)                                                                                                       \
            to_x += load(grad_x + at + (i)*WIDTH, lanes);                                                              \
        put(grad_x + at + (i)*WIDTH, to_x, lanes, past_cache);                                                         \
        for (int s = 0; s < STATES; s++)                                                                               \
            gradient->state[i][s] = to_state[s];                                                                       \
        for (int c = 0; c < SUMS; c++)                                                                                 \
            gradient->sum[BY_CHANNEL ? tile->slot[i] : i % TURNS][c] += only(to_sum[c], lanes);                        \
    } while (0)
    FOR_EACH_VECTOR(tile, BACKWARD)
}

static void drain(
    Tile *tile, Gradient *gradient, const Shape *shape, int64_t t, int per_step, double *const *sums) {
    for (int c = 0; c < SUMS; c++)
        if ((sum_granularity[c] == PER_STEP_CHANNEL) == per_step)
            drain_sum(tile, shape, gradient, c, t, sums[c]);
}

// window: time steps that a gradient may go back. If that is all of them, one pass does; else each output has its own.
static void adjoint_tile(
    Tile *tile, Gradient *gradient, const Shape *shape, const item *x, const item *grad_output, item *grad_x,
    const Memory *memory, int64_t vectors, int64_t window, double *const *sums) {
    memset(gradient->state, 0, (size_t)vectors * sizeof *gradient->state);
    memset(gradient->sum, 0, (size_t)(BY_CHANNEL ? vectors : TURNS) * sizeof *gradient->sum);
    if (window >= shape->steps) {
        const int past_cache = exceeds_cache(shape, grad_x);
        for (int64_t t = shape->steps - 1; t >= 0; t--) {
            adjoint_step(tile, gradient, shape, x, grad_output, grad_x, memory + t * vectors, t, 0, past_cache);
            drain(tile, gradient, shape, t, 1, sums);
        }
    } else {
        for (int64_t t = 0; t < shape->steps; t++)
            memset(grad_x + t * shape->elements + tile->first, 0, (size_t)tile->count * sizeof(item));
        for (int64_t last = 0; last < shape->steps; last++) {
            memset(gradient->state, 0, (size_t)vectors * sizeof *gradient->state);
            for (int64_t t = last; t >= 0 && t > last - window; t--) {
                const item *grad = t == last ? grad_output : NULL;
                adjoint_step(tile, gradient, shape, x, grad, grad_x, memory + t * vectors, t, 1, 0);
                drain(tile, gradient, shape, t, 1, sums);
            }
        }
    }
    drain(tile, gradient, shape, 0, 0, sums);
}

static int64_t sum_size(const Shape *shape, int c) {
    return sum_granularity[c] == PER_LAYER ? 1 : shape->channels * (sum_granularity[c] == PER_CHANNEL ? 1 : shape->steps);
}

static int64_t size_of_sums(const Shape *shape) {
    int64_t total = 0;
    for (int c = 0; c < SUMS; c++)
        total += sum_size(shape, c);
    return total;
}

// Where this thread gathers its sums, in `all`, which holds as many for each thread.
static void own_sums(const Shape *shape, double *all, double **sums) {
    int thread = 0;
#ifdef _OPENMP
    thread = omp_get_thread_num();
#endif
    double *next = all + thread * size_of_sums(shape);
    for (int c = 0; c < SUMS; next += sum_size(shape, c), c++)
        sums[c] = next;
}

// In the order of the threads, so that the same call gives the same sum.
static void add_sums(const Shape *shape, const double *all, int threads, double *const *layer_sums) {
    for (int thread = 0; thread < threads; thread++)
        for (int c = 0; c < SUMS; c++)
            for (int64_t i = 0; i < sum_size(shape, c); i++)
                layer_sums[c][i] += *all++;
}

// layer_sums: one array a sum, of its own size. Returns 0, or 1 if memory ran out.
int backward(
    const item *x, const item *grad_output, item *grad_x, const real *const *coefficient, double *const *layer_sums,
    int64_t window, int64_t steps, int64_t elements, int64_t channels, int64_t inner, int threads) {
    const Shape shape = {steps, elements, channels, inner, coefficient};
    int64_t vectors = SCRATCH / (steps * (int64_t)sizeof(Memory));
    vectors = vectors < 1 ? 1 : vectors > TILE ? TILE : vectors;
    const int64_t tiles = (elements + vectors * WIDTH - 1) / (vectors * WIDTH);
    threads = threads_for(&shape, threads);
    double *all_sums = calloc((size_t)(threads * size_of_sums(&shape)) + 1, sizeof(double));
    int failed = all_sums == NULL;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        double *sums[AT_LEAST_ONE(SUMS)];
        own_sums(&shape, all_sums, sums);
        Memory *memory = aligned_alloc(64, ((size_t)(steps * vectors) * sizeof(Memory) + 63) / 64 * 64);
        failed |= memory == NULL;
#pragma omp for schedule(static)
        for (int64_t index = 0; index < tiles; index++) {
            if (failed)
                continue;
            Tile tile;
            Gradient gradient;
            begin_tile(&tile, &shape, index, vectors);
            remember(&tile, &shape, x, grad_output, memory, vectors);
            adjoint_tile(&tile, &gradient, &shape, x, grad_output, grad_x, memory, vectors, window, sums);
        }
        free(memory);
    }
    if (!failed)
        add_sums(&shape, all_sums, threads, layer_sums);
    free(all_sums);
    return failed;
}

#include "one_step.h"
