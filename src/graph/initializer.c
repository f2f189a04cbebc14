#include "graph/initializer.h"

#include "base/error.h"
#include "base/memory.h"
#include "kernels/philox.h"

#include <math.h>

/* Standard deviation of a standard normal that is redrawn beyond 2: the variance is
 * 1 - 4 phi(2) / (2 Phi(2) - 1). */
static const double truncated_deviation = 0.87962566103423978;
static const double truncated_at = 2.0;

typedef enum distribution { FILL, UNIFORM, NORMAL, TRUNCATED, ORTHOGONAL } distribution;

/* What is left of an initializer once the shape is known. */
typedef struct draw {
    distribution distribution;
    double a, b; /* fill value; low and high; mean and deviation; gain */
} draw;

/* The kinds whose variance is numerator / fan. */
typedef enum fan_rule { FAN_IN, FAN_SUM } fan_rule;
typedef struct scaled_kind {
    distribution distribution; /* UNIFORM, TRUNCATED; FILL for kinds that are not scaled */
    double numerator;
    fan_rule fan;
} scaled_kind;

static const scaled_kind scaled_kinds[] = {
    [WEFT_INIT_GLOROT_UNIFORM] = {UNIFORM, 2, FAN_SUM},
    [WEFT_INIT_GLOROT_NORMAL] = {TRUNCATED, 2, FAN_SUM},
    [WEFT_INIT_HE_UNIFORM] = {UNIFORM, 2, FAN_IN},
    [WEFT_INIT_HE_NORMAL] = {TRUNCATED, 2, FAN_IN},
    [WEFT_INIT_LECUN_UNIFORM] = {UNIFORM, 1, FAN_IN},
    [WEFT_INIT_LECUN_NORMAL] = {TRUNCATED, 1, FAN_IN},
    [WEFT_INIT_ORTHOGONAL] = {FILL, 0, FAN_IN},
    [WEFT_INIT_FAN_IN_UNIFORM] = {UNIFORM, 1.0 / 3, FAN_IN},
};

weft_fans weft_fans_of(weft_shape shape, bool swap)
{
    double field = 1, in = 1, out = 1;
    for (int i = 0; i < shape.rank - 2; i++)
        field *= (double)shape.extent[i];
    if (shape.rank > 0)
        in = out = (double)shape.extent[shape.rank - 1];
    if (shape.rank > 1)
        in = (double)shape.extent[shape.rank - 2];
    return swap ? (weft_fans){field * out, field * in} : (weft_fans){field * in, field * out};
}

static draw scaled(scaled_kind kind, weft_fans fans)
{
    double deviation = sqrt(kind.numerator / (kind.fan == FAN_IN ? fans.in : fans.in + fans.out));
    double limit = sqrt(3.0) * deviation;
    return kind.distribution == UNIFORM ? (draw){UNIFORM, -limit, limit}
                                        : (draw){TRUNCATED, 0, deviation / truncated_deviation};
}

static weft_status resolve(const weft_initializer *initializer, weft_shape shape, draw *result,
                           weft_error *error)
{
    double a = initializer->a, b = initializer->b;
    weft_initializer_kind kind = initializer->kind;
    if (kind == WEFT_INIT_DEFAULT)
        kind = shape.rank < 2 ? WEFT_INIT_ZEROS : WEFT_INIT_GLOROT_NORMAL;
    switch (kind) {
    case WEFT_INIT_ZEROS:
        *result = (draw){FILL, 0, 0};
        return WEFT_OK;
    case WEFT_INIT_ONES:
        *result = (draw){FILL, 1, 0};
        return WEFT_OK;
    case WEFT_INIT_CONSTANT:
        if (isnan(a))
            return weft_error_set(error, WEFT_ERROR_ARGUMENT, "constant initializer is NaN");
        *result = (draw){FILL, a, 0};
        return WEFT_OK;
    case WEFT_INIT_UNIFORM:
        if (!(a < b) || !isfinite(b - a))
            return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                                  "uniform initializer needs finite a < b, not [%g, %g)", a, b);
        *result = (draw){UNIFORM, a, b};
        return WEFT_OK;
    case WEFT_INIT_NORMAL:
    case WEFT_INIT_TRUNCATED_NORMAL:
        if (!isfinite(a) || !(b > 0) || !isfinite(b))
            return weft_error_set(
                error, WEFT_ERROR_ARGUMENT,
                "normal initializer needs a finite mean and a deviation above 0, not %g and %g", a,
                b);
        *result = (draw){kind == WEFT_INIT_NORMAL ? NORMAL : TRUNCATED, a, b};
        return WEFT_OK;
    case WEFT_INIT_ORTHOGONAL:
        if (shape.rank < 2)
            return weft_error_set(error, WEFT_ERROR_SHAPE,
                                  "orthogonal initializer needs rank 2 or more, not %d",
                                  shape.rank);
        if (!isfinite(a))
            return weft_error_set(error, WEFT_ERROR_ARGUMENT, "orthogonal gain is not finite");
        *result = (draw){ORTHOGONAL, a == 0 ? 1 : a, 0};
        return WEFT_OK;
    default:
        if ((unsigned)kind >= sizeof(scaled_kinds) / sizeof(scaled_kinds[0]))
            return weft_error_set(error, WEFT_ERROR_ARGUMENT, "unknown initializer kind %d",
                                  (int)kind);
        *result = scaled(scaled_kinds[kind], weft_fans_of(shape, initializer->swap_fans));
        return WEFT_OK;
    }
}

/* Two words as a double in [0, 1). */
static double unit_half_open(uint32_t high, uint32_t low)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

static void uniform_pair(uint64_t key, uint64_t pair, double low, double high, double *out)
{
    weft_philox_block block = weft_philox(key, pair, 0);
    for (int i = 0; i < 2; i++)
        out[i] = low + (high - low) * unit_half_open(block.word[2 * i], block.word[2 * i + 1]);
}

/* Two standard normals (Box, Muller 1958) for each counter. */
static void normal_pair(uint64_t key, uint64_t pair, uint64_t attempt, double *out)
{
    static const double two_pi = 6.283185307179586477;
    weft_philox_block block = weft_philox(key, pair, attempt);
    double radius = sqrt(-2 * log(weft_unit_double(block.word[0], block.word[1])));
    double angle = two_pi * unit_half_open(block.word[2], block.word[3]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

/* An element beyond the limit takes its half of the pair of the next attempt, whatever the other
 * does. */
static void truncated_pair(uint64_t key, uint64_t pair, double *out)
{
    normal_pair(key, pair, 0, out);
    double again[2];
    for (int i = 0; i < 2; i++)
        for (uint64_t attempt = 1; fabs(out[i]) > truncated_at; attempt++) {
            normal_pair(key, pair, attempt, again);
            out[i] = again[i];
        }
}

static void draw_pair(const draw *rule, uint64_t key, uint64_t pair, double *out)
{
    switch (rule->distribution) {
    case UNIFORM:
        uniform_pair(key, pair, rule->a, rule->b, out);
        return;
    case NORMAL:
        normal_pair(key, pair, 0, out);
        break;
    case TRUNCATED:
        truncated_pair(key, pair, out);
        break;
    case FILL:
    case ORTHOGONAL:
        out[0] = out[1] = rule->a;
        return;
    }
    out[0] = rule->a + rule->b * out[0];
    out[1] = rule->a + rule->b * out[1];
}

static void store(weft_dtype dtype, void *elements, int64_t index, double value, bool down)
{
    if (dtype == WEFT_FLOAT32)
        ((float *)elements)[index] = (float)value;
    else if (dtype == WEFT_FLOAT64)
        ((double *)elements)[index] = value;
    else
        ((int32_t *)elements)[index] =
            (int32_t)fmax(INT32_MIN, fmin(INT32_MAX, down ? floor(value) : rint(value)));
}

/* Eight sums side by side, so that the compiler may use vectors. */
static double dot(const double *x, const double *y, int64_t count)
{
    enum { SIDE = 8 };
    double sum[SIDE] = {0};
    int64_t i = 0;
    for (; i + SIDE <= count; i += SIDE)
        for (int k = 0; k < SIDE; k++)
            sum[k] += x[i + k] * y[i + k];
    for (; i < count; i++)
        sum[0] += x[i] * y[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* Makes `vectors` vectors of `length` >= vectors elements orthonormal, in place, by modified
 * Gram-Schmidt done twice (Giraud, Langou, Rozloznik 2005: twice is enough). This is Q of a QR
 * whose R has a positive diagonal, which makes it unique, and uniform over orthogonal matrices
 * (Mezzadri 2007). */
static void orthonormalize(double *q, int64_t vectors, int64_t length)
{
    for (int64_t j = 0; j < vectors; j++) {
        double *v = q + j * length;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < j; i++) {
                const double *u = q + i * length;
                double along = dot(u, v, length);
                for (int64_t k = 0; k < length; k++)
                    v[k] -= along * u[k];
            }
        double scale = 1 / sqrt(dot(v, v, length));
        for (int64_t k = 0; k < length; k++)
            v[k] *= scale;
    }
}

static weft_status orthogonal(weft_context *context, double gain, int64_t count, int64_t columns,
                              uint64_t key, weft_dtype dtype, void *elements, weft_error *error)
{
    static const draw standard = {NORMAL, 0, 1};
    int64_t rows = count / columns;
    bool tall = rows >= columns;
    int64_t vectors = tall ? columns : rows, length = tall ? rows : columns;
    size_t room = (size_t)count + 1; /* pairs: an odd count overshoots by one */
    double *q = weft_allocate_array(context, room, sizeof(double));
    if (!q)
        return weft_out_of_memory(error, room * sizeof(double));
    for (int64_t i = 0; i < count; i += 2)
        draw_pair(&standard, key, (uint64_t)i / 2, q + i);
    orthonormalize(q, vectors, length);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            double value = tall ? q[column * rows + row] : q[row * columns + column];
            store(dtype, elements, row * columns + column, gain * value, false);
        }
    weft_release_array(context, q, room, sizeof(double));
    return WEFT_OK;
}

weft_status weft_initialize(weft_context *context, const weft_initializer *initializer,
                            weft_shape shape, uint64_t key, weft_dtype dtype, void *elements,
                            weft_error *error)
{
    if (dtype != WEFT_FLOAT32 && dtype != WEFT_FLOAT64 && dtype != WEFT_INT32)
        return weft_error_set(error, WEFT_ERROR_DTYPE, "no initial values of dtype %s",
                              weft_dtype_name(dtype));
    int64_t count = weft_shape_elements(shape);
    if (count <= 0)
        return weft_error_set(error, WEFT_ERROR_SHAPE,
                              "initial values need fixed extents that fit in 63 bits");
    draw rule = {.distribution = FILL};
    WEFT_TRY(resolve(initializer, shape, &rule, error));
    if (rule.distribution == ORTHOGONAL)
        return orthogonal(context, rule.a, count, shape.extent[shape.rank - 1], key, dtype,
                          elements, error);
    double pair[2] = {rule.a, rule.a};
    for (int64_t i = 0; i < count; i++) {
        if (i % 2 == 0 && rule.distribution != FILL)
            draw_pair(&rule, key, (uint64_t)i / 2, pair);
        store(dtype, elements, i, pair[i % 2], rule.distribution == UNIFORM);
    }
    return WEFT_OK;
}
