/* Walking over operands row by row: see map.h. */
#include "kernels/map.h"

/* About 20 to 60 microseconds of streaming a piece; whole vectors and cache lines. */
enum { PIECE_ELEMENTS = 16384, PART_MULTIPLE = 64 };

weft_tensor weft_tensor_broadcast(const weft_tensor *tensor, const weft_tensor *like)
{
    weft_tensor wide = *like;
    wide.dtype = tensor->dtype;
    wide.data = tensor->data;
    for (int d = 0; d < like->rank; d++) {
        int own = d - (like->rank - tensor->rank);
        wide.stride[d] = own < 0 || tensor->extent[own] == 1 ? 0 : tensor->stride[own];
    }
    return wide;
}

/* True where the last dimension and one outside it with these strides are one. */
static bool merges(const weft_rows *rows, const int64_t *outer, int last)
{
    for (int i = 0; i < rows->operands; i++)
        if (outer[i] != rows->stride[i][last] * rows->extent[last])
            return false;
    return true;
}

/* Collects dimensions from the innermost outwards, merging those that are one run in every operand.
 * Here dimension 0 is the innermost. */
static void collect(weft_rows *rows, const weft_tensor *tensor)
{
    const weft_tensor *output = &tensor[rows->operands - 1];
    for (int d = output->rank - 1; d >= 0; d--) {
        if (output->extent[d] == 1)
            continue;
        int64_t stride[WEFT_MAP_INPUTS + 1];
        for (int i = 0; i < rows->operands; i++)
            stride[i] = tensor[i].stride[d] * (int64_t)weft_dtype_bytes(tensor[i].dtype);
        if (rows->rank > 0 && merges(rows, stride, rows->rank - 1)) {
            rows->extent[rows->rank - 1] *= output->extent[d];
            continue;
        }
        rows->extent[rows->rank] = output->extent[d];
        for (int i = 0; i < rows->operands; i++)
            rows->stride[i][rows->rank] = stride[i];
        rows->rank++;
    }
}

/* A row is contiguous in the output, and contiguous or a single element in each input. */
static bool innermost_is_row(const weft_rows *rows, const weft_tensor *tensor)
{
    for (int i = 0; rows->rank > 0 && i < rows->operands; i++) {
        bool contiguous = rows->stride[i][0] == (int64_t)weft_dtype_bytes(tensor[i].dtype);
        bool one = i < rows->operands - 1 && rows->stride[i][0] == 0;
        if (!contiguous && !one)
            return false;
    }
    return rows->rank > 0;
}

/* Makes rows of one element, for tensors of one element and for pixels that lie apart. */
static void add_row_of_one(weft_rows *rows, const weft_tensor *tensor)
{
    for (int d = rows->rank; d > 0; d--) {
        rows->extent[d] = rows->extent[d - 1];
        for (int i = 0; i < rows->operands; i++)
            rows->stride[i][d] = rows->stride[i][d - 1];
    }
    rows->extent[0] = 1;
    for (int i = 0; i < rows->operands; i++)
        rows->stride[i][0] = (int64_t)weft_dtype_bytes(tensor[i].dtype);
    rows->rank++;
}

static int64_t cut(weft_rows *rows)
{
    int64_t inner = rows->extent[0];
    rows->rows = 1;
    for (int d = 1; d < rows->rank; d++)
        rows->rows *= rows->extent[d];
    rows->parts = 1;
    rows->part_elements = inner;
    rows->piece_parts = inner < PIECE_ELEMENTS ? PIECE_ELEMENTS / inner : 1;
    if (inner >= 2 * PIECE_ELEMENTS) {
        int64_t wanted = (inner + PIECE_ELEMENTS - 1) / PIECE_ELEMENTS;
        int64_t each = (inner + wanted - 1) / wanted;
        rows->part_elements = (each + PART_MULTIPLE - 1) / PART_MULTIPLE * PART_MULTIPLE;
        rows->parts = (inner + rows->part_elements - 1) / rows->part_elements;
    }
    return (rows->rows * rows->parts + rows->piece_parts - 1) / rows->piece_parts;
}

int64_t weft_rows_plan(weft_rows *rows, const weft_tensor *input, int inputs,
                       const weft_tensor *output)
{
    weft_tensor tensor[WEFT_MAP_INPUTS + 1];
    *rows = (weft_rows){.operands = inputs + 1};
    for (int i = 0; i < inputs; i++)
        tensor[i] = weft_tensor_broadcast(&input[i], output);
    tensor[inputs] = *output;
    collect(rows, tensor);
    if (!innermost_is_row(rows, tensor))
        add_row_of_one(rows, tensor);
    for (int i = 0; i < inputs; i++)
        rows->splat |= rows->stride[i][0] == 0 ? 1u << i : 0;
    return cut(rows);
}

weft_rows_cursor weft_rows_begin(const weft_rows *rows, int64_t piece)
{
    weft_rows_cursor cursor = {.part = piece * rows->piece_parts};
    int64_t parts = rows->rows * rows->parts;
    cursor.end = cursor.part + rows->piece_parts;
    if (cursor.end > parts)
        cursor.end = parts;
    int64_t row = cursor.part / rows->parts;
    int64_t first = cursor.part % rows->parts * rows->part_elements;
    cursor.index = row * rows->extent[0] + first;
    cursor.count = rows->extent[0] - first;
    if (cursor.count > rows->part_elements)
        cursor.count = rows->part_elements;
    for (int i = 0; i < rows->operands; i++)
        cursor.offset[i] = first * rows->stride[i][0];
    for (int d = 1; d < rows->rank; d++) {
        cursor.coordinate[d] = row % rows->extent[d];
        row /= rows->extent[d];
        for (int i = 0; i < rows->operands; i++)
            cursor.offset[i] += cursor.coordinate[d] * rows->stride[i][d];
    }
    return cursor;
}

bool weft_rows_next(const weft_rows *rows, weft_rows_cursor *cursor)
{
    /* A row in several parts has one part a piece, so what follows is always a row. */
    if (++cursor->part >= cursor->end)
        return false;
    cursor->index += rows->extent[0];
    for (int d = 1; d < rows->rank; d++) {
        bool carry = ++cursor->coordinate[d] == rows->extent[d];
        int64_t steps = carry ? 1 - rows->extent[d] : 1;
        for (int i = 0; i < rows->operands; i++)
            cursor->offset[i] += steps * rows->stride[i][d];
        if (!carry)
            break;
        cursor->coordinate[d] = 0;
    }
    return true;
}
