/* Convolution of an input x with a filter w, with an optional bias. */
#include "ops/convolution_samples.h"
#include "ops/convolution_walk.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"

enum { X, W, BIAS };

weft_value weft_convolution(weft_value x, weft_value w, const weft_convolution_options *options)
{
    return weft_convolution_build_biased(&weft_convolution_op, options, x, w);
}

static bool infer(weft_infer *infer)
{
    weft_shape *y = &infer->out_shape[0];
    return weft_convolution_infer(infer, X, W, y) &&
           weft_convolution_infer_bias(infer, BIAS, y->extent[y->rank - 1]);
}

static void gradient(weft_gradient_call *call)
{
    weft_value x = call->input[X], w = call->input[W], dy = call->output_gradient[0];
    if (call->wanted[X])
        call->input_gradient[X] = weft_convolution_x(call, dy, w, x);
    if (call->wanted[W])
        call->input_gradient[W] = weft_convolution_w(call, x, dy, w);
    if (call->inputs > BIAS && call->wanted[BIAS])
        call->input_gradient[BIAS] = weft_sum_like(dy, call->input[BIAS]);
}

static void add_to_y(double *x, int64_t ins, double *w, int64_t w_stride, double *y, int64_t outs)
{
    for (int64_t ci = 0; ci < ins; ci++)
        for (int64_t co = 0; co < outs; co++)
            y[co] += x[ci] * w[ci * w_stride + co];
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *y = &operands->output[0];
    weft_convolution_start(y, operands->inputs > BIAS ? &operands->input[BIAS] : NULL);
    weft_convolution_walk(operands->attributes, &operands->input[X], &operands->input[W], y,
                          add_to_y);
}

static bool bind_f32(weft_bind *bind)
{
    return weft_convolution_bind(bind, WEFT_CONVOLUTION_FORWARD, &bind->input[X], &bind->input[W],
                                 &bind->output[0], bind->inputs > BIAS);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    weft_convolution_cost(bind, &bind->input[X], &bind->input[W], &bind->output[0], cost);
}

const weft_op weft_convolution_op = {
    .name = "convolution",
    .summary = "y[n,i,k] = sum over taps t and channels c of x[n, i stride + t dilation - pad, c] "
               "w[t,c,k], + bias[k]",
    .shapes = "x [N,spatial..,Cin], w [taps..,Cin/groups,Cout], bias? [Cout] -> [N,spatial..,Cout]",
    .parameters = "stride, padding (kind or elements), output_padding, dilation, groups",
    .source = "Dumoulin, Visin 2016, A guide to convolution arithmetic; LeCun et al. 1989",

    .family = WEFT_FAMILY_CONVOLUTION,
    .min_inputs = 2,
    .max_inputs = 3,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .dense = WEFT_INPUT(W),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .fusion = &weft_convolution_fusion,
    .cost = cost,
    .label = weft_convolution_label,
    .sample = weft_convolution_sample,
};
