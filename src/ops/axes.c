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
