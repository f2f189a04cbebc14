/* Convolutions that become one step, strip by strip: which do, which must not, and that no bit changes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_error error;
static weft_value x;

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

TestSuite(chain, .init = begin, .fini = end);

enum { BATCH = 2, MOST = 1 << 18, FETCHES = 3 };

typedef struct outcome {
    int steps, strips;
    char labels[4096];
    double flops, bytes; /* of all steps */
    int64_t arena;
    float data[FETCHES][MOST];
    int64_t count[FETCHES];
} outcome;

static void look_at_steps(const weft_program *program, outcome *o)
{
    weft_step_report step;
    o->steps = o->strips = 0;
    o->flops = o->bytes = 0;
    o->labels[0] = 0;
    o->arena = weft_program_report(program).arena_bytes;
    for (int i = 0; weft_program_step(program, i, &step); i++) {
        o->steps++;
        o->strips += strcmp(step.algorithm, "strips") == 0;
        o->flops += step.flops;
        o->bytes += step.bytes;
        strcat(strcat(o->labels, step.op), "\n");
    }
}

/* Options without fetches and batch. Runs twice, with other filters the second time. */
static void run(const weft_value *fetch, int fetches, weft_compile_options options, outcome *o)
{
    static float image[MOST];
    for (int i = 0; i < MOST; i++)
        image[i] = (float)((uint32_t)i * 2654435761u >> 20) / 2048.0f - 1;
    weft_state *state = NULL;
    weft_program *program = NULL;
    options.fetch = fetch;
    options.fetches = fetches;
    options.batch = BATCH;
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.seed = 5}, &state, &error),
                 WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    look_at_steps(program, o);
    size_t bytes = (size_t)(BATCH * -weft_shape_elements(weft_shape_get(x))) * sizeof(float);
    for (int twice = 0; twice < 2; twice++) {
        cr_assert_eq(weft_run(program, &(weft_feed){x, image, bytes}, 1, NULL, &error), WEFT_OK,
                     "%s", error.message);
        for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++)
            ((float *)weft_state_tensor(state, weft_variable_at(graph, i)).data)[0] += 0.25f;
    }
    for (int i = 0; i < fetches; i++) {
        weft_tensor tensor = weft_fetch(program, fetch[i]);
        o->count[i] = weft_tensor_elements(&tensor);
        cr_assert_leq(o->count[i], MOST);
        memcpy(o->data[i], tensor.data, (size_t)o->count[i] * sizeof(float));
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
}

static outcome chained, apart, other;

static void expect_bits(const outcome *o, int fetches, const char *what)
{
    for (int i = 0; i < fetches; i++) {
        cr_expect_eq(memcmp(apart.data[i], o->data[i], (size_t)apart.count[i] * sizeof(float)), 0,
                     "fetch %d %s", i, what);
        float largest = 0;
        for (int64_t k = 0; k < apart.count[i]; k++)
            largest = apart.data[i][k] > largest ? apart.data[i][k] : largest;
        cr_expect_gt(largest, 0, "fetch %d shows nothing", i);
    }
}

/* So many steps in strips, and the bits of a program without. */
static void check(const weft_value *fetch, int fetches, int strips)
{
    const unsigned off = 1u << WEFT_PASS_CHAIN;
    run(fetch, fetches, (weft_compile_options){0}, &chained);
    run(fetch, fetches, (weft_compile_options){.without = off}, &apart);
    cr_expect_eq(apart.strips, 0);
    cr_expect_eq(chained.strips, strips, "%d in strips of:\n%s", chained.strips, chained.labels);
    cr_expect_float_eq(chained.flops, apart.flops, 1e-6 * apart.flops);
    expect_bits(&chained, fetches, "in strips");
    for (int threads = 1; threads <= 3; threads++) {
        run(fetch, fetches, (weft_compile_options){.threads = threads, .poison = threads == 2},
            &other);
        expect_bits(&other, fetches, "by other threads");
    }
    run(fetch, fetches, (weft_compile_options){.without = 1u << WEFT_PASS_HOIST}, &other);
    expect_bits(&other, fetches, "without hoisting");
}

static weft_value image(int64_t size, int64_t channels)
{
    x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, size, size, channels));
    return x;
}

static weft_value conv(weft_value v, int filters, int kernel, int stride, int groups)
{
    return weft_batch_norm(weft_conv2d(v, .filters = filters, .kernel = {kernel, kernel},
                                       .stride = {stride, stride}, .groups = groups,
                                       .padding = WEFT_SAME, .no_bias = true));
}

static weft_value expansion(weft_value v, int wide)
{
    return weft_relu6(conv(v, wide, 1, 1, 1));
}

static weft_value depthwise(weft_value v, int stride)
{
    return weft_relu6(conv(v, (int)weft_channels(v), 3, stride, (int)weft_channels(v)));
}

static weft_value inverted_residual(weft_value v, int wide, int filters, int stride)
{
    weft_value y = conv(depthwise(expansion(v, wide), stride), filters, 1, 1, 1);
    return stride == 1 && weft_channels(v) == filters ? weft_add(v, y) : y;
}

Test(chain, an_inverted_residual_block_is_one_step)
{
    weft_value y = inverted_residual(image(28, 24), 144, 24, 1);
    check(&y, 1, 1);
    cr_expect(strstr(chained.labels,
                     "convolution + normalize + clipped_relu + convolution + normalize + "
                     "clipped_relu + convolution + normalize + add\n"),
              "%s", chained.labels);
    cr_expect_eq(chained.steps, apart.steps - 2);
    double between = 4.0 * BATCH * 28 * 28 * 144; /* bytes */
    cr_expect_gt(apart.bytes - chained.bytes, 3.99 * between, "written and read, twice");
    cr_expect_lt(chained.arena, apart.arena);
}

Test(chain, odd_channels_strides_and_a_bias)
{
    weft_value v = weft_relu(inverted_residual(image(33, 19), 85, 21, 2));
    v = weft_conv2d(v, .filters = 70, .kernel = {1, 1});
    v = weft_conv2d(v, .filters = 70, .kernel = {5, 3}, .groups = 70, .pad_low = {1, 0});
    weft_value y = weft_relu(weft_conv2d(v, .filters = 31, .kernel = {1, 1}));
    check(&y, 1, 2);
}

Test(chain, blocks_after_each_other)
{
    weft_value v = image(40, 3);
    v = weft_relu6(conv(v, 32, 3, 2, 1)); /* filters of 3x3 that are computed directly */
    v = conv(depthwise(v, 1), 16, 1, 1, 1);
    v = inverted_residual(v, 96, 24, 2);
    v = inverted_residual(v, 144, 24, 1);
    v = inverted_residual(v, 144, 32, 2);
    weft_value y = weft_global_average_pool(v);
    check(&y, 1, 4);
}

Test(chain, what_others_read_is_stored)
{
    weft_value v = image(28, 8), wide = expansion(v, 144), narrow = depthwise(wide, 1);
    weft_value fetch[] = {conv(narrow, 24, 1, 1, 1), wide, weft_tanh(narrow)};
    check(fetch, 1, 1);
    check(fetch, 2, 1);
    cr_expect(strstr(chained.labels, "convolution + normalize + clipped_relu + convolution + "
                                     "normalize\n"),
              "depthwise and projection:\n%s", chained.labels);
    check(fetch, 3, 0);
    weft_value parts[] = {depthwise(expansion(v, 144), 1), v};
    weft_value y = conv(weft_concat(parts, 2, -1), 24, 1, 1, 1);
    check(&y, 1, 1);
    cr_expect(strstr(chained.labels, "clipped_relu + convolution + normalize + clipped_relu\n"),
              "expansion and depthwise, into the concat:\n%s", chained.labels);
}

Test(chain, a_sum_between_two_blocks_is_stored)
{
    weft_value v = inverted_residual(image(28, 24), 144, 24, 1);
    weft_value y = inverted_residual(v, 144, 24, 1);
    check(&y, 1, 2);
}

Test(chain, a_view_is_read_in_its_place)
{
    weft_value v = weft_slice(image(28, 50), .begin = {0, 3, 2, 5}, .size = {BATCH, 25, 25, 8});
    weft_value y = inverted_residual(v, 144, 8, 1);
    check(&y, 1, 1);
}

Test(chain, nothing_is_chained_where_gradients_read_it)
{
    weft_value y = inverted_residual(image(28, 24), 144, 24, 1);
    weft_value of = weft_variable_at(graph, 0), fetch[] = {y, weft_null(graph)};
    weft_gradients(weft_mean(weft_square(y)), &of, 1, &fetch[1], NULL);
    run(fetch, 2, (weft_compile_options){.mode = WEFT_TRAIN}, &chained);
    cr_expect_eq(chained.strips, 0, "%s", chained.labels);
}

/* What is known of a link's algorithm is kept to. */
Test(chain, wisdom_decides_first)
{
    weft_value y = inverted_residual(image(28, 24), 144, 24, 1);
    weft_wisdom *wisdom = weft_wisdom_create(context);
    run(&y, 1,
        (weft_compile_options){.wisdom = wisdom, .measure = true, .without = 1u << WEFT_PASS_CHAIN},
        &apart);
    run(&y, 1, (weft_compile_options){.wisdom = wisdom}, &chained);
    expect_bits(&chained, 1, "by wisdom");
    weft_wisdom_destroy(wisdom);
}
