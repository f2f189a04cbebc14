/* What makes k micro-batches one update: sums of gradients, and the count of updates. */
#include "ops/ops.h"
#include "ops/rules.h"
#include "optim/update.h"

#include <string.h>

/* ---- A group's rate, which both ops have as their last input where there is one ---- */

static bool is_rate(const weft_infer *infer, int input)
{
    return infer->inputs <= input ||
           (infer->shape[input].rank == 0 && infer->dtype[input] == WEFT_REAL) ||
           weft_infer_fail(infer, "the group's rate must be real of rank 0");
}

static bool is_frozen_f64(const weft_operands *operands, int input)
{
    return operands->inputs > input && *(const double *)operands->input[input].data == 0;
}

/* Nothing changes in a program for which the group is frozen. */
static int identity_of(const weft_bind *bind, int input)
{
    return bind->inputs > input && weft_tensor_is(&bind->input[input], 0) ? 0 : -1;
}

/* ---- Sum of gradients: inputs sum (a variable), gradient, a group's rate ---- */

enum { SUM, GRADIENT, RATE_OF_SUM };

static bool infer_sum(weft_infer *infer)
{
    char a[120], b[120];
    if (!weft_infer_real(infer, GRADIENT, "gradient") || !is_rate(infer, RATE_OF_SUM))
        return false;
    if (!weft_shape_equal(infer->shape[SUM], infer->shape[GRADIENT]))
        return weft_infer_fail(infer, "gradient is %s, the sum %s",
                               weft_shape_text(infer->shape[GRADIENT], a, sizeof(a)),
                               weft_shape_text(infer->shape[SUM], b, sizeof(b)));
    return weft_infer_like_input(infer);
}

static void sum_f64(const weft_operands *operands)
{
    const weft_tensor *sum = &operands->input[SUM], *g = &operands->input[GRADIENT];
    if (is_frozen_f64(operands, RATE_OF_SUM))
        return;
    int32_t micro_batches = *(const int32_t *)operands->attributes;
    bool first = operands->info->micro_batch == 0;
    for (int64_t i = 0, n = weft_tensor_elements(sum); i < n; i++) {
        double *total = (double *)sum->data + weft_tensor_offset(sum, i);
        double part = ((const double *)g->data)[weft_tensor_offset(g, i)] / micro_batches;
        *total = first ? part : *total + part;
    }
}

typedef struct sum_args {
    int64_t elements;
    bool grouped;
    float factor;
    const weft_update_kernels *kernels;
} sum_args;

static void sum_piece(const weft_call *call, int64_t piece)
{
    const sum_args *args = call->args;
    if (args->grouped && *(const float *)call->operand[RATE_OF_SUM] == 0)
        return;
    int64_t first = piece * WEFT_UPDATE_PIECE, left = args->elements - first;
    args->kernels->accumulate((float *)call->operand[SUM] + first,
                              (const float *)call->operand[GRADIENT] + first,
                              left < WEFT_UPDATE_PIECE ? left : WEFT_UPDATE_PIECE, args->factor,
                              call->info->micro_batch == 0 ? 0 : 1);
}

static bool sum_bind(weft_bind *bind)
{
    sum_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    args->elements = weft_bind_elements(bind);
    args->grouped = bind->inputs > RATE_OF_SUM;
    args->factor = 1.0f / (float)*(const int32_t *)bind->attributes;
    args->kernels = weft_update_table();
    weft_bind_phase(bind, sum_piece, weft_update_pieces(args->elements));
    return true;
}

static int sum_identity(const weft_bind *bind)
{
    return identity_of(bind, RATE_OF_SUM);
}

static void sum_cost(const weft_bind *bind, weft_cost *cost)
{
    double elements = (double)weft_bind_elements(bind);
    cost->flops = 2 * elements;
    cost->bytes = 3 * elements * (double)weft_dtype_bytes(bind->output[0].dtype);
}

weft_value weft_accumulate_gradient(weft_value sum, weft_value gradient, weft_value rate,
                                    int32_t micro_batches)
{
    return weft_apply(sum.graph, &weft_accumulate_gradient_op, &micro_batches,
                      sizeof(micro_batches), NULL, (weft_value[]){sum, gradient, rate},
                      weft_is_null(rate) ? 2 : 3, NULL, 1);
}

static bool sum_sample(weft_sampler *sampler, int index)
{
    if (index >= 5)
        return false;
    weft_graph *graph = weft_sampler_graph(sampler);
    weft_shape shape = weft_shape_of(weft_sampler_integer(sampler, 1, 99));
    weft_value sum = weft_variable(
        graph, &(weft_variable_options){.shape = shape, .initializer = {WEFT_INIT_ONES}});
    weft_value gradient = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value rate = index < 3 ? weft_null(graph) : weft_scalar(graph, index == 3 ? 0.5 : 0);
    weft_sampler_output(sampler, weft_accumulate_gradient(sum, gradient, rate, 1 + index % 3));
    return true;
}

const weft_op weft_accumulate_gradient_op = {
    .name = "accumulate_gradient",
    .summary = "sum += g over micro-batches; the result is their mean in the last",
    .shapes = "sum [..], g [..], rate? [] -> [..]",
    .source = "definition",

    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 2,
    .max_inputs = 3,
    .outputs = 1,
    .writes = WEFT_INPUT(SUM),
    .infer = infer_sum,
    .run_f64 = sum_f64,
    .bind = sum_bind,
    .cost = sum_cost,
    .identity = sum_identity,
    .sample = sum_sample,
};

/* ---- Number of the update: inputs the count (an int32 variable of rank 0), a group's rate ---- */

enum { COUNT, RATE_OF_COUNT };

static bool infer_count(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    infer->out_dtype[0] = WEFT_INT32;
    if (infer->shape[0].rank != 0 || infer->dtype[0] != WEFT_INT32)
        return weft_infer_fail(infer, "the count must be int32 of rank 0");
    return is_rate(infer, RATE_OF_COUNT);
}

static void count(const weft_operands *operands, bool frozen)
{
    if (weft_update_due(operands->info, *(const int32_t *)operands->attributes) && !frozen)
        ++*(int32_t *)operands->input[0].data;
}

static void count_f64(const weft_operands *operands)
{
    count(operands, is_frozen_f64(operands, RATE_OF_COUNT));
}

static void count_f32(const weft_operands *operands)
{
    count(operands, operands->inputs > RATE_OF_COUNT &&
                        *(const float *)operands->input[RATE_OF_COUNT].data == 0);
}

static int count_identity(const weft_bind *bind)
{
    return identity_of(bind, RATE_OF_COUNT);
}

weft_value weft_count_updates(weft_value step, weft_value rate, int32_t micro_batches)
{
    return weft_apply(step.graph, &weft_count_updates_op, &micro_batches, sizeof(micro_batches),
                      NULL, (weft_value[]){step, rate}, weft_is_null(rate) ? 1 : 2, NULL, 1);
}

static bool count_sample(weft_sampler *sampler, int index)
{
    if (index >= 4)
        return false;
    weft_graph *graph = weft_sampler_graph(sampler);
    weft_value step = weft_variable(
        graph, &(weft_variable_options){.dtype = WEFT_INT32,
                                        .initializer = {.kind = WEFT_INIT_CONSTANT, .a = 6}});
    weft_value rate = index < 2 ? weft_null(graph) : weft_scalar(graph, index == 2 ? 0.5 : 0);
    weft_sampler_output(sampler, weft_count_updates(step, rate, 1 + index % 2));
    return true;
}

const weft_op weft_count_updates_op = {
    .name = "count_updates",
    .summary = "counter += 1 in the last micro-batch",
    .shapes = "counter [] int32, rate? [] -> [] int32",
    .source = "definition",

    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 1,
    .max_inputs = 2,
    .outputs = 1,
    .writes = WEFT_INPUT(COUNT),
    .infer = infer_count,
    .run_f64 = count_f64,
    .run_f32 = count_f32,
    .identity = count_identity,
    .sample = count_sample,
};
