/* The table of built-in ops: what the checks walk through. An op that is not in it is not checked.
 */
#include "ops/ops.h"

static const weft_op *const ops[] = {
    &weft_convolution_op,
    &weft_transposed_convolution_op,
    &weft_convolution_input_gradient_op,
    &weft_convolution_filter_gradient_op,
    &weft_matmul_op,
    &weft_outer_sum_op,
    &weft_max_pool_op,
    &weft_max_pool_gradient_op,
    &weft_max_pool_gather_op,
    &weft_average_pool_op,
    &weft_average_pool_gradient_op,
    &weft_sgd_update_op,
    &weft_momentum_update_op,
    &weft_adam_update_op,
    &weft_accumulate_gradient_op,
    &weft_count_updates_op,
    &weft_global_norm_op,
    &weft_add_op,
    &weft_subtract_op,
    &weft_multiply_op,
    &weft_divide_op,
    &weft_scale_op,
    &weft_offset_op,
    &weft_negate_op,
    &weft_square_op,
    &weft_sqrt_op,
    &weft_rsqrt_op,
    &weft_exp_op,
    &weft_log_op,
    &weft_broadcast_like_op,
    &weft_sum_like_op,
    &weft_cast_op,
    &weft_relu_op,
    &weft_relu_gradient_op,
    &weft_leaky_relu_op,
    &weft_leaky_relu_gradient_op,
    &weft_sigmoid_op,
    &weft_sigmoid_gradient_op,
    &weft_tanh_op,
    &weft_tanh_gradient_op,
    &weft_swish_op,
    &weft_swish_gradient_op,
    &weft_dropout_op,
    &weft_is_training_op,
    NULL, /* the end */
};

const weft_op *weft_builtin_op(int index)
{
    int count = (int)(sizeof(ops) / sizeof(ops[0])) - 1;
    return index >= 0 && index < count ? ops[index] : NULL;
}
