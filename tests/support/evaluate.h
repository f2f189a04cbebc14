/* Worked numbers: a graph whose given values have known elements, evaluated in either dtype. */
#ifndef WEFT_TESTS_EVALUATE_H
#define WEFT_TESTS_EVALUATE_H

#include "weft/weft.h"

enum { TEST_GIVEN = 32 };

typedef struct test_bench {
    weft_context *context;
    weft_graph *graph;
    weft_value given[TEST_GIVEN];
    const double *element[TEST_GIVEN];
    int count;
} test_bench;

/* A new graph on a context with one thread. */
test_bench test_bench_begin(void);
void test_bench_end(test_bench *bench);

/* A value with these elements, which must live as long as the bench. */
weft_value test_given(test_bench *bench, weft_shape shape, const double *element);

/* The same of int32. */
weft_value test_given_integers(test_bench *bench, weft_shape shape, const double *element);

/* A value with small integers for elements, up to 4096 of them, so that float32 is exact. */
weft_value test_patterned(test_bench *bench, weft_shape shape);

/* Evaluates value in a program of that dtype and writes its elements; fails the test where that does
 * not work out or count is not their number. Returns the number of the program's steps. */
int test_evaluate(test_bench *bench, weft_value value, weft_dtype dtype, double *element,
                  int64_t count);

/* Evaluates in float64 and in float32 and compares, relative to the largest expected element. */
void test_expect(test_bench *bench, weft_value value, const double *expected, int64_t count);

/* Expects the same elements, at most 4096, in float32 as in float64, and a float32 program of so many
 * steps: none that copies. */
void test_expect_steps(test_bench *bench, weft_value value, int steps);

/* Evaluates in float64 and in float32 and compares, relative to the norm of the value. */
void test_expect_close(test_bench *bench, weft_value value, double tolerance);

/* Fails the test unless the graph has an error whose message contains text. */
void test_expect_error(const test_bench *bench, const char *text);

#endif
