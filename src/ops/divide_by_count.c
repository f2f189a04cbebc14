/* x / (elements of like / elements of x - less): the factor of the gradients of a mean and, with less = 1, of an
 * unbiased variance, known when extents are bound. */
#include "graph/bind_map.h"
#include "ops/map.h"
#include "ops/ops.h"
#include "ops/reduction.h"
#include "ops/rules.h"
#include "ops/samples.h"

weft_value weft_divide_by_count_less(weft_value x, weft_value like, int less)
{
    const int32_t attribute = less;
    return weft_apply(x.graph, &weft_divide_by_count_op, &attribute, sizeof(attribute), NULL,
                      (weft_value[]){x, like}, 2, NULL, 1);
}

weft_value weft_divide_by_count(weft_value x, weft_value like)
{
    return weft_divide_by_count_less(x, like, 0);
}

static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_divide_by_count_less(call->output_gradient[0], call->input[1],
                                                        *(const int32_t *)call->attributes);
}

static double factor(const void *attributes, const weft_tensor *x, const weft_tensor *like)
{
    double count = (double)weft_tensor_elements(like) / (double)weft_tensor_elements(x);
    return 1 / (count - *(const int32_t *)attributes);
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    double scale = factor(operands->attributes, x, &operands->input[1]);
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        ((double *)y->data)[weft_tensor_offset(y, i)] =
            scale * ((const double *)x->data)[weft_tensor_offset(x, i)];
}

static bool bind(weft_bind *bind)
{
    double scale = factor(bind->attributes, &bind->input[0], &bind->input[1]);
    return weft_map_bind(bind, WEFT_MAP_SCALE, (float)scale, 0);
}

static int identity(const weft_bind *bind)
{
    return factor(bind->attributes, &bind->input[0], &bind->input[1]) == 1 ? 0 : -1;
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index >= 5)
        return false;
    weft_shape shape = weft_sample_shape(sampler, index / 2, 2, 5);
    weft_shape large = weft_sample_shape(sampler, 3, 2, 5);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value like = weft_sampler_input(sampler, large, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_divide_by_count_less(x, like, index % 2));
    return true;
}

/* The count may be of images. */
static bool mixes(const weft_bind *bind)
{
    (void)bind;
    return true;
}

const weft_op weft_divide_by_count_op = {
    .name = "divide_by_count",
    .summary = "x divided by how many elements like has for each of x",
    .shapes = "x [..], like -> [..]",
    .source = "chain rule of mean",

    .family = WEFT_FAMILY_ARITHMETIC,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(1),
    .in_place = WEFT_INPUT(0),
    .infer = weft_infer_like_input,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .identity = identity,
    .mixes = mixes,
    .sample = sample,
};
