/* Matrix product, float32: C[b] = op(A[b]) op(B[b]) (+ bias), with op the identity or the
 * transpose. */
#ifndef WEFT_KERNELS_MATMUL_H
#define WEFT_KERNELS_MATMUL_H

#include "kernels/plan.h"

/* op(A) is rows x inner, op(B) inner x columns. Strides are in elements. */
typedef struct weft_matmul_problem {
    int64_t batch; /* at least 1 */
    int64_t rows, columns, inner;
    bool transpose_a; /* A is stored inner x rows */
    bool transpose_b; /* B is stored columns x inner */
    bool bias;        /* + bias[columns], to every row */
    bool steady_b;    /* the same in many runs: what is prepared of it costs nothing */
    struct weft_epilogue
        *epilogue; /* of one C (batch 1), whose rows are pixels; only where A is not
                                     * transposed; NULL: none */
    int64_t a_stride, b_stride, c_stride; /* between stored rows */
    int64_t a_batch_stride, b_batch_stride,
        c_batch_stride; /* between matrices; 0 shares one A or B */
} weft_matmul_problem;

/* Inputs in order: A, B, (bias). Every element of C is written; nothing else is. slots may be NULL.
 * All extents must be positive. Running a piece takes up to 544 KiB of stack. */
void weft_matmul_plan(const weft_matmul_problem *problem, const weft_slots *slots,
                      weft_kernel_plan *plan);

#endif
