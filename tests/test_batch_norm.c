/* Batch normalization: worked numbers, running statistics, accuracy, views, gradients, messages. */
#include <criterion/criterion.h>
#include <math.h>

#include "support/evaluate.h"

static test_bench bench;

static void begin(void)
{
    bench = test_bench_begin();
}

static void end(void)
{
    test_bench_end(&bench);
}

TestSuite(batch_norm, .init = begin, .fini = end);

/* Two channels: mean 2 and variance 4; mean 10 and variance 100. */
static const double pairs[] = {0, 0, 0, 20, 4, 0, 4, 20};
static const double two_threes[] = {3, 3}, variances[] = {4, 36}, gammas[] = {4, 110},
                    betas[] = {1, 2};

static weft_value four_pixels(void)
{
    return test_given(&bench, weft_shape_of(2, 1, 2, 2), pairs);
}

static weft_value vector(const double *element)
{
    return test_given(&bench, weft_shape_of(2), element);
}

/* ---- Values ---- */

/* With epsilon 12 the deviation of channel 0 is 4; channel 1 has sqrt(112). */
Test(batch_norm, by_the_batch)
{
    weft_value y = weft_batch_normalization(four_pixels(), vector(two_threes), vector(variances),
                                            .gamma = vector(gammas), .beta = vector(betas),
                                            .epsilon = 12, .mode = WEFT_MODE_TRAIN);
    double up = 110 * 10 / sqrt(112) + 2, down = -110 * 10 / sqrt(112) + 2;
    test_expect(&bench, y, (double[]){-1, down, -1, up, 3, down, 3, up}, 8);
}

Test(batch_norm, by_running_statistics)
{
    weft_value y =
        weft_batch_normalization(four_pixels(), vector(two_threes), vector(variances),
                                 .gamma = vector(gammas), .beta = vector(betas), .epsilon = 12);
    double up = 110 * 17 / sqrt(48) + 2, down = -110 * 3 / sqrt(48) + 2;
    test_expect(&bench, y, (double[]){-2, down, -2, up, 2, down, 2, up}, 8);
}

Test(batch_norm, without_gamma_and_beta)
{
    weft_value y = weft_batch_normalization(four_pixels(), vector(two_threes), vector(variances),
                                            .epsilon = 5, .mode = WEFT_MODE_TRAIN);
    double one = 10 / sqrt(105), third = 2.0 / 3;
    test_expect(&bench, y, (double[]){-third, -one, -third, one, third, -one, third, one}, 8);
}

/* ---- Running statistics ---- */

/* Compiles for the mode, runs so often, and compares the running statistics. */
static void expect_running(weft_mode mode, weft_value y, int runs, const double *mean,
                           const double *variance)
{
    weft_error error = {0};
    weft_state *state;
    weft_program *program;
    cr_assert_eq(weft_graph_error(bench.graph)->status, WEFT_OK, "%s",
                 weft_graph_error(bench.graph)->message);
    cr_assert_eq(weft_state_create(bench.graph, NULL, &state, &error), WEFT_OK);
    for (int i = 0; i < bench.count; i++)
        weft_state_write(state, bench.given[i], bench.element[i],
                         weft_shape_elements(weft_shape_get(bench.given[i])), &error);
    weft_compile_options options = {.mode = mode, .fetch = &y, .fetches = 1};
    cr_assert_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    for (int i = 0; i < runs; i++)
        cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK, "%s", error.message);
    double got[2];
    weft_state_read(state, bench.given[0], got, 2, &error);
    for (int c = 0; c < 2; c++)
        cr_expect_float_eq(got[c], mean[c], 1e-5, "mean %d is %g, not %g", c, got[c], mean[c]);
    weft_state_read(state, bench.given[1], got, 2, &error);
    for (int c = 0; c < 2; c++)
        cr_expect_float_eq(got[c], variance[c], 1e-5, "variance %d is %g, not %g", c, got[c],
                           variance[c]);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

/* Gives the running statistics first, then four pixels: the places where expect_running looks. */
static weft_value normalize(const weft_batch_normalization_options *options)
{
    weft_value mean = vector(two_threes), variance = vector(variances);
    return (weft_batch_normalization)(four_pixels(), mean, variance, options);
}

#define NORMALIZE(...) normalize(&(weft_batch_normalization_options){__VA_ARGS__})

/* Over four samples the unbiased variances are 16/3 and 400/3. */
Test(batch_norm, running_statistics_follow_the_batches)
{
    weft_value y = NORMALIZE(.decay = 0.75);
    expect_running(WEFT_TRAIN, y, 1, (double[]){2.75, 4.75},
                   (double[]){3 + 4.0 / 3, 27 + 100.0 / 3});
    expect_running(WEFT_TRAIN, y, 2, (double[]){0.75 * 2.75 + 0.5, 0.75 * 4.75 + 2.5},
                   (double[]){0.75 * (3 + 4.0 / 3) + 4.0 / 3, 0.75 * (27 + 100.0 / 3) + 100.0 / 3});
}

Test(batch_norm, the_biased_variance_if_asked)
{
    weft_value y = NORMALIZE(.decay = 0.75, .biased_variance = true);
    expect_running(WEFT_TRAIN, y, 1, (double[]){2.75, 4.75}, (double[]){4, 52});
}

Test(batch_norm, decays_by_a_tenth_by_default)
{
    weft_value y = NORMALIZE(.biased_variance = true);
    expect_running(WEFT_TRAIN, y, 1, (double[]){2.9, 3.7}, (double[]){4, 42.4});
}

Test(batch_norm, running_statistics_stay_in_infer_programs)
{
    weft_value y = NORMALIZE(.decay = 0.75);
    expect_running(WEFT_INFER, y, 1, two_threes, variances);
}

Test(batch_norm, running_statistics_stay_where_frozen)
{
    weft_value y = NORMALIZE(.decay = 0.75, .mode = WEFT_MODE_INFER);
    expect_running(WEFT_TRAIN, y, 1, two_threes, variances);
}

Test(batch_norm, running_statistics_stay_if_asked)
{
    weft_value y = NORMALIZE(.decay = 0.75, .no_updates = true);
    expect_running(WEFT_TRAIN, y, 1, two_threes, variances);
}

/* ---- Accuracy and pieces ---- */

enum { PIXELS = 11000, LARGE = PIXELS * 5 };

static double large[LARGE];

/* Values of a spread of about 0.5 around an offset, exact in float32. */
static weft_value far_from_zero(weft_shape shape, double offset)
{
    uint32_t random = 7;
    for (int i = 0; i < LARGE; i++) {
        random = random * 1664525 + 1013904223;
        large[i] = offset + (double)(random >> 20) / 2048;
    }
    return test_given(&bench, shape, large);
}

static const double zeros[1000], ones[] = {1, 1, 1, 1, 1};

/* The variance as the mean of squares less the square of the mean would be wrong in the first digit. */
Test(batch_norm, keeps_its_digits_far_from_zero)
{
    weft_value x = far_from_zero(weft_shape_of(PIXELS, 5), 1000);
    weft_value running = test_given(&bench, weft_shape_of(5), ones);
    weft_value y = weft_batch_normalization(x, running, running, .mode = WEFT_MODE_TRAIN);
    test_expect_close(&bench, y, 1e-6);
}

/* Gradients by a seed that is not constant, for extents that are cut into pieces. */
static void expect_gradients_agree(weft_shape shape, weft_mode_choice mode)
{
    weft_value x = far_from_zero(shape, 0);
    weft_shape vector_shape = weft_shape_of(weft_channels(x));
    weft_value running = test_given(&bench, vector_shape, zeros);
    weft_value gamma = test_given(&bench, vector_shape, large + 3);
    weft_value beta = test_given(&bench, vector_shape, large + 5);
    weft_value y = weft_batch_normalization(x, running, weft_offset(running, 1), .gamma = gamma,
                                            .beta = beta, .mode = mode);
    test_expect_close(&bench, y, 1e-6);
    weft_value seed = weft_square(x), d[3], wanted[3] = {x, gamma, beta};
    weft_vector_jacobian(&y, &seed, 1, wanted, 3, d);
    for (int i = 0; i < 3; i++)
        test_expect_close(&bench, d[i], 1e-5);
}

Test(batch_norm, many_pixels)
{
    expect_gradients_agree(weft_shape_of(11, 10, 100, 5), WEFT_MODE_TRAIN);
}

Test(batch_norm, many_pixels_frozen)
{
    expect_gradients_agree(weft_shape_of(11, 10, 100, 5), WEFT_MODE_INFER);
}

Test(batch_norm, many_channels)
{
    expect_gradients_agree(weft_shape_of(2, 5, 6, 900), WEFT_MODE_TRAIN);
}

/* ---- Views ---- */

/* Patterned elements stay exact: the deviation is 2. */
Test(batch_norm, reads_and_writes_slices_of_channels)
{
    static const double threes[] = {3, 3, 3, 3, 3, 3};
    weft_value x = test_patterned(&bench, weft_shape_of(2, 5, 6, 12)), part[2], y[2];
    weft_value running = test_given(&bench, weft_shape_of(6), threes);
    weft_split(x, -1, NULL, 2, part);
    for (int i = 0; i < 2; i++)
        y[i] = weft_batch_normalization(part[i], running, running, .gamma = running,
                                        .beta = running, .epsilon = 1);
    test_expect_steps(&bench, weft_concat(y, 2, -1), 2);
}

/* A crop has rows with gaps between them, which no single step can say. */
Test(batch_norm, reads_crops)
{
    static const double threes[] = {3, 3, 3, 3};
    weft_value x = test_patterned(&bench, weft_shape_of(2, 7, 6, 4));
    weft_value running = test_given(&bench, weft_shape_of(4), threes);
    weft_value crop = weft_slice(x, .begin = {0, 1, 2, 0}, .size = {2, 5, 3, 4});
    test_expect_steps(&bench,
                      weft_batch_normalization(crop, running, running, .gamma = running,
                                               .beta = running, .epsilon = 1),
                      1);
    test_expect_close(
        &bench, weft_batch_normalization(crop, running, running, .mode = WEFT_MODE_TRAIN), 1e-6);
}

/* ---- Gradients ---- */

static void expect_gradients(weft_mode mode, weft_mode_choice choice)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 3, 2));
    weft_value mean = weft_variable(bench.graph, .shape = weft_shape_of(2), .frozen = true);
    weft_value variance =
        weft_variable(bench.graph, .shape = weft_shape_of(2),
                      .initializer = {.kind = WEFT_INIT_CONSTANT, .a = 1.5}, .frozen = true);
    weft_value gamma = weft_variable(bench.graph, .shape = weft_shape_of(2),
                                     .initializer = {.kind = WEFT_INIT_UNIFORM, .a = 1, .b = 2});
    weft_value y =
        weft_batch_normalization(x, mean, variance, .gamma = gamma, .epsilon = 0.1, .mode = choice);
    weft_error error = {0};
    for (int second = 0; second < 2; second++)
        cr_expect_eq(weft_gradcheck(&y, 1, (weft_value[]){x, gamma}, 2,
                                    &(weft_gradcheck_options){
                                        .mode = mode, .batch = 4, .second_order = second},
                                    NULL, &error),
                     WEFT_OK, "%s", error.message);
}

Test(batch_norm, gradients_of_a_trained_one)
{
    expect_gradients(WEFT_TRAIN, WEFT_MODE_PROGRAM);
}

Test(batch_norm, gradients_of_a_frozen_one)
{
    expect_gradients(WEFT_TRAIN, WEFT_MODE_INFER);
}

/* In float32, too, where the gradient becomes coefficients of channels and a map. */
Test(batch_norm, of_one_channel)
{
    weft_value x = test_patterned(&bench, weft_shape_of(2, 5, 6, 1)), dx[2];
    weft_value running = test_given(&bench, weft_shape_of(1), (double[]){1});
    weft_value gamma = test_patterned(&bench, weft_shape_of(1));
    weft_value y = weft_batch_normalization(x, running, running, .gamma = gamma, .epsilon = 0.5,
                                            .mode = WEFT_MODE_TRAIN);
    y = weft_sigmoid(weft_relu(y));
    weft_value seed = weft_tanh(x);
    weft_vector_jacobian(&y, &seed, 1, (weft_value[]){x, gamma}, 2, dx);
    test_expect_close(&bench, dx[0], 1e-6);
    test_expect_close(&bench, dx[1], 1e-6);
}

/* Nothing is left of the whole op but a multiplication. */
Test(batch_norm, the_gradient_of_a_frozen_one_does_not_read_its_input)
{
    static const double threes[] = {3, 3};
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(2, 1, 2, 2)), dx;
    weft_value running = vector(threes);
    weft_value y = weft_batch_normalization(x, running, running, .gamma = vector(gammas),
                                            .epsilon = 1, .mode = WEFT_MODE_INFER);
    weft_value seed = test_given(&bench, weft_shape_of(2, 1, 2, 2), pairs);
    weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
    test_expect(&bench, dx, (double[]){0, 0, 0, 1100, 8, 0, 8, 1100}, 8);
}

/* ---- Messages ---- */

Test(batch_norm, a_vector_of_another_length)
{
    static const double threes[] = {3, 3, 3};
    weft_value wrong = test_given(&bench, weft_shape_of(3), threes);
    weft_batch_normalization(four_pixels(), vector(two_threes), wrong);
    test_expect_error(&bench, "running variance [3] must be a vector of the 2 channels");
}

Test(batch_norm, a_moving_average_of_no_variable)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(2));
    weft_moving_average(x, x, .decay = 0.5);
    test_expect_error(&bench, "\"input\" is not a variable");
}

Test(batch_norm, a_moving_average_that_grows)
{
    weft_value variable = vector(two_threes);
    weft_moving_average(variable, variable, .decay = 1);
    test_expect_error(&bench, "decay 1 is not in [0, 1)");
}
