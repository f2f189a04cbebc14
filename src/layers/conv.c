/* Convolution and transposed convolution layers in 1, 2 and 3 dimensions. */
#include <string.h>

#include "layers/layer.h"
#include "weft/layers.h"

/* One of the six. */
typedef struct conv_kind {
    const char *name;
    int spatial;
    bool transposed;
} conv_kind;

/* False, with a message on the graph, where no filter can be made of the options. */
static bool check(const conv_kind *kind, weft_value x, const weft_conv_options *options, int groups)
{
    weft_graph *graph = x.graph;
    weft_shape shape = weft_shape_get(x);
    int64_t channels = weft_channels(x);
    char text[128];
    weft_shape_text(shape, text, sizeof(text));
    if (shape.rank != kind->spatial + 2)
        weft_layer_fail(graph, kind->name, "input %s must have rank %d", text, kind->spatial + 2);
    else if (channels < 0)
        weft_layer_fail(graph, kind->name, "the channels of input %s must be fixed", text);
    else if (options->filters < 1)
        weft_layer_fail(graph, kind->name, "filters is %d", options->filters);
    else if (groups < 1)
        weft_layer_fail(graph, kind->name, "groups is %d", groups);
    else if (channels % groups != 0)
        weft_layer_fail(graph, kind->name,
                        "groups %d does not divide the %lld channels of input %s", groups,
                        (long long)channels, text);
    else if (options->filters % groups != 0)
        weft_layer_fail(graph, kind->name, "groups %d does not divide the %d filters", groups,
                        options->filters);
    for (int d = 0; d < WEFT_MAX_SPATIAL; d++)
        if (d < kind->spatial ? options->kernel[d] < 1 : options->kernel[d] != 0)
            weft_layer_fail(graph, kind->name, "kernel[%d] is %d", d, options->kernel[d]);
    return weft_graph_error(graph)->status == WEFT_OK;
}

static weft_value weight(const conv_kind *kind, weft_value x, const weft_conv_options *options,
                         int groups)
{
    int64_t channels = weft_channels(x);
    weft_variable_options variable = {
        .name = "weight", .initializer = options->initializer, .frozen = options->frozen};
    variable.shape.rank = kind->spatial + 2;
    for (int d = 0; d < kind->spatial; d++)
        variable.shape.extent[d] = options->kernel[d];
    int64_t *last = &variable.shape.extent[kind->spatial];
    last[0] = (kind->transposed ? options->filters : channels) / groups;
    last[1] = kind->transposed ? channels : options->filters;
    variable.initializer.swap_fans |= kind->transposed;
    return weft_variable(x.graph, &variable);
}

static weft_value build(const conv_kind *kind, weft_value x, const weft_conv_options *options)
{
    int groups = options->groups == 0 ? 1 : options->groups;
    if (!check(kind, x, options, groups))
        return weft_null(x.graph);
    weft_value w = weight(kind, x, options, groups);
    weft_convolution_options convolution = {
        .padding = options->padding,
        .groups = groups,
        .flip_filter = options->flip_filter,
        .bias = weft_layer_bias(w, kind->transposed, options->no_bias, options->filters,
                                options->bias_initializer, options->frozen),
    };
    memcpy(convolution.stride, options->stride, sizeof(options->stride));
    memcpy(convolution.dilation, options->dilation, sizeof(options->dilation));
    memcpy(convolution.pad_low, options->pad_low, sizeof(options->pad_low));
    memcpy(convolution.pad_high, options->pad_high, sizeof(options->pad_high));
    memcpy(convolution.output_padding, options->output_padding, sizeof(options->output_padding));
    return kind->transposed ? weft_transposed_convolution(x, w, &convolution)
                            : weft_convolution(x, w, &convolution);
}

static weft_value layer(const conv_kind *kind, weft_value x, const weft_conv_options *options)
{
    if (weft_is_null(x))
        return x;
    weft_scope_push_unique(x.graph, options->name ? options->name : kind->name);
    weft_value y = build(kind, x, options);
    weft_scope_pop(x.graph);
    return y;
}

weft_value weft_conv1d(weft_value x, const weft_conv_options *options)
{
    return layer(&(conv_kind){"conv1d", 1, false}, x, options);
}

weft_value weft_conv2d(weft_value x, const weft_conv_options *options)
{
    return layer(&(conv_kind){"conv2d", 2, false}, x, options);
}

weft_value weft_conv3d(weft_value x, const weft_conv_options *options)
{
    return layer(&(conv_kind){"conv3d", 3, false}, x, options);
}

weft_value weft_conv_transpose1d(weft_value x, const weft_conv_options *options)
{
    return layer(&(conv_kind){"conv_transpose1d", 1, true}, x, options);
}

weft_value weft_conv_transpose2d(weft_value x, const weft_conv_options *options)
{
    return layer(&(conv_kind){"conv_transpose2d", 2, true}, x, options);
}

weft_value weft_conv_transpose3d(weft_value x, const weft_conv_options *options)
{
    return layer(&(conv_kind){"conv_transpose3d", 3, true}, x, options);
}
