/* The last step of Winograd's filter gradients. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_TAPS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_TAPS_H

#include "kernels/convolution_winograd_lines.h"

/* dg = Gt u of one vector of filters, along one dimension. */
SIMD_INLINE void sums_to_line(weft_winograd_size size, const float *sums, int64_t position,
                              float *c, int64_t tap, const int64_t *place, int64_t lanes)
{
    vfloat u[WINOGRAD_SPAN], g[WINOGRAD_TAPS];
#pragma GCC unroll 9
    for (int i = 0; i < span_of(size); i++)
        u[i] = vload(sums + i * position);
    filter_adjoint_line(size, u, g);
#pragma GCC unroll 7
    for (int i = 0; i < size.taps; i++)
        vstore_lanes(c + place[i] * tap, g[i], lanes);
}

/* dg = Gt u G, or along one dimension; the taps go where weft_winograd_stored_taps says, `tap` floats apart. */
SIMD_INLINE void sums_to_taps(weft_winograd_size size, const float *sums, int64_t position,
                              float *c, int64_t tap, const int64_t *place, int64_t lanes)
{
    const int positions = span_of(size);
    if (size.dimensions == 1) {
        sums_to_line(size, sums, position, c, tap, place, lanes);
        return;
    }
    vfloat half[WINOGRAD_PLANE_TAPS][WINOGRAD_PLANE_SPAN];
#pragma GCC unroll 1
    for (int j = 0; j < positions; j++, sums += position) {
        vfloat u[WINOGRAD_SPAN], g[WINOGRAD_TAPS];
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            u[i] = vload(sums + i * positions * position);
        filter_adjoint_line(size, u, g);
#pragma GCC unroll 5
        for (int i = 0; i < size.taps; i++)
            half[i][j] = g[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < size.taps; i++) {
        vfloat g[WINOGRAD_TAPS];
        filter_adjoint_line(size, half[i], g);
#pragma GCC unroll 5
        for (int j = 0; j < size.taps; j++) {
            int64_t at = place[i * size.taps + j];
            if (at >= 0)
                vstore_lanes(c + at * tap, g[j], lanes);
        }
    }
}

#endif
