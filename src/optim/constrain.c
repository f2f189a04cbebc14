/* constrain: an update that scales the units of a variable by their norms. */
#include "kernels/constrain.h"
#include "kernels/integer.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "optim/update.h"
#include "weft/regularization.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_constrain_kernels, weft_constrain_table)

typedef struct constrain_attributes {
    double bound; /* of the norm; that of WEFT_UNIT_NORM is 1 */
    int32_t kind, axis, micro_batches, unused;
} constrain_attributes;

weft_value weft_constrain(weft_value variable, const weft_constrain_options *options)
{
    const weft_constrain_options none = {0};
    if (!options)
        options = &none;
    if (!weft_is_variable(variable))
        return weft_graph_fail(variable.graph, WEFT_ERROR_ARGUMENT,
                               "constrain: \"%s\" is not a variable", weft_name_get(variable));
    constrain_attributes a;
    memset(&a, 0, sizeof(a));
    a.kind = (int32_t)options->kind;
    a.bound = options->kind == WEFT_UNIT_NORM ? 1 : options->bound != 0 ? options->bound : 2;
    a.axis = options->axis != 0 ? options->axis : -1;
    a.micro_batches = options->micro_batches != 0 ? options->micro_batches : 1;
    weft_value newest = weft_updated(variable);
    return weft_apply(variable.graph, &weft_constrain_op, &a, sizeof(a), options->name, &newest, 1,
                      NULL, 1);
}

static bool infer(weft_infer *infer)
{
    const constrain_attributes *a = infer->attributes;
    char text[120];
    if (a->kind != WEFT_MAX_NORM && a->kind != WEFT_UNIT_NORM)
        return weft_infer_fail(infer, "kind %d is none of weft_constraint", a->kind);
    if (!(a->bound > 0) || isinf(a->bound))
        return weft_infer_fail(infer, "bound is %g", a->bound);
    if (a->axis >= 0 || a->axis < -infer->shape[0].rank)
        return weft_infer_fail(infer, "axis %d is not in -%d to -1, of the variable %s", a->axis,
                               infer->shape[0].rank,
                               weft_shape_text(infer->shape[0], text, sizeof(text)));
    if (a->micro_batches < 1)
        return weft_infer_fail(infer, "micro_batches is %d", a->micro_batches);
    return weft_infer_like_input(infer);
}

/* The variable as [outer, units, inner]. */
static void extents_of(const constrain_attributes *a, const weft_tensor *x, int64_t *outer,
                       int64_t *units, int64_t *inner)
{
    int axis = x->rank + a->axis;
    *outer = *inner = 1;
    *units = x->extent[axis];
    for (int d = 0; d < x->rank; d++)
        if (d != axis)
            *(d < axis ? outer : inner) *= x->extent[d];
}

static void run_f64(const weft_operands *operands)
{
    const constrain_attributes *a = operands->attributes;
    const weft_tensor *tensor = &operands->output[0];
    int64_t outer, units, inner;
    if (!weft_update_due(operands->info, a->micro_batches))
        return;
    extents_of(a, tensor, &outer, &units, &inner);
    double *x = tensor->data;
    for (int64_t u = 0; u < units; u++) {
        double norm = 0;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                double element = x[weft_tensor_offset(tensor, (o * units + u) * inner + i)];
                norm += element * element;
            }
        norm = sqrt(norm);
        if (a->kind == WEFT_MAX_NORM && norm <= a->bound)
            continue;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++)
                x[weft_tensor_offset(tensor, (o * units + u) * inner + i)] *=
                    a->bound / (norm + WEFT_CONSTRAIN_EPSILON);
    }
}

typedef struct constrain_args {
    const weft_constrain_kernels *kernels;
    weft_constrain_array array; /* without x */
    int32_t micro_batches;
} constrain_args;

static void run_piece(const weft_call *call, int64_t piece)
{
    const constrain_args *args = call->args;
    if (!weft_update_due(call->info, args->micro_batches))
        return;
    weft_constrain_array array = args->array;
    array.x = call->operand[0];
    int64_t first = piece * WEFT_CONSTRAIN_UNITS;
    args->kernels->units(&array, first, weft_least(WEFT_CONSTRAIN_UNITS, array.units - first));
}

static bool bind(weft_bind *bind)
{
    const constrain_attributes *a = bind->attributes;
    constrain_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    args->kernels = weft_constrain_table();
    args->micro_batches = a->micro_batches;
    args->array =
        (weft_constrain_array){.only_larger = a->kind == WEFT_MAX_NORM, .bound = a->bound};
    extents_of(a, &bind->output[0], &args->array.outer, &args->array.units, &args->array.inner);
    weft_bind_phase(bind, run_piece, weft_ceiling(args->array.units, WEFT_CONSTRAIN_UNITS));
    return true;
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 3 * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *given, char *text, size_t size)
{
    const constrain_attributes *a = given;
    snprintf(text, size, a->kind == WEFT_UNIT_NORM ? "unit norm" : "max norm %g", a->bound);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_constrain_options options[] = {
        {.bound = 3}, {.axis = -2, .bound = 1.5}, {.kind = WEFT_UNIT_NORM}, {.axis = -3}};
    if (index >= (int)(sizeof(options) / sizeof(options[0])))
        return false;
    weft_shape shape = weft_sample_shape(sampler, 3, 1, 5);
    shape.extent[2] = weft_sampler_integer(sampler, 1, 150);
    weft_value variable =
        weft_variable(weft_sampler_graph(sampler),
                      &(weft_variable_options){
                          .shape = shape,
                          .initializer = {.kind = WEFT_INIT_UNIFORM, .a = 0.5, .b = 1.5},
                          .frozen = true,
                      });
    weft_sampler_output(sampler, weft_constrain(variable, &options[index]));
    return true;
}

const weft_op weft_constrain_op = {
    .name = "constrain",
    .summary = "each unit of w scaled so that its norm keeps a bound, in the last micro-batch",
    .shapes = "w [..] -> [..]",
    .parameters = "kind, bound, axis, micro_batches",
    .source = "Srebro et al. 2005; Keras's constraints",

    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_NO_GRADIENT,
    .writes = WEFT_INPUT(0),
    .infer = infer,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .label = label,
    .sample = sample,
};
