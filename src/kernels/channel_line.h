/* out = scale * a + slope * (b - center) + shift, with numbers for each channel: what normalizations do to
 * every pixel, forward and backward. For files that are compiled for each instruction set. */
#ifndef WEFT_KERNELS_CHANNEL_LINE_H
#define WEFT_KERNELS_CHANNEL_LINE_H

#include "kernels/simd.h"

/* For each channel. Without a scale, or without the other three, that term is left out. Subtracting the
 * center first keeps the digits of what varies about it. */
typedef struct line {
    const float *scale, *slope, *center, *shift;
} line;

/* Where the operands of some pixels begin, and their steps. */
typedef struct pixel_group {
    const float *a, *b;
    float *out;
    int64_t a_step, b_step, out_step;
} pixel_group;

SIMD_INLINE void apply_vector(const pixel_group *at, int64_t c, int pixels, int64_t lanes,
                              const line *by)
{
    vfloat scale = by->scale ? vload_lanes(by->scale + c, lanes) : vsplat(0);
    vfloat slope = by->slope ? vload_lanes(by->slope + c, lanes) : vsplat(0);
    vfloat center = by->slope ? vload_lanes(by->center + c, lanes) : vsplat(0);
    vfloat shift = by->slope ? vload_lanes(by->shift + c, lanes) : vsplat(0);
    for (int i = 0; i < pixels; i++) {
        vfloat v = shift;
        if (by->slope)
            v += slope * (vload_lanes(at->b + i * at->b_step + c, lanes) - center);
        if (by->scale)
            v += scale * vload_lanes(at->a + i * at->a_step + c, lanes);
        vstore_lanes(at->out + i * at->out_step + c, v, lanes);
    }
}

SIMD_INLINE void apply_pixels(const pixel_group *at, int pixels, int64_t channels, const line *by)
{
    int64_t c = 0;
    for (; c + LANES <= channels; c += LANES)
        apply_vector(at, c, pixels, LANES, by);
    if (c < channels)
        apply_vector(at, c, pixels, channels - c, by);
}

SIMD_INLINE void apply_run(pixel_group at, int64_t count, int64_t channels, const line *by)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        apply_pixels(&at, 4, channels, by);
        at.a += 4 * at.a_step;
        at.b += 4 * at.b_step;
        at.out += 4 * at.out_step;
    }
    for (; i < count; i++) {
        apply_pixels(&at, 1, channels, by);
        at.a += at.a_step;
        at.b += at.b_step;
        at.out += at.out_step;
    }
}

#endif
