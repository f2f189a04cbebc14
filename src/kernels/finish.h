/* What a kernel does to its results before it stores them (see weft_finish). For vector kernel files only. */
#ifndef WEFT_KERNELS_FINISH_H
#define WEFT_KERNELS_FINISH_H

#include "kernels/epilogue.h"
#include "kernels/simd.h"

/* The vectors of some channels. */
typedef struct finish_channels {
    vfloat center, slope, shift;
} finish_channels;

/* Up to LANES channels, from number `channel` of the finish on; f may be NULL. */
SIMD_INLINE finish_channels finish_load(const weft_finish *f, int64_t channel, int64_t lanes)
{
    finish_channels c = {{0}};
    if (f && f->slope) {
        c.center = vload_lanes(f->center + channel, lanes);
        c.slope = vload_lanes(f->slope + channel, lanes);
        c.shift = vload_lanes(f->shift + channel, lanes);
    }
    return c;
}

/* The formula of the map "normalize". */
SIMD_INLINE vfloat finish_normalize(const finish_channels *c, vfloat y)
{
    return (y - c->center) * c->slope + c->shift;
}

/* That of "clipped_relu", and of "relu" without a ceiling. */
SIMD_INLINE vfloat finish_clamp(const weft_finish *f, vfloat y)
{
    return vmin(vsplat(f->ceiling), vmax(vsplat(0), y));
}

/* n vectors that are read, of the same channels, through a prologue. n is a constant. */
SIMD_INLINE void finish_read(const weft_finish *f, const finish_channels *c, vfloat *x, int n)
{
    if (f->slope)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            x[i] = finish_normalize(c, x[i]);
    if (f->ceiling > 0)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            x[i] = finish_clamp(f, x[i]);
}

/* Up to LANES channels of a pixel, as they are where f is NULL. */
SIMD_INLINE vfloat finish_pixel(const weft_finish *f, const finish_channels *c, const float *pixel,
                                int64_t lanes)
{
    vfloat x = vload_lanes(pixel, lanes);
    if (f)
        finish_read(f, c, &x, 1);
    return x;
}

/* One vector of results; addend: where its addend is, or NULL. */
SIMD_INLINE vfloat finish_vector(const weft_finish *f, const finish_channels *c, vfloat y,
                                 const float *addend, int64_t lanes)
{
    if (f->slope)
        y = finish_normalize(c, y);
    if (addend)
        y += vload_lanes(addend, lanes);
    return f->ceiling > 0 ? finish_clamp(f, y) : y;
}

#endif
