/* border: a value with a border made of its own elements, which is how pad repeats and reflects images; and
 * the adjoint, which is its gradient. Each is the gradient of the other. */
#include "ops/border.h"

#include "kernels/integer.h"
#include "ops/ops.h"
#include "ops/resample.h"
#include "ops/samples.h"

#include <stdio.h>
#include <string.h>

typedef struct border_attributes {
    int32_t mode;                /* weft_pad_mode */
    int32_t before[3], after[3]; /* of the spatial dimensions */
    int32_t unused;
} border_attributes;

weft_value weft_border(weft_value x, const weft_pad_options *options)
{
    weft_shape shape = weft_shape_get(x);
    char text[120];
    border_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.mode = (int32_t)options->mode;
    for (int d = 0; d < WEFT_MAX_RANK; d++) {
        int64_t before = options->before[d], after = options->after[d];
        bool spatial = d > 0 && d < shape.rank - 1 && d <= 3;
        if (spatial && before == (int32_t)before && after == (int32_t)after) {
            attributes.before[d - 1] = (int32_t)before;
            attributes.after[d - 1] = (int32_t)after;
        } else if (before || after) {
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "pad: dimension %d of %s cannot have a border of its own "
                                   "elements, (%lld, %lld)",
                                   d, weft_shape_text(shape, text, sizeof(text)), (long long)before,
                                   (long long)after);
        }
    }
    return weft_apply(x.graph, &weft_border_op, &attributes, sizeof(attributes), options->name, &x,
                      1, NULL, 1);
}

/* ---- Shapes ---- */

/* How far a border can reach into an extent. */
static int64_t reach(int mode, int64_t extent)
{
    switch (mode) {
    case WEFT_PAD_REFLECT:
        return extent - 1;
    case WEFT_PAD_EDGE:
        return INT32_MAX;
    default:
        return extent;
    }
}

static bool infer_padded(const weft_infer *infer, weft_shape x, weft_shape *y)
{
    const border_attributes *a = infer->attributes;
    *y = x;
    if (a->mode <= WEFT_PAD_CONSTANT || a->mode > WEFT_PAD_WRAP)
        return weft_infer_fail(infer, "mode %d is none of weft_pad_mode", a->mode);
    for (int d = 1; d < x.rank - 1; d++) {
        int64_t before = a->before[d - 1], after = a->after[d - 1];
        int64_t most = reach(a->mode, x.extent[d]);
        if (before < 0 || after < 0 || before > most || after > most)
            return weft_infer_fail(
                infer, "padding (%lld, %lld) of dimension %d is not in 0 to %lld, of %lld elements",
                (long long)before, (long long)after, d, (long long)most, (long long)x.extent[d]);
        if (__builtin_add_overflow(before + after, x.extent[d], &y->extent[d]))
            return weft_infer_fail(infer, "dimension %d would be too large", d);
    }
    return true;
}

static bool infer(weft_infer *infer)
{
    return weft_resample_infer_image(infer, 0, "input") &&
           infer_padded(infer, infer->shape[0], &infer->out_shape[0]);
}

enum { DY, LIKE };

static bool infer_gradient(weft_infer *infer)
{
    weft_shape padded;
    char got[120], expected[120];
    if (!weft_resample_infer_image(infer, LIKE, "input") ||
        !weft_infer_real(infer, DY, "gradient") ||
        !infer_padded(infer, infer->shape[LIKE], &padded))
        return false;
    infer->out_shape[0] = infer->shape[LIKE];
    return weft_shape_equal(padded, infer->shape[DY]) ||
           weft_infer_fail(infer, "gradient %s expected with shape %s",
                           weft_shape_text(infer->shape[DY], got, sizeof(got)),
                           weft_shape_text(padded, expected, sizeof(expected)));
}

/* ---- Gradients ---- */

static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_apply(
        call->graph, &weft_border_gradient_op, call->attributes, sizeof(border_attributes), NULL,
        (weft_value[]){call->output_gradient[0], call->input[0]}, 2, NULL, 1);
}

static void gradient_gradient(weft_gradient_call *call)
{
    if (call->wanted[DY])
        call->input_gradient[DY] =
            weft_apply(call->graph, &weft_border_op, call->attributes, sizeof(border_attributes),
                       NULL, call->output_gradient, 1, NULL, 1);
}

/* ---- Execution ---- */

static weft_taps rule(const void *attributes, int axis, int64_t n, int64_t padded, int64_t position)
{
    (void)padded;
    const border_attributes *a = attributes;
    int64_t i = position - a->before[axis];
    switch (a->mode) {
    case WEFT_PAD_EDGE:
        i = i < 0 ? 0 : i >= n ? n - 1 : i;
        break;
    case WEFT_PAD_REFLECT:
        i = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
        break;
    case WEFT_PAD_SYMMETRIC:
        i = i < 0 ? -i - 1 : i >= n ? 2 * n - 1 - i : i;
        break;
    default: /* WEFT_PAD_WRAP */
        i = weft_remainder(i, n);
    }
    return (weft_taps){.count = 1, .index = {i}, .weight = {1}};
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

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = (double)weft_tensor_elements(&bind->input[0]);
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *given, char *text, size_t size)
{
    static const char *const modes[] = {"", "reflect", "symmetric", "edge", "wrap"};
    const border_attributes *a = given;
    size_t used = (size_t)snprintf(text, size, "%s", modes[a->mode]);
    for (int i = 0; i < 3 && used < size; i++)
        if (a->before[i] || a->after[i])
            used += (size_t)snprintf(text + used, size - used, " %d,%d", a->before[i], a->after[i]);
}

/* ---- Samples ---- */

/* Small images are 4 elements wide at least. */
static const struct {
    weft_pad_options options;
    int rank;
} cases[] = {
    {{.mode = WEFT_PAD_REFLECT, .before = {0, 1, 3}, .after = {0, 2, 3}}, 4},
    {{.mode = WEFT_PAD_SYMMETRIC, .before = {0, 4, 0}, .after = {0, 1, 4}}, 4},
    {{.mode = WEFT_PAD_EDGE, .before = {0, 7, 0}, .after = {0, 1, 2}}, 4},
    {{.mode = WEFT_PAD_WRAP, .before = {0, 2, 4}, .after = {0, 4, 0}}, 4},
    {{.mode = WEFT_PAD_REFLECT, .before = {0, 1, 0, 2}, .after = {0, 0, 1, 1}}, 5},
    {{.mode = WEFT_PAD_EDGE, .before = {0, 3}, .after = {0, 5}}, 3},
    {{.mode = WEFT_PAD_WRAP}, 4}, /* nothing is added */
};

static bool sample_pads(weft_sampler *sampler, int index, weft_value *x, weft_value *y)
{
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_shape shape = weft_sample_shape(sampler, cases[index].rank, 4, 6);
    shape.extent[0] = weft_sampler_integer(sampler, 1, 2);
    *x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    *y = weft_border(*x, &cases[index].options);
    return true;
}

static bool sample(weft_sampler *sampler, int index)
{
    weft_value x, y;
    if (!sample_pads(sampler, index, &x, &y))
        return false;
    weft_sampler_output(sampler, y);
    return true;
}

static bool sample_gradient(weft_sampler *sampler, int index)
{
    weft_value x, y;
    if (!sample_pads(sampler, index, &x, &y))
        return false;
    weft_sample_gradient(sampler, y, x);
    return true;
}

const weft_op weft_border_op = {
    .name = "border",
    .summary = "x with a border of its own elements, repeated or reflected",
    .shapes = "x [..] -> [before + .. + after]",
    .parameters = "mode, before, after",
    .source = "NumPy's pad",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample,
};

/* Inputs dy and a value like x. */
const weft_op weft_border_gradient_op = {
    .name = "border_gradient",
    .summary =
        "the adjoint of border: elements of the border added to those that they are copies of",
    .shapes = "dy [before + .. + after], like [..] -> [..]",
    .parameters = "mode, before, after",
    .source = "chain rule of border",

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
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample_gradient,
};
