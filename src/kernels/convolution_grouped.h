/* Tiles and sums for convolution in groups of a few channels, beside those for one. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_GROUPED_H
#define WEFT_KERNELS_CONVOLUTION_GROUPED_H

#include "kernels/convolution_depthwise_sums.h"
#include "kernels/convolution_depthwise_tile.h"
#include "kernels/isa.h"

typedef struct grouped_kernels {
    depthwise_table tile;
    sums_fn *sums;
} grouped_kernels;

enum { GROUPED_SIZES = 3 };

/* Of groups of 2, 4 and 8 channels, as far as a vector has so many lanes. */
extern const grouped_kernels WEFT_FOR_ISA(weft_grouped)[GROUPED_SIZES];

#endif
