/* The n-th request for memory fails, for every n, through building, differentiating, compiling and running
 * a small network: a clean error each time, and nothing is leaked. */
#include <criterion/criterion.h>
#include <string.h>

#include "support/allocator.h"
#include "weft/weft.h"

enum { BATCH = 2, SIDE = 8 };

/* A graph with a bit of everything: convolutions, batch norm, pooling, a concat, a split, dropout, a skip,
 * two orders of gradient. */
static weft_value build(weft_graph *graph)
{
    weft_value x =
        weft_input(graph, .name = "image", .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    weft_value label =
        weft_input(graph, .name = "label", .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
    weft_scope_push(graph, "stem");
    x = weft_conv2d(x, .filters = 6, .kernel = {3, 3}, .padding = WEFT_SAME);
    x = weft_relu(weft_batch_norm(x));
    weft_scope_pop(graph);
    weft_value a = weft_conv2d(x, .filters = 4, .kernel = {1, 1});
    weft_value b = weft_max_pool(x, .window = {3, 3}, .stride = {1, 1}, .padding = WEFT_SAME);
    weft_value joined = weft_concat_channels(a, b), parts[2];
    weft_split(joined, -1, NULL, 2, parts);
    x = weft_add(weft_swish(parts[0]), weft_tanh(parts[1]));
    x = weft_average_pool(x, .window = {2, 2});
    x = weft_dropout(weft_flatten(x, 1), .rate = 0.3);
    x = weft_dense(x, .units = 5);
    weft_value loss = weft_mean(weft_sparse_cross_entropy(x, label));
    weft_value image = weft_find(graph, "image");
    if (weft_graph_error(graph)->status != WEFT_OK)
        return weft_null(graph);
    /* A penalty on the size of the gradient with respect to the image. */
    weft_value penalty = weft_mean(weft_square(weft_gradient(loss, image)));
    loss = weft_add(loss, penalty);
    weft_minimize(loss, &(weft_optimizer_options){.momentum = 0.9, .clip_norm = 1}, NULL);
    return loss;
}

static weft_status run(weft_program *program, weft_graph *graph, weft_error *error)
{
    float image[BATCH * SIDE * SIDE * 3];
    int32_t label[BATCH] = {1, 4};
    for (size_t i = 0; i < sizeof(image) / sizeof(image[0]); i++)
        image[i] = (float)(i * 37 % 101) / 50 - 1;
    weft_feed feeds[] = {{weft_find(graph, "image"), image, sizeof(image)},
                         {weft_find(graph, "label"), label, sizeof(label)}};
    weft_status status = WEFT_OK;
    for (int i = 0; i < 2 && status == WEFT_OK; i++)
        status = weft_run(program, feeds, 2, NULL, error);
    return status;
}

static weft_status train(weft_graph *graph, weft_error *error)
{
    weft_value loss = build(graph);
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options options = {
        .mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1, .batch = BATCH};
    weft_status status = weft_state_create(graph, NULL, &state, error);
    if (status == WEFT_OK)
        status = weft_compile(graph, state, &options, &program, error);
    if (status == WEFT_OK)
        status = weft_program_verify(program, error);
    if (status == WEFT_OK)
        status = run(program, graph, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    return status;
}

/* Returns false once so few requests were made that none failed. */
static bool fail_at(int64_t n, bool onwards)
{
    test_allocator allocator = {.fail_at = n, .fail_onwards = onwards};
    weft_context_options options = test_allocator_options(&allocator);
    weft_error error = {0};
    weft_status status = WEFT_ERROR_MEMORY;
    weft_context *context = weft_context_create(&options);
    weft_graph *graph = context ? weft_graph_create(context) : NULL;
    if (graph)
        status = train(graph, &error);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0, "request %lld: %lld blocks of %lld bytes leaked",
                 (long long)n, (long long)allocator.live_blocks, (long long)allocator.live_bytes);
    cr_expect_eq(allocator.wrong_releases, 0, "request %lld", (long long)n);
    if (!allocator.failed) {
        cr_expect_eq(status, WEFT_OK, "%s", error.message);
        return false;
    }
    cr_expect_eq(status, WEFT_ERROR_MEMORY, "request %lld: %s", (long long)n, error.message);
    if (graph)
        cr_expect(strstr(error.message, "memory"), "request %lld: %s", (long long)n, error.message);
    return true;
}

Test(allocation, each_request_fails_once)
{
    int64_t n = 1;
    while (fail_at(n, false))
        n++;
    printf("%lld requests\n", (long long)n);
    cr_expect_gt(n, 100, "only %lld requests", (long long)n);
}

Test(allocation, all_requests_fail_from_one_on)
{
    int64_t n = 1;
    while (fail_at(n, true))
        n++;
    printf("%lld requests\n", (long long)n);
    cr_expect_gt(n, 100, "only %lld requests", (long long)n);
}

/* ---- Checks and drawings ---- */

static weft_status gradcheck(weft_graph *graph, weft_error *error)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 3));
    weft_value y = weft_tanh(weft_dense(x, .units = 2));
    weft_gradcheck_options options = {.second_order = true};
    return weft_gradcheck(&y, 1, &x, 1, &options, NULL, error);
}

Test(allocation, each_request_of_a_gradient_check_fails_once)
{
    for (int64_t n = 1, failed = 1; failed; n++) {
        test_allocator allocator = {.fail_at = n};
        weft_context_options options = test_allocator_options(&allocator);
        weft_error error = {0};
        weft_status status = WEFT_ERROR_MEMORY;
        weft_context *context = weft_context_create(&options);
        weft_graph *graph = context ? weft_graph_create(context) : NULL;
        if (graph)
            status = gradcheck(graph, &error);
        weft_graph_destroy(graph);
        weft_context_destroy(context);
        failed = allocator.failed;
        cr_expect_eq(status, failed ? WEFT_ERROR_MEMORY : WEFT_OK, "request %lld: %s", (long long)n,
                     error.message);
        cr_expect_eq(allocator.live_blocks, 0, "request %lld", (long long)n);
        cr_expect_eq(allocator.wrong_releases, 0, "request %lld", (long long)n);
    }
}

/* ---- While running ---- */

Test(allocation, running_asks_for_nothing)
{
    test_allocator allocator = {0};
    weft_context_options options = test_allocator_options(&allocator);
    weft_context *context = weft_context_create(&options);
    weft_graph *graph = weft_graph_create(context);
    weft_value loss = build(graph);
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_error error = {0};
    weft_compile_options compile_options = {
        .mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1, .batch = BATCH};
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &compile_options, &program, &error), WEFT_OK);
    int64_t requests = allocator.requests;
    cr_expect_eq(run(program, graph, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(allocator.requests, requests, "also in the first run");
    int64_t heap = test_heap_calls();
    cr_expect_eq(run(program, graph, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(test_heap_calls(), heap);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}
