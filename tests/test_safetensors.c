/* States as files: round trips, PyTorch's layouts, and files that are not what they should be. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/allocator.h"
#include "weft/weft.h"

static char directory[64], path[96];

static void begin(void)
{
    strcpy(directory, "/tmp/weft_safetensors_XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/state.safetensors", directory);
}

static void end(void)
{
    unlink(path);
    cr_expect_eq(rmdir(directory), 0, "something was left in %s", directory);
}

TestSuite(safetensors, .init = begin, .fini = end);

/* ---- A small model ---- */

typedef struct model {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
} model;

/* conv.weight [2,1,3,4], fc.weight [3,2], fc.bias [2], count (int32), scale (rank 0). */
static model model_create_in(weft_context *context, weft_dtype dtype, uint64_t seed)
{
    model m = {.context = context};
    weft_initializer uniform = {.kind = WEFT_INIT_UNIFORM, .a = -1, .b = 1};
    weft_initializer seven = {.kind = WEFT_INIT_CONSTANT, .a = 7};
    m.graph = weft_graph_create(m.context);
    weft_scope_push(m.graph, "conv");
    weft_variable(m.graph, .name = "weight", .shape = weft_shape_of(2, 1, 3, 4));
    weft_scope_pop(m.graph);
    weft_scope_push(m.graph, "fc");
    weft_variable(m.graph, .name = "weight", .shape = weft_shape_of(3, 2));
    weft_variable(m.graph, .name = "bias", .shape = weft_shape_of(2), .initializer = uniform);
    weft_scope_pop(m.graph);
    weft_variable(m.graph, .name = "count", .dtype = WEFT_INT32, .initializer = seven);
    weft_variable(m.graph, .name = "scale", .initializer = uniform);
    weft_error error = {0};
    cr_assert_eq(weft_state_create(m.graph, &(weft_state_options){.dtype = dtype, .seed = seed},
                                   &m.state, &error),
                 WEFT_OK, "%s", error.message);
    return m;
}

static model model_create(weft_dtype dtype, uint64_t seed)
{
    return model_create_in(weft_context_create(NULL), dtype, seed);
}

static void model_destroy(model *m)
{
    weft_state_destroy(m->state);
    weft_graph_destroy(m->graph);
    weft_context_destroy(m->context);
}

enum { MODEL_ELEMENTS = 24 + 6 + 2 + 1 + 1 };

/* All elements, in the order of the variables. */
static void read_all(const model *m, double *elements)
{
    weft_value variable;
    for (int i = 0; !weft_is_null(variable = weft_variable_at(m->graph, i)); i++) {
        int64_t count = weft_shape_elements(weft_shape_get(variable));
        cr_assert_eq(weft_state_read(m->state, variable, elements, count, NULL), WEFT_OK);
        elements += count;
    }
}

static bool same_elements(const model *a, const model *b)
{
    double x[MODEL_ELEMENTS], y[MODEL_ELEMENTS];
    read_all(a, x);
    read_all(b, y);
    return memcmp(x, y, sizeof(x)) == 0;
}

/* ---- Files ---- */

static void write_file(const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, count, file), count);
    cr_assert_eq(fclose(file), 0);
}

static size_t read_file(char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    size_t count = fread(bytes, 1, room, file);
    fclose(file);
    cr_assert_lt(count, room);
    return count;
}

/* A file of that header and those elements. */
static void write_parts(const char *header, const void *elements, size_t count)
{
    static char bytes[4096];
    uint64_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    if (count)
        memcpy(bytes + 8 + length, elements, count);
    write_file(bytes, 8 + length + count);
}

static const weft_load_options any = {.allow_missing = true, .allow_extra = true};

static void expect_load(model *m, const weft_load_options *options, weft_status status,
                        const char *says)
{
    weft_error error = {0};
    cr_expect_eq(weft_state_load(m->state, path, options, &error), status, "%s: %s", says,
                 error.message);
    cr_expect(status == WEFT_OK || strstr(error.message, says), "not \"%s\" but \"%s\"", says,
              error.message);
}

/* ---- Round trips ---- */

static void round_trip(weft_dtype from, weft_dtype to, bool reversed)
{
    model a = model_create(from, 1), b = model_create(to, 2);
    double *count = &(double){-12345};
    weft_error error = {0};
    weft_state_write(a.state, weft_find(a.graph, "count"), count, 1, NULL);
    cr_assert_not(same_elements(&a, &b));
    cr_assert_eq(
        weft_state_save(a.state, path, &(weft_save_options){.oihw_filters = reversed}, &error),
        WEFT_OK, "%s", error.message);
    expect_load(&b, &(weft_load_options){.oihw_filters = reversed}, WEFT_OK, "");
    if (from == WEFT_FLOAT64 && to == WEFT_FLOAT32) {
        double x[MODEL_ELEMENTS], y[MODEL_ELEMENTS];
        read_all(&a, x);
        read_all(&b, y);
        for (int i = 0; i < MODEL_ELEMENTS; i++)
            cr_expect_eq(y[i], (double)(float)x[i]);
    } else {
        cr_expect(same_elements(&a, &b));
    }
    model_destroy(&a);
    model_destroy(&b);
}

Test(safetensors, round_trips)
{
    static const weft_dtype dtypes[] = {WEFT_FLOAT32, WEFT_FLOAT64};
    for (int from = 0; from < 2; from++)
        for (int to = 0; to < 2; to++)
            for (int reversed = 0; reversed < 2; reversed++)
                round_trip(dtypes[from], dtypes[to], reversed);
}

Test(safetensors, file_is_what_the_format_says)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_variable(graph, .name = "n", .dtype = WEFT_INT32,
                  .initializer = {WEFT_INIT_CONSTANT, .a = -2});
    weft_variable(graph, .name = "x", .shape = weft_shape_of(1, 2),
                  .initializer = {WEFT_INIT_ONES});
    weft_state *state;
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, NULL),
        WEFT_OK);
    weft_state_set_step(state, 41);
    cr_assert_eq(weft_state_save(state, path, NULL, NULL), WEFT_OK);
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"weft\",\"step\":\"41\"},"
        "\"x\":{\"dtype\":\"F64\",\"shape\":[1,2],\"data_offsets\":[0,16]},"
        "\"n\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[16,20]}}";
    char bytes[1000];
    size_t size = read_file(bytes, sizeof(bytes)), length = (sizeof(header) - 1 + 7) / 8 * 8;
    cr_assert_eq(size, 8 + length + 20);
    cr_expect_eq(*(const uint64_t *)(const void *)bytes, length);
    cr_expect_arr_eq(bytes + 8, header, sizeof(header) - 1);
    for (size_t i = sizeof(header) - 1; i < length; i++)
        cr_expect_eq(bytes[8 + i], ' ');
    double x[2];
    int32_t n;
    memcpy(x, bytes + 8 + length, sizeof(x));
    memcpy(&n, bytes + 8 + length + 16, sizeof(n));
    cr_expect(x[0] == 1 && x[1] == 1 && n == -2);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

Test(safetensors, step_is_taken_over_to_resume)
{
    model a = model_create(WEFT_FLOAT32, 1), b = model_create(WEFT_FLOAT32, 2);
    weft_state_set_step(a.state, 1234567890123);
    cr_assert_eq(weft_state_save(a.state, path, NULL, NULL), WEFT_OK);
    expect_load(&b, NULL, WEFT_OK, "");
    cr_expect_eq(weft_state_step(b.state), 0);
    expect_load(&b, &(weft_load_options){.resume = true}, WEFT_OK, "");
    cr_expect_eq(weft_state_step(b.state), 1234567890123);
    static const char *const without[] = {
        "{}",
        "{\"__metadata__\":{\"format\":\"pt\",\"step\":\"3\"}}",
        "{\"__metadata__\":{\"format\":\"weft\"}}",
        "{\"__metadata__\":{\"format\":\"weft\",\"step\":\"-3\"}}",
        "{\"__metadata__\":{\"format\":\"weft\",\"step\":\"3x\"}}",
        "{\"__metadata__\":{\"format\":\"weft\",\"step\":\"99999999999999999999\"}}",
        "{\"__metadata__\":7}"};
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        write_parts(without[i], NULL, 0);
        expect_load(&b, &(weft_load_options){.allow_missing = true, .resume = true},
                    WEFT_ERROR_FORMAT, "resume");
        expect_load(&b, &any, WEFT_OK, "");
    }
    cr_expect_eq(weft_state_step(b.state), 1234567890123);
    model_destroy(&a);
    model_destroy(&b);
}

/* ---- PyTorch's order ---- */

Test(safetensors, filters_of_pytorch)
{
    /* conv.weight [4,3,2,1] (O I H W) and fc.weight [2,3] (out in), elements numbered as they lie. */
    static const char header[] =
        "{\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[4,3,2,1],\"data_offsets\":[0,96]},"
        "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[96,120]},"
        "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[120,128]},"
        "\"fc.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[128,136]},"
        "\"__metadata__\":{\"format\":\"pt\"}}";
    float elements[34];
    for (int i = 0; i < 34; i++)
        elements[i] = (float)i;
    model m = model_create(WEFT_FLOAT32, 1);
    write_parts(header, elements, sizeof(elements));
    weft_load_options options = any;
    options.oihw_filters = true;
    expect_load(&m, &options, WEFT_OK, "");
    const float *conv = weft_state_tensor(m.state, weft_find(m.graph, "conv.weight")).data;
    const float *fc = weft_state_tensor(m.state, weft_find(m.graph, "fc.weight")).data;
    const float *bias = weft_state_tensor(m.state, weft_find(m.graph, "fc.bias")).data;
    for (int h = 0; h < 2; h++)
        for (int i = 0; i < 3; i++)
            for (int o = 0; o < 4; o++)
                cr_expect_eq(conv[(h * 3 + i) * 4 + o], (float)((o * 3 + i) * 2 + h));
    for (int i = 0; i < 3; i++)
        for (int o = 0; o < 2; o++)
            cr_expect_eq(fc[i * 2 + o], (float)(24 + o * 3 + i));
    cr_expect(bias[0] == 30 && bias[1] == 31);
    /* Without the option the shapes do not fit. */
    expect_load(&m, &any, WEFT_ERROR_SHAPE, "\"conv.weight\" is [4,3,2,1], the variable [2,1,3,4]");
    model_destroy(&m);
}

Test(safetensors, only_weights_of_rank_two_and_more_are_reversed)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    static const char *const names[] = {"weight", "a.weight.momentum", "unweight", "b.weight",
                                        "weight.weight"};
    static const bool filter[] = {true, false, false, false, true};
    for (int i = 0; i < 5; i++)
        weft_variable(graph, .name = names[i],
                      .shape = i == 3 ? weft_shape_of(5) : weft_shape_of(3, 5));
    weft_state *state;
    cr_assert_eq(weft_state_create(graph, NULL, &state, NULL), WEFT_OK);
    cr_assert_eq(weft_state_save(state, path, &(weft_save_options){.oihw_filters = true}, NULL),
                 WEFT_OK);
    char bytes[2000], expected[80];
    read_file(bytes, sizeof(bytes));
    for (int i = 0; i < 5; i++) {
        snprintf(expected, sizeof(expected), "\"%s\":{\"dtype\":\"F32\",\"shape\":%s", names[i],
                 i == 3      ? "[5]"
                 : filter[i] ? "[5,3]"
                             : "[3,5]");
        cr_expect_not_null(strstr(bytes + 8, expected), "%s", expected);
    }
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* ---- Strictness ---- */

Test(safetensors, missing_and_extra_names)
{
    model m = model_create(WEFT_FLOAT32, 1), before = model_create(WEFT_FLOAT32, 1);
    float elements[3] = {5, 6, 7};
    write_parts("{\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                "\"other\\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                elements, sizeof(elements));
    expect_load(&m, NULL, WEFT_ERROR_NOT_FOUND, "\"other?\"");
    expect_load(&m, &(weft_load_options){.allow_missing = true}, WEFT_ERROR_NOT_FOUND,
                "tensors that the state does not have: \"other?\"");
    expect_load(&m, &(weft_load_options){.allow_extra = true}, WEFT_ERROR_NOT_FOUND,
                "variables that the file does not have: \"conv.weight\" and 3 more");
    cr_expect(same_elements(&m, &before));
    expect_load(&m, &any, WEFT_OK, "");
    const float *bias = weft_state_tensor(m.state, weft_find(m.graph, "fc.bias")).data;
    cr_expect(bias[0] == 5 && bias[1] == 6);
    model_destroy(&m);
    model_destroy(&before);
}

Test(safetensors, variables_without_storage_count_as_not_there)
{
    model m = model_create(WEFT_FLOAT32, 1);
    weft_variable(m.graph, .name = "late", .shape = weft_shape_of(1));
    cr_assert_eq(weft_state_save(m.state, path, NULL, NULL), WEFT_OK);
    expect_load(&m, NULL, WEFT_OK, "");
    write_parts("{\"late\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "1234", 4);
    expect_load(&m, &(weft_load_options){.allow_missing = true}, WEFT_ERROR_NOT_FOUND, "\"late\"");
    model_destroy(&m);
}

typedef struct bad_header {
    const char *header;
    size_t bytes;
    weft_status status;
    const char *says;
} bad_header;

#define BIAS "{\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[2],"

static const bad_header bad_headers[] = {
    {"", 0, WEFT_ERROR_FORMAT, "does not start with {"},
    {" {}", 0, WEFT_ERROR_FORMAT, "does not start with {"},
    {"[]", 0, WEFT_ERROR_FORMAT, "does not start with {"},
    {"{", 0, WEFT_ERROR_FORMAT, "not a safetensors file"},
    {"{} x", 0, WEFT_ERROR_FORMAT, "not a safetensors file"},
    {"{}", 1, WEFT_ERROR_FORMAT, "bytes follow the last tensor"},
    {"{\"a\":1,\"a\":1}", 0, WEFT_ERROR_FORMAT, "duplicate"},
    {"{\"a\":1}", 0, WEFT_ERROR_FORMAT, "no dtype"},
    {"{\"a\":null}", 0, WEFT_ERROR_FORMAT, "no dtype"},
    {"{\"a\":{\"dtype\":5}}", 0, WEFT_ERROR_FORMAT, "no dtype"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, WEFT_ERROR_FORMAT, "list of extents"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1]}}", 0, WEFT_ERROR_FORMAT, "list of extents"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0]}}", 0, WEFT_ERROR_FORMAT, "list of extents"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999]}}", 0, WEFT_ERROR_FORMAT,
     "not a safetensors file"},
    {BIAS "\"data_offsets\":[0]}}", 8, WEFT_ERROR_FORMAT, "interval"},
    {BIAS "\"data_offsets\":[8,0]}}", 8, WEFT_ERROR_FORMAT, "interval"},
    {BIAS "\"data_offsets\":[-8,0]}}", 8, WEFT_ERROR_FORMAT, "interval"},
    {BIAS "\"data_offsets\":[0,9]}}", 9, WEFT_ERROR_FORMAT, "other data_offsets"},
    {BIAS "\"data_offsets\":[0,8]}}", 7, WEFT_ERROR_FORMAT, "cut short"},
    {BIAS "\"data_offsets\":[4,12]}}", 12, WEFT_ERROR_FORMAT, "a gap before it"},
    {BIAS "\"data_offsets\":[9223372036854775800,9223372036854775807]}}", 8, WEFT_ERROR_FORMAT,
     "other data_offsets"},
    {BIAS "\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[4,12]}}",
     12, WEFT_ERROR_FORMAT, "overlaps"},
    {"{\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,8]}}",
     8, WEFT_ERROR_FORMAT, "other data_offsets"},
    {"{\"fc.bias\":{\"dtype\":\"NEW\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}",
     8, WEFT_ERROR_SHAPE, "\"fc.bias\" is [4294967296,4294967296], the variable [2]"},
    {"{\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
     WEFT_ERROR_SHAPE, "fc.bias"},
    {"{\"fc.bias\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, WEFT_ERROR_DTYPE,
     "\"fc.bias\" is F16, the variable F32"},
    {"{\"fc.bias\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, WEFT_ERROR_DTYPE,
     "I32"},
    {"{\"count\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, WEFT_ERROR_DTYPE,
     "the variable I32"},
    {"{\"count\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, WEFT_ERROR_SHAPE,
     "\"count\" is [1], the variable []"},
};

Test(safetensors, bad_headers_are_named)
{
    static const char zeros[16];
    model m = model_create(WEFT_FLOAT32, 1), before = model_create(WEFT_FLOAT32, 1);
    for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++) {
        write_parts(bad_headers[i].header, zeros, bad_headers[i].bytes);
        expect_load(&m, &any, bad_headers[i].status, bad_headers[i].says);
        cr_expect(same_elements(&m, &before), "%s", bad_headers[i].header);
    }
    model_destroy(&m);
    model_destroy(&before);
}

Test(safetensors, empty_tensors_may_lie_anywhere)
{
    model m = model_create(WEFT_FLOAT32, 1);
    write_parts("{\"b\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[8,8]},"
                "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                "\"c\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                "12345678", 8);
    expect_load(&m, &any, WEFT_OK, "");
    model_destroy(&m);
}

Test(safetensors, what_cannot_be_opened)
{
    model m = model_create(WEFT_FLOAT32, 1);
    expect_load(&m, NULL, WEFT_ERROR_IO, "No such file");
    weft_error error = {0};
    cr_expect_eq(weft_state_load(m.state, directory, NULL, &error), WEFT_ERROR_IO);
    cr_expect(strstr(error.message, directory), "%s", error.message);
    cr_expect_eq(weft_state_load(m.state, "/dev/null", NULL, &error), WEFT_ERROR_IO);
    cr_expect_eq(weft_state_save(m.state, "/no/such/directory/x", NULL, &error), WEFT_ERROR_IO);
    cr_expect(strstr(error.message, "No such file"), "%s", error.message);
    model_destroy(&m);
}

Test(safetensors, a_fifo_is_refused, .timeout = 20)
{
    model m = model_create(WEFT_FLOAT32, 1);
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_load(&m, NULL, WEFT_ERROR_IO, "not a regular file");
    model_destroy(&m);
}

/* ---- Damage ---- */

Test(safetensors, cut_at_every_byte)
{
    static char bytes[2000];
    model a = model_create(WEFT_FLOAT32, 1), m = model_create(WEFT_FLOAT32, 2),
          before = model_create(WEFT_FLOAT32, 2);
    cr_assert_eq(weft_state_save(a.state, path, NULL, NULL), WEFT_OK);
    size_t size = read_file(bytes, sizeof(bytes));
    for (size_t cut = 0; cut < size; cut++) {
        write_file(bytes, cut);
        weft_error error = {0};
        cr_expect_eq(weft_state_load(m.state, path, &any, &error), WEFT_ERROR_FORMAT, "at %zu: %s",
                     cut, error.message);
        cr_expect(same_elements(&m, &before), "at %zu", cut);
    }
    bytes[size] = 0;
    write_file(bytes, size + 1);
    expect_load(&m, &any, WEFT_ERROR_FORMAT, "bytes follow");
    write_file(bytes, size);
    expect_load(&m, NULL, WEFT_OK, "");
    cr_expect(same_elements(&m, &a));
    model_destroy(&a);
    model_destroy(&m);
    model_destroy(&before);
}

Test(safetensors, every_byte_changed)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xFF};
    static char bytes[2000];
    model a = model_create(WEFT_FLOAT32, 1), before = model_create(WEFT_FLOAT32, 2);
    cr_assert_eq(weft_state_save(a.state, path, NULL, NULL), WEFT_OK);
    size_t size = read_file(bytes, sizeof(bytes));
    model m = model_create(WEFT_FLOAT32, 2);
    for (size_t at = 0; at < size; at++)
        for (size_t f = 0; f < sizeof(flips); f++) {
            bytes[at] = (char)(bytes[at] ^ flips[f]);
            write_file(bytes, size);
            weft_error error = {0};
            weft_status status = weft_state_load(m.state, path, f % 2 ? &any : NULL, &error);
            bytes[at] = (char)(bytes[at] ^ flips[f]);
            cr_expect(status == WEFT_OK || (error.message[0] && error.status == status));
            cr_expect(status == WEFT_OK || !strchr(error.message, '\n'));
            if (status == WEFT_OK) { /* a number or a name was changed: start again */
                model_destroy(&m);
                m = model_create(WEFT_FLOAT32, 2);
            } else {
                cr_expect(same_elements(&m, &before), "at %zu", at);
            }
        }
    model_destroy(&a);
    model_destroy(&m);
    model_destroy(&before);
}

/* ---- When writing or memory fails ---- */

Test(safetensors, failed_save_keeps_the_old_file)
{
    static char old[2000], now[2000];
    model m = model_create(WEFT_FLOAT32, 1);
    cr_assert_eq(weft_state_save(m.state, path, NULL, NULL), WEFT_OK);
    size_t size = read_file(old, sizeof(old));
    weft_state_set_step(m.state, 9);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    struct rlimit low = {200, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &low);
    weft_error error = {0};
    cr_expect_eq(weft_state_save(m.state, path, NULL, &error), WEFT_ERROR_IO);
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_expect(strstr(error.message, "File too large"), "%s", error.message);
    cr_expect_eq(read_file(now, sizeof(now)), size);
    cr_expect_arr_eq(now, old, size);
    model_destroy(&m);
}

/* A link leads to the file, which keeps its permissions; what is no file is written to, not replaced. */
Test(safetensors, links_permissions_and_devices)
{
    model m = model_create(WEFT_FLOAT32, 3);
    weft_error error = {0};
    struct stat status;
    char link[sizeof(directory) + 8];
    snprintf(link, sizeof(link), "%s/link", directory);
    cr_assert_eq(weft_state_save(m.state, path, NULL, &error), WEFT_OK, "%s", error.message);
    cr_assert_eq(chmod(path, 0600), 0);
    cr_assert_eq(stat(path, &status), 0);
    ino_t before = status.st_ino;
    cr_assert_eq(symlink(path, link), 0);
    cr_expect_eq(weft_state_save(m.state, link, NULL, &error), WEFT_OK, "%s", error.message);
    cr_assert_eq(lstat(link, &status), 0);
    cr_expect(S_ISLNK(status.st_mode));
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_neq(status.st_ino, before, "it was replaced as a whole");
    cr_expect_eq(status.st_mode & 0777, 0600);
    cr_expect_eq(weft_state_save(m.state, "/dev/null", NULL, &error), WEFT_OK, "%s", error.message);
    cr_assert_eq(stat("/dev/null", &status), 0);
    cr_expect(S_ISCHR(status.st_mode));
    remove(link);
    remove(path);
    model_destroy(&m);
}

Test(safetensors, every_allocation_fails_once)
{
    test_allocator allocator = {0};
    weft_context_options options = test_allocator_options(&allocator);
    model m = model_create_in(weft_context_create(&options), WEFT_FLOAT32, 1);
    model before = model_create(WEFT_FLOAT32, 1);
    model other = model_create(WEFT_FLOAT32, 2);
    int64_t live = allocator.live_bytes;
    for (int saving = 0; saving < 2; saving++)
        for (int64_t n = 1;; n++) {
            cr_assert_eq(weft_state_save(other.state, path, NULL, NULL), WEFT_OK);
            weft_error error = {0};
            allocator.requests = allocator.failed = 0;
            allocator.fail_at = n;
            weft_status status =
                saving ? weft_state_save(m.state, path, &(weft_save_options){true}, &error)
                       : weft_state_load(m.state, path, NULL, &error);
            allocator.fail_at = 0;
            cr_expect_eq(allocator.live_bytes, live);
            cr_expect_eq(allocator.wrong_releases, 0);
            if (!allocator.failed) {
                cr_expect_eq(status, WEFT_OK);
                cr_expect_gt(n, 3);
                break;
            }
            cr_expect_eq(status, WEFT_ERROR_MEMORY);
            cr_expect_neq(error.message[0], 0);
            cr_expect(saving || same_elements(&m, &before));
        }
    model_destroy(&m);
    model_destroy(&before);
    model_destroy(&other);
}

/* ---- The header's memory, which is jansson's ---- */

static int header_requests, header_fail_at, header_blocks;

static void *allocate_for_header(size_t bytes)
{
    if (++header_requests == header_fail_at)
        return NULL;
    header_blocks++;
    return malloc(bytes);
}

static void release_of_header(void *memory)
{
    header_blocks -= memory != NULL;
    free(memory);
}

Test(safetensors, every_allocation_of_the_header_fails_once)
{
    model m = model_create(WEFT_FLOAT32, 1);
    weft_status status = WEFT_ERROR_MEMORY;
    json_set_alloc_funcs(allocate_for_header, release_of_header);
    for (header_fail_at = 1; status == WEFT_ERROR_MEMORY; header_fail_at++) {
        weft_error error = {0};
        header_requests = 0;
        status = weft_state_save(m.state, path, NULL, &error);
        cr_expect_eq(header_blocks, 0, "request %d", header_fail_at);
    }
    cr_expect_eq(status, WEFT_OK);
    cr_expect_gt(header_fail_at, 20);
    model_destroy(&m);
}
