/* Local response normalization: worked numbers, rows longer than a kernel's block, messages. */
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

TestSuite(local_response_norm, .init = begin, .fini = end);

static weft_value gradient(weft_value y, weft_value seed, weft_value x)
{
    weft_value dx;
    weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
    return dx;
}

Test(local_response_norm, divides_by_the_neighbours)
{
    /* size 3, alpha 3, beta 1, k 1: divisors 1 + x[c-1]^2 + x[c]^2 + x[c+1]^2 = 6, 15, 30, 26 */
    static const double x[] = {1, 2, 3, 4}, y[] = {1 / 6.0, 2 / 15.0, 3 / 30.0, 4 / 26.0};
    weft_value value = test_given(&bench, weft_shape_of(1, 4), x);
    test_expect(&bench, weft_local_response_norm(value, .size = 3, .alpha = 3, .beta = 1), y, 4);
}

Test(local_response_norm, takes_the_root_of_a_root)
{
    /* size 1, alpha 1, k 7: (7 + 9)^0.75 = 8 */
    static const double x[] = {3, -3}, y[] = {3 / 8.0, -3 / 8.0};
    weft_value value = test_given(&bench, weft_shape_of(1, 2), x);
    test_expect(&bench, weft_local_response_norm(value, .size = 1, .alpha = 1, .k = 7), y, 2);
}

Test(local_response_norm, sends_gradients_to_the_neighbours)
{
    /* as the first, of y[0] alone: y0 = x0 / (1 + x0^2 + x1^2) */
    static const double x[] = {1, 2, 3, 4}, seed[] = {1, 0, 0, 0};
    static const double dx[] = {1 / 6.0 - 2 / 36.0, -4 / 36.0, 0, 0};
    weft_value value = test_given(&bench, weft_shape_of(1, 4), x);
    weft_value y = weft_local_response_norm(value, .size = 3, .alpha = 3, .beta = 1);
    test_expect(&bench, gradient(y, test_given(&bench, weft_shape_of(1, 4), seed), value), dx, 4);
}

/* Around one and two blocks of channels, and rows that are cut into several pieces. */
Test(local_response_norm, is_the_same_in_long_rows)
{
    static const int64_t channels[] = {255, 256, 257, 511, 512, 530};
    static const int sizes[] = {1, 5, 65};
    for (int c = 0; c < 6; c++)
        for (int s = 0; s < 3; s++) {
            weft_shape shape = weft_shape_of(7, channels[c]);
            weft_value x = weft_scale(test_patterned(&bench, shape), 0.3);
            weft_value y = weft_local_response_norm(x, .size = sizes[s], .alpha = 2);
            test_expect_close(&bench, y, 1e-6);
            test_expect_close(&bench, gradient(y, test_patterned(&bench, shape), x), 3e-6);
            end();
            begin();
        }
    weft_shape shape = weft_shape_of(400, 10);
    weft_value y = weft_local_response_norm(test_patterned(&bench, shape), .beta = 0.6, .alpha = 1);
    test_expect_close(&bench, y, 1e-6);
}

Test(local_response_norm, refuses_even_windows_and_divisors_of_zero)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8));
    weft_local_response_norm(x, .size = 4);
    test_expect_error(&bench, "size 4 is not odd");
    end();
    begin();
    x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8));
    weft_local_response_norm(x, .k = -1);
    test_expect_error(&bench, "k -1");
    end();
    begin();
    x = weft_input(bench.graph, .shape = weft_shape_of(8));
    weft_local_response_norm(x);
    test_expect_error(&bench, "rank 2 or more");
}
