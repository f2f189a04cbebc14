#include "graph/micro_batch.h"

#include "kernels/update.h"

#include <string.h>

/* ---- The mean over parts ---- */

static void mean_f64(const weft_operands *operands)
{
    const weft_micro_batch_attributes *a = operands->attributes;
    const weft_tensor *x = &operands->input[0], *mean = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++) {
        double *sum = (double *)mean->data + weft_tensor_offset(mean, i);
        double part = ((const double *)x->data)[weft_tensor_offset(x, i)] / a->parts;
        *sum = operands->info->part == 0 ? part : *sum + part;
    }
}

enum { MEAN_PIECE = 1 << 15 }; /* elements */

typedef struct mean_args {
    int64_t elements;
    float factor;
    const weft_update_kernels *kernels;
} mean_args;

static void mean_piece(const weft_call *call, int64_t piece)
{
    const mean_args *args = call->args;
    int64_t first = piece * MEAN_PIECE, left = args->elements - first;
    args->kernels->accumulate(
        (float *)call->operand[1] + first, (const float *)call->operand[0] + first,
        left < MEAN_PIECE ? left : MEAN_PIECE, args->factor, call->info->part == 0 ? 0 : 1);
}

static bool mean_bind(weft_bind *bind)
{
    const weft_micro_batch_attributes *a = bind->attributes;
    mean_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    args->elements = weft_tensor_elements(&bind->input[0]);
    args->factor = 1.0f / (float)a->parts;
    args->kernels = weft_update_table();
    weft_bind_phase(bind, mean_piece, (args->elements + MEAN_PIECE - 1) / MEAN_PIECE);
    return true;
}

/* Neither folded nor merged nor hoisted: it adds to what it made before. */
const weft_op weft_micro_batch_mean_op = {
    .name = "micro_batch_mean",
    .family = WEFT_FAMILY_REDUCTION,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_RANDOM,
    .run_f64 = mean_f64,
    .bind = mean_bind,
};

/* ---- Parts side by side ---- */

/* Real operands are double, or float in run_f32. */
static void join(const weft_operands *operands, weft_dtype real)
{
    const weft_micro_batch_attributes *a = operands->attributes;
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    int64_t count = weft_tensor_elements(x), first = operands->info->part * count;
    size_t bytes = weft_dtype_bytes(x->dtype);
    char *to = (char *)y->data + (size_t)first * bytes;
    for (int64_t i = 0; i < count; i++) {
        const char *from = (const char *)x->data + (size_t)weft_tensor_offset(x, i) * bytes;
        if (x->dtype != real)
            memcpy(to + (size_t)i * bytes, from, bytes);
        else if (real == WEFT_FLOAT64)
            ((double *)to)[i] = a->factor * *(const double *)from;
        else
            ((float *)to)[i] = (float)a->factor * *(const float *)from;
    }
}

static void join_f64(const weft_operands *operands)
{
    join(operands, WEFT_FLOAT64);
}

static void join_f32(const weft_operands *operands)
{
    join(operands, WEFT_FLOAT32);
}

const weft_op weft_micro_batch_join_op = {
    .name = "micro_batch_join",
    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_RANDOM | WEFT_OP_STRIDED_INPUTS,
    .run_f64 = join_f64,
    .run_f32 = join_f32,
};
