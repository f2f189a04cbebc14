/* RMSProp, plain and centered, each with and without momentum: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

#include <math.h>

/* The gradient over the root of its mean square. */
static double by_square(const weft_update_terms *t, double now, double *square)
{
    *square = t->beta2 * *square + (1 - t->beta2) * now * now;
    return now / (sqrt(*square + t->inside) + t->epsilon);
}

/* Over that of its variance, which rounding may leave below 0. */
static double by_variance(const weft_update_terms *t, double now, double *square, double *mean)
{
    *square = t->beta2 * *square + (1 - t->beta2) * now * now;
    *mean = t->beta2 * *mean + (1 - t->beta2) * now;
    double variance = fmax(*square - *mean * *mean, 0);
    return now / (sqrt(variance + t->inside) + t->epsilon);
}

static void plain(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double step = by_square(t, weft_update_slope(t, *w, g), slot[0]);
    *w = t->keep * *w - t->rate * step;
}

static void with_momentum(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *v = slot[1], step = by_square(t, weft_update_slope(t, *w, g), slot[0]);
    *v = t->momentum * *v + t->gain * step;
    *w = t->keep * *w - t->rate * *v;
}

static void centered(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double step = by_variance(t, weft_update_slope(t, *w, g), slot[0], slot[1]);
    *w = t->keep * *w - t->rate * step;
}

static void centered_momentum(const weft_update_terms *t, double *w, double *const *slot, double g)
{
    double *v = slot[2], step = by_variance(t, weft_update_slope(t, *w, g), slot[0], slot[1]);
    *v = t->momentum * *v + t->gain * step;
    *w = t->keep * *w - t->rate * *v;
}

static void prepare(const weft_update_attributes *a, int32_t step, weft_update_terms *t)
{
    (void)step;
    weft_update_epsilon(a, t);
}

static void prepare_momentum(const weft_update_attributes *a, int32_t step, weft_update_terms *t)
{
    weft_update_epsilon(a, t);
    weft_update_velocity(a, step, t);
}

WEFT_UPDATE_OP(RMSPROP, rmsprop, 1, "a averages g^2; w -= rate g / (sqrt(a) + epsilon)",
               "Tieleman, Hinton 2012");
const weft_update_rule weft_rmsprop_rule = {
    .op = &weft_rmsprop_update_op, .slot = {"square"}, .element = plain, .prepare = prepare};

WEFT_UPDATE_OP(RMSPROP_MOMENTUM, rmsprop_momentum, 2,
               "as rmsprop_update, whose steps make up a velocity", "Tieleman, Hinton 2012");
const weft_update_rule weft_rmsprop_momentum_rule = {.op = &weft_rmsprop_momentum_update_op,
                                                     .slot = {"square", "momentum"},
                                                     .element = with_momentum,
                                                     .prepare = prepare_momentum};

WEFT_UPDATE_OP(RMSPROP_CENTERED, rmsprop_centered, 2,
               "as rmsprop_update, with the square of the average of g taken off a",
               "Graves 2013, equations 38 to 45");
const weft_update_rule weft_rmsprop_centered_rule = {.op = &weft_rmsprop_centered_update_op,
                                                     .slot = {"square", "mean"},
                                                     .element = centered,
                                                     .prepare = prepare};

WEFT_UPDATE_OP(RMSPROP_CENTERED_MOMENTUM, rmsprop_centered_momentum, 3,
               "as rmsprop_centered_update, whose steps make up a velocity",
               "Graves 2013, equations 38 to 45");
const weft_update_rule weft_rmsprop_centered_momentum_rule = {
    .op = &weft_rmsprop_centered_momentum_update_op,
    .slot = {"square", "mean", "momentum"},
    .element = centered_momentum,
    .prepare = prepare_momentum};
