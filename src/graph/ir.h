/* The intermediate form that the passes of the compiler work on: nodes and values of one program, with
 * fixed extents. Nodes stand in an order in which every value is made before it is read; a pass marks
 * nodes as gone instead of moving them. */
#ifndef WEFT_GRAPH_IR_H
#define WEFT_GRAPH_IR_H

#include "base/pool.h"
#include "graph/state.h"
#include "kernels/plan.h"
#include "weft/program.h"

/* Where a storage's bytes are. */
typedef enum weft_place {
    WEFT_PLACE_ARENA = 0,
    WEFT_PLACE_FEED,     /* the caller's memory, another at each run */
    WEFT_PLACE_VARIABLE, /* the state */
    WEFT_PLACE_CONSTANT  /* the program */
} weft_place;

/* A run of bytes that one or several values live in. */
typedef struct weft_storage {
    weft_place place;
    int64_t bytes;
    void *memory;    /* of a variable or constant */
    int first, last; /* positions in the order: first write, last use; last is the end if fetched */
    int64_t offset;  /* in the arena */
    bool used;
    bool kept;    /* of the arena: lasts from run to run */
    bool lasting; /* of the arena: for a whole run, over all micro-batches */
} weft_storage;

typedef struct weft_ir_value {
    weft_tensor tensor; /* data: of constants */
    int producer;       /* IR node */
    int storage;
    int64_t offset; /* bytes, in the storage */
    int32_t graph_node, graph_output;
    bool fetched;
    bool placed; /* inside the output of a concat */
    bool needed; /* scratch of prune */
} weft_ir_value;

typedef struct weft_ir_node {
    const weft_op *op;
    const void *attributes;
    size_t attribute_bytes;
    const char *name;
    const char *label; /* of all ops that it stands for: "convolution + relu"; NULL: its own */
    int32_t graph_node;
    int inputs, outputs;
    int *input, *output;         /* values */
    int own_inputs, own_outputs; /* that the op itself knows; those of maps fused with it follow */
    uint32_t in_place;           /* as weft_op.in_place */
    struct weft_fused *fused;    /* what the fuse pass made of several nodes; NULL: nothing */
    bool gone;                   /* dead, merged, folded or an alias: nothing to execute */
    bool alias;      /* gone because its outputs and inputs share storage (views, concat) */
    bool hoisted;    /* runs only after the state has changed */
    bool after;      /* runs once, after all micro-batches */
    uint32_t steady; /* inputs that stay the same while the state does */
    /* What select chose: */
    weft_phase phase[WEFT_PLAN_PHASES];
    const void *phase_args[WEFT_PLAN_PHASES];
    int phases;
    const char *algorithm; /* NULL: the op has one form only */
    int64_t workspace_bytes;
    int workspace; /* a storage, or -1 */
    int prepare_phases;
    uint32_t prepare_inputs;
    int64_t prepared_bytes;
    int prepared; /* a storage, or -1 */
    weft_cost cost;
    double cycles; /* as the model that chose the kernel sees it; 0: there was no choice */
    bool again;    /* made by rematerialization: another node computes the same */
} weft_ir_node;

typedef struct weft_ir {
    weft_graph *graph;
    weft_state *state;
    const weft_compile_options *options;
    weft_dtype real;
    int threads; /* of the program */
    int micro_batches;
    int64_t batch; /* of one of them */
    weft_error *error;
    weft_pool scratch; /* released after compiling */
    weft_pool *keep;   /* lives as long as the program */

    weft_ir_node *node;
    int nodes, node_capacity;
    weft_ir_value *value;
    int values, value_capacity;
    weft_storage *storage;
    int storages, storage_capacity;
    int *forward; /* values replaced by others: forward[v] == v otherwise */
    int *order;   /* IR nodes to execute, in order */
    int steps;
    int hoisted; /* steps that come first, and run only after the state has changed */
    int64_t arena_bytes, bound_bytes, kept_bytes;
    int64_t lasting_bytes;        /* they come after what is kept */
    int64_t least_limit;          /* that could be kept; 0: it is not known */
    int64_t creation_bound_bytes; /* of the order of creation */
    double recomputed_flops; /* of what is computed more often than once, but for the first time */
    double again_share;      /* predicted time of what rematerialization adds, of that without */
} weft_ir;

/* ir.c */
weft_status
weft_ir_build(weft_ir *ir); /* prune: from the graph, what fetches and writes depend on */
void weft_ir_print(const weft_ir *ir, const char *pass, FILE *file);
int weft_ir_resolve(const weft_ir *ir, int value);
void weft_ir_prune(weft_ir *ir); /* marks nodes that nothing needs any more as gone */
/* The operands of a node as bind sees them; tensors must have room for inputs + outputs. */
weft_bind weft_ir_operands(const weft_ir *ir, const weft_ir_node *node, weft_tensor *tensors);
bool weft_ir_reads(const weft_ir_node *node, int input); /* false where only the shape is read */
/* Times that the node reads the value; *input: by which of its inputs the last time, 0 where it does not. */
int weft_ir_count_reads(const weft_ir_node *node, int value, int *input);
bool weft_ir_writes(const weft_ir_node *node, int input);
bool weft_ir_writes_variables(const weft_ir *ir); /* true where a node that is left does */
/* True where the value is what the writer makes of its variable, a view of that, or what later writers make of it. */
bool weft_ir_is_after(const weft_ir *ir, int value, const weft_ir_node *writer);
/* What stays lies at the start of the arena, out of the plan's hands. */
static inline bool weft_storage_stays(const weft_storage *storage)
{
    return storage->kept || storage->lasting;
}
/* True where input k fills its storage and is laid out as output 0, which may take its place (pass_plan.c). */
bool weft_ir_fits_over(const weft_ir *ir, const weft_ir_node *node, int k);
/* True where equal elements of both lie equally far from the first one. */
bool weft_ir_same_layout(const weft_tensor *a, const weft_tensor *b);
/* Where operand k (inputs, then outputs) is in weft_call.operand: own inputs, own outputs, workspace, what is
 * prepared, then the operands of what is fused. */
int weft_ir_slot(const weft_ir_node *node, int k);
/* Makes room for so many more nodes and values than there are, before they are appended. */
weft_status weft_ir_reserve(weft_ir *ir, int nodes, int values);
/* Lists all nodes, each where the graph node that it is of stands. */
weft_status weft_ir_sort(weft_ir *ir, int *order);
int weft_ir_add_storage(weft_ir *ir,
                        weft_storage storage); /* there is room for one a value, two a node */
/* The same; dense, with these extents and this dtype. */
int weft_ir_add_value(weft_ir *ir, const weft_tensor *like);
/* Appends a node of one input, the value, and one output like it; name and graph_node are those of `place`. There is room.
 * Returns the new value, which lies where the old one does, or -1 when memory is short. */
int weft_ir_append(weft_ir *ir, const weft_op *op, const weft_ir_node *place, int value);
/* The same of a copy. */
int weft_ir_append_copy(weft_ir *ir, const weft_ir_node *place, int value);
/* The same of a copy that is dense, in a storage of its own. */
int weft_ir_append_dense_copy(weft_ir *ir, const weft_ir_node *place, int value);
weft_status weft_ir_out_of_memory(weft_ir *ir);
/* The limit of the compile options is too small; this is the smallest that is not. */
weft_status weft_ir_refuse_limit(weft_ir *ir, int64_t least);
/* The same; how: in which way, after the number. */
weft_status weft_refuse_limit(const weft_compile_options *options, int64_t least, const char *how,
                              weft_error *error);

/* cost.c: of the node with these operands, and of all that is fused with it. */
weft_cost weft_ir_cost(const weft_ir *ir, const weft_ir_node *node, const weft_bind *bind);
/* About cycles of all cores, once its kernel is chosen. */
double weft_ir_cycles(const weft_ir_node *node);

/* The passes, one file each. */
weft_status weft_pass_bind(weft_ir *ir);
weft_status weft_pass_micro_batch(weft_ir *ir);
weft_status weft_pass_cse(weft_ir *ir);
weft_status weft_pass_fold(weft_ir *ir);
weft_status weft_pass_distribute(weft_ir *ir);
weft_status weft_pass_view(weft_ir *ir);
weft_status weft_pass_unview(weft_ir *ir);
weft_status weft_pass_expand(weft_ir *ir);
weft_status weft_pass_recompute(weft_ir *ir);
weft_status weft_pass_fuse(weft_ir *ir);
weft_status weft_pass_hoist(weft_ir *ir);
weft_status weft_pass_chain(weft_ir *ir);
weft_status weft_pass_select(weft_ir *ir);
weft_status weft_pass_order(weft_ir *ir);
weft_status weft_pass_rematerialize(weft_ir *ir);
weft_status weft_pass_plan(weft_ir *ir);

/* Adapters for ops without a kernel of their own (run_plain.c). Each node has arguments of its own, which running
 * it changes. */
weft_status weft_select_plain(weft_ir *ir, weft_pool *pool, weft_ir_node *node);
bool weft_is_plain(const weft_ir_node *node);

#endif
