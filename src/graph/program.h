/* The inside of a program, for compiling, running, verifying and drawing it. */
#ifndef WEFT_GRAPH_PROGRAM_H
#define WEFT_GRAPH_PROGRAM_H

#include "base/pool.h"
#include "graph/ir.h"

/* One value of the program, as planned. */
typedef struct weft_plan_value {
    weft_tensor tensor; /* data: of constants and variables; NULL in the arena and for feeds */
    weft_place place;
    int storage;
    int64_t offset; /* bytes, in the arena, the variable, the feed or the constant */
    int32_t graph_node, graph_output;
    int *part; /* values that this one is an alias of: a view's source, a concat's inputs */
    int parts;
} weft_plan_value;

typedef struct weft_step {
    const weft_op *op;
    const char *name;
    int32_t graph_node;
    const char *label;     /* the op's name, or those of all that are fused */
    const char *kernel;    /* the op whose kernel it is; of maps alone the label */
    const char *algorithm; /* "": the op has one form only */
    int inputs, outputs;
    int own_inputs; /* of the op; the others belong to what is fused with it */
    uint32_t in_place;
    int *value;         /* indices of inputs, then of outputs */
    int *slot;          /* where each of them is in operand */
    void **operand;     /* as kernels see them */
    int workspace_slot; /* in operand; what is prepared follows */
    weft_cost cost;
    int64_t workspace_offset, workspace_bytes;
    int64_t prepared_offset, prepared_bytes;
    int hoisted_phases;      /* of those that write what is prepared: all, or none */
    uint32_t prepare_inputs; /* that they read */
    bool again;              /* computes what an earlier step did */
    int64_t live_bytes;
    int64_t pieces;
    double seconds;
} weft_step;

/* A phase of a step, as the executor sees it. */
typedef struct weft_task {
    weft_piece_fn *run;
    weft_call call;
    int64_t pieces;
    int step;
    bool wait;   /* a barrier stands before it */
    bool joined; /* the thread that ran the task before it runs it, without a barrier */
    int chain;   /* tasks from here on that one thread runs as a whole: all of one piece */
} weft_task;

/* An input that must be fed, and where its address goes. */
typedef struct weft_feed_slot {
    int32_t graph_node;
    const char *name;
    weft_dtype dtype;
    int64_t bytes;
    int64_t step; /* bytes from one micro-batch to the next; 0: they have all of it */
    bool fed;
    int patches;
    struct weft_patch {
        void **operand;
        int64_t offset;
    } * patch;
} weft_feed_slot;

/* Bytes of the arena that one storage has, from its first step to its last, both inclusive; what is kept or
 * fetched lasts to `steps`. */
typedef struct weft_slot {
    int storage;
    int first, last;
    int64_t offset, bytes;
    bool kept;
    bool lasting; /* over all micro-batches */
} weft_slot;

typedef struct weft_fetch_slot {
    int32_t graph_node, graph_output;
    int value; /* in program->value */
} weft_fetch_slot;

struct weft_program {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_pool pool;
    weft_dtype real;
    weft_mode mode;
    int64_t batch;
    int micro_batches;         /* 1: the batch as a whole */
    bool updates;              /* a run counts as a step of the state */
    bool writes;               /* a run changes variables */
    uint64_t prepared_version; /* of the state that what is kept was made from; 0: none */
    bool poison, check_finite, profile;
    int threads;

    weft_step *step;
    int steps, hoisted_steps; /* the first so many run only after the state has changed */
    int after_step;           /* from here on steps run once, after all micro-batches */
    weft_task *task;
    int tasks, hoisted_tasks; /* those of hoisted steps, then hoisted phases of others */
    int after_task;           /* the first of after_step */
    weft_plan_value *value;
    int values;
    weft_feed_slot *feed;
    int feeds;
    weft_fetch_slot *fetch;
    int fetches;
    weft_slot *slot;
    int slots;

    char *arena;              /* NULL: none, or none yet */
    size_t arena_allocated;   /* 0: the caller's */
    _Atomic int64_t *counter; /* of pieces handed out, for each share and in it for each task */
    weft_report report;
};

/* The pieces of each task are cut into so many shares, from which different threads begin. */
enum { WEFT_MOST_SHARES = 8 };

static inline int weft_shares(const weft_program *program)
{
    return program->threads < WEFT_MOST_SHARES ? program->threads : WEFT_MOST_SHARES;
}

/* compile.c: weft_program_destroy releases the arena. */
weft_status weft_allocate_arena(weft_program *program, int64_t bytes, weft_error *error);
/* Unless it is the caller's. */
void weft_release_arena(weft_program *program);

/* emit.c: fills the program from the compiled form, but for addresses. */
weft_status weft_emit(weft_ir *ir, weft_program *program);

/* address.c: gives the operands of all steps their addresses in arena, state and program; once the arena is there. */
void weft_address(weft_program *program);

/* execute.c: runs the tasks from `first` to `end` - 1, those that are hoisted only where the state has changed. A run
 * begins with the first of the first part. On WEFT_ERROR_NUMERIC, *bad_step is the step that made a NaN or infinity. */
weft_status weft_execute(weft_program *program, const weft_run_info *info, int first, int end,
                         int *bad_step);

/* verify_barriers.c: part of weft_program_verify. */
weft_status weft_verify_barriers(const weft_program *program, weft_error *error);

/* Whether a mask of the op's (shape_only, writes) has input k. */
static inline bool weft_step_has(const weft_step *step, uint32_t mask, int k)
{
    return k < 32 && k < step->own_inputs && mask & WEFT_INPUT(k);
}

/* True for a task that is a hoisted phase of a step whose other phases run each time. */
static inline bool weft_task_prepares(const weft_program *program, int task)
{
    return task < program->hoisted_tasks && program->task[task].step >= program->hoisted_steps;
}

/* The address of a value's first element; NULL for feeds, and in an arena that is not there yet. */
static inline void *weft_plan_address(const weft_program *program, const weft_plan_value *value)
{
    if (value->place == WEFT_PLACE_ARENA)
        return program->arena ? program->arena + value->offset : NULL;
    return value->tensor.data ? (char *)value->tensor.data + value->offset : NULL;
}

#endif
