/* Matrix products, batched or with one matrix for all rows, with an optional bias. */
#include <stdio.h>
#include <string.h>

#include "graph/fusion.h"
#include "kernels/matmul.h"
#include "ops/bind_plan.h"
#include "ops/collapse.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/arithmetic.h"
#include "weft/dense.h"

enum { A, B, BIAS };

typedef struct matmul_attributes {
    int32_t transpose_a, transpose_b;
} matmul_attributes;

weft_value weft_matmul(weft_value a, weft_value b, const weft_matmul_options *options)
{
    static const weft_matmul_options defaults;
    if (options == NULL)
        options = &defaults;
    matmul_attributes attributes = {options->transpose_a, options->transpose_b};
    bool biased = !weft_is_null(options->bias);
    weft_value input[] = {a, b, biased ? options->bias : a};
    return weft_apply(a.graph, &weft_matmul_op, &attributes, sizeof(attributes), options->name,
                      input, biased ? 3 : 2, NULL, 1);
}

/* ---- Shape rule ---- */

/* Leading dimensions are equal, or b is one matrix for all rows of a. */
static bool check_leading(const weft_infer *infer, const weft_shape *a, const weft_shape *b)
{
    const matmul_attributes *attributes = infer->attributes;
    bool fits = a->rank == b->rank || (b->rank == 2 && !attributes->transpose_a);
    for (int d = 0; fits && a->rank == b->rank && d < a->rank - 2; d++)
        fits = a->extent[d] == b->extent[d];
    if (fits)
        return true;
    char first[128], second[128];
    return weft_infer_fail(
        infer, "leading dimensions of %s and %s must be the same%s",
        weft_shape_text(*a, first, sizeof(first)), weft_shape_text(*b, second, sizeof(second)),
        attributes->transpose_a ? " where the first is transposed" : ", or the second a matrix");
}

static bool check_bias(const weft_infer *infer, int64_t columns)
{
    if (infer->inputs <= BIAS)
        return true;
    const weft_shape *bias = &infer->shape[BIAS];
    char text[128];
    if (!weft_infer_real(infer, BIAS, "bias"))
        return false;
    if (bias->rank != 1 || bias->extent[0] != columns)
        return weft_infer_fail(infer, "bias %s must have the shape [%lld]",
                               weft_shape_text(*bias, text, sizeof(text)), (long long)columns);
    return true;
}

static bool infer(weft_infer *infer)
{
    const matmul_attributes *attributes = infer->attributes;
    const weft_shape *a = &infer->shape[A], *b = &infer->shape[B];
    char first[128], second[128];
    weft_shape_text(*a, first, sizeof(first));
    weft_shape_text(*b, second, sizeof(second));
    if (!weft_infer_real(infer, A, "first operand") || !weft_infer_real(infer, B, "second operand"))
        return false;
    if (a->rank < 2 || b->rank < 2)
        return weft_infer_fail(infer, "operands %s and %s must have rank 2 at least", first,
                               second);
    if (!check_leading(infer, a, b))
        return false;
    int a_inner = a->rank - (attributes->transpose_a ? 2 : 1);
    int b_inner = b->rank - (attributes->transpose_b ? 1 : 2);
    if (a->extent[a_inner] != b->extent[b_inner])
        return weft_infer_fail(infer, "%s has %lld rows%s, input %s has inner extent %lld", second,
                               (long long)b->extent[b_inner],
                               attributes->transpose_b ? " when transposed" : "", first,
                               (long long)a->extent[a_inner]);
    weft_shape *c = &infer->out_shape[0];
    *c = *a;
    c->extent[c->rank - 2] = a->extent[attributes->transpose_a ? a->rank - 1 : a->rank - 2];
    c->extent[c->rank - 1] = b->extent[attributes->transpose_b ? b->rank - 2 : b->rank - 1];
    return check_bias(infer, c->extent[c->rank - 1]);
}

/* ---- Gradient ---- */

static weft_value product(weft_value a, bool transpose_a, weft_value b, bool transpose_b)
{
    return weft_matmul(
        a, b, &(weft_matmul_options){.transpose_a = transpose_a, .transpose_b = transpose_b});
}

static void gradient(weft_gradient_call *call)
{
    const matmul_attributes *attributes = call->attributes;
    bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    weft_value a = call->input[A], b = call->input[B], dc = call->output_gradient[0];
    bool serves_all = weft_shape_get(a).rank > weft_shape_get(b).rank;
    if (call->wanted[A])
        call->input_gradient[A] = ta ? product(b, tb, dc, true) : product(dc, false, b, !tb);
    if (call->wanted[B] && serves_all)
        call->input_gradient[B] = tb ? weft_outer_sum(dc, a, NULL) : weft_outer_sum(a, dc, NULL);
    else if (call->wanted[B])
        call->input_gradient[B] = tb ? product(dc, true, a, ta) : product(a, !ta, dc, false);
    if (call->inputs > BIAS && call->wanted[BIAS])
        call->input_gradient[BIAS] = weft_sum_like(dc, call->input[BIAS]);
}

/* ---- Execution ---- */

/* Extents of one product; rows of one matrix of a. */
typedef struct extents {
    int64_t rows, columns, inner;
} extents;

static extents matrix_extents(const matmul_attributes *attributes, const weft_tensor *a,
                              const weft_tensor *c)
{
    return (extents){
        .rows = c->extent[c->rank - 2],
        .columns = c->extent[c->rank - 1],
        .inner = a->extent[attributes->transpose_a ? a->rank - 2 : a->rank - 1],
    };
}

/* Offset of matrix number m of those that the last two dimensions are. */
static int64_t matrix_offset(const weft_tensor *tensor, int64_t m)
{
    int rank = tensor->rank;
    return weft_tensor_offset(tensor, m * tensor->extent[rank - 2] * tensor->extent[rank - 1]);
}

static void run_f64(const weft_operands *operands)
{
    const matmul_attributes *attributes = operands->attributes;
    const weft_tensor *a = &operands->input[A], *b = &operands->input[B], *c = &operands->output[0];
    const double *bias = operands->inputs > BIAS ? operands->input[BIAS].data : NULL;
    extents of = matrix_extents(attributes, a, c);
    int64_t a_row = a->stride[a->rank - (attributes->transpose_a ? 1 : 2)];
    int64_t a_inner = a->stride[a->rank - (attributes->transpose_a ? 2 : 1)];
    int64_t b_inner = b->stride[b->rank - (attributes->transpose_b ? 1 : 2)];
    int64_t b_column = b->stride[b->rank - (attributes->transpose_b ? 2 : 1)];
    int64_t matrices = weft_tensor_elements(c) / (of.rows * of.columns);
    for (int64_t m = 0; m < matrices; m++)
        for (int64_t i = 0; i < of.rows; i++) {
            const double *from_a = (const double *)a->data + matrix_offset(a, m) + i * a_row;
            const double *from_b =
                (const double *)b->data + (b->rank < a->rank ? 0 : matrix_offset(b, m));
            double *to = (double *)c->data + matrix_offset(c, m) + i * c->stride[c->rank - 2];
            for (int64_t j = 0; j < of.columns; j++)
                to[j] = bias == NULL ? 0 : bias[j];
            for (int64_t k = 0; k < of.inner; k++)
                for (int64_t j = 0; j < of.columns; j++)
                    to[j] += from_a[k * a_inner] * from_b[k * b_inner + j * b_column];
        }
}

/* Splits the dimensions of a row operand at `split`: those before are the batch, those after the rows. */
static bool split_rows(const weft_tensor *tensor, int split, int64_t *batch, int64_t *batch_stride,
                       int64_t *rows, int64_t *row_stride)
{
    return weft_collapse(tensor, 0, split, batch, batch_stride) &&
           weft_collapse(tensor, split, tensor->rank - 1, rows, row_stride);
}

static bool describe_at(const weft_bind *bind, int split, weft_matmul_problem *problem)
{
    const weft_tensor *a = &bind->input[A], *b = &bind->input[B], *c = &bind->output[0];
    int64_t ignored;
    if (!split_rows(a, split, &ignored, &problem->a_batch_stride, &ignored, &problem->a_stride) ||
        !split_rows(c, split, &problem->batch, &problem->c_batch_stride, &problem->rows,
                    &problem->c_stride))
        return false;
    problem->b_stride = b->stride[b->rank - 2];
    return b->rank < a->rank ||
           weft_collapse(b, 0, b->rank - 2, &ignored, &problem->b_batch_stride);
}

/* Where b serves all rows, as many dimensions as the strides of a and c allow become rows. */
static bool describe(const weft_bind *bind, weft_matmul_problem *problem)
{
    const matmul_attributes *attributes = bind->attributes;
    const weft_tensor *a = &bind->input[A], *b = &bind->input[B], *c = &bind->output[0];
    extents of = matrix_extents(attributes, a, c);
    *problem = (weft_matmul_problem){
        .columns = of.columns,
        .inner = of.inner,
        .transpose_a = attributes->transpose_a != 0,
        .transpose_b = attributes->transpose_b != 0,
        .bias = bind->inputs > BIAS,
        .steady_b = (bind->steady & WEFT_INPUT(B)) != 0,
    };
    for (int split = b->rank < a->rank ? 0 : a->rank - 2; split <= a->rank - 2; split++)
        if (describe_at(bind, split, problem))
            return true;
    return false;
}

static bool takes_epilogue(const weft_bind *bind)
{
    weft_matmul_problem problem;
    return bind->output[0].rank == 2 && describe(bind, &problem) && !problem.transpose_a;
}

static const weft_fusion fusion = {.epilogue = takes_epilogue};

static bool bind_f32(weft_bind *bind)
{
    weft_matmul_problem problem;
    if (!describe(bind, &problem))
        return false;
    problem.epilogue = bind->epilogue;
    weft_slots slots = weft_bind_slots(bind);
    weft_kernel_plan plan;
    weft_matmul_plan(&problem, &slots, &plan);
    return weft_bind_plan(bind, &plan);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    extents of = matrix_extents(bind->attributes, &bind->input[A], &bind->output[0]);
    cost->flops = 2 * (double)weft_bind_elements(bind) * (double)of.inner;
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *attributes_bytes, char *text, size_t size)
{
    const matmul_attributes *attributes = attributes_bytes;
    static const char *const texts[2][2] = {{"", "a bT"}, {"aT b", "aT bT"}};
    snprintf(text, size, "%s", texts[attributes->transpose_a != 0][attributes->transpose_b != 0]);
}

/* ---- Samples ---- */

typedef struct matmul_sample {
    bool transpose_a, transpose_b, bias;
    bool serves_all;          /* b is one matrix */
    int leading;              /* dimensions before the last two */
    int rows, columns, inner; /* 0: random */
} matmul_sample;

static const matmul_sample samples[] = {
    {.bias = true},
    {.transpose_a = true},
    {.transpose_b = true, .bias = true},
    {.transpose_a = true, .transpose_b = true},
    {.leading = 1, .bias = true},
    {.leading = 2, .transpose_a = true},
    {.leading = 1, .transpose_b = true},
    {.leading = 2, .transpose_a = true, .transpose_b = true, .bias = true},
    {.leading = 1, .serves_all = true, .bias = true},
    {.leading = 2, .serves_all = true, .transpose_b = true},
    {.rows = 1, .columns = 10, .inner = 131, .bias = true},
    {.rows = 37, .columns = 67, .inner = 1},
    {.rows = 53, .columns = 1, .inner = 19, .transpose_a = true},
    {.rows = 29, .columns = 70, .inner = 45, .transpose_b = true, .bias = true},
};

static int64_t drawn(weft_sampler *sampler, int given)
{
    return given > 0 ? given : weft_sampler_integer(sampler, 1, 9);
}

/* A real input of the shape [leading.., rows, columns], or transposed. */
static weft_value matrices(weft_sampler *sampler, weft_shape leading, int64_t rows, int64_t columns,
                           bool transpose)
{
    leading.extent[leading.rank++] = transpose ? columns : rows;
    leading.extent[leading.rank++] = transpose ? rows : columns;
    return weft_sampler_input(sampler, leading, WEFT_SAMPLE_NORMAL);
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index < 0 || index >= (int)(sizeof(samples) / sizeof(samples[0])))
        return false;
    const matmul_sample *chosen = &samples[index];
    weft_shape leading = {.rank = chosen->leading}, none = {.rank = 0};
    for (int d = 0; d < chosen->leading; d++)
        leading.extent[d] = weft_sampler_integer(sampler, 1, 4);
    int64_t rows = drawn(sampler, chosen->rows), columns = drawn(sampler, chosen->columns);
    int64_t inner = drawn(sampler, chosen->inner);
    weft_matmul_options options = {.transpose_a = chosen->transpose_a,
                                   .transpose_b = chosen->transpose_b};
    weft_value a = matrices(sampler, leading, rows, inner, chosen->transpose_a);
    weft_value b =
        matrices(sampler, chosen->serves_all ? none : leading, inner, columns, chosen->transpose_b);
    if (chosen->bias)
        options.bias = weft_sampler_input(sampler, weft_shape_of(columns), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_matmul(a, b, &options));
    return true;
}

const weft_op weft_matmul_op = {
    .name = "matmul",
    .family = WEFT_FAMILY_DENSE,
    .min_inputs = 2,
    .max_inputs = 3,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .fusion = &fusion,
    .cost = cost,
    .label = label,
    .sample = sample,
};
