/* Nodes that cut values and join them, in what replaces a node (graph/fusion.h). Operands are numbers as there. */
#ifndef WEFT_OPS_CUT_H
#define WEFT_OPS_CUT_H

#include "graph/fusion.h"

/* The part of the operand, from `begin` along the axis, that has the extents of `like`; *result is its number. */
weft_status weft_slice_expand(weft_expansion *expansion, int operand, int axis, int64_t begin,
                              const weft_tensor *like, int *result);
/* So many operands, up to WEFT_EXPAND_OPERANDS, one after the other along the axis: output `as` of the node that is replaced. */
weft_status weft_concat_expand(weft_expansion *expansion, const int *operand, int count, int axis,
                               int as);

#endif
