/* Elementwise ops in graphs: worked numbers, broadcasting, errors, identities, dropout. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/dropout.h"
#include "weft/weft.h"

enum { ROOM = 8192 };

typedef struct fixture {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
} fixture;

static fixture f;

static void open_fixture(void)
{
    f.context = weft_context_create(NULL);
    f.graph = weft_graph_create(f.context);
}

static void close_fixture(void)
{
    weft_state_destroy(f.state);
    weft_graph_destroy(f.graph);
    weft_context_destroy(f.context);
    f.state = NULL;
}

TestSuite(elementwise, .init = open_fixture, .fini = close_fixture);
TestSuite(dropout, .init = open_fixture, .fini = close_fixture);

static weft_value values(weft_shape shape, const double *elements)
{
    return weft_constant(f.graph, shape, elements);
}

#define VALUES(shape, ...) values(shape, (const double[]){__VA_ARGS__})

static void make_state(weft_dtype dtype, uint64_t seed)
{
    weft_error error = {0};
    weft_state_destroy(f.state);
    f.state = NULL;
    weft_state_options options = {.dtype = dtype, .seed = seed};
    cr_assert_eq(weft_state_create(f.graph, &options, &f.state, &error), WEFT_OK, "%s",
                 error.message);
}

typedef struct how {
    weft_mode mode;
    int64_t batch, first_sample;
    const weft_feed *feed;
    int *steps;
} how;

/* Runs once on the state there is and copies the elements of a value. */
static void run(weft_value value, how given, double *elements)
{
    weft_error error = {0};
    weft_program *program;
    weft_compile_options options = {
        .mode = given.mode, .fetch = &value, .fetches = 1, .batch = given.batch};
    cr_assert_eq(weft_compile(f.graph, f.state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    weft_run_options run_options = {.first_sample = given.first_sample};
    cr_assert_eq(weft_run(program, given.feed, given.feed ? 1 : 0, &run_options, &error), WEFT_OK,
                 "%s", error.message);
    weft_tensor tensor = weft_fetch(program, value);
    cr_assert_not_null(tensor.data);
    for (int64_t i = 0, n = weft_tensor_elements(&tensor); i < n; i++)
        elements[i] = tensor.dtype == WEFT_FLOAT32 ? (double)((const float *)tensor.data)[i]
                                                   : ((const double *)tensor.data)[i];
    if (given.steps)
        *given.steps = weft_program_report(program).steps;
    weft_program_destroy(program);
}

/* In both element types. */
static void expect(weft_value value, int64_t count, const double *want)
{
    static const struct {
        weft_dtype dtype;
        double tolerance;
    } forms[] = {{WEFT_FLOAT32, 1e-6}, {WEFT_FLOAT64, 1e-14}};
    double got[ROOM];
    for (int form = 0; form < 2; form++) {
        make_state(forms[form].dtype, 1);
        run(value, (how){.mode = WEFT_TRAIN}, got);
        for (int64_t i = 0; i < count; i++)
            cr_assert(fabs(got[i] - want[i]) <= forms[form].tolerance * fmax(1, fabs(want[i])),
                      "%s[%lld]: %.17g, want %.17g", weft_name_get(value), (long long)i, got[i],
                      want[i]);
    }
}

#define EXPECT(value, ...)                                                                         \
    expect(value, (int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)),               \
           (const double[]){__VA_ARGS__})

/* ---- Worked numbers ---- */

Test(elementwise, four_operations_broadcast)
{
    weft_value x = VALUES(weft_shape_of(2, 3), 1, 2, 3, 4, 5, 6);
    weft_value row = VALUES(weft_shape_of(3), 10, 20, 40);
    weft_value column = VALUES(weft_shape_of(2, 1), 2, 4);
    EXPECT(weft_add(x, row), 11, 22, 43, 14, 25, 46);
    EXPECT(weft_subtract(row, x), 9, 18, 37, 6, 15, 34);
    EXPECT(weft_multiply(x, column), 2, 4, 6, 16, 20, 24);
    EXPECT(weft_divide(row, column), 5, 10, 20, 2.5, 5, 10);
    EXPECT(weft_subtract(x, weft_scalar(f.graph, 1)), 0, 1, 2, 3, 4, 5);
}

Test(elementwise, gradients_sum_over_what_was_repeated)
{
    weft_value x = VALUES(weft_shape_of(2, 3), 1, 2, 3, 4, 5, 6);
    weft_value row = VALUES(weft_shape_of(3), 1, 2, 4);
    weft_value column = VALUES(weft_shape_of(2, 1), 2, 4);
    weft_value y = weft_divide(weft_multiply(x, row), column);
    weft_value total = weft_sum_like(y, weft_scalar(f.graph, 0));
    const weft_value of[] = {x, row, column};
    weft_value gradient[3];
    cr_assert_eq(weft_gradients(total, of, 3, gradient, NULL), WEFT_OK);
    EXPECT(total, 8.5 + 38.0 / 4);
    EXPECT(gradient[0], 0.5, 1, 2, 0.25, 0.5, 1);
    EXPECT(gradient[1], 1.5, 2.25, 3);
    EXPECT(gradient[2], -17.0 / 4, -38.0 / 16);
}

Test(elementwise, functions)
{
    weft_value x = VALUES(weft_shape_of(3), 0.25, 1, 4);
    EXPECT(weft_sqrt(x), 0.5, 1, 2);
    EXPECT(weft_rsqrt(x), 2, 1, 0.5);
    EXPECT(weft_square(x), 0.0625, 1, 16);
    EXPECT(weft_negate(x), -0.25, -1, -4);
    EXPECT(weft_scale(x, -2), -0.5, -2, -8);
    EXPECT(weft_offset(x, 0.5), 0.75, 1.5, 4.5);
    EXPECT(weft_exp(x), 1.2840254166877414, 2.718281828459045, 54.598150033144236);
    EXPECT(weft_log(x), -1.3862943611198906, 0, 1.3862943611198906);
}

Test(elementwise, activations)
{
    weft_value x = VALUES(weft_shape_of(4), -2, 0, 1, 3);
    EXPECT(weft_relu(x), 0, 0, 1, 3);
    EXPECT(weft_leaky_relu(x), -0.02, 0, 1, 3);
    EXPECT(weft_leaky_relu(x, .slope = 0.25), -0.5, 0, 1, 3);
    EXPECT(weft_sigmoid(x), 0.11920292202211755, 0.5, 0.7310585786300049, 0.9525741268224334);
    EXPECT(weft_tanh(x), -0.9640275800758169, 0, 0.7615941559557649, 0.9950547536867305);
    EXPECT(weft_swish(x), -0.2384058440442351, 0, 0.7310585786300049, 2.8577223804673);
}

static weft_value gradient_of_sum(weft_value y, weft_value x)
{
    return weft_gradient(weft_sum_like(y, weft_scalar(f.graph, 0)), x);
}

Test(elementwise, gradients_of_activations)
{
    weft_value x = VALUES(weft_shape_of(4), -2, 0, 1, 3);
    EXPECT(gradient_of_sum(weft_relu(x), x), 0, 0, 1, 1);
    EXPECT(gradient_of_sum(weft_leaky_relu(x, .slope = 0.25), x), 0.25, 0.25, 1, 1);
    EXPECT(gradient_of_sum(weft_sigmoid(x), x), 0.1049935854035065, 0.25, 0.19661193324148185,
           0.045176659730912);
    EXPECT(gradient_of_sum(weft_tanh(x), x), 0.07065082485316443, 1, 0.41997434161402614,
           0.009866037165440211);
    EXPECT(gradient_of_sum(weft_swish(x), x), -0.09078424878489548, 0.5, 0.9276705118714867,
           1.0881041060151695);
}

/* Against numbers from the formulas, computed with Python's math in double. */
Test(elementwise, smooth_activations)
{
    weft_value x = VALUES(weft_shape_of(4), -2, 0, 1, 4);
    EXPECT(weft_elu(x, .alpha = 0.5), -0.43233235838169365, 0, 1, 4);
    EXPECT(weft_selu(x), -1.520166468595695, 0, 1.0507009873554805, 4.202803949421922);
    EXPECT(weft_gelu(x), -0.04550026389635844, 0, 0.8413447460685429, 3.9998733150326675);
    EXPECT(weft_gelu(x, .approximate = true), -0.04540230591222494, 0, 0.8411919906082768,
           3.9999297540518075);
    EXPECT(weft_softplus(x), 0.1269280110429725, 0.6931471805599453, 1.3132616875182228,
           4.0181499279178094);
    EXPECT(weft_softplus(x, .beta = 2), 0.009074963958904869, 0.34657359027997264,
           1.0634640055214863, 4.000167703186448);
    EXPECT(weft_softsign(x), -2.0 / 3, 0, 0.5, 0.8);
    EXPECT(weft_mish(x), -0.2525014826957089, 0, 0.8650983882673103, 3.9974128069762385);
    EXPECT(weft_swish_beta(x, weft_scalar(f.graph, 2)), -0.03597241992418312, 0, 0.8807970779778823,
           3.9986585994781345);
    /* 1 sigmoid(0) and 4 sigmoid(-2) */
    weft_value y = VALUES(weft_shape_of(2, 2), 1, 0, 4, -2);
    EXPECT(weft_glu(y, -1), 0.5, 4 * 0.11920292202211755);
    /* 1 sigmoid(4), 0 sigmoid(-2) */
    EXPECT(weft_glu(y, 0), 0.9820137900379085, 0);
}

Test(elementwise, gradients_of_smooth_activations)
{
    weft_value x = VALUES(weft_shape_of(4), -2, 0, 1, 4);
    EXPECT(gradient_of_sum(weft_elu(x, .alpha = 0.5), x), 0.06766764161830635, 0.5, 1, 1);
    EXPECT(gradient_of_sum(weft_selu(x), x), 0.23793287225168183, 1.7580993408473766,
           1.0507009873554805, 1.0507009873554805);
    EXPECT(gradient_of_sum(weft_gelu(x), x), -0.0852318010781969, 0.5, 1.0833154705876864,
           1.0005036496612265);
    EXPECT(gradient_of_sum(weft_gelu(x, .approximate = true), x), -0.08609925662361825, 0.5,
           1.0829640838457826, 1.000335123197122);
    EXPECT(gradient_of_sum(weft_softplus(x, .beta = 2), x), 0.01798620996209156, 0.5,
           0.8807970779778823, 0.9996646498695336);
    EXPECT(gradient_of_sum(weft_softsign(x), x), 1.0 / 9, 1, 0.25, 0.04);
    EXPECT(gradient_of_sum(weft_mish(x), x), -0.1083550924203939, 0.6, 1.0490362200997922,
           1.00443287690375);
    weft_value beta = weft_scalar(f.graph, 2), y = weft_swish_beta(x, beta);
    EXPECT(gradient_of_sum(y, x), -0.05266461489107291, 0.5, 1.0907842487848955,
           1.0023465512355845);
    EXPECT(gradient_of_sum(y, beta), 0.18100821298877298);
}

Test(elementwise, activations_in_pieces)
{
    weft_value x = VALUES(weft_shape_of(7), -4, -3, -1.5, 0, 0.5, 3, 5);
    EXPECT(weft_hard_sigmoid(x), 0, 0, 0.25, 0.5, 7.0 / 12, 1, 1);
    EXPECT(weft_hard_sigmoid(x, .slope = 0.2), 0, 0, 0.2, 0.5, 0.6, 1, 1);
    EXPECT(weft_hard_tanh(x), -1, -1, -1, 0, 0.5, 1, 1);
    EXPECT(weft_hard_tanh(x, .low = -3, .high = 0.5), -3, -3, -1.5, 0, 0.5, 0.5, 0.5);
    EXPECT(weft_hard_swish(x), 0, 0, -0.375, 0, 3.5 / 12, 3, 5);
    EXPECT(gradient_of_sum(weft_hard_sigmoid(x), x), 0, 0, 1.0 / 6, 1.0 / 6, 1.0 / 6, 0, 0);
    EXPECT(gradient_of_sum(weft_hard_sigmoid(x, .slope = 0.2), x), 0, 0, 0.2, 0.2, 0.2, 0, 0);
    EXPECT(gradient_of_sum(weft_hard_tanh(x, .low = -3, .high = 0.5), x), 0, 0, 1, 1, 0, 0, 0);
    EXPECT(gradient_of_sum(weft_hard_swish(x), x), 0, 0, 0, 0.5, 2.0 / 3, 1, 1);
}

Test(elementwise, slopes_of_channels)
{
    weft_value x = VALUES(weft_shape_of(2, 3), -2, 0, 3, 4, -5, -6);
    weft_value slope = VALUES(weft_shape_of(3), 0.5, 0.25, -1);
    weft_value y = weft_prelu(x, slope);
    EXPECT(y, -1, 0, 3, 4, -1.25, 6);
    EXPECT(gradient_of_sum(y, x), 0.5, 0.25, 1, 1, 0.25, -1);
    EXPECT(gradient_of_sum(y, slope), -2, -5, -6);
}

Test(elementwise, extremes)
{
    weft_value x = VALUES(weft_shape_of(4), -2, 1, 3, 0), y = VALUES(weft_shape_of(4), 1, 1, 2, 5);
    EXPECT(weft_maximum(x, y), 1, 1, 3, 5);
    EXPECT(weft_minimum(x, y), -2, 1, 2, 0);
    EXPECT(gradient_of_sum(weft_maximum(x, y), x), 0, 0.5, 1, 0);
    EXPECT(gradient_of_sum(weft_maximum(x, y), y), 1, 0.5, 0, 1);
    EXPECT(gradient_of_sum(weft_minimum(x, y), x), 1, 0.5, 0, 1);
    EXPECT(gradient_of_sum(weft_minimum(x, y), y), 0, 0.5, 1, 0);
    EXPECT(weft_clip(x, -1, 1), -1, 1, 1, 0);
    EXPECT(gradient_of_sum(weft_clip(x, -1, 1), x), 0, 1, 0, 1);
    EXPECT(weft_clip(x, -INFINITY, 1), -2, 1, 1, 0);
    EXPECT(weft_abs(x), 2, 1, 3, 0);
    EXPECT(weft_sign(x), -1, 1, 1, 0);
    EXPECT(gradient_of_sum(weft_abs(x), x), -1, 1, 1, 0);
}

Test(elementwise, comparisons_and_choices)
{
    weft_value x = VALUES(weft_shape_of(3), 1, 2, 3), two = weft_scalar(f.graph, 2);
    EXPECT(weft_equal(x, two), 0, 1, 0);
    EXPECT(weft_not_equal(x, two), 1, 0, 1);
    EXPECT(weft_less(x, two), 1, 0, 0);
    EXPECT(weft_less_equal(x, two), 1, 1, 0);
    EXPECT(weft_greater(x, two), 0, 0, 1);
    EXPECT(weft_greater_equal(x, two), 0, 1, 1);
    weft_value column = VALUES(weft_shape_of(2, 1), 10, 20), y = weft_scale(x, -1);
    weft_value chosen = weft_select(weft_less(x, two), column, y);
    EXPECT(chosen, 10, -2, -3, 20, -2, -3);
    EXPECT(gradient_of_sum(chosen, column), 1, 1);
    EXPECT(gradient_of_sum(chosen, y), 0, 2, 2);
}

Test(elementwise, powers)
{
    weft_value x = VALUES(weft_shape_of(4), 2, -3, 0, 0), y = VALUES(weft_shape_of(4), 3, 2, 0, 2);
    EXPECT(weft_power(x, y), 8, 9, 1, 0);
    EXPECT(gradient_of_sum(weft_power(x, y), x), 12, -6, 0, 0);
    weft_value base = VALUES(weft_shape_of(3), 2, 0, 1);
    weft_value half = weft_scalar(f.graph, 0.5), z = weft_power(base, half);
    EXPECT(z, 1.4142135623730951, 0, 1);
    EXPECT(gradient_of_sum(z, half), 1.4142135623730951 * 0.6931471805599453);
}

/* x^y log(x), x^y log(x)^2 and x^(y-1) (1 + y log(x)), and 0 where x is 0, though x^-1 is infinite there. */
Test(elementwise, powers_of_zero_have_no_gradient_by_the_exponent)
{
    const double ln2 = 0.6931471805599453;
    weft_value x = VALUES(weft_shape_of(2), 0, 2), y = VALUES(weft_shape_of(2), -1, -1);
    weft_value slope = gradient_of_sum(weft_power(x, y), y);
    EXPECT(slope, 0, ln2 / 2);
    EXPECT(gradient_of_sum(slope, y), 0, ln2 * ln2 / 2);
    EXPECT(gradient_of_sum(slope, x), 0, (1 - ln2) / 4);
}

static void expect_nan(weft_value value, int64_t count)
{
    double got[ROOM];
    for (int form = 0; form < 2; form++) {
        make_state(form ? WEFT_FLOAT64 : WEFT_FLOAT32, 1);
        run(value, (how){.mode = WEFT_TRAIN}, got);
        for (int64_t i = 0; i < count; i++)
            cr_expect(isnan(got[i]), "%s[%lld] is %g", weft_name_get(value), (long long)i, got[i]);
    }
}

Test(elementwise, nan_stays_nan)
{
    weft_value x = VALUES(weft_shape_of(2), NAN, NAN), one = weft_scalar(f.graph, 1);
    const weft_value of[] = {
        weft_maximum(x, one), weft_maximum(one, x), weft_minimum(x, one), weft_minimum(one, x),
        weft_clip(x, -1, 1),  weft_abs(x),          weft_sign(x),         weft_elu(x),
        weft_gelu(x),         weft_softplus(x),     weft_softsign(x),     weft_mish(x),
        weft_hard_sigmoid(x), weft_hard_tanh(x),    weft_hard_swish(x),   weft_prelu(x, one),
        weft_power(x, one),
    };
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        expect_nan(of[i], 2);
}

Test(elementwise, large_arguments_do_not_overflow)
{
    weft_value x = VALUES(weft_shape_of(2), -200, 200);
    EXPECT(weft_softplus(x), 0, 200);
    EXPECT(weft_mish(x), 0, 200);
    EXPECT(weft_gelu(x), 0, 200);
    EXPECT(weft_gelu(x, .approximate = true), 0, 200);
    EXPECT(weft_elu(x), -1, 200);
    EXPECT(gradient_of_sum(weft_mish(x), x), 0, 1);
    EXPECT(gradient_of_sum(weft_gelu(x), x), 0, 1);
    EXPECT(gradient_of_sum(weft_gelu(x, .approximate = true), x), 0, 1);
    weft_value far = VALUES(weft_shape_of(2), 1e17, 1e30);
    EXPECT(gradient_of_sum(weft_mish(far), far), 1, 1);
}

Test(elementwise, bytes_become_real)
{
    weft_value bytes =
        weft_input(f.graph, .shape = weft_shape_of(WEFT_BATCH, 2), .dtype = WEFT_UINT8);
    weft_value x = weft_cast_real(bytes, .scale = 1.0 / 255, .offset = -1);
    make_state(WEFT_FLOAT64, 1);
    const uint8_t data[] = {0, 51, 255, 102};
    double got[4];
    run(x, (how){.batch = 2, .feed = &(weft_feed){bytes, data, sizeof(data)}}, got);
    const double want[] = {-1, -0.8, 0, -0.6};
    for (int i = 0; i < 4; i++)
        cr_expect_float_eq(got[i], want[i], 1e-15);
}

/* ---- Errors ---- */

static void expect_error(const char *text)
{
    const weft_error *error = weft_graph_error(f.graph);
    cr_assert_neq(error->status, WEFT_OK);
    cr_assert(strstr(error->message, text), "\"%s\" is not in: %s", text, error->message);
    cr_assert(strstr(error->message, "test_elementwise.c"), "no place in: %s", error->message);
}

Test(elementwise, shapes_that_do_not_broadcast)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 8, 16));
    cr_expect(weft_is_null(weft_add(x, VALUES(weft_shape_of(3), 1, 2, 3))));
    expect_error("operands [N,8,8,16] and [3] do not broadcast");
}

Test(elementwise, an_open_batch_is_not_any_number)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(WEFT_BATCH, 2));
    cr_expect(weft_is_null(weft_multiply(x, VALUES(weft_shape_of(2, 2), 1, 2, 3, 4))));
    expect_error("operands [N,2] and [2,2] do not broadcast");
}

Test(elementwise, open_batches_match)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(WEFT_BATCH, 2));
    weft_value y = weft_add(weft_add(x, x), VALUES(weft_shape_of(1, 2), 1, 2));
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 2)));
}

Test(elementwise, three_shapes_that_do_not_broadcast)
{
    weft_value x = VALUES(weft_shape_of(2), 1, 2), one = weft_scalar(f.graph, 1);
    cr_expect(weft_is_null(weft_select(one, x, VALUES(weft_shape_of(3), 1, 2, 3))));
    expect_error("operands [2] and [3] do not broadcast");
}

Test(elementwise, a_slope_wider_than_its_input)
{
    weft_value x = VALUES(weft_shape_of(2), 1, 2);
    cr_expect(weft_is_null(weft_prelu(x, VALUES(weft_shape_of(3, 1), 1, 2, 3))));
    expect_error("the slope [3,1] does not broadcast to the input [2]");
}

Test(elementwise, a_range_upside_down)
{
    cr_expect(weft_is_null(weft_clip(VALUES(weft_shape_of(2), 1, 2), 2, 1)));
    expect_error("clip: 2 is above 1");
}

Test(elementwise, parameters_out_of_range)
{
    weft_value x = VALUES(weft_shape_of(2), 1, 2);
    cr_expect(weft_is_null(weft_elu(x, .alpha = -1)));
    expect_error("elu: alpha -1 is not positive");
}

/* Less than that is 0 in float32. */
Test(elementwise, a_ceiling_that_is_too_low)
{
    weft_value x = VALUES(weft_shape_of(2), 1, 2);
    cr_expect(weft_is_null(weft_clipped_relu(x, 1e-40)));
    expect_error("clipped_relu: the ceiling 1e-40 is not positive, at least");
}

Test(elementwise, bytes_are_not_real)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(2), .dtype = WEFT_UINT8);
    cr_expect(weft_is_null(weft_relu(x)));
    expect_error("operand must be real, not uint8");
}

Test(elementwise, sums_need_a_shape_that_broadcasts)
{
    weft_value x = VALUES(weft_shape_of(2, 2), 1, 2, 3, 4);
    cr_expect(weft_is_null(weft_sum_like(x, VALUES(weft_shape_of(3), 1, 2, 3))));
    expect_error("[3] does not broadcast to [2,2]");
}

/* ---- Identities ---- */

Test(elementwise, what_changes_nothing_is_left_out)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(WEFT_BATCH, 3));
    weft_value zero = weft_scalar(f.graph, 0), one = weft_scalar(f.graph, 1);
    weft_value y = weft_add(zero, weft_subtract(weft_add(x, zero), zero));
    y = weft_divide(weft_multiply(one, weft_multiply(y, one)), one);
    y = weft_offset(weft_scale(y, 1), 0);
    y = weft_broadcast_like(weft_sum_like(y, x), x);
    y = weft_dropout(weft_dropout(y, .rate = 0), .rate = 0.5, .mode = WEFT_MODE_INFER);
    y = weft_square(y);
    make_state(WEFT_FLOAT32, 1);
    const float data[] = {1, 2, 3};
    double got[3];
    int steps;
    run(y, (how){.mode = WEFT_TRAIN, .feed = &(weft_feed){x, data, sizeof(data)}, .steps = &steps},
        got);
    cr_expect_eq(steps, 1);
    cr_expect(got[0] == 1 && got[1] == 4 && got[2] == 9);
}

Test(elementwise, what_changes_something_stays)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(3));
    weft_value zero = weft_scalar(f.graph, 0), one = weft_scalar(f.graph, 1);
    weft_value wide = VALUES(weft_shape_of(2, 3), 0, 0, 0, 0, 0, 0);
    make_state(WEFT_FLOAT32, 1);
    const float data[] = {1, 2, 4};
    const weft_feed feed = {x, data, sizeof(data)};
    double got[6];
    run(weft_subtract(zero, x), (how){.feed = &feed}, got);
    cr_expect(got[0] == -1 && got[1] == -2 && got[2] == -4);
    run(weft_divide(one, x), (how){.feed = &feed}, got);
    cr_expect(got[0] == 1 && got[1] == 0.5 && got[2] == 0.25);
    run(weft_add(x, wide), (how){.feed = &feed}, got);
    cr_expect(got[0] == 1 && got[3] == 1 && got[5] == 4);
}

/* ---- Dropout ---- */

Test(dropout, vector_kernels_draw_what_is_defined)
{
    static const weft_dropout_kernels *const levels[] = {
        &weft_dropout_kernel_table_baseline,
#if defined(__x86_64__)
        &weft_dropout_kernel_table_avx2,
        &weft_dropout_kernel_table_avx512,
#endif
    };
    const weft_dropout_stream stream = {
        .key = 0x123456789ABCDEF0u, .step = 0xFFFFFFF0u, .threshold = weft_dropout_threshold(0.4)};
    const int64_t samples[] = {0, 7, (int64_t)1 << 40};
    float x[300], out[301];
    for (int i = 0; i < 300; i++)
        x[i] = (float)(i + 1);
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int s = 0; s < 3; s++)
            for (int64_t count = 1; count <= 300; count += 13)
                for (int64_t element = 0; element < 70; element += 23) {
                    const weft_dropout_row row = {x, out, count, samples[s], element, 2};
                    out[count] = -1;
                    levels[level]->row(&stream, &row);
                    for (int64_t i = 0; i < count; i++) {
                        bool drops = weft_dropout_drops(&stream, samples[s], element + i);
                        cr_assert_eq(out[i], drops ? 0 : 2 * x[i]);
                    }
                    cr_assert_eq(out[count], -1, "wrote past its end");
                }
}

static weft_value ones(weft_shape shape)
{
    return weft_fill_like(weft_input(f.graph, .shape = shape), 1);
}

Test(dropout, drops_the_rate_and_keeps_the_mean)
{
    weft_value y = weft_dropout(ones(weft_shape_of(64, 128)), .rate = 0.25);
    double got[ROOM];
    make_state(WEFT_FLOAT32, 3);
    run(y, (how){.mode = WEFT_TRAIN}, got);
    int zeros = 0;
    for (int i = 0; i < ROOM; i++) {
        zeros += got[i] == 0;
        cr_assert(got[i] == 0 || fabs(got[i] - 1 / 0.75) < 1e-6);
    }
    /* 2048 expected, standard deviation 39 */
    cr_expect(zeros > 2048 - 160 && zeros < 2048 + 160, "%d zeros", zeros);
    run(y, (how){.mode = WEFT_INFER}, got);
    for (int i = 0; i < ROOM; i++)
        cr_assert_eq(got[i], 1);
}

Test(dropout, rate_1_gives_zeros)
{
    double got[6];
    make_state(WEFT_FLOAT32, 3);
    run(weft_dropout(ones(weft_shape_of(2, 3)), .rate = 1), (how){.mode = WEFT_TRAIN}, got);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(got[i], 0);
}

Test(dropout, pinned_modes)
{
    weft_value x = ones(weft_shape_of(8, 100));
    weft_value on = weft_dropout(x, .rate = 0.5, .mode = WEFT_MODE_TRAIN);
    weft_value off = weft_dropout(x, .rate = 0.5, .mode = WEFT_MODE_INFER);
    double got[800], sum = 0;
    make_state(WEFT_FLOAT32, 3);
    run(on, (how){.mode = WEFT_INFER}, got);
    for (int i = 0; i < 800; i++)
        sum += got[i] == 0;
    cr_expect(sum > 300 && sum < 500);
    run(off, (how){.mode = WEFT_TRAIN}, got);
    for (int i = 0; i < 800; i++)
        cr_assert_eq(got[i], 1);
}

static int differences(const double *a, const double *b, int count)
{
    int different = 0;
    for (int i = 0; i < count; i++)
        different += a[i] != b[i];
    return different;
}

Test(dropout, micro_batches_draw_as_the_whole_batch)
{
    weft_value x = weft_input(f.graph, .shape = weft_shape_of(WEFT_BATCH, 5, 7));
    weft_value y = weft_dropout(weft_fill_like(x, 1), .rate = 0.5);
    double whole[6 * 35], part[2 * 35];
    for (int form = 0; form < 2; form++) {
        make_state(form ? WEFT_FLOAT64 : WEFT_FLOAT32, 11);
        run(y, (how){.mode = WEFT_TRAIN, .batch = 6}, whole);
        cr_expect_gt(differences(whole, whole + 35, 35), 5, "samples must differ");
        for (int first = 0; first < 6; first += 2) {
            run(y, (how){.mode = WEFT_TRAIN, .batch = 2, .first_sample = first}, part);
            cr_assert_eq(differences(part, whole + first * 35, 70), 0);
        }
    }
}

Test(dropout, draws_depend_on_seed_step_and_name_alone)
{
    weft_value x = ones(weft_shape_of(4, 64));
    weft_value a = weft_dropout(x, .rate = 0.5, .name = "a");
    weft_value b = weft_dropout(x, .rate = 0.5, .name = "b");
    double first[256], other[256];
    make_state(WEFT_FLOAT32, 11);
    run(a, (how){.mode = WEFT_TRAIN}, first);
    run(a, (how){.mode = WEFT_TRAIN}, other);
    cr_expect_eq(differences(first, other, 256), 0, "the same draw again");
    run(b, (how){.mode = WEFT_TRAIN}, other);
    cr_expect_gt(differences(first, other, 256), 60, "another name");
    weft_state_set_step(f.state, 1);
    run(a, (how){.mode = WEFT_TRAIN}, other);
    cr_expect_gt(differences(first, other, 256), 60, "another step");
    make_state(WEFT_FLOAT32, 12);
    run(a, (how){.mode = WEFT_TRAIN}, other);
    cr_expect_gt(differences(first, other, 256), 60, "another seed");
    make_state(WEFT_FLOAT64, 11);
    run(a, (how){.mode = WEFT_TRAIN}, other);
    cr_expect_eq(differences(first, other, 256), 0, "the same in double");
}

Test(dropout, the_gradient_drops_the_same_elements)
{
    weft_value x = ones(weft_shape_of(3, 50));
    weft_value y = weft_dropout(x, .rate = 0.3);
    weft_value dx = gradient_of_sum(y, x);
    double forward[150], backward[150];
    make_state(WEFT_FLOAT32, 5);
    run(y, (how){.mode = WEFT_TRAIN}, forward);
    run(dx, (how){.mode = WEFT_TRAIN}, backward);
    cr_expect_eq(differences(forward, backward, 150), 0);
    run(dx, (how){.mode = WEFT_INFER}, backward);
    for (int i = 0; i < 150; i++)
        cr_assert_eq(backward[i], 1);
}

Test(dropout, rates_outside_0_and_1)
{
    weft_value x = ones(weft_shape_of(3));
    cr_expect(weft_is_null(weft_dropout(x, .rate = 1.5, .name = "fc")));
    expect_error("dropout \"fc\": rate must be in [0, 1], not 1.5");
}
