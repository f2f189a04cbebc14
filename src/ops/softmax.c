/* softmax over the last dimension, and its gradient. */
#include "ops/softmax.h"

#include "ops/axes.h"
#include "ops/loss.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/reduction.h"

#include <math.h>

weft_value weft_softmax(weft_value x)
{
    return weft_apply(x.graph, &weft_softmax_op, NULL, 0, NULL, &x, 1, NULL, 1);
}

/* With the axis as the last dimension for as long as it takes: swapped with it before and after. */
weft_value weft_softmax_along(weft_value x, int axis)
{
    if (weft_is_null(x))
        return x;
    int rank = weft_shape_get(x).rank, order[WEFT_MAX_RANK];
    int dimension = weft_axis(axis, rank);
    if (dimension < 0)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "softmax: there is no axis %d among %d dimensions", axis, rank);
    if (dimension == rank - 1)
        return weft_softmax(x);
    for (int i = 0; i < rank; i++)
        order[i] = i == dimension ? rank - 1 : i == rank - 1 ? dimension : i;
    return weft_transpose(weft_softmax(weft_transpose(x, order, rank)), order, rank);
}

/* The maximum only keeps exp from overflowing. */
weft_value weft_log_softmax(weft_value x, int axis)
{
    weft_reduce_options along = {.axes = {axis}, .axis_count = 1, .keep_dims = true};
    weft_value below = weft_subtract(x, weft_stop_gradient(weft_max(x, &along)));
    return weft_subtract(below, weft_log(weft_sum(weft_exp(below), &along)));
}

weft_value weft_softmax_gradient(weft_value y, weft_value dy)
{
    return weft_apply(y.graph, &weft_softmax_gradient_op, NULL, 0, NULL, (weft_value[]){y, dy}, 2,
                      NULL, 1);
}

/* ---- Shared with the losses ---- */

weft_softmax_args weft_softmax_rows(const weft_tensor *x)
{
    int64_t classes = x->extent[x->rank - 1];
    return (weft_softmax_args){.rows = weft_tensor_elements(x) / classes, .classes = classes};
}

bool weft_softmax_bind(weft_bind *bind, weft_piece_fn *kernel)
{
    weft_softmax_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    *args = weft_softmax_rows(&bind->input[0]);
    int64_t pieces = weft_softmax_cut(args);
    weft_bind_phase(bind, kernel, pieces);
    return true;
}

double *weft_row_f64(const weft_tensor *tensor, int64_t row)
{
    int64_t classes = tensor->extent[tensor->rank - 1];
    return (double *)tensor->data + weft_tensor_offset(tensor, row * classes);
}

static double largest_of(const double *x, int64_t classes)
{
    double largest = x[0];
    for (int64_t k = 1; k < classes; k++)
        largest = fmax(largest, x[k]);
    return largest;
}

double weft_log_sum_exp_f64(const double *x, int64_t classes)
{
    double largest = largest_of(x, classes), sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += exp(x[k] - largest);
    return largest + log(sum);
}

void weft_softmax_row_f64(const double *x, int64_t classes, double *p)
{
    double largest = largest_of(x, classes), sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += p[k] = exp(x[k] - largest);
    for (int64_t k = 0; k < classes; k++)
        p[k] /= sum;
}

void weft_softmax_cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 5 * (double)weft_tensor_elements(&bind->input[0]);
    cost->bytes = weft_bind_bytes(bind);
}

bool weft_sample_classes(weft_sampler *sampler, int index, weft_shape *shape, weft_value *x)
{
    static const int64_t classes[] = {10, 3, 2, 67, 33};
    if (index >= (int)(sizeof(classes) / sizeof(classes[0])))
        return false;
    *shape = weft_sample_shape(sampler, 2 + index % 2, 3, 5);
    shape->extent[shape->rank - 1] = classes[index];
    *x = weft_sampler_input(sampler, *shape, WEFT_SAMPLE_NORMAL);
    return true;
}

/* ---- softmax ---- */

static bool infer(weft_infer *infer)
{
    if (infer->shape[0].rank < 1)
        return weft_infer_fail(infer, "a scalar has no classes");
    return weft_infer_like_input(infer);
}

static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_softmax_gradient(call->output[0], call->output_gradient[0]);
}

static void run_f64(const weft_operands *operands)
{
    weft_softmax_args all = weft_softmax_rows(&operands->input[0]);
    for (int64_t row = 0; row < all.rows; row++)
        weft_softmax_row_f64(weft_row_f64(&operands->input[0], row), all.classes,
                             weft_row_f64(&operands->output[0], row));
}

static bool bind(weft_bind *bind)
{
    return weft_softmax_bind(bind, weft_softmax_table()->softmax);
}

static bool sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_value x;
    if (!weft_sample_classes(sampler, index, &shape, &x))
        return false;
    weft_sampler_output(sampler, weft_softmax(x));
    return true;
}

/* The classes may be the batch itself. */
static bool mixes(const weft_bind *bind)
{
    return bind->input[0].rank == 1;
}

const weft_op weft_softmax_op = {
    .name = "softmax",
    .summary = "exp(x[k]) / sum over j of exp(x[j]), along the last dimension",
    .shapes = "x [..,classes] -> [..,classes]",
    .source = "Bridle 1990",

    .family = WEFT_FAMILY_ACTIVATION,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .in_place = WEFT_INPUT(0),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_softmax_cost,
    .mixes = mixes,
    .sample = sample,
};

/* ---- Its gradient, g = y (dy - <dy, y>) ---- */

enum { Y, DY };

static bool infer_gradient(weft_infer *infer)
{
    if (!weft_shape_equal(infer->shape[Y], infer->shape[DY]))
        return weft_infer_fail(infer, "gradient and softmax differ in shape");
    return weft_infer_real(infer, DY, "gradient") && weft_infer_like_input(infer);
}

/* For the gradient u of g: with respect to dy it is y (u - <u, y>); with respect to y it is
 * u (dy - <dy, y>) - dy <u, y>. */
static void gradient_gradient(weft_gradient_call *call)
{
    weft_value y = call->input[Y], dy = call->input[DY], u = call->output_gradient[0];
    if (call->wanted[DY])
        call->input_gradient[DY] = weft_softmax_gradient(y, u);
    if (!call->wanted[Y])
        return;
    weft_value centred = weft_subtract(dy, weft_sum_classes(weft_multiply(dy, y), true));
    call->input_gradient[Y] = weft_subtract(
        weft_multiply(u, centred), weft_multiply(dy, weft_sum_classes(weft_multiply(u, y), true)));
}

static void gradient_f64(const weft_operands *operands)
{
    weft_softmax_args all = weft_softmax_rows(&operands->input[Y]);
    for (int64_t row = 0; row < all.rows; row++) {
        const double *y = weft_row_f64(&operands->input[Y], row);
        const double *dy = weft_row_f64(&operands->input[DY], row);
        double *g = weft_row_f64(&operands->output[0], row);
        double dot = 0;
        for (int64_t k = 0; k < all.classes; k++)
            dot += y[k] * dy[k];
        for (int64_t k = 0; k < all.classes; k++)
            g[k] = y[k] * (dy[k] - dot);
    }
}

static bool gradient_bind(weft_bind *bind)
{
    return weft_softmax_bind(bind, weft_softmax_table()->softmax_gradient);
}

static bool gradient_sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_value y;
    if (!weft_sample_classes(sampler, index, &shape, &y))
        return false;
    weft_value dy = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_softmax_gradient(y, dy));
    return true;
}

const weft_op weft_softmax_gradient_op = {
    .name = "softmax_gradient",
    .summary = "y (dy - <dy, y>), the product along the last dimension",
    .shapes = "y [..,classes], dy [..,classes] -> [..,classes]",
    .source = "chain rule of softmax",

    .family = WEFT_FAMILY_ACTIVATION,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .in_place = WEFT_INPUT(Y) | WEFT_INPUT(DY),
    .infer = infer_gradient,
    .gradient = gradient_gradient,
    .run_f64 = gradient_f64,
    .bind = gradient_bind,
    .cost = weft_softmax_cost,
    .sample = gradient_sample,
};
