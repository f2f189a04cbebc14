/* Copies into the panels that register tiles read. For vector kernel files only. */
#ifndef WEFT_KERNELS_MATMUL_PACK_H
#define WEFT_KERNELS_MATMUL_PACK_H

#include "kernels/transpose.h"

/* n elements, n any. */
SIMD_INLINE void copy_floats(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vstore(to + i, vload(from + i));
    if (i < n)
        vstore_first(to + i, vload_first(from + i, n - i), n - i);
}

SIMD_INLINE void zero_floats(float *to, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vstore(to + i, (vfloat){0});
    if (i < n)
        vstore_first(to + i, (vfloat){0}, n - i);
}

/* panel[k][0..width) = from[k * step + 0..columns), then zeros. */
SIMD_INLINE void pack_rows(float *panel, int64_t width, const float *from, int64_t step,
                           int64_t rows, int64_t columns)
{
    int64_t whole = columns / LANES * LANES;
    for (int64_t k = 0; k < rows; k++, panel += width, from += step) {
        for (int64_t j = 0; j < whole; j += LANES)
            vstore(panel + j, vload(from + j));
        if (whole < columns)
            vstore(panel + whole, vload_first(from + whole, columns - whole));
        for (int64_t j = whole + LANES * (whole < columns); j < width; j += LANES)
            vstore(panel + j, (vfloat){0});
    }
}

/* panel[k][j] = from[j * step + k] for j < columns, else 0. */
SIMD_INLINE void pack_columns(float *panel, int64_t width, const float *from, int64_t step,
                              int64_t rows, int64_t columns)
{
    for (int64_t j = 0; j < width; j += LANES)
        for (int64_t k = 0; k < rows; k += LANES) {
            vfloat square[LANES];
            int64_t n = rows - k < LANES ? rows - k : LANES;
            if (j + LANES <= columns && n == LANES) {
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++)
                    square[i] = vload(from + (j + i) * step + k);
            } else {
                for (int i = 0; i < LANES; i++)
                    square[i] =
                        j + i < columns ? vload_first(from + (j + i) * step + k, n) : (vfloat){0};
            }
            transpose_square(square);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++)
                if (i < n)
                    vstore(panel + (k + i) * width + j, square[i]);
        }
}

#endif
