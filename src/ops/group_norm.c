/* Layer, group and instance normalization: one op, over different dimensions of x. Its outputs are y, and
 * the mean and variance of x that normalized, for the gradient. */
#include "ops/group_norm.h"

#include "graph/fusion.h"
#include "ops/moments.h"
#include "ops/ops.h"
#include "weft/array.h"
#include "weft/normalization.h"

#include <math.h>
#include <string.h>

enum { X, GAMMA, BETA, INPUTS };
enum { Y, MEAN, VARIANCE, OUTPUTS };

/* ---- Builders ---- */

/* Parameters that nobody gave: `fill` for each element of the last dimensions of x. */
static weft_value filled(weft_value x, int dimensions, double fill)
{
    weft_shape shape = weft_shape_get(x), last = {.rank = dimensions};
    weft_slice_options one = {0};
    for (int d = 0; d < shape.rank - dimensions; d++)
        one.size[d] = 1;
    for (int d = 0; d < dimensions; d++)
        last.extent[d] = shape.extent[shape.rank - dimensions + d];
    return weft_fill_like(weft_reshape(weft_slice(x, &one), last), fill);
}

static weft_value apply(weft_value x, weft_value gamma, weft_value beta,
                        const weft_group_norm_attributes *attributes, const char *name,
                        weft_value *output)
{
    weft_value input[INPUTS] = {x, gamma, beta};
    return weft_apply(x.graph, &weft_group_norm_op, attributes, sizeof(*attributes), name, input,
                      INPUTS, output, OUTPUTS);
}

static weft_group_norm_attributes attributes_of(double epsilon, int first, int64_t groups)
{
    weft_group_norm_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.epsilon = epsilon != 0 ? epsilon : 1e-5;
    attributes.first = first;
    attributes.groups = (int32_t)groups;
    return attributes;
}

weft_value weft_layer_normalization(weft_value x, const weft_layer_normalization_options *options)
{
    const weft_layer_normalization_options none = {0};
    if (!options)
        options = &none;
    int rank = weft_shape_get(x).rank;
    int dimensions = options->dimensions != 0 ? options->dimensions : 1;
    if (weft_is_null(x))
        return x;
    if (dimensions < 1 || dimensions >= rank)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "layer_norm: dimensions is %d, expected 1 to %d", dimensions,
                               rank - 1);
    weft_group_norm_attributes attributes = attributes_of(options->epsilon, rank - dimensions, 0);
    weft_value gamma = options->gamma, beta = options->beta, output[OUTPUTS];
    if (weft_is_null(gamma))
        gamma = filled(x, dimensions, 1);
    if (weft_is_null(beta))
        beta = filled(x, dimensions, 0);
    return apply(x, gamma, beta, &attributes, options->name ? options->name : "layer_norm", output);
}

/* 0 groups: as many as there are channels. */
static weft_value grouped(weft_value x, const char *kind,
                          const weft_group_normalization_options *options)
{
    weft_shape shape = weft_shape_get(x);
    int64_t channels = weft_channels(x);
    int64_t groups = options->groups != 0 ? options->groups : channels;
    char text[128];
    weft_shape_text(shape, text, sizeof(text));
    if (weft_is_null(x))
        return x;
    if (shape.rank < 2 || shape.rank >= WEFT_MAX_RANK || channels < 1)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "%s: input %s must have rank 2 to %d and fixed channels", kind, text,
                               WEFT_MAX_RANK - 1);
    if (groups < 1 || channels % groups != 0)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "%s: %lld groups do not divide the %lld channels of input %s", kind,
                               (long long)groups, (long long)channels, text);
    weft_value gamma = options->gamma, beta = options->beta, output[OUTPUTS];
    if (weft_is_null(gamma))
        gamma = filled(x, 1, 1);
    if (weft_is_null(beta))
        beta = filled(x, 1, 0);
    weft_group_norm_attributes attributes = attributes_of(options->epsilon, 1, groups);
    return apply(x, gamma, beta, &attributes, options->name ? options->name : kind, output);
}

weft_value weft_group_normalization(weft_value x, const weft_group_normalization_options *options)
{
    const weft_group_normalization_options none = {0};
    weft_group_normalization_options own = options ? *options : none;
    own.groups = own.groups != 0 ? own.groups : 32;
    return grouped(x, "group_norm", &own);
}

weft_value weft_instance_normalization(weft_value x,
                                       const weft_instance_normalization_options *options)
{
    const weft_instance_normalization_options none = {0};
    if (!options)
        options = &none;
    return grouped(x, "instance_norm",
                   &(weft_group_normalization_options){.name = options->name,
                                                       .gamma = options->gamma,
                                                       .beta = options->beta,
                                                       .epsilon = options->epsilon});
}

/* ---- Shapes ---- */

static bool infer(weft_infer *infer)
{
    const weft_group_norm_attributes *attributes = infer->attributes;
    if (!weft_group_norm_infer_input(infer, X, "input"))
        return false;
    weft_shape x = infer->shape[X], parameter = weft_group_norm_parameter(attributes, x);
    infer->out_shape[Y] = x;
    infer->out_shape[MEAN] = infer->out_shape[VARIANCE] = weft_group_norm_statistic(attributes, x);
    return weft_group_norm_infer_operand(infer, GAMMA, "gamma", parameter) &&
           weft_group_norm_infer_operand(infer, BETA, "beta", parameter);
}

/* ---- Gradient ---- */

static void gradient(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[Y], *result = call->input_gradient;
    weft_group_norm_gradients d = {dy, dy, dy};
    if (!weft_is_null(dy))
        d = weft_group_norm_gradient_apply(dy, call->input[X], call->input[GAMMA],
                                           call->output[MEAN], call->output[VARIANCE],
                                           call->attributes);
    result[GAMMA] = d.gamma;
    result[BETA] = d.beta;
    if (!call->wanted[X])
        return;
    weft_value x = call->input[X];
    weft_value moments =
        weft_moments_gradient(weft_group_norm_split(call->attributes, x), call->output[MEAN],
                              call->output_gradient[MEAN], call->output_gradient[VARIANCE]);
    if (!weft_is_null(moments))
        moments = weft_reshape_like(moments, x);
    result[X] = weft_sum_of_known(d.x, moments);
}

/* ---- Float64 ---- */

static void run_f64(const weft_operands *operands)
{
    const weft_group_norm_attributes *attributes = operands->attributes;
    enum { OF_X, OF_GAMMA, OF_BETA, OF_Y, OF_MEAN, OF_VARIANCE, OPERANDS };
    const weft_tensor *given[] = {&operands->input[X], &operands->input[GAMMA],
                                  &operands->input[BETA], &operands->output[Y]};
    weft_tensor operand[OPERANDS];
    for (int i = 0; i < OF_MEAN; i++)
        operand[i] = weft_group_norm_split_tensor(attributes, given[i]);
    operand[OF_MEAN] = operands->output[MEAN];
    operand[OF_VARIANCE] = operands->output[VARIANCE];
    weft_group_norm_walk walk[OPERANDS];
    double *data[OPERANDS];
    for (int i = 0; i < OPERANDS; i++) {
        walk[i] = weft_group_norm_walk_of(attributes, &operand[i], &operand[OF_X]);
        data[i] = operand[i].data;
    }
    int64_t inners = walk[OF_X].inners;
    for (int64_t cell = 0; cell < walk[OF_X].cells; cell++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < inners; i++)
            sum += data[OF_X][weft_group_norm_at(&walk[OF_X], cell, i)];
        double mean = sum / (double)inners;
        for (int64_t i = 0; i < inners; i++) {
            double d = data[OF_X][weft_group_norm_at(&walk[OF_X], cell, i)] - mean;
            squares += d * d;
        }
        double variance = squares / (double)inners;
        double rstd = 1 / sqrt(variance + attributes->epsilon);
        for (int64_t i = 0; i < inners; i++) {
            double h = (data[OF_X][weft_group_norm_at(&walk[OF_X], cell, i)] - mean) * rstd;
            data[OF_Y][weft_group_norm_at(&walk[OF_Y], cell, i)] =
                data[OF_GAMMA][weft_group_norm_at(&walk[OF_GAMMA], cell, i)] * h +
                data[OF_BETA][weft_group_norm_at(&walk[OF_BETA], cell, i)];
        }
        data[OF_MEAN][weft_group_norm_at(&walk[OF_MEAN], cell, 0)] = mean;
        data[OF_VARIANCE][weft_group_norm_at(&walk[OF_VARIANCE], cell, 0)] = variance;
    }
}

/* ---- Float32 ---- */

static bool bind_groups(weft_bind *bind, const weft_tensor *const *image)
{
    weft_group_norm_args args;
    if (!weft_group_norm_args_of(bind->attributes, image, 2, &args))
        return false;
    weft_group_norm_args *kept = weft_bind_args(bind, sizeof(*kept));
    if (!kept)
        return false;
    args.mean = INPUTS + MEAN;
    args.variance = INPUTS + VARIANCE;
    weft_group_norm_coefficients_within(&args, INPUTS + OUTPUTS);
    *kept = args;
    weft_bind_workspace(bind, (size_t)args.parameters_at * sizeof(float));
    const weft_group_norm_kernels *kernels = weft_group_norm_table();
    weft_bind_phase(bind, kernels->forward_sums, args.samples * args.blocks);
    weft_bind_phase(bind, kernels->forward_finish, args.samples);
    weft_bind_phase(bind, kernels->forward_apply, args.samples * args.apply_blocks);
    return true;
}

static bool bind_rows(weft_bind *bind, const weft_tensor *const *image)
{
    weft_row_norm_args args;
    if (!weft_row_norm_args_of(bind->attributes, image, 2, &args))
        return false;
    weft_row_norm_args *kept = weft_bind_args(bind, sizeof(*kept));
    if (!kept)
        return false;
    *kept = args;
    weft_bind_phase(bind, weft_row_norm_table()->forward, args.pieces);
    return true;
}

static bool bind_f32(weft_bind *bind)
{
    const weft_group_norm_attributes *attributes = bind->attributes;
    const weft_tensor *image[] = {&bind->input[X], &bind->output[Y]};
    if (!weft_tensor_dense(&bind->input[GAMMA]) || !weft_tensor_dense(&bind->input[BETA]) ||
        !weft_tensor_dense(&bind->output[MEAN]) || !weft_tensor_dense(&bind->output[VARIANCE]))
        return false;
    return attributes->groups ? bind_groups(bind, image) : bind_rows(bind, image);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 8 * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

/* ---- Descriptor ---- */

static bool sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_group_norm_attributes attributes;
    if (!weft_group_norm_sample(sampler, index, &shape, &attributes))
        return false;
    weft_shape parameter = weft_group_norm_parameter(&attributes, shape);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL), output[OUTPUTS];
    weft_value gamma = weft_sampler_input(sampler, parameter, WEFT_SAMPLE_NORMAL);
    weft_value beta = weft_sampler_input(sampler, parameter, WEFT_SAMPLE_NORMAL);
    apply(x, gamma, beta, &attributes, NULL, output);
    for (int i = 0; i < OUTPUTS; i++)
        weft_sampler_output(sampler, output[i]);
    return true;
}

static const weft_fusion fusion = {.expand = weft_group_norm_expand};

const weft_op weft_group_norm_op = {
    .fusion = &fusion,
    .name = "group_norm",
    .summary = "gamma (x - mean) / sqrt(variance + epsilon) + beta, the moments being those of "
               "parts of each sample",
    .shapes = "x [N,..,C], gamma, beta -> [N,..,C], mean, variance",
    .parameters = "epsilon, first dimension, groups",
    .source = "Wu, He 2018; Ba, Kiros, Hinton 2016; Ulyanov, Vedaldi, Lempitsky 2016",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = INPUTS,
    .max_inputs = INPUTS,
    .outputs = OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .in_place = WEFT_INPUT(X),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .cost = cost,
    .label = weft_group_norm_label,
    .sample = sample,
};
