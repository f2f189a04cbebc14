/* Elementary functions of vectors: polynomials on the range that others are brought to, without branches. NaN
 * stays NaN; denormals count as 0. Where nothing else is said, a polynomial is the one whose largest relative
 * error is the least, and the results are within 2 units in the last place. */
#ifndef WEFT_KERNELS_ELEMENTARY_SIMD_H
#define WEFT_KERNELS_ELEMENTARY_SIMD_H

#include "kernels/simd.h"

/* ---- Exponentials ---- */

/* exp(r) - 1 = r + r^2 q(r), for |r| <= ln 2 / 2. */
SIMD_INLINE vfloat exponential_rest(vfloat r)
{
    vfloat square = r * r;
    vfloat low = 1.66665206e-1f * r + 4.99999934e-1f, high = 8.36871697e-3f * r + 4.16683881e-2f;
    vfloat q = (1.38145986e-3f * square + high) * square + low;
    return q * square + r;
}

/* exp(x) = 2^n (1 + p), with n = x / ln 2 rounded. */
typedef struct exponential_parts {
    vfloat p;
    vint n; /* in the last bits */
} exponential_parts;

SIMD_INLINE exponential_parts exponential_of(vfloat x)
{
    const float shift = 0x1.8p23f; /* a sum with it has an integer in its last bits */
    vfloat shifted = x * 1.44269504f + shift, n = shifted - shift;
    vfloat r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts, one of few bits */
    return (exponential_parts){exponential_rest(r), (vint)shifted};
}

/* Within 1.02 units in the last place above 2^-125, below which the result may be 0. */
SIMD_INLINE vfloat vexp(vfloat x)
{
    /* from n = -126 to 128; NaN stays */
    exponential_parts e = exponential_of(vmax(vsplat(-87.3f), vmin(vsplat(89), x)));
    vfloat half = (vfloat)((e.n << 23) + (126 << 23)); /* 2^(n - 1), or 0 */
    vfloat y = e.p * half + half;
    return y + y;
}

/* exp(x) - 1, for x up to 88. */
SIMD_INLINE vfloat vexpm1(vfloat x)
{
    exponential_parts e = exponential_of(vmax(vsplat(-87.3f), vmin(vsplat(88), x)));
    vfloat scale = (vfloat)((e.n << 23) + (127 << 23));
    return e.p * scale + (scale - 1);
}

/* Near 0 a polynomial (that of tanhf in Cephes), elsewhere by the exponential function. */
SIMD_INLINE vfloat vtanh(vfloat x)
{
    vint sign = (vint)x & INT32_MIN;
    vfloat size = vabs(x), z = x * x;
    vfloat p = -5.70498872745e-3f * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    vfloat far = 1 - 2 / (vexp(size + size) + 1);
    return vselect(size < 0.625f, p * z * x + x, (vfloat)((vint)far | sign));
}

/* ---- Logarithms ---- */

/* x = 2^n (1 + f), sqrt(1/2) - 1 <= f < sqrt(2) - 1, of x that is positive and finite, else anything;
 * returns n. Words wrap around, as signed integers may not. */
SIMD_INLINE vfloat binary_parts(vfloat x, vfloat *f)
{
    typedef uint32_t words __attribute__((vector_size(LANES * 4)));
    vint n = (vint)((words)x - 0x3F3504F3u) >> 23; /* sqrt(1/2) */
    *f = (vfloat)((words)x - ((words)n << 23)) - 1;
    return __builtin_convertvector(n, vfloat);
}

/* log(2^n (1 + f)): log(1 + f) = f - f^2 / 2 + f^3 p(f). */
SIMD_INLINE vfloat logarithm_of(vfloat n, vfloat f)
{
    vfloat square = f * f, fourth = square * square;
    vfloat p0 = -0.250008196f * f + 0.333333313f, p2 = -0.166233569f * f + 0.200012267f;
    vfloat p4 = -0.131601825f * f + 0.142017573f, p6 = -0.0763449892f * f + 0.12761578f;
    vfloat p = (p6 * square + p4) * fourth + (p2 * square + p0);
    vfloat low = vrounded(n * -2.12194440e-4f); /* ln 2 in two parts, one of few bits */
    low = square * f * p + low;
    low = square * -0.5f + low;
    return n * 0.693359375f + (f + low);
}

/* The natural logarithm: -infinity of 0, NaN of what is less. */
SIMD_INLINE vfloat vlog(vfloat x)
{
    vfloat f, n = binary_parts(x, &f), y = logarithm_of(n, f);
    vfloat none = vselect(x < 0, vsplat(__builtin_nanf("")), vsplat(-__builtin_inff()));
    y = vselect(x < 0x1p-126f, none, y);
    return vselect(x < __builtin_inff(), y, x); /* infinity and NaN */
}

/* log(1 + x) = x p(x), for x from 0 to 1. */
SIMD_INLINE vfloat vlog1p(vfloat x)
{
    vfloat square = x * x, fourth = square * square;
    vfloat p0 = -0.499999017f * x + 1, p2 = -0.249541342f * x + 0.333299637f;
    vfloat p4 = -0.153055921f * x + 0.196759388f, p6 = -0.0569595285f * x + 0.106036544f;
    vfloat p8 = -0.0032440247f * x + 0.0198514611f;
    vfloat p = (p8 * fourth + (p6 * square + p4)) * fourth + (p2 * square + p0);
    return p * x;
}

/* ---- The circle ---- */

/* Cosine and sine of 2 pi n / 2^24, for n from 0 to 2^24 - 1. */
SIMD_INLINE void vturn(vint n, vfloat *cosine, vfloat *sine)
{
    vint quarter = (n + (1 << 21)) >> 22; /* the nearest */
    vfloat r = __builtin_convertvector(n - (quarter << 22), vfloat) * 0x1p-24f, z = r * r;
    vfloat s = -75.4020691f * z + 81.5925522f, c = 59.2459641f * z - 85.4437408f;
    s = s * z - 41.3416634f;
    s = s * z + 6.28318548f;
    c = c * z + 64.9393234f;
    c = c * z - 19.7392082f;
    s = s * r;
    c = c * z + 1;
    vint swap = -(quarter & 1);
    *sine = (vfloat)((vint)vselect(swap, c, s) ^ (quarter << 30 & INT32_MIN));
    *cosine = (vfloat)((vint)vselect(swap, s, c) ^ ((quarter + 1) << 30 & INT32_MIN));
}

/* ---- The normal distribution ---- */

/* exp(-x^2 / 2), and the probability that a standard normal number is less than x: for x below 0 it is that
 * times t p(t), t = 1 / (1 + 0.305 |x|), else the rest of 1. Below -13 it may be 0. */
SIMD_INLINE vfloat vnormal(vfloat x, vfloat *exponential)
{
    vfloat t = 1 / (0.305f * vabs(x) + 1), square = t * t, fourth = square * square;
    vfloat p0 = 0.122466817f * t + 0.121639736f, p2 = 0.121021673f * t + 0.103420869f;
    vfloat p4 = 0.185716897f * t - 0.0379768163f, p6 = 0.0366991907f * t - 0.152988315f;
    vfloat p = (p6 * square + p4) * fourth + (p2 * square + p0);
    *exponential = vexp(-0.5f * x * x);
    vfloat beyond = *exponential * vrounded(p * t);
    return vselect(x > 0, 1 - beyond, beyond);
}

#endif
