/* Softmax and losses: worked numbers, extremes, messages. */
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

TestSuite(loss, .init = begin, .fini = end);

/* With e = exp(1): softmax of (0, 1, 2) is (1, e, e^2) / (1 + e + e^2). */
static const double p0 = 0.090030573170380462, p1 = 0.24472847105479767, p2 = 0.66524095577482187;
static const double log_sum = 2.4076059644443806; /* log(1 + e + e^2) */

Test(loss, softmax_of_counting)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 1, 2, 1002, 1001, 1000});
    test_expect(&bench, weft_softmax(x), (double[]){p0, p1, p2, p2, p1, p0}, 6);
    weft_value one = test_given(&bench, weft_shape_of(3), (double[]){2, 0, 1});
    test_expect(&bench, weft_softmax(one), (double[]){p2, p0, p1}, 3);
}

Test(loss, sparse_cross_entropy_and_its_gradient)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 1, 2, 2, 1, 0});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 1});
    weft_value each = weft_sparse_cross_entropy(x, labels, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){log_sum - 2, log_sum - 1}, 2);
    weft_value mean = weft_sparse_cross_entropy(x, labels, .name = "loss");
    cr_expect_str_eq(weft_name_get(mean), "loss");
    test_expect(&bench, mean, (double[]){log_sum - 1.5}, 1);
    test_expect(&bench, weft_gradient(mean, x),
                (double[]){p0 / 2, p1 / 2, (p2 - 1) / 2, p2 / 2, (p1 - 1) / 2, p0 / 2}, 6);
    weft_value sum = weft_sparse_cross_entropy(x, labels, .reduction = WEFT_LOSS_SUM);
    test_expect(&bench, weft_gradient(sum, x), (double[]){p0, p1, p2 - 1, p2, p1 - 1, p0}, 6);
}

Test(loss, one_example_without_a_batch)
{
    weft_value x = test_given(&bench, weft_shape_of(3), (double[]){0, 1, 2});
    weft_value label = test_given_integers(&bench, (weft_shape){0}, (double[]){0});
    weft_value loss = weft_sparse_cross_entropy(x, label);
    test_expect(&bench, loss, (double[]){log_sum}, 1);
    test_expect(&bench, weft_gradient(loss, x), (double[]){p0 - 1, p1, p2}, 3);
    weft_value t = test_given(&bench, weft_shape_of(3), (double[]){1, 0, 0});
    test_expect(&bench, weft_cross_entropy(x, t), (double[]){log_sum}, 1);
}

Test(loss, a_label_of_no_class_is_seen)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 1, 2, 2, 1, 0});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){3, 1});
    weft_value each = weft_sparse_cross_entropy(x, labels, .reduction = WEFT_LOSS_NONE);
    weft_value gradient = weft_gradient(weft_sum(each), x);
    static const weft_dtype dtypes[] = {WEFT_FLOAT32, WEFT_FLOAT64};
    for (int i = 0; i < 2; i++) {
        double losses[2], gradients[6];
        test_evaluate(&bench, each, dtypes[i], losses, 2);
        cr_expect(isnan(losses[0]));
        cr_expect_float_eq(losses[1], log_sum - 1, 1e-6);
        test_evaluate(&bench, gradient, dtypes[i], gradients, 6);
        for (int k = 0; k < 6; k++)
            cr_expect_eq(isnan(gradients[k]) != 0, k < 3);
    }
}

Test(loss, cross_entropy_of_distributions)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 1, 2, 2, 1, 0});
    weft_value t = test_given(&bench, weft_shape_of(2, 3), (double[]){0.5, 0.25, 0.25, 0, 2, 0});
    weft_value loss = weft_cross_entropy(x, t, .reduction = WEFT_LOSS_SUM);
    test_expect(&bench, loss, (double[]){log_sum - 0.75 + 2 * (log_sum - 1)}, 1);
    test_expect(&bench, weft_gradient(loss, x),
                (double[]){p0 - 0.5, p1 - 0.25, p2 - 0.25, 2 * p2, 2 * p1 - 2, 2 * p0}, 6);
    test_expect(&bench, weft_gradient(loss, t),
                (double[]){log_sum, log_sum - 1, log_sum - 2, log_sum - 2, log_sum - 1, log_sum},
                6);
}

Test(loss, binary_cross_entropy_far_from_zero)
{
    weft_value x = test_given(&bench, weft_shape_of(4), (double[]){0, 40, -40, 1});
    weft_value t = test_given(&bench, weft_shape_of(4), (double[]){1, 0, 0, 0.5});
    weft_value each = weft_binary_cross_entropy(x, t, .reduction = WEFT_LOSS_NONE);
    /* log(1 + e) - 1/2 in the last place */
    test_expect(&bench, each,
                (double[]){0.69314718055994531, 40, 4.248354255291589e-18, 0.81326168751822283}, 4);
    double small[4];
    test_evaluate(&bench, each, WEFT_FLOAT32, small, 4);
    cr_expect_float_eq(small[2] / 4.248354255291589e-18, 1, 1e-5, "relative accuracy was lost");
    weft_value mean = weft_binary_cross_entropy(x, t);
    test_expect(&bench, weft_gradient(mean, x),
                (double[]){-0.125, 0.25, 0, (0.73105857863000488 - 0.5) / 4}, 4);
}

Test(loss, mean_squared_error_and_its_gradients)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), (double[]){1, 2, 3, 4});
    weft_value t = test_given(&bench, weft_shape_of(2, 2), (double[]){0, 2, 5, 1});
    weft_value loss = weft_mean_squared_error(x, t);
    test_expect(&bench, loss, (double[]){3.5}, 1);
    test_expect(&bench, weft_gradient(loss, x), (double[]){0.5, 0, -1, 1.5}, 4);
    test_expect(&bench, weft_gradient(loss, t), (double[]){-0.5, 0, 1, -1.5}, 4);
}

Test(loss, labels_of_another_shape)
{
    weft_sparse_cross_entropy(
        weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 10)),
        weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 1), .dtype = WEFT_INT32));
    test_expect_error(&bench,
                      "logits [N,10] need labels of that shape without the last extent, not [N,1]");
}

Test(loss, real_labels)
{
    weft_sparse_cross_entropy(weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 10)),
                              weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH)));
    test_expect_error(&bench, "labels must be int32, not real");
}

Test(loss, targets_of_another_shape)
{
    weft_mean_squared_error(weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 10)),
                            weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 9)));
    test_expect_error(&bench, "mean_squared_error: [N,10] and target [N,9] differ in shape");
}
