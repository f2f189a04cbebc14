/* The plain form of the convolution family: all pairs of an output and a filter position. */
#ifndef WEFT_OPS_CONVOLUTION_WALK_H
#define WEFT_OPS_CONVOLUTION_WALK_H

#include "ops/convolution_geometry.h"

/* Adds to whichever of the three an op computes. x and y point at the channels of one group of one pixel,
 * w at the group's first output channel of one filter position; its rows, one for each input channel of
 * the group, lie w_stride apart. */
typedef void weft_convolution_pair_fn(double *x, int64_t ins, double *w, int64_t w_stride,
                                      double *y, int64_t outs);

/* Calls pair wherever an output and a filter position meet inside the input, for each group. */
void weft_convolution_walk(const weft_convolution_attributes *attributes, const weft_tensor *x,
                           const weft_tensor *w, const weft_tensor *y,
                           weft_convolution_pair_fn *pair);

/* Before a walk: sets every element of a tensor to the element of bias (NULL: 0) for its last index. */
void weft_convolution_start(const weft_tensor *tensor, const weft_tensor *bias);

#endif
