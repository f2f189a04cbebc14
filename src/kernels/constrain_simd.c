#include "kernels/constrain.h"

#include <math.h>

static void constrain_units(const weft_constrain_array *array, int64_t first, int64_t count)
{
    double square[WEFT_CONSTRAIN_UNITS] = {0};
    int64_t inner = array->inner, step = array->units * inner;
    for (int64_t o = 0; o < array->outer; o++) {
        const float *x = array->x + o * step + first * inner;
        for (int64_t u = 0; u < count; u++)
            for (int64_t i = 0; i < inner; i++)
                square[u] += (double)x[u * inner + i] * (double)x[u * inner + i];
    }
    float scale[WEFT_CONSTRAIN_UNITS];
    for (int64_t u = 0; u < count; u++) {
        double norm = sqrt(square[u]);
        bool stays = array->only_larger && norm <= array->bound;
        scale[u] = stays ? 1 : (float)(array->bound / (norm + WEFT_CONSTRAIN_EPSILON));
    }
    for (int64_t o = 0; o < array->outer; o++) {
        float *x = array->x + o * step + first * inner;
        for (int64_t u = 0; u < count; u++)
            for (int64_t i = 0; i < inner; i++)
                x[u * inner + i] *= scale[u];
    }
}

const weft_constrain_kernels WEFT_FOR_ISA(weft_constrain_table) = {.units = constrain_units};
