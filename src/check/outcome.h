/* What a program computes from a case's data, for comparing programs with one another. */
#ifndef WEFT_CHECK_OUTCOME_H
#define WEFT_CHECK_OUTCOME_H

#include "check/sampler.h"

/* How a program is compiled and run. */
typedef struct weft_variant {
    const char *name;
    weft_dtype dtype;
    weft_mode mode;
    int threads;
    unsigned without; /* passes, as in weft_compile_options */
    bool least_memory;
    bool poison;
    bool odd_addresses; /* feeds lie one element past an aligned address */
} weft_variant;

typedef struct weft_outcome_part {
    const char *name;
    weft_dtype dtype;
    int64_t elements;
    size_t offset; /* of its data */
} weft_outcome_part;

/* The fetched values after two runs (the second finds the first one's leavings in the arena), then the
 * graph's variables. */
typedef struct weft_outcome {
    weft_context *context;
    weft_outcome_part *part;
    size_t parts, part_capacity;
    unsigned char *data;
    size_t bytes, byte_capacity;
} weft_outcome;

/* Compiles on a state of its own, verifies the plan, runs twice. The caller releases the outcome, also
 * after an error. */
weft_status weft_outcome_create(const weft_sampler *sample, const weft_value *fetch, int fetches,
                                const weft_variant *variant, uint64_t seed, weft_outcome *outcome,
                                weft_error *error);
void weft_outcome_release(weft_outcome *outcome);

/* WEFT_OK where all bits are equal. */
weft_status weft_outcome_equal(const weft_outcome *a, const weft_outcome *b, weft_error *error);

/* WEFT_OK where integers are equal and each real part differs from the float64 outcome's by at most
 * tolerance times its norm; *worst grows to the largest such ratio. All parts zero is an error too:
 * such a case shows nothing. */
weft_status weft_outcome_close(const weft_outcome *single, const weft_outcome *exact,
                               double tolerance, double *worst, weft_error *error);

#endif
