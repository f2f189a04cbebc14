/* Makes rows of the blocks of convolution_winograd_blocks.h. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_BLOCK_ROWS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_BLOCK_ROWS_H

#include "kernels/convolution_winograd_blocks.h"
#include "kernels/matmul_pack.h"

/* A row of the pixels of each block of a line: `row` of x, or NULL where it is outside. */
static void make_row(const weft_winograd_blocks *b, const weft_winograd_image *blocks,
                     const float *row, float *to)
{
    const int64_t step = b->x.stride[2], channels = b->x.channels;
    for (int64_t j = 0; j < blocks->extent[1]; j++, to += blocks->stride[2]) {
        int64_t first = j * b->stride - b->x.pad[1];
        bool inside = row && first >= 0 && first + b->stride <= b->x.extent[1];
        if (inside && step == channels) {
            copy_floats(to, row + first * step, b->stride * channels);
            continue;
        }
        for (int64_t i = 0; i < b->stride; i++) {
            int64_t column = first + i;
            if (row && column >= 0 && column < b->x.extent[1])
                copy_floats(to + i * channels, row + column * step, channels);
            else
                zero_floats(to + i * channels, channels);
        }
    }
}

/* Row `piece` of all images' blocks; to: the first block of the first. */
static void make_blocks(const weft_winograd_blocks *b, const weft_winograd_image *blocks,
                        const weft_call *call, int64_t piece, float *to)
{
    int64_t image = piece / blocks->extent[0], line = piece % blocks->extent[0];
    const float *x = (const float *)call->operand[b->from] + image * b->x.stride[0];
    to += image * blocks->stride[0] + line * blocks->stride[1];
    for (int64_t i = 0; i < b->stride; i++) {
        int64_t row = line * b->stride + i - b->x.pad[0];
        bool inside = row >= 0 && row < b->x.extent[0];
        make_row(b, blocks, inside ? x + row * b->x.stride[1] : NULL,
                 to + i * b->stride * b->x.channels);
    }
}

#endif
