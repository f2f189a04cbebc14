#include "kernels/map.h"

WEFT_ISA_DEFINE(weft_map_kernels, weft_map_kernel_table)

void weft_map_piece(const weft_call *call, int64_t piece)
{
    const weft_map_args *args = call->args;
    const weft_rows *rows = &args->rows;
    int inputs = rows->operands - 1;
    weft_rows_cursor cursor = weft_rows_begin(rows, piece);
    weft_map_row row = {
        .count = cursor.count, .rows = 1, .splat = rows->splat, .a = args->a, .b = args->b};
    do {
        for (int i = 0; i < WEFT_MAP_INPUTS; i++) {
            int from = i < inputs ? i : 0;
            row.in[i] = (const char *)call->operand[args->slot[from]] + cursor.offset[from];
        }
        row.out = (char *)call->operand[args->slot[inputs]] + cursor.offset[inputs];
        args->row(&row);
    } while (weft_rows_next(rows, &cursor));
}
