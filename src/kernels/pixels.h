/* Pixels of several channels-last operands with the same extents: everything but the channels, seen as
 * one sequence, however the operands are strided. */
#ifndef WEFT_KERNELS_PIXELS_H
#define WEFT_KERNELS_PIXELS_H

#include "weft/op.h"

enum { WEFT_PIXEL_OPERANDS = 14 };

typedef struct weft_pixels {
    int operands;
    int64_t count, row; /* pixels in all, and in a row: those with one step in every operand */
    int64_t step[WEFT_PIXEL_OPERANDS]; /* between pixels of a row, in elements */
    int outer;                         /* dimensions of rows, innermost first */
    int64_t outer_extent[WEFT_MAX_RANK];
    int64_t outer_step[WEFT_PIXEL_OPERANDS][WEFT_MAX_RANK];
} weft_pixels;

/* Pixels from one on that lie in its row. */
typedef struct weft_pixel_run {
    int64_t count;
    int64_t offset[WEFT_PIXEL_OPERANDS]; /* of the first one, in elements */
} weft_pixel_run;

/* Merges dimensions where every operand allows it. The tensors have the same extents. */
weft_pixels weft_pixels_of(const weft_tensor *const *tensor, int operands);

/* The run from `pixel` on, ending at `end` at the latest. */
weft_pixel_run weft_pixels_run(const weft_pixels *pixels, int64_t pixel, int64_t end);

#endif
