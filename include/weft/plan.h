/* The memory plan of a program, which is known before its first step: how much of what, where in the arena, and
 * when. Planning allocates neither arena nor variables, and runs nothing. */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include "weft/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What memory is for. Variables first, then the arena, then what is outside of both. */
#define WEFT_MEMORY_TABLE(X)                                                                       \
    X(WEFT_MEMORY_PARAMETERS, "parameters")           /* variables that are trained */             \
    X(WEFT_MEMORY_SLOTS, "optimizer slots")           /* variables that updates read besides */    \
    X(WEFT_MEMORY_OTHER_VARIABLES, "other variables") /* running statistics, frozen layers */      \
    X(WEFT_MEMORY_KEPT,                                                                            \
      "kept activations") /* of the forward pass, that the backward pass reads */                  \
    X(WEFT_MEMORY_ACTIVATIONS, "other activations")                                                \
    X(WEFT_MEMORY_FLOWING, "activation gradients")                                                 \
    X(WEFT_MEMORY_GRADIENTS, "parameter gradients") /* until updates have read them */             \
    X(WEFT_MEMORY_WORKSPACE, "workspace")           /* of kernels */                               \
    X(WEFT_MEMORY_PREPARED, "prepared filters")     /* and all that lasts from run to run */       \
    X(WEFT_MEMORY_GAPS, "gaps")                     /* of the arena, between values */             \
    X(WEFT_MEMORY_FEEDS, "feeds")                   /* the caller's */                             \
    X(WEFT_MEMORY_PROGRAM, "program")               /* constants, arguments of kernels, steps */

typedef enum weft_memory {
#define WEFT_MEMORY_ENUM(name, text) name,
    WEFT_MEMORY_TABLE(WEFT_MEMORY_ENUM)
#undef WEFT_MEMORY_ENUM
        WEFT_MEMORIES
} weft_memory;

/* The words of the table; never NULL. */
WEFT_API const char *weft_memory_text(weft_memory memory);

/* Which pass over the network a step belongs to. */
typedef enum weft_stage {
    WEFT_STAGE_FORWARD = 0,
    WEFT_STAGE_BACKWARD,
    WEFT_STAGE_UPDATE
} weft_stage;

typedef struct weft_planned_step {
    const char *name; /* scoped name of the node */
    const char *op;   /* as weft_step_report.op */
    weft_family family;
    weft_stage stage;
    int64_t live_bytes; /* of the arena, in lines of 64 */
} weft_planned_step;

/* A place in the arena, from one step to another. Values that take over each other's bytes, views of one value,
 * and a concat with its inputs, have one place together. */
typedef struct weft_placement {
    const char *
        name; /* scoped name of the largest value in it, of these the first; of workspace: the step's */
    const char *op;     /* that makes this value; of workspace: the step's */
    weft_family family; /* of the op that writes into it first */
    weft_memory memory;
    int64_t offset, bytes; /* in lines of 64 */
    int first, last; /* steps, both inclusive. What is fetched or kept lasts to the last step */
    int values;      /* that lie in it, one after the other or side by side; 0 of workspace */
} weft_placement;

/* A plan owns all that it points to. It does not need its graph any more. */
typedef struct weft_plan {
    weft_mode mode;
    int64_t batch;
    int micro_batches;   /* as in weft_report */
    int64_t total_bytes; /* arena, state, feeds and program */
    int64_t arena_bytes;
    int64_t bound_bytes;          /* as in weft_report: what is alive at the peak */
    int64_t creation_bound_bytes; /* as in weft_report */
    int64_t state_bytes;          /* weft_state_memory_bytes */
    int64_t feed_bytes, program_bytes;
    /* What each kind has at the peak: the sum of all is total_bytes. */
    int64_t bytes[WEFT_MEMORIES];
    /* What each kind has at most, at whatever step. */
    int64_t most[WEFT_MEMORIES];
    int peak;                       /* the first step at which as much is alive as at no other */
    double flops, recomputed_flops; /* as in weft_report */
    int steps, steps_again;         /* as in weft_report */
    double again_share;             /* as in weft_report */
    const weft_planned_step *step;
    int placements;
    const weft_placement *placement; /* by first step, then by offset */
} weft_plan;

/* Plans what weft_compile would make on a state of that dtype (WEFT_REAL: float32) with these options, but for
 * `measure`: nothing runs. Errors: those of weft_compile. */
WEFT_API weft_status weft_plan_create(weft_graph *graph, weft_dtype dtype,
                                      const weft_compile_options *options, weft_plan **plan,
                                      weft_error *error);
/* The plan of a program that is there. The status is that of memory. */
WEFT_API weft_status weft_program_plan(const weft_program *program, weft_plan **plan,
                                       weft_error *error);
/* NULL is allowed. */
WEFT_API void weft_plan_destroy(weft_plan *plan);

/* Draws the plan as SVG, 900 pixels wide: steps across, offsets in the arena up, a rectangle for each placement in
 * the colour of its op's family; browsers say more of what the mouse is over. title may be NULL. Errors: memory
 * and WEFT_ERROR_IO. */
WEFT_API weft_status weft_plan_svg(const weft_plan *plan, const char *title, FILE *file,
                                   weft_error *error);
/* The same into a file of that name. */
WEFT_API weft_status weft_plan_draw(const weft_plan *plan, const char *title, const char *path,
                                    weft_error *error);

/* A batch that fits, where one more image would not; of a fixed number of micro-batches, one more in each of them. */
typedef struct weft_batch_limit {
    int64_t batch;      /* 0: not even one image fits, or one in each micro-batch */
    int64_t bytes;      /* that it needs: total_bytes of its plan; 0 of batch 0 */
    int64_t next_bytes; /* that the next one would need */
    int plans;          /* that were made to find it */
} weft_batch_limit;

/* Finds the largest batch whose total_bytes are within the limit, by planning for some batches, 4 to 10 as a rule;
 * each plan takes as long as compiling does. The batch of options is not looked at. Memory is taken to grow with
 * the batch. Errors: those of weft_plan_create, and WEFT_ERROR_ARGUMENT where no input has an open extent. */
WEFT_API weft_status weft_largest_batch(weft_graph *graph, weft_dtype dtype,
                                        const weft_compile_options *options, int64_t limit_bytes,
                                        weft_batch_limit *result, weft_error *error);

#ifdef __cplusplus
}
#endif
#endif
