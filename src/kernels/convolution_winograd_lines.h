/* Winograd's transforms along one dimension. For vector kernel files only.
 *
 * For m = 4 the polynomials are evaluated at 0, +-5/8, +-3/2 and infinity. Of the symmetric pairs these have
 * about the least error, half that of +-1, +-2; all elements of A and B are exact in float32. With p one of
 * the finite points, q the others:
 *
 *     B, column p:  coefficients of the product of (x - q); infinity: of (x - p), all p
 *     G, row p:     1, p, p^2, over the product of (p - q); infinity: 0, 0, 1
 *     A, row p:     1, p, .. p^(m-1); infinity: 0, .. 1
 *
 * For m = 2 the points are 0, +-1 and infinity. `tile` is m, a constant.
 *
 * Error against float64, as norm of the difference over norm of the result (in brackets: largest difference
 * over root mean square), for values uniform in [-1, 1), forward; the input gradient's is the same. The test
 * convolution/errors_best bounds it and prints it.
 *
 *     channels   direct              m = 2               m = 4
 *           16   2.2e-7 (1.2e-6)     1.6e-7 (5.1e-7)     5.5e-7 (3.1e-6)
 *           64   4.1e-7 (2.2e-6)     2.8e-7 (1.0e-6)     8.5e-7 (5.6e-6)
 *          256   8.1e-7 (6.0e-6)     5.0e-7 (2.2e-6)     1.4e-6 (8.1e-6)
 *         1024   9.2e-7 (3.9e-6)     5.2e-7 (1.8e-6)     1.5e-6 (7.1e-6)
 *
 * and for the filter gradient of one image of n x n pixels:
 *
 *            n
 *           10   1.8e-7 (1.3e-6)     1.9e-7 (1.0e-6)     4.7e-7 (3.3e-6)
 *           34   2.2e-7 (9.2e-7)     2.5e-7 (1.1e-6)     6.8e-7 (3.7e-6)
 *          130   2.3e-7 (8.4e-7)     4.5e-7 (1.7e-6)     9.1e-7 (4.9e-6) */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_LINES_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_LINES_H

#include "kernels/simd.h"

enum { WINOGRAD_SPAN = 6 }; /* m + 2 at most */

#define WINOGRAD_P 0.625f
#define WINOGRAD_Q 1.5f
#define WINOGRAD_P2 (WINOGRAD_P * WINOGRAD_P)
#define WINOGRAD_Q2 (WINOGRAD_Q * WINOGRAD_Q)
/* Over the product of differences: of 0, of +-p, of +-q. */
#define WINOGRAD_N0 (float)(1.0 / ((double)WINOGRAD_P2 * WINOGRAD_Q2))
#define WINOGRAD_NP (float)(0.5 / ((double)WINOGRAD_P2 * (WINOGRAD_P2 - WINOGRAD_Q2)))
#define WINOGRAD_NQ (float)(0.5 / ((double)WINOGRAD_Q2 * (WINOGRAD_Q2 - WINOGRAD_P2)))

/* v = Bt d: m + 2 to m + 2. */
SIMD_INLINE void input_line(int tile, const vfloat *d, vfloat *v)
{
    if (tile == 2) {
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

/* u = G g: 3 to m + 2. */
SIMD_INLINE void filter_line(int tile, const vfloat *g, vfloat *u)
{
    if (tile == 2) {
        vfloat even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
        u[0] = -g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
        return;
    }
    vfloat even_p = WINOGRAD_NP * (g[0] + WINOGRAD_P2 * g[2]);
    vfloat even_q = WINOGRAD_NQ * (g[0] + WINOGRAD_Q2 * g[2]);
    vfloat odd_p = (WINOGRAD_NP * WINOGRAD_P) * g[1], odd_q = (WINOGRAD_NQ * WINOGRAD_Q) * g[1];
    u[0] = WINOGRAD_N0 * g[0];
    u[1] = even_p + odd_p;
    u[2] = even_p - odd_p;
    u[3] = even_q + odd_q;
    u[4] = even_q - odd_q;
    u[5] = g[2];
}

/* g = Gt u: m + 2 to 3. */
SIMD_INLINE void filter_adjoint_line(int tile, const vfloat *u, vfloat *g)
{
    if (tile == 2) {
        vfloat even = 0.5f * (u[1] + u[2]);
        g[0] = even - u[0];
        g[1] = 0.5f * (u[1] - u[2]);
        g[2] = even + u[3];
        return;
    }
    vfloat even_p = WINOGRAD_NP * (u[1] + u[2]), even_q = WINOGRAD_NQ * (u[3] + u[4]);
    g[0] = WINOGRAD_N0 * u[0] + even_p + even_q;
    g[1] = (WINOGRAD_NP * WINOGRAD_P) * (u[1] - u[2]) + (WINOGRAD_NQ * WINOGRAD_Q) * (u[3] - u[4]);
    g[2] = u[5] + WINOGRAD_P2 * even_p + WINOGRAD_Q2 * even_q;
}

/* y = At m: m + 2 to m. */
SIMD_INLINE void output_line(int tile, const vfloat *m, vfloat *y)
{
    if (tile == 2) {
        y[0] = m[0] + (m[1] + m[2]);
        y[1] = m[3] + (m[1] - m[2]);
        return;
    }
    vfloat even_p = m[1] + m[2], odd_p = WINOGRAD_P * (m[1] - m[2]);
    vfloat even_q = m[3] + m[4], odd_q = WINOGRAD_Q * (m[3] - m[4]);
    y[0] = m[0] + even_p + even_q;
    y[1] = odd_p + odd_q;
    y[2] = WINOGRAD_P2 * even_p + WINOGRAD_Q2 * even_q;
    y[3] = m[5] + WINOGRAD_P2 * odd_p + WINOGRAD_Q2 * odd_q;
}

/* m = A y: m to m + 2. */
SIMD_INLINE void output_adjoint_line(int tile, const vfloat *y, vfloat *m)
{
    if (tile == 2) {
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = y[1];
        return;
    }
    vfloat even_p = y[0] + WINOGRAD_P2 * y[2], odd_p = WINOGRAD_P * (y[1] + WINOGRAD_P2 * y[3]);
    vfloat even_q = y[0] + WINOGRAD_Q2 * y[2], odd_q = WINOGRAD_Q * (y[1] + WINOGRAD_Q2 * y[3]);
    m[0] = y[0];
    m[1] = even_p + odd_p;
    m[2] = even_p - odd_p;
    m[3] = even_q + odd_q;
    m[4] = even_q - odd_q;
    m[5] = y[3];
}

#endif
