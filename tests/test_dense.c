/* Matrix products: worked numbers, shapes, messages. */
#include <criterion/criterion.h>

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

TestSuite(dense, .init = begin, .fini = end);

static const double one_to_twelve[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Test(dense, product_of_two_matrices_with_every_transpose)
{
    /* [1 2 3; 4 5 6] [1 2; 3 4; 5 6] */
    static const double a[] = {1, 2, 3, 4, 5, 6}, a_transposed[] = {1, 4, 2, 5, 3, 6};
    static const double b[] = {1, 2, 3, 4, 5, 6}, b_transposed[] = {1, 3, 5, 2, 4, 6};
    static const double c[] = {22, 28, 49, 64};
    for (int t = 0; t < 4; t++) {
        bool ta = t & 1, tb = t & 2;
        weft_value from_a = test_given(&bench, ta ? weft_shape_of(3, 2) : weft_shape_of(2, 3),
                                       ta ? a_transposed : a);
        weft_value from_b = test_given(&bench, tb ? weft_shape_of(2, 3) : weft_shape_of(3, 2),
                                       tb ? b_transposed : b);
        test_expect(&bench, weft_matmul(from_a, from_b, .transpose_a = ta, .transpose_b = tb), c,
                    4);
    }
}

Test(dense, batch_of_matrices)
{
    weft_value a = test_given(&bench, weft_shape_of(2, 1, 3), one_to_twelve);
    weft_value b = test_given(&bench, weft_shape_of(2, 3, 2), one_to_twelve);
    /* [1 2 3] [1 2; 3 4; 5 6] and [4 5 6] [7 8; 9 10; 11 12] */
    test_expect(&bench, weft_matmul(a, b), (double[]){22, 28, 139, 154}, 4);
}

Test(dense, one_matrix_serves_all_rows)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3, 2), one_to_twelve);
    weft_value w = test_given(&bench, weft_shape_of(2, 1), (double[]){1, 100});
    weft_value b = test_given(&bench, weft_shape_of(1), (double[]){0.5});
    test_expect(&bench, weft_matmul(x, w, .bias = b),
                (double[]){201.5, 403.5, 605.5, 807.5, 1009.5, 1211.5}, 6);
}

Test(dense, outer_products_are_summed_over_leading_dimensions)
{
    weft_value a = test_given(&bench, weft_shape_of(1, 2, 2), one_to_twelve);
    weft_value b = test_given(&bench, weft_shape_of(1, 2, 3), one_to_twelve);
    /* [1 2]' [1 2 3] + [3 4]' [4 5 6] */
    test_expect(&bench, weft_outer_sum(a, b), (double[]){13, 17, 21, 18, 24, 30}, 6);
}

Test(dense, slices_are_read_and_written_where_they_are)
{
    weft_value x = weft_relu(test_patterned(&bench, weft_shape_of(3, 4, 5, 6)));
    weft_value w = test_patterned(&bench, weft_shape_of(4, 2));
    weft_value channels = weft_slice(x, .begin = {0, 0, 0, 1}, .size = {0, 0, 0, 4});
    weft_value window = weft_slice(channels, .begin = {0, 1, 2, 0}, .size = {0, 2, 3, 0});
    weft_value other = weft_slice(channels, .begin = {0, 2, 0, 0}, .size = {0, 2, 3, 0});
    weft_value y[2] = {weft_matmul(window, w), weft_matmul(other, w)};
    test_expect_steps(&bench, weft_concat(y, 2, 3), 3);
    test_expect_steps(&bench, weft_matmul(window, other, .transpose_b = true), 2);
    test_expect_steps(&bench, weft_outer_sum(channels, x), 2);
}

Test(dense, open_batch_may_be_rows_or_inner)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_value w = weft_variable(bench.graph, .shape = weft_shape_of(5, 3));
    weft_value y = weft_matmul(x, w);
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 3)));
    weft_value dw = weft_matmul(x, y, .transpose_a = true);
    cr_expect(weft_shape_equal(weft_shape_get(dw), weft_shape_of(5, 3)));
}

Test(dense, mistakes_are_named)
{
    static const struct {
        weft_shape a, b;
        weft_matmul_options options;
        const char *text;
    } cases[] = {
        {{2, {4, 5}}, {2, {3, 2}}, {0}, "[3,2] has 3 rows, input [4,5] has inner extent 5"},
        {{2, {4, 5}}, {2, {5, 2}}, {.transpose_b = true}, "has 2 rows when transposed"},
        {{3, {2, 4, 5}},
         {3, {3, 5, 2}},
         {0},
         "leading dimensions of [2,4,5] and [3,5,2] do not broadcast"},
        {{1, {5}}, {2, {5, 2}}, {0}, "must have rank 2 at least"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_bench own = test_bench_begin();
        weft_value a = weft_variable(own.graph, .shape = cases[i].a);
        weft_value b = weft_variable(own.graph, .shape = cases[i].b);
        (weft_matmul)(a, b, &cases[i].options);
        test_expect_error(&own, cases[i].text);
        test_bench_end(&own);
    }
}

/* [1 2; 3 4] and [5 6; 7 8], each with [1 2], [3 4] and [5 6] as columns; then one for all of the other side. */
Test(dense, leading_dimensions_broadcast)
{
    static const double numbers[] = {1, 2, 3, 4, 5, 6, 7, 8};
    weft_value a = test_given(&bench, weft_shape_of(2, 1, 2, 2), numbers);
    weft_value b = test_given(&bench, weft_shape_of(3, 2, 1), numbers);
    weft_value y = weft_matmul(a, b);
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(2, 3, 2, 1)));
    test_expect(&bench, y, (double[]){5, 11, 11, 25, 17, 39, 17, 23, 39, 53, 61, 83}, 12);
    /* each row of a was used with all columns, whose sums are 1 + 3 + 5 and 2 + 4 + 6 */
    test_expect(&bench, weft_gradient(weft_sum(y), a), (double[]){9, 12, 9, 12, 9, 12, 9, 12}, 8);
    test_expect(&bench, weft_gradient(weft_sum(y), b), (double[]){16, 20, 16, 20, 16, 20}, 6);
    weft_value open = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 3, 7, 2));
    cr_expect(
        weft_shape_equal(weft_shape_get(weft_matmul(open, b)), weft_shape_of(WEFT_BATCH, 3, 7, 1)));
}

/* Parts of both leading dimensions: two steps, ReLU and the product, for no one stride leads through them; a
 * bias; one operand for all places of the first. */
Test(dense, parts_of_batches_are_read_where_they_are)
{
    weft_value x = weft_relu(test_patterned(&bench, weft_shape_of(3, 4, 5, 6)));
    weft_value part = weft_slice(x, .begin = {1, 1}, .size = {2, 2});
    test_expect_steps(&bench, weft_matmul(part, part, .transpose_b = true), 2);
    test_expect_steps(&bench, weft_matmul(part, part, .transpose_a = true), 2);
    weft_value w = test_patterned(&bench, weft_shape_of(2, 6, 7));
    weft_value bias = test_patterned(&bench, weft_shape_of(7));
    test_expect_steps(&bench, weft_matmul(part, w, .bias = bias), 2);
}

Test(dense, outer_sum_of_shapes_that_do_not_fit)
{
    weft_value a = weft_variable(bench.graph, .shape = weft_shape_of(3, 2));
    weft_outer_sum(a, weft_variable(bench.graph, .shape = weft_shape_of(4, 2)));
    test_expect_error(&bench, "[3,2] and [4,2] must agree in all but their last dimensions");
}
