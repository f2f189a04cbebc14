/* Appends updates to a graph. */
#include "base/memory.h"
#include "ops/ops.h"
#include "optim/update.h"
#include "weft/optim.h"

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

static weft_update_kind update_kind(const weft_optimizer_options *o)
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

static double or_default(double value, double usual)
{
    return value == 0 ? usual : value;
}

/* Of a known kind. */
static weft_optimizer_options with_defaults(weft_optimizer_options o)
{
    bool keras = o.keras;
    usual_number rate = kinds[o.kind].learning_rate, epsilon = kinds[o.kind].epsilon;
    usual_number beta2 = kinds[o.kind].beta2;
    o.name = o.name ? o.name : kinds[o.kind].name;
    o.learning_rate = or_default(o.learning_rate, keras ? rate.keras : rate.torch);
    o.epsilon = or_default(o.epsilon, keras ? epsilon.keras : epsilon.torch);
    if (has_betas(o.kind)) {
        o.beta1 = or_default(o.beta1, 0.9);
        o.beta2 = or_default(o.beta2, beta2.torch);
    }
    if (has_rho(o.kind))
        o.rho = or_default(o.rho, keras ? beta2.keras : beta2.torch);
    if (o.kind == WEFT_NADAM)
        o.momentum_decay = or_default(o.momentum_decay, keras ? 1 : 0.004);
    if (o.kind == WEFT_ADAGRAD)
        o.initial_accumulator = or_default(o.initial_accumulator, keras ? 0.1 : 0);
    if (o.kind == WEFT_LARS) {
        o.momentum = or_default(o.momentum, 0.9);
        o.trust_coefficient = or_default(o.trust_coefficient, 0.001);
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
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        if (!checks[i].good) {
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "optimizer \"%s\": %s", o->name,
                            checks[i].rule);
            return false;
        }
    return true;
}

static weft_update_attributes attributes_of(const weft_optimizer_options *o, weft_value variable)
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
    a.weight_decay = spared ? 0 : o->weight_decay;
    a.clip_norm = o->clip_norm > 0 ? o->clip_norm : o->clip_each_norm;
    a.clip_value = o->clip_value;
    a.kind = update_kind(o);
    a.scalars = (weft_update_rule_of((weft_update_kind)a.kind)->counts ? WEFT_UPDATE_STEP : 0) |
                (a.clip_norm > 0 ? WEFT_UPDATE_NORM : 0);
    a.micro_batches = o->micro_batches;
    a.decoupled = o->decoupled;
    a.keras = o->keras;
    a.adapts = !spared;
    return a;
}

/* ---- Nodes ---- */

static weft_value slot_like(weft_value variable, const char *name, double first)
{
    return weft_variable(
        variable.graph,
        &(weft_variable_options){.name = name,
                                 .shape = weft_shape_get(variable),
                                 .initializer = {.kind = WEFT_INIT_CONSTANT, .a = first},
                                 .frozen = true});
}

static weft_optimizer append_scalars(weft_graph *graph, const weft_optimizer_options *options)
{
    weft_optimizer optimizer = {.step = weft_null(graph),
                                .gradient_norm = weft_null(graph),
                                .micro_batches = options->micro_batches};
    optimizer.learning_rate =
        weft_variable(graph, &(weft_variable_options){.name = "learning_rate",
                                                      .initializer = {.kind = WEFT_INIT_CONSTANT,
                                                                      .a = options->learning_rate},
                                                      .frozen = true});
    if (weft_update_rule_of(update_kind(options))->counts)
        optimizer.step = weft_variable(
            graph, &(weft_variable_options){.name = "step", .dtype = WEFT_INT32, .frozen = true});
    return optimizer;
}

static weft_value norm_of(weft_graph *graph, const weft_value *gradient, int count)
{
    return weft_global_norm(graph, gradient, count,
                            &(weft_global_norm_options){.name = "gradient_norm"});
}

/* Sums of micro-batches take the place of the gradients. */
static void append_sums(const weft_value *variable, weft_value *gradient, int count,
                        int micro_batches)
{
    for (int i = 0; i < count && micro_batches > 1; i++) {
        weft_scope_push(variable[i].graph, weft_name_get(variable[i]));
        weft_value sum = slot_like(variable[i], "accumulated", 0);
        gradient[i] = weft_accumulate_gradient(sum, gradient[i], micro_batches);
        weft_scope_pop(variable[i].graph);
    }
}

static void append_update(const weft_optimizer_options *options, const weft_optimizer *optimizer,
                          weft_value step, weft_value variable, weft_value gradient)
{
    weft_graph *graph = variable.graph;
    weft_update_attributes a = attributes_of(options, variable);
    const weft_update_rule *rule = weft_update_rule_of((weft_update_kind)a.kind);
    weft_value input[1 + WEFT_UPDATE_SLOTS + 2 + WEFT_UPDATE_SCALARS];
    int inputs = 0;
    weft_scope_push(graph, weft_name_get(variable));
    input[inputs++] = variable;
    for (int i = 0; i < WEFT_UPDATE_SLOTS && rule->slot[i]; i++)
        input[inputs++] = slot_like(variable, rule->slot[i], options->initial_accumulator);
    input[inputs++] = gradient;
    input[inputs++] = optimizer->learning_rate;
    if (a.scalars & WEFT_UPDATE_STEP)
        input[inputs++] = step;
    if (a.scalars & WEFT_UPDATE_NORM)
        input[inputs++] =
            options->clip_norm > 0 ? optimizer->gradient_norm : norm_of(graph, &gradient, 1);
    weft_apply(graph, rule->op, &a, sizeof(a), "update", input, inputs, NULL, 1);
    weft_scope_pop(graph);
}

/* gradient is changed where sums of micro-batches take its place. */
static weft_optimizer append(weft_graph *graph, const weft_value *variable, weft_value *gradient,
                             int count, const weft_optimizer_options *options)
{
    weft_scope_push(graph, options->name);
    weft_optimizer optimizer = append_scalars(graph, options);
    append_sums(variable, gradient, count, options->micro_batches);
    if (options->clip_norm > 0)
        optimizer.gradient_norm = norm_of(graph, gradient, count);
    weft_value step = weft_is_null(optimizer.step)
                          ? optimizer.step
                          : weft_count_updates(optimizer.step, options->micro_batches);
    for (int i = 0; i < count && weft_graph_error(graph)->status == WEFT_OK; i++)
        append_update(options, &optimizer, step, variable[i], gradient[i]);
    weft_scope_pop(graph);
    return optimizer;
}

/* ---- For users ---- */

static bool check_pairs(weft_graph *graph, const weft_value *variable, const weft_value *gradient,
                        int count)
{
    if (count <= 0)
        weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "apply_gradients: no variables to update");
    for (int i = 0; i < count; i++) {
        if (variable[i].graph != graph || gradient[i].graph != graph)
            weft_graph_fail(graph, WEFT_ERROR_GRAPH, "apply_gradients: pair %d is of another graph",
                            i);
        else if (!weft_is_variable(variable[i]) || weft_dtype_get(variable[i]) != WEFT_REAL)
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT,
                            "apply_gradients: \"%s\" (number %d) is not a real variable",
                            weft_name_get(variable[i]), i);
        else if (weft_is_null(gradient[i]))
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT,
                            "apply_gradients: the gradient of \"%s\" is the null value",
                            weft_name_get(variable[i]));
    }
    return weft_graph_error(graph)->status == WEFT_OK;
}

weft_status weft_apply_gradients(weft_graph *graph, const weft_value *variable,
                                 const weft_value *gradient, int count,
                                 const weft_optimizer_options *options, weft_optimizer *out)
{
    weft_optimizer none = {weft_null(graph), weft_null(graph), weft_null(graph), 0};
    weft_optimizer optimizer = none;
    weft_optimizer_options chosen = options ? *options : (weft_optimizer_options){0};
    bool known = check_kind(graph, &chosen);
    if (known)
        chosen = with_defaults(chosen);
    if (known && check_options(graph, &chosen) && check_pairs(graph, variable, gradient, count)) {
        weft_value *room =
            weft_allocate_array(weft_graph_context(graph), (size_t)count, sizeof(*room));
        if (room) {
            memcpy(room, gradient, (size_t)count * sizeof(*room));
            optimizer = append(graph, variable, room, count, &chosen);
        } else {
            weft_graph_fail(graph, WEFT_ERROR_MEMORY, "apply_gradients: out of memory");
        }
        weft_release_array(weft_graph_context(graph), room, (size_t)count, sizeof(*room));
    }
    weft_status status = weft_graph_error(graph)->status;
    if (out)
        *out = status == WEFT_OK ? optimizer : none;
    return status;
}

static int count_trainable(weft_graph *graph)
{
    int count = 0;
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++)
        count += weft_is_trainable(weft_variable_at(graph, i));
    return count;
}

/* The trainable variables that loss depends on, and its gradients. Returns their number. */
static int differentiate(weft_value loss, weft_value *variable, weft_value *gradient)
{
    int count = 0, reached = 0;
    for (int i = 0; !weft_is_null(weft_variable_at(loss.graph, i)); i++)
        if (weft_is_trainable(weft_variable_at(loss.graph, i)))
            variable[count++] = weft_variable_at(loss.graph, i);
    weft_gradient_options leave_out = {.null_if_unreached = true};
    if (weft_gradients(loss, variable, count, gradient, &leave_out) != WEFT_OK)
        return 0;
    for (int i = 0; i < count; i++)
        if (!weft_is_null(gradient[i])) {
            variable[reached] = variable[i];
            gradient[reached++] = gradient[i];
        }
    if (!reached)
        weft_graph_fail(loss.graph, WEFT_ERROR_GRADIENT,
                        "minimize: \"%s\" depends on no trainable variable", weft_name_get(loss));
    return reached;
}

weft_status weft_minimize(weft_value loss, const weft_optimizer_options *options,
                          weft_optimizer *out)
{
    weft_graph *graph = loss.graph;
    weft_context *context = weft_graph_context(graph);
    size_t room_count = 2 * (size_t)count_trainable(graph);
    weft_value *room = weft_allocate_array(context, room_count, sizeof(*room));
    if (!room)
        weft_graph_fail(graph, WEFT_ERROR_MEMORY, "minimize: out of memory");
    weft_value *gradient = room ? room + room_count / 2 : NULL;
    int count = room ? differentiate(loss, room, gradient) : 0;
    weft_status status = weft_apply_gradients(graph, room, gradient, count, options, out);
    weft_release_array(context, room, room_count, sizeof(*room));
    return status;
}

weft_status weft_optimizer_set_learning_rate(const weft_optimizer *optimizer, weft_state *state,
                                             double learning_rate, weft_error *error)
{
    if (!isfinite(learning_rate) || learning_rate < 0)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "learning rate %g", learning_rate);
    return weft_state_write(state, optimizer->learning_rate, &learning_rate, 1, error);
}

double weft_optimizer_learning_rate(const weft_optimizer *optimizer, weft_state *state)
{
    double rate;
    return weft_state_read(state, optimizer->learning_rate, &rate, 1, NULL) == WEFT_OK ? rate : NAN;
}
