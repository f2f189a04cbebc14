/* max_unpool scatters values to places that indices name; its gradient gathers from there, and the gradient
 * of that scatters again. */
#include "kernels/unpool.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/pooling.h"

enum { X, INDICES, LIKE }; /* the gradient has no third: it is like the indices */

weft_value weft_max_unpool(weft_value x, weft_value indices, weft_value like)
{
    return weft_apply(x.graph, &weft_max_unpool_op, NULL, 0, NULL, (weft_value[]){x, indices, like},
                      3, NULL, 1);
}

static bool infer_indices(const weft_infer *infer, weft_shape coarse, weft_shape fine)
{
    char a[120], b[120];
    if (infer->dtype[INDICES] != WEFT_INT32)
        return weft_infer_fail(infer, "indices must be int32, not %s",
                               weft_dtype_name(infer->dtype[INDICES]));
    if (!weft_shape_equal(infer->shape[INDICES], coarse))
        return weft_infer_fail(infer, "indices %s expected with shape %s",
                               weft_shape_text(infer->shape[INDICES], a, sizeof(a)),
                               weft_shape_text(coarse, b, sizeof(b)));
    if (fine.rank != coarse.rank || fine.rank < 3 || fine.extent[0] != coarse.extent[0] ||
        fine.extent[fine.rank - 1] != coarse.extent[fine.rank - 1])
        return weft_infer_fail(infer, "images %s and indices %s differ in more than size",
                               weft_shape_text(fine, a, sizeof(a)),
                               weft_shape_text(coarse, b, sizeof(b)));
    return true;
}

static bool infer_scatter(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[LIKE];
    return weft_infer_real(infer, X, "input") &&
           infer_indices(infer, infer->shape[X], infer->shape[LIKE]);
}

static bool infer_gather(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[INDICES];
    return weft_infer_real(infer, X, "gradient") &&
           infer_indices(infer, infer->shape[INDICES], infer->shape[X]);
}

static void scatter_gradient(weft_gradient_call *call)
{
    if (call->wanted[X])
        call->input_gradient[X] =
            weft_apply(call->graph, &weft_max_unpool_gradient_op, NULL, 0, NULL,
                       (weft_value[]){call->output_gradient[0], call->input[INDICES]}, 2, NULL, 1);
}

static void gather_gradient(weft_gradient_call *call)
{
    if (call->wanted[X])
        call->input_gradient[X] =
            weft_max_unpool(call->output_gradient[0], call->input[INDICES], call->input[X]);
}

/* ---- Execution ---- */

/* Of one image. */
static int64_t pixels_of(const weft_tensor *image)
{
    int64_t pixels = 1;
    for (int d = 1; d < image->rank - 1; d++)
        pixels *= image->extent[d];
    return pixels;
}

/* The row-major element of the images that coarse element i names; -1 where there is none. */
static int64_t element_named(const weft_tensor *indices, int64_t i, const weft_tensor *images)
{
    int64_t channels = images->extent[images->rank - 1], pixels = pixels_of(images);
    int64_t image = i / channels / pixels_of(indices);
    int32_t index = ((const int32_t *)indices->data)[weft_tensor_offset(indices, i)];
    return index < 0 || index >= pixels ? -1 : (image * pixels + index) * channels + i % channels;
}

static void scatter_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[X], *indices = &operands->input[INDICES];
    const weft_tensor *y = &operands->output[0];
    weft_clear_f64(y);
    for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++) {
        int64_t to = element_named(indices, i, y);
        if (to >= 0)
            ((double *)y->data)[weft_tensor_offset(y, to)] +=
                ((const double *)x->data)[weft_tensor_offset(x, i)];
    }
}

static void gather_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[X], *indices = &operands->input[INDICES];
    const weft_tensor *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        int64_t from = element_named(indices, i, x);
        ((double *)y->data)[weft_tensor_offset(y, i)] =
            from < 0 ? 0 : ((const double *)x->data)[weft_tensor_offset(x, from)];
    }
}

static bool bind_kernel(weft_bind *bind, const weft_tensor *fine, weft_piece_fn *run)
{
    const weft_tensor *coarse = &bind->input[INDICES];
    weft_unpool_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    *args = (weft_unpool_args){.images = fine->extent[0],
                               .coarse = pixels_of(coarse),
                               .fine = pixels_of(fine),
                               .channels = fine->extent[fine->rank - 1],
                               .to = bind->inputs};
    weft_bind_phase(bind, run, weft_unpool_pieces(args));
    return true;
}

static bool bind_scatter(weft_bind *bind)
{
    return bind_kernel(bind, &bind->output[0], weft_unpool_scatter);
}

static bool bind_gather(weft_bind *bind)
{
    return bind_kernel(bind, &bind->input[X], weft_unpool_gather);
}

/* ---- Samples ---- */

/* Fewer and more pixels than values, so that values meet and places stay empty. */
static bool sample_shapes(weft_sampler *sampler, int index, weft_shape *coarse, weft_shape *fine)
{
    static const weft_shape shapes[][2] = {
        {{4, {2, 2, 3, 5}}, {4, {2, 4, 6, 5}}},
        {{3, {3, 8, 37}}, {3, {3, 5, 37}}},
        {{5, {1, 2, 2, 2, 3}}, {5, {1, 4, 3, 4, 3}}},
    };
    if (index >= (int)(sizeof(shapes) / sizeof(shapes[0])))
        return false;
    *coarse = shapes[index][0];
    *fine = shapes[index][1];
    coarse->extent[1] += weft_sampler_integer(sampler, 0, 2);
    return true;
}

static int32_t pixels_in(weft_shape shape)
{
    return (int32_t)(weft_shape_elements(shape) / shape.extent[0] / shape.extent[shape.rank - 1]);
}

static bool sample_scatter(weft_sampler *sampler, int index)
{
    weft_shape coarse, fine;
    if (!sample_shapes(sampler, index, &coarse, &fine))
        return false;
    weft_value x = weft_sampler_input(sampler, coarse, WEFT_SAMPLE_NORMAL);
    weft_value like = weft_sampler_input(sampler, fine, WEFT_SAMPLE_NORMAL);
    /* some indices name no pixel */
    weft_value indices = weft_sampler_labels(sampler, coarse, pixels_in(fine) + 1);
    weft_sampler_output(sampler, weft_max_unpool(x, indices, like));
    return true;
}

static bool sample_gather(weft_sampler *sampler, int index)
{
    weft_shape coarse, fine;
    if (!sample_shapes(sampler, index, &coarse, &fine))
        return false;
    weft_value x = weft_sampler_input(sampler, fine, WEFT_SAMPLE_NORMAL);
    weft_value indices = weft_sampler_labels(sampler, coarse, pixels_in(fine) + 1);
    weft_sampler_output(sampler,
                        weft_apply(weft_sampler_graph(sampler), &weft_max_unpool_gradient_op, NULL,
                                   0, NULL, (weft_value[]){x, indices}, 2, NULL, 1));
    return true;
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = (double)weft_tensor_elements(&bind->input[INDICES]);
    cost->bytes = weft_bind_bytes(bind);
}

const weft_op weft_max_unpool_op = {
    .name = "max_unpool",
    .summary = "zeros in the shape of like, with the elements of x at the places that indices name",
    .shapes =
        "x [N,windows..,C], indices [N,windows..,C] int32, like [N,spatial..,C] -> [N,spatial..,C]",
    .source = "Zeiler, Fergus 2014, section 2.1",

    .family = WEFT_FAMILY_POOLING,
    .min_inputs = 3,
    .max_inputs = 3,
    .outputs = 1,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer_scatter,
    .gradient = scatter_gradient,
    .run_f64 = scatter_f64,
    .bind = bind_scatter,
    .cost = cost,
    .sample = sample_scatter,
};

/* Inputs dy and indices. */
const weft_op weft_max_unpool_gradient_op = {
    .name = "max_unpool_gradient",
    .summary = "the elements of dy at the places that indices name",
    .shapes = "dy [N,spatial..,C], indices [N,windows..,C] int32 -> [N,windows..,C]",
    .source = "chain rule of max_unpool",

    .family = WEFT_FAMILY_POOLING,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .infer = infer_gather,
    .gradient = gather_gradient,
    .run_f64 = gather_f64,
    .bind = bind_gather,
    .cost = cost,
    .sample = sample_gather,
};
