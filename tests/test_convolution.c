/* Convolution: worked numbers, extents, receptive fields, messages. */
#include <criterion/criterion.h>

#include "graph/node.h"
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

TestSuite(convolution, .init = begin, .fini = end);

static weft_value variable(weft_shape shape)
{
    return weft_variable(bench.graph, .shape = shape);
}

static weft_value input(weft_shape shape)
{
    return weft_input(bench.graph, .shape = shape);
}

static void expect_shape(weft_value value, weft_shape expected)
{
    char got[128], wanted[128];
    cr_expect(weft_shape_equal(weft_shape_get(value), expected), "%s instead of %s",
              weft_shape_text(weft_shape_get(value), got, sizeof(got)),
              weft_shape_text(expected, wanted, sizeof(wanted)));
}

/* ---- Values ---- */

static const double image[] = {2, 1, 2, 5, 0, 1, 1, 7, 3};
static const double filter[] = {0.5, 0.7, 0.4, 0.3, 0.4, 0.1, 0.5, 1, 0.5};
static const double rotated[] = {0.5, 1, 0.5, 0.1, 0.4, 0.3, 0.4, 0.7, 0.5};

Test(convolution, filter_flipped_padded_by_one_stride_two)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 3, 1), image);
    weft_value w = test_given(&bench, weft_shape_of(3, 3, 1, 1), filter);
    weft_value y = weft_convolution(x, w, .stride = {2, 2}, .padding = WEFT_EXPLICIT,
                                    .pad_low = {1, 1}, .pad_high = {1, 1}, .flip_filter = true);
    expect_shape(y, weft_shape_of(1, 2, 2, 1));
    test_expect(&bench, y, (double[]){4.6, 1.6, 7.5, 2.9}, 4);
}

Test(convolution, without_flipping_it_is_the_rotated_filter)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 3, 1), image);
    weft_value w = test_given(&bench, weft_shape_of(3, 3, 1, 1), rotated);
    weft_value y = weft_convolution(x, w, .stride = {2, 2}, .pad_low = {1, 1}, .pad_high = {1, 1});
    test_expect(&bench, y, (double[]){4.6, 1.6, 7.5, 2.9}, 4);
}

Test(convolution, bias_is_added_to_every_pixel)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 1), (double[]){1, 2, 3});
    weft_value w = test_given(&bench, weft_shape_of(1, 1, 2), (double[]){10, 100});
    weft_value b = test_given(&bench, weft_shape_of(2), (double[]){0.5, 0.25});
    test_expect(&bench, weft_convolution(x, w, .bias = b),
                (double[]){10.5, 100.25, 20.5, 200.25, 30.5, 300.25}, 6);
}

Test(convolution, same_padding_has_its_extra_at_the_end)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 4, 1), (double[]){1, 2, 3, 4});
    weft_value w = test_given(&bench, weft_shape_of(3, 1, 1), (double[]){1, 10, 100});
    weft_value y = weft_convolution(x, w, .stride = {2}, .padding = WEFT_SAME);
    test_expect(&bench, y, (double[]){321, 43}, 2);
}

Test(convolution, full_padding_touches_every_end)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 1), (double[]){1, 2});
    weft_value w = test_given(&bench, weft_shape_of(3, 1, 1), (double[]){1, 10, 100});
    test_expect(&bench, weft_convolution(x, w, .padding = WEFT_FULL), (double[]){100, 210, 21, 2},
                4);
}

Test(convolution, groups_see_their_own_channels)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 1, 4), (double[]){1, 2, 3, 4});
    weft_value w = test_given(&bench, weft_shape_of(1, 2, 2), (double[]){1, 10, 100, 1000});
    /* group 0: channels 1, 2 with 1, 100; group 1: channels 3, 4 with 10, 1000 */
    test_expect(&bench, weft_convolution(x, w, .groups = 2), (double[]){201, 4030}, 2);
}

Test(convolution, depthwise_in_three_dimensions)
{
    weft_value x =
        test_given(&bench, weft_shape_of(1, 2, 1, 2, 2), (double[]){1, 2, 3, 4, 5, 6, 7, 8});
    weft_value w =
        test_given(&bench, weft_shape_of(2, 1, 2, 1, 2), (double[]){1, 1, 10, 1, 100, 1, 1000, 1});
    test_expect(&bench, weft_convolution(x, w, .groups = 2), (double[]){7531, 20}, 2);
}

Test(convolution, transposed_spreads_each_input_by_the_filter)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 1), (double[]){1, 2});
    weft_value w = test_given(&bench, weft_shape_of(3, 1, 1), (double[]){1, 10, 100});
    weft_value b = test_given(&bench, weft_shape_of(1), (double[]){0.5});
    weft_value y = weft_transposed_convolution(x, w, .stride = {2});
    test_expect(&bench, y, (double[]){1, 10, 102, 20, 200}, 5);
    weft_value padded = weft_transposed_convolution(x, w, .stride = {2}, .pad_low = {1},
                                                    .pad_high = {1}, .bias = b);
    test_expect(&bench, padded, (double[]){10.5, 102.5, 20.5}, 3);
    weft_value longer = weft_transposed_convolution(x, w, .stride = {2}, .pad_low = {1},
                                                    .pad_high = {1}, .output_padding = {1});
    test_expect(&bench, longer, (double[]){10, 102, 20, 200}, 4);
    weft_value same = weft_transposed_convolution(x, w, .stride = {2}, .padding = WEFT_SAME);
    test_expect(&bench, same, (double[]){1, 10, 102, 20}, 4);
}

/* ---- Operands that are views ---- */

Test(convolution, slices_are_read_and_written_where_they_are)
{
    weft_value x = test_patterned(&bench, weft_shape_of(2, 7, 9, 5)),
               w = test_patterned(&bench, weft_shape_of(3, 3, 3, 4));
    x = weft_relu(x);
    weft_value channels = weft_slice(x, .begin = {0, 0, 0, 1}, .size = {0, 0, 0, 3});
    weft_value window = weft_slice(channels, .begin = {0, 1, 2, 0}, .size = {0, 5, 5, 0});
    weft_value rows = weft_slice(channels, .size = {0, 0, 5, 0}, .step = {1, 2, 1, 1});
    weft_value a = weft_convolution(window, w);
    weft_value b = weft_convolution(rows, w, .padding = WEFT_EXPLICIT, .pad_low = {1});
    weft_value both = weft_concat(((weft_value[]){a, b}), 2, 3);
    cr_assert_not(weft_is_null(both), "%s", weft_graph_error(bench.graph)->message);
    test_expect_steps(&bench, both, 3);
}

Test(convolution, slices_of_gradients)
{
    weft_value x = weft_relu(test_patterned(&bench, weft_shape_of(2, 7, 9, 6)));
    weft_value dy = weft_relu(test_patterned(&bench, weft_shape_of(2, 3, 4, 9)));
    weft_value x_part = weft_slice(x, .begin = {0, 0, 0, 2}, .size = {0, 0, 0, 3});
    weft_value dy_part = weft_slice(dy, .begin = {0, 0, 0, 4}, .size = {0, 0, 0, 4});
    weft_value w = test_patterned(&bench, weft_shape_of(3, 3, 3, 4));
    weft_value dw = weft_convolution_filter_gradient(x_part, dy_part, w, .stride = {2, 2});
    weft_value dx[2] = {
        weft_convolution_input_gradient(dy_part, w, x_part, .stride = {2, 2}),
        weft_convolution_input_gradient(dy_part, w, x_part, .stride = {2, 2}, .flip_filter = true),
    };
    test_expect_steps(&bench, weft_concat(dx, 2, 3), 3); /* of x only the shape is needed */
    test_expect_steps(&bench, dw, 3);
}

/* ---- Extents ---- */

Test(convolution, extent_is_the_floor_of_the_formula)
{
    for (int n = 1; n <= 9; n++)
        for (int m = 1; m <= 5; m++)
            for (int p = 0; p <= 2; p++)
                for (int s = 1; s <= 4; s++) {
                    if (n + 2 * p < m)
                        continue;
                    weft_value x = input(weft_shape_of(WEFT_BATCH, n, 1));
                    weft_value w = variable(weft_shape_of(m, 1, 1));
                    weft_value y =
                        weft_convolution(x, w, .stride = {s}, .pad_low = {p}, .pad_high = {p});
                    expect_shape(y, weft_shape_of(WEFT_BATCH, (n + 2 * p - m) / s + 1, 1));
                }
}

Test(convolution, stem_of_63_by_63)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 63, 63, 16));
    expect_shape(weft_conv2d(x, .filters = 32, .kernel = {7, 7}, .stride = {2, 2}),
                 weft_shape_of(WEFT_BATCH, 29, 29, 32));
}

Test(convolution, same_padding_gives_the_ceiling)
{
    for (int n = 1; n <= 9; n++)
        for (int s = 1; s <= 4; s++) {
            weft_value x = input(weft_shape_of(WEFT_BATCH, n, 1));
            weft_value w = variable(weft_shape_of(3, 1, 1));
            expect_shape(weft_convolution(x, w, .stride = {s}, .padding = WEFT_SAME),
                         weft_shape_of(WEFT_BATCH, (n + s - 1) / s, 1));
        }
}

/* Also: the convolution of the result has the extent that the transposed one began with. */
Test(convolution, extents_of_transposed)
{
    static const struct {
        int i, m, s, d, p, extra, out;
        weft_padding padding;
    } cases[] = {
        {4, 3, 2, 1, 1, 0, 7, WEFT_EXPLICIT},  {4, 3, 2, 1, 1, 1, 8, WEFT_EXPLICIT},
        {5, 2, 2, 1, 0, 0, 10, WEFT_EXPLICIT}, {5, 3, 1, 3, 0, 2, 13, WEFT_EXPLICIT},
        {4, 1, 3, 1, 0, 0, 10, WEFT_EXPLICIT}, {4, 1, 3, 1, 0, 0, 12, WEFT_VALID},
        {4, 1, 3, 1, 0, 2, 12, WEFT_VALID},    {4, 3, 2, 1, 0, 0, 9, WEFT_VALID},
        {4, 3, 2, 1, 0, 1, 10, WEFT_VALID},    {4, 3, 2, 1, 0, 0, 8, WEFT_SAME},
        {5, 5, 3, 2, 0, 0, 15, WEFT_SAME},     {4, 3, 2, 1, 0, 0, 5, WEFT_FULL},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        weft_value x = input(weft_shape_of(WEFT_BATCH, cases[c].i, 2));
        weft_value w = variable(weft_shape_of(cases[c].m, 3, 2));
        weft_convolution_options options = {
            .stride = {cases[c].s},
            .dilation = {cases[c].d},
            .padding = cases[c].padding,
            .pad_low = {cases[c].p},
            .pad_high = {cases[c].p},
            .output_padding = {cases[c].extra},
        };
        weft_value y = (weft_transposed_convolution)(x, w, &options);
        expect_shape(y, weft_shape_of(WEFT_BATCH, cases[c].out, 3));
        expect_shape((weft_convolution)(y, w, &options), weft_shape_get(x));
    }
}

/* ---- Receptive fields ---- */

/* Expects that the only output of y, of one sample and channel, depends on exactly those of 7x7 pixels
 * that seen marks. */
static void expect_field(weft_value x, weft_value y, const char *seen)
{
    double gradient[49];
    weft_value dx = weft_gradient(y, x);
    test_evaluate(&bench, dx, WEFT_FLOAT64, gradient, 49);
    for (int i = 0; i < 49; i++)
        cr_expect_eq(gradient[i] != 0, seen[i] == '1', "row %d, column %d", i / 7, i % 7);
}

static const double ones[49] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

static weft_value seven_by_seven(void)
{
    return test_given(&bench, weft_shape_of(1, 7, 7, 1), ones);
}

/* Crops one pixel at each side, so that one output is left in the middle. */
static weft_value middle(weft_value y)
{
    static const double centre[] = {0, 0, 0, 0, 1, 0, 0, 0, 0};
    return weft_convolution(y, test_given(&bench, weft_shape_of(3, 3, 1, 1), centre));
}

Test(convolution, three_by_three_dilated_by_two_spans_five_by_five)
{
    weft_value x = seven_by_seven(), w = test_given(&bench, weft_shape_of(3, 3, 1, 1), ones);
    weft_value y = weft_convolution(x, w, .dilation = {2, 2});
    expect_shape(y, weft_shape_of(1, 3, 3, 1));
    expect_field(x, middle(y),
                 "0000000"
                 "0101010"
                 "0000000"
                 "0101010"
                 "0000000"
                 "0101010"
                 "0000000");
}

Test(convolution, two_of_three_by_three_see_what_five_by_five_sees)
{
    static const char five_by_five[] = "0000000"
                                       "0111110"
                                       "0111110"
                                       "0111110"
                                       "0111110"
                                       "0111110"
                                       "0000000";
    weft_value x = seven_by_seven();
    weft_value three = test_given(&bench, weft_shape_of(3, 3, 1, 1), ones);
    weft_value five = test_given(&bench, weft_shape_of(5, 5, 1, 1), ones);
    expect_field(x, middle(weft_convolution(weft_convolution(x, three), three)), five_by_five);
    expect_field(x, middle(weft_convolution(x, five)), five_by_five);
}

/* ---- Messages ---- */

Test(convolution, channels_that_do_not_fit)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 32, 32, 3));
    weft_scope_push(bench.graph, "layer1");
    weft_value y = weft_convolution(x, variable(weft_shape_of(3, 3, 16, 32)), .name = "conv1");
    cr_expect(weft_is_null(y));
    test_expect_error(&bench, "test_convolution.c:");
    test_expect_error(&bench, "convolution \"layer1.conv1\": filter [3,3,16,32] expects 16 input "
                              "channels, input [N,32,32,3] has 3");
}

/* Filter shape, options, part of the message, for the input [N,8,8,6]. */
static const struct {
    weft_shape filter;
    weft_convolution_options options;
    const char *text;
} mistakes[] = {
    {{4, {3, 3, 6, 4}}, {.groups = 3}, "groups 3 does not divide the 4 output channels"},
    {{4, {3, 3, 6, 4}}, {.groups = 2}, "in 2 groups expects 12 input channels"},
    {{4, {3, 3, 6, 4}}, {.groups = -1}, "groups is -1"},
    {{4, {9, 9, 6, 4}}, {0}, "filter spans 9 in spatial dimension 0"},
    {{4, {3, 5, 6, 4}}, {.dilation = {1, 2}}, "filter spans 9 in spatial dimension 1"},
    {{3, {3, 6, 4}}, {0}, "expects input of rank 3"},
    {{2, {6, 4}}, {0}, "must have 1 to 3 spatial extents"},
    {{6, {1, 1, 1, 1, 6, 4}}, {0}, "must have 1 to 3 spatial extents"},
    {{4, {3, 3, 6, 4}}, {.stride = {1, -2}}, "stride[1] is -2"},
    {{4, {3, 3, 6, 4}}, {.stride = {1, 1, 2}}, "stride[2] is set"},
    {{4, {3, 3, 6, 4}}, {.pad_low = {-1}}, "pad_low[0] is -1"},
    {{4, {3, 3, 6, 4}}, {.padding = WEFT_SAME, .pad_low = {1}}, "go with WEFT_EXPLICIT only"},
    {{4, {3, 3, 6, 4}}, {.padding = (weft_padding)9}, "padding 9"},
    {{4, {3, 3, 6, 4}}, {.output_padding = {1}}, "output_padding 1 must be less"},
    {{4, {3, 3, 6, 4}},
     {.padding = WEFT_SAME, .stride = {2}, .output_padding = {1}},
     "cannot be given with padding WEFT_SAME"},
};

Test(convolution, mistakes_are_named)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        test_bench own = test_bench_begin();
        weft_value x = weft_input(own.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 8, 6));
        weft_value w = weft_variable(own.graph, .shape = mistakes[i].filter);
        (weft_convolution)(x, w, &mistakes[i].options);
        test_expect_error(&own, mistakes[i].text);
        test_bench_end(&own);
    }
}

Test(convolution, bias_of_the_wrong_length)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 8, 8, 6));
    weft_convolution(x, variable(weft_shape_of(3, 3, 6, 4)), .bias = variable(weft_shape_of(6)));
    test_expect_error(&bench, "bias [6] must have the shape [4]");
}

Test(convolution, padding_that_leaves_nothing_of_transposed)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 1, 3));
    weft_transposed_convolution(x, variable(weft_shape_of(2, 4, 3)), .pad_low = {1},
                                .pad_high = {1});
    test_expect_error(&bench, "padding leaves nothing");
}

Test(convolution, output_gradient_of_another_shape)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 8, 2)), w = variable(weft_shape_of(3, 2, 4));
    weft_convolution_input_gradient(input(weft_shape_of(WEFT_BATCH, 8, 4)), w, x);
    test_expect_error(&bench, "output gradient [N,8,4] must have the convolution's shape [N,6,4]");
}

Test(convolution, gradients_take_no_bias)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 8, 2)), w = variable(weft_shape_of(3, 2, 4));
    weft_convolution_filter_gradient(x, input(weft_shape_of(WEFT_BATCH, 6, 4)), w,
                                     .bias = variable(weft_shape_of(4)));
    test_expect_error(&bench, "convolution_filter_gradient takes no bias");
}

/* ---- Labels ---- */

Test(convolution, label_says_what_is_not_the_default)
{
    static const struct {
        weft_convolution_options options;
        const char *text;
    } cases[] = {
        {{0}, "3x3"},
        {{.stride = {2, 2}, .dilation = {2, 2}, .groups = 4}, "3x3 /2 d2 g4"},
        {{.stride = {2, 1}, .padding = WEFT_SAME}, "3x3 /2x1 same"},
        {{.flip_filter = true, .pad_low = {1, 1}, .pad_high = {1, 1}}, "3x3 flipped p1"},
        {{.pad_high = {1, 1}}, "3x3 p0+1"},
        {{.stride = {2, 3}, .output_padding = {1, 2}}, "3x3 /2x3 out+1x2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        weft_value x = input(weft_shape_of(WEFT_BATCH, 8, 8, 8));
        weft_value w = variable(weft_shape_of(3, 3, cases[i].options.groups ? 2 : 8, 4));
        weft_value y = (weft_convolution)(x, w, &cases[i].options);
        cr_assert_not(weft_is_null(y), "%s", weft_graph_error(bench.graph)->message);
        const weft_node *node = weft_node_get(bench.graph, y.node);
        node->op->label(node->attributes, text, sizeof(text));
        cr_expect_str_eq(text, cases[i].text);
    }
}
