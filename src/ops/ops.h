/* The built-in ops, one declaration each: src/ops/builtin.c lists them. */
#ifndef WEFT_OPS_OPS_H
#define WEFT_OPS_OPS_H

#include "weft/op.h"

extern const weft_op weft_convolution_op, weft_transposed_convolution_op,
    weft_convolution_input_gradient_op, weft_convolution_filter_gradient_op;
extern const weft_op weft_matmul_op, weft_outer_sum_op;
extern const weft_op weft_sgd_update_op, weft_momentum_update_op, weft_adam_update_op;
extern const weft_op weft_accumulate_gradient_op, weft_count_updates_op, weft_global_norm_op;
/* Pooling. */
extern const weft_op weft_max_pool_op, weft_max_pool_gradient_op, weft_max_pool_gather_op;
extern const weft_op weft_average_pool_op, weft_average_pool_gradient_op;

#endif
