/* Appends updates to a graph. */
#include "base/memory.h"
#include "ops/ops.h"
#include "optim/update.h"
#include "weft/optim.h"

#include <math.h>
#include <string.h>

/* What one kind of optimizer keeps for each variable, and updates it with. */
typedef struct update_rule {
    const char *name;
    double learning_rate;
    const weft_op *op;
    bool counts;
    int slots;
    const char *slot[WEFT_UPDATE_SLOTS];
} update_rule;

static const update_rule sgd_rule = {"sgd", 0.01, &weft_sgd_update_op, false, 0, {NULL}};
static const update_rule momentum_rule = {"sgd", 0.01, &weft_momentum_update_op,
                                          false, 1,    {"momentum"}};
static const update_rule adam_rule = {"adam", 0.001, &weft_adam_update_op, true, 2, {"m", "v"}};

static const update_rule *rule_of(const weft_optimizer_options *options)
{
    if (options->kind == WEFT_ADAM)
        return &adam_rule;
    return options->momentum != 0 ? &momentum_rule : &sgd_rule;
}

/* ---- Options ---- */

static double or_default(double value, double usual)
{
    return value == 0 ? usual : value;
}

static weft_optimizer_options with_defaults(const weft_optimizer_options *given)
{
    weft_optimizer_options options = given ? *given : (weft_optimizer_options){0};
    const update_rule *rule = rule_of(&options);
    options.name = options.name ? options.name : rule->name;
    options.learning_rate = or_default(options.learning_rate, rule->learning_rate);
    options.beta1 = or_default(options.beta1, 0.9);
    options.beta2 = or_default(options.beta2, 0.999);
    options.epsilon = or_default(options.epsilon, 1e-8);
    options.micro_batches = options.micro_batches ? options.micro_batches : 1;
    return options;
}

static bool check_options(weft_graph *graph, const weft_optimizer_options *o)
{
    struct {
        bool good;
        const char *rule;
    } const checks[] = {
        {o->kind == WEFT_SGD || o->kind == WEFT_ADAM, "kind is not one of weft_optimizer_kind"},
        {o->learning_rate > 0 && isfinite(o->learning_rate), "learning_rate must be positive"},
        {o->momentum >= 0 && o->momentum < 1, "momentum must be in [0, 1)"},
        {o->kind == WEFT_SGD || (o->momentum == 0 && !o->nesterov),
         "momentum and nesterov are options of SGD"},
        {!o->nesterov || o->momentum > 0, "nesterov needs a momentum"},
        {o->beta1 > 0 && o->beta1 < 1 && o->beta2 > 0 && o->beta2 < 1,
         "beta1 and beta2 must be in (0, 1)"},
        {o->epsilon > 0 && isfinite(o->epsilon), "epsilon must be positive"},
        {o->weight_decay >= 0 && isfinite(o->weight_decay), "weight_decay must not be negative"},
        {o->clip_norm >= 0 && isfinite(o->clip_norm), "clip_norm must not be negative"},
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

static weft_update_attributes attributes_of(const weft_optimizer_options *options,
                                            const update_rule *rule, weft_value variable)
{
    weft_update_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    bool spared = options->decay_filters_only && weft_shape_get(variable).rank < 2;
    attributes.weight_decay = spared ? 0 : options->weight_decay;
    attributes.decoupled = options->decoupled;
    attributes.clip_norm = options->clip_norm;
    attributes.micro_batches = options->micro_batches;
    attributes.momentum = options->momentum;
    attributes.nesterov = options->nesterov;
    if (rule == &adam_rule) {
        attributes.beta1 = options->beta1;
        attributes.beta2 = options->beta2;
        attributes.epsilon = options->epsilon;
    }
    return attributes;
}

/* ---- Nodes ---- */

static weft_value slot_like(weft_value variable, const char *name)
{
    return weft_variable(variable.graph,
                         &(weft_variable_options){.name = name,
                                                  .shape = weft_shape_get(variable),
                                                  .initializer = {.kind = WEFT_INIT_ZEROS},
                                                  .frozen = true});
}

static weft_optimizer append_scalars(weft_graph *graph, const weft_optimizer_options *options,
                                     const update_rule *rule)
{
    weft_optimizer optimizer = {.step = weft_null(graph),
                                .gradient_norm = weft_null(graph),
                                .micro_batches = options->micro_batches};
    optimizer.learning_rate =
        weft_variable(graph, &(weft_variable_options){.name = "learning_rate",
                                                      .initializer = {.kind = WEFT_INIT_CONSTANT,
                                                                      .a = options->learning_rate},
                                                      .frozen = true});
    if (rule->counts)
        optimizer.step = weft_variable(
            graph, &(weft_variable_options){.name = "step", .dtype = WEFT_INT32, .frozen = true});
    return optimizer;
}

/* Sums of micro-batches take the place of the gradients. */
static void append_sums(const weft_value *variable, weft_value *gradient, int count,
                        int micro_batches)
{
    for (int i = 0; i < count && micro_batches > 1; i++) {
        weft_scope_push(variable[i].graph, weft_name_get(variable[i]));
        weft_value sum = slot_like(variable[i], "accumulated");
        gradient[i] = weft_accumulate_gradient(sum, gradient[i], micro_batches);
        weft_scope_pop(variable[i].graph);
    }
}

static void append_update(const weft_optimizer_options *options, const update_rule *rule,
                          const weft_optimizer *optimizer, weft_value step, weft_value variable,
                          weft_value gradient)
{
    weft_graph *graph = variable.graph;
    weft_value input[WEFT_UPDATE_SLOTS + 5];
    int inputs = 0;
    weft_scope_push(graph, weft_name_get(variable));
    input[inputs++] = variable;
    for (int i = 0; i < rule->slots; i++)
        input[inputs++] = slot_like(variable, rule->slot[i]);
    input[inputs++] = gradient;
    input[inputs++] = optimizer->learning_rate;
    if (rule->counts)
        input[inputs++] = step;
    if (options->clip_norm > 0)
        input[inputs++] = optimizer->gradient_norm;
    weft_update_attributes attributes = attributes_of(options, rule, variable);
    weft_apply(graph, rule->op, &attributes, sizeof(attributes), "update", input, inputs, NULL, 1);
    weft_scope_pop(graph);
}

/* gradient is changed where sums of micro-batches take its place. */
static weft_optimizer append(weft_graph *graph, const weft_value *variable, weft_value *gradient,
                             int count, const weft_optimizer_options *options)
{
    const update_rule *rule = rule_of(options);
    weft_scope_push(graph, options->name);
    weft_optimizer optimizer = append_scalars(graph, options, rule);
    append_sums(variable, gradient, count, options->micro_batches);
    if (options->clip_norm > 0)
        optimizer.gradient_norm = weft_global_norm(
            graph, gradient, count, &(weft_global_norm_options){.name = "gradient_norm"});
    weft_value step =
        rule->counts ? weft_count_updates(optimizer.step, options->micro_batches) : optimizer.step;
    for (int i = 0; i < count && weft_graph_error(graph)->status == WEFT_OK; i++)
        append_update(options, rule, &optimizer, step, variable[i], gradient[i]);
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
    weft_optimizer_options chosen = with_defaults(options);
    if (check_options(graph, &chosen) && check_pairs(graph, variable, gradient, count)) {
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
