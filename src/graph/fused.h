/* A node that stands for several: a kernel (or none), elementwise maps of what it makes, sums of channels
 * for the nodes that are computed from them. */
#ifndef WEFT_GRAPH_FUSED_H
#define WEFT_GRAPH_FUSED_H

#include "graph/fusion.h"
#include "graph/ir.h"

typedef struct weft_fused_map {
    weft_map map;
    int inputs, in[WEFT_MAP_INPUTS], out; /* values */
} weft_fused_map;

/* A node that is computed from sums, as the fuse pass found it. */
typedef struct weft_fused_sums {
    weft_ir_node node;
    weft_reduction reduction;
} weft_fused_sums;

/* See weft_finish. Values, -1: none. */
typedef struct weft_fused_finish {
    int center, slope, shift, addend;
    float ceiling;
} weft_fused_finish;

typedef struct weft_fused {
    weft_ir_node kernel; /* as the fuse pass found it; op NULL: maps alone */
    int raw;             /* value that the kernel makes, -1 without one; may be read by maps only */
    weft_fused_finish finish; /* what the kernel itself does to its results */
    weft_fused_finish before; /* and to its first input, which is then what is read */
    int reference;            /* a value with the extents of all maps */
    weft_fused_map map[WEFT_EPILOGUE_MAPS];
    int maps;
    double map_flops; /* of all maps, also one that the kernel does */
    weft_fused_sums sum[WEFT_EPILOGUE_SUMS];
    int sums;
    weft_epilogue *epilogue;
    weft_finish_slots *prologue; /* NULL: none */
} weft_fused;

enum { WEFT_FUSED_OPERANDS = 48 }; /* inputs, or outputs, of a fused node at most */

/* Says what the node reads and writes, and where its maps find it. `stored` tells which values others
 * read. Fills in inputs and outputs (arrays that have room for WEFT_FUSED_OPERANDS), own_inputs,
 * own_outputs and in_place of the node, and *epilogue. False where it does not fit into an epilogue. */
bool weft_fused_lay_out(const weft_ir *ir, const weft_fused *fused, const bool *stored,
                        weft_ir_node *node, weft_epilogue *epilogue);

/* Where a kernel finds it, once its node is laid out. */
weft_finish_slots weft_fused_slots(const weft_fused_finish *finish, const weft_ir_node *node);

/* How a value may take part in maps with the extents of `like`: as a whole, as one row of channels, as rows of
 * channels that are repeated along some dimensions, such as one for each image, or as one element. */
typedef enum weft_fused_shape {
    WEFT_FUSED_NONE,
    WEFT_FUSED_WHOLE,
    WEFT_FUSED_CHANNELS,
    WEFT_FUSED_ROWS,
    WEFT_FUSED_ONE
} weft_fused_shape;
weft_fused_shape weft_fused_shape_of(const weft_tensor *tensor, const weft_tensor *like);

#endif
