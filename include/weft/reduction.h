/* Reductions over some dimensions of a real value, and argmax. */
#ifndef WEFT_REDUCTION_H
#define WEFT_REDUCTION_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_reduce_options {
    const char *name; /* NULL: the op's */
    int axes
        [WEFT_MAX_RANK]; /* dimensions to reduce, in any order; negative ones count from the end */
    int axis_count;      /* 0: all dimensions */
    bool keep_dims;      /* reduced dimensions stay, with extent 1 */
} weft_reduce_options;

/* The sum of the elements along the axes. options may be NULL, also below. An axis that x does not have,
 * or has twice, is an error. */
WEFT_API weft_value weft_sum(weft_value x, const weft_reduce_options *options);
/* The sum divided by the number of elements, which may depend on an open batch extent. */
WEFT_API weft_value weft_mean(weft_value x, const weft_reduce_options *options);
/* The largest element; NaN where there is a NaN. Where several are equally large, each gets an equal
 * share of the gradient (as of PyTorch's amax). */
WEFT_API weft_value weft_max(weft_value x, const weft_reduce_options *options);

/* The position of the first largest element along the axis (negative: from the end), as int32; the axis
 * disappears. NaN counts as largest. No gradient. */
WEFT_API weft_value weft_argmax(weft_value x, int axis);

/* x divided by how many elements `like` has for each element of x: what takes the gradient of a mean
 * from the mean to each of its elements. The elements of `like` are not read. */
WEFT_API weft_value weft_divide_by_count(weft_value x, weft_value like);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_sum(x, ...) (weft_sum)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_mean(x, ...) (weft_mean)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_max(x, ...) (weft_max)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_argmax(x, axis) (weft_argmax)(WEFT_HERE(x), axis)
#define weft_divide_by_count(x, like) (weft_divide_by_count)(WEFT_HERE(x), like)
#endif

#ifdef __cplusplus
}
#endif
#endif
