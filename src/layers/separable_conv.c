/* Separable convolution layers: depthwise, then pointwise. */
#include <string.h>

#include "layers/layer.h"
#include "weft/layers.h"

typedef struct separable_kind {
    const char *name;
    int spatial;
    weft_value (*conv)(weft_value x, const weft_conv_options *options);
} separable_kind;

static weft_value build(const separable_kind *kind, weft_value x,
                        const weft_separable_conv_options *options)
{
    int64_t multiplier = options->multiplier != 0 ? options->multiplier : 1;
    int64_t channels = weft_channels(x);
    if (multiplier < 1 || channels < 1 || multiplier > INT32_MAX / channels)
        return weft_layer_fail(x.graph, kind->name, "multiplier is %lld, of %lld channels",
                               (long long)multiplier, (long long)channels);
    weft_conv_options depthwise = {
        .name = "depthwise",
        .filters = (int)(channels * multiplier),
        .groups = (int)channels,
        .padding = options->padding,
        .no_bias = true,
        .initializer = options->initializer,
        .frozen = options->frozen,
    };
    memcpy(depthwise.kernel, options->kernel, sizeof(options->kernel));
    memcpy(depthwise.stride, options->stride, sizeof(options->stride));
    memcpy(depthwise.dilation, options->dilation, sizeof(options->dilation));
    memcpy(depthwise.pad_low, options->pad_low, sizeof(options->pad_low));
    memcpy(depthwise.pad_high, options->pad_high, sizeof(options->pad_high));
    weft_conv_options pointwise = {
        .name = "pointwise",
        .filters = options->filters,
        .no_bias = options->no_bias,
        .initializer = options->pointwise_initializer,
        .bias_initializer = options->bias_initializer,
        .frozen = options->frozen,
    };
    for (int d = 0; d < kind->spatial; d++)
        pointwise.kernel[d] = 1;
    return kind->conv(kind->conv(x, &depthwise), &pointwise);
}

static weft_value layer(const separable_kind *kind, weft_value x,
                        const weft_separable_conv_options *options)
{
    if (weft_is_null(x))
        return x;
    weft_scope_push_unique(x.graph, options->name ? options->name : kind->name);
    weft_value y = build(kind, x, options);
    weft_scope_pop(x.graph);
    return y;
}

weft_value weft_separable_conv1d(weft_value x, const weft_separable_conv_options *options)
{
    return layer(&(separable_kind){"separable_conv1d", 1, weft_conv1d}, x, options);
}

weft_value weft_separable_conv2d(weft_value x, const weft_separable_conv_options *options)
{
    return layer(&(separable_kind){"separable_conv2d", 2, weft_conv2d}, x, options);
}

weft_value weft_separable_conv3d(weft_value x, const weft_separable_conv_options *options)
{
    return layer(&(separable_kind){"separable_conv3d", 3, weft_conv3d}, x, options);
}
