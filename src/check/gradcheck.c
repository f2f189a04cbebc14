/* weft_gradcheck: the gradients of a graph against central differences. */
#include "weft/check.h"

#include "base/error.h"
#include "base/memory.h"
#include "check/derivative.h"
#include "check/draw.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Data of one input: a copy, so that it can be moved. */
typedef struct fed_input {
    weft_value value;
    void *data;
    size_t bytes;
} fed_input;

/* One value that is differentiated with respect to. */
typedef struct target {
    weft_value value,
        gradient; /* gradient null: y does not depend on the value, says reverse mode */
    double *data; /* where the programs read the value */
    int64_t elements;
} target;

typedef struct check {
    weft_graph *graph;
    weft_context *context;
    weft_gradcheck_options options;
    weft_draw draw;
    weft_state *state;
    fed_input *input;
    size_t inputs, input_capacity;
    weft_feed *feed; /* of the inputs, for weft_run */
    const weft_value *y, *seed;
    int outputs;
    target *target;
    int targets;
    weft_program *forward, *backward;
    weft_function function;
    double *room; /* of function */
    size_t room_count;
    weft_gradcheck_report *report;
    weft_error *error;
} check;

/* The comparison of one value's derivatives as it goes along. */
typedef struct comparison {
    double difference, analytic, numeric, noise; /* sums of squares */
    double worst;                                /* largest difference, and where it is: */
    int64_t element;
    double worst_analytic, worst_numeric;
} comparison;

/* ---- Inputs and their data ---- */

static weft_status graph_status(check *c)
{
    const weft_error *error = weft_graph_error(c->graph);
    if (error->status == WEFT_OK)
        return WEFT_OK;
    return weft_error_set(c->error, error->status, "%s", error->message);
}

static int64_t bound_elements(const check *c, weft_value value)
{
    int64_t elements = weft_shape_elements(weft_shape_get(value));
    return elements < 0 ? -elements * c->options.batch : elements;
}

static fed_input *find_input(check *c, weft_value value)
{
    for (size_t i = 0; i < c->inputs; i++)
        if (weft_same(c->input[i].value, value))
            return &c->input[i];
    return NULL;
}

static weft_status add_input(check *c, weft_value value, size_t bytes, fed_input **input)
{
    void *data = weft_allocate(c->context, bytes);
    if (!data || !weft_grow(c->context, (void **)&c->input, &c->input_capacity, c->inputs + 1,
                            sizeof(*c->input))) {
        weft_release(c->context, data, bytes);
        return weft_out_of_memory(c->error, bytes);
    }
    *input = &c->input[c->inputs++];
    **input = (fed_input){value, data, bytes};
    return WEFT_OK;
}

static weft_status copy_feeds(check *c)
{
    for (int i = 0; i < c->options.feed_count; i++) {
        const weft_feed *feed = &c->options.feeds[i];
        fed_input *input;
        WEFT_TRY(add_input(c, feed->input, feed->bytes, &input));
        memcpy(input->data, feed->data, feed->bytes);
    }
    return WEFT_OK;
}

static weft_status draw_input(check *c, weft_value value)
{
    int64_t elements = bound_elements(c, value);
    fed_input *input;
    WEFT_TRY(add_input(c, value, (size_t)elements * sizeof(double), &input));
    weft_draw_fill(&c->draw, WEFT_SAMPLE_NORMAL, input->data, elements);
    return WEFT_OK;
}

/* Adds an input of the shape of y[i], with random data, for each i. */
static weft_status add_seeds(check *c, const weft_value *y, int outputs, weft_value *seed)
{
    for (int i = 0; i < outputs; i++) {
        seed[i] = weft_input(c->graph,
                             &(weft_input_options){.name = "seed", .shape = weft_shape_get(y[i])});
        WEFT_TRY(graph_status(c));
        WEFT_TRY(draw_input(c, seed[i]));
    }
    return WEFT_OK;
}

/* ---- Programs ---- */

static weft_status compile(check *c, const weft_value *fetch, int fetches, weft_program **program)
{
    weft_compile_options options = {
        .mode = c->options.mode,
        .fetch = fetch,
        .fetches = fetches,
        .batch = c->options.batch,
        .threads = 1, /* the float64 forms run in one piece */
        .no_writes = true,
    };
    return weft_compile(c->graph, c->state, &options, program, c->error);
}

static weft_status run(check *c, weft_program *program, weft_error *error)
{
    int count = 0;
    for (size_t i = 0; i < c->inputs; i++)
        if (weft_program_reads(program, c->input[i].value))
            c->feed[count++] = (weft_feed){c->input[i].value, c->input[i].data, c->input[i].bytes};
    return weft_run(program, c->feed, count, NULL, error);
}

/* All outputs, one after the other: the function whose derivatives are compared. */
static weft_status evaluate(void *user, double *y, weft_error *error)
{
    check *c = user;
    weft_state_changed(c->state); /* a probe may have moved a variable */
    WEFT_TRY(run(c, c->forward, error));
    c->report->runs++;
    for (int i = 0; i < c->outputs; i++) {
        int64_t elements = bound_elements(c, c->y[i]);
        memcpy(y, weft_fetch(c->forward, c->y[i]).data, (size_t)elements * sizeof(double));
        y += elements;
    }
    return WEFT_OK;
}

/* The weights of the outputs, one after the other, and room for two evaluations behind them. */
static weft_status make_function(check *c)
{
    int64_t elements = 0;
    for (int i = 0; i < c->outputs; i++)
        elements += bound_elements(c, c->y[i]);
    c->room_count = 3 * (size_t)elements;
    c->room = weft_allocate_array(c->context, c->room_count, sizeof(double));
    if (!c->room)
        return weft_out_of_memory(c->error, c->room_count * sizeof(double));
    double *weight = c->room;
    for (int i = 0; i < c->outputs; i++) {
        const fed_input *seed = find_input(c, c->seed[i]);
        memcpy(weight, seed->data, seed->bytes);
        weight += seed->bytes / sizeof(double);
    }
    c->function = (weft_function){evaluate, c, elements, c->room, weight};
    return WEFT_OK;
}

/* ---- Probes ---- */

static double root_mean_square(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)count);
}

/* Compares along one line; element is -1 for a direction. */
static weft_status probe(check *c, const weft_line *line, double analytic, double goal,
                         int64_t element, comparison *sums)
{
    weft_derivative numeric;
    WEFT_TRY(weft_line_derivative(line, &c->function, c->options.step, goal, &numeric, c->error));
    double difference = fabs(numeric.value - analytic);
    sums->difference += difference * difference;
    sums->analytic += analytic * analytic;
    sums->numeric += numeric.value * numeric.value;
    if (analytic != 0 || numeric.value != 0) /* else they agree, whatever the noise */
        sums->noise += numeric.noise * numeric.noise;
    if (isnan(difference) || difference > sums->worst) {
        sums->worst = difference;
        sums->element = element;
        sums->worst_analytic = analytic;
        sums->worst_numeric = numeric.value;
    }
    c->report->probes++;
    return WEFT_OK;
}

static weft_status probe_element(check *c, const target *t, const double *gradient, double goal,
                                 int64_t element, comparison *sums)
{
    const double start = t->data[element], one = 1;
    weft_line line = {&t->data[element], &start, &one, 1};
    return probe(c, &line, gradient ? gradient[element] : 0, goal, element, sums);
}

/* scratch has room for two arrays of the value's size. */
static weft_status probe_direction(check *c, const target *t, const double *gradient, double goal,
                                   double *scratch, comparison *sums)
{
    double *start = scratch, *direction = scratch + t->elements;
    memcpy(start, t->data, (size_t)t->elements * sizeof(double));
    for (int64_t i = 0; i < t->elements; i++)
        direction[i] = weft_draw_normal(&c->draw);
    double norm = root_mean_square(direction, t->elements) * sqrt((double)t->elements);
    double analytic = 0;
    for (int64_t i = 0; i < t->elements; i++) {
        direction[i] /= norm;
        analytic += gradient ? gradient[i] * direction[i] : 0;
    }
    weft_line line = {t->data, start, direction, t->elements};
    return probe(c, &line, analytic, goal, -1, sums);
}

/* Elements, all or one picked from each of equally long stretches, and directions. */
static weft_status probe_target(check *c, const target *t, const double *gradient, double *scratch,
                                comparison *sums)
{
    int64_t elements = c->options.directions ? 0 : c->options.elements;
    int64_t directions = c->options.directions ? c->options.directions : t->elements > elements;
    double scale = gradient ? root_mean_square(gradient, t->elements) : 0;
    double goal = 0.1 * c->options.tolerance * scale;
    if (elements > t->elements)
        elements = t->elements;
    for (int64_t i = 0; i < elements; i++) {
        int64_t first = t->elements * i / elements, next = t->elements * (i + 1) / elements;
        int64_t element = weft_draw_integer(&c->draw, first, next - 1);
        WEFT_TRY(probe_element(c, t, gradient, goal, element, sums));
    }
    for (int64_t i = 0; i < directions; i++)
        WEFT_TRY(probe_direction(c, t, gradient, goal, scratch, sums));
    return WEFT_OK;
}

/* Below the noise divided by the tolerance, an error of the size of the tolerance cannot be seen. */
static void judge(check *c, const target *t, const comparison *sums)
{
    weft_gradcheck_report *report = c->report;
    double floor = fmax(sqrt(sums->noise) / c->options.tolerance, DBL_MIN);
    double size = sqrt(fmax(sums->analytic, sums->numeric));
    double error = sqrt(sums->difference) / fmax(size, floor);
    if (size < floor)
        report->weak++;
    else
        report->values++;
    if (report->name && !isnan(error) && !(error > report->error))
        return;
    report->error = error;
    report->name = weft_name_get(t->value);
    report->value = t->value;
    report->element = sums->element;
    report->analytic = sums->worst_analytic;
    report->numeric = sums->worst_numeric;
}

static weft_status check_target(check *c, const target *t)
{
    const double *gradient =
        weft_is_null(t->gradient) ? NULL : weft_fetch(c->backward, t->gradient).data;
    size_t scratch_count = 2 * (size_t)t->elements;
    double *scratch = weft_allocate_array(c->context, scratch_count, sizeof(double));
    if (!scratch)
        return weft_out_of_memory(c->error, scratch_count * sizeof(double));
    comparison sums = {.worst = -1};
    weft_status status = probe_target(c, t, gradient, scratch, &sums);
    weft_release_array(c->context, scratch, scratch_count, sizeof(double));
    if (status == WEFT_OK)
        judge(c, t, &sums);
    return status;
}

static weft_status verdict(check *c)
{
    const weft_gradcheck_report *report = c->report;
    char shape[100];
    if (!(report->error <= c->options.tolerance))
        return weft_error_set(
            c->error, WEFT_ERROR_GRADIENT,
            "gradient with respect to \"%s\" %s is off by %.2g (tolerance %.2g): element %lld is "
            "%.12g, numerically %.12g",
            report->name, weft_shape_text(weft_shape_get(report->value), shape, sizeof(shape)),
            report->error, c->options.tolerance, (long long)report->element, report->analytic,
            report->numeric);
    if (!report->values)
        return weft_error_set(c->error, WEFT_ERROR_GRADIENT,
                              "all %d gradients are near zero: nothing was checked", report->weak);
    return WEFT_OK;
}

/* ---- One order ---- */

static weft_status locate_target(check *c, target *t)
{
    t->elements = bound_elements(c, t->value);
    if (weft_is_variable(t->value)) {
        t->data = weft_state_tensor(c->state, t->value).data;
        return WEFT_OK;
    }
    fed_input *input = find_input(c, t->value);
    if (input->bytes != (size_t)t->elements * sizeof(double))
        return weft_error_set(c->error, WEFT_ERROR_SHAPE,
                              "input \"%s\" needs %lld doubles, its feed has %zu bytes",
                              weft_name_get(t->value), (long long)t->elements, input->bytes);
    t->data = input->data;
    return WEFT_OK;
}

/* Compiles y's program and that of the gradients that exist, in fetch, and probes every target. */
static weft_status compare_programs(check *c, weft_value *fetch)
{
    int fetches = 0;
    for (int i = 0; i < c->targets; i++)
        if (!weft_is_null(c->target[i].gradient))
            fetch[fetches++] = c->target[i].gradient;
    if (!fetches)
        return weft_error_set(c->error, WEFT_ERROR_GRADIENT,
                              "no value depends on what the gradients are taken with respect to");
    WEFT_TRY(compile(c, c->y, c->outputs, &c->forward));
    WEFT_TRY(compile(c, fetch, fetches, &c->backward));
    WEFT_TRY(run(c, c->backward, c->error));
    WEFT_TRY(make_function(c));
    for (int i = 0; i < c->targets; i++) {
        WEFT_TRY(locate_target(c, &c->target[i]));
        WEFT_TRY(check_target(c, &c->target[i]));
    }
    return verdict(c);
}

/* Checks the gradients of y, contracted with seed, with respect to x. room has 2 * count values. */
static weft_status check_order(check *c, const weft_value *y, const weft_value *seed, int outputs,
                               const weft_value *x, int count, weft_value *room)
{
    weft_value *gradient = room, *fetch = room + count;
    c->y = y;
    c->seed = seed;
    c->outputs = outputs;
    c->targets = count;
    WEFT_TRY(weft_vector_jacobian(y, seed, outputs, x, count, gradient) == WEFT_OK
                 ? WEFT_OK
                 : graph_status(c));
    c->feed = weft_allocate_array(c->context, c->inputs, sizeof(*c->feed));
    c->target = weft_allocate_array(c->context, (size_t)count, sizeof(*c->target));
    if (!c->feed || !c->target)
        return weft_out_of_memory(c->error, (size_t)count * sizeof(*c->target));
    for (int i = 0; i < count; i++)
        c->target[i] = (target){.value = x[i], .gradient = gradient[i]};
    return compare_programs(c, fetch);
}

/* The gradients of y, contracted, become what is differentiated, also with respect to y's seeds. */
static weft_status check_second_order(check *c, const weft_value *y, const weft_value *seed,
                                      int outputs, const weft_value *x, int count, weft_value *room)
{
    int wider = count + outputs, reached = 0;
    weft_value *gradient = room, *again = room + count, *all = again + count, *rest = all + wider;
    if (weft_vector_jacobian(y, seed, outputs, x, count, gradient) != WEFT_OK)
        return graph_status(c);
    for (int i = 0; i < count; i++)
        if (!weft_is_null(gradient[i]))
            gradient[reached++] = gradient[i];
    memcpy(all, x, (size_t)count * sizeof(*x));
    memcpy(all + count, seed, (size_t)outputs * sizeof(*seed));
    WEFT_TRY(add_seeds(c, gradient, reached, again));
    return check_order(c, gradient, again, reached, all, wider, rest);
}

/* ---- The whole ---- */

static weft_status check_values(check *c, const weft_value *y, int outputs, const weft_value *x,
                                int count)
{
    for (int i = 0; i < count; i++)
        if (!weft_is_variable(x[i]) && !find_input(c, x[i]))
            WEFT_TRY(draw_input(c, x[i]));
    size_t values = (size_t)outputs * 4 + (size_t)count * 5;
    weft_value *room = weft_allocate_array(c->context, values, sizeof(*room));
    if (!room)
        return weft_out_of_memory(c->error, values * sizeof(*room));
    weft_value *seed = room, *rest = room + outputs;
    weft_scope_push(c->graph, "gradcheck");
    weft_status status = add_seeds(c, y, outputs, seed);
    if (status == WEFT_OK)
        status = (c->options.second_order ? check_second_order : check_order)(c, y, seed, outputs,
                                                                              x, count, rest);
    weft_scope_pop(c->graph);
    weft_release_array(c->context, room, values, sizeof(*room));
    return status;
}

static weft_status prepare(check *c, const weft_gradcheck_options *options)
{
    if (options)
        c->options = *options;
    if (!c->options.batch)
        c->options.batch = 2;
    if (c->options.step == 0)
        c->options.step = 1e-3;
    if (c->options.tolerance == 0)
        c->options.tolerance = c->options.directions ? 1e-5 : 1e-7;
    if (!c->options.elements)
        c->options.elements = 48;
    c->draw.key = c->options.seed;
    WEFT_TRY(graph_status(c));
    WEFT_TRY(copy_feeds(c));
    c->state = c->options.state;
    if (!c->state)
        return weft_state_create(
            c->graph, &(weft_state_options){.dtype = WEFT_FLOAT64, .seed = c->options.seed},
            &c->state, c->error);
    if (weft_state_dtype(c->state) != WEFT_FLOAT64)
        return weft_error_set(c->error, WEFT_ERROR_DTYPE,
                              "gradients are checked in float64 states");
    return WEFT_OK;
}

static void finish(check *c)
{
    weft_program_destroy(c->forward);
    weft_program_destroy(c->backward);
    if (!c->options.state)
        weft_state_destroy(c->state);
    weft_release_array(c->context, c->room, c->room_count, sizeof(double));
    weft_release_array(c->context, c->feed, c->inputs, sizeof(*c->feed));
    weft_release_array(c->context, c->target, (size_t)c->targets, sizeof(*c->target));
    for (size_t i = 0; i < c->inputs; i++)
        weft_release(c->context, c->input[i].data, c->input[i].bytes);
    weft_release_array(c->context, c->input, c->input_capacity, sizeof(*c->input));
}

static int trainable_variables(weft_graph *graph, weft_value *variable)
{
    int count = 0;
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++)
        if (weft_is_trainable(weft_variable_at(graph, i))) {
            if (variable)
                variable[count] = weft_variable_at(graph, i);
            count++;
        }
    return count;
}

static weft_status check_trainable(check *c, const weft_value *y, int outputs)
{
    int count = trainable_variables(c->graph, NULL);
    weft_value *x = weft_allocate_array(c->context, (size_t)count, sizeof(*x));
    if (!x)
        return weft_out_of_memory(c->error, (size_t)count * sizeof(*x));
    trainable_variables(c->graph, x);
    weft_status status = check_values(c, y, outputs, x, count);
    weft_release_array(c->context, x, (size_t)count, sizeof(*x));
    return status;
}

weft_status weft_gradcheck(const weft_value *y, int outputs, const weft_value *x, int count,
                           const weft_gradcheck_options *options, weft_gradcheck_report *report,
                           weft_error *error)
{
    weft_gradcheck_report unread;
    report = report ? report : &unread;
    *report = (weft_gradcheck_report){0};
    if (outputs < 1 || !y[0].graph)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "gradcheck needs at least one output");
    check c = {
        .graph = y[0].graph,
        .context = weft_graph_context(y[0].graph),
        .report = report,
        .error = error,
    };
    weft_status status = prepare(&c, options);
    if (status == WEFT_OK)
        status = count ? check_values(&c, y, outputs, x, count) : check_trainable(&c, y, outputs);
    finish(&c);
    return status;
}
