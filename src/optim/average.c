/* Moving averages of weights: see include/weft/optim.h. */
#include "base/error.h"
#include "base/text.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "optim/groups.h"
#include "optim/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- The op: inputs average (a variable), new value of what is averaged, number of this update ---- */

typedef struct attributes {
    double decay;
    int32_t micro_batches;
    int32_t warmup; /* as a truth value */
} attributes;

enum { AVERAGE, NEW_VALUE, COUNT };

weft_value weft_average_weights(weft_value average, weft_value new_value, weft_value count,
                                double decay, bool warmup, int32_t micro_batches)
{
    attributes a = {.decay = decay, .micro_batches = micro_batches, .warmup = warmup};
    return weft_apply(average.graph, &weft_average_weights_op, &a, sizeof(a), "averaging",
                      (weft_value[]){average, new_value, count}, 3, NULL, 1);
}

static bool infer(weft_infer *infer)
{
    if (!weft_infer_real(infer, AVERAGE, "average") ||
        !weft_infer_real(infer, NEW_VALUE, "new value"))
        return false;
    infer->out_shape[0] = infer->shape[AVERAGE];
    if (!weft_shape_equal(infer->shape[AVERAGE], infer->shape[NEW_VALUE]))
        return weft_infer_fail(infer, "average and new value differ in shape");
    return (infer->shape[COUNT].rank == 0 && infer->dtype[COUNT] == WEFT_INT32) ||
           weft_infer_fail(infer, "the count must be int32 of rank 0");
}

/* What stays of the average; the first one is the new value itself. */
static double kept(const attributes *a, int32_t count)
{
    if (count <= 1)
        return 0;
    return a->warmup ? fmin(a->decay, (1.0 + count) / (10.0 + count)) : a->decay;
}

static void run_f64(const weft_operands *operands)
{
    const attributes *a = operands->attributes;
    if (!weft_update_due(operands->info, a->micro_batches))
        return;
    const weft_tensor *average = &operands->input[AVERAGE], *x = &operands->input[NEW_VALUE];
    double keep = kept(a, *(const int32_t *)operands->input[COUNT].data);
    for (int64_t i = 0, n = weft_tensor_elements(average); i < n; i++) {
        double *element = (double *)average->data + weft_tensor_offset(average, i);
        double now = ((const double *)x->data)[weft_tensor_offset(x, i)];
        *element = keep == 0 ? now : keep * *element + (1 - keep) * now;
    }
}

typedef struct average_args {
    attributes attributes;
    int64_t elements;
    const weft_update_kernels *kernels;
} average_args;

static void average_piece(const weft_call *call, int64_t piece)
{
    const average_args *args = call->args;
    if (!weft_update_due(call->info, args->attributes.micro_batches))
        return;
    double keep = kept(&args->attributes, *(const int32_t *)call->operand[COUNT]);
    int64_t first = piece * WEFT_UPDATE_PIECE, left = args->elements - first;
    args->kernels->accumulate(
        (float *)call->operand[AVERAGE] + first, (const float *)call->operand[NEW_VALUE] + first,
        left < WEFT_UPDATE_PIECE ? left : WEFT_UPDATE_PIECE, (float)(1 - keep), (float)keep);
}

static bool bind(weft_bind *bind)
{
    average_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    memcpy(&args->attributes, bind->attributes, sizeof(args->attributes));
    args->elements = weft_bind_elements(bind);
    args->kernels = weft_update_table();
    weft_bind_phase(bind, average_piece, weft_update_pieces(args->elements));
    return true;
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    double elements = (double)weft_bind_elements(bind);
    cost->flops = 3 * elements;
    cost->bytes = 3 * elements * (double)weft_dtype_bytes(bind->output[0].dtype);
}

static void label(const void *data, char *text, size_t size)
{
    snprintf(text, size, "%g", ((const attributes *)data)->decay);
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index >= 4)
        return false;
    weft_graph *graph = weft_sampler_graph(sampler);
    weft_shape shape = weft_shape_of(weft_sampler_integer(sampler, 1, 99));
    weft_value average = weft_variable(
        graph, &(weft_variable_options){
                   .shape = shape, .initializer = {.kind = WEFT_INIT_UNIFORM, .a = -1, .b = 1}});
    weft_value step =
        weft_variable(graph, &(weft_variable_options){.dtype = WEFT_INT32,
                                                      .initializer = {.kind = WEFT_INIT_CONSTANT,
                                                                      .a = index == 0 ? 0 : 6}});
    weft_value count = weft_count_updates(step, weft_null(graph), 1);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_average_weights(average, x, count, 0.875, index > 1, 1));
    return true;
}

const weft_op weft_average_weights_op = {
    .name = "average_weights",
    .summary = "average = decay average + (1 - decay) w, after an update",
    .shapes = "average [..], w [..], count [] int32 -> [..]",
    .parameters = "decay, warmup, micro_batches",
    .source = "Polyak, Juditsky 1992; Izmailov et al. 2018",

    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 3,
    .max_inputs = 3,
    .outputs = 1,
    .writes = WEFT_INPUT(AVERAGE),
    .infer = infer,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .label = label,
    .sample = sample,
};

/* ---- Exchange ---- */

/* The average that the optimizer keeps of a variable; the null value: none. */
static weft_value average_of(const weft_optimizer *optimizer, weft_value variable, weft_text *name)
{
    name->length = 0;
    weft_text_add(name, "%.*s.%s.average", weft_optimizer_scope(optimizer),
                  weft_name_get(optimizer->learning_rate), weft_name_get(variable));
    return name->failed ? weft_null(variable.graph) : weft_find(variable.graph, name->data);
}

static void exchange(const weft_tensor *a, const weft_tensor *b)
{
    char hold[4096], *x = a->data, *y = b->data;
    size_t left = weft_tensor_bytes(a);
    for (size_t part; left > 0; left -= part, x += part, y += part) {
        part = left < sizeof(hold) ? left : sizeof(hold);
        memcpy(hold, x, part);
        memcpy(x, y, part);
        memcpy(y, hold, part);
    }
}

weft_status weft_optimizer_swap_averages(const weft_optimizer *optimizer, weft_state *state,
                                         weft_error *error)
{
    weft_graph *graph = weft_state_graph(state);
    double updates = 0;
    if (weft_is_null(optimizer->averages))
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "the optimizer keeps no averages");
    weft_status status = weft_state_read(state, optimizer->averages, &updates, 1, error);
    if (status != WEFT_OK)
        return status;
    if (updates < 1)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "no update has been averaged yet");
    weft_text name = weft_text_begin(weft_graph_context(graph));
    /* All names first: nothing is exchanged where memory is short. */
    for (int pass = 0; pass < 2 && !name.failed; pass++)
        for (int i = 0; !weft_is_null(weft_variable_at(graph, i)) && !name.failed; i++) {
            weft_value variable = weft_variable_at(graph, i);
            weft_value average = average_of(optimizer, variable, &name);
            if (pass == 0 || !weft_is_variable(average))
                continue;
            weft_tensor a = weft_state_tensor(state, variable);
            weft_tensor b = weft_state_tensor(state, average);
            exchange(&a, &b);
        }
    bool failed = name.failed;
    weft_text_release(&name);
    if (failed)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory for a name");
    weft_state_changed(state);
    return WEFT_OK;
}
