/* Cases of single ops. In the expressions, cf() puts channels first and cl() last, f() turns a filter of
 * weft's layout into PyTorch's, and F is torch.nn.functional. */
#include "parity.h"

static weft_value image(parity_builder *b)
{
    return parity_input(b, "x", weft_shape_of(2, 9, 8, 6));
}

static weft_value conv(parity_builder *b, weft_shape filter, weft_convolution_options options)
{
    weft_value x = image(b);
    return (weft_convolution)(x, parity_variable(b, "w", filter), &options);
}

static weft_value conv_valid(parity_builder *b)
{
    return conv(b, weft_shape_of(3, 3, 6, 5), (weft_convolution_options){0});
}

static weft_value conv_bias(parity_builder *b)
{
    weft_value x = image(b), w = parity_variable(b, "w", weft_shape_of(3, 3, 6, 17));
    return weft_convolution(x, w, .bias = parity_variable(b, "b", weft_shape_of(17)),
                            .pad_low = {1, 1}, .pad_high = {1, 1});
}

static weft_value conv_strided(parity_builder *b)
{
    return conv(
        b, weft_shape_of(3, 5, 6, 4),
        (weft_convolution_options){.stride = {2, 3}, .pad_low = {1, 2}, .pad_high = {1, 2}});
}

static weft_value conv_dilated(parity_builder *b)
{
    return conv(
        b, weft_shape_of(3, 2, 6, 4),
        (weft_convolution_options){.dilation = {2, 3}, .pad_low = {2, 1}, .pad_high = {2, 1}});
}

static weft_value conv_grouped(parity_builder *b)
{
    return conv(b, weft_shape_of(3, 3, 2, 12),
                (weft_convolution_options){.groups = 3, .pad_low = {1, 1}, .pad_high = {1, 1}});
}

static weft_value conv_depthwise(parity_builder *b)
{
    return conv(b, weft_shape_of(3, 3, 1, 6),
                (weft_convolution_options){
                    .groups = 6, .stride = {2, 2}, .pad_low = {1, 1}, .pad_high = {1, 1}});
}

static weft_value conv_same(parity_builder *b)
{
    return conv(b, weft_shape_of(3, 5, 6, 4), (weft_convolution_options){.padding = WEFT_SAME});
}

static weft_value conv_pointwise(parity_builder *b)
{
    return conv(b, weft_shape_of(1, 1, 6, 33), (weft_convolution_options){0});
}

static weft_value conv_1d(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 11, 5));
    return weft_convolution(x, parity_variable(b, "w", weft_shape_of(4, 5, 7)), .stride = {2},
                            .pad_low = {1}, .pad_high = {1});
}

static weft_value conv_3d(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 5, 6, 4, 3));
    return weft_convolution(x, parity_variable(b, "w", weft_shape_of(3, 3, 2, 3, 5)),
                            .stride = {1, 2, 1}, .pad_low = {1, 1, 0}, .pad_high = {1, 1, 0});
}

static weft_value conv_transposed(parity_builder *b)
{
    weft_value x = image(b), w = parity_variable(b, "w", weft_shape_of(3, 3, 4, 6));
    return weft_transposed_convolution(x, w, .bias = parity_variable(b, "b", weft_shape_of(4)),
                                       .stride = {2, 3}, .pad_low = {1, 0}, .pad_high = {1, 0},
                                       .output_padding = {1, 2});
}

static weft_value conv_transposed_grouped(parity_builder *b)
{
    weft_value x = image(b), w = parity_variable(b, "w", weft_shape_of(2, 3, 2, 6));
    return weft_transposed_convolution(x, w, .stride = {2, 2}, .dilation = {2, 1}, .groups = 2);
}

static weft_value max_pool(parity_builder *b)
{
    return weft_max_pool(image(b), .window = {3, 3}, .stride = {2, 2}, .pad_low = {1, 1},
                         .pad_high = {1, 1});
}

static weft_value max_pool_ceil(parity_builder *b)
{
    return weft_max_pool(image(b), .window = {2, 3}, .stride = {2, 2}, .ceil_mode = true);
}

static weft_value average_pool(parity_builder *b)
{
    return weft_average_pool(image(b), .window = {3, 3}, .stride = {2, 2}, .pad_low = {1, 1},
                             .pad_high = {1, 1});
}

static weft_value average_pool_ceil(parity_builder *b)
{
    return weft_average_pool(image(b), .window = {3, 2}, .stride = {2, 2}, .pad_low = {1, 1},
                             .pad_high = {1, 1}, .ceil_mode = true, .count_include_pad = true);
}

static weft_value max_pool_3d(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 5, 6, 4, 3));
    return weft_max_pool(x, .window = {2, 3, 2}, .stride = {1, 2, 2});
}

static weft_value adaptive_average(parity_builder *b)
{
    return weft_adaptive_average_pool(image(b), .size = {4, 3});
}

static weft_value adaptive_max(parity_builder *b)
{
    return weft_adaptive_max_pool(image(b), .size = {4, 3});
}

static weft_value max_unpool(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 8, 6, 5));
    weft_pool_options options = {.window = {2, 2}};
    weft_value indices = (weft_max_pool_indices)(x, &options);
    return weft_max_unpool((weft_max_pool)(x, &options), indices, x);
}

static weft_value lp_pool(parity_builder *b)
{
    weft_value x = image(b), y = weft_lp_pool(x, .window = {2, 3}, .stride = {2, 2}, .p = 4);
    return weft_concat_channels(y, weft_lp_pool(x, .window = {2, 3}, .stride = {2, 2}),
                                weft_lp_pool(x, .window = {2, 3}, .stride = {2, 2}, .p = 1));
}

static weft_value separable(parity_builder *b)
{
    return weft_separable_conv2d(image(b), .name = "s", .filters = 7, .multiplier = 2,
                                 .kernel = {3, 3}, .stride = {2, 1}, .pad_low = {1, 1},
                                 .pad_high = {1, 1});
}

static weft_value global_average(parity_builder *b)
{
    return weft_global_average_pool(image(b));
}

static weft_value batch_norm(parity_builder *b)
{
    return weft_batch_norm(image(b), .name = "bn");
}

static weft_value layer_norm(parity_builder *b)
{
    return weft_layer_norm(image(b), .name = "ln");
}

static weft_value layer_norm_of_images(parity_builder *b)
{
    return weft_layer_norm(image(b), .name = "ln", .dimensions = 3, .epsilon = 1e-3);
}

static weft_value group_norm(parity_builder *b)
{
    return weft_group_norm(image(b), .name = "gn", .groups = 3);
}

static weft_value group_norm_3d(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 5, 6, 4, 8));
    return weft_group_norm(x, .name = "gn", .groups = 2);
}

static weft_value instance_norm(parity_builder *b)
{
    weft_value x = image(b);
    return weft_add(weft_instance_norm(x, .name = "in"), weft_instance_normalization(x));
}

static weft_value dense(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(7, 13));
    return weft_dense(x, .units = 19, .name = "fc");
}

static weft_value matmul(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 7, 5));
    weft_value y = parity_input(b, "y", weft_shape_of(3, 4, 7));
    return weft_matmul(x, y, .transpose_a = true, .transpose_b = true);
}

static weft_value matmul_broadcast(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 1, 7, 5));
    weft_value y = parity_input(b, "y", weft_shape_of(4, 9, 7));
    return weft_matmul(x, y, .transpose_a = true, .transpose_b = true);
}

/* softmax(q k') of heads. */
static weft_value matmul_heads(parity_builder *b)
{
    weft_value q = weft_transpose(parity_input(b, "x", weft_shape_of(2, 9, 3, 8)), 0, 2, 1, 3);
    weft_value k = weft_transpose(parity_input(b, "y", weft_shape_of(2, 9, 3, 8)), 0, 2, 1, 3);
    return weft_matmul(weft_softmax(weft_matmul(q, k, .transpose_b = true)), k);
}

static weft_value divide_broadcast(parity_builder *b)
{
    weft_value x = image(b), y = parity_input(b, "y+", weft_shape_of(8, 1));
    return weft_divide(x, y);
}

static weft_value elementwise(parity_builder *b)
{
    weft_value x = image(b), y = parity_input(b, "y+", weft_shape_of(2, 9, 8, 6));
    weft_value sum = weft_add(weft_log(y), weft_exp(weft_scale(x, 0.3)));
    return weft_multiply(weft_subtract(sum, weft_sqrt(y)), weft_rsqrt(weft_offset(y, 1.0)));
}

/* Some elements of either are above the ceiling. */
static weft_value clipped(parity_builder *b)
{
    weft_value x = image(b);
    return weft_add(weft_relu6(weft_scale(x, 4)), weft_clipped_relu(x, 0.5));
}

static weft_value local_response(parity_builder *b)
{
    weft_value x = image(b);
    return weft_add(weft_local_response_norm(x, .size = 5, .alpha = 0.9, .k = 2),
                    weft_local_response_norm(x, .size = 3, .alpha = 0.5, .beta = 0.6));
}

static weft_value activations(parity_builder *b)
{
    weft_value x = image(b);
    weft_value y = weft_add(weft_relu(x), weft_leaky_relu(weft_negate(x), .slope = 0.1));
    y = weft_add(y, weft_multiply(weft_sigmoid(x), weft_tanh(x)));
    return weft_add(y, weft_swish(x));
}

static weft_value smooth(parity_builder *b)
{
    weft_value x = image(b);
    weft_value y = weft_add(weft_elu(x, .alpha = 0.7), weft_selu(weft_scale(x, 0.5)));
    y = weft_add(y, weft_multiply(weft_gelu(x), weft_gelu(weft_negate(x), .approximate = true)));
    y = weft_add(y, weft_multiply(weft_softplus(x, .beta = 3), weft_softsign(x)));
    return weft_add(y, weft_add(weft_mish(x), weft_softplus(weft_scale(x, -1))));
}

/* PyTorch's own hardsigmoid multiplies gradients by 1/6 in single, also those in double. */
static weft_value pieces(parity_builder *b)
{
    weft_value x = weft_scale(image(b), 3);
    weft_value y = weft_multiply(weft_hard_sigmoid(x), weft_hard_tanh(x));
    y = weft_add(y, weft_hard_tanh(x, .low = -2, .high = 0.5));
    return weft_add(y, weft_hard_swish(x));
}

static weft_value learnt(parity_builder *b)
{
    weft_value x = image(b);
    weft_value y = weft_prelu(x, parity_variable(b, "slope", weft_shape_of(6)));
    y = weft_add(y, weft_swish_beta(x, parity_variable(b, "beta", weft_shape_of(6))));
    return weft_glu(y, -1);
}

/* Rounded numbers tie: whole ones against each other. */
static weft_value extremes(parity_builder *b)
{
    weft_value x = image(b), y = parity_input(b, "y", weft_shape_of(8, 1));
    weft_value whole = weft_cast_real(parity_labels(b, "t", weft_shape_of(2, 9, 8, 6), 3));
    weft_value z = weft_multiply(weft_maximum(x, y), weft_minimum(x, weft_abs(y)));
    z = weft_add(z, weft_maximum(weft_multiply(whole, x), weft_scale(x, 2)));
    z = weft_add(z, weft_clip(x, -0.5, 0.7));
    return weft_select(weft_less(x, y), weft_square(z), z);
}

static weft_value powers(parity_builder *b)
{
    weft_value x = parity_input(b, "x+", weft_shape_of(2, 9, 8, 6));
    return weft_power(x, parity_input(b, "y", weft_shape_of(8, 1)));
}

static weft_value softmax(parity_builder *b)
{
    return weft_softmax(image(b));
}

static weft_value softmax_along(parity_builder *b)
{
    weft_value x = image(b);
    return weft_multiply(weft_softmax_along(x, 1), weft_log_softmax(weft_scale(x, 5), 2));
}

static weft_value shapes(parity_builder *b)
{
    weft_value x = image(b), parts[2];
    weft_value y = parity_input(b, "y", weft_shape_of(2, 9, 8, 3));
    weft_split(x, 3, (int64_t[]){4, 2}, 2, parts);
    weft_value z = weft_concat_channels(parts[1], y, parts[0]);
    z = weft_pad(weft_slice(z, .begin = {0, 1, 2, 0}, .size = {0, 6, 0, 0}), .before = {0, 1},
                 .after = {0, 0, 2}, .value = 0.5);
    return weft_transpose(z, 0, 2, 1, 3);
}

static weft_value reductions(parity_builder *b)
{
    weft_value x = image(b);
    weft_value y = weft_sum(x, .axes = {1, 2}, .axis_count = 2, .keep_dims = true);
    weft_value z = weft_mean(x, .axes = {3}, .axis_count = 1, .keep_dims = true);
    return weft_add(weft_multiply(y, z),
                    weft_max(x, .axes = {0}, .axis_count = 1, .keep_dims = true));
}

static weft_value gathers(parity_builder *b)
{
    weft_value x = image(b), t = parity_labels(b, "t", weft_shape_of(2, 3), 8);
    return weft_gather(x, t, 2);
}

static weft_value gather_elements(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11, 3));
    return weft_gather_elements(x, parity_labels(b, "t", weft_shape_of(5, 20, 3), 11), 1);
}

static weft_value one_hot(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 3, 11));
    return weft_multiply(x,
                         weft_one_hot(parity_labels(b, "t", weft_shape_of(2, 3), 11), .depth = 11));
}

static weft_value repeats(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 1, 4));
    weft_value y = weft_flatten(weft_repeat(weft_tile_dims(x, 1, 2, 3), 0, 2), 0);
    weft_value z = weft_flatten(weft_expand(weft_squeeze(x, 1), 2, 0, 0), 0);
    return weft_concat_channels(y, z);
}

static weft_value minima(parity_builder *b)
{
    return weft_min(image(b), .axes = {1, -1}, .axis_count = 2);
}

static weft_value variances(parity_builder *b)
{
    weft_value x = image(b);
    weft_value y = weft_variance(x, .axes = {1, 2}, .axis_count = 2, .keep_dims = true);
    weft_value z =
        weft_variance(x, .axes = {3}, .axis_count = 1, .keep_dims = true, .unbiased = true);
    return weft_add(y, z);
}

static weft_value norms(parity_builder *b)
{
    weft_value x = image(b);
    weft_value y = weft_vector_norm(x, .axes = {1, 2}, .axis_count = 2, .keep_dims = true);
    weft_value z =
        weft_vector_norm(x, .axes = {3}, .axis_count = 1, .keep_dims = true, .kind = WEFT_NORM_L1);
    weft_vector_norm_options largest = {
        .axes = {0}, .axis_count = 1, .keep_dims = true, .kind = WEFT_NORM_MAX};
    return weft_add(weft_multiply(y, z), (weft_vector_norm)(x, &largest));
}

static weft_value resize(parity_builder *b, weft_resize_method method, weft_resize_grid grid)
{
    weft_value x = image(b);
    weft_resize_options up = {.method = method, .grid = grid, .scale = {2, 3}};
    weft_resize_options odd = {.method = method, .grid = grid, .size = {5, 11}};
    weft_value both[] = {weft_reshape((weft_resize)(x, &up), -1, 6),
                         weft_reshape((weft_resize)(x, &odd), -1, 6)};
    return weft_concat(both, 2, 0);
}

static weft_value bilinear(parity_builder *b)
{
    return resize(b, WEFT_LINEAR, WEFT_HALF_PIXEL);
}

static weft_value bilinear_corners(parity_builder *b)
{
    return resize(b, WEFT_LINEAR, WEFT_ALIGN_CORNERS);
}

static weft_value nearest(parity_builder *b)
{
    return resize(b, WEFT_NEAREST, WEFT_ASYMMETRIC);
}

static weft_value nearest_exact(parity_builder *b)
{
    return resize(b, WEFT_NEAREST, WEFT_HALF_PIXEL);
}

static weft_value trilinear(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 5, 6, 4, 3));
    return weft_resize(x, .method = WEFT_LINEAR, .size = {7, 3, 8});
}

static weft_value borders(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 6, 5, 3));
    weft_pad_options options = {.before = {0, 2, 3}, .after = {0, 3, 1}};
    weft_value y[3];
    for (int i = 0; i < 3; i++) {
        options.mode = (weft_pad_mode[]){WEFT_PAD_REFLECT, WEFT_PAD_EDGE, WEFT_PAD_WRAP}[i];
        y[i] = (weft_pad)(x, &options);
    }
    return weft_concat(y, 3, 3);
}

static weft_value border_3d(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 5, 6, 4, 3));
    return weft_pad(x, .mode = WEFT_PAD_EDGE, .before = {0, 1, 2, 7}, .after = {0, 0, 3, 1});
}

static weft_value pixel_shuffle(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 6, 9, 18));
    weft_depth_options options = {.block = 3, .order = WEFT_CHANNEL_FIRST};
    weft_value up = (weft_depth_to_space)(x, &options), down = (weft_space_to_depth)(x, &options);
    return weft_concat((weft_value[2]){weft_flatten(up, 0), weft_flatten(down, 0)}, 2, 0);
}

static weft_value channel_shuffle(parity_builder *b)
{
    return weft_channel_shuffle(image(b), 3);
}

static weft_value sparse_cross_entropy(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(4, 3, 11));
    return weft_sparse_cross_entropy(x, parity_labels(b, "t", weft_shape_of(4, 3), 11));
}

static weft_value cross_entropy(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    weft_value t = parity_input(b, "y", weft_shape_of(5, 11));
    return weft_cross_entropy(x, weft_softmax(t));
}

static weft_value binary_cross_entropy(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    return weft_binary_cross_entropy(x, weft_sigmoid(parity_input(b, "y", weft_shape_of(5, 11))));
}

static weft_value mean_squared_error(parity_builder *b)
{
    return weft_mean_squared_error(image(b), parity_input(b, "y", weft_shape_of(2, 9, 8, 6)));
}

static weft_value label_smoothing(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(12, 11));
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(11)));
    return weft_sparse_cross_entropy(x, parity_labels(b, "t", weft_shape_of(12), 11),
                                     .label_smoothing = 0.2, .class_weights = w, .ignore = true,
                                     .ignored_label = 3, .reduction = WEFT_LOSS_WEIGHTED_MEAN);
}

static weft_value class_weights(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(12, 5));
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(5)));
    return weft_sparse_cross_entropy(x, parity_labels(b, "t", weft_shape_of(12), 5),
                                     .class_weights = w, .reduction = WEFT_LOSS_WEIGHTED_MEAN);
}

static weft_value ignored_label(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(12, 3));
    return weft_sparse_cross_entropy(x, parity_labels(b, "t", weft_shape_of(12), 3), .ignore = true,
                                     .ignored_label = 1);
}

static weft_value cross_entropy_options(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    weft_value t = weft_softmax(parity_input(b, "y", weft_shape_of(5, 11)));
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(11)));
    return weft_cross_entropy(x, t, .class_weights = w, .label_smoothing = 0.2);
}

static weft_value class_probabilities(parity_builder *b)
{
    weft_value x = weft_softmax(parity_input(b, "x", weft_shape_of(12, 5)));
    weft_value t = parity_labels(b, "t", weft_shape_of(12), 5);
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(5)));
    weft_loss_options options = {.probabilities = true,
                                 .class_weights = w,
                                 .ignore = true,
                                 .ignored_label = 2,
                                 .reduction = WEFT_LOSS_WEIGHTED_MEAN};
    weft_value losses[] = {
        (weft_sparse_cross_entropy)(x, t, &options),
        weft_cross_entropy(x, weft_one_hot(t, .depth = 5), .probabilities = true)};
    return weft_sum_losses(losses, NULL, 2);
}

/* Images, labels and weights of pixels. */
static weft_value pixel_weights(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 4, 3, 5));
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(2, 4, 3)));
    return weft_sparse_cross_entropy(x, parity_labels(b, "t", weft_shape_of(2, 4, 3), 5),
                                     .weights = w);
}

static weft_value positive_weights(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    weft_value t = weft_sigmoid(parity_input(b, "y", weft_shape_of(5, 11)));
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(11)));
    weft_value each = weft_stop_gradient(parity_input(b, "v+", weft_shape_of(5, 1)));
    return weft_binary_cross_entropy(x, t, .positive_weights = w, .weights = each);
}

static weft_value probabilities(parity_builder *b)
{
    weft_value x = weft_sigmoid(parity_input(b, "x", weft_shape_of(5, 11)));
    return weft_binary_cross_entropy(x, weft_sigmoid(parity_input(b, "y", weft_shape_of(5, 11))),
                                     .probabilities = true);
}

static weft_value kl_divergence(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    return weft_kl_divergence(x, weft_softmax(parity_input(b, "y", weft_shape_of(5, 11))));
}

static weft_value distillation(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    return weft_distillation(x, parity_input(b, "y", weft_shape_of(5, 11)), .temperature = 3);
}

static weft_value errors(parity_builder *b)
{
    weft_value x = image(b), y = parity_input(b, "y", weft_shape_of(2, 9, 8, 6));
    weft_value losses[] = {weft_mean_absolute_error(x, y), weft_huber(x, y, .delta = 0.75),
                           weft_huber(x, y, .delta = 0.5)};
    return weft_sum_losses(losses, (double[]){1, 0.5, 1 / 0.5}, 3);
}

/* PyTorch's means of hinge losses divide by the number of examples. */
static weft_value multi_margin(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(12, 5));
    weft_value w = weft_stop_gradient(parity_input(b, "w+", weft_shape_of(5)));
    weft_value t = parity_labels(b, "t", weft_shape_of(12), 5);
    weft_value losses[] = {
        weft_sparse_categorical_hinge(x, t, .margin = 0.75),
        weft_sparse_categorical_hinge(x, t, .squared = true, .class_weights = w)};
    return weft_sum_losses(losses, NULL, 2);
}

static weft_value binary_focal(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 11));
    weft_value t = weft_sigmoid(parity_input(b, "y", weft_shape_of(5, 11)));
    weft_value hard = weft_greater(t, weft_scalar(b->graph, 0.5));
    weft_loss_options options = {.focal = 2, .focal_alpha = 0.25, .label_smoothing = 0.1};
    return weft_add((weft_binary_cross_entropy)(x, hard, &options),
                    (weft_binary_cross_entropy)(x, t, &options));
}

static weft_value penalties(parity_builder *b)
{
    weft_value w[] = {parity_variable(b, "w", weft_shape_of(3, 3, 6, 5)),
                      parity_variable(b, "v", weft_shape_of(7))};
    return weft_add(weft_penalty(b->graph, w, 2, .l1 = 0.25, .l2 = 0.5),
                    weft_penalty(b->graph, w, 1, .l2 = 3, .half_squares = true));
}

static weft_value global_max(parity_builder *b)
{
    return weft_global_max_pool(image(b));
}

static weft_value scatters(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(5, 20, 3));
    weft_value y = parity_input(b, "y", weft_shape_of(5, 11, 3));
    weft_value t = parity_labels(b, "t", weft_shape_of(5, 20, 3), 11);
    return weft_add(y, weft_scatter_add_elements_like(x, t, y, 1));
}

static weft_value argmaxima(parity_builder *b)
{
    weft_value x = image(b);
    weft_value at = weft_add(weft_cast_real(weft_argmax(x, 2)), weft_cast_real(weft_argmin(x, 2)));
    return weft_multiply(at, weft_sum(x, .axes = {2}, .axis_count = 1));
}

static weft_value norm_of_all(parity_builder *b)
{
    weft_value x[] = {image(b), parity_input(b, "y", weft_shape_of(7, 13))};
    return weft_global_norm(b->graph, x, 2);
}

#define TRAIN .mode = WEFT_TRAIN

const parity_case parity_op_cases[] = {
    {"conv valid", conv_valid, "cl(F.conv2d(cf(x), f(w)))"},
    {"conv with bias", conv_bias, "cl(F.conv2d(cf(x), f(w), b, padding=1))"},
    {"conv strided", conv_strided, "cl(F.conv2d(cf(x), f(w), stride=(2, 3), padding=(1, 2)))"},
    {"conv dilated", conv_dilated, "cl(F.conv2d(cf(x), f(w), dilation=(2, 3), padding=(2, 1)))"},
    {"conv grouped", conv_grouped, "cl(F.conv2d(cf(x), f(w), groups=3, padding=1))"},
    {"conv depthwise", conv_depthwise, "cl(F.conv2d(cf(x), f(w), groups=6, stride=2, padding=1))"},
    {"conv same", conv_same, "cl(F.conv2d(cf(x), f(w), padding='same'))"},
    {"conv pointwise", conv_pointwise, "cl(F.conv2d(cf(x), f(w)))"},
    {"conv 1d", conv_1d, "cl(F.conv1d(cf(x), f(w), stride=2, padding=1))"},
    {"conv 3d", conv_3d, "cl(F.conv3d(cf(x), f(w), stride=(1, 2, 1), padding=(1, 1, 0)))"},
    {"conv transposed", conv_transposed,
     "cl(F.conv_transpose2d(cf(x), f(w), b, stride=(2, 3), padding=(1, 0), output_padding=(1, "
     "2)))"},
    {"conv transposed, grouped", conv_transposed_grouped,
     "cl(F.conv_transpose2d(cf(x), f(w), stride=2, dilation=(2, 1), groups=2))"},
    {"max pool", max_pool, "cl(F.max_pool2d(cf(x), 3, 2, 1))"},
    {"max pool, ceil", max_pool_ceil, "cl(F.max_pool2d(cf(x), (2, 3), 2, ceil_mode=True))"},
    {"average pool", average_pool, "cl(F.avg_pool2d(cf(x), 3, 2, 1, count_include_pad=False))"},
    {"average pool, ceil", average_pool_ceil,
     "cl(F.avg_pool2d(cf(x), (3, 2), 2, 1, ceil_mode=True, count_include_pad=True))"},
    {"max pool 3d", max_pool_3d, "cl(F.max_pool3d(cf(x), (2, 3, 2), (1, 2, 2)))"},
    {"adaptive average pool", adaptive_average, "cl(F.adaptive_avg_pool2d(cf(x), (4, 3)))"},
    {"adaptive max pool", adaptive_max, "cl(F.adaptive_max_pool2d(cf(x), (4, 3)))"},
    {"max unpool", max_unpool,
     "cl(F.max_unpool2d(*F.max_pool2d(cf(x), 2, return_indices=True), 2))"},
    {"Lp pool", lp_pool,
     "cl(torch.cat((F.lp_pool2d(cf(x), 4.0, (2, 3), 2), F.lp_pool2d(cf(x), 2.0, (2, 3), 2), "
     "F.lp_pool2d(cf(x).abs(), 1.0, (2, 3), 2)), 1))"},
    {"separable conv", separable,
     "cl(F.conv2d(F.conv2d(cf(x), f(s_depthwise_weight), stride=(2, 1), padding=1, groups=6), "
     "f(s_pointwise_weight), s_pointwise_bias))"},
    {"global average pool", global_average, "x.mean((1, 2))"},
    {"batch norm", batch_norm,
     "cl(F.batch_norm(cf(x), bn_running_mean, bn_running_var, bn_weight, bn_bias, True))", TRAIN},
    {"batch norm, inference", batch_norm,
     "cl(F.batch_norm(cf(x), bn_running_mean, bn_running_var, bn_weight, bn_bias, False))"},
    {"layer norm", layer_norm, "F.layer_norm(x, (6,), ln_weight, ln_bias)"},
    {"layer norm of images", layer_norm_of_images,
     "F.layer_norm(x, (9, 8, 6), ln_weight, ln_bias, 1e-3)"},
    {"group norm", group_norm, "cl(F.group_norm(cf(x), 3, gn_weight, gn_bias))"},
    {"group norm 3d", group_norm_3d, "cl(F.group_norm(cf(x), 2, gn_weight, gn_bias))"},
    {"instance norm", instance_norm,
     "cl(F.instance_norm(cf(x), weight=in_weight, bias=in_bias) + F.instance_norm(cf(x)))"},
    {"dense", dense, "F.linear(x, fc_weight.T, fc_bias)"},
    {"matmul", matmul, "x.transpose(1, 2) @ y.transpose(1, 2)"},
    {"matmul, broadcast", matmul_broadcast, "x.transpose(-1, -2) @ y.transpose(-1, -2)"},
    {"matmul of heads", matmul_heads,
     "(x.transpose(1, 2) @ y.permute(0, 2, 3, 1)).softmax(-1) @ y.transpose(1, 2)"},
    {"divide, broadcast", divide_broadcast, "x / y"},
    {"elementwise", elementwise, "(y.log() + (0.3 * x).exp() - y.sqrt()) * (y + 1).rsqrt()"},
    {"activations", activations,
     "F.relu(x) + F.leaky_relu(-x, 0.1) + x.sigmoid() * x.tanh() + F.silu(x)"},
    {"smooth activations", smooth,
     "F.elu(x, 0.7) + F.selu(0.5 * x) + F.gelu(x) * F.gelu(-x, approximate='tanh') + F.softplus(x, "
     "3) * "
     "F.softsign(x) + F.mish(x) + F.softplus(-x)"},
    {"activations in pieces", pieces,
     "F.relu6(3 * x + 3) / 6 * F.hardtanh(3 * x) + F.hardtanh(3 * x, -2, 0.5) + F.hardswish(3 * "
     "x)"},
    {"learnt activations", learnt,
     "F.glu(cl(F.prelu(cf(x), slope)) + x * (beta * x).sigmoid(), -1)"},
    {"extremes", extremes,
     "(lambda z: torch.where(x < y, z * z, z))(torch.maximum(x, y) * torch.minimum(x, y.abs()) + "
     "torch.maximum(t * x, 2 * x) + x.clamp(-0.5, 0.7))"},
    {"powers", powers, "x ** y"},
    {"clipped ReLU", clipped, "F.relu6(4 * x) + x.clamp(0, 0.5)"},
    {"local response norm", local_response,
     "cl(F.local_response_norm(cf(x), 5, 0.9, 0.75, 2.0) + F.local_response_norm(cf(x), 3, 0.5, "
     "0.6))"},
    {"softmax", softmax, "x.softmax(-1)"},
    {"softmax along", softmax_along, "x.softmax(1) * (5 * x).log_softmax(2)"},
    {"shapes", shapes,
     "F.pad(torch.cat((x[..., 4:], y, x[..., :4]), 3)[:, 1:7, 2:], (0, 0, 0, 2, 1, 0), value=0.5)"
     ".transpose(1, 2)"},
    {"bilinear", bilinear,
     "torch.cat([cl(F.interpolate(cf(x), size=s, mode='bilinear')).reshape(-1, 6) for s in "
     "((18, 24), (5, 11))])"},
    {"bilinear, corners", bilinear_corners,
     "torch.cat([cl(F.interpolate(cf(x), size=s, mode='bilinear', align_corners=True)).reshape(-1, "
     "6) for s in "
     "((18, 24), (5, 11))])"},
    {"nearest", nearest,
     "torch.cat([cl(F.interpolate(cf(x), size=s, mode='nearest')).reshape(-1, 6) for s in "
     "((18, 24), (5, 11))])"},
    {"nearest exact", nearest_exact,
     "torch.cat([cl(F.interpolate(cf(x), size=s, mode='nearest-exact')).reshape(-1, 6) for s in "
     "((18, 24), (5, 11))])"},
    {"trilinear", trilinear, "cl(F.interpolate(cf(x), size=(7, 3, 8), mode='trilinear'))"},
    {"borders", borders,
     "cl(torch.cat([F.pad(cf(x), (3, 1, 2, 3), m) for m in ('reflect', 'replicate', 'circular')], "
     "1))"},
    {"border 3d", border_3d, "cl(F.pad(cf(x), (7, 1, 2, 3, 1, 0), 'replicate'))"},
    {"pixel shuffle", pixel_shuffle,
     "torch.cat((cl(F.pixel_shuffle(cf(x), 3)).flatten(), cl(F.pixel_unshuffle(cf(x), "
     "3)).flatten()))"},
    {"channel shuffle", channel_shuffle,
     "x.reshape(2, 9, 8, 3, 2).transpose(3, 4).reshape(2, 9, 8, 6)"},
    {"reductions", reductions,
     "x.sum((1, 2), keepdim=True) * x.mean(3, keepdim=True) + x.amax(0, keepdim=True)"},
    {"gather", gathers, "x[:, :, t.long()]"},
    {"gather elements", gather_elements, "x.gather(1, t.long())"},
    {"one-hot", one_hot, "x * F.one_hot(t.long(), 11)"},
    {"repeats", repeats,
     "torch.cat((x.repeat(1, 2, 3).repeat_interleave(2, 0).flatten(), "
     "x.squeeze(1).expand(2, 3, 4).flatten()))"},
    {"minima", minima, "x.amin((1, 3))"},
    {"variances", variances,
     "x.var((1, 2), unbiased=False, keepdim=True) + x.var(3, unbiased=True, keepdim=True)"},
    {"norms", norms,
     "x.norm(2, (1, 2), True) * x.norm(1, 3, True) + x.norm(float('inf'), 0, True)"},
    {"sparse cross-entropy", sparse_cross_entropy,
     "F.cross_entropy(x.reshape(12, 11), t.reshape(12).long())"},
    {"cross-entropy", cross_entropy, "F.cross_entropy(x, y.softmax(-1))"},
    {"binary cross-entropy", binary_cross_entropy,
     "F.binary_cross_entropy_with_logits(x, y.sigmoid())"},
    {"mean squared error", mean_squared_error, "F.mse_loss(x, y)"},
    {"label smoothing", label_smoothing,
     "F.cross_entropy(x, t.long(), w.detach(), ignore_index=3, label_smoothing=0.2)"},
    {"class weights", class_weights, "F.cross_entropy(x, t.long(), w.detach())"},
    {"ignored label", ignored_label, "F.cross_entropy(x, t.long(), ignore_index=1)"},
    {"positive weights", positive_weights,
     "F.binary_cross_entropy_with_logits(x, y.sigmoid(), v.detach(), pos_weight=w.detach())"},
    {"cross-entropy, smoothing, class weights", cross_entropy_options,
     "F.cross_entropy(x, y.softmax(-1), w.detach(), label_smoothing=0.2)"},
    {"class probabilities", class_probabilities,
     "F.nll_loss(x.softmax(-1).log(), t.long(), w.detach(), ignore_index=2) + "
     "F.nll_loss(x.softmax(-1).log(), t.long())"},
    {"pixel weights", pixel_weights,
     "(w.detach() * F.cross_entropy(cf(x), t.long(), reduction='none')).mean()"},
    {"probabilities", probabilities, "F.binary_cross_entropy(x.sigmoid(), y.sigmoid())"},
    {"KL divergence", kl_divergence,
     "F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction='batchmean')"},
    {"distillation", distillation,
     "9 * F.kl_div((x / 3).log_softmax(-1), (y.detach() / 3).softmax(-1), reduction='batchmean')"},
    {"multi-margin", multi_margin,
     "F.multi_margin_loss(x, t.long(), margin=0.75) + F.multi_margin_loss(x, t.long(), 2, "
     "weight=w.detach())"},
    {"binary focal", binary_focal,
     "sum((0.25 * t + 0.75 * (1 - t)) * (t * (-x).sigmoid() + (1 - t) * x.sigmoid()) ** 2 * "
     "F.binary_cross_entropy_with_logits(x, t, reduction='none') for t in "
     "(0.05 + 0.9 * (y > 0).to(y), 0.05 + 0.9 * y.sigmoid())).mean()"},
    {"penalties", penalties,
     "sum(0.25 * u.abs().sum() + 0.5 * u.square().sum() for u in (w, v)) + 1.5 * w.square().sum()"},
    {"global max pool", global_max, "x.amax((1, 2))"},
    {"scatter", scatters, "y.scatter_add(1, t.long(), x)"},
    {"argmax", argmaxima, "(x.argmax(2) + x.argmin(2)) * x.sum(2)"},
    {"global norm", norm_of_all, "torch.cat((x.flatten(), y.flatten())).norm()"},
    {"errors", errors,
     "F.l1_loss(x, y) + 0.5 * F.huber_loss(x, y, delta=0.75) + F.smooth_l1_loss(x, y, beta=0.5)"},
    {0},
};
