#include "ops/map.h"

#include "graph/bind_map.h"
#include "graph/fusion.h"
#include "ops/rules.h"

#include <stdio.h>
#include <string.h>

static weft_map_attributes attributes_of(weft_map_function function, double a, double b)
{
    weft_map_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.function = function;
    attributes.a = a;
    attributes.b = b;
    return attributes;
}

weft_value weft_map_apply(const weft_op *op, weft_map_function function, double a, double b,
                          const char *name, const weft_value *input)
{
    weft_map_attributes attributes = attributes_of(function, a, b);
    return weft_apply(input[0].graph, op, &attributes, sizeof(attributes), name, input,
                      weft_map_functions[function].inputs, NULL, 1);
}

weft_value weft_map_apply_two(const weft_op *op, weft_map_function function, weft_value x,
                              weft_value y)
{
    return weft_map_apply(op, function, 0, 0, NULL, (weft_value[]){x, y});
}

weft_status weft_map_expand(weft_expansion *expansion, const weft_op *op,
                            weft_map_function function, const int *operand, int as,
                            const weft_tensor *like, int *result)
{
    weft_map_attributes attributes = attributes_of(function, 0, 0);
    weft_expand_call call = {.op = op,
                             .attributes = &attributes,
                             .attribute_bytes = sizeof(attributes),
                             .inputs = weft_map_functions[function].inputs,
                             .outputs = 1,
                             .like = {like},
                             .as = {as}};
    memcpy(call.input, operand, (size_t)call.inputs * sizeof(int));
    return weft_expand_node(expansion, &call, result);
}

bool weft_map_infer_equal(weft_infer *infer)
{
    char a[120], b[120];
    for (int i = 0; i < infer->inputs; i++) {
        if (!weft_infer_real(infer, i, "operand"))
            return false;
        if (!weft_shape_equal(infer->shape[i], infer->shape[0]))
            return weft_infer_fail(infer, "operands %s and %s differ in shape",
                                   weft_shape_text(infer->shape[0], a, sizeof(a)),
                                   weft_shape_text(infer->shape[i], b, sizeof(b)));
    }
    infer->out_shape[0] = infer->shape[0];
    return true;
}

/* The extent of dimension d, counted from the last (0); 1 where the shape has none. */
static int64_t extent_from_last(const weft_shape *shape, int d)
{
    return d < shape->rank ? shape->extent[shape->rank - 1 - d] : 1;
}

/* Widens the shape by one that broadcasts with it; false where it does not. */
static bool widen(weft_shape *wide, const weft_shape *shape)
{
    weft_shape both = {.rank = wide->rank > shape->rank ? wide->rank : shape->rank};
    for (int d = 0; d < both.rank; d++) {
        int64_t a = extent_from_last(wide, d), b = extent_from_last(shape, d);
        if (a != b && a != 1 && b != 1)
            return false;
        both.extent[both.rank - 1 - d] = a == 1 ? b : a;
    }
    *wide = both;
    return true;
}

bool weft_map_infer_broadcast(weft_infer *infer)
{
    static const char *const names[] = {"first operand", "second operand", "third operand",
                                        "fourth operand"};
    weft_shape wide = {0};
    for (int i = 0; i < infer->inputs; i++) {
        char left[120], right[120];
        weft_shape before = wide;
        if (!weft_infer_real(infer, i, names[i]))
            return false;
        if (!widen(&wide, &infer->shape[i]))
            return weft_infer_fail(infer, "operands %s and %s do not broadcast",
                                   weft_shape_text(before, left, sizeof(left)),
                                   weft_shape_text(infer->shape[i], right, sizeof(right)));
    }
    infer->out_shape[0] = wide;
    return true;
}

static double element(const weft_tensor *tensor, int64_t index)
{
    int64_t at = weft_tensor_offset(tensor, index);
    switch (tensor->dtype) {
    case WEFT_INT32:
        return ((const int32_t *)tensor->data)[at];
    case WEFT_UINT8:
        return ((const uint8_t *)tensor->data)[at];
    default:
        return ((const double *)tensor->data)[at];
    }
}

void weft_map_run_f64(const weft_operands *operands)
{
    const weft_map_attributes *attributes = operands->attributes;
    const weft_map_traits *traits = &weft_map_functions[attributes->function];
    const weft_tensor *out = &operands->output[0];
    weft_tensor in[WEFT_MAP_INPUTS];
    for (int i = 0; i < WEFT_MAP_INPUTS; i++)
        in[i] = weft_tensor_broadcast(&operands->input[i < traits->inputs ? i : 0], out);
    for (int64_t i = 0, n = weft_tensor_elements(out); i < n; i++)
        ((double *)out->data)[weft_tensor_offset(out, i)] =
            traits->f64((weft_map_f64_in){.x = element(&in[0], i),
                                          .y = element(&in[1], i),
                                          .z = element(&in[2], i),
                                          .w = element(&in[3], i),
                                          .a = attributes->a,
                                          .b = attributes->b});
}

bool weft_map_of(const void *attributes, weft_map *map)
{
    const weft_map_attributes *own = attributes;
    *map = (weft_map){
        .row = weft_map_kernel_table()->row[own->function], .a = (float)own->a, .b = (float)own->b};
    return true;
}

bool weft_map_bind_op(weft_bind *bind)
{
    const weft_map_attributes *attributes = bind->attributes;
    return weft_map_bind(bind, (weft_map_function)attributes->function, (float)attributes->a,
                         (float)attributes->b);
}

void weft_map_cost(const weft_bind *bind, weft_cost *cost)
{
    const weft_map_attributes *attributes = bind->attributes;
    cost->flops = weft_map_functions[attributes->function].flops * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

void weft_map_label(const char *format, const void *attributes, char *text, size_t size)
{
    const weft_map_attributes *own = attributes;
    snprintf(text, size, format, own->a, own->b);
}

bool weft_map_sample_unary(weft_sampler *sampler, int index, weft_value (*build)(weft_value),
                           weft_sample_kind kind)
{
    static const int ranks[] = {0, 1, 4};
    if (index >= (int)(sizeof(ranks) / sizeof(ranks[0])))
        return false;
    weft_shape shape = {.rank = ranks[index]};
    for (int d = 0; d < shape.rank; d++)
        shape.extent[d] = weft_sampler_integer(sampler, 1, shape.rank == 1 ? 70 : 6);
    weft_sampler_output(sampler, build(weft_sampler_input(sampler, shape, kind)));
    return true;
}
