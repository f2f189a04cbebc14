/* Softmax and cross-entropy, each in one pass over its operands. Rows of many classes run along vectors, one at
 * a time; short rows (10 classes, or the 2 of a mask) are transposed, so that a vector holds one class of LANES
 * of them. */
#include "kernels/elementary_simd.h"
#include "kernels/integer.h"
#include "kernels/softmax.h"
#include "kernels/transpose.h"

#include <math.h>

enum { SHORT_CLASSES = 64, BLOCK_ROWS = 32, GROUPS = BLOCK_ROWS / LANES };

/* The operands from a row on: those with classes, and those with one number a row. */
SIMD_INLINE float *classes_at(void *const *operand, int index, int64_t row, int64_t classes)
{
    return (float *)operand[index] + row * classes;
}

SIMD_INLINE float *number_at(void *const *operand, int index, int64_t row)
{
    return (float *)operand[index] + row;
}

SIMD_INLINE const int32_t *label_at(void *const *operand, int index, int64_t row)
{
    return (const int32_t *)operand[index] + row;
}

/* ---- Short rows ---- */

/* Rows of one operand, in groups of LANES: lane r of vector k of a group is element k of its row r. */
typedef struct block {
    int64_t rows, classes, groups;
    int64_t step; /* vectors from one group to the next: classes, rounded up to LANES */
    vfloat column[GROUPS * SHORT_CLASSES];
} block;

/* Of the rows of a block, in groups as well. */
typedef struct numbers {
    vfloat group[GROUPS];
} numbers;

static void lay_out(block *b, int64_t classes, int64_t rows)
{
    b->classes = classes;
    b->rows = rows;
    b->groups = weft_ceiling(rows, LANES);
    b->step = weft_ceiling(classes, LANES) * LANES;
}

/* The vectors that begin at x, classes apart, of which `room` elements may be read or written. */
SIMD_INLINE void load_vectors(const block *b, const float *x, int64_t room, int64_t most,
                              vfloat row[LANES])
{
    bool inside = (LANES - 1) * b->classes + LANES <= room;
    if (inside) {
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            row[r] = vload(x + r * b->classes);
        return;
    }
    for (int r = 0; r < LANES; r++, x += b->classes, room -= b->classes)
        row[r] = room >= LANES ? vload(x) : room > 0 ? vload_first(x, most) : vsplat(0);
}

SIMD_INLINE void store_vectors(const block *b, float *y, int64_t room, int64_t most,
                               const vfloat row[LANES])
{
    bool inside = (LANES - 1) * b->classes + LANES <= room;
    if (inside) {
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            vstore(y + r * b->classes, row[r]);
        return;
    }
    for (int r = 0; r < LANES && room > 0; r++, y += b->classes, room -= b->classes)
        if (room >= LANES)
            vstore(y, row[r]);
        else
            vstore_first(y, row[r], most);
}

/* Whole vectors go over the end of a row where other rows follow. */
static void load_block(block *b, const float *x)
{
    for (int64_t g = 0; g < b->groups; g++)
        for (int64_t k = 0; k < b->classes; k += LANES) {
            int64_t at = g * LANES * b->classes + k;
            vfloat *square = b->column + g * b->step + k;
            load_vectors(b, x + at, b->rows * b->classes - at, weft_least(b->classes - k, LANES),
                         square);
            transpose_square(square);
        }
}

/* Back to rows: what goes over the end of a row is written before the row that is there, the last classes
 * of all rows therefore first. The block is lost. */
static void store_block(block *b, float *y)
{
    for (int64_t g = 0; g < b->groups; g++)
        for (int64_t k = b->step - LANES; k >= 0; k -= LANES) {
            int64_t at = g * LANES * b->classes + k;
            vfloat *square = b->column + g * b->step + k;
            transpose_square(square);
            store_vectors(b, y + at, b->rows * b->classes - at, weft_least(b->classes - k, LANES),
                          square);
        }
}

SIMD_INLINE int64_t rows_of(const block *b, int64_t group)
{
    return weft_least(LANES, b->rows - group * LANES);
}

SIMD_INLINE vfloat load_numbers(const block *b, int64_t group, const float *number)
{
    return vload_lanes(number + group * LANES, rows_of(b, group));
}

SIMD_INLINE void store_numbers(const block *b, int64_t group, float *number, vfloat v)
{
    vstore_lanes(number + group * LANES, v, rows_of(b, group));
}

SIMD_INLINE vint load_labels(const block *b, int64_t group, const int32_t *label)
{
    return (vint)load_numbers(b, group, (const float *)label);
}

SIMD_INLINE vint is(vint label, int64_t k)
{
    return label == (vint){0} + (int32_t)k;
}

SIMD_INLINE vint known(const block *b, vint label)
{
    return (label >= 0) & (label < (vint){0} + (int32_t)b->classes);
}

/* What keeps exp from overflowing, and the sums of exp(x - largest); with `keep`, these take x's place. */
SIMD_INLINE void exponentials(block *b, bool keep, numbers *largest, numbers *total)
{
    for (int64_t g = 0; g < b->groups; g++) {
        vfloat *column = b->column + g * b->step, most = column[0], sum = vsplat(0);
        for (int64_t k = 1; k < b->classes; k++)
            most = vmax(most, column[k]);
        for (int64_t k = 0; k < b->classes; k++) {
            vfloat e = vexp(column[k] - most);
            if (keep)
                column[k] = e;
            sum += e;
        }
        largest->group[g] = most;
        total->group[g] = sum;
    }
}

/* The largest x and the logarithm of the sum of exp(x - largest). */
static void logarithms(block *b, numbers *largest, numbers *logarithm)
{
    exponentials(b, false, largest, logarithm);
    for (int64_t g = 0; g < b->groups; g++)
        logarithm->group[g] = vlog(logarithm->group[g]);
}

static void softmax_block(block *b, void *const *operand, int64_t row)
{
    numbers largest, total;
    load_block(b, classes_at(operand, 0, row, b->classes));
    exponentials(b, true, &largest, &total);
    for (int64_t g = 0; g < b->groups; g++) {
        vfloat *e = b->column + g * b->step, scale = 1 / total.group[g];
        for (int64_t k = 0; k < b->classes; k++)
            e[k] *= scale;
    }
    store_block(b, classes_at(operand, 1, row, b->classes));
}

/* dx = y (dy - <dy, y>) */
static void softmax_gradient_block(block *b, void *const *operand, int64_t row)
{
    block gradient;
    lay_out(&gradient, b->classes, b->rows);
    load_block(b, classes_at(operand, 0, row, b->classes));
    load_block(&gradient, classes_at(operand, 1, row, b->classes));
    for (int64_t g = 0; g < b->groups; g++) {
        vfloat *y = b->column + g * b->step, *dy = gradient.column + g * b->step, dot = vsplat(0);
        for (int64_t k = 0; k < b->classes; k++)
            dot += y[k] * dy[k];
        for (int64_t k = 0; k < b->classes; k++)
            y[k] *= dy[k] - dot;
    }
    store_block(b, classes_at(operand, 2, row, b->classes));
}

/* loss = log(sum of exp(x)) - x[label] */
static void sparse_block(block *b, void *const *operand, int64_t row)
{
    numbers largest, logarithm;
    load_block(b, classes_at(operand, 0, row, b->classes));
    logarithms(b, &largest, &logarithm);
    for (int64_t g = 0; g < b->groups; g++) {
        const vfloat *x = b->column + g * b->step;
        vint label = load_labels(b, g, label_at(operand, 1, row));
        vfloat chosen = vsplat(0);
        for (int64_t k = 0; k < b->classes; k++)
            chosen = vselect(is(label, k), x[k], chosen);
        vfloat loss = logarithm.group[g] + (largest.group[g] - chosen);
        store_numbers(b, g, number_at(operand, 2, row),
                      vselect(known(b, label), loss, vsplat(NAN)));
    }
}

/* dx = (softmax(x) - onehot(label)) dloss */
static void sparse_gradient_block(block *b, void *const *operand, int64_t row)
{
    numbers largest, total;
    load_block(b, classes_at(operand, 0, row, b->classes));
    exponentials(b, true, &largest, &total);
    for (int64_t g = 0; g < b->groups; g++) {
        vfloat *e = b->column + g * b->step;
        vint label = load_labels(b, g, label_at(operand, 1, row));
        vfloat dloss = load_numbers(b, g, number_at(operand, 2, row));
        vfloat scale = vselect(known(b, label), dloss, vsplat(NAN)) / total.group[g];
        for (int64_t k = 0; k < b->classes; k++)
            e[k] = e[k] * scale - vselect(is(label, k), dloss, vsplat(0));
    }
    store_block(b, classes_at(operand, 3, row, b->classes));
}

/* loss = sum of t (log(sum of exp(x)) - x) */
static void distribution_block(block *b, void *const *operand, int64_t row)
{
    block targets;
    numbers largest, logarithm;
    lay_out(&targets, b->classes, b->rows);
    load_block(b, classes_at(operand, 0, row, b->classes));
    load_block(&targets, classes_at(operand, 1, row, b->classes));
    logarithms(b, &largest, &logarithm);
    for (int64_t g = 0; g < b->groups; g++) {
        const vfloat *x = b->column + g * b->step, *t = targets.column + g * b->step;
        vfloat loss = vsplat(0);
        for (int64_t k = 0; k < b->classes; k++)
            loss += t[k] * (logarithm.group[g] + (largest.group[g] - x[k]));
        store_numbers(b, g, number_at(operand, 2, row), loss);
    }
}

/* dx = (softmax(x) sum of t - t) dloss */
static void distribution_gradient_block(block *b, void *const *operand, int64_t row)
{
    block targets;
    numbers largest, total;
    lay_out(&targets, b->classes, b->rows);
    load_block(b, classes_at(operand, 0, row, b->classes));
    load_block(&targets, classes_at(operand, 1, row, b->classes));
    exponentials(b, true, &largest, &total);
    for (int64_t g = 0; g < b->groups; g++) {
        vfloat *e = b->column + g * b->step, *t = targets.column + g * b->step, sum = vsplat(0);
        vfloat dloss = load_numbers(b, g, number_at(operand, 2, row));
        for (int64_t k = 0; k < b->classes; k++)
            sum += t[k];
        vfloat scale = sum * dloss / total.group[g];
        for (int64_t k = 0; k < b->classes; k++)
            e[k] = e[k] * scale - t[k] * dloss;
    }
    store_block(b, classes_at(operand, 3, row, b->classes));
}

/* ---- Long rows ---- */

/* One row of each operand, as far as a kernel has it, and what is known of x. */
typedef struct long_row {
    int64_t classes;
    const float *x, *t;
    float *y;
    float largest, logarithm;
} long_row;

SIMD_INLINE int64_t lanes_from(const long_row *r, int64_t k)
{
    return weft_least(r->classes - k, LANES);
}

enum { WIDE = 4 }; /* vectors whose sums do not wait for each other */

static float largest_of(const long_row *r)
{
    vfloat most[WIDE];
    for (int v = 0; v < WIDE; v++)
        most[v] = vsplat(-INFINITY);
    int64_t k = 0;
    for (; k + WIDE * LANES <= r->classes; k += WIDE * LANES)
        for (int v = 0; v < WIDE; v++)
            most[v] = vmax(most[v], vload(r->x + k + v * LANES));
    for (; k < r->classes; k += LANES) {
        int64_t n = lanes_from(r, k);
        most[0] = vmax(most[0], vkeep_first(vload_lanes(r->x + k, n), n, -INFINITY));
    }
    for (int v = 1; v < WIDE; v++)
        most[0] = vmax(most[0], most[v]);
    float largest = most[0][0];
    for (int lane = 1; lane < LANES; lane++)
        largest = most[0][lane] > largest ? most[0][lane] : largest;
    return largest;
}

/* What is added up: of the classes from k on, `lanes` of them. */
typedef vfloat term_fn(const long_row *r, int64_t k, int64_t lanes);

SIMD_INLINE float sum_of(term_fn *term, const long_row *row)
{
    const long_row r = *row; /* a copy, which stores cannot change */
    vfloat sum[WIDE];
    for (int v = 0; v < WIDE; v++)
        sum[v] = vsplat(0);
    int64_t k = 0;
    for (; k + WIDE * LANES <= r.classes; k += WIDE * LANES)
        for (int v = 0; v < WIDE; v++)
            sum[v] += term(&r, k + v * LANES, LANES);
    for (; k + LANES <= r.classes; k += LANES)
        sum[0] += term(&r, k, LANES);
    if (k < r.classes)
        sum[0] += vkeep_first(term(&r, k, r.classes - k), r.classes - k, 0);
    return vsum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

SIMD_INLINE vfloat exponential(const long_row *r, int64_t k, int64_t lanes)
{
    return vexp(vload_lanes(r->x + k, lanes) - r->largest);
}

SIMD_INLINE vfloat kept_exponential(const long_row *r, int64_t k, int64_t lanes)
{
    vfloat e = exponential(r, k, lanes);
    vstore_lanes(r->y + k, e, lanes);
    return e;
}

SIMD_INLINE vfloat target(const long_row *r, int64_t k, int64_t lanes)
{
    return vload_lanes(r->t + k, lanes);
}

SIMD_INLINE vfloat product(const long_row *r, int64_t k, int64_t lanes)
{
    return vload_lanes(r->x + k, lanes) * vload_lanes(r->t + k, lanes);
}

SIMD_INLINE vfloat surprise(const long_row *r, int64_t k, int64_t lanes)
{
    return target(r, k, lanes) * (r->logarithm + (r->largest - vload_lanes(r->x + k, lanes)));
}

/* y = exp(x - largest); returns their sum */
static float exponentiate(long_row *r)
{
    r->largest = largest_of(r);
    return sum_of(kept_exponential, r);
}

static void take_logarithm(long_row *r)
{
    r->largest = largest_of(r);
    r->logarithm = vlog(vsplat(sum_of(exponential, r)))[0];
}

/* y = y scale */
static void scale_row(const long_row *r, float scale)
{
    for (int64_t k = 0; k < r->classes; k += LANES) {
        int64_t n = lanes_from(r, k);
        vstore_lanes(r->y + k, vload_lanes(r->y + k, n) * scale, n);
    }
}

static void softmax_row(int64_t classes, void *const *operand, int64_t row)
{
    long_row r = {.classes = classes,
                  .x = classes_at(operand, 0, row, classes),
                  .y = classes_at(operand, 1, row, classes)};
    scale_row(&r, 1 / exponentiate(&r));
}

static void softmax_gradient_row(int64_t classes, void *const *operand, int64_t row)
{
    long_row r = {.classes = classes,
                  .x = classes_at(operand, 0, row, classes),
                  .t = classes_at(operand, 1, row, classes),
                  .y = classes_at(operand, 2, row, classes)};
    float dot = sum_of(product, &r);
    for (int64_t k = 0; k < classes; k += LANES) {
        int64_t n = lanes_from(&r, k);
        vstore_lanes(r.y + k, vload_lanes(r.x + k, n) * (vload_lanes(r.t + k, n) - dot), n);
    }
}

static bool is_known(int32_t label, int64_t classes)
{
    return label >= 0 && label < classes;
}

static void sparse_row(int64_t classes, void *const *operand, int64_t row)
{
    long_row r = {.classes = classes, .x = classes_at(operand, 0, row, classes)};
    int32_t label = *label_at(operand, 1, row);
    take_logarithm(&r);
    *number_at(operand, 2, row) =
        is_known(label, classes) ? r.logarithm + (r.largest - r.x[label]) : NAN;
}

static void sparse_gradient_row(int64_t classes, void *const *operand, int64_t row)
{
    long_row r = {.classes = classes,
                  .x = classes_at(operand, 0, row, classes),
                  .y = classes_at(operand, 3, row, classes)};
    int32_t label = *label_at(operand, 1, row);
    float dloss = *number_at(operand, 2, row);
    bool valid = is_known(label, classes);
    scale_row(&r, (valid ? dloss : NAN) / exponentiate(&r));
    if (valid)
        r.y[label] -= dloss;
}

static void distribution_row(int64_t classes, void *const *operand, int64_t row)
{
    long_row r = {.classes = classes,
                  .x = classes_at(operand, 0, row, classes),
                  .t = classes_at(operand, 1, row, classes)};
    take_logarithm(&r);
    *number_at(operand, 2, row) = sum_of(surprise, &r);
}

static void distribution_gradient_row(int64_t classes, void *const *operand, int64_t row)
{
    long_row r = {.classes = classes,
                  .x = classes_at(operand, 0, row, classes),
                  .t = classes_at(operand, 1, row, classes),
                  .y = classes_at(operand, 3, row, classes)};
    float dloss = *number_at(operand, 2, row);
    float scale = sum_of(target, &r) * dloss / exponentiate(&r);
    for (int64_t k = 0; k < classes; k += LANES) {
        int64_t n = lanes_from(&r, k);
        vstore_lanes(r.y + k, vload_lanes(r.y + k, n) * scale - vload_lanes(r.t + k, n) * dloss, n);
    }
}

/* ---- The kernels ---- */

/* Without exp, transposing costs more than the lanes that a row leaves unused. */
enum { SHORT_PRODUCTS = 2 * LANES - 1 };

typedef void block_fn(block *b, void *const *operand, int64_t row);
typedef void row_fn(int64_t classes, void *const *operand, int64_t row);

/* Rows of up to `most` classes are worked on together. */
SIMD_INLINE void each_row(const weft_call *call, int64_t piece, int64_t most, block_fn *together,
                          row_fn *alone)
{
    const weft_softmax_args *args = call->args;
    int64_t row = piece * args->rows_a_piece;
    int64_t end = weft_least(row + args->rows_a_piece, args->rows);
    if (args->classes > most) {
        for (; row < end; row++)
            alone(args->classes, call->operand, row);
        return;
    }
    block b;
    for (; row < end; row += BLOCK_ROWS) {
        lay_out(&b, args->classes, weft_least(BLOCK_ROWS, end - row));
        together(&b, call->operand, row);
    }
}

#define KERNEL(name, most, together, alone)                                                        \
    static void name(const weft_call *call, int64_t piece)                                         \
    {                                                                                              \
        each_row(call, piece, most, together, alone);                                              \
    }
KERNEL(softmax, SHORT_CLASSES, softmax_block, softmax_row)
KERNEL(softmax_gradient, SHORT_PRODUCTS, softmax_gradient_block, softmax_gradient_row)
KERNEL(sparse_cross_entropy, SHORT_CLASSES, sparse_block, sparse_row)
KERNEL(sparse_cross_entropy_gradient, SHORT_CLASSES, sparse_gradient_block, sparse_gradient_row)
KERNEL(cross_entropy, SHORT_CLASSES, distribution_block, distribution_row)
KERNEL(cross_entropy_gradient, SHORT_CLASSES, distribution_gradient_block,
       distribution_gradient_row)
#undef KERNEL

const weft_softmax_kernels WEFT_FOR_ISA(weft_softmax_table) = {
    .softmax = softmax,
    .softmax_gradient = softmax_gradient,
    .sparse_cross_entropy = sparse_cross_entropy,
    .sparse_cross_entropy_gradient = sparse_cross_entropy_gradient,
    .cross_entropy = cross_entropy,
    .cross_entropy_gradient = cross_entropy_gradient,
};
