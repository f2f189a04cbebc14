/* Softmax and cross-entropy, a block of rows at a time. Rows of many classes run along vectors; short
 * rows (10 classes, or the 2 of a mask) are transposed, so that vectors hold one class of many rows. */
#include "kernels/simd.h"
#include "kernels/softmax.h"

#include <math.h>

enum { SHORT_CLASSES = 32, BLOCK_ROWS = 64 };

/* Rows that are worked on together, and what is known of each. */
typedef struct block {
    int64_t rows, classes;
    float maximum[BLOCK_ROWS];
    float sum[BLOCK_ROWS]; /* of exp(x - maximum) */
} block;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

SIMD_INLINE vfloat load_some(const float *p, int64_t n)
{
    return n >= LANES ? vload(p) : vload_first(p, n);
}

SIMD_INLINE void store_some(float *p, vfloat v, int64_t n)
{
    if (n >= LANES)
        vstore(p, v);
    else
        vstore_first(p, v, n);
}

/* The vector v, with `fill` from lane n on. */
SIMD_INLINE vfloat only_first(vfloat v, int64_t n, float fill)
{
    if (n >= LANES)
        return v;
    vint lane;
    for (int i = 0; i < LANES; i++)
        lane[i] = i;
    return vselect(lane < (vint){0} + (int32_t)n, v, vsplat(fill));
}

static void long_row(const float *x, int64_t n, float *p, float factor, float *maximum, float *sum)
{
    vfloat most = vsplat(-INFINITY);
    for (int64_t i = 0; i < n; i += LANES)
        most = vmax(most, only_first(load_some(x + i, n - i), n - i, -INFINITY));
    float m = most[0];
    for (int lane = 1; lane < LANES; lane++)
        m = most[lane] > m ? most[lane] : m;
    vfloat total = vsplat(0);
    for (int64_t i = 0; i < n; i += LANES) {
        vfloat e = vexp(load_some(x + i, n - i) - m);
        if (p)
            store_some(p + i, e, n - i);
        total += only_first(e, n - i, 0);
    }
    *maximum = m;
    *sum = vsum(total);
    float scale = factor / *sum;
    for (int64_t i = 0; p && i < n; i += LANES)
        store_some(p + i, load_some(p + i, n - i) * scale, n - i);
}

static void short_rows(block *b, const float *x, float *p, const float *factor)
{
    int64_t classes = b->classes;
    float column[SHORT_CLASSES][BLOCK_ROWS]; /* [class][row] */
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t k = 0; k < classes; k++)
            column[k][r] = x[r * classes + k];
    for (int64_t r = 0; r < b->rows; r += LANES) {
        int64_t n = b->rows - r;
        vfloat most = load_some(column[0] + r, n), total = vsplat(0);
        for (int64_t k = 1; k < classes; k++)
            most = vmax(most, load_some(column[k] + r, n));
        for (int64_t k = 0; k < classes; k++) {
            vfloat e = vexp(load_some(column[k] + r, n) - most);
            vstore(column[k] + r, e);
            total += e;
        }
        store_some(b->maximum + r, most, n);
        store_some(b->sum + r, total, n);
        if (!p)
            continue;
        vfloat scale = (factor ? load_some(factor + r, n) : vsplat(1)) / total;
        for (int64_t k = 0; k < classes; k++)
            vstore(column[k] + r, vload(column[k] + r) * scale);
    }
    for (int64_t r = 0; p && r < b->rows; r++)
        for (int64_t k = 0; k < classes; k++)
            p[r * classes + k] = column[k][r];
}

/* Fills in the block from its rows at x. p, where it is not NULL, gets softmax(x), each row times its
 * factor (NULL: 1), and may be x. */
static void softmax_rows(block *b, const float *x, float *p, const float *factor)
{
    if (b->classes > SHORT_CLASSES)
        long_row(x, b->classes, p, factor ? *factor : 1, b->maximum, b->sum);
    else
        short_rows(b, x, p, factor);
}

/* Turns the sums into logarithms. */
static void take_logarithms(block *b)
{
    for (int64_t r = 0; r < b->rows; r += LANES)
        store_some(b->sum + r, vlog(load_some(b->sum + r, b->rows - r)), b->rows - r);
}

/* ---- The kernels ---- */

/* What a kernel does with one block, whose first row is `row`. */
typedef void block_fn(block *b, void *const *operand, int64_t row);

SIMD_INLINE void each_block(const weft_call *call, int64_t piece, block_fn *work)
{
    const weft_softmax_args *args = call->args;
    int64_t row = piece * args->rows_a_piece;
    int64_t end = smaller(row + args->rows_a_piece, args->rows);
    block b = {.classes = args->classes};
    int64_t step = args->classes > SHORT_CLASSES ? 1 : BLOCK_ROWS;
    for (; row < end; row += step) {
        b.rows = smaller(step, end - row);
        work(&b, call->operand, row);
    }
}

static void softmax_block(block *b, void *const *operand, int64_t row)
{
    const float *x = (const float *)operand[0] + row * b->classes;
    float *y = (float *)operand[1] + row * b->classes;
    softmax_rows(b, x, y, NULL);
}

/* dx = y (dy - <dy, y>) */
static void softmax_gradient_block(block *b, void *const *operand, int64_t row)
{
    int64_t classes = b->classes;
    const float *y = (const float *)operand[0] + row * classes;
    const float *dy = (const float *)operand[1] + row * classes;
    float *dx = (float *)operand[2] + row * classes;
    for (int64_t r = 0; r < b->rows; r++, y += classes, dy += classes, dx += classes) {
        vfloat dot = vsplat(0);
        for (int64_t k = 0; k < classes; k += LANES)
            dot += load_some(y + k, classes - k) * load_some(dy + k, classes - k);
        float mean = vsum(dot);
        for (int64_t k = 0; k < classes; k += LANES) {
            vfloat g = load_some(y + k, classes - k) * (load_some(dy + k, classes - k) - mean);
            store_some(dx + k, g, classes - k);
        }
    }
}

static bool in_range(int32_t label, int64_t classes)
{
    return label >= 0 && label < classes;
}

/* loss = log(sum of exp(x)) - x[label] */
static void sparse_block(block *b, void *const *operand, int64_t row)
{
    const float *x = (const float *)operand[0] + row * b->classes;
    const int32_t *label = (const int32_t *)operand[1] + row;
    float *loss = (float *)operand[2] + row;
    softmax_rows(b, x, NULL, NULL);
    take_logarithms(b);
    for (int64_t r = 0; r < b->rows; r++, x += b->classes)
        loss[r] = in_range(label[r], b->classes) ? b->sum[r] + (b->maximum[r] - x[label[r]]) : NAN;
}

/* dx = (softmax(x) - onehot(label)) dloss */
static void sparse_gradient_block(block *b, void *const *operand, int64_t row)
{
    const float *x = (const float *)operand[0] + row * b->classes;
    const int32_t *label = (const int32_t *)operand[1] + row;
    const float *dloss = (const float *)operand[2] + row;
    float *dx = (float *)operand[3] + row * b->classes;
    float factor[BLOCK_ROWS];
    for (int64_t r = 0; r < b->rows; r++)
        factor[r] = in_range(label[r], b->classes) ? dloss[r] : NAN;
    softmax_rows(b, x, dx, factor);
    for (int64_t r = 0; r < b->rows; r++, dx += b->classes)
        if (in_range(label[r], b->classes))
            dx[label[r]] -= dloss[r];
}

/* loss = sum of t (log(sum of exp(x)) - x) */
static void distribution_block(block *b, void *const *operand, int64_t row)
{
    int64_t classes = b->classes;
    const float *x = (const float *)operand[0] + row * classes;
    const float *t = (const float *)operand[1] + row * classes;
    float *loss = (float *)operand[2] + row;
    softmax_rows(b, x, NULL, NULL);
    take_logarithms(b);
    for (int64_t r = 0; r < b->rows; r++, x += classes, t += classes) {
        vfloat sum = vsplat(0);
        for (int64_t k = 0; k < classes; k += LANES)
            sum += load_some(t + k, classes - k) *
                   (b->sum[r] + (b->maximum[r] - load_some(x + k, classes - k)));
        loss[r] = vsum(sum);
    }
}

/* dx = (softmax(x) sum of t - t) dloss */
static void distribution_gradient_block(block *b, void *const *operand, int64_t row)
{
    int64_t classes = b->classes;
    const float *x = (const float *)operand[0] + row * classes;
    const float *t = (const float *)operand[1] + row * classes;
    const float *dloss = (const float *)operand[2] + row;
    float *dx = (float *)operand[3] + row * classes;
    float factor[BLOCK_ROWS];
    for (int64_t r = 0; r < b->rows; r++) {
        vfloat total = vsplat(0);
        for (int64_t k = 0; k < classes; k += LANES)
            total += load_some(t + r * classes + k, classes - k);
        factor[r] = vsum(total) * dloss[r];
    }
    softmax_rows(b, x, dx, factor);
    for (int64_t r = 0; r < b->rows; r++, t += classes, dx += classes)
        for (int64_t k = 0; k < classes; k += LANES) {
            vfloat g = load_some(dx + k, classes - k) - load_some(t + k, classes - k) * dloss[r];
            store_some(dx + k, g, classes - k);
        }
}

static void softmax(const weft_call *call, int64_t piece)
{
    each_block(call, piece, softmax_block);
}

static void softmax_gradient(const weft_call *call, int64_t piece)
{
    each_block(call, piece, softmax_gradient_block);
}

static void sparse_cross_entropy(const weft_call *call, int64_t piece)
{
    each_block(call, piece, sparse_block);
}

static void sparse_cross_entropy_gradient(const weft_call *call, int64_t piece)
{
    each_block(call, piece, sparse_gradient_block);
}

static void cross_entropy(const weft_call *call, int64_t piece)
{
    each_block(call, piece, distribution_block);
}

static void cross_entropy_gradient(const weft_call *call, int64_t piece)
{
    each_block(call, piece, distribution_gradient_block);
}

const weft_softmax_kernels WEFT_FOR_ISA(weft_softmax_table) = {
    .softmax = softmax,
    .softmax_gradient = softmax_gradient,
    .sparse_cross_entropy = sparse_cross_entropy,
    .sparse_cross_entropy_gradient = sparse_cross_entropy_gradient,
    .cross_entropy = cross_entropy,
    .cross_entropy_gradient = cross_entropy_gradient,
};
