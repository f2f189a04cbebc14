/* The derivative of a program's function along a line. */
#ifndef WEFT_CHECK_DERIVATIVE_H
#define WEFT_CHECK_DERIVATIVE_H

#include "weft/types.h"

/* The points x = start + t * direction. x is storage that the function reads; x equals start between
 * calls. */
typedef struct weft_line {
    double *x;
    const double *start, *direction;
    int64_t count;
} weft_line;

/* A function of many outputs, of which a weighted sum is differentiated. */
typedef struct weft_function {
    weft_status (*evaluate)(void *user, double *y, weft_error *error); /* at what x holds */
    void *user;
    int64_t outputs;
    const double *weight; /* of each output */
    double *room;         /* for 2 * outputs numbers */
} weft_function;

typedef struct weft_derivative {
    double value;
    double accuracy; /* an estimate of the error */
    double noise;    /* the part of it due to rounding */
} weft_derivative;

/* Writes the derivative by t at t = 0: central differences at step, step/2 and step/4, extrapolated twice.
 * Where the estimated error exceeds goal, as at a kink, smaller steps are tried, and the best is taken. */
weft_status weft_line_derivative(const weft_line *line, const weft_function *function, double step,
                                 double goal, weft_derivative *derivative, weft_error *error);

#endif
