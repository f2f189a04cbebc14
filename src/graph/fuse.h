/* What the fuse pass works on. */
#ifndef WEFT_GRAPH_FUSE_H
#define WEFT_GRAPH_FUSE_H

#include "graph/fused.h"
#include "kernels/map.h"

/* The nodes that read values, as lists: entry e is of node[e], next in next[e]. */
typedef struct weft_readers {
    int *first, *next, *node;
} weft_readers;

typedef struct weft_fuser {
    weft_ir *ir;
    weft_readers readers;
    int *uses;  /* of each value: inputs of nodes that are left, and one for a fetch */
    int *owner; /* of each node: the node that it is part of now */
    int *stamp; /* scratch of the search for dependencies */
    int stamps;
    bool *stored; /* scratch of laying out */
    int *order;   /* nodes, each after those that it reads from */
} weft_fuser;

/* A group while it grows. */
typedef struct weft_fuse_group {
    weft_fused fused;
    int head;
    int member[WEFT_EPILOGUE_MAPS + WEFT_EPILOGUE_SUMS + 1], members;
    int before[2], befores; /* maps that the kernel does as it reads, last one first */
    int tail;               /* value that the group makes last */
} weft_fuse_group;

/* fuse_rules.c: */
/* True where the node is an elementwise map with the extents of `like` (NULL: its own); says which. */
bool weft_fuse_is_map(const weft_ir *ir, const weft_ir_node *node, const weft_tensor *like,
                      weft_map *map);
/* The same of this function alone. */
bool weft_fuse_is_function(const weft_ir *ir, const weft_ir_node *node, weft_map_function function,
                           weft_map *map);
/* True where the node's kernel does what follows on its output, or what comes before on its input 0. */
bool weft_fuse_takes_epilogue(const weft_ir *ir, const weft_ir_node *node);
bool weft_fuse_takes_prologue(const weft_ir *ir, const weft_ir_node *node);

/* fuse_kernel.c: */
/* Turns the first maps of the group, as far as they are of the form of weft_finish, into the kernel's. */
bool weft_fuse_leave_to_kernel(const weft_fuser *f, weft_fuse_group *g);
/* Takes in a normalization and a ReLU, or one of them, which only the kernel reads: it takes a prologue. */
weft_status weft_fuse_take_prologue(weft_fuser *f, weft_fuse_group *g);

#endif
