/* Pooling: worked numbers, extents, where gradients go, pieces, views, messages. */
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

TestSuite(pooling, .init = begin, .fini = end);

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

/* A sequence of one channel. */
static weft_value sequence(const double *element, int64_t count)
{
    return test_given(&bench, weft_shape_of(1, count, 1), element);
}

/* Of the sum of y. */
static weft_value gradient(weft_value y, weft_value x)
{
    weft_value seed = weft_fill_like(y, 1), dx;
    weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
    return dx;
}

/* ---- Extents ---- */

Test(pooling, two_by_two_halves_an_image)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 32, 32, 16));
    weft_shape half = weft_shape_of(WEFT_BATCH, 16, 16, 16);
    expect_shape(weft_max_pool(x, .window = {2, 2}, .stride = {2, 2}), half);
    expect_shape(weft_average_pool(x, .window = {2, 2}), half);
}

Test(pooling, same_rounds_up_and_valid_down)
{
    weft_value x = input(weft_shape_of(2, 7, 8, 1));
    expect_shape(weft_max_pool(x, .window = {3, 3}, .stride = {2, 2}, .padding = WEFT_SAME),
                 weft_shape_of(2, 4, 4, 1));
    expect_shape(weft_max_pool(x, .window = {3, 3}, .stride = {2, 2}), weft_shape_of(2, 3, 3, 1));
    expect_shape(weft_max_pool(x, .window = {2, 2}, .stride = {1, 1}, .padding = WEFT_FULL),
                 weft_shape_of(2, 8, 9, 1));
}

Test(pooling, ceil_mode_drops_windows_that_start_in_the_padding)
{
    weft_value five = input(weft_shape_of(1, 5, 1)), four = input(weft_shape_of(1, 4, 1));
    expect_shape(weft_max_pool(five, .window = {2}, .ceil_mode = true), weft_shape_of(1, 3, 1));
    /* ceil((5 + 2 - 2) / 2) + 1 is 4, but the fourth window would start at 5 */
    expect_shape(
        weft_max_pool(five, .window = {2}, .pad_low = {1}, .pad_high = {1}, .ceil_mode = true),
        weft_shape_of(1, 3, 1));
    expect_shape(weft_max_pool(four, .window = {1}, .stride = {2}, .ceil_mode = true),
                 weft_shape_of(1, 2, 1));
    expect_shape(weft_max_pool(four, .window = {5}, .stride = {2}, .ceil_mode = true),
                 weft_shape_of(1, 1, 1));
}

/* ---- Values ---- */

static const double sixteen[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

Test(pooling, four_by_four)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 4, 4, 1), sixteen);
    test_expect(&bench, weft_max_pool(x, .window = {2, 2}), (double[]){6, 8, 14, 16}, 4);
    test_expect(&bench, weft_average_pool(x, .window = {2, 2}), (double[]){3.5, 5.5, 11.5, 13.5},
                4);
    test_expect(&bench, weft_max_pool(x, .window = {3, 3}, .stride = {1, 1}),
                (double[]){11, 12, 15, 16}, 4);
}

Test(pooling, of_volumes)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 2, 2, 2), sixteen);
    test_expect(&bench, weft_max_pool(x, .window = {2, 2, 2}), (double[]){15, 16}, 2);
    test_expect(&bench, weft_average_pool(x, .window = {2, 1, 2}), (double[]){6, 7, 10, 11}, 4);
}

Test(pooling, ceil_mode_hangs_over_the_end)
{
    weft_value x = sequence((double[]){1, 5, 2, 8, 3, 4}, 6);
    test_expect(&bench, weft_max_pool(x, .window = {3}, .stride = {2}), (double[]){5, 8}, 2);
    test_expect(&bench, weft_max_pool(x, .window = {3}, .stride = {2}, .ceil_mode = true),
                (double[]){5, 8, 4}, 3);
    test_expect(&bench, weft_average_pool(x, .window = {3}, .stride = {2}, .ceil_mode = true),
                (double[]){8.0 / 3, 13.0 / 3, 3.5}, 3);
}

Test(pooling, padding_is_never_the_largest)
{
    weft_value x = sequence((double[]){-3, -2, -1, -4}, 4);
    test_expect(&bench, weft_max_pool(x, .window = {3}, .stride = {1}, .padding = WEFT_SAME),
                (double[]){-2, -1, -1, -1}, 4);
}

Test(pooling, averages_count_padding_only_if_asked)
{
    weft_value x = sequence((double[]){2, 4, 6}, 3);
    test_expect(&bench, weft_average_pool(x, .window = {3}, .stride = {1}, .padding = WEFT_SAME),
                (double[]){3, 4, 5}, 3);
    test_expect(&bench,
                weft_average_pool(x, .window = {3}, .stride = {1}, .padding = WEFT_SAME,
                                  .count_include_pad = true),
                (double[]){2, 4, 10.0 / 3}, 3);
}

/* Windows start at -1, 1 and 3; the last one holds an element, an element of padding, and hangs over. */
Test(pooling, averages_never_count_what_hangs_over)
{
    weft_value x = sequence((double[]){1, 2, 3, 4}, 4);
    test_expect(&bench,
                weft_average_pool(x, .window = {3}, .stride = {2}, .pad_low = {1}, .pad_high = {1},
                                  .ceil_mode = true, .count_include_pad = true),
                (double[]){1, 3, 2}, 3);
    test_expect(&bench,
                weft_average_pool(x, .window = {3}, .stride = {2}, .pad_low = {1}, .pad_high = {1},
                                  .ceil_mode = true),
                (double[]){1.5, 3, 4}, 3);
}

Test(pooling, padding_may_differ_before_and_after)
{
    weft_value x = sequence((double[]){1, 2, 3, 4}, 4);
    test_expect(&bench, weft_max_pool(x, .window = {3}, .stride = {2}, .pad_low = {2}),
                (double[]){1, 3}, 2);
    test_expect(&bench, weft_max_pool(x, .window = {3}, .stride = {2}, .pad_high = {2}),
                (double[]){3, 4}, 2);
}

Test(pooling, over_all_dimensions)
{
    weft_value x = test_given(&bench, weft_shape_of(2, 2, 2, 2), sixteen);
    weft_value mean = weft_global_average_pool(x), largest = weft_global_max_pool(x);
    expect_shape(mean, weft_shape_of(2, 2));
    test_expect(&bench, mean, (double[]){4, 5, 12, 13}, 4);
    test_expect(&bench, largest, (double[]){7, 8, 15, 16}, 4);
    expect_shape(weft_global_average_pool(x, .keep_dims = true), weft_shape_of(2, 1, 1, 2));
}

Test(pooling, a_nan_is_the_largest)
{
    static const double nan_inside[] = {1, NAN, 7, 2, 3, 4};
    weft_value y = weft_max_pool(sequence(nan_inside, 6), .window = {3});
    for (weft_dtype dtype = WEFT_FLOAT32; dtype <= WEFT_FLOAT64; dtype++) {
        double element[2];
        test_evaluate(&bench, y, dtype, element, 2);
        cr_expect(isnan(element[0]));
        cr_expect_eq(element[1], 4);
    }
}

/* Infinities whose sum is NaN beside a NaN, in several vectors of channels and the rest of one. */
Test(pooling, infinities_and_nan_among_many_channels)
{
    enum { LENGTH = 3, CHANNELS = 71 };
    double element[LENGTH * CHANNELS], largest[CHANNELS], first[LENGTH * CHANNELS] = {0};
    for (int c = 0; c < CHANNELS; c++) {
        double down[LENGTH] = {c, c - 1, c - 2};
        if (c % 5 == 3) {
            down[0] = -INFINITY;
            down[2] = INFINITY;
        }
        if (c % 9 == 7)
            down[1] = NAN;
        int at = isnan(down[1]) ? 1 : isinf(down[2]) ? 2 : 0;
        largest[c] = down[at];
        first[at * CHANNELS + c] = 1;
        for (int i = 0; i < LENGTH; i++)
            element[i * CHANNELS + c] = down[i];
    }
    weft_value x = test_given(&bench, weft_shape_of(1, LENGTH, CHANNELS), element);
    weft_value y = weft_max_pool(x, .window = {LENGTH});
    for (weft_dtype dtype = WEFT_FLOAT32; dtype <= WEFT_FLOAT64; dtype++) {
        double pooled[CHANNELS], got[LENGTH * CHANNELS];
        test_evaluate(&bench, y, dtype, pooled, CHANNELS);
        for (int c = 0; c < CHANNELS; c++)
            cr_expect(isnan(largest[c]) ? isnan(pooled[c]) : pooled[c] == largest[c],
                      "channel %d: %g", c, pooled[c]);
        test_evaluate(&bench, gradient(y, x), dtype, got, LENGTH * CHANNELS);
        for (int i = 0; i < LENGTH * CHANNELS; i++)
            cr_expect_eq(got[i], first[i], "gradient %d: %g", i, got[i]);
    }
}

/* ---- Gradients ---- */

/* Elements in the middle are in more windows than the kernel keeps weights of. */
Test(pooling, average_of_many_windows)
{
    enum { LENGTH = 150, WINDOW = 70 };
    double element[LENGTH] = {0}, expected[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        int first = i < WINDOW ? 0 : i - WINDOW + 1,
            last = i < LENGTH - WINDOW ? i : LENGTH - WINDOW;
        expected[i] = (double)(last - first + 1) / WINDOW;
    }
    weft_value x = sequence(element, LENGTH);
    test_expect(&bench, gradient(weft_average_pool(x, .window = {WINDOW}, .stride = {1}), x),
                expected, LENGTH);
}

Test(pooling, the_first_maximum_gets_the_gradient)
{
    weft_value x = sequence((double[]){1, 3, 3, 2}, 4);
    test_expect(&bench, gradient(weft_max_pool(x, .window = {4}), x), (double[]){0, 1, 0, 0}, 4);
}

/* Windows and strides of more pixels than can be counted or fetched. */
Test(pooling, windows_and_strides_far_beyond_the_image)
{
    static const double element[] = {1, 2, 3, 5, 8, 13, 21, 34};
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 2, 2, 1), element);
    weft_pool_options far = {.window = {1, 1, 1}, .stride = {INT32_MAX, INT32_MAX, INT32_MAX}};
    test_expect(&bench, (weft_max_pool)(x, &far), element, 1);
    test_expect(&bench, (weft_average_pool)(x, &far), element, 1);
    weft_pool_options wide = {
        .window = {1 << 22, 1 << 22, 1 << 22}, .stride = {1, 1, 1}, .padding = WEFT_SAME};
    test_expect(&bench, gradient((weft_average_pool)(x, &wide), x),
                (double[]){1, 1, 1, 1, 1, 1, 1, 1}, 8);
    test_expect(&bench, gradient((weft_max_pool)(x, &wide), x), (double[]){0, 0, 0, 0, 0, 0, 0, 8},
                8);
}

/* Elements of a window have numbers of a byte, if there are so many. */
Test(pooling, windows_of_more_elements_than_a_byte_counts)
{
    enum { BYTE = 256 };
    for (int length = BYTE - 1; length <= BYTE + 1; length++) {
        double element[BYTE + 1] = {0}, expected[BYTE + 1] = {0};
        element[length - 1] = expected[length - 1] = 1;
        weft_value x = sequence(element, length);
        test_expect(&bench, gradient(weft_max_pool(x, .window = {length}), x), expected, length);
    }
}

Test(pooling, gradients_of_overlapping_windows_add_up)
{
    weft_value x = sequence((double[]){1, 5, 9, 8, 3, 2}, 6);
    test_expect(&bench, gradient(weft_max_pool(x, .window = {3}, .stride = {2}), x),
                (double[]){0, 0, 2, 0, 0, 0}, 6);
    test_expect(&bench, gradient(weft_average_pool(x, .window = {3}, .stride = {1}), x),
                (double[]){1.0 / 3, 2.0 / 3, 1, 1, 2.0 / 3, 1.0 / 3}, 6);
}

Test(pooling, elements_between_windows_get_none)
{
    weft_value x = sequence((double[]){1, 5, 9, 8, 3, 2}, 6);
    test_expect(&bench, gradient(weft_max_pool(x, .window = {1}, .stride = {3}), x),
                (double[]){1, 0, 0, 1, 0, 0}, 6);
    test_expect(&bench, gradient(weft_average_pool(x, .window = {2}, .stride = {3}), x),
                (double[]){0.5, 0.5, 0, 0.5, 0.5, 0}, 6);
}

/* ---- Pieces ---- */

enum { WIDTH = 39, CHANNELS = 70, BIG = 2 * WIDTH * WIDTH * CHANNELS };

static double noise[BIG];

/* Large enough that images, and the channels of a pixel, are cut. */
static weft_value big(void)
{
    uint32_t random = 1;
    for (int i = 0; i < BIG; i++) {
        random = random * 1664525 + 1013904223;
        noise[i] = (double)(random >> 8) / (1 << 23) - 1;
    }
    return test_given(&bench, weft_shape_of(2, WIDTH, WIDTH, CHANNELS), noise);
}

static void expect_pieces_agree(weft_value y, weft_value x)
{
    weft_value dx, seed = weft_slice(x, .size = {2, 13, 13, CHANNELS}), ddy;
    expect_shape(y, weft_shape_of(2, 13, 13, CHANNELS));
    test_expect_close(&bench, y, 1e-6);
    weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
    test_expect_close(&bench, dx, 1e-6);
    weft_vector_jacobian(&dx, &x, 1, &seed, 1, &ddy);
    test_expect_close(&bench, ddy, 1e-6);
}

Test(pooling, pieces_of_windows_side_by_side)
{
    weft_value x = big();
    expect_pieces_agree(weft_max_pool(x, .window = {3, 3}), x);
    expect_pieces_agree(weft_average_pool(x, .window = {3, 3}), x);
}

Test(pooling, pieces_of_overlapping_windows)
{
    weft_value x = big();
    expect_pieces_agree(weft_max_pool(x, .window = {5, 5}, .stride = {3, 3}, .padding = WEFT_SAME),
                        x);
    expect_pieces_agree(
        weft_average_pool(x, .window = {5, 5}, .stride = {3, 3}, .padding = WEFT_SAME), x);
}

/* ---- Views ---- */

Test(pooling, reads_and_writes_slices_of_channels)
{
    weft_value x = test_patterned(&bench, weft_shape_of(2, 6, 6, 12)), part[2];
    weft_split(x, -1, NULL, 2, part);
    weft_value a = weft_max_pool(part[0], .window = {2, 2});
    weft_value b = weft_average_pool(part[1], .window = {2, 2});
    test_expect_steps(&bench, weft_concat_channels(a, b), 2);
}

/* ---- Messages ---- */

Test(pooling, window_larger_than_the_input)
{
    weft_max_pool(input(weft_shape_of(WEFT_BATCH, 4, 4, 3)), .window = {5, 2});
    test_expect_error(&bench, "window 5 does not fit dimension 1 of input [N,4,4,3]");
}

Test(pooling, window_of_too_few_dimensions)
{
    weft_max_pool(input(weft_shape_of(2, 4, 4, 3)), .window = {2});
    test_expect_error(&bench, "one extent for each of the 2 spatial dimensions");
}

Test(pooling, stride_of_too_many_dimensions)
{
    weft_max_pool(input(weft_shape_of(2, 4, 4, 3)), .window = {2, 2}, .stride = {2, 2, 1});
    test_expect_error(&bench, "stride[2] is set, but input [2,4,4,3] has 2 spatial dimensions");
    end();
    begin();
    weft_average_pool(input(weft_shape_of(2, 4, 3)), .window = {2}, .stride = {2, 2});
    test_expect_error(&bench, "stride[1] is set, but input [2,4,3] has 1 spatial dimension");
}

Test(pooling, no_spatial_dimensions)
{
    weft_average_pool(input(weft_shape_of(2, 3)), .window = {2});
    test_expect_error(&bench, "input [2,3] has rank 2");
}

Test(pooling, padding_as_large_as_the_window)
{
    weft_average_pool(input(weft_shape_of(2, 4, 3)), .window = {2}, .pad_low = {2});
    test_expect_error(&bench, "padding 2, 0 must be less than the window, 2");
}

Test(pooling, global_pooling_of_a_matrix)
{
    weft_global_max_pool(input(weft_shape_of(2, 3)));
    test_expect_error(&bench, "global_max_pool: input [2,3] has rank 2");
}

/* ---- Adaptive ---- */

Test(pooling, adaptive_parts_overlap_where_they_do_not_divide)
{
    /* 5 into 3: elements 0 to 1, 1 to 3, 3 to 4 */
    static const double x[] = {1, 2, 4, 9, 20}, y[] = {1.5, 5, 14.5};
    static const double dx[] = {1 / 2.0, 1 / 2.0 + 1 / 3.0, 1 / 3.0, 1 / 3.0 + 1 / 2.0, 1 / 2.0};
    weft_value value = sequence(x, 5), pooled = weft_adaptive_average_pool(value, .size = {3});
    test_expect(&bench, pooled, y, 3);
    test_expect(&bench, gradient(pooled, value), dx, 5);
}

Test(pooling, adaptive_repeats_where_there_are_more_parts_than_elements)
{
    static const double x[] = {1, 3}, y[] = {1, 2, 3};
    test_expect(&bench, weft_adaptive_average_pool(sequence(x, 2), .size = {3}), y, 3);
}

Test(pooling, adaptive_is_average_pooling_where_parts_divide_and_nothing_where_they_are_elements)
{
    weft_value x = input(weft_shape_of(WEFT_BATCH, 14, 21, 3));
    expect_shape(weft_adaptive_average_pool(x, .size = {7, 7}), weft_shape_of(WEFT_BATCH, 7, 7, 3));
    expect_shape(weft_adaptive_average_pool(x, .size = {5, 4}), weft_shape_of(WEFT_BATCH, 5, 4, 3));
    cr_expect(weft_same(weft_adaptive_average_pool(x, .size = {14, 21}), x));
    weft_adaptive_average_pool(x, .size = {7});
    test_expect_error(&bench, "size[1] is 0");
    end();
    begin();
    weft_adaptive_average_pool(input(weft_shape_of(2, 14, 3)), .size = {7, 7});
    test_expect_error(&bench, "adaptive_average_pool: size[1] is 7, input [2,14,3]");
}

Test(pooling, adaptive_maxima)
{
    /* parts as above; the gradient of the first of equal ones */
    static const double x[] = {7, 9, 4, 9, 20}, y[] = {9, 9, 20}, dx[] = {0, 2, 0, 0, 1};
    weft_value value = sequence(x, 5), pooled = weft_adaptive_max_pool(value, .size = {3});
    test_expect(&bench, pooled, y, 3);
    test_expect(&bench, gradient(pooled, value), dx, 5);
    static const double square[] = {1, 5, 5, 5, 5, 1, 2, 1, 1},
                        corner[] = {0, 1, 0, 0, 0, 0, 0, 0, 0};
    weft_value image = test_given(&bench, weft_shape_of(1, 3, 3, 1), square);
    pooled = weft_adaptive_max_pool(image, .size = {2, 2});
    static const double maxima[] = {5, 5, 5, 5};
    test_expect(&bench, pooled, maxima, 4);
    weft_value first = weft_slice(pooled, .size = {0, 1, 1});
    test_expect(&bench, gradient(first, image), corner, 9);
    weft_adaptive_max_pool(image, .size = {7});
    test_expect_error(&bench, "adaptive_max_pool: size[1] is 0");
}

/* ---- Indices, and back ---- */

static const double peaks[] = {1, 9, 3, 4, 5, 5, 2, 0, 7, 0, 0, 8};

Test(pooling, indices_are_counted_in_the_image)
{
    /* 3x4: windows of 2x2 at stride 1x2: maxima 9 and 4, then 7 and 8; with nothing but one row 5, 2 */
    static const double at[] = {1, 3, 8, 11}, of_rows[] = {1, 3, 4, 6, 8, 11};
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 4, 1), peaks);
    test_expect(&bench, weft_max_pool_indices(x, .window = {2, 2}, .stride = {1, 2}), at, 4);
    test_expect(&bench, weft_max_pool_indices(x, .window = {1, 2}), of_rows, 6);
    /* padding moves windows, not indices */
    static const double padded[] = {0, 1, 8, 11};
    weft_value y = weft_max_pool_indices(x, .window = {2, 3}, .stride = {2, 3}, .pad_low = {1, 2});
    test_expect(&bench, y, padded, 4);
}

Test(pooling, unpooling_puts_values_back)
{
    static const double y[] = {0, 9, 0, 4, 0, 0, 0, 0, 7, 0, 0, 8};
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 4, 1), peaks);
    weft_pool_options options = {.window = {2, 2}, .stride = {1, 2}};
    weft_value pooled = (weft_max_pool)(x, &options);
    weft_value indices = (weft_max_pool_indices)(x, &options);
    weft_value back = weft_max_unpool(pooled, indices, x);
    test_expect(&bench, back, y, 12);
    /* values for one place are added; each gets its gradient; what names no pixel has none */
    static const double values[] = {1, 2, 4}, places[] = {1, 1, 2}, sums[] = {0, 3};
    static const double gradients[] = {6, 6, 0};
    weft_value v = test_given(&bench, weft_shape_of(1, 3, 1), values), dv;
    weft_value i = test_given_integers(&bench, weft_shape_of(1, 3, 1), places);
    weft_value sum = weft_max_unpool(v, i, input(weft_shape_of(1, 2, 1)));
    weft_value seed = weft_scale(sum, 2);
    test_expect(&bench, sum, sums, 2);
    weft_vector_jacobian(&sum, &seed, 1, &v, 1, &dv);
    test_expect(&bench, dv, gradients, 3);
    weft_max_unpool(pooled, i, x);
    test_expect_error(&bench, "indices [1,3,1] expected with shape [1,2,2,1]");
}

/* ---- Lp ---- */

Test(pooling, lp_norms_of_windows)
{
    static const double x[] = {3, -4, 0, 0, 1, -2}, two[] = {5, 1}, one[] = {7, 0, 3};
    const double three[] = {cbrt(27 + 64), 0, cbrt(9)};
    weft_value value = sequence(x, 6);
    test_expect(&bench, weft_lp_pool(value, .window = {2}, .p = 1), one, 3);
    test_expect(&bench, weft_lp_pool(value, .window = {2}, .p = 3), three, 3);
    test_expect(&bench, weft_lp_pool(value, .window = {2}, .stride = {3}), two, 2);
    /* x / y, and nothing where all are zero */
    static const double dx[] = {0.6, -0.8, 0, 0, 0, 0};
    weft_value y = weft_lp_pool(weft_slice(value, .size = {0, 4}), .window = {2});
    test_expect(&bench, gradient(y, value), dx, 6);
    weft_lp_pool(value, .window = {2}, .p = -1);
    test_expect_error(&bench, "lp_pool: p is -1");
}
