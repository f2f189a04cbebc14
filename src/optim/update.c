#include "optim/update.h"

#include "ops/rules.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_update_kernels, weft_update_table)

/* Which input is what; -1: there is none. */
typedef struct update_inputs {
    int slots, gradient, rate, step, norm;
} update_inputs;

static update_inputs inputs_of(const weft_op *op, int inputs)
{
    int slots = __builtin_popcount(op->writes) - 1;
    update_inputs at = {.slots = slots, .gradient = slots + 1, .rate = slots + 2};
    at.step = op->min_inputs > slots + 3 ? slots + 3 : -1;
    at.norm = inputs > op->min_inputs ? op->min_inputs : -1;
    return at;
}

static bool is_scalar(const weft_infer *infer, int input, weft_dtype dtype, const char *what)
{
    if (input < 0 || (infer->shape[input].rank == 0 && infer->dtype[input] == dtype))
        return true;
    return weft_infer_fail(infer, "%s must be %s of rank 0", what, weft_dtype_name(dtype));
}

bool weft_update_infer(weft_infer *infer)
{
    update_inputs at = inputs_of(infer->op, infer->inputs);
    char a[120], b[120];
    for (int i = 0; i <= at.gradient; i++) {
        if (!weft_infer_real(infer, i, i == at.gradient ? "gradient" : "variable"))
            return false;
        if (!weft_shape_equal(infer->shape[i], infer->shape[0]))
            return weft_infer_fail(infer, "%s is %s, the variable %s",
                                   i == at.gradient ? "gradient" : "slot",
                                   weft_shape_text(infer->shape[i], a, sizeof(a)),
                                   weft_shape_text(infer->shape[0], b, sizeof(b)));
    }
    infer->out_shape[0] = infer->shape[0];
    return is_scalar(infer, at.rate, WEFT_REAL, "learning rate") &&
           is_scalar(infer, at.step, WEFT_INT32, "step") &&
           is_scalar(infer, at.norm, WEFT_REAL, "norm");
}

/* step 0: the op does not count; norm below 0: no clipping. */
static weft_update_terms terms_of(const weft_update_attributes *a, double rate, int32_t step,
                                  double norm)
{
    weft_update_terms terms = {
        .scale = norm >= 0 ? fmin(1, a->clip_norm / (norm + 1e-6)) : 1,
        .decay = a->decoupled ? 0 : a->weight_decay,
        .keep = a->decoupled ? 1 - rate * a->weight_decay : 1,
        .rate = rate,
        .momentum = a->momentum,
        .beta1 = a->beta1,
        .beta2 = a->beta2,
        .epsilon = a->epsilon,
        .unbias = 1,
    };
    if (step > 0) {
        terms.rate = rate / (1 - pow(a->beta1, step));
        terms.unbias = 1 / sqrt(1 - pow(a->beta2, step));
    }
    return terms;
}

/* ---- Plain form ---- */

static double *element_of(const weft_tensor *tensor, int64_t index)
{
    return (double *)tensor->data + weft_tensor_offset(tensor, index);
}

void weft_update_f64(const weft_op *op, const weft_operands *operands, weft_update_element *element)
{
    const weft_update_attributes *a = operands->attributes;
    if (!weft_update_due(operands->info, a->micro_batches))
        return;
    update_inputs at = inputs_of(op, operands->inputs);
    const weft_tensor *x = operands->input;
    weft_update_terms terms = terms_of(a, *(const double *)x[at.rate].data,
                                       at.step >= 0 ? *(const int32_t *)x[at.step].data : 0,
                                       at.norm >= 0 ? *(const double *)x[at.norm].data : -1);
    for (int64_t i = 0, n = weft_tensor_elements(&x[0]); i < n; i++) {
        double *slot[WEFT_UPDATE_SLOTS] = {NULL};
        for (int k = 0; k < at.slots; k++)
            slot[k] = element_of(&x[1 + k], i);
        element(&terms, element_of(&x[0], i), slot, *element_of(&x[at.gradient], i));
    }
}

/* ---- Float32 form ---- */

typedef struct update_args {
    weft_update_attributes attributes;
    update_inputs at;
    int64_t elements;
    const weft_update_kernels *kernels;
} update_args;

bool weft_update_bind(weft_bind *bind, weft_piece_fn *run)
{
    update_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    memcpy(&args->attributes, bind->attributes, sizeof(args->attributes));
    args->at = inputs_of(bind->op, bind->inputs);
    args->elements = weft_bind_elements(bind);
    args->kernels = weft_update_table();
    weft_bind_phase(bind, run, weft_update_pieces(args->elements));
    return true;
}

bool weft_update_begin(const weft_call *call, int64_t piece, weft_update_piece *result)
{
    const update_args *args = call->args;
    if (!weft_update_due(call->info, args->attributes.micro_batches))
        return false;
    update_inputs at = args->at;
    int64_t first = piece * WEFT_UPDATE_PIECE, left = args->elements - first;
    *result = (weft_update_piece){
        .kernels = args->kernels,
        .terms = terms_of(&args->attributes, *(const float *)call->operand[at.rate],
                          at.step >= 0 ? *(const int32_t *)call->operand[at.step] : 0,
                          at.norm >= 0 ? *(const float *)call->operand[at.norm] : -1),
        .variable = (float *)call->operand[0] + first,
        .gradient = (const float *)call->operand[at.gradient] + first,
        .count = left < WEFT_UPDATE_PIECE ? left : WEFT_UPDATE_PIECE,
        .nesterov = args->attributes.nesterov,
    };
    for (int k = 0; k < at.slots; k++)
        result->slot[k] = (float *)call->operand[1 + k] + first;
    return true;
}

void weft_update_cost(const weft_bind *bind, double flops, weft_cost *cost)
{
    const weft_update_attributes *a = bind->attributes;
    update_inputs at = inputs_of(bind->op, bind->inputs);
    double elements = (double)weft_bind_elements(bind);
    cost->flops = elements * (flops + (a->weight_decay != 0 ? 2 : 0) + (at.norm >= 0 ? 1 : 0));
    cost->bytes = elements * (double)weft_dtype_bytes(bind->output[0].dtype) *
                  (2 * (1 + at.slots) + 1); /* read and written, but the gradient only read */
}

/* ---- Samples ---- */

bool weft_update_sample(weft_sampler *sampler, const weft_op *op, weft_update_attributes attributes)
{
    weft_graph *graph = weft_sampler_graph(sampler);
    weft_shape shape =
        weft_shape_of(weft_sampler_integer(sampler, 1, 5), weft_sampler_integer(sampler, 1, 37));
    bool clip = weft_sampler_integer(sampler, 0, 1);
    attributes.micro_batches = 1;
    attributes.weight_decay = weft_sampler_integer(sampler, 0, 1) ? 0.1 : 0;
    attributes.decoupled = (int32_t)weft_sampler_integer(sampler, 0, 1);
    attributes.clip_norm = clip ? 0.5 : 0;
    update_inputs at = inputs_of(op, op->min_inputs + clip);
    weft_value input[WEFT_UPDATE_SLOTS + 5];
    for (int i = 0; i <= at.slots; i++)
        input[i] = weft_variable(
            graph,
            &(weft_variable_options){.shape = shape,
                                     .initializer = {.kind = WEFT_INIT_UNIFORM, .a = 0.1, .b = 1}});
    input[at.gradient] = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    input[at.rate] = weft_scalar(graph, 0.25);
    if (at.step >= 0)
        input[at.step] = weft_count_updates(
            weft_variable(graph, &(weft_variable_options){.dtype = WEFT_INT32}), 1);
    if (at.norm >= 0)
        input[at.norm] = weft_scalar(graph, 2);
    weft_sampler_output(sampler, weft_apply(graph, op, &attributes, sizeof(attributes), NULL, input,
                                            op->min_inputs + clip, NULL, 1));
    return true;
}
