/* Parametric ReLU: its slope is an operand, broadcast to x. */
#include "ops/map.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"

#define PRELU_OP(title, arity)                                                                     \
    .name = #title, .family = WEFT_FAMILY_ACTIVATION, WEFT_MAP_OP(arity),                          \
    .gradient = title##_rule, .sample = title##_sample

static bool prelu_infer(weft_infer *infer)
{
    char x[120], y[120];
    if (!weft_map_infer_broadcast(infer))
        return false;
    int of_x = infer->inputs == 3; /* the gradient has dy before x and slope */
    if (weft_shape_equal(infer->out_shape[0], infer->shape[of_x]))
        return true;
    return weft_infer_fail(infer, "the slope %s does not broadcast to the input %s",
                           weft_shape_text(infer->shape[of_x + 1], y, sizeof(y)),
                           weft_shape_text(infer->shape[of_x], x, sizeof(x)));
}

static weft_value prelu_grad(weft_value dy, weft_value x, weft_value slope)
{
    return weft_map_apply(&weft_prelu_gradient_op, WEFT_MAP_PRELU_GRADIENT, 0, 0, NULL,
                          (weft_value[]){dy, x, slope});
}

static weft_value prelu_slope_grad(weft_value dy, weft_value x)
{
    return weft_map_apply_two(&weft_prelu_slope_gradient_op, WEFT_MAP_PRELU_SLOPE_GRADIENT, dy, x);
}

/* Piecewise constant in x. */
static void prelu_gradient_rule(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    weft_value slope = call->input[2], zero = weft_scalar(call->graph, 0);
    if (call->wanted[0])
        call->input_gradient[0] = prelu_grad(g, x, slope);
    if (call->wanted[2])
        call->input_gradient[2] =
            weft_sum_like(weft_select(weft_less(zero, x), zero, weft_multiply(g, dy)), slope);
}

/* By x it is dy where x is not above 0. */
static void prelu_slope_gradient_rule(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    weft_value zero = weft_scalar(call->graph, 0);
    if (call->wanted[0])
        call->input_gradient[0] = prelu_slope_grad(g, x);
    if (call->wanted[1])
        call->input_gradient[1] = weft_select(weft_less(zero, x), zero, weft_multiply(g, dy));
}

static bool prelu_slope_gradient_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_shape shape = weft_sample_shape(sampler, 2, 5, 19);
    weft_value dy = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, prelu_slope_grad(dy, x));
    return true;
}

const weft_op weft_prelu_slope_gradient_op = {
    PRELU_OP(prelu_slope_gradient, 2),
    .infer = weft_map_infer_equal,
    .summary = "dy min(x, 0), which is summed over what shares a slope",
    .shapes = "dy [..], x [..] -> [..]",
    .source = "chain rule of prelu",
};

/* A slope for each channel, for all, and for each element. */
static bool sample_slopes(weft_sampler *sampler, int index, weft_value *x, weft_value *slope)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), h = weft_sampler_integer(sampler, 2, 5);
    int64_t c = weft_sampler_integer(sampler, 3, 19);
    const weft_shape slopes[] = {{1, {c}}, {0}, {3, {h, 3, 1}}};
    if (index >= 3)
        return false;
    *x = weft_sampler_input(sampler, weft_shape_of(n, h, 3, c), WEFT_SAMPLE_NORMAL);
    *slope = weft_sampler_input(sampler, slopes[index], WEFT_SAMPLE_NORMAL);
    return true;
}

static bool prelu_gradient_sample(weft_sampler *sampler, int index)
{
    weft_value x, slope;
    if (!sample_slopes(sampler, index, &x, &slope))
        return false;
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(x), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, prelu_grad(dy, x, slope));
    return true;
}

const weft_op weft_prelu_gradient_op = {
    PRELU_OP(prelu_gradient, 3),
    .infer = prelu_infer,
    .summary = "dy where x > 0, else slope dy",
    .shapes = "dy [..], x [..], slope -> [..]",
    .source = "chain rule of prelu",
};

static void prelu_rule(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[0], x = call->input[0], slope = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = prelu_grad(dy, x, slope);
    if (call->wanted[1])
        call->input_gradient[1] = weft_sum_like(prelu_slope_grad(dy, x), slope);
}

static bool prelu_sample(weft_sampler *sampler, int index)
{
    weft_value x, slope;
    if (!sample_slopes(sampler, index, &x, &slope))
        return false;
    weft_sampler_output(sampler, weft_prelu(x, slope));
    return true;
}

const weft_op weft_prelu_op = {
    PRELU_OP(prelu, 2),
    .infer = prelu_infer,
    .summary = "x where x > 0, else slope x; its gradient by x at 0 is slope",
    .shapes = "x [..], slope -> [..]",
    .source = "He et al. 2015, equation 1",
};

weft_value weft_prelu(weft_value x, weft_value slope)
{
    return weft_map_apply_two(&weft_prelu_op, WEFT_MAP_PRELU, x, slope);
}
