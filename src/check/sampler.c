#include "check/sampler.h"

#include "base/error.h"
#include "base/memory.h"
#include "weft/array.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- Layouts ---- */

static bool infer_pass(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static void pass_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = call->output_gradient[0];
}

static void pass_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        ((double *)y->data)[weft_tensor_offset(y, i)] =
            ((const double *)x->data)[weft_tensor_offset(x, i)];
}

/* Copies, and is nothing that a pass of the compiler would remove. */
static const weft_op pass_op = {
    .name = "sample",
    .family = WEFT_FAMILY_OTHER,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .infer = infer_pass,
    .gradient = pass_gradient,
    .run_f64 = pass_f64,
};

/* The shape with `more` channels added. */
static weft_shape widened(weft_shape shape, int64_t more)
{
    shape.extent[shape.rank - 1] += more;
    return shape;
}

enum { BEFORE = 1, AFTER = 2 }; /* channels beside those of a strided operand */

/* Whether the next operand is to be strided. Not all of an op's are, since few kernels take that of a
 * filter. */
static bool draw_strided(weft_sampler *sampler, weft_shape shape)
{
    return sampler->layout == WEFT_LAYOUT_STRIDED && shape.rank > 0 &&
           weft_draw_integer(&sampler->draw, 0, 1);
}

static weft_value pass(weft_value x)
{
    return weft_apply(x.graph, &pass_op, NULL, 0, NULL, &x, 1, NULL, 1);
}

/* The shape's elements among further channels. */
static weft_value narrow(weft_value wide, weft_shape shape)
{
    weft_slice_options slice = {.name = "strided"};
    slice.begin[shape.rank - 1] = BEFORE;
    slice.size[shape.rank - 1] = shape.extent[shape.rank - 1];
    return weft_slice(wide, &slice);
}

/* ---- Inputs ---- */

/* Adds an input of the case with room for its data; NULL, and the graph in error, where that fails. */
static weft_sample_input *add_input(weft_sampler *sampler, weft_shape shape, weft_dtype dtype)
{
    weft_graph *graph = sampler->graph;
    int64_t elements = weft_shape_elements(shape);
    if (elements <= 0) {
        weft_graph_fail(graph, WEFT_ERROR_SHAPE, "a sample's input needs fixed, positive extents");
        return NULL;
    }
    size_t element = dtype == WEFT_REAL ? sizeof(double) : weft_dtype_bytes(dtype);
    void *data = weft_allocate_array(sampler->context, (size_t)elements, element);
    if (!data || !weft_grow(sampler->context, (void **)&sampler->input, &sampler->input_capacity,
                            sampler->inputs + 1, sizeof(*sampler->input))) {
        weft_release_array(sampler->context, data, (size_t)elements, element);
        weft_graph_fail(graph, WEFT_ERROR_MEMORY, "out of memory: a sample's input");
        return NULL;
    }
    weft_sample_input *input = &sampler->input[sampler->inputs++];
    *input = (weft_sample_input){
        .value = weft_input(graph, &(weft_input_options){.shape = shape, .dtype = dtype}),
        .dtype = dtype,
        .elements = elements,
        .bytes = (size_t)elements * element,
        .data = data,
    };
    return input;
}

static weft_value real_input(weft_sampler *sampler, weft_shape shape, weft_sample_kind kind)
{
    weft_sample_input *input = add_input(sampler, shape, WEFT_REAL);
    if (!input)
        return weft_null(sampler->graph);
    weft_draw_fill(&sampler->draw, kind, input->data, input->elements);
    return input->value;
}

weft_value weft_sampler_input(weft_sampler *sampler, weft_shape shape, weft_sample_kind kind)
{
    if (draw_strided(sampler, shape))
        return narrow(real_input(sampler, widened(shape, BEFORE + AFTER), kind), shape);
    weft_value input = real_input(sampler, shape, kind);
    bool in_arena =
        sampler->layout == WEFT_LAYOUT_TRANSIENT || sampler->layout == WEFT_LAYOUT_DYING;
    return in_arena ? pass(input) : input;
}

weft_value weft_sampler_labels(weft_sampler *sampler, weft_shape shape, int32_t below)
{
    weft_sample_input *input = add_input(sampler, shape, WEFT_INT32);
    if (!input)
        return weft_null(sampler->graph);
    int32_t *labels = input->data;
    for (int64_t i = 0; i < input->elements; i++)
        labels[i] = (int32_t)weft_draw_integer(&sampler->draw, 0, below - 1);
    return input->value;
}

weft_value weft_sampler_bytes(weft_sampler *sampler, weft_shape shape)
{
    weft_sample_input *input = add_input(sampler, shape, WEFT_UINT8);
    if (!input)
        return weft_null(sampler->graph);
    uint8_t *bytes = input->data;
    for (int64_t i = 0; i < input->elements; i++)
        bytes[i] = (uint8_t)weft_draw_integer(&sampler->draw, 0, 255);
    return input->value;
}

int64_t weft_sampler_integer(weft_sampler *sampler, int64_t low, int64_t high)
{
    return weft_draw_integer(&sampler->extents, low, high);
}

/* The value among further channels, so that its op can produce it inside a concat's output. */
static weft_value surround(weft_sampler *sampler, weft_value value)
{
    weft_shape shape = weft_shape_get(value);
    weft_shape margin = shape;
    margin.extent[margin.rank - 1] = BEFORE;
    weft_value before = real_input(sampler, margin, WEFT_SAMPLE_NORMAL);
    margin.extent[margin.rank - 1] = AFTER;
    weft_value after = real_input(sampler, margin, WEFT_SAMPLE_NORMAL);
    return weft_concat((weft_value[]){before, value, after}, 3, -1);
}

void weft_sampler_output(weft_sampler *sampler, weft_value value)
{
    if (!weft_grow(sampler->context, (void **)&sampler->output, &sampler->output_capacity,
                   sampler->outputs + 1, sizeof(*sampler->output))) {
        weft_graph_fail(sampler->graph, WEFT_ERROR_MEMORY, "out of memory: a sample's output");
        return;
    }
    if (weft_dtype_get(value) == WEFT_REAL && draw_strided(sampler, weft_shape_get(value)))
        value = surround(sampler, value);
    sampler->output[sampler->outputs++] = value;
}

weft_graph *weft_sampler_graph(weft_sampler *sampler)
{
    return sampler->graph;
}

weft_status weft_sampler_create(weft_context *context, const weft_op *op, int index, uint64_t seed,
                                weft_sample_layout layout, weft_sampler *sampler, bool *found,
                                weft_error *error)
{
    struct {
        uint64_t name, index, seed;
    } key = {XXH3_64bits(op->name, strlen(op->name)), (uint64_t)index, seed};
    *sampler = (weft_sampler){
        .context = context,
        .layout = layout,
        .graph = weft_graph_create(context),
        .draw = {.key = XXH3_64bits(&key, sizeof(key))},
        .extents = {.key = XXH3_64bits_withSeed(&key, sizeof(key), 1)},
    };
    if (!sampler->graph)
        return weft_out_of_memory(error, 0);
    *found = op->sample && op->sample(sampler, index);
    const weft_error *built = weft_graph_error(sampler->graph);
    if (built->status != WEFT_OK)
        return weft_error_set(error, built->status, "%s", built->message);
    if (*found && !sampler->outputs)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "%s: sample %d declares no output",
                              op->name, index);
    return WEFT_OK;
}

void weft_sampler_destroy(weft_sampler *sampler)
{
    for (size_t i = 0; i < sampler->inputs; i++)
        weft_release(sampler->context, sampler->input[i].data, sampler->input[i].bytes);
    weft_release_array(sampler->context, sampler->input, sampler->input_capacity,
                       sizeof(*sampler->input));
    weft_release_array(sampler->context, sampler->output, sampler->output_capacity,
                       sizeof(*sampler->output));
    weft_graph_destroy(sampler->graph);
    *sampler = (weft_sampler){0};
}
