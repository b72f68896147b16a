// What a batch norm inside of a layer needs beside the layer's own kernel: the mean and variance of each channel, and in
// backward the share of the input's gradient that goes through them. (Scale and shift are the kernel's coefficients.)
//
// Layout: x and its gradient hold [rows, channels, inner] items.

#include <stdlib.h>
#include "vector.h"

#define LONGEST_VECTOR 64  // bytes, of any processor: norm.py, which does not know this one, goes by it
#define STRIP 64        // vectors beside each other whose numbers are gathered together
#define FEW_ROWS 32     // rows that are summed up in single precision
#define MANY_ROWS 512   // rows of a piece of work
#define SHARED_FROM (32 * 1024)  // items that are worth a second thread

// So many numbers, their mean, and the sum of their squared distances from it.
typedef struct {
    double count, mean, squares;
} Moments;

// Joins the moments of other numbers to those of a channel (Chan, Golub & LeVeque 1983).
static void join(Moments *all, double count, double mean, double squares) {
    const double total = all->count + count, distance = mean - all->mean;
    all->mean += distance * count / total;
    all->squares += squares + distance * distance * all->count * count / total;
    all->count = total;
}

// Moments of at most STRIP vectors of columns beside each other, each over `rows` rows. All is counted from the first
// row, and a few rows are summed at a time from the mean so far: a mean far from 0 costs no digits.
static void moments_of_columns(
    const item *x, int64_t rows, int64_t row_size, int64_t columns, double *column_mean, real *column_squares) {
    const int64_t full = columns / WIDTH, rest = columns % WIDTH, vectors = full + (rest > 0);
    vec start[STRIP], mean[STRIP], squares[STRIP];
    memset(mean, 0, sizeof mean);
    memset(squares, 0, sizeof squares);
    for (int64_t i = 0; i < vectors; i++)
        start[i] = load(x + i * WIDTH, i < full ? WIDTH : rest);
    for (int64_t first = 0; first < rows; first += FEW_ROWS) {
        const int64_t count = rows - first < FEW_ROWS ? rows - first : FEW_ROWS;
        vec sum[STRIP], sum_of_squares[STRIP];
        memset(sum, 0, sizeof sum);
        memset(sum_of_squares, 0, sizeof sum_of_squares);
        for (int64_t row = first; row < first + count; row++) {
            const item *own = x + row * row_size;
#define GATHER(i, lanes)                                                                                               \
    do {                                                                                                               \
        const vec distance = load(own + (i)*WIDTH, lanes) - start[i] - mean[i];                                        \
        __builtin_prefetch(own + row_size + (i)*WIDTH);                                                                \
        sum[i] += distance;                                                                                            \
        sum_of_squares[i] += distance * distance;                                                                      \
    } while (0)
            for (int64_t i = 0; i < full; i++)
                GATHER(i, WIDTH);
            if (rest)
                GATHER(full, rest);
        }
        const real each = R(1.0) / (real)count, weight = (real)first / (real)(first + count) * (real)count;
        const real share = (real)count / (real)(first + count);
        for (int64_t i = 0; i < vectors; i++) {
            const vec distance = sum[i] * each;
            squares[i] += sum_of_squares[i] - sum[i] * distance + distance * distance * weight;
            mean[i] += distance * share;
        }
    }
    const real *starts = (const real *)start, *means = (const real *)mean;
    for (int64_t i = 0; i < columns; i++)
        column_mean[i] = (double)starts[i] + (double)means[i];
    memcpy(column_squares, squares, (size_t)columns * sizeof(real));
}

// Joins the columns of a channel, each of `rows` rows, to its moments.
static void join_columns(Moments *all, const double *mean, const real *squares, int64_t rows, int64_t columns) {
    double sum = 0, within = 0, between = 0;
    for (int64_t i = 0; i < columns; i++) {
        sum += mean[i] - mean[0];
        within += squares[i];
    }
    const double middle = mean[0] + sum / (double)columns;
    for (int64_t i = 0; i < columns; i++)
        between += (mean[i] - middle) * (mean[i] - middle);
    join(all, (double)(rows * columns), middle, within + between * (double)rows);
}

// mean, variance: of each channel; the variance is the biased one. Returns 0, or 1 if memory ran out. The same input
// gives the same numbers with any number of threads.
int moments(
    const item *x, double *mean, double *variance, int64_t rows, int64_t channels, int64_t inner, int threads) {
    const int64_t row_size = channels * inner, strip = STRIP * WIDTH, strips = (row_size + strip - 1) / strip;
    const int64_t parts = (rows + MANY_ROWS - 1) / MANY_ROWS, last_rows = rows - (parts - 1) * MANY_ROWS;
    double *column_mean = malloc((size_t)(parts * row_size) * (sizeof(double) + sizeof(real)));
    if (column_mean == NULL)
        return 1;
    real *column_squares = (real *)(column_mean + parts * row_size);
    threads = rows * row_size < SHARED_FROM ? 1 : threads;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t piece = 0; piece < strips * parts; piece++) {
            const int64_t part = piece / strips, column = piece % strips * strip, at = part * row_size + column;
            const int64_t columns = row_size - column < strip ? row_size - column : strip;
            moments_of_columns(
                x + part * MANY_ROWS * row_size + column, part + 1 < parts ? MANY_ROWS : last_rows, row_size, columns,
                column_mean + at, column_squares + at);
        }
#pragma omp for schedule(static)
        for (int64_t channel = 0; channel < channels; channel++) {
            Moments all = {0, 0, 0};
            for (int64_t part = 0; part < parts; part++) {
                const int64_t at = part * row_size + channel * inner;
                join_columns(
                    &all, column_mean + at, column_squares + at, part + 1 < parts ? MANY_ROWS : last_rows, inner);
            }
            mean[channel] = all.mean;
            variance[channel] = all.squares / all.count;
        }
    }
    free(column_mean);
    return 0;
}

// Adds slope · x + offset to the gradient of x.
INLINE void add_line(item *grad_x, const item *x, vec slope, vec offset, int64_t lanes) {
    store(grad_x, load(grad_x, lanes) + (slope * load(x, lanes) + offset), lanes);
}

// Numbers of the items of a row, which stand beside each other.
INLINE vec reals(const real *from, int64_t lanes) {
    vec value = {0};
    memcpy(&value, from, (size_t)lanes * sizeof(real));
    return value;
}

// slope, offset: of each channel; where a channel has less than LONGEST_VECTOR numbers, of each item of a row.
void correct(
    item *grad_x, const item *x, const real *slope, const real *offset, int64_t rows, int64_t channels, int64_t inner,
    int threads) {
    threads = rows * channels * inner < SHARED_FROM ? 1 : threads;
    const int short_channels = inner < LONGEST_VECTOR / (int64_t)sizeof(real);
    const int64_t runs = short_channels ? rows : rows * channels, size = short_channels ? channels * inner : inner;
    const int64_t full = size / WIDTH * WIDTH, rest = size % WIDTH;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t run = 0; run < runs; run++) {
        item *own_grad = grad_x + run * size;
        const item *own_x = x + run * size;
        if (short_channels) {
            for (int64_t i = 0; i < full; i += WIDTH)
                add_line(own_grad + i, own_x + i, reals(slope + i, WIDTH), reals(offset + i, WIDTH), WIDTH);
            if (rest)
                add_line(own_grad + full, own_x + full, reals(slope + full, rest), reals(offset + full, rest), rest);
            continue;
        }
        const vec own_slope = splat(slope[run % channels]), own_offset = splat(offset[run % channels]);
        for (int64_t i = 0; i < full; i += WIDTH)
            add_line(own_grad + i, own_x + i, own_slope, own_offset, WIDTH);
        if (rest)
            add_line(own_grad + full, own_x + full, own_slope, own_offset, rest);
    }
}
