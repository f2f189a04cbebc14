/* Lion: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

static void lion(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *m = slot[0], now = weft_update_slope(t, *w, g);
    double mix = t->beta1 * *m + (1 - t->beta1) * now;
    double sign = mix > 0 ? 1 : mix < 0 ? -1 : mix; /* NaN stays NaN */
    *m = t->beta2 * *m + (1 - t->beta2) * now;
    *w = t->keep * *w - t->rate * sign;
}

WEFT_UPDATE_OP(LION, lion, 1, "w -= rate sign(beta1 m + (1 - beta1) g); m averages g",
               "Chen et al. 2023, algorithm 2");
const weft_update_rule weft_lion_rule = {
    .op = &weft_lion_update_op, .slot = {"m"}, .element = lion};
