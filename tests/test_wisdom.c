/* Wisdom: measuring, taking what is remembered, files. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "graph/measure.h"
#include "graph/program.h"
#include "graph/wisdom.h"
#include "io/replace.h"
#include "kernels/convolution.h"
#include "kernels/convolution_direct.h"
#include "kernels/convolution_winograd.h"
#include "support/allocator.h"
#include "weft/weft.h"

enum { BATCH = 2, SIDE = 14, CHANNELS = 32, ELEMENTS = BATCH * SIDE * SIDE * CHANNELS };

static weft_context *context;
static weft_graph *graph;
static weft_state *state;
static weft_value image, y;
static weft_wisdom *wisdom;
static weft_error error;
static char directory[64], path[128];

/* Two convolutions that can be solved directly or by Winograd; both take in an epilogue. */
static void build(void)
{
    image = weft_input(graph, .name = "image",
                       .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, CHANNELS));
    y = weft_conv2d(image, .filters = CHANNELS, .kernel = {3, 3}, .padding = WEFT_SAME);
    y = weft_batch_norm(y);
    y = weft_relu(weft_conv2d(y, .filters = 48, .kernel = {3, 3}, .padding = WEFT_SAME));
}

static void start(void)
{
    context = weft_context_create(NULL);
    graph = weft_graph_create(context);
    build();
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
    wisdom = weft_wisdom_create(context);
    wisdom->seconds = 1e-4;
    strcpy(directory, "/tmp/weft_wisdom_XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/wisdom", directory);
}

static void stop(void)
{
    unlink(path);
    cr_expect_eq(rmdir(directory), 0, "a file is left beside");
    weft_wisdom_destroy(wisdom);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(wisdom, .init = start, .fini = stop);

static weft_program *compile(weft_compile_options options)
{
    weft_program *program = NULL;
    options.fetch = &y;
    options.fetches = 1;
    options.batch = BATCH;
    options.wisdom = wisdom;
    weft_status status = weft_compile(graph, state, &options, &program, &error);
    cr_assert_eq(status, WEFT_OK, "%s", error.message);
    return program;
}

/* Tasks of the program that run this kernel. */
static int tasks_of(const weft_program *program, weft_piece_fn *run)
{
    int count = 0;
    for (int i = 0; i < program->tasks; i++)
        count += program->task[i].run == run;
    return count;
}

static int compiled_tasks_of(weft_compile_options options, weft_piece_fn *run)
{
    weft_program *program = compile(options);
    int count = tasks_of(program, run);
    weft_program_destroy(program);
    return count;
}

static void measure(void)
{
    weft_program_destroy(compile((weft_compile_options){.measure = true}));
}

/* Has everything that is known solved by this algorithm. */
static void force(const char *algorithm)
{
    for (size_t i = 0; i < wisdom->capacity; i++)
        if (wisdom->entry[i].algorithm)
            wisdom->entry[i].algorithm = algorithm;
}

/* Hash of what comes out. */
static uint64_t run(weft_program *program)
{
    static float element[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++)
        element[i] = (float)(i * 37 % 101) / 50 - 1;
    weft_feed feed = {image, element, sizeof(element)};
    cr_assert_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    weft_tensor result = weft_fetch(program, y);
    return XXH3_64bits(result.data, (size_t)weft_tensor_elements(&result) * sizeof(float));
}

/* ---- Choosing ---- */

Test(wisdom, measures_what_it_does_not_know_once)
{
    cr_expect_eq(weft_wisdom_count(wisdom), 0);
    weft_program_destroy(compile((weft_compile_options){0}));
    cr_expect_eq(weft_wisdom_count(wisdom), 0, "nobody asked for it");
    measure();
    cr_assert_eq(weft_wisdom_count(wisdom), 2);
    for (size_t i = 0; i < wisdom->capacity; i++)
        cr_expect(!wisdom->entry[i].algorithm || wisdom->entry[i].nanoseconds > 0);
    force("winograd 2x2"); /* which another measurement would not find everywhere */
    wisdom->seconds = 1e9; /* nor would it end */
    measure();
    cr_expect_eq(weft_wisdom_count(wisdom), 2);
    cr_expect_eq(
        compiled_tasks_of((weft_compile_options){.measure = true}, weft_winograd_2x2()->run), 2);
}

Test(wisdom, takes_what_it_knows)
{
    measure();
    weft_compile_options plain = {0}, unfused = {.without = 1u << WEFT_PASS_FUSE};
    force("direct");
    cr_expect_eq(compiled_tasks_of(plain, weft_convolution_direct()->run), 2);
    cr_expect_eq(compiled_tasks_of(unfused, weft_convolution_direct()->run), 2);
    force("winograd 4x4");
    cr_expect_eq(compiled_tasks_of(plain, weft_winograd_4x4()->run), 2);
    cr_expect_eq(compiled_tasks_of(plain, weft_convolution_direct()->run), 0);
    cr_expect_eq(compiled_tasks_of(unfused, weft_winograd_4x4()->run), 2);
}

Test(wisdom, epilogues_follow_what_is_taken)
{
    y = weft_mean(weft_square(y));
    y = weft_add(y, weft_mean(weft_square(weft_gradient(y, image))));
    weft_compile_options options = {
        .mode = WEFT_TRAIN, .measure = true, .poison = true, .check_finite = true};
    weft_program *program = compile(options);
    double loss[2];
    for (int a = 0; a < 2; a++) {
        weft_program_destroy(program);
        force(a ? "winograd 2x2" : "direct");
        program = compile(options);
        cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
        run(program);
        loss[a] = weft_fetch_scalar(program, y);
    }
    weft_program_destroy(program);
    cr_expect_float_eq(loss[0], loss[1], 1e-4 * loss[0], "%g, %g", loss[0], loss[1]);
}

Test(wisdom, what_cannot_be_is_left_to_the_model)
{
    weft_program *program = compile((weft_compile_options){0});
    uint64_t expected = run(program);
    weft_program_destroy(program);
    measure();
    force("outer"); /* solves filter gradients only */
    program = compile((weft_compile_options){0});
    cr_expect_eq(run(program), expected);
    weft_program_destroy(program);
}

Test(wisdom, forbidden_algorithms_are_not_taken)
{
    weft_compile_options exact = {.no_winograd = true, .measure = true};
    measure();
    force("winograd 2x2");
    cr_expect_eq(compiled_tasks_of(exact, weft_convolution_direct()->run), 2);
    cr_expect_eq(weft_wisdom_count(wisdom), 2, "without a choice there is nothing to measure");
    /* Not even where somebody has remembered one. */
    weft_convolution_problem q = {.batch = 1,
                                  .groups = 1,
                                  .in_channels = 8,
                                  .out_channels = 8,
                                  .in = {1, 8, 8},
                                  .out = {1, 8, 8},
                                  .kernel = {1, 3, 3},
                                  .stride = {1, 1, 1},
                                  .dilation = {1, 1, 1},
                                  .pad = {0, 1, 1},
                                  .exact_products = true};
    weft_kernel_plan plan;
    cr_expect_not(weft_convolution_plan_by("winograd 2x2", &q, 0, NULL, &plan));
}

Test(wisdom, settings_of_a_problem_are_told_apart)
{
    measure();
    weft_program_destroy(compile((weft_compile_options){.measure = true, .batch = 3}));
    cr_expect_eq(weft_wisdom_count(wisdom), 2, "compile() sets the batch");
    /* In a program that trains filters are not steady: two more; and there are gradients. */
    y = weft_mean(weft_square(y));
    weft_minimize(y, &(weft_optimizer_options){.learning_rate = 0.1}, NULL);
    weft_program *program = compile((weft_compile_options){.mode = WEFT_TRAIN, .measure = true});
    cr_expect_gt(weft_wisdom_count(wisdom), 6, "%d", weft_wisdom_count(wisdom));
    run(program);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    weft_program_destroy(program);
}

Test(wisdom, bits_do_not_depend_on_threads)
{
    uint64_t result[2][2];
    static const char *const algorithms[] = {"direct", "winograd 2x2"};
    weft_program_destroy(compile((weft_compile_options){.measure = true, .threads = 2}));
    cr_assert_eq(weft_wisdom_count(wisdom), 2);
    for (int a = 0; a < 2; a++) {
        force(algorithms[a]);
        for (int threads = 1; threads <= 2; threads++) {
            weft_program *program =
                compile((weft_compile_options){.measure = true, .threads = threads});
            result[a][threads - 1] = run(program);
            weft_program_destroy(program);
        }
        cr_expect_eq(result[a][0], result[a][1], "%s", algorithms[a]);
    }
    cr_expect_neq(result[0][0], result[1][0], "they round differently");
    cr_expect_eq(weft_wisdom_count(wisdom), 2);
}

Test(wisdom, float64_programs_do_without)
{
    weft_state *wide = NULL;
    weft_state_options options = {.dtype = WEFT_FLOAT64};
    cr_assert_eq(weft_state_create(graph, &options, &wide, &error), WEFT_OK);
    weft_compile_options measured = {.fetch = &y, .fetches = 1, .wisdom = wisdom, .measure = true};
    weft_program *program = NULL;
    cr_expect_eq(weft_compile(graph, wide, &measured, &program, &error), WEFT_OK);
    cr_expect_eq(weft_wisdom_count(wisdom), 0);
    weft_program_destroy(program);
    weft_state_destroy(wide);
}

Test(wisdom, measuring_needs_wisdom)
{
    weft_compile_options options = {.fetch = &y, .fetches = 1, .measure = true};
    weft_program *program = NULL;
    cr_expect_eq(weft_compile(graph, state, &options, &program, &error), WEFT_ERROR_ARGUMENT);
    cr_expect(strstr(error.message, "wisdom"), "%s", error.message);
}

static void *measure_too(void *ignored)
{
    (void)ignored;
    for (int i = 0; i < 10; i++) {
        weft_context *own = weft_context_create(&(weft_context_options){.threads = 1});
        weft_graph *small = weft_graph_create(own);
        weft_state *variables = NULL;
        weft_program *program = NULL;
        weft_value x = weft_input(small, .shape = weft_shape_of(1, 8, 8, 16 + 16 * (i % 5)));
        x = weft_conv2d(x, .filters = 16, .kernel = {3, 3}, .padding = WEFT_SAME);
        weft_compile_options options = {
            .fetch = &x, .fetches = 1, .wisdom = wisdom, .measure = true};
        cr_expect_eq(weft_state_create(small, NULL, &variables, NULL), WEFT_OK);
        cr_expect_eq(weft_compile(small, variables, &options, &program, NULL), WEFT_OK);
        cr_expect_geq(weft_wisdom_count(wisdom), i < 5 ? i + 1 : 5);
        weft_program_destroy(program);
        weft_state_destroy(variables);
        weft_graph_destroy(small);
        weft_context_destroy(own);
    }
    return NULL;
}

Test(wisdom, threads_share_it)
{
    pthread_t thread[3];
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, measure_too, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    cr_expect_eq(weft_wisdom_count(wisdom), 5);
}

/* ---- Measuring ---- */

/* A kernel of two phases that only counts and looks at its operands. */
static atomic_int prepared, computed, wrong;

static void check_operand(const weft_call *call, int k, int64_t floats)
{
    const float *element = call->operand[k];
    bool good = (uintptr_t)element % 64 == 0;
    for (int64_t i = 0; i < floats; i++)
        good = good && (element[i] == 0 || isnormal(element[i]));
    wrong += !good;
}

static void prepare_piece(const weft_call *call, int64_t piece)
{
    check_operand(call, 4, 100);
    ((float *)call->operand[4])[piece] = 1;
    usleep(2000);
    prepared++;
}

static void compute_piece(const weft_call *call, int64_t piece)
{
    check_operand(call, 0, 1000);
    check_operand(call, 1, 10);
    check_operand(call, 2, 30);
    check_operand(call, 3, 16);
    ((float *)call->operand[2])[piece] = ((const float *)call->operand[4])[piece];
    computed++;
}

static double time_counting(bool steady, double seconds)
{
    weft_ir ir = {.graph = graph, .state = state, .threads = 1, .error = &error};
    weft_kernel_plan plan = {.workspace = 64,
                             .phases = 2,
                             .phase = {{prepare_piece, 4}, {compute_piece, 3}},
                             .prepare_phases = 1,
                             .prepare_inputs = 2,
                             .prepared = 400};
    double fastest = 100;
    prepared = computed = 0;
    cr_assert_eq(weft_measure(&ir, &plan, (int64_t[]){1000, 10, 30}, 3, steady, seconds, &fastest),
                 WEFT_OK);
    cr_expect_eq(wrong, 0);
    return fastest;
}

Test(wisdom, measuring_runs_all_pieces)
{
    double fastest = time_counting(false, 0); /* one run, and one to warm up */
    cr_expect_eq(prepared, 2 * 4);
    cr_expect_eq(computed, 2 * 3);
    cr_expect_geq(fastest, 8e-3, "%g", fastest);
    time_counting(false, 0.1);
    cr_expect_lt(computed, 15 * 3, "%d", computed);
}

Test(wisdom, preparing_a_steady_filter_takes_no_time)
{
    double fastest = time_counting(true, 0.2);
    cr_expect_eq(prepared, 4, "once");
    cr_expect_gt(computed, 3 * 3);
    cr_expect_lt(fastest, 8e-3, "%g", fastest);
}

/* ---- The table ---- */

static void add(uint64_t key, const char *algorithm)
{
    cr_assert(weft_wisdom_reserve(wisdom, 1));
    weft_wisdom_add(wisdom, (weft_wisdom_entry){key, algorithm, (int64_t)(key % 1000)});
}

Test(wisdom, table_finds_what_was_added)
{
    enum { COUNT = 1000 };
    uint64_t key = 1;
    for (int i = 0; i < COUNT; i++, key = key * 6364136223846793005u + 1)
        add(key << 20, weft_convolution_algorithm(i % WEFT_CONVOLUTION_ALGORITHMS)); /* collide */
    cr_expect_eq(weft_wisdom_count(wisdom), COUNT);
    key = 1;
    for (int i = 0; i < COUNT; i++, key = key * 6364136223846793005u + 1) {
        const weft_wisdom_entry *found = weft_wisdom_find(wisdom, key << 20);
        cr_assert_not_null(found);
        cr_assert_eq(found->algorithm, weft_convolution_algorithm(i % WEFT_CONVOLUTION_ALGORITHMS));
    }
    cr_expect_null(weft_wisdom_find(wisdom, 5));
    add(1 << 20, "direct");
    cr_expect_eq(weft_wisdom_count(wisdom), COUNT);
    cr_expect_str_eq(weft_wisdom_find(wisdom, 1 << 20)->algorithm, "depthwise", "the first stays");
}

/* ---- Files ---- */

static size_t read_all(char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    size_t count = fread(bytes, 1, room, file);
    fclose(file);
    return count;
}

static void write_all(const char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

/* Writes the text with a last line that fits it. */
static void write_sealed(const char *text)
{
    char bytes[4096];
    int count = snprintf(bytes, sizeof(bytes), "%send %016llx\n", text,
                         (unsigned long long)XXH3_64bits(text, strlen(text)));
    write_all(bytes, (size_t)count);
}

static void expect_saved(const char *text)
{
    char bytes[4096] = "";
    cr_assert_eq(weft_wisdom_save(wisdom, path, &error), WEFT_OK, "%s", error.message);
    read_all(bytes, sizeof(bytes) - 1);
    cr_expect_eq(strncmp(bytes, text, strlen(text)), 0, "%s", bytes);
    cr_expect_eq(strlen(bytes), strlen(text) + strlen("end 0123456789abcdef\n"));
}

static void expect_refused(weft_status status, const char *words)
{
    int count = weft_wisdom_count(wisdom);
    weft_error refused = {0};
    cr_expect_eq(weft_wisdom_load(wisdom, path, &refused), status, "%s", refused.message);
    cr_expect(strstr(refused.message, words), "no \"%s\" in: %s", words, refused.message);
    cr_expect_eq(weft_wisdom_count(wisdom), count, "%s", words);
}

Test(wisdom, round_trip)
{
    measure();
    force("winograd 4x4");
    cr_assert_eq(weft_wisdom_save(wisdom, path, &error), WEFT_OK, "%s", error.message);
    char first[1024], second[1024];
    size_t count = read_all(first, sizeof(first));
    weft_wisdom_destroy(wisdom);
    wisdom = weft_wisdom_create(context);
    cr_assert_eq(weft_wisdom_load(wisdom, path, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(weft_wisdom_count(wisdom), 2);
    cr_expect_eq(compiled_tasks_of((weft_compile_options){0}, weft_winograd_4x4()->run), 2);
    cr_assert_eq(weft_wisdom_save(wisdom, path, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(read_all(second, sizeof(second)), count);
    cr_expect_eq(memcmp(first, second, count), 0);
}

Test(wisdom, text_is_what_the_header_says)
{
    expect_saved("weft wisdom 1\n");
    cr_expect_eq(weft_wisdom_load(wisdom, path, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(weft_wisdom_count(wisdom), 0);
    add(0xfedcba9876543210u, "winograd 4x4");
    add(42, "direct");
    expect_saved("weft wisdom 1\n"
                 "000000000000002a 42 direct\n"
                 "fedcba9876543210 720 winograd 4x4\n");
}

Test(wisdom, files_are_merged)
{
    add(1, "direct");
    add(2, "outer");
    cr_assert_eq(weft_wisdom_save(wisdom, path, &error), WEFT_OK);
    weft_wisdom_destroy(wisdom);
    wisdom = weft_wisdom_create(context);
    add(2, "direct");
    add(3, "depthwise");
    cr_expect_eq(weft_wisdom_load(wisdom, path, &error), WEFT_OK, "%s", error.message);
    expect_saved("weft wisdom 1\n"
                 "0000000000000001 1 direct\n"
                 "0000000000000002 2 direct\n"
                 "0000000000000003 3 depthwise\n");
}

Test(wisdom, unknown_algorithms_are_passed_over)
{
    write_sealed("weft wisdom 1\n"
                 "0000000000000001 1 direct\n"
                 "0000000000000002 2 fourier\n"
                 "0000000000000003 3 direc\n"
                 "0000000000000004 4 \n");
    cr_expect_eq(weft_wisdom_load(wisdom, path, &error), WEFT_OK, "%s", error.message);
    expect_saved("weft wisdom 1\n0000000000000001 1 direct\n");
}

Test(wisdom, foreign_files_are_refused)
{
    expect_refused(WEFT_ERROR_IO, "No such file");
    write_all("", 0);
    expect_refused(WEFT_ERROR_FORMAT, "does not begin with \"weft wisdom 1\"");
    write_sealed("weft wisdom 2\n");
    expect_refused(WEFT_ERROR_FORMAT, "does not begin with");
    write_sealed("\x7f"
                 "ELF");
    expect_refused(WEFT_ERROR_FORMAT, "does not begin with");
    write_sealed("weft wisdom 1\n0000000000000001 1 direct\n0000000000000002 direct\n");
    expect_refused(WEFT_ERROR_FORMAT, "line 3 is malformed");
    static const char *const lines[] = {
        "\n",
        "0000000000000001\n",
        "000000000000001 1 direct\n",
        "0000000000000001  direct\n",
        "0000000000000001 1\n",
        "000000000000000A 1 direct\n",
        "0000000000000001 -1 direct\n",
        "0000000000000001 1234567890123456789 direct\n",
        "0000000000000001\t1 direct\n",
        "0000000000000001 1 direct",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "weft wisdom 1\n%s", lines[i]);
        write_sealed(text);
        expect_refused(WEFT_ERROR_FORMAT, "line 2 is malformed");
    }
    snprintf(path, sizeof(path), "%s", directory);
    expect_refused(WEFT_ERROR_IO, "not a regular file");
    snprintf(path, sizeof(path), "%s/wisdom", directory);
}

Test(wisdom, a_fifo_is_refused, .timeout = 20)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_refused(WEFT_ERROR_IO, "not a regular file");
}

Test(wisdom, oversized_files_are_refused)
{
    enum { LINES = 200000 };
    static const char line[] = "0000000000000001 1 direct\n";
    size_t length = sizeof(line) - 1, begin = strlen("weft wisdom 1\n");
    char *text = malloc(begin + LINES * length + 1);
    strcpy(text, "weft wisdom 1\n");
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + begin + i * length, line, length + 1);
    write_all(text, strlen(text));
    free(text);
    expect_refused(WEFT_ERROR_FORMAT, "above 4194304 bytes");
}

Test(wisdom, damaged_files_are_refused)
{
    char bytes[1024];
    measure();
    add(1, "depthwise");
    cr_assert_eq(weft_wisdom_save(wisdom, path, &error), WEFT_OK);
    size_t count = read_all(bytes, sizeof(bytes));
    weft_wisdom_destroy(wisdom);
    wisdom = weft_wisdom_create(context);
    for (size_t length = 0; length < count; length++) {
        write_all(bytes, length);
        expect_refused(WEFT_ERROR_FORMAT, length < 14 ? "does not begin" : "damaged or cut short");
    }
    for (size_t i = 0; i < count; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
            write_all(bytes, count);
            expect_refused(WEFT_ERROR_FORMAT, i < 14 ? "does not begin" : "damaged or cut short");
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
        }
    bytes[count] = '\n'; /* something after the end */
    write_all(bytes, count + 1);
    expect_refused(WEFT_ERROR_FORMAT, "damaged or cut short");
    write_all(bytes, count);
    cr_expect_eq(weft_wisdom_load(wisdom, path, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(weft_wisdom_count(wisdom), 3);
}

Test(wisdom, what_cannot_be_written_leaves_the_old_file)
{
    add(1, "direct");
    char nowhere[200];
    snprintf(nowhere, sizeof(nowhere), "%s/none/wisdom", directory);
    cr_expect_eq(weft_wisdom_save(wisdom, nowhere, &error), WEFT_ERROR_IO);
    cr_expect(strstr(error.message, "No such file"), "%s", error.message);
}

/* Writes the file as a whole while another is being written. */
static weft_status write_between(FILE *file, const char *name, void *user, weft_error *failure)
{
    (void)user;
    cr_expect_eq(weft_wisdom_save(wisdom, path, failure), WEFT_OK, "%s", failure->message);
    return weft_write_bytes(file, name, "the last", 8, failure);
}

Test(wisdom, writers_of_one_file_do_not_meet)
{
    char bytes[100];
    cr_expect_eq(weft_replace_file(context, path, write_between, NULL, &error), WEFT_OK, "%s",
                 error.message);
    cr_expect_eq(read_all(bytes, sizeof(bytes)), 8);
    cr_expect_eq(memcmp(bytes, "the last", 8), 0);
}

/* ---- Memory ---- */

/* Measures a convolution, saves and loads what came of it. */
static weft_status use_all(weft_context *own, weft_error *failure)
{
    weft_graph *small = weft_graph_create(own);
    weft_wisdom *known = weft_wisdom_create(own), *loaded = weft_wisdom_create(own);
    weft_state *variables = NULL;
    weft_program *program = NULL;
    weft_status status = small && known && loaded ? WEFT_OK : WEFT_ERROR_MEMORY;
    weft_value x = {0};
    if (status == WEFT_OK) {
        known->seconds = 0;
        x = weft_input(small, .shape = weft_shape_of(1, 8, 8, 16));
        x = weft_conv2d(x, .filters = 16, .kernel = {3, 3}, .padding = WEFT_SAME);
        status = weft_state_create(small, NULL, &variables, failure);
    }
    weft_compile_options options = {.fetch = &x, .fetches = 1, .wisdom = known, .measure = true};
    if (status == WEFT_OK)
        status = weft_compile(small, variables, &options, &program, failure);
    if (status == WEFT_OK)
        status = weft_wisdom_save(known, path, failure);
    if (status == WEFT_OK)
        status = weft_wisdom_load(loaded, path, failure);
    cr_expect(status != WEFT_OK || weft_wisdom_count(loaded) == 1);
    weft_program_destroy(program);
    weft_state_destroy(variables);
    weft_wisdom_destroy(known);
    weft_wisdom_destroy(loaded);
    weft_graph_destroy(small);
    return status;
}

Test(wisdom, each_request_for_memory_fails_once)
{
    int64_t n = 1;
    for (int64_t failed = 1; failed; n++) {
        test_allocator allocator = {.fail_at = n};
        weft_context_options options = test_allocator_options(&allocator);
        weft_error failure = {0};
        weft_context *own = weft_context_create(&options);
        weft_status status = own ? use_all(own, &failure) : WEFT_ERROR_MEMORY;
        weft_context_destroy(own);
        failed = allocator.failed;
        cr_expect_eq(status, failed ? WEFT_ERROR_MEMORY : WEFT_OK, "request %lld: %s", (long long)n,
                     failure.message);
        cr_expect_eq(allocator.live_blocks, 0, "request %lld", (long long)n);
        cr_expect_eq(allocator.wrong_releases, 0, "request %lld", (long long)n);
    }
    cr_expect_gt(n, 20);
}
