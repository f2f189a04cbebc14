/* Adam and what differs from it in one term: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

#include <math.h>

/* What the first moment is divided by. */
static double spread(const weft_update_terms *t, double second)
{
    return sqrt(second) * t->unbias + t->epsilon;
}

static void adam(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    weft_update_moments(t, slot, weft_update_slope(t, *w, g));
    *w = t->keep * *w - t->rate * *slot[0] / spread(t, *slot[1]);
}

static void amsgrad(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    weft_update_moments(t, slot, weft_update_slope(t, *w, g));
    *slot[2] = *slot[2] > *slot[1] ? *slot[2] : *slot[1];
    *w = t->keep * *w - t->rate * *slot[0] / spread(t, *slot[2]);
}

static void nadam(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double now = weft_update_slope(t, *w, g);
    weft_update_moments(t, slot, now);
    *w = t->keep * *w - (t->rate * *slot[0] + t->gain * now) / spread(t, *slot[1]);
}

/* NAdam's momentum at a step: b1 (1 - 0.96^(t psi) / 2). */
static double momentum_at(const weft_update_attributes *a, int32_t step)
{
    return a->beta1 * (1 - 0.5 * pow(0.96, step * a->momentum_decay));
}

/* The product of the momenta of steps 1 to step. Ends where a factor is b1, or the product 0, but for
 * rounding: after some hundred steps at most. */
static double momentum_product(const weft_update_attributes *a, int32_t step)
{
    double product = 1, share = 1, factor = pow(0.96, a->momentum_decay);
    for (int32_t i = 1; i <= step; i++) {
        share *= factor;
        if (share < 1e-17)
            return product * pow(a->beta1, step - i + 1);
        product *= a->beta1 * (1 - 0.5 * share);
        if (product < 1e-20)
            return 0;
    }
    return product;
}

static void nadam_prepare(const weft_update_attributes *a, int32_t step, weft_update_terms *t)
{
    double rate = t->rate, next = momentum_at(a, step + 1), product = momentum_product(a, step);
    t->rate = rate * next / (1 - product * next);
    t->gain = rate * (1 - momentum_at(a, step)) / (1 - product);
    t->unbias = 1 / sqrt(1 - pow(a->beta2, step));
    t->epsilon = a->epsilon;
}

WEFT_UPDATE_OP(
    ADAM, adam, 2, "m and v average g and g^2; w -= rate m / (sqrt(v) + epsilon), m and v unbiased",
    "Kingma, Ba 2015, algorithm 1; decoupled decay: Loshchilov, Hutter 2019, algorithm 2");
const weft_update_rule weft_adam_rule = {.op = &weft_adam_update_op,
                                         .slot = {"m", "v"},
                                         .element = adam,
                                         .counts = true,
                                         .prepare = weft_update_unbias};

WEFT_UPDATE_OP(AMSGRAD, amsgrad, 3, "as adam_update, with the largest v so far",
               "Reddi et al. 2018, algorithm 2");
const weft_update_rule weft_amsgrad_rule = {.op = &weft_amsgrad_update_op,
                                            .slot = {"m", "v", "v_max"},
                                            .element = amsgrad,
                                            .counts = true,
                                            .prepare = weft_update_unbias};

WEFT_UPDATE_OP(NADAM, nadam, 2, "as adam_update, with Nesterov's momentum",
               "Dozat 2016, algorithm 2");
const weft_update_rule weft_nadam_rule = {.op = &weft_nadam_update_op,
                                          .slot = {"m", "v"},
                                          .element = nadam,
                                          .counts = true,
                                          .prepare = nadam_prepare};
