/* MobileNetV2. */
#include "models/model.h"

enum { MOST_WIDTH = 1000 };

/* The scope `name` with a convolution "0", its batch norm "1", and ReLU6. */
static weft_value conv(weft_value x, const char *name, int filters, int kernel, int stride,
                       int groups)
{
    int pad = kernel / 2;
    weft_scope_push(x.graph, name);
    x = weft_conv2d(x, .name = "0", .filters = filters, .kernel = {kernel, kernel},
                    .stride = {stride, stride}, .pad_low = {pad, pad}, .pad_high = {pad, pad},
                    .groups = groups, .no_bias = true,
                    .initializer = {.kind = WEFT_INIT_HE_NORMAL});
    x = weft_relu6(weft_batch_norm(x, .name = "1"));
    weft_scope_pop(x.graph);
    return x;
}

/* Figure 3d: widen, filter each channel by itself, and narrow without an activation. */
static weft_value inverted_residual(weft_value x, int filters, int expansion, int stride)
{
    static const char *const names[] = {"0", "1", "2", "3"};
    const char *const *name = names;
    int inner = expansion * (int)weft_channels(x);
    weft_scope_push(x.graph, "conv");
    weft_value y = expansion == 1 ? x : conv(x, *name++, inner, 1, 1, 1);
    y = conv(y, *name++, inner, 3, stride, inner);
    y = weft_model_conv(y, *name++, filters, 1, 1);
    y = weft_batch_norm(y, .name = *name);
    weft_scope_pop(x.graph);
    return stride == 1 && weft_channels(x) == filters ? weft_add(x, y) : y;
}

/* The nearest multiple of 8, at least 8, and not more than a tenth less than the channels. */
static int rounded(double channels)
{
    int nearest = (int)(channels + 4) / 8 * 8;
    if (nearest < 8)
        nearest = 8;
    return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

static weft_value features(weft_value x, double width)
{
    static const struct {
        int expansion, channels, blocks, stride;
    } stages[] = {
        {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2},  {6, 64, 4, 2},
        {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
    };
    int index = 1;
    weft_scope_push(x.graph, "features");
    x = conv(x, "0", rounded(32 * width), 3, 2, 1);
    for (size_t s = 0; s < sizeof(stages) / sizeof(stages[0]); s++)
        for (int i = 0; i < stages[s].blocks; i++) {
            weft_scope_pushf(x.graph, "%d", index++);
            x = inverted_residual(x, rounded(stages[s].channels * width), stages[s].expansion,
                                  i == 0 ? stages[s].stride : 1);
            weft_scope_pop(x.graph);
        }
    x = conv(x, "18", rounded(1280 * (width > 1 ? width : 1)), 1, 1, 1);
    weft_scope_pop(x.graph);
    return x;
}

weft_value(weft_mobilenet_v2)(weft_value image, const weft_mobilenet_v2_options *options)
{
    double width = options->width != 0 ? options->width : 1;
    if (!(width > 0 && width <= MOST_WIDTH))
        return weft_graph_fail(image.graph, WEFT_ERROR_ARGUMENT,
                               "mobilenet_v2: width %g is not above 0 and at most %d", width,
                               MOST_WIDTH);
    weft_value x = features(image, width);
    x = weft_global_average_pool(x);
    x = weft_model_dropout(x, options->dropout, 0.2, options->no_dropout);
    return weft_dense(x, .name = "classifier.1",
                      .units = options->classes != 0 ? options->classes : 1000);
}
