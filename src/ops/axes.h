/* Axes as users give them: negative ones count from the end. */
#ifndef WEFT_OPS_AXES_H
#define WEFT_OPS_AXES_H

#include "weft/op.h"

/* The dimension that an axis names among `rank`; -1 where there is none. */
int weft_axis(int axis, int rank);

/* The same in a shape rule: with a message where there is none. */
int weft_infer_axis(const weft_infer *infer, int axis, int rank);

#endif
