/* transpose: the dimensions in another order. */
#include "ops/axes.h"
#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

typedef struct transpose_attributes {
    int32_t rank;
    int32_t order[WEFT_MAX_RANK]; /* as given: may be negative */
} transpose_attributes;

/* Resolves the order; false unless it is a permutation. */
static bool resolve(const transpose_attributes *attributes, int rank, int *order)
{
    bool used[WEFT_MAX_RANK] = {false};
    if (attributes->rank != rank)
        return false;
    for (int i = 0; i < rank; i++) {
        order[i] = weft_axis(attributes->order[i], rank);
        if (order[i] < 0 || used[order[i]])
            return false;
        used[order[i]] = true;
    }
    return true;
}

weft_value weft_transpose(weft_value x, const int *order, int count)
{
    transpose_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.rank = count;
    for (int i = 0; i < count && i < WEFT_MAX_RANK; i++)
        attributes.order[i] = order[i];
    return weft_apply(x.graph, &weft_transpose_op, &attributes, sizeof(attributes), NULL, &x, 1,
                      NULL, 1);
}

static bool infer(weft_infer *infer)
{
    const weft_shape *x = &infer->shape[0];
    int order[WEFT_MAX_RANK];
    char text[120];
    if (!resolve(infer->attributes, x->rank, order))
        return weft_infer_fail(infer, "the order must name each dimension of %s once",
                               weft_shape_text(*x, text, sizeof(text)));
    infer->out_shape[0].rank = x->rank;
    for (int i = 0; i < x->rank; i++)
        infer->out_shape[0].extent[i] = x->extent[order[i]];
    infer->out_dtype[0] = infer->dtype[0];
    return true;
}

static void gradient(weft_gradient_call *call)
{
    int order[WEFT_MAX_RANK], inverse[WEFT_MAX_RANK];
    int rank = weft_shape_get(call->input[0]).rank;
    resolve(call->attributes, rank, order);
    for (int i = 0; i < rank; i++)
        inverse[order[i]] = i;
    call->input_gradient[0] = weft_transpose(call->output_gradient[0], inverse, rank);
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    int order[WEFT_MAX_RANK];
    resolve(operands->attributes, x->rank, order);
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        int64_t to[WEFT_MAX_RANK], from[WEFT_MAX_RANK];
        weft_unravel(y, i, to);
        for (int d = 0; d < x->rank; d++)
            from[order[d]] = to[d];
        weft_copy_element(y, weft_tensor_offset(y, i), x, weft_offset_at(x, from));
    }
}

static bool bind(weft_bind *bind)
{
    const weft_tensor *x = &bind->input[0], *y = &bind->output[0];
    int order[WEFT_MAX_RANK];
    resolve(bind->attributes, x->rank, order);
    weft_copy_args *args = weft_copying_begin(bind, 1);
    if (!args)
        return false;
    weft_copy_box box = {.from = 0, .to = bind->inputs, .rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        box.extent[i] = y->extent[i];
        box.from_stride[i] = x->stride[order[i]];
        box.to_stride[i] = y->stride[i];
    }
    weft_copy_add(args, &box);
    return weft_copying_bind(bind, args);
}

/* Where only dimensions of extent 1 change places in the order of a dense value, a view will do. */
static bool view(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset)
{
    const weft_tensor *x = &bind->input[0];
    int order[WEFT_MAX_RANK], last = -1;
    (void)output;
    resolve(bind->attributes, x->rank, order);
    for (int i = 0; i < x->rank; i++) {
        view->stride[i] = x->stride[order[i]];
        if (x->extent[order[i]] == 1)
            continue;
        if (order[i] < last)
            return false;
        last = order[i];
    }
    *offset = 0;
    return x->rank == 0 || view->extent[x->rank - 1] == 1 || view->stride[x->rank - 1] == 1;
}

static int identity(const weft_bind *bind)
{
    int rank = bind->input[0].rank, order[WEFT_MAX_RANK];
    resolve(bind->attributes, rank, order);
    for (int i = 0; i < rank; i++)
        if (order[i] != i)
            return -1;
    return 0;
}

static void label(const void *given, char *text, size_t size)
{
    const transpose_attributes *attributes = given;
    size_t used = 0;
    for (int i = 0; i < attributes->rank && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%d", i ? "," : "", attributes->order[i]);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const struct {
        int rank, order[WEFT_MAX_RANK];
        int64_t low, high;
    } cases[] = {{2, {1, 0}, 3, 19},         {4, {0, 3, 1, 2}, 2, 6},    {3, {1, 0, 2}, 2, 7},
                 {4, {0, -2, -3, -1}, 2, 5}, {5, {4, 0, 2, 1, 3}, 1, 4}, {2, {1, 0}, 65, 70}};
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_shape shape =
        weft_sample_shape(sampler, cases[index].rank, cases[index].low, cases[index].high);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_transpose(x, cases[index].order, cases[index].rank));
    return true;
}

const weft_op weft_transpose_op = {
    .name = "transpose",
    .summary = "y[..,i(order[d]),..] = x[..,i(d),..]: the dimensions in another order",
    .shapes = "x [..] -> [..] in that order",
    .parameters = "order",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .view = view,
    .identity = identity,
    .label = label,
    .sample = sample,
};
