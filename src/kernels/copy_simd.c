/* Strided copies: runs of contiguous elements, 4x4 tiles for transposes, plain loops for the rest. */
#include "kernels/copy.h"
#include "kernels/integer.h"
#include "kernels/simd.h"

/* Where one block of a job begins, on both sides, and its size. */
typedef struct block {
    const char *from; /* NULL: fill */
    char *to;
    int64_t rows, columns;
} block;

SIMD_INLINE void copy_run(float *restrict to, const float *restrict from, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vstore(to + i, vload(from + i));
    if (i < n)
        vstore_first(to + i, vload_first(from + i, n - i), n - i);
}

static void copy_runs(const weft_copy_args *args, const weft_copy_job *job, block b)
{
    if (args->element_bytes != 4) {
        for (int64_t r = 0; r < b.rows; r++)
            memcpy(b.to + r * job->row_to, b.from + r * job->row_from, (size_t)b.columns);
        return;
    }
    const float *from = (const float *)b.from;
    float *to = (float *)b.to;
    for (int64_t r = 0; r < b.rows; r++)
        copy_run(to + r * job->row_to, from + r * job->row_from, b.columns);
}

static void fill_runs(const weft_copy_args *args, const weft_copy_job *job, block b)
{
    vfloat fill = vsplat(args->fill);
    for (int64_t r = 0; r < b.rows; r++) {
        float *to = (float *)b.to + r * job->row_to;
        int64_t i = 0;
        for (; i + LANES <= b.columns; i += LANES)
            vstore(to + i, fill);
        if (i < b.columns)
            vstore_first(to + i, fill, b.columns - i);
    }
}

static void copy_strided(const weft_copy_args *args, const weft_copy_job *job, block b)
{
    for (int64_t r = 0; r < b.rows; r++)
        for (int64_t c = 0; c < b.columns; c++) {
            int64_t to = r * job->row_to + c * job->column_to;
            int64_t from = r * job->row_from + c * job->column_from;
            if (args->element_bytes == 1)
                b.to[to] = b.from[from];
            else
                ((float *)b.to)[to] = b.from ? ((const float *)b.from)[from] : args->fill;
        }
}

typedef float quad __attribute__((vector_size(16)));
typedef float quad_memory __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t quad_index __attribute__((vector_size(16)));

/* Four rows of four columns; rows are contiguous in `from`, columns in `to`. */
SIMD_INLINE void transpose_tile(float *to, int64_t row_to, const float *from, int64_t column_from)
{
    quad a = *(const quad_memory *)from;
    quad b = *(const quad_memory *)(from + column_from);
    quad c = *(const quad_memory *)(from + 2 * column_from);
    quad d = *(const quad_memory *)(from + 3 * column_from);
    const quad_index low = {0, 4, 1, 5}, high = {2, 6, 3, 7};
    const quad_index first = {0, 1, 4, 5}, second = {2, 3, 6, 7};
    quad ab_low = __builtin_shuffle(a, b, low), ab_high = __builtin_shuffle(a, b, high);
    quad cd_low = __builtin_shuffle(c, d, low), cd_high = __builtin_shuffle(c, d, high);
    *(quad_memory *)to = __builtin_shuffle(ab_low, cd_low, first);
    *(quad_memory *)(to + row_to) = __builtin_shuffle(ab_low, cd_low, second);
    *(quad_memory *)(to + 2 * row_to) = __builtin_shuffle(ab_high, cd_high, first);
    *(quad_memory *)(to + 3 * row_to) = __builtin_shuffle(ab_high, cd_high, second);
}

static void copy_transposed(const weft_copy_args *args, const weft_copy_job *job, block b)
{
    if (args->element_bytes != 4) {
        copy_strided(args, job, b);
        return;
    }
    const float *from = (const float *)b.from;
    float *to = (float *)b.to;
    int64_t row_to = job->row_to, column_from = job->column_from;
    int64_t tiled_rows = b.rows & ~(int64_t)3, tiled_columns = b.columns & ~(int64_t)3;
    for (int64_t r = 0; r < tiled_rows; r += 4)
        for (int64_t c = 0; c < tiled_columns; c += 4)
            transpose_tile(to + r * row_to + c, row_to, from + c * column_from + r, column_from);
    for (int64_t r = 0; r < b.rows; r++)
        for (int64_t c = r < tiled_rows ? tiled_columns : 0; c < b.columns; c++)
            to[r * row_to + c] = from[c * column_from + r];
}

typedef void block_fn(const weft_copy_args *args, const weft_copy_job *job, block b);

static block_fn *const forms[WEFT_COPY_FORMS] = {
    [WEFT_COPY_FORM_FILL] = fill_runs,
    [WEFT_COPY_FORM_RUNS] = copy_runs,
    [WEFT_COPY_FORM_TRANSPOSE] = copy_transposed,
    [WEFT_COPY_FORM_STRIDED] = copy_strided,
};

static void copy_unit(const weft_copy_args *args, const weft_copy_job *job, void *const *operand,
                      int64_t unit)
{
    int64_t column_blocks = weft_ceiling(job->columns, job->column_block);
    int64_t row_blocks = weft_ceiling(job->rows, job->row_block);
    int64_t column = unit % column_blocks * job->column_block;
    unit /= column_blocks;
    int64_t row = unit % row_blocks * job->row_block;
    unit /= row_blocks;
    int64_t from = job->from_offset + row * job->row_from + column * job->column_from;
    int64_t to = job->to_offset + row * job->row_to + column * job->column_to;
    for (int i = job->outer_rank - 1; i >= 0; i--) {
        int64_t at = unit % job->outer_extent[i];
        unit /= job->outer_extent[i];
        from += at * job->outer_from[i];
        to += at * job->outer_to[i];
    }
    block b = {.to = (char *)operand[job->to] + to * args->element_bytes,
               .rows = weft_least(job->row_block, job->rows - row),
               .columns = weft_least(job->column_block, job->columns - column)};
    if (job->from != WEFT_COPY_FILL)
        b.from = (const char *)operand[job->from] + from * args->element_bytes;
    forms[job->form](args, job, b);
}

static void copy(const weft_call *call, int64_t piece)
{
    const weft_copy_args *args = call->args;
    const weft_copy_job *job = args->job;
    while (piece >= job->first_piece + job->pieces)
        job++;
    int64_t begin = (piece - job->first_piece) * job->units_a_piece;
    int64_t end = weft_least(begin + job->units_a_piece, job->units);
    for (int64_t unit = begin; unit < end; unit++)
        copy_unit(args, job, call->operand, unit);
}

const weft_copy_kernels WEFT_FOR_ISA(weft_copy_table) = {.copy = copy};
