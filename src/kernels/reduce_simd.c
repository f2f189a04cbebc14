/* The two phases of a reduction: slices, and their merge. */
#include "kernels/integer.h"
#include "kernels/reduce.h"
#include "kernels/simd.h"

#include <math.h>

enum { UNROLL = 4 };

/* ---- What kinds of reduction differ in ---- */

SIMD_INLINE bool adds(weft_reduce_kind kind)
{
    return kind <= WEFT_REDUCE_SUM_DEVIATIONS;
}

SIMD_INLINE float neutral_number(weft_reduce_kind kind)
{
    return adds(kind) ? 0.0f : kind == WEFT_REDUCE_MIN ? INFINITY : -INFINITY;
}

SIMD_INLINE vfloat neutral(weft_reduce_kind kind)
{
    return vsplat(neutral_number(kind));
}

/* What an element brings into the reduction. */
SIMD_INLINE vfloat term(weft_reduce_kind kind, vfloat x, vfloat mean)
{
    switch (kind) {
    case WEFT_REDUCE_SUM_MAGNITUDES:
    case WEFT_REDUCE_MAX_MAGNITUDE:
        return vabs(x);
    case WEFT_REDUCE_ROOT_SUM_SQUARES:
        return x * x;
    case WEFT_REDUCE_SUM_DEVIATIONS:
        return (x - mean) * (x - mean);
    default:
        return x;
    }
}

SIMD_INLINE vfloat join(weft_reduce_kind kind, vfloat a, vfloat b)
{
    if (adds(kind))
        return a + b;
    return vselect((kind == WEFT_REDUCE_MIN ? b < a : b > a) | (b != b), b, a);
}

SIMD_INLINE float join_lanes(weft_reduce_kind kind, vfloat v)
{
    if (adds(kind))
        return vsum(v);
    float lane[LANES];
    vstore(lane, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) {
            float other = lane[i + width];
            bool wins = kind == WEFT_REDUCE_MIN ? other < lane[i] : other > lane[i];
            lane[i] = wins || other != other ? other : lane[i];
        }
    return lane[0];
}

/* The result of everything, from what is joined. */
SIMD_INLINE vfloat finish(weft_reduce_kind kind, vfloat all, float scale)
{
    return kind == WEFT_REDUCE_ROOT_SUM_SQUARES ? vsqrt(all * scale) : all * scale;
}

/* The terms of the first n elements, then neutral ones. */
SIMD_INLINE vfloat tail_terms(weft_reduce_kind kind, const float *p, int64_t n, vfloat mean)
{
    vfloat v = term(kind, vload_first(p, n), mean);
    if (adds(kind) && kind != WEFT_REDUCE_SUM_DEVIATIONS)
        return v;
    return vkeep_first(v, n, neutral_number(kind));
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

/* ---- Columns: rows are added to elements that lie side by side, each column with its mean ---- */

/* Adds `rows` rows to one vector (or its first n elements). */
SIMD_INLINE void add_vector(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                            int64_t stride, int64_t n, const float *mean)
{
    vfloat part[UNROLL] = {vload_first(sum, n), neutral(kind), neutral(kind), neutral(kind)};
    vfloat m = mean ? vload_first(mean, n) : vsplat(0);
    int64_t r = 0;
    if (n == LANES) {
        for (; r + UNROLL <= rows; r += UNROLL)
            for (int u = 0; u < UNROLL; u++)
                part[u] = join(kind, part[u], term(kind, vload(x + (r + u) * stride), m));
    } else {
        for (; r + UNROLL <= rows; r += UNROLL)
            for (int u = 0; u < UNROLL; u++)
                part[u] = join(kind, part[u], term(kind, vload_first(x + (r + u) * stride, n), m));
    }
    for (; r < rows; r++)
        part[0] = join(kind, part[0], term(kind, vload_first(x + r * stride, n), m));
    vfloat all = join(kind, join(kind, part[0], part[1]), join(kind, part[2], part[3]));
    vstore_first(sum, all, n);
}

/* Adds rows to UNROLL vectors. */
SIMD_INLINE void add_wide(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                          int64_t stride, const float *mean)
{
    vfloat part[UNROLL], m[UNROLL];
    for (int u = 0; u < UNROLL; u++) {
        part[u] = vload(sum + u * LANES);
        m[u] = mean ? vload(mean + u * LANES) : vsplat(0);
    }
    for (int64_t r = 0; r < rows; r++)
        for (int u = 0; u < UNROLL; u++)
            part[u] = join(kind, part[u], term(kind, vload(x + r * stride + u * LANES), m[u]));
    for (int u = 0; u < UNROLL; u++)
        vstore(sum + u * LANES, part[u]);
}

/* Rows of fewer elements than a vector, without gaps: LANES rows at a time are `width` vectors, whose
 * element i belongs to column i % width. Returns how many rows it has added. */
SIMD_INLINE int64_t add_narrow(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                               int64_t width, const float *mean)
{
    if (rows < 2 * LANES)
        return 0;
    vfloat part[LANES], m[LANES];
    float flat[LANES * LANES];
    for (int64_t i = 0; mean && i < LANES * width; i++)
        flat[i] = mean[i % width];
    for (int64_t v = 0; v < width; v++) {
        part[v] = neutral(kind);
        m[v] = mean ? vload(flat + v * LANES) : vsplat(0);
    }
    int64_t r = 0;
    for (; r + LANES <= rows; r += LANES)
        for (int64_t v = 0; v < width; v++)
            part[v] = join(kind, part[v], term(kind, vload(x + r * width + v * LANES), m[v]));
    for (int64_t v = 0; v < width; v++)
        vstore(flat + v * LANES, part[v]);
    for (int64_t i = 0; i < LANES; i++)
        vstore_first(sum, join(kind, vload_first(sum, width), vload_first(flat + i * width, width)),
                     width);
    return r;
}

SIMD_INLINE void add_rows(weft_reduce_kind kind, float *sum, const float *x, int64_t rows,
                          int64_t stride, int64_t width, const float *mean)
{
    if (width < LANES && stride == width) {
        int64_t done = add_narrow(kind, sum, x, rows, width, mean);
        x += done * stride;
        rows -= done;
    }
    int64_t c = 0;
    for (; c + UNROLL * LANES <= width; c += UNROLL * LANES)
        add_wide(kind, sum + c, x + c, rows, stride, mean ? mean + c : NULL);
    for (; c < width; c += LANES)
        add_vector(kind, sum + c, x + c, rows, stride, weft_least(LANES, width - c),
                   mean ? mean + c : NULL);
}

/* Adds the rows [begin, end), in stretches along their innermost dimension. */
SIMD_INLINE void add_row_range(weft_reduce_kind kind, const weft_reduce_args *args, float *sum,
                               const float *x, int64_t begin, int64_t end, int64_t width,
                               const float *mean)
{
    const weft_reduce_walk *rows = &args->rows;
    int64_t inner = rows->rank ? rows->extent[rows->rank - 1] : 1;
    int64_t stride = rows->rank ? rows->from[rows->rank - 1] : 0;
    while (begin < end) {
        int64_t count = weft_least(inner - begin % inner, end - begin);
        add_rows(kind, sum, x + walk_offset(rows, rows->from, begin), count, stride, width, mean);
        begin += count;
    }
}

SIMD_INLINE void join_columns(weft_reduce_kind kind, const weft_reduce_args *args, float *sum,
                              const float *x, int64_t begin, int64_t end, int64_t width,
                              const float *mean)
{
    for (int64_t i = 0; i < width; i += LANES)
        vstore_first(sum + i, neutral(kind), weft_least(LANES, width - i));
    add_row_range(kind, args, sum, x, begin, end, width, mean);
}

SIMD_INLINE void scale_columns(float *to, const float *from, int64_t width, float scale)
{
    for (int64_t i = 0; i < width; i += LANES) {
        int64_t count = weft_least(LANES, width - i);
        vstore_first(to + i, vload_first(from + i, count) * scale, count);
    }
}

/* ---- Runs: the last dimension is reduced ---- */

SIMD_INLINE void add_run(weft_reduce_kind kind, vfloat *part, const float *x, int64_t n,
                         vfloat mean)
{
    int64_t i = 0;
    for (; i + UNROLL * LANES <= n; i += UNROLL * LANES)
        for (int u = 0; u < UNROLL; u++)
            part[u] = join(kind, part[u], term(kind, vload(x + i + u * LANES), mean));
    for (; i + LANES <= n; i += LANES)
        part[0] = join(kind, part[0], term(kind, vload(x + i), mean));
    if (i < n)
        part[1] = join(kind, part[1], tail_terms(kind, x + i, n - i, mean));
}

/* The units [begin, end) of a row-major list of runs, each cut into parts. */
SIMD_INLINE float reduce_runs(weft_reduce_kind kind, const weft_reduce_args *args, const float *x,
                              int64_t begin, int64_t end, float mean)
{
    int64_t parts = weft_ceiling(args->run, WEFT_REDUCE_RUN_PART);
    vfloat part[UNROLL];
    for (int u = 0; u < UNROLL; u++)
        part[u] = neutral(kind);
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t row = parts == 1 ? unit : unit / parts;
        int64_t first = (unit - row * parts) * WEFT_REDUCE_RUN_PART;
        int64_t offset = walk_offset(&args->rows, args->rows.from, row) + first;
        int64_t count = weft_least(WEFT_REDUCE_RUN_PART, args->run - first);
        add_run(kind, part, x + offset, count, vsplat(mean));
    }
    vfloat all = join(kind, join(kind, part[0], part[1]), join(kind, part[2], part[3]));
    return join_lanes(kind, all);
}

/* ---- Pieces ---- */

static int64_t slice_begin(const weft_reduce_args *args, int64_t slice)
{
    return args->units * slice / args->slices;
}

/* Elements for one result in the units before this one. */
static int64_t terms_before(const weft_reduce_args *args, int64_t unit)
{
    int64_t parts = weft_ceiling(args->run, WEFT_REDUCE_RUN_PART);
    return args->run ? unit / parts * args->run + unit % parts * WEFT_REDUCE_RUN_PART : unit;
}

static int64_t terms_of(const weft_reduce_args *args, int64_t slice)
{
    return terms_before(args, slice_begin(args, slice + 1)) -
           terms_before(args, slice_begin(args, slice));
}

/* Joins what one slice has for `width` results; of deviations it writes the means too, after the results of
 * all slices. */
SIMD_INLINE void reduce_slice(weft_reduce_kind kind, const weft_reduce_args *args, int64_t slice,
                              float *to, const float *x, int64_t width)
{
    int64_t begin = slice_begin(args, slice), end = slice_begin(args, slice + 1);
    bool centered = kind == WEFT_REDUCE_SUM_DEVIATIONS;
    float all[WEFT_REDUCE_COLUMN_BLOCK], mean[WEFT_REDUCE_COLUMN_BLOCK];
    mean[0] = 0;
    float share = centered ? 1 / (float)terms_of(args, slice) : 0;
    if (args->run) {
        if (centered)
            mean[0] = share * reduce_runs(WEFT_REDUCE_SUM, args, x, begin, end, 0);
        all[0] = reduce_runs(kind, args, x, begin, end, mean[0]);
    } else {
        if (centered) {
            join_columns(WEFT_REDUCE_SUM, args, mean, x, begin, end, width, NULL);
            scale_columns(mean, mean, width, share);
        }
        join_columns(kind, args, all, x, begin, end, width, centered ? mean : NULL);
    }
    if (args->slices > 1) {
        scale_columns(to, all, width, 1);
        if (centered)
            scale_columns(to + args->slices * args->kept.count * args->columns, mean, width, 1);
        return;
    }
    for (int64_t i = 0; i < width; i += LANES) {
        int64_t count = weft_least(LANES, width - i);
        vstore_first(to + i, finish(kind, vload_first(all + i, count), args->scale), count);
    }
}

SIMD_INLINE void reduce(weft_reduce_kind kind, const weft_call *call, int64_t piece)
{
    const weft_reduce_args *args = call->args;
    int64_t slice = piece % args->slices;
    piece /= args->slices;
    int64_t blocks = weft_ceiling(args->columns, args->column_block);
    int64_t column = piece % blocks * args->column_block;
    int64_t width = weft_least(args->column_block, args->columns - column);
    int64_t kept = piece / blocks * args->kept_a_piece;
    int64_t kept_end = weft_least(kept + args->kept_a_piece, args->kept.count);
    bool sliced = args->slices > 1;
    for (; kept < kept_end; kept++) {
        const float *x = (const float *)call->operand[0] + column +
                         walk_offset(&args->kept, args->kept.from, kept);
        float *to = call->operand[sliced ? args->output + 1 : args->output];
        to += column + (sliced ? (slice * args->kept.count + kept) * args->columns
                               : walk_offset(&args->kept, args->kept.to, kept));
        reduce_slice(kind, args, slice, to, x, width);
    }
}

/* Of n results from `from` on, one for each slice. */
SIMD_INLINE vfloat join_slices(weft_reduce_kind kind, const weft_reduce_args *args,
                               const float *from, int64_t stride, int64_t n)
{
    if (kind != WEFT_REDUCE_SUM_DEVIATIONS) {
        vfloat all = neutral(kind);
        for (int64_t slice = 0; slice < args->slices; slice++)
            all = join(kind, all, vload_first(from + slice * stride, n));
        return all;
    }
    const float *means = from + args->slices * stride;
    vfloat all = vload_first(from, n), mean = vload_first(means, n);
    int64_t terms = terms_of(args, 0);
    for (int64_t slice = 1; slice < args->slices; slice++) {
        int64_t more = terms_of(args, slice);
        float share = (float)more / (float)(terms + more);
        vfloat apart = vload_first(means + slice * stride, n) - mean;
        all += vload_first(from + slice * stride, n) + apart * apart * ((float)terms * share);
        mean += apart * share;
        terms += more;
    }
    return all;
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
            int64_t count = weft_least(LANES, args->columns - i);
            vfloat all = join_slices(kind, args, from + i, stride, count);
            vstore_first(to + i, finish(kind, all, args->scale), count);
        }
    }
}

#define KIND(name, kind)                                                                           \
    static void reduce_##name(const weft_call *call, int64_t piece)                                \
    {                                                                                              \
        reduce(kind, call, piece);                                                                 \
    }                                                                                              \
    static void merge_##name(const weft_call *call, int64_t piece)                                 \
    {                                                                                              \
        (void)piece;                                                                               \
        merge(kind, call);                                                                         \
    }
KIND(sum, WEFT_REDUCE_SUM)
KIND(sum_magnitudes, WEFT_REDUCE_SUM_MAGNITUDES)
KIND(root_sum_squares, WEFT_REDUCE_ROOT_SUM_SQUARES)
KIND(sum_deviations, WEFT_REDUCE_SUM_DEVIATIONS)
KIND(max, WEFT_REDUCE_MAX)
KIND(max_magnitude, WEFT_REDUCE_MAX_MAGNITUDE)
KIND(min, WEFT_REDUCE_MIN)

const weft_reduce_kernels WEFT_FOR_ISA(weft_reduce_table) = {
    .reduce = {reduce_sum, reduce_sum_magnitudes, reduce_root_sum_squares, reduce_sum_deviations,
               reduce_max, reduce_max_magnitude, reduce_min},
    .merge = {merge_sum, merge_sum_magnitudes, merge_root_sum_squares, merge_sum_deviations,
              merge_max, merge_max_magnitude, merge_min},
};
