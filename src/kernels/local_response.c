#include "kernels/local_response.h"

WEFT_ISA_DEFINE(weft_local_response_kernels, weft_local_response_table)

/* A few cycles an element: some 20 microseconds a piece. */
enum { ELEMENTS_A_PIECE = 16384 };

int64_t weft_local_response_cut(weft_local_response_args *args)
{
    args->rows_a_piece = args->channels < ELEMENTS_A_PIECE ? ELEMENTS_A_PIECE / args->channels : 1;
    return (args->rows + args->rows_a_piece - 1) / args->rows_a_piece;
}
