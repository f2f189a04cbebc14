/* Appends updates to a graph. */
#include "base/error.h"
#include "base/memory.h"
#include "ops/ops.h"
#include "optim/groups.h"
#include "optim/options.h"
#include "optim/update.h"
#include "weft/arithmetic.h"

#include <math.h>
#include <string.h>

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

static weft_value scalar_variable(weft_graph *graph, const char *name, weft_dtype dtype,
                                  double first)
{
    return weft_variable(
        graph, &(weft_variable_options){.name = name,
                                        .dtype = dtype,
                                        .initializer = {.kind = WEFT_INIT_CONSTANT, .a = first},
                                        .frozen = true});
}

static weft_value norm_of(weft_graph *graph, const weft_value *gradient, int count)
{
    return weft_global_norm(graph, gradient, count,
                            &(weft_global_norm_options){.name = "gradient_norm"});
}

/* What the variables of one group share. */
typedef struct shared_values {
    const weft_variable_group *group; /* NULL: those in none */
    weft_value rate;                  /* of the group, or null */
    weft_value count;                 /* the number of this update, or null */
} shared_values;

/* An optimizer while it is appended. */
typedef struct appending {
    const weft_optimizer_options *options;
    weft_optimizer optimizer;
    weft_value averaged;       /* number of this update, where averages are kept */
    shared_values *shared;     /* of those in no group, then of each group */
    weft_value *gradient;      /* of each variable */
    weft_value *member, *part; /* scratch: room for gradients, and for a norm of each of `shared` */
} appending;

/* step becomes the variable that counts, where the optimizer does. */
static shared_values append_shared(weft_graph *graph, const weft_optimizer_options *options,
                                   const weft_variable_group *group, weft_value *step)
{
    shared_values s = {group, weft_null(graph), weft_null(graph)};
    if (group)
        s.rate = scalar_variable(graph, "rate", WEFT_REAL,
                                 group->frozen      ? 0
                                 : group->rate != 0 ? group->rate
                                                    : 1);
    *step = weft_null(graph);
    if (weft_update_rule_of(weft_optimizer_update_kind(options))->counts) {
        *step = scalar_variable(graph, "step", WEFT_INT32, 0);
        s.count = weft_count_updates(*step, s.rate, options->micro_batches);
    }
    return s;
}

static void append_groups(weft_graph *graph, appending *a)
{
    a->shared[0] = append_shared(graph, a->options, NULL, &a->optimizer.step);
    if (a->options->group_count == 0)
        return;
    weft_scope_push(graph, "groups");
    for (int i = 0; i < a->options->group_count; i++) {
        weft_value step;
        weft_scope_push(graph, a->options->groups[i].name);
        a->shared[1 + i] = append_shared(graph, a->options, &a->options->groups[i], &step);
        weft_scope_pop(graph);
    }
    weft_scope_pop(graph);
}

static const shared_values *shared_of(const appending *a, weft_value variable)
{
    const weft_optimizer_options *o = a->options;
    return &a->shared[1 + weft_group_of(o->groups, o->group_count, weft_name_get(variable))];
}

/* Sums of micro-batches take the place of the gradients. */
static void append_sums(const appending *a, const weft_value *variable, weft_value *gradient,
                        int count)
{
    int micro_batches = a->options->micro_batches;
    for (int i = 0; i < count && micro_batches > 1; i++) {
        weft_scope_push(variable[i].graph, weft_name_get(variable[i]));
        weft_value sum = slot_like(variable[i], "accumulated", 0);
        gradient[i] = weft_accumulate_gradient(sum, gradient[i], shared_of(a, variable[i])->rate,
                                               micro_batches);
        weft_scope_pop(variable[i].graph);
    }
}

/* The norm of all gradients but those of frozen groups. */
static weft_value append_norm(const appending *a, const weft_value *variable,
                              const weft_value *gradient, int count)
{
    weft_graph *graph = variable[0].graph;
    int groups = 1 + a->options->group_count, parts = 0;
    if (groups == 1)
        return norm_of(graph, gradient, count);
    for (const shared_values *shared = a->shared; shared < a->shared + groups; shared++) {
        int members = 0;
        for (int i = 0; i < count; i++)
            if (shared_of(a, variable[i]) == shared)
                a->member[members++] = gradient[i];
        if (!members)
            continue;
        weft_value part = weft_global_norm(graph, a->member, members, NULL);
        a->part[parts++] = weft_is_null(shared->rate)
                               ? part
                               : weft_select(shared->rate, part, weft_scalar(graph, 0));
    }
    return norm_of(graph, a->part, parts);
}

/* The scalars that an update reads; returns the number of inputs. */
static int add_scalars(const appending *a, const shared_values *shared, int32_t scalars,
                       weft_value gradient, weft_value *input, int inputs)
{
    input[inputs++] = a->optimizer.learning_rate;
    if (scalars & WEFT_UPDATE_STEP)
        input[inputs++] = shared->count;
    if (scalars & WEFT_UPDATE_NORM)
        input[inputs++] = a->options->clip_norm > 0 ? a->optimizer.gradient_norm
                                                    : norm_of(gradient.graph, &gradient, 1);
    if (scalars & WEFT_UPDATE_GROUP)
        input[inputs++] = shared->rate;
    return inputs;
}

static void append_update(const appending *a, weft_value variable, weft_value gradient)
{
    weft_graph *graph = variable.graph;
    const weft_optimizer_options *o = a->options;
    const shared_values *shared = shared_of(a, variable);
    weft_update_attributes attributes = weft_optimizer_attributes(o, variable, shared->group);
    const weft_update_rule *rule = weft_update_rule_of((weft_update_kind)attributes.kind);
    weft_value input[1 + WEFT_UPDATE_SLOTS + 2 + WEFT_UPDATE_SCALARS];
    int inputs = 0;
    weft_scope_push(graph, weft_name_get(variable));
    input[inputs++] = weft_updated(variable);
    for (int i = 0; i < WEFT_UPDATE_SLOTS && rule->slot[i]; i++)
        input[inputs++] = slot_like(variable, rule->slot[i], o->initial_accumulator);
    input[inputs++] = gradient;
    inputs = add_scalars(a, shared, attributes.scalars, gradient, input, inputs);
    weft_value updated = weft_apply(graph, rule->op, &attributes, sizeof(attributes), "update",
                                    input, inputs, NULL, 1);
    if (o->average_decay > 0)
        weft_average_weights(slot_like(variable, "average", 0), updated, a->averaged,
                             o->average_decay, o->average_warmup, o->micro_batches);
    weft_scope_pop(graph);
}

/* Fills in a->optimizer. */
static void append(weft_graph *graph, const weft_value *variable, int count, appending *a)
{
    const weft_optimizer_options *options = a->options;
    weft_scope_push_unique(graph, options->name);
    a->optimizer.learning_rate =
        scalar_variable(graph, "learning_rate", WEFT_REAL, options->learning_rate);
    append_groups(graph, a);
    append_sums(a, variable, a->gradient, count);
    if (options->clip_norm > 0)
        a->optimizer.gradient_norm = append_norm(a, variable, a->gradient, count);
    if (options->average_decay > 0) {
        a->optimizer.averages = scalar_variable(graph, "averages", WEFT_INT32, 0);
        a->averaged =
            weft_count_updates(a->optimizer.averages, weft_null(graph), options->micro_batches);
    }
    for (int i = 0; i < count && weft_graph_error(graph)->status == WEFT_OK; i++)
        append_update(a, variable[i], a->gradient[i]);
    weft_scope_pop(graph);
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
    weft_value null = weft_null(graph);
    weft_optimizer none = {null, null, null, null, 0};
    weft_optimizer_options chosen;
    appending a = {.options = &chosen, .optimizer = none, .averaged = null};
    if (weft_optimizer_complete(graph, options, variable, count, &chosen) &&
        check_pairs(graph, variable, gradient, count)) {
        weft_context *context = weft_graph_context(graph);
        size_t groups = 1 + (size_t)chosen.group_count, values = 2 * (size_t)count + groups;
        a.gradient = weft_allocate_array(context, values, sizeof(weft_value));
        a.shared = weft_allocate_array(context, groups, sizeof(shared_values));
        if (a.gradient && a.shared) {
            a.member = a.gradient + count;
            a.part = a.member + count;
            a.optimizer.micro_batches = chosen.micro_batches;
            memcpy(a.gradient, gradient, (size_t)count * sizeof(weft_value));
            append(graph, variable, count, &a);
        } else {
            weft_graph_fail(graph, WEFT_ERROR_MEMORY, "apply_gradients: out of memory");
        }
        weft_release_array(context, a.shared, groups, sizeof(shared_values));
        weft_release_array(context, a.gradient, values, sizeof(weft_value));
    }
    weft_status status = weft_graph_error(graph)->status;
    if (out)
        *out = status == WEFT_OK ? a.optimizer : none;
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
