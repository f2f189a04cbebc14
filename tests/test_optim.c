/* Optimizers against the formulas of PyTorch, Keras and papers, written out here in double. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/allocator.h"
#include "weft/weft.h"

enum { VARIABLES = 3, STEPS = 5, LARGE = 70001 };

/* A scalar, a filter and a vector of more than one piece with an odd tail. */
static const int64_t element_count[VARIABLES] = {1, 3 * 5, LARGE};

typedef struct rig {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_program *program;
    weft_optimizer optimizer;
    weft_value variable[VARIABLES], gradient[VARIABLES];
    weft_dtype dtype;
    void *feed[VARIABLES];
    /* What should come out. */
    double *w[VARIABLES], *m[VARIABLES], *v[VARIABLES], *u[VARIABLES], *g[VARIABLES];
    double norm;
    int updates;
} rig;

static weft_shape shape_of(int i)
{
    return i == 0   ? (weft_shape){.rank = 0}
           : i == 1 ? weft_shape_of(3, 5)
                    : weft_shape_of(element_count[2]);
}

static size_t feed_bytes(const rig *r, int i)
{
    return (size_t)element_count[i] * weft_dtype_bytes(r->dtype);
}

/* Gradients are inputs, so that any may be fed. */
static void rig_begin(rig *r, const weft_optimizer_options *options, weft_dtype dtype, int threads)
{
    weft_error error = {0};
    *r = (rig){.dtype = dtype};
    r->context = weft_context_create(&(weft_context_options){.threads = threads});
    r->graph = weft_graph_create(r->context);
    for (int i = 0; i < VARIABLES; i++) {
        r->variable[i] = weft_variable(r->graph, .name = "w", .shape = shape_of(i),
                                       .initializer = {.kind = WEFT_INIT_UNIFORM, .a = -1, .b = 1});
        r->gradient[i] = weft_input(r->graph, .shape = shape_of(i));
        size_t count = (size_t)element_count[i];
        r->w[i] = calloc(count, sizeof(double));
        r->m[i] = calloc(count, sizeof(double));
        r->v[i] = calloc(count, sizeof(double));
        r->u[i] = calloc(count, sizeof(double));
        r->g[i] = calloc(count, sizeof(double));
        r->feed[i] = calloc(count, sizeof(double));
    }
    cr_assert_eq(
        weft_apply_gradients(r->graph, r->variable, r->gradient, VARIABLES, options, &r->optimizer),
        WEFT_OK, "%s", weft_graph_error(r->graph)->message);
    weft_state_options in = {.dtype = dtype, .seed = 3};
    cr_assert_eq(weft_state_create(r->graph, &in, &r->state, &error), WEFT_OK, "%s", error.message);
    weft_compile_options compile = {.mode = WEFT_TRAIN, .threads = threads};
    if (!weft_is_null(r->optimizer.gradient_norm)) {
        compile.fetch = &r->optimizer.gradient_norm;
        compile.fetches = 1;
    }
    cr_assert_eq(weft_compile(r->graph, r->state, &compile, &r->program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(r->program, &error), WEFT_OK, "%s", error.message);
    for (int i = 0; i < VARIABLES; i++)
        cr_assert_eq(weft_state_read(r->state, r->variable[i], r->w[i], element_count[i], &error),
                     WEFT_OK);
}

static void rig_end(rig *r)
{
    weft_program_destroy(r->program);
    weft_state_destroy(r->state);
    weft_graph_destroy(r->graph);
    weft_context_destroy(r->context);
    for (int i = 0; i < VARIABLES; i++) {
        free(r->w[i]);
        free(r->m[i]);
        free(r->v[i]);
        free(r->u[i]);
        free(r->g[i]);
        free(r->feed[i]);
    }
}

/* Numbers that float32 holds exactly. */
static double drawn(int step, int64_t index)
{
    uint32_t x = (uint32_t)(index * 2654435761u) ^ (uint32_t)(step * 40503 + 977);
    x = (x ^ x >> 15) * 0x2c1b3c6du;
    x = (x ^ x >> 12) * 0x297a2d39u;
    return (double)(int32_t)(x >> 8) * 0x1p-23 - 1;
}

static void feed_gradients(rig *r, int step)
{
    for (int i = 0; i < VARIABLES; i++)
        for (int64_t k = 0; k < element_count[i]; k++) {
            double g = drawn(step, k + 7 * i);
            if (r->dtype == WEFT_FLOAT32)
                ((float *)r->feed[i])[k] = (float)g;
            else
                ((double *)r->feed[i])[k] = g;
        }
}

static void run(rig *r, const weft_run_options *options)
{
    weft_error error = {0};
    weft_feed feed[VARIABLES];
    for (int i = 0; i < VARIABLES; i++)
        feed[i] = (weft_feed){r->gradient[i], r->feed[i], feed_bytes(r, i)};
    cr_assert_eq(weft_run(r->program, feed, VARIABLES, options, &error), WEFT_OK, "%s",
                 error.message);
}

/* ---- The formulas ---- */

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

static void expect_update(rig *r, const weft_optimizer_options *o, double lr)
{
    double sum = 0;
    for (int i = 0; i < VARIABLES; i++)
        sum += pow(norm_of(r->g[i], element_count[i]), 2);
    r->norm = sqrt(sum);
    r->updates++;
    for (int i = 0; i < VARIABLES; i++) {
        double clip = clip_factor(o, o->clip_norm, r->norm) *
                      clip_factor(o, o->clip_each_norm, norm_of(r->g[i], element_count[i]));
        for (int64_t k = 0; k < element_count[i]; k++) {
            r->g[i][k] *= clip;
            if (o->clip_value > 0)
                r->g[i][k] = fmax(fmin(r->g[i][k], o->clip_value), -o->clip_value);
        }
        oracle a = {.o = o,
                    .lr = lr,
                    .wd = o->decay_filters_only && i != 1 ? 0 : o->weight_decay,
                    .t = r->updates,
                    .count = element_count[i],
                    .w = r->w[i],
                    .m = r->m[i],
                    .v = r->v[i],
                    .u = r->u[i],
                    .g = r->g[i]};
        expect_kind[o->kind](&a);
    }
}

static void compare(rig *r, double tolerance, const char *where)
{
    double *got = malloc(LARGE * sizeof(double));
    for (int i = 0; i < VARIABLES; i++) {
        double worst = 0;
        cr_assert_eq(weft_state_read(r->state, r->variable[i], got, element_count[i], NULL),
                     WEFT_OK);
        for (int64_t k = 0; k < element_count[i]; k++)
            worst = fmax(worst, fabs(got[k] - r->w[i][k]));
        cr_expect_leq(worst, tolerance, "%s: variable %d differs by %g", where, i, worst);
    }
    free(got);
}

/* ---- Every option, five steps, the learning rate changed on the way ---- */

static const weft_optimizer_options cases[] = {
    {.learning_rate = 0.5},
    {.learning_rate = 0.5, .weight_decay = 0.1},
    {.learning_rate = 0.5, .weight_decay = 0.1, .decoupled = true},
    {.learning_rate = 0.25, .clip_norm = 3},
    {.learning_rate = 0.25, .clip_norm = 1e6},
    {.learning_rate = 0.1, .momentum = 0.9},
    {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.2},
    {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.2, .decoupled = true},
    {.learning_rate = 0.1, .momentum = 0.75, .nesterov = true, .weight_decay = 0.2},
    {.learning_rate = 0.1, .momentum = 0.75, .nesterov = true, .clip_norm = 2},
    {.learning_rate = 0.1, .momentum = 0.5, .weight_decay = 0.5, .decay_filters_only = true},
    {.kind = WEFT_ADAM},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .weight_decay = 0.3},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .weight_decay = 0.3, .decoupled = true},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .clip_norm = 3, .weight_decay = 0.1},
    {.kind = WEFT_ADAM, .beta1 = 1e-30},
    {.learning_rate = 0.5, .clip_value = 0.25, .weight_decay = 0.1},
    {.learning_rate = 0.5, .clip_each_norm = 2},
    {.learning_rate = 0.5, .clip_each_norm = 2, .keras = true},
    {.learning_rate = 0.5, .clip_norm = 3, .keras = true},
    {.learning_rate = 0.1, .momentum = 0.9, .keras = true, .weight_decay = 0.2},
    {.learning_rate = 0.1, .momentum = 0.75, .nesterov = true, .keras = true, .clip_value = 0.5},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .epsilon = 0.125, .keras = true},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .amsgrad = true, .beta2 = 0.5},
    {.kind = WEFT_ADAM,
     .learning_rate = 0.1,
     .amsgrad = true,
     .beta2 = 0.5,
     .epsilon = 0.125,
     .keras = true,
     .weight_decay = 0.1,
     .decoupled = true},
    {.kind = WEFT_NADAM, .learning_rate = 0.1},
    {.kind = WEFT_NADAM, .learning_rate = 0.1, .keras = true, .weight_decay = 0.1},
    {.kind = WEFT_NADAM,
     .learning_rate = 0.1,
     .momentum_decay = 0.25,
     .beta1 = 0.75,
     .beta2 = 0.5,
     .weight_decay = 0.1,
     .decoupled = true,
     .clip_norm = 3},
    {.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .weight_decay = 0.1},
    {.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .keras = true, .clip_each_norm = 1},
    {.kind = WEFT_ADAGRAD,
     .learning_rate = 0.1,
     .initial_accumulator = 0.5,
     .epsilon = 0.125,
     .weight_decay = 0.1,
     .decoupled = true},
    {.kind = WEFT_ADADELTA},
    {.kind = WEFT_ADADELTA, .learning_rate = 0.5, .keras = true, .weight_decay = 0.1},
    {.kind = WEFT_ADADELTA,
     .rho = 0.5,
     .epsilon = 0.125,
     .weight_decay = 0.1,
     .decoupled = true,
     .clip_norm = 3},
    {.kind = WEFT_RMSPROP},
    {.kind = WEFT_RMSPROP, .keras = true, .epsilon = 0.125, .weight_decay = 0.1},
    {.kind = WEFT_RMSPROP, .momentum = 0.75, .weight_decay = 0.1, .decoupled = true},
    {.kind = WEFT_RMSPROP, .momentum = 0.75, .keras = true, .clip_value = 0.5},
    {.kind = WEFT_RMSPROP, .centered = true, .rho = 0.75, .weight_decay = 0.1},
    {.kind = WEFT_RMSPROP, .centered = true, .keras = true, .epsilon = 0.125},
    {.kind = WEFT_RMSPROP, .centered = true, .momentum = 0.5, .clip_norm = 3},
    {.kind = WEFT_RMSPROP, .centered = true, .momentum = 0.5, .keras = true},
    {.kind = WEFT_LAMB, .learning_rate = 0.1},
    {.kind = WEFT_LAMB, .learning_rate = 0.1, .weight_decay = 0.2, .clip_norm = 3},
    {.kind = WEFT_LAMB, .learning_rate = 0.1, .weight_decay = 0.2, .decay_filters_only = true},
    {.kind = WEFT_LAMB,
     .learning_rate = 0.1,
     .weight_decay = 0.2,
     .decoupled = true,
     .keras = true,
     .epsilon = 0.125},
    {.kind = WEFT_LARS},
    {.kind = WEFT_LARS, .learning_rate = 2, .trust_coefficient = 0.125, .weight_decay = 0.1},
    {.kind = WEFT_LARS,
     .learning_rate = 0.5,
     .momentum = 0.5,
     .weight_decay = 0.1,
     .decay_filters_only = true},
    {.kind = WEFT_LARS,
     .learning_rate = 0.5,
     .keras = true,
     .weight_decay = 0.1,
     .decoupled = true,
     .epsilon = 0.125,
     .trust_coefficient = 0.5,
     .clip_each_norm = 1},
    {.kind = WEFT_LION, .learning_rate = 0.125},
    {.kind = WEFT_LION, .learning_rate = 0.125, .beta1 = 0.5, .beta2 = 0.75, .weight_decay = 0.1},
    {.kind = WEFT_LION, .keras = true, .weight_decay = 0.1, .decoupled = true, .clip_value = 0.5},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void five_steps(int number, weft_dtype dtype, double tolerance)
{
    const weft_optimizer_options *o = &cases[number];
    rig r;
    char where[80];
    rig_begin(&r, o, dtype, 1);
    double lr = weft_optimizer_learning_rate(&r.optimizer, r.state);
    if (o->learning_rate != 0)
        cr_expect_float_eq(lr, o->learning_rate, 1e-8);
    for (int step = 1; step <= STEPS; step++) {
        if (step == 4) {
            lr *= 0.125;
            cr_assert_eq(weft_optimizer_set_learning_rate(&r.optimizer, r.state, lr, NULL),
                         WEFT_OK);
        }
        feed_gradients(&r, step);
        for (int i = 0; i < VARIABLES; i++)
            for (int64_t k = 0; k < element_count[i]; k++)
                r.g[i][k] = drawn(step, k + 7 * i);
        run(&r, NULL);
        expect_update(&r, o, lr);
        snprintf(where, sizeof(where), "case %d, %s, step %d", number, weft_dtype_name(dtype),
                 step);
        compare(&r, tolerance, where);
        if (o->clip_norm > 0)
            cr_expect_float_eq(weft_fetch_scalar(r.program, r.optimizer.gradient_norm) / r.norm, 1,
                               dtype == WEFT_FLOAT32 ? 1e-6 : 1e-13, "%s", where);
    }
    if (o->kind == WEFT_ADAM || o->kind == WEFT_NADAM || o->kind == WEFT_LAMB) {
        double counted = 0;
        cr_assert_eq(weft_state_read(r.state, r.optimizer.step, &counted, 1, NULL), WEFT_OK);
        cr_expect_eq(counted, STEPS);
    } else {
        cr_expect(weft_is_null(r.optimizer.step));
    }
    rig_end(&r);
}

Test(optim, five_steps_in_double)
{
    for (int i = 0; i < CASES; i++)
        five_steps(i, WEFT_FLOAT64, 1e-13);
}

Test(optim, five_steps_in_single)
{
    for (int i = 0; i < CASES; i++)
        five_steps(i, WEFT_FLOAT32, 4e-6);
}

/* ---- Micro-batches ---- */

static void micro_batches(weft_optimizer_options options, weft_dtype dtype, double tolerance)
{
    enum { K = 4 };
    rig r;
    options.micro_batches = K;
    rig_begin(&r, &options, dtype, 1);
    double lr = weft_optimizer_learning_rate(&r.optimizer, r.state);
    for (int update = 0; update < 3; update++) {
        for (int i = 0; i < VARIABLES; i++)
            memset(r.g[i], 0, (size_t)element_count[i] * sizeof(double));
        for (int micro = 0; micro < K; micro++) {
            feed_gradients(&r, K * update + micro);
            for (int i = 0; i < VARIABLES; i++)
                for (int64_t k = 0; k < element_count[i]; k++)
                    r.g[i][k] += drawn(K * update + micro, k + 7 * i) / K;
            compare(&r, tolerance, "before the last micro-batch");
            run(&r, &(weft_run_options){.micro_batch = micro, .micro_batches = K});
        }
        expect_update(&r, &options, lr);
        compare(&r, tolerance, "after the last micro-batch");
        cr_expect_eq(weft_state_step(r.state), update + 1);
    }
    if (options.kind != WEFT_SGD) {
        double counted = 0;
        cr_assert_eq(weft_state_read(r.state, r.optimizer.step, &counted, 1, NULL), WEFT_OK);
        cr_expect_eq(counted, 3);
    }
    rig_end(&r);
}

Test(optim, micro_batches_make_one_update)
{
    static const weft_optimizer_options kinds[] = {
        {.learning_rate = 0.5, .weight_decay = 0.1},
        {.learning_rate = 0.1, .momentum = 0.9, .clip_norm = 1},
        {.kind = WEFT_ADAM, .learning_rate = 0.1},
        {.kind = WEFT_LAMB, .learning_rate = 0.1, .clip_each_norm = 2},
    };
    for (int i = 0; i < 4; i++) {
        micro_batches(kinds[i], WEFT_FLOAT64, 1e-13);
        micro_batches(kinds[i], WEFT_FLOAT32, 4e-6);
    }
}

/* ---- Threads ---- */

static uint64_t hash_after(const weft_optimizer_options *options, int threads)
{
    rig r;
    rig_begin(&r, options, WEFT_FLOAT32, threads);
    for (int step = 0; step < 3; step++) {
        feed_gradients(&r, step);
        run(&r, NULL);
    }
    uint64_t hash = weft_state_hash(r.state);
    rig_end(&r);
    return hash;
}

Test(optim, bits_do_not_depend_on_threads)
{
    for (int i = 0; i < CASES; i++) {
        uint64_t one = hash_after(&cases[i], 1);
        cr_expect_eq(hash_after(&cases[i], 2), one, "case %d", i);
        cr_expect_eq(hash_after(&cases[i], 3), one, "case %d", i);
    }
}

/* ---- From a loss ---- */

static void expect_elements(weft_state *state, weft_value variable, const double *expected,
                            int count)
{
    double got[8];
    cr_assert_eq(weft_state_read(state, variable, got, count, NULL), WEFT_OK);
    for (int i = 0; i < count; i++)
        cr_expect_float_eq(got[i], expected[i], 1e-15, "%s[%d]: %g, not %g",
                           weft_name_get(variable), i, got[i], expected[i]);
}

/* loss = x w u. Both gradients read the other variable's old value, whichever is updated first. */
Test(optim, minimize_updates_what_the_loss_depends_on)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_initializer ones = {WEFT_INIT_ONES}, two = {WEFT_INIT_CONSTANT, .a = 2};
    weft_value x = weft_input(graph, .shape = weft_shape_of(1, 3));
    weft_value w =
        weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 2), .initializer = ones);
    weft_value u =
        weft_variable(graph, .name = "u", .shape = weft_shape_of(2, 1), .initializer = two);
    weft_value still = weft_variable(graph, .name = "still", .shape = weft_shape_of(1, 1),
                                     .initializer = two, .frozen = true);
    weft_value aside = weft_variable(graph, .name = "aside", .initializer = two);
    weft_value loss = weft_matmul(weft_matmul(weft_matmul(x, w), u), still);
    weft_optimizer_options options = {.learning_rate = 0.125, .weight_decay = 0.5};
    weft_optimizer optimizer;
    weft_error error = {0};
    cr_assert_eq(weft_minimize(loss, &options, &optimizer), WEFT_OK, "%s",
                 weft_graph_error(graph)->message);
    weft_state *state;
    weft_program *train, *infer;
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, &error),
        WEFT_OK);
    weft_compile_options compile = {.mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1};
    cr_assert_eq(weft_compile(graph, state, &compile, &train, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(train, &error), WEFT_OK, "%s", error.message);
    compile.mode = WEFT_INFER;
    cr_assert_eq(weft_compile(graph, state, &compile, &infer, &error), WEFT_OK, "%s",
                 error.message);
    double input[3] = {1, 2, 3};
    weft_feed feed = {x, input, sizeof(input)};
    cr_assert_eq(weft_run(infer, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(weft_fetch_scalar(infer, loss), (1 + 2 + 3) * 2 * 2 * 2);
    cr_assert_eq(weft_run(train, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    /* d loss / dw[i][k] = x[i] u[k] still = 4 x[i]; d loss / du[k] = still sum_i x[i] w[i][k] = 12. */
    double new_w[6];
    for (int i = 0; i < 6; i++)
        new_w[i] = 1 - 0.125 * (4 * input[i / 2] + 0.5 * 1);
    double new_u = 2 - 0.125 * (12 + 0.5 * 2);
    expect_elements(state, w, new_w, 6);
    expect_elements(state, u, (double[]){new_u, new_u}, 2);
    expect_elements(state, still, (double[]){2}, 1);
    expect_elements(state, aside, (double[]){2}, 1);
    cr_expect(weft_is_null(weft_find(graph, "sgd.aside.update")));
    cr_expect_not(weft_is_null(weft_find(graph, "sgd.w.update")));
    weft_program_destroy(train);
    weft_program_destroy(infer);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* One run on 8 rows and four runs on 2 rows each end in the same variables. */
static void run_batches(int micro_batches, double *w)
{
    enum { ROWS = 8 };
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 3));
    weft_value weight = weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 1));
    weft_value mean = weft_input(graph, .shape = weft_shape_of(1, WEFT_BATCH));
    weft_value loss = weft_matmul(mean, weft_matmul(x, weight));
    weft_optimizer_options options = {
        .kind = WEFT_ADAM, .clip_norm = 0.5, .micro_batches = micro_batches};
    cr_assert_eq(weft_minimize(loss, &options, NULL), WEFT_OK, "%s",
                 weft_graph_error(graph)->message);
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    int rows = ROWS / micro_batches;
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, &error),
        WEFT_OK);
    cr_assert_eq(weft_compile(graph, state,
                              &(weft_compile_options){.mode = WEFT_TRAIN, .batch = rows}, &program,
                              &error),
                 WEFT_OK, "%s", error.message);
    double data[ROWS * 3], share[ROWS];
    for (int i = 0; i < ROWS * 3; i++)
        data[i] = drawn(5, i);
    for (int i = 0; i < rows; i++)
        share[i] = 1.0 / rows;
    for (int update = 0; update < 3; update++)
        for (int micro = 0; micro < micro_batches; micro++) {
            size_t bytes = (size_t)rows * sizeof(double);
            weft_feed feeds[] = {{x, data + micro * rows * 3, 3 * bytes}, {mean, share, bytes}};
            weft_run_options run = {
                .first_sample = micro * rows, .micro_batch = micro, .micro_batches = micro_batches};
            cr_assert_eq(weft_run(program, feeds, 2, &run, &error), WEFT_OK, "%s", error.message);
        }
    cr_assert_eq(weft_state_read(state, weight, w, 3, NULL), WEFT_OK);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

Test(optim, micro_batches_are_as_the_whole_batch)
{
    double whole[3], parts[3];
    run_batches(1, whole);
    run_batches(4, parts);
    for (int i = 0; i < 3; i++)
        cr_expect_float_eq(parts[i], whole[i], 1e-14);
}

Test(optim, loss_must_depend_on_a_trainable_variable)
{
    weft_context *context = weft_context_create(NULL);
    for (int trainable = 0; trainable < 2; trainable++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value x = weft_input(graph, .shape = weft_shape_of(1, 1));
        weft_variable(graph, .frozen = !trainable);
        weft_optimizer optimizer;
        cr_expect_eq(weft_minimize(weft_matmul(x, x, .name = "product"), NULL, &optimizer),
                     WEFT_ERROR_GRADIENT);
        cr_expect(strstr(weft_graph_error(graph)->message,
                         "\"product\" depends on no trainable variable"),
                  "%s", weft_graph_error(graph)->message);
        cr_expect(weft_is_null(optimizer.learning_rate));
        weft_graph_destroy(graph);
    }
    weft_context_destroy(context);
}

/* ---- The norm ---- */

static double norm_in(weft_dtype dtype, int count, int64_t each)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_value *x = calloc((size_t)count, sizeof(*x));
    for (int i = 0; i < count; i++)
        x[i] = weft_variable(graph, .shape = weft_shape_of(each),
                             .initializer = {.kind = WEFT_INIT_CONSTANT, .a = i + 1});
    weft_value norm = weft_global_norm(graph, x, count);
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    weft_compile_options options = {.fetch = &norm, .fetches = 1};
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.dtype = dtype}, &state, &error),
                 WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK, "%s", error.message);
    double result = weft_fetch_scalar(program, norm);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    free(x);
    return result;
}

Test(optim, norm_of_more_values_than_a_mask_has_bits)
{
    /* sum_{i=1}^{n} i^2 = n (n + 1) (2 n + 1) / 6 for each of the elements. */
    double expected = sqrt(5000 * (45.0 * 46 * 91 / 6));
    cr_expect_float_eq(norm_in(WEFT_FLOAT64, 45, 5000) / expected, 1, 1e-13);
    cr_expect_float_eq(norm_in(WEFT_FLOAT32, 45, 5000) / expected, 1, 1e-6);
    /* 1-element values: many segments in one piece. */
    expected = sqrt(100.0 * 101 * 201 / 6);
    cr_expect_float_eq(norm_in(WEFT_FLOAT32, 100, 1) / expected, 1, 1e-6);
}

/* ---- Groups ---- */

/* A graph of three variables of one element with gradients that are fed, all 1 at first. */
typedef struct small_rig {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_program *program;
    weft_optimizer optimizer;
    weft_value variable[3], gradient[3];
} small_rig;

static small_rig small_begin(const weft_optimizer_options *options, weft_dtype dtype)
{
    static const char *const names[] = {"stem.conv.weight", "stem.conv.bias", "head.weight"};
    small_rig r = {.context = weft_context_create(NULL)};
    weft_error error = {0};
    r.graph = weft_graph_create(r.context);
    for (int i = 0; i < 3; i++) {
        r.variable[i] = weft_variable(r.graph, .name = names[i], .shape = weft_shape_of(1, 1),
                                      .initializer = {WEFT_INIT_ONES});
        r.gradient[i] = weft_input(r.graph, .shape = weft_shape_of(1, 1));
    }
    cr_assert_eq(weft_apply_gradients(r.graph, r.variable, r.gradient, 3, options, &r.optimizer),
                 WEFT_OK, "%s", weft_graph_error(r.graph)->message);
    cr_assert_eq(
        weft_state_create(r.graph, &(weft_state_options){.dtype = dtype}, &r.state, &error),
        WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(r.graph, r.state, &(weft_compile_options){.mode = WEFT_TRAIN},
                              &r.program, &error),
                 WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_program_verify(r.program, &error), WEFT_OK, "%s", error.message);
    return r;
}

static void small_end(small_rig *r)
{
    weft_program_destroy(r->program);
    weft_state_destroy(r->state);
    weft_graph_destroy(r->graph);
    weft_context_destroy(r->context);
}

static void small_run(small_rig *r, double gradient, const weft_run_options *options)
{
    weft_feed feed[3];
    float single = (float)gradient;
    weft_error error = {0};
    for (int i = 0; i < 3; i++)
        feed[i] = weft_state_dtype(r->state) == WEFT_FLOAT32
                      ? (weft_feed){r->gradient[i], &single, sizeof(single)}
                      : (weft_feed){r->gradient[i], &gradient, sizeof(gradient)};
    cr_assert_eq(weft_run(r->program, feed, 3, options, &error), WEFT_OK, "%s", error.message);
}

static double small_read(small_rig *r, const char *name)
{
    double value = NAN;
    cr_assert_eq(weft_state_read(r->state, weft_find(r->graph, name), &value, 1, NULL), WEFT_OK,
                 "%s", name);
    return value;
}

Test(optim, groups_have_rates_and_decays)
{
    static const weft_variable_group groups[] = {
        {.name = "biases", .pattern = "*.bias", .rate = 2, .weight_decay = -1},
        {.name = "stem", .pattern = "stem", .rate = 0.25, .weight_decay = 0.5},
    };
    weft_optimizer_options options = {
        .learning_rate = 0.5, .weight_decay = 0.125, .groups = groups, .group_count = 2};
    for (int decoupled = 0; decoupled < 2; decoupled++)
        for (int single = 0; single < 2; single++) {
            options.decoupled = decoupled;
            small_rig r = small_begin(&options, single ? WEFT_FLOAT32 : WEFT_FLOAT64);
            small_run(&r, 0.25, NULL);
            cr_expect_eq(small_read(&r, "stem.conv.bias"), 1 - 0.5 * 2 * 0.25);
            cr_expect_eq(small_read(&r, "stem.conv.weight"), 1 - 0.5 * 0.25 * (0.25 + 0.5));
            cr_expect_eq(small_read(&r, "head.weight"), 1 - 0.5 * (0.25 + 0.125));
            cr_expect_eq(weft_optimizer_group_rate(&r.optimizer, r.state, "stem"), 0.25);
            cr_expect(isnan(weft_optimizer_group_rate(&r.optimizer, r.state, "head")));
            small_end(&r);
        }
}

/* While the stem is frozen nothing of it moves; when it is not any more its first update is the first of
 * Adam, of size lr whatever the gradient, as that of the head was. */
static void unfreeze(weft_optimizer_options options, weft_dtype dtype)
{
    static const weft_variable_group groups[] = {
        {.name = "stem", .pattern = "s*", .frozen = true, .rate = 7}};
    weft_error error = {0};
    options.groups = groups;
    options.group_count = 1;
    options.learning_rate = 0.125;
    options.epsilon = 1e-30;
    small_rig r = small_begin(&options, dtype);
    const char *scope = options.kind == WEFT_LAMB ? "lamb" : "adam";
    char m[100], step[100];
    snprintf(m, sizeof(m), "%s.stem.conv.weight.m", scope);
    snprintf(step, sizeof(step), "%s.groups.stem.step", scope);
    for (int i = 0; i < 3; i++)
        small_run(&r, 2 - i, NULL);
    cr_expect_eq(small_read(&r, "stem.conv.weight"), 1);
    cr_expect_eq(small_read(&r, m), 0);
    cr_expect_eq(small_read(&r, step), 0);
    cr_expect_neq(small_read(&r, "head.weight"), 1);
    cr_assert_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "stem", 0.5, &error), WEFT_OK,
                 "%s", error.message);
    small_run(&r, 3, NULL);
    cr_expect_float_eq(small_read(&r, "stem.conv.weight"), 1 - 0.125 * 0.5, 1e-6);
    cr_expect_float_eq(small_read(&r, m), 0.3, 1e-6);
    cr_expect_eq(small_read(&r, step), 1);
    cr_assert_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "stem", 0, &error), WEFT_OK);
    small_run(&r, 3, NULL);
    cr_expect_float_eq(small_read(&r, "stem.conv.weight"), 1 - 0.125 * 0.5, 1e-6);
    cr_expect_eq(small_read(&r, step), 1);
    double total = 0;
    cr_assert_eq(weft_state_read(r.state, r.optimizer.step, &total, 1, NULL), WEFT_OK);
    cr_expect_eq(total, 5);
    cr_expect_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "tail", 1, &error),
                 WEFT_ERROR_ARGUMENT);
    cr_expect(strstr(error.message, "no group \"tail\""), "%s", error.message);
    cr_expect_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "stem", -1, &error),
                 WEFT_ERROR_ARGUMENT);
    small_end(&r);
}

Test(optim, frozen_groups_start_when_they_are_unfrozen)
{
    static const weft_dtype dtypes[] = {WEFT_FLOAT32, WEFT_FLOAT64};
    for (int i = 0; i < 2; i++) {
        unfreeze((weft_optimizer_options){.kind = WEFT_ADAM}, dtypes[i]);
        unfreeze((weft_optimizer_options){.kind = WEFT_ADAM, .weight_decay = 0}, dtypes[i]);
        unfreeze((weft_optimizer_options){.kind = WEFT_LAMB}, dtypes[i]);
    }
}

Test(optim, groups_that_are_wrong)
{
    static const struct {
        weft_variable_group group;
        const char *says;
    } wrong[] = {
        {{.name = "a", .pattern = "ste"}, "group \"a\" has no variable, of pattern \"ste\""},
        {{.name = "a", .pattern = "stem.*.weigh"}, "has no variable"},
        {{.name = "a", .pattern = "stem?"}, "has no variable"},
        {{.name = "a"}, "group 0 needs a name and a pattern"},
        {{.name = "a", .pattern = "*", .rate = -1}, "group \"a\" has rate -1"},
    };
    weft_context *context = weft_context_create(NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value w = weft_variable(graph, .name = "stem.conv.weight");
        weft_value g = weft_input(graph, .name = "g");
        weft_optimizer_options options = {.groups = &wrong[i].group, .group_count = 1};
        cr_expect_eq(weft_apply_gradients(graph, &w, &g, 1, &options, NULL), WEFT_ERROR_ARGUMENT);
        cr_expect(strstr(weft_graph_error(graph)->message, wrong[i].says), "%s",
                  weft_graph_error(graph)->message);
        weft_graph_destroy(graph);
    }
    weft_context_destroy(context);
}

/* ---- Averages ---- */

/* w goes 1, 0.5, 0, -0.5; the first average is the first new w. */
Test(optim, averages_of_weights)
{
    static const weft_dtype dtypes[] = {WEFT_FLOAT32, WEFT_FLOAT64};
    for (int i = 0; i < 2; i++)
        for (int warmup = 0; warmup < 2; warmup++) {
            weft_optimizer_options options = {.learning_rate = 0.5,
                                              .average_decay = 0.75,
                                              .average_warmup = warmup,
                                              .micro_batches = 2};
            small_rig r = small_begin(&options, dtypes[i]);
            weft_error error = {0};
            cr_expect_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, &error),
                         WEFT_ERROR_ARGUMENT);
            cr_expect(strstr(error.message, "no update has been averaged"), "%s", error.message);
            double average = 0;
            for (int t = 1; t <= 3; t++) {
                double w = 1 - 0.5 * t, d = warmup ? fmin(0.75, (1.0 + t) / (10 + t)) : 0.75;
                average = t == 1 ? w : d * average + (1 - d) * w;
                small_run(&r, 1, &(weft_run_options){.micro_batch = 0, .micro_batches = 2});
                small_run(&r, 1, &(weft_run_options){.micro_batch = 1, .micro_batches = 2});
                cr_expect_float_eq(small_read(&r, "head.weight"), w, 1e-7);
                cr_expect_float_eq(small_read(&r, "sgd.head.weight.average"), average, 1e-7);
            }
            cr_assert_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, &error), WEFT_OK, "%s",
                         error.message);
            cr_expect_float_eq(small_read(&r, "head.weight"), average, 1e-7);
            cr_expect_float_eq(small_read(&r, "stem.conv.bias"), average, 1e-7);
            cr_expect_float_eq(small_read(&r, "sgd.head.weight.average"), -0.5, 1e-7);
            cr_assert_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, &error), WEFT_OK);
            cr_expect_float_eq(small_read(&r, "head.weight"), -0.5, 1e-7);
            small_end(&r);
        }
    small_rig r = small_begin(&(weft_optimizer_options){.momentum = 0.5}, WEFT_FLOAT64);
    cr_expect_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, NULL), WEFT_ERROR_ARGUMENT);
    small_end(&r);
}

/* Arrays of several pieces, and what is kept of them from run to run. */
Test(optim, swapping_reaches_every_element_and_program)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_value w = weft_variable(graph, .name = "w", .shape = weft_shape_of(LARGE),
                                 .initializer = {WEFT_INIT_ONES});
    weft_value twice = weft_scale(weft_tanh(w), 2);
    weft_value g = weft_input(graph, .shape = weft_shape_of(LARGE));
    weft_optimizer optimizer;
    weft_state *state;
    weft_program *train, *infer;
    float *ones = malloc(LARGE * sizeof(float));
    for (int i = 0; i < LARGE; i++)
        ones[i] = 1;
    weft_optimizer_options options = {.learning_rate = 0.5, .average_decay = 0.5};
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &options, &optimizer), WEFT_OK);
    cr_assert_eq(weft_state_create(graph, NULL, &state, NULL), WEFT_OK);
    cr_assert_eq(
        weft_compile(graph, state, &(weft_compile_options){.mode = WEFT_TRAIN}, &train, NULL),
        WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &(weft_compile_options){.fetch = &twice, .fetches = 1},
                              &infer, NULL),
                 WEFT_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(weft_run(train, &(weft_feed){g, ones, LARGE * sizeof(float)}, 1, NULL, NULL),
                     WEFT_OK);
    /* w is 0 now; the average (0.5 + 0) / 2 */
    for (int swapped = 0; swapped < 2; swapped++) {
        double expected = swapped ? 2 * tanh(0.25) : 0;
        cr_assert_eq(weft_run(infer, NULL, 0, NULL, NULL), WEFT_OK);
        const float *result = weft_fetch(infer, twice).data;
        for (int i = 0; i < LARGE; i += i < LARGE - 40 ? 997 : 1)
            cr_assert_float_eq(result[i], expected, 1e-6, "element %d", i);
        cr_assert_eq(weft_optimizer_swap_averages(&optimizer, state, NULL), WEFT_OK);
    }
    free(ones);
    weft_program_destroy(train);
    weft_program_destroy(infer);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* ---- Numbers and names ---- */

Test(optim, worked_numbers)
{
    /* First step: SGD moves by lr g, Adam by lr, whatever g is. */
    struct {
        weft_optimizer_options options;
        double expected;
    } const worked[] = {
        {{.learning_rate = 0.1}, 1 - 0.1 * 2},
        {{.learning_rate = 0.1, .weight_decay = 0.5}, 1 - 0.1 * (2 + 0.5)},
        {{.learning_rate = 0.1, .momentum = 0.5}, 1 - 0.1 * 2},
        {{.learning_rate = 0.1, .momentum = 0.5, .nesterov = true}, 1 - 0.1 * (2 + 0.5 * 2)},
        {{.learning_rate = 0.1, .clip_norm = 1}, 1 - 0.1 * 2 * (1 / (2 + 1e-6))},
        {{.kind = WEFT_ADAM, .learning_rate = 0.1, .epsilon = 1e-30}, 1 - 0.1},
        {{.kind = WEFT_ADAM, .learning_rate = 0.1, .epsilon = 2}, 1 - 0.1 * 2 / (2 + 2)},
        {{.learning_rate = 0.1, .clip_value = 0.5}, 1 - 0.1 * 0.5},
        {{.learning_rate = 0.1, .clip_each_norm = 1, .keras = true}, 1 - 0.1 * 1},
        {{.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .epsilon = 2}, 1 - 0.1 * 2 / (2 + 2)},
        {{.kind = WEFT_ADAGRAD,
          .learning_rate = 0.1,
          .keras = true,
          .initial_accumulator = 3,
          .epsilon = 9},
         1 - 0.1 * 2 / 4},
        /* a = 2, u = 0; s = sqrt(2) / sqrt(4) 2 */
        {{.kind = WEFT_ADADELTA, .rho = 0.5, .epsilon = 2}, 1 - 1.4142135623730951},
        {{.kind = WEFT_RMSPROP, .learning_rate = 0.1, .rho = 0.75, .epsilon = 3},
         1 - 0.1 * 2 / (1 + 3)},
        {{.kind = WEFT_RMSPROP, .learning_rate = 0.1, .rho = 0.75, .epsilon = 3, .keras = true},
         1 - 0.1 * 2 / 2},
        /* a = 2, c = 1 */
        {{.kind = WEFT_RMSPROP, .learning_rate = 0.1, .rho = 0.5, .epsilon = 3, .centered = true},
         1 - 0.1 * 2 / (1 + 3)},
        /* mu_1 = 0.48, mu_2 = 0.5 (1 - 0.4608); m = 1 */
        {{.kind = WEFT_NADAM, .learning_rate = 0.1, .keras = true, .beta1 = 0.5, .epsilon = 2},
         1 - 0.1 * (0.2696 * 1 / (1 - 0.26 * 0.2696) + (1 - 0.26) * 2 / (1 - 0.26)) / 4},
        /* r = 1 + 0.5, as large as needed to be of the variable's norm */
        {{.kind = WEFT_LAMB, .learning_rate = 0.1, .weight_decay = 0.5, .epsilon = 1e-30}, 1 - 0.1},
        {{.kind = WEFT_LAMB,
          .learning_rate = 0.1,
          .weight_decay = 0.5,
          .decoupled = true,
          .epsilon = 1e-30},
         0.95 - 0.1 * 0.95},
        {{.kind = WEFT_LARS,
          .learning_rate = 0.1,
          .trust_coefficient = 0.5,
          .weight_decay = 0.5,
          .epsilon = 1e-30},
         1 - 0.1 * 0.5 / 2.5 * 2.5},
        {{.kind = WEFT_LION, .learning_rate = 0.1, .weight_decay = 0.5, .decoupled = true},
         1 - 0.1 * (1 + 0.5)},
    };
    for (size_t i = 0; i < sizeof(worked) / sizeof(worked[0]); i++) {
        weft_context *context = weft_context_create(NULL);
        weft_graph *graph = weft_graph_create(context);
        weft_value w = weft_variable(graph, .name = "w", .initializer = {WEFT_INIT_ONES});
        weft_value g = weft_input(graph, .name = "g");
        cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &worked[i].options, NULL), WEFT_OK);
        weft_state *state;
        weft_program *program;
        cr_assert_eq(
            weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, NULL),
            WEFT_OK);
        cr_assert_eq(
            weft_compile(graph, state, &(weft_compile_options){.mode = WEFT_TRAIN}, &program, NULL),
            WEFT_OK);
        double gradient = 2, result = 0;
        cr_assert_eq(weft_run(program, &(weft_feed){g, &gradient, sizeof(gradient)}, 1, NULL, NULL),
                     WEFT_OK);
        cr_assert_eq(weft_state_read(state, w, &result, 1, NULL), WEFT_OK);
        cr_expect_float_eq(result, worked[i].expected, 1e-15, "case %zu: %.17g", i, result);
        weft_program_destroy(program);
        weft_state_destroy(state);
        weft_graph_destroy(graph);
        weft_context_destroy(context);
    }
}

/* After many updates with one gradient, NAdam's product of momenta is 0 and its moments are the gradient
 * and its square, so that a step is lr (mu + 1 - mu); with psi 0 all momenta are b1 / 2. */
Test(optim, nadam_after_many_updates)
{
    static const weft_optimizer_options options[] = {
        {.kind = WEFT_NADAM, .learning_rate = 0.125, .epsilon = 1e-30},
        {.kind = WEFT_NADAM, .learning_rate = 0.125, .epsilon = 1e-30, .keras = true},
    };
    for (int i = 0; i < 2; i++) {
        rig r;
        rig_begin(&r, &options[i], WEFT_FLOAT64, 1);
        for (int64_t k = 0; k < LARGE; k++)
            ((double *)r.feed[2])[k] = k % 2 ? -3 : 3;
        double before, after, step = 30000, gradient = 3, square = 9;
        ((double *)r.feed[0])[0] = gradient;
        weft_value m = weft_find(r.graph, "nadam.w.m"), v = weft_find(r.graph, "nadam.w.v");
        cr_assert_eq(weft_state_write(r.state, m, &gradient, 1, NULL), WEFT_OK);
        cr_assert_eq(weft_state_write(r.state, v, &square, 1, NULL), WEFT_OK);
        cr_assert_eq(weft_state_write(r.state, r.optimizer.step, &step, 1, NULL), WEFT_OK);
        cr_assert_eq(weft_state_read(r.state, r.variable[0], &before, 1, NULL), WEFT_OK);
        run(&r, NULL);
        cr_assert_eq(weft_state_read(r.state, r.variable[0], &after, 1, NULL), WEFT_OK);
        /* mu changes from step to step by what 0.96^psi does */
        cr_expect_float_eq(before - after, 0.125, 1e-6, "%.17g", before - after);
        rig_end(&r);
    }
}

Test(optim, names_of_variables)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_scope_push(graph, "layer1");
    weft_value w = weft_variable(graph, .name = "weight", .shape = weft_shape_of(2, 3));
    weft_scope_pop(graph);
    weft_value g = weft_input(graph, .shape = weft_shape_of(2, 3));
    static const weft_variable_group all = {.name = "all", .pattern = "layer?.*"};
    weft_optimizer_options adam = {.kind = WEFT_ADAM,
                                   .micro_batches = 2,
                                   .clip_norm = 1,
                                   .average_decay = 0.9,
                                   .groups = &all,
                                   .group_count = 1};
    weft_optimizer_options sgd = {.momentum = 0.9, .name = "slow"};
    weft_optimizer first, second, third;
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &adam, &first), WEFT_OK);
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &sgd, &second), WEFT_OK);
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &sgd, &third), WEFT_OK);
    static const char *const names[] = {"adam.learning_rate",
                                        "adam.averages",
                                        "adam.groups.all.rate",
                                        "adam.groups.all.step",
                                        "adam.layer1.weight.average",
                                        "slow_1.learning_rate",
                                        "slow_1.layer1.weight.momentum",
                                        "adam.step",
                                        "adam.layer1.weight.accumulated",
                                        "adam.layer1.weight.m",
                                        "adam.layer1.weight.v",
                                        "slow.learning_rate",
                                        "slow.layer1.weight.momentum"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        weft_value found = weft_find(graph, names[i]);
        cr_expect(weft_is_variable(found), "%s", names[i]);
        cr_expect(!weft_is_trainable(found), "%s", names[i]);
    }
    cr_expect_str_eq(weft_name_get(first.gradient_norm), "adam.gradient_norm");
    cr_expect_str_eq(weft_name_get(second.learning_rate), "slow.learning_rate");
    cr_expect_eq(first.micro_batches, 2);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* ---- Memory ---- */

/* The whole of a small training with the n-th allocation failing. */
static weft_status train_once(weft_context *context, weft_optimizer_kind kind, weft_error *error)
{
    weft_graph *graph = weft_graph_create(context);
    if (!graph)
        return WEFT_ERROR_MEMORY;
    weft_value x = weft_input(graph, .shape = weft_shape_of(1, 3));
    weft_value w = weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 1));
    static const weft_variable_group all = {.name = "all", .pattern = "*"};
    weft_optimizer_options options = {.kind = kind,
                                      .clip_norm = 1,
                                      .micro_batches = 2,
                                      .average_decay = 0.5,
                                      .groups = &all,
                                      .group_count = 1};
    weft_optimizer optimizer;
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_status status = weft_minimize(weft_matmul(x, w), &options, &optimizer);
    if (status == WEFT_OK)
        status = weft_state_create(graph, NULL, &state, error);
    else
        *error = *weft_graph_error(graph);
    if (status == WEFT_OK)
        status = weft_compile(graph, state, &(weft_compile_options){.mode = WEFT_TRAIN}, &program,
                              error);
    float data[3] = {1, 2, 3};
    if (status == WEFT_OK)
        status = weft_run(program, &(weft_feed){x, data, sizeof(data)}, 1,
                          &(weft_run_options){.micro_batch = 1, .micro_batches = 2}, error);
    if (status == WEFT_OK)
        status = weft_optimizer_swap_averages(&optimizer, state, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    return status;
}

static void fail_each_allocation(weft_optimizer_kind kind)
{
    test_allocator allocator = {0};
    weft_context_options options = test_allocator_options(&allocator);
    weft_context *context = weft_context_create(&options);
    int64_t live = allocator.live_bytes;
    for (int64_t n = 1;; n++) {
        weft_error error = {.message = "none"};
        allocator.requests = allocator.failed = 0;
        allocator.fail_at = n;
        weft_status status = train_once(context, kind, &error);
        cr_expect_eq(allocator.live_bytes, live, "request %lld", (long long)n);
        cr_expect_eq(allocator.wrong_releases, 0);
        if (!allocator.failed) {
            cr_expect_eq(status, WEFT_OK, "%s", error.message);
            cr_expect_gt(n, 8);
            break;
        }
        cr_expect_eq(status, WEFT_ERROR_MEMORY, "request %lld: %s", (long long)n, error.message);
    }
    allocator.fail_at = 0;
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
}

Test(optim, every_allocation_fails_once)
{
    fail_each_allocation(WEFT_ADAM);
    fail_each_allocation(WEFT_LAMB);
}

/* ---- Mistakes ---- */

Test(optim, mistakes_are_named)
{
    static const struct {
        weft_optimizer_options options;
        const char *says;
    } wrong[] = {
        {{.kind = (weft_optimizer_kind)77}, "kind 77"},
        {{.learning_rate = -1}, "learning_rate"},
        {{.learning_rate = NAN}, "learning_rate"},
        {{.momentum = 1}, "momentum"},
        {{.nesterov = true}, "nesterov needs a momentum"},
        {{.kind = WEFT_ADAM, .momentum = 0.9}, "momentum is an option of SGD"},
        {{.kind = WEFT_RMSPROP, .momentum = 0.9, .nesterov = true}, "nesterov is an option"},
        {{.amsgrad = true}, "amsgrad is an option of Adam"},
        {{.kind = WEFT_ADAM, .centered = true}, "centered is an option of RMSProp"},
        {{.beta1 = 0.5}, "options of Adam"},
        {{.kind = WEFT_RMSPROP, .rho = 1}, "rho must be in (0, 1)"},
        {{.kind = WEFT_NADAM, .momentum_decay = -1}, "momentum_decay"},
        {{.kind = WEFT_ADAGRAD, .initial_accumulator = -1}, "initial_accumulator"},
        {{.kind = WEFT_LAMB, .trust_coefficient = 1}, "trust_coefficient"},
        {{.clip_value = -1}, "clip_value"},
        {{.clip_each_norm = NAN}, "clip_each_norm"},
        {{.clip_value = 1, .clip_norm = 1}, "exclude each other"},
        {{.kind = WEFT_ADAM, .beta2 = 1}, "beta2"},
        {{.kind = WEFT_ADAM, .epsilon = -1}, "epsilon"},
        {{.weight_decay = -1}, "weight_decay"},
        {{.clip_norm = INFINITY}, "clip_norm"},
        {{.micro_batches = -1}, "micro_batches"},
        {{.average_decay = 1}, "average_decay"},
        {{.group_count = -1}, "group_count"},
        {{.group_count = 2}, "group_count without groups"},
    };
    weft_context *context = weft_context_create(NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value w = weft_variable(graph, .shape = weft_shape_of(2));
        weft_value g = weft_input(graph, .shape = weft_shape_of(2));
        weft_optimizer out;
        cr_expect_eq(weft_apply_gradients(graph, &w, &g, 1, &wrong[i].options, &out),
                     WEFT_ERROR_ARGUMENT, "%zu", i);
        cr_expect(strstr(weft_graph_error(graph)->message, wrong[i].says), "%s",
                  weft_graph_error(graph)->message);
        cr_expect(strstr(weft_graph_error(graph)->message, "test_optim.c:"), "%s",
                  weft_graph_error(graph)->message);
        cr_expect(weft_is_null(out.learning_rate));
        weft_graph_destroy(graph);
    }
    weft_graph *graph = weft_graph_create(context);
    weft_value w = weft_variable(graph, .shape = weft_shape_of(2));
    weft_value g = weft_input(graph, .shape = weft_shape_of(3));
    cr_expect_eq(weft_apply_gradients(graph, &w, &g, 1, NULL, NULL), WEFT_ERROR_SHAPE);
    weft_graph_destroy(graph);
    graph = weft_graph_create(context);
    g = weft_input(graph, .shape = weft_shape_of(3));
    cr_expect_eq(weft_apply_gradients(graph, &g, &g, 1, NULL, NULL), WEFT_ERROR_ARGUMENT);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}
