/* Inception-v3. */
#include "models/model.h"

/* A convolution of h x w, with batch norm and ReLU: padded so that the extents stay where it has no stride,
 * and not at all otherwise. */
static weft_value conv_of(weft_value x, const char *name, int filters, int h, int w, int stride,
                          bool pad)
{
    weft_scope_push(x.graph, name);
    int high = pad ? h / 2 : 0, wide = pad ? w / 2 : 0;
    x = weft_conv2d(x, .name = "conv", .filters = filters, .kernel = {h, w},
                    .stride = {stride, stride}, .pad_low = {high, wide}, .pad_high = {high, wide},
                    .no_bias = true, .initializer = {.kind = WEFT_INIT_HE_NORMAL});
    x = weft_relu(weft_batch_norm(x, .name = "bn", .epsilon = 1e-3));
    weft_scope_pop(x.graph);
    return x;
}

static weft_value conv(weft_value x, const char *name, int filters, int h, int w)
{
    return conv_of(x, name, filters, h, w, 1, true);
}

static weft_value reduce(weft_value x, const char *name, int filters)
{
    return conv_of(x, name, filters, 3, 3, 2, false);
}

static weft_value halve(weft_value x)
{
    return weft_max_pool(x, .window = {3, 3}, .stride = {2, 2});
}

static weft_value pool_branch(weft_value x, int filters)
{
    x = weft_average_pool(x, .window = {3, 3}, .stride = {1, 1}, .pad_low = {1, 1},
                          .pad_high = {1, 1}, .count_include_pad = true);
    return conv(x, "branch_pool", filters, 1, 1);
}

/* Figure 5: a 5x5, and two 3x3 one after the other. */
static weft_value mixed_35(weft_value x, const char *name, int pool_filters)
{
    weft_scope_push(x.graph, name);
    weft_value one = conv(x, "branch1x1", 64, 1, 1);
    weft_value five = conv(conv(x, "branch5x5_1", 48, 1, 1), "branch5x5_2", 64, 5, 5);
    weft_value three = conv(conv(x, "branch3x3dbl_1", 64, 1, 1), "branch3x3dbl_2", 96, 3, 3);
    three = conv(three, "branch3x3dbl_3", 96, 3, 3);
    x = weft_concat_channels(one, five, three, pool_branch(x, pool_filters));
    weft_scope_pop(x.graph);
    return x;
}

/* Figure 10: from 35 to 17 pixels. */
static weft_value reduce_35(weft_value x, const char *name)
{
    weft_scope_push(x.graph, name);
    weft_value three = reduce(x, "branch3x3", 384);
    weft_value twice = conv(conv(x, "branch3x3dbl_1", 64, 1, 1), "branch3x3dbl_2", 96, 3, 3);
    twice = reduce(twice, "branch3x3dbl_3", 96);
    x = weft_concat_channels(three, twice, halve(x));
    weft_scope_pop(x.graph);
    return x;
}

/* Figure 6, n = 7: 7x7 as 1x7 and 7x1. */
static weft_value mixed_17(weft_value x, const char *name, int inner)
{
    weft_scope_push(x.graph, name);
    weft_value one = conv(x, "branch1x1", 192, 1, 1);
    weft_value seven = conv(x, "branch7x7_1", inner, 1, 1);
    seven = conv(seven, "branch7x7_2", inner, 1, 7);
    seven = conv(seven, "branch7x7_3", 192, 7, 1);
    weft_value twice = conv(x, "branch7x7dbl_1", inner, 1, 1);
    twice = conv(twice, "branch7x7dbl_2", inner, 7, 1);
    twice = conv(twice, "branch7x7dbl_3", inner, 1, 7);
    twice = conv(twice, "branch7x7dbl_4", inner, 7, 1);
    twice = conv(twice, "branch7x7dbl_5", 192, 1, 7);
    x = weft_concat_channels(one, seven, twice, pool_branch(x, 192));
    weft_scope_pop(x.graph);
    return x;
}

/* From 17 to 8 pixels. */
static weft_value reduce_17(weft_value x, const char *name)
{
    weft_scope_push(x.graph, name);
    weft_value three = reduce(conv(x, "branch3x3_1", 192, 1, 1), "branch3x3_2", 320);
    weft_value seven = conv(x, "branch7x7x3_1", 192, 1, 1);
    seven = conv(seven, "branch7x7x3_2", 192, 1, 7);
    seven = conv(seven, "branch7x7x3_3", 192, 7, 1);
    seven = reduce(seven, "branch7x7x3_4", 192);
    x = weft_concat_channels(three, seven, halve(x));
    weft_scope_pop(x.graph);
    return x;
}

/* Figure 7: 1x3 and 3x1 side by side. */
static weft_value mixed_8(weft_value x, const char *name)
{
    weft_scope_push(x.graph, name);
    weft_value one = conv(x, "branch1x1", 320, 1, 1);
    weft_value three = conv(x, "branch3x3_1", 384, 1, 1);
    weft_value three_a = conv(three, "branch3x3_2a", 384, 1, 3);
    weft_value three_b = conv(three, "branch3x3_2b", 384, 3, 1);
    weft_value twice = conv(conv(x, "branch3x3dbl_1", 448, 1, 1), "branch3x3dbl_2", 384, 3, 3);
    weft_value twice_a = conv(twice, "branch3x3dbl_3a", 384, 1, 3);
    weft_value twice_b = conv(twice, "branch3x3dbl_3b", 384, 3, 1);
    x = weft_concat_channels(one, three_a, three_b, twice_a, twice_b, pool_branch(x, 192));
    weft_scope_pop(x.graph);
    return x;
}

weft_value(weft_inception_v3)(weft_value image, const weft_classifier_options *options)
{
    weft_value x = reduce(image, "Conv2d_1a_3x3", 32);
    x = conv_of(x, "Conv2d_2a_3x3", 32, 3, 3, 1, false);
    x = halve(conv(x, "Conv2d_2b_3x3", 64, 3, 3));
    x = conv(x, "Conv2d_3b_1x1", 80, 1, 1);
    x = halve(conv_of(x, "Conv2d_4a_3x3", 192, 3, 3, 1, false));
    x = mixed_35(x, "Mixed_5b", 32);
    x = mixed_35(x, "Mixed_5c", 64);
    x = mixed_35(x, "Mixed_5d", 64);
    x = reduce_35(x, "Mixed_6a");
    x = mixed_17(x, "Mixed_6b", 128);
    x = mixed_17(x, "Mixed_6c", 160);
    x = mixed_17(x, "Mixed_6d", 160);
    x = mixed_17(x, "Mixed_6e", 192);
    x = reduce_17(x, "Mixed_7a");
    x = mixed_8(x, "Mixed_7b");
    x = mixed_8(x, "Mixed_7c");
    return weft_model_classify(weft_global_average_pool(x), options, 0.5, 1000);
}
