/* The norm of many values taken as one vector: what clipping scales gradients by. */
#include "kernels/update.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/arithmetic.h"
#include "weft/optim.h"

#include <math.h>
#include <string.h>

static bool infer_norm(weft_infer *infer)
{
    infer->out_shape[0] = (weft_shape){.rank = 0};
    for (int i = 0; i < infer->inputs; i++)
        if (!weft_infer_real(infer, i, "input"))
            return false;
    return true;
}

/* d norm / d x = x / norm; NaN where all elements are zero. */
static void norm_gradient(weft_gradient_call *call)
{
    weft_value factor = weft_divide(call->output_gradient[0], call->output[0]);
    for (int i = 0; i < call->inputs; i++)
        if (call->wanted[i])
            call->input_gradient[i] = weft_multiply(call->input[i], factor);
}

static void norm_f64(const weft_operands *operands)
{
    double sum = 0;
    for (int i = 0; i < operands->inputs; i++) {
        const weft_tensor *x = &operands->input[i];
        for (int64_t k = 0, n = weft_tensor_elements(x); k < n; k++) {
            double element = ((const double *)x->data)[weft_tensor_offset(x, k)];
            sum += element * element;
        }
    }
    *(double *)operands->output[0].data = sqrt(sum);
}

/* ---- Float32 form: sums of segments, several to a piece, then the sum of those ---- */

enum { NORM_PIECE = 1 << 16 }; /* elements of a piece; the last of its segments is cut to fit */

/* A part of one input that lies within one piece. */
typedef struct norm_segment {
    int64_t piece;
    int64_t first, count;
    int32_t input;
} norm_segment;

typedef struct norm_args {
    const weft_update_kernels *kernels;
    int64_t segments, pieces;
    int32_t inputs;
    norm_segment segment[];
} norm_args;

/* Cuts all inputs, one after the other, into pieces of NORM_PIECE elements. Returns the number of
 * segments, and writes them unless segment is NULL. */
static int64_t cut_into_segments(const weft_bind *bind, norm_segment *segment)
{
    int64_t segments = 0, done = 0;
    for (int i = 0; i < bind->inputs; i++) {
        int64_t count = weft_tensor_elements(&bind->input[i]);
        for (int64_t first = 0, part; first < count; first += part, done += part) {
            int64_t room = NORM_PIECE - done % NORM_PIECE;
            part = count - first < room ? count - first : room;
            if (segment)
                segment[segments] = (norm_segment){done / NORM_PIECE, first, part, i};
            segments++;
        }
    }
    return segments;
}

/* The first segment of a piece, by bisection: segments are in order. */
static int64_t first_segment(const norm_args *args, int64_t piece)
{
    int64_t low = 0, high = args->segments;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (args->segment[middle].piece < piece)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sum_piece(const weft_call *call, int64_t piece)
{
    const norm_args *args = call->args;
    double *partial = call->operand[args->inputs + 1], sum = 0;
    for (int64_t i = first_segment(args, piece);
         i < args->segments && args->segment[i].piece == piece; i++) {
        const norm_segment *s = &args->segment[i];
        sum += args->kernels->sum_of_squares((const float *)call->operand[s->input] + s->first,
                                             s->count);
    }
    partial[piece] = sum;
}

static void merge_piece(const weft_call *call, int64_t piece)
{
    (void)piece;
    const norm_args *args = call->args;
    const double *partial = call->operand[args->inputs + 1];
    double sum = 0;
    for (int64_t i = 0; i < args->pieces; i++)
        sum += partial[i];
    *(float *)call->operand[args->inputs] = (float)sqrt(sum);
}

static bool norm_bind(weft_bind *bind)
{
    int64_t segments = cut_into_segments(bind, NULL);
    norm_args *args =
        weft_bind_args(bind, sizeof(*args) + (size_t)segments * sizeof(args->segment[0]));
    if (!args)
        return false;
    args->kernels = weft_update_table();
    args->inputs = bind->inputs;
    args->segments = cut_into_segments(bind, args->segment);
    args->pieces = args->segment[segments - 1].piece + 1;
    weft_bind_workspace(bind, (size_t)args->pieces * sizeof(double));
    weft_bind_phase(bind, sum_piece, args->pieces);
    weft_bind_phase(bind, merge_piece, 1);
    return true;
}

static void norm_cost(const weft_bind *bind, weft_cost *cost)
{
    cost->bytes = weft_bind_bytes(bind);
    for (int i = 0; i < bind->inputs; i++)
        cost->flops += 2 * (double)weft_tensor_elements(&bind->input[i]);
}

weft_value weft_global_norm(weft_graph *graph, const weft_value *value, int count,
                            const weft_global_norm_options *options)
{
    return weft_apply(graph, &weft_global_norm_op, NULL, 0, options ? options->name : NULL, value,
                      count, NULL, 1);
}

static bool norm_sample(weft_sampler *sampler, int index)
{
    weft_value x[3];
    if (index >= 4)
        return false;
    int count = 1 + index % 3;
    for (int i = 0; i < count; i++)
        x[i] = weft_sampler_input(sampler,
                                  weft_shape_of(weft_sampler_integer(sampler, 1, 5),
                                                weft_sampler_integer(sampler, 1, 19)),
                                  WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_global_norm(weft_sampler_graph(sampler), x, count, NULL));
    return true;
}

const weft_op weft_global_norm_op = {
    .name = "global_norm",
    .summary = "sqrt of the sum of the squares of all elements of all inputs",
    .shapes = "x... [..] -> []",
    .source = "Pascanu et al. 2013",

    .family = WEFT_FAMILY_REDUCTION,
    .min_inputs = 1,
    .max_inputs = -1,
    .outputs = 1,
    .infer = infer_norm,
    .gradient = norm_gradient,
    .run_f64 = norm_f64,
    .bind = norm_bind,
    .cost = norm_cost,
    .sample = norm_sample,
};
