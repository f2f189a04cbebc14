/* Images whose pixels are weighted sums of another's, by weights that are products of one for each spatial
 * dimension: resizing, borders that repeat the image, and the adjoints of these. */
#ifndef WEFT_KERNELS_RESAMPLE_H
#define WEFT_KERNELS_RESAMPLE_H

#include "kernels/pool.h"

/* One element of a dimension's sum. */
typedef struct weft_tap {
    int64_t index; /* in the input */
    float weight;
} weft_tap;

/* For each dimension a sparse matrix: the output's position i is made of taps first[i] to first[i + 1] - 1,
 * in the order of their indices. */
typedef struct weft_resample_axis {
    int64_t output;           /* extent */
    int64_t first_at, tap_at; /* bytes from the beginning of the arguments, which they follow */
} weft_resample_axis;

/* Tables lie behind it. */
typedef struct weft_resample_args {
    int64_t images, channels;
    weft_resample_axis axis[3]; /* depth, height, width; a missing one has extents 1 */
    weft_pool_steps in, out;
    int64_t piece_pixels;
    int to; /* the output's number among the operands; the input's is 0 */
} weft_resample_args;

static inline const int64_t *weft_resample_first(const weft_resample_args *args, int axis)
{
    return (const int64_t *)((const char *)args + args->axis[axis].first_at);
}

static inline const weft_tap *weft_resample_tap(const weft_resample_args *args, int axis)
{
    return (const weft_tap *)((const char *)args + args->axis[axis].tap_at);
}

/* Pieces are ranges of the output's pixels. */
typedef struct weft_resample_kernels {
    weft_piece_fn *run;
} weft_resample_kernels;

WEFT_ISA_DECLARE(weft_resample_kernels, weft_resample_table);

#endif
