/* Matrix products, batched, with leading dimensions that broadcast, and with an optional bias. */
#include <stdio.h>
#include <string.h>

#include "graph/fusion.h"
#include "kernels/matmul.h"
#include "ops/bind_plan.h"
#include "ops/collapse.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
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

/* The leading dimensions of the result: those of a and b, where an extent of 1 or none is repeated. */
static bool infer_leading(const weft_infer *infer, const weft_shape *a, const weft_shape *b,
                          weft_shape *c)
{
    c->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int d = 0; d < c->rank - 2; d++) {
        int of_a = d - (c->rank - a->rank), of_b = d - (c->rank - b->rank);
        int64_t from_a = of_a < 0 ? 1 : a->extent[of_a], from_b = of_b < 0 ? 1 : b->extent[of_b];
        if (from_a != from_b && from_a != 1 && from_b != 1) {
            char first[128], second[128];
            return weft_infer_fail(infer, "leading dimensions of %s and %s do not broadcast",
                                   weft_shape_text(*a, first, sizeof(first)),
                                   weft_shape_text(*b, second, sizeof(second)));
        }
        c->extent[d] = from_a == 1 ? from_b : from_a;
    }
    return true;
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
    weft_shape *c = &infer->out_shape[0];
    if (!infer_leading(infer, a, b, c))
        return false;
    int a_inner = a->rank - (attributes->transpose_a ? 2 : 1);
    int b_inner = b->rank - (attributes->transpose_b ? 1 : 2);
    if (a->extent[a_inner] != b->extent[b_inner])
        return weft_infer_fail(infer, "%s has %lld rows%s, input %s has inner extent %lld", second,
                               (long long)b->extent[b_inner],
                               attributes->transpose_b ? " when transposed" : "", first,
                               (long long)a->extent[a_inner]);
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

/* Summed over the leading dimensions along which `like` was repeated. */
static weft_value as_operand(weft_value gradient, weft_value like)
{
    weft_shape wide = weft_shape_get(gradient), narrow = weft_shape_get(like);
    return weft_shape_equal(wide, narrow) ? gradient : weft_sum_like(gradient, like);
}

static void gradient(weft_gradient_call *call)
{
    const matmul_attributes *attributes = call->attributes;
    bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    weft_value a = call->input[A], b = call->input[B], dc = call->output_gradient[0];
    bool serves_all = !ta && weft_shape_get(a).rank > 2 && weft_shape_get(b).rank == 2;
    if (call->wanted[A])
        call->input_gradient[A] =
            as_operand(ta ? product(b, tb, dc, true) : product(dc, false, b, !tb), a);
    if (call->wanted[B] && serves_all)
        call->input_gradient[B] = tb ? weft_outer_sum(dc, a, NULL) : weft_outer_sum(a, dc, NULL);
    else if (call->wanted[B])
        call->input_gradient[B] =
            as_operand(tb ? product(dc, true, a, ta) : product(a, !ta, dc, false), b);
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

/* An operand with the leading dimensions of c. */
static weft_tensor widened(const weft_tensor *tensor, const weft_tensor *c)
{
    weft_tensor wide = *tensor;
    int added = c->rank - tensor->rank;
    wide.rank = c->rank;
    for (int d = 0; d < c->rank - 2; d++) {
        bool repeated = d < added || tensor->extent[d - added] == 1;
        wide.extent[d] = c->extent[d];
        wide.stride[d] = repeated ? 0 : tensor->stride[d - added];
    }
    for (int d = 1; d <= 2; d++) {
        wide.extent[c->rank - d] = tensor->extent[tensor->rank - d];
        wide.stride[c->rank - d] = tensor->stride[tensor->rank - d];
    }
    return wide;
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
    const weft_tensor *c = &operands->output[0];
    const weft_tensor all_a = widened(&operands->input[A], c), *a = &all_a;
    const weft_tensor all_b = widened(&operands->input[B], c), *b = &all_b;
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
            const double *from_b = (const double *)b->data + matrix_offset(b, m);
            double *to = (double *)c->data + matrix_offset(c, m) + i * c->stride[c->rank - 2];
            for (int64_t j = 0; j < of.columns; j++)
                to[j] = bias == NULL ? 0 : bias[j];
            for (int64_t k = 0; k < of.inner; k++)
                for (int64_t j = 0; j < of.columns; j++)
                    to[j] += from_a[k * a_inner] * from_b[k * b_inner + j * b_column];
        }
}

/* What is one problem of the kernel: the dimensions from `outer` on are the batch, those from `split` on rows. */
static bool describe_at(const weft_tensor *a, const weft_tensor *b, const weft_tensor *c, int outer,
                        int split, weft_matmul_problem *problem)
{
    int last = c->rank - 1;
    int64_t ignored;
    problem->b_stride = b->stride[last - 1];
    return weft_collapse(a, outer, split, &ignored, &problem->a_batch_stride) &&
           weft_collapse(b, outer, split, &ignored, &problem->b_batch_stride) &&
           weft_collapse(c, outer, split, &problem->batch, &problem->c_batch_stride) &&
           weft_collapse(a, split, last, &ignored, &problem->a_stride) &&
           weft_collapse(c, split, last, &problem->rows, &problem->c_stride);
}

/* The first leading dimension whose rows, with all that follow, b serves as one matrix. */
static int first_of_rows(const weft_matmul_problem *problem, const weft_tensor *b)
{
    int first = b->rank - 2;
    while (!problem->transpose_a && first > 0 && b->stride[first - 1] == 0)
        first--;
    return first;
}

/* As few leading dimensions as the strides allow are places where the problem repeats, and as many of the
 * others as b serves become rows. */
static void describe(const weft_bind *bind, weft_matmul_problem *problem,
                     weft_repeat_places *places)
{
    const matmul_attributes *attributes = bind->attributes;
    const weft_tensor *c = &bind->output[0];
    const weft_tensor a = widened(&bind->input[A], c), b = widened(&bind->input[B], c);
    extents of = matrix_extents(attributes, &a, c);
    *problem = (weft_matmul_problem){
        .columns = of.columns,
        .inner = of.inner,
        .transpose_a = attributes->transpose_a != 0,
        .transpose_b = attributes->transpose_b != 0,
        .bias = bind->inputs > BIAS,
        .steady_b = (bind->steady & WEFT_INPUT(B)) != 0,
    };
    *places = (weft_repeat_places){0};
    int leading = c->rank - 2, rows = first_of_rows(problem, &b);
    for (int outer = 0; outer <= leading; outer++) {
        for (int split = rows > outer ? rows : outer; split <= leading; split++)
            if (describe_at(&a, &b, c, outer, split, problem))
                return;
        places->extent[outer] = c->extent[outer];
        places->stride[A][outer] = a.stride[outer];
        places->stride[B][outer] = b.stride[outer];
        places->stride[WEFT_REPEAT_OPERANDS - 1][outer] = c->stride[outer];
        places->rank = outer + 1;
    }
}

static bool takes_epilogue(const weft_bind *bind)
{
    const matmul_attributes *attributes = bind->attributes;
    return bind->output[0].rank == 2 && !attributes->transpose_a;
}

static const weft_fusion fusion = {.epilogue = takes_epilogue};

static bool bind_f32(weft_bind *bind)
{
    weft_matmul_problem problem;
    weft_repeat_places places;
    weft_kernel_plan plan;
    describe(bind, &problem, &places);
    problem.epilogue = bind->epilogue;
    weft_slots slots = weft_bind_slots(bind);
    weft_matmul_plan(&problem, places.rank ? NULL : &slots, &plan);
    return places.rank ? weft_bind_repeated(bind, &plan, &places) : weft_bind_plan(bind, &plan);
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
    bool serves_all;             /* b is one matrix */
    int leading;                 /* dimensions before the last two */
    unsigned repeat_a, repeat_b; /* bit i: leading dimension i has the extent 1 there */
    bool window;                 /* operands are views whose leading dimensions have gaps */
    int rows, columns, inner;    /* 0: random */
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
    {.leading = 2, .serves_all = true, .transpose_a = true},
    {.leading = 1, .repeat_a = 1},
    {.leading = 2, .repeat_a = 2, .repeat_b = 1, .bias = true},
    {.leading = 3, .repeat_a = 5, .repeat_b = 2, .transpose_a = true},
    {.leading = 3, .repeat_b = 6, .transpose_b = true},
    {.leading = 2, .window = true, .transpose_b = true},
    {.leading = 2, .window = true, .rows = 33, .columns = 47, .inner = 21, .repeat_b = 1},
    {.leading = 4, .window = true, .rows = 3, .columns = 5, .inner = 2, .transpose_a = true},
    {.rows = 1, .columns = 10, .inner = 131, .bias = true},
    {.rows = 37, .columns = 67, .inner = 1},
    {.rows = 53, .columns = 1, .inner = 19, .transpose_a = true},
    {.rows = 29, .columns = 70, .inner = 45, .transpose_b = true, .bias = true},
};

static int64_t drawn(weft_sampler *sampler, int given)
{
    return given > 0 ? given : weft_sampler_integer(sampler, 1, 9);
}

/* A real input of the shape [leading.., rows, columns], or transposed; as the end of a larger one. */
static weft_value matrices(weft_sampler *sampler, weft_shape leading, int64_t rows, int64_t columns,
                           bool transpose, bool window)
{
    weft_slice_options end = {0};
    for (int d = 0; window && d < leading.rank; d++) {
        leading.extent[d]++;
        end.begin[d] = 1;
    }
    leading.extent[leading.rank++] = transpose ? columns : rows;
    leading.extent[leading.rank++] = transpose ? rows : columns;
    weft_value all = weft_sampler_input(sampler, leading, WEFT_SAMPLE_NORMAL);
    return window ? weft_slice(all, &end) : all;
}

/* The leading dimensions of an operand. */
static weft_shape repeated(weft_shape leading, unsigned dimensions)
{
    for (int d = 0; d < leading.rank; d++)
        if (dimensions >> d & 1)
            leading.extent[d] = 1;
    return leading;
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
    weft_value a = matrices(sampler, repeated(leading, chosen->repeat_a), rows, inner,
                            chosen->transpose_a, chosen->window);
    leading = chosen->serves_all ? none : repeated(leading, chosen->repeat_b);
    weft_value b = matrices(sampler, leading, inner, columns, chosen->transpose_b, chosen->window);
    if (chosen->bias)
        options.bias = weft_sampler_input(sampler, weft_shape_of(columns), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_matmul(a, b, &options));
    return true;
}

const weft_op weft_matmul_op = {
    .name = "matmul",
    .summary =
        "op(a) op(b) + bias, op being the identity or the transpose of the last two dimensions",
    .shapes = "a [..,rows,inner], b [..,inner,columns] or [inner,columns], bias? [columns] -> "
              "[..,rows,columns]",
    .parameters = "transpose_a, transpose_b",
    .source = "definition",

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
