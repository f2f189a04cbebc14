/* The two phases of a reduction: slices, and their merge. */
#include "kernels/reduce.h"
#include "kernels/simd.h"

#include <math.h>

enum { UNROLL = 4 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

SIMD_INLINE vfloat neutral(weft_reduce_kind kind)
{
    return vsplat(kind == WEFT_REDUCE_SUM ? 0.0f : -INFINITY);
}

SIMD_INLINE vfloat join(weft_reduce_kind kind, vfloat a, vfloat b)
{
    return kind == WEFT_REDUCE_SUM ? a + b : vselect((b > a) | (b != b), b, a);
}

SIMD_INLINE float join_lanes(weft_reduce_kind kind, vfloat v)
{
    if (kind == WEFT_REDUCE_SUM)
        return vsum(v);
    float lane[LANES];
    vstore(lane, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) {
            float other = lane[i + width];
            lane[i] = other > lane[i] || other != other ? other : lane[i];
        }
    return lane[0];
}

SIMD_INLINE vint lane_numbers(void)
{
    vint v;
    for (int i = 0; i < LANES; i++)
        v[i] = i;
    return v;
}

/* The first n elements, then neutral ones. */
SIMD_INLINE vfloat load_tail(weft_reduce_kind kind, const float *p, int64_t n)
{
    vfloat v = vload_first(p, n);
    if (kind == WEFT_REDUCE_SUM)
        return v;
    return vselect(lane_numbers() < (vint){0} + (int32_t)n, v, neutral(kind));
}

static int64_t walk_offset(const weft_reduce_walk *walk, const int64_t *stride, int64_t index)
{
    int64_t offset = 0;
    for (int i = walk->rank - 1; i > 0; i--) {
        offset += index % walk->extent[i] * stride[i];
        index /= walk->extent[i];
    }
    return walk->rank ? offset + index * stride[0] : 0;
}

/* ---- Columns: rows are added to elements that lie side by side ---- */

/* Adds `rows` rows to one vector (or its first n elements). */
SIMD_INLINE void add_vector(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                            int64_t stride, int64_t n)
{
    vfloat part[UNROLL] = {vload_first(sum, n), neutral(kind), neutral(kind), neutral(kind)};
    int64_t r = 0;
    if (n == LANES) {
        for (; r + UNROLL <= rows; r += UNROLL)
            for (int u = 0; u < UNROLL; u++)
                part[u] = join(kind, part[u], vload(x + (r + u) * stride));
    } else {
        for (; r + UNROLL <= rows; r += UNROLL)
            for (int u = 0; u < UNROLL; u++)
                part[u] = join(kind, part[u], vload_first(x + (r + u) * stride, n));
    }
    for (; r < rows; r++)
        part[0] = join(kind, part[0], vload_first(x + r * stride, n));
    vfloat all = join(kind, join(kind, part[0], part[1]), join(kind, part[2], part[3]));
    vstore_first(sum, all, n);
}

/* Adds rows to UNROLL vectors. */
SIMD_INLINE void add_wide(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                          int64_t stride)
{
    vfloat part[UNROLL];
    for (int u = 0; u < UNROLL; u++)
        part[u] = vload(sum + u * LANES);
    for (int64_t r = 0; r < rows; r++)
        for (int u = 0; u < UNROLL; u++)
            part[u] = join(kind, part[u], vload(x + r * stride + u * LANES));
    for (int u = 0; u < UNROLL; u++)
        vstore(sum + u * LANES, part[u]);
}

/* Rows of fewer elements than a vector, without gaps: LANES rows at a time are `width` vectors, whose
 * element i belongs to column i % width. Returns how many rows it has added. */
SIMD_INLINE int64_t add_narrow(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                               int64_t width)
{
    if (rows < 2 * LANES)
        return 0;
    vfloat part[LANES];
    for (int64_t v = 0; v < width; v++)
        part[v] = neutral(kind);
    int64_t r = 0;
    for (; r + LANES <= rows; r += LANES)
        for (int64_t v = 0; v < width; v++)
            part[v] = join(kind, part[v], vload(x + r * width + v * LANES));
    float flat[LANES * LANES];
    for (int64_t v = 0; v < width; v++)
        vstore(flat + v * LANES, part[v]);
    for (int64_t i = 0; i < LANES; i++)
        vstore_first(sum, join(kind, vload_first(sum, width), vload_first(flat + i * width, width)),
                     width);
    return r;
}

SIMD_INLINE void add_rows(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                          int64_t stride, int64_t width)
{
    if (width < LANES && stride == width) {
        int64_t done = add_narrow(kind, sum, x, rows, width);
        x += done * stride;
        rows -= done;
    }
    int64_t c = 0;
    for (; c + UNROLL * LANES <= width; c += UNROLL * LANES)
        add_wide(kind, sum + c, x + c, rows, stride);
    for (; c < width; c += LANES)
        add_vector(kind, sum + c, x + c, rows, stride, smaller(LANES, width - c));
}

/* Adds the rows [begin, end), in stretches along their innermost dimension. */
SIMD_INLINE void add_row_range(weft_reduce_kind kind, const weft_reduce_args *args, float *sum,
                               const float *x, int64_t begin, int64_t end, int64_t width)
{
    const weft_reduce_walk *rows = &args->rows;
    int64_t inner = rows->rank ? rows->extent[rows->rank - 1] : 1;
    int64_t stride = rows->rank ? rows->from[rows->rank - 1] : 0;
    while (begin < end) {
        int64_t count = smaller(inner - begin % inner, end - begin);
        add_rows(kind, sum, x + walk_offset(rows, rows->from, begin), count, stride, width);
        begin += count;
    }
}

SIMD_INLINE void reduce_columns(weft_reduce_kind kind, const weft_reduce_args *args, float *to,
                                const float *x, int64_t begin, int64_t end, int64_t width,
                                float scale)
{
    float sum[WEFT_REDUCE_COLUMN_BLOCK];
    for (int64_t i = 0; i < width; i += LANES)
        vstore_first(sum + i, neutral(kind), smaller(LANES, width - i));
    add_row_range(kind, args, sum, x, begin, end, width);
    for (int64_t i = 0; i < width; i += LANES) {
        int64_t count = smaller(LANES, width - i);
        vstore_first(to + i, vload_first(sum + i, count) * scale, count);
    }
}

/* ---- Runs: the last dimension is reduced ---- */

SIMD_INLINE void add_run(weft_reduce_kind kind, vfloat *part, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + UNROLL * LANES <= n; i += UNROLL * LANES)
        for (int u = 0; u < UNROLL; u++)
            part[u] = join(kind, part[u], vload(x + i + u * LANES));
    for (; i + LANES <= n; i += LANES)
        part[0] = join(kind, part[0], vload(x + i));
    if (i < n)
        part[1] = join(kind, part[1], load_tail(kind, x + i, n - i));
}

/* The units [begin, end) of a row-major list of runs, each cut into parts. */
SIMD_INLINE float reduce_runs(weft_reduce_kind kind, const weft_reduce_args *args, const float *x,
                              int64_t begin, int64_t end)
{
    int64_t parts = (args->run + WEFT_REDUCE_RUN_PART - 1) / WEFT_REDUCE_RUN_PART;
    vfloat part[UNROLL];
    for (int u = 0; u < UNROLL; u++)
        part[u] = neutral(kind);
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t row = parts == 1 ? unit : unit / parts;
        int64_t first = (unit - row * parts) * WEFT_REDUCE_RUN_PART;
        int64_t offset = walk_offset(&args->rows, args->rows.from, row) + first;
        add_run(kind, part, x + offset, smaller(WEFT_REDUCE_RUN_PART, args->run - first));
    }
    vfloat all = join(kind, join(kind, part[0], part[1]), join(kind, part[2], part[3]));
    return join_lanes(kind, all);
}

/* ---- Pieces ---- */

SIMD_INLINE void reduce(weft_reduce_kind kind, const weft_call *call, int64_t piece)
{
    const weft_reduce_args *args = call->args;
    int64_t slice = piece % args->slices;
    piece /= args->slices;
    int64_t blocks = (args->columns + args->column_block - 1) / args->column_block;
    int64_t column = piece % blocks * args->column_block;
    int64_t width = smaller(args->column_block, args->columns - column);
    int64_t kept = piece / blocks * args->kept_a_piece;
    int64_t kept_end = smaller(kept + args->kept_a_piece, args->kept.count);
    int64_t begin = args->units * slice / args->slices;
    int64_t end = args->units * (slice + 1) / args->slices;
    bool sliced = args->slices > 1;
    float scale = sliced ? 1 : args->scale;
    for (; kept < kept_end; kept++) {
        const float *x = (const float *)call->operand[0] + column +
                         walk_offset(&args->kept, args->kept.from, kept);
        float *to = call->operand[sliced ? args->output + 1 : args->output];
        to += column + (sliced ? (slice * args->kept.count + kept) * args->columns
                               : walk_offset(&args->kept, args->kept.to, kept));
        if (args->run)
            *to = scale * reduce_runs(kind, args, x, begin, end);
        else
            reduce_columns(kind, args, to, x, begin, end, width, scale);
    }
}

/* Joins the slices in order. There is one piece: slices are only cut where results are few. */
SIMD_INLINE void merge(weft_reduce_kind kind, const weft_call *call)
{
    const weft_reduce_args *args = call->args;
    int64_t stride = args->kept.count * args->columns;
    for (int64_t kept = 0; kept < args->kept.count; kept++) {
        float *to =
            (float *)call->operand[args->output] + walk_offset(&args->kept, args->kept.to, kept);
        const float *from = (const float *)call->operand[args->output + 1] + kept * args->columns;
        for (int64_t i = 0; i < args->columns; i += LANES) {
            int64_t count = smaller(LANES, args->columns - i);
            vfloat all = neutral(kind);
            for (int64_t slice = 0; slice < args->slices; slice++)
                all = join(kind, all, vload_first(from + slice * stride + i, count));
            vstore_first(to + i, all * args->scale, count);
        }
    }
}

static void reduce_sum(const weft_call *call, int64_t piece)
{
    reduce(WEFT_REDUCE_SUM, call, piece);
}

static void reduce_max(const weft_call *call, int64_t piece)
{
    reduce(WEFT_REDUCE_MAX, call, piece);
}

static void merge_sum(const weft_call *call, int64_t piece)
{
    (void)piece;
    merge(WEFT_REDUCE_SUM, call);
}

static void merge_max(const weft_call *call, int64_t piece)
{
    (void)piece;
    merge(WEFT_REDUCE_MAX, call);
}

const weft_reduce_kernels WEFT_FOR_ISA(weft_reduce_table) = {
    .reduce = {[WEFT_REDUCE_SUM] = reduce_sum, [WEFT_REDUCE_MAX] = reduce_max},
    .merge = {[WEFT_REDUCE_SUM] = merge_sum, [WEFT_REDUCE_MAX] = merge_max},
};
