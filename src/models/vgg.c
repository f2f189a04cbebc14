/* VGG. */
#include "models/model.h"

#include <stdio.h>

/* Five stages of 3x3 convolutions, each halved at its end. Scopes count every module, as torchvision's
 * do: convolution, batch norm, activation, pooling. */
static weft_value features(weft_value x, const int convolutions[5], bool batch_norm)
{
    static const int filters[5] = {64, 128, 256, 512, 512};
    int module = 0;
    char name[16];
    weft_scope_push(x.graph, "features");
    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < convolutions[stage]; i++) {
            snprintf(name, sizeof(name), "%d", module++);
            x = weft_conv2d(x, .name = name, .filters = filters[stage], .kernel = {3, 3},
                            .pad_low = {1, 1}, .pad_high = {1, 1},
                            .initializer = {.kind = WEFT_INIT_HE_NORMAL});
            if (batch_norm) {
                snprintf(name, sizeof(name), "%d", module++);
                x = weft_batch_norm(x, .name = name);
            }
            x = weft_relu(x);
            module++;
        }
        x = weft_max_pool(x, .window = {2, 2});
        module++;
    }
    weft_scope_pop(x.graph);
    return x;
}

static weft_value hidden(weft_value x, const char *name, const weft_vgg_options *options)
{
    x = weft_relu(weft_dense(x, .name = name,
                             .units = options->hidden != 0 ? options->hidden : 4096,
                             .initializer = {.kind = WEFT_INIT_HE_NORMAL}));
    return weft_model_dropout(x, options->dropout, 0.5, options->no_dropout);
}

weft_value(weft_vgg)(weft_value image, const weft_vgg_options *options)
{
    static const struct {
        int depth, convolutions[5];
    } kinds[] = {
        {11, {1, 1, 2, 2, 2}},
        {13, {2, 2, 2, 2, 2}},
        {16, {2, 2, 3, 3, 3}},
        {19, {2, 2, 4, 4, 4}},
    };
    int depth = options->depth != 0 ? options->depth : 16;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        if (kinds[k].depth == depth) {
            weft_value x = features(image, kinds[k].convolutions, options->batch_norm);
            x = weft_flatten(weft_adaptive_average_pool(x, .size = {7, 7}), 1);
            weft_scope_push(image.graph, "classifier");
            x = hidden(hidden(x, "0", options), "3", options);
            x = weft_dense(x, .name = "6",
                           .units = options->classes != 0 ? options->classes : 1000);
            weft_scope_pop(image.graph);
            return x;
        }
    return weft_graph_fail(image.graph, WEFT_ERROR_ARGUMENT,
                           "vgg: depth %d is none of 11, 13, 16, 19", depth);
}
