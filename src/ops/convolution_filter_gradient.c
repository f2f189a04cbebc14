/* The convolution family solved for the filter w. */
#include "ops/convolution_samples.h"
#include "ops/convolution_walk.h"
#include "ops/ops.h"

enum { X, Y, W_LIKE };

weft_value weft_convolution_filter_gradient(weft_value x, weft_value dy, weft_value w_like,
                                            const weft_convolution_options *options)
{
    weft_value input[] = {x, dy, w_like};
    return weft_convolution_build_like(&weft_convolution_filter_gradient_op, options, w_like,
                                       input);
}

static bool infer(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[W_LIKE];
    return weft_convolution_infer_result(infer, X, W_LIKE, Y);
}

static void gradient(weft_gradient_call *call)
{
    weft_value x = call->input[X], y = call->input[Y], dw = call->output_gradient[0];
    if (call->wanted[X])
        call->input_gradient[X] = weft_convolution_x(call, y, dw, x);
    if (call->wanted[Y])
        call->input_gradient[Y] = weft_convolution_y(call, x, dw);
}

static void add_to_w(double *x, int64_t ins, double *w, int64_t w_stride, double *y, int64_t outs)
{
    for (int64_t ci = 0; ci < ins; ci++)
        for (int64_t co = 0; co < outs; co++)
            w[ci * w_stride + co] += x[ci] * y[co];
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *w = &operands->output[0];
    weft_convolution_start(w, NULL);
    weft_convolution_walk(operands->attributes, &operands->input[X], w, &operands->input[Y],
                          add_to_w);
}

static bool bind_f32(weft_bind *bind)
{
    return weft_convolution_bind(bind, WEFT_CONVOLUTION_FILTER_GRADIENT, &bind->input[X],
                                 &bind->output[0], &bind->input[Y], false);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    weft_convolution_cost(bind, &bind->input[X], &bind->output[0], &bind->input[Y], cost);
}

const weft_op weft_convolution_filter_gradient_op = {
    .name = "convolution_filter_gradient",
    .summary = "the gradient of convolution with respect to w",
    .shapes = "x [N,spatial..,Cin], dy [N,spatial..,Cout], like [taps..,Cin/groups,Cout] -> "
              "[taps..,Cin/groups,Cout]",
    .parameters = "stride, padding (kind or elements), output_padding, dilation, groups",
    .source = "chain rule of convolution",

    .family = WEFT_FAMILY_CONVOLUTION,
    .min_inputs = 3,
    .max_inputs = 3,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS,
    .shape_only = WEFT_INPUT(W_LIKE),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .fusion = &weft_convolution_filter_fusion,
    .cost = cost,
    .label = weft_convolution_label,
    .sample = weft_convolution_filter_gradient_sample,
};
