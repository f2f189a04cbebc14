/* Layers: their variables' names and shapes, what they count, messages. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

TestSuite(layers, .init = begin, .fini = end);

static weft_value images(int64_t side, int64_t channels)
{
    return weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, side, side, channels));
}

static weft_summary summary(void)
{
    weft_summary summary = {0};
    cr_assert_eq(weft_summarize(bench.graph, &summary), WEFT_OK, "%s",
                 weft_graph_error(bench.graph)->message);
    return summary;
}

static void expect_variable(int index, const char *name, weft_shape shape, bool trainable)
{
    weft_value variable = weft_variable_at(bench.graph, index);
    char got[128];
    cr_expect_str_eq(weft_name_get(variable), name);
    cr_expect(weft_shape_equal(weft_shape_get(variable), shape), "%s is %s", name,
              weft_shape_text(weft_shape_get(variable), got, sizeof(got)));
    cr_expect_eq(weft_is_trainable(variable), trainable, "%s", name);
}

/* ---- Variables ---- */

Test(layers, variables_have_the_names_of_pytorch_in_the_layers_scope)
{
    weft_scope_push(bench.graph, "layer1");
    weft_value x = images(8, 4);
    weft_value y = weft_conv2d(x, .filters = 6, .kernel = {3, 5}, .groups = 2, .name = "conv1");
    y = weft_batch_norm(y, .name = "bn1");
    y = weft_conv_transpose2d(y, .filters = 10, .kernel = {2, 2}, .groups = 2, .name = "up");
    y = weft_dense(y, .units = 7, .name = "fc", .frozen = true);
    weft_scope_pop(bench.graph);
    cr_assert_not(weft_is_null(y), "%s", weft_graph_error(bench.graph)->message);
    expect_variable(0, "layer1.conv1.weight", weft_shape_of(3, 5, 2, 6), true);
    expect_variable(1, "layer1.conv1.bias", weft_shape_of(6), true);
    expect_variable(2, "layer1.bn1.weight", weft_shape_of(6), true);
    expect_variable(3, "layer1.bn1.bias", weft_shape_of(6), true);
    expect_variable(4, "layer1.bn1.running_mean", weft_shape_of(6), false);
    expect_variable(5, "layer1.bn1.running_var", weft_shape_of(6), false);
    expect_variable(6, "layer1.up.weight", weft_shape_of(2, 2, 5, 6), true);
    expect_variable(7, "layer1.up.bias", weft_shape_of(10), true);
    expect_variable(8, "layer1.fc.weight", weft_shape_of(10, 7), false);
    expect_variable(9, "layer1.fc.bias", weft_shape_of(7), false);
    cr_expect(weft_is_null(weft_variable_at(bench.graph, 10)));
}

Test(layers, slopes_are_variables)
{
    weft_value x = images(8, 4);
    weft_value y = weft_parametric_relu(x, .name = "act");
    y = weft_parametric_relu(y, .name = "one", .shared = true, .frozen = true);
    cr_assert_not(weft_is_null(y), "%s", weft_graph_error(bench.graph)->message);
    expect_variable(0, "act.weight", weft_shape_of(4), true);
    expect_variable(1, "one.weight", weft_shape_of(1), false);
    weft_value given = test_given(&bench, weft_shape_of(1, 2), (double[]){-4, 8});
    test_expect(&bench, weft_parametric_relu(given), (double[]){-1, 8}, 2);
}

Test(layers, layers_without_a_name_are_numbered)
{
    weft_value x = images(8, 4);
    x = weft_conv2d(x, .filters = 4, .kernel = {1, 1}, .no_bias = true);
    x = weft_conv2d(x, .filters = 4, .kernel = {1, 1}, .no_bias = true);
    expect_variable(0, "conv2d.weight", weft_shape_of(1, 1, 4, 4), true);
    expect_variable(1, "conv2d_1.weight", weft_shape_of(1, 1, 4, 4), true);
}

Test(layers, one_and_three_dimensions)
{
    weft_value line = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 9, 2));
    weft_value volume = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 4, 6, 8, 2));
    weft_value y = weft_conv1d(line, .filters = 3, .kernel = {3}, .padding = WEFT_SAME);
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 9, 3)));
    y = weft_conv_transpose1d(y, .filters = 2, .kernel = {2}, .stride = {2});
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 18, 2)));
    y = weft_conv3d(volume, .filters = 3, .kernel = {1, 2, 3}, .stride = {1, 2, 1});
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 4, 3, 6, 3)));
    y = weft_conv_transpose3d(y, .filters = 2, .kernel = {1, 2, 3}, .stride = {1, 2, 1});
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 4, 6, 8, 2)));
}

/* He: variance 2 / (field * channels of the input), which for transposed filters is the last extent. */
Test(layers, transposed_filters_start_with_the_fan_of_their_input)
{
    weft_conv_transpose2d(images(8, 64), .filters = 16, .kernel = {2, 2},
                          .initializer = {WEFT_INIT_HE_NORMAL});
    static double weight[2 * 2 * 16 * 64];
    const int64_t count = sizeof(weight) / sizeof(weight[0]);
    double square = 0;
    test_evaluate(&bench, weft_variable_at(bench.graph, 0), WEFT_FLOAT64, weight, count);
    for (int64_t i = 0; i < count; i++)
        square += weight[i] * weight[i];
    cr_expect_float_eq(square / (double)count, 2.0 / (4 * 64), 0.1 * 2.0 / (4 * 64));
}

/* Largest magnitude of the elements that a variable starts with. */
static double largest_of(const char *name, int64_t count)
{
    double *x = malloc((size_t)count * sizeof(double)), largest = 0;
    weft_state *state;
    weft_error error;
    cr_assert_eq(weft_state_create(bench.graph, NULL, &state, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_state_read(state, weft_find(bench.graph, name), x, count, &error), WEFT_OK);
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(x[i]));
    weft_state_destroy(state);
    free(x);
    return largest;
}

/* Of 2000 uniform numbers one is in the last hundredth. */
Test(layers, filters_and_biases_may_start_as_those_of_pytorch)
{
    weft_initializer as_torch = {WEFT_INIT_FAN_IN_UNIFORM};
    weft_conv_options options = {
        .filters = 2000, .kernel = {3, 2}, .initializer = as_torch, .bias_initializer = as_torch};
    weft_value x = images(4, 6);
    (weft_conv2d)(x, &options);
    (weft_conv_transpose2d)(x, &options);
    weft_dense(x, .units = 2000, .initializer = as_torch, .bias_initializer = as_torch);
    static const struct {
        const char *name;
        int64_t count;
        double fan;
    } variables[] = {{"conv2d.weight", 72000, 36},
                     {"conv2d.bias", 2000, 36},
                     {"conv_transpose2d.weight", 72000, 36},
                     {"conv_transpose2d.bias", 2000, 36},
                     {"dense.weight", 12000, 6},
                     {"dense.bias", 2000, 6}};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        double limit = 1 / sqrt(variables[i].fan);
        double largest = largest_of(variables[i].name, variables[i].count);
        cr_expect(largest <= limit * (1 + 1e-6) && largest > 0.98 * limit, "%s: %g",
                  variables[i].name, largest);
    }
}

Test(layers, batch_norm_starts_as_the_identity)
{
    static const double x[] = {1, -2, 3, 4};
    weft_value y = weft_batch_norm(test_given(&bench, weft_shape_of(2, 2), x), .epsilon = 1e-300);
    test_expect(&bench, y, x, 4);
}

/* ---- Counts ---- */

Test(layers, hundred_filters_of_five_by_five_on_three_channels)
{
    weft_conv2d(images(32, 3), .filters = 100, .kernel = {5, 5}, .no_bias = true);
    cr_expect_eq(summary().trainable, 7500);
}

Test(layers, one_filter_of_one_by_one_on_sixteen_channels_with_bias)
{
    weft_conv2d(images(8, 16), .filters = 1, .kernel = {1, 1});
    cr_expect_eq(summary().trainable, 17);
    cr_expect_float_eq(summary().multiply_adds, 8 * 8 * 16, 0.5);
}

Test(layers, two_of_three_by_three_have_18_25ths_of_the_weights_of_five_by_five)
{
    weft_value x = images(16, 12);
    x = weft_conv2d(x, .filters = 12, .kernel = {3, 3}, .no_bias = true);
    x = weft_conv2d(x, .filters = 12, .kernel = {3, 3}, .no_bias = true);
    int64_t stacked = summary().trainable;
    weft_conv2d(images(16, 12), .filters = 12, .kernel = {5, 5}, .no_bias = true);
    int64_t five = summary().trainable - stacked;
    cr_expect_eq(five, 25 * 12 * 12);
    cr_expect_eq(stacked * 25, five * 18);
}

/* The first layers of ResNet for small images, and what stands behind: backward is not counted. */
Test(layers, summary_counts_the_forward_part_once)
{
    weft_value x = images(32, 3);
    weft_value y = weft_conv2d(x, .filters = 16, .kernel = {3, 3}, .padding = WEFT_SAME,
                               .no_bias = true, .name = "conv1");
    y = weft_batch_norm(y, .name = "bn1");
    y = weft_dense(y, .units = 10, .name = "fc");
    weft_value all[4];
    for (int i = 0; i < 4; i++)
        all[i] = weft_variable_at(bench.graph, i < 3 ? i : 5);
    weft_value seed = weft_fill_like(y, 1);
    cr_assert_eq(weft_vector_jacobian(&y, &seed, 1, all, 4, (weft_value[4]){0}), WEFT_OK);
    weft_summary counted = summary();
    cr_expect_eq(counted.trainable, 3 * 3 * 3 * 16 + 2 * 16 + 16 * 10 + 10);
    cr_expect_eq(counted.not_trainable, 2 * 16);
    cr_expect_float_eq(counted.multiply_adds, 32.0 * 32 * (27 * 16 + 160), 0.5);
}

Test(layers, summary_prints_a_line_a_layer)
{
    weft_value x = images(32, 3);
    weft_scope_push(bench.graph, "stem");
    weft_conv2d(x, .filters = 16, .kernel = {3, 3}, .stride = {2, 2}, .padding = WEFT_SAME,
                .name = "conv1");
    weft_scope_pop(bench.graph);
    char text[2000] = "";
    FILE *file = fmemopen(text, sizeof(text), "w");
    cr_assert_not_null(file);
    cr_expect_eq(weft_print_summary(bench.graph, file), WEFT_OK);
    fclose(file);
    cr_expect(strstr(text, "stem.conv1  convolution 3x3 /2 same  [N,16,16,16]") != NULL, "%s",
              text);
    cr_expect(strstr(text, "448 trainable parameters, 0 not trainable, 110,592 multiply-adds") !=
                  NULL,
              "%s", text);
}

/* ---- Messages ---- */

Test(layers, mistakes_name_layer_and_scope)
{
    static const struct {
        weft_conv_options options;
        const char *text;
    } cases[] = {
        {{.kernel = {3, 3}}, "conv2d \"net.conv2d\": filters is 0"},
        {{.filters = 4, .kernel = {3}}, "kernel[1] is 0"},
        {{.filters = 4, .kernel = {3, 3, 3}}, "kernel[2] is 3"},
        {{.filters = 4, .kernel = {3, 3}, .groups = 4}, "groups 4 does not divide the 6 channels"},
        {{.filters = 4, .kernel = {3, 3}, .groups = 3}, "groups 3 does not divide the 4 filters"},
        {{.filters = 4, .kernel = {9, 3}}, "filter spans 9"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_bench own = test_bench_begin();
        weft_scope_push(own.graph, "net");
        weft_value x = weft_input(own.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 8, 6));
        cr_expect(weft_is_null((weft_conv2d)(x, &cases[i].options)));
        test_expect_error(&own, cases[i].text);
        test_bench_end(&own);
    }
}

Test(layers, input_of_another_rank)
{
    weft_conv3d(images(8, 4), .filters = 4, .kernel = {3, 3, 3});
    test_expect_error(&bench, "conv3d \"conv3d\": input [N,8,8,4] must have rank 5");
}

Test(layers, dense_without_units)
{
    weft_dense(images(8, 4));
    test_expect_error(&bench, "dense \"dense\": units is 0");
}

Test(layers, separable_convolution_is_depthwise_then_pointwise)
{
    weft_value x = images(8, 3);
    weft_value y = weft_separable_conv2d(x, .name = "s", .filters = 5, .kernel = {3, 3},
                                         .multiplier = 2, .stride = {2, 2}, .padding = WEFT_SAME);
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 4, 4, 5)));
    expect_variable(0, "s.depthwise.weight", weft_shape_of(3, 3, 1, 6), true);
    expect_variable(1, "s.pointwise.weight", weft_shape_of(1, 1, 6, 5), true);
    expect_variable(2, "s.pointwise.bias", weft_shape_of(5), true);
    weft_value line = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 9, 2));
    weft_separable_conv1d(line, .filters = 4, .kernel = {3}, .no_bias = true);
    expect_variable(3, "separable_conv1d.depthwise.weight", weft_shape_of(3, 1, 2), true);
    expect_variable(4, "separable_conv1d.pointwise.weight", weft_shape_of(1, 2, 4), true);
    cr_expect(weft_is_null(weft_variable_at(bench.graph, 5)));
    weft_separable_conv2d(x, .name = "t", .filters = 5, .kernel = {3, 3}, .multiplier = -1);
    test_expect_error(&bench, "separable_conv2d \"t\": multiplier is -1, of 3 channels");
}
