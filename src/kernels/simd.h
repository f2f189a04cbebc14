/* One vector of floats, as wide as the instruction set that the file is compiled for. */
#ifndef WEFT_KERNELS_SIMD_H
#define WEFT_KERNELS_SIMD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(WEFT_ISA_avx512)
#include <immintrin.h>
enum { LANES = 16 };
#define SIMD_SQRT _mm512_sqrt_ps
#define SIMD_MAX _mm512_max_ps
#define SIMD_MIN _mm512_min_ps
#elif defined(WEFT_ISA_avx2)
#include <immintrin.h>
enum { LANES = 8 };
#define SIMD_SQRT _mm256_sqrt_ps
#define SIMD_MAX _mm256_max_ps
#define SIMD_MIN _mm256_min_ps
#elif defined(__SSE2__)
#include <emmintrin.h>
enum { LANES = 4 };
#define SIMD_SQRT _mm_sqrt_ps
#define SIMD_MAX _mm_max_ps
#define SIMD_MIN _mm_min_ps
#elif defined(__aarch64__)
#include <arm_neon.h>
enum { LANES = 4 };
#define SIMD_SQRT vsqrtq_f32
#else
#error "no vector form for this processor yet"
#endif

typedef float vfloat __attribute__((vector_size(LANES * 4)));
typedef int32_t vint __attribute__((vector_size(LANES * 4)));
typedef float vfloat_memory __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define SIMD_INLINE static inline __attribute__((always_inline))

SIMD_INLINE vfloat vload(const float *p)
{
    return *(const vfloat_memory *)p;
}

SIMD_INLINE void vstore(float *p, vfloat v)
{
    *(vfloat_memory *)p = v;
}

SIMD_INLINE vfloat vsplat(float s)
{
    return s - (vfloat){0};
}

/* x, which is in a register from here on: it is not read from memory again where it is used. */
SIMD_INLINE vfloat vheld(vfloat x)
{
#if defined(WEFT_ISA_avx512)
    __asm__("" : "+v"(x));
#elif defined(__SSE2__)
    __asm__("" : "+x"(x));
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
#endif
    return x;
}

/* The same for what is used several times, where there are 32 registers: with 16, reading it again is no worse. */
SIMD_INLINE vfloat vheld_of_many(vfloat x)
{
    return LANES == 16 ? vheld(x) : x;
}

/* x, rounded: a product that passes through here becomes no part of a fused multiply-add. Of two products whose sum is
 * taken, the compiler may fuse either, and another one wherever the function is inlined. */
SIMD_INLINE vfloat vrounded(vfloat x)
{
    return vheld(x);
}

/* 0, 1, 2, ... */
SIMD_INLINE vint vlanes(void)
{
    static const int32_t number[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vint v;
    memcpy(&v, number, sizeof(v));
    return v;
}

#if defined(WEFT_ISA_avx2)
/* All bits set in the first n lanes. */
SIMD_INLINE __m256i vfirst(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

/* The first n (1..LANES) elements; the others are 0. Memory beyond them is not touched. */
SIMD_INLINE vfloat vload_first(const float *p, int64_t n)
{
#if defined(WEFT_ISA_avx512)
    return (vfloat)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(WEFT_ISA_avx2)
    return (vfloat)_mm256_maskload_ps(p, vfirst(n));
#else
    vfloat v = {0};
    memcpy(&v, p, (size_t)n * 4);
    return v;
#endif
}

/* Stores the first n (1..LANES) elements. */
SIMD_INLINE void vstore_first(float *p, vfloat v, int64_t n)
{
#if defined(WEFT_ISA_avx512)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(WEFT_ISA_avx2)
    /* In pieces: masked stores are slow on some processors, such as AMD's Zen 3. */
    if (n == LANES) {
        _mm256_storeu_ps(p, (__m256)v);
        return;
    }
    __m128 rest = _mm256_castps256_ps128((__m256)v);
    if (n & 4) {
        _mm_storeu_ps(p, rest);
        rest = _mm256_extractf128_ps((__m256)v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, rest);
        rest = _mm_movehl_ps(rest, rest);
        p += 2;
    }
    if (n & 1)
        _mm_store_ss(p, rest);
#else
    memcpy(p, &v, (size_t)n * 4);
#endif
}

/* The same, for code that is written once for whole vectors (lanes is then the constant LANES) and tails. */
SIMD_INLINE vfloat vload_lanes(const float *p, int64_t lanes)
{
    return lanes == LANES ? vload(p) : vload_first(p, lanes);
}

SIMD_INLINE void vstore_lanes(float *p, vfloat v, int64_t lanes)
{
    if (lanes == LANES)
        vstore(p, v);
    else
        vstore_first(p, v, lanes);
}

/* mask ? a : b, for masks that comparisons of vfloat give. */
SIMD_INLINE vfloat vselect(vint mask, vfloat a, vfloat b)
{
    return (vfloat)((mask & (vint)a) | (~mask & (vint)b));
}

/* a > b ? a : b, so that b is the result where one of them is NaN; the minimum likewise. */
SIMD_INLINE vfloat vmax(vfloat a, vfloat b)
{
#if defined(SIMD_MAX)
    return (vfloat)SIMD_MAX(a, b);
#else
    return vselect(a > b, a, b);
#endif
}

SIMD_INLINE vfloat vmin(vfloat a, vfloat b)
{
#if defined(SIMD_MIN)
    return (vfloat)SIMD_MIN(a, b);
#else
    return vselect(a < b, a, b);
#endif
}

SIMD_INLINE vfloat vabs(vfloat x)
{
    return (vfloat)((vint)x & INT32_MAX);
}

/* The first n lanes (1..LANES) of v, `fill` in the others. */
SIMD_INLINE vfloat vkeep_first(vfloat v, int64_t n, float fill)
{
    if (n == LANES)
        return v;
    return vselect(vlanes() < (vint){0} + (int32_t)n, v, vsplat(fill));
}

/* Lane c of each `group` lanes, in all of these; group is a power of two, 2 to LANES. Loops over c are unrolled so
 * often where it had better be a constant. */
enum { SPREAD_UNROLLED = LANES == 4 ? 4 : 1 };

SIMD_INLINE vfloat vspread(vfloat x, int group, int c)
{
#if defined(WEFT_ISA_avx512)
    return (vfloat)_mm512_permutexvar_ps((__m512i)((vlanes() & -group) + c), (__m512)x);
#elif defined(WEFT_ISA_avx2)
    return (vfloat)_mm256_permutevar8x32_ps((__m256)x, (__m256i)((vlanes() & -group) + c));
#else
    return (vfloat){x[c], x[c], x[(2 & -group) + c], x[(2 & -group) + c]};
#endif
}

/* True where the mask has a lane. */
SIMD_INLINE bool vany(vint mask)
{
#if defined(WEFT_ISA_avx512)
    return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif defined(WEFT_ISA_avx2)
    return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps((__m128)mask) != 0;
#else
    int32_t any = 0;
    for (int i = 0; i < LANES; i++)
        any |= mask[i];
    return any != 0;
#endif
}

/* The sum of all lanes, always in the same order for a given width. */
SIMD_INLINE float vsum(vfloat v)
{
#if defined(__SSE2__)
#if defined(WEFT_ISA_avx512)
    __m256 eight =
        _mm256_add_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
#elif defined(WEFT_ISA_avx2)
    __m128 four =
        _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
#else
    __m128 four = (__m128)v;
#endif
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
#else
    float lane[LANES];
    vstore(lane, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            lane[i] += lane[i + width];
    return lane[0];
#endif
}

/* The processor's own, correctly rounded. */
SIMD_INLINE vfloat vsqrt(vfloat x)
{
    return (vfloat)SIMD_SQRT(x);
}

#endif
