/* Penalties and constraints: worked numbers, after updates, with micro-batches, messages. */
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

TestSuite(regularization, .init = begin, .fini = end);

/* ---- Penalties ---- */

static const double elements[] = {3, -4, 0, 1};

Test(regularization, penalties_are_sums)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), elements), dx;
    weft_value both[] = {x, test_given(&bench, weft_shape_of(1), elements)};
    /* |w|: 8 and 3; w^2: 26 and 9 */
    static const double keras[] = {0.5 * 11 + 2 * 35}, torch[] = {35}, l1[] = {4};
    test_expect(&bench, weft_penalty(bench.graph, both, 2, .l1 = 0.5, .l2 = 2), keras, 1);
    test_expect(&bench, weft_penalty(bench.graph, both, 2, .l2 = 2, .half_squares = true), torch,
                1);
    test_expect(&bench, weft_penalty(bench.graph, &x, 1, .l1 = 0.5), l1, 1);
    /* l1 sign(w) + 2 l2 w */
    static const double slope[] = {0.5 + 12, -0.5 - 16, 0, 0.5 + 4};
    dx = weft_gradient(weft_penalty(bench.graph, &x, 1, .l1 = 0.5, .l2 = 2), x);
    test_expect(&bench, dx, slope, 4);
}

Test(regularization, penalizes_filters_unless_told_otherwise)
{
    weft_initializer ones = {.kind = WEFT_INIT_ONES};
    weft_variable(bench.graph, .name = "w", .shape = weft_shape_of(2, 3), .initializer = ones);
    weft_variable(bench.graph, .name = "b", .shape = weft_shape_of(3), .initializer = ones);
    weft_variable(bench.graph, .name = "f", .shape = weft_shape_of(2, 3), .initializer = ones,
                  .frozen = true);
    static const double six[] = {6}, none[] = {0};
    test_expect(&bench, weft_penalty(bench.graph, NULL, 0, .l2 = 1), six, 1);
    test_expect(&bench, weft_penalty(bench.graph, NULL, 0, .l2 = 0), none, 1);
    weft_penalty(bench.graph, NULL, 0, .l1 = -1);
    test_expect_error(&bench, "penalty: l1 is -1, l2 0");
}

/* ---- Constraints ---- */

/* Runs a train program over the micro-batches of a step, and reads the variable. */
static void train(weft_value variable, weft_dtype dtype, const double *start, int micro_batches,
                  double *element)
{
    weft_error error = {0};
    weft_state *state;
    weft_program *program;
    int64_t count = weft_shape_elements(weft_shape_get(variable));
    weft_state_options state_options = {.dtype = dtype};
    cr_assert_eq(weft_state_create(bench.graph, &state_options, &state, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_state_write(state, variable, start, count, &error), WEFT_OK);
    weft_compile_options options = {.mode = WEFT_TRAIN};
    cr_assert_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    for (int i = 0; i < micro_batches; i++) {
        weft_run_options run = {.micro_batch = i, .micro_batches = micro_batches};
        cr_assert_eq(weft_run(program, NULL, 0, &run, &error), WEFT_OK, "%s", error.message);
        if (i < micro_batches - 1) {
            weft_state_read(state, variable, element, count, &error);
            for (int64_t k = 0; k < count; k++)
                cr_expect_eq(element[k], start[k], "changed before the last micro-batch");
        }
    }
    cr_assert_eq(weft_state_read(state, variable, element, count, &error), WEFT_OK);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

/* In both element types. */
static void expect_after(weft_value variable, const double *start, int micro_batches,
                         const double *expected)
{
    double got[8];
    for (int form = 0; form < 2; form++) {
        train(variable, form ? WEFT_FLOAT64 : WEFT_FLOAT32, start, micro_batches, got);
        for (int64_t i = 0; i < weft_shape_elements(weft_shape_get(variable)); i++)
            cr_expect_float_eq(got[i], expected[i], 1e-6, "%lld: %g, not %g", (long long)i, got[i],
                               expected[i]);
    }
}

/* Norms of the columns 5, 1, of the rows 3, sqrt(17) */
static const double square[] = {3, 0, 4, 1};

static weft_value variable(void)
{
    return weft_variable(bench.graph, .name = "w", .shape = weft_shape_of(2, 2));
}

Test(regularization, max_norm_scales_what_is_larger)
{
    static const double columns[] = {1.2, 0, 1.6, 1};
    weft_value w = variable();
    weft_constrain(w);
    expect_after(w, square, 1, columns);
}

Test(regularization, units_may_lie_along_another_axis)
{
    const double rows[] = {3, 0, 4 * 3 / sqrt(17), 3 / sqrt(17)};
    weft_value w = variable();
    weft_constrain(w, .axis = -2, .bound = 3);
    expect_after(w, square, 1, rows);
}

Test(regularization, unit_norm_scales_all)
{
    static const double start[] = {3, 0, 4, 0.5}, columns[] = {0.6, 0, 0.8, 1};
    weft_value w = variable();
    weft_constrain(w, .kind = WEFT_UNIT_NORM);
    expect_after(w, start, 1, columns);
}

/* The gradient of the sum is 1 everywhere; a rate of 1 takes it off: 4, 1, 5, 2 becomes the square. */
static const double before[] = {4, 1, 5, 2};

Test(regularization, constrains_after_the_update)
{
    static const double columns[] = {1.2, 0, 1.6, 1};
    weft_value w = variable();
    weft_minimize(weft_sum(w), &(weft_optimizer_options){.learning_rate = 1}, NULL);
    cr_expect(!weft_same(weft_updated(w), w));
    weft_value constrained = weft_constrain(w);
    cr_expect(weft_same(weft_updated(w), constrained));
    expect_after(w, before, 1, columns);
}

Test(regularization, two_constraints_follow_each_other)
{
    /* columns to 2, then rows to 1: 1.2, 0 and 1.6, 1 */
    const double both[] = {1, 0, 1.6 / sqrt(3.56), 1 / sqrt(3.56)};
    weft_value w = variable();
    weft_minimize(weft_sum(w), &(weft_optimizer_options){.learning_rate = 1}, NULL);
    weft_constrain(w);
    weft_constrain(w, .kind = WEFT_UNIT_NORM, .axis = -2);
    expect_after(w, before, 1, both);
}

Test(regularization, waits_for_the_last_micro_batch)
{
    static const double columns[] = {1.2, 0, 1.6, 1};
    weft_value w = variable();
    weft_optimizer_options options = {.learning_rate = 1, .micro_batches = 3};
    weft_minimize(weft_sum(w), &options, NULL);
    weft_constrain(w, .micro_batches = 3);
    expect_after(w, before, 3, columns);
}

Test(regularization, constrains_variables_only)
{
    weft_constrain(weft_sum(variable()));
    test_expect_error(&bench, "constrain: \"sum\" is not a variable");
    end();
    begin();
    weft_constrain(variable(), .axis = 1);
    test_expect_error(&bench, "axis 1 is not in -2 to -1, of the variable [2,2]");
}
