/* Updates of variables in float32, each in one pass over memory; those that need a norm of the whole
 * variable measure it in a pass of its own before. Arrays do not overlap. */
#ifndef WEFT_KERNELS_UPDATE_H
#define WEFT_KERNELS_UPDATE_H

#include <stdint.h>

#include "kernels/isa.h"

/* Every rule: X(NAME, name, slots, flops of an element). Its formula is in include/weft/optim.h. */
#define WEFT_UPDATE_TABLE(X)                                                                       \
    X(SGD, sgd, 0, 2)                                                                              \
    X(MOMENTUM, momentum, 1, 4)                                                                    \
    X(NESTEROV, nesterov, 1, 6)                                                                    \
    X(ADAM, adam, 2, 13)                                                                           \
    X(AMSGRAD, amsgrad, 3, 14)                                                                     \
    X(NADAM, nadam, 2, 15)                                                                         \
    X(ADAGRAD, adagrad, 1, 8)                                                                      \
    X(ADADELTA, adadelta, 2, 15)                                                                   \
    X(RMSPROP, rmsprop, 1, 9)                                                                      \
    X(RMSPROP_MOMENTUM, rmsprop_momentum, 2, 11)                                                   \
    X(RMSPROP_CENTERED, rmsprop_centered, 2, 14)                                                   \
    X(RMSPROP_CENTERED_MOMENTUM, rmsprop_centered_momentum, 3, 16)                                 \
    X(LAMB, lamb, 2, 28)                                                                           \
    X(LARS, lars, 1, 10)                                                                           \
    X(LION, lion, 1, 9)

typedef enum weft_update_kind {
#define WEFT_UPDATE_ENUM(NAME, name, slots, flops) WEFT_UPDATE_##NAME,
    WEFT_UPDATE_TABLE(WEFT_UPDATE_ENUM)
#undef WEFT_UPDATE_ENUM
        WEFT_UPDATE_KINDS
} weft_update_kind;

enum { WEFT_UPDATE_SLOTS = 3 }; /* at most */

/* The scalars of one update. */
typedef struct weft_update_terms {
    double scale; /* of the gradient, for clipping by a norm; 1: none */
    double limit; /* of each element of the gradient, after scaling; infinite: none */
    double decay; /* coupled weight decay; 0: none */
    double keep;  /* what decoupled weight decay leaves of the variable; 1: none */
    double rate;  /* of the step, bias corrections included */
    double gain;  /* of the gradient (or what it became), where it joins the momentum */
    double momentum;
    double beta1, beta2;
    double inside, epsilon; /* inside and outside of the root */
    double unbias;          /* of the root of the second moment */
    double trust;           /* ratio of norms */
} weft_update_terms;

typedef void weft_update_fn(float *w, float *const *slot, const float *g, int64_t count,
                            const weft_update_terms *terms);
/* Adds up the squares of two things. */
typedef void weft_update_measure_fn(float *w, float *const *slot, const float *g, int64_t count,
                                    const weft_update_terms *terms, double sum[2]);

typedef struct weft_update_kernels {
    weft_update_fn *apply[WEFT_UPDATE_KINDS];
    weft_update_measure_fn *measure[WEFT_UPDATE_KINDS]; /* NULL: needs no norms */
    /* sum = keep * sum + factor * g; with keep 0 the old sum is not read. */
    void (*accumulate)(float *sum, const float *g, int64_t count, float factor, float keep);
    double (*sum_of_squares)(const float *g, int64_t count);
} weft_update_kernels;

WEFT_ISA_DECLARE(weft_update_kernels, weft_update_table);

#endif
