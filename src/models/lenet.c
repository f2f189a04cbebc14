/* A network in the manner of LeNet. */
#include "models/model.h"

static weft_value conv_pool(weft_value x, const char *name, int filters)
{
    x = weft_conv2d(x, .name = name, .filters = filters, .kernel = {5, 5}, .pad_low = {2, 2},
                    .pad_high = {2, 2}, .initializer = {.kind = WEFT_INIT_HE_NORMAL});
    return weft_max_pool(weft_relu(x), .window = {2, 2});
}

weft_value(weft_lenet)(weft_value image, const weft_classifier_options *options)
{
    weft_value x = conv_pool(conv_pool(image, "conv1", 32), "conv2", 64);
    x = weft_relu(weft_dense(weft_flatten(x, 1), .name = "fc1", .units = 1024,
                             .initializer = {.kind = WEFT_INIT_HE_NORMAL}));
    x = weft_model_dropout(x, options->dropout, 0.5, options->no_dropout);
    return weft_dense(x, .name = "fc2", .units = options->classes != 0 ? options->classes : 10);
}
