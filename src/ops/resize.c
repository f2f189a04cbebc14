/* resize: nearest and linear interpolation, and the adjoint, which is its gradient. Each is the gradient of
 * the other. */
#include "weft/resize.h"

#include "ops/ops.h"
#include "ops/resample.h"
#include "ops/samples.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct resize_attributes {
    int32_t method, grid;
    int32_t size[3], scale[3]; /* all zero where the extents are those of another value */
} resize_attributes;

enum { X, LIKE };

/* ---- Builders ---- */

static weft_value apply(const weft_resize_options *options, const weft_value *input, int inputs)
{
    resize_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.method = (int32_t)options->method;
    attributes.grid = (int32_t)options->grid;
    for (int i = 0; i < 3; i++) {
        attributes.size[i] = options->size[i];
        attributes.scale[i] = options->scale[i];
    }
    return weft_apply(input[0].graph, &weft_resize_op, &attributes, sizeof(attributes),
                      options->name, input, inputs, NULL, 1);
}

weft_value weft_resize(weft_value x, const weft_resize_options *options)
{
    return apply(options, &x, 1);
}

weft_value weft_resize_like(weft_value x, weft_value like, const weft_resize_options *options)
{
    const weft_resize_options none = {0};
    return apply(options ? options : &none, (weft_value[]){x, like}, 2);
}

/* ---- Shapes ---- */

static bool check_method(const weft_infer *infer)
{
    const resize_attributes *a = infer->attributes;
    if (a->method != WEFT_NEAREST && a->method != WEFT_LINEAR)
        return weft_infer_fail(infer, "method %d is none of weft_resize_method", a->method);
    if (a->grid < WEFT_HALF_PIXEL || a->grid > WEFT_ASYMMETRIC)
        return weft_infer_fail(infer, "grid %d is none of weft_resize_grid", a->grid);
    return true;
}

/* The extent that the attributes give to dimension `axis`; 0, with a message, where they do not. */
static int64_t extent_given(const weft_infer *infer, int axis, int64_t input)
{
    const resize_attributes *a = infer->attributes;
    int64_t size = a->size[axis], scale = a->scale[axis];
    if (size < 0 || scale < 0 || (size > 0) == (scale > 0)) {
        weft_infer_fail(infer, "spatial dimension %d: size %lld and scale %lld, expected one", axis,
                        (long long)size, (long long)scale);
        return 0;
    }
    if (size > 0)
        return size;
    if (!__builtin_mul_overflow(input, scale, &size))
        return size;
    weft_infer_fail(infer, "spatial dimension %d would be too large", axis);
    return 0;
}

/* The spatial extents of `like`, and nothing in the attributes that would say something else. */
static bool take_extents(const weft_infer *infer, const weft_shape *like, weft_shape *y)
{
    const resize_attributes *a = infer->attributes;
    for (int axis = 0; axis < y->rank - 2; axis++) {
        if (a->size[axis] || a->scale[axis])
            return weft_infer_fail(infer, "the extents are another value's: no size or scale");
        y->extent[axis + 1] = like->extent[axis + 1];
    }
    return true;
}

static bool infer(weft_infer *infer)
{
    const resize_attributes *a = infer->attributes;
    weft_shape x = infer->shape[X], *y = &infer->out_shape[0];
    if (!weft_resample_infer_image(infer, X, "input") || !check_method(infer))
        return false;
    *y = x;
    if (infer->inputs == 2) {
        if (!weft_resample_infer_image(infer, LIKE, "shape"))
            return false;
        if (infer->shape[LIKE].rank != x.rank)
            return weft_infer_fail(infer, "input has rank %d, the value it is to be like %d",
                                   x.rank, infer->shape[LIKE].rank);
        return take_extents(infer, &infer->shape[LIKE], y);
    }
    for (int axis = 0; axis < 3; axis++)
        if (axis >= x.rank - 2 && (a->size[axis] || a->scale[axis]))
            return weft_infer_fail(infer, "there is no spatial dimension %d", axis);
    for (int axis = 0; axis < x.rank - 2; axis++) {
        y->extent[axis + 1] = extent_given(infer, axis, x.extent[axis + 1]);
        if (y->extent[axis + 1] < 1)
            return false;
    }
    return true;
}

/* dy and a value like x. */
static bool infer_gradient(weft_infer *infer)
{
    if (!weft_resample_infer_image(infer, X, "gradient") ||
        !weft_resample_infer_image(infer, LIKE, "input") || !check_method(infer))
        return false;
    weft_shape dy = infer->shape[X], x = infer->shape[LIKE];
    if (dy.rank != x.rank || dy.extent[0] != x.extent[0] ||
        dy.extent[dy.rank - 1] != x.extent[x.rank - 1])
        return weft_infer_fail(infer, "gradient and input differ in more than size");
    infer->out_shape[0] = x;
    return true;
}

/* ---- Gradients ---- */

/* The attributes without extents: those are the operands'. */
static resize_attributes method_of(const weft_gradient_call *call)
{
    resize_attributes attributes;
    memcpy(&attributes, call->attributes, sizeof(attributes));
    memset(attributes.size, 0, sizeof(attributes.size));
    memset(attributes.scale, 0, sizeof(attributes.scale));
    return attributes;
}

static void apply_other(weft_gradient_call *call, const weft_op *op)
{
    resize_attributes attributes = method_of(call);
    if (call->wanted[X])
        call->input_gradient[X] =
            weft_apply(call->graph, op, &attributes, sizeof(attributes), NULL,
                       (weft_value[]){call->output_gradient[0], call->input[X]}, 2, NULL, 1);
}

static void gradient(weft_gradient_call *call)
{
    apply_other(call, &weft_resize_gradient_op);
}

static void gradient_gradient(weft_gradient_call *call)
{
    apply_other(call, &weft_resize_op);
}

/* ---- Execution ---- */

/* Where position i of n lies among m. */
static double place_of(const resize_attributes *a, int64_t m, int64_t n, int64_t i)
{
    switch (a->grid) {
    case WEFT_ALIGN_CORNERS:
        return n > 1 ? (double)(i * (m - 1)) / (double)(n - 1) : 0;
    case WEFT_ASYMMETRIC:
        return (double)(i * m) / (double)n;
    default:
        return ((double)i + 0.5) * (double)m / (double)n - 0.5;
    }
}

/* The nearest in whole numbers, so that nothing is rounded on the way. */
static int64_t nearest(const resize_attributes *a, int64_t m, int64_t n, int64_t i)
{
    switch (a->grid) {
    case WEFT_ALIGN_CORNERS:
        return n > 1 ? (2 * i * (m - 1) + n - 1) / (2 * (n - 1)) : 0;
    case WEFT_ASYMMETRIC:
        return i * m / n;
    default:
        return (2 * i + 1) * m / (2 * n);
    }
}

static weft_taps rule(const void *attributes, int axis, int64_t m, int64_t n, int64_t i)
{
    (void)axis;
    const resize_attributes *a = attributes;
    if (a->method == WEFT_NEAREST)
        return (weft_taps){.count = 1, .index = {nearest(a, m, n, i)}, .weight = {1}};
    double place = fmin(fmax(place_of(a, m, n, i), 0), (double)(m - 1));
    int64_t low = (int64_t)place;
    double weight = place - (double)low;
    weft_taps taps = {.index = {low, low + 1}, .weight = {1 - weight, weight}};
    taps.count = weight > 0 ? 2 : 1;
    return taps;
}

static void run_f64(const weft_operands *operands)
{
    weft_resample_f64(operands, rule);
}

static void gradient_f64(const weft_operands *operands)
{
    weft_resample_adjoint_f64(operands, rule);
}

static bool bind(weft_bind *bind)
{
    return weft_resample_bind(bind, rule);
}

static bool bind_gradient(weft_bind *bind)
{
    return weft_resample_adjoint_bind(bind, rule);
}

/* A multiply-add for each tap: one for each element of the larger side, or two in each dimension. */
static void cost(const weft_bind *bind, weft_cost *cost)
{
    const resize_attributes *a = bind->attributes;
    const weft_tensor *y = bind->op == &weft_resize_op ? &bind->output[0] : &bind->input[0];
    double taps = a->method == WEFT_NEAREST ? 1 : pow(2, y->rank - 2);
    cost->flops = 2 * taps * (double)weft_tensor_elements(y);
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *given, char *text, size_t size)
{
    static const char *const methods[] = {"nearest", "linear"};
    static const char *const grids[] = {"", " corners", " asymmetric"};
    const resize_attributes *a = given;
    size_t used = (size_t)snprintf(text, size, "%s%s", methods[a->method], grids[a->grid]);
    for (int i = 0; i < 3 && used < size; i++)
        if (a->size[i] || a->scale[i])
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s%d", i ? "x" : " ",
                                 a->scale[i] ? "*" : "", a->scale[i] ? a->scale[i] : a->size[i]);
}

/* ---- Samples ---- */

/* Up and down, by whole numbers and not, to one pixel and from one, in every number of dimensions. */
static const struct {
    weft_resize_options options;
    int spatial;
} cases[] = {
    {{.method = WEFT_LINEAR, .scale = {2, 2}}, 2},
    {{.method = WEFT_LINEAR, .grid = WEFT_ALIGN_CORNERS, .size = {7, 3}}, 2},
    {{.method = WEFT_LINEAR, .grid = WEFT_ASYMMETRIC, .size = {3, 9}}, 2},
    {{.method = WEFT_LINEAR, .size = {5, 0}, .scale = {0, 3}}, 2},
    {{.method = WEFT_LINEAR, .grid = WEFT_ALIGN_CORNERS, .size = {1, 2}}, 2},
    {{.method = WEFT_LINEAR, .size = {11}}, 1},
    {{.method = WEFT_LINEAR, .size = {3, 4, 7}}, 3},
    {{.method = WEFT_NEAREST, .scale = {2, 3}}, 2},
    {{.method = WEFT_NEAREST, .size = {7, 3}}, 2},
    {{.method = WEFT_NEAREST, .grid = WEFT_ASYMMETRIC, .size = {3, 7}}, 2},
    {{.method = WEFT_NEAREST, .grid = WEFT_ALIGN_CORNERS, .size = {8, 3}}, 2},
    {{.method = WEFT_NEAREST, .size = {1}}, 1},
    {{.method = WEFT_NEAREST, .scale = {1, 2, 2}}, 3},
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static weft_shape sample_shape(weft_sampler *sampler, int index)
{
    weft_shape shape = {.rank = cases[index].spatial + 2};
    shape.extent[0] = weft_sampler_integer(sampler, 1, 2);
    for (int d = 1; d < shape.rank - 1; d++)
        shape.extent[d] = weft_sampler_integer(sampler, d == 1 ? 1 : 2, 5);
    shape.extent[shape.rank - 1] = weft_sampler_integer(sampler, 1, index == 0 ? 70 : 20);
    return shape;
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index > CASES)
        return false;
    weft_shape shape = sample_shape(sampler, index % CASES);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL), y;
    if (index < CASES) {
        y = weft_resize(x, &cases[index].options);
    } else {
        weft_shape other = weft_shape_of(3, 6, 5, 2);
        weft_value like = weft_sampler_input(sampler, other, WEFT_SAMPLE_NORMAL);
        y = weft_resize_like(x, like, &(weft_resize_options){.method = WEFT_LINEAR});
    }
    weft_sampler_output(sampler, y);
    return true;
}

static bool sample_gradient(weft_sampler *sampler, int index)
{
    if (index >= CASES)
        return false;
    weft_shape shape = sample_shape(sampler, index);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sample_gradient(sampler, weft_resize(x, &cases[index].options), x);
    return true;
}

const weft_op weft_resize_op = {
    .name = "resize",
    .summary = "x interpolated at the places of the result's pixels",
    .shapes = "x [N,spatial..,C], like? [N,spatial..,C] -> [N,spatial..,C]",
    .parameters = "method, grid, size or scale",
    .source = "PyTorch's interpolate",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .identity = weft_identity_of_extents, /* of every grid */
    .label = label,
    .sample = sample,
};

/* Inputs dy and a value like x. */
const weft_op weft_resize_gradient_op = {
    .name = "resize_gradient",
    .summary =
        "the adjoint of resize: each element of dy divided among the pixels that it was made of",
    .shapes = "dy [N,spatial..,C], like [N,spatial..,C] -> [N,spatial..,C]",
    .parameters = "method, grid, size or scale",
    .source = "chain rule of resize",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer_gradient,
    .gradient = gradient_gradient,
    .run_f64 = gradient_f64,
    .bind = bind_gradient,
    .cost = cost,
    .identity = weft_identity_of_extents, /* of every grid */
    .label = label,
    .sample = sample_gradient,
};
