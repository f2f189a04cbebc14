/* The memory plan that is known before the first step: sums, placements, kinds; and the caller's memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/allocator.h"
#include "weft/weft.h"

static test_allocator allocator;
static weft_context *context;
static weft_graph *graph;
static weft_error error;

static void begin(void)
{
    allocator = (test_allocator){0};
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
    graph = weft_graph_create(context);
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
    cr_expect_eq(allocator.wrong_releases, 0);
}

TestSuite(plan, .init = begin, .fini = end);

enum { SIDE = 16, BATCH = 4, CLASSES = 5 };

static weft_value image, label;

/* Batch norms, a concat, a residual sum, pooling; logits. */
static weft_value network(void)
{
    image = weft_input(graph, .name = "image", .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    weft_scope_push(graph, "stem");
    weft_value x = weft_conv2d(image, .filters = 8, .kernel = {3, 3}, .padding = WEFT_SAME);
    x = weft_relu(weft_batch_norm(x));
    weft_scope_pop(graph);
    weft_value y = weft_relu(weft_batch_norm(x));
    y = weft_conv2d(y, .filters = 8, .kernel = {3, 3}, .padding = WEFT_SAME, .no_bias = true);
    x = weft_concat_channels(weft_add(x, y), weft_tanh(y));
    x = weft_max_pool(x, .window = {2, 2});
    return weft_dense(weft_flatten(x, 1), .name = "classes", .units = CLASSES);
}

static weft_value training(void)
{
    weft_value logits = network();
    label =
        weft_input(graph, .name = "label", .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
    weft_value loss = weft_sparse_cross_entropy(logits, label);
    weft_minimize(loss, &(weft_optimizer_options){.momentum = 0.9}, NULL);
    return loss;
}

static weft_compile_options options_for(const weft_value *fetch, weft_mode mode)
{
    return (weft_compile_options){.mode = mode, .fetch = fetch, .fetches = 1, .batch = BATCH};
}

static weft_plan *make_plan(const weft_compile_options *options)
{
    weft_plan *plan = NULL;
    cr_assert_eq(weft_plan_create(graph, WEFT_FLOAT32, options, &plan, &error), WEFT_OK, "%s",
                 error.message);
    return plan;
}

/* ---- Sums ---- */

static bool overlap(const weft_placement *a, const weft_placement *b)
{
    bool in_time = a->first <= b->last && b->first <= a->last;
    return in_time && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* What every plan must hold. */
static void check_plan(const weft_plan *plan)
{
    int64_t sum = 0, state = 0, top = 0, most = 0;
    for (int m = 0; m < WEFT_MEMORIES; m++) {
        cr_expect_geq(plan->bytes[m], 0, "%s", weft_memory_text((weft_memory)m));
        cr_expect_geq(plan->most[m], plan->bytes[m], "%s", weft_memory_text((weft_memory)m));
        sum += plan->bytes[m];
    }
    for (int m = WEFT_MEMORY_PARAMETERS; m <= WEFT_MEMORY_OTHER_VARIABLES; m++)
        state += plan->bytes[m];
    cr_expect_eq(sum, plan->total_bytes);
    cr_expect_eq(state, plan->state_bytes);
    cr_expect_eq(plan->total_bytes,
                 plan->arena_bytes + plan->state_bytes + plan->feed_bytes + plan->program_bytes);
    for (int s = 0; s < plan->steps; s++) {
        int64_t alive = 0;
        for (int i = 0; i < plan->placements; i++)
            if (plan->placement[i].first <= s && s <= plan->placement[i].last)
                alive += plan->placement[i].bytes;
        cr_expect_eq(plan->step[s].live_bytes, alive, "step %d", s);
        most = alive > most ? alive : most;
        if (s < plan->peak)
            cr_expect_lt(alive, plan->bound_bytes, "step %d is a peak before the first", s);
    }
    cr_expect_eq(most, plan->bound_bytes);
    cr_expect_eq(plan->step[plan->peak].live_bytes, plan->bound_bytes);
    for (int i = 0; i < plan->placements; i++) {
        const weft_placement *p = &plan->placement[i];
        cr_expect(p->name[0] && p->op[0], "placement %d has no name", i);
        cr_expect(0 <= p->first && p->first <= p->last && p->last < plan->steps, "%s", p->name);
        cr_expect_gt(p->bytes, 0, "%s", p->name);
        top = p->offset + p->bytes > top ? p->offset + p->bytes : top;
        for (int k = 0; k < i; k++) {
            cr_expect_not(overlap(p, &plan->placement[k]), "%s and %s share bytes while alive",
                          p->name, plan->placement[k].name);
            cr_expect_leq(plan->placement[k].first, p->first);
        }
    }
    cr_expect_eq(top, plan->arena_bytes);
}

/* The same numbers as of the program that is then made. */
static void check_program(const weft_plan *plan, const weft_compile_options *options)
{
    weft_state *state = NULL;
    weft_program *program = NULL;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, options, &program, &error), WEFT_OK, "%s",
                 error.message);
    weft_report report = weft_program_report(program);
    cr_expect_eq(plan->arena_bytes, report.arena_bytes);
    cr_expect_eq(plan->bound_bytes, report.bound_bytes);
    cr_expect_eq(plan->bytes[WEFT_MEMORY_PREPARED], report.prepared_bytes);
    cr_expect_eq(plan->program_bytes, report.constant_bytes);
    cr_expect_eq(plan->steps, report.steps);
    cr_expect_eq(plan->flops, report.flops);
    cr_expect_geq(plan->state_bytes, weft_state_bytes(state));
    weft_step_report step;
    for (int i = 0; weft_program_step(program, i, &step); i++) {
        cr_expect_str_eq(plan->step[i].name, step.name);
        cr_expect_str_eq(plan->step[i].op, step.op);
        cr_expect_leq(step.live_bytes, plan->step[i].live_bytes);
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
}

Test(plan, of_training)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    check_plan(plan);
    check_program(plan, &options);
    cr_expect_eq(plan->feed_bytes, BATCH * (SIDE * SIDE * 3 + 1) * 4);
    cr_expect_gt(plan->bytes[WEFT_MEMORY_KEPT], 0);
    cr_expect_gt(plan->most[WEFT_MEMORY_GRADIENTS], 0);
    cr_expect_gt(plan->most[WEFT_MEMORY_FLOWING], 0);
    cr_expect_eq(plan->most[WEFT_MEMORY_PREPARED], 0);
    weft_plan_destroy(plan);
}

Test(plan, of_inference)
{
    weft_value logits = network();
    weft_compile_options options = options_for(&logits, WEFT_INFER);
    weft_plan *plan = make_plan(&options);
    check_plan(plan);
    check_program(plan, &options);
    cr_expect_eq(plan->most[WEFT_MEMORY_KEPT], 0);
    cr_expect_eq(plan->most[WEFT_MEMORY_GRADIENTS], 0);
    cr_expect_eq(plan->most[WEFT_MEMORY_FLOWING], 0);
    cr_expect_eq(plan->bytes[WEFT_MEMORY_SLOTS], 0);
    cr_expect_gt(plan->bytes[WEFT_MEMORY_PREPARED], 0);
    weft_plan_destroy(plan);
}

Test(plan, of_every_option)
{
    weft_value loss = training();
    for (unsigned pass = 0; pass < WEFT_PASSES; pass++) {
        weft_compile_options options = options_for(&loss, WEFT_TRAIN);
        options.without = 1u << pass;
        weft_plan *plan = make_plan(&options);
        check_plan(plan);
        weft_plan_destroy(plan);
    }
}

Test(plan, bound_of_the_order_of_creation)
{
    weft_value loss = training(), pooled = weft_find(graph, "max_pool");
    weft_compile_options options[] = {options_for(&loss, WEFT_TRAIN),
                                      options_for(&loss, WEFT_INFER),
                                      options_for(&pooled, WEFT_INFER)};
    static const unsigned others[] = {0, 1u << WEFT_PASS_FUSE, 1u << WEFT_PASS_IN_PLACE,
                                      1u << WEFT_PASS_HOIST, 1u << WEFT_PASS_VIEW};
    for (size_t i = 0; i < 3 * sizeof(others) / sizeof(others[0]); i++) {
        weft_compile_options *o = &options[i % 3];
        o->without = others[i / 3];
        weft_plan *plan = make_plan(o);
        o->without |= 1u << WEFT_PASS_ORDER | 1u << WEFT_PASS_REMATERIALIZE;
        weft_plan *created = make_plan(o);
        cr_expect_eq(plan->creation_bound_bytes, created->bound_bytes, "%zu", i);
        cr_expect_eq(created->creation_bound_bytes, created->bound_bytes, "%zu", i);
        cr_expect_leq(plan->bound_bytes, plan->creation_bound_bytes, "%zu", i);
        weft_plan_destroy(plan);
        weft_plan_destroy(created);
    }
}

Test(plan, of_a_program_that_is_there)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *before = make_plan(&options), *after = NULL;
    weft_state *state = NULL;
    weft_program *program = NULL;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK);
    cr_assert_eq(weft_program_plan(program, &after, &error), WEFT_OK);
    weft_program_destroy(program);
    weft_state_destroy(state);
    check_plan(after);
    cr_assert_eq(before->placements, after->placements);
    for (int i = 0; i < before->placements; i++) {
        const weft_placement *x = &before->placement[i], *y = &after->placement[i];
        cr_expect_str_eq(x->name, y->name);
        cr_expect(x->offset == y->offset && x->bytes == y->bytes && x->first == y->first &&
                  x->last == y->last && x->memory == y->memory);
    }
    weft_plan_destroy(before);
    weft_plan_destroy(after);
}

/* ---- Kinds, by hand ---- */

enum { LINE = 64 };

Test(plan, variables_by_hand)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 7));
    weft_value y = weft_dense(weft_batch_norm(x), .units = 3);
    weft_value loss = weft_mean(weft_square(y));
    weft_minimize(loss, &(weft_optimizer_options){.kind = WEFT_ADAM}, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    check_plan(plan);
    /* A matrix of 21 floats, and the layer's bias, the norm's weight and bias. */
    cr_expect_eq(plan->bytes[WEFT_MEMORY_PARAMETERS], (2 + 3) * LINE);
    /* Two moments of each, the learning rate, the number of the update. */
    cr_expect_eq(plan->bytes[WEFT_MEMORY_SLOTS], (2 * 5 + 2) * LINE);
    cr_expect_eq(plan->bytes[WEFT_MEMORY_OTHER_VARIABLES], 2 * LINE, "running mean and variance");
    cr_expect_eq(plan->bytes[WEFT_MEMORY_FEEDS], BATCH * 7 * 4);
    cr_expect_eq(plan->state_bytes, (5 + 12 + 2) * LINE);
    cr_expect_eq(weft_state_memory_bytes(graph, WEFT_REAL), (5 + 12 + 2) * LINE);
    cr_expect_eq(weft_state_memory_bytes(graph, WEFT_FLOAT64), (3 * (3 + 3) + 2 + 2) * LINE);
    weft_plan_destroy(plan);
}

/* The only placement of that kind and size. */
static const weft_placement *placement_of(const weft_plan *plan, weft_memory memory, int64_t bytes)
{
    const weft_placement *found = NULL;
    for (int i = 0; i < plan->placements; i++)
        if (plan->placement[i].memory == memory && plan->placement[i].bytes == bytes) {
            cr_expect(!found, "two of %lld bytes", (long long)bytes);
            found = &plan->placement[i];
        }
    cr_assert(found, "no %s of %lld bytes", weft_memory_text(memory), (long long)bytes);
    return found;
}

Test(plan, kinds_by_hand)
{
    enum { WIDTH = 96 };
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, WIDTH));
    weft_value hidden = weft_tanh(weft_dense(x, .name = "a", .units = WIDTH, .no_bias = true));
    weft_value y = weft_dense(hidden, .name = "b", .units = 1, .no_bias = true);
    weft_value loss = weft_mean(weft_square(y));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    check_plan(plan);
    const weft_placement *kept = placement_of(plan, WEFT_MEMORY_KEPT, BATCH * WIDTH * 4);
    cr_expect_str_eq(kept->name, weft_name_get(hidden));
    cr_expect(strstr(kept->op, "tanh"), "%s", kept->op);
    cr_expect_eq(kept->family, WEFT_FAMILY_DENSE);
    cr_expect_eq(plan->step[kept->first].stage, WEFT_STAGE_FORWARD);
    cr_expect_eq(plan->step[kept->last].stage, WEFT_STAGE_BACKWARD);
    const weft_placement *flowing = placement_of(plan, WEFT_MEMORY_FLOWING, BATCH * WIDTH * 4);
    cr_expect_eq(plan->step[flowing->first].stage, WEFT_STAGE_BACKWARD);
    const weft_placement *gradient =
        placement_of(plan, WEFT_MEMORY_GRADIENTS, (int64_t)WIDTH * WIDTH * 4);
    cr_expect_eq(plan->step[gradient->first].stage, WEFT_STAGE_BACKWARD);
    cr_expect_eq(plan->step[gradient->last].stage, WEFT_STAGE_UPDATE);
    placement_of(plan, WEFT_MEMORY_GRADIENTS, WIDTH * 4);
    weft_plan_destroy(plan);
}

/* The most bytes of gradients in training with that optimizer, and of parameters. */
static void most_gradients(weft_optimizer_options optimizer, int64_t *gradients,
                           int64_t *parameters)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 50));
    weft_value y = weft_tanh(weft_dense(weft_tanh(weft_dense(x, .units = 70)), .units = 30));
    weft_value loss = weft_mean(weft_square(y));
    weft_minimize(loss, &optimizer, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    check_plan(plan);
    *gradients = plan->most[WEFT_MEMORY_GRADIENTS];
    *parameters = plan->bytes[WEFT_MEMORY_PARAMETERS];
    weft_plan_destroy(plan);
}

Test(plan, gradients_clipped_by_the_norm_of_all_live_together)
{
    int64_t gradients, parameters;
    most_gradients((weft_optimizer_options){.clip_norm = 1}, &gradients, &parameters);
    cr_expect_eq(gradients, parameters);
}

/* One matrix is 50x70. */
Test(plan, gradients_clipped_one_by_one_are_gradients)
{
    int64_t gradients, parameters;
    most_gradients((weft_optimizer_options){.clip_each_norm = 1}, &gradients, &parameters);
    cr_expect(gradients >= 50 * 70 * 4 && gradients <= parameters, "%lld", (long long)gradients);
}

Test(plan, gradients_clipped_by_value_are_gradients)
{
    int64_t gradients, parameters;
    most_gradients((weft_optimizer_options){.clip_value = 1}, &gradients, &parameters);
    cr_expect(gradients >= 50 * 70 * 4 && gradients <= parameters, "%lld", (long long)gradients);
}

/* The gradients of a convolution and of average pooling need none of their results. */
Test(plan, what_no_gradient_reads_is_not_kept)
{
    enum { FILTERS = 24 };
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    x = weft_conv2d(x, .filters = FILTERS, .kernel = {3, 3}, .padding = WEFT_SAME);
    x = weft_average_pool(weft_average_pool(x, .window = {2, 2}), .window = {2, 2});
    weft_value loss = weft_mean(weft_square(x));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    int64_t bytes = (int64_t)BATCH * SIDE * SIDE * FILTERS * 4;
    placement_of(plan, WEFT_MEMORY_ACTIVATIONS, bytes);
    placement_of(plan, WEFT_MEMORY_ACTIVATIONS, bytes / 4);
    placement_of(plan, WEFT_MEMORY_KEPT, bytes / 16); /* for the square's gradient */
    weft_plan_destroy(plan);
}

/* Where the maxima are is known by a byte for each window. */
Test(plan, max_pooling_keeps_bytes)
{
    enum { FILTERS = 24 };
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    x = weft_conv2d(x, .filters = FILTERS, .kernel = {3, 3}, .padding = WEFT_SAME);
    weft_value loss = weft_mean(weft_square(weft_max_pool(x, .window = {2, 2})));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    int64_t bytes = (int64_t)BATCH * SIDE * SIDE * FILTERS * 4;
    placement_of(plan, WEFT_MEMORY_ACTIVATIONS, bytes);
    placement_of(plan, WEFT_MEMORY_KEPT, bytes / 4); /* for the square's gradient */
    const weft_placement *winners = placement_of(plan, WEFT_MEMORY_KEPT, bytes / 4 / 4);
    cr_expect_str_eq(winners->op, "max_pool_winners");
    cr_expect_eq(plan->step[winners->first].stage, WEFT_STAGE_FORWARD);
    weft_plan_destroy(plan);
}

/* Its gradient asks whether what it is made of is positive: what batch norm reads, which its own gradient reads. */
Test(plan, a_relu_that_others_read_is_not_kept_for_its_gradient)
{
    enum { FILTERS = 24 };
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    x = weft_conv2d(x, .filters = FILTERS, .kernel = {3, 3}, .padding = WEFT_SAME);
    x = weft_average_pool(weft_relu(weft_batch_norm(x)), .window = {2, 2});
    weft_value loss = weft_mean(weft_square(x));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    int64_t bytes = (int64_t)BATCH * SIDE * SIDE * FILTERS * 4;
    placement_of(plan, WEFT_MEMORY_ACTIVATIONS, bytes);
    placement_of(plan, WEFT_MEMORY_KEPT, bytes);
    cr_expect_gt(plan->recomputed_flops, 0);
    weft_plan_destroy(plan);
}

Test(plan, concat_and_its_inputs_have_one_place)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 40));
    weft_value joined = weft_concat_channels(weft_tanh(x), weft_square(x));
    weft_value y = weft_dense(joined, .units = 2);
    weft_compile_options options = options_for(&y, WEFT_INFER);
    weft_plan *plan = make_plan(&options);
    const weft_placement *p =
        placement_of(plan, WEFT_MEMORY_ACTIVATIONS, (int64_t)BATCH * 2 * 40 * 4);
    cr_expect_str_eq(p->name, weft_name_get(joined));
    cr_expect_str_eq(p->op, "concat");
    cr_expect_eq(p->values, 2);
    weft_plan_destroy(plan);
}

/* A connection around so many convolutions, and a gradient that comes back both ways. */
static weft_plan *plan_of_connection(int around, int64_t filters, int64_t limit)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    weft_value before = weft_conv2d(x, .filters = (int)filters, .kernel = {3, 3}), y = before;
    for (int i = 0; i < around; i++)
        y = weft_tanh(weft_conv2d(y, .filters = (int)filters, .kernel = {1, 1}));
    y = weft_conv2d(weft_concat_channels(before, y), .filters = 2, .kernel = {1, 1});
    weft_value loss = weft_mean(weft_square(y));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    options.memory_limit = limit;
    options.without = 1u << WEFT_PASS_DISTRIBUTE; /* else the halves would be made apart */
    return make_plan(&options);
}

static const weft_placement *copy_in(const weft_plan *plan)
{
    for (int i = 0; i < plan->placements; i++)
        if (!strcmp(plan->placement[i].op, "copy"))
            return &plan->placement[i];
    return NULL;
}

/* The gradient of a concat is free once one half is used, where the other waits for long. */
Test(plan, half_a_gradient_waits_in_half_the_place)
{
    enum { FILTERS = 24 };
    int64_t half = (int64_t)BATCH * (SIDE - 2) * (SIDE - 2) * FILTERS * 4;
    weft_plan *plan = plan_of_connection(12, FILTERS, 1 << 30);
    const weft_placement *whole = placement_of(plan, WEFT_MEMORY_FLOWING, 2 * half);
    const weft_placement *copy = copy_in(plan);
    cr_assert_not_null(copy);
    cr_expect_eq(copy->bytes, half);
    cr_expect_geq(whole->last, copy->first);
    cr_expect_lt(4 * (whole->last - whole->first), copy->last - copy->first);
    weft_plan_destroy(plan);
}

Test(plan, half_a_gradient_that_is_read_soon_is_not_copied)
{
    weft_plan *plan = plan_of_connection(1, 24, 1 << 30);
    cr_expect_null(copy_in(plan));
    weft_plan_destroy(plan);
}

Test(plan, without_a_limit_no_gradient_is_copied)
{
    weft_plan *plan = plan_of_connection(12, 24, 0);
    cr_expect_null(copy_in(plan));
    weft_plan_destroy(plan);
}

Test(plan, recomputation_costs_what_leaving_it_out_saves)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    options.without = 1u << WEFT_PASS_RECOMPUTE;
    weft_plan *without = make_plan(&options);
    cr_expect_gt(plan->recomputed_flops, 0);
    cr_expect_eq(without->recomputed_flops, 0);
    cr_expect_eq(plan->flops - without->flops, plan->recomputed_flops);
    weft_plan_destroy(plan);
    weft_plan_destroy(without);
}

/* ---- The picture ---- */

static char *draw(const weft_plan *plan, const char *title)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_expect_eq(weft_plan_svg(plan, title, file, &error), WEFT_OK, "%s", error.message);
    fclose(file);
    return text;
}

static int count(const char *text, const char *words)
{
    int found = 0;
    for (const char *at = strstr(text, words); at; at = strstr(at + 1, words))
        found++;
    return found;
}

Test(plan, map_shows_each_value)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_plan *plan = make_plan(&options);
    char *text = draw(plan, "a <b> & \"c\""), line[400];
    cr_expect_eq(strncmp(text, "<svg ", 5), 0);
    cr_expect_eq(count(text, "</svg>\n"), 1);
    cr_expect_eq(count(text, ">a &lt;b&gt; &amp; &quot;c&quot;</text>"), 1);
    int drawn = 0, workspace = 0;
    for (int i = 0; i < plan->placements; i++) {
        const weft_placement *p = &plan->placement[i];
        if (p->bytes * 1000 < plan->arena_bytes)
            continue;
        snprintf(line, sizeof(line), "<title>%s\n%s\n%s, %.2f kB at %.2f, steps %d to %d</title>",
                 p->name, p->op, weft_memory_text(p->memory), (double)p->bytes * 1e-3,
                 (double)p->offset * 1e-3, p->first, p->last);
        cr_expect_eq(count(text, line), 1, "%s", line);
        drawn++;
        workspace += p->memory == WEFT_MEMORY_WORKSPACE;
    }
    cr_expect_gt(drawn, 12);
    cr_expect_geq(count(text, "fill=\"url(#w)\""), workspace);
    snprintf(line, sizeof(line), ">arena %.1f kB</text>", (double)plan->arena_bytes * 1e-3);
    cr_expect_eq(count(text, line), 1, "%s", line);
    snprintf(line, sizeof(line), ">bound %.1f kB, the peak: step %d, ",
             (double)plan->bound_bytes * 1e-3, plan->peak);
    cr_expect_eq(count(text, line), 1, "%s", line);
    snprintf(line, sizeof(line), ".f%d{fill:%s}", WEFT_FAMILY_CONVOLUTION,
             weft_family_colour(WEFT_FAMILY_CONVOLUTION));
    cr_expect_eq(count(text, line), 1, "%s", line);
    cr_expect_eq(count(text, ">update</text>"), 1);
    free(text);
    weft_plan_destroy(plan);
}

Test(plan, map_of_inference_has_one_pass)
{
    weft_value logits = network();
    weft_compile_options options = options_for(&logits, WEFT_INFER);
    weft_plan *plan = make_plan(&options);
    char *text = draw(plan, NULL);
    cr_expect_eq(count(text, ">forward</text>"), 1);
    cr_expect_eq(count(text, ">backward</text>"), 0);
    cr_expect_eq(count(text, ">prepared filters</text>"), 2, "in the legend and among the sums");
    free(text);
    cr_expect_eq(weft_plan_draw(plan, NULL, "/no/such/place.svg", &error), WEFT_ERROR_IO);
    cr_expect(strstr(error.message, "/no/such/place.svg"), "%s", error.message);
    weft_plan_destroy(plan);
}

Test(plan, map_of_an_empty_arena, .timeout = 20)
{
    weft_value only = weft_variable(graph, .name = "only", .shape = weft_shape_of(3));
    weft_compile_options options = options_for(&only, WEFT_INFER);
    weft_plan *plan = make_plan(&options);
    cr_assert_eq(plan->arena_bytes, 0);
    char *text = draw(plan, NULL);
    cr_expect_eq(count(text, ">arena 0.0 bytes</text>"), 1);
    cr_expect_eq(count(text, "</svg>\n"), 1);
    free(text);
    weft_plan_destroy(plan);
}

/* ---- The largest batch ---- */

static int64_t total_of(weft_compile_options options, int64_t batch)
{
    options.batch = batch;
    weft_plan *plan = make_plan(&options);
    int64_t bytes = plan->total_bytes;
    weft_plan_destroy(plan);
    return bytes;
}

Test(plan, largest_batch_is_the_largest)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    int64_t one = total_of(options, 1);
    for (int64_t limit = one; limit < 1000 * one; limit = limit * 7 / 4 + 1) {
        weft_batch_limit found;
        cr_assert_eq(weft_largest_batch(graph, WEFT_REAL, &options, limit, &found, &error), WEFT_OK,
                     "%s", error.message);
        cr_assert_gt(found.batch, 0);
        cr_expect_eq(found.bytes, total_of(options, found.batch));
        cr_expect_eq(found.next_bytes, total_of(options, found.batch + 1));
        cr_expect_leq(found.bytes, limit);
        cr_expect_gt(found.next_bytes, limit);
        cr_expect_gt(total_of(options, found.batch + 5), limit);
        cr_expect_leq(found.plans, 12, "%d plans for a batch of %lld", found.plans,
                      (long long)found.batch);
    }
}

Test(plan, no_batch_fits)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_batch_limit found;
    int64_t one = total_of(options, 1);
    cr_assert_eq(weft_largest_batch(graph, WEFT_REAL, &options, one - 1, &found, &error), WEFT_OK);
    cr_expect(found.batch == 0 && found.bytes == 0 && found.next_bytes == one && found.plans == 1);
}

Test(plan, any_batch_fits)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(3, 5));
    weft_value y = weft_tanh(x);
    weft_compile_options options = options_for(&y, WEFT_INFER);
    weft_batch_limit found;
    cr_expect_eq(weft_largest_batch(graph, WEFT_REAL, &options, 1 << 20, &found, &error),
                 WEFT_ERROR_ARGUMENT);
    cr_expect(strstr(error.message, "open extent"), "%s", error.message);
}

/* ---- Before anything is there ---- */

Test(plan, of_more_than_any_machine_has)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    options.batch = 1 << 24;
    weft_plan *plan = make_plan(&options);
    check_plan(plan);
    cr_expect_gt(plan->arena_bytes, (int64_t)(1 << 24) * SIDE * SIDE * 8 * 4);
    weft_plan_destroy(plan);
}

Test(plan, of_more_bytes_than_64_bits_count)
{
    enum { VALUES = 16 };
    weft_value x = weft_input(graph, .shape = weft_shape_of(1LL << 58)), fetch[VALUES];
    for (int i = 0; i < VALUES; i++)
        fetch[i] = weft_fill_like(x, i + 1);
    weft_compile_options options = {.fetch = fetch, .fetches = VALUES};
    weft_plan *plan = NULL;
    cr_expect_eq(weft_plan_create(graph, WEFT_FLOAT32, &options, &plan, &error), WEFT_ERROR_MEMORY);
    cr_expect(strstr(error.message, "out of memory"), "%s", error.message);
    cr_expect_null(plan);
}

Test(plan, of_a_graph_in_error)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 40));
    weft_value y = weft_conv2d(x, .filters = 2, .kernel = {3, 3});
    weft_plan *plan = NULL;
    weft_compile_options options = options_for(&y, WEFT_INFER);
    cr_expect_neq(weft_plan_create(graph, WEFT_REAL, &options, &plan, &error), WEFT_OK);
    cr_expect_null(plan);
    cr_expect_str_eq(error.message, weft_graph_error(graph)->message);
}

static weft_status plan_all(weft_graph *own)
{
    weft_value x = weft_input(own, .shape = weft_shape_of(WEFT_BATCH, 8, 8, 3));
    weft_value loss = weft_mean(weft_relu(weft_conv2d(x, .filters = 4, .kernel = {3, 3})));
    weft_status status = weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_plan *plan = NULL;
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    if (status == WEFT_OK)
        status = weft_plan_create(own, WEFT_REAL, &options, &plan, &error);
    if (status == WEFT_OK)
        status = weft_plan_draw(plan, "", "/dev/null", &error);
    weft_plan_destroy(plan);
    return status;
}

Test(plan, each_request_for_memory_fails_once)
{
    for (int64_t n = 1, failed = 1; failed; n++) {
        test_allocator own = {.fail_at = n};
        weft_context_options options = test_allocator_options(&own);
        weft_status status = WEFT_ERROR_MEMORY;
        weft_context *small = weft_context_create(&options);
        weft_graph *built = small ? weft_graph_create(small) : NULL;
        if (built)
            status = plan_all(built);
        weft_graph_destroy(built);
        weft_context_destroy(small);
        failed = own.failed;
        cr_expect_eq(status, failed ? WEFT_ERROR_MEMORY : WEFT_OK, "request %lld", (long long)n);
        cr_expect_eq(own.live_blocks, 0, "request %lld", (long long)n);
        cr_expect_eq(own.wrong_releases, 0, "request %lld", (long long)n);
    }
}

/* ---- The caller's memory ---- */

static void *aligned(int64_t bytes)
{
    void *memory = NULL;
    cr_assert_eq(posix_memalign(&memory, LINE, (size_t)bytes + LINE), 0);
    memset(memory, 0xFF, (size_t)bytes + LINE); /* NaN */
    return memory;
}

/* Nothing was written behind it. */
static bool is_untouched(const void *memory, int64_t bytes)
{
    for (int i = 0; i < LINE; i++)
        if (((const unsigned char *)memory)[bytes + i] != 0xFF)
            return false;
    return true;
}

static float images[BATCH * SIDE * SIDE * 3];
static int32_t labels[BATCH] = {3, 0, 4, 1};

static double run(weft_program *program, weft_value fetch)
{
    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
        images[i] = (float)(i * 37 % 101) / 50 - 1;
    weft_feed feeds[] = {{image, images, sizeof(images)}, {label, labels, sizeof(labels)}};
    int count = weft_is_null(label) ? 1 : 2;
    cr_assert_eq(weft_run(program, feeds, count, NULL, &error), WEFT_OK, "%s", error.message);
    return weft_fetch_scalar(program, fetch);
}

Test(plan, training_in_the_callers_memory)
{
    weft_value loss = training();
    weft_compile_options options = options_for(&loss, WEFT_TRAIN);
    weft_state *own = NULL, *lent = NULL;
    weft_program *expected = NULL, *program = NULL;
    cr_assert_eq(weft_state_create(graph, NULL, &own, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, own, &options, &expected, &error), WEFT_OK);

    int64_t state_bytes = weft_state_memory_bytes(graph, WEFT_REAL);
    void *variables = aligned(state_bytes);
    int64_t before = allocator.live_bytes;
    weft_state_options in_memory = {.memory = variables, .memory_bytes = (size_t)state_bytes};
    cr_assert_eq(weft_state_create(graph, &in_memory, &lent, &error), WEFT_OK, "%s", error.message);
    cr_expect_lt(allocator.live_bytes - before, state_bytes / 2);
    options.no_arena = true;
    cr_assert_eq(weft_compile(graph, lent, &options, &program, &error), WEFT_OK);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    int64_t arena_bytes = weft_program_report(program).arena_bytes;
    void *arena = aligned(arena_bytes);

    int64_t requests = allocator.requests, heap = test_heap_calls();
    cr_assert_eq(weft_program_set_arena(program, arena, (size_t)arena_bytes, &error), WEFT_OK);
    double first = run(program, loss);
    cr_expect_eq(first, run(expected, loss), "%g", first);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(run(program, loss), run(expected, loss));
    cr_expect_eq(allocator.requests, requests);
    cr_expect_eq(test_heap_calls(), heap, "after compiling, nothing is allocated");
    cr_expect_lt(run(program, loss), first, "it learns");
    cr_expect(is_untouched(arena, arena_bytes));
    cr_expect(is_untouched(variables, state_bytes));
    weft_tensor weight = weft_state_tensor(lent, weft_find(graph, "classes.weight"));
    cr_expect((char *)weight.data >= (char *)variables &&
              (char *)weight.data < (char *)variables + state_bytes);
    weft_program_destroy(program);
    weft_program_destroy(expected);
    weft_state_destroy(lent);
    weft_state_destroy(own);
    free(arena);
    free(variables);
}

/* Two programs of one state in one arena, which both keep filters there. */
Test(plan, programs_take_turns_in_one_arena)
{
    weft_value logits = network();
    label = weft_null(graph);
    weft_state *state = NULL;
    weft_program *a = NULL, *b = NULL, *expected = NULL;
    weft_compile_options options = options_for(&logits, WEFT_INFER);
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &expected, &error), WEFT_OK);
    weft_value inner = weft_find(graph, "relu");
    options.fetch = &inner;
    cr_assert_eq(weft_compile(graph, state, &options, &b, &error), WEFT_OK);
    options.fetch = &logits;
    options.poison = true; /* what is freed becomes NaN */
    cr_assert_eq(weft_compile(graph, state, &options, &a, &error), WEFT_OK);
    cr_assert_gt(weft_program_report(a).prepared_bytes, 0);
    int64_t one = weft_program_report(a).arena_bytes, two = weft_program_report(b).arena_bytes;
    int64_t bytes = one > two ? one : two;
    void *arena = aligned(bytes);
    double result = run(expected, logits), other = run(b, inner);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(weft_program_set_arena(a, arena, (size_t)bytes, &error), WEFT_OK);
        cr_expect_eq(run(a, logits), result);
        cr_expect_eq(run(a, logits), result, "what is kept is kept");
        cr_assert_eq(weft_program_set_arena(b, arena, (size_t)bytes, &error), WEFT_OK);
        cr_expect_eq(run(b, inner), other);
    }
    cr_expect(is_untouched(arena, bytes));
    weft_program_destroy(a);
    weft_program_destroy(b);
    weft_program_destroy(expected);
    weft_state_destroy(state);
    free(arena);
}

static void expect_message(weft_status status, weft_status wanted, const char *text)
{
    cr_expect_eq(status, wanted, "%s: %s", text, error.message);
    cr_expect(strstr(error.message, text), "no \"%s\" in \"%s\"", text, error.message);
}

Test(plan, memory_that_does_not_do)
{
    weft_value logits = network();
    label = weft_null(graph);
    weft_state *state = NULL;
    weft_program *program = NULL;
    int64_t need = weft_state_memory_bytes(graph, WEFT_REAL);
    char *memory = aligned(need), text[80];

    weft_state_options in_memory = {.memory = memory, .memory_bytes = (size_t)need - 1};
    snprintf(text, sizeof(text), "need %lld bytes, the state's memory has %lld", (long long)need,
             (long long)need - 1);
    expect_message(weft_state_create(graph, &in_memory, &state, &error), WEFT_ERROR_MEMORY, text);
    in_memory = (weft_state_options){.memory = memory + 32, .memory_bytes = (size_t)need};
    expect_message(weft_state_create(graph, &in_memory, &state, &error), WEFT_ERROR_ARGUMENT,
                   "not a multiple of 64");
    in_memory = (weft_state_options){.memory = memory, .memory_bytes = (size_t)need};
    cr_assert_eq(weft_state_create(graph, &in_memory, &state, &error), WEFT_OK);

    weft_compile_options options = options_for(&logits, WEFT_INFER);
    options.no_arena = true;
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK);
    weft_feed feed = {image, images, sizeof(images)};
    expect_message(weft_run(program, &feed, 1, NULL, &error), WEFT_ERROR_ARGUMENT, "no arena");
    cr_expect_null(weft_fetch(program, logits).data);
    int64_t bytes = weft_program_report(program).arena_bytes;
    char *arena = aligned(bytes);
    snprintf(text, sizeof(text), "%lld bytes are too few, %lld are needed", (long long)bytes - 1,
             (long long)bytes);
    expect_message(weft_program_set_arena(program, arena, (size_t)bytes - 1, &error),
                   WEFT_ERROR_ARGUMENT, text);
    expect_message(weft_program_set_arena(program, arena + 4, (size_t)bytes, &error),
                   WEFT_ERROR_ARGUMENT, "not a multiple of 64");
    expect_message(weft_program_set_arena(program, NULL, 0, &error), WEFT_ERROR_ARGUMENT,
                   "no memory");
    expect_message(weft_run(program, &feed, 1, NULL, &error), WEFT_ERROR_ARGUMENT, "no arena");
    cr_expect_eq(weft_program_set_arena(program, arena, (size_t)bytes, &error), WEFT_OK);
    cr_expect_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK);

    /* The graph grows, the memory does not. */
    weft_program *wider = NULL;
    weft_value more = weft_dense(logits, .units = 2);
    options.fetch = &more;
    expect_message(weft_compile(graph, state, &options, &wider, &error), WEFT_ERROR_MEMORY,
                   "the state's memory has");
    cr_expect_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK);
    weft_program_destroy(program);
    weft_state_destroy(state);
    free(arena);
    free(memory);
}
