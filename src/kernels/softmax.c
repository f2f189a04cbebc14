#include "kernels/softmax.h"

WEFT_ISA_DEFINE(weft_softmax_kernels, weft_softmax_table)

/* About 10 cycles an element: 20 to 50 microseconds a piece. */
enum { ELEMENTS_A_PIECE = 8192 };

int64_t weft_softmax_cut(weft_softmax_args *args)
{
    args->rows_a_piece = args->classes < ELEMENTS_A_PIECE ? ELEMENTS_A_PIECE / args->classes : 1;
    return (args->rows + args->rows_a_piece - 1) / args->rows_a_piece;
}
