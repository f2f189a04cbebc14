/* Stochastic gradient descent, plain and with momentum: see include/weft/optim.h. */
#include "ops/ops.h"
#include "optim/update.h"

#include <stdio.h>
#include <string.h>

/* ---- Plain: variable, gradient, learning rate ---- */

static void sgd_element(const weft_update_terms *terms, double *w, double *const *slot, double g)
{
    (void)slot;
    *w = terms->keep * *w - terms->rate * weft_update_slope(terms, *w, g);
}

static void sgd_f64(const weft_operands *operands)
{
    weft_update_f64(&weft_sgd_update_op, operands, sgd_element);
}

static void sgd_piece(const weft_call *call, int64_t piece)
{
    weft_update_piece p;
    if (weft_update_begin(call, piece, &p))
        p.kernels->sgd(p.variable, p.gradient, p.count, &p.terms);
}

static bool sgd_bind(weft_bind *bind)
{
    return weft_update_bind(bind, sgd_piece);
}

static void sgd_cost(const weft_bind *bind, weft_cost *cost)
{
    weft_update_cost(bind, 2, cost);
}

static bool sgd_sample(weft_sampler *sampler, int index)
{
    weft_update_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    return index < 6 && weft_update_sample(sampler, &weft_sgd_update_op, attributes);
}

const weft_op weft_sgd_update_op = {
    .name = "sgd_update",
    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 3,
    .max_inputs = 4,
    .outputs = 1,
    .writes = WEFT_INPUT(0),
    .infer = weft_update_infer,
    .run_f64 = sgd_f64,
    .bind = sgd_bind,
    .cost = sgd_cost,
    .sample = sgd_sample,
};

/* ---- With momentum: variable, velocity, gradient, learning rate ---- */

static void heavy_element(const weft_update_terms *terms, double *w, double *const *slot, double g)
{
    double *v = slot[0];
    *v = terms->momentum * *v + weft_update_slope(terms, *w, g);
    *w = terms->keep * *w - terms->rate * *v;
}

static void nesterov_element(const weft_update_terms *terms, double *w, double *const *slot,
                             double g)
{
    double *v = slot[0], slope = weft_update_slope(terms, *w, g);
    *v = terms->momentum * *v + slope;
    *w = terms->keep * *w - terms->rate * (slope + terms->momentum * *v);
}

static void momentum_f64(const weft_operands *operands)
{
    const weft_update_attributes *attributes = operands->attributes;
    weft_update_f64(&weft_momentum_update_op, operands,
                    attributes->nesterov ? nesterov_element : heavy_element);
}

static void momentum_piece(const weft_call *call, int64_t piece)
{
    weft_update_piece p;
    if (!weft_update_begin(call, piece, &p))
        return;
    if (p.nesterov)
        p.kernels->nesterov(p.variable, p.slot[0], p.gradient, p.count, &p.terms);
    else
        p.kernels->momentum(p.variable, p.slot[0], p.gradient, p.count, &p.terms);
}

static bool momentum_bind(weft_bind *bind)
{
    return weft_update_bind(bind, momentum_piece);
}

static void momentum_cost(const weft_bind *bind, weft_cost *cost)
{
    const weft_update_attributes *attributes = bind->attributes;
    weft_update_cost(bind, attributes->nesterov ? 6 : 4, cost);
}

static void momentum_label(const void *attributes, char *text, size_t size)
{
    const weft_update_attributes *a = attributes;
    snprintf(text, size, "%g%s", a->momentum, a->nesterov ? " nesterov" : "");
}

static bool momentum_sample(weft_sampler *sampler, int index)
{
    weft_update_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.momentum = 0.75;
    attributes.nesterov = index % 2;
    return index < 8 && weft_update_sample(sampler, &weft_momentum_update_op, attributes);
}

const weft_op weft_momentum_update_op = {
    .name = "momentum_update",
    .family = WEFT_FAMILY_UPDATE,
    .min_inputs = 4,
    .max_inputs = 5,
    .outputs = 1,
    .writes = WEFT_INPUT(0) | WEFT_INPUT(1),
    .infer = weft_update_infer,
    .run_f64 = momentum_f64,
    .bind = momentum_bind,
    .cost = momentum_cost,
    .label = momentum_label,
    .sample = momentum_sample,
};
