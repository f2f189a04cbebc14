/* What options stand for, and which are wrong. */
#include "optim/options.h"

#include "optim/default.h"
#include "optim/groups.h"

#include <math.h>
#include <string.h>

/* ---- Kinds ---- */

/* A number as PyTorch (or the paper) and as Keras has it. */
typedef struct usual_number {
    double torch, keras;
} usual_number;

static const struct {
    const char *name;
    usual_number learning_rate, epsilon;
    usual_number beta2; /* rho where an optimizer has that */
} kinds[] = {
    [WEFT_SGD] = {"sgd", {0.01, 0.01}, {0, 0}, {0, 0}},
    [WEFT_ADAM] = {"adam", {0.001, 0.001}, {1e-8, 1e-7}, {0.999, 0.999}},
    [WEFT_NADAM] = {"nadam", {0.002, 0.001}, {1e-8, 1e-7}, {0.999, 0.999}},
    [WEFT_ADAGRAD] = {"adagrad", {0.01, 0.001}, {1e-10, 1e-7}, {0, 0}},
    [WEFT_ADADELTA] = {"adadelta", {1, 0.001}, {1e-6, 1e-7}, {0.9, 0.95}},
    [WEFT_RMSPROP] = {"rmsprop", {0.01, 0.001}, {1e-8, 1e-7}, {0.99, 0.9}},
    [WEFT_LAMB] = {"lamb", {0.001, 0.001}, {1e-6, 1e-7}, {0.999, 0.999}},
    [WEFT_LARS] = {"lars", {1, 1}, {1e-8, 1e-8}, {0, 0}},
    [WEFT_LION] = {"lion", {0.0001, 0.001}, {0, 0}, {0.99, 0.99}},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

weft_update_kind weft_optimizer_update_kind(const weft_optimizer_options *o)
{
    bool momentum = o->momentum != 0;
    switch (o->kind) {
    case WEFT_SGD:
        return o->nesterov ? WEFT_UPDATE_NESTEROV
               : momentum  ? WEFT_UPDATE_MOMENTUM
                           : WEFT_UPDATE_SGD;
    case WEFT_ADAM:
        return o->amsgrad ? WEFT_UPDATE_AMSGRAD : WEFT_UPDATE_ADAM;
    case WEFT_NADAM:
        return WEFT_UPDATE_NADAM;
    case WEFT_ADAGRAD:
        return WEFT_UPDATE_ADAGRAD;
    case WEFT_ADADELTA:
        return WEFT_UPDATE_ADADELTA;
    case WEFT_RMSPROP:
        if (o->centered)
            return momentum ? WEFT_UPDATE_RMSPROP_CENTERED_MOMENTUM : WEFT_UPDATE_RMSPROP_CENTERED;
        return momentum ? WEFT_UPDATE_RMSPROP_MOMENTUM : WEFT_UPDATE_RMSPROP;
    case WEFT_LAMB:
        return WEFT_UPDATE_LAMB;
    case WEFT_LARS:
        return WEFT_UPDATE_LARS;
    case WEFT_LION:
        return WEFT_UPDATE_LION;
    }
    return WEFT_UPDATE_SGD;
}

static bool has_betas(weft_optimizer_kind kind)
{
    return kind == WEFT_ADAM || kind == WEFT_NADAM || kind == WEFT_LAMB || kind == WEFT_LION;
}

static bool has_rho(weft_optimizer_kind kind)
{
    return kind == WEFT_RMSPROP || kind == WEFT_ADADELTA;
}

/* ---- Options ---- */

/* Of a known kind. */
static weft_optimizer_options with_defaults(weft_optimizer_options o)
{
    bool keras = o.keras;
    usual_number rate = kinds[o.kind].learning_rate, epsilon = kinds[o.kind].epsilon;
    usual_number beta2 = kinds[o.kind].beta2;
    o.name = o.name ? o.name : kinds[o.kind].name;
    o.learning_rate = weft_or_default(o.learning_rate, keras ? rate.keras : rate.torch);
    o.epsilon = weft_or_default(o.epsilon, keras ? epsilon.keras : epsilon.torch);
    if (has_betas(o.kind)) {
        o.beta1 = weft_or_default(o.beta1, 0.9);
        o.beta2 = weft_or_default(o.beta2, beta2.torch);
    }
    if (has_rho(o.kind))
        o.rho = weft_or_default(o.rho, keras ? beta2.keras : beta2.torch);
    if (o.kind == WEFT_NADAM)
        o.momentum_decay = weft_or_default(o.momentum_decay, keras ? 1 : 0.004);
    if (o.kind == WEFT_ADAGRAD)
        o.initial_accumulator = weft_or_default(o.initial_accumulator, keras ? 0.1 : 0);
    if (o.kind == WEFT_LARS) {
        o.momentum = weft_or_default(o.momentum, 0.9);
        o.trust_coefficient = weft_or_default(o.trust_coefficient, 0.001);
    }
    o.micro_batches = o.micro_batches ? o.micro_batches : 1;
    return o;
}

static bool not_negative(double value)
{
    return value >= 0 && isfinite(value);
}

static bool between_0_and_1(double value)
{
    return value > 0 && value < 1;
}

static bool check_kind(weft_graph *graph, const weft_optimizer_options *o)
{
    if ((int)o->kind >= 0 && (int)o->kind < KINDS)
        return true;
    weft_graph_fail(graph, WEFT_ERROR_ARGUMENT,
                    "optimizer: kind %d is not one of weft_optimizer_kind", (int)o->kind);
    return false;
}

static bool check_options(weft_graph *graph, const weft_optimizer_options *o)
{
    struct {
        bool good;
        const char *rule;
    } const checks[] = {
        {o->learning_rate > 0 && isfinite(o->learning_rate), "learning_rate must be positive"},
        {o->momentum >= 0 && o->momentum < 1, "momentum must be in [0, 1)"},
        {o->momentum == 0 || o->kind == WEFT_SGD || o->kind == WEFT_RMSPROP || o->kind == WEFT_LARS,
         "momentum is an option of SGD, RMSProp and LARS"},
        {!o->nesterov || o->kind == WEFT_SGD, "nesterov is an option of SGD"},
        {!o->nesterov || o->momentum > 0, "nesterov needs a momentum"},
        {!o->amsgrad || o->kind == WEFT_ADAM, "amsgrad is an option of Adam"},
        {!o->centered || o->kind == WEFT_RMSPROP, "centered is an option of RMSProp"},
        {has_betas(o->kind) ? between_0_and_1(o->beta1) && between_0_and_1(o->beta2)
                            : o->beta1 == 0 && o->beta2 == 0,
         "beta1 and beta2 must be in (0, 1), and are options of Adam, NAdam, LAMB and Lion"},
        {has_rho(o->kind) ? between_0_and_1(o->rho) : o->rho == 0,
         "rho must be in (0, 1), and is an option of RMSProp and AdaDelta"},
        {o->kind == WEFT_NADAM ? not_negative(o->momentum_decay) : o->momentum_decay == 0,
         "momentum_decay must not be negative, and is an option of NAdam"},
        {o->kind == WEFT_ADAGRAD ? not_negative(o->initial_accumulator)
                                 : o->initial_accumulator == 0,
         "initial_accumulator must not be negative, and is an option of AdaGrad"},
        {o->kind == WEFT_LARS ? not_negative(o->trust_coefficient) : o->trust_coefficient == 0,
         "trust_coefficient must not be negative, and is an option of LARS"},
        {not_negative(o->epsilon), "epsilon must be positive"},
        {not_negative(o->weight_decay), "weight_decay must not be negative"},
        {not_negative(o->clip_norm), "clip_norm must not be negative"},
        {not_negative(o->clip_each_norm), "clip_each_norm must not be negative"},
        {not_negative(o->clip_value), "clip_value must not be negative"},
        {(o->clip_norm > 0) + (o->clip_each_norm > 0) + (o->clip_value > 0) <= 1,
         "clip_norm, clip_each_norm and clip_value exclude each other"},
        {o->micro_batches > 0, "micro_batches must not be negative"},
        {o->average_decay >= 0 && o->average_decay < 1, "average_decay must be in [0, 1)"},
        {o->group_count >= 0, "group_count must not be negative"},
        {o->group_count <= 0 || o->groups, "group_count without groups"},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        if (!checks[i].good) {
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "optimizer \"%s\": %s", o->name,
                            checks[i].rule);
            return false;
        }
    return true;
}

/* Each group has what it needs, and variables. */
static bool check_groups(weft_graph *graph, const weft_optimizer_options *o,
                         const weft_value *variable, int count)
{
    for (int i = 0; i < o->group_count; i++) {
        const weft_variable_group *group = &o->groups[i];
        int members = 0;
        if (!group->name || !group->pattern)
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT,
                            "optimizer \"%s\": group %d needs a name and a pattern", o->name, i);
        else if (!not_negative(group->rate) || !isfinite(group->weight_decay))
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT,
                            "optimizer \"%s\": group \"%s\" has rate %g and weight_decay %g",
                            o->name, group->name, group->rate, group->weight_decay);
        else
            for (int k = 0; k < count; k++)
                members += weft_group_of(o->groups, i + 1, weft_name_get(variable[k])) == i;
        if (!members)
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT,
                            "optimizer \"%s\": group \"%s\" has no variable, of pattern \"%s\"",
                            o->name, group->name, group->pattern);
        if (weft_graph_error(graph)->status != WEFT_OK)
            return false;
    }
    return true;
}

bool weft_optimizer_complete(weft_graph *graph, const weft_optimizer_options *options,
                             const weft_value *variable, int count, weft_optimizer_options *out)
{
    *out = options ? *options : (weft_optimizer_options){0};
    if (!check_kind(graph, out))
        return false;
    *out = with_defaults(*out);
    return check_options(graph, out) && check_groups(graph, out, variable, count);
}

weft_update_attributes weft_optimizer_attributes(const weft_optimizer_options *o,
                                                 weft_value variable,
                                                 const weft_variable_group *group)
{
    weft_update_attributes a;
    memset(&a, 0, sizeof(a));
    bool spared = o->decay_filters_only && weft_shape_get(variable).rank < 2;
    a.momentum = o->momentum;
    a.momentum_decay = o->momentum_decay;
    a.beta1 = o->beta1;
    a.beta2 = has_rho(o->kind) ? o->rho : o->beta2;
    a.epsilon = o->epsilon;
    a.trust = o->trust_coefficient;
    double decay =
        group && group->weight_decay != 0 ? fmax(group->weight_decay, 0) : o->weight_decay;
    a.weight_decay = spared ? 0 : decay;
    a.clip_norm = o->clip_norm > 0 ? o->clip_norm : o->clip_each_norm;
    a.clip_value = o->clip_value;
    a.kind = weft_optimizer_update_kind(o);
    a.scalars = (weft_update_rule_of((weft_update_kind)a.kind)->counts ? WEFT_UPDATE_STEP : 0) |
                (a.clip_norm > 0 ? WEFT_UPDATE_NORM : 0) | (group ? WEFT_UPDATE_GROUP : 0);
    a.micro_batches = o->micro_batches;
    a.decoupled = o->decoupled;
    a.keras = o->keras;
    a.adapts = !spared;
    return a;
}
