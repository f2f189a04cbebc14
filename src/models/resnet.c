/* ResNet. */
#include "models/model.h"

/* A shortcut without parameters: every other pixel, and zeros for the channels that x does not have. */
static weft_value pad_shortcut(weft_value x, int channels, int stride)
{
    int64_t missing = channels - weft_channels(x);
    if (missing == 0 && stride == 1)
        return x;
    x = weft_slice(x, .step = {1, stride, stride, 1});
    return weft_pad(x, .before = {0, 0, 0, missing / 2}, .after = {0, 0, 0, missing - missing / 2});
}

static weft_value project_shortcut(weft_value x, int channels, int stride)
{
    if (weft_channels(x) == channels && stride == 1)
        return x;
    weft_scope_push(x.graph, "downsample");
    x = weft_model_conv(x, "0", channels, 1, stride);
    x = weft_batch_norm(x, .name = "1");
    weft_scope_pop(x.graph);
    return x;
}

typedef weft_value shortcut_function(weft_value x, int channels, int stride);

static weft_value basic_block(weft_value x, int channels, int stride, shortcut_function *shortcut)
{
    weft_value y = weft_model_conv(x, "conv1", channels, 3, stride);
    y = weft_relu(weft_batch_norm(y, .name = "bn1"));
    y = weft_model_conv(y, "conv2", channels, 3, 1);
    y = weft_batch_norm(y, .name = "bn2");
    return weft_relu(weft_add(y, shortcut(x, channels, stride)));
}

static weft_value bottleneck_block(weft_value x, int channels, int stride,
                                   shortcut_function *shortcut)
{
    weft_value y = weft_model_conv(x, "conv1", channels, 1, 1);
    y = weft_relu(weft_batch_norm(y, .name = "bn1"));
    y = weft_model_conv(y, "conv2", channels, 3, stride);
    y = weft_relu(weft_batch_norm(y, .name = "bn2"));
    y = weft_model_conv(y, "conv3", 4 * channels, 1, 1);
    y = weft_batch_norm(y, .name = "bn3");
    return weft_relu(weft_add(y, shortcut(x, 4 * channels, stride)));
}

typedef weft_value block_function(weft_value x, int channels, int stride,
                                  shortcut_function *shortcut);

static weft_value stage(weft_value x, int index, int blocks, int channels, block_function *block,
                        shortcut_function *shortcut)
{
    for (int i = 0; i < blocks; i++) {
        weft_scope_pushf(x.graph, "layer%d.%d", index, i);
        x = block(x, channels, i == 0 && index > 1 ? 2 : 1, shortcut);
        weft_scope_pop(x.graph);
    }
    return x;
}

static weft_value stem(weft_value image, int filters, int kernel, int stride)
{
    weft_value x = weft_model_conv(image, "conv1", filters, kernel, stride);
    return weft_relu(weft_batch_norm(x, .name = "bn1"));
}

weft_value(weft_cifar_resnet)(weft_value image, const weft_cifar_resnet_options *options)
{
    int depth = options->depth != 0 ? options->depth : 20;
    if (depth < 8 || (depth - 2) % 6 != 0)
        return weft_graph_fail(image.graph, WEFT_ERROR_ARGUMENT,
                               "cifar_resnet: depth %d is not 6 n + 2", depth);
    weft_value x = stem(image, 16, 3, 1);
    for (int index = 1; index <= 3; index++)
        x = stage(x, index, (depth - 2) / 6, 8 << index, basic_block,
                  options->pad_shortcuts ? pad_shortcut : project_shortcut);
    return weft_dense(weft_global_average_pool(x), .name = "fc",
                      .units = options->classes != 0 ? options->classes : 10);
}

weft_value(weft_resnet)(weft_value image, const weft_resnet_options *options)
{
    static const struct {
        int depth, blocks[4];
        block_function *block;
    } kinds[] = {
        {18, {2, 2, 2, 2}, basic_block},        {34, {3, 4, 6, 3}, basic_block},
        {50, {3, 4, 6, 3}, bottleneck_block},   {101, {3, 4, 23, 3}, bottleneck_block},
        {152, {3, 8, 36, 3}, bottleneck_block},
    };
    int depth = options->depth != 0 ? options->depth : 50;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if (kinds[k].depth != depth)
            continue;
        weft_value x = stem(image, 64, 7, 2);
        x = weft_max_pool(x, .window = {3, 3}, .stride = {2, 2}, .pad_low = {1, 1},
                          .pad_high = {1, 1});
        for (int index = 1; index <= 4; index++)
            x = stage(x, index, kinds[k].blocks[index - 1], 32 << index, kinds[k].block,
                      project_shortcut);
        return weft_dense(weft_global_average_pool(x), .name = "fc",
                          .units = options->classes != 0 ? options->classes : 1000);
    }
    return weft_graph_fail(image.graph, WEFT_ERROR_ARGUMENT,
                           "resnet: depth %d is none of 18, 34, 50, 101, 152", depth);
}
