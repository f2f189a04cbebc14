/* The convolution family solved for the convolution's input x: the input gradient, which is given the
 * shape of x by an operand, and transposed convolution, which works it out. */
#include "ops/convolution_samples.h"
#include "ops/convolution_walk.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"

enum { Y, W, X_LIKE, BIAS = X_LIKE };

weft_value weft_convolution_input_gradient(weft_value dy, weft_value w, weft_value x_like,
                                           const weft_convolution_options *options)
{
    weft_value input[] = {dy, w, x_like};
    return weft_convolution_build_like(&weft_convolution_input_gradient_op, options, w, input);
}

weft_value weft_transposed_convolution(weft_value x, weft_value w,
                                       const weft_convolution_options *options)
{
    return weft_convolution_build_biased(&weft_transposed_convolution_op, options, x, w);
}

static bool infer_input_gradient(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[X_LIKE];
    return weft_convolution_infer_result(infer, X_LIKE, W, Y);
}

static bool infer_transposed(weft_infer *infer)
{
    weft_shape *x = &infer->out_shape[0];
    return weft_convolution_infer_transposed(infer, Y, W, x) &&
           weft_convolution_infer_bias(infer, BIAS, x->extent[x->rank - 1]);
}

/* The gradient with respect to this op's output has the shape of the convolution's x. */
static void gradient(weft_gradient_call *call)
{
    weft_value y = call->input[Y], w = call->input[W], dx = call->output_gradient[0];
    if (call->wanted[Y])
        call->input_gradient[Y] = weft_convolution_y(call, dx, w);
    if (call->wanted[W])
        call->input_gradient[W] = weft_convolution_w(call, dx, y, w);
}

static void gradient_transposed(weft_gradient_call *call)
{
    gradient(call);
    if (call->inputs > BIAS && call->wanted[BIAS])
        call->input_gradient[BIAS] = weft_sum_like(call->output_gradient[0], call->input[BIAS]);
}

static void add_to_x(double *x, int64_t ins, double *w, int64_t w_stride, double *y, int64_t outs)
{
    for (int64_t ci = 0; ci < ins; ci++)
        for (int64_t co = 0; co < outs; co++)
            x[ci] += w[ci * w_stride + co] * y[co];
}

static void run(const weft_operands *operands, const weft_tensor *bias)
{
    const weft_tensor *x = &operands->output[0];
    weft_convolution_start(x, bias);
    weft_convolution_walk(operands->attributes, x, &operands->input[W], &operands->input[Y],
                          add_to_x);
}

static void run_input_gradient_f64(const weft_operands *operands)
{
    run(operands, NULL);
}

static void run_transposed_f64(const weft_operands *operands)
{
    run(operands, operands->inputs > BIAS ? &operands->input[BIAS] : NULL);
}

static bool bind_solved_for_x(weft_bind *bind, bool bias)
{
    return weft_convolution_bind(bind, WEFT_CONVOLUTION_INPUT_GRADIENT, &bind->output[0],
                                 &bind->input[W], &bind->input[Y], bias);
}

static bool bind_input_gradient(weft_bind *bind)
{
    return bind_solved_for_x(bind, false);
}

static bool bind_transposed(weft_bind *bind)
{
    return bind_solved_for_x(bind, bind->inputs > BIAS);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    weft_convolution_cost(bind, &bind->output[0], &bind->input[W], &bind->input[Y], cost);
}

const weft_op weft_convolution_input_gradient_op = {
    .name = "convolution_input_gradient",
    .summary = "the gradient of convolution with respect to x",
    .shapes = "dy [N,spatial..,Cout], w [taps..,Cin/groups,Cout], like [N,spatial..,Cin] -> "
              "[N,spatial..,Cin]",
    .parameters = "stride, padding (kind or elements), output_padding, dilation, groups",
    .source = "chain rule of convolution",

    .family = WEFT_FAMILY_CONVOLUTION,
    .min_inputs = 3,
    .max_inputs = 3,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .dense = WEFT_INPUT(W),
    .shape_only = WEFT_INPUT(X_LIKE),
    .infer = infer_input_gradient,
    .gradient = gradient,
    .run_f64 = run_input_gradient_f64,
    .bind = bind_input_gradient,
    .fusion = &weft_convolution_gradient_fusion,
    .cost = cost,
    .label = weft_convolution_label,
    .sample = weft_convolution_input_gradient_sample,
};

const weft_op weft_transposed_convolution_op = {
    .name = "transposed_convolution",
    .summary = "what convolution by w does to its input's gradient: each x[n,i,:] adds a window of "
               "w, + bias",
    .shapes = "x [N,spatial..,Cin], w [taps..,Cout/groups,Cin], bias? [Cout] -> [N,spatial..,Cout]",
    .parameters = "stride, padding (kind or elements), output_padding, dilation, groups",
    .source = "Dumoulin, Visin 2016, A guide to convolution arithmetic, chapter 4",

    .family = WEFT_FAMILY_CONVOLUTION,
    .min_inputs = 2,
    .max_inputs = 3,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .dense = WEFT_INPUT(W),
    .infer = infer_transposed,
    .gradient = gradient_transposed,
    .run_f64 = run_transposed_f64,
    .bind = bind_transposed,
    .fusion = &weft_transposed_convolution_fusion,
    .cost = cost,
    .label = weft_convolution_label,
    .sample = weft_transposed_convolution_sample,
};
