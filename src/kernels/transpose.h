/* Transposing in registers, for files that are compiled for each instruction set. */
#ifndef WEFT_KERNELS_TRANSPOSE_H
#define WEFT_KERNELS_TRANSPOSE_H

#include "kernels/simd.h"

/* Squares of 4 x 4 next to each other, each in place: rows a to d become columns. */
SIMD_INLINE void transpose_fours(vfloat row[4])
{
    const vint lane = vlanes(), four = lane & ~3, odd = lane & 1, late = (lane & 2) >> 1;
    const vint low = four + late + odd * LANES, first = four + odd + late * LANES;
    vfloat ab = __builtin_shuffle(row[0], row[1], low);
    vfloat cd = __builtin_shuffle(row[2], row[3], low);
    vfloat ab_high = __builtin_shuffle(row[0], row[1], low + 2);
    vfloat cd_high = __builtin_shuffle(row[2], row[3], low + 2);
    row[0] = __builtin_shuffle(ab, cd, first);
    row[1] = __builtin_shuffle(ab, cd, first + 2);
    row[2] = __builtin_shuffle(ab_high, cd_high, first);
    row[3] = __builtin_shuffle(ab_high, cd_high, first + 2);
}

/* A square of LANES x LANES, in place: squares of 4 x 4, which then change places. */
SIMD_INLINE void transpose_square(vfloat row[LANES])
{
#pragma GCC unroll 4
    for (int i = 0; i < LANES; i += 4)
        transpose_fours(row + i);
#pragma GCC unroll 2
    for (int apart = 4; apart < LANES; apart *= 2) {
        const vint lane = vlanes(), other = ((lane & apart) != 0) & (LANES - apart);
#pragma GCC unroll 8
        for (int pair = 0; pair < LANES / 2; pair++) {
            int i = pair / apart * 2 * apart + pair % apart;
            vfloat a = row[i], b = row[i + apart];
            row[i] = __builtin_shuffle(a, b, lane + other);
            row[i + apart] = __builtin_shuffle(a, b, lane + other + apart);
        }
    }
}

#endif
