/* A program: a graph compiled for given outputs, extents, mode and state. Immutable but for its
 * arena; running it allocates nothing. Two programs may run at once from two threads, also on one
 * state as long as neither updates it; one program runs once at a time. */
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include <stdio.h>

#include "weft/op.h"
#include "weft/state.h"
#include "weft/wisdom.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_program weft_program;

/* Passes that can be switched off, in the order in which they run. prune, bind, micro_batch, unview, select and
 * plan cannot; expand is switched off with fuse. */
#define WEFT_PASS_TABLE(X)                                                                         \
    X(WEFT_PASS_CSE, "cse")   /* one node for equal computations */                                \
    X(WEFT_PASS_FOLD, "fold") /* constants and identities */                                       \
    X(WEFT_PASS_DISTRIBUTE,                                                                        \
      "distribute")           /* convolutions of the parts of a concat that would wait */          \
    X(WEFT_PASS_VIEW, "view") /* reshape, slice, split and concat without copying */               \
    X(WEFT_PASS_RECOMPUTE, "recompute") /* what is cheap where it is read instead of kept */       \
    X(WEFT_PASS_FUSE, "fuse")           /* maps and sums in kernels that make what they read */    \
    X(WEFT_PASS_HOIST, "hoist")         /* what depends on variables alone is kept between runs */ \
    X(WEFT_PASS_CHAIN, "chain")         /* convolutions strip by strip, nothing stored between */  \
    X(WEFT_PASS_ORDER, "order")         /* order for memory; off: order of creation */             \
    X(WEFT_PASS_REMATERIALIZE, "rematerialize") /* runs steps again instead of keeping results */  \
    X(WEFT_PASS_IN_PLACE, "in_place")           /* outputs over dying inputs */                    \
    X(WEFT_PASS_REUSE, "reuse")                 /* one arena slot for several values */

typedef enum weft_pass {
#define WEFT_PASS_ENUM(name, text) name,
    WEFT_PASS_TABLE(WEFT_PASS_ENUM)
#undef WEFT_PASS_ENUM
        WEFT_PASSES
} weft_pass;

/* Another shape for an input than the graph's, same rank: other image sizes. */
typedef struct weft_extents {
    weft_value input;
    weft_shape shape;
} weft_extents;

enum { WEFT_LEAST_MEMORY = -1 }; /* a memory_limit: the smallest that can be kept */

/* Whether a program may take its batch in equal parts, one after the other in each run, and do what needs them all
 * (updates, norms of gradients) once after the last: that takes the memory of a part, and the time of running smaller
 * ones. Feeds and fetches are those of the whole batch. What is reduced over images must be a mean, as losses are by
 * default: gradients, losses and all means are then those of the whole batch, but for rounding, and dropout draws the
 * same. Where it would be something else (sums over the batch, functions of means that images depend on again),
 * compiling gives WEFT_ERROR_UNSUPPORTED and names the op. */
typedef enum weft_micro_batching {
    WEFT_WHOLE_BATCH = 0,
    WEFT_MICRO_BATCHES, /* where no op looks at several images together, as batch normalization does */
    WEFT_MICRO_BATCHES_MIXED /* also there: such an op sees the images of a part, and running statistics
                              * take in one part after the other */
} weft_micro_batching;

typedef struct weft_compile_options {
    /* In train mode, writes of variables (updates, running statistics) happen; in any mode, those that a fetch needs
     * (weft_updated). What is fetched beside an update is of the variable as it was before; the variable itself,
     * fetched, is read from the state, after all. */
    weft_mode mode;
    const weft_value *fetch; /* values to be read after a run */
    int fetches;
    int64_t batch; /* what the open extent is bound to; 0: 1 */
    const weft_extents *extents;
    int extent_count;
    int threads; /* 0: the context's */
    bool
        no_writes; /* train mode without updates and running statistics, but for what fetches need */
    /* Rates of groups of variables (weft_optimizer_group) that are 0 in this program, whatever the state says:
     * these groups are frozen, and what only their updates need, gradients above all, is not computed. */
    const weft_value *frozen;
    int frozen_count;
    unsigned without; /* passes to leave out: 1u << WEFT_PASS_... */
    /* Bytes that the arena may have at most (weft_report.arena_bytes: all values between inputs and results, their
     * gradients, the workspace of kernels, and what is prepared; neither variables nor feeds nor constants);
     * 0: no limit. To keep it, results are dropped that are read again much later, as those of the forward pass
     * are by the backward pass, and the steps that made them run again: the cheapest plan that fits, with the
     * same bits as any other, but where a part of a large value is copied to let go of the rest, and what reads the
     * part has another kernel for a copy. A smaller limit never makes a larger arena, a larger limit never a plan of more
     * work. Where no plan fits: WEFT_ERROR_MEMORY, and the message names the smallest limit that can be kept;
     * WEFT_LEAST_MEMORY asks for that. Without a limit a training program drops what costs next to nothing, by
     * prediction 2.8% of a run at most. */
    int64_t memory_limit;
    weft_micro_batching micro_batching;
    /* So many parts, which must divide the batch. 0: one, or where micro_batching allows it and the memory_limit asks
     * for it, as many as keep the limit in the least time, by prediction; a plan is made for each number, of 16 at
     * most, that divides the batch. */
    int micro_batches;
    bool no_winograd; /* convolutions only by algorithms that round as little as the plain sum */
    /* Takes the algorithms that it knows (weft/wisdom.h); for others, and where NULL, a cost model decides. */
    weft_wisdom *wisdom;
    /* Needs wisdom: what it does not know is measured now, and remembered. Takes about 10 ms for each algorithm
     * of a problem, a few runs of large ones, and meanwhile as much memory as that step. */
    bool measure;
    bool no_arena; /* allocates none: it comes from weft_program_set_arena, before the first run */
    bool poison;   /* debug: fill the arena with NaN before a run and every slot when it is freed */
    bool check_finite; /* stop at the first NaN or infinity and name its node */
    bool profile;      /* measure the time of each step */
    FILE *trace;       /* print the program after each pass; NULL: no */
} weft_compile_options;

/* Compiles. The state must be of the same graph and outlive the program. options may not be NULL:
 * without fetches (in train mode also without writes) there is nothing to run, an error. */
WEFT_API weft_status weft_compile(weft_graph *graph, weft_state *state,
                                  const weft_compile_options *options, weft_program **program,
                                  weft_error *error);
/* NULL is allowed. */
WEFT_API void weft_program_destroy(weft_program *program);

/* Has the program work in the caller's memory from the next run on, and releases the arena that it had of its
 * own. memory is aligned to 64 bytes, and bytes at least arena_bytes of the report; it stays the caller's, and is
 * the program's to write until another one is set or the program is destroyed. What it holds may be lost between
 * runs, fetched values with it, as when several programs that never run at once take turns in one arena: with
 * prepared_bytes in the report, the arena is then to be set again before each such run, so that they are
 * prepared anew. Allocates nothing. WEFT_ERROR_ARGUMENT where memory is too small or not aligned; the program is
 * then as before. */
WEFT_API weft_status weft_program_set_arena(weft_program *program, void *memory, size_t bytes,
                                            weft_error *error);

/* Data for one input, dense, row-major, of the input's dtype (WEFT_REAL: the state's). It is read
 * in place while weft_run runs and stays the caller's; any alignment of its element type will do.
 */
typedef struct weft_feed {
    weft_value input;
    const void *data;
    size_t bytes; /* exactly what the input needs at the program's extents */
} weft_feed;

typedef struct weft_run_options {
    int64_t first_sample; /* see weft_run_info */
    int64_t micro_batch;
    int64_t micro_batches; /* the state's step counts up after the last of them; 0: 1 */
} weft_run_options;

/* Whether the program reads the input, so that it must be fed. */
WEFT_API bool weft_program_reads(const weft_program *program, weft_value input);

/* Runs the program. Every input it reads must be fed. options may be NULL. A missing, unknown or
 * wrongly sized feed is an error before anything runs. Kernels have panels on the stack: each thread of a run, the
 * caller's and OpenMP's, needs 1 MiB of it. A process that was forked runs with one thread. */
WEFT_API weft_status weft_run(weft_program *program, const weft_feed *feeds, int count,
                              const weft_run_options *options, weft_error *error);

/* A fetched value after a run: dense, in the program's memory, valid until its next run. data is
 * NULL where the value was not among the fetches. A variable is read from its storage: what the run left. */
WEFT_API weft_tensor weft_fetch(const weft_program *program, weft_value value);
/* Element 0 of a fetched value as a double; NaN where it was not fetched. */
WEFT_API double weft_fetch_scalar(const weft_program *program, weft_value value);

typedef struct weft_report {
    int steps;
    int64_t arena_bytes; /* memory of transient values, workspace included */
    /* largest sum of live sizes at any step: no plan of this order needs less */
    int64_t bound_bytes;
    int64_t
        creation_bound_bytes; /* the same of the order of creation, in which nothing runs again */
    int64_t
        prepared_bytes;  /* part of the arena: what lasts from run to run, see weft_state_changed */
    int64_t state_bytes; /* of the variables that the program uses */
    int64_t constant_bytes;  /* of the program itself: constants, arguments of kernels, steps */
    double flops, bytes;     /* of one run that finds everything prepared */
    double recomputed_flops; /* of these: on what is computed again instead of kept */
    int micro_batches;       /* that a run takes its batch in; 1: as a whole */
    int steps_again;         /* of the steps, those that run again to save memory */
    double again_share;      /* of the time of all others: what these are predicted to add */
    int64_t runs;
    double seconds; /* of the last run */
} weft_report;

WEFT_API weft_report weft_program_report(const weft_program *program);

/* One step of a program, for profiles and diagrams. */
typedef struct weft_step_report {
    const char *name;      /* scoped name of the node */
    const char *op;        /* its op, then what is fused with it: "convolution + normalize" */
    const char *kernel;    /* the op whose kernel it is, the first of these; of maps alone as op */
    const char *algorithm; /* by which it computes: "winograd 4x4"; "" where the op has one form */
    double flops, bytes;
    double seconds;     /* of the last run, when profiling; else 0 */
    bool hoisted;       /* runs only after the state has changed */
    bool again;         /* computes what an earlier step did, to save memory */
    int64_t live_bytes; /* arena bytes in use during the step */
    int64_t pieces;
} weft_step_report;

/* Step `index` in order of execution; false past the last. */
WEFT_API bool weft_program_step(const weft_program *program, int index, weft_step_report *report);

/* The most that a machine can do, to hold times against. */
typedef struct weft_roof {
    double flops; /* a second, of multiply-adds in registers; 0: not known */
    double bytes; /* a second, from and to memory; 0: not known */
} weft_roof;

/* Seconds that so much work takes at the least: its flops or its bytes, whichever take longer. Operands that
 * stay in a cache may take less, and so may an algorithm that multiplies less than is counted: the flops of
 * a convolution are those of the plain sum, also where Winograd's algorithm runs. */
WEFT_API double weft_roof_seconds(const weft_roof *roof, double flops, double bytes);

/* Prints one line a step. */
WEFT_API void weft_program_print(const weft_program *program, FILE *file);

/* Checks the plan once more by an independent program: no two values that live at once overlap,
 * every read comes after its write, no variable is read after its update, and no two steps that may run at
 * the same time touch the same bytes. */
WEFT_API weft_status weft_program_verify(const weft_program *program, weft_error *error);

#ifdef __cplusplus
}
#endif
#endif
