#include "kernels/one_hot.h"

#include "kernels/integer.h"

enum { ELEMENTS_A_PIECE = 16384 };

int64_t weft_one_hot_cut(weft_one_hot_args *args)
{
    args->rows_a_piece = weft_most(1, ELEMENTS_A_PIECE / args->depth);
    return weft_ceiling(args->rows, args->rows_a_piece);
}

void weft_one_hot_run(const weft_call *call, int64_t piece)
{
    const weft_one_hot_args *args = call->args;
    const int32_t *index = call->operand[0];
    int64_t begin = piece * args->rows_a_piece;
    int64_t end = weft_least(begin + args->rows_a_piece, args->rows);
    for (int64_t row = begin; row < end; row++) {
        float *y = (float *)call->operand[1] + row * args->depth;
        for (int64_t i = 0; i < args->depth; i++)
            y[i] = args->off;
        if (index[row] >= 0 && index[row] < args->depth)
            y[index[row]] = args->on;
    }
}
