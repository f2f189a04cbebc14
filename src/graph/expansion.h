/* A node while others take its place. */
#ifndef WEFT_GRAPH_EXPANSION_H
#define WEFT_GRAPH_EXPANSION_H

#include "graph/fusion.h"
#include "graph/ir.h"

enum { WEFT_EXPANSION_VALUES = 64 }; /* that one numbers, at most */

struct weft_expansion {
    weft_ir *ir;
    int node;                                 /* that is replaced */
    int value[WEFT_EXPANSION_VALUES], values; /* by number */
};

/* Of this node; `more` values follow its outputs in the numbering. There is room in the intermediate form. */
weft_expansion weft_expansion_begin(weft_ir *ir, int node, const int *more, int count);

#endif
