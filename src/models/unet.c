/* U-Net. */
#include "models/model.h"

enum { MOST_LEVELS = 8 };

static weft_value double_conv(weft_value x, int filters)
{
    for (int i = 1; i <= 2; i++) {
        x = weft_model_conv(x, i == 1 ? "conv1" : "conv2", filters, 3, 1);
        x = weft_relu(weft_batch_norm(x, .name = i == 1 ? "bn1" : "bn2"));
    }
    return x;
}

weft_value(weft_unet)(weft_value image, const weft_unet_options *options)
{
    weft_graph *graph = image.graph;
    int width = options->width != 0 ? options->width : 64;
    int levels = options->levels != 0 ? options->levels : 5;
    if (levels < 2 || levels > MOST_LEVELS)
        return weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "unet: %d levels are not in 2..%d",
                               levels, MOST_LEVELS);
    int most = INT32_MAX >> (levels - 1);
    if (width < 1 || width > most)
        return weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "unet: width %d is not in 1..%d", width,
                               most);
    weft_value x = image, skip[MOST_LEVELS];
    for (int level = 0; level < levels; level++) {
        weft_scope_pushf(graph, "down%d", level);
        if (level > 0)
            x = weft_max_pool(x, .window = {2, 2});
        x = skip[level] = double_conv(x, width << level);
        weft_scope_pop(graph);
    }
    for (int level = levels - 2; level >= 0; level--) {
        weft_scope_pushf(graph, "up%d", level);
        x = weft_conv_transpose2d(x, .name = "up", .filters = width << level, .kernel = {2, 2},
                                  .stride = {2, 2});
        x = double_conv(weft_concat_channels(skip[level], x), width << level);
        weft_scope_pop(graph);
    }
    return weft_conv2d(x, .name = "out", .filters = options->classes != 0 ? options->classes : 2,
                       .kernel = {1, 1});
}
