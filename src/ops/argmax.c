/* The position of the first largest, or smallest, element along an axis. */
#include "kernels/argmax.h"

#include "ops/axes.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

#include <math.h>
#include <stdio.h>

static weft_value apply(const weft_op *op, weft_value x, int axis)
{
    int32_t attribute = axis;
    return weft_apply(x.graph, op, &attribute, sizeof(attribute), NULL, &x, 1, NULL, 1);
}

weft_value weft_argmax(weft_value x, int axis)
{
    return apply(&weft_argmax_op, x, axis);
}

weft_value weft_argmin(weft_value x, int axis)
{
    return apply(&weft_argmin_op, x, axis);
}

static bool infer(weft_infer *infer)
{
    const weft_shape *x = &infer->shape[0];
    int axis = weft_infer_axis(infer, *(const int32_t *)infer->attributes, x->rank);
    if (axis < 0 || !weft_infer_real(infer, 0, "input"))
        return false;
    if (x->extent[axis] > INT32_MAX)
        return weft_infer_fail(infer, "%lld elements along the axis are more than int32 counts",
                               (long long)x->extent[axis]);
    infer->out_shape[0] = (weft_shape){.rank = x->rank - 1};
    for (int i = 0; i < x->rank - 1; i++)
        infer->out_shape[0].extent[i] = x->extent[i < axis ? i : i + 1];
    infer->out_dtype[0] = WEFT_INT32;
    return true;
}

static void search_f64(const weft_operands *operands, bool (*beats)(double, double))
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    int axis = weft_axis(*(const int32_t *)operands->attributes, x->rank);
    int64_t inner = 1;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->extent[i];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        int64_t first = i / inner * inner * x->extent[axis] + i % inner;
        const double *from = (const double *)x->data + weft_tensor_offset(x, first);
        int32_t best = 0;
        for (int64_t k = 1; k < x->extent[axis]; k++) {
            double candidate = from[k * x->stride[axis]], extreme = from[best * x->stride[axis]];
            if (beats(candidate, extreme) || (isnan(candidate) && !isnan(extreme)))
                best = (int32_t)k;
        }
        ((int32_t *)y->data)[weft_tensor_offset(y, i)] = best;
    }
}

static bool is_larger(double a, double b)
{
    return a > b;
}

static bool is_smaller(double a, double b)
{
    return a < b;
}

static void argmax_f64(const weft_operands *operands)
{
    search_f64(operands, is_larger);
}

static void argmin_f64(const weft_operands *operands)
{
    search_f64(operands, is_smaller);
}

enum { ELEMENTS_A_PIECE = 16384 };

static bool bind_kernel(weft_bind *bind, weft_piece_fn *run)
{
    const weft_tensor *x = &bind->input[0], *y = &bind->output[0];
    int axis = weft_axis(*(const int32_t *)bind->attributes, x->rank);
    weft_argmax_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    args->outer = 1;
    args->columns = 1;
    args->searched = x->extent[axis];
    args->stride = x->stride[axis];
    for (int i = 0; i < x->rank; i++) {
        if (i == axis)
            continue;
        int own = i < axis ? i : i - 1;
        if (i == x->rank - 1) {
            args->columns = x->extent[i];
        } else {
            args->extent[args->outer_rank] = x->extent[i];
            args->from[args->outer_rank] = x->stride[i];
            args->to[args->outer_rank++] = y->stride[own];
            args->outer *= x->extent[i];
        }
    }
    int64_t work = args->searched * args->columns;
    args->outer_a_piece = work < ELEMENTS_A_PIECE ? ELEMENTS_A_PIECE / work : 1;
    int64_t pieces = (args->outer + args->outer_a_piece - 1) / args->outer_a_piece;
    weft_bind_phase(bind, run, pieces);
    return true;
}

static bool argmax_bind(weft_bind *bind)
{
    return bind_kernel(bind, weft_argmax_table()->argmax);
}

static bool argmin_bind(weft_bind *bind)
{
    return bind_kernel(bind, weft_argmax_table()->argmin);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = (double)weft_tensor_elements(&bind->input[0]);
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "axis %d", *(const int32_t *)attributes);
}

static bool sample(weft_sampler *sampler, int index, const weft_op *op)
{
    static const struct {
        int rank, axis;
        int64_t low, high;
    } cases[] = {{2, -1, 3, 12}, {3, 1, 2, 9}, {4, 0, 2, 5}, {1, 0, 30, 60}, {2, 0, 18, 40}};
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_shape shape =
        weft_sample_shape(sampler, cases[index].rank, cases[index].low, cases[index].high);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_DISTINCT);
    weft_sampler_output(sampler, apply(op, x, cases[index].axis));
    /* Where all positions of the one are 0, those of the other are not. */
    weft_sampler_output(sampler, apply(op, weft_negate(x), cases[index].axis));
    return true;
}

static bool argmax_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, &weft_argmax_op);
}

static bool argmin_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, &weft_argmin_op);
}

#define SEARCH(words)                                                                              \
    .name = words, .family = WEFT_FAMILY_REDUCTION, .min_inputs = 1, .max_inputs = 1,              \
    .outputs = 1, .flags = WEFT_OP_NO_GRADIENT | WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS, \
    .infer = infer, .cost = cost, .label = label

const weft_op weft_argmax_op = {SEARCH("argmax"),
                                .summary =
                                    "the position of the first largest element along an axis",
                                .shapes = "x [..] -> [..] int32 without the axis",
                                .parameters = "axis",
                                .source = "definition",
                                .run_f64 = argmax_f64,
                                .bind = argmax_bind,
                                .sample = argmax_sample};
const weft_op weft_argmin_op = {SEARCH("argmin"),
                                .summary =
                                    "the position of the first smallest element along an axis",
                                .shapes = "x [..] -> [..] int32 without the axis",
                                .parameters = "axis",
                                .source = "definition",
                                .run_f64 = argmin_f64,
                                .bind = argmin_bind,
                                .sample = argmin_sample};
