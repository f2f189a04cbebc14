/* How the pooling kernels walk: over the pixels of a piece, over the channels of a pixel. For files that
 * are compiled for each instruction set. */
#ifndef WEFT_KERNELS_POOL_WALK_H
#define WEFT_KERNELS_POOL_WALK_H

#include "kernels/pool.h"
#include "kernels/simd.h"

/* Channels are taken in blocks of this many vectors, then vector by vector, the last one in part. */
enum { BLOCK = 4 };

/* The lanes in use of vector v among `vectors`, of which only the last may be a partial one. */
SIMD_INLINE int64_t lanes_of(int v, int vectors, int64_t last)
{
    return v == vectors - 1 ? last : LANES;
}

/* Does something to the channels from `channel` on: `vectors` vectors, `last` lanes of the last. */
typedef void block_fn(const void *context, int64_t channel, int vectors, int64_t last);

SIMD_INLINE void each_block(int64_t channels, block_fn *visit, const void *context)
{
    int64_t c = 0;
    for (; c + BLOCK * LANES <= channels; c += BLOCK * LANES)
        visit(context, c, BLOCK, LANES);
    for (; c + LANES <= channels; c += LANES)
        visit(context, c, 1, LANES);
    if (c < channels)
        visit(context, c, 1, channels - c);
}

/* A box of neighbours in one operand: its first pixel and how to go on along each dimension. */
typedef struct box {
    const float *first;
    int64_t count[3], step[3];
} box;

SIMD_INLINE box box_of(const float *image, const weft_pool_steps *steps,
                       const weft_pool_range range[3])
{
    box b = {.first = image};
    for (int i = 0; i < 3; i++) {
        b.first += range[i].begin * steps->axis[i];
        b.count[i] = range[i].end - range[i].begin;
        b.step[i] = steps->axis[i];
    }
    return b;
}

/* Fetches what the window below has and this one has not, of some channels: by the time that the walk is
 * there, it is in the cache. */
SIMD_INLINE void fetch_below(const box *b, const weft_pool_axis axis[3], int64_t channel,
                             int vectors)
{
    int64_t rows = axis[1].stride + b->count[1];
    int64_t columns = axis[2].stride < b->count[2] ? axis[2].stride : b->count[2];
    for (int64_t h = axis[1].stride > b->count[1] ? axis[1].stride : b->count[1]; h < rows; h++)
        for (int64_t w = 0; w < columns; w++)
            for (int v = 0; v < vectors; v++)
                __builtin_prefetch(b->first + h * b->step[1] + w * b->step[2] + channel + v * LANES,
                                   0, 2);
}

/* The windows that the next element along the dimension is in, without dividing. */
SIMD_INLINE void advance(const weft_pool_axis *axis, int64_t element, weft_pool_range *positions)
{
    if (positions->begin * axis->stride - axis->low + axis->window <= element)
        positions->begin++;
    if (positions->end < axis->output && positions->end * axis->stride - axis->low <= element)
        positions->end++;
}

/* Does something to one pixel; range: its neighbours on the other side. */
typedef void pixel_fn(const weft_pool_args *args, void *const *operand, int64_t image,
                      const int64_t position[3], const weft_pool_range range[3]);

/* Visits the pixels of a piece: those of the output, whose neighbours are the elements within their
 * window, or (fine) those of the input, whose neighbours are the windows that they are in. */
SIMD_INLINE void each_pixel(const weft_call *call, int64_t piece, bool fine, pixel_fn *visit)
{
    const weft_pool_args *args = call->args;
    const weft_pool_axis *axis = args->axis;
    int64_t extent[3];
    for (int i = 0; i < 3; i++)
        extent[i] = fine ? axis[i].input : axis[i].output;
    int64_t pixels = args->images * extent[0] * extent[1] * extent[2];
    int64_t pixel = piece * args->piece_pixels, end = pixel + args->piece_pixels;
    if (end > pixels)
        end = pixels;
    while (pixel < end) { /* the rest of a row */
        int64_t row = pixel / extent[2], plane = row / extent[1];
        int64_t position[3] = {plane % extent[0], row % extent[1], pixel % extent[2]};
        weft_pool_range range[3];
        for (int i = 0; i < 3; i++)
            range[i] = fine ? weft_pool_positions(&axis[i], position[i], position[i] + 1)
                            : weft_pool_window(&axis[i], position[i]);
        int64_t stop = pixel + extent[2] - position[2];
        for (stop = stop < end ? stop : end; pixel < stop; pixel++) {
            visit(args, call->operand, plane / extent[0], position, range);
            position[2]++;
            if (fine)
                advance(&axis[2], position[2], &range[2]);
            else
                range[2] = weft_pool_window(&axis[2], position[2]);
        }
    }
}

#endif
