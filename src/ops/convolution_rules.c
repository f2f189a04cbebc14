/* The shape rules of the convolution family. */
#include "ops/convolution_geometry.h"
#include "ops/rules.h"

/* One array of the attributes: least and greatest entry allowed, entries beyond the spatial dimensions. */
static bool check_array(const weft_infer *infer, const char *what, const int32_t *entry,
                        int32_t least, int spatial)
{
    for (int d = 0; d < WEFT_MAX_SPATIAL; d++) {
        if (entry[d] < least)
            return weft_infer_fail(infer, "%s[%d] is %d", what, d, entry[d]);
        if (d >= spatial && entry[d] != least)
            return weft_infer_fail(infer,
                                   "%s[%d] is set, but the filter has %d spatial dimension%s", what,
                                   d, spatial, spatial == 1 ? "" : "s");
    }
    return true;
}

static bool check_output_padding(const weft_infer *infer,
                                 const weft_convolution_attributes *attributes)
{
    for (int d = 0; d < attributes->spatial; d++) {
        int32_t extra = attributes->output_padding[d];
        if (extra > 0 && attributes->padding == WEFT_SAME)
            return weft_infer_fail(infer, "output_padding cannot be given with padding WEFT_SAME");
        if (extra > 0 && extra >= attributes->stride[d] && extra >= attributes->dilation[d])
            return weft_infer_fail(infer,
                                   "output_padding %d must be less than stride %d or dilation %d",
                                   extra, attributes->stride[d], attributes->dilation[d]);
    }
    return true;
}

static bool check_attributes(const weft_infer *infer, const weft_convolution_attributes *attributes)
{
    int spatial = attributes->spatial;
    if (!check_array(infer, "stride", attributes->stride, 1, spatial) ||
        !check_array(infer, "dilation", attributes->dilation, 1, spatial) ||
        !check_array(infer, "pad_low", attributes->pad_low, 0, spatial) ||
        !check_array(infer, "pad_high", attributes->pad_high, 0, spatial) ||
        !check_array(infer, "output_padding", attributes->output_padding, 0, spatial))
        return false;
    if (attributes->padding < WEFT_VALID || attributes->padding > WEFT_EXPLICIT)
        return weft_infer_fail(infer, "padding %d is none of weft_padding", attributes->padding);
    if (attributes->padding != WEFT_EXPLICIT)
        for (int d = 0; d < spatial; d++)
            if (attributes->pad_low[d] != 0 || attributes->pad_high[d] != 0)
                return weft_infer_fail(infer, "pad_low and pad_high go with WEFT_EXPLICIT only");
    if (attributes->groups < 1)
        return weft_infer_fail(infer, "groups is %d", attributes->groups);
    return check_output_padding(infer, attributes);
}

/* The filter: rank, extents, groups. Comes first: `spatial` is taken from the filter's rank. */
static bool check_filter(const weft_infer *infer, int w)
{
    const weft_convolution_attributes *attributes = infer->attributes;
    const weft_shape *shape = &infer->shape[w];
    char text[128];
    weft_shape_text(*shape, text, sizeof(text));
    if (shape->rank < 3 || shape->rank > 2 + WEFT_MAX_SPATIAL)
        return weft_infer_fail(
            infer, "filter %s must have 1 to 3 spatial extents and two of channels", text);
    if (!weft_infer_real(infer, w, "filter") || !check_attributes(infer, attributes))
        return false;
    for (int d = 0; d < shape->rank; d++) {
        if (shape->extent[d] < 0)
            return weft_infer_fail(infer, "filter %s must have fixed extents", text);
        if (shape->extent[d] > INT32_MAX)
            return weft_infer_fail(infer, "filter %s is too large", text);
        if (d < attributes->spatial && shape->extent[d] != attributes->kernel[d])
            return weft_infer_fail(infer, "filter %s is not of the extents it was built with",
                                   text);
    }
    int64_t outputs = shape->extent[shape->rank - 1];
    if (outputs % attributes->groups != 0)
        return weft_infer_fail(infer,
                               "groups %d does not divide the %lld output channels of filter %s",
                               attributes->groups, (long long)outputs, text);
    return true;
}

static int64_t filter_inputs(const weft_infer *infer, int w)
{
    const weft_convolution_attributes *attributes = infer->attributes;
    return infer->shape[w].extent[attributes->spatial] * attributes->groups;
}

static int64_t filter_outputs(const weft_infer *infer, int w)
{
    const weft_convolution_attributes *attributes = infer->attributes;
    return infer->shape[w].extent[attributes->spatial + 1];
}

/* An activation: rank, fixed extents but for the batch, channels. */
static bool check_activation(const weft_infer *infer, int input, int w, const char *what,
                             int64_t channels)
{
    const weft_convolution_attributes *attributes = infer->attributes;
    const weft_shape *shape = &infer->shape[input];
    char text[128], filter[128];
    weft_shape_text(*shape, text, sizeof(text));
    weft_shape_text(infer->shape[w], filter, sizeof(filter));
    if (!weft_infer_real(infer, input, what))
        return false;
    if (shape->rank != attributes->spatial + 2)
        return weft_infer_fail(infer, "filter %s expects %s of rank %d, not %s", filter, what,
                               attributes->spatial + 2, text);
    for (int d = 1; d < shape->rank; d++) {
        if (shape->extent[d] < 0)
            return weft_infer_fail(infer, "only the batch extent of %s %s may be open", what, text);
        if (shape->extent[d] > INT32_MAX)
            return weft_infer_fail(infer, "%s %s is too large", what, text);
    }
    int64_t given = shape->extent[shape->rank - 1];
    if (given == channels)
        return true;
    if (attributes->groups > 1)
        return weft_infer_fail(
            infer, "filter %s in %d groups expects %lld input channels, %s %s has %lld", filter,
            attributes->groups, (long long)channels, what, text, (long long)given);
    return weft_infer_fail(infer, "filter %s expects %lld input channels, %s %s has %lld", filter,
                           (long long)channels, what, text, (long long)given);
}

bool weft_convolution_infer(const weft_infer *infer, int x, int w, weft_shape *y)
{
    const weft_convolution_attributes *attributes = infer->attributes;
    if (!check_filter(infer, w) || !check_activation(infer, x, w, "input", filter_inputs(infer, w)))
        return false;
    *y = infer->shape[x];
    for (int d = 0; d < attributes->spatial; d++) {
        weft_window window = weft_convolution_window(attributes, d);
        int64_t input = infer->shape[x].extent[1 + d];
        int64_t low, high;
        weft_window_pads(&window, input, &low, &high);
        high -= attributes->output_padding[d];
        y->extent[1 + d] = weft_window_positions(&window, input - attributes->output_padding[d]);
        if (y->extent[1 + d] < 1) {
            char text[128];
            return weft_infer_fail(
                infer, "filter spans %lld in spatial dimension %d, input %s with padding only %lld",
                (long long)weft_window_span(&window), d,
                weft_shape_text(infer->shape[x], text, sizeof(text)),
                (long long)(input + low + high));
        }
    }
    y->extent[y->rank - 1] = filter_outputs(infer, w);
    return true;
}

bool weft_convolution_infer_result(const weft_infer *infer, int x, int w, int y)
{
    weft_shape result;
    if (!weft_infer_real(infer, y, "output gradient") ||
        !weft_convolution_infer(infer, x, w, &result))
        return false;
    char given[128], expected[128];
    if (!weft_shape_equal(result, infer->shape[y]))
        return weft_infer_fail(infer, "output gradient %s must have the convolution's shape %s",
                               weft_shape_text(infer->shape[y], given, sizeof(given)),
                               weft_shape_text(result, expected, sizeof(expected)));
    return true;
}

/* The formulas of include/weft/convolution.h. */
static int64_t transposed_extent(const weft_convolution_attributes *attributes, int dimension,
                                 int64_t positions)
{
    weft_window window = weft_convolution_window(attributes, dimension);
    int64_t stride = window.stride;
    int64_t reach = weft_window_span(&window) + attributes->output_padding[dimension];
    int64_t low, high;
    switch (window.padding) {
    case WEFT_SAME:
        return positions * stride;
    case WEFT_VALID:
        return (positions - 1) * stride + (reach > stride ? reach : stride);
    default: /* pads that do not depend on the extent */
        weft_window_pads(&window, 1, &low, &high);
        return (positions - 1) * stride + reach - low - high;
    }
}

bool weft_convolution_infer_transposed(const weft_infer *infer, int y, int w, weft_shape *x)
{
    const weft_convolution_attributes *attributes = infer->attributes;
    if (!check_filter(infer, w) ||
        !check_activation(infer, y, w, "input", filter_outputs(infer, w)))
        return false;
    *x = infer->shape[y];
    for (int d = 0; d < attributes->spatial; d++) {
        x->extent[1 + d] = transposed_extent(attributes, d, infer->shape[y].extent[1 + d]);
        if (x->extent[1 + d] < 1) {
            char text[128];
            return weft_infer_fail(infer,
                                   "padding leaves nothing of spatial dimension %d of input %s", d,
                                   weft_shape_text(infer->shape[y], text, sizeof(text)));
        }
    }
    x->extent[x->rank - 1] = filter_inputs(infer, w);
    return true;
}

bool weft_convolution_infer_bias(const weft_infer *infer, int bias, int64_t channels)
{
    if (infer->inputs <= bias)
        return true;
    if (!weft_infer_real(infer, bias, "bias"))
        return false;
    char text[128];
    weft_shape shape = infer->shape[bias];
    if (shape.rank != 1 || shape.extent[0] != channels)
        return weft_infer_fail(infer, "bias %s must have the shape [%lld] of the output channels",
                               weft_shape_text(shape, text, sizeof(text)), (long long)channels);
    return true;
}
