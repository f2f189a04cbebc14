/* The last step of Winograd's filter gradients. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_TAPS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_TAPS_H

#include "kernels/convolution_winograd_lines.h"

/* dg = Gt u G of one vector of filters; its taps are `tap` floats apart. */
SIMD_INLINE void sums_to_taps(int tile, const float *sums, int64_t position, float *c, int64_t tap,
                              bool flip, int64_t lanes)
{
    const int positions = tile + 2;
    vfloat half[3][WINOGRAD_SPAN];
#pragma GCC unroll 1
    for (int j = 0; j < positions; j++, sums += position) {
        vfloat u[WINOGRAD_SPAN], g[3];
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            u[i] = vload(sums + i * positions * position);
        filter_adjoint_line(tile, u, g);
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++)
            half[i][j] = g[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < 3; i++) {
        vfloat g[3];
        filter_adjoint_line(tile, half[i], g);
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            int at = i * 3 + j;
            vstore_lanes(c + (flip ? 8 - at : at) * tap, g[j], lanes);
        }
    }
}

#endif
