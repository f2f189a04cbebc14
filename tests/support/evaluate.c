#include "evaluate.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

test_bench test_bench_begin(void)
{
    test_bench bench = {0};
    bench.context = weft_context_create(&(weft_context_options){.threads = 1});
    bench.graph = weft_graph_create(bench.context);
    cr_assert_not_null(bench.graph);
    return bench;
}

void test_bench_end(test_bench *bench)
{
    weft_graph_destroy(bench->graph);
    weft_context_destroy(bench->context);
}

static weft_value given(test_bench *bench, weft_shape shape, weft_dtype dtype,
                        const double *element)
{
    cr_assert_lt(bench->count, TEST_GIVEN);
    weft_value value = weft_variable(bench->graph, .name = "given", .shape = shape, .dtype = dtype,
                                     .frozen = true);
    bench->given[bench->count] = value;
    bench->element[bench->count++] = element;
    return value;
}

weft_value test_given(test_bench *bench, weft_shape shape, const double *element)
{
    return given(bench, shape, WEFT_REAL, element);
}

weft_value test_given_integers(test_bench *bench, weft_shape shape, const double *element)
{
    return given(bench, shape, WEFT_INT32, element);
}

enum { PATTERN = 4096 };

weft_value test_patterned(test_bench *bench, weft_shape shape)
{
    static double element[PATTERN];
    cr_assert_leq(weft_shape_elements(shape), PATTERN);
    for (int i = 0; i < PATTERN; i++)
        element[i] = (i * 7 + i / 11) % 13 - 6;
    return test_given(bench, shape, element);
}

static double read_element(const weft_tensor *tensor, int64_t index)
{
    switch (tensor->dtype) {
    case WEFT_FLOAT64:
        return ((const double *)tensor->data)[index];
    case WEFT_INT32:
        return ((const int32_t *)tensor->data)[index];
    default:
        return (double)((const float *)tensor->data)[index];
    }
}

static void read_elements(const weft_tensor *tensor, double *element)
{
    for (int64_t i = 0, n = weft_tensor_elements(tensor); i < n; i++)
        element[i] = read_element(tensor, i);
}

static int evaluate(test_bench *bench, weft_value value, weft_dtype dtype,
                    weft_compile_options options, double *element, int64_t count)
{
    weft_error error = {0};
    weft_state *state;
    weft_program *program;
    cr_assert_eq(weft_graph_error(bench->graph)->status, WEFT_OK, "%s",
                 weft_graph_error(bench->graph)->message);
    cr_assert_eq(
        weft_state_create(bench->graph, &(weft_state_options){.dtype = dtype}, &state, &error),
        WEFT_OK, "%s", error.message);
    for (int i = 0; i < bench->count; i++)
        cr_assert_eq(weft_state_write(state, bench->given[i], bench->element[i],
                                      weft_shape_elements(weft_shape_get(bench->given[i])), &error),
                     WEFT_OK, "%s", error.message);
    options.fetch = &value;
    options.fetches = 1;
    cr_assert_eq(weft_compile(bench->graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK, "%s", error.message);
    weft_tensor tensor = weft_fetch(program, value);
    cr_assert_not_null(tensor.data);
    cr_assert_eq(weft_tensor_elements(&tensor), count);
    read_elements(&tensor, element);
    int steps = weft_program_report(program).steps;
    weft_program_destroy(program);
    weft_state_destroy(state);
    return steps;
}

int test_evaluate(test_bench *bench, weft_value value, weft_dtype dtype, double *element,
                  int64_t count)
{
    return evaluate(bench, value, dtype, (weft_compile_options){0}, element, count);
}

void test_expect(test_bench *bench, weft_value value, const double *expected, int64_t count)
{
    static const struct {
        weft_dtype dtype;
        double tolerance;
    } forms[] = {{WEFT_FLOAT64, 1e-14}, {WEFT_FLOAT32, 1e-6}};
    double largest = 0, *element = malloc((size_t)count * sizeof(double));
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int form = 0; form < 2; form++) {
        test_evaluate(bench, value, forms[form].dtype, element, count);
        for (int64_t i = 0; i < count; i++)
            cr_expect(fabs(element[i] - expected[i]) <= forms[form].tolerance * largest,
                      "%s: element %lld of \"%s\" is %.17g, not %.17g",
                      weft_dtype_name(forms[form].dtype), (long long)i, weft_name_get(value),
                      element[i], expected[i]);
    }
    free(element);
}

void test_expect_steps(test_bench *bench, weft_value value, int steps)
{
    double exact[PATTERN], single[PATTERN];
    int64_t count = weft_shape_elements(weft_shape_get(value));
    cr_assert_leq(count, PATTERN);
    test_evaluate(bench, value, WEFT_FLOAT64, exact, count);
    /* The patterns are whole numbers; so are sums of their products, but not Winograd's operands. */
    weft_compile_options plain = {.without = 1u << WEFT_PASS_FUSE, .no_winograd = true};
    int taken = evaluate(bench, value, WEFT_FLOAT32, plain, single, count);
    for (int64_t i = 0; i < count; i++)
        cr_expect_eq(exact[i], single[i], "element %lld", (long long)i);
    cr_expect_eq(taken, steps, "%d steps instead of %d", taken, steps);
}

void test_expect_close(test_bench *bench, weft_value value, double tolerance)
{
    int64_t count = weft_shape_elements(weft_shape_get(value));
    cr_assert_gt(count, 0);
    double *exact = malloc((size_t)count * sizeof(double)), difference = 0, norm = 0;
    double *single = malloc((size_t)count * sizeof(double));
    test_evaluate(bench, value, WEFT_FLOAT64, exact, count);
    test_evaluate(bench, value, WEFT_FLOAT32, single, count);
    for (int64_t i = 0; i < count; i++) {
        difference += (single[i] - exact[i]) * (single[i] - exact[i]);
        norm += exact[i] * exact[i];
    }
    cr_expect_gt(norm, 0);
    cr_expect(sqrt(difference) <= tolerance * sqrt(norm), "\"%s\" is off by %g",
              weft_name_get(value), sqrt(difference / norm));
    free(exact);
    free(single);
}

void test_expect_error(const test_bench *bench, const char *text)
{
    const weft_error *error = weft_graph_error(bench->graph);
    cr_expect_neq(error->status, WEFT_OK);
    cr_expect(strstr(error->message, text) != NULL, "the message is: %s", error->message);
}
