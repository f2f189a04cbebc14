/* Winograd's transforms along one dimension. For vector kernel files only.
 *
 * Tiles of m pixels and filters of r taps take m + r - 1 points. Where these are 6 (m = 4 with r = 3, m = 3
 * with r = 4, m = 2 with r = 5) the polynomials are evaluated at 0, +-5/8, +-3/2 and infinity. Of the symmetric pairs these have
 * about the least error, half that of +-1, +-2; all elements of A and B are exact in float32. With p one of
 * the finite points, q the others:
 *
 *     B, column p:  coefficients of the product of (x - q); infinity: of (x - p), all p
 *     G, row p:     1, p, .. p^(r-1), over the product of (p - q); infinity: 0, .. 1
 *     A, row p:     1, p, .. p^(m-1); infinity: 0, .. 1
 *
 * Where they are 4 (m = 2 with r = 3) they are 0, +-1 and infinity; for the 9 of m = 3 with r = 7 see
 * convolution_winograd_nine.h.
 *
 * Error against float64, as norm of the difference over norm of the result (in brackets: largest difference
 * over root mean square), for values uniform in [-1, 1), forward; the input gradient's is the same. The test
 * convolution/errors_best bounds it and prints it.
 *
 *     channels   direct              m = 2               m = 4               m = 2, r = 5
 *           16   2.2e-7 (1.2e-6)     1.6e-7 (5.1e-7)     5.5e-7 (3.1e-6)     5.3e-7 (2.6e-6)
 *           64   4.1e-7 (2.2e-6)     2.8e-7 (1.0e-6)     8.5e-7 (5.6e-6)     9.5e-7 (4.1e-6)
 *          256   8.1e-7 (6.0e-6)     5.0e-7 (2.2e-6)     1.4e-6 (8.1e-6)     1.2e-6 (4.4e-6)
 *         1024   9.2e-7 (3.9e-6)     5.2e-7 (1.8e-6)     1.5e-6 (7.1e-6)     1.3e-6 (4.6e-6)
 *
 * and for the filter gradient of one image of n x n pixels:
 *
 *            n
 *           10   1.8e-7 (1.3e-6)     1.9e-7 (1.0e-6)     4.7e-7 (3.3e-6)     6.4e-7 (7.2e-6)
 *           34   2.2e-7 (9.2e-7)     2.5e-7 (1.1e-6)     6.8e-7 (3.7e-6)     9.0e-7 (6.1e-6)
 *          130   2.3e-7 (8.4e-7)     4.5e-7 (1.7e-6)     9.1e-7 (4.9e-6)     9.6e-7 (6.5e-6)
 *
 * m = 3 with r = 4 is like m = 4: from 5.0e-7 (2.4e-6) to 1.1e-6 (4.7e-6), and from 5.0e-7 (4.3e-6) to 8.9e-7 (5.4e-6).
 * In one dimension; the last column is position by position, whose sums are longer:
 *
 *     channels   direct, r = 7       m = 4, r = 3        m = 3, r = 7        by positions
 *           16   1.9e-7 (1.8e-6)     2.2e-7 (1.6e-6)     7.4e-7 (5.0e-6)     7.7e-7 (6.2e-6)
 *           64   3.5e-7 (3.0e-6)     2.8e-7 (1.6e-6)     9.0e-7 (3.8e-6)     1.2e-6 (6.0e-6)
 *          256   6.9e-7 (3.5e-6)     3.4e-7 (1.7e-6)     1.2e-6 (5.4e-6)     2.2e-6 (1.3e-5)
 *         1024   8.0e-7 (3.5e-6)     5.0e-7 (2.1e-6)     1.7e-6 (7.0e-6)     3.0e-6 (1.3e-5)
 *
 *            n
 *           10   1.7e-7 (1.6e-6)     2.8e-7 (1.2e-6)     9.5e-7 (6.0e-6)     1.0e-6 (7.4e-6)
 *           34   2.3e-7 (9.4e-7)     3.1e-7 (1.4e-6)     1.3e-6 (8.7e-6)     1.9e-6 (1.2e-5)
 *          130   2.3e-7 (8.5e-7)     5.9e-7 (2.5e-6)     1.8e-6 (8.9e-6)     2.2e-6 (1.2e-5)
 *
 * m = 4 with r = 7, the best points of which take 1.5 times the error of m = 3, would save little more. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_LINES_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_LINES_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/convolution_winograd_nine.h"

/* At most; the others are those of two dimensions. */
enum {
    WINOGRAD_SPAN = 9,
    WINOGRAD_TILE = 4,
    WINOGRAD_TAPS = 7,
    WINOGRAD_PLANE_SPAN = 6,
    WINOGRAD_PLANE_TAPS = 5
};

/* Points: also the pixels that a tile sees, along a dimension. */
SIMD_INLINE int span_of(weft_winograd_size size)
{
    return size.tile + size.taps - 1;
}

/* Positions of a tile. */
SIMD_INLINE int positions_of(weft_winograd_size size)
{
    return size.dimensions == 2 ? span_of(size) * span_of(size) : span_of(size);
}

/* Taps of a filter. */
SIMD_INLINE int taps_of(weft_winograd_size size)
{
    return size.dimensions == 2 ? size.taps * size.taps : size.taps;
}

#define WINOGRAD_P 0.625f
#define WINOGRAD_Q 1.5f
#define WINOGRAD_P2 (WINOGRAD_P * WINOGRAD_P)
#define WINOGRAD_Q2 (WINOGRAD_Q * WINOGRAD_Q)
/* Over the product of differences: of 0, of +-p, of +-q. */
#define WINOGRAD_N0 (float)(1.0 / ((double)WINOGRAD_P2 * WINOGRAD_Q2))
#define WINOGRAD_NP (float)(0.5 / ((double)WINOGRAD_P2 * (WINOGRAD_P2 - WINOGRAD_Q2)))
#define WINOGRAD_NQ (float)(0.5 / ((double)WINOGRAD_Q2 * (WINOGRAD_Q2 - WINOGRAD_P2)))

/* v = Bt d: span to span. */
SIMD_INLINE void input_line(weft_winograd_size size, const vfloat *d, vfloat *v)
{
    if (span_of(size) == 9) {
        nine_input(d, v);
        return;
    }
    if (span_of(size) == 4) {
        v[0] = d[2] - d[0];
        v[1] = d[2] + d[1];
        v[2] = d[2] - d[1];
        v[3] = d[3] - d[1];
        return;
    }
    vfloat even_p = d[4] - WINOGRAD_Q2 * d[2], odd_p = d[3] - WINOGRAD_Q2 * d[1];
    vfloat even_q = d[4] - WINOGRAD_P2 * d[2], odd_q = d[3] - WINOGRAD_P2 * d[1];
    v[0] = even_q - WINOGRAD_Q2 * (d[2] - WINOGRAD_P2 * d[0]);
    v[1] = even_p + WINOGRAD_P * odd_p;
    v[2] = even_p - WINOGRAD_P * odd_p;
    v[3] = even_q + WINOGRAD_Q * odd_q;
    v[4] = even_q - WINOGRAD_Q * odd_q;
    v[5] = (d[5] - WINOGRAD_P2 * d[3]) - WINOGRAD_Q2 * odd_q;
}

/* u = G g: taps to span. */
SIMD_INLINE void filter_line(weft_winograd_size size, const vfloat *g, vfloat *u)
{
    if (span_of(size) == 9) {
        nine_evaluate(&nine_filter, g, size.taps, u);
        return;
    }
    if (span_of(size) == 4) {
        vfloat even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
        u[0] = -g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
        return;
    }
    bool four = size.taps >= 4, five = size.taps == 5;
    vfloat high_p = five ? g[2] + WINOGRAD_P2 * g[4] : g[2];
    vfloat high_q = five ? g[2] + WINOGRAD_Q2 * g[4] : g[2];
    vfloat low_p = four ? g[1] + WINOGRAD_P2 * g[3] : g[1];
    vfloat low_q = four ? g[1] + WINOGRAD_Q2 * g[3] : g[1];
    vfloat even_p = WINOGRAD_NP * (g[0] + WINOGRAD_P2 * high_p);
    vfloat even_q = WINOGRAD_NQ * (g[0] + WINOGRAD_Q2 * high_q);
    vfloat odd_p = (WINOGRAD_NP * WINOGRAD_P) * low_p, odd_q = (WINOGRAD_NQ * WINOGRAD_Q) * low_q;
    u[0] = WINOGRAD_N0 * g[0];
    u[1] = even_p + odd_p;
    u[2] = even_p - odd_p;
    u[3] = even_q + odd_q;
    u[4] = even_q - odd_q;
    u[5] = g[size.taps - 1];
}

/* g = Gt u: span to taps. */
SIMD_INLINE void filter_adjoint_line(weft_winograd_size size, const vfloat *u, vfloat *g)
{
    if (span_of(size) == 9) {
        nine_moments(&nine_filter, u, size.taps, g);
        return;
    }
    if (span_of(size) == 4) {
        vfloat even = 0.5f * (u[1] + u[2]);
        g[0] = even - u[0];
        g[1] = 0.5f * (u[1] - u[2]);
        g[2] = even + u[3];
        return;
    }
    vfloat even_p = WINOGRAD_NP * (u[1] + u[2]), even_q = WINOGRAD_NQ * (u[3] + u[4]);
    g[0] = WINOGRAD_N0 * u[0] + even_p + even_q;
    if (size.taps == 3) {
        g[1] =
            (WINOGRAD_NP * WINOGRAD_P) * (u[1] - u[2]) + (WINOGRAD_NQ * WINOGRAD_Q) * (u[3] - u[4]);
        g[2] = u[5] + WINOGRAD_P2 * even_p + WINOGRAD_Q2 * even_q;
        return;
    }
    vfloat odd_p = (WINOGRAD_NP * WINOGRAD_P) * (u[1] - u[2]);
    vfloat odd_q = (WINOGRAD_NQ * WINOGRAD_Q) * (u[3] - u[4]);
    g[1] = odd_p + odd_q;
    g[2] = WINOGRAD_P2 * even_p + WINOGRAD_Q2 * even_q;
    if (size.taps == 4) {
        g[3] = u[5] + WINOGRAD_P2 * odd_p + WINOGRAD_Q2 * odd_q;
        return;
    }
    g[3] = WINOGRAD_P2 * odd_p + WINOGRAD_Q2 * odd_q;
    g[4] = u[5] + WINOGRAD_P2 * WINOGRAD_P2 * even_p + WINOGRAD_Q2 * WINOGRAD_Q2 * even_q;
}

/* y = At m: span to tile. The same bits whatever follows. */
SIMD_INLINE void output_line(weft_winograd_size size, const vfloat *m, vfloat *y)
{
    if (span_of(size) == 9) {
        nine_moments(&nine_plain, m, size.tile, y);
        return;
    }
    if (span_of(size) == 4) {
        y[0] = m[0] + (m[1] + m[2]);
        y[1] = m[3] + (m[1] - m[2]);
        return;
    }
    vfloat even_p = m[1] + m[2], odd_p = vrounded(WINOGRAD_P * (m[1] - m[2]));
    vfloat even_q = m[3] + m[4], odd_q = vrounded(WINOGRAD_Q * (m[3] - m[4]));
    y[0] = m[0] + even_p + even_q;
    if (size.tile == 2) {
        y[1] = m[5] + odd_p + odd_q;
        return;
    }
    y[1] = odd_p + odd_q;
    if (size.tile == 3) {
        y[2] = m[5] + WINOGRAD_P2 * even_p + WINOGRAD_Q2 * even_q;
        return;
    }
    y[2] = WINOGRAD_P2 * even_p + vrounded(WINOGRAD_Q2 * even_q);
    y[3] = m[5] + WINOGRAD_P2 * odd_p + WINOGRAD_Q2 * odd_q;
}

/* m = A y: tile to span. */
SIMD_INLINE void output_adjoint_line(weft_winograd_size size, const vfloat *y, vfloat *m)
{
    if (span_of(size) == 9) {
        nine_evaluate(&nine_plain, y, size.tile, m);
        return;
    }
    if (span_of(size) == 4) {
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = y[1];
        return;
    }
    bool three = size.tile >= 3, four = size.tile == 4;
    vfloat even_p = three ? y[0] + WINOGRAD_P2 * y[2] : y[0];
    vfloat even_q = three ? y[0] + WINOGRAD_Q2 * y[2] : y[0];
    vfloat odd_p = WINOGRAD_P * (four ? y[1] + WINOGRAD_P2 * y[3] : y[1]);
    vfloat odd_q = WINOGRAD_Q * (four ? y[1] + WINOGRAD_Q2 * y[3] : y[1]);
    m[0] = y[0];
    m[1] = even_p + odd_p;
    m[2] = even_p - odd_p;
    m[3] = even_q + odd_q;
    m[4] = even_q - odd_q;
    m[5] = y[size.tile - 1];
}

#endif
