/* A regular part of an array: along each dimension, elements begin, begin + step, ... of a large tensor
 * are the elements of a small one. What slice, crop, embed and pad share. */
#ifndef WEFT_OPS_REGION_H
#define WEFT_OPS_REGION_H

#include "weft/op.h"

typedef struct weft_region {
    int64_t begin[WEFT_MAX_RANK], step[WEFT_MAX_RANK];
} weft_region;

/* input 0 is the large tensor, output 0 the small one. */
void weft_region_take_f64(const weft_operands *operands, const weft_region *region);
bool weft_region_bind_take(weft_bind *bind, const weft_region *region);
bool weft_region_view(const weft_bind *bind, const weft_region *region, weft_tensor *view,
                      int64_t *offset);

/* input 0 is the small tensor, output 0 the large one, whose other elements become fill. Both real. */
void weft_region_put_f64(const weft_operands *operands, const weft_region *region, double fill);
bool weft_region_bind_put(weft_bind *bind, const weft_region *region, double fill);

#endif
