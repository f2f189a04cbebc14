/* Ops that move elements: worked numbers, extents with an open batch, views, messages. */
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

TestSuite(array, .init = begin, .fini = end);

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

static const double counting[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                  13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

/* ---- Shapes ---- */

Test(array, reshape_keeps_copies_and_leaves_the_rest)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 28, 28, 3));
    expect_shape(weft_reshape(x, WEFT_BATCH, 2352), weft_shape_of(WEFT_BATCH, 2352));
    expect_shape(weft_reshape(x, 0, 784, 3), weft_shape_of(WEFT_BATCH, 784, 3));
    expect_shape(weft_reshape(x, 0, 0, -1), weft_shape_of(WEFT_BATCH, 28, 84));
    expect_shape(weft_reshape(x, -1, 3), weft_shape_of(-784, 3));
    expect_shape(weft_reshape(weft_reshape(x, -1, 3), -1, 28, 28, 3),
                 weft_shape_of(WEFT_BATCH, 28, 28, 3));
    expect_shape(weft_flatten(x, 1), weft_shape_of(WEFT_BATCH, 2352));
    expect_shape(weft_flatten(x, 0), weft_shape_of(-2352));
    expect_shape(weft_flatten(x, -2), weft_shape_of(WEFT_BATCH, 28, 84));
    expect_shape(weft_expand_dims(x, 0, -1), weft_shape_of(1, WEFT_BATCH, 28, 28, 3, 1));
    expect_shape(weft_reshape_like(x, weft_flatten(x, 2)), weft_shape_of(WEFT_BATCH, 28, 84));
}

Test(array, reshape_that_does_not_fit)
{
    weft_reshape(input(weft_shape_of(WEFT_BATCH, 5)), 0, 6);
    test_expect_error(&bench, "reshape \"reshape\": cannot give [N,5] the shape [N,6]");
    test_expect_error(&bench, "test_array.c:");
}

Test(array, reshape_with_two_unknown_extents)
{
    weft_reshape(input(weft_shape_of(4, 6)), -1, -1, 2);
    test_expect_error(&bench, "only one extent");
}

Test(array, reshape_that_copies_what_is_not_there)
{
    weft_reshape(input(weft_shape_of(4, 6)), 4, 6, 0);
    test_expect_error(&bench, "extent 2 is to stay, but the input has 2 dimensions");
}

Test(array, a_fixed_shape_for_an_open_batch)
{
    weft_reshape(input(weft_shape_of(WEFT_BATCH, 6)), 2, 3);
    test_expect_error(&bench, "cannot give [N,6] the shape [2,3]");
}

Test(array, transpose_of_a_matrix_and_of_an_image)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), counting);
    test_expect(&bench, weft_transpose(x, 1, 0), (double[]){1, 4, 2, 5, 3, 6}, 6);
    weft_value image = test_given(&bench, weft_shape_of(1, 2, 2, 3), counting);
    test_expect(&bench, weft_transpose(image, 0, -1, 1, 2),
                (double[]){1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}, 12);
    expect_shape(weft_transpose(input(weft_shape_of(WEFT_BATCH, 8, 9, 3)), 3, 1, 2, 0),
                 weft_shape_of(3, 8, 9, WEFT_BATCH));
}

Test(array, transpose_needs_a_permutation)
{
    weft_transpose(input(weft_shape_of(4, 6, 5)), 0, 2, -1);
    test_expect_error(&bench, "the order must name each dimension of [4,6,5] once");
}

/* ---- Parts ---- */

Test(array, slices)
{
    weft_value x = test_given(&bench, weft_shape_of(4, 6), counting);
    test_expect(&bench, weft_slice(x, .begin = {1, 2}, .size = {2, 3}),
                (double[]){9, 10, 11, 15, 16, 17}, 6);
    test_expect(&bench, weft_slice(x, .begin = {-2, -1}), (double[]){18, 24}, 2);
    test_expect(&bench, weft_slice(x, .begin = {0, 1}, .step = {3, 2}),
                (double[]){2, 4, 6, 20, 22, 24}, 6);
    weft_value open = input(weft_shape_of(WEFT_BATCH, 6));
    expect_shape(weft_slice(open, .begin = {0, 2}), weft_shape_of(WEFT_BATCH, 4));
    expect_shape(weft_slice(open, .size = {3}), weft_shape_of(3, 6));
}

Test(array, a_slice_past_the_end)
{
    weft_slice(input(weft_shape_of(4, 6)), .begin = {0, 3}, .size = {0, 4});
    test_expect_error(&bench, "4 elements from 3 by 1 are not all within the 6 of dimension 1");
}

Test(array, a_slice_with_a_step_past_the_end)
{
    weft_slice(input(weft_shape_of(4, 6)), .begin = {0, 1}, .size = {0, 4}, .step = {0, 2});
    test_expect_error(&bench, "within the 6 of dimension 1");
}

Test(array, a_slice_by_the_longest_step)
{
    weft_value x = test_given(&bench, weft_shape_of(4, 6), counting);
    test_expect(&bench, weft_slice(x, .begin = {2, 1}, .step = {INT64_MAX, 4}), (double[]){14, 18},
                2);
    weft_slice(x, .size = {0, 2}, .step = {0, INT64_MAX});
    test_expect_error(&bench, "2 elements from 0 by 9223372036854775807 are not all within the 6");
}

Test(array, parts_of_dimensions_that_are_not_there)
{
    static const struct {
        weft_slice_options options;
        const char *says;
    } wrong[] = {
        {{.begin = {0, 0, 1}}, "begin[2] is set, but the input has 2 dimensions"},
        {{.size = {0, 0, 0, 2}}, "size[3] is set, but the input has 2 dimensions"},
        {{.step = {1, 1, 2}}, "step[2] is set, but the input has 2 dimensions"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        end();
        begin();
        cr_expect(weft_is_null((weft_slice)(input(weft_shape_of(4, 6)), &wrong[i].options)));
        test_expect_error(&bench, wrong[i].says);
    }
}

Test(array, a_part_of_an_open_extent)
{
    weft_slice(input(weft_shape_of(WEFT_BATCH, 6)), .begin = {1});
    test_expect_error(&bench, "dimension 0 is open");
}

Test(array, a_slice_of_the_batch_is_checked_when_it_is_bound)
{
    weft_value y = weft_slice(input(weft_shape_of(WEFT_BATCH, 2)), .size = {3});
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    weft_state_create(bench.graph, NULL, &state, &error);
    weft_compile_options options = {.fetch = &y, .fetches = 1, .batch = 2};
    cr_expect_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_ERROR_SHAPE);
    cr_expect(strstr(error.message, "within the 2 of dimension 0"), "%s", error.message);
    options.batch = 4;
    cr_expect_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

Test(array, gradient_of_a_slice)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 4), counting);
    weft_value y = weft_square(weft_slice(x, .begin = {0, 1}, .step = {1, 2}));
    test_expect(&bench, weft_gradient(weft_sum(y), x), (double[]){0, 4, 0, 8, 0, 12, 0, 16}, 8);
}

Test(array, split_by_sizes_and_in_halves)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 6), counting), part[3];
    weft_split(x, -1, (int64_t[]){1, 3, 2}, 3, part);
    test_expect(&bench, part[0], (double[]){1, 7}, 2);
    test_expect(&bench, part[1], (double[]){2, 3, 4, 8, 9, 10}, 6);
    test_expect(&bench, part[2], (double[]){5, 6, 11, 12}, 4);
    weft_split(x, 1, NULL, 2, part);
    test_expect(&bench, part[1], (double[]){4, 5, 6, 10, 11, 12}, 6);
    weft_value batch = input(weft_shape_of(-4, 3));
    weft_split(batch, 0, NULL, 2, part);
    expect_shape(part[1], weft_shape_of(-2, 3));
}

Test(array, sizes_that_do_not_add_up)
{
    weft_value part[2];
    weft_split(input(weft_shape_of(4, 6)), 1, (int64_t[]){2, 3}, 2, part);
    test_expect_error(&bench, "2 sizes do not add up to the 6 of axis 1");
    cr_expect(weft_is_null(part[0]) && weft_is_null(part[1]));
}

Test(array, parts_that_cannot_be_equal)
{
    weft_value part[4];
    weft_split(input(weft_shape_of(4, 6)), 1, NULL, 4, part);
    test_expect_error(&bench, "4 equal parts do not add up to the 6 of axis 1");
}

Test(array, an_axis_that_is_not_there)
{
    weft_value part[2];
    weft_split(input(weft_shape_of(4, 6)), 2, NULL, 2, part);
    test_expect_error(&bench, "there is no axis 2 among 2 dimensions");
}

/* ---- Joining ---- */

Test(array, concat_along_each_axis)
{
    weft_value a = test_given(&bench, weft_shape_of(2, 2), counting);
    weft_value b = test_given(&bench, weft_shape_of(2, 1), counting + 10);
    weft_value c = test_given(&bench, weft_shape_of(1, 2), counting + 20);
    test_expect(&bench, weft_concat_channels(a, b, a), (double[]){1, 2, 11, 1, 2, 3, 4, 12, 3, 4},
                10);
    weft_value rows[] = {a, c};
    test_expect(&bench, weft_concat(rows, 2, 0), (double[]){1, 2, 3, 4, 21, 22}, 6);
    weft_value open[] = {input(weft_shape_of(WEFT_BATCH, 3)), input(weft_shape_of(-2, 3))};
    expect_shape(weft_concat(open, 2, 0), weft_shape_of(-3, 3));
}

Test(array, concat_of_many_and_its_gradient)
{
    weft_value x = test_given(&bench, weft_shape_of(2), counting), all[70];
    double expected[140];
    for (int i = 0; i < 70; i++) {
        all[i] = weft_scale(x, i);
        expected[2 * i] = i;
        expected[2 * i + 1] = 2 * i;
    }
    weft_value y = weft_concat(all, 70, 0);
    test_expect(&bench, y, expected, 140);
    /* sum over i of 2 i^2 x = 2 (69 70 139 / 6) x */
    test_expect(&bench, weft_gradient(weft_sum(weft_square(y)), x), (double[]){223790, 447580}, 2);
}

Test(array, concat_of_shapes_that_differ)
{
    weft_concat_channels(input(weft_shape_of(WEFT_BATCH, 7, 7, 16)),
                         input(weft_shape_of(WEFT_BATCH, 8, 8, 16)));
    test_expect_error(&bench, "input 1, [N,8,8,16], and input 0, [N,7,7,16], do not fit along "
                              "axis 3");
}

Test(array, pad_with_a_number)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), counting);
    test_expect(&bench, weft_pad(x, .before = {1, 0}, .after = {0, 2}, .value = 9),
                (double[]){9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9}, 12);
    weft_value y = weft_square(weft_pad(x, .before = {1, 1}, .value = 5));
    test_expect(&bench, weft_gradient(weft_sum(y), x), (double[]){2, 4, 6, 8}, 4);
}

Test(array, padding_the_batch)
{
    weft_pad(input(weft_shape_of(WEFT_BATCH, 2)), .after = {1});
    test_expect_error(&bench, "dimension 0 is open and cannot be padded");
}

Test(array, padding_a_dimension_that_is_not_there)
{
    weft_pad(input(weft_shape_of(WEFT_BATCH, 2)), .before = {0, 1, 1});
    test_expect_error(&bench, "before[2] is set, but the input has 2 dimensions");
    end();
    begin();
    weft_pad(input(weft_shape_of(3)), .after = {1, 1});
    test_expect_error(&bench, "after[1] is set, but the input has 1 dimension");
}

/* ---- Cropping to another value ---- */

Test(array, the_crop_of_u_net_takes_the_middle)
{
    weft_value skip = input(weft_shape_of(WEFT_BATCH, 64, 64, 512));
    weft_value up = input(weft_shape_of(WEFT_BATCH, 56, 56, 1024));
    expect_shape(weft_crop_like(skip, up, .center = true), weft_shape_of(WEFT_BATCH, 56, 56, 512));
    /* 4 x 6 to 2 x 3: one row and (6 - 3) / 2 = 1 column before */
    weft_value x = test_given(&bench, weft_shape_of(1, 4, 6, 1), counting);
    weft_value like = test_given(&bench, weft_shape_of(1, 2, 3, 2), counting);
    weft_value y = weft_crop_like(x, like, .center = true);
    test_expect(&bench, y, (double[]){8, 9, 10, 14, 15, 16}, 6);
    double expected[24] = {[7] = 1, [8] = 1, [9] = 1, [13] = 1, [14] = 1, [15] = 1};
    test_expect(&bench, weft_gradient(weft_sum(y), x), expected, 24);
}

Test(array, embed_is_the_crop_undone)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), counting);
    weft_value like = test_given(&bench, weft_shape_of(3, 5), counting);
    test_expect(&bench, weft_embed_like(x, like, .begin = {0, 1}, .step = {2, 3}),
                (double[]){0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4}, 15);
    test_expect(&bench, weft_embed_like(x, like, .begin = {1, -2}),
                (double[]){0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3, 4}, 15);
}

Test(array, a_crop_that_is_too_large)
{
    weft_crop_like(input(weft_shape_of(WEFT_BATCH, 5, 5, 2)),
                   input(weft_shape_of(WEFT_BATCH, 6, 4, 2)), .center = true);
    test_expect_error(&bench, "[N,6,4,2] does not lie within [N,5,5,2]");
}

/* What does not fit by so much that numbers of 64 bits would wrap. */
Test(array, a_crop_far_beyond_the_end)
{
    static const struct {
        weft_region_options options;
        const char *says;
    } wrong[] = {
        {{.begin = {INT64_MAX}}, "[5] does not lie within [8]"},
        {{.begin = {INT64_MIN}}, "[5] does not lie within [8]"},
        {{.step = {INT64_C(1) << 62}}, "[5] does not lie within [8]"},
        {{.begin = {0, 1}}, "begin[1] is set, but the input has 1 dimension"},
        {{.step = {1, 2}}, "step[1] is set, but the input has 1 dimension"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        for (int embed = 0; embed < 2; embed++) {
            end();
            begin();
            weft_value small = input(weft_shape_of(5)), large = input(weft_shape_of(8));
            weft_value y = embed ? (weft_embed_like)(small, large, &wrong[i].options)
                                 : (weft_crop_like)(large, small, &wrong[i].options);
            cr_expect(weft_is_null(y));
            test_expect_error(&bench, wrong[i].says);
        }
}

Test(array, embeds_one_element_by_the_longest_step)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 2), counting);
    weft_value like = input(weft_shape_of(3, 2));
    test_expect(&bench, weft_embed_like(x, like, .begin = {1}, .step = {INT64_MAX}),
                (double[]){0, 0, 1, 2, 0, 0}, 6);
}

/* ---- Views ---- */

static weft_report report_of(weft_value y, unsigned without)
{
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    cr_assert_eq(weft_state_create(bench.graph, NULL, &state, &error), WEFT_OK);
    weft_compile_options options = {.fetch = &y, .fetches = 1, .without = without};
    cr_assert_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    weft_report report = weft_program_report(program);
    weft_program_destroy(program);
    weft_state_destroy(state);
    return report;
}

Test(array, moving_costs_no_steps_where_views_will_do)
{
    weft_value x = input(weft_shape_of(2, 6, 6, 8)), part[2];
    weft_value y = weft_exp(x);
    weft_split(y, -1, NULL, 2, part);
    y = weft_slice(part[1], .begin = {0, 1, 1}, .size = {0, 4, 4});
    y = weft_concat_channels(weft_negate(y), weft_exp(y));
    y = weft_flatten(weft_reshape(y, 0, 16, 8), 1);
    y = weft_reshape(weft_scale(y, 2), 2, 4, 32);
    cr_expect_eq(report_of(y, 0).steps, 4); /* exp, negate, exp, scale */
    cr_expect_gt(report_of(y, 1u << WEFT_PASS_VIEW).steps, 8);
}

Test(array, labels_and_bytes_can_be_moved)
{
    weft_value labels = test_given_integers(&bench, weft_shape_of(2, 3), counting);
    test_expect(&bench, weft_slice(weft_transpose(labels, 1, 0), .begin = {1}),
                (double[]){2, 5, 3, 6}, 4);
    weft_value bytes = weft_input(bench.graph, .shape = weft_shape_of(1, 4), .dtype = WEFT_UINT8);
    weft_value y = weft_transpose(weft_reshape(bytes, 2, 2), 1, 0);
    cr_expect_eq(weft_dtype_get(y), WEFT_UINT8);
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    weft_state_create(bench.graph, NULL, &state, &error);
    weft_compile_options options = {.fetch = &y, .fetches = 1};
    cr_assert_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    const uint8_t data[] = {1, 2, 3, 255};
    weft_feed feed = {.input = bytes, .data = data, .bytes = 4};
    cr_assert_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    const uint8_t *got = weft_fetch(program, y).data;
    cr_expect(got[0] == 1 && got[1] == 3 && got[2] == 2 && got[3] == 255);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

Test(array, pads_with_its_own_elements)
{
    static const double row[] = {1, 2, 3, 4};
    static const struct {
        weft_pad_mode mode;
        double y[9];
    } cases[] = {
        {WEFT_PAD_REFLECT, {3, 2, 1, 2, 3, 4, 3, 2, 1}},
        {WEFT_PAD_SYMMETRIC, {2, 1, 1, 2, 3, 4, 4, 3, 2}},
        {WEFT_PAD_EDGE, {1, 1, 1, 2, 3, 4, 4, 4, 4}},
        {WEFT_PAD_WRAP, {3, 4, 1, 2, 3, 4, 1, 2, 3}},
    };
    for (int i = 0; i < 4; i++) {
        weft_value x = test_given(&bench, weft_shape_of(1, 4, 1), row);
        weft_value y = weft_pad(x, .before = {0, 2}, .after = {0, 3}, .mode = cases[i].mode), dx;
        test_expect(&bench, y, cases[i].y, 9);
        /* of the sum of squares: 2 x for each time that x is there */
        static const double twice_times[4][4] = {
            {4, 12, 18, 8}, {4, 12, 12, 16}, {6, 4, 6, 32}, {4, 8, 18, 16}};
        weft_value seed = weft_scale(y, 2);
        weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
        test_expect(&bench, dx, twice_times[i], 4);
    }
}

Test(array, refuses_borders_that_reach_too_far)
{
    weft_pad(input(weft_shape_of(WEFT_BATCH, 4, 2)), .after = {0, 4}, .mode = WEFT_PAD_REFLECT);
    test_expect_error(&bench, "(0, 4) of dimension 1 is not in 0 to 3");
    end();
    begin();
    weft_pad(input(weft_shape_of(WEFT_BATCH, 4, 2)), .after = {0, 0, 1}, .mode = WEFT_PAD_EDGE);
    test_expect_error(&bench, "dimension 2 of");
}

Test(array, crops_a_border)
{
    static const double x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    static const double y[] = {5, 6};
    weft_value image = test_given(&bench, weft_shape_of(1, 3, 4, 1), x);
    test_expect(&bench, weft_crop(image, .before = {0, 1, 1}, .after = {0, 1, 1}), y, 2);
    weft_crop(image, .before = {0, 2}, .after = {0, 1});
    test_expect_error(&bench, "dimension 1 of [1,3,4,1] does not have (2, 1) elements to spare");
}

/* 2x2 pixels of two channels, 10 times the channel more than the pixel. */
static const double blocks[] = {0, 10, 1, 11, 2, 12, 3, 13};

Test(array, makes_channels_of_blocks)
{
    static const double channel_first[] = {0, 1, 2, 3, 10, 11, 12, 13};
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 2, 2), blocks);
    test_expect(&bench, weft_space_to_depth(x, .block = 2), blocks, 8);
    weft_value y = weft_space_to_depth(x, .block = 2, .order = WEFT_CHANNEL_FIRST);
    test_expect(&bench, y, channel_first, 8);
    test_expect(&bench, weft_depth_to_space(y, .block = 2, .order = WEFT_CHANNEL_FIRST), blocks, 8);
}

Test(array, makes_blocks_of_channels)
{
    /* one row of two pixels of four channels: block i, j is channel 2 i + j */
    static const double y[] = {0, 10, 2, 12, 1, 11, 3, 13};
    weft_value x = test_given(&bench, weft_shape_of(1, 1, 2, 4), blocks);
    test_expect(&bench, weft_depth_to_space(x, .block = 2), y, 8);
    weft_value volume = test_patterned(&bench, weft_shape_of(2, 2, 3, 1, 16));
    weft_depth_options options = {.block = 2, .order = WEFT_CHANNEL_FIRST};
    for (int order = 0; order < 2; order++, options.order = WEFT_BLOCK_FIRST) {
        weft_value up = (weft_depth_to_space)(volume, &options);
        weft_value back = weft_subtract((weft_space_to_depth)(up, &options), volume);
        static const double zeros[192];
        cr_expect(weft_shape_equal(weft_shape_get(up), weft_shape_of(2, 4, 6, 2, 2)));
        test_expect(&bench, back, zeros, 192);
    }
}

Test(array, refuses_blocks_of_more_elements_than_are_counted)
{
    weft_depth_to_space(input(weft_shape_of(2, 1, 1, 1, 8)), .block = 1 << 22);
    test_expect_error(&bench, "depth_to_space: input [2,1,1,1,8] of rank 3 to 5 and fixed extents "
                              "cannot be cut into blocks of 4194304");
}

Test(array, moves_blocks_in_one_copy)
{
    weft_value x = test_patterned(&bench, weft_shape_of(2, 4, 6, 9));
    test_expect_steps(&bench, weft_space_to_depth(x, .block = 2), 1);
    test_expect_steps(&bench, weft_channel_shuffle(x, 3), 1);
}

Test(array, shuffles_channels)
{
    static const double x[] = {0, 1, 2, 3, 4, 5}, y[] = {0, 3, 1, 4, 2, 5};
    weft_value value = test_given(&bench, weft_shape_of(1, 6), x);
    test_expect(&bench, weft_channel_shuffle(value, 2), y, 6);
    weft_channel_shuffle(value, 4);
    test_expect_error(&bench, "4 groups do not divide the channels of [1,6]");
}

/* ---- Repeating ---- */

Test(array, expands_extents_of_one)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 1), counting);
    test_expect(&bench, weft_expand(x, 2, 0, 3), (double[]){1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2},
                12);
    expect_shape(weft_expand(input(weft_shape_of(WEFT_BATCH, 1, 5)), 0, 7, 0),
                 weft_shape_of(WEFT_BATCH, 7, 5));
    /* each element was used twice in the first, thrice in the last dimension */
    weft_value weights = test_given(&bench, weft_shape_of(2, 2, 3), counting);
    weft_value y = weft_sum(weft_multiply(weft_expand(x, 2, 0, 3), weights));
    test_expect(&bench, weft_gradient(y, x), (double[]){1 + 2 + 3 + 7 + 8 + 9, 15 + 33}, 2);
}

Test(array, an_extent_that_cannot_be_expanded)
{
    weft_expand(input(weft_shape_of(3, 2)), 4, 2);
    test_expect_error(&bench, "[3,2] does not broadcast to [4,2]");
}

Test(array, an_extent_that_no_input_has)
{
    weft_expand(input(weft_shape_of(3)), 0, 3);
    test_expect_error(&bench, "extent 0 is to be that of an input of 1 dimensions");
}

Test(array, tiles_and_repeats)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2), counting);
    test_expect(&bench, weft_tile_dims(x, 2, 3),
                (double[]){1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4},
                24);
    test_expect(&bench, weft_repeat(x, -1, 2), (double[]){1, 1, 2, 2, 3, 3, 4, 4}, 8);
    test_expect(&bench, weft_repeat(x, 0, 2), (double[]){1, 2, 1, 2, 3, 4, 3, 4}, 8);
    weft_value images = input(weft_shape_of(WEFT_BATCH, 4, 3));
    expect_shape(weft_tile_dims(images, 1, 2, 5), weft_shape_of(WEFT_BATCH, 8, 15));
    expect_shape(weft_tile_dims(images, 3, 1, 1), weft_shape_of(-3, 4, 3));
    expect_shape(weft_repeat(images, 0, 2), weft_shape_of(-2, 4, 3));
    /* the gradient is the sum over the copies */
    weft_value weights = test_given(&bench, weft_shape_of(2, 4), counting);
    weft_value y = weft_sum(weft_multiply(weft_tile_dims(x, 1, 2), weights));
    test_expect(&bench, weft_gradient(y, x), (double[]){1 + 3, 2 + 4, 5 + 7, 6 + 8}, 4);
    y = weft_sum(weft_multiply(weft_repeat(x, 1, 2), weights));
    test_expect(&bench, weft_gradient(y, x), (double[]){1 + 2, 3 + 4, 5 + 6, 7 + 8}, 4);
}

Test(array, too_few_numbers_of_tiles)
{
    weft_tile_dims(input(weft_shape_of(3, 2)), 2);
    test_expect_error(&bench, "tile_dims: 1 numbers of repetitions for 2 dimensions");
}

Test(array, repeats_along_no_axis)
{
    weft_repeat(input(weft_shape_of(3, 2)), 2, 4);
    test_expect_error(&bench, "repeat: 4 repetitions along axis 2 of 2 dimensions");
}

Test(array, squeezes_extents_of_one)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 1, 5, 1));
    expect_shape((weft_squeeze)(x, NULL, 0), weft_shape_of(WEFT_BATCH, 5));
    expect_shape(weft_squeeze(x, 1), weft_shape_of(WEFT_BATCH, 5, 1));
    expect_shape(weft_squeeze(x, -1, 1), weft_shape_of(WEFT_BATCH, 5));
    weft_squeeze(x, 1, 0);
    test_expect_error(&bench, "squeeze: axis 0 of [N,1,5,1] is not one of extent 1");
}

/* ---- Parts by number ---- */

Test(array, gathers_rows_and_columns)
{
    weft_value x = test_given(&bench, weft_shape_of(3, 2), counting);
    weft_value rows = test_given_integers(&bench, weft_shape_of(2, 2), (double[]){2, 0, 2, -1});
    test_expect(&bench, weft_gather(x, rows, 0), (double[]){5, 6, 1, 2, 5, 6, 0, 0}, 8);
    weft_value columns = test_given_integers(&bench, weft_shape_of(3), (double[]){1, 1, 2});
    test_expect(&bench, weft_gather(x, columns, -1), (double[]){2, 2, 0, 4, 4, 0, 6, 6, 0}, 9);
    expect_shape(weft_gather(input(weft_shape_of(WEFT_BATCH, 4, 7)), rows, 1),
                 weft_shape_of(WEFT_BATCH, 2, 2, 7));
    /* row 2 was taken twice */
    weft_value weights = test_given(&bench, weft_shape_of(2, 2, 2), counting);
    weft_value y = weft_sum(weft_multiply(weft_gather(x, rows, 0), weights));
    test_expect(&bench, weft_gradient(y, x), (double[]){3, 4, 0, 0, 1 + 5, 2 + 6}, 6);
}

Test(array, gathers_elements)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 3), counting);
    weft_value at =
        test_given_integers(&bench, weft_shape_of(2, 4), (double[]){0, 2, 2, 1, 1, 3, 0, 0});
    test_expect(&bench, weft_gather_elements(x, at, 1), (double[]){1, 3, 3, 2, 5, 0, 4, 4}, 8);
    weft_value down = test_given_integers(&bench, weft_shape_of(1, 3), (double[]){1, 0, 1});
    test_expect(&bench, weft_gather_elements(x, down, 0), (double[]){4, 2, 6}, 3);
    weft_value values = test_given(&bench, weft_shape_of(2, 4), counting);
    test_expect(&bench, weft_scatter_add_elements_like(values, at, x, 1),
                (double[]){1, 4, 2 + 3, 7 + 8, 5, 0}, 6);
}

/* Many more rows than there are places: the sums of several ranges of rows. */
Test(array, adds_up_many_rows)
{
    enum { ROWS = 1000, PLACES = 37, WIDTH = 40 };
    static double index[ROWS], row[ROWS * WIDTH], sum[PLACES * WIDTH];
    for (int i = 0; i < ROWS; i++) {
        index[i] = i * i % (PLACES + 2) - 1;
        for (int c = 0; c < WIDTH; c++) {
            row[i * WIDTH + c] = i % 7 - c % 3;
            if (index[i] >= 0 && index[i] < PLACES)
                sum[(int)index[i] * WIDTH + c] += row[i * WIDTH + c];
        }
    }
    weft_value x = test_given(&bench, weft_shape_of(ROWS, WIDTH), row);
    weft_value at = test_given_integers(&bench, weft_shape_of(ROWS), index);
    weft_value like = input(weft_shape_of(PLACES, WIDTH));
    test_expect(&bench, weft_scatter_add_like(x, at, like, 0), sum, PLACES * WIDTH);
}

Test(array, indices_that_are_real)
{
    weft_gather(input(weft_shape_of(3, 2)), input(weft_shape_of(4)), 0);
    test_expect_error(&bench, "indices must be int32, not real");
}

Test(array, indices_of_other_extents)
{
    weft_value at = weft_input(bench.graph, .shape = weft_shape_of(3, 4), .dtype = WEFT_INT32);
    weft_gather_elements(input(weft_shape_of(2, 5)), at, 1);
    test_expect_error(&bench, "indices [3,4] and [2,5] differ in more than dimension 1");
}

Test(array, adds_what_was_not_gathered)
{
    weft_value at = weft_input(bench.graph, .shape = weft_shape_of(4), .dtype = WEFT_INT32);
    weft_scatter_add_like(input(weft_shape_of(3, 2)), at, input(weft_shape_of(5, 2)), 0);
    test_expect_error(&bench, "input [3,2] must have the shape [4,2]");
}

Test(array, one_hot_rows)
{
    weft_value at = test_given_integers(&bench, weft_shape_of(3), (double[]){2, 0, 5});
    test_expect(&bench, weft_one_hot(at, .depth = 3), (double[]){0, 0, 1, 1, 0, 0, 0, 0, 0}, 9);
    test_expect(&bench, weft_one_hot(at, .depth = 2, .on = 0.75, .off = 0.25),
                (double[]){0.25, 0.25, 0.75, 0.25, 0.25, 0.25}, 6);
    test_expect(&bench, weft_one_hot(at, .depth = 1, .off = -1), (double[]){-1, 0, -1}, 3);
    weft_value labels =
        weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
    expect_shape(weft_one_hot(labels, .depth = 10), weft_shape_of(WEFT_BATCH, 10));
}

Test(array, one_hot_rows_of_nothing)
{
    weft_one_hot(weft_input(bench.graph, .shape = weft_shape_of(2), .dtype = WEFT_INT32));
    test_expect_error(&bench, "one_hot: a depth of 0 is not positive");
}
