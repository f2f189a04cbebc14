/* Max and average pooling over channels-last images of up to three spatial dimensions. */
#ifndef WEFT_KERNELS_POOL_H
#define WEFT_KERNELS_POOL_H

#include "kernels/isa.h"
#include "weft/op.h"

/* How windows walk along one dimension. Every window has an element of the input within it. */
typedef struct weft_pool_axis {
    int64_t input, output; /* extents */
    int64_t window, stride, low, high;
} weft_pool_axis;

/* Steps, in elements, between neighbours in one operand: of images, depth, height, width. Channels are
 * next to each other. */
typedef struct weft_pool_steps {
    int64_t image, axis[3];
} weft_pool_steps;

/* Where channel 0 of a pixel is. */
static inline int64_t weft_pool_offset(const weft_pool_steps *steps, int64_t image,
                                       const int64_t position[3])
{
    return image * steps->image + position[0] * steps->axis[0] + position[1] * steps->axis[1] +
           position[2] * steps->axis[2];
}

typedef struct weft_pool_args {
    int64_t images, channels;
    weft_pool_axis axis[3];  /* depth, height, width; a missing one has extent, window, stride 1 */
    weft_pool_steps fine[2]; /* operands with the input's extents */
    weft_pool_steps coarse;  /* the operand with the output's extents */
    weft_pool_steps winners; /* the same of the winners */
    bool count_include_pad;  /* of average pooling */
    int64_t piece_pixels;    /* pixels a piece, where pieces are ranges of pixels */
    int64_t piece_images; /* images and rows of the first dimension that is split, where pieces */
    int64_t piece_rows;   /* are boxes of the input */
    int split;            /* that dimension: 0..2 */
} weft_pool_args;

typedef struct weft_pool_range {
    int64_t begin, end;
} weft_pool_range;

/* Elements of the input within the window at that position. */
static inline weft_pool_range weft_pool_window(const weft_pool_axis *axis, int64_t position)
{
    int64_t begin = position * axis->stride - axis->low, end = begin + axis->window;
    return (weft_pool_range){begin > 0 ? begin : 0, end < axis->input ? end : axis->input};
}

/* Positions whose windows meet the elements begin to end - 1 of the input. */
static inline weft_pool_range weft_pool_positions(const weft_pool_axis *axis, int64_t begin,
                                                  int64_t end)
{
    int64_t before = begin + axis->low - axis->window; /* windows that start here end too early */
    int64_t first = before < 0 ? 0 : before / axis->stride + 1;
    int64_t last = (end - 1 + axis->low) / axis->stride + 1;
    return (weft_pool_range){first, last < axis->output ? last : axis->output};
}

/* What the window at that position counts in the divisor of an average: elements of the input, or with
 * count_include_pad also padding, but nothing that ceil mode hangs over beyond it. */
static inline int64_t weft_pool_count(const weft_pool_axis *axis, int64_t position,
                                      bool count_include_pad)
{
    if (!count_include_pad) {
        weft_pool_range range = weft_pool_window(axis, position);
        return range.end - range.begin;
    }
    int64_t begin = position * axis->stride - axis->low, end = begin + axis->window;
    return (end < axis->input + axis->high ? end : axis->input + axis->high) - begin;
}

/* Operands, and what pieces are:
 *   max_forward       x | y            ranges of the output's pixels
 *   max_gather        v, x | y         the same; y is v where x has its (first) maximum
 *   max_scatter       dy, x | dx       boxes of the input
 *   max_indices       x | i            ranges of the output's pixels; where in its image, row by row, x has
 *                                      its (first) maximum, as int32
 *   max_winners       x | i            the same; which element of its window that is, row by row, of those within
 *                                      the image, as uint8
 *   max_scatter_won   dy, i | dx       boxes of the input; from winners
 *   average_forward   x | y            ranges of the output's pixels
 *   average_backward  dy, - | dx       ranges of the input's pixels
 * NaN counts as the largest number; of several, the last is taken. */
typedef struct weft_pool_max_kernels {
    weft_piece_fn *forward, *gather, *scatter, *indices, *winners, *scatter_won;
} weft_pool_max_kernels;

typedef struct weft_pool_average_kernels {
    weft_piece_fn *forward, *backward;
} weft_pool_average_kernels;

WEFT_ISA_DECLARE(weft_pool_max_kernels, weft_pool_max_table);
WEFT_ISA_DECLARE(weft_pool_average_kernels, weft_pool_average_table);

#endif
