#include "ops/convolution_geometry.h"

#include <stdio.h>
#include <string.h>

#include "ops/bind_plan.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/window.h"

/* ---- Attributes ---- */

static void make_attributes(const weft_convolution_options *options, weft_shape w,
                            weft_convolution_attributes *attributes)
{
    memset(attributes, 0, sizeof(*attributes));
    attributes->spatial = w.rank - 2;
    attributes->groups = options->groups == 0 ? 1 : options->groups;
    attributes->flip_filter = options->flip_filter;
    bool pads = false;
    for (int d = 0; d < WEFT_MAX_SPATIAL; d++) {
        int64_t extent = d < w.rank - 2 ? w.extent[d] : 1;
        attributes->kernel[d] = extent > 0 && extent <= INT32_MAX ? (int32_t)extent : 0;
        attributes->stride[d] = options->stride[d] == 0 ? 1 : options->stride[d];
        attributes->dilation[d] = options->dilation[d] == 0 ? 1 : options->dilation[d];
        attributes->pad_low[d] = options->pad_low[d];
        attributes->pad_high[d] = options->pad_high[d];
        attributes->output_padding[d] = options->output_padding[d];
        pads = pads || options->pad_low[d] != 0 || options->pad_high[d] != 0;
    }
    bool unsaid = pads && options->padding == WEFT_VALID;
    attributes->padding = (int32_t)(unsaid ? WEFT_EXPLICIT : options->padding);
}

weft_value weft_convolution_build(const weft_op *op, const weft_convolution_options *options,
                                  weft_value w, const weft_value *input, int inputs)
{
    static const weft_convolution_options defaults;
    weft_convolution_attributes attributes;
    if (options == NULL)
        options = &defaults;
    make_attributes(options, weft_shape_get(w), &attributes);
    return weft_apply(w.graph, op, &attributes, sizeof(attributes), options->name, input, inputs,
                      NULL, 1);
}

weft_value weft_convolution_build_biased(const weft_op *op, const weft_convolution_options *options,
                                         weft_value first, weft_value w)
{
    bool biased = options != NULL && !weft_is_null(options->bias);
    weft_value input[] = {first, w, biased ? options->bias : first};
    return weft_convolution_build(op, options, w, input, biased ? 3 : 2);
}

static weft_value solve(const weft_op *op, const weft_gradient_call *call, const weft_value *input,
                        int inputs)
{
    return weft_apply(call->graph, op, call->attributes, sizeof(weft_convolution_attributes), NULL,
                      input, inputs, NULL, 1);
}

weft_value weft_convolution_y(const weft_gradient_call *call, weft_value x, weft_value w)
{
    return solve(&weft_convolution_op, call, (weft_value[]){x, w}, 2);
}

weft_value weft_convolution_x(const weft_gradient_call *call, weft_value y, weft_value w,
                              weft_value like)
{
    return solve(&weft_convolution_input_gradient_op, call, (weft_value[]){y, w, like}, 3);
}

weft_value weft_convolution_w(const weft_gradient_call *call, weft_value x, weft_value y,
                              weft_value like)
{
    return solve(&weft_convolution_filter_gradient_op, call, (weft_value[]){x, y, like}, 3);
}

static weft_window window_along(const weft_convolution_attributes *attributes, int dimension)
{
    return (weft_window){
        .extent = attributes->kernel[dimension],
        .stride = attributes->stride[dimension],
        .dilation = attributes->dilation[dimension],
        .padding = (weft_padding)attributes->padding,
        .pad_low = attributes->pad_low[dimension],
        .pad_high = attributes->pad_high[dimension],
    };
}

/* ---- Shape rules ---- */

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
        weft_window window = window_along(attributes, d);
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
    weft_window window = window_along(attributes, dimension);
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

/* ---- Fixed extents ---- */

/* Strides of an activation in the order N, D, H, W; those of dimensions that are not there are 0. */
static void activation_strides(const weft_tensor *tensor, int spatial, int64_t *stride)
{
    int missing = WEFT_MAX_SPATIAL - spatial;
    stride[0] = tensor->stride[0];
    for (int d = 0; d < WEFT_MAX_SPATIAL; d++)
        stride[1 + d] = d < missing ? 0 : tensor->stride[1 + d - missing];
}

weft_convolution_problem weft_convolution_resolve(const weft_convolution_attributes *attributes,
                                                  const weft_tensor *x, const weft_tensor *w,
                                                  const weft_tensor *y, bool bias)
{
    int spatial = attributes->spatial;
    weft_convolution_problem problem = {
        .batch = x->extent[0],
        .groups = attributes->groups,
        .in_channels = x->extent[spatial + 1],
        .out_channels = y->extent[spatial + 1],
        .in = {1, 1, 1},
        .out = {1, 1, 1},
        .kernel = {1, 1, 1},
        .stride = {1, 1, 1},
        .dilation = {1, 1, 1},
        .flip_filter = attributes->flip_filter != 0,
        .bias = bias,
    };
    for (int d = 0; d < spatial; d++) {
        int to = WEFT_MAX_SPATIAL - spatial + d;
        weft_window window = window_along(attributes, d);
        int64_t high; /* said by the extent of y */
        problem.in[to] = x->extent[1 + d];
        problem.out[to] = y->extent[1 + d];
        problem.kernel[to] = w->extent[d];
        problem.stride[to] = window.stride;
        problem.dilation[to] = window.dilation;
        weft_window_pads(&window, x->extent[1 + d], &problem.pad[to], &high);
    }
    activation_strides(x, spatial, problem.x_stride);
    activation_strides(y, spatial, problem.y_stride);
    return problem;
}

void weft_convolution_cost(const weft_bind *bind, const weft_tensor *x, const weft_tensor *w,
                           const weft_tensor *y, weft_cost *cost)
{
    weft_convolution_problem problem = weft_convolution_resolve(bind->attributes, x, w, y, false);
    cost->flops = 2 * weft_convolution_multiply_adds(&problem);
    cost->bytes = weft_bind_bytes(bind);
}

bool weft_convolution_bind(weft_bind *bind, weft_convolution_pass pass, const weft_tensor *x,
                           const weft_tensor *w, const weft_tensor *y, bool bias)
{
    if (!weft_tensor_dense(w))
        return false;
    weft_convolution_problem problem = weft_convolution_resolve(bind->attributes, x, w, y, bias);
    weft_slots slots = weft_bind_slots(bind);
    weft_kernel_plan plan;
    weft_convolution_plan(&problem, pass, &slots, &plan);
    return weft_bind_plan(bind, &plan);
}

/* ---- Label ---- */

/* Appends " <mark>2" where all entries are equal, " <mark>2x1" otherwise; nothing where all are rest. */
static void add_entries(char *text, size_t size, const char *mark, const int32_t *entry, int count,
                        int32_t rest)
{
    bool equal = true, resting = true;
    for (int d = 0; d < count; d++) {
        equal = equal && entry[d] == entry[0];
        resting = resting && entry[d] == rest;
    }
    if (resting)
        return;
    size_t length = strlen(text);
    for (int d = 0; d < (equal ? 1 : count) && length < size; d++) {
        snprintf(text + length, size - length, "%s%d", d == 0 ? mark : "x", entry[d]);
        length += strlen(text + length);
    }
}

void weft_convolution_label(const void *attributes_bytes, char *text, size_t size)
{
    static const char *const paddings[] = {"", " same", " full", ""};
    const weft_convolution_attributes *attributes = attributes_bytes;
    int spatial = attributes->spatial;
    size_t length = 0;
    text[0] = '\0';
    for (int d = 0; d < spatial && length < size; d++) {
        snprintf(text + length, size - length, "%s%d", d == 0 ? "" : "x", attributes->kernel[d]);
        length += strlen(text + length);
    }
    add_entries(text, size, " /", attributes->stride, spatial, 1);
    add_entries(text, size, " d", attributes->dilation, spatial, 1);
    add_entries(text, size, " g", &attributes->groups, 1, 1);
    length = strlen(text);
    snprintf(text + length, size - length, "%s%s", paddings[attributes->padding],
             attributes->flip_filter ? " flipped" : "");
    bool symmetric =
        memcmp(attributes->pad_low, attributes->pad_high, sizeof(attributes->pad_low)) == 0;
    add_entries(text, size, " p", attributes->pad_low, spatial, symmetric ? 0 : -1);
    if (!symmetric)
        add_entries(text, size, "+", attributes->pad_high, spatial, -1);
}
