/* Elementwise kernels against their formulas in double, on every instruction set of this machine. */
#include "kernels/map.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };
static const float untouched = -12345.5f;

static float draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) * 0x1p-24f;
}

/* In [0.1, 2], or the negative of it where the function takes that. */
static float draw_operand(uint32_t *seed, weft_map_function f)
{
    float value = 0.1f + 1.9f * draw(seed);
    bool positive =
        f == WEFT_MAP_SQRT || f == WEFT_MAP_RSQRT || f == WEFT_MAP_LOG || f == WEFT_MAP_POWER;
    return positive || draw(seed) < 0.5f ? value : -value;
}

static const weft_map_kernels *kernels_of(int level)
{
    static const weft_map_kernels *const levels[] = {
        &weft_map_kernel_table_baseline,
#if defined(__x86_64__)
        &weft_map_kernel_table_avx2,
        &weft_map_kernel_table_avx512,
#endif
    };
    return levels[level];
}

static void expect_close(double got, double want, const char *what, int64_t at)
{
    cr_assert(fabs(got - want) <= 2e-6 * (1 + fabs(want)), "%s[%lld]: %.9g, want %.9g", what,
              (long long)at, got, want);
}

enum { ROWS = 3, WIDTH = 64 };

/* One call of a function on ROWS rows; every other input is one row, repeated. */
static void check_function(int level, weft_map_function f, unsigned splat, int64_t count)
{
    static float in[WEFT_MAP_INPUTS][ROWS][WIDTH], out[ROWS][WIDTH];
    uint32_t seed = (uint32_t)(f * 100 + count);
    weft_map_row row = {.out = out,
                        .count = count,
                        .rows = ROWS,
                        .out_step = sizeof(out[0]),
                        .splat = splat,
                        .a = 0.3f,
                        .b = -0.25f};
    for (int k = 0; k < WEFT_MAP_INPUTS; k++) {
        row.in[k] = in[k];
        row.in_step[k] = k % 2 ? 0 : sizeof(in[k][0]);
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < WIDTH; i++)
                in[k][r][i] = draw_operand(&seed, f);
    }
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < WIDTH; i++)
            out[r][i] = untouched;
    kernels_of(level)->row[f](&row);
    const weft_map_traits *traits = &weft_map_functions[f];
    for (int r = 0; r < ROWS; r++)
        for (int64_t i = 0; i < WIDTH; i++) {
            double at[WEFT_MAP_INPUTS];
            for (int k = 0; k < WEFT_MAP_INPUTS; k++)
                at[k] = in[k][k % 2 ? 0 : r][splat >> k & 1 ? 0 : i];
            double want = traits->f64((weft_map_f64_in){
                .x = at[0], .y = at[1], .z = at[2], .w = at[3], .a = 0.3f, .b = -0.25f});
            if (i < count)
                expect_close(out[r][i], want, traits->name, i);
            else
                cr_assert_eq(out[r][i], untouched, "%s wrote past its end", traits->name);
        }
}

Test(map_rows, every_function_form_and_tail)
{
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int f = 0; f < WEFT_MAP_CAST_UINT8; f++)
            for (unsigned splat = 0; splat < (f >= WEFT_MAP_ADD_PRODUCT ? 16 : 4); splat++)
                for (int64_t count = 1; count < 50; count += count < 36 ? 1 : 7)
                    check_function(level, (weft_map_function)f, splat, count);
}

Test(map_rows, integers)
{
    uint8_t bytes[67];
    int32_t ints[67];
    for (int i = 0; i < 67; i++) {
        bytes[i] = (uint8_t)(i * 37 + 200);
        ints[i] = (i - 30) * 1000;
    }
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int64_t count = 1; count <= 67; count++) {
            float out[68];
            out[count] = untouched;
            weft_map_row row = {
                .in = {bytes, bytes}, .out = out, .count = count, .rows = 1, .a = 0.5f, .b = -3};
            kernels_of(level)->row[WEFT_MAP_CAST_UINT8](&row);
            for (int64_t i = 0; i < count; i++)
                cr_assert_eq(out[i], (float)bytes[i] * 0.5f - 3);
            row.in[0] = row.in[1] = ints;
            kernels_of(level)->row[WEFT_MAP_CAST_INT32](&row);
            for (int64_t i = 0; i < count; i++)
                cr_assert_eq(out[i], (float)ints[i] * 0.5f - 3);
            cr_assert_eq(out[count], untouched);
        }
}

Test(map_rows, extreme_values)
{
    float x[] = {NAN, INFINITY, -INFINITY, 200, -200, 0};
    float out[6];
    for (int level = 0; level <= (int)weft_isa_level(); level++) {
        weft_map_row row = {.in = {x, x}, .rows = 1, .out = out, .count = 6};
        kernels_of(level)->row[WEFT_MAP_RELU](&row);
        cr_assert(isnan(out[0]), "ReLU must not hide NaN");
        cr_assert(isinf(out[1]) && out[2] == 0 && out[3] == 200 && out[4] == 0 && out[5] == 0);
        kernels_of(level)->row[WEFT_MAP_RELU_GRADIENT](&row);
        cr_assert_eq(out[5], 0, "the gradient of ReLU at 0 is 0");
        kernels_of(level)->row[WEFT_MAP_SIGMOID](&row);
        cr_assert(isnan(out[0]) && out[1] == 1 && out[2] == 0 && out[3] == 1 && out[4] == 0 &&
                  out[5] == 0.5f);
        kernels_of(level)->row[WEFT_MAP_TANH](&row);
        cr_assert(out[1] == 1 && out[2] == -1 && out[3] == 1 && out[4] == -1 && out[5] == 0);
    }
}

/* ---- Elementary functions against those in double, in units in the last place ---- */

enum { COUNT = 4000, PARTS = 50 };

/* Over COUNT * PARTS numbers from low to high; differences below `least` do not count. */
static void check_units(weft_map_function function, float a, float low, float high, double units,
                        double least)
{
    static float x[COUNT], y[COUNT], one[COUNT];
    const weft_map_traits *traits = &weft_map_functions[function];
    for (int i = 0; i < COUNT; i++)
        one[i] = 1;
    bool of_two = traits->inputs == 2; /* then x is the second */
    weft_map_row row = {
        .in = {of_two ? one : x, x}, .out = y, .count = COUNT, .rows = 1, .a = a, .b = 1};
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int part = 0; part < PARTS; part++) {
            for (int i = 0; i < COUNT; i++)
                x[i] = low + (high - low) * ((float)(part * COUNT + i) / (PARTS * COUNT));
            kernels_of(level)->row[function](&row);
            for (int i = 0; i < COUNT; i++) {
                double want = traits->f64(
                    (weft_map_f64_in){.x = of_two ? 1 : (double)x[i], .y = x[i], .a = a, .b = 1});
                double unit = fabs(nextafterf((float)want, INFINITY) - (float)want);
                cr_assert(fabs(y[i] - want) <= fmax(units * unit, least),
                          "%s(%.9g) = %.9g, want %.9g", traits->name, x[i], y[i], want);
            }
        }
}

Test(map_rows, elementary_functions_are_accurate)
{
    check_units(WEFT_MAP_EXP, 0, -86.6f, 88.7f, 1.1, 0);
    check_units(WEFT_MAP_LOG, 0, 1e-6f, 3, 1.5, 0);
    check_units(WEFT_MAP_LOG, 0, 1, 3e38f, 1.5, 0);
    check_units(WEFT_MAP_LOG, 0, 0x1p-126f, 1e-36f, 1.5, 0);
    check_units(WEFT_MAP_TANH, 0, -10, 10, 2, 0);
    check_units(WEFT_MAP_ELU, 1, -20, -1e-7f, 2, 0);
    check_units(WEFT_MAP_ELU, 1, -1e-3f, -1e-12f, 2, 0);
}

/* Where their values are far from 1, too. */
Test(map_rows, activations_are_accurate_far_from_zero)
{
    check_units(WEFT_MAP_GELU, 0, -5, 20, 16, 0);
    check_units(WEFT_MAP_GELU, 0, -12, -5, 128, 0);
    check_units(WEFT_MAP_GELU_GRADIENT, 0, -5, 20, 16, 3e-7);
    check_units(WEFT_MAP_GELU_TANH, 0, -4, 20, 32, 0);
    check_units(WEFT_MAP_GELU_TANH_GRADIENT, 0, -4, 20, 16, 3e-7);
    check_units(WEFT_MAP_SOFTPLUS, 1, -80, 80, 4, 0);
    check_units(WEFT_MAP_MISH, 0, -80, 80, 4, 0);
    check_units(WEFT_MAP_MISH_GRADIENT, 0, -80, 80, 6, 3e-7);
}

static void run_edges(int level, weft_map_function function, const float *x, const float *y,
                      float *out, int count)
{
    weft_map_row row = {.in = {x, y}, .out = out, .count = count, .rows = 1};
    kernels_of(level)->row[function](&row);
}

Test(map_rows, elementary_functions_at_their_ends)
{
    const float x[] = {0, -0.0f, INFINITY, -INFINITY, 1000, -1000, 88.72283f, NAN, 1e-40f, 1};
    float y[10];
    for (int level = 0; level <= (int)weft_isa_level(); level++) {
        run_edges(level, WEFT_MAP_EXP, x, x, y, 10);
        cr_assert(y[0] == 1 && y[1] == 1 && y[2] == INFINITY && y[3] == 0 && y[4] == INFINITY &&
                  y[5] == 0 && isfinite(y[6]) && isnan(y[7]));
        run_edges(level, WEFT_MAP_LOG, x, x, y, 10);
        cr_assert(y[0] == -INFINITY && y[1] == -INFINITY && y[2] == INFINITY && isnan(y[3]) &&
                  isnan(y[5]) && isnan(y[7]) && y[8] == -INFINITY && y[9] == 0);
        run_edges(level, WEFT_MAP_GELU, x, x, y, 10);
        cr_assert(y[0] == 0 && y[2] == INFINITY && y[4] == 1000 && y[5] == 0 && isnan(y[7]));
        run_edges(level, WEFT_MAP_BINARY_CROSS_ENTROPY, x, (const float[10]){0}, y, 10);
        cr_assert(y[4] == 1000 && y[5] == 0 && isnan(y[7]));
    }
}

/* Every pair of these against C's pow. */
Test(map_rows, powers_at_their_ends)
{
    static const float ends[] = {0,        -0.0f, 1,    -1,    0.5f,     -0.5f,     2,      -2,
                                 3,        -3,    2.5f, -2.5f, 1e30f,    -1e30f,    1e-30f, 8388609,
                                 16777216, 1e9f,  -7,   0.1f,  INFINITY, -INFINITY, NAN};
    enum { ENDS = sizeof(ends) / sizeof(ends[0]) };
    float x[ENDS * ENDS], y[ENDS * ENDS], out[ENDS * ENDS];
    for (int i = 0; i < ENDS * ENDS; i++) {
        x[i] = ends[i / ENDS];
        y[i] = ends[i % ENDS];
    }
    for (int level = 0; level <= (int)weft_isa_level(); level++) {
        run_edges(level, WEFT_MAP_POWER, x, y, out, ENDS * ENDS);
        for (int i = 0; i < ENDS * ENDS; i++) {
            float want = powf(x[i], y[i]);
            if (fabsf(want) < 0x1p-126f)
                want = copysignf(0, want);
            bool same = isnan(want) ? isnan(out[i]) != 0
                                    : signbit(want) == signbit(out[i]) &&
                                          (out[i] == want || fabsf(out[i] / want - 1) < 2e-7f);
            cr_assert(same, "pow(%g, %g) = %.9g, want %.9g", x[i], y[i], out[i], want);
        }
    }
}

Test(map_rows, powers_are_accurate)
{
    static float x[COUNT], y[COUNT], out[COUNT];
    uint32_t seed = 3;
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int part = 0; part < PARTS; part++) {
            for (int i = 0; i < COUNT; i++) {
                float size = 40 * draw(&seed);
                x[i] = i % 2 ? exp2f(2 * size - 40) : 0.5f + size / 40;
                y[i] = (i % 2 ? 5 : 200) * (draw(&seed) - 0.5f);
            }
            run_edges(level, WEFT_MAP_POWER, x, y, out, COUNT);
            for (int i = 0; i < COUNT; i++) {
                double want = pow(x[i], y[i]);
                double unit = nextafterf((float)want, INFINITY) - (float)want;
                if (want > 0x1p-125 && want < 0x1p127)
                    cr_assert(fabs(out[i] - want) <= 1.5 * unit,
                              "pow(%.9g, %.9g) = %.9g, want %.9g", x[i], y[i], out[i], want);
            }
        }
}

static weft_tensor dense(int rank, const int64_t *extent)
{
    weft_tensor tensor = {.dtype = WEFT_FLOAT32, .rank = rank};
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        tensor.extent[d] = extent[d];
        tensor.stride[d] = stride;
        stride *= extent[d];
    }
    return tensor;
}

/* out = x - y over the given tensors, against plain indexing. */
static void check_rows(weft_tensor x, weft_tensor y, weft_tensor out, int64_t room)
{
    float *data[3];
    uint32_t seed = 7;
    for (int i = 0; i < 3; i++) {
        data[i] = malloc((size_t)room * sizeof(float));
        for (int64_t e = 0; e < room; e++)
            data[i][e] = i == 2 ? untouched : draw(&seed);
    }
    weft_map_args args = {.slot = {0, 1, 2},
                          .row = weft_map_kernel_table()->row[WEFT_MAP_SUBTRACT]};
    int64_t pieces = weft_rows_plan(&args.rows, (weft_tensor[]){x, y}, 2, &out);
    weft_call call = {.args = &args, .operand = (void *[]){data[0], data[1], data[2]}};
    for (int64_t piece = pieces - 1; piece >= 0; piece--)
        weft_map_piece(&call, piece);
    int64_t elements = weft_tensor_elements(&out);
    weft_tensor wide_x = weft_tensor_broadcast(&x, &out);
    weft_tensor wide_y = weft_tensor_broadcast(&y, &out);
    for (int64_t i = 0; i < elements; i++) {
        float *got = &data[2][weft_tensor_offset(&out, i)];
        float want =
            data[0][weft_tensor_offset(&wide_x, i)] - data[1][weft_tensor_offset(&wide_y, i)];
        cr_assert_eq(*got, want, "element %lld: %g, want %g", (long long)i, *got, want);
        *got = untouched;
    }
    for (int64_t e = 0; e < room; e++)
        cr_assert_eq(data[2][e], untouched, "wrote outside its output at %lld", (long long)e);
    for (int i = 0; i < 3; i++)
        free(data[i]);
}

#define DENSE(...)                                                                                 \
    dense((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

Test(rows, repeated_strides)
{
    weft_tensor x = DENSE(3, 1, 7), like = DENSE(2, 3, 5, 7);
    weft_tensor wide = weft_tensor_broadcast(&x, &like);
    const int64_t want[] = {0, 7, 0, 1};
    for (int d = 0; d < 4; d++) {
        cr_assert_eq(wide.stride[d], want[d]);
        cr_assert_eq(wide.extent[d], like.extent[d]);
    }
}

Test(rows, broadcasts)
{
    check_rows(DENSE(2, 3, 5, 7), DENSE(2, 3, 5, 7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(2, 3, 5, 7), DENSE(7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(5, 1), DENSE(2, 3, 1, 7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(2, 1, 1, 7), DENSE(2, 3, 5, 7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(2, 3, 5, 1), DENSE(3, 1, 7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(1), DENSE(2, 3, 5, 7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(1, 1), DENSE(1), DENSE(1, 1), ROOM);
    check_rows((weft_tensor){.dtype = WEFT_FLOAT32}, (weft_tensor){.dtype = WEFT_FLOAT32},
               (weft_tensor){.dtype = WEFT_FLOAT32}, ROOM);
}

Test(rows, rows_cut_into_pieces)
{
    check_rows(DENSE(100003), DENSE(100003), DENSE(100003), 100003);
    check_rows(DENSE(3, 33333), DENSE(33333), DENSE(3, 33333), 3 * 33333);
    check_rows(DENSE(301, 129), DENSE(301, 1), DENSE(301, 129), 301 * 129);
    check_rows(DENSE(4001, 3), DENSE(3), DENSE(4001, 3), 4001 * 3);
}

Test(rows, views)
{
    /* channels 0..6 of 20, for input and output; rows 1..3 of an image */
    weft_tensor slice = DENSE(2, 3, 5, 7);
    slice.stride[2] = 20, slice.stride[1] = 100, slice.stride[0] = 300;
    check_rows(slice, DENSE(7), DENSE(2, 3, 5, 7), ROOM);
    check_rows(DENSE(2, 3, 5, 7), slice, slice, ROOM);
    weft_tensor crop = DENSE(2, 3, 5, 7);
    crop.stride[0] = 420;
    check_rows(crop, slice, crop, ROOM);
    /* one channel of three: pixels lie apart */
    weft_tensor apart = DENSE(2, 9, 1);
    apart.stride[1] = 3, apart.stride[0] = 27;
    check_rows(apart, DENSE(2, 9, 1), apart, ROOM);
    check_rows(apart, DENSE(2, 9, 4), DENSE(2, 9, 4), ROOM);
}
