#include "kernels/noise.h"

#include "kernels/dropout.h"
#include "kernels/integer.h"

WEFT_ISA_DEFINE(weft_noise_kernels, weft_noise_table)

/* The elements of a walk's part, sample by sample. */
static void add_to_part(const weft_noise_args *args, weft_noise_row row, int64_t index,
                        int64_t count, int64_t first_sample)
{
    while (count > 0) {
        int64_t sample = index / args->sample_elements;
        row.element = index - sample * args->sample_elements;
        row.sample = first_sample + sample;
        row.count = weft_least(args->sample_elements - row.element, count);
        args->kernels->row(&row);
        row.x += row.count;
        row.out += row.count;
        index += row.count;
        count -= row.count;
    }
}

void weft_noise_piece(const weft_call *call, int64_t piece)
{
    const weft_noise_args *args = call->args;
    int64_t first_sample = args->batch_multiple * call->info->first_sample;
    weft_rows_cursor cursor = weft_rows_begin(&args->rows, piece);
    do {
        weft_noise_row row = {
            .x = (const float *)((const char *)call->operand[0] + cursor.offset[0]),
            .out = (float *)((char *)call->operand[1] + cursor.offset[1]),
            .key = weft_dropout_key(call->info->seed, args->name_key),
            .step = (uint32_t)call->info->step,
            .deviation = args->deviation,
            .scales = args->scales};
        add_to_part(args, row, cursor.index, cursor.count, first_sample);
    } while (weft_rows_next(&args->rows, &cursor));
}
