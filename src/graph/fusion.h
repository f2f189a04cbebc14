/* What an op tells the fuse pass, beside weft_op.map: descriptors point to one of these. */
#ifndef WEFT_GRAPH_FUSION_H
#define WEFT_GRAPH_FUSION_H

#include "kernels/convolution.h"
#include "kernels/epilogue.h"

/* Sums of channels over all pixels, which a node needs before it computes: of these inputs. */
typedef struct weft_reduction {
    weft_channel_sums kind;
    int input[WEFT_CHANNEL_OPERANDS];
} weft_reduction;

/* Where their parts are (see kernels/channel_sums.h) when the node computes. */
typedef struct weft_partial {
    int slot;       /* in weft_call.operand */
    int64_t offset; /* floats */
    int64_t parts;
} weft_partial;

/* The kernel writes to its output before it has read all of the inputs that the output might replace. */
void weft_bind_not_in_place(weft_bind *bind);

/* weft_bind_phase with weft_call.round. */
void weft_bind_round(weft_bind *bind, weft_piece_fn *run, int64_t pieces, int64_t round);

/* How long the kernel takes by the model that chose it. */
void weft_bind_cycles(weft_bind *bind, double cycles);

/* The nodes that stand for one: see weft_expand_node. */
typedef struct weft_expansion weft_expansion;

typedef struct weft_fusion {
    /* True where bind will hand weft_bind.epilogue on to a kernel that applies it to output 0. */
    bool (*epilogue)(const weft_bind *bind);
    /* The same of weft_bind.prologue, to input 0. */
    bool (*prologue)(const weft_bind *bind);
    /* The node is a forward convolution of x, a filter and, where the problem has one, a bias, its inputs in that
     * order, and may be computed in parts, together with others: says which; false where it may not. */
    bool (*convolution)(const weft_bind *bind, weft_convolution_problem *problem);
    /* Replaces the node by simpler ones, which fuse with their neighbours or keep less; or leaves it. */
    weft_status (*expand)(weft_expansion *expansion, const weft_bind *bind);
    /* The operand (inputs, then outputs) that may as well be several values side by side along its last axis, because
     * the node adds up what it makes of each channel, or makes each by itself; -1: none. */
    int (*in_parts)(const weft_bind *bind);
    /* Replaces the node by nodes for each part: operands first, first + 1, ..., of these extents, together are that
     * operand. */
    weft_status (*distribute)(weft_expansion *expansion, const weft_bind *bind, int first,
                              int parts, const weft_tensor *part);
    /* The node computes [C] outputs from sums of its inputs: says which; false where it needs none. */
    bool (*reduce)(const weft_bind *bind, weft_reduction *reduction);
    /* Binds the rest of such a node: args and phases, reading the sums. False when memory is short. */
    bool (*finish)(weft_bind *bind, const weft_partial *partial);
} weft_fusion;

enum { WEFT_EXPAND_OPERANDS = 8 }; /* inputs, or outputs, of a node that is appended, at most */

/* Appends a node with one or more new outputs, dense: like[i] says the extents and dtype of output i. Operands
 * are numbers: 0.. are the inputs of the node that is replaced, then come its outputs, then what earlier
 * calls returned. Returns the number of output 0; the others follow. An output listed in `as` (-1: none) is not
 * a new value but output as[i] of the node that is replaced, or what was given after these. */
typedef struct weft_expand_call {
    const weft_op *op;
    const void *attributes;
    size_t attribute_bytes;
    int inputs, input[WEFT_EXPAND_OPERANDS];
    int outputs;
    const weft_tensor *like[WEFT_EXPAND_OPERANDS]; /* extents of each output */
    int as[WEFT_EXPAND_OPERANDS]; /* number of an output of the replaced node, or -1 */
    bool early;                   /* stands, and has its name, where its first input is made */
} weft_expand_call;
weft_status weft_expand_node(weft_expansion *expansion, const weft_expand_call *call, int *first);

#endif
