#include "kernels/gather.h"

#include "kernels/integer.h"

#include <string.h>

enum { ELEMENTS_A_PIECE = 16384, MOST_RANGES = 16, BLOCK = 64 };

int64_t weft_gather_cut(weft_gather_args *args)
{
    args->rows_a_piece = weft_most(1, ELEMENTS_A_PIECE / args->inner);
    return weft_ceiling(args->outer * args->positions, args->rows_a_piece);
}

/* Each range looks at all indices: that is little where an index says it for a whole row. */
int64_t weft_scatter_cut(weft_gather_args *args)
{
    int64_t work = (args->extent + args->positions) * args->inner;
    int64_t ranges = weft_least(MOST_RANGES, weft_ceiling(work, ELEMENTS_A_PIECE));
    args->ranges = args->each ? 1 : weft_least(args->extent, ranges);
    args->blocks = args->each ? weft_ceiling(args->inner, BLOCK) : 1;
    return args->outer * args->ranges * args->blocks;
}

void weft_gather_run(const weft_call *call, int64_t piece)
{
    const weft_gather_args *args = call->args;
    int64_t inner = args->inner;
    int64_t begin = piece * args->rows_a_piece;
    int64_t end = weft_least(begin + args->rows_a_piece, args->outer * args->positions);
    for (int64_t row = begin; row < end; row++) {
        const float *x =
            (const float *)call->operand[0] + row / args->positions * args->extent * inner;
        float *y = (float *)call->operand[args->to] + row * inner;
        if (args->each) {
            const int32_t *index = (const int32_t *)call->operand[1] + row * inner;
            for (int64_t i = 0; i < inner; i++)
                y[i] = index[i] >= 0 && index[i] < args->extent ? x[index[i] * inner + i] : 0;
            continue;
        }
        int32_t index = ((const int32_t *)call->operand[1])[row % args->positions];
        if (index >= 0 && index < args->extent)
            memcpy(y, x + index * inner, (size_t)inner * sizeof(float));
        else
            memset(y, 0, (size_t)inner * sizeof(float));
    }
}

/* Adds the rows whose index is in [low, high). */
static void add_rows(const weft_gather_args *args, const int32_t *index, const float *x, float *y,
                     int64_t low, int64_t high)
{
    for (int64_t p = 0; p < args->positions; p++) {
        if (index[p] < low || index[p] >= high)
            continue;
        float *to = y + index[p] * args->inner;
        const float *from = x + p * args->inner;
        for (int64_t i = 0; i < args->inner; i++)
            to[i] += from[i];
    }
}

static void add_each(const weft_gather_args *args, const int32_t *index, const float *x, float *y,
                     int64_t first, int64_t end)
{
    for (int64_t p = 0; p < args->positions; p++)
        for (int64_t i = first; i < end; i++) {
            int64_t at = p * args->inner + i;
            if (index[at] >= 0 && index[at] < args->extent)
                y[index[at] * args->inner + i] += x[at];
        }
}

void weft_scatter_add_run(const weft_call *call, int64_t piece)
{
    const weft_gather_args *args = call->args;
    int64_t block = piece % args->blocks, range = piece / args->blocks % args->ranges;
    int64_t outer = piece / args->blocks / args->ranges;
    int64_t low = args->extent * range / args->ranges;
    int64_t high = args->extent * (range + 1) / args->ranges;
    int64_t first = args->inner * block / args->blocks;
    int64_t end = args->inner * (block + 1) / args->blocks;
    int64_t count = args->positions * args->inner;
    const float *x = (const float *)call->operand[0] + outer * count;
    const int32_t *index = (const int32_t *)call->operand[1] + (args->each ? outer * count : 0);
    float *y = (float *)call->operand[args->to] + outer * args->extent * args->inner;
    for (int64_t k = low; k < high; k++)
        memset(y + k * args->inner + first, 0, (size_t)(end - first) * sizeof(float));
    if (args->each)
        add_each(args, index, x, y, first, end);
    else
        add_rows(args, index, x, y, low, high);
}
