/* Reductions over some dimensions of a real value, and where its extremes are. */
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
/* The same of the smallest. */
WEFT_API weft_value weft_min(weft_value x, const weft_reduce_options *options);

typedef struct weft_variance_options {
    const char *name;        /* NULL: "variance" */
    int axes[WEFT_MAX_RANK]; /* as of the reductions above, also the next two */
    int axis_count;
    bool keep_dims;
    bool unbiased; /* divide by n - 1, not by n: PyTorch's default; NumPy's and Keras's is ours */
} weft_variance_options;

/* The squares of what the n elements along the axes differ from their mean by, added up and divided by n.
 * Elements are read twice, never their squares subtracted. One element has no unbiased variance: an
 * error, at the latest when a program is compiled. */
WEFT_API weft_value weft_variance(weft_value x, const weft_variance_options *options);

typedef enum weft_norm_kind {
    WEFT_NORM_L2 = 0, /* the root of the sum of squares; its gradient where all are 0 is 0 */
    WEFT_NORM_L1,     /* the sum of magnitudes; the gradient at 0 is 0 */
    WEFT_NORM_MAX     /* the largest magnitude; equally large ones share the gradient */
} weft_norm_kind;

typedef struct weft_vector_norm_options {
    const char *name; /* NULL: "vector_norm" */
    int axes[WEFT_MAX_RANK];
    int axis_count;
    bool keep_dims;
    weft_norm_kind kind;
} weft_vector_norm_options;

/* The norm of the elements along the axes. */
WEFT_API weft_value weft_vector_norm(weft_value x, const weft_vector_norm_options *options);

/* The position of the first largest, or smallest, element along the axis (negative: from the end), as int32;
 * the axis disappears. NaN counts as either. No gradient. */
WEFT_API weft_value weft_argmax(weft_value x, int axis);
WEFT_API weft_value weft_argmin(weft_value x, int axis);

/* x divided by how many elements `like` has for each element of x: what takes the gradient of a mean
 * from the mean to each of its elements. The elements of `like` are not read. */
WEFT_API weft_value weft_divide_by_count(weft_value x, weft_value like);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_sum(x, ...) (weft_sum)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_mean(x, ...) (weft_mean)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_max(x, ...) (weft_max)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_min(x, ...) (weft_min)(WEFT_HERE(x), &(weft_reduce_options){__VA_ARGS__})
#define weft_variance(x, ...) (weft_variance)(WEFT_HERE(x), &(weft_variance_options){__VA_ARGS__})
#define weft_vector_norm(x, ...)                                                                   \
    (weft_vector_norm)(WEFT_HERE(x), &(weft_vector_norm_options){__VA_ARGS__})
#define weft_argmax(x, axis) (weft_argmax)(WEFT_HERE(x), axis)
#define weft_argmin(x, axis) (weft_argmin)(WEFT_HERE(x), axis)
#define weft_divide_by_count(x, like) (weft_divide_by_count)(WEFT_HERE(x), like)
#endif

#ifdef __cplusplus
}
#endif
#endif
