/* The formulas of PyTorch, Keras and papers, written out in double. */
#include "support/optimizer_rig.h"

#include <math.h>
#include <stdlib.h>

/* What one variable's update has. */
typedef struct oracle {
    const weft_optimizer_options *o;
    double lr, wd;
    int t;
    int64_t count;
    double *w, *m, *v, *u;
    const double *g; /* clipped */
} oracle;

static double or_else(double value, double usual)
{
    return value != 0 ? value : usual;
}

/* The gradient with coupled decay; decoupled decay is taken off the variable. */
static double decayed(const oracle *a, int64_t k)
{
    if (!a->o->decoupled)
        return a->g[k] + a->wd * a->w[k];
    a->w[k] *= 1 - a->lr * a->wd;
    return a->g[k];
}

/* torch/optim/sgd.py, _single_tensor_sgd, with dampening 0; keras/src/optimizers/sgd.py. */
static void expect_sgd(const oracle *a)
{
    double mu = a->o->momentum, *b = a->m;
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k);
        if (a->o->keras && mu != 0) {
            b[k] = b[k] * mu - g * a->lr;
            a->w[k] += a->o->nesterov ? b[k] * mu - g * a->lr : b[k];
            continue;
        }
        if (mu != 0) {
            b[k] = a->t == 1 ? g : mu * b[k] + g;
            g = a->o->nesterov ? g + mu * b[k] : b[k];
        }
        a->w[k] -= a->lr * g;
    }
}

/* torch/optim/adam.py, _single_tensor_adam; keras/src/optimizers/adam.py. */
static void expect_adam(const oracle *a)
{
    double b1 = or_else(a->o->beta1, 0.9), b2 = or_else(a->o->beta2, 0.999);
    double epsilon = or_else(a->o->epsilon, a->o->keras ? 1e-7 : 1e-8);
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k), *m = &a->m[k], *v = &a->v[k], second;
        *m += (g - *m) * (1 - b1);
        *v = *v * b2 + g * g * (1 - b2);
        a->u[k] = fmax(a->u[k], *v);
        second = a->o->amsgrad ? a->u[k] : *v;
        if (a->o->keras) {
            double alpha = a->lr * sqrt(1 - pow(b2, a->t)) / (1 - pow(b1, a->t));
            a->w[k] -= *m * alpha / (sqrt(second) + epsilon);
        } else {
            double denominator = sqrt(second) / sqrt(1 - pow(b2, a->t)) + epsilon;
            a->w[k] -= a->lr / (1 - pow(b1, a->t)) * (*m / denominator);
        }
    }
}

/* keras/src/optimizers/nadam.py; torch/optim/nadam.py of version 2 but for the decay of momentum. */
static void expect_nadam(const oracle *a)
{
    double b1 = or_else(a->o->beta1, 0.9), b2 = or_else(a->o->beta2, 0.999);
    double epsilon = or_else(a->o->epsilon, a->o->keras ? 1e-7 : 1e-8);
    double psi = or_else(a->o->momentum_decay, a->o->keras ? 1 : 4e-3), product = 1;
    for (int t = 1; t <= a->t; t++)
        product *= b1 * (1 - 0.5 * pow(0.96, t * psi));
    double mu = b1 * (1 - 0.5 * pow(0.96, a->t * psi));
    double next = b1 * (1 - 0.5 * pow(0.96, (a->t + 1) * psi));
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k), *m = &a->m[k], *v = &a->v[k];
        *m += (g - *m) * (1 - b1);
        *v += (g * g - *v) * (1 - b2);
        double m_hat = next * *m / (1 - product * next) + (1 - mu) * g / (1 - product);
        a->w[k] -= m_hat * a->lr / (sqrt(*v / (1 - pow(b2, a->t))) + epsilon);
    }
}

/* torch/optim/adagrad.py, without its own decay of the rate; keras/src/optimizers/adagrad.py. */
static void expect_adagrad(const oracle *a)
{
    bool keras = a->o->keras;
    double epsilon = or_else(a->o->epsilon, keras ? 1e-7 : 1e-10);
    double first = or_else(a->o->initial_accumulator, keras ? 0.1 : 0);
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k), *sum = &a->m[k];
        *sum = (a->t == 1 ? first : *sum) + g * g;
        a->w[k] -= a->lr * g / (keras ? sqrt(*sum + epsilon) : sqrt(*sum) + epsilon);
    }
}

/* torch/optim/adadelta.py; keras/src/optimizers/adadelta.py. */
static void expect_adadelta(const oracle *a)
{
    double epsilon = or_else(a->o->epsilon, a->o->keras ? 1e-7 : 1e-6);
    double rho = or_else(a->o->rho, a->o->keras ? 0.95 : 0.9);
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k);
        a->v[k] = rho * a->v[k] + (1 - rho) * g * g;
        double delta = g * sqrt(a->u[k] + epsilon) / sqrt(a->v[k] + epsilon);
        a->u[k] = rho * a->u[k] + (1 - rho) * delta * delta;
        a->w[k] -= a->lr * delta;
    }
}

/* torch/optim/rmsprop.py; keras/src/optimizers/rmsprop.py. */
static void expect_rmsprop(const oracle *a)
{
    bool keras = a->o->keras;
    double epsilon = or_else(a->o->epsilon, keras ? 1e-7 : 1e-8);
    double rho = or_else(a->o->rho, keras ? 0.9 : 0.99), mu = a->o->momentum;
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k), *buffer = &a->m[k];
        a->v[k] = rho * a->v[k] + (1 - rho) * g * g;
        a->u[k] = rho * a->u[k] + (1 - rho) * g;
        double square = a->v[k] - (a->o->centered ? a->u[k] * a->u[k] : 0);
        if (keras) {
            *buffer = mu * *buffer + a->lr * g / sqrt(square + epsilon);
            a->w[k] -= *buffer;
        } else {
            *buffer = mu * *buffer + g / (sqrt(square) + epsilon);
            a->w[k] -= a->lr * *buffer;
        }
    }
}

static double norm_of(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t k = 0; k < count; k++)
        sum += x[k] * x[k];
    return sqrt(sum);
}

/* You et al. 2020, algorithm 2, the scaling function being the identity; with decoupled decay
 * keras/src/optimizers/lamb.py. */
static void expect_lamb(const oracle *a)
{
    double b1 = or_else(a->o->beta1, 0.9), b2 = or_else(a->o->beta2, 0.999);
    double epsilon = or_else(a->o->epsilon, a->o->keras ? 1e-7 : 1e-6);
    double *r = malloc((size_t)a->count * sizeof(double));
    for (int64_t k = 0; k < a->count; k++) {
        a->m[k] = b1 * a->m[k] + (1 - b1) * a->g[k];
        a->v[k] = b2 * a->v[k] + (1 - b2) * a->g[k] * a->g[k];
        r[k] = a->m[k] / (1 - pow(b1, a->t)) / (sqrt(a->v[k] / (1 - pow(b2, a->t))) + epsilon);
        if (a->o->decoupled)
            a->w[k] -= a->lr * a->wd * a->w[k];
        else
            r[k] += a->wd * a->w[k];
    }
    double weights = norm_of(a->w, a->count), step = norm_of(r, a->count);
    double ratio = weights > 0 && step > 0 ? weights / step : 1;
    if (a->o->decay_filters_only && a->wd == 0)
        ratio = 1;
    for (int64_t k = 0; k < a->count; k++)
        a->w[k] -= a->lr * ratio * r[k];
    free(r);
}

/* You, Gitman, Ginsburg 2017, algorithm 1, which has the rate in the velocity as Keras would; else as in
 * timm/optim/lars.py. */
static void expect_lars(const oracle *a)
{
    double mu = or_else(a->o->momentum, 0.9), eta = or_else(a->o->trust_coefficient, 0.001);
    double epsilon = or_else(a->o->epsilon, 1e-8), slope = norm_of(a->g, a->count);
    double wd = a->o->decoupled ? 0 : a->wd;
    for (int64_t k = 0; k < a->count && a->o->decoupled; k++)
        a->w[k] -= a->lr * a->wd * a->w[k];
    double weights = norm_of(a->w, a->count);
    double local = eta * weights / (slope + wd * weights + epsilon);
    if (weights == 0 || slope == 0 || (a->o->decay_filters_only && a->wd == 0))
        local = 1;
    for (int64_t k = 0; k < a->count; k++) {
        double step = local * (a->g[k] + wd * a->w[k]);
        a->m[k] = mu * a->m[k] + (a->o->keras ? a->lr * step : step);
        a->w[k] -= a->o->keras ? a->m[k] : a->lr * a->m[k];
    }
}

/* Chen et al. 2023, algorithm 2; keras/src/optimizers/lion.py. */
static void expect_lion(const oracle *a)
{
    double b1 = or_else(a->o->beta1, 0.9), b2 = or_else(a->o->beta2, 0.99);
    for (int64_t k = 0; k < a->count; k++) {
        double g = decayed(a, k), c = b1 * a->m[k] + (1 - b1) * g;
        a->m[k] = b2 * a->m[k] + (1 - b2) * g;
        a->w[k] -= a->lr * ((c > 0) - (c < 0));
    }
}

static void (*const expect_kind[])(const oracle *) = {
    [WEFT_SGD] = expect_sgd,           [WEFT_ADAM] = expect_adam,
    [WEFT_NADAM] = expect_nadam,       [WEFT_ADAGRAD] = expect_adagrad,
    [WEFT_ADADELTA] = expect_adadelta, [WEFT_RMSPROP] = expect_rmsprop,
    [WEFT_LAMB] = expect_lamb,         [WEFT_LARS] = expect_lars,
    [WEFT_LION] = expect_lion,
};

/* torch/nn/utils/clip_grad.py; Keras has no 1e-6. */
static double clip_factor(const weft_optimizer_options *o, double limit, double norm)
{
    if (limit <= 0)
        return 1;
    return fmin(1, limit / (o->keras ? norm : norm + 1e-6));
}

void test_rig_expect(test_rig *r, const weft_optimizer_options *o, double lr)
{
    double sum = 0;
    for (int i = 0; i < TEST_RIG_VARIABLES; i++)
        sum += pow(norm_of(r->g[i], test_rig_elements[i]), 2);
    r->norm = sqrt(sum);
    r->updates++;
    for (int i = 0; i < TEST_RIG_VARIABLES; i++) {
        double clip = clip_factor(o, o->clip_norm, r->norm) *
                      clip_factor(o, o->clip_each_norm, norm_of(r->g[i], test_rig_elements[i]));
        for (int64_t k = 0; k < test_rig_elements[i]; k++) {
            r->g[i][k] *= clip;
            if (o->clip_value > 0)
                r->g[i][k] = fmax(fmin(r->g[i][k], o->clip_value), -o->clip_value);
        }
        oracle a = {.o = o,
                    .lr = lr,
                    .wd = o->decay_filters_only && i != 1 ? 0 : o->weight_decay,
                    .t = r->updates,
                    .count = test_rig_elements[i],
                    .w = r->w[i],
                    .m = r->m[i],
                    .v = r->v[i],
                    .u = r->u[i],
                    .g = r->g[i]};
        expect_kind[o->kind](&a);
    }
}
