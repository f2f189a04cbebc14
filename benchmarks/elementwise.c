/* Elementwise functions, random ops and optimizers' updates: GB/s of their operands, each counted once, beside
 * that of memory, as all of them are one pass over it (LAMB's and LARS's updates are two).
 *
 *     elementwise [--threads N] [--seconds S] [--clock cpu] [--elements N] [NAME...]
 *
 * A line for each function of src/kernels/map.h, each random op and each kind of optimizer; with names, for
 * those alone. Elements (67108864, 256 MiB) are those of each operand. The memory's rate is that of adding two arrays into
 * a third: functions of one operand move a little less for each byte that is counted, since a written line is
 * read first, and updates, which write what they have read, a little more. --clock cpu counts processor time,
 * see measure.h. */
#include "kernels/map.h"
#include "measure.h"
#include "weft/weft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    int64_t elements;
    double seconds, memory; /* of a measurement; bytes a second */
    int threads, names;
    char **name; /* NULL: all */
} bench;

static bool is_wanted(const bench *b, const char *name)
{
    for (int i = 0; i < b->names; i++)
        if (strcmp(b->name[i], name) == 0)
            return true;
    return b->names == 0;
}

static void print_rate(const bench *b, const char *name, double bytes, double seconds)
{
    double rate = bytes / seconds;
    printf("%-28s %8.1f GB/s %6.1f%%\n", name, rate * 1e-9, 100 * rate / b->memory);
    fflush(stdout);
}

/* ---- Functions ---- */

static void measure_function(const bench *b, weft_map_function function, float *const *array)
{
    const weft_map_traits *traits = &weft_map_functions[function];
    weft_kernel_plan plan = {.phases = 1, .phase = {{.run = weft_map_piece}}};
    weft_map_args args = {
        .row = weft_map_kernel_table()->row[function], .slot = {0, 1, 2, 3, 4}, .a = 0.5f, .b = 1};
    weft_tensor tensor = {.dtype = WEFT_FLOAT32, .rank = 1, .extent = {b->elements}, .stride = {1}};
    const weft_tensor input[] = {tensor, tensor, tensor, tensor};
    void *operand[] = {array[0], array[1], array[2], array[3], array[4]};
    _Static_assert(sizeof(args) <= WEFT_PLAN_ARGS, "arguments of a plan");
    args.slot[traits->inputs] = WEFT_MAP_INPUTS;
    plan.phase[0].pieces = weft_rows_plan(&args.rows, input, traits->inputs, &tensor);
    memcpy(plan.args, &args, sizeof(args));
    print_rate(b, traits->name, 4.0 * (traits->inputs + 1) * (double)b->elements,
               measure_plan(&plan, operand, b->seconds));
}

static void measure_functions(const bench *b)
{
    float *array[WEFT_MAP_INPUTS + 1];
    for (int i = 0; i <= WEFT_MAP_INPUTS; i++)
        array[i] = measure_floats(b->elements);
    for (int f = 0; f < WEFT_MAP_CAST_UINT8; f++)
        if (is_wanted(b, weft_map_functions[f].name))
            measure_function(b, (weft_map_function)f, array);
    for (int i = 0; i <= WEFT_MAP_INPUTS; i++)
        free(array[i]);
}

/* ---- What is measured as a program, of one input ---- */

enum { SAMPLES = 64 }; /* that the elements of the input are of */

typedef struct running {
    weft_program *program;
    weft_feed feed;
} running;

static void run(const void *data)
{
    const running *r = data;
    weft_error error;
    if (weft_run(r->program, &r->feed, 1, NULL, &error) != WEFT_OK) {
        fprintf(stderr, "elementwise: %s\n", error.message);
        exit(1);
    }
}

/* Bytes of the steps of a program. */
static double program_bytes(const weft_program *program)
{
    weft_step_report step;
    double bytes = 0;
    for (int i = 0; weft_program_step(program, i, &step); i++)
        bytes += step.bytes;
    return bytes;
}

/* Returns what is to be fetched, or the null value. */
typedef weft_value build_fn(weft_value input, const weft_optimizer_options *options);

static void measure_program(const bench *b, const char *name, build_fn *build,
                            const weft_optimizer_options *options)
{
    weft_error error = {0};
    weft_context *context = weft_context_create(&(weft_context_options){.threads = b->threads});
    weft_graph *graph = weft_graph_create(context);
    weft_state *state = NULL;
    weft_value input = weft_input(graph, .shape = weft_shape_of(SAMPLES, b->elements / SAMPLES));
    weft_value fetch = build(input, options);
    float *data = measure_floats(b->elements);
    size_t bytes = (size_t)(b->elements / SAMPLES * SAMPLES) * sizeof(float);
    running r = {.feed = {input, data, bytes}};
    weft_compile_options compile = {
        .mode = WEFT_TRAIN, .fetch = &fetch, .fetches = !weft_is_null(fetch)};
    if (weft_state_create(graph, NULL, &state, &error) != WEFT_OK ||
        weft_compile(graph, state, &compile, &r.program, &error) != WEFT_OK) {
        fprintf(stderr, "elementwise: %s: %s\n", name, error.message);
        exit(1);
    }
    print_rate(b, name, program_bytes(r.program), measure_median(run, &r, b->seconds));
    weft_program_destroy(r.program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    free(data);
}

static weft_value build_dropout(weft_value input, const weft_optimizer_options *options)
{
    (void)options;
    return weft_dropout(input, .rate = 0.5);
}

static weft_value build_gaussian_noise(weft_value input, const weft_optimizer_options *options)
{
    (void)options;
    return weft_gaussian_noise(input, .deviation = 1);
}

static weft_value build_gaussian_dropout(weft_value input, const weft_optimizer_options *options)
{
    (void)options;
    return weft_gaussian_dropout(input, .rate = 0.5);
}

static const struct {
    const char *name;
    build_fn *build;
} random_ops[] = {{"dropout", build_dropout},
                  {"gaussian_noise", build_gaussian_noise},
                  {"gaussian_dropout", build_gaussian_dropout}};

enum { RANDOM_OPS = sizeof(random_ops) / sizeof(random_ops[0]) };

static void measure_random_ops(const bench *b)
{
    for (int i = 0; i < RANDOM_OPS; i++)
        if (is_wanted(b, random_ops[i].name))
            measure_program(b, random_ops[i].name, random_ops[i].build, NULL);
}

/* Of a variable by the input as its gradient. */
static weft_value build_update(weft_value input, const weft_optimizer_options *options)
{
    weft_value variable = weft_variable(input.graph, .shape = weft_shape_get(input),
                                        .initializer = {.kind = WEFT_INIT_NORMAL, .b = 1});
    weft_apply_gradients(input.graph, &variable, &input, 1, options, NULL);
    return weft_null(input.graph);
}

static const struct {
    const char *name;
    weft_optimizer_options options;
} updates[] = {
    {"sgd_update", {.kind = WEFT_SGD}},
    {"momentum_update", {.kind = WEFT_SGD, .momentum = 0.9}},
    {"nesterov_update", {.kind = WEFT_SGD, .momentum = 0.9, .nesterov = true}},
    {"adam_update", {.kind = WEFT_ADAM}},
    {"amsgrad_update", {.kind = WEFT_ADAM, .amsgrad = true}},
    {"nadam_update", {.kind = WEFT_NADAM}},
    {"adagrad_update", {.kind = WEFT_ADAGRAD}},
    {"adadelta_update", {.kind = WEFT_ADADELTA}},
    {"rmsprop_update", {.kind = WEFT_RMSPROP}},
    {"rmsprop_momentum_update", {.kind = WEFT_RMSPROP, .momentum = 0.9}},
    {"rmsprop_centered_update", {.kind = WEFT_RMSPROP, .centered = true}},
    {"lamb_update", {.kind = WEFT_LAMB}},
    {"lars_update", {.kind = WEFT_LARS}},
    {"lion_update", {.kind = WEFT_LION}},
};

enum { UPDATES = sizeof(updates) / sizeof(updates[0]) };

static void measure_updates(const bench *b)
{
    for (int i = 0; i < UPDATES; i++)
        if (is_wanted(b, updates[i].name))
            measure_program(b, updates[i].name, build_update, &updates[i].options);
}

/* ---- The whole ---- */

static bool is_known(const char *name)
{
    bool known = false;
    for (int i = 0; i < WEFT_MAP_CAST_UINT8; i++)
        known |= strcmp(weft_map_functions[i].name, name) == 0;
    for (int i = 0; i < RANDOM_OPS; i++)
        known |= strcmp(random_ops[i].name, name) == 0;
    for (int i = 0; i < UPDATES; i++)
        known |= strcmp(updates[i].name, name) == 0;
    return known;
}

int main(int argc, char **argv)
{
    bench b = {.elements = 1 << 26, .seconds = 0.1};
    int wanted = 0, i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            wanted = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            b.seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--elements") == 0)
            b.elements = atoll(argv[i + 1]);
        else if (strcmp(argv[i], "--clock") == 0 && strcmp(argv[i + 1], "cpu") == 0)
            measure_processor_time();
        else {
            fprintf(stderr, "elementwise: no option %s\n", argv[i]);
            return 2;
        }
    }
    b.name = argv + i;
    b.names = argc - i;
    for (; i < argc; i++)
        if (!is_known(argv[i])) {
            fprintf(stderr, "elementwise: no function, op or update: %s\n", argv[i]);
            return 2;
        }
    b.threads = measure_threads(wanted);
    double rate = measure_bandwidth(MACHINE_TRIAD, MEASURE_MEMORY_BYTES); /* GB/s */
    b.memory = 1e9 * rate;
    printf("%d threads, %s, memory %.1f GB/s\n", b.threads, weft_instruction_set(), rate);
    measure_functions(&b);
    measure_random_ops(&b);
    measure_updates(&b);
    return 0;
}
