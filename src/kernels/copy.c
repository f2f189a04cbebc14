/* Makes boxes ready for the copy kernel. */
#include "kernels/copy.h"

#include "kernels/integer.h"

WEFT_ISA_DEFINE(weft_copy_kernels, weft_copy_table)

enum { ELEMENTS_A_PIECE = 16384, ROW_BLOCK = 64, COLUMN_BLOCK = 64 };

size_t weft_copy_args_bytes(int boxes)
{
    return sizeof(weft_copy_args) + (size_t)boxes * sizeof(weft_copy_job);
}

/* Drops extents of 1 and merges neighbours that are one dimension on both sides. */
static weft_copy_box merged(const weft_copy_box *box)
{
    weft_copy_box out = *box;
    out.rank = 0;
    for (int i = 0; i < box->rank; i++) {
        if (box->extent[i] == 1)
            continue;
        int last = out.rank - 1;
        bool joins = last >= 0 && out.from_stride[last] == box->extent[i] * box->from_stride[i] &&
                     out.to_stride[last] == box->extent[i] * box->to_stride[i];
        int at = joins ? last : out.rank++;
        out.extent[at] = joins ? out.extent[at] * box->extent[i] : box->extent[i];
        out.from_stride[at] = box->from_stride[i];
        out.to_stride[at] = box->to_stride[i];
    }
    return out;
}

/* The dimension that becomes the rows: the one that is contiguous in `from` if the last is not. */
static int row_dimension(const weft_copy_box *box)
{
    if (box->from != WEFT_COPY_FILL && box->from_stride[box->rank - 1] != 1)
        for (int i = 0; i < box->rank - 1; i++)
            if (box->from_stride[i] == 1)
                return i;
    return box->rank - 2;
}

static weft_copy_form form_of(const weft_copy_job *job)
{
    if (job->from == WEFT_COPY_FILL)
        return job->column_to == 1 ? WEFT_COPY_FORM_FILL : WEFT_COPY_FORM_STRIDED;
    if (job->column_from == 1 && job->column_to == 1)
        return WEFT_COPY_FORM_RUNS;
    if (job->row_from == 1 && job->column_to == 1)
        return WEFT_COPY_FORM_TRANSPOSE;
    return WEFT_COPY_FORM_STRIDED;
}

static void block(weft_copy_job *job)
{
    if (job->form == WEFT_COPY_FORM_TRANSPOSE) {
        job->row_block = weft_least(job->rows, ROW_BLOCK);
        job->column_block = weft_least(job->columns, COLUMN_BLOCK);
        return;
    }
    job->column_block = weft_least(job->columns, ELEMENTS_A_PIECE);
    job->row_block = weft_least(job->rows, weft_ceiling(ELEMENTS_A_PIECE, job->column_block));
}

void weft_copy_add(weft_copy_args *args, const weft_copy_box *given)
{
    weft_copy_box box = merged(given);
    weft_copy_job *job = &args->job[args->jobs++];
    *job = (weft_copy_job){.from = box.from,
                           .to = box.to,
                           .from_offset = box.from_offset,
                           .to_offset = box.to_offset,
                           .rows = 1,
                           .columns = 1,
                           .column_from = 1,
                           .column_to = 1};
    int row = box.rank >= 2 ? row_dimension(&box) : -1;
    for (int i = 0; i < box.rank; i++) {
        if (i == box.rank - 1) {
            job->columns = box.extent[i];
            job->column_from = box.from_stride[i];
            job->column_to = box.to_stride[i];
        } else if (i == row) {
            job->rows = box.extent[i];
            job->row_from = box.from_stride[i];
            job->row_to = box.to_stride[i];
        } else {
            job->outer_extent[job->outer_rank] = box.extent[i];
            job->outer_from[job->outer_rank] = box.from_stride[i];
            job->outer_to[job->outer_rank++] = box.to_stride[i];
        }
    }
    job->form = form_of(job);
    block(job);
    job->units =
        weft_ceiling(job->rows, job->row_block) * weft_ceiling(job->columns, job->column_block);
    for (int i = 0; i < job->outer_rank; i++)
        job->units *= job->outer_extent[i];
    job->units_a_piece = weft_ceiling(ELEMENTS_A_PIECE, job->row_block * job->column_block);
    job->first_piece = args->pieces;
    job->pieces = weft_ceiling(job->units, job->units_a_piece);
    args->pieces += job->pieces;
}
