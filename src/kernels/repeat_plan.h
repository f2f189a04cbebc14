/* A kernel's plan run for each place of outer dimensions, along which its operands lie any strides apart. */
#ifndef WEFT_KERNELS_REPEAT_PLAN_H
#define WEFT_KERNELS_REPEAT_PLAN_H

#include "kernels/plan.h"

enum { WEFT_REPEAT_OPERANDS = 4 }; /* three inputs and the output */

typedef struct weft_repeat_places {
    int rank; /* 0: one place */
    int64_t extent[WEFT_MAX_RANK];
    int64_t stride[WEFT_REPEAT_OPERANDS]
                  [WEFT_MAX_RANK]; /* in floats; inputs 0 to 2, then the output */
} weft_repeat_places;

typedef struct weft_repeat_args {
    _Alignas(
        64) unsigned char args[WEFT_PLAN_ARGS]; /* of the plan, made for the plain order of slots */
    weft_repeat_places places;
    int inputs;
    weft_slots slots; /* where the operands are */
    size_t workspace, prepared;
    bool prepared_once; /* all places share what is prepared */
    weft_phase phase[WEFT_PLAN_PHASES];
} weft_repeat_args;

/* From the plan of one place, made with slots NULL, to that of all: its phases, workspace and what is
 * prepared; plan->args is not used, args are. */
void weft_repeat_plan(const weft_repeat_places *places, int inputs, const weft_slots *slots,
                      weft_kernel_plan *plan, weft_repeat_args *args);

#endif
