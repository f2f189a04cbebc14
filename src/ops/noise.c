/* gaussian_noise and gaussian_dropout: normal numbers added to elements, or to the 1 that scales them. */
#include "kernels/noise.h"

#include "graph/bind_map.h"
#include "kernels/dropout.h"
#include "ops/dropout.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/random.h"

weft_value weft_gaussian_noise(weft_value x, const weft_gaussian_noise_options *options)
{
    if (!(options->deviation >= 0) || isinf(options->deviation))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "gaussian_noise: deviation is %g",
                               options->deviation);
    return weft_draw_apply(&weft_gaussian_noise_op, x, options->deviation, options->mode,
                           options->name);
}

weft_value weft_gaussian_dropout(weft_value x, const weft_gaussian_dropout_options *options)
{
    if (!(options->rate >= 0 && options->rate < 1))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "gaussian_dropout: rate must be in [0, 1), not %g", options->rate);
    double deviation = sqrt(options->rate / (1 - options->rate));
    return weft_draw_apply(&weft_gaussian_dropout_op, x, deviation, options->mode, options->name);
}

static void noise_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = call->output_gradient[0];
}

/* Scaled by the same numbers. */
static void dropout_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_draw_again(&weft_gaussian_dropout_op, call);
}

/* ---- Execution ---- */

static void run(const weft_operands *operands, bool scales)
{
    const weft_draw_attributes *a = operands->attributes;
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    const weft_run_info *info = operands->info;
    bool active = weft_draws(a, operands->mode);
    int64_t each = weft_draw_sample_elements(y), first = a->batch_multiple * info->first_sample;
    uint64_t key = weft_dropout_key(info->seed, a->name_key);
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        double value = ((const double *)x->data)[weft_tensor_offset(x, i)];
        if (active) {
            double z = weft_noise_normal(key, (uint32_t)info->step, first + i / each, i % each);
            value = scales ? value * (1 + a->amount * z) : value + a->amount * z;
        }
        ((double *)y->data)[weft_tensor_offset(y, i)] = value;
    }
}

static void noise_f64(const weft_operands *operands)
{
    run(operands, false);
}

static void dropout_f64(const weft_operands *operands)
{
    run(operands, true);
}

static bool bind(weft_bind *bind)
{
    const weft_draw_attributes *a = bind->attributes;
    if (!weft_draws(a, bind->mode))
        return weft_map_bind(bind, WEFT_MAP_COPY, 0, 0);
    weft_noise_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    int64_t pieces = weft_rows_plan(&args->rows, bind->input, 1, &bind->output[0]);
    args->kernels = weft_noise_table();
    args->sample_elements = weft_draw_sample_elements(&bind->output[0]);
    args->batch_multiple = a->batch_multiple;
    args->name_key = a->name_key;
    args->deviation = (float)a->amount;
    args->scales = bind->op == &weft_gaussian_dropout_op;
    weft_bind_phase(bind, weft_noise_piece, pieces);
    return true;
}

/* A number takes some ten operations of Philox, a logarithm, a root, a sine. */
static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 16 * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

/* ---- Samples ---- */

static weft_value sample_input(weft_sampler *sampler)
{
    weft_shape shape = {
        3, {3, weft_sampler_integer(sampler, 2, 7), weft_sampler_integer(sampler, 2, 19)}};
    return weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
}

static bool noise_sample(weft_sampler *sampler, int index)
{
    static const weft_gaussian_noise_options options[] = {
        {.deviation = 0.3}, {.deviation = 2, .mode = WEFT_MODE_TRAIN}, {.mode = WEFT_MODE_INFER}};
    if (index >= 3)
        return false;
    weft_sampler_output(sampler, weft_gaussian_noise(sample_input(sampler), &options[index]));
    return true;
}

static bool dropout_sample(weft_sampler *sampler, int index)
{
    static const weft_gaussian_dropout_options options[] = {{.rate = 0.3},
                                                            {.rate = 0.5, .mode = WEFT_MODE_TRAIN},
                                                            {.rate = 0.9, .mode = WEFT_MODE_INFER}};
    if (index >= 3)
        return false;
    weft_sampler_output(sampler, weft_gaussian_dropout(sample_input(sampler), &options[index]));
    return true;
}

#define NOISE_OP(words)                                                                            \
    .name = words, .family = WEFT_FAMILY_RANDOM, .min_inputs = 1, .max_inputs = 1, .outputs = 1,   \
    .flags = WEFT_OP_RANDOM | WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,                    \
    .in_place = WEFT_INPUT(0), .infer = weft_infer_like_input, .bind = bind, .cost = cost,         \
    .identity = weft_draw_identity, .label = weft_draw_label

const weft_op weft_gaussian_noise_op = {
    NOISE_OP("gaussian_noise"),     .summary = "x + deviation z, z standard normal, in train mode",
    .shapes = "x [N,..] -> [N,..]", .parameters = "deviation, mode",
    .source = "Bishop 1995",        .gradient = noise_gradient,
    .run_f64 = noise_f64,           .sample = noise_sample};
const weft_op weft_gaussian_dropout_op = {
    NOISE_OP("gaussian_dropout"),
    .summary =
        "x (1 + deviation z), z standard normal, in train mode; deviation^2 is rate / (1 - rate)",
    .shapes = "x [N,..] -> [N,..]",
    .parameters = "deviation, mode",
    .source = "Srivastava et al. 2014, section 10",
    .gradient = dropout_gradient,
    .run_f64 = dropout_f64,
    .sample = dropout_sample};
