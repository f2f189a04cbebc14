/* Several dimensions of a strided tensor seen as one. */
#ifndef WEFT_OPS_COLLAPSE_H
#define WEFT_OPS_COLLAPSE_H

#include "weft/types.h"

/* Dimensions first..last-1 as one of `extent` elements that lie `stride` apart; false where no one stride
 * can say it. Extent 1 has stride 0. */
bool weft_collapse(const weft_tensor *tensor, int first, int last, int64_t *extent,
                   int64_t *stride);

#endif
