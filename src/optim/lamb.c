/* LAMB: see include/weft/optim.h. Measuring brings the moments up to date. */
#include "ops/ops.h"
#include "optim/update.h"

#include <math.h>

static double step_of(const weft_update_terms *t, double w, double *const *slot)
{
    return t->gain * *slot[0] / (sqrt(*slot[1]) * t->unbias + t->epsilon) + t->decay * w;
}

static void measure(const weft_update_terms *t, double *w, double *const *slot, double g,
                    double sum[2])
{
    weft_update_moments(t, slot, weft_update_clipped(t, g));
    double step = step_of(t, *w, slot), kept = t->keep * *w;
    sum[0] += kept * kept;
    sum[1] += step * step;
}

static void lamb(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    (void)g;
    *w = t->keep * *w - t->rate * t->trust * step_of(t, *w, slot);
}

static double trust(const weft_update_attributes *a, const weft_update_terms *t, double weights,
                    double step)
{
    (void)t;
    return a->adapts && weights > 0 && step > 0 ? weights / step : 1;
}

static void prepare(const weft_update_attributes *a, int32_t step, weft_update_terms *t)
{
    t->gain = 1 / (1 - pow(a->beta1, step));
    t->unbias = 1 / sqrt(1 - pow(a->beta2, step));
    t->epsilon = a->epsilon;
}

WEFT_UPDATE_OP(LAMB, lamb, 2, "Adam's step r + decay w, scaled by |w| / |r|",
               "You et al. 2020, algorithm 2");
const weft_update_rule weft_lamb_rule = {.op = &weft_lamb_update_op,
                                         .slot = {"m", "v"},
                                         .element = lamb,
                                         .counts = true,
                                         .prepare = prepare,
                                         .measure = measure,
                                         .trust = trust};
