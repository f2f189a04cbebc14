/* The built-in ops. */
#ifndef WEFT_OPS_OPS_H
#define WEFT_OPS_OPS_H

#include "kernels/update.h"
#include "weft/op.h"

/* Every built-in op, in the order of lists: X(name) stands for weft_<name>_op. What is not here is not
 * checked. The updates of optimizers are rows of WEFT_UPDATE_TABLE. */
#define WEFT_BUILTIN_TABLE(X)                                                                      \
    /* Convolutions and products */                                                                \
    X(convolution)                                                                                 \
    X(transposed_convolution)                                                                      \
    X(convolution_input_gradient)                                                                  \
    X(convolution_filter_gradient)                                                                 \
    X(matmul)                                                                                      \
    X(outer_sum)                                                                                   \
    /* Pooling */                                                                                  \
    X(max_pool)                                                                                    \
    X(max_pool_gradient)                                                                           \
    X(max_pool_gather)                                                                             \
    X(max_pool_indices)                                                                            \
    X(max_unpool)                                                                                  \
    X(max_unpool_gradient)                                                                         \
    X(average_pool)                                                                                \
    X(average_pool_gradient)                                                                       \
    /* Normalization */                                                                            \
    X(batch_norm)                                                                                  \
    X(batch_norm_gradient)                                                                         \
    X(moving_average)                                                                              \
    X(group_norm)                                                                                  \
    X(group_norm_gradient)                                                                         \
    X(normalize)                                                                                   \
    X(add_product)                                                                                 \
    X(local_response_norm)                                                                         \
    X(local_response_norm_gradient)                                                                \
    /* What else updates */                                                                        \
    X(accumulate_gradient)                                                                         \
    X(count_updates)                                                                               \
    X(average_weights)                                                                             \
    X(global_norm)                                                                                 \
    X(constrain)                                                                                   \
    /* Arithmetic */                                                                               \
    X(add)                                                                                         \
    X(subtract)                                                                                    \
    X(multiply)                                                                                    \
    X(divide)                                                                                      \
    X(scale)                                                                                       \
    X(offset)                                                                                      \
    X(negate)                                                                                      \
    X(square)                                                                                      \
    X(sqrt)                                                                                        \
    X(rsqrt)                                                                                       \
    X(exp)                                                                                         \
    X(log)                                                                                         \
    X(power)                                                                                       \
    X(maximum)                                                                                     \
    X(minimum)                                                                                     \
    X(maximum_gradient)                                                                            \
    X(clip)                                                                                        \
    X(clip_gradient)                                                                               \
    X(abs)                                                                                         \
    X(sign)                                                                                        \
    X(equal)                                                                                       \
    X(not_equal)                                                                                   \
    X(less)                                                                                        \
    X(less_equal)                                                                                  \
    X(select)                                                                                      \
    X(broadcast_like)                                                                              \
    X(expand)                                                                                      \
    X(sum_like)                                                                                    \
    X(cast)                                                                                        \
    /* Activations */                                                                              \
    X(relu)                                                                                        \
    X(relu_gradient)                                                                               \
    X(clipped_relu)                                                                                \
    X(clipped_relu_gradient)                                                                       \
    X(leaky_relu)                                                                                  \
    X(leaky_relu_gradient)                                                                         \
    X(sigmoid)                                                                                     \
    X(sigmoid_gradient)                                                                            \
    X(tanh)                                                                                        \
    X(tanh_gradient)                                                                               \
    X(swish)                                                                                       \
    X(swish_gradient)                                                                              \
    X(elu)                                                                                         \
    X(elu_gradient)                                                                                \
    X(gelu)                                                                                        \
    X(gelu_gradient)                                                                               \
    X(gelu_tanh)                                                                                   \
    X(gelu_tanh_gradient)                                                                          \
    X(softplus)                                                                                    \
    X(softplus_gradient)                                                                           \
    X(softsign)                                                                                    \
    X(softsign_gradient)                                                                           \
    X(mish)                                                                                        \
    X(mish_gradient)                                                                               \
    X(hard_sigmoid)                                                                                \
    X(hard_sigmoid_gradient)                                                                       \
    X(hard_tanh)                                                                                   \
    X(hard_tanh_gradient)                                                                          \
    X(hard_swish)                                                                                  \
    X(hard_swish_gradient)                                                                         \
    X(prelu)                                                                                       \
    X(prelu_gradient)                                                                              \
    X(prelu_slope_gradient)                                                                        \
    /* Random */                                                                                   \
    X(dropout)                                                                                     \
    X(gaussian_noise)                                                                              \
    X(gaussian_dropout)                                                                            \
    X(is_training)                                                                                 \
    /* Reductions */                                                                               \
    X(sum)                                                                                         \
    X(mean)                                                                                        \
    X(max)                                                                                         \
    X(min)                                                                                         \
    X(variance)                                                                                    \
    X(vector_norm)                                                                                 \
    X(divide_by_count)                                                                             \
    X(argmax)                                                                                      \
    X(argmin)                                                                                      \
    /* Resizing, and borders of images */                                                          \
    X(resize)                                                                                      \
    X(resize_gradient)                                                                             \
    X(border)                                                                                      \
    X(border_gradient)                                                                             \
    /* Moving elements */                                                                          \
    X(reshape)                                                                                     \
    X(reshape_like)                                                                                \
    X(transpose)                                                                                   \
    X(slice)                                                                                       \
    X(crop_like)                                                                                   \
    X(embed_like)                                                                                  \
    X(pad)                                                                                         \
    X(split)                                                                                       \
    X(split_like)                                                                                  \
    X(concat)                                                                                      \
    X(gather)                                                                                      \
    X(scatter_add)                                                                                 \
    X(one_hot)                                                                                     \
    /* Softmax and losses */                                                                       \
    X(softmax)                                                                                     \
    X(softmax_gradient)                                                                            \
    X(sparse_cross_entropy)                                                                        \
    X(sparse_cross_entropy_gradient)                                                               \
    X(cross_entropy)                                                                               \
    X(cross_entropy_gradient)                                                                      \
    X(binary_cross_entropy)                                                                        \
    X(label_weights)

#define WEFT_BUILTIN_DECLARE(name) extern const weft_op weft_##name##_op;
WEFT_BUILTIN_TABLE(WEFT_BUILTIN_DECLARE)
#undef WEFT_BUILTIN_DECLARE

#define WEFT_UPDATE_DECLARE(NAME, name, slots, flops) extern const weft_op weft_##name##_update_op;
WEFT_UPDATE_TABLE(WEFT_UPDATE_DECLARE)
#undef WEFT_UPDATE_DECLARE

/* Made by the compiler alone; the checks of batch normalization and max pooling run them. */
extern const weft_op weft_batch_norm_coefficients_op, weft_batch_norm_gradient_coefficients_op,
    weft_group_norm_coefficients_op, weft_max_pool_winners_op, weft_max_pool_scatter_op;

#endif
