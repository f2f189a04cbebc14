/* Making tensors. */
#ifndef WEFT_BASE_TENSOR_H
#define WEFT_BASE_TENSOR_H

#include "weft/types.h"

/* A dense tensor without data. */
weft_tensor weft_tensor_make(weft_dtype dtype, weft_shape shape);

#endif
