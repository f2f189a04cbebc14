/* The gradients of normalization within samples in one op: dx, dgamma, dbeta from dy, x, gamma, mean,
 * variance. With r = 1 / sqrt(variance + epsilon), h = (x - mean) * r, g = gamma * dy, and M the mean over
 * the elements that a statistic is of:
 *
 *     dbeta = sum of dy,  dgamma = sum of dy * h,  dx = r * (g - M(g) - h * M(g * h))
 *
 * (Ba, Kiros, Hinton 2016, "Layer normalization", supplementary material.) The op is a function of its five
 * inputs; how mean and variance depend on x is group_norm's to know. */
#include "kernels/integer.h"
#include "ops/composed.h"
#include "ops/group_norm.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/reduction.h"

#include <math.h>

enum { DY, X, GAMMA, MEAN, VARIANCE, INPUTS };
enum { DX, DGAMMA, DBETA, OUTPUTS };

weft_group_norm_gradients
weft_group_norm_gradient_apply(weft_value dy, weft_value x, weft_value gamma, weft_value mean,
                               weft_value variance, const weft_group_norm_attributes *attributes)
{
    weft_value input[INPUTS] = {dy, x, gamma, mean, variance}, output[OUTPUTS];
    weft_apply(x.graph, &weft_group_norm_gradient_op, attributes, sizeof(*attributes), NULL, input,
               INPUTS, output, OUTPUTS);
    return (weft_group_norm_gradients){output[DX], output[DGAMMA], output[DBETA]};
}

static bool infer(weft_infer *infer)
{
    const weft_group_norm_attributes *attributes = infer->attributes;
    if (!weft_group_norm_infer_input(infer, X, "input"))
        return false;
    weft_shape x = infer->shape[X], parameter = weft_group_norm_parameter(attributes, x);
    weft_shape statistic = weft_group_norm_statistic(attributes, x);
    infer->out_shape[DX] = x;
    infer->out_shape[DGAMMA] = infer->out_shape[DBETA] = parameter;
    return weft_group_norm_infer_operand(infer, DY, "gradient", x) &&
           weft_group_norm_infer_operand(infer, GAMMA, "gamma", parameter) &&
           weft_group_norm_infer_operand(infer, MEAN, "mean", statistic) &&
           weft_group_norm_infer_operand(infer, VARIANCE, "variance", statistic);
}

/* ---- Gradient: the formulas above, of primitive ops, which then have gradients themselves ---- */

static weft_value mean_of(weft_value x, weft_value like)
{
    return weft_divide_by_count(weft_sum_like(x, like), x);
}

static void compose(const weft_value *in, const void *given, weft_value *out)
{
    const weft_group_norm_attributes *attributes = given;
    weft_value x = weft_group_norm_split(attributes, in[X]);
    weft_value dy = weft_group_norm_split(attributes, in[DY]);
    weft_value gamma = weft_group_norm_split(attributes, in[GAMMA]);
    weft_value r = weft_rsqrt(weft_offset(in[VARIANCE], attributes->epsilon));
    weft_value h = weft_multiply(weft_subtract(x, in[MEAN]), r), g = weft_multiply(dy, gamma);
    weft_value along_h = weft_multiply(h, mean_of(weft_multiply(g, h), in[MEAN]));
    weft_value removed = weft_add(along_h, mean_of(g, in[MEAN]));
    out[DX] = weft_reshape_like(weft_multiply(weft_subtract(g, removed), r), in[X]);
    out[DGAMMA] = weft_reshape_like(weft_sum_like(weft_multiply(dy, h), gamma), in[GAMMA]);
    out[DBETA] = weft_reshape_like(weft_sum_like(dy, gamma), in[GAMMA]);
}

static void gradient(weft_gradient_call *call)
{
    weft_composed_gradient(call, compose, INPUTS, OUTPUTS);
}

/* ---- Float64 ---- */

static void run_f64(const weft_operands *operands)
{
    const weft_group_norm_attributes *attributes = operands->attributes;
    weft_group_norm_walk walk[INPUTS + OUTPUTS];
    double *data[INPUTS + OUTPUTS];
    weft_tensor x = weft_group_norm_split_tensor(attributes, &operands->input[X]);
    for (int i = 0; i < INPUTS + OUTPUTS; i++) {
        const weft_tensor *given = i < INPUTS ? &operands->input[i] : &operands->output[i - INPUTS];
        weft_tensor operand =
            i == MEAN || i == VARIANCE ? *given : weft_group_norm_split_tensor(attributes, given);
        walk[i] = weft_group_norm_walk_of(attributes, &operand, &x);
        data[i] = given->data;
    }
    weft_clear_f64(&operands->output[DGAMMA]);
    weft_clear_f64(&operands->output[DBETA]);
    int64_t inners = walk[X].inners;
    for (int64_t cell = 0; cell < walk[X].cells; cell++) {
        double mean = data[MEAN][weft_group_norm_at(&walk[MEAN], cell, 0)];
        double variance = data[VARIANCE][weft_group_norm_at(&walk[VARIANCE], cell, 0)];
        double r = 1 / sqrt(variance + attributes->epsilon), mean_g = 0, mean_gh = 0;
        for (int64_t i = 0; i < inners; i++) {
            double dy = data[DY][weft_group_norm_at(&walk[DY], cell, i)];
            double h = (data[X][weft_group_norm_at(&walk[X], cell, i)] - mean) * r;
            double g = data[GAMMA][weft_group_norm_at(&walk[GAMMA], cell, i)] * dy;
            mean_g += g / (double)inners;
            mean_gh += g * h / (double)inners;
            data[INPUTS + DBETA][weft_group_norm_at(&walk[INPUTS + DBETA], cell, i)] += dy;
            data[INPUTS + DGAMMA][weft_group_norm_at(&walk[INPUTS + DGAMMA], cell, i)] += dy * h;
        }
        for (int64_t i = 0; i < inners; i++) {
            double dy = data[DY][weft_group_norm_at(&walk[DY], cell, i)];
            double h = (data[X][weft_group_norm_at(&walk[X], cell, i)] - mean) * r;
            double g = data[GAMMA][weft_group_norm_at(&walk[GAMMA], cell, i)] * dy;
            data[INPUTS + DX][weft_group_norm_at(&walk[INPUTS + DX], cell, i)] =
                r * (g - mean_g - h * mean_gh);
        }
    }
}

/* ---- Float32 ---- */

static bool bind_groups(weft_bind *bind, const weft_tensor *const *image)
{
    weft_group_norm_args args;
    if (!weft_group_norm_args_of(bind->attributes, image, 3, &args))
        return false;
    weft_group_norm_args *kept = weft_bind_args(bind, sizeof(*kept));
    if (!kept)
        return false;
    weft_group_norm_coefficients_within(&args, INPUTS + OUTPUTS);
    *kept = args;
    const weft_group_norm_kernels *kernels = weft_group_norm_table();
    enum { MERGE = WEFT_GROUP_NORM_MERGE_CHANNELS };
    int64_t floats = args.parameters_at + 2 * args.samples * args.channels;
    weft_bind_workspace(bind, (size_t)floats * sizeof(float));
    weft_bind_phase(bind, kernels->backward_center, args.samples);
    weft_bind_phase(bind, kernels->backward_sums, args.samples * args.blocks);
    weft_bind_phase(bind, kernels->backward_finish, args.samples);
    weft_bind_phase(bind, kernels->backward_merge, weft_ceiling(args.channels, MERGE));
    weft_bind_phase(bind, kernels->backward_apply, args.samples * args.apply_blocks);
    return true;
}

static bool bind_rows(weft_bind *bind, const weft_tensor *const *image)
{
    weft_row_norm_args args;
    if (!weft_row_norm_args_of(bind->attributes, image, 3, &args))
        return false;
    weft_row_norm_args *kept = weft_bind_args(bind, sizeof(*kept));
    if (!kept)
        return false;
    *kept = args;
    enum { MERGE = WEFT_ROW_NORM_MERGE_ELEMENTS };
    weft_bind_workspace(bind, (size_t)(2 * args.pieces * args.elements) * sizeof(float));
    weft_bind_phase(bind, weft_row_norm_table()->backward, args.pieces);
    weft_bind_phase(bind, weft_row_norm_table()->merge, weft_ceiling(args.elements, MERGE));
    return true;
}

static bool bind_f32(weft_bind *bind)
{
    const weft_group_norm_attributes *attributes = bind->attributes;
    const weft_tensor *image[] = {&bind->input[DY], &bind->input[X], &bind->output[DX]};
    for (int i = GAMMA; i < INPUTS; i++)
        if (!weft_tensor_dense(&bind->input[i]))
            return false;
    if (!weft_tensor_dense(&bind->output[DGAMMA]) || !weft_tensor_dense(&bind->output[DBETA]))
        return false;
    return attributes->groups ? bind_groups(bind, image) : bind_rows(bind, image);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 13 * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

/* ---- Descriptor ---- */

static bool sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_group_norm_attributes attributes;
    if (!weft_group_norm_sample(sampler, index, &shape, &attributes))
        return false;
    weft_shape statistic = weft_group_norm_statistic(&attributes, shape);
    weft_value dy = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value gamma = weft_sampler_input(sampler, weft_group_norm_parameter(&attributes, shape),
                                          WEFT_SAMPLE_NORMAL);
    weft_value mean = weft_sampler_input(sampler, statistic, WEFT_SAMPLE_NORMAL);
    weft_value variance = weft_sampler_input(sampler, statistic, WEFT_SAMPLE_POSITIVE);
    weft_group_norm_gradients d =
        weft_group_norm_gradient_apply(dy, x, gamma, mean, variance, &attributes);
    weft_sampler_output(sampler, d.x);
    weft_sampler_output(sampler, d.gamma);
    weft_sampler_output(sampler, d.beta);
    return true;
}

const weft_op weft_group_norm_gradient_op = {
    .name = "group_norm_gradient",
    .summary = "the gradients of group_norm with respect to x, gamma and beta",
    .shapes = "dy [N,..,C], x [N,..,C], gamma, mean, variance -> dx [N,..,C], dgamma, dbeta",
    .parameters = "epsilon, first dimension, groups",
    .source = "Wu, He 2018; Ba, Kiros, Hinton 2016; Ulyanov, Vedaldi, Lempitsky 2016",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = INPUTS,
    .max_inputs = INPUTS,
    .outputs = OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .in_place = WEFT_INPUT(DY) | WEFT_INPUT(X),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .cost = cost,
    .label = weft_group_norm_label,
    .sample = sample,
};
