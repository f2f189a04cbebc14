#include "kernels/pixels.h"

/* True where dimension d of every tensor goes on where the rows so far end. */
static bool extends_row(const weft_pixels *pixels, const weft_tensor *const *tensor, int operands,
                        int d)
{
    for (int i = 0; i < operands; i++)
        if (tensor[i]->stride[d] != pixels->row * pixels->step[i])
            return false;
    return true;
}

weft_pixels weft_pixels_of(const weft_tensor *const *tensor, int operands)
{
    weft_pixels pixels = {.operands = operands, .count = 1, .row = 1};
    for (int d = tensor[0]->rank - 2; d >= 0; d--) {
        int64_t extent = tensor[0]->extent[d];
        if (extent == 1)
            continue;
        if (pixels.count == 1) {
            for (int i = 0; i < operands; i++)
                pixels.step[i] = tensor[i]->stride[d];
            pixels.row = extent;
        } else if (!pixels.outer && extends_row(&pixels, tensor, operands, d)) {
            pixels.row *= extent;
        } else {
            pixels.outer_extent[pixels.outer] = extent;
            for (int i = 0; i < operands; i++)
                pixels.outer_step[i][pixels.outer] = tensor[i]->stride[d];
            pixels.outer++;
        }
        pixels.count *= extent;
    }
    return pixels;
}

weft_pixel_run weft_pixels_run(const weft_pixels *pixels, int64_t pixel, int64_t end)
{
    int64_t row = pixel / pixels->row, first = pixel % pixels->row;
    weft_pixel_run run = {.count = pixels->row - first};
    if (run.count > end - pixel)
        run.count = end - pixel;
    for (int i = 0; i < pixels->operands; i++)
        run.offset[i] = first * pixels->step[i];
    for (int d = 0; d < pixels->outer; d++) {
        int64_t coordinate = row % pixels->outer_extent[d];
        row /= pixels->outer_extent[d];
        for (int i = 0; i < pixels->operands; i++)
            run.offset[i] += coordinate * pixels->outer_step[i][d];
    }
    return run;
}
