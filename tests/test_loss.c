/* Softmax and losses: worked numbers, extremes, messages. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "support/allocator.h"
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

Test(loss, softmax_along_other_axes)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 2), (double[]){0, 2, 1, 1, 2, 0});
    test_expect(&bench, weft_softmax_along(x, 1), (double[]){p0, p2, p1, p1, p2, p0}, 6);
    test_expect(&bench, weft_log_softmax(x, -2),
                (double[]){-log_sum, 2 - log_sum, 1 - log_sum, 1 - log_sum, 2 - log_sum, -log_sum},
                6);
    weft_value large = test_given(&bench, weft_shape_of(3), (double[]){1000, 1001, 1002});
    test_expect(&bench, weft_log_softmax(large, 0), (double[]){-log_sum, 1 - log_sum, 2 - log_sum},
                3);
}

Test(loss, softmax_along_no_axis)
{
    weft_value x = test_given(&bench, weft_shape_of(3), (double[]){0, 1, 2});
    weft_softmax_along(x, 1);
    test_expect_error(&bench, "softmax: there is no axis 1 among 1 dimensions");
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

/* Where targets would broadcast. */
Test(loss, targets_of_another_shape_in_composed_losses)
{
    static const weft_loss_options options[] = {{0}, {.probabilities = true}, {.focal = 2}};
    static const struct {
        weft_value (*loss)(weft_value x, weft_value targets, const weft_loss_options *options);
        const char *says;
    } losses[] = {
        {weft_cross_entropy, "cross_entropy: [N,4] and target [N,1] differ in shape"},
        {weft_binary_cross_entropy, "binary_cross_entropy: [N,4] and target [N,1] differ in shape"},
    };
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
            end();
            begin();
            weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 4));
            weft_value t = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 1));
            cr_expect(weft_is_null(losses[i].loss(x, t, &options[k])));
            test_expect_error(&bench, losses[i].says);
        }
}

/* ---- Options of cross-entropies ---- */

static const double L = 2.4076059644443806, ln2 = 0.69314718055994531;

/* Logits (0, 1, 2) and (2, 1, 0). */
static weft_value two_rows(void)
{
    static const double logits[] = {0, 1, 2, 2, 1, 0};
    return test_given(&bench, weft_shape_of(2, 3), logits);
}

/* Targets of 0.8, 0.1, 0.1. */
Test(loss, label_smoothing)
{
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 1});
    weft_value each = weft_sparse_cross_entropy(two_rows(), labels, .label_smoothing = 0.3,
                                                .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){L - 1.7, L - 1}, 2);
    weft_value t = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 0, 1, 0, 1, 0});
    each = weft_cross_entropy(two_rows(), t, .label_smoothing = 0.3, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){L - 1.7, L - 1}, 2);
    weft_value zero = test_given(&bench, weft_shape_of(2), (double[]){0, 1});
    weft_value one = test_given(&bench, weft_shape_of(2), (double[]){1, 0});
    /* log(1 + exp(-1)) = log(1 + e) - 1; targets of 0.9 and 0.1 */
    each =
        weft_binary_cross_entropy(zero, one, .label_smoothing = 0.2, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){ln2, 1.3132616875182228 - 0.1}, 2);
}

Test(loss, class_weights_and_two_means)
{
    weft_value x = two_rows();
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 1});
    weft_value cw = test_given(&bench, weft_shape_of(3), (double[]){1, 2, 4});
    weft_value w = test_given(&bench, weft_shape_of(2), (double[]){0.5, 1});
    double a = 4 * (L - 2), b = 2 * (L - 1);
    test_expect(&bench, weft_sparse_cross_entropy(x, labels, .class_weights = cw),
                (double[]){(a + b) / 2}, 1);
    weft_value mean = weft_sparse_cross_entropy(x, labels, .class_weights = cw,
                                                .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    test_expect(&bench, mean, (double[]){(a + b) / 6}, 1);
    test_expect(&bench, weft_gradient(mean, x),
                (double[]){4 * p0 / 6, 4 * p1 / 6, 4 * (p2 - 1) / 6, 2 * p2 / 6, 2 * (p1 - 1) / 6,
                           2 * p0 / 6},
                6);
    mean = weft_sparse_cross_entropy(x, labels, .class_weights = cw, .weights = w,
                                     .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    test_expect(&bench, mean, (double[]){(0.5 * a + b) / (0.5 * 4 + 2)}, 1);
    mean = weft_sparse_cross_entropy(x, labels, .weights = w, .name = "weighted");
    cr_expect_str_eq(weft_name_get(mean), "weighted");
    test_expect(&bench, mean, (double[]){(0.5 * (L - 2) + L - 1) / 2}, 1);
    weft_value t = test_given(&bench, weft_shape_of(2, 3), (double[]){0.5, 0, 0.5, 0, 1, 0});
    test_expect(&bench, weft_cross_entropy(x, t, .class_weights = cw, .reduction = WEFT_LOSS_NONE),
                (double[]){0.5 * L + 2 * (L - 2), 2 * (L - 1)}, 2);
    /* Smoothing by way of targets (1/4, 1/4, 1/2), times the weights. */
    weft_value smoothed =
        weft_sparse_cross_entropy(x, labels, .class_weights = cw, .label_smoothing = 0.75,
                                  .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    test_expect(
        &bench, smoothed,
        (double[]){(0.25 * L + 0.5 * (L - 1) + 2 * (L - 2) + 0.25 * (L - 2) + (L - 1) + L) / 6}, 1);
}

Test(loss, ignored_labels)
{
    weft_value x = two_rows();
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 255});
    weft_value cw = test_given(&bench, weft_shape_of(3), (double[]){1, 2, 4});
    weft_value mean = weft_sparse_cross_entropy(x, labels, .ignore = true, .ignored_label = 255);
    test_expect(&bench, mean, (double[]){L - 2}, 1);
    test_expect(&bench, weft_gradient(mean, x), (double[]){p0, p1, p2 - 1, 0, 0, 0}, 6);
    mean = weft_sparse_cross_entropy(x, labels, .ignore = true, .ignored_label = 255,
                                     .class_weights = cw, .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    test_expect(&bench, mean, (double[]){L - 2}, 1);
    mean = weft_sparse_cross_entropy(x, labels, .ignore = true, .ignored_label = 255,
                                     .label_smoothing = 0.3);
    test_expect(&bench, mean, (double[]){L - 1.7}, 1);
    weft_value none = test_given_integers(&bench, weft_shape_of(2), (double[]){-100, -100});
    mean = weft_sparse_cross_entropy(x, none, .ignore = true, .ignored_label = -100);
    test_expect(&bench, mean, (double[]){0}, 1);
    test_expect(&bench, weft_gradient(mean, x), (double[]){0, 0, 0, 0, 0, 0}, 6);
    /* A label of no class that is not the ignored one is seen. */
    weft_value bad = test_given_integers(&bench, weft_shape_of(2), (double[]){254, 255});
    for (int smoothed = 0; smoothed < 2; smoothed++) {
        double each[2];
        weft_value losses = weft_sparse_cross_entropy(x, bad, .ignore = true, .ignored_label = 255,
                                                      .label_smoothing = smoothed ? 0.1 : 0,
                                                      .reduction = WEFT_LOSS_NONE);
        test_evaluate(&bench, losses, WEFT_FLOAT32, each, 2);
        cr_expect(isnan(each[0]));
        cr_expect_eq(each[1], 0);
    }
}

/* What an ignored example has is not looked at, infinities among it. */
Test(loss, ignored_infinities)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), (double[]){1, 0, -INFINITY, 3});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){0, 255});
    weft_value mean = weft_sparse_cross_entropy(x, labels, .ignore = true, .ignored_label = 255);
    test_expect(&bench, mean, (double[]){log1p(exp(-1))}, 1);
    weft_value logits = test_given(&bench, weft_shape_of(2), (double[]){1, -INFINITY});
    weft_value targets = test_given(&bench, weft_shape_of(2), (double[]){1, 255});
    weft_value each = weft_binary_cross_entropy(logits, targets, .ignore = true,
                                                .ignored_label = 255, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){log1p(exp(-1)), 0}, 2);
}

/* As those of the loss of distributions: each class's weight has the losses of its labels. */
Test(loss, gradients_by_class_weights)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 1, 2, 2, 1, 0});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 1});
    weft_value weights = test_given(&bench, weft_shape_of(3), (double[]){1, 2, 3});
    weft_value sum =
        weft_sparse_cross_entropy(x, labels, .class_weights = weights, .reduction = WEFT_LOSS_SUM);
    test_expect(&bench, weft_gradient(sum, weights), (double[]){0, log_sum - 1, log_sum - 2}, 3);
}

Test(loss, from_probabilities)
{
    weft_value p = test_given(&bench, weft_shape_of(2, 3), (double[]){p0, p1, p2, 0, 0.25, 0.75});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 0});
    weft_value each =
        weft_sparse_cross_entropy(p, labels, .probabilities = true, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){L - 2, -log(1e-7)}, 2);
    weft_value t = test_given(&bench, weft_shape_of(2, 3), (double[]){0.5, 0, 0.5, 0, 0.5, 0.5});
    each = weft_cross_entropy(p, t, .probabilities = true, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){L - 1, 0.5 * (log(4) + log(4.0 / 3))}, 2);
    weft_value q = test_given(&bench, weft_shape_of(4), (double[]){0.25, 0.25, 0, 1});
    weft_value u = test_given(&bench, weft_shape_of(4), (double[]){1, 0.5, 1, 1});
    each = weft_binary_cross_entropy(q, u, .probabilities = true, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){log(4), 0.5 * (log(4) + log(4.0 / 3)), -log(1e-7), 0}, 4);
}

Test(loss, least_probabilities)
{
    weft_value p = test_given(&bench, weft_shape_of(2, 2), (double[]){0, 1, 1e-9, 1});
    weft_value t = test_given(&bench, weft_shape_of(2, 2), (double[]){1, 0, 1, 0});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){0, 0});
    static const double least[] = {0, 1e-30, 0.25};
    for (int i = 0; i < 3; i++) {
        weft_loss_options options = {
            .probabilities = true, .least_probability = least[i], .reduction = WEFT_LOSS_NONE};
        double floor = i == 0 ? 1e-7 : least[i], a = -log(floor), b = -log(fmax(floor, 1e-9));
        test_expect(&bench, (weft_sparse_cross_entropy)(p, labels, &options), (double[]){a, b}, 2);
        test_expect(&bench, (weft_cross_entropy)(p, t, &options), (double[]){a, b}, 2);
        test_expect(&bench, (weft_kl_divergence)(p, t, &options), (double[]){a, b}, 2);
        weft_value each = (weft_binary_cross_entropy)(p, t, &options);
        test_expect(&bench, each, (double[]){a, a, b, a}, 4);
    }
}

Test(loss, focal)
{
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){2, 1});
    double a = (1 - p2) * (1 - p2) * (L - 2), b = (1 - p1) * (1 - p1) * (L - 1);
    weft_value each =
        weft_sparse_cross_entropy(two_rows(), labels, .focal = 2, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){a, b}, 2);
    weft_value t = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 0, 1, 0, 0.5, 0.5});
    each = weft_cross_entropy(two_rows(), t, .focal = 2, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){a, 0.5 * b + 0.5 * (1 - p0) * (1 - p0) * L}, 2);
    weft_value p = test_given(&bench, weft_shape_of(2, 3), (double[]){p0, p1, p2, p2, p1, p0});
    each = weft_sparse_cross_entropy(p, labels, .focal = 2, .probabilities = true,
                                     .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){a, b}, 2);
    /* p = 1/2 and e / (1 + e) */
    double s = 0.73105857863000488;
    weft_value x = test_given(&bench, weft_shape_of(3), (double[]){0, 1, 1});
    weft_value u = test_given(&bench, weft_shape_of(3), (double[]){1, 0, 1});
    double expected[] = {0.25 * 0.25 * ln2, 0.75 * s * s * -log(1 - s),
                         0.25 * (1 - s) * (1 - s) * -log(s)};
    each = weft_binary_cross_entropy(x, u, .focal = 2, .focal_alpha = 0.25,
                                     .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, expected, 3);
    weft_value q = test_given(&bench, weft_shape_of(3),
                              (double[]){0.5, 0.73105857863000488, 0.73105857863000488});
    each = weft_binary_cross_entropy(q, u, .focal = 2, .focal_alpha = 0.25, .probabilities = true,
                                     .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, expected, 3);
}

Test(loss, focal_of_targets_in_between)
{
    weft_value p = test_given(&bench, weft_shape_of(2), (double[]){0.25, 0.25});
    weft_value x = test_given(&bench, weft_shape_of(2), (double[]){-log(3), -log(3)});
    weft_value t = test_given(&bench, weft_shape_of(2), (double[]){0.5, 1});
    /* Targets of 1/2 and 3/4. */
    double half = 0.5 * log(4) + 0.5 * log(4.0 / 3), most = 0.75 * log(4) + 0.25 * log(4.0 / 3);
    double missed = 0.75 * 0.75 + 0.25 * 0.25;
    double expected[] = {0.5 * 0.25 * half, (0.75 * 0.125 + 0.25 * 0.875) * missed * missed * most};
    weft_loss_options options = {
        .focal = 2, .focal_alpha = 0.125, .label_smoothing = 0.5, .reduction = WEFT_LOSS_NONE};
    test_expect(&bench, (weft_binary_cross_entropy)(x, t, &options), expected, 2);
    options.probabilities = true;
    test_expect(&bench, (weft_binary_cross_entropy)(p, t, &options), expected, 2);
}

Test(loss, positive_and_class_weights_of_decisions)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), (double[]){0, 0, 0, 0});
    weft_value p = test_given(&bench, weft_shape_of(2, 2), (double[]){0.5, 0.5, 0.5, 0.5});
    weft_value t = test_given(&bench, weft_shape_of(2, 2), (double[]){1, 0, 0.25, 1});
    weft_value cw = test_given(&bench, weft_shape_of(2), (double[]){1, 10});
    weft_value pw = test_given(&bench, weft_shape_of(2), (double[]){3, 0.5});
    double expected[] = {3 * ln2, 10 * ln2, 1.5 * ln2, 5 * ln2};
    weft_loss_options options = {
        .positive_weights = pw, .class_weights = cw, .reduction = WEFT_LOSS_NONE};
    test_expect(&bench, (weft_binary_cross_entropy)(x, t, &options), expected, 4);
    options.probabilities = true;
    test_expect(&bench, (weft_binary_cross_entropy)(p, t, &options), expected, 4);
    options.positive_weights = weft_scalar(bench.graph, 3);
    expected[3] = 30 * ln2;
    test_expect(&bench, (weft_binary_cross_entropy)(p, t, &options), expected, 4);
}

Test(loss, positive_weights_of_another_shape)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_value pw = weft_input(bench.graph, .shape = weft_shape_of(2, 1, 5));
    weft_binary_cross_entropy(x, x, .positive_weights = pw);
    test_expect_error(&bench, "weights are [2,1,5] for losses [N,5]");
}

Test(loss, positive_weights_of_numbers)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_mean_squared_error(x, x, .positive_weights = weft_scalar(bench.graph, 2));
    test_expect_error(&bench, "mean_squared_error has no option positive_weights");
}

/* ---- Other losses ---- */

Test(loss, divergences)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 3), (double[]){0, 1, 2});
    weft_value t = test_given(&bench, weft_shape_of(1, 3), (double[]){0.5, 0.5, 0});
    test_expect(&bench, weft_kl_divergence(x, t), (double[]){L - 0.5 - ln2}, 1);
    weft_value p = test_given(&bench, weft_shape_of(1, 3), (double[]){0.25, 0.5, 0.25});
    test_expect(&bench, weft_kl_divergence(p, t, .probabilities = true), (double[]){0.5 * ln2}, 1);
    weft_value student = test_given(&bench, weft_shape_of(1, 3), (double[]){0, 2, 4});
    weft_value teacher = test_given(&bench, weft_shape_of(1, 3), (double[]){7, 7, 7});
    weft_value distilled = weft_distillation(student, teacher, .temperature = 2);
    test_expect(&bench, distilled, (double[]){4 * (L - 1 - log(3))}, 1);
    test_expect(&bench, weft_gradient(distilled, student),
                (double[]){2 * (p0 - 1.0 / 3), 2 * (p1 - 1.0 / 3), 2 * (p2 - 1.0 / 3)}, 3);
    test_expect(&bench, weft_gradient(distilled, teacher), (double[]){0, 0, 0}, 3);
}

Test(loss, hinge)
{
    weft_value x = test_given(&bench, weft_shape_of(3), (double[]){0.5, -2, 3});
    weft_value t = test_given(&bench, weft_shape_of(3), (double[]){1, -1, -1});
    test_expect(&bench, weft_hinge(x, t, .reduction = WEFT_LOSS_NONE), (double[]){0.5, 0, 4}, 3);
    weft_value squared = weft_hinge(x, t, .squared = true, .reduction = WEFT_LOSS_SUM);
    test_expect(&bench, squared, (double[]){16.25}, 1);
    test_expect(&bench, weft_gradient(squared, x), (double[]){-1, 0, 8}, 3);
}

/* Class 1 against classes 0 and 2: 0.5 and 2 are missing in the first row, -1 and -0.5 in the second, where
 * all scores are below 0. */
Test(loss, hinge_of_classes)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), (double[]){0.5, 1, 2, -3, -1, -2.5});
    weft_value labels = test_given_integers(&bench, weft_shape_of(2), (double[]){1, 1});
    weft_value t = test_given(&bench, weft_shape_of(2, 3), (double[]){0, 1, 0, 0, 1, 0});
    static const struct {
        weft_loss_options options;
        double losses[2], slopes[6];
    } wanted[] = {
        {{0}, {2.5 / 3, 0}, {1.0 / 3, -2.0 / 3, 1.0 / 3, 0, 0, 0}},
        {{.squared = true}, {4.25 / 3, 0}, {1.0 / 3, -5.0 / 3, 4.0 / 3, 0, 0, 0}},
        {{.margin = 2}, {4.5 / 3, 0.5 / 3}, {1.0 / 3, -2.0 / 3, 1.0 / 3, 0, -1.0 / 3, 1.0 / 3}},
        {{.hinge = WEFT_HINGE_LARGEST}, {2, 0}, {0, -1, 1, 0, 0, 0}},
        {{.hinge = WEFT_HINGE_LARGEST, .squared = true}, {4, 0}, {0, -4, 4, 0, 0, 0}},
        {{.hinge = WEFT_HINGE_KERAS}, {2, 2}, {0, -1, 1, 0, -1, 0}},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        weft_loss_options options = wanted[i].options;
        options.reduction = WEFT_LOSS_NONE;
        weft_value each = (weft_sparse_categorical_hinge)(x, labels, &options);
        test_expect(&bench, each, wanted[i].losses, 2);
        test_expect(&bench, weft_gradient(weft_sum(each), x), wanted[i].slopes, 6);
        test_expect(&bench, (weft_categorical_hinge)(x, t, &options), wanted[i].losses, 2);
    }
}

Test(loss, hinge_of_classes_with_weights)
{
    weft_value x = test_given(&bench, weft_shape_of(3, 2), (double[]){0, 1, 0, 2, 0, 0});
    weft_value labels = test_given_integers(&bench, weft_shape_of(3), (double[]){0, 255, 1});
    weft_value cw = test_given(&bench, weft_shape_of(2), (double[]){3, 0.5});
    weft_loss_options options = {.class_weights = cw, .ignore = true, .ignored_label = 255};
    weft_value mean = (weft_sparse_categorical_hinge)(x, labels, &options);
    test_expect(&bench, mean, (double[]){(3 * 1 + 0.5 * 0.5) / 2}, 1);
    options.reduction = WEFT_LOSS_WEIGHTED_MEAN;
    mean = (weft_sparse_categorical_hinge)(x, labels, &options);
    test_expect(&bench, mean, (double[]){(3 * 1 + 0.5 * 0.5) / 3.5}, 1);
    test_expect(&bench, weft_gradient(mean, x),
                (double[]){-1.5 / 3.5, 1.5 / 3.5, 0, 0, 0.25 / 3.5, -0.25 / 3.5}, 6);
    weft_value t = test_given(&bench, weft_shape_of(3, 2), (double[]){1, 0, 0, 1, 0, 1});
    mean = weft_categorical_hinge(x, t, .class_weights = cw, .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    test_expect(&bench, mean, (double[]){(3 * 1 + 0 + 0.5 * 0.5) / 4}, 1);
    weft_value bad = test_given_integers(&bench, weft_shape_of(3), (double[]){0, 2, 1});
    double losses[3];
    weft_value each = weft_sparse_categorical_hinge(x, bad, .reduction = WEFT_LOSS_NONE);
    test_evaluate(&bench, each, WEFT_FLOAT32, losses, 3);
    cr_expect(isnan(losses[1]));
    cr_expect_eq(losses[2], 0.5);
}

Test(loss, ignored_binary_targets)
{
    weft_value x = test_given(&bench, weft_shape_of(4), (double[]){0, 1, 3, 0});
    weft_value t = test_given(&bench, weft_shape_of(4), (double[]){1, 255, 255, 0});
    weft_value w = test_given(&bench, weft_shape_of(4), (double[]){3, 1, 5, 1});
    weft_loss_options options = {.ignore = true, .ignored_label = 255};
    weft_value mean = (weft_binary_cross_entropy)(x, t, &options);
    test_expect(&bench, mean, (double[]){ln2}, 1);
    test_expect(&bench, weft_gradient(mean, x), (double[]){-0.25, 0, 0, 0.25}, 4);
    options.weights = w;
    test_expect(&bench, (weft_binary_cross_entropy)(x, t, &options), (double[]){2 * ln2}, 1);
    options.reduction = WEFT_LOSS_WEIGHTED_MEAN;
    test_expect(&bench, (weft_binary_cross_entropy)(x, t, &options), (double[]){ln2}, 1);
    /* What they would do to powers and to factors of targets. */
    options = (weft_loss_options){.ignore = true,
                                  .ignored_label = 255,
                                  .focal = 2,
                                  .focal_alpha = 0.25,
                                  .label_smoothing = 0.5,
                                  .positive_weights = weft_scalar(bench.graph, 2),
                                  .reduction = WEFT_LOSS_NONE};
    /* Targets of 3/4 and 1/4. */
    test_expect(&bench, (weft_binary_cross_entropy)(x, t, &options),
                (double[]){0.375 * 1.75 * 0.25 * ln2, 0, 0, 0.625 * 1.25 * 0.25 * ln2}, 4);
}

Test(loss, absolute_error_and_huber)
{
    weft_value x = test_given(&bench, weft_shape_of(4), (double[]){1, -3, 2, 5});
    weft_value t = test_given(&bench, weft_shape_of(4), (double[]){0, 0, 2, 2});
    weft_value mean = weft_mean_absolute_error(x, t);
    test_expect(&bench, mean, (double[]){7.0 / 4}, 1);
    test_expect(&bench, weft_gradient(mean, x), (double[]){0.25, -0.25, 0, 0.25}, 4);
    weft_value each = weft_huber(x, t, .delta = 2, .reduction = WEFT_LOSS_NONE);
    test_expect(&bench, each, (double[]){0.5, 4, 0, 4}, 4);
    test_expect(&bench, weft_gradient(weft_sum(each), x), (double[]){1, -2, 0, 2}, 4);
    test_expect(&bench, weft_huber(x, t, .reduction = WEFT_LOSS_SUM), (double[]){0.5 + 2.5 + 2.5},
                1);
}

/* Two pixels of one class: sum p t = 1, sum p = 1.5, sum t = 1, sum p^2 = 1.25. */
Test(loss, overlap)
{
    weft_value p = test_given(&bench, weft_shape_of(1, 2, 1), (double[]){1, 0.5});
    weft_value t = test_given(&bench, weft_shape_of(1, 2, 1), (double[]){1, 0});
    test_expect(&bench, weft_dice(p, t, .probabilities = true), (double[]){1 - 3 / 3.5}, 1);
    test_expect(&bench, weft_dice(p, t, .probabilities = true, .squared = true, .smooth = 2),
                (double[]){1 - 4 / 4.25}, 1);
    test_expect(&bench, weft_jaccard(p, t, .probabilities = true), (double[]){1 - 2 / 2.5}, 1);
    weft_value w = test_given(&bench, weft_shape_of(1, 2, 1), (double[]){1, 0});
    test_expect(&bench, weft_jaccard(p, t, .probabilities = true, .weights = w), (double[]){0}, 1);
    /* Two images of one pixel and two classes; logits of 0. */
    weft_value x = test_given(&bench, weft_shape_of(2, 1, 2), (double[]){0, 0, 0, 0});
    weft_value u = test_given(&bench, weft_shape_of(2, 1, 2), (double[]){1, 0, 1, 1});
    weft_value cw = test_given(&bench, weft_shape_of(2), (double[]){1, 2});
    double hit = 1 - 2 / 2.5, miss = 1 - 1 / 1.5;
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        test_expect(&bench, weft_dice(x, u, .exclusive = exclusive, .reduction = WEFT_LOSS_NONE),
                    (double[]){hit, miss, hit, hit}, 4);
        test_expect(&bench,
                    weft_dice(x, u, .exclusive = exclusive, .over_batch = true, .class_weights = cw,
                              .reduction = WEFT_LOSS_NONE),
                    (double[]){1 - 3.0 / 4, 2 * (1 - 2.0 / 3)}, 2);
    }
    weft_value far = test_given(&bench, weft_shape_of(1, 1, 2), (double[]){0, 200});
    weft_value v = test_given(&bench, weft_shape_of(1, 1, 2), (double[]){1, 1});
    test_expect(&bench, weft_dice(far, v, .reduction = WEFT_LOSS_NONE), (double[]){hit, 0}, 2);
    test_expect(&bench, weft_dice(far, v, .exclusive = true, .reduction = WEFT_LOSS_NONE),
                (double[]){0.5, 0}, 2);
}

Test(loss, several_losses)
{
    weft_value x = test_given(&bench, weft_shape_of(2), (double[]){1, 3});
    weft_value t = test_given(&bench, weft_shape_of(2), (double[]){0, 0});
    weft_value losses[] = {weft_mean_squared_error(x, t), weft_mean_absolute_error(x, t)};
    weft_value sum = weft_sum_losses(losses, (double[]){0.5, 3}, 2);
    test_expect(&bench, sum, (double[]){0.5 * 5 + 3 * 2}, 1);
    test_expect(&bench, weft_gradient(sum, x), (double[]){0.5 + 1.5, 1.5 + 1.5}, 2);
    test_expect(&bench, weft_sum_losses(losses, NULL, 2), (double[]){7}, 1);
    weft_value none = weft_sum_losses(NULL, NULL, 0);
    cr_expect(weft_is_null(none));
    cr_expect_null(none.graph);
    weft_value shaped[] = {losses[0], x};
    weft_sum_losses(shaped, NULL, 2);
    test_expect_error(&bench, "sum_losses: [] and target [2] differ in shape");
}

/* ---- All of them: gradients, extremes, mistakes, memory ---- */

enum { ROWS = 3, CLASSES = 4 };

/* Builds loss number `index` of logits, or probabilities, [3,2,4]; the null value past the last. Targets are
 * between 0 and 1, labels classes, 3 being ignored by some. */
static weft_value build(int index, weft_value x, weft_value t, weft_value labels, weft_value pixel,
                        weft_value cw)
{
    switch (index) {
    case 0:
        return weft_sparse_cross_entropy(x, labels, .class_weights = cw, .weights = pixel);
    case 1:
        return weft_sparse_cross_entropy(x, labels, .ignore = true, .ignored_label = 3,
                                         .label_smoothing = 0.1, .class_weights = cw,
                                         .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    case 2:
        return weft_sparse_cross_entropy(x, labels, .focal = 2, .ignore = true, .ignored_label = 3);
    case 3:
        return weft_cross_entropy(x, t, .focal = 1.5, .class_weights = cw, .label_smoothing = 0.2);
    case 4:
        return weft_cross_entropy(x, t, .weights = pixel, .reduction = WEFT_LOSS_WEIGHTED_MEAN);
    case 5:
        return weft_binary_cross_entropy(x, t, .focal = 2, .focal_alpha = 0.25,
                                         .label_smoothing = 0.1);
    case 6:
        return weft_binary_cross_entropy(x, t, .positive_weights = cw, .class_weights = cw,
                                         .weights = weft_expand_dims(pixel, -1));
    case 7:
        return weft_kl_divergence(x, t);
    case 8:
        return weft_distillation(x, t, .temperature = 4);
    case 9:
        return weft_dice(x, t, .class_weights = cw, .squared = true);
    case 10:
        return weft_dice(x, t, .exclusive = true, .over_batch = true);
    case 11:
        return weft_jaccard(x, t, .smooth = 0.5);
    case 12:
        return weft_mean_squared_error(x, t);
    case 13:
        return weft_mean_absolute_error(x, t);
    case 14:
        return weft_huber(x, t, .delta = 0.5);
    case 15:
        return weft_hinge(x, t, .squared = true);
    case 16:
        return weft_sparse_cross_entropy(weft_softmax(x), labels, .probabilities = true);
    case 17:
        return weft_cross_entropy(weft_softmax(x), t, .probabilities = true, .focal = 2);
    case 18:
        return weft_binary_cross_entropy(weft_sigmoid(x), t, .probabilities = true, .focal = 2);
    case 19:
        return weft_kl_divergence(weft_softmax(x), t, .probabilities = true);
    case 20:
        return weft_jaccard(weft_sigmoid(x), t, .probabilities = true);
    case 21:
        return weft_sparse_categorical_hinge(x, labels, .class_weights = cw, .weights = pixel);
    case 22:
        return weft_sparse_categorical_hinge(x, labels, .ignore = true, .ignored_label = 3,
                                             .hinge = WEFT_HINGE_LARGEST, .squared = true);
    case 23:
        return weft_categorical_hinge(x, t, .class_weights = cw, .squared = true);
    case 24:
        return weft_categorical_hinge(x, t, .hinge = WEFT_HINGE_KERAS, .margin = 0.75,
                                      .squared = true);
    default:
        return weft_null(x.graph);
    }
}

static const double label_numbers[] = {0, 3, 1, 2, 3, 0};
static double logit_numbers[ROWS * 2 * CLASSES], target_numbers[ROWS * 2 * CLASSES];

typedef struct operands {
    weft_value x, t, labels, pixel, cw;
} operands;

static operands given_operands(double largest, bool hard)
{
    static const double pixels[] = {1, 0.5, 2, 1, 1, 3}, classes[] = {1, 2, 0.5, 3};
    weft_shape shape = weft_shape_of(ROWS, 2, CLASSES), rows = weft_shape_of(ROWS, 2);
    for (int i = 0; i < ROWS * 2 * CLASSES; i++) {
        logit_numbers[i] = ((i * 7 + 3) % 24 - 11.5) / 11.5 * largest;
        target_numbers[i] = hard ? i * 5 % 7 < 3 : 0.03 + (i * 5 % 23) / 24.0;
    }
    return (operands){
        test_given(&bench, shape, logit_numbers), test_given(&bench, shape, target_numbers),
        test_given_integers(&bench, rows, label_numbers), test_given(&bench, rows, pixels),
        test_given(&bench, weft_shape_of(CLASSES), classes)};
}

/* The same as inputs, for gradient checks, which feed them. */
static operands input_operands(weft_graph *graph)
{
    weft_shape shape = weft_shape_of(ROWS, 2, CLASSES), rows = weft_shape_of(ROWS, 2);
    return (operands){weft_input(graph, .shape = shape), weft_input(graph, .shape = shape),
                      weft_input(graph, .shape = rows, .dtype = WEFT_INT32),
                      weft_input(graph, .shape = rows),
                      weft_input(graph, .shape = weft_shape_of(CLASSES))};
}

static weft_value build_of(int index, const operands *o)
{
    return build(index, o->x, o->t, o->labels, o->pixel, o->cw);
}

Test(loss, gradients_of_all)
{
    operands o = input_operands(bench.graph), given = given_operands(2, false);
    double pixels[] = {1, 0.5, 2, 1, 1, 3}, classes[] = {1, 2, 0.5, 3};
    int32_t labels[] = {0, 3, 1, 2, 3, 0};
    weft_feed feeds[] = {{o.x, logit_numbers, sizeof(logit_numbers)},
                         {o.t, target_numbers, sizeof(target_numbers)},
                         {o.labels, labels, sizeof(labels)},
                         {o.pixel, pixels, sizeof(pixels)},
                         {o.cw, classes, sizeof(classes)}};
    for (int i = 0;; i++) {
        weft_value loss = build_of(i, &o), of[] = {o.x, o.t};
        if (weft_is_null(loss))
            break;
        weft_error error = {0};
        weft_gradcheck_options options = {.feeds = feeds, .feed_count = 5};
        /* The teacher has none, and labels take the targets' place in some. */
        bool has_targets = i > 2 && i != 8 && i != 16 && i != 21 && i != 22;
        for (int second = 0; second < 2; second++) {
            options.second_order = second && i != 13 && i != 21; /* which is 0 */
            cr_expect_eq(weft_gradcheck(&loss, 1, of, has_targets ? 2 : 1, &options, NULL, &error),
                         WEFT_OK, "loss %d, order %d: %s", i, 1 + second, error.message);
        }
        double exact, single;
        loss = build_of(i, &given);
        test_evaluate(&bench, loss, WEFT_FLOAT64, &exact, 1);
        test_evaluate(&bench, loss, WEFT_FLOAT32, &single, 1);
        cr_expect_float_eq(single, exact, 2e-6 * fmax(1, fabs(exact)), "loss %d: %g, not %g", i,
                           single, exact);
    }
    cr_expect_eq(weft_graph_error(bench.graph)->status, WEFT_OK, "%s",
                 weft_graph_error(bench.graph)->message);
}

/* Scores so large that probabilities are 0 and 1. */
Test(loss, extremes_are_finite)
{
    operands o = given_operands(1e4, true);
    for (int i = 0;; i++) {
        weft_value loss = build_of(i, &o);
        if (weft_is_null(loss))
            break;
        weft_value gradient = weft_gradient(loss, o.x);
        for (int single = 0; single < 2; single++) {
            weft_dtype dtype = single ? WEFT_FLOAT32 : WEFT_FLOAT64;
            double value, slope[ROWS * 2 * CLASSES];
            test_evaluate(&bench, loss, dtype, &value, 1);
            test_evaluate(&bench, gradient, dtype, slope, ROWS * 2 * CLASSES);
            cr_expect(isfinite(value), "loss %d is %g", i, value);
            for (int k = 0; k < ROWS * 2 * CLASSES; k++)
                cr_expect(isfinite(slope[k]), "loss %d, gradient %d is %g", i, k, slope[k]);
        }
    }
}

Test(loss, options_that_a_loss_does_not_have)
{
    static const struct {
        weft_loss_options options;
        const char *says;
    } wrong[] = {
        {{.probabilities = true}, "mean_squared_error has no option probabilities"},
        {{.label_smoothing = 0.1}, "has no option label_smoothing"},
        {{.ignore = true}, "has no option ignore"},
        {{.focal = 2}, "has no option focal"},
        {{.probabilities = true, .least_probability = 1e-3}, "has no option probabilities"},
        {{.least_probability = 1e-3}, "has no option least_probability"},
        {{.delta = 2}, "has no option delta"},
        {{.over_batch = true}, "has no option over_batch"},
        {{.squared = true}, "has no option squared"},
        {{.temperature = 2}, "has no option temperature"},
        {{.margin = 2}, "has no option margin"},
        {{.hinge = WEFT_HINGE_LARGEST}, "has no option hinge"},
        {{.reduction = (weft_loss_reduction)9}, "unknown reduction 9"},
    };
    static const struct {
        weft_loss_options options;
        const char *says;
    } out_of_range[] = {
        {{.label_smoothing = 1.5}, "sparse_cross_entropy: option label_smoothing is out of range"},
        {{.focal = -1}, "option focal is out of range"},
        {{.least_probability = 1e-3}, "option least_probability is out of range"},
        {{.probabilities = true, .least_probability = 0.7}, "least_probability is out of range"},
        {{.ignored_label = 3}, "option ignore is out of range"},
    };
    weft_context *context = weft_context_create(NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value x = weft_input(graph, .shape = weft_shape_of(2, 3));
        cr_expect(weft_is_null((weft_mean_squared_error)(x, x, &wrong[i].options)));
        cr_expect(strstr(weft_graph_error(graph)->message, wrong[i].says), "%s",
                  weft_graph_error(graph)->message);
        weft_graph_destroy(graph);
    }
    for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value x = weft_input(graph, .shape = weft_shape_of(2, 3));
        weft_value t = weft_input(graph, .shape = weft_shape_of(2), .dtype = WEFT_INT32);
        (weft_sparse_cross_entropy)(x, t, &out_of_range[i].options);
        cr_expect(strstr(weft_graph_error(graph)->message, out_of_range[i].says), "%s",
                  weft_graph_error(graph)->message);
        weft_graph_destroy(graph);
    }
    weft_context_destroy(context);
}

Test(loss, weights_of_another_shape)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_value w = weft_input(bench.graph, .shape = weft_shape_of(4, 1, 5));
    weft_mean_squared_error(x, x, .weights = w);
    test_expect_error(&bench, "weights are [4,1,5] for losses [N,5]");
}

Test(loss, weights_of_masks_of_another_shape)
{
    weft_value (*const losses[])(weft_value, weft_value,
                                 const weft_loss_options *) = {weft_dice, weft_jaccard};
    for (int i = 0; i < 2; i++) {
        end();
        begin();
        weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 4, 2));
        weft_value w = weft_input(bench.graph, .shape = weft_shape_of(3, 1, 1, 1));
        cr_expect(weft_is_null(losses[i](x, x, &(weft_loss_options){.weights = w})));
        test_expect_error(&bench, "weights are [3,1,1,1] for losses [N,4,2]");
    }
}

Test(loss, class_weights_of_another_number)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_value t = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
    weft_value cw = weft_input(bench.graph, .shape = weft_shape_of(4));
    weft_sparse_cross_entropy(x, t, .class_weights = cw);
    test_expect_error(&bench, "class weights are [4] for 5 classes");
}

Test(loss, masks_without_pixels)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5));
    weft_dice(x, x);
    test_expect_error(&bench, "dice needs masks [N,...,C] with pixels, of rank 3 and more, not 2");
}

/* A graph with every loss, its gradient and a program, with the n-th allocation failing. */
static weft_status all_losses(weft_context *context, weft_error *error)
{
    weft_graph *graph = weft_graph_create(context);
    if (!graph)
        return WEFT_ERROR_MEMORY;
    operands o = input_operands(graph);
    weft_value losses[32];
    int count = 0;
    while (count < 32 && !weft_is_null(losses[count] = build_of(count, &o)))
        count++;
    weft_value slope = weft_null(graph);
    if (count > 0)
        slope = weft_gradient(weft_sum_losses(losses, NULL, count), o.x);
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_status status = weft_state_create(graph, NULL, &state, error);
    if (status == WEFT_OK)
        status = weft_compile(graph, state, &(weft_compile_options){.fetch = &slope, .fetches = 1},
                              &program, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    return status;
}

/* Every seventh allocation: there are many. */
Test(loss, allocations_fail)
{
    test_allocator allocator = {0};
    weft_context_options options = test_allocator_options(&allocator);
    weft_context *context = weft_context_create(&options);
    int64_t live = allocator.live_bytes;
    for (int64_t n = 1;; n += 7) {
        weft_error error = {.message = "none"};
        allocator.requests = allocator.failed = 0;
        allocator.fail_at = n;
        weft_status status = all_losses(context, &error);
        cr_expect_eq(allocator.live_bytes, live, "request %lld", (long long)n);
        cr_expect_eq(allocator.wrong_releases, 0);
        if (!allocator.failed) {
            cr_expect_eq(status, WEFT_OK, "%s", error.message);
            cr_expect_gt(n, 100);
            break;
        }
        cr_expect_eq(status, WEFT_ERROR_MEMORY, "request %lld: %s", (long long)n, error.message);
    }
    allocator.fail_at = 0;
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
}
