/* What the gradient of concat is made of. */
#ifndef WEFT_OPS_SPLIT_H
#define WEFT_OPS_SPLIT_H

#include "weft/graph.h"

/* Most parts of split_like: its inputs but the first are shape_only, which 32 bits say. */
enum { WEFT_SPLIT_LIKE_PARTS = 31 };

/* Cuts values[0] along the axis into parts of the extents that values[1] to values[count] have. */
void weft_split_like(const weft_value *values, int count, int axis, weft_value *parts);

#endif
