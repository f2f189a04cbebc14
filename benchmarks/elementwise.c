/* Elementwise functions and optimizers' updates: GB/s of their operands, each counted once, beside that of
 * memory, as all of them are one pass over it.
 *
 *     elementwise [--threads N] [--seconds S] [--clock cpu] [--elements N] [NAME...]
 *
 * A line for each function of src/kernels/map.h, and for each kind of optimizer; with names, for those alone.
 * Elements (16777216, 64 MiB) are those of each operand. The memory's rate is that of adding two arrays into
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

/* ---- Updates ---- */

typedef struct update {
    weft_program *program;
    weft_feed feed;
} update;

static void run_update(const void *data)
{
    const update *u = data;
    weft_error error;
    if (weft_run(u->program, &u->feed, 1, NULL, &error) != WEFT_OK) {
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

static void measure_update(const bench *b, const weft_optimizer_options *options, const char *name)
{
    weft_error error = {0};
    weft_context *context = weft_context_create(&(weft_context_options){.threads = b->threads});
    weft_graph *graph = weft_graph_create(context);
    weft_state *state = NULL;
    weft_value variable = weft_variable(graph, .shape = weft_shape_of(b->elements),
                                        .initializer = {.kind = WEFT_INIT_NORMAL, .b = 1});
    weft_value gradient = weft_input(graph, .shape = weft_shape_of(b->elements));
    weft_apply_gradients(graph, &variable, &gradient, 1, options, NULL);
    float *data = measure_floats(b->elements);
    update u = {.feed = {gradient, data, (size_t)b->elements * sizeof(float)}};
    weft_compile_options compile = {.mode = WEFT_TRAIN};
    if (weft_state_create(graph, NULL, &state, &error) != WEFT_OK ||
        weft_compile(graph, state, &compile, &u.program, &error) != WEFT_OK) {
        fprintf(stderr, "elementwise: %s: %s\n", name, error.message);
        exit(1);
    }
    print_rate(b, name, program_bytes(u.program), measure_median(run_update, &u, b->seconds));
    weft_program_destroy(u.program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    free(data);
}

static void measure_updates(const bench *b)
{
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
    for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++)
        if (is_wanted(b, updates[i].name))
            measure_update(b, &updates[i].options, updates[i].name);
}

int main(int argc, char **argv)
{
    bench b = {.elements = 1 << 24, .seconds = 0.1};
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
    }
    b.name = argv + i;
    b.names = argc - i;
    b.threads = measure_threads(wanted);
    double rate = measure_bandwidth(MACHINE_TRIAD, MEASURE_MEMORY_BYTES); /* GB/s */
    b.memory = 1e9 * rate;
    printf("%d threads, %s, memory %.1f GB/s\n", b.threads, weft_instruction_set(), rate);
    measure_functions(&b);
    measure_updates(&b);
    return 0;
}
