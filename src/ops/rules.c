#include "ops/rules.h"

bool weft_infer_real(const weft_infer *infer, int input, const char *what)
{
    if (infer->dtype[input] == WEFT_REAL)
        return true;
    return weft_infer_fail(infer, "%s must be real, not %s", what,
                           weft_dtype_name(infer->dtype[input]));
}

bool weft_infer_none_past(const weft_infer *infer, const char *option, const int64_t *entry,
                          int64_t unset)
{
    int rank = infer->shape[0].rank;
    for (int d = rank; d < WEFT_MAX_RANK; d++)
        if (entry[d] != unset)
            return weft_infer_fail(infer, "%s[%d] is set, but the input has %d dimension%s", option,
                                   d, rank, rank == 1 ? "" : "s");
    return true;
}

bool weft_infer_like_input(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return weft_infer_real(infer, 0, "input");
}

bool weft_tensor_is(const weft_tensor *tensor, double value)
{
    if (!tensor->data || (tensor->dtype != WEFT_FLOAT32 && tensor->dtype != WEFT_FLOAT64))
        return false;
    for (int64_t i = 0, n = weft_tensor_elements(tensor); i < n; i++) {
        int64_t at = weft_tensor_offset(tensor, i);
        double element = tensor->dtype == WEFT_FLOAT32 ? (double)((const float *)tensor->data)[at]
                                                       : ((const double *)tensor->data)[at];
        if (element != value)
            return false;
    }
    return true;
}

bool weft_tensor_same_extents(const weft_tensor *a, const weft_tensor *b)
{
    for (int d = 0; a->rank == b->rank && d < a->rank; d++)
        if (a->extent[d] != b->extent[d])
            return false;
    return a->rank == b->rank;
}

int weft_identity_of_extents(const weft_bind *bind)
{
    return weft_tensor_same_extents(&bind->input[0], &bind->output[0]) ? 0 : -1;
}

void weft_clear_f64(const weft_tensor *tensor)
{
    for (int64_t i = 0, n = weft_tensor_elements(tensor); i < n; i++)
        ((double *)tensor->data)[weft_tensor_offset(tensor, i)] = 0;
}

int64_t weft_bind_elements(const weft_bind *bind)
{
    return weft_tensor_elements(&bind->output[0]);
}

double weft_bind_bytes(const weft_bind *bind)
{
    double bytes = 0;
    for (int i = 0; i < bind->inputs; i++)
        if (i >= 32 || !(bind->op->shape_only & WEFT_INPUT(i)))
            bytes += (double)weft_tensor_bytes(&bind->input[i]);
    for (int i = 0; i < bind->outputs; i++)
        bytes += (double)weft_tensor_bytes(&bind->output[i]);
    return bytes;
}
