/* gaussian_noise and gaussian_dropout: normal numbers added to elements, or to the 1 that scales them. */
#include "kernels/noise.h"

#include "graph/bind_map.h"
#include "kernels/dropout.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/random.h"

#include <stdio.h>
#include <string.h>

typedef struct noise_attributes {
    double deviation;
    uint64_t name_key;
    int32_t mode; /* weft_mode_choice */
    int32_t unused;
    int64_t batch_multiple; /* k where the extent of dimension 0 is the open -k, else 0 */
} noise_attributes;

static weft_value apply(const weft_op *op, weft_value x, double deviation, weft_mode_choice mode,
                        const char *name)
{
    noise_attributes a;
    memset(&a, 0, sizeof(a));
    a.deviation = deviation;
    a.name_key = weft_name_key(x.graph, name ? name : op->name);
    a.mode = (int32_t)mode;
    weft_shape shape = weft_shape_get(x);
    if (shape.rank > 0 && shape.extent[0] < 0)
        a.batch_multiple = -shape.extent[0];
    return weft_apply(x.graph, op, &a, sizeof(a), name, &x, 1, NULL, 1);
}

weft_value weft_gaussian_noise(weft_value x, const weft_gaussian_noise_options *options)
{
    if (!(options->deviation >= 0) || isinf(options->deviation))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "gaussian_noise: deviation is %g",
                               options->deviation);
    return apply(&weft_gaussian_noise_op, x, options->deviation, options->mode, options->name);
}

weft_value weft_gaussian_dropout(weft_value x, const weft_gaussian_dropout_options *options)
{
    if (!(options->rate >= 0 && options->rate < 1))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "gaussian_dropout: rate must be in [0, 1), not %g", options->rate);
    double deviation = sqrt(options->rate / (1 - options->rate));
    return apply(&weft_gaussian_dropout_op, x, deviation, options->mode, options->name);
}

static void noise_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = call->output_gradient[0];
}

/* Scaled by the same numbers. */
static void dropout_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] =
        weft_apply(call->graph, &weft_gaussian_dropout_op, call->attributes,
                   sizeof(noise_attributes), NULL, call->output_gradient, 1, NULL, 1);
}

/* ---- Execution ---- */

static bool is_noisy(const noise_attributes *a, weft_mode program)
{
    return a->deviation > 0 && weft_mode_of((weft_mode_choice)a->mode, program) == WEFT_TRAIN;
}

static int64_t elements_of_sample(const weft_tensor *tensor)
{
    return tensor->rank ? weft_tensor_elements(tensor) / tensor->extent[0] : 1;
}

static void run(const weft_operands *operands, bool scales)
{
    const noise_attributes *a = operands->attributes;
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    const weft_run_info *info = operands->info;
    bool active = is_noisy(a, operands->mode);
    int64_t each = elements_of_sample(y), first = a->batch_multiple * info->first_sample;
    uint64_t key = weft_dropout_key(info->seed, a->name_key);
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        double value = ((const double *)x->data)[weft_tensor_offset(x, i)];
        if (active) {
            double z = weft_noise_normal(key, (uint32_t)info->step, first + i / each, i % each);
            value = scales ? value * (1 + a->deviation * z) : value + a->deviation * z;
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
    const noise_attributes *a = bind->attributes;
    if (!is_noisy(a, bind->mode))
        return weft_map_bind(bind, WEFT_MAP_COPY, 0, 0);
    weft_noise_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    int64_t pieces = weft_rows_plan(&args->rows, bind->input, 1, &bind->output[0]);
    args->kernels = weft_noise_table();
    args->sample_elements = elements_of_sample(&bind->output[0]);
    args->batch_multiple = a->batch_multiple;
    args->name_key = a->name_key;
    args->deviation = (float)a->deviation;
    args->scales = bind->op == &weft_gaussian_dropout_op;
    weft_bind_phase(bind, weft_noise_piece, pieces);
    return true;
}

static int identity(const weft_bind *bind)
{
    return is_noisy(bind->attributes, bind->mode) ? -1 : 0;
}

/* A number takes some ten operations of Philox, a logarithm, a root, a sine. */
static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 16 * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *given, char *text, size_t size)
{
    static const char *const modes[] = {
        [WEFT_MODE_PROGRAM] = "", [WEFT_MODE_TRAIN] = " train", [WEFT_MODE_INFER] = " infer"};
    const noise_attributes *a = given;
    snprintf(text, size, "%g%s", a->deviation, modes[a->mode]);
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
    .identity = identity, .label = label

const weft_op weft_gaussian_noise_op = {
    NOISE_OP("gaussian_noise"),     .summary = "x + deviation z, z standard normal, in train mode",
    .shapes = "x [N,..] -> [N,..]", .parameters = "deviation, mode",
    .source = "Bishop 1995",        .gradient = noise_gradient,
    .run_f64 = noise_f64,           .sample = noise_sample};
const weft_op weft_gaussian_dropout_op = {
    NOISE_OP("gaussian_dropout"),
    .summary = "x (1 + sqrt(rate / (1 - rate)) z), z standard normal, in train mode",
    .shapes = "x [N,..] -> [N,..]",
    .parameters = "rate, mode",
    .source = "Srivastava et al. 2014, section 10",
    .gradient = dropout_gradient,
    .run_f64 = dropout_f64,
    .sample = dropout_sample};
