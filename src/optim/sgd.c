/* Stochastic gradient descent, plain and with momentum: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

static void sgd(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    (void)slot;
    *w = t->keep * *w - t->rate * weft_update_slope(t, *w, g);
}

static void momentum(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *v = slot[0];
    *v = t->momentum * *v + t->gain * weft_update_slope(t, *w, g);
    *w = t->keep * *w - t->rate * *v;
}

static void nesterov(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *v = slot[0], now = t->gain * weft_update_slope(t, *w, g);
    *v = t->momentum * *v + now;
    *w = t->keep * *w - t->rate * (now + t->momentum * *v);
}

WEFT_UPDATE_OP(SGD, sgd, 0, "w -= rate g", "Robbins, Monro 1951");
const weft_update_rule weft_sgd_rule = {.op = &weft_sgd_update_op, .element = sgd};

WEFT_UPDATE_OP(MOMENTUM, momentum, 1, "v = momentum v + g; w -= rate v",
               "Polyak 1964; Sutskever et al. 2013, equations 1 and 2");
const weft_update_rule weft_momentum_rule = {.op = &weft_momentum_update_op,
                                             .slot = {"momentum"},
                                             .element = momentum,
                                             .prepare = weft_update_velocity};

WEFT_UPDATE_OP(NESTEROV, nesterov, 1, "v = momentum v + g; w -= rate (g + momentum v)",
               "Sutskever et al. 2013, equations 3 and 4");
const weft_update_rule weft_nesterov_rule = {.op = &weft_nesterov_update_op,
                                             .slot = {"momentum"},
                                             .element = nesterov,
                                             .prepare = weft_update_velocity};
