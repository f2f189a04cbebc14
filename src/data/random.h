/* A stream of random numbers for one sample: its key and number give the stream. */
#ifndef WEFT_DATA_RANDOM_H
#define WEFT_DATA_RANDOM_H

#include "kernels/philox.h"

typedef struct weft_random {
    uint64_t key, number, block;
    weft_philox_block words;
    int left;
} weft_random;

static inline weft_random weft_random_begin(uint64_t key, uint64_t number)
{
    return (weft_random){.key = key, .number = number};
}

static inline uint32_t weft_random_word(weft_random *random)
{
    if (random->left == 0) {
        random->words = weft_philox(random->key, random->block++, random->number);
        random->left = 4;
    }
    return random->words.word[--random->left];
}

/* Uniform in [low, high). */
static inline float weft_random_uniform(weft_random *random, float low, float high)
{
    return low + (high - low) * weft_unit_float(weft_random_word(random));
}

/* Uniform in [0, below), without bias worth speaking of for below up to 2^31 (Lemire 2019). */
static inline int64_t weft_random_below(weft_random *random, int64_t below)
{
    uint64_t high = weft_random_word(random), low = weft_random_word(random);
    return (int64_t)(((unsigned __int128)(high << 32 | low) * (uint64_t)below) >> 64);
}

/* About normal, with mean 0 and standard deviation 1: the four bytes of a word, added. */
static inline float weft_random_noise(weft_random *random)
{
    uint32_t word = weft_random_word(random);
    int sum =
        (int)(word & 255) + (int)(word >> 8 & 255) + (int)(word >> 16 & 255) + (int)(word >> 24);
    return ((float)sum - 510.0f) * (1.0f / 147.8f);
}

#endif
