/* DenseNet. */
#include "models/model.h"

static weft_value normalize(weft_value x, const char *name)
{
    return weft_relu(weft_batch_norm(x, .name = name));
}

/* Each layer reads what all before it in the block have made, and adds `growth` channels. */
static weft_value dense_block(weft_value x, int index, int layers, int growth)
{
    weft_scope_pushf(x.graph, "denseblock%d", index);
    for (int i = 1; i <= layers; i++) {
        weft_scope_pushf(x.graph, "denselayer%d", i);
        weft_value y = weft_model_conv(normalize(x, "norm1"), "conv1", 4 * growth, 1, 1);
        y = weft_model_conv(normalize(y, "norm2"), "conv2", growth, 3, 1);
        x = weft_concat_channels(x, y);
        weft_scope_pop(x.graph);
    }
    weft_scope_pop(x.graph);
    return x;
}

static weft_value transition(weft_value x, int index)
{
    weft_scope_pushf(x.graph, "transition%d", index);
    x = weft_model_conv(normalize(x, "norm"), "conv", (int)(weft_channels(x) / 2), 1, 1);
    x = weft_average_pool(x, .window = {2, 2});
    weft_scope_pop(x.graph);
    return x;
}

static weft_value features(weft_value x, const int layers[4], int growth)
{
    weft_scope_push(x.graph, "features");
    x = normalize(weft_model_conv(x, "conv0", 2 * growth, 7, 2), "norm0");
    x = weft_max_pool(x, .window = {3, 3}, .stride = {2, 2}, .pad_low = {1, 1}, .pad_high = {1, 1});
    for (int index = 1; index <= 4; index++) {
        x = dense_block(x, index, layers[index - 1], growth);
        if (index < 4)
            x = transition(x, index);
    }
    x = normalize(x, "norm5");
    weft_scope_pop(x.graph);
    return x;
}

weft_value(weft_densenet)(weft_value image, const weft_densenet_options *options)
{
    static const struct {
        int depth, layers[4], growth;
    } kinds[] = {
        {121, {6, 12, 24, 16}, 32},
        {161, {6, 12, 36, 24}, 48},
        {169, {6, 12, 32, 32}, 32},
        {201, {6, 12, 48, 32}, 32},
    };
    int depth = options->depth != 0 ? options->depth : 121;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        if (kinds[k].depth == depth) {
            weft_value x = features(image, kinds[k].layers, kinds[k].growth);
            return weft_dense(weft_global_average_pool(x), .name = "classifier",
                              .units = options->classes != 0 ? options->classes : 1000);
        }
    return weft_graph_fail(image.graph, WEFT_ERROR_ARGUMENT,
                           "densenet: depth %d is none of 121, 161, 169, 201", depth);
}
