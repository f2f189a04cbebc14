#include "ops/copying.h"

#include "ops/rules.h"

#include <string.h>

void weft_unravel(const weft_tensor *tensor, int64_t index, int64_t *coordinate)
{
    for (int i = tensor->rank - 1; i >= 0; i--) {
        coordinate[i] = index % tensor->extent[i];
        index /= tensor->extent[i];
    }
}

int64_t weft_offset_at(const weft_tensor *tensor, const int64_t *coordinate)
{
    int64_t offset = 0;
    for (int i = 0; i < tensor->rank; i++)
        offset += coordinate[i] * tensor->stride[i];
    return offset;
}

void weft_copy_element(const weft_tensor *to, int64_t to_offset, const weft_tensor *from,
                       int64_t from_offset)
{
    size_t bytes = weft_dtype_bytes(to->dtype);
    memcpy((char *)to->data + (size_t)to_offset * bytes,
           (const char *)from->data + (size_t)from_offset * bytes, bytes);
}

weft_copy_args *weft_copying_begin(weft_bind *bind, int boxes)
{
    weft_copy_args *args = weft_bind_args(bind, weft_copy_args_bytes(boxes));
    if (args)
        args->element_bytes = (int)weft_dtype_bytes(bind->output[0].dtype);
    return args;
}

bool weft_copying_bind(weft_bind *bind, const weft_copy_args *args)
{
    weft_bind_phase(bind, weft_copy_table()->copy, args->pieces);
    return true;
}

void weft_copying_cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 0;
    cost->bytes = weft_bind_bytes(bind);
}
