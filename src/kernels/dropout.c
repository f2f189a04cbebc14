#include "kernels/dropout.h"

WEFT_ISA_DEFINE(weft_dropout_kernels, weft_dropout_kernel_table)

/* The elements of a walk's part, sample by sample. */
static void drop_part(const weft_dropout_args *args, const weft_dropout_stream *stream,
                      weft_dropout_row row, int64_t index, int64_t count, int64_t first_sample)
{
    while (count > 0) {
        int64_t sample = index / args->sample_elements;
        row.element = index - sample * args->sample_elements;
        row.sample = first_sample + sample;
        row.count = args->sample_elements - row.element;
        if (row.count > count)
            row.count = count;
        args->kernels->row(stream, &row);
        row.x += row.count;
        row.out += row.count;
        index += row.count;
        count -= row.count;
    }
}

void weft_dropout_piece(const weft_call *call, int64_t piece)
{
    const weft_dropout_args *args = call->args;
    weft_dropout_stream stream = {.key = weft_dropout_key(call->info->seed, args->name_key),
                                  .step = (uint32_t)call->info->step,
                                  .threshold = args->threshold};
    int64_t first_sample = args->batch_multiple * call->info->first_sample;
    weft_rows_cursor cursor = weft_rows_begin(&args->rows, piece);
    do {
        weft_dropout_row row = {
            .x = (const float *)((const char *)call->operand[0] + cursor.offset[0]),
            .out = (float *)((char *)call->operand[1] + cursor.offset[1]),
            .scale = args->scale};
        drop_part(args, &stream, row, cursor.index, cursor.count, first_sample);
    } while (weft_rows_next(&args->rows, &cursor));
}
