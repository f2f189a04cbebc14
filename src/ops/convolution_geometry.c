#include "ops/convolution_geometry.h"

#include <string.h>

#include "graph/choose.h"
#include "graph/fusion.h"
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

static weft_value build(const weft_op *op, const weft_convolution_options *options, weft_value w,
                        const weft_value *input, int inputs)
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
    return build(op, options, w, input, biased ? 3 : 2);
}

weft_value weft_convolution_build_like(const weft_op *op, const weft_convolution_options *options,
                                       weft_value w, const weft_value *input)
{
    if (options != NULL && !weft_is_null(options->bias))
        return weft_graph_fail(w.graph, WEFT_ERROR_ARGUMENT, "%s takes no bias", op->name);
    return build(op, options, w, input, 3);
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

weft_window weft_convolution_window(const weft_convolution_attributes *attributes, int dimension)
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
        weft_window window = weft_convolution_window(attributes, d);
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

/* Whatever the problem. */
static bool always(const weft_bind *bind)
{
    (void)bind;
    return true;
}

static bool resolve_forward(const weft_bind *bind, weft_convolution_problem *problem)
{
    *problem = weft_convolution_resolve(bind->attributes, &bind->input[0], &bind->input[1],
                                        &bind->output[0], bind->inputs > 2);
    problem->exact_products = bind->no_winograd;
    problem->steady_filter = bind->steady >> 1 & 1;
    return true;
}

const weft_fusion weft_convolution_fusion = {.epilogue = always,
                                             .prologue = always,
                                             .convolution = resolve_forward,
                                             .in_parts = weft_convolution_in_parts,
                                             .distribute = weft_convolution_distribute};
const weft_fusion weft_convolution_gradient_fusion = {
    .epilogue = always,
    .in_parts = weft_convolution_gradient_in_parts,
    .distribute = weft_convolution_gradient_distribute};
const weft_fusion weft_transposed_convolution_fusion = {.epilogue = always};
const weft_fusion weft_convolution_filter_fusion = {.prologue = always,
                                                    .in_parts = weft_convolution_filter_in_parts,
                                                    .distribute =
                                                        weft_convolution_filter_distribute};

bool weft_convolution_bind(weft_bind *bind, weft_convolution_pass pass, const weft_tensor *x,
                           const weft_tensor *w, const weft_tensor *y, bool bias)
{
    weft_convolution_problem problem = weft_convolution_resolve(bind->attributes, x, w, y, bias);
    problem.epilogue = bind->epilogue;
    problem.prologue = bind->prologue;
    problem.exact_products = bind->no_winograd;
    problem.steady_filter =
        pass != WEFT_CONVOLUTION_FILTER_GRADIENT && bind->steady >> (w - bind->input) & 1;
    weft_slots slots = weft_bind_slots(bind);
    weft_kernel_plan plan;
    const char *algorithm;
    if (!weft_bind_choose_convolution(bind, &problem, pass, &algorithm))
        return false;
    if (!algorithm || !weft_convolution_plan_by(algorithm, &problem, pass, &slots, &plan))
        weft_convolution_plan(&problem, pass, &slots, &plan);
    return weft_bind_plan(bind, &plan);
}
