/* Whole networks: gradients along random directions of every variable, in float64; plans within their
 * bound; equal bits for any number of threads. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "networks/networks.h"
#include "support/allocator.h"
#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_value image, label;

static void begin(void)
{
    context = weft_context_create(NULL);
    graph = weft_graph_create(context);
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(networks, .init = begin, .fini = end);

static weft_value images(int64_t side)
{
    image = weft_input(graph, .name = "image", .shape = weft_shape_of(WEFT_BATCH, side, side, 2));
    return image;
}

/* Of logits [N, classes] or [N, H, W, classes]: a label for each row. */
static weft_value loss_of(weft_value logits)
{
    weft_shape shape = weft_shape_get(logits);
    shape.rank--;
    label = weft_input(graph, .name = "label", .shape = shape, .dtype = WEFT_INT32);
    return weft_mean(weft_sparse_cross_entropy(logits, label));
}

static weft_value small_resnet(int64_t side)
{
    return loss_of(
        weft_cifar_resnet(images(side), .depth = 8, .classes = 5, .pad_shortcuts = true));
}

static weft_value bottleneck_resnet(int64_t side)
{
    return loss_of(weft_resnet(images(side), .depth = 50, .classes = 5));
}

static weft_value small_inception(int64_t side)
{
    return loss_of(inception_small(images(side), 5, 0.2));
}

static weft_value small_unet(int64_t side)
{
    return loss_of(weft_unet(images(side), .width = 4, .levels = 3, .classes = 3));
}

/* Labels 0, 1, 2, 0, ... for as many rows as a batch has; the caller frees. */
static weft_feed label_feed(int64_t batch)
{
    int64_t count = weft_shape_elements(weft_shape_get(label));
    count = count < 0 ? -count * batch : count;
    int32_t *labels = malloc((size_t)count * sizeof(*labels));
    for (int64_t i = 0; i < count; i++)
        labels[i] = (int32_t)(i * 7 % 3);
    return (weft_feed){label, labels, (size_t)count * sizeof(*labels)};
}

/* ---- Gradients ---- */

static void check_gradients(weft_value loss)
{
    cr_assert_eq(weft_graph_error(graph)->status, WEFT_OK, "%s", weft_graph_error(graph)->message);
    weft_value x[400] = {image};
    int count = 1;
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++)
        if (weft_is_trainable(weft_variable_at(graph, i)))
            x[count++] = weft_variable_at(graph, i);
    weft_feed feed = label_feed(2);
    weft_gradcheck_options options = {
        .feeds = &feed, .feed_count = 1, .mode = WEFT_TRAIN, .seed = 11, .directions = 1};
    weft_gradcheck_report report;
    weft_error error = {0};
    weft_status status = weft_gradcheck(&loss, 1, x, count, &options, &report, &error);
    cr_expect_eq(status, WEFT_OK, "%s", error.message);
    cr_expect_eq(report.values, count);
    printf("%d values, %d weak, worst %.1e at %s, %lld runs\n", report.values, report.weak,
           report.error, report.name, (long long)report.runs);
    free((void *)feed.data);
}

Test(networks, gradients_of_resnet)
{
    check_gradients(small_resnet(8));
}

Test(networks, gradients_of_inception)
{
    check_gradients(small_inception(8));
}

Test(networks, gradients_of_unet)
{
    check_gradients(small_unet(8));
}

/* ---- Plans ---- */

typedef weft_value network(int64_t side);

/* One training step's program in float32. */
static weft_program *compile(weft_value loss, weft_state *state, int64_t batch, int threads)
{
    weft_error error = {0};
    weft_program *program = NULL;
    weft_compile_options options = {
        .mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1, .batch = batch, .threads = threads};
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    return program;
}

static weft_state *create_state(void)
{
    weft_state *state = NULL;
    weft_error error = {0};
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.seed = 5}, &state, &error),
                 WEFT_OK, "%s", error.message);
    return state;
}

static void check_plan(network *build, int64_t side, int64_t batch)
{
    weft_value loss = build(side);
    cr_assert_eq(weft_minimize(loss, &(weft_optimizer_options){.momentum = 0.9}, NULL), WEFT_OK);
    weft_state *state = create_state();
    weft_program *program = compile(loss, state, batch, 1);
    weft_report report = weft_program_report(program);
    printf("%d steps, arena %lld, bound %lld\n", report.steps, (long long)report.arena_bytes,
           (long long)report.bound_bytes);
    cr_expect_leq((double)report.arena_bytes, 1.05 * (double)report.bound_bytes);
    cr_expect_gt(report.bound_bytes, 0);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

Test(networks, plan_of_resnet)
{
    check_plan(small_resnet, 32, 32);
}

Test(networks, plan_of_bottleneck_resnet)
{
    check_plan(bottleneck_resnet, 224, 8);
}

Test(networks, plan_of_inception)
{
    check_plan(small_inception, 32, 32);
}

Test(networks, plan_of_unet)
{
    check_plan(small_unet, 96, 8);
}

/* ---- Training ---- */

static void fill(float *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = (float)((i * 2654435761u >> 8) % 1000) / 500 - 1;
}

/* Runs a few steps and returns the hash of the parameters; *heap gets the heap calls of all steps but the
 * first. */
static uint64_t train(weft_value loss, int threads, int64_t *heap, double *last_loss)
{
    enum { BATCH = 4, STEPS = 3 };
    weft_state *state = create_state();
    weft_program *program = compile(loss, state, BATCH, threads);
    size_t count = (size_t)-weft_shape_elements(weft_shape_get(image)) * BATCH;
    float *pixels = malloc(count * sizeof(*pixels));
    fill(pixels, count);
    weft_feed feeds[] = {{image, pixels, count * sizeof(*pixels)}, label_feed(BATCH)};
    weft_error error = {0};
    int64_t before = 0;
    for (int i = 0; i < STEPS; i++) {
        if (i == 1)
            before = test_heap_calls();
        cr_expect_eq(weft_run(program, feeds, 2, NULL, &error), WEFT_OK, "%s", error.message);
    }
    *heap = test_heap_calls() - before;
    *last_loss = weft_fetch_scalar(program, loss);
    uint64_t hash = weft_state_hash(state);
    cr_expect_eq(weft_state_step(state), STEPS);
    weft_program_destroy(program);
    weft_state_destroy(state);
    free(pixels);
    free((void *)feeds[1].data);
    return hash;
}

static void check_training(network *build, int64_t side)
{
    weft_value loss = build(side);
    cr_assert_eq(weft_minimize(loss, &(weft_optimizer_options){.momentum = 0.9}, NULL), WEFT_OK);
    int64_t heap = 0;
    double first = 0, other = 0;
    uint64_t expected = train(loss, 1, &heap, &first);
    cr_expect(isfinite(first));
    cr_expect_neq(test_heap_calls(), 0, "heap calls are counted");
    cr_expect_eq(heap, 0, "%lld heap calls while running", (long long)heap);
    for (int threads = 1; threads <= 4; threads++) {
        cr_expect_eq(train(loss, threads, &heap, &other), expected, "%d threads", threads);
        cr_expect_eq(first, other);
        cr_expect_eq(heap, 0, "%lld heap calls while running on %d threads", (long long)heap,
                     threads);
    }
}

Test(networks, training_resnet_gives_the_same_bits_and_allocates_nothing)
{
    check_training(small_resnet, 16);
}

Test(networks, training_inception_gives_the_same_bits_and_allocates_nothing)
{
    check_training(small_inception, 16);
}

Test(networks, training_unet_gives_the_same_bits_and_allocates_nothing)
{
    check_training(small_unet, 16);
}
