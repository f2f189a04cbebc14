/* Pixels of a row as register tiles read them from a panel: copied, or through a prologue. For vector kernel
 * files only. */
#ifndef WEFT_KERNELS_READ_PIXELS_H
#define WEFT_KERNELS_READ_PIXELS_H

#include "kernels/finish.h"
#include "kernels/integer.h"
#include "kernels/matmul_pack.h"

/* Some pixels of a row: `count` from `column` on, every step-th; where the row has none they are 0. */
typedef struct pixel_row {
    const float *data; /* of pixel 0 */
    int64_t extent, stride;
    int64_t column, step, count;
} pixel_row;

/* Pixels that follow each other here and there: one copy of those that the row has, between zeros. */
SIMD_INLINE void copy_neighbours(const pixel_row *row, int64_t channels, float *to)
{
    int64_t first = weft_least(weft_most(-row->column, 0), row->count);
    int64_t end = weft_most(weft_least(row->extent - row->column, row->count), first);
    zero_floats(to, first * channels);
    copy_floats(to + first * channels, row->data + (row->column + first) * channels,
                (end - first) * channels);
    zero_floats(to + end * channels, (row->count - end) * channels);
}

SIMD_INLINE void copy_pixels(const pixel_row *row, int64_t channels, float *to, int64_t to_step)
{
    if (row->step == 1 && row->stride == channels && to_step == channels) {
        copy_neighbours(row, channels, to);
        return;
    }
    int64_t column = row->column;
    for (int64_t i = 0; i < row->count; i++, to += to_step, column += row->step)
        if (column >= 0 && column < row->extent)
            copy_floats(to, row->data + column * row->stride, channels);
        else
            zero_floats(to, channels);
}

/* What the prologue makes of up to LANES channels, from `channel` on. What comes after the pixels is fetched. */
SIMD_INLINE void finish_column(const pixel_row *row, const weft_finish *before, int64_t channel,
                               int64_t lanes, float *to, int64_t to_step)
{
    const finish_reader by = finish_reader_of(before, channel, lanes);
    const int64_t step = row->step * row->stride;
    const float *x = row->data + row->column * row->stride + channel;
    int64_t column = row->column;
    for (int64_t i = 0; i < row->count; i++, column += row->step, x += step, to += to_step) {
        __builtin_prefetch(x + row->count * step, 0, 2);
        vfloat y = {0};
        if (column >= 0 && column < row->extent)
            y = finish_through(&by, vload_lanes(x, lanes));
        vstore_lanes(to, y, lanes);
    }
}

/* The same for `channels` channels, which the prologue is of. */
SIMD_INLINE void finish_pixels(const pixel_row *row, const weft_finish *before, int64_t channels,
                               float *to, int64_t to_step)
{
    int64_t c = 0;
    for (; c + LANES <= channels; c += LANES)
        finish_column(row, before, c, LANES, to + c, to_step);
    if (c < channels)
        finish_column(row, before, c, channels - c, to + c, to_step);
}

/* `channels` channels to a panel, neighbours to_step apart. before: NULL, or the prologue of these channels. */
SIMD_INLINE void read_pixels(const pixel_row *row, const weft_finish *before, int64_t channels,
                             float *to, int64_t to_step)
{
    if (before)
        finish_pixels(row, before, channels, to, to_step);
    else
        copy_pixels(row, channels, to, to_step);
}

#endif
