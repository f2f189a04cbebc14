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

extern const weft_op weft_add_op, weft_subtract_op, weft_multiply_op, weft_divide_op;
extern const weft_op weft_scale_op, weft_offset_op, weft_negate_op, weft_square_op, weft_sqrt_op,
    weft_rsqrt_op, weft_exp_op, weft_log_op;
extern const weft_op weft_broadcast_like_op, weft_sum_like_op, weft_cast_op;
extern const weft_op weft_relu_op, weft_relu_gradient_op, weft_leaky_relu_op, weft_leaky_relu_gradient_op;
extern const weft_op weft_sigmoid_op, weft_sigmoid_gradient_op, weft_tanh_op, weft_tanh_gradient_op,
    weft_swish_op, weft_swish_gradient_op;
extern const weft_op weft_dropout_op, weft_is_training_op;

#endif
