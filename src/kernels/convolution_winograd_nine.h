/* Winograd's transforms along one dimension by 9 points: +-1/4, +-11/16, +-9/8, +-9/4 and infinity, which have about
 * the least error of all that there are for m = 3, r = 7 (without 0 they come in pairs). For vector kernel files
 * only; see convolution_winograd_lines.h. The points follow each other in pairs, infinity comes last. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_NINE_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_NINE_H

#include "kernels/simd.h"

enum { NINE_PAIRS = 4 };

/* Of three squares: what (x^2 - a) (x^2 - b) (x^2 - c) has beside x^6, and its inverse at p^2 over 2. */
#define NINE_CUBIC(a, b, c)                                                                        \
    {                                                                                              \
        (float)(-(a) * (b) * (c)), (float)((a) * (b) + (a) * (c) + (b) * (c)),                     \
            (float)(-(a) - (b) - (c))                                                              \
    }
#define NINE_WEIGHT(p2, a, b, c) (0.5 / (((p2) - (a)) * ((p2) - (b)) * ((p2) - (c))))

#define NINE_P0 0.25
#define NINE_P1 0.6875
#define NINE_P2 1.125
#define NINE_P3 2.25
#define NINE_S0 (NINE_P0 * NINE_P0)
#define NINE_S1 (NINE_P1 * NINE_P1)
#define NINE_S2 (NINE_P2 * NINE_P2)
#define NINE_S3 (NINE_P3 * NINE_P3)
#define NINE_W0 NINE_WEIGHT(NINE_S0, NINE_S1, NINE_S2, NINE_S3)
#define NINE_W1 NINE_WEIGHT(NINE_S1, NINE_S0, NINE_S2, NINE_S3)
#define NINE_W2 NINE_WEIGHT(NINE_S2, NINE_S0, NINE_S1, NINE_S3)
#define NINE_W3 NINE_WEIGHT(NINE_S3, NINE_S0, NINE_S1, NINE_S2)

static const float nine_square[NINE_PAIRS] = {NINE_S0, NINE_S1, NINE_S2, NINE_S3};
static const float nine_cubic[NINE_PAIRS][3] = {
    NINE_CUBIC(NINE_S1, NINE_S2, NINE_S3), NINE_CUBIC(NINE_S0, NINE_S2, NINE_S3),
    NINE_CUBIC(NINE_S0, NINE_S1, NINE_S3), NINE_CUBIC(NINE_S0, NINE_S1, NINE_S2)};

/* Weights of even and of odd powers at each pair: A has 1 and p, G has both over the product of the differences
 * between p and all other finite points. */
typedef struct nine_weights {
    float even[NINE_PAIRS], odd[NINE_PAIRS];
} nine_weights;

static const nine_weights nine_plain = {{1, 1, 1, 1}, {NINE_P0, NINE_P1, NINE_P2, NINE_P3}};
static const nine_weights nine_filter = {
    {(float)(NINE_W0 / NINE_P0), (float)(NINE_W1 / NINE_P1), (float)(NINE_W2 / NINE_P2),
     (float)(NINE_W3 / NINE_P3)},
    {(float)NINE_W0, (float)NINE_W1, (float)NINE_W2, (float)NINE_W3}};

/* The cubic of pair k, from d[0] on in steps of 2. */
SIMD_INLINE vfloat nine_cubic_of(int k, const vfloat *d)
{
    const float *c = nine_cubic[k];
    return d[6] + c[2] * d[4] + (c[1] * d[2] + vrounded(c[0] * d[0]));
}

/* v = Bt d. Columns of B belong to the product of (x + p) or (p - x), not (x - p), and the cubic, so that both points
 * of a pair have one weight. */
SIMD_INLINE void nine_input(const vfloat *d, vfloat *v)
{
#pragma GCC unroll 4
    for (int k = 0; k < NINE_PAIRS; k++) {
        vfloat odd = nine_plain.odd[k] * nine_cubic_of(k, d), even = nine_cubic_of(k, d + 1);
        v[2 * k] = odd + even;
        v[2 * k + 1] = odd - even;
    }
    v[8] = nine_cubic_of(0, d + 2) - nine_square[0] * nine_cubic_of(0, d);
}

/* Polynomial of n > 2 coefficients at all points, times the weights: A y and G g. */
SIMD_INLINE void nine_evaluate(const nine_weights *by, const vfloat *c, int n, vfloat *v)
{
#pragma GCC unroll 4
    for (int k = 0; k < NINE_PAIRS; k++) {
        vfloat even = c[(n - 1) / 2 * 2], odd = c[n / 2 * 2 - 1];
#pragma GCC unroll 4
        for (int i = (n - 1) / 2 * 2 - 2; i >= 0; i -= 2)
            even = c[i] + nine_square[k] * even;
#pragma GCC unroll 4
        for (int i = n / 2 * 2 - 3; i >= 0; i -= 2)
            odd = c[i] + nine_square[k] * odd;
        odd = vrounded(by->odd[k] * odd);
        v[2 * k] = by->even[k] * even + odd;
        v[2 * k + 1] = by->even[k] * even - odd;
    }
    v[8] = c[n - 1];
}

/* The transposed: At m and Gt u. */
SIMD_INLINE void nine_moments(const nine_weights *by, const vfloat *v, int n, vfloat *c)
{
    vfloat even[NINE_PAIRS], odd[NINE_PAIRS];
#pragma GCC unroll 4
    for (int k = 0; k < NINE_PAIRS; k++) {
        even[k] = vrounded(by->even[k] * (v[2 * k] + v[2 * k + 1]));
        odd[k] = vrounded(by->odd[k] * (v[2 * k] - v[2 * k + 1]));
    }
#pragma GCC unroll 7
    for (int i = 0; i < n; i++) {
        vfloat *part = i % 2 ? odd : even;
        c[i] = (part[0] + part[1]) + (part[2] + part[3]);
#pragma GCC unroll 4
        for (int k = 0; k < NINE_PAIRS; k++)
            part[k] = vrounded(nine_square[k] * part[k]);
    }
    c[n - 1] += v[8];
}

#endif
