/* LARS: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

static void measure(const weft_update_terms *t, double *w, double *const *slot, double g,
                    double sum[2])
{
    (void)slot;
    double kept = t->keep * *w, now = weft_update_clipped(t, g);
    sum[0] += kept * kept;
    sum[1] += now * now;
}

static void lars(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *v = slot[0];
    *v = t->momentum * *v + t->gain * t->trust * weft_update_slope(t, *w, g);
    *w = t->keep * *w - t->rate * *v;
}

static double trust(const weft_update_attributes *a, const weft_update_terms *t, double weights,
                    double slope)
{
    if (!a->adapts || !(weights > 0 && slope > 0))
        return 1;
    return a->trust * weights / (slope + t->decay * weights + a->epsilon);
}

WEFT_UPDATE_OP(LARS, lars, 1,
               "v = momentum v + trust |w| / (|g| + decay |w|) (g + decay w); w -= rate v",
               "You et al. 2017");
const weft_update_rule weft_lars_rule = {.op = &weft_lars_update_op,
                                         .slot = {"momentum"},
                                         .element = lars,
                                         .prepare = weft_update_velocity,
                                         .measure = measure,
                                         .trust = trust};
