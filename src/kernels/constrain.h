/* Scaling the units of an array by their norms. */
#ifndef WEFT_KERNELS_CONSTRAIN_H
#define WEFT_KERNELS_CONSTRAIN_H

#include "kernels/isa.h"

#include <stdbool.h>
#include <stdint.h>

/* Added to a norm before something is divided by it. */
#define WEFT_CONSTRAIN_EPSILON 1e-7

/* Units of a piece. */
enum { WEFT_CONSTRAIN_UNITS = 64 };

/* [outer][units][inner], dense. The norm of a unit is over all of outer and inner. */
typedef struct weft_constrain_array {
    float *x;
    int64_t outer, units, inner;
    bool only_larger; /* units whose norm is within the bound stay as they are */
    double bound;
} weft_constrain_array;

typedef struct weft_constrain_kernels {
    /* Scales units first to first + count - 1, at most WEFT_CONSTRAIN_UNITS, to the bound. */
    void (*units)(const weft_constrain_array *array, int64_t first, int64_t count);
} weft_constrain_kernels;

WEFT_ISA_DECLARE(weft_constrain_kernels, weft_constrain_table);

#endif
