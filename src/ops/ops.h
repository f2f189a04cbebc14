/* The built-in ops, one declaration each: src/ops/builtin.c lists them. */
#ifndef WEFT_OPS_OPS_H
#define WEFT_OPS_OPS_H

#include "kernels/update.h"
#include "weft/op.h"

extern const weft_op weft_convolution_op, weft_transposed_convolution_op,
    weft_convolution_input_gradient_op, weft_convolution_filter_gradient_op;
extern const weft_op weft_matmul_op, weft_outer_sum_op;
/* Updates. */
#define WEFT_UPDATE_DECLARE(NAME, name, slots, flops) extern const weft_op weft_##name##_update_op;
WEFT_UPDATE_TABLE(WEFT_UPDATE_DECLARE)
#undef WEFT_UPDATE_DECLARE
extern const weft_op weft_accumulate_gradient_op, weft_count_updates_op, weft_average_weights_op,
    weft_global_norm_op, weft_constrain_op;
/* Pooling. */
extern const weft_op weft_max_pool_op, weft_max_pool_gradient_op, weft_max_pool_gather_op,
    weft_max_pool_indices_op, weft_max_unpool_op, weft_max_unpool_gradient_op;
extern const weft_op weft_average_pool_op, weft_average_pool_gradient_op;
extern const weft_op weft_batch_norm_op, weft_batch_norm_gradient_op, weft_moving_average_op;
extern const weft_op weft_group_norm_op, weft_group_norm_gradient_op;
extern const weft_op weft_normalize_op, weft_add_product_op;
/* Made by the compiler alone; the checks of batch normalization run them. */
extern const weft_op weft_batch_norm_coefficients_op, weft_batch_norm_gradient_coefficients_op;
extern const weft_op weft_local_response_norm_op, weft_local_response_norm_gradient_op;

extern const weft_op weft_add_op, weft_subtract_op, weft_multiply_op, weft_divide_op;
extern const weft_op weft_scale_op, weft_offset_op, weft_negate_op, weft_square_op, weft_sqrt_op,
    weft_rsqrt_op, weft_exp_op, weft_log_op;
extern const weft_op weft_maximum_op, weft_minimum_op, weft_maximum_gradient_op, weft_clip_op,
    weft_clip_gradient_op, weft_abs_op, weft_sign_op, weft_power_op;
extern const weft_op weft_equal_op, weft_not_equal_op, weft_less_op, weft_less_equal_op,
    weft_select_op;
extern const weft_op weft_broadcast_like_op, weft_expand_op, weft_sum_like_op, weft_cast_op;
extern const weft_op weft_relu_op, weft_relu_gradient_op, weft_clipped_relu_op,
    weft_clipped_relu_gradient_op, weft_leaky_relu_op, weft_leaky_relu_gradient_op;
extern const weft_op weft_sigmoid_op, weft_sigmoid_gradient_op, weft_tanh_op, weft_tanh_gradient_op,
    weft_swish_op, weft_swish_gradient_op;
extern const weft_op weft_gaussian_noise_op, weft_gaussian_dropout_op;
extern const weft_op weft_elu_op, weft_elu_gradient_op, weft_gelu_op, weft_gelu_gradient_op,
    weft_gelu_tanh_op, weft_gelu_tanh_gradient_op, weft_softplus_op, weft_softplus_gradient_op,
    weft_softsign_op, weft_softsign_gradient_op, weft_mish_op, weft_mish_gradient_op;
extern const weft_op weft_hard_sigmoid_op, weft_hard_sigmoid_gradient_op, weft_hard_tanh_op,
    weft_hard_tanh_gradient_op, weft_hard_swish_op, weft_hard_swish_gradient_op;
extern const weft_op weft_prelu_op, weft_prelu_gradient_op, weft_prelu_slope_gradient_op;
extern const weft_op weft_dropout_op, weft_is_training_op;
/* Reductions. */
extern const weft_op weft_sum_op, weft_mean_op, weft_max_op, weft_min_op, weft_variance_op,
    weft_vector_norm_op;
extern const weft_op weft_argmax_op, weft_argmin_op;
extern const weft_op weft_divide_by_count_op;
/* Resizing, and borders of images. */
extern const weft_op weft_resize_op, weft_resize_gradient_op;
extern const weft_op weft_border_op, weft_border_gradient_op;
/* Moving elements. */
extern const weft_op weft_reshape_op, weft_reshape_like_op, weft_transpose_op;
extern const weft_op weft_slice_op, weft_crop_like_op, weft_embed_like_op, weft_pad_op;
extern const weft_op weft_split_op, weft_split_like_op, weft_concat_op;
extern const weft_op weft_gather_op, weft_scatter_add_op, weft_one_hot_op;
/* Softmax and losses. */
extern const weft_op weft_softmax_op, weft_softmax_gradient_op;
extern const weft_op weft_sparse_cross_entropy_op, weft_sparse_cross_entropy_gradient_op;
extern const weft_op weft_cross_entropy_op, weft_cross_entropy_gradient_op;
extern const weft_op weft_binary_cross_entropy_op, weft_label_weights_op;

#endif
