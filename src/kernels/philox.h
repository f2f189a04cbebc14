/* Random numbers by counter: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", SC 2011). A block of four 32-bit words is a pure function of key and counter, so any part
 * of a stream can be made at any time, by any thread, in any order. */
#ifndef WEFT_KERNELS_PHILOX_H
#define WEFT_KERNELS_PHILOX_H

#include <stdint.h>

typedef struct weft_philox_block {
    uint32_t word[4];
} weft_philox_block;

static inline weft_philox_block weft_philox(uint64_t key, uint64_t counter_low,
                                            uint64_t counter_high)
{
    uint32_t c0 = (uint32_t)counter_low, c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high, c3 = (uint32_t)(counter_high >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (weft_philox_block){{c0, c1, c2, c3}};
}

/* A word as a float in [0, 1), 24 bits. */
static inline float weft_unit_float(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

/* Two words as a double in (0, 1), 53 bits: never 0, so that its logarithm exists. */
static inline double weft_unit_double(uint32_t high, uint32_t low)
{
    uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

/* Elements draw their words by groups of 64, of 16 blocks: word w of block i is that of element 16 w + i, so
 * that vectors need no shuffling. */
enum { WEFT_PHILOX_GROUP = 64, WEFT_PHILOX_BLOCKS = 16 };

#endif
