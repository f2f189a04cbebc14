#include "ops/collapse.h"

bool weft_collapse(const weft_tensor *tensor, int first, int last, int64_t *extent, int64_t *stride)
{
    *extent = 1;
    *stride = 0;
    for (int d = last - 1; d >= first; d--) {
        if (tensor->extent[d] == 1)
            continue;
        if (*extent == 1)
            *stride = tensor->stride[d];
        else if (tensor->stride[d] != *extent * *stride)
            return false;
        *extent *= tensor->extent[d];
    }
    return true;
}
