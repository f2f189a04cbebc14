/* First values of variables: bounds, moments, orthogonality, and the same numbers in every dtype.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "graph/initializer.h"

static weft_context *context;

static void begin(void)
{
    context = weft_context_create(NULL);
}

static void end(void)
{
    weft_context_destroy(context);
}

TestSuite(initializer, .init = begin, .fini = end);

/* Draws in double; the caller frees. */
static double *drawn(weft_initializer initializer, weft_shape shape, uint64_t key)
{
    double *x = malloc((size_t)weft_shape_elements(shape) * sizeof(double));
    weft_error error;
    cr_assert_eq(weft_initialize(context, &initializer, shape, key, WEFT_FLOAT64, x, &error),
                 WEFT_OK, "%s", error.message);
    return x;
}

typedef struct moments {
    double mean, variance, low, high, fourth;
} moments;

static moments moments_of(const double *x, int64_t count)
{
    moments m = {.low = x[0], .high = x[0]};
    for (int64_t i = 0; i < count; i++) {
        m.mean += x[i] / (double)count;
        m.low = fmin(m.low, x[i]);
        m.high = fmax(m.high, x[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        double d = x[i] - m.mean;
        m.variance += d * d / (double)count;
        m.fourth += d * d * d * d / (double)count;
    }
    return m;
}

typedef struct scaled_case {
    weft_initializer_kind kind;
    bool swap;
    double variance, limit; /* limit 0: none */
} scaled_case;

Test(initializer, variance_follows_the_fans_of_a_filter)
{
    /* fan_in = 15 * 16, fan_out = 15 * 128. */
    weft_shape shape = weft_shape_of(3, 5, 16, 128);
    double in = 240, out = 1920, cut = 2 / 0.87962566103423978;
    scaled_case cases[] = {
        {WEFT_INIT_DEFAULT, false, 2 / (in + out), cut * sqrt(2 / (in + out))},
        {WEFT_INIT_GLOROT_UNIFORM, false, 2 / (in + out), sqrt(6 / (in + out))},
        {WEFT_INIT_GLOROT_NORMAL, false, 2 / (in + out), cut * sqrt(2 / (in + out))},
        {WEFT_INIT_HE_UNIFORM, false, 2 / in, sqrt(6 / in)},
        {WEFT_INIT_HE_NORMAL, false, 2 / in, cut * sqrt(2 / in)},
        {WEFT_INIT_LECUN_UNIFORM, false, 1 / in, sqrt(3 / in)},
        {WEFT_INIT_LECUN_NORMAL, false, 1 / in, cut * sqrt(1 / in)},
        {WEFT_INIT_FAN_IN_UNIFORM, false, 1 / (3 * in), sqrt(1 / in)},
        {WEFT_INIT_HE_UNIFORM, true, 2 / out, sqrt(6 / out)},
        {WEFT_INIT_HE_NORMAL, true, 2 / out, cut * sqrt(2 / out)},
        {WEFT_INIT_GLOROT_NORMAL, true, 2 / (in + out), cut * sqrt(2 / (in + out))},
    };
    int64_t count = weft_shape_elements(shape);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scaled_case c = cases[i];
        double *x = drawn((weft_initializer){.kind = c.kind, .swap_fans = c.swap}, shape, 7 + i);
        moments m = moments_of(x, count);
        double sigma = sqrt(c.variance);
        cr_expect_lt(fabs(m.mean), 5 * sigma / sqrt((double)count), "case %zu", i);
        cr_expect_lt(fabs(m.variance / c.variance - 1), 0.03, "case %zu: %g", i, m.variance);
        cr_expect_leq(fmax(m.high, -m.low), c.limit, "case %zu", i);
        cr_expect_gt(fmin(m.high, -m.low), 0.98 * c.limit, "case %zu", i);
        free(x);
    }
}

Test(initializer, fans_of_low_ranks)
{
    weft_fans scalar = weft_fans_of(weft_shape_make(0, NULL), false);
    cr_expect(scalar.in == 1 && scalar.out == 1);
    weft_fans vector = weft_fans_of(weft_shape_of(9), false);
    cr_expect(vector.in == 9 && vector.out == 9);
    weft_fans dense = weft_fans_of(weft_shape_of(4, 9), false);
    cr_expect(dense.in == 4 && dense.out == 9);
    /* A transposed convolution from 9 channels to 4, with 2 x 2 x 2 taps. */
    weft_fans up = weft_fans_of(weft_shape_of(2, 2, 2, 4, 9), true);
    cr_expect(up.in == 72 && up.out == 32);
}

Test(initializer, moments_of_normal_uniform_and_truncated)
{
    weft_shape shape = weft_shape_of(300, 301);
    int64_t count = weft_shape_elements(shape);
    double *x = drawn((weft_initializer){.kind = WEFT_INIT_NORMAL, .a = 3, .b = 0.5}, shape, 1);
    moments m = moments_of(x, count);
    cr_expect_float_eq(m.mean, 3, 0.01);
    cr_expect_float_eq(m.variance, 0.25, 0.005);
    cr_expect_float_eq(m.fourth / (m.variance * m.variance), 3, 0.1);
    cr_expect_gt(m.high, 3 + 1.5);
    free(x);

    x = drawn((weft_initializer){.kind = WEFT_INIT_TRUNCATED_NORMAL, .a = 3, .b = 0.5}, shape, 2);
    m = moments_of(x, count);
    cr_expect_float_eq(m.mean, 3, 0.01);
    cr_expect_float_eq(m.variance, 0.25 * 0.87962566103423978 * 0.87962566103423978, 0.003);
    cr_expect(m.low >= 2 && m.high <= 4 && m.low < 2.01 && m.high > 3.99);
    free(x);

    x = drawn((weft_initializer){.kind = WEFT_INIT_UNIFORM, .a = -1, .b = 2}, shape, 3);
    m = moments_of(x, count);
    cr_expect_float_eq(m.mean, 0.5, 0.02);
    cr_expect_float_eq(m.variance, 9.0 / 12, 0.01);
    cr_expect(m.low >= -1 && m.high < 2 && m.low < -0.999 && m.high > 1.999);
    free(x);
}

Test(initializer, fills)
{
    weft_shape shape = weft_shape_of(5);
    struct {
        weft_initializer initializer;
        double value;
    } cases[] = {{{.kind = WEFT_INIT_DEFAULT}, 0},
                 {{.kind = WEFT_INIT_ZEROS}, 0},
                 {{.kind = WEFT_INIT_ONES}, 1},
                 {{.kind = WEFT_INIT_CONSTANT, .a = 0.25}, 0.25}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double *x = drawn(cases[i].initializer, shape, i);
        for (int k = 0; k < 5; k++)
            cr_expect_eq(x[k], cases[i].value);
        free(x);
    }
}

/* Largest deviation of the shorter side's Gram matrix from gain^2 times the identity. */
static double gram_error(const double *x, int64_t rows, int64_t columns, double gain)
{
    bool tall = rows >= columns;
    int64_t vectors = tall ? columns : rows, length = tall ? rows : columns;
    double worst = 0;
    for (int64_t i = 0; i < vectors; i++)
        for (int64_t j = 0; j < vectors; j++) {
            double sum = 0;
            for (int64_t k = 0; k < length; k++)
                sum += tall ? x[k * columns + i] * x[k * columns + j]
                            : x[i * columns + k] * x[j * columns + k];
            worst = fmax(worst, fabs(sum - (i == j ? gain * gain : 0)));
        }
    return worst;
}

Test(initializer, orthogonal_in_both_proportions)
{
    weft_initializer unit = {.kind = WEFT_INIT_ORTHOGONAL};
    weft_initializer wide = {.kind = WEFT_INIT_ORTHOGONAL, .a = 1.5};
    double *x = drawn(unit, weft_shape_of(3, 3, 5, 31), 4);
    cr_expect_lt(gram_error(x, 45, 31, 1), 1e-13);
    free(x);
    x = drawn(wide, weft_shape_of(17, 83), 5);
    cr_expect_lt(gram_error(x, 17, 83, 1.5), 1e-13);
    free(x);
    x = drawn(unit, weft_shape_of(65, 65), 6);
    cr_expect_lt(gram_error(x, 65, 65, 1), 1e-13);
    /* Signs are those of the normal matrix, not all alike: the diagonal has both. */
    int positive = 0;
    for (int i = 0; i < 65; i++)
        positive += x[i * 66] > 0;
    cr_expect(positive > 10 && positive < 55);
    free(x);
}

Test(initializer, equal_in_single_and_double)
{
    static const weft_initializer_kind kinds[] = {WEFT_INIT_UNIFORM, WEFT_INIT_NORMAL,
                                                  WEFT_INIT_HE_NORMAL, WEFT_INIT_ORTHOGONAL};
    weft_shape shape = weft_shape_of(3, 3, 7, 11);
    float x32[693];
    for (int k = 0; k < 4; k++) {
        weft_initializer initializer = {.kind = kinds[k], .a = 1, .b = 2};
        double *x64 = drawn(initializer, shape, 99);
        cr_assert_eq(weft_initialize(context, &initializer, shape, 99, WEFT_FLOAT32, x32, NULL),
                     WEFT_OK);
        for (int i = 0; i < 693; i++)
            cr_expect_eq(x32[i], (float)x64[i]);
        free(x64);
    }
}

Test(initializer, element_depends_on_its_index_and_key_only)
{
    /* The same key in another shape: a prefix, also of odd length. Another key: other numbers. */
    weft_initializer initializer = {.kind = WEFT_INIT_TRUNCATED_NORMAL, .b = 1};
    double *all = drawn(initializer, weft_shape_of(1000), 5);
    double *some = drawn(initializer, weft_shape_of(501), 5);
    double *other = drawn(initializer, weft_shape_of(501), 6);
    int same = 0;
    for (int i = 0; i < 501; i++) {
        cr_expect_eq(all[i], some[i]);
        same += some[i] == other[i];
    }
    cr_expect_eq(same, 0);
    for (int i = 1; i < 1000; i++)
        cr_expect_neq(all[i], all[i - 1]);
    free(all);
    free(some);
    free(other);
}

Test(initializer, integers)
{
    int32_t x[4000];
    weft_initializer dice = {.kind = WEFT_INIT_UNIFORM, .a = 1, .b = 7};
    cr_assert_eq(weft_initialize(context, &dice, weft_shape_of(4000), 1, WEFT_INT32, x, NULL),
                 WEFT_OK);
    int seen[8] = {0};
    for (int i = 0; i < 4000; i++) {
        cr_assert(x[i] >= 1 && x[i] <= 6);
        seen[x[i]]++;
    }
    for (int face = 1; face <= 6; face++)
        cr_expect(seen[face] > 560 && seen[face] < 780, "%d: %d", face, seen[face]);
    weft_initializer large = {.kind = WEFT_INIT_CONSTANT, .a = 1e20};
    cr_assert_eq(weft_initialize(context, &large, weft_shape_of(3), 1, WEFT_INT32, x, NULL),
                 WEFT_OK);
    cr_expect_eq(x[2], INT32_MAX);
}

Test(initializer, mistakes_are_named)
{
    struct {
        weft_initializer initializer;
        weft_shape shape;
        weft_dtype dtype;
        weft_status status;
    } cases[] = {
        {{.kind = WEFT_INIT_UNIFORM}, weft_shape_of(2), WEFT_FLOAT32, WEFT_ERROR_ARGUMENT},
        {{.kind = WEFT_INIT_NORMAL}, weft_shape_of(2), WEFT_FLOAT32, WEFT_ERROR_ARGUMENT},
        {{.kind = WEFT_INIT_CONSTANT, .a = NAN},
         weft_shape_of(2),
         WEFT_FLOAT32,
         WEFT_ERROR_ARGUMENT},
        {{.kind = 99}, weft_shape_of(2), WEFT_FLOAT32, WEFT_ERROR_ARGUMENT},
        {{.kind = WEFT_INIT_ORTHOGONAL}, weft_shape_of(2), WEFT_FLOAT32, WEFT_ERROR_SHAPE},
        {{.kind = WEFT_INIT_ONES}, weft_shape_of(WEFT_BATCH, 2), WEFT_FLOAT32, WEFT_ERROR_SHAPE},
        {{.kind = WEFT_INIT_ONES}, weft_shape_of(2), WEFT_UINT8, WEFT_ERROR_DTYPE},
        {{.kind = WEFT_INIT_ONES}, weft_shape_of(2), WEFT_REAL, WEFT_ERROR_DTYPE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        weft_error error = {0};
        double untouched[2] = {5, 5};
        cr_expect_eq(weft_initialize(context, &cases[i].initializer, cases[i].shape, 1,
                                     cases[i].dtype, untouched, &error),
                     cases[i].status, "case %zu", i);
        cr_expect_neq(error.message[0], 0, "case %zu", i);
        cr_expect(untouched[0] == 5 && untouched[1] == 5, "case %zu", i);
    }
}
