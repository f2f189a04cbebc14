/* Gaussian noise in float32, by counter: the normal number of an element is a pure function of key, step,
 * sample and element; see weft_noise_normal, the definition, which the vector kernel computes in float32, groups of
 * 64 elements at a time. */
#ifndef WEFT_KERNELS_NOISE_H
#define WEFT_KERNELS_NOISE_H

#include "kernels/isa.h"
#include "kernels/map.h"
#include "kernels/philox.h"

#include <math.h>

/* The counter of a block: its index within the sample, the step, the sample. Words 0 and 1 make two normal
 * numbers, and so do 2 and 3 (Box, Muller 1958): the first of a pair says how far from 0, the second in which
 * direction. */
static inline double weft_noise_normal(uint64_t key, uint32_t step, int64_t sample, int64_t element)
{
    uint32_t within = (uint32_t)(element % WEFT_PHILOX_GROUP), number = within / WEFT_PHILOX_BLOCKS;
    uint32_t block =
        (uint32_t)(element / WEFT_PHILOX_GROUP * WEFT_PHILOX_BLOCKS) + within % WEFT_PHILOX_BLOCKS;
    weft_philox_block drawn = weft_philox(key, (uint64_t)step << 32 | block, (uint64_t)sample);
    const uint32_t *pair = drawn.word + number / 2 * 2;
    double distance = sqrt(-2 * log(((double)(pair[0] >> 8) + 0.5) * 0x1p-24));
    double direction = 2 * 3.14159265358979323846 * (double)(pair[1] >> 8) * 0x1p-24;
    return distance * (number % 2 ? sin(direction) : cos(direction));
}

/* Consecutive elements of one sample: out = x + deviation z, or x (1 + deviation z). */
typedef struct weft_noise_row {
    const float *x;
    float *out;
    int64_t count, sample, element; /* element: index of the first within the sample */
    uint64_t key;
    uint32_t step;
    float deviation;
    bool scales;
} weft_noise_row;

typedef struct weft_noise_kernels {
    void (*row)(const weft_noise_row *row);
} weft_noise_kernels;

WEFT_ISA_DECLARE(weft_noise_kernels, weft_noise_table);

/* Arguments of weft_noise_piece. Operands: 0 input, 1 output. */
typedef struct weft_noise_args {
    weft_rows rows;
    const weft_noise_kernels *kernels;
    int64_t sample_elements; /* along all dimensions but 0 */
    int64_t batch_multiple;  /* the sample's index starts at this times the run's first sample */
    uint64_t name_key;
    float deviation;
    bool scales;
} weft_noise_args;

weft_piece_fn weft_noise_piece;

#endif
