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

Test(reduction, minima_and_where_they_are)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3, 2), numbers);
    test_expect(&bench, weft_min(x, .axes = {1}, .axis_count = 1), (double[]){-5, -1, -5, 3}, 4);
    test_expect(&bench, weft_min(x), (double[]){-5}, 1);
    test_expect(&bench, weft_argmin(x, 1), (double[]){2, 0, 1, 1}, 4);
    test_expect(&bench, weft_argmin(x, -1), (double[]){1, 1, 0, 0, 0, 0}, 6);
    test_expect(&bench, weft_argmin(x, 0), (double[]){1, 0, 1, 0, 0, 0}, 6);
    cr_expect_eq(weft_dtype_get(weft_argmin(x, 0)), WEFT_INT32);
}

/* 1 2 3 6: mean 3, squares of deviations 4 1 0 9. 5 5 5 9: mean 6, squares 1 1 1 9. */
Test(reduction, variances)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 4), (double[]){1, 2, 3, 6, 5, 5, 5, 9});
    test_expect(&bench, weft_variance(x, .axes = {1}, .axis_count = 1), (double[]){3.5, 3}, 2);
    test_expect(&bench, weft_variance(x, .axes = {-1}, .axis_count = 1, .unbiased = true),
                (double[]){14.0 / 3, 4}, 2);
    /* mean 4.5: 12.25 6.25 2.25 2.25 .25 .25 .25 20.25 */
    test_expect(&bench, weft_variance(x), (double[]){44.0 / 8}, 1);
    test_expect(&bench, weft_variance(x, .axes = {0}, .axis_count = 1),
                (double[]){4, 2.25, 1, 2.25}, 4);
}

/* 2 (x - mean) / (n - 1), with means 3 and 6. */
Test(reduction, gradient_of_an_unbiased_variance)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 4), (double[]){1, 2, 3, 6, 5, 5, 5, 9});
    weft_value y = weft_variance(x, .axes = {1}, .axis_count = 1, .unbiased = true);
    weft_value scale = test_given(&bench, weft_shape_of(2), (double[]){3, 6});
    test_expect(&bench, weft_gradient(weft_sum(weft_multiply(y, scale)), x),
                (double[]){-4, -2, 0, 6, -4, -4, -4, 12}, 8);
}

Test(reduction, norms)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), (double[]){3, -4, 5, 12});
    weft_vector_norm_options rows = {.axes = {1}, .axis_count = 1};
    test_expect(&bench, (weft_vector_norm)(x, &rows), (double[]){5, 13}, 2);
    rows.kind = WEFT_NORM_L1;
    test_expect(&bench, (weft_vector_norm)(x, &rows), (double[]){7, 17}, 2);
    rows.kind = WEFT_NORM_MAX;
    test_expect(&bench, (weft_vector_norm)(x, &rows), (double[]){4, 12}, 2);
    test_expect(&bench, weft_vector_norm(x, .kind = WEFT_NORM_MAX), (double[]){12}, 1);
    weft_value kept = weft_vector_norm(x, .kind = WEFT_NORM_L1, .keep_dims = true);
    cr_expect(weft_shape_equal(weft_shape_get(kept), weft_shape_of(1, 1)));
}

/* x / |x|, and 0 where all are 0; signs; a sign shared by the largest. */
Test(reduction, gradients_of_norms)
{
    weft_value x = test_given(&bench, weft_shape_of(3, 2), (double[]){3, -4, 0, 0, -2, 2});
    static const double want[][6] = {[WEFT_NORM_L2] = {0.6, -0.8, 0, 0, -M_SQRT1_2, M_SQRT1_2},
                                     [WEFT_NORM_L1] = {1, -1, 0, 0, -1, 1},
                                     [WEFT_NORM_MAX] = {0, -1, 0, 0, -0.5, 0.5}};
    for (int kind = 0; kind <= WEFT_NORM_MAX; kind++) {
        weft_value y =
            weft_vector_norm(x, .axes = {1}, .axis_count = 1, .kind = (weft_norm_kind)kind);
        test_expect(&bench, weft_gradient(weft_sum(y), x), want[kind], 6);
    }
}

Test(reduction, no_unbiased_variance_of_one_element)
{
    weft_variance(weft_input(bench.graph, .shape = weft_shape_of(5, 1)), .axes = {1},
                  .axis_count = 1, .unbiased = true);
    test_expect_error(&bench, "one element has no unbiased variance");
}

/* With an open batch that is known when a program is compiled. */
Test(reduction, no_unbiased_variance_of_a_batch_of_one)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 3));
    weft_value y = weft_variance(x, .axes = {0}, .axis_count = 1, .unbiased = true);
    weft_state *state;
    weft_error error = {0};
    cr_assert_eq(weft_state_create(bench.graph, NULL, &state, &error), WEFT_OK);
    for (int64_t batch = 1; batch <= 2; batch++) {
        weft_program *program = NULL;
        weft_compile_options options = {.fetch = &y, .fetches = 1, .batch = batch};
        weft_status status = weft_compile(bench.graph, state, &options, &program, &error);
        cr_expect_eq(status == WEFT_OK, batch == 2, "%s", error.message);
        weft_program_destroy(program);
    }
    weft_state_destroy(state);
}

Test(reduction, a_kind_of_norm_that_is_not)
{
    weft_vector_norm(weft_input(bench.graph, .shape = weft_shape_of(2)), .kind = (weft_norm_kind)7);
    test_expect_error(&bench, "vector_norm: there is no kind 7");
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
