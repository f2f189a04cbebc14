/* Resizing: worked numbers of every method and grid, large images, messages. */
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

TestSuite(resize, .init = begin, .fini = end);

static const double row[] = {0, 12, 24};

static void expect_row(weft_resize_options options, const double *y, int64_t count)
{
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 1), row);
    test_expect(&bench, (weft_resize)(x, &options), y, count);
}

Test(resize, interpolates_between_middles)
{
    /* places -1/4, 1/4, 3/4, 5/4, 7/4, 9/4 */
    static const double twice[] = {0, 3, 9, 15, 21, 24};
    expect_row((weft_resize_options){.method = WEFT_LINEAR, .scale = {2}}, twice, 6);
    /* places 1/4, 7/4 */
    static const double two[] = {3, 21};
    expect_row((weft_resize_options){.method = WEFT_LINEAR, .size = {2}}, two, 2);
}

Test(resize, interpolates_between_corners)
{
    static const double five[] = {0, 6, 12, 18, 24}, one[] = {0};
    weft_resize_options options = {.method = WEFT_LINEAR, .grid = WEFT_ALIGN_CORNERS, .size = {5}};
    expect_row(options, five, 5);
    options.size[0] = 1;
    expect_row(options, one, 1);
}

Test(resize, interpolates_asymmetrically)
{
    /* places 0, 3/4, 6/4, 9/4 */
    static const double four[] = {0, 9, 18, 24};
    expect_row((weft_resize_options){.method = WEFT_LINEAR, .grid = WEFT_ASYMMETRIC, .size = {4}},
               four, 4);
}

Test(resize, takes_the_nearest)
{
    static const double twice[] = {0, 0, 12, 12, 24, 24};
    expect_row((weft_resize_options){.scale = {2}}, twice, 6);
    expect_row((weft_resize_options){.scale = {2}, .grid = WEFT_ASYMMETRIC}, twice, 6);
    /* two of three: floor(3/4), floor(9/4); floor(0), floor(3/2); 0, 2 */
    static const double middles[] = {0, 24}, beginnings[] = {0, 12};
    expect_row((weft_resize_options){.size = {2}}, middles, 2);
    expect_row((weft_resize_options){.size = {2}, .grid = WEFT_ASYMMETRIC}, beginnings, 2);
    expect_row((weft_resize_options){.size = {2}, .grid = WEFT_ALIGN_CORNERS}, middles, 2);
    /* six of three: 0, 2/5, 4/5, 6/5, 8/5, 2 */
    static const double corners[] = {0, 0, 12, 12, 24, 24};
    expect_row((weft_resize_options){.size = {6}, .grid = WEFT_ALIGN_CORNERS}, corners, 6);
}

Test(resize, is_the_product_of_its_dimensions)
{
    /* 2x2 to 3x1: rows at -1/6 (0), 1/2, 7/6 (1), the column at 1/2 */
    static const double square[] = {1, 3, 5, 11}, y[] = {2, 5, 8};
    weft_value x = test_given(&bench, weft_shape_of(1, 2, 2, 1), square);
    test_expect(&bench, weft_resize(x, .method = WEFT_LINEAR, .size = {3, 1}), y, 3);
}

Test(resize, gives_gradients_to_what_was_read)
{
    static const double seed[] = {1, 2, 3, 4, 5, 6};
    /* x[0] is in y[0] whole, y[1] by 3/4, y[2] by 1/4; x[1] in y[1..4] by 1/4, 3/4, 3/4, 1/4 */
    static const double dx[] = {1 + 1.5 + 0.75, 0.5 + 2.25 + 3 + 1.25, 1 + 3.75 + 6};
    weft_value x = test_given(&bench, weft_shape_of(1, 3, 1), row), gradient;
    weft_value y = weft_resize(x, .method = WEFT_LINEAR, .scale = {2});
    weft_value dy = test_given(&bench, weft_shape_of(1, 6, 1), seed);
    weft_vector_jacobian(&y, &dy, 1, &x, 1, &gradient);
    test_expect(&bench, gradient, dx, 3);
}

Test(resize, is_the_same_in_large_images)
{
    weft_value x = test_patterned(&bench, weft_shape_of(2, 8, 8, 31)), dx;
    weft_value y = weft_resize(x, .method = WEFT_LINEAR, .size = {37, 41});
    weft_value dy = weft_square(y);
    test_expect_close(&bench, y, 1e-6);
    weft_vector_jacobian(&y, &dy, 1, &x, 1, &dx);
    test_expect_close(&bench, dx, 1e-6);
    y = weft_resize_like(x, weft_input(bench.graph, .shape = weft_shape_of(1, 3, 29, 1)));
    test_expect_close(&bench, y, 1e-7);
    cr_expect_eq(weft_shape_get(y).extent[3], 31);
}

static weft_value open_image(void)
{
    return weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 8, 8, 3));
}

Test(resize, refuses_what_has_no_size)
{
    weft_resize(open_image(), .scale = {2});
    test_expect_error(&bench, "spatial dimension 1: size 0 and scale 0");
    end();
    begin();
    weft_resize(open_image(), .scale = {2, 2}, .size = {0, 9});
    test_expect_error(&bench, "spatial dimension 1: size 9 and scale 2");
    end();
    begin();
    weft_resize(open_image(), .scale = {2, 2, 2});
    test_expect_error(&bench, "no spatial dimension 2");
    end();
    begin();
    weft_resize(weft_input(bench.graph, .shape = weft_shape_of(4, 4)), .scale = {2});
    test_expect_error(&bench, "rank 2, expected 3 to 5");
    end();
    begin();
    /* 2^64 + 32 pixels */
    int64_t wide = (INT64_C(1) << 59) + 1;
    weft_resize(weft_input(bench.graph, .shape = weft_shape_of(1, wide, 1)), .scale = {32});
    test_expect_error(&bench, "spatial dimension 0 would be too large");
}
