#include "ops/dropout.h"

#include "graph/bind_map.h"
#include "kernels/dropout.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/random.h"

#include <stdio.h>
#include <string.h>

/* ---- Draws ---- */

weft_value weft_draw_apply(const weft_op *op, weft_value x, double amount, weft_mode_choice mode,
                           const char *name)
{
    weft_draw_attributes a;
    memset(&a, 0, sizeof(a));
    a.amount = amount;
    a.name_key = weft_name_key(x.graph, name ? name : op->name);
    a.mode = (int32_t)mode;
    weft_shape shape = weft_shape_get(x);
    if (shape.rank > 0 && shape.extent[0] < 0)
        a.batch_multiple = -shape.extent[0];
    return weft_apply(x.graph, op, &a, sizeof(a), name, &x, 1, NULL, 1);
}

weft_value weft_draw_again(const weft_op *op, const weft_gradient_call *call)
{
    return weft_apply(call->graph, op, call->attributes, sizeof(weft_draw_attributes), NULL,
                      call->output_gradient, 1, NULL, 1);
}

bool weft_draws(const weft_draw_attributes *attributes, weft_mode program)
{
    return attributes->amount > 0 &&
           weft_mode_of((weft_mode_choice)attributes->mode, program) == WEFT_TRAIN;
}

int64_t weft_draw_sample_elements(const weft_tensor *tensor)
{
    return tensor->rank ? weft_tensor_elements(tensor) / tensor->extent[0] : 1;
}

int weft_draw_identity(const weft_bind *bind)
{
    return weft_draws(bind->attributes, bind->mode) ? -1 : 0;
}

void weft_draw_label(const void *attributes, char *text, size_t size)
{
    static const char *const modes[] = {
        [WEFT_MODE_PROGRAM] = "", [WEFT_MODE_TRAIN] = " train", [WEFT_MODE_INFER] = " infer"};
    const weft_draw_attributes *a = attributes;
    snprintf(text, size, "%g%s", a->amount, modes[a->mode]);
}

/* ---- Dropout ---- */

/* The same elements are dropped from the gradient. */
static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_draw_again(&weft_dropout_op, call);
}

static double scale_of(double rate)
{
    return rate < 1 ? 1 / (1 - rate) : 0;
}

static void run_f64(const weft_operands *operands)
{
    const weft_draw_attributes *a = operands->attributes;
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    const weft_run_info *info = operands->info;
    bool active = weft_draws(a, operands->mode);
    double scale = scale_of(a->amount);
    int64_t each = weft_draw_sample_elements(y), first = a->batch_multiple * info->first_sample;
    weft_dropout_stream stream = {.key = weft_dropout_key(info->seed, a->name_key),
                                  .step = (uint32_t)info->step,
                                  .threshold = weft_dropout_threshold(a->amount)};
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        double value = ((const double *)x->data)[weft_tensor_offset(x, i)];
        if (active)
            value = weft_dropout_drops(&stream, first + i / each, i % each) ? 0 : value * scale;
        ((double *)y->data)[weft_tensor_offset(y, i)] = value;
    }
}

static bool bind(weft_bind *bind)
{
    const weft_draw_attributes *a = bind->attributes;
    if (!weft_draws(a, bind->mode))
        return weft_map_bind(bind, WEFT_MAP_COPY, 0, 0);
    weft_dropout_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    int64_t pieces = weft_rows_plan(&args->rows, bind->input, 1, &bind->output[0]);
    args->kernels = weft_dropout_kernel_table();
    args->sample_elements = weft_draw_sample_elements(&bind->output[0]);
    args->batch_multiple = a->batch_multiple;
    args->name_key = a->name_key;
    args->threshold = weft_dropout_threshold(a->amount);
    args->scale = (float)scale_of(a->amount);
    weft_bind_phase(bind, weft_dropout_piece, pieces);
    return true;
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
    .identity = weft_draw_identity,
    .label = weft_draw_label,
    .sample = sample,
};

weft_value weft_dropout(weft_value x, const weft_dropout_options *options)
{
    const char *name = options->name ? options->name : "dropout";
    if (!(options->rate >= 0 && options->rate <= 1))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "dropout \"%s\": rate must be in [0, 1], not %g", name,
                               options->rate);
    return weft_draw_apply(&weft_dropout_op, x, options->rate, options->mode, name);
}
