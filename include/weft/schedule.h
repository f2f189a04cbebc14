/* Schedules: the learning rate as a pure function of the number of updates done. The caller asks before
 * an update and hands the answer to weft_optimizer_set_learning_rate. */
#ifndef WEFT_SCHEDULE_H
#define WEFT_SCHEDULE_H

#include "weft/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_schedule_kind {
    WEFT_SCHEDULE_CONSTANT = 0,
    WEFT_SCHEDULE_STEPS,       /* rate * factor^(number of milestones reached) */
    WEFT_SCHEDULE_EXPONENTIAL, /* rate * factor^((step - warmup) / every), smoothly */
    WEFT_SCHEDULE_COSINE /* half a cosine from rate to floor (Loshchilov, Hutter 2017, eq. 5) */
} weft_schedule_kind;

enum { WEFT_SCHEDULE_MILESTONES = 8 };

typedef struct weft_schedule {
    weft_schedule_kind kind;
    double rate;   /* the highest */
    double floor;  /* the result is never below it; warm-up excepted */
    double factor; /* STEPS, EXPONENTIAL; 0: 0.1 */
    /* STEPS: the steps, ascending, from which another factor applies; the first 0 ends the list. Without
     * any: every multiple of `every`. Counted with the warm-up. */
    int64_t milestone[WEFT_SCHEDULE_MILESTONES];
    int64_t every; /* STEPS, EXPONENTIAL: steps for one factor; 0: 1 */
    int64_t steps; /* COSINE: of the whole training, warm-up included; floor from there on */
    /* For steps below warmup the rate is that of the first step after it, times
     * warmup_from + (1 - warmup_from) * (step + 1) / warmup (Goyal et al. 2017, section 2.2). */
    int64_t warmup;
    double warmup_from; /* a fraction of the rate */
} weft_schedule;

/* The learning rate of the update that follows `step` updates; step counts from 0. */
WEFT_API double weft_schedule_at(const weft_schedule *schedule, int64_t step);

#ifdef __cplusplus
}
#endif
#endif
