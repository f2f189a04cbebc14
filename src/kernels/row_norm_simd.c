#include "kernels/group_norm.h"
#include "kernels/integer.h"
#include "kernels/simd.h"

#include <math.h>

enum { X, GAMMA, BETA, Y, MEAN, VARIANCE };
enum { DY, OF_X, OF_GAMMA, OF_MEAN, OF_VARIANCE, DX, DGAMMA, DBETA, WORKSPACE };

/* Elements that are summed in float before they are added up in double. */
enum { CHUNK = 4096 };

/* What a pass over a row adds up at element i: two sums, of which elements beyond the row add nothing. */
typedef struct two_sums {
    vfloat a, b;
} two_sums;
typedef two_sums term_fn(const void *row, int64_t i, int64_t lanes);

SIMD_INLINE void add_row(const void *row, int64_t count, term_fn *term, double *a, double *b)
{
    *a = *b = 0;
    for (int64_t i = 0; i < count;) {
        int64_t end = weft_least(i + CHUNK, count);
        two_sums even = {vsplat(0), vsplat(0)}, odd = even, t;
        for (; i + 2 * LANES <= end; i += 2 * LANES) {
            t = term(row, i, LANES);
            even.a += t.a;
            even.b += t.b;
            t = term(row, i + LANES, LANES);
            odd.a += t.a;
            odd.b += t.b;
        }
        for (; i < end; i += LANES) {
            t = term(row, i, weft_least(LANES, end - i));
            even.a += t.a;
            even.b += t.b;
        }
        i = end;
        *a += (double)vsum(even.a + odd.a);
        *b += (double)vsum(even.b + odd.b);
    }
}

/* The row's elements about a number. */
typedef struct moments_row {
    const float *x;
    float center;
} moments_row;

SIMD_INLINE two_sums moments_term(const void *row, int64_t i, int64_t lanes)
{
    const moments_row *r = row;
    vfloat d = vkeep_first(vload_lanes(r->x + i, lanes) - r->center, lanes, 0);
    return (two_sums){d, d * d};
}

/* The differences from the mean of the row's beginning are summed first, then those from the mean. */
SIMD_INLINE void moments(const float *x, int64_t count, double *mean, double *variance)
{
    moments_row row = {x, x[0]};
    double sum, square;
    add_row(&row, count, moments_term, &sum, &square);
    *mean = (double)row.center + sum / (double)count;
    row.center = (float)*mean;
    add_row(&row, count, moments_term, &sum, &square);
    double rest = sum / (double)count;
    *mean = (double)row.center + rest;
    *variance = square / (double)count - rest * rest;
    *variance = *variance < 0 ? 0 : *variance;
}

SIMD_INLINE void forward_vector(const float *x, const float *gamma, const float *beta, float *y,
                                float center, float rstd, int64_t lanes)
{
    vfloat h = (vload_lanes(x, lanes) - center) * rstd;
    vstore_lanes(y, h * vload_lanes(gamma, lanes) + vload_lanes(beta, lanes), lanes);
}

/* Walks over the rows of a piece. */
typedef void row_fn(const weft_call *call, const weft_pixel_run *run, int64_t row, int64_t in_run,
                    float *part);

SIMD_INLINE void each_row(const weft_call *call, int64_t piece, row_fn *visit, float *part)
{
    const weft_row_norm_args *args = call->args;
    int64_t row = piece * args->piece_rows;
    int64_t end = weft_least(row + args->piece_rows, args->rows.count);
    weft_pixel_run run;
    for (; row < end; row += run.count) {
        run = weft_pixels_run(&args->rows, row, end);
        for (int64_t i = 0; i < run.count; i++)
            visit(call, &run, row + i, i, part);
    }
}

SIMD_INLINE void forward_row(const weft_call *call, const weft_pixel_run *run, int64_t row,
                             int64_t in_run, float *part)
{
    (void)part;
    const weft_row_norm_args *args = call->args;
    const float *x = (const float *)call->operand[X] + run->offset[0] + in_run * args->rows.step[0];
    float *y = (float *)call->operand[Y] + run->offset[1] + in_run * args->rows.step[1];
    const float *gamma = call->operand[GAMMA], *beta = call->operand[BETA];
    double mean, variance;
    moments(x, args->elements, &mean, &variance);
    ((float *)call->operand[MEAN])[row] = (float)mean;
    ((float *)call->operand[VARIANCE])[row] = (float)variance;
    float center = (float)mean, rstd = (float)(1 / sqrt(variance + args->epsilon));
    int64_t i = 0;
    for (; i + LANES <= args->elements; i += LANES)
        forward_vector(x + i, gamma + i, beta + i, y + i, center, rstd, LANES);
    if (i < args->elements)
        forward_vector(x + i, gamma + i, beta + i, y + i, center, rstd, args->elements - i);
}

static void forward(const weft_call *call, int64_t piece)
{
    each_row(call, piece, forward_row, NULL);
}

/* ---- Backward: with g = gamma dy and h = (x - mean) r, dx = r (g - mean of g - h * mean of g h) ---- */

typedef struct backward_terms {
    const float *dy, *x, *gamma;
    float center, rstd;
} backward_terms;

SIMD_INLINE two_sums backward_term(const void *row, int64_t i, int64_t lanes)
{
    const backward_terms *r = row;
    vfloat g = vload_lanes(r->dy + i, lanes) * vload_lanes(r->gamma + i, lanes);
    vfloat h = (vload_lanes(r->x + i, lanes) - r->center) * r->rstd;
    return (two_sums){g, g * h};
}

SIMD_INLINE void backward_vector(const backward_terms *r, float a, float b, float *dx, float *dbeta,
                                 float *dgamma, int64_t i, int64_t lanes)
{
    vfloat dy = vload_lanes(r->dy + i, lanes), g = dy * vload_lanes(r->gamma + i, lanes);
    vfloat h = (vload_lanes(r->x + i, lanes) - r->center) * r->rstd;
    vstore_lanes(dbeta + i, vload_lanes(dbeta + i, lanes) + dy, lanes);
    vstore_lanes(dgamma + i, vload_lanes(dgamma + i, lanes) + dy * h, lanes);
    vstore_lanes(dx + i, r->rstd * (g - a - h * b), lanes);
}

SIMD_INLINE void backward_row(const weft_call *call, const weft_pixel_run *run, int64_t row,
                              int64_t in_run, float *part)
{
    const weft_row_norm_args *args = call->args;
    const int64_t *step = args->rows.step, n = args->elements;
    float variance = ((const float *)call->operand[OF_VARIANCE])[row];
    backward_terms r = {
        .dy = (const float *)call->operand[DY] + run->offset[0] + in_run * step[0],
        .x = (const float *)call->operand[OF_X] + run->offset[1] + in_run * step[1],
        .gamma = call->operand[OF_GAMMA],
        .center = ((const float *)call->operand[OF_MEAN])[row],
        .rstd = (float)(1 / sqrt((double)variance + args->epsilon)),
    };
    float *dx = (float *)call->operand[DX] + run->offset[2] + in_run * step[2];
    double a, b;
    add_row(&r, n, backward_term, &a, &b);
    float mean_a = (float)(a / (double)n), mean_b = (float)(b / (double)n);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        backward_vector(&r, mean_a, mean_b, dx, part, part + n, i, LANES);
    if (i < n)
        backward_vector(&r, mean_a, mean_b, dx, part, part + n, i, n - i);
}

static void backward(const weft_call *call, int64_t piece)
{
    const weft_row_norm_args *args = call->args;
    float *part = (float *)call->operand[WORKSPACE] + 2 * piece * args->elements;
    memset(part, 0, (size_t)(2 * args->elements) * sizeof(float));
    each_row(call, piece, backward_row, part);
}

/* dbeta and dgamma of some elements of a row, from the parts in their order. */
static void merge(const weft_call *call, int64_t piece)
{
    const weft_row_norm_args *args = call->args;
    enum { ELEMENTS = WEFT_ROW_NORM_MERGE_ELEMENTS };
    int64_t first = piece * ELEMENTS, n = args->elements;
    int64_t count = weft_least(ELEMENTS, n - first);
    float *to[] = {call->operand[DBETA], call->operand[DGAMMA]};
    for (int which = 0; which < 2; which++) {
        double sum[ELEMENTS] = {0};
        for (int64_t p = 0; p < args->pieces; p++) {
            const float *part = (const float *)call->operand[WORKSPACE] + (2 * p + which) * n;
            for (int64_t i = 0; i < count; i++)
                sum[i] += (double)part[first + i];
        }
        for (int64_t i = 0; i < count; i++)
            to[which][first + i] = (float)sum[i];
    }
}

const weft_row_norm_kernels WEFT_FOR_ISA(weft_row_norm_table) = {
    .forward = forward, .backward = backward, .merge = merge};
