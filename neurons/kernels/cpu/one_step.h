// One time step of a layer, forward and backward, its states handed in and out: for loops over time that are written
// elsewhere, as of recurrent networks. Included by layer.c, whose tiles it uses; the step is that of the whole layer, so
// that T steps have its outputs to the last bit.
//
// Layout: x, output and their gradients [elements] of items; one array of reals [elements] for each state.

void one_step(
    const item *x, item *output, const real *const *coefficient, const real *const *state, real *const *new_state,
    int64_t elements, int64_t channels, int64_t inner, int threads) {
    const Shape shape = {1, elements, channels, inner, coefficient};
    const int64_t tiles = (elements + TILE * WIDTH - 1) / (TILE * WIDTH);
#pragma omp parallel for num_threads(threads_for(&shape, threads)) schedule(static)
    for (int64_t index = 0; index < tiles; index++) {
        Tile tile;
        begin_tile(&tile, &shape, index, TILE);
        begin_step(&tile, &shape, 0);
#define ONE_STEP(i, lanes)                                                                                             \
    do {                                                                                                               \
        const int64_t at = tile.first + (i)*WIDTH;                                                                     \
        vec spike, own[AT_LEAST_ONE(STATES)];                                                                          \
        for (int s = 0; s < STATES; s++)                                                                               \
            own[s] = load_reals(state[s] + at, lanes);                                                                 \
        step_forward(load(x + at, lanes), own, coefficients_of(&tile, i), &spike, own);                                \
        store(output + at, spike, lanes);                                                                              \
        for (int s = 0; s < STATES; s++)                                                                               \
            store_reals(new_state[s] + at, own[s], lanes);                                                             \
    } while (0)
        FOR_EACH_VECTOR(&tile, ONE_STEP)
    }
}

// grad_output, and each of grad_new_state, may be NULL, which is 0. layer_sums: as in `backward`. Returns 0, or 1 if
// memory ran out.
int one_step_backward(
    const item *x, const real *const *state, const item *grad_output, const real *const *grad_new_state, item *grad_x,
    real *const *grad_state, const real *const *coefficient, double *const *layer_sums, int64_t elements,
    int64_t channels, int64_t inner, int threads) {
    const Shape shape = {1, elements, channels, inner, coefficient};
    const int64_t tiles = (elements + TILE * WIDTH - 1) / (TILE * WIDTH);
    threads = threads_for(&shape, threads);
    double *all_sums = calloc((size_t)(threads * size_of_sums(&shape)) + 1, sizeof(double));
    if (all_sums == NULL)
        return 1;
#pragma omp parallel num_threads(threads)
    {
        double *sums[AT_LEAST_ONE(SUMS)];
        own_sums(&shape, all_sums, sums);
#pragma omp for schedule(static)
        for (int64_t index = 0; index < tiles; index++) {
            Tile tile;
            Gradient gradient;
            begin_tile(&tile, &shape, index, TILE);
            begin_step(&tile, &shape, 0);
            memset(gradient.sum, 0, sizeof gradient.sum);
#define ONE_STEP_BACKWARD(i, lanes)                                                                                    \
    do {                                                                                                               \
        const int64_t at = tile.first + (i)*WIDTH;                                                                     \
        const vec *own_coefficients = coefficients_of(&tile, i), own_x = load(x + at, lanes);                          \
        vec own[REMEMBERED], after[AT_LEAST_ONE(STATES)], to_x, to_sum[AT_LEAST_ONE(SUMS)];                            \
        vec to_state[AT_LEAST_ONE(STATES)], from_state[AT_LEAST_ONE(STATES)];                                          \
        for (int s = 0; s < STATES; s++) {                                                                             \
            own[s] = load_reals(state[s] + at, lanes);                                                                 \
            from_state[s] = grad_new_state[s] != NULL ? load_reals(grad_new_state[s] + at, lanes) : splat(0);          \
        }                                                                                                              \
        if (KEPT)                                                                                                      \
            step_again(own_x, own, own_coefficients, after, own + STATES);                                             \
        step_backward(                                                                                                 \
            own_x, own, own_coefficients, own + STATES, grad_output != NULL ? load(grad_output + at, lanes) : splat(0),    \
            from_state, &to_x, to_state, to_sum);                                                                      \
        store(grad_x + at, to_x, lanes);                                                                               \
        for (int s = 0; s < STATES; s++)                                                                               \
            store_reals(grad_state[s] + at, to_state[s], lanes);                                                       \
        for (int c = 0; c < SUMS; c++)                                                                                 \
            gradient.sum[BY_CHANNEL ? tile.slot[i] : i % TURNS][c] += only(to_sum[c], lanes);                          \
    } while (0)
            FOR_EACH_VECTOR(&tile, ONE_STEP_BACKWARD)
            drain(&tile, &gradient, &shape, 0, 1, sums);
            drain(&tile, &gradient, &shape, 0, 0, sums);
        }
    }
    add_sums(&shape, all_sums, threads, layer_sums);
    free(all_sums);
    return 0;
}
