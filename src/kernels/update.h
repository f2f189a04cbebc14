/* Updates of variables in float32, each in one pass over memory. Arrays do not overlap. */
#ifndef WEFT_KERNELS_UPDATE_H
#define WEFT_KERNELS_UPDATE_H

#include <stdint.h>

#include "kernels/isa.h"

/* The scalars of one update; see include/weft/optim.h for the formulas. */
typedef struct weft_update_terms {
    double scale; /* of the gradient, for clipping; 1: none */
    double decay; /* coupled weight decay; 0: none */
    double keep;  /* what decoupled weight decay leaves of the variable; 1: none */
    double rate;  /* learning rate; Adam: divided by 1 - b1^t */
    double momentum;
    double beta1, beta2, epsilon;
    double unbias; /* Adam: 1 / sqrt(1 - b2^t) */
} weft_update_terms;

typedef struct weft_update_kernels {
    void (*sgd)(float *w, const float *g, int64_t count, const weft_update_terms *terms);
    void (*momentum)(float *w, float *v, const float *g, int64_t count,
                     const weft_update_terms *terms);
    void (*nesterov)(float *w, float *v, const float *g, int64_t count,
                     const weft_update_terms *terms);
    void (*adam)(float *w, float *m, float *v, const float *g, int64_t count,
                 const weft_update_terms *terms);
    /* sum = keep * sum + factor * g; with keep 0 the old sum is not read. */
    void (*accumulate)(float *sum, const float *g, int64_t count, float factor, float keep);
    double (*sum_of_squares)(const float *g, int64_t count);
} weft_update_kernels;

WEFT_ISA_DECLARE(weft_update_kernels, weft_update_table);

#endif
