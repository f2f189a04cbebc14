/* Programs under a limit of memory: the same bits as without, whatever runs again; peaks and costs that follow the
 * limit; the error where none fits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/allocator.h"
#include "weft/weft.h"

enum { BATCH = 2, SIDE = 16, CHANNELS = 3, CLASSES = 5, RUNS = 3, RUNGS = 9 };

/* ---- Networks ---- */

typedef weft_value network(weft_value image);

static weft_value block(weft_value x, int filters)
{
    x = weft_conv2d(x, .filters = filters, .kernel = {3, 3}, .padding = WEFT_SAME);
    return weft_relu(weft_batch_norm(x));
}

static weft_value finish(weft_value x)
{
    return weft_dense(weft_global_average_pool(x), .units = CLASSES);
}

static weft_value chain(weft_value x)
{
    for (int i = 0; i < 8; i++)
        x = weft_tanh(weft_conv2d(x, .filters = 6, .kernel = {3, 3}, .padding = WEFT_SAME));
    return finish(x);
}

static weft_value residual(weft_value x)
{
    x = block(x, 8);
    for (int i = 0; i < 4; i++) {
        weft_value y = block(x, 8);
        y = weft_conv2d(y, .filters = 8, .kernel = {1, 1}, .no_bias = true);
        x = weft_relu(weft_add(weft_batch_norm(y), x));
    }
    return finish(x);
}

static weft_value dropouts(weft_value x)
{
    x = block(x, 8);
    for (int i = 0; i < 4; i++)
        x = weft_dropout(block(x, 8), .rate = 0.3);
    return finish(weft_max_pool(x, .window = {2, 2}));
}

static weft_value dense_block(weft_value x)
{
    x = weft_conv2d(x, .filters = 8, .kernel = {3, 3}, .padding = WEFT_SAME);
    for (int i = 0; i < 5; i++) {
        weft_value y = weft_relu(weft_batch_norm(x));
        y = weft_conv2d(y, .filters = 4, .kernel = {3, 3}, .padding = WEFT_SAME);
        x = weft_concat_channels(x, y);
    }
    return finish(weft_relu(weft_batch_norm(x)));
}

static weft_value skips(weft_value x)
{
    weft_value down[3];
    for (int i = 0; i < 3; i++) {
        down[i] = block(block(x, 4 << i), 4 << i);
        x = weft_max_pool(down[i], .window = {2, 2});
    }
    x = block(x, 32);
    for (int i = 2; i >= 0; i--) {
        x = weft_conv_transpose2d(x, .filters = 4 << i, .kernel = {2, 2}, .stride = {2, 2});
        x = block(weft_concat_channels(down[i], x), 4 << i);
    }
    return finish(x);
}

/* One filter for all of them: its update comes after the last that runs again. */
static weft_value shared_filter(weft_value x)
{
    weft_graph *graph = x.graph;
    weft_value filter = weft_variable(graph, .name = "filter", .shape = weft_shape_of(3, 3, 8, 8),
                                      .initializer = {.kind = WEFT_INIT_NORMAL, .b = 0.1});
    x = block(x, 8);
    for (int i = 0; i < 5; i++)
        x = weft_tanh(weft_convolution(x, filter, .padding = WEFT_SAME));
    return finish(x);
}

static const struct {
    const char *name;
    network *build;
} networks[] = {
    {"chain", chain},       {"residual", residual},
    {"dropouts", dropouts}, {"dense block", dense_block},
    {"skips", skips},       {"shared filter", shared_filter},
};
enum { NETWORKS = sizeof(networks) / sizeof(networks[0]) };

/* ---- Programs ---- */

typedef struct trained {
    weft_context *context;
    weft_graph *graph;
    weft_value image, label, fetch[2]; /* loss, a gradient */
} trained;

static void build(trained *t, network *net, bool second_order)
{
    t->context = weft_context_create(NULL);
    t->graph = weft_graph_create(t->context);
    t->image = weft_input(t->graph, .name = "image",
                          .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, CHANNELS));
    t->label = weft_input(t->graph, .name = "label", .shape = weft_shape_of(WEFT_BATCH),
                          .dtype = WEFT_INT32);
    weft_value loss = weft_mean(weft_sparse_cross_entropy(net(t->image), t->label));
    t->fetch[1] = weft_gradient(loss, t->image);
    if (second_order)
        loss = weft_add(loss, weft_mean(weft_square(t->fetch[1])));
    weft_minimize(loss, &(weft_optimizer_options){.momentum = 0.9}, NULL);
    t->fetch[0] = loss;
    cr_assert_eq(weft_graph_error(t->graph)->status, WEFT_OK, "%s",
                 weft_graph_error(t->graph)->message);
}

static void destroy(trained *t)
{
    weft_graph_destroy(t->graph);
    weft_context_destroy(t->context);
}

/* What training some steps leaves: losses, the last gradient, all variables. */
typedef struct outcome {
    weft_status status;
    weft_error error;
    weft_report report;
    unsigned char *data;
    size_t bytes;
} outcome;

static void keep(outcome *o, const weft_tensor *tensor)
{
    size_t bytes = weft_tensor_bytes(tensor);
    o->data = realloc(o->data, o->bytes + bytes);
    memcpy(o->data + o->bytes, tensor->data, bytes);
    o->bytes += bytes;
}

static outcome train(trained *t, const weft_compile_options *asked, weft_dtype dtype)
{
    outcome o = {.status = WEFT_OK};
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options options = *asked;
    options.mode = WEFT_TRAIN;
    options.fetch = t->fetch;
    options.fetches = 2;
    options.batch = BATCH;
    cr_assert_eq(weft_state_create(t->graph, &(weft_state_options){.dtype = dtype, .seed = 7},
                                   &state, &o.error),
                 WEFT_OK);
    o.status = weft_compile(t->graph, state, &options, &program, &o.error);
    if (o.status != WEFT_OK) {
        weft_state_destroy(state);
        return o;
    }
    weft_error error;
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    o.report = weft_program_report(program);
    double image[BATCH * SIDE * SIDE * CHANNELS]; /* room for float64 */
    int32_t label[BATCH] = {1, 4};
    size_t count = sizeof(image) / sizeof(image[0]);
    for (size_t i = 0; i < count; i++) {
        double x = (double)(i * 37 % 101) / 50 - 1;
        if (dtype == WEFT_FLOAT64)
            image[i] = x;
        else
            ((float *)image)[i] = (float)x;
    }
    weft_feed feed[] = {{t->image, image, count * weft_dtype_bytes(dtype)},
                        {t->label, label, sizeof(label)}};
    for (int i = 0; i < RUNS; i++) {
        cr_expect_eq(weft_run(program, feed, 2, NULL, &error), WEFT_OK, "%s", error.message);
        for (int k = 0; k < 2; k++) {
            weft_tensor tensor = weft_fetch(program, t->fetch[k]);
            keep(&o, &tensor);
        }
    }
    weft_value variable = weft_variable_at(t->graph, 0);
    for (int i = 0; !weft_is_null(variable); variable = weft_variable_at(t->graph, ++i)) {
        weft_tensor tensor = weft_state_tensor(state, variable);
        keep(&o, &tensor);
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
    return o;
}

static void expect_same(const outcome *a, const outcome *b, const char *what)
{
    cr_expect_eq(a->status, WEFT_OK, "%s: %s", what, a->error.message);
    cr_expect_eq(b->status, WEFT_OK, "%s: %s", what, b->error.message);
    cr_assert_eq(a->bytes, b->bytes, "%s", what);
    cr_expect(memcmp(a->data, b->data, a->bytes) == 0, "%s: bits differ", what);
}

static weft_compile_options under(int64_t limit)
{
    return (weft_compile_options){.memory_limit = limit};
}

static outcome train_under(trained *t, int64_t limit)
{
    weft_compile_options options = under(limit);
    return train(t, &options, WEFT_FLOAT32);
}

static int64_t least_limit(trained *t)
{
    outcome o = train_under(t, WEFT_LEAST_MEMORY);
    cr_assert_eq(o.status, WEFT_OK, "%s", o.error.message);
    free(o.data);
    return o.report.arena_bytes;
}

/* ---- Limits ---- */

static void climb(trained *t, const char *name)
{
    outcome free_one = train_under(t, 0);
    weft_compile_options off = {.without = 1u << WEFT_PASS_REMATERIALIZE};
    outcome stored = train(t, &off, WEFT_FLOAT32);
    expect_same(&stored, &free_one, name);
    cr_expect_eq(stored.report.steps_again, 0);
    int64_t most = stored.report.arena_bytes, least = least_limit(t), peak = 0;
    double share = INFINITY;
    int again = 0;
    for (int i = 0; i <= RUNGS; i++) {
        int64_t limit = least + (most - least) * i / RUNGS;
        outcome o = train_under(t, limit);
        expect_same(&o, &stored, name);
        cr_expect_leq(o.report.arena_bytes, limit, "%s", name);
        cr_expect_geq(o.report.arena_bytes, peak, "%s: a larger limit, a smaller arena", name);
        cr_expect_leq(o.report.again_share, share, "%s: a larger limit, a costlier plan", name);
        peak = o.report.arena_bytes;
        share = o.report.again_share;
        again += o.report.steps_again > 0;
        free(o.data);
    }
    cr_expect_lt(least, most * 5 / 6, "%s: %lld of %lld bytes", name, (long long)least,
                 (long long)most);
    cr_expect_gt(again, RUNGS / 2, "%s", name);
    printf("%-14s stores %7lld bytes, %7lld at least\n", name, (long long)most, (long long)least);
    free(free_one.data);
    free(stored.data);
}

Test(memory_limit, same_bits_and_monotonic)
{
    for (int i = 0; i < NETWORKS; i++) {
        trained t;
        build(&t, networks[i].build, false);
        climb(&t, networks[i].name);
        destroy(&t);
    }
}

Test(memory_limit, second_order)
{
    trained t;
    build(&t, chain, true);
    climb(&t, "second order");
    destroy(&t);
}

Test(memory_limit, same_bits_with_other_passes_left_out)
{
    static const unsigned passes[] = {WEFT_PASS_FUSE,     WEFT_PASS_VIEW,  WEFT_PASS_ORDER,
                                      WEFT_PASS_IN_PLACE, WEFT_PASS_REUSE, WEFT_PASS_RECOMPUTE};
    for (int n = 0; n < NETWORKS; n++) {
        trained t;
        build(&t, networks[n].build, false);
        for (size_t p = 0; p < sizeof(passes) / sizeof(passes[0]); p++) {
            weft_compile_options least = {.memory_limit = WEFT_LEAST_MEMORY,
                                          .without = 1u << passes[p]};
            weft_compile_options off = {.without = 1u << passes[p] | 1u << WEFT_PASS_REMATERIALIZE};
            outcome a = train(&t, &least, WEFT_FLOAT32), b = train(&t, &off, WEFT_FLOAT32);
            expect_same(&a, &b, networks[n].name);
            cr_expect(passes[p] == WEFT_PASS_REUSE || a.report.steps_again > 0);
            free(a.data);
            free(b.data);
        }
        destroy(&t);
    }
}

Test(memory_limit, same_bits_with_threads_poison_and_double)
{
    for (int n = 0; n < NETWORKS; n++) {
        trained t;
        build(&t, networks[n].build, false);
        for (int d = 0; d < 2; d++) {
            weft_dtype dtype = d ? WEFT_FLOAT64 : WEFT_FLOAT32;
            weft_compile_options least = {
                .memory_limit = WEFT_LEAST_MEMORY, .poison = true, .threads = 3};
            weft_compile_options off = {.without = 1u << WEFT_PASS_REMATERIALIZE, .threads = 1};
            outcome a = train(&t, &least, dtype), b = train(&t, &off, dtype);
            expect_same(&a, &b, networks[n].name);
            cr_expect_gt(a.report.steps_again, 0);
            free(a.data);
            free(b.data);
        }
        destroy(&t);
    }
}

/* ---- Errors ---- */

Test(memory_limit, names_the_smallest)
{
    for (int n = 0; n < NETWORKS; n++) {
        trained t;
        build(&t, networks[n].build, false);
        outcome refused = train_under(&t, 1);
        cr_assert_eq(refused.status, WEFT_ERROR_MEMORY);
        const char *text = strstr(refused.error.message, "too small: ");
        cr_assert_not_null(text, "%s", refused.error.message);
        long long named = atoll(text + strlen("too small: "));
        outcome fits = train_under(&t, named), below = train_under(&t, named - 1);
        cr_expect_eq(fits.status, WEFT_OK, "%s: %s", networks[n].name, fits.error.message);
        cr_expect_leq(fits.report.arena_bytes, named);
        cr_expect_eq(below.status, WEFT_ERROR_MEMORY);
        cr_expect_str_eq(strstr(below.error.message, "too small: "), text);
        cr_expect_eq(least_limit(&t), fits.report.arena_bytes);
        free(fits.data);
        destroy(&t);
    }
}

Test(memory_limit, can_be_switched_off)
{
    trained t;
    build(&t, residual, false);
    weft_compile_options off = {.without = 1u << WEFT_PASS_REMATERIALIZE};
    outcome stored = train(&t, &off, WEFT_FLOAT32);
    cr_expect_eq(stored.report.steps_again, 0);
    off.memory_limit = stored.report.arena_bytes;
    outcome fits = train(&t, &off, WEFT_FLOAT32);
    expect_same(&stored, &fits, "the limit is what it takes");
    off.memory_limit--;
    outcome refused = train(&t, &off, WEFT_FLOAT32);
    cr_expect_eq(refused.status, WEFT_ERROR_MEMORY);
    cr_expect(strstr(refused.error.message, "without rematerialization"), "%s",
              refused.error.message);
    free(stored.data);
    free(fits.data);
    destroy(&t);
}

/* Micro-batches are no choice then, and no reason to fail. */
Test(memory_limit, of_a_batch_with_fixed_extents)
{
    trained t;
    build(&t, chain, false);
    weft_extents fixed = {t.image, weft_shape_of(BATCH, SIDE, SIDE, CHANNELS)};
    weft_compile_options options = {.memory_limit = 1 << 30,
                                    .micro_batching = WEFT_MICRO_BATCHES,
                                    .extents = &fixed,
                                    .extent_count = 1};
    outcome whole = train(&t, &options, WEFT_FLOAT32), expected = train_under(&t, 1 << 30);
    expect_same(&whole, &expected, "a fixed batch");
    cr_expect_eq(whole.report.micro_batches, 1);
    options.memory_limit = 1;
    outcome refused = train(&t, &options, WEFT_FLOAT32);
    cr_expect_eq(refused.status, WEFT_ERROR_MEMORY, "%s", refused.error.message);
    free(whole.data);
    free(expected.data);
    destroy(&t);
}

Test(memory_limit, must_be_a_size)
{
    trained t;
    build(&t, chain, false);
    outcome o = train_under(&t, -2);
    cr_expect_eq(o.status, WEFT_ERROR_ARGUMENT);
    cr_expect(strstr(o.error.message, "memory_limit"), "%s", o.error.message);
    destroy(&t);
}

/* ---- Memory of the compiler ---- */

static bool fail_at(int64_t n)
{
    test_allocator allocator = {.fail_at = n};
    weft_context_options options = test_allocator_options(&allocator);
    weft_error error = {0};
    weft_status status = WEFT_ERROR_MEMORY;
    weft_context *context = weft_context_create(&options);
    weft_graph *graph = context ? weft_graph_create(context) : NULL;
    weft_state *state = NULL;
    weft_program *program = NULL;
    if (graph) {
        weft_value x = weft_input(graph, .shape = weft_shape_of(BATCH, 4, 4, 2)), image = x;
        for (int i = 0; i < 4; i++)
            x = weft_tanh(weft_conv2d(x, .filters = 3, .kernel = {3, 3}, .padding = WEFT_SAME));
        weft_value loss = weft_sum(weft_square(x));
        weft_value fetch[] = {loss, weft_gradient(loss, image)};
        weft_compile_options compiled = {
            .mode = WEFT_TRAIN, .fetch = fetch, .fetches = 2, .memory_limit = WEFT_LEAST_MEMORY};
        status = weft_graph_error(graph)->status;
        if (status == WEFT_OK)
            status = weft_state_create(graph, NULL, &state, &error);
        if (status == WEFT_OK)
            status = weft_compile(graph, state, &compiled, &program, &error);
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0, "request %lld", (long long)n);
    cr_expect_eq(allocator.wrong_releases, 0, "request %lld", (long long)n);
    cr_expect_eq(status, allocator.failed ? WEFT_ERROR_MEMORY : WEFT_OK, "request %lld: %s",
                 (long long)n, error.message);
    return allocator.failed;
}

Test(memory_limit, each_request_fails_once)
{
    int64_t n = 1;
    while (fail_at(n))
        n++;
    cr_expect_gt(n, 20, "only %lld requests", (long long)n);
}
