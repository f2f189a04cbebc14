/* Philox (kernels/philox.h) on LANES counters at once. */
#ifndef WEFT_KERNELS_PHILOX_SIMD_H
#define WEFT_KERNELS_PHILOX_SIMD_H

#include "kernels/philox.h"
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

/* Upper halves of 64-bit lanes as lower ones. Shuffled, as shifts wait for the unit that multiplies. */
SIMD_INLINE vulong upper_halves(vulong a)
{
#if defined(WEFT_ISA_avx512)
    return (vulong)_mm512_shuffle_epi32((__m512i)a, _MM_PERM_DDBB);
#elif defined(WEFT_ISA_avx2)
    return (vulong)_mm256_shuffle_epi32((__m256i)a, 0xF5);
#elif defined(__SSE2__)
    return (vulong)_mm_shuffle_epi32((__m128i)a, 0xF5);
#else
    return a >> 32;
#endif
}

/* What all blocks of a sample share: the keys of the rounds, and the upper parts of the counter. */
typedef struct philox_stream {
    uint64_t key[10][2];
    uint32_t step, sample[2];
} philox_stream;

SIMD_INLINE philox_stream philox_begin(uint64_t key, uint32_t step, int64_t sample)
{
    philox_stream stream = {.step = step,
                            .sample = {(uint32_t)sample, (uint32_t)((uint64_t)sample >> 32)}};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        stream.key[round][0] = k0;
        stream.key[round][1] = k1;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return stream;
}

/* The blocks of some counters, each number in the lower half of a lane; upper halves are of no account. */
typedef struct philox_half {
    vulong c[4];
} philox_half;

SIMD_INLINE void philox_round(philox_half *half, vulong k0, vulong k1)
{
    vulong *c = half->c;
    vulong a = multiply_lower(c[0], 0xD2511F53u), b = multiply_lower(c[2], 0xCD9E8D57u);
    c[0] = upper_halves(b) ^ c[1] ^ k0;
    c[2] = upper_halves(a) ^ c[3] ^ k1;
    c[1] = b;
    c[3] = a;
}

/* weft_philox(key, step << 32 | block, sample) for LANES blocks from `block` on. The even ones and the odd
 * ones are computed apart, as products take twice the room of their factors. */
SIMD_INLINE void philox(const philox_stream *stream, uint32_t block, vuint word[4])
{
    vulong zero = {0}, first = (vulong)((vuint)vlanes() + block);
    philox_half even = {
        {first, zero + stream->step, zero + stream->sample[0], zero + stream->sample[1]}};
    philox_half odd = even;
    odd.c[0] = upper_halves(first);
    for (int round = 0; round < 10; round++) {
        vulong k0 = zero + stream->key[round][0], k1 = zero + stream->key[round][1];
        philox_round(&even, k0, k1);
        philox_round(&odd, k0, k1);
    }
    for (int w = 0; w < 4; w++)
        word[w] = (vuint)((even.c[w] & 0xFFFFFFFFu) | odd.c[w] << 32);
}

/* The words of a group's elements, in their order. */
SIMD_INLINE void philox_group(const philox_stream *stream, int64_t group, uint32_t *words)
{
    for (int part = 0; part < WEFT_PHILOX_BLOCKS; part += LANES) {
        vuint word[4];
        philox(stream, (uint32_t)(group * WEFT_PHILOX_BLOCKS + part), word);
        for (int w = 0; w < 4; w++)
            *(vuint_memory *)(words + w * WEFT_PHILOX_BLOCKS + part) = word[w];
    }
}

#endif
