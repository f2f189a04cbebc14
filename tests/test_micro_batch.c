/* Programs that take their batch in parts: what the whole batch gives, in less memory; how many parts a limit asks for;
 * what cannot be cut. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/allocator.h"
#include "weft/weft.h"

enum { BATCH = 6, SIDE = 12, CHANNELS = 3, CLASSES = 5, RUNS = 3, FETCHES = 4 };

static weft_context *context;
static weft_graph *graph;
static weft_error error;
static weft_value image, label;

static void begin(void)
{
    context = weft_context_create(NULL);
    graph = weft_graph_create(context);
    image = weft_input(graph, .name = "image",
                       .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, CHANNELS));
    label =
        weft_input(graph, .name = "label", .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(micro_batch, .init = begin, .fini = end);

/* ---- Networks: logits ---- */

static weft_value finish(weft_value x)
{
    return weft_dense(weft_global_average_pool(x), .units = CLASSES);
}

static weft_value conv(weft_value x, int filters)
{
    return weft_conv2d(x, .filters = filters, .kernel = {3, 3}, .padding = WEFT_SAME);
}

static weft_value plain(weft_value x)
{
    x = weft_max_pool(weft_relu(conv(x, 8)), .window = {2, 2});
    weft_value y = weft_tanh(conv(x, 8));
    return finish(weft_concat_channels(weft_add(x, y), weft_sigmoid(y)));
}

static weft_value deep(weft_value x)
{
    for (int i = 0; i < 6; i++)
        x = weft_tanh(conv(x, 6));
    return finish(x);
}

static weft_value normed(weft_value x)
{
    x = weft_relu(weft_group_norm(conv(x, 8), .groups = 2));
    x = weft_dropout(weft_relu(weft_layer_norm(conv(x, 8))), .rate = 0.3);
    return weft_dense(weft_flatten(weft_average_pool(x, .window = {3, 3}), 1), .units = CLASSES);
}

/* A norm that is pinned to its running statistics looks at no batch. */
static weft_value frozen(weft_value x)
{
    return finish(weft_relu(weft_batch_norm(conv(x, 8), .mode = WEFT_MODE_INFER)));
}

static weft_value with_batch_norm(weft_value x)
{
    return finish(weft_relu(weft_batch_norm(conv(weft_relu(weft_batch_norm(conv(x, 8))), 8))));
}

static weft_value loss_of(weft_value logits)
{
    return weft_sparse_cross_entropy(logits, label);
}

/* ---- Programs ---- */

static void fill(double *x, float *single, int count, int period)
{
    for (int i = 0; i < count; i++) {
        x[i] = (double)(i % period * 37 % 101) / 50 - 1;
        single[i] = (float)x[i];
    }
}

/* What running some steps gives: fetches of all runs, then the variables, in double. */
typedef struct outcome {
    weft_report report;
    double *data;
    size_t count;
} outcome;

static void keep(outcome *o, const weft_tensor *tensor)
{
    size_t n = (size_t)weft_tensor_elements(tensor);
    o->data = realloc(o->data, (o->count + n) * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        double *to = &o->data[o->count++];
        if (tensor->dtype == WEFT_FLOAT32)
            *to = (double)((const float *)tensor->data)[i];
        else if (tensor->dtype == WEFT_FLOAT64)
            *to = ((const double *)tensor->data)[i];
        else
            *to = ((const int32_t *)tensor->data)[i];
    }
}

/* Images repeat after `period` elements, 0: they do not. */
static outcome run_all(const weft_compile_options *asked, weft_dtype dtype, int period)
{
    enum { ELEMENTS = BATCH * SIDE * SIDE * CHANNELS };
    static double images[ELEMENTS];
    static float singles[ELEMENTS];
    int32_t labels[BATCH] = {1, 4, 0, 1, 4, 0};
    outcome o = {0};
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options options = *asked;
    options.batch = BATCH;
    fill(images, singles, ELEMENTS, period ? period : ELEMENTS);
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.dtype = dtype, .seed = 7}, &state, &error),
        WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    o.report = weft_program_report(program);
    weft_feed feed[] = {{image, dtype == WEFT_FLOAT64 ? (void *)images : (void *)singles,
                         ELEMENTS * weft_dtype_bytes(dtype)},
                        {label, labels, sizeof(labels)}};
    int feeds = weft_program_reads(program, label) ? 2 : 1;
    for (int i = 0; i < RUNS; i++) {
        cr_expect_eq(weft_run(program, feed, feeds, NULL, &error), WEFT_OK, "%s", error.message);
        for (int k = 0; k < options.fetches; k++) {
            weft_tensor tensor = weft_fetch(program, options.fetch[k]);
            cr_assert_not_null(tensor.data);
            keep(&o, &tensor);
        }
    }
    weft_value variable = weft_variable_at(graph, 0);
    for (int i = 0; !weft_is_null(variable); variable = weft_variable_at(graph, ++i)) {
        weft_tensor tensor = weft_state_tensor(state, variable);
        keep(&o, &tensor);
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
    return o;
}

static double difference(const outcome *a, const outcome *b)
{
    double sum = 0, norm = 0;
    cr_assert_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        sum += (a->data[i] - b->data[i]) * (a->data[i] - b->data[i]);
        norm += a->data[i] * a->data[i];
    }
    cr_expect_gt(norm, 1e-3);
    return sqrt(sum / norm);
}

static void expect_close(const outcome *a, const outcome *b, double tolerance, const char *what)
{
    cr_expect_lt(difference(a, b), tolerance, "%s: off by %g", what, difference(a, b));
}

static void expect_same(const outcome *a, const outcome *b, const char *what)
{
    cr_assert_eq(a->count, b->count);
    cr_expect_eq(memcmp(a->data, b->data, a->count * sizeof(double)), 0, "%s", what);
}

static weft_compile_options cut_into(const weft_value *fetch, int fetches, int parts)
{
    return (weft_compile_options){.mode = WEFT_TRAIN,
                                  .fetch = fetch,
                                  .fetches = fetches,
                                  .micro_batching = WEFT_MICRO_BATCHES,
                                  .micro_batches = parts};
}

/* Loss, logits, the gradients of a filter and of the images. */
static void train_with(weft_value loss, weft_value logits, const weft_optimizer_options *optimizer,
                       weft_value fetch[FETCHES])
{
    fetch[0] = loss;
    fetch[1] = logits;
    fetch[2] = weft_gradient(loss, weft_variable_at(graph, 0));
    fetch[3] = weft_gradient(loss, image);
    weft_minimize(loss, optimizer, NULL);
    cr_assert_eq(weft_graph_error(graph)->status, WEFT_OK, "%s", weft_graph_error(graph)->message);
}

/* ---- As the whole batch ---- */

static void expect_as_whole(const weft_value fetch[FETCHES])
{
    for (weft_dtype dtype = WEFT_FLOAT32; dtype <= WEFT_FLOAT64; dtype++) {
        weft_compile_options whole = cut_into(fetch, FETCHES, 0);
        outcome expected = run_all(&whole, dtype, 0);
        cr_expect_eq(expected.report.micro_batches, 1);
        for (int parts = 2; parts <= BATCH; parts++) {
            if (BATCH % parts)
                continue;
            weft_compile_options cut = cut_into(fetch, FETCHES, parts);
            outcome got = run_all(&cut, dtype, 0);
            cr_expect_eq(got.report.micro_batches, parts);
            expect_close(&expected, &got, dtype == WEFT_FLOAT32 ? 2e-5 : 1e-12,
                         dtype == WEFT_FLOAT32 ? "float32" : "float64");
            free(got.data);
        }
        free(expected.data);
    }
}

static void expect_as_whole_of(weft_value logits)
{
    weft_value fetch[FETCHES];
    train_with(loss_of(logits), logits, &(weft_optimizer_options){.momentum = 0.9}, fetch);
    expect_as_whole(fetch);
}

Test(micro_batch, gives_what_the_whole_batch_does)
{
    expect_as_whole_of(plain(image));
}

Test(micro_batch, gives_it_through_norms_of_samples_and_dropout)
{
    expect_as_whole_of(normed(image));
}

Test(micro_batch, gives_it_through_a_norm_of_running_statistics)
{
    expect_as_whole_of(frozen(image));
}

/* Penalties are the same for all parts, a norm of all gradients is known after the last one, losses add up. */
Test(micro_batch, gives_it_with_penalties_clipping_and_a_second_loss)
{
    weft_value logits = plain(image), fetch[FETCHES];
    weft_value other = weft_mean(weft_square(weft_reshape(logits, WEFT_BATCH, CLASSES, 1)));
    weft_value weights = weft_variable_at(graph, 0);
    weft_value loss = weft_add(loss_of(logits), weft_scale(other, 0.3));
    loss = weft_add(loss, weft_scale(weft_sum(weft_square(weights)), 0.01));
    train_with(loss, logits,
               &(weft_optimizer_options){.kind = WEFT_ADAM, .clip_norm = 0.5, .average_decay = 0.9},
               fetch);
    expect_as_whole(fetch);
}

/* What is no mean of the parts' gradients comes after them. */
Test(micro_batch, gives_gradients_of_functions_of_gradients)
{
    weft_value logits = plain(image), loss = loss_of(logits), w = weft_variable_at(graph, 0);
    weft_value g = weft_gradient(loss, w);
    weft_value fetch[FETCHES] = {loss, g, weft_gradient(weft_sum(weft_abs(g)), g),
                                 weft_gradient(weft_sum(weft_power(g, weft_scalar(graph, 3))), g)};
    expect_as_whole(fetch);
}

/* A value that is made in the output of a concat, beside many that are copied there. */
Test(micro_batch, gives_it_in_a_concat_of_many)
{
    enum { COPIES = 31 };
    weft_value parts[COPIES] = {weft_relu(image)}, label_loss;
    for (int i = 1; i < COPIES; i++)
        parts[i] = image;
    weft_value wide = weft_concat(parts, COPIES, -1);
    label_loss = weft_mean(weft_square(wide));
    weft_value fetch[FETCHES] = {wide, label_loss, weft_relu(wide),
                                 weft_gradient(label_loss, image)};
    expect_as_whole(fetch);
}

/* ---- Random networks ---- */

enum { MOST_VALUES = 24 };

typedef struct pool {
    weft_value value[MOST_VALUES];
    bool used[MOST_VALUES];
    int count;
    uint32_t state;
} pool;

static int draw(pool *p, int count)
{
    p->state = p->state * 1664525u + 1013904223u;
    return (int)(p->state >> 8) % count;
}

/* One of the last four. */
static weft_value pick(pool *p)
{
    int at = p->count - 1 - draw(p, p->count < 4 ? p->count : 4);
    p->used[at] = true;
    return p->value[at];
}

static weft_value pick_like(pool *p, weft_value x)
{
    for (int i = p->count - 1; i >= 0; i--)
        if (weft_shape_equal(weft_shape_get(p->value[i]), weft_shape_get(x)) && draw(p, 2)) {
            p->used[i] = true;
            return p->value[i];
        }
    return x;
}

static weft_value grow(pool *p)
{
    weft_value x = pick(p);
    int64_t height = weft_shape_get(x).extent[1];
    switch (draw(p, 11)) {
    case 0:
        return weft_tanh(conv(x, 4));
    case 1:
        return weft_sigmoid(weft_group_norm(conv(x, 4), .groups = 2));
    case 2:
        return height > 3 ? weft_average_pool(x, .window = {2, 2}) : weft_scale(x, 0.5);
    case 3:
        return height > 3 ? weft_slice(x, .begin = {0, 1}) : weft_swish(x);
    case 4:
        return weft_add(x, weft_tanh(pick_like(p, x)));
    case 5:
        return weft_multiply(x, weft_sigmoid(pick_like(p, x)));
    case 6:
        return weft_channels(x) < 16 ? weft_concat_channels(weft_tanh(x), pick_like(p, x)) : x;
    case 7:
        return weft_dropout(x, .rate = 0.2);
    case 8: { /* squeeze and excitation */
        weft_value mean = weft_mean(x, .axes = {1, 2}, .axis_count = 2, .keep_dims = true);
        return weft_multiply(x, weft_sigmoid(mean));
    }
    case 9:
        return weft_gaussian_noise(x, .deviation = 0.1);
    default:
        return weft_softmax(weft_scale(x, 2));
    }
}

static weft_value random_network(uint32_t seed)
{
    pool p = {.value = {conv(image, 4)}, .count = 1, .state = seed};
    for (int steps = 4 + draw(&p, MOST_VALUES - 4); p.count < steps;) {
        weft_value made = grow(&p);
        p.value[p.count++] = made;
    }
    weft_value features = weft_global_average_pool(p.value[p.count - 1]);
    for (int i = 0; i < p.count - 1; i++)
        if (!p.used[i])
            features = weft_concat_channels(features, weft_global_average_pool(p.value[i]));
    return weft_dense(features, .units = CLASSES);
}

Test(micro_batch, gives_it_for_random_networks)
{
    const char *text = getenv("WEFT_TEST_CASES");
    int cases = 6 * (text && atoi(text) > 0 ? atoi(text) : 1);
    for (int i = 0; i < cases; i++) {
        end();
        begin();
        expect_as_whole_of(random_network((uint32_t)i + 1));
    }
}

/* A function of the loss that nothing is differentiated through is computed after the last part. */
Test(micro_batch, computes_functions_of_means_after_all_parts)
{
    weft_value logits = plain(image), fetch[FETCHES];
    weft_value loss = loss_of(logits), perplexity = weft_exp(loss);
    train_with(loss, logits, &(weft_optimizer_options){0}, fetch);
    fetch[3] = perplexity;
    expect_as_whole(fetch);
}

/* An optimizer that adds gradients up over runs, each of which takes its batch in parts: as with whole batches. */
Test(micro_batch, adds_up_over_runs_too)
{
    weft_value logits = plain(image), fetch[FETCHES];
    train_with(loss_of(logits), logits, &(weft_optimizer_options){.micro_batches = RUNS}, fetch);
    expect_as_whole(fetch);
}

Test(micro_batch, fetches_labels_for_each_image)
{
    weft_value found = weft_argmax(plain(image), -1);
    weft_compile_options whole = {.fetch = &found, .fetches = 1};
    outcome expected = run_all(&whole, WEFT_FLOAT32, 0);
    weft_compile_options cut = cut_into(&found, 1, 3);
    cut.mode = WEFT_INFER;
    outcome got = run_all(&cut, WEFT_FLOAT32, 0);
    expect_same(&expected, &got, "labels");
    free(expected.data);
    free(got.data);
}

/* ---- Batch norm ---- */

/* Where all parts have the same images, statistics of a part are those of the batch. */
Test(micro_batch, batch_norm_sees_the_images_of_a_part)
{
    weft_value logits = with_batch_norm(image), fetch[FETCHES];
    train_with(loss_of(logits), logits, &(weft_optimizer_options){0}, fetch);
    weft_compile_options whole = cut_into(fetch, FETCHES, 0), cut = cut_into(fetch, FETCHES, 2);
    cut.micro_batching = WEFT_MICRO_BATCHES_MIXED;
    enum { HALF = BATCH / 2 * SIDE * SIDE * CHANNELS };
    for (int i = 0; i < 2; i++) {
        outcome expected = run_all(&whole, WEFT_FLOAT64, i ? 0 : HALF);
        outcome got = run_all(&cut, WEFT_FLOAT64, i ? 0 : HALF);
        size_t trained = 3 * (1 + BATCH * CLASSES); /* losses and logits of all runs, at least */
        cr_assert_gt(got.count, trained);
        double off = fabs(got.data[0] - expected.data[0]);
        if (i == 0)
            cr_expect_lt(off, 1e-12);
        else
            cr_expect_gt(off, 1e-6, "statistics of other images");
        free(expected.data);
        free(got.data);
    }
}

/* ---- Bits ---- */

Test(micro_batch, same_bits_under_limits_with_threads_and_poison)
{
    static const unsigned passes[] = {
        WEFT_PASS_VIEW,  WEFT_PASS_ORDER,     WEFT_PASS_HOIST, WEFT_PASS_IN_PLACE,
        WEFT_PASS_REUSE, WEFT_PASS_RECOMPUTE, WEFT_PASS_CSE,   WEFT_PASS_REMATERIALIZE};
    weft_value logits = plain(image), fetch[FETCHES];
    train_with(loss_of(logits), logits, &(weft_optimizer_options){.clip_norm = 1}, fetch);
    weft_compile_options options = cut_into(fetch, FETCHES, 3);
    outcome expected = run_all(&options, WEFT_FLOAT32, 0);
    options.memory_limit = WEFT_LEAST_MEMORY;
    options.poison = true;
    for (int threads = 1; threads <= 3; threads++) {
        options.threads = threads;
        outcome got = run_all(&options, WEFT_FLOAT32, 0);
        cr_expect_leq(got.report.arena_bytes, expected.report.arena_bytes);
        expect_same(&expected, &got, "the least memory");
        free(got.data);
    }
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        options = cut_into(fetch, FETCHES, 3);
        options.without = 1u << passes[i];
        outcome got = run_all(&options, WEFT_FLOAT32, 0);
        expect_same(&expected, &got, "without a pass");
        free(got.data);
    }
    free(expected.data);
}

/* ---- How many parts ---- */

static outcome under(const weft_value *fetch, int64_t limit, weft_micro_batching allowed)
{
    weft_compile_options options = cut_into(fetch, 1, 0);
    options.micro_batching = allowed;
    options.memory_limit = limit;
    return run_all(&options, WEFT_FLOAT32, 0);
}

Test(micro_batch, a_limit_asks_for_parts)
{
    weft_value loss = loss_of(deep(image));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    outcome whole = under(&loss, 0, WEFT_MICRO_BATCHES);
    outcome recomputed = under(&loss, WEFT_LEAST_MEMORY, WEFT_WHOLE_BATCH);
    outcome least = under(&loss, WEFT_LEAST_MEMORY, WEFT_MICRO_BATCHES);
    cr_expect_eq(whole.report.micro_batches, 1, "without a limit");
    cr_expect_gt(least.report.micro_batches, 1);
    cr_expect_lt(least.report.arena_bytes, recomputed.report.arena_bytes * 2 / 3);
    printf("%lld bytes, %lld by computing again, %lld in %d parts\n",
           (long long)whole.report.arena_bytes, (long long)recomputed.report.arena_bytes,
           (long long)least.report.arena_bytes, least.report.micro_batches);
    int64_t most = whole.report.arena_bytes, arena = 0;
    for (int i = 0; i <= 8; i++) {
        int64_t limit = least.report.arena_bytes + (most - least.report.arena_bytes) * i / 8;
        outcome o = under(&loss, limit, WEFT_MICRO_BATCHES);
        cr_expect_leq(o.report.arena_bytes, limit);
        cr_expect_geq(o.report.arena_bytes, arena, "a larger limit, a smaller arena");
        if (i == 8)
            cr_expect_eq(o.report.micro_batches, 1);
        arena = o.report.arena_bytes;
        expect_close(&whole, &o, 2e-5, "under a limit");
        free(o.data);
    }
    free(whole.data);
    free(recomputed.data);
    free(least.data);
}

static weft_status compile_with(weft_compile_options options)
{
    weft_state *state = NULL;
    weft_program *program = NULL;
    options.batch = options.batch ? options.batch : BATCH;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    error = (weft_error){0};
    weft_status status = weft_compile(graph, state, &options, &program, &error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    return status;
}

static void expect_message(weft_status status, weft_status wanted, const char *text)
{
    cr_expect_eq(status, wanted, "%s: %s", text, error.message);
    cr_expect(strstr(error.message, text), "no \"%s\" in \"%s\"", text, error.message);
}

Test(micro_batch, the_smallest_limit_is_named_over_all_numbers_of_parts)
{
    weft_value loss = loss_of(deep(image));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = cut_into(&loss, 1, 0);
    options.memory_limit = 1;
    expect_message(compile_with(options), WEFT_ERROR_MEMORY, " micro-batches are the least");
    const char *text = strstr(error.message, "too small: ");
    cr_assert_not_null(text);
    options.memory_limit = atoll(text + strlen("too small: "));
    cr_expect_eq(compile_with(options), WEFT_OK, "%s", error.message);
    options.memory_limit--;
    cr_expect_eq(compile_with(options), WEFT_ERROR_MEMORY);
}

Test(micro_batch, a_limit_that_is_too_small_says_why_there_are_no_parts)
{
    weft_value loss = loss_of(with_batch_norm(image));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = cut_into(&loss, 1, 0);
    options.memory_limit = 1;
    expect_message(compile_with(options), WEFT_ERROR_MEMORY, "looks at all images together");
    options.memory_limit = 1 << 30;
    cr_expect_eq(compile_with(options), WEFT_OK, "the whole batch fits: %s", error.message);
}

Test(micro_batch, plans_say_how_many)
{
    weft_value loss = loss_of(deep(image));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    int64_t arena[2], feeds[2];
    double flops[2];
    for (int i = 0; i < 2; i++) {
        weft_compile_options options = cut_into(&loss, 1, i ? 3 : 1);
        weft_plan *plan = NULL;
        options.batch = BATCH;
        options.without = 1u << WEFT_PASS_REMATERIALIZE;
        cr_assert_eq(weft_plan_create(graph, WEFT_FLOAT32, &options, &plan, &error), WEFT_OK);
        cr_expect_eq(plan->micro_batches, i ? 3 : 1);
        cr_expect_eq(plan->batch, BATCH);
        arena[i] = plan->arena_bytes;
        feeds[i] = plan->feed_bytes;
        flops[i] = plan->flops;
        weft_plan_destroy(plan);
    }
    cr_expect_lt(arena[1], arena[0] / 2, "%lld of %lld", (long long)arena[1], (long long)arena[0]);
    cr_expect_eq(feeds[1], feeds[0]);
    cr_expect_float_eq(flops[1] / flops[0], 1, 0.05, "%g", flops[1] / flops[0]);
}

Test(micro_batch, the_largest_batch_is_a_multiple_of_the_parts)
{
    weft_value loss = loss_of(deep(image));
    weft_minimize(loss, &(weft_optimizer_options){0}, NULL);
    weft_compile_options options = cut_into(&loss, 1, 4);
    weft_batch_limit whole, cut;
    cr_assert_eq(weft_largest_batch(graph, WEFT_REAL, &options, 1 << 20, &cut, &error), WEFT_OK,
                 "%s", error.message);
    options.micro_batches = 0;
    cr_assert_eq(weft_largest_batch(graph, WEFT_REAL, &options, 1 << 20, &whole, &error), WEFT_OK);
    cr_expect_eq(cut.batch % 4, 0);
    cr_expect_gt(cut.batch, whole.batch);
    cr_expect_leq(cut.bytes, 1 << 20);
    cr_expect_gt(cut.next_bytes, 1 << 20);
}

/* ---- What is refused ---- */

Test(micro_batch, options_that_contradict_each_other)
{
    weft_value loss = loss_of(plain(image));
    weft_compile_options options = cut_into(&loss, 1, 4);
    expect_message(compile_with(options), WEFT_ERROR_ARGUMENT,
                   "a batch of 6 is not 4 equal micro-batches");
    options.micro_batches = -1;
    expect_message(compile_with(options), WEFT_ERROR_ARGUMENT, "micro_batches is negative");
    options.micro_batches = 2;
    options.micro_batching = WEFT_WHOLE_BATCH;
    expect_message(compile_with(options), WEFT_ERROR_ARGUMENT, "micro_batching allows none");
}

static void expect_refused(weft_value value, const char *text)
{
    weft_compile_options options = cut_into(&value, 1, 2);
    cr_assert_eq(weft_graph_error(graph)->status, WEFT_OK, "%s", weft_graph_error(graph)->message);
    expect_message(compile_with(options), WEFT_ERROR_UNSUPPORTED, text);
}

static weft_value gradient_of(weft_value loss)
{
    return weft_gradient(loss, weft_variable_at(graph, 0));
}

Test(micro_batch, refuses_batch_norm)
{
    expect_refused(gradient_of(loss_of(with_batch_norm(image))),
                   "no micro-batches with batch_norm \"batch_norm.batch_norm\": it looks at all "
                   "images together (WEFT_MICRO_BATCHES_MIXED");
}

Test(micro_batch, refuses_sums_over_images)
{
    expect_refused(gradient_of(weft_sum(weft_square(plain(image)))),
                   "sum \"sum\": of the batch it is not a mean");
    expect_refused(weft_sum(plain(image)), "sum \"sum_1\": of the batch it is not a mean");
}

Test(micro_batch, refuses_means_by_weights_of_the_batch)
{
    weft_value weights = weft_constant(graph, weft_shape_of(CLASSES), (double[]){1, 2, 1, 1, 3});
    weft_value loss =
        (weft_sparse_cross_entropy)(plain(image), label,
                                    &(weft_loss_options){.class_weights = weights,
                                                         .reduction = WEFT_LOSS_WEIGHTED_MEAN});
    expect_refused(gradient_of(loss), "of the batch it is not a mean");
}

Test(micro_batch, refuses_gradients_through_functions_of_means)
{
    expect_refused(gradient_of(weft_exp(loss_of(plain(image)))), "after all of them only");
}

Test(micro_batch, refuses_images_that_depend_on_a_mean_of_all)
{
    weft_value mean = weft_mean(image, .axes = {0}, .axis_count = 1);
    expect_refused(weft_mean(weft_square(weft_subtract(image, mean))), "after all of them only");
}

Test(micro_batch, refuses_penalties_on_gradients_of_images)
{
    weft_value loss = loss_of(plain(image)), slope = weft_gradient(loss, image);
    expect_refused(weft_add(loss, weft_mean(weft_square(slope))), "the gradient for each image");
}

Test(micro_batch, refuses_gradients_of_something_else_than_a_mean)
{
    weft_value logits = plain(image), of = weft_variable_at(graph, 0), gradient;
    weft_value seed = weft_tanh(logits);
    weft_vector_jacobian(&logits, &seed, 1, &of, 1, &gradient);
    expect_refused(gradient, "something else than a mean");
}

Test(micro_batch, refuses_a_batch_that_is_not_the_first_extent)
{
    weft_value turned = weft_transpose(weft_flatten(image, 1), 1, 0);
    expect_refused(weft_mean(turned), "not its first extent");
}

Test(micro_batch, refuses_softmax_over_the_batch)
{
    weft_value each = weft_reshape(weft_dense(weft_flatten(image, 1), .units = 1), WEFT_BATCH);
    expect_refused(weft_mean(weft_square(weft_softmax(each))), "looks at all images");
}

/* The axis is one of the large value's, counted from its end. */
Test(micro_batch, refuses_indices_of_images)
{
    weft_value large = weft_flatten(image, 1), small = weft_expand_dims(large, 1);
    weft_value at = weft_expand_dims(label, 1);
    expect_refused(weft_mean(weft_gather(large, label, 0)), "looks at all images");
    expect_refused(weft_mean(weft_scatter_add_like(small, at, large, -2)), "looks at all images");
    weft_value peak = weft_max(image, .axes = {-1}, .axis_count = 1);
    weft_value where = weft_argmax(image, -1);
    expect_refused(weft_mean(weft_scatter_add_elements_like(peak, where, peak, 0)),
                   "looks at all images");
    weft_value within = weft_mean(weft_scatter_add_elements_like(peak, where, peak, 1));
    cr_expect_eq(compile_with(cut_into(&within, 1, 2)), WEFT_OK, "%s", error.message);
}

Test(micro_batch, refuses_making_images_of_what_is_none)
{
    weft_value rows = weft_variable(graph, .shape = weft_shape_of(2, CHANNELS));
    weft_value at = weft_input(graph, .shape = weft_shape_of(2), .dtype = WEFT_INT32);
    weft_value pixels = weft_mean(image, .axes = {1, 2}, .axis_count = 2);
    weft_value spread = weft_scatter_add_like(rows, at, pixels, 0);
    expect_refused(weft_mean(weft_square(spread)), "looks at all images");
}

/* Only the gradient is needed, and it is linear: the forward node does not run. */
Test(micro_batch, refuses_gradients_of_what_looks_at_all_images)
{
    weft_value w = weft_variable(graph, .shape = weft_shape_of(CHANNELS));
    weft_value pixels = weft_mean(image, .axes = {1, 2}, .axis_count = 2);
    weft_value picked = weft_gather(weft_multiply(pixels, w), label, 0);
    expect_refused(weft_gradient(weft_mean(picked), w), "looks at all images");
}

/* An average that follows a variable takes it in once a run, however many parts there are. */
Test(micro_batch, averages_of_variables_move_once_a_run)
{
    weft_value logits = plain(image), fetch[FETCHES];
    weft_value w = weft_variable_at(graph, 0);
    weft_value teacher =
        weft_variable(graph, .name = "teacher", .shape = weft_shape_get(w), .frozen = true);
    train_with(loss_of(logits), logits, &(weft_optimizer_options){0}, fetch);
    fetch[3] = weft_scale(weft_moving_average(teacher, w, .decay = 0.5), 2);
    expect_as_whole(fetch);
}

/* The variance of all images from means of the parts, and how many images that is. */
Test(micro_batch, refuses_the_number_of_images_of_a_part)
{
    weft_value x = weft_mean(image, .axes = {1, 2}, .axis_count = 2);
    weft_value mean = weft_mean(x, .axes = {0}, .axis_count = 1);
    weft_value squares = weft_mean(weft_square(x), .axes = {0}, .axis_count = 1);
    weft_value variance = weft_subtract(squares, weft_square(mean));
    weft_value running = weft_variable(graph, .shape = weft_shape_of(CHANNELS), .frozen = true);
    expect_refused(weft_moving_average(running, variance, .decay = 0.9, .samples = x),
                   "it reads images beside what is known");
}

/* The running mean takes in one part after the other. */
Test(micro_batch, refuses_old_statistics_after_all_parts)
{
    weft_value loss = loss_of(with_batch_norm(image)), w = weft_variable_at(graph, 0);
    weft_value running = weft_null(graph);
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++)
        if (strstr(weft_name_get(weft_variable_at(graph, i)), "running_mean"))
            running = weft_variable_at(graph, i);
    cr_assert(!weft_is_null(running));
    weft_value g = weft_gradient(loss, w), norm = weft_global_norm(graph, &g, 1, NULL);
    weft_value twice = weft_scale(running, 2);
    weft_value wrong[] = {weft_multiply(running, norm), weft_multiply(twice, norm), twice};
    for (int i = 0; i < 3; i++) {
        weft_compile_options options = cut_into((weft_value[]){wrong[i], loss}, 2, 2);
        options.micro_batching = WEFT_MICRO_BATCHES_MIXED;
        expect_message(compile_with(options), WEFT_ERROR_UNSUPPORTED, "that each part changes");
    }
    weft_value after = weft_scale(weft_updated(running), 2);
    weft_compile_options options = cut_into((weft_value[]){after, loss}, 2, 2);
    options.micro_batching = WEFT_MICRO_BATCHES_MIXED;
    cr_expect_eq(compile_with(options), WEFT_OK, "%s", error.message);
}

Test(micro_batch, refuses_other_numbers_of_images)
{
    weft_value twice = weft_concat((weft_value[]){image, weft_tanh(image)}, 2, 0);
    expect_refused(weft_mean(twice), "changes how many");
}

Test(micro_batch, refuses_fixed_extents)
{
    weft_value loss = weft_mean(weft_square(image));
    weft_extents fixed = {image, weft_shape_of(BATCH, SIDE, SIDE, CHANNELS)};
    weft_compile_options options = cut_into(&loss, 1, 2);
    options.extents = &fixed;
    options.extent_count = 1;
    expect_message(compile_with(options), WEFT_ERROR_UNSUPPORTED, "given a fixed one");
}

Test(micro_batch, refuses_feeds_of_a_part)
{
    weft_value loss = weft_mean(weft_square(image));
    weft_compile_options options = cut_into(&loss, 1, 2);
    weft_state *state = NULL;
    weft_program *program = NULL;
    float part[BATCH / 2 * SIDE * SIDE * CHANNELS] = {0};
    options.batch = BATCH;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK);
    weft_feed feed = {image, part, sizeof(part)};
    expect_message(weft_run(program, &feed, 1, NULL, &error), WEFT_ERROR_SHAPE, "are needed");
    weft_program_destroy(program);
    weft_state_destroy(state);
}

/* ---- Memory of the compiler ---- */

static bool fail_at(int64_t n)
{
    test_allocator allocator = {.fail_at = n};
    weft_context_options options = test_allocator_options(&allocator);
    weft_error mistake = {0};
    weft_status status = WEFT_ERROR_MEMORY;
    weft_context *small = weft_context_create(&options);
    weft_graph *built = small ? weft_graph_create(small) : NULL;
    weft_state *state = NULL;
    weft_program *program = NULL;
    if (built) {
        weft_value x = weft_input(built, .shape = weft_shape_of(WEFT_BATCH, 4, 4, 2)), y = x;
        for (int i = 0; i < 3; i++)
            y = weft_tanh(weft_conv2d(y, .filters = 3, .kernel = {3, 3}, .padding = WEFT_SAME));
        weft_value fetch[] = {weft_mean(weft_square(y)), y};
        weft_compile_options compiled = cut_into(fetch, 2, 0);
        compiled.batch = 4;
        compiled.memory_limit = WEFT_LEAST_MEMORY;
        status = weft_minimize(fetch[0], &(weft_optimizer_options){0}, NULL);
        if (status == WEFT_OK)
            status = weft_state_create(built, NULL, &state, &mistake);
        if (status == WEFT_OK)
            status = weft_compile(built, state, &compiled, &program, &mistake);
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(built);
    weft_context_destroy(small);
    cr_expect_eq(allocator.live_blocks, 0, "request %lld", (long long)n);
    cr_expect_eq(allocator.wrong_releases, 0, "request %lld", (long long)n);
    cr_expect_eq(status, allocator.failed ? WEFT_ERROR_MEMORY : WEFT_OK, "request %lld: %s",
                 (long long)n, mistake.message);
    return allocator.failed;
}

Test(micro_batch, each_request_fails_once)
{
    int64_t n = 1;
    while (fail_at(n))
        n++;
    cr_expect_gt(n, 20, "only %lld requests", (long long)n);
}
