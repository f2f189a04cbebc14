#include "ops/samples.h"

weft_shape weft_sample_shape(weft_sampler *sampler, int rank, int64_t low, int64_t high)
{
    weft_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.extent[i] = weft_sampler_integer(sampler, low, high);
    return shape;
}

void weft_sample_gradient(weft_sampler *sampler, weft_value y, weft_value x)
{
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(y), WEFT_SAMPLE_NORMAL), dx;
    weft_vector_jacobian(&y, &dy, 1, &x, 1, &dx);
    weft_sampler_output(sampler, dx);
}
