/* States: reading and writing variables, growing, and what is left where that fails. */
#include <criterion/criterion.h>
#include <string.h>

#include "graph/state.h"
#include "support/allocator.h"
#include "weft/weft.h"

enum { LINE = 64, ELEMENTS = 8 * 8, BYTES = ELEMENTS * 4 };

static test_allocator allocator;
static weft_context *context;
static weft_graph *graph;
static weft_state *state;
static weft_error error;

static void begin(void)
{
    allocator = (test_allocator){0};
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
    graph = weft_graph_create(context);
    state = NULL;
    error = (weft_error){0};
}

static void end(void)
{
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
    cr_expect_eq(allocator.wrong_releases, 0);
}

TestSuite(state, .init = begin, .fini = end);

static weft_value variable(weft_initializer_kind kind)
{
    return weft_variable(graph, .shape = weft_shape_of(8, 8), .initializer = {.kind = kind});
}

static void start(const weft_state_options *options)
{
    cr_assert_eq(weft_state_create(graph, options, &state, &error), WEFT_OK, "%s", error.message);
}

static void expect_refused(weft_status got, weft_status expected, const char *part)
{
    cr_expect_eq(got, expected, "status %d: %s", got, error.message);
    cr_expect(strstr(error.message, part), "\"%s\" is not in: %s", part, error.message);
}

/* ---- Reading and writing ---- */

Test(state, what_is_written_is_read)
{
    weft_value w = variable(WEFT_INIT_ONES);
    double written[ELEMENTS], read[ELEMENTS];
    start(NULL);
    for (int i = 0; i < ELEMENTS; i++)
        written[i] = i * 0.25 - 3;
    cr_expect_eq(weft_state_write(state, w, written, ELEMENTS, &error), WEFT_OK);
    cr_expect_eq(weft_state_read(state, w, read, ELEMENTS, &error), WEFT_OK);
    cr_expect_eq(memcmp(written, read, sizeof(read)), 0);
}

/* What programs keep stays valid. */
Test(state, reading_is_no_change)
{
    weft_value w = variable(WEFT_INIT_ONES);
    double elements[ELEMENTS];
    start(NULL);
    uint64_t version = state->version;
    cr_expect_eq(weft_state_read(state, w, elements, ELEMENTS, &error), WEFT_OK);
    cr_expect_eq(state->version, version);
    cr_expect_eq(weft_state_write(state, w, elements, ELEMENTS, &error), WEFT_OK);
    cr_expect_eq(state->version, version + 1);
}

Test(state, what_cannot_be_read_or_written)
{
    weft_value w = variable(WEFT_INIT_ONES);
    weft_value x = weft_input(graph, .name = "x", .shape = weft_shape_of(8, 8));
    double elements[ELEMENTS] = {0};
    start(NULL);
    weft_value late = variable(WEFT_INIT_ONES);
    expect_refused(weft_state_read(state, x, elements, ELEMENTS, &error), WEFT_ERROR_NOT_FOUND,
                   "\"x\"");
    expect_refused(weft_state_write(state, late, elements, ELEMENTS, &error), WEFT_ERROR_NOT_FOUND,
                   "not a variable of this state");
    expect_refused(weft_state_read(state, w, elements, 63, &error), WEFT_ERROR_SHAPE, "64");
    expect_refused(weft_state_write(state, w, elements, 65, &error), WEFT_ERROR_SHAPE, "65");
}

/* ---- Growing ---- */

/* Each request for memory fails once while two variables are added, of which an orthogonal one needs some. */
static void grow(const weft_state_options *options)
{
    variable(WEFT_INIT_ONES);
    start(options);
    weft_value ones = variable(WEFT_INIT_ONES);
    variable(WEFT_INIT_ORTHOGONAL);
    int64_t live = allocator.live_bytes, failed = 0;
    for (allocator.fail_at = allocator.requests + 1;
         weft_state_extend(state, &error) == WEFT_ERROR_MEMORY && failed < 100;
         allocator.fail_at = allocator.requests + ++failed + 1) {
        cr_expect_eq(weft_state_bytes(state), BYTES);
        cr_expect_eq(allocator.live_bytes, live);
    }
    cr_expect_eq(allocator.failed, failed, "%s", error.message);
    cr_expect_gt(failed, 0);
    cr_expect_eq(weft_state_bytes(state), 3 * BYTES);
    double elements[ELEMENTS];
    cr_expect_eq(weft_state_read(state, ones, elements, ELEMENTS, &error), WEFT_OK);
    for (int i = 0; i < ELEMENTS; i++)
        cr_expect_eq(elements[i], 1);
}

Test(state, grows_or_is_as_before)
{
    grow(NULL);
}

Test(state, grows_in_the_callers_memory_or_is_as_before)
{
    static _Alignas(LINE) char memory[3 * BYTES];
    grow(&(weft_state_options){.memory = memory, .memory_bytes = sizeof(memory)});
}

/* ---- Sizes ---- */

Test(state, of_more_bytes_than_64_bits_count)
{
    static _Alignas(LINE) char memory[LINE];
    weft_state_options options = {.memory = memory, .memory_bytes = sizeof(memory)};
    for (int i = 0; i < 8; i++)
        weft_variable(graph, .shape = weft_shape_of(1LL << 59));
    cr_expect_eq(weft_graph_error(graph)->status, WEFT_OK);
    cr_expect_eq(weft_state_memory_bytes(graph, WEFT_REAL), INT64_MAX);
    expect_refused(weft_state_create(graph, &options, &state, &error), WEFT_ERROR_MEMORY,
                   "the variables need more than");
    expect_refused(weft_state_create_hollow(graph, WEFT_FLOAT32, &state, &error), WEFT_ERROR_MEMORY,
                   "the variables need more than");
    cr_expect_null(state);
}
