#include "kernels/matmul_thin.h"

#include "kernels/finish.h"
#include "kernels/integer.h"

/* The block of a piece, and its matrix of the batch. */
typedef struct part {
    const weft_matmul_problem *p;
    const float *a, *b, *bias;
    float *c;
    weft_finish finish; /* of all columns */
    int64_t first, end; /* columns; of an outer product: rows */
} part;

static part part_of(const weft_call *call, int64_t matrix, int64_t first, int64_t block)
{
    const weft_thin *t = call->args;
    const weft_matmul_problem *p = &t->problem;
    part s = {.p = p, .first = first};
    s.end = weft_least(first + block, p->transpose_a ? p->rows : p->columns);
    s.a = (const float *)call->operand[t->slots.input[0]] + matrix * p->a_batch_stride;
    s.b = (const float *)call->operand[t->slots.input[1]] + matrix * p->b_batch_stride;
    s.bias = p->bias ? call->operand[t->slots.input[2]] : NULL;
    s.c = (float *)call->operand[t->slots.output] + matrix * p->c_batch_stride;
    s.finish = weft_epilogue_finish(p->epilogue, call, 0); /* of one matrix */
    return s;
}

static part block_of(const weft_call *call, int64_t piece)
{
    const weft_thin *t = call->args;
    return part_of(call, piece / t->blocks, piece % t->blocks * t->block, t->block);
}

/* Finishes results of columns from j on, whose place in c is `at`. */
SIMD_INLINE vfloat finish_columns(const part *s, vfloat y, int64_t j, int64_t at, int64_t lanes)
{
    finish_channels channels = finish_load(&s->finish, j, lanes);
    return finish_vector(&s->finish, &channels, y, s->finish.addend ? s->finish.addend + at : NULL,
                         lanes);
}

/* The block of columns is written: what follows, all in one part. */
static void finish(const part *s, const weft_call *call)
{
    const weft_epilogue *epilogue = s->p->epilogue;
    if (!weft_epilogue_follows(epilogue))
        return;
    int64_t channels = s->end - s->first;
    weft_epilogue_block block = {.c = s->c + s->first,
                                 .step = s->p->c_stride,
                                 .pixels = s->p->rows,
                                 .column_step = 1,
                                 .channel = s->first,
                                 .channels = channels};
    WEFT_FOR_ISA(weft_epilogue_table).begin(epilogue, call, 0, s->first, channels);
    WEFT_FOR_ISA(weft_epilogue_table).apply(epilogue, call, &block);
}

SIMD_INLINE int64_t lanes_from(int64_t j, int64_t end)
{
    return end - j < LANES ? end - j : LANES;
}

/* ---- A few rows, B as it is: rows of B are read side by side, sums stay in the first-level cache ---- */

enum { SIDE = 8 };

/* Rows of sums, `step` floats apart. */
typedef struct sums {
    float *row;
    int64_t step;
} sums;

/* Adds `side` rows of B, from b on, times their elements of each row of A. */
SIMD_INLINE void add_side(const part *s, const sums *to, float a[WEFT_THIN][SIDE], const float *b,
                          int side)
{
    const int64_t step = s->p->b_stride, rows = s->p->rows, columns = s->end - s->first;
    for (int64_t j = 0; j < columns; j += LANES) {
        int64_t lanes = lanes_from(j, columns);
        vfloat row[SIDE];
#pragma GCC unroll 8
        for (int k = 0; k < side; k++)
            row[k] = vload_lanes(b + k * step + j, lanes);
        for (int64_t r = 0; r < rows; r++) {
            float *sum = to->row + r * to->step + j;
            vfloat v = vload(sum);
#pragma GCC unroll 8
            for (int k = 0; k < side; k++)
                v += a[r][k] * row[k];
            vstore(sum, v);
        }
    }
}

/* The sums over k = first..end-1. */
static void add_rows(const part *s, const sums *to, int64_t first, int64_t end)
{
    const weft_matmul_problem *p = s->p;
    for (int64_t r = 0; r < p->rows; r++)
        memset(to->row + r * to->step, 0,
               (size_t)(weft_ceiling(s->end - s->first, LANES) * LANES) * sizeof(float));
    for (int64_t k = first; k < end; k += SIDE) {
        float a[WEFT_THIN][SIDE];
        const float *b = s->b + k * p->b_stride + s->first;
        int64_t side = weft_least(SIDE, end - k);
        for (int64_t r = 0; r < p->rows; r++)
            memcpy(a[r], s->a + r * p->a_stride + k, (size_t)side * sizeof **a);
        if (side == SIDE) {
            add_side(s, to, a, b, SIDE);
            continue;
        }
        for (int64_t i = 0; i < side; i++) {
            for (int64_t r = 0; r < p->rows; r++)
                a[r][0] = a[r][i];
            add_side(s, to, a, b + i * p->b_stride, 1);
        }
    }
}

/* Writes the results: of `splits` sums, `next` floats apart, and the bias. */
static void write_rows(const part *s, const weft_call *call, const sums *from, int64_t splits,
                       int64_t next)
{
    const weft_matmul_problem *p = s->p;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = s->first; j < s->end; j += LANES) {
            int64_t at = r * p->c_stride + j, lanes = lanes_from(j, s->end);
            const float *sum = from->row + r * from->step + j - s->first;
            vfloat y = s->bias ? vload_lanes(s->bias + j, lanes) : (vfloat){0};
            for (int64_t i = 0; i < splits; i++)
                y += vload(sum + i * next);
            vstore_lanes(s->c + at, finish_columns(s, y, j, at, lanes), lanes);
        }
    finish(s, call);
}

/* Sums of column `first` on of a split, in the workspace. */
static sums sums_of(const weft_call *call, int64_t split, int64_t first)
{
    const weft_thin *t = call->args;
    int64_t step = t->blocks * t->block;
    float *workspace = call->operand[t->slots.workspace];
    return (sums){workspace + split * t->problem.rows * step + first, step};
}

static void rows(const weft_call *call, int64_t piece)
{
    const weft_thin *t = call->args;
    int64_t block = piece % t->blocks, split = piece / t->blocks;
    part s = part_of(call, split / t->splits, block * t->block, t->block);
    if (t->splits == 1) {
        _Alignas(64) float sum[WEFT_THIN_SUMS];
        const sums own = {sum, t->block};
        add_rows(&s, &own, 0, s.p->inner);
        write_rows(&s, call, &own, 1, 0);
        return;
    }
    const sums to = sums_of(call, split, s.first);
    int64_t sides = weft_ceiling(s.p->inner, SIDE), i = split % t->splits;
    add_rows(&s, &to, sides * i / t->splits * SIDE,
             weft_least(sides * (i + 1) / t->splits * SIDE, s.p->inner));
}

static void merge(const weft_call *call, int64_t piece)
{
    const weft_thin *t = call->args;
    int64_t blocks = weft_ceiling(t->problem.columns, WEFT_THIN_MERGE);
    int64_t matrix = piece / blocks, first = piece % blocks * WEFT_THIN_MERGE;
    const part s = part_of(call, matrix, first, WEFT_THIN_MERGE);
    const sums from = sums_of(call, matrix * t->splits, first);
    write_rows(&s, call, &from, t->splits, s.p->rows * from.step);
}

/* ---- A few rows, B transposed: dot products ---- */

enum { MANY = WEFT_THIN / 2 }; /* rows at most */

/* `count` columns of C from j on, which are rows of B as it is stored, for all rows of A; the last one again
 * where there are not `many`. */
SIMD_INLINE void dot_rows(const part *s, int many, int64_t j, int count)
{
    const weft_matmul_problem *p = s->p;
    const float *a[MANY], *b = s->b + j * p->b_stride;
    vfloat sum[2][MANY] = {{{0}}};
#pragma GCC unroll 4
    for (int r = 0; r < many; r++)
        a[r] = s->a + weft_least(r, p->rows - 1) * p->a_stride;
    for (int64_t k = 0; k < p->inner; k += LANES) {
        int64_t lanes = lanes_from(k, p->inner);
        vfloat row[2];
#pragma GCC unroll 2
        for (int i = 0; i < count; i++)
            row[i] = vload_lanes(b + i * p->b_stride + k, lanes);
#pragma GCC unroll 4
        for (int r = 0; r < many; r++) {
            vfloat x = vload_lanes(a[r] + k, lanes);
#pragma GCC unroll 2
            for (int i = 0; i < count; i++)
                sum[i][r] += x * row[i];
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < many; r++)
        if (r < p->rows)
#pragma GCC unroll 2
            for (int i = 0; i < count; i++) {
                int64_t at = r * p->c_stride + j + i;
                vfloat result = vsplat(vsum(sum[i][r]) + (s->bias ? s->bias[j + i] : 0));
                vstore_lanes(s->c + at, finish_columns(s, result, j + i, at, 1), 1);
            }
}

SIMD_INLINE void dot_columns(const part *s, int many)
{
    int64_t j = s->first;
    for (; j + 2 <= s->end; j += 2)
        dot_rows(s, many, j, 2);
    if (j < s->end)
        dot_rows(s, many, j, 1);
}

static void columns(const weft_call *call, int64_t piece)
{
    part s = block_of(call, piece);
    if (s.p->rows == 1)
        dot_columns(&s, 1);
    else if (s.p->rows == 2)
        dot_columns(&s, 2);
    else
        dot_columns(&s, MANY);
    finish(&s, call);
}

/* ---- Sums of a few outer products: rows of C are written one or two at a time ---- */

SIMD_INLINE void outer_rows(const part *s, int64_t first, int count)
{
    const weft_matmul_problem *p = s->p;
    float *c = s->c + first * p->c_stride;
    float a[WEFT_THIN][2];
    for (int64_t k = 0; k < p->inner; k++)
        for (int i = 0; i < count; i++)
            a[k][i] = s->a[k * p->a_stride + first + i];
    for (int64_t j = 0; j < p->columns; j += LANES) {
        int64_t lanes = lanes_from(j, p->columns);
        vfloat sum[2];
#pragma GCC unroll 2
        for (int i = 0; i < count; i++)
            sum[i] = s->bias ? vload_lanes(s->bias + j, lanes) : (vfloat){0};
        for (int64_t k = 0; k < p->inner; k++) {
            vfloat row = vload_lanes(s->b + k * p->b_stride + j, lanes);
#pragma GCC unroll 2
            for (int i = 0; i < count; i++)
                sum[i] += a[k][i] * row;
        }
#pragma GCC unroll 2
        for (int i = 0; i < count; i++)
            vstore_lanes(c + i * p->c_stride + j, sum[i], lanes);
    }
}

static void outer(const weft_call *call, int64_t piece)
{
    part s = block_of(call, piece);
    int64_t row = s.first;
    for (; row + 2 <= s.end; row += 2)
        outer_rows(&s, row, 2);
    if (row < s.end)
        outer_rows(&s, row, 1);
}

const weft_thin_kernels WEFT_FOR_ISA(weft_matmul_thin) = {
    .rows = rows, .merge = merge, .columns = columns, .outer = outer};
