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

SIMD_INLINE void copy_pixels(const pixel_row *row, int64_t channels, float *to, int64_t to_step)
{
    int64_t column = row->column;
    if (row->step == 1 && row->stride == channels && to_step == channels && column >= 0 &&
        column + row->count <= row->extent) {
        copy_floats(to, row->data + column * row->stride, row->count * channels);
        return;
    }
    for (int64_t i = 0; i < row->count; i++, to += to_step, column += row->step)
        if (column >= 0 && column < row->extent)
            copy_floats(to, row->data + column * row->stride, channels);
        else
            zero_floats(to, channels);
}

/* What the prologue, which is of these channels, makes of them. What comes after the pixels is fetched. */
SIMD_INLINE void finish_pixels(const pixel_row *row, const weft_finish *before, int64_t channels,
                               float *to, int64_t to_step)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        int64_t lanes = weft_least(LANES, channels - c);
        finish_channels by = finish_load(before, c, lanes);
        for (int64_t i = 0; i < row->count; i++) {
            int64_t at = row->column + i * row->step;
            const float *x = row->data + at * row->stride + c;
            __builtin_prefetch(x + row->count * row->step * row->stride, 0, 2);
            vfloat y = {0};
            if (at >= 0 && at < row->extent)
                y = finish_pixel(before, &by, x, lanes);
            vstore_lanes(to + i * to_step + c, y, lanes);
        }
    }
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
