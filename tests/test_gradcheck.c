/* The checks themselves: a right gradient passes, each kind of wrong one is found and named. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "graph/core_ops.h"
#include "support/allocator.h"
#include "weft/weft.h"

static test_allocator allocator;
static weft_context *context;
static weft_graph *graph;
static weft_error error;

static void begin(void)
{
    allocator = (test_allocator){0};
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
    graph = weft_graph_create(context);
    error = (weft_error){0};
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
    cr_expect_eq(allocator.wrong_releases, 0);
}

TestSuite(gradcheck, .init = begin, .fini = end);

/* ---- Ops of this file: a product in several moods ---- */

static bool infer_first(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static double at(const weft_tensor *tensor, int64_t index)
{
    return ((const double *)tensor->data)[weft_tensor_offset(tensor, index)];
}

static void times_f64(const weft_operands *o)
{
    const weft_tensor *y = &o->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        ((double *)y->data)[weft_tensor_offset(y, i)] = at(&o->input[0], i) * at(&o->input[1], i);
}

static void times_gradient(weft_gradient_call *call);
static void flipped_gradient(weft_gradient_call *call);
static void late_gradient(weft_gradient_call *call);
static void forgetful_gradient(weft_gradient_call *call);

#define PRODUCT(rule)                                                                              \
    {                                                                                              \
        .name = #rule, .min_inputs = 2, .max_inputs = 2, .outputs = 1, .infer = infer_first,       \
        .gradient = rule##_gradient, .run_f64 = times_f64                                          \
    }

static const weft_op times_op = PRODUCT(times);
static const weft_op flipped_op = PRODUCT(flipped);
static const weft_op late_op = PRODUCT(late);
static const weft_op forgetful_op = PRODUCT(forgetful);

static weft_value product(const weft_op *op, weft_value a, weft_value b)
{
    return weft_apply(a.graph, op, NULL, 0, NULL, (weft_value[]){a, b}, 2, NULL, 1);
}

static weft_value times(weft_value a, weft_value b)
{
    return product(&times_op, a, b);
}

static void times_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0];
    call->input_gradient[0] = times(g, call->input[1]);
    call->input_gradient[1] = times(g, call->input[0]);
}

/* Wrong in the sign of one input's gradient. */
static void flipped_gradient(weft_gradient_call *call)
{
    times_gradient(call);
    weft_value minus = weft_fill_like(call->input[0], -1);
    call->input_gradient[1] = times(minus, call->input_gradient[1]);
}

/* Right, but the gradient's own gradient is not. */
static void late_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0];
    call->input_gradient[0] = product(&flipped_op, g, call->input[1]);
    call->input_gradient[1] = times(g, call->input[0]);
}

/* Says that input 1 has no gradient. */
static void forgetful_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = times(call->output_gradient[0], call->input[1]);
}

/* |x|, with a kink at 0. */
static void size_f64(const weft_operands *o)
{
    const double *x = o->input[0].data;
    double *y = o->output[0].data;
    for (int64_t i = 0, n = weft_tensor_elements(&o->output[0]); i < n; i++)
        y[i] = fabs(x[i]);
}

static void sign_f64(const weft_operands *o)
{
    const double *x = o->input[0].data;
    double *y = o->output[0].data;
    for (int64_t i = 0, n = weft_tensor_elements(&o->output[0]); i < n; i++)
        y[i] = x[i] > 0 ? 1 : -1;
}

static const weft_op sign_op = {.name = "sign",
                                .min_inputs = 1,
                                .max_inputs = 1,
                                .outputs = 1,
                                .flags = WEFT_OP_NO_GRADIENT,
                                .infer = infer_first,
                                .run_f64 = sign_f64};

static void size_gradient(weft_gradient_call *call)
{
    weft_value sign = weft_apply(call->graph, &sign_op, NULL, 0, NULL, call->input, 1, NULL, 1);
    call->input_gradient[0] = times(call->output_gradient[0], sign);
}

static const weft_op size_op = {.name = "size",
                                .min_inputs = 1,
                                .max_inputs = 1,
                                .outputs = 1,
                                .infer = infer_first,
                                .gradient = size_gradient,
                                .run_f64 = size_f64};

/* ---- A graph ---- */

static weft_value a, b;

/* y = a^3 b over [batch, 5], with the given op as the last product. */
static weft_value cubic(const weft_op *op)
{
    a = weft_input(graph, .name = "a", .shape = weft_shape_of(WEFT_BATCH, 5));
    b = weft_input(graph, .name = "b", .shape = weft_shape_of(WEFT_BATCH, 5));
    return product(op, times(times(a, a), a), b);
}

static weft_status check(weft_value y, weft_gradcheck_options options,
                         weft_gradcheck_report *report)
{
    options.seed = 7;
    return weft_gradcheck(&y, 1, (weft_value[]){a, b}, 2, &options, report, &error);
}

Test(gradcheck, right_gradients_pass_to_ten_digits)
{
    weft_gradcheck_report report;
    weft_value y = cubic(&times_op);
    cr_expect_eq(check(y, (weft_gradcheck_options){0}, &report), WEFT_OK, "%s", error.message);
    cr_expect_lt(report.error, 1e-9);
    cr_expect_eq(report.values, 2);
    cr_expect_eq(report.weak, 0);
    cr_expect_eq(report.probes, 20);
    cr_expect_geq(report.runs, 20 * 6);
}

Test(gradcheck, right_second_derivatives_pass)
{
    weft_gradcheck_report report;
    weft_value y = cubic(&times_op);
    cr_expect_eq(check(y, (weft_gradcheck_options){.second_order = true}, &report), WEFT_OK, "%s",
                 error.message);
    cr_expect_lt(report.error, 1e-9);
    cr_expect_eq(report.values, 3, "a, b and the gradient of y");
}

Test(gradcheck, directions_pass)
{
    weft_gradcheck_report report;
    weft_value y = cubic(&times_op);
    cr_expect_eq(check(y, (weft_gradcheck_options){.directions = 3}, &report), WEFT_OK, "%s",
                 error.message);
    cr_expect_eq(report.probes, 6);
    cr_expect_lt(report.error, 1e-9);
}

Test(gradcheck, large_values_are_sampled)
{
    weft_gradcheck_report report;
    weft_value y = cubic(&times_op);
    weft_gradcheck_options options = {.batch = 1000, .elements = 10};
    cr_expect_eq(check(y, options, &report), WEFT_OK, "%s", error.message);
    cr_expect_eq(report.probes, 2 * 11, "ten elements and a direction of each");
}

static void expect_found(const weft_op *op, weft_gradcheck_options options, const char *name)
{
    weft_gradcheck_report report;
    cr_expect_eq(check(cubic(op), options, &report), WEFT_ERROR_GRADIENT);
    cr_expect_str_eq(report.name, name);
    cr_expect_gt(report.error, 0.5);
    char quoted[40];
    snprintf(quoted, sizeof(quoted), "\"%s\" [N,5]", name);
    cr_expect(strstr(error.message, quoted), "%s", error.message);
}

Test(gradcheck, flipped_sign_is_found)
{
    expect_found(&flipped_op, (weft_gradcheck_options){0}, "b");
}

Test(gradcheck, flipped_sign_is_found_along_directions)
{
    expect_found(&flipped_op, (weft_gradcheck_options){.directions = 2}, "b");
}

Test(gradcheck, missing_gradient_is_found)
{
    expect_found(&forgetful_op, (weft_gradcheck_options){0}, "b");
}

Test(gradcheck, first_order_does_not_see_a_wrong_second)
{
    cr_expect_eq(check(cubic(&late_op), (weft_gradcheck_options){0}, NULL), WEFT_OK, "%s",
                 error.message);
}

Test(gradcheck, wrong_second_derivative_is_found)
{
    expect_found(&late_op, (weft_gradcheck_options){.second_order = true}, "b");
}

Test(gradcheck, gradients_near_zero_are_refused)
{
    /* Far below the rounding of what they are added to. */
    weft_value c = weft_input(graph, .name = "c", .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_value y = weft_accumulate(cubic(&times_op), c);
    double small[10], large[10];
    for (int i = 0; i < 10; i++) {
        small[i] = 1e-13;
        large[i] = 1 + i;
    }
    weft_feed feeds[] = {
        {a, small, sizeof(small)}, {b, large, sizeof(large)}, {c, large, sizeof(large)}};
    weft_gradcheck_options options = {.feeds = feeds, .feed_count = 3};
    weft_gradcheck_report report;
    cr_expect_eq(weft_gradcheck(&y, 1, (weft_value[]){a, b}, 2, &options, &report, &error),
                 WEFT_ERROR_GRADIENT);
    cr_expect(strstr(error.message, "near zero"), "%s", error.message);
    cr_expect_eq(report.weak, 2);
}

Test(gradcheck, a_step_over_a_kink_is_shortened)
{
    a = weft_input(graph, .name = "a", .shape = weft_shape_of(4));
    weft_value y = weft_apply(graph, &size_op, NULL, 0, NULL, &a, 1, NULL, 1);
    double near[] = {2e-4, -1e-4, 3e-5, 1};
    weft_feed feed = {a, near, sizeof(near)};
    weft_gradcheck_options options = {.feeds = &feed, .feed_count = 1};
    weft_gradcheck_report report;
    cr_expect_eq(weft_gradcheck(&y, 1, &a, 1, &options, &report, &error), WEFT_OK, "%s",
                 error.message);
    cr_expect_gt(report.runs, 4 * 6);
}

Test(gradcheck, trainable_variables_are_the_default_and_stay_as_they_were)
{
    weft_initializer normal = {.kind = WEFT_INIT_NORMAL, .b = 1};
    weft_value w =
        weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 2), .initializer = normal);
    weft_value frozen = weft_variable(graph, .name = "frozen", .shape = weft_shape_of(3, 2),
                                      .initializer = normal, .frozen = true);
    weft_value y = times(times(w, w), frozen);
    weft_state *state = NULL;
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64, .seed = 3},
                                   &state, &error),
                 WEFT_OK);
    uint64_t before = weft_state_hash(state);
    weft_gradcheck_options options = {.state = state};
    weft_gradcheck_report report;
    cr_expect_eq(weft_gradcheck(&y, 1, NULL, 0, &options, &report, &error), WEFT_OK, "%s",
                 error.message);
    cr_expect_eq(report.values, 1);
    cr_expect_str_eq(report.name, "w");
    cr_expect_eq(weft_state_hash(state), before);
    weft_state_destroy(state);
}

Test(gradcheck, state_in_single_precision_is_refused)
{
    weft_value y = cubic(&times_op);
    weft_state *state = NULL;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_expect_eq(check(y, (weft_gradcheck_options){.state = state}, NULL), WEFT_ERROR_DTYPE);
    weft_state_destroy(state);
}

Test(gradcheck, graph_in_error_is_reported)
{
    weft_value y = cubic(&times_op);
    weft_graph_fail(graph, WEFT_ERROR_SHAPE, "no good");
    cr_expect_eq(check(y, (weft_gradcheck_options){0}, NULL), WEFT_ERROR_SHAPE);
    cr_expect(strstr(error.message, "no good"), "%s", error.message);
}

Test(gradcheck, feed_of_the_wrong_size)
{
    weft_value y = cubic(&times_op);
    double few[3] = {1, 2, 3};
    weft_feed feed = {a, few, sizeof(few)};
    weft_gradcheck_options options = {.feeds = &feed, .feed_count = 1};
    cr_expect_eq(check(y, options, NULL), WEFT_ERROR_SHAPE);
    cr_expect(strstr(error.message, "\"a\""), "%s", error.message);
}

/* ---- Checking an op over its samples ---- */

static bool sample_product(weft_sampler *sampler, int index, const weft_op *op)
{
    if (index > 1)
        return false;
    weft_shape shape = weft_shape_of(weft_sampler_integer(sampler, 1, 4), 37);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value z =
        weft_sampler_input(sampler, shape, index ? WEFT_SAMPLE_UNIT : WEFT_SAMPLE_DISTINCT);
    weft_sampler_output(sampler, product(op, x, z));
    return true;
}

/* An op like times_op, under test. */
static weft_op candidate;

static bool sample_candidate(weft_sampler *sampler, int index)
{
    return sample_product(sampler, index, &candidate);
}

static weft_status check_candidate(weft_check_op_report *report)
{
    candidate.sample = sample_candidate;
    return weft_check_op(context, &candidate, NULL, report, &error);
}

static void expect_fault(const char *part)
{
    cr_expect_neq(check_candidate(NULL), WEFT_OK);
    cr_expect(strstr(error.message, part), "\"%s\" is not in: %s", part, error.message);
}

Test(gradcheck, good_op_passes_all)
{
    weft_check_op_report report;
    candidate = times_op;
    cr_expect_eq(check_candidate(&report), WEFT_OK, "%s", error.message);
    cr_expect_eq(report.cases, 2);
    cr_expect_eq(report.gradients, 2 * 2, "cases, orders");
    cr_expect_lt(report.gradient_error, 1e-8);
    cr_expect_lt(report.second_error, 1e-8);
    cr_expect_lt(report.float_error, 1e-6);
}

Test(gradcheck, op_without_samples_fails)
{
    candidate = times_op;
    cr_expect_eq(weft_check_op(context, &candidate, NULL, NULL, &error), WEFT_ERROR_ARGUMENT);
    cr_expect(strstr(error.message, "no samples"), "%s", error.message);
}

Test(gradcheck, op_with_a_flipped_sign_fails)
{
    candidate = flipped_op;
    expect_fault("flipped, sample 0, seed 0, fed inputs, train mode, first order");
}

Test(gradcheck, op_with_a_wrong_second_derivative_fails)
{
    candidate = late_op;
    expect_fault("late, sample 0, seed 0, fed inputs, train mode, second order");
}

static void no_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = call->input_gradient[1] = weft_null(call->graph);
}

Test(gradcheck, op_without_any_gradient_fails)
{
    candidate = times_op;
    candidate.gradient = no_gradient;
    expect_fault("first order");
}

static void wrong_tail_f32(const weft_operands *o)
{
    const float *x = o->input[0].data, *z = o->input[1].data;
    float *y = o->output[0].data;
    int64_t n = weft_tensor_elements(&o->output[0]);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * z[i];
    y[n - 1] *= 1.01f;
}

Test(gradcheck, op_with_a_wrong_last_element_in_single_precision_fails)
{
    candidate = times_op;
    candidate.run_f32 = wrong_tail_f32;
    expect_fault("float32: ");
}

static void changing_f32(const weft_operands *o)
{
    static uint32_t calls;
    const float *x = o->input[0].data, *z = o->input[1].data;
    float *y = o->output[0].data;
    for (int64_t i = 0, n = weft_tensor_elements(&o->output[0]); i < n; i++)
        y[i] = x[i] * z[i];
    if (++calls % 8 == 0)
        y[0] = nextafterf(y[0], 100);
}

Test(gradcheck, op_whose_bits_change_fails)
{
    candidate = times_op;
    candidate.run_f32 = changing_f32;
    expect_fault("bits differ: element 0");
}

/* Writes before it has read, although it says that its input may be overwritten. */
static void careless_f32(const weft_operands *o)
{
    const float *x = o->input[0].data, *z = o->input[1].data;
    float *y = o->output[0].data;
    int64_t n = weft_tensor_elements(&o->output[0]);
    for (int64_t i = 0; i < n; i++)
        y[i] = z[i];
    for (int64_t i = 0; i < n; i++)
        y[i] *= x[i];
}

Test(gradcheck, op_that_reads_what_it_overwrote_fails)
{
    candidate = times_op;
    candidate.in_place = WEFT_INPUT(0);
    candidate.run_f32 = careless_f32;
    expect_fault("of its norm");
}
