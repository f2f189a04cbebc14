/* AdaGrad and AdaDelta: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

#include <math.h>

static void adagrad(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double now = weft_update_slope(t, *w, g);
    *slot[0] += now * now;
    *w = t->keep * *w - t->rate * now / (sqrt(*slot[0] + t->inside) + t->epsilon);
}

static void adagrad_prepare(const weft_update_attributes *a, int32_t step, weft_update_terms *t)
{
    (void)step;
    weft_update_epsilon(a, t);
}

WEFT_UPDATE_OP(ADAGRAD, adagrad, 1, "a += g^2; w -= rate g / (sqrt(a) + epsilon)",
               "Duchi et al. 2011");
const weft_update_rule weft_adagrad_rule = {.op = &weft_adagrad_update_op,
                                            .slot = {"accumulator"},
                                            .element = adagrad,
                                            .prepare = adagrad_prepare};

static void adadelta(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *square = slot[0], *step_square = slot[1], now = weft_update_slope(t, *w, g);
    *square = t->beta2 * *square + (1 - t->beta2) * now * now;
    double step = sqrt(*step_square + t->inside) / sqrt(*square + t->inside) * now;
    *step_square = t->beta2 * *step_square + (1 - t->beta2) * step * step;
    *w = t->keep * *w - t->rate * step;
}

static void adadelta_prepare(const weft_update_attributes *a, int32_t step, weft_update_terms *t)
{
    (void)step;
    t->inside = a->epsilon;
}

WEFT_UPDATE_OP(
    ADADELTA, adadelta, 2,
    "a and u average g^2 and s^2, s = sqrt(u + epsilon) / sqrt(a + epsilon) g; w -= rate s",
    "Zeiler 2012, algorithm 1");
const weft_update_rule weft_adadelta_rule = {.op = &weft_adadelta_update_op,
                                             .slot = {"square", "step_square"},
                                             .element = adadelta,
                                             .prepare = adadelta_prepare};
