/* Layer, group and instance normalization: worked numbers, sizes around the kernels' pieces, messages. */
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

TestSuite(group_norm, .init = begin, .fini = end);

static weft_value gradient(weft_value y, weft_value seed, weft_value x)
{
    weft_value dx;
    weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
    return dx;
}

/* Of 1, 3 the mean is 2 and the variance 1, of 0, 8 they are 4 and 16; epsilon is 3 and 9. */
static const double pairs[] = {1, 3, 0, 8};

Test(group_norm, normalizes_the_channels_of_each_pixel)
{
    static const double gamma[] = {2, 4}, beta[] = {0, 1};
    const double y[] = {2 * -0.5, 4 * 0.5 + 1, 2 * -4 / sqrt(19), 4 * 4 / sqrt(19) + 1};
    weft_value x = test_given(&bench, weft_shape_of(2, 1, 2), pairs);
    weft_value value =
        weft_layer_normalization(x, .gamma = test_given(&bench, weft_shape_of(2), gamma),
                                 .beta = test_given(&bench, weft_shape_of(2), beta), .epsilon = 3);
    test_expect(&bench, value, y, 4);
}

Test(group_norm, normalizes_each_channel_over_a_samples_pixels)
{
    /* one sample of two pixels: channels 1, 0 and 3, 8 with means 0.5, 5.5, variances 0.25, 6.25 */
    static const double y[] = {0.5 / 2.5, -2.5 / 3.5, -0.5 / 2.5, 2.5 / 3.5};
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 2), pairs);
    test_expect(&bench, weft_instance_normalization(x, .epsilon = 6), y, 4);
}

Test(group_norm, normalizes_groups_of_channels)
{
    /* all four as one group: mean 3, variance (4 + 0 + 9 + 25) / 4 = 9.5; epsilon 6.5 makes 16 */
    static const double y[] = {-0.5, 0, -0.75, 1.25};
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 2), pairs);
    test_expect(&bench, weft_group_normalization(x, .groups = 1, .epsilon = 6.5), y, 4);
    /* the same elements as one pixel of four channels in two groups */
    const double groups[] = {-0.5, 0.5, -4 / sqrt(19), 4 / sqrt(19)};
    x = test_given(&bench, weft_shape_of(1, 1, 4), pairs);
    test_expect(&bench, weft_group_normalization(x, .groups = 2, .epsilon = 3), groups, 4);
    test_expect(&bench, weft_layer_normalization(x, .epsilon = 6.5), y, 4);
}

Test(group_norm, has_a_gradient_across_the_mean)
{
    /* h = -0.5, 0.5, r = 0.5; of dy = 1, 0: dx = r (dy - 1/2 - h (-1/4)) */
    static const double seed[] = {1, 0, 0, 0}, dx[] = {0.1875, -0.1875, 0, 0};
    weft_value x = test_given(&bench, weft_shape_of(2, 1, 2), pairs);
    weft_value y = weft_layer_normalization(x, .epsilon = 3);
    test_expect(&bench, gradient(y, test_given(&bench, weft_shape_of(2, 1, 2), seed), x), dx, 4);
}

/* An image of any size: pixels, of which there is one channel, times the channels of one pixel. */
static weft_value spread(weft_value (*of_pixels)(weft_value), weft_shape shape)
{
    weft_value row = test_patterned(&bench, weft_shape_of(shape.extent[shape.rank - 1]));
    shape.extent[shape.rank - 1] = 1;
    weft_value pixels = of_pixels(test_patterned(&bench, shape));
    return weft_add(weft_multiply(pixels, row), weft_scale(weft_square(row), 0.5));
}

/* float32 against float64, forward and backward. */
static void expect_close(weft_value (*build)(weft_value x, weft_value gamma), weft_shape shape,
                         weft_shape parameter)
{
    weft_value x = weft_scale(spread(weft_negate, shape), 0.3);
    weft_value gamma = weft_offset(weft_scale(test_patterned(&bench, parameter), 0.1), 1);
    weft_value y = build(weft_offset(x, 3), gamma), seed = spread(weft_square, shape);
    test_expect_close(&bench, y, 1e-6);
    test_expect_close(&bench, gradient(y, seed, x), 5e-6);
    test_expect_close(&bench, gradient(y, seed, gamma), 5e-6);
    end();
    begin();
}

static weft_value rows(weft_value x, weft_value gamma)
{
    return weft_layer_normalization(x, .gamma = gamma);
}

static weft_value samples(weft_value x, weft_value gamma)
{
    return weft_layer_normalization(x, .gamma = gamma, .dimensions = 3);
}

static weft_value groups(weft_value x, weft_value gamma)
{
    return weft_group_normalization(x, .gamma = gamma, .groups = 3);
}

static weft_value instances(weft_value x, weft_value gamma)
{
    return weft_instance_normalization(x, .gamma = gamma);
}

/* Rows around vectors, longer than a chunk, of several pieces; samples of several blocks. */
Test(group_norm, is_the_same_in_every_size)
{
    static const int64_t channels[] = {3, 15, 16, 17, 31, 64, 65};
    for (int i = 0; i < 7; i++)
        expect_close(rows, weft_shape_of(37, channels[i]), weft_shape_of(channels[i]));
    expect_close(rows, weft_shape_of(90, 1000), weft_shape_of(1000));
    expect_close(samples, weft_shape_of(2, 9, 20, 20), weft_shape_of(9, 20, 20));
    expect_close(groups, weft_shape_of(2, 40, 50, 24), weft_shape_of(24));
    expect_close(groups, weft_shape_of(3, 2, 2, 1539), weft_shape_of(1539));
    expect_close(instances, weft_shape_of(2, 11, 80, 41), weft_shape_of(41));
    expect_close(instances, weft_shape_of(2, 3, 4, 5, 6), weft_shape_of(6));
}

Test(group_norm, reads_parts_of_wider_images)
{
    weft_value x = test_patterned(&bench, weft_shape_of(2, 4, 5, 9));
    weft_value part = weft_slice(x, .begin = {0, 1, 1, 2}, .size = {0, 2, 3, 6});
    test_expect_close(&bench, weft_group_normalization(part, .groups = 2), 1e-6);
    test_expect_close(&bench, weft_layer_normalization(part), 1e-6);
    test_expect_close(&bench, weft_layer_normalization(part, .dimensions = 3), 1e-6);
}

Test(group_norm, layers_have_weights_of_the_normalized_dimensions)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5, 7, 12));
    weft_layer_norm(x, .name = "a");
    weft_layer_norm(x, .name = "b", .dimensions = 3);
    weft_group_norm(x, .name = "c", .groups = 4);
    weft_value y = weft_instance_norm(x, .name = "d", .no_shift = true);
    cr_expect(
        weft_shape_equal(weft_shape_get(weft_find(bench.graph, "a.weight")), weft_shape_of(12)));
    cr_expect(weft_shape_equal(weft_shape_get(weft_find(bench.graph, "b.bias")),
                               weft_shape_of(5, 7, 12)));
    cr_expect(
        weft_shape_equal(weft_shape_get(weft_find(bench.graph, "c.bias")), weft_shape_of(12)));
    cr_expect(!weft_is_null(weft_find(bench.graph, "d.weight")));
    cr_expect(weft_is_null(weft_find(bench.graph, "d.bias")));
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_get(x)));
}

Test(group_norm, refuses_what_does_not_divide)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 12));
    weft_group_normalization(x, .groups = 5);
    test_expect_error(&bench, "5 groups do not divide the 12 channels");
    end();
    begin();
    x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 12));
    weft_layer_normalization(x, .dimensions = 3);
    test_expect_error(&bench, "dimensions is 3, expected 1 to 2");
    end();
    begin();
    x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 12));
    weft_layer_normalization(x, .gamma = weft_scalar(bench.graph, 1));
    test_expect_error(&bench, "gamma has shape []");
    end();
    begin();
    x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 12));
    weft_layer_norm(x, .name = "n", .dimensions = 4);
    test_expect_error(&bench, "layer_norm \"n\": 4 dimensions");
}
