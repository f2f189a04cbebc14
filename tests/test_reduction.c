/* Reductions: worked numbers, gradients, the mean over an open batch, messages. */
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

TestSuite(reduction, .init = begin, .fini = end);

static const double numbers[] = {3, -1, 4, 1, -5, 9, 2, 6, -5, 3, 5, 9};

Test(reduction, sums_and_means_over_axes)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3, 2), numbers);
    test_expect(&bench, weft_sum(x), (double[]){31}, 1);
    test_expect(&bench, weft_mean(x), (double[]){31.0 / 12}, 1);
    test_expect(&bench, weft_sum(x, .axes = {1}, .axis_count = 1), (double[]){2, 9, 2, 18}, 4);
    test_expect(&bench, weft_mean(x, .axes = {0, -1}, .axis_count = 2),
                (double[]){10.0 / 4, 3.0 / 4, 18.0 / 4}, 3);
    weft_value kept = weft_sum(x, .axes = {2}, .axis_count = 1, .keep_dims = true);
    cr_expect(weft_shape_equal(weft_shape_get(kept), weft_shape_of(2, 3, 1)));
    test_expect(&bench, kept, (double[]){2, 5, 4, 8, -2, 14}, 6);
}

Test(reduction, maxima_and_where_they_are)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3, 2), numbers);
    test_expect(&bench, weft_max(x, .axes = {1}, .axis_count = 1), (double[]){4, 9, 9 - 4, 9}, 4);
    test_expect(&bench, weft_argmax(x, 1), (double[]){1, 2, 2, 2}, 4);
    test_expect(&bench, weft_argmax(x, -1), (double[]){0, 0, 1, 1, 1, 1}, 6);
    test_expect(&bench, weft_argmax(x, 0), (double[]){0, 1, 0, 1, 1, 0}, 6);
    cr_expect_eq(weft_dtype_get(weft_argmax(x, 0)), WEFT_INT32);
}

/* Long enough to be cut into slices and merged; small integers, so that float32 is exact. */
Test(reduction, long_sums)
{
    enum { ROWS = 4001, COLUMNS = 30 };
    static double x[ROWS * COLUMNS], columns[COLUMNS];
    double all = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        x[i] = i * 7 % 13 - 5;
        all += x[i];
        columns[i % COLUMNS] += x[i];
    }
    weft_value value = test_given(&bench, weft_shape_of(ROWS, COLUMNS), x);
    test_expect(&bench, weft_sum(value), &all, 1);
    test_expect(&bench, weft_sum(value, .axes = {0}, .axis_count = 1), columns, COLUMNS);
    test_expect(&bench, weft_max(value), (double[]){7}, 1);
}

Test(reduction, gradient_of_a_maximum_is_shared)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 4), (double[]){1, 7, 7, 2, 5, 5, 5, 5});
    weft_value y = weft_max(x, .axes = {1}, .axis_count = 1);
    weft_value scale = test_given(&bench, weft_shape_of(2), (double[]){3, 8});
    test_expect(&bench, weft_gradient(weft_sum(weft_multiply(y, scale)), x),
                (double[]){0, 1.5, 1.5, 0, 2, 2, 2, 2}, 8);
}

Test(reduction, gradient_of_a_sum_without_its_dimensions)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), numbers);
    weft_value rows = weft_sum(x, .axes = {1}, .axis_count = 1); /* 6, 5 */
    test_expect(&bench, weft_gradient(weft_sum(weft_square(rows)), x),
                (double[]){12, 12, 12, 10, 10, 10}, 6);
}

/* d(mean of x^2)/dx = 2 x / n, with n known when the batch is. */
Test(reduction, the_mean_over_an_open_batch)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 2));
    weft_value gradient = weft_gradient(weft_mean(weft_square(x)), x);
    weft_state *state;
    weft_error error = {0};
    cr_assert_eq(weft_state_create(bench.graph, NULL, &state, &error), WEFT_OK);
    for (int64_t batch = 1; batch <= 5; batch += 2) {
        weft_program *program;
        weft_compile_options options = {.fetch = &gradient, .fetches = 1, .batch = batch};
        cr_assert_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK, "%s",
                     error.message);
        const float data[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        weft_feed feed = {.input = x, .data = data, .bytes = (size_t)batch * 8};
        cr_assert_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
        const float *got = weft_fetch(program, gradient).data;
        for (int i = 0; i < 2 * batch; i++)
            cr_expect_float_eq(got[i], data[i] / (float)batch, 1e-6);
        weft_program_destroy(program);
    }
    weft_state_destroy(state);
}

Test(reduction, an_axis_twice)
{
    weft_sum(weft_input(bench.graph, .shape = weft_shape_of(2, 3)), .axes = {1, -1},
             .axis_count = 2);
    test_expect_error(&bench, "axes must be different dimensions of the input [2,3]");
}

Test(reduction, an_axis_too_far)
{
    weft_mean(weft_input(bench.graph, .shape = weft_shape_of(2, 3)), .axes = {2}, .axis_count = 1);
    test_expect_error(&bench, "mean \"mean\": axes must be different dimensions");
}

Test(reduction, argmax_of_a_scalar)
{
    weft_argmax(weft_input(bench.graph, .shape = {0}), 0);
    test_expect_error(&bench, "there is no axis 0 among 0 dimensions");
}

Test(reduction, integers_are_not_summed)
{
    weft_sum(weft_input(bench.graph, .shape = weft_shape_of(2), .dtype = WEFT_INT32));
    test_expect_error(&bench, "input must be real, not int32");
}
