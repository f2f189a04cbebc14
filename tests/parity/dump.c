/* Computes every case, in float64 and in float32, and writes one safetensors file for each: inputs and
 * variables, the result, gradients of sum(result * seed), and of cases with an optimizer the variables after
 * its steps; of schedules, learning rates.
 *
 * usage: parity_dump DIRECTORY */
#include "parity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In float32 the gradients of a network jump where the input of a ReLU is within rounding of zero, or two
 * pixels of a pool are. That hits some inputs and not others, so networks run on several. */
enum { NETWORK_SEEDS = 6 };

/* ---- Numbers: the same each time, and exact in float32 ---- */

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u; /* splitmix64, Steele et al. 2014 */
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double unit(uint64_t *state)
{
    return (double)(next_random(state) >> 40) * 0x1p-24;
}

/* Nearly normal: the sum of twelve uniform numbers, less 6. */
static double normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += unit(state);
    return (double)(float)sum;
}

/* ---- Building ---- */

static void fail(const char *format, ...) WEFT_PRINTF(1, 2);
static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("parity_dump: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory)
        fail("out of memory");
    return memory;
}

static weft_value remember(parity_builder *builder, weft_value value, int32_t below)
{
    builder->below[builder->inputs] = below;
    return builder->input[builder->inputs++] = value;
}

weft_value parity_input(parity_builder *builder, const char *name, weft_shape shape)
{
    return remember(builder, weft_input(builder->graph, .name = name, .shape = shape), 0);
}

weft_value parity_labels(parity_builder *builder, const char *name, weft_shape shape, int32_t below)
{
    weft_value value =
        weft_input(builder->graph, .name = name, .shape = shape, .dtype = WEFT_INT32);
    return remember(builder, value, below);
}

weft_value parity_variable(parity_builder *builder, const char *name, weft_shape shape)
{
    return weft_variable(builder->graph, .name = name, .shape = shape,
                         .initializer = {.kind = WEFT_INIT_NORMAL, .b = 0.5});
}

/* ---- A file of tensors ---- */

typedef struct tensor_file {
    char *header;
    size_t header_bytes, header_room;
    char *data;
    size_t data_bytes, data_room;
} tensor_file;

static void append(char **memory, size_t *used, size_t *room, const void *bytes, size_t count)
{
    while (*used + count > *room) {
        *room = *room ? 2 * *room : 4096;
        *memory = realloc(*memory, *room);
        if (!*memory)
            fail("out of memory");
    }
    memcpy(*memory + *used, bytes, count);
    *used += count;
}

static void append_header(tensor_file *file, const char *format, ...) WEFT_PRINTF(2, 3);
static void append_header(tensor_file *file, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    append(&file->header, &file->header_bytes, &file->header_room, text, (size_t)length);
}

static void add_tensor(tensor_file *file, const char *prefix, const char *name,
                       const weft_tensor *tensor)
{
    static const char *const dtypes[] = {
        [WEFT_FLOAT32] = "F32", [WEFT_FLOAT64] = "F64", [WEFT_INT32] = "I32"};
    append_header(file, ",\"%s%s\":{\"dtype\":\"%s\",\"shape\":[", prefix, name,
                  dtypes[tensor->dtype]);
    for (int i = 0; i < tensor->rank; i++)
        append_header(file, "%s%lld", i ? "," : "", (long long)tensor->extent[i]);
    size_t bytes = weft_tensor_bytes(tensor);
    append_header(file, "],\"data_offsets\":[%zu,%zu]}", file->data_bytes,
                  file->data_bytes + bytes);
    append(&file->data, &file->data_bytes, &file->data_room, tensor->data, bytes);
}

static void write_file(const tensor_file *file, const char *directory, int number)
{
    char path[1000];
    snprintf(path, sizeof(path), "%s/%03d.safetensors", directory, number);
    FILE *out = fopen(path, "wb");
    uint64_t length = file->header_bytes;
    if (!out || fwrite(&length, 8, 1, out) != 1 ||
        fwrite(file->header, 1, file->header_bytes, out) != file->header_bytes ||
        fwrite(file->data, 1, file->data_bytes, out) != file->data_bytes || fclose(out) != 0)
        fail("%s: %s", path, strerror(errno));
}

/* ---- Running a case ---- */

static weft_tensor make_tensor(weft_dtype dtype, weft_shape shape)
{
    weft_tensor tensor = {.dtype = dtype, .rank = shape.rank};
    memcpy(tensor.extent, shape.extent, sizeof(shape.extent));
    tensor.data = allocate((size_t)weft_shape_elements(shape) * weft_dtype_bytes(dtype));
    return tensor;
}

/* Tensors for inputs whose extents are bound to a batch of `batch`. */
static weft_tensor draw_input(weft_value input, int32_t below, weft_dtype real, uint64_t *random)
{
    bool label = weft_dtype_get(input) == WEFT_INT32;
    const char *name = weft_name_get(input);
    bool positive = name[strlen(name) - 1] == '+';
    weft_tensor tensor = make_tensor(label ? WEFT_INT32 : real, weft_shape_get(input));
    for (int64_t i = 0, n = weft_tensor_elements(&tensor); i < n; i++) {
        double value = positive ? 0.5 + 1.5 * unit(random) : normal(random);
        if (label)
            ((int32_t *)tensor.data)[i] = (int32_t)(unit(random) * below);
        else if (real == WEFT_FLOAT64)
            ((double *)tensor.data)[i] = (double)(float)value;
        else
            ((float *)tensor.data)[i] = (float)value;
    }
    return tensor;
}

/* The first `count` float64 variables get values that float32 can hold, so that both programs start
 * alike. */
static void round_variables(weft_graph *graph, weft_state *state, int count)
{
    for (int i = 0; i < count; i++) {
        weft_tensor tensor = weft_state_tensor(state, weft_variable_at(graph, i));
        for (int64_t k = 0, n = weft_tensor_elements(&tensor); k < n; k++)
            if (tensor.dtype == WEFT_FLOAT64)
                ((double *)tensor.data)[k] = (double)(float)((double *)tensor.data)[k];
    }
}

static void add_variables(tensor_file *file, const char *prefix, weft_graph *graph,
                          weft_state *state, int count)
{
    for (int i = 0; i < count; i++) {
        weft_value variable = weft_variable_at(graph, i);
        weft_tensor tensor = weft_state_tensor(state, variable);
        add_tensor(file, prefix, weft_name_get(variable), &tensor);
    }
}

/* What a case consists of once its graph is built. */
typedef struct built_case {
    const parity_case *from;
    parity_builder builder;
    weft_value result, seed;
    weft_value wanted[512], gradient[512];
    int count, variables;
    weft_optimizer optimizer;
    uint64_t seed_of_inputs;
} built_case;

static void build(built_case *c)
{
    weft_graph *graph = c->builder.graph;
    c->result = c->from->build(&c->builder);
    c->seed = weft_input(graph, .name = "seed", .shape = weft_shape_get(c->result));
    for (int i = 0; i < c->builder.inputs; i++)
        if (weft_dtype_get(c->builder.input[i]) == WEFT_REAL)
            c->wanted[c->count++] = c->builder.input[i];
    weft_value variable;
    for (; !weft_is_null(variable = weft_variable_at(graph, c->variables)); c->variables++)
        if (weft_is_trainable(variable))
            c->wanted[c->count++] = variable;
    weft_vector_jacobian(&c->result, &c->seed, 1, c->wanted, c->count, c->gradient);
    const parity_optimizer *o = c->from->optimizer;
    if (o)
        weft_minimize(c->result, &o->options, &c->optimizer);
    for (int i = 0; o && o->constrain && i < c->variables; i++)
        if (weft_shape_get(weft_variable_at(graph, i)).rank == 2)
            (weft_constrain)(weft_variable_at(graph, i), o->constrain);
    if (weft_graph_error(graph)->status != WEFT_OK)
        fail("%s: %s", c->from->name, weft_graph_error(graph)->message);
}

/* The steps after the first. */
static void run_more(const built_case *c, weft_program *program, weft_state *state,
                     const weft_feed *feed, weft_error *error)
{
    const parity_optimizer *o = c->from->optimizer;
    for (int step = 1; o && step < o->steps; step++) {
        double rate = weft_optimizer_learning_rate(&c->optimizer, state);
        if (step == (o->steps + 1) / 2 &&
            weft_optimizer_set_learning_rate(&c->optimizer, state, rate / 4, error) != WEFT_OK)
            fail("%s: %s", c->from->name, error->message);
        if (weft_run(program, feed, c->builder.inputs + 1, NULL, error) != WEFT_OK)
            fail("%s: %s", c->from->name, error->message);
    }
}

/* Adds result, gradients and variables to the file; and, as the first run, what it starts from. */
static void run(built_case *c, weft_dtype real, bool first, const char *prefix, tensor_file *file)
{
    weft_graph *graph = c->builder.graph;
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    if (weft_state_create(graph, &(weft_state_options){.dtype = real}, &state, &error) != WEFT_OK)
        fail("%s: %s", c->from->name, error.message);
    round_variables(graph, state, c->variables);
    uint64_t random = c->seed_of_inputs;
    weft_feed feed[9];
    weft_value input[9];
    memcpy(input, c->builder.input, sizeof(c->builder.input));
    input[c->builder.inputs] = c->seed;
    weft_tensor drawn[9];
    for (int i = 0; i <= c->builder.inputs; i++) {
        drawn[i] =
            draw_input(input[i], i < c->builder.inputs ? c->builder.below[i] : 0, real, &random);
        feed[i] = (weft_feed){input[i], drawn[i].data, weft_tensor_bytes(&drawn[i])};
        if (first)
            add_tensor(file, "in.", weft_name_get(input[i]), &drawn[i]);
    }
    if (first)
        add_variables(file, "var.", graph, state, c->variables);
    weft_value fetch[513];
    int fetches = 0;
    fetch[fetches++] = c->result;
    for (int i = 0; i < c->count; i++)
        if (!weft_is_null(c->gradient[i]))
            fetch[fetches++] = c->gradient[i];
    weft_compile_options options = {.mode = c->from->mode, .fetch = fetch, .fetches = fetches};
    if (weft_compile(graph, state, &options, &program, &error) != WEFT_OK ||
        weft_run(program, feed, c->builder.inputs + 1, NULL, &error) != WEFT_OK)
        fail("%s: %s", c->from->name, error.message);
    char name[100];
    weft_tensor result = weft_fetch(program, c->result);
    add_tensor(file, prefix, ".result", &result);
    snprintf(name, sizeof(name), "%s.grad.", prefix);
    for (int i = 0; i < c->count; i++)
        if (!weft_is_null(c->gradient[i])) {
            weft_tensor gradient = weft_fetch(program, c->gradient[i]);
            add_tensor(file, name, weft_name_get(c->wanted[i]), &gradient);
        }
    run_more(c, program, state, feed, &error);
    snprintf(name, sizeof(name), "%s.after.", prefix);
    if (c->from->mode == WEFT_TRAIN)
        add_variables(file, name, graph, state, c->variables);
    weft_program_destroy(program);
    weft_state_destroy(state);
    for (int i = 0; i <= c->builder.inputs; i++)
        free(drawn[i].data);
}

/* Runs the case on the numbers of one seed; in float64 only on those of the first. */
static void dump(weft_context *context, const parity_case *from, uint64_t seed,
                 const char *directory, int number)
{
    static built_case c;
    memset(&c, 0, sizeof(c));
    c.from = from;
    c.builder.graph = weft_graph_create(context);
    if (!c.builder.graph)
        fail("out of memory");
    build(&c);
    tensor_file file = {0};
    const parity_optimizer none = {.torch = ""}, *o = from->optimizer ? from->optimizer : &none;
    const char *clip = o->clip ? o->clip : "", *after = o->after ? o->after : "";
    append_header(&file,
                  "{\"__metadata__\":{\"name\":\"%s\",\"torch\":\"%s\",\"optimizer\":\"%s\","
                  "\"clip\":\"%s\",\"steps\":\"%d\",\"after\":\"%s\"}",
                  from->name, from->torch, o->torch, clip, o->steps, after);
    c.seed_of_inputs = seed;
    bool in_double = seed == 1;
    if (in_double)
        run(&c, WEFT_FLOAT64, true, "f64", &file);
    if (!from->double_only)
        run(&c, WEFT_FLOAT32, !in_double, "f32", &file);
    append_header(&file, "}");
    write_file(&file, directory, number);
    free(file.header);
    free(file.data);
    weft_graph_destroy(c.builder.graph);
}

/* The rates of a schedule, and the metrics that a plateau was told before each but the first. */
static void dump_schedule(const parity_schedule *from, const char *directory, int number)
{
    tensor_file file = {0};
    append_header(&file, "{\"__metadata__\":{\"name\":\"%s\",\"schedule\":\"%s\"}", from->name,
                  from->torch);
    weft_tensor rates = make_tensor(WEFT_FLOAT64, weft_shape_of(PARITY_RATES));
    weft_tensor metrics = make_tensor(WEFT_FLOAT64, weft_shape_of(PARITY_RATES));
    weft_plateau plateau = {.scale = 1};
    if (from->plateau)
        plateau = *from->plateau;
    uint64_t random = 1;
    double factor = 1;
    for (int step = 0; step < PARITY_RATES; step++) {
        double *metric = (double *)metrics.data + step;
        *metric = normal(&random) + 3;
        if (step > 0 && from->plateau)
            factor = weft_plateau_next(&plateau, *metric);
        ((double *)rates.data)[step] = factor * weft_schedule_at(&from->schedule, step);
    }
    add_tensor(&file, "", "rates", &rates);
    if (from->plateau)
        add_tensor(&file, "", "metrics", &metrics);
    append_header(&file, "}");
    write_file(&file, directory, number);
    free(file.header);
    free(file.data);
    free(rates.data);
    free(metrics.data);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: parity_dump DIRECTORY\n");
        return 2;
    }
    weft_context *context = weft_context_create(NULL);
    int number = 0;
    for (const parity_case *c = parity_op_cases; c->name; c++)
        dump(context, c, 1, argv[1], number++);
    for (const parity_case *c = parity_optimizer_cases; c->name; c++)
        dump(context, c, 1, argv[1], number++);
    for (const parity_schedule *c = parity_schedule_cases; c->name; c++)
        dump_schedule(c, argv[1], number++);
    for (const parity_case *c = parity_network_cases; c->name; c++)
        for (uint64_t seed = 1; seed <= (c->double_only ? 1 : NETWORK_SEEDS); seed++)
            dump(context, c, seed, argv[1], number++);
    weft_context_destroy(context);
    return 0;
}
