/* Dtypes, shapes and tensors. */
#include "base/tensor.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [WEFT_REAL] = {"real", 0},   [WEFT_FLOAT32] = {"float32", 4}, [WEFT_FLOAT64] = {"float64", 8},
    [WEFT_INT32] = {"int32", 4}, [WEFT_UINT8] = {"uint8", 1},
};

size_t weft_dtype_bytes(weft_dtype dtype)
{
    return dtypes[dtype].bytes;
}

const char *weft_dtype_name(weft_dtype dtype)
{
    return dtypes[dtype].name;
}

/* How many extents of that rank there are: it may be out of range. */
static int extents_of(int rank)
{
    return rank < WEFT_MAX_RANK ? rank : WEFT_MAX_RANK;
}

weft_shape weft_shape_make(int rank, const int64_t *extent)
{
    weft_shape shape = {.rank = rank};
    for (int i = 0; i < extents_of(rank); i++)
        shape.extent[i] = extent[i];
    return shape;
}

bool weft_shape_equal(weft_shape a, weft_shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < extents_of(a.rank); i++)
        if (a.extent[i] != b.extent[i])
            return false;
    return true;
}

int64_t weft_shape_elements(weft_shape shape)
{
    int64_t product = 1;
    if (shape.rank < 0 || shape.rank > WEFT_MAX_RANK)
        return 0;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.extent[i] < 0 && product < 0)
            return 0;
        if (__builtin_mul_overflow(product, shape.extent[i], &product) || product == INT64_MIN)
            return 0;
    }
    return product;
}

char *weft_shape_text(weft_shape shape, char *text, size_t size)
{
    size_t used = 0;
    used += (size_t)snprintf(text, size, "[");
    for (int i = 0; i < extents_of(shape.rank) && used < size; i++) {
        int64_t extent = shape.extent[i];
        const char *comma = i ? "," : "";
        if (extent == WEFT_BATCH)
            used += (size_t)snprintf(text + used, size - used, "%sN", comma);
        else if (extent < 0)
            used += (size_t)snprintf(text + used, size - used, "%s%lluN", comma,
                                     0ULL - (unsigned long long)extent);
        else
            used += (size_t)snprintf(text + used, size - used, "%s%lld", comma, (long long)extent);
    }
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}

weft_tensor weft_tensor_make(weft_dtype dtype, weft_shape shape)
{
    weft_tensor tensor = {.dtype = dtype, .rank = shape.rank};
    int64_t stride = 1;
    for (int d = shape.rank - 1; d >= 0; d--) {
        tensor.extent[d] = shape.extent[d];
        tensor.stride[d] = stride;
        stride *= shape.extent[d];
    }
    return tensor;
}

int64_t weft_tensor_elements(const weft_tensor *tensor)
{
    int64_t product = 1;
    for (int i = 0; i < tensor->rank; i++)
        product *= tensor->extent[i];
    return product;
}

size_t weft_tensor_bytes(const weft_tensor *tensor)
{
    return (size_t)weft_tensor_elements(tensor) * weft_dtype_bytes(tensor->dtype);
}

bool weft_tensor_dense(const weft_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->extent[i] != 1 && tensor->stride[i] != expected)
            return false;
        expected *= tensor->extent[i];
    }
    return true;
}

int64_t weft_tensor_offset(const weft_tensor *tensor, int64_t index)
{
    int64_t offset = 0;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        offset += index % tensor->extent[i] * tensor->stride[i];
        index /= tensor->extent[i];
    }
    return offset;
}
