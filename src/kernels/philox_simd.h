/* Philox (kernels/philox.h) on LANES counters at once. */
#ifndef WEFT_KERNELS_PHILOX_SIMD_H
#define WEFT_KERNELS_PHILOX_SIMD_H

#include "kernels/simd.h"

typedef uint32_t vuint __attribute__((vector_size(LANES * 4)));
typedef uint32_t vuint_memory __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint64_t vulong __attribute__((vector_size(LANES * 4)));

/* The 64-bit products of the lower halves of 64-bit lanes. */
SIMD_INLINE vulong multiply_lower(vulong a, uint32_t factor)
{
    vulong b = (vulong){0} + factor;
#if defined(WEFT_ISA_avx512)
    return (vulong)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(WEFT_ISA_avx2)
    return (vulong)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vulong)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xFFFFFFFFu) * b;
#endif
}

/* The blocks of some counters, each number in the lower half of a lane; upper halves are of no account. */
typedef struct philox_half {
    vulong c[4];
} philox_half;

SIMD_INLINE void philox_round(philox_half *half, uint32_t k0, uint32_t k1)
{
    vulong *c = half->c;
    vulong a = multiply_lower(c[0], 0xD2511F53u), b = multiply_lower(c[2], 0xCD9E8D57u);
    c[0] = (b >> 32) ^ c[1] ^ k0;
    c[2] = (a >> 32) ^ c[3] ^ k1;
    c[1] = b;
    c[3] = a;
}

/* weft_philox(key, step << 32 | block, sample) for LANES blocks from `block` on. The even ones and the odd
 * ones are computed apart, as products take twice the room of their factors. */
SIMD_INLINE void philox(uint64_t key, uint32_t step, int64_t sample, uint32_t block, vuint word[4])
{
    vulong zero = {0}, first = (vulong)((vuint)vlanes() + block);
    philox_half even = {
        {first, zero + step, zero + (uint32_t)sample, zero + (uint32_t)((uint64_t)sample >> 32)}};
    philox_half odd = even;
    odd.c[0] = first >> 32;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        philox_round(&even, k0, k1);
        philox_round(&odd, k0, k1);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int w = 0; w < 4; w++)
        word[w] = (vuint)((even.c[w] & 0xFFFFFFFFu) | odd.c[w] << 32);
}

#endif
