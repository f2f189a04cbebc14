#include "ops/axes.h"

int weft_axis(int axis, int rank)
{
    if (axis < -rank || axis >= rank)
        return -1;
    return axis < 0 ? axis + rank : axis;
}

int weft_infer_axis(const weft_infer *infer, int axis, int rank)
{
    int dimension = weft_axis(axis, rank);
    if (dimension < 0)
        weft_infer_fail(infer, "there is no axis %d among %d dimensions", axis, rank);
    return dimension;
}

weft_shape weft_sample_shape(weft_sampler *sampler, int rank, int64_t low, int64_t high)
{
    weft_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.extent[i] = weft_sampler_integer(sampler, low, high);
    return shape;
}
