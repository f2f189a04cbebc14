/* Random ops but plain dropout: which parts are dropped together, what noise is like, gradients, modes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/noise.h"
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

TestSuite(noise, .init = begin, .fini = end);

enum { ROOM = 8192 };

typedef struct how {
    weft_mode mode;
    weft_dtype dtype;
    int64_t batch, first_sample;
    int *steps;
} how;

/* Runs a program that fetches the value, on a fresh state. */
static void run(weft_value value, how given, double *element)
{
    weft_error error = {0};
    weft_program *program;
    weft_state *state;
    weft_state_options state_options = {.dtype = given.dtype, .seed = 7};
    cr_assert_eq(weft_state_create(bench.graph, &state_options, &state, &error), WEFT_OK, "%s",
                 error.message);
    weft_compile_options options = {
        .mode = given.mode, .fetch = &value, .fetches = 1, .batch = given.batch};
    cr_assert_eq(weft_compile(bench.graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    weft_run_options run_options = {.first_sample = given.first_sample};
    cr_assert_eq(weft_run(program, NULL, 0, &run_options, &error), WEFT_OK, "%s", error.message);
    weft_tensor tensor = weft_fetch(program, value);
    int64_t count = weft_tensor_elements(&tensor);
    cr_assert_leq(count, ROOM);
    for (int64_t i = 0; i < count; i++)
        element[i] = tensor.dtype == WEFT_FLOAT32 ? (double)((const float *)tensor.data)[i]
                                                  : ((const double *)tensor.data)[i];
    if (given.steps)
        *given.steps = weft_program_report(program).steps;
    weft_program_destroy(program);
    weft_state_destroy(state);
}

static const how train = {.mode = WEFT_TRAIN, .dtype = WEFT_FLOAT32};
static const how infer = {.mode = WEFT_INFER, .dtype = WEFT_FLOAT32};

static weft_value ones(weft_shape shape)
{
    return weft_fill_like(weft_input(bench.graph, .shape = shape), 1);
}

/* ---- Parts that are dropped together ---- */

/* Each of so many parts of the elements is all 0 or all 1 / (1 - rate); returns how many are 0. Element i is
 * of part part(i). */
static int count_dropped(const double *got, int count, int parts, int (*part)(int), double rate)
{
    double of_part[ROOM];
    int dropped = 0;
    for (int i = 0; i < parts; i++)
        of_part[i] = NAN;
    for (int i = 0; i < count; i++) {
        double *value = &of_part[part(i)];
        cr_assert(got[i] == 0 || fabs(got[i] * (1 - rate) - 1) < 1e-6, "%g", got[i]);
        cr_assert(isnan(*value) || *value == got[i], "element %d", i);
        dropped += isnan(*value) && got[i] == 0;
        *value = got[i];
    }
    return dropped;
}

/* Of samples of 4 pixels of 32 channels. */
static int channel(int i)
{
    return i / 128 * 32 + i % 32;
}

static int sample(int i)
{
    return i / 128;
}

static int batch(int i)
{
    (void)i;
    return 0;
}

Test(noise, spatial_dropout_drops_channels)
{
    weft_value y = weft_spatial_dropout(ones(weft_shape_of(64, 2, 2, 32)), .rate = 0.25);
    double got[ROOM];
    run(y, train, got);
    /* 512 of 2048 expected, standard deviation 20 */
    int dropped = count_dropped(got, ROOM, 2048, channel, 0.25);
    cr_expect(dropped > 432 && dropped < 592, "%d", dropped);
    run(y, infer, got);
    for (int i = 0; i < ROOM; i++)
        cr_assert_eq(got[i], 1);
}

Test(noise, stochastic_depth_drops_samples)
{
    weft_value x = ones(weft_shape_of(64, 2, 2, 32));
    double got[ROOM];
    run(weft_stochastic_depth(x, .rate = 0.5), train, got);
    /* 32 of 64 expected, standard deviation 4 */
    int dropped = count_dropped(got, ROOM, 64, sample, 0.5);
    cr_expect(dropped > 16 && dropped < 48, "%d", dropped);
    int batches = 0;
    for (int i = 0; i < 32; i++) {
        char name[16];
        snprintf(name, sizeof(name), "b%d", i);
        run(weft_stochastic_depth(x, .rate = 0.5, .whole_batch = true, .name = name), train, got);
        batches += count_dropped(got, ROOM, 1, batch, 0.5);
    }
    cr_expect(batches > 4 && batches < 28, "%d", batches);
}

Test(noise, parts_are_left_out_of_inference)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 4, 4, 8));
    weft_value y = weft_relu(weft_fill_like(x, 2));
    weft_value z = weft_stochastic_depth(weft_spatial_dropout(y, .rate = 0.5), .rate = 0.5);
    z = weft_gaussian_noise(weft_gaussian_dropout(z, .rate = 0.5), .deviation = 3);
    double got[ROOM];
    int with, without;
    run(y, (how){.dtype = WEFT_FLOAT32, .batch = 40, .steps = &without}, got);
    run(z, (how){.dtype = WEFT_FLOAT32, .batch = 40, .steps = &with}, got);
    cr_expect_eq(with, without);
    for (int i = 0; i < 40 * 128; i++)
        cr_assert_eq(got[i], 2);
}

Test(noise, gradients_are_those_of_what_is_left)
{
    weft_value x = ones(weft_shape_of(16, 2, 2, 8));
    weft_value y = weft_spatial_dropout(x, .rate = 0.5), dx;
    weft_value seed = weft_fill_like(y, 1);
    weft_vector_jacobian(&y, &seed, 1, &x, 1, &dx);
    double forward[512], backward[512];
    run(y, train, forward);
    run(dx, train, backward);
    for (int i = 0; i < 512; i++)
        cr_assert_eq(forward[i], backward[i]);
}

/* ---- Noise ---- */

static void moments(const double *x, int count, double *mean, double *variance)
{
    *mean = *variance = 0;
    for (int i = 0; i < count; i++)
        *mean += x[i] / count;
    for (int i = 0; i < count; i++)
        *variance += (x[i] - *mean) * (x[i] - *mean) / count;
}

Test(noise, is_normal)
{
    weft_value x = weft_scale(ones(weft_shape_of(64, 128)), 2);
    double got[ROOM], mean, variance;
    run(weft_gaussian_noise(x, .deviation = 3), train, got);
    moments(got, ROOM, &mean, &variance);
    /* standard deviations 3 / sqrt(8192) = 0.033 and 9 sqrt(2 / 8192) = 0.14 */
    cr_expect_float_eq(mean, 2, 0.14, "%g", mean);
    cr_expect_float_eq(variance, 9, 0.6, "%g", variance);
    int within = 0;
    for (int i = 0; i < ROOM; i++)
        within += fabs(got[i] - 2) < 3;
    /* 68.27 %, standard deviation 42 */
    cr_expect(abs(within - 5593) < 170, "%d", within);
    run(weft_gaussian_dropout(x, .rate = 0.2), train, got);
    moments(got, ROOM, &mean, &variance);
    /* deviation 2 sqrt(0.2 / 0.8) = 1 */
    cr_expect_float_eq(mean, 2, 0.05, "%g", mean);
    cr_expect_float_eq(variance, 1, 0.07, "%g", variance);
}

Test(noise, one_number_by_hand)
{
    /* words of block 0 of sample 2: element 0 is sqrt(-2 log u) cos(2 pi v), element 16 the sine's */
    weft_philox_block drawn = weft_philox(5, (uint64_t)9 << 32, 2);
    double u = (drawn.word[0] / 256 + 0.5) / 16777216, v = drawn.word[1] / 256 / 16777216.0;
    double cosine = weft_noise_normal(5, 9, 2, 0), sine = weft_noise_normal(5, 9, 2, 16);
    cr_expect_float_eq(cosine * cosine + sine * sine, -2 * log(u), 1e-12);
    cr_expect_float_eq(atan2(sine, cosine), remainder(2 * M_PI * v, 2 * M_PI), 1e-12);
}

Test(noise, is_drawn_by_sample)
{
    weft_value x = weft_input(bench.graph, .shape = weft_shape_of(WEFT_BATCH, 5, 7));
    weft_value y = weft_gaussian_noise(weft_fill_like(x, 1), .deviation = 1);
    double whole[6 * 35], part[2 * 35], in_double[6 * 35];
    run(y, (how){.mode = WEFT_TRAIN, .dtype = WEFT_FLOAT32, .batch = 6}, whole);
    run(y, (how){.mode = WEFT_TRAIN, .dtype = WEFT_FLOAT64, .batch = 6}, in_double);
    for (int first = 0; first < 6; first += 2) {
        how given = {.mode = WEFT_TRAIN, .dtype = WEFT_FLOAT32, .batch = 2, .first_sample = first};
        run(y, given, part);
        for (int i = 0; i < 70; i++) {
            cr_assert_eq(part[i], whole[first * 35 + i]);
            cr_assert_float_eq(part[i], in_double[first * 35 + i], 1e-5);
        }
    }
    cr_expect_neq(whole[0], whole[35]);
}

Test(noise, refuses_what_is_no_share)
{
    weft_gaussian_dropout(ones(weft_shape_of(3)), .rate = 1);
    test_expect_error(&bench, "gaussian_dropout: rate must be in [0, 1), not 1");
    end();
    begin();
    weft_gaussian_noise(ones(weft_shape_of(3)), .deviation = -1);
    test_expect_error(&bench, "gaussian_noise: deviation is -1");
    end();
    begin();
    weft_spatial_dropout(ones(weft_shape_of(3)), .rate = 0.1);
    test_expect_error(&bench, "input [3] has no channels");
}
