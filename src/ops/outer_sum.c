/* The sum of outer products over all leading dimensions: the gradient of a dense layer's weights. */
#include "kernels/matmul.h"
#include "ops/bind_plan.h"
#include "ops/collapse.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/dense.h"

enum { A, B };

weft_value weft_outer_sum(weft_value a, weft_value b, const weft_outer_sum_options *options)
{
    weft_value input[] = {a, b};
    return weft_apply(a.graph, &weft_outer_sum_op, NULL, 0, options == NULL ? NULL : options->name,
                      input, 2, NULL, 1);
}

static bool infer(weft_infer *infer)
{
    const weft_shape *a = &infer->shape[A], *b = &infer->shape[B];
    char first[128], second[128];
    if (!weft_infer_real(infer, A, "first operand") || !weft_infer_real(infer, B, "second operand"))
        return false;
    bool fits = a->rank >= 2 && a->rank == b->rank;
    for (int d = 0; fits && d < a->rank - 1; d++)
        fits = a->extent[d] == b->extent[d];
    if (!fits)
        return weft_infer_fail(infer, "%s and %s must agree in all but their last dimensions",
                               weft_shape_text(*a, first, sizeof(first)),
                               weft_shape_text(*b, second, sizeof(second)));
    infer->out_shape[0] = weft_shape_of(a->extent[a->rank - 1], b->extent[b->rank - 1]);
    return true;
}

static void gradient(weft_gradient_call *call)
{
    weft_value a = call->input[A], b = call->input[B], dc = call->output_gradient[0];
    if (call->wanted[A])
        call->input_gradient[A] = weft_matmul(b, dc, &(weft_matmul_options){.transpose_b = true});
    if (call->wanted[B])
        call->input_gradient[B] = weft_matmul(a, dc, NULL);
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *a = &operands->input[A], *b = &operands->input[B], *c = &operands->output[0];
    int64_t rows = c->extent[0], columns = c->extent[1];
    int64_t terms = weft_tensor_elements(a) / rows;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            ((double *)c->data)[i * c->stride[0] + j] = 0;
    for (int64_t n = 0; n < terms; n++) {
        const double *from_a = (const double *)a->data + weft_tensor_offset(a, n * rows);
        const double *from_b = (const double *)b->data + weft_tensor_offset(b, n * columns);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                ((double *)c->data)[i * c->stride[0] + j] += from_a[i] * from_b[j];
    }
}

static bool bind_f32(weft_bind *bind)
{
    const weft_tensor *a = &bind->input[A], *b = &bind->input[B], *c = &bind->output[0];
    weft_matmul_problem problem = {
        .batch = 1,
        .rows = c->extent[0],
        .columns = c->extent[1],
        .transpose_a = true,
        .c_stride = c->stride[0],
    };
    if (!weft_collapse(a, 0, a->rank - 1, &problem.inner, &problem.a_stride) ||
        !weft_collapse(b, 0, b->rank - 1, &problem.inner, &problem.b_stride))
        return false;
    weft_slots slots = weft_bind_slots(bind);
    weft_kernel_plan plan;
    weft_matmul_plan(&problem, &slots, &plan);
    return weft_bind_plan(bind, &plan);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops =
        2 * (double)weft_tensor_elements(&bind->input[A]) * (double)bind->output[0].extent[1];
    cost->bytes = weft_bind_bytes(bind);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const int leading[] = {1, 2, 3, 1};
    if (index < 0 || index >= (int)(sizeof(leading) / sizeof(leading[0])))
        return false;
    weft_shape a = {.rank = leading[index] + 1};
    for (int d = 0; d < leading[index]; d++)
        a.extent[d] = weft_sampler_integer(sampler, 1, 7);
    weft_shape b = a;
    int64_t most = index == 3 ? 70 : 9; /* the last is beyond a vector and a tile */
    a.extent[a.rank - 1] = weft_sampler_integer(sampler, most / 2, most);
    b.extent[b.rank - 1] = weft_sampler_integer(sampler, most / 2, most);
    weft_value from_a = weft_sampler_input(sampler, a, WEFT_SAMPLE_NORMAL);
    weft_value from_b = weft_sampler_input(sampler, b, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_outer_sum(from_a, from_b, NULL));
    return true;
}

const weft_op weft_outer_sum_op = {
    .name = "outer_sum",
    .summary = "sum over n of a[n,row] b[n,column]",
    .shapes = "a [..,rows], b [..,columns] -> [rows,columns]",
    .source = "chain rule of matmul",

    .family = WEFT_FAMILY_DENSE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .cost = cost,
    .sample = sample,
};
