/* Schedules: the learning rate as a pure function of the number of updates done. The caller asks before
 * an update and hands the answer to weft_optimizer_set_learning_rate.
 *
 * The formulas are those of PyTorch's schedulers and Keras's schedules, which differ from them in this: the
 * boundaries of Keras's PiecewiseConstantDecay are less by 1 than milestones; floor is the part alpha of the
 * rate in Keras's cosines, and its restarts take the factor of r - floor; PyTorch's polynomial has no floor;
 * PyTorch's LinearLR and Keras's warm-ups begin with the fraction f itself, and take n steps to the full rate:
 * a warmup of n + 1 from f - (1 - f) / n, until n, then what follows. */
#ifndef WEFT_SCHEDULE_H
#define WEFT_SCHEDULE_H

#include "weft/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* With t = step - warmup, and r the highest rate: */
typedef enum weft_schedule_kind {
    WEFT_SCHEDULE_CONSTANT = 0,
    WEFT_SCHEDULE_STEPS,       /* r * factor^(number of milestones reached): StepLR, MultiStepLR */
    WEFT_SCHEDULE_EXPONENTIAL, /* r * factor^(t / every) */
    WEFT_SCHEDULE_COSINE,      /* half a cosine from r to floor (Loshchilov, Hutter 2017, eq. 5) */
    WEFT_SCHEDULE_COSINE_RESTARTS, /* the same again and again (SGDR, of the same paper): the first takes
                                    * `every` steps, the next `growth` times as many, from factor * r */
    WEFT_SCHEDULE_INVERSE_TIME, /* r / (1 + factor * t / every) */
    WEFT_SCHEDULE_POLYNOMIAL,   /* floor + (r - floor) * (1 - t / (steps - warmup))^power */
    /* Half a cosine up from r * start to r in `rise` of all steps, and another down to r * start * end
     * (Smith, Topin 2018; PyTorch's OneCycleLR, with its defaults; momentum stays as it is) */
    WEFT_SCHEDULE_ONE_CYCLE
} weft_schedule_kind;

enum { WEFT_SCHEDULE_MILESTONES = 8 };

typedef struct weft_schedule weft_schedule;
struct weft_schedule {
    weft_schedule_kind kind;
    double rate;  /* the highest */
    double floor; /* the result is never below it; warm-up and one cycle excepted */
    /* STEPS, EXPONENTIAL 0: 0.1; COSINE_RESTARTS, INVERSE_TIME 0: 1 */
    double factor;
    /* STEPS: the steps, ascending, from which another factor applies; the first 0 ends the list. Without
     * any: every multiple of `every`. Counted with the warm-up. */
    int64_t milestone[WEFT_SCHEDULE_MILESTONES];
    int64_t every;  /* STEPS, EXPONENTIAL, COSINE_RESTARTS, INVERSE_TIME: steps; 0: 1 */
    bool staircase; /* EXPONENTIAL, INVERSE_TIME: t / every is rounded down */
    double growth;  /* COSINE_RESTARTS; 0: 1. Not below 1 */
    double power;   /* POLYNOMIAL; 0: 1, a straight line */
    /* COSINE, POLYNOMIAL, ONE_CYCLE: of the whole training, warm-up included; the last rate from there on */
    int64_t steps;
    double start, end, rise; /* ONE_CYCLE: fractions; 0: 1/25, 1/10000, 0.3 */
    /* For steps below warmup the rate is that of the first step after it, times
     * warmup_from + (1 - warmup_from) * (step + 1) / warmup (Goyal et al. 2017, section 2.2). */
    int64_t warmup;
    double warmup_from; /* a fraction of the rate */
    /* Composition: the result is multiplied by that of `times`, unless NULL; from step `until` on it is that
     * of `then` in place of all this, for steps counted from there, unless NULL. Kept, not copied. */
    const weft_schedule *times, *then;
    int64_t until;
};

/* The learning rate of the update that follows `step` updates; step counts from 0. */
WEFT_API double weft_schedule_at(const weft_schedule *schedule, int64_t step);

/* A factor of the rate that falls when a metric no longer improves, as of PyTorch's ReduceLROnPlateau. For the
 * same falls Keras's patience and cooldown are larger by 1; its threshold is absolute. The first part is
 * options, the second is zero at first and belongs to weft_plateau_next. */
typedef struct weft_plateau {
    double factor;    /* of each fall; 0: 0.1 */
    double floor;     /* the result is never below it */
    int64_t patience; /* metrics without improvement that pass; 0: 10, negative: none */
    int64_t cooldown; /* metrics after a fall that do not count as without improvement */
    double threshold; /* an improvement is more than this, relative to the best metric; 0: 1e-4 */
    bool absolute;    /* the threshold is not relative */
    bool maximize;    /* large metrics are good */

    bool started;
    double best, scale;
    int64_t waited, cooling;
} weft_plateau;

/* Takes in a metric, such as the loss of an epoch, and returns the factor from there on: at first 1. NaN is
 * no improvement. */
WEFT_API double weft_plateau_next(weft_plateau *plateau, double metric);

#ifdef __cplusplus
}
#endif
#endif
