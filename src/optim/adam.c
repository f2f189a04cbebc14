/* Adam and AdamW: see include/weft/optim.h. Inputs: variable, first moment, second moment, gradient,
 * learning rate, number of this update. */
#include "ops/ops.h"
#include "optim/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void adam_element(const weft_update_terms *terms, double *w, double *const *slot, double g)
{
    double *m = slot[0], *v = slot[1], slope = weft_update_slope(terms, *w, g);
    *m = terms->beta1 * *m + (1 - terms->beta1) * slope;
    *v = terms->beta2 * *v + (1 - terms->beta2) * slope * slope;
    *w = terms->keep * *w - terms->rate * *m / (sqrt(*v) * terms->unbias + terms->epsilon);
}

static void adam_f64(const weft_operands *operands)
{
    weft_update_f64(&weft_adam_update_op, operands, adam_element);
}

static void adam_piece(const weft_call *call, int64_t piece)
{
    weft_update_piece p;
    if (weft_update_begin(call, piece, &p))
        p.kernels->adam(p.variable, p.slot[0], p.slot[1], p.gradient, p.count, &p.terms);
}

static bool adam_bind(weft_bind *bind)
{
    return weft_update_bind(bind, adam_piece);
}

static void adam_cost(const weft_bind *bind, weft_cost *cost)
{
    weft_update_cost(bind, 13, cost);
}

static void adam_label(const void *attributes, char *text, size_t size)
{
    const weft_update_attributes *a = attributes;
    snprintf(text, size, "%g %g", a->beta1, a->beta2);
}

static bool adam_sample(weft_sampler *sampler, int index)
{
    weft_update_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.beta1 = 0.75;
    attributes.beta2 = 0.875;
    attributes.epsilon = 1e-3;
    return index < 6 && weft_update_sample(sampler, &weft_adam_update_op, attributes);
}

const weft_op weft_adam_update_op = {
    .name = "adam_update",
    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 6,
    .max_inputs = 7,
    .outputs = 1,
    .writes = WEFT_INPUT(0) | WEFT_INPUT(1) | WEFT_INPUT(2),
    .infer = weft_update_infer,
    .run_f64 = adam_f64,
    .bind = adam_bind,
    .cost = adam_cost,
    .label = adam_label,
    .sample = adam_sample,
};
