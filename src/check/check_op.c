/* weft_check_op: all that is checked of an op, over each of its samples. */
#include "weft/check.h"

#include "base/error.h"
#include "base/memory.h"
#include "check/outcome.h"

#include <math.h>
#include <stdio.h>

typedef struct op_check {
    weft_context *context;
    const weft_op *op;
    weft_check_op_options options;
    weft_check_op_report *report;
    weft_error *error;
    int index; /* of the sample */
    weft_sample_layout layout;
} op_check;

/* A sample with its gradients: what its programs fetch. */
typedef struct op_case {
    weft_sampler sample;
    weft_value *room; /* holds the arrays below */
    size_t room_count;
    weft_value *real; /* the real inputs that the op's author declared */
    int reals;
    weft_value *fetch; /* outputs, then their gradients */
    int fetches;
} op_case;

static const char *const mode_name[] = {[WEFT_INFER] = "infer", [WEFT_TRAIN] = "train"};
static const char *const layout_name[] = {
    [WEFT_LAYOUT_FED] = "fed",
    [WEFT_LAYOUT_TRANSIENT] = "transient",
    [WEFT_LAYOUT_DYING] = "dying",
    [WEFT_LAYOUT_STRIDED] = "strided",
};

/* Puts the case and the part of the check in front of the message. */
static weft_status fail(const op_check *check, const weft_error *cause, const char *part,
                        weft_mode mode)
{
    weft_error copy = *cause;
    return weft_error_set(check->error, copy.status,
                          "%s, sample %d, seed %llu, %s inputs, %s mode, %s: %s", check->op->name,
                          check->index, (unsigned long long)check->options.seed,
                          layout_name[check->layout], mode_name[mode], part, copy.message);
}

/* An update has no gradient, by nature; ops that say so have none either. */
static bool differentiable(const weft_op *op)
{
    return !(op->flags & WEFT_OP_NO_GRADIENT) && (op->gradient || !op->writes);
}

/* ---- The case ---- */

static int collect_reals(const weft_sampler *sample, weft_value *real)
{
    int count = 0;
    for (size_t i = 0; i < sample->inputs; i++)
        if (sample->input[i].dtype == WEFT_REAL)
            real[count++] = sample->input[i].value;
    return count;
}

static int collect_outputs(const weft_sampler *sample, weft_value *output)
{
    int count = 0;
    for (size_t i = 0; i < sample->outputs; i++)
        if (weft_dtype_get(sample->output[i]) == WEFT_REAL)
            output[count++] = sample->output[i];
    return count;
}

/* Appends the gradients of the real outputs, contracted with further inputs of the sample. */
static weft_status add_gradients(op_case *c, weft_value *room)
{
    weft_sampler *sample = &c->sample;
    weft_value *y = room, *seed = y + sample->outputs, *gradient = seed + sample->outputs;
    int outputs = collect_outputs(sample, y);
    for (int i = 0; i < outputs; i++)
        seed[i] = weft_sampler_input(sample, weft_shape_get(y[i]), WEFT_SAMPLE_NORMAL);
    weft_status status = weft_vector_jacobian(y, seed, outputs, c->real, c->reals, gradient);
    for (int i = 0; status == WEFT_OK && i < c->reals; i++)
        if (!weft_is_null(gradient[i]))
            c->fetch[c->fetches++] = gradient[i];
    return status;
}

static weft_status case_create(const op_check *check, op_case *c, bool *found, weft_error *error)
{
    *c = (op_case){.fetches = 0};
    WEFT_TRY(weft_sampler_create(check->context, check->op, check->index, check->options.seed,
                                 check->layout, &c->sample, found, error));
    if (!*found)
        return WEFT_OK;
    size_t inputs = c->sample.inputs, outputs = c->sample.outputs;
    c->room_count = 3 * inputs + 3 * outputs;
    c->room = weft_allocate_array(check->context, c->room_count, sizeof(*c->room));
    if (!c->room)
        return weft_out_of_memory(error, c->room_count * sizeof(*c->room));
    c->real = c->room;
    c->fetch = c->real + inputs;
    c->reals = collect_reals(&c->sample, c->real);
    for (size_t i = 0; i < outputs; i++)
        c->fetch[c->fetches++] = c->sample.output[i];
    if (!differentiable(check->op) || !c->reals || check->layout == WEFT_LAYOUT_DYING)
        return WEFT_OK;
    if (add_gradients(c, c->fetch + inputs + outputs) == WEFT_OK)
        return WEFT_OK;
    const weft_error *built = weft_graph_error(c->sample.graph);
    return weft_error_set(error, built->status, "%s", built->message);
}

static void case_destroy(op_case *c)
{
    weft_release_array(c->sample.context, c->room, c->room_count, sizeof(*c->room));
    weft_sampler_destroy(&c->sample);
}

/* ---- Gradients ---- */

static weft_status gradcheck_sample(const op_check *check, weft_sampler *sample, bool second_order,
                                    weft_mode mode, weft_error *error)
{
    size_t inputs = sample->inputs, room_count = inputs + sample->outputs;
    weft_value *real = weft_allocate_array(check->context, room_count, sizeof(*real));
    weft_feed *feed = weft_allocate_array(check->context, inputs, sizeof(*feed));
    weft_status status = WEFT_OK;
    if (!real || !feed) {
        status = weft_out_of_memory(error, room_count * sizeof(*real));
    } else {
        weft_value *y = real + inputs;
        int outputs = collect_outputs(sample, y), reals = collect_reals(sample, real);
        for (size_t i = 0; i < inputs; i++)
            feed[i] =
                (weft_feed){sample->input[i].value, sample->input[i].data, sample->input[i].bytes};
        weft_gradcheck_options options = {
            .feeds = feed,
            .feed_count = (int)inputs,
            .mode = mode,
            .batch = 1,
            .seed = check->options.seed,
            .tolerance = check->options.gradient_tolerance,
            .elements = 24,
            .second_order = second_order,
        };
        weft_gradcheck_report report;
        status = weft_gradcheck(y, outputs, real, reals, &options, &report, error);
        double *worst =
            second_order ? &check->report->second_error : &check->report->gradient_error;
        *worst = fmax(*worst, report.error);
        check->report->gradients++;
    }
    weft_release_array(check->context, real, room_count, sizeof(*real));
    weft_release_array(check->context, feed, inputs, sizeof(*feed));
    return status;
}

/* On a graph of its own, since the check appends to it. */
static weft_status check_gradient(const op_check *check, bool second_order, weft_mode mode)
{
    weft_sampler sample;
    weft_error error;
    bool found;
    weft_status status =
        weft_sampler_create(check->context, check->op, check->index, check->options.seed,
                            WEFT_LAYOUT_FED, &sample, &found, &error);
    if (status == WEFT_OK)
        status = gradcheck_sample(check, &sample, second_order, mode, &error);
    weft_sampler_destroy(&sample);
    if (status != WEFT_OK)
        return fail(check, &error, second_order ? "second order" : "first order", mode);
    return WEFT_OK;
}

/* ---- Programs ---- */

#define WITHOUT(pass) (1u << (pass))

/* Must have the bits of the plain float32 program. */
static const weft_variant same_bits[] = {
    {.name = "2 threads", .dtype = WEFT_FLOAT32, .threads = 2},
    {.name = "3 threads", .dtype = WEFT_FLOAT32, .threads = 3},
    {.name = "without order", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_ORDER)},
    {.name = "without in_place", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_IN_PLACE)},
    {.name = "without reuse", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_REUSE)},
    {.name = "without recompute", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_RECOMPUTE)},
    {.name = "without hoist", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_HOIST)},
    {.name = "least memory", .dtype = WEFT_FLOAT32, .threads = 3, .least_memory = true},
    {.name = "least memory, poisoned", .dtype = WEFT_FLOAT32, .poison = true, .least_memory = true},
    {.name = "poisoned", .dtype = WEFT_FLOAT32, .poison = true},
    {.name = "odd addresses", .dtype = WEFT_FLOAT32, .odd_addresses = true},
    {.name = NULL},
};

/* Also, but where the operands are strided: dense copies of those may run another kernel. */
static const weft_variant same_bits_unless_strided[] = {
    {.name = "without view", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_VIEW)},
    {.name = "poisoned, without view and in_place",
     .dtype = WEFT_FLOAT32,
     .poison = true,
     .without = WITHOUT(WEFT_PASS_VIEW) | WITHOUT(WEFT_PASS_IN_PLACE)},
    {.name = NULL},
};

/* Must have the bits of the plain float64 program. */
static const weft_variant same_bits_in_double[] = {
    {.name = "float64, 2 threads, poisoned", .dtype = WEFT_FLOAT64, .threads = 2, .poison = true},
    {.name = "float64, least memory, poisoned",
     .dtype = WEFT_FLOAT64,
     .poison = true,
     .least_memory = true},
    {.name = "float64, nothing aliased",
     .dtype = WEFT_FLOAT64,
     .without = WITHOUT(WEFT_PASS_ORDER) | WITHOUT(WEFT_PASS_VIEW) | WITHOUT(WEFT_PASS_IN_PLACE) |
                WITHOUT(WEFT_PASS_REUSE)},
    {.name = NULL},
};

/* May round differently. */
static const weft_variant close_to_double[] = {
    {.name = "without cse", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_CSE)},
    {.name = "without fold", .dtype = WEFT_FLOAT32, .without = WITHOUT(WEFT_PASS_FOLD)},
    {.name = NULL},
};

static weft_status run_variant(const op_check *check, const op_case *c, weft_variant variant,
                               weft_mode mode, weft_outcome *outcome, weft_error *error)
{
    variant.mode = mode;
    if (!variant.threads)
        variant.threads = 1;
    check->report->programs++;
    return weft_outcome_create(&c->sample, c->fetch, c->fetches, &variant, check->options.seed,
                               outcome, error);
}

static weft_status check_same_bits(const op_check *check, const op_case *c,
                                   const weft_variant *variants, weft_mode mode,
                                   const weft_outcome *expected)
{
    weft_status status = WEFT_OK;
    for (const weft_variant *v = variants; v->name && status == WEFT_OK; v++) {
        weft_error error;
        weft_outcome outcome;
        status = run_variant(check, c, *v, mode, &outcome, &error);
        if (status == WEFT_OK)
            status = weft_outcome_equal(&outcome, expected, &error);
        weft_outcome_release(&outcome);
        if (status != WEFT_OK)
            fail(check, &error, v->name, mode);
    }
    return status;
}

static weft_status check_close(const op_check *check, const op_case *c, const weft_variant *variant,
                               weft_mode mode, const weft_outcome *exact, weft_outcome *outcome)
{
    weft_error error;
    weft_status status = run_variant(check, c, *variant, mode, outcome, &error);
    if (status == WEFT_OK)
        status = weft_outcome_close(outcome, exact, check->options.float_tolerance,
                                    &check->report->float_error, &error);
    return status == WEFT_OK ? WEFT_OK : fail(check, &error, variant->name, mode);
}

static weft_status check_all_close(const op_check *check, const op_case *c,
                                   const weft_variant *variants, weft_mode mode,
                                   const weft_outcome *exact)
{
    weft_status status = WEFT_OK;
    for (const weft_variant *v = variants; v->name && status == WEFT_OK; v++) {
        weft_outcome outcome;
        status = check_close(check, c, v, mode, exact, &outcome);
        weft_outcome_release(&outcome);
    }
    return status;
}

static weft_status check_single(const op_check *check, const op_case *c, weft_mode mode,
                                const weft_outcome *exact)
{
    const weft_variant plain = {.name = "float32", .dtype = WEFT_FLOAT32};
    bool strided = check->layout == WEFT_LAYOUT_STRIDED;
    weft_outcome outcome;
    weft_status status = check_close(check, c, &plain, mode, exact, &outcome);
    if (status == WEFT_OK)
        status = check_same_bits(check, c, same_bits, mode, &outcome);
    if (status == WEFT_OK && !strided)
        status = check_same_bits(check, c, same_bits_unless_strided, mode, &outcome);
    weft_outcome_release(&outcome);
    if (status == WEFT_OK && strided)
        status = check_all_close(check, c, same_bits_unless_strided, mode, exact);
    return status == WEFT_OK ? check_all_close(check, c, close_to_double, mode, exact) : status;
}

static weft_status run_exact(const op_check *check, const op_case *c, weft_mode mode,
                             weft_outcome *outcome)
{
    weft_error error;
    const weft_variant plain = {.name = "float64", .dtype = WEFT_FLOAT64};
    weft_status status = run_variant(check, c, plain, mode, outcome, &error);
    return status == WEFT_OK ? WEFT_OK : fail(check, &error, plain.name, mode);
}

/* ---- The whole ---- */

static weft_status check_mode(const op_check *check, const op_case *c, weft_mode mode,
                              const weft_outcome *exact)
{
    WEFT_TRY(check_same_bits(check, c, same_bits_in_double, mode, exact));
    WEFT_TRY(check_single(check, c, mode, exact));
    if (!differentiable(check->op) || !c->reals || check->layout != WEFT_LAYOUT_FED ||
        check->options.programs_only)
        return WEFT_OK;
    WEFT_TRY(check_gradient(check, false, mode));
    return check->options.first_order_only ? WEFT_OK : check_gradient(check, true, mode);
}

/* Infer mode is checked where it computes something else. Updates happen in train mode only. */
static weft_status check_infer(const op_check *check, const op_case *c, const weft_outcome *train)
{
    if (check->op->family == WEFT_FAMILY_UPDATE)
        return WEFT_OK;
    weft_outcome exact;
    weft_status status = run_exact(check, c, WEFT_INFER, &exact);
    if (status == WEFT_OK && weft_outcome_equal(&exact, train, NULL) != WEFT_OK)
        status = check_mode(check, c, WEFT_INFER, &exact);
    weft_outcome_release(&exact);
    return status;
}

static weft_status check_modes(const op_check *check, const op_case *c)
{
    weft_outcome exact;
    weft_status status = run_exact(check, c, WEFT_TRAIN, &exact);
    if (status == WEFT_OK)
        status = check_mode(check, c, WEFT_TRAIN, &exact);
    if (status == WEFT_OK)
        status = check_infer(check, c, &exact);
    weft_outcome_release(&exact);
    return status;
}

static weft_status check_layout(const op_check *check, bool *found)
{
    op_case c;
    weft_error error;
    weft_status status = case_create(check, &c, found, &error);
    if (status != WEFT_OK)
        fail(check, &error, "building", WEFT_INFER);
    else if (*found)
        status = check_modes(check, &c);
    case_destroy(&c);
    return status;
}

static weft_status check_case(op_check *check, bool *found)
{
    *found = true;
    for (check->layout = 0; check->layout < WEFT_LAYOUTS && *found; check->layout++)
        WEFT_TRY(check_layout(check, found));
    return WEFT_OK;
}

weft_status weft_check_op(weft_context *context, const weft_op *op,
                          const weft_check_op_options *options, weft_check_op_report *report,
                          weft_error *error)
{
    weft_check_op_report unread;
    op_check check = {
        .context = context,
        .op = op,
        .options = options ? *options : (weft_check_op_options){0},
        .report = report ? report : &unread,
        .error = error,
    };
    if (check.options.float_tolerance == 0)
        check.options.float_tolerance = 1e-5;
    *check.report = (weft_check_op_report){0};
    for (bool found = true; found; check.index++) {
        WEFT_TRY(check_case(&check, &found));
        if (found)
            check.report->cases++;
    }
    if (!check.report->cases)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "%s has no samples to check", op->name);
    return WEFT_OK;
}
