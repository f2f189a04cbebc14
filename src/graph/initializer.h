/* First values of variables. */
#ifndef WEFT_GRAPH_INITIALIZER_H
#define WEFT_GRAPH_INITIALIZER_H

#include "weft/graph.h"

/* Fills the elements of a dense array of dtype WEFT_FLOAT32, WEFT_FLOAT64 or WEFT_INT32 and of
 * fixed extents. Each element is a function of key, its index and the shape alone, computed in
 * double and then rounded: arrays of float32 and of float64 agree to rounding. For int32, uniform
 * draws are rounded down (the integers of [a, b)), all else to the nearest; what does not fit is
 * clamped.
 *
 * WEFT_ERROR_ARGUMENT: an unknown kind, a uniform range that is empty, a standard deviation that is
 * not positive, or a parameter that is not finite (a constant may be infinite). WEFT_ERROR_SHAPE:
 * an open or overflowing extent, or an orthogonal variable of rank less than 2. WEFT_ERROR_DTYPE:
 * another dtype. WEFT_ERROR_MEMORY: orthogonal only, which needs scratch. On an error the elements
 * are untouched. */
weft_status weft_initialize(weft_context *context, const weft_initializer *initializer,
                            weft_shape shape, uint64_t key, weft_dtype dtype, void *elements,
                            weft_error *error);

/* Without groups: what one output sums over, and what one input feeds. */
typedef struct weft_fans {
    double in, out;
} weft_fans;

/* As the initializers count them: receptive field times the last extent but one, and times the
 * last; both are the extent at rank 1, and 1 at rank 0 (as in Keras,
 * initializers/random_initializers.py). */
weft_fans weft_fans_of(weft_shape shape, bool swap);

#endif
