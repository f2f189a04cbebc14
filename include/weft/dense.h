/* Matrix products: batched, also of all pixels or samples with one matrix (dense layers). */
#ifndef WEFT_DENSE_H
#define WEFT_DENSE_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_matmul_options {
    const char *name;
    bool transpose_a, transpose_b; /* of the last two dimensions */
    weft_value bias;               /* [columns], optional: added to every row of the result */
} weft_matmul_options;

/* op(a) op(b) + bias, with op the identity or the transpose of the last two dimensions: op(a) is
 * [.., rows, inner], op(b) [.., inner, columns], the result [.., rows, columns]. Leading dimensions
 * broadcast as in arithmetic.h. So a b of rank 2 serves every row of a, as the weights [in, out] of a dense
 * layer do. */
WEFT_API weft_value weft_matmul(weft_value a, weft_value b, const weft_matmul_options *options);

typedef struct weft_outer_sum_options {
    const char *name;
} weft_outer_sum_options;

/* The sum over all leading dimensions of outer products: for a [.., rows] and b [.., columns] with the
 * same leading dimensions, at least one, the result [rows, columns] has the elements
 * sum_n a[n, row] * b[n, column]. The gradient of weft_matmul with respect to a matrix that serves all
 * rows. */
WEFT_API weft_value weft_outer_sum(weft_value a, weft_value b,
                                   const weft_outer_sum_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_matmul(a, b, ...) (weft_matmul)(WEFT_HERE(a), b, &(weft_matmul_options){__VA_ARGS__})
#define weft_outer_sum(a, b, ...)                                                                  \
    (weft_outer_sum)(WEFT_HERE(a), b, &(weft_outer_sum_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif
