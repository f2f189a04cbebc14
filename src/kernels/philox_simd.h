/* Philox (kernels/philox.h) on LANES counters at once. */
#ifndef WEFT_KERNELS_PHILOX_SIMD_H
#define WEFT_KERNELS_PHILOX_SIMD_H

#include "kernels/simd.h"

typedef uint32_t vuint __attribute__((vector_size(LANES * 4)));
typedef uint32_t vuint_memory __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint64_t vulong __attribute__((vector_size(LANES * 4)));

/* The 64-bit products of the even 32-bit lanes. */
SIMD_INLINE vulong multiply_even(vulong a, vulong b)
{
#if defined(WEFT_ISA_avx512)
    return (vulong)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(WEFT_ISA_avx2)
    return (vulong)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vulong)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/* Upper and lower halves of a * factor. */
SIMD_INLINE void multiply_wide(vuint a, uint32_t factor, vuint *high, vuint *low)
{
    vulong b = (vulong){0} + factor, lower = (vulong){0} + 0xFFFFFFFFu;
    vulong even = multiply_even((vulong)a, b), odd = multiply_even((vulong)a >> 32, b);
    *low = (vuint)((even & lower) | (odd << 32));
    *high = (vuint)((even >> 32) | (odd & ~lower));
}

/* weft_philox(key, step << 32 | block, sample) for LANES blocks from `block` on. */
SIMD_INLINE void philox(uint64_t key, uint32_t step, int64_t sample, uint32_t block, vuint word[4])
{
    vuint c0 = {0}, c1 = {0}, c2 = {0}, c3 = {0};
    for (uint32_t i = 0; i < LANES; i++)
        c0[i] = i;
    c0 += block;
    c1 += step;
    c2 += (uint32_t)sample;
    c3 += (uint32_t)((uint64_t)sample >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        vuint a_high, a_low, b_high, b_low;
        multiply_wide(c0, 0xD2511F53u, &a_high, &a_low);
        multiply_wide(c2, 0xCD9E8D57u, &b_high, &b_low);
        c0 = b_high ^ c1 ^ k0;
        c2 = a_high ^ c3 ^ k1;
        c1 = b_low;
        c3 = a_low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

#endif
