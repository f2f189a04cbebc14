#include "weft/random.h"

#include "graph/bind_map.h"
#include "kernels/dropout.h"
#include "ops/map.h"
#include "ops/ops.h"
#include "ops/rules.h"

#include <stdio.h>
#include <string.h>

typedef struct attributes {
    double rate;
    uint64_t name_key;
    int32_t mode; /* weft_mode_choice */
    int32_t unused;
    int64_t batch_multiple; /* k where the extent of dimension 0 is the open -k, else 0 */
} attributes;

/* The same elements are dropped from the gradient. */
static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] =
        weft_apply(call->graph, &weft_dropout_op, call->attributes, sizeof(attributes), NULL,
                   call->output_gradient, 1, NULL, 1);
}

static bool drops(const attributes *a, weft_mode program)
{
    return a->rate > 0 && weft_mode_of((weft_mode_choice)a->mode, program) == WEFT_TRAIN;
}

static double scale_of(const attributes *a)
{
    return a->rate < 1 ? 1 / (1 - a->rate) : 0;
}

static int64_t elements_of_sample(const weft_tensor *tensor)
{
    return tensor->rank ? weft_tensor_elements(tensor) / tensor->extent[0] : 1;
}

static void run_f64(const weft_operands *operands)
{
    const attributes *a = operands->attributes;
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    const weft_run_info *info = operands->info;
    bool active = drops(a, operands->mode);
    int64_t each = elements_of_sample(y), first = a->batch_multiple * info->first_sample;
    weft_dropout_stream stream = {.key = weft_dropout_key(info->seed, a->name_key),
                                  .step = (uint32_t)info->step,
                                  .threshold = weft_dropout_threshold(a->rate)};
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        double value = ((const double *)x->data)[weft_tensor_offset(x, i)];
        if (active)
            value =
                weft_dropout_drops(&stream, first + i / each, i % each) ? 0 : value * scale_of(a);
        ((double *)y->data)[weft_tensor_offset(y, i)] = value;
    }
}

static bool bind(weft_bind *bind)
{
    const attributes *a = bind->attributes;
    if (!drops(a, bind->mode))
        return weft_map_bind(bind, WEFT_MAP_COPY, 0, 0);
    weft_dropout_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    int64_t pieces = weft_rows_plan(&args->rows, bind->input, 1, &bind->output[0]);
    args->kernels = weft_dropout_kernel_table();
    args->sample_elements = elements_of_sample(&bind->output[0]);
    args->batch_multiple = a->batch_multiple;
    args->name_key = a->name_key;
    args->threshold = weft_dropout_threshold(a->rate);
    args->scale = (float)scale_of(a);
    weft_bind_phase(bind, weft_dropout_piece, pieces);
    return true;
}

static int identity(const weft_bind *bind)
{
    return drops(bind->attributes, bind->mode) ? -1 : 0;
}

static void label(const void *given, char *text, size_t size)
{
    static const char *const modes[] = {
        [WEFT_MODE_PROGRAM] = "", [WEFT_MODE_TRAIN] = " train", [WEFT_MODE_INFER] = " infer"};
    const attributes *a = given;
    snprintf(text, size, "%g%s", a->rate, modes[a->mode]);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_dropout_options options[] = {{.rate = 0.3},
                                                   {.rate = 0.5, .mode = WEFT_MODE_TRAIN},
                                                   {.rate = 0.9, .mode = WEFT_MODE_INFER}};
    if (index >= 3)
        return false;
    weft_shape shape = {
        3, {3, weft_sampler_integer(sampler, 2, 7), weft_sampler_integer(sampler, 2, 19)}};
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_dropout(x, &options[index]));
    return true;
}

const weft_op weft_dropout_op = {
    .name = "dropout",
    .summary = "0 with probability rate, else x / (1 - rate), in train mode",
    .shapes = "x [N,..] -> [N,..]",
    .parameters = "rate, mode",
    .source = "Srivastava et al. 2014, section 10",

    .family = WEFT_FAMILY_RANDOM,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_RANDOM | WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .in_place = WEFT_INPUT(0),
    .infer = weft_infer_like_input,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .identity = identity,
    .label = label,
    .sample = sample,
};

weft_value weft_dropout(weft_value x, const weft_dropout_options *options)
{
    const char *name = options->name ? options->name : "dropout";
    if (!(options->rate >= 0 && options->rate <= 1))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "dropout \"%s\": rate must be in [0, 1], not %g", name,
                               options->rate);
    attributes a;
    memset(&a, 0, sizeof(a));
    a.rate = options->rate;
    a.name_key = weft_name_key(x.graph, name);
    a.mode = options->mode;
    weft_shape shape = weft_shape_get(x);
    if (shape.rank > 0 && shape.extent[0] < 0)
        a.batch_multiple = -shape.extent[0];
    return weft_apply(x.graph, &weft_dropout_op, &a, sizeof(a), name, &x, 1, NULL, 1);
}
