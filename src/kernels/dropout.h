/* Inverted dropout in float32: output = dropped ? 0 : scale * x.
 *
 * Whether an element is dropped is decided by 24 bits of a Philox word, a pure function of key, step,
 * sample and element; see weft_dropout_word, the definition that the vector kernel computes 64 elements
 * at a time. */
#ifndef WEFT_KERNELS_DROPOUT_H
#define WEFT_KERNELS_DROPOUT_H

#include "kernels/isa.h"
#include "kernels/map.h"
#include "kernels/philox.h"

/* What all elements of a run share. */
typedef struct weft_dropout_stream {
    uint64_t key;       /* weft_dropout_key */
    uint32_t step;      /* updates done, modulo 2^32 */
    uint32_t threshold; /* dropped when the word's upper 24 bits are below it: rate * 2^24 */
} weft_dropout_stream;

/* The key of a node's stream, from the state's seed and the hash of the node's name. */
static inline uint64_t weft_dropout_key(uint64_t seed, uint64_t name_key)
{
    weft_philox_block mixed = weft_philox(seed, name_key, 0);
    return (uint64_t)mixed.word[1] << 32 | mixed.word[0];
}

static inline uint32_t weft_dropout_threshold(double rate)
{
    return (uint32_t)(rate * 0x1p24 + 0.5);
}

/* The counter of a block: its index within the sample, the step, the sample. */
static inline uint32_t weft_dropout_word(const weft_dropout_stream *stream, int64_t sample,
                                         int64_t element)
{
    uint32_t within = (uint32_t)(element % WEFT_PHILOX_GROUP);
    uint32_t block =
        (uint32_t)(element / WEFT_PHILOX_GROUP * WEFT_PHILOX_BLOCKS) + within % WEFT_PHILOX_BLOCKS;
    weft_philox_block drawn =
        weft_philox(stream->key, (uint64_t)stream->step << 32 | block, (uint64_t)sample);
    return drawn.word[within / WEFT_PHILOX_BLOCKS];
}

static inline bool weft_dropout_drops(const weft_dropout_stream *stream, int64_t sample,
                                      int64_t element)
{
    return weft_dropout_word(stream, sample, element) >> 8 < stream->threshold;
}

/* Consecutive elements of one sample. */
typedef struct weft_dropout_row {
    const float *x;
    float *out;
    int64_t count, sample, element; /* element: index of the first within the sample */
    float scale;
} weft_dropout_row;

typedef struct weft_dropout_kernels {
    void (*row)(const weft_dropout_stream *stream, const weft_dropout_row *row);
} weft_dropout_kernels;

WEFT_ISA_DECLARE(weft_dropout_kernels, weft_dropout_kernel_table);

/* Arguments of weft_dropout_piece. Operands: 0 input, 1 output. */
typedef struct weft_dropout_args {
    weft_rows rows;
    const weft_dropout_kernels *kernels;
    int64_t sample_elements; /* along all dimensions but 0 */
    int64_t batch_multiple;  /* the sample's index starts at this times the run's first sample */
    uint64_t name_key;
    uint32_t threshold;
    float scale;
} weft_dropout_args;

weft_piece_fn weft_dropout_piece;

#endif
