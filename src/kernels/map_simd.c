/* Vector kernels of the elementwise maps: a formula each, and one loop for all. The formulas are those
 * of map_f64.c. */
#include "kernels/map.h"

#include "kernels/elementary_simd.h"
#include "kernels/sleef_simd.h"

/* The operands of one vector of elements. */
typedef struct operands {
    vfloat x, y, z, w, a, b;
} operands;

SIMD_INLINE vfloat logistic(vfloat x)
{
    return 1 / (1 + vexp(-x));
}

SIMD_INLINE vfloat map_copy(operands in)
{
    return in.x;
}

SIMD_INLINE vfloat map_add(operands in)
{
    return in.x + in.y;
}

SIMD_INLINE vfloat map_subtract(operands in)
{
    return in.x - in.y;
}

SIMD_INLINE vfloat map_multiply(operands in)
{
    return in.x * in.y;
}

SIMD_INLINE vfloat map_divide(operands in)
{
    return in.x / in.y;
}

SIMD_INLINE vfloat map_scale(operands in)
{
    return in.a * in.x;
}

SIMD_INLINE vfloat map_offset(operands in)
{
    return in.x + in.a;
}

SIMD_INLINE vfloat map_negate(operands in)
{
    return -in.x;
}

SIMD_INLINE vfloat map_square(operands in)
{
    return in.x * in.x;
}

SIMD_INLINE vfloat map_sqrt(operands in)
{
    return vsqrt(in.x);
}

SIMD_INLINE vfloat map_rsqrt(operands in)
{
    return 1 / vsqrt(in.x);
}

SIMD_INLINE vfloat map_exp(operands in)
{
    return vexp(in.x);
}

SIMD_INLINE vfloat map_log(operands in)
{
    return vlog(in.x);
}

SIMD_INLINE vfloat map_abs(operands in)
{
    return vabs(in.x);
}

SIMD_INLINE vfloat map_sign(operands in)
{
    vfloat one = (vfloat)((vint)vsplat(1) | ((vint)in.x & INT32_MIN));
    return vselect((in.x > 0) | (in.x < 0), one, in.x * 0);
}

SIMD_INLINE vfloat map_maximum(operands in)
{
    return vselect((in.x > in.y) | (in.x != in.x), in.x, in.y);
}

SIMD_INLINE vfloat map_minimum(operands in)
{
    return vselect((in.x < in.y) | (in.x != in.x), in.x, in.y);
}

SIMD_INLINE vfloat map_power(operands in)
{
    return vpow(in.x, in.y);
}

SIMD_INLINE vfloat map_clip(operands in)
{
    return vmin(in.b, vmax(in.a, in.x));
}

SIMD_INLINE vfloat map_clip_gradient(operands in)
{
    return vselect((in.y >= in.a) & (in.y <= in.b), in.x, vsplat(0));
}

SIMD_INLINE vfloat truth(vint mask)
{
    return vselect(mask, vsplat(1), vsplat(0));
}

SIMD_INLINE vfloat map_not_equal(operands in)
{
    return truth(in.x != in.y);
}

SIMD_INLINE vfloat map_less(operands in)
{
    return truth(in.x < in.y);
}

SIMD_INLINE vfloat map_less_equal(operands in)
{
    return truth(in.x <= in.y);
}

SIMD_INLINE vfloat map_relu(operands in)
{
    return vmax(vsplat(0), in.x);
}

SIMD_INLINE vfloat map_relu_gradient(operands in)
{
    return vselect(in.y > 0, in.x, vsplat(0));
}

SIMD_INLINE vfloat map_clipped_relu(operands in)
{
    return vmin(in.a, vmax(vsplat(0), in.x));
}

SIMD_INLINE vfloat map_clipped_relu_gradient(operands in)
{
    return vselect((in.y > 0) & (in.y < in.a), in.x, vsplat(0));
}

SIMD_INLINE vfloat map_leaky_relu(operands in)
{
    return vselect(in.x <= 0, in.a * in.x, in.x);
}

SIMD_INLINE vfloat map_leaky_relu_gradient(operands in)
{
    return vselect(in.y > 0, in.x, in.a * in.x);
}

SIMD_INLINE vfloat map_sigmoid(operands in)
{
    return logistic(in.x);
}

SIMD_INLINE vfloat map_sigmoid_gradient(operands in)
{
    return in.x * in.y * (1 - in.y);
}

SIMD_INLINE vfloat map_tanh(operands in)
{
    return vtanh(in.x);
}

SIMD_INLINE vfloat map_tanh_gradient(operands in)
{
    return in.x * (1 - in.y * in.y);
}

SIMD_INLINE vfloat map_swish(operands in)
{
    return in.x * logistic(in.x);
}

SIMD_INLINE vfloat map_swish_gradient(operands in)
{
    vfloat s = logistic(in.y);
    return in.x * s * (1 + in.y * (1 - s));
}

SIMD_INLINE vfloat map_elu(operands in)
{
    return in.b * vselect(in.x > 0, in.x, in.a * vexpm1(in.x));
}

SIMD_INLINE vfloat map_elu_gradient(operands in)
{
    return in.x * vselect(in.y > 0, in.b, in.y + in.a * in.b);
}

SIMD_INLINE vfloat map_gelu(operands in)
{
    vfloat exponential;
    return in.x * vnormal(in.x, &exponential);
}

SIMD_INLINE vfloat map_gelu_gradient(operands in)
{
    vfloat exponential, below = vnormal(in.y, &exponential);
    return in.x * ((float)WEFT_MAP_NORMAL * in.y * exponential + below);
}

/* exp(-2 u), where (1 + tanh(u)) / 2 = logistic(2 u). */
SIMD_INLINE vfloat gelu_tanh_exponential(vfloat x)
{
    vfloat cube = (float)WEFT_MAP_GELU_CUBE * x * x + 1;
    return vexp((float)(-2 * WEFT_MAP_GELU_SLOPE) * x * cube);
}

SIMD_INLINE vfloat map_gelu_tanh(operands in)
{
    return in.x / (1 + gelu_tanh_exponential(in.x));
}

/* Beyond +-10 it is 0 and 1. */
SIMD_INLINE vfloat map_gelu_tanh_gradient(operands in)
{
    vfloat x = vmax(vsplat(-10), vmin(vsplat(10), in.y)), square = x * x;
    vfloat e = gelu_tanh_exponential(x), s = 1 / (1 + e);
    vfloat slope = (float)(6 * WEFT_MAP_GELU_SLOPE * WEFT_MAP_GELU_CUBE) * square +
                   (float)(2 * WEFT_MAP_GELU_SLOPE);
    return in.x * (vrounded(x * slope * (e * s)) * s + s);
}

SIMD_INLINE vfloat map_softplus(operands in)
{
    return vmax(vsplat(0), in.x) + in.b * vlog1p(vexp(-in.a * vabs(in.x)));
}

SIMD_INLINE vfloat map_softplus_gradient(operands in)
{
    return in.x * logistic(in.a * in.y);
}

SIMD_INLINE vfloat map_softsign(operands in)
{
    return in.x / (1 + vabs(in.x));
}

SIMD_INLINE vfloat map_softsign_gradient(operands in)
{
    vfloat rest = 1 - vabs(in.y);
    return in.x * rest * rest;
}

/* Up to 20: from there on tanh(log(1 + e^x)) is 1, and its slope 0. */
SIMD_INLINE vfloat mish_least(vfloat x)
{
    return vmin(vsplat(20), x);
}

SIMD_INLINE vfloat map_mish(operands in)
{
    vfloat e = vexp(mish_least(in.x)), n = e * (e + 2);
    return in.x * (n / (n + 2));
}

/* t + x (1 - t^2) logistic(x), where 1 - t^2 = 4 (1 + e)^2 / (n + 2)^2. */
SIMD_INLINE vfloat map_mish_gradient(operands in)
{
    vfloat x = mish_least(in.y), e = vexp(x), n = e * (e + 2), r = 1 / (n + 2);
    vfloat slope = 4 * e * (e + 1) * r;
    return in.x * ((x * slope + n) * r);
}

SIMD_INLINE vfloat map_hard_sigmoid(operands in)
{
    return vmin(vsplat(1), vmax(vsplat(0), in.a * in.x + 0.5f));
}

SIMD_INLINE vfloat map_hard_sigmoid_gradient(operands in)
{
    return vselect((in.y > 0) & (in.y < 1), in.a * in.x, vsplat(0));
}

SIMD_INLINE vfloat map_hard_tanh_gradient(operands in)
{
    return vselect((in.y > in.a) & (in.y < in.b), in.x, vsplat(0));
}

SIMD_INLINE vfloat map_hard_swish(operands in)
{
    vfloat middle = in.x * (in.x + 3) * (float)WEFT_MAP_SIXTH;
    return vselect(in.x <= -3, vsplat(0), vselect(in.x >= 3, in.x, middle));
}

SIMD_INLINE vfloat map_hard_swish_gradient(operands in)
{
    vfloat middle = in.x * (in.y * (float)(2 * WEFT_MAP_SIXTH) + 0.5f);
    return vselect(in.y <= -3, vsplat(0), vselect(in.y >= 3, in.x, middle));
}

SIMD_INLINE vfloat map_prelu(operands in)
{
    return vselect(in.x <= 0, in.y * in.x, in.x);
}

SIMD_INLINE vfloat map_prelu_slope_gradient(operands in)
{
    return vselect(in.y > 0, vsplat(0), in.x * in.y);
}

SIMD_INLINE vfloat map_equal(operands in)
{
    return truth(in.x == in.y);
}

SIMD_INLINE vfloat map_binary_cross_entropy(operands in)
{
    return vmax(in.x, vsplat(0)) - in.x * in.y + vlog1p(vexp(-vabs(in.x)));
}

SIMD_INLINE vfloat map_add_product(operands in)
{
    return in.x + in.y * in.z;
}

SIMD_INLINE vfloat map_prelu_gradient(operands in)
{
    return vselect(in.y > 0, in.x, in.z * in.x);
}

SIMD_INLINE vfloat map_maximum_gradient(operands in)
{
    return vselect(in.y > in.z, in.x, vselect(in.y == in.z, 0.5f * in.x, vsplat(0)));
}

SIMD_INLINE vfloat map_select(operands in)
{
    return vselect(in.x != 0, in.y, in.z);
}

SIMD_INLINE vfloat map_normalize(operands in)
{
    return (in.x - in.y) * in.z + in.w;
}

SIMD_INLINE vfloat map_affine(operands in)
{
    return in.a * in.x + in.b;
}

/* How the elements of an input become floats: `count` of them from element `index` on, 1..LANES. */
typedef vfloat load_function(const void *input, int64_t index, int64_t count);

SIMD_INLINE vfloat load_float(const void *input, int64_t index, int64_t count)
{
    const float *p = (const float *)input + index;
    return count == LANES ? vload(p) : vload_first(p, count);
}

SIMD_INLINE vfloat load_int32(const void *input, int64_t index, int64_t count)
{
    vint v = {0};
    memcpy(&v, (const int32_t *)input + index, (size_t)count * sizeof(int32_t));
    return __builtin_convertvector(v, vfloat);
}

SIMD_INLINE vfloat load_uint8(const void *input, int64_t index, int64_t count)
{
    typedef uint8_t vbyte __attribute__((vector_size(LANES)));
    vbyte v = {0};
    memcpy(&v, (const uint8_t *)input + index, (size_t)count);
    return __builtin_convertvector(v, vfloat);
}

typedef vfloat map_function(operands in);

/* What is one function here and a constant wherever this is inlined. */
typedef struct form {
    map_function *f;
    load_function *load;
    int inputs;
    unsigned splat; /* of the first two inputs; of the others the row itself says it */
} form;

/* The vector of elements from `index` on. */
SIMD_INLINE void map_vector(form is, const weft_map_row *row, operands in, int64_t index,
                            int64_t count)
{
    if (!(is.splat & 1))
        in.x = is.load(row->in[0], index, count);
    if (!(is.splat & 2))
        in.y = is.load(row->in[1], index, count);
    if (is.inputs > 2 && !(row->splat & 4))
        in.z = is.load(row->in[2], index, count);
    if (is.inputs > 3 && !(row->splat & 8))
        in.w = is.load(row->in[3], index, count);
    float *out = (float *)row->out + index;
    vfloat result = is.f(in);
    if (count == LANES)
        vstore(out, result);
    else
        vstore_first(out, result, count);
}

SIMD_INLINE void map_loop(form is, const weft_map_row *where)
{
    weft_map_row row = *where; /* a copy, which the stores cannot change */
    operands in = {.a = vsplat(row.a), .b = vsplat(row.b)};
    for (int64_t r = 0; r < where->rows; r++) {
        if (is.splat & 1)
            in.x = vsplat(is.load(row.in[0], 0, 1)[0]);
        if (is.splat & 2)
            in.y = vsplat(is.load(row.in[1], 0, 1)[0]);
        if (is.inputs > 2 && row.splat & 4)
            in.z = vsplat(is.load(row.in[2], 0, 1)[0]);
        if (is.inputs > 3 && row.splat & 8)
            in.w = vsplat(is.load(row.in[3], 0, 1)[0]);
        int64_t i = 0;
        for (; i + LANES <= row.count; i += LANES)
            map_vector(is, &row, in, i, LANES);
        if (i < row.count)
            map_vector(is, &row, in, i, row.count - i);
        for (int k = 0; k < is.inputs; k++)
            row.in[k] = (const char *)row.in[k] + row.in_step[k];
        row.out = (char *)row.out + row.out_step;
    }
}

/* ---- Many rows of few elements: one vector of all rows after the other ---- */

enum { COLUMN_VECTORS = 4 }; /* longer rows are better read along memory */

/* The vector of an input that is the same for all rows. */
SIMD_INLINE vfloat repeated(const weft_map_row *row, int k, int64_t index, int64_t lanes)
{
    const float *in = row->in[k];
    return row->splat >> k & 1 ? vsplat(in[0]) : vload_lanes(in + index, lanes);
}

SIMD_INLINE vfloat of_row(const weft_map_row *row, int k, int64_t r, int64_t index, int64_t lanes)
{
    return vload_lanes((const float *)((const char *)row->in[k] + r * row->in_step[k]) + index,
                       lanes);
}

/* fixed: bit k for each input that is repeated. */
SIMD_INLINE void map_column(map_function *f, int inputs, unsigned fixed, const weft_map_row *row,
                            int64_t index, int64_t lanes)
{
    operands in = {.a = vsplat(row->a), .b = vsplat(row->b)};
    if (fixed & 1)
        in.x = repeated(row, 0, index, lanes);
    if (fixed & 2)
        in.y = repeated(row, 1, index, lanes);
    if (fixed & 4)
        in.z = repeated(row, 2, index, lanes);
    if (fixed & 8)
        in.w = repeated(row, 3, index, lanes);
    for (int64_t r = 0; r < row->rows; r++) {
        if (!(fixed & 1))
            in.x = of_row(row, 0, r, index, lanes);
        if (inputs > 1 && !(fixed & 2))
            in.y = of_row(row, 1, r, index, lanes);
        if (inputs > 2 && !(fixed & 4))
            in.z = of_row(row, 2, r, index, lanes);
        if (inputs > 3 && !(fixed & 8))
            in.w = of_row(row, 3, r, index, lanes);
        vstore_lanes((float *)((char *)row->out + r * row->out_step) + index, f(in), lanes);
    }
}

SIMD_INLINE void map_columns(map_function *f, int inputs, unsigned fixed, const weft_map_row *where)
{
    const weft_map_row row = *where;
    int64_t i = 0;
    for (; i + LANES <= row.count; i += LANES)
        map_column(f, inputs, fixed, &row, i, LANES);
    if (i < row.count)
        map_column(f, inputs, fixed, &row, i, row.count - i);
}

/* Does the rows by columns if the function has such a form for these inputs. */
SIMD_INLINE bool map_down(map_function *f, int inputs, const weft_map_row *row)
{
    unsigned fixed = 0, all = (1u << inputs) - 1;
    for (int k = 0; k < inputs; k++)
        fixed |= row->in_step[k] == 0 ? 1u << k : 0;
    if (row->rows < 2 || row->count > COLUMN_VECTORS * LANES || row->splat & all & ~fixed)
        return false;
    if (fixed == 0)
        map_columns(f, inputs, 0, row);
    else if (inputs > 1 && fixed == (all & ~1u))
        map_columns(f, inputs, all & ~1u, row);
    else if (inputs > 2 && fixed == 4)
        map_columns(f, inputs, 4, row);
    else
        return false;
    return true;
}

SIMD_INLINE void map_row(map_function *f, load_function *load, int inputs, const weft_map_row *row)
{
    /* The second input of a function of one is never read as a row: it may be a single element. */
    switch (inputs == 1 ? (row->splat & 1) | 2 : row->splat & 3) {
    case 0:
        map_loop((form){f, load, inputs, 0}, row);
        break;
    case 1:
        map_loop((form){f, load, inputs, 1}, row);
        break;
    case 2:
        map_loop((form){f, load, inputs, 2}, row);
        break;
    default:
        map_loop((form){f, load, inputs, 3}, row);
    }
}

#define ROW(NAME, name, inputs, flops)                                                             \
    static void row_##name(const weft_map_row *row)                                                \
    {                                                                                              \
        if (!map_down(map_##name, inputs, row))                                                    \
            map_row(map_##name, load_float, inputs, row);                                          \
    }
WEFT_MAP_FLOAT_TABLE(ROW)
#undef ROW

static void row_cast_uint8(const weft_map_row *row)
{
    map_row(map_affine, load_uint8, 1, row);
}

static void row_cast_int32(const weft_map_row *row)
{
    map_row(map_affine, load_int32, 1, row);
}

const weft_map_kernels WEFT_FOR_ISA(weft_map_kernel_table) = {
    .row =
        {
#define ENTRY(NAME, name, inputs, flops) [WEFT_MAP_##NAME] = row_##name,
            WEFT_MAP_TABLE(ENTRY)
#undef ENTRY
        },
};
