#include "optim/update.h"

#include "ops/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_update_kernels, weft_update_table)

const weft_update_rule *weft_update_rule_of(weft_update_kind kind)
{
    static const weft_update_rule *const rules[] = {
#define ROW(NAME, name, slots, flops) [WEFT_UPDATE_##NAME] = &weft_##name##_rule,
        WEFT_UPDATE_TABLE(ROW)
#undef ROW
    };
    return rules[kind];
}

/* ---- Inputs ---- */

/* Which input is what; -1: there is none. */
typedef struct update_inputs {
    int slots, gradient, rate, step, norm, group, count;
} update_inputs;

static update_inputs inputs_of(const weft_op *op, int32_t scalars)
{
    int slots = __builtin_popcount(op->writes) - 1;
    update_inputs at = {.slots = slots,
                        .gradient = slots + 1,
                        .rate = slots + 2,
                        .step = -1,
                        .norm = -1,
                        .group = -1};
    at.count = slots + 3;
    if (scalars & WEFT_UPDATE_STEP)
        at.step = at.count++;
    if (scalars & WEFT_UPDATE_NORM)
        at.norm = at.count++;
    if (scalars & WEFT_UPDATE_GROUP)
        at.group = at.count++;
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
    const weft_update_attributes *a = infer->attributes;
    update_inputs at = inputs_of(infer->op, a->scalars);
    char first[120], second[120];
    if (infer->inputs != at.count)
        return weft_infer_fail(infer, "%d inputs, not %d", infer->inputs, at.count);
    for (int i = 0; i <= at.gradient; i++) {
        if (!weft_infer_real(infer, i, i == at.gradient ? "gradient" : "variable"))
            return false;
        if (!weft_shape_equal(infer->shape[i], infer->shape[0]))
            return weft_infer_fail(infer, "%s is %s, the variable %s",
                                   i == at.gradient ? "gradient" : "slot",
                                   weft_shape_text(infer->shape[i], first, sizeof(first)),
                                   weft_shape_text(infer->shape[0], second, sizeof(second)));
    }
    infer->out_shape[0] = infer->shape[0];
    return is_scalar(infer, at.rate, WEFT_REAL, "learning rate") &&
           is_scalar(infer, at.step, WEFT_INT32, "step") &&
           is_scalar(infer, at.norm, WEFT_REAL, "norm") &&
           is_scalar(infer, at.group, WEFT_REAL, "group rate");
}

/* ---- Terms ---- */

/* What clipping by a norm leaves of a gradient: see include/weft/optim.h. Of a norm that is NaN it is NaN, as in PyTorch
 * and Keras: what exploded is not applied as it is. */
static double scale_of(const weft_update_attributes *a, double norm)
{
    if (a->keras)
        return norm <= a->clip_norm ? 1 : a->clip_norm / norm;
    double scale = a->clip_norm / (norm + 1e-6);
    return scale > 1 ? 1 : scale;
}

/* norm below 0: no clipping by it. */
static weft_update_terms terms_of(const weft_update_attributes *a, double rate, int32_t step,
                                  double norm)
{
    weft_update_terms terms = {
        .scale = norm < 0 ? 1 : scale_of(a, norm),
        .limit = a->clip_value > 0 ? a->clip_value : INFINITY,
        .decay = a->decoupled ? 0 : a->weight_decay,
        .keep = a->decoupled ? 1 - rate * a->weight_decay : 1,
        .rate = rate,
        .gain = 1,
        .momentum = a->momentum,
        .beta1 = a->beta1,
        .beta2 = a->beta2,
        .unbias = 1,
        .trust = 1,
    };
    const weft_update_rule *rule = weft_update_rule_of((weft_update_kind)a->kind);
    if (rule->prepare)
        rule->prepare(a, step, &terms);
    return terms;
}

void weft_update_unbias(const weft_update_attributes *a, int32_t step, weft_update_terms *terms)
{
    double root = sqrt(1 - pow(a->beta2, step));
    terms->rate /= 1 - pow(a->beta1, step);
    terms->epsilon = a->epsilon;
    if (a->keras)
        terms->rate *= root;
    else
        terms->unbias = 1 / root;
}

void weft_update_velocity(const weft_update_attributes *a, int32_t step, weft_update_terms *terms)
{
    (void)step;
    if (!a->keras)
        return;
    terms->gain = terms->rate;
    terms->rate = 1;
}

void weft_update_epsilon(const weft_update_attributes *a, weft_update_terms *terms)
{
    *(a->keras ? &terms->inside : &terms->epsilon) = a->epsilon;
}

/* ---- Plain form ---- */

static double *element_of(const weft_tensor *tensor, int64_t index)
{
    return (double *)tensor->data + weft_tensor_offset(tensor, index);
}

/* The elements of the slots that belong to element i of the variable. */
static void slots_of(const weft_tensor *input, int slots, int64_t i, double **slot)
{
    for (int k = 0; k < slots; k++)
        slot[k] = element_of(&input[1 + k], i);
}

void weft_update_f64(const weft_operands *operands)
{
    const weft_update_attributes *a = operands->attributes;
    if (!weft_update_due(operands->info, a->micro_batches))
        return;
    const weft_update_rule *rule = weft_update_rule_of((weft_update_kind)a->kind);
    update_inputs at = inputs_of(rule->op, a->scalars);
    const weft_tensor *x = operands->input;
    double group = at.group >= 0 ? *(const double *)x[at.group].data : 1;
    if (group == 0)
        return;
    weft_update_terms terms = terms_of(a, *(const double *)x[at.rate].data * group,
                                       at.step >= 0 ? *(const int32_t *)x[at.step].data : 0,
                                       at.norm >= 0 ? *(const double *)x[at.norm].data : -1);
    int64_t elements = weft_tensor_elements(&x[0]);
    double *slot[WEFT_UPDATE_SLOTS] = {NULL}, sum[2] = {0, 0};
    for (int64_t i = 0; i < elements && rule->measure; i++) {
        slots_of(x, at.slots, i, slot);
        rule->measure(&terms, element_of(&x[0], i), slot, *element_of(&x[at.gradient], i), sum);
    }
    if (rule->measure)
        terms.trust = rule->trust(a, &terms, sqrt(sum[0]), sqrt(sum[1]));
    for (int64_t i = 0; i < elements; i++) {
        slots_of(x, at.slots, i, slot);
        rule->element(&terms, element_of(&x[0], i), slot, *element_of(&x[at.gradient], i));
    }
}

/* ---- Float32 form: for rules that need norms sums of pieces, their ratio, then the elements ---- */

typedef struct update_args {
    weft_update_attributes attributes;
    update_inputs at;
    int64_t elements, pieces;
    const weft_update_rule *rule;
    weft_update_fn *apply;
    weft_update_measure_fn *measure;
} update_args;

static double group_rate(const weft_call *call)
{
    const update_args *args = call->args;
    return args->at.group >= 0 ? (double)*(const float *)call->operand[args->at.group] : 1;
}

static bool is_due(const weft_call *call)
{
    const update_args *args = call->args;
    return weft_update_due(call->info, args->attributes.micro_batches) && group_rate(call) != 0;
}

static weft_update_terms terms_of_call(const weft_call *call)
{
    const update_args *args = call->args;
    update_inputs at = args->at;
    return terms_of(&args->attributes,
                    (double)*(const float *)call->operand[at.rate] * group_rate(call),
                    at.step >= 0 ? *(const int32_t *)call->operand[at.step] : 0,
                    at.norm >= 0 ? *(const float *)call->operand[at.norm] : -1);
}

/* What a piece works on. */
typedef struct update_piece {
    float *variable, *slot[WEFT_UPDATE_SLOTS];
    const float *gradient;
    int64_t count;
} update_piece;

static update_piece piece_of(const weft_call *call, int64_t piece)
{
    const update_args *args = call->args;
    int64_t first = piece * WEFT_UPDATE_PIECE, left = args->elements - first;
    update_piece p = {.variable = (float *)call->operand[0] + first,
                      .gradient = (const float *)call->operand[args->at.gradient] + first,
                      .count = left < WEFT_UPDATE_PIECE ? left : WEFT_UPDATE_PIECE};
    for (int k = 0; k < args->at.slots; k++)
        p.slot[k] = (float *)call->operand[1 + k] + first;
    return p;
}

/* Workspace: two sums for each piece, then the ratio. */
static double *sums_of(const weft_call *call)
{
    const update_args *args = call->args;
    return call->operand[args->at.count + 1];
}

static void measure_piece(const weft_call *call, int64_t piece)
{
    const update_args *args = call->args;
    if (!is_due(call))
        return;
    weft_update_terms terms = terms_of_call(call);
    update_piece p = piece_of(call, piece);
    double *sum = sums_of(call) + 2 * piece;
    sum[0] = sum[1] = 0;
    args->measure(p.variable, p.slot, p.gradient, p.count, &terms, sum);
}

static void merge_piece(const weft_call *call, int64_t piece)
{
    (void)piece;
    const update_args *args = call->args;
    if (!is_due(call))
        return;
    weft_update_terms terms = terms_of_call(call);
    double *sums = sums_of(call), first = 0, second = 0;
    for (int64_t i = 0; i < args->pieces; i++) {
        first += sums[2 * i];
        second += sums[2 * i + 1];
    }
    sums[2 * args->pieces] =
        args->rule->trust(&args->attributes, &terms, sqrt(first), sqrt(second));
}

static void apply_piece(const weft_call *call, int64_t piece)
{
    const update_args *args = call->args;
    if (!is_due(call))
        return;
    weft_update_terms terms = terms_of_call(call);
    if (args->measure)
        terms.trust = sums_of(call)[2 * args->pieces];
    update_piece p = piece_of(call, piece);
    args->apply(p.variable, p.slot, p.gradient, p.count, &terms);
}

bool weft_update_bind(weft_bind *bind)
{
    update_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    memcpy(&args->attributes, bind->attributes, sizeof(args->attributes));
    weft_update_kind kind = (weft_update_kind)args->attributes.kind;
    args->at = inputs_of(bind->op, args->attributes.scalars);
    args->elements = weft_bind_elements(bind);
    args->pieces = weft_update_pieces(args->elements);
    args->rule = weft_update_rule_of(kind);
    args->apply = weft_update_table()->apply[kind];
    args->measure = weft_update_table()->measure[kind];
    if (args->measure) {
        weft_bind_workspace(bind, (size_t)(2 * args->pieces + 1) * sizeof(double));
        weft_bind_phase(bind, measure_piece, args->pieces);
        weft_bind_phase(bind, merge_piece, 1);
    }
    weft_bind_phase(bind, apply_piece, args->pieces);
    return true;
}

/* ---- Facts ---- */

void weft_update_cost(const weft_bind *bind, weft_cost *cost)
{
    static const double flops[] = {
#define ROW(NAME, name, slots, flops) [WEFT_UPDATE_##NAME] = (flops),
        WEFT_UPDATE_TABLE(ROW)
#undef ROW
    };
    const weft_update_attributes *a = bind->attributes;
    update_inputs at = inputs_of(bind->op, a->scalars);
    double elements = (double)weft_bind_elements(bind);
    double each = flops[a->kind] + (a->weight_decay != 0 ? 2 : 0) + (at.norm >= 0 ? 1 : 0) +
                  (a->clip_value > 0 ? 2 : 0);
    cost->flops = elements * each;
    cost->bytes = elements * (double)weft_dtype_bytes(bind->output[0].dtype) *
                  (2 * (1 + at.slots) + 1); /* read and written, but the gradient only read */
}

/* Nothing changes in a program for which the group is frozen. */
int weft_update_identity(const weft_bind *bind)
{
    const weft_update_attributes *a = bind->attributes;
    update_inputs at = inputs_of(bind->op, a->scalars);
    return at.group >= 0 && weft_tensor_is(&bind->input[at.group], 0) ? 0 : -1;
}

/* The numbers that a rule has. */
void weft_update_label(const void *attributes, char *text, size_t size)
{
    const weft_update_attributes *a = attributes;
    const double number[] = {a->momentum, a->beta1, a->beta2};
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < 3; i++)
        if (number[i] != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%g", used ? " " : "", number[i]);
}

/* ---- Samples ---- */

static weft_value sample_variable(weft_graph *graph, weft_shape shape, double low, double high)
{
    return weft_variable(
        graph,
        &(weft_variable_options){.shape = shape,
                                 .initializer = {.kind = WEFT_INIT_UNIFORM, .a = low, .b = high}});
}

bool weft_update_sample(weft_sampler *sampler, int index, weft_update_kind kind)
{
    if (index >= 8)
        return false;
    const weft_update_rule *rule = weft_update_rule_of(kind);
    weft_graph *graph = weft_sampler_graph(sampler);
    weft_shape shape =
        weft_shape_of(weft_sampler_integer(sampler, 1, 5), weft_sampler_integer(sampler, 1, 37));
    bool by_norm = weft_sampler_integer(sampler, 0, 1);
    weft_update_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.momentum = 0.75;
    attributes.momentum_decay = 0.5;
    attributes.beta1 = 0.75;
    attributes.beta2 = 0.875;
    attributes.epsilon = 1e-3;
    attributes.trust = 0.25;
    attributes.weight_decay = weft_sampler_integer(sampler, 0, 1) ? 0.1 : 0;
    attributes.clip_norm = by_norm ? 0.5 : 0;
    attributes.clip_value = weft_sampler_integer(sampler, 0, 1) ? 0.25 : 0;
    attributes.kind = kind;
    attributes.scalars = (rule->counts ? WEFT_UPDATE_STEP : 0) | (by_norm ? WEFT_UPDATE_NORM : 0) |
                         (index >= 5 ? WEFT_UPDATE_GROUP : 0);
    attributes.micro_batches = 1;
    attributes.decoupled = index & 1;
    attributes.keras = index >> 1 & 1;
    attributes.adapts = index < 6;
    update_inputs at = inputs_of(rule->op, attributes.scalars);
    weft_value input[1 + WEFT_UPDATE_SLOTS + 2 + WEFT_UPDATE_SCALARS];
    /* A mean, where there is one, is so small that the variance stays positive. */
    for (int i = 0; i <= at.slots; i++)
        input[i] = sample_variable(graph, shape, i < 2 ? 0.5 : 0.1, i < 2 ? 1 : 0.2);
    input[at.gradient] = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    input[at.rate] = weft_scalar(graph, 0.25);
    if (at.step >= 0)
        input[at.step] =
            weft_count_updates(weft_variable(graph, &(weft_variable_options){.dtype = WEFT_INT32}),
                               weft_null(graph), 1);
    if (at.norm >= 0)
        input[at.norm] = weft_scalar(graph, 2);
    if (at.group >= 0)
        input[at.group] = weft_scalar(graph, index == 7 ? 0 : 0.5);
    weft_sampler_output(sampler, weft_apply(graph, rule->op, &attributes, sizeof(attributes), NULL,
                                            input, at.count, NULL, 1));
    return true;
}
