/* What a kernel does to its results before it stores them (see weft_finish). For vector kernel files only. */
#ifndef WEFT_KERNELS_FINISH_H
#define WEFT_KERNELS_FINISH_H

#include "kernels/epilogue.h"
#include "kernels/simd.h"

#include <math.h>

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
#pragma GCC unroll 9
        for (int i = 0; i < n; i++)
            x[i] = finish_normalize(c, x[i]);
    if (f->ceiling > 0)
#pragma GCC unroll 9
        for (int i = 0; i < n; i++)
            x[i] = finish_clamp(f, x[i]);
}

/* A prologue without branches: what it lacks is there with numbers that change nothing. */
typedef struct finish_reader {
    finish_channels channels;
    vfloat floor, ceiling;
} finish_reader;

/* f may be NULL. */
SIMD_INLINE finish_reader finish_reader_of(const weft_finish *f, int64_t channel, int64_t lanes)
{
    finish_reader r = {{vsplat(0), vsplat(1), vsplat(-0.0f)}, /* 0 would change the sign of -0 */
                       vsplat(-INFINITY),
                       vsplat(INFINITY)};
    if (f && f->slope)
        r.channels = finish_load(f, channel, lanes);
    if (f && f->ceiling > 0) {
        r.floor = vsplat(0);
        r.ceiling = vsplat(f->ceiling);
    }
    return r;
}

SIMD_INLINE vfloat finish_through(const finish_reader *r, vfloat x)
{
    return vmin(r->ceiling, vmax(r->floor, finish_normalize(&r->channels, x)));
}

/* n vectors of results, of the same channels; addend: where that of the first is, or NULL, and `step` floats on
 * that of the next. n is a constant. */
SIMD_INLINE void finish_vectors(const weft_finish *f, const finish_channels *c, vfloat *y, int n,
                                const float *addend, int64_t step, int64_t lanes)
{
    if (f->slope)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            y[i] = finish_normalize(c, y[i]);
    if (addend)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            y[i] += vload_lanes(addend + i * step, lanes);
    if (f->ceiling > 0)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            y[i] = finish_clamp(f, y[i]);
}

/* One of them. */
SIMD_INLINE vfloat finish_vector(const weft_finish *f, const finish_channels *c, vfloat y,
                                 const float *addend, int64_t lanes)
{
    finish_vectors(f, c, &y, 1, addend, 0, lanes);
    return y;
}

#endif
