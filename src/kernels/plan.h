/* What a planner of kernels hands back: everything that running needs, as plain data. A plan is
 * bound by copying `args` into the step's arguments, asking for the workspace, and appending the
 * phases. */
#ifndef WEFT_KERNELS_PLAN_H
#define WEFT_KERNELS_PLAN_H

#include "weft/op.h"

enum { WEFT_PLAN_PHASES = 32, WEFT_PLAN_ARGS = 1024 };

/* Places of the operands in weft_call.operand. A planner takes NULL for the plain order: the inputs
 * as the kernel's header lists them, then the output, the workspace, and what is prepared. */
typedef struct weft_slots {
    int input[3];
    int output;
    int workspace;
    int prepared;
} weft_slots;

typedef struct weft_phase {
    weft_piece_fn *run;
    int64_t pieces;
    int64_t round; /* weft_call.round */
} weft_phase;

typedef struct weft_kernel_plan {
    const char *algorithm; /* its name, static */
    double cycles;         /* of all cores, work and waiting, as the cost model sees it */
    size_t workspace;      /* bytes, 64-byte aligned; may be 0 */
    int64_t parts;         /* that an epilogue's sums are made in */
    bool writes_early;     /* to the output, before the addend of an epilogue was read there */
    int phases;
    weft_phase phase[WEFT_PLAN_PHASES];
    /* The first prepare_phases phases read only the inputs in this mask (bit i: input[i] of the slots) and
     * write only the `prepared` bytes (64-byte aligned, not part of the workspace), which later phases
     * read: a packed filter. They need not run again while those inputs stay the same. */
    int prepare_phases;
    uint32_t prepare_inputs;
    size_t prepared;
    _Alignas(64) unsigned char args[WEFT_PLAN_ARGS]; /* weft_call.args points to a copy of this */
} weft_kernel_plan;

/* What a phase of so many pieces costs a plan, if its pieces take `cycles` in all: few of them leave threads
 * without work, and it ends in a barrier. */
static inline double weft_phase_cycles(double cycles, int64_t pieces)
{
    const double barrier = 12000;
    return cycles * (1 + 1 / (double)pieces) + barrier;
}

/* The price of keeping what was made of a filter from run to run: what a plan must save to be worth the memory. */
static inline double weft_kept_cycles(double floats)
{
    return 0.25 * floats;
}

#endif
