/* Local response normalization, and its gradient. */
#include "kernels/local_response.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/normalization.h"
#include "weft/pooling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct local_response_attributes {
    int64_t size; /* channels of a window, odd */
    double alpha, beta, k;
} local_response_attributes;

static weft_value apply(const weft_op *op, const local_response_attributes *attributes,
                        const char *name, const weft_value *input, int inputs)
{
    return weft_apply(input[0].graph, op, attributes, sizeof(*attributes), name, input, inputs,
                      NULL, 1);
}

weft_value weft_local_response_norm(weft_value x, const weft_local_response_options *options)
{
    const weft_local_response_options none = {0};
    if (!options)
        options = &none;
    local_response_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.size = options->size != 0 ? options->size : 5;
    attributes.alpha = options->alpha != 0 ? options->alpha : 1e-4;
    attributes.beta = options->beta != 0 ? options->beta : 0.75;
    attributes.k = options->k != 0 ? options->k : 1;
    return apply(&weft_local_response_norm_op, &attributes, options->name, &x, 1);
}

/* ---- Shapes ---- */

static bool infer(weft_infer *infer)
{
    const local_response_attributes *a = infer->attributes;
    const weft_shape *x = &infer->shape[infer->inputs - 1];
    char text[128];
    if (x->rank < 2 || x->extent[x->rank - 1] < 1)
        return weft_infer_fail(infer, "input %s must have rank 2 or more and fixed channels",
                               weft_shape_text(*x, text, sizeof(text)));
    if (a->size < 1 || a->size % 2 == 0)
        return weft_infer_fail(infer, "size %lld is not odd and positive", (long long)a->size);
    if (!(a->alpha >= 0) || !(a->k > 0) || !(isfinite(a->alpha + a->beta + a->k)))
        return weft_infer_fail(infer, "alpha is %g, beta %g, k %g", a->alpha, a->beta, a->k);
    if (infer->inputs == 2 && !weft_shape_equal(infer->shape[0], infer->shape[1]))
        return weft_infer_fail(infer, "gradient and input differ in shape");
    return weft_infer_real(infer, infer->inputs - 1, "input") && weft_infer_like_input(infer);
}

static void label(const void *attributes, char *text, size_t size)
{
    const local_response_attributes *a = attributes;
    snprintf(text, size, "size %lld", (long long)a->size);
}

/* ---- Plain form ---- */

static double element(const weft_tensor *tensor, int64_t index)
{
    return ((const double *)tensor->data)[weft_tensor_offset(tensor, index)];
}

/* The sum over the window around channel c of what f says of an element of x, counted over the whole
 * tensor. */
typedef double window_function(const weft_operands *operands, int64_t index);

static double window_sum(const weft_operands *operands, int64_t index, window_function *f)
{
    const local_response_attributes *a = operands->attributes;
    const weft_tensor *x = &operands->output[0];
    int64_t channels = x->extent[x->rank - 1], channel = index % channels;
    double sum = 0;
    for (int64_t c = channel - a->size / 2; c <= channel + a->size / 2; c++)
        if (c >= 0 && c < channels)
            sum += f(operands, index - channel + c);
    return sum;
}

static double squared(const weft_operands *operands, int64_t index)
{
    double x = element(&operands->input[operands->inputs - 1], index);
    return x * x;
}

/* k + alpha / size * (sum of squares). */
static double scale_at(const weft_operands *operands, int64_t index)
{
    const local_response_attributes *a = operands->attributes;
    return a->k + a->alpha / (double)a->size * window_sum(operands, index, squared);
}

static void run_f64(const weft_operands *operands)
{
    const local_response_attributes *a = operands->attributes;
    const weft_tensor *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        ((double *)y->data)[weft_tensor_offset(y, i)] =
            element(&operands->input[0], i) * pow(scale_at(operands, i), -a->beta);
}

enum { DY, X };

/* dy x s^(-beta - 1) */
static double through(const weft_operands *operands, int64_t index)
{
    const local_response_attributes *a = operands->attributes;
    return element(&operands->input[DY], index) * element(&operands->input[X], index) *
           pow(scale_at(operands, index), -a->beta - 1);
}

static void gradient_f64(const weft_operands *operands)
{
    const local_response_attributes *a = operands->attributes;
    const weft_tensor *dx = &operands->output[0];
    double factor = -2 * a->beta * a->alpha / (double)a->size;
    for (int64_t i = 0, n = weft_tensor_elements(dx); i < n; i++)
        ((double *)dx->data)[weft_tensor_offset(dx, i)] =
            element(&operands->input[DY], i) * pow(scale_at(operands, i), -a->beta) +
            factor * element(&operands->input[X], i) * window_sum(operands, i, through);
}

/* ---- Fast form ---- */

static bool bind_kernel(weft_bind *bind, weft_piece_fn *kernel)
{
    const local_response_attributes *a = bind->attributes;
    const weft_tensor *x = &bind->output[0];
    if (a->size / 2 > WEFT_LOCAL_RESPONSE_REACH)
        return false;
    weft_local_response_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    int64_t channels = x->extent[x->rank - 1];
    *args = (weft_local_response_args){.rows = weft_tensor_elements(x) / channels,
                                       .channels = channels,
                                       .reach = a->size / 2,
                                       .k = (float)a->k,
                                       .scale = (float)(a->alpha / (double)a->size),
                                       .beta = (float)a->beta};
    weft_bind_phase(bind, kernel, weft_local_response_cut(args));
    return true;
}

static bool bind(weft_bind *bind)
{
    return bind_kernel(bind, weft_local_response_table()->forward);
}

static bool bind_gradient(weft_bind *bind)
{
    return bind_kernel(bind, weft_local_response_table()->gradient);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    const local_response_attributes *a = bind->attributes;
    cost->flops = bind->inputs * (double)(a->size + 6) * (double)weft_bind_elements(bind);
    cost->bytes = weft_bind_bytes(bind);
}

/* ---- Gradients ---- */

static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = apply(&weft_local_response_norm_gradient_op, call->attributes, NULL,
                                    (weft_value[]){call->output_gradient[0], call->input[0]}, 2);
}

/* The mean over the window around each channel, which counts channels that there are not as zeros. As a
 * matrix it is symmetric: it is its own gradient. */
static weft_value window_mean(const local_response_attributes *a, weft_value x)
{
    int size = (int)a->size, reach = size / 2;
    weft_value rows = weft_reshape(x, weft_shape_of(WEFT_BATCH, weft_channels(x), 1));
    weft_pool_options pool = {.window = {size},
                              .stride = {1},
                              .pad_low = {reach},
                              .pad_high = {reach},
                              .count_include_pad = true};
    return weft_reshape_like(weft_average_pool(rows, &pool), x);
}

static weft_value raised(weft_value s, double power)
{
    return weft_exp(weft_scale(weft_log(s), power));
}

/* Let P be the window's mean, s = k + alpha P(x^2), and r = s^(-beta - 1). For the gradient u of
 *   dx = dy s^-beta - 2 alpha beta x P(dy x r)
 * it is, with w = P(x u), by dy
 *   u s^-beta - 2 alpha beta w x r,
 * and by x
 *   -2 alpha beta (u P(dy x r) + w dy r) + 2 alpha x P(q),
 * where q = -beta dy u r + 2 alpha beta (beta + 1) w dy x r / s flows to s. */
static void gradient_gradient(weft_gradient_call *call)
{
    const local_response_attributes *a = call->attributes;
    double both = 2 * a->alpha * a->beta;
    weft_value dy = call->input[DY], x = call->input[X], u = call->output_gradient[0];
    weft_value s = weft_offset(weft_scale(window_mean(a, weft_square(x)), a->alpha), a->k);
    weft_value r = raised(s, -a->beta - 1);
    weft_value w = window_mean(a, weft_multiply(x, u));
    if (call->wanted[DY])
        call->input_gradient[DY] =
            weft_subtract(weft_multiply(u, raised(s, -a->beta)),
                          weft_scale(weft_multiply(w, weft_multiply(x, r)), both));
    if (!call->wanted[X])
        return;
    weft_value slope = weft_multiply(dy, r), sloped = weft_multiply(w, slope);
    weft_value seen = weft_multiply(u, window_mean(a, weft_multiply(slope, x)));
    weft_value q =
        weft_subtract(weft_scale(weft_divide(weft_multiply(sloped, x), s), both * (a->beta + 1)),
                      weft_scale(weft_multiply(slope, u), a->beta));
    call->input_gradient[X] =
        weft_subtract(weft_scale(weft_multiply(x, window_mean(a, q)), 2 * a->alpha),
                      weft_scale(weft_add(seen, sloped), both));
}

/* ---- Samples ---- */

/* The first have strong normalization, windows wider than all channels, and powers of each kind; the last is
 * longer than what a kernel works on at a time. */
static const weft_local_response_options cases[] = {
    {.size = 5, .alpha = 1.5, .k = 2},
    {.size = 3, .alpha = 0.8, .beta = 0.5},
    {.size = 9, .alpha = 2, .beta = 1.25, .k = 0.5},
    {.size = 1, .alpha = 0.7},
    {.size = 67, .alpha = 3, .beta = 0.6},
    {.size = 5, .alpha = 1},
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static weft_value sample_input(weft_sampler *sampler, int index)
{
    weft_shape shape = {3, {weft_sampler_integer(sampler, 1, 2), 2, 0}};
    shape.extent[2] = index == 2 ? 3 : weft_sampler_integer(sampler, 5, 37);
    if (index == CASES - 1)
        shape = weft_shape_of(1, 263);
    return weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index >= CASES)
        return false;
    weft_sampler_output(sampler,
                        weft_local_response_norm(sample_input(sampler, index), &cases[index]));
    return true;
}

static bool gradient_sample(weft_sampler *sampler, int index)
{
    if (index >= CASES - 1) /* the fast forms share their blocks */
        return false;
    weft_value x = sample_input(sampler, index);
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(x), WEFT_SAMPLE_NORMAL);
    local_response_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.size = cases[index].size;
    attributes.alpha = cases[index].alpha;
    attributes.beta = cases[index].beta != 0 ? cases[index].beta : 0.75;
    attributes.k = 1;
    weft_sampler_output(sampler, apply(&weft_local_response_norm_gradient_op, &attributes, NULL,
                                       (weft_value[]){dy, x}, 2));
    return true;
}

const weft_op weft_local_response_norm_op = {
    .name = "local_response_norm",
    .summary = "x / (k + alpha / size * sum of the squares of size neighbouring channels)^beta",
    .shapes = "x [..,C] -> [..,C]",
    .parameters = "size, alpha, beta, k",
    .source = "Krizhevsky, Sutskever, Hinton 2012, section 3.3",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .label = label,
    .sample = sample,
};

const weft_op weft_local_response_norm_gradient_op = {
    .name = "local_response_norm_gradient",
    .summary = "the gradient of local_response_norm",
    .shapes = "dy [..,C], x [..,C] -> [..,C]",
    .parameters = "size, alpha, beta, k",
    .source = "chain rule of local_response_norm",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .infer = infer,
    .gradient = gradient_gradient,
    .run_f64 = gradient_f64,
    .bind = bind_gradient,
    .cost = cost,
    .label = label,
    .sample = gradient_sample,
};
