/* Cases that the checks of all pooling ops draw from. */
#include "ops/pool_geometry.h"

static const struct {
    int dimensions;
    int window[3], stride[3];
    weft_padding padding;
    int pad_low[3], pad_high[3];
    bool ceil_mode, count_include_pad;
} cases[] = {
    {2, {2, 2}, {0}, WEFT_VALID, {0}, {0}, false, false},
    {2, {3, 3}, {2, 2}, WEFT_VALID, {0}, {0}, false, false},
    {2, {3, 3}, {1, 1}, WEFT_SAME, {0}, {0}, false, false},
    {2, {3, 2}, {2, 3}, WEFT_SAME, {0}, {0}, false, true},
    {2, {2, 3}, {3, 1}, WEFT_FULL, {0}, {0}, false, true},
    {2, {3, 3}, {2, 2}, WEFT_VALID, {1, 1}, {1, 1}, false, true},
    {2, {3, 4}, {2, 1}, WEFT_EXPLICIT, {0, 3}, {2, 1}, false, false},
    {2, {3, 3}, {2, 2}, WEFT_VALID, {0}, {0}, true, false},
    {2, {2, 3}, {2, 2}, WEFT_EXPLICIT, {1, 1}, {1, 2}, true, true},
    {2, {3, 2}, {3, 3}, WEFT_EXPLICIT, {2, 0}, {1, 1}, true, false},
    {2, {1, 1}, {2, 2}, WEFT_VALID, {0}, {0}, true, false},
    {1, {3}, {2}, WEFT_EXPLICIT, {1}, {2}, true, true},
    {1, {4}, {0}, WEFT_SAME, {0}, {0}, false, false},
    {3, {2, 2, 2}, {0}, WEFT_VALID, {0}, {0}, false, false},
    {3, {3, 2, 3}, {2, 1, 2}, WEFT_SAME, {0}, {0}, false, false},
    {3, {2, 3, 3}, {1, 2, 3}, WEFT_EXPLICIT, {1, 2, 0}, {0, 1, 2}, true, true},
};

bool weft_pool_sample(weft_sampler *sampler, int index, weft_sample_kind kind, weft_value *x,
                      weft_pool_options *options)
{
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    *options = (weft_pool_options){
        .padding = cases[index].padding,
        .ceil_mode = cases[index].ceil_mode,
        .count_include_pad = cases[index].count_include_pad,
    };
    int dimensions = cases[index].dimensions;
    /* A vector of channels and a rest, or more than a block of vectors; few elements in all: the more
     * there are, the further apart are those that must be distinct. */
    bool wide = dimensions == 1;
    weft_shape shape = {.rank = dimensions + 2};
    shape.extent[0] = wide ? 1 : weft_sampler_integer(sampler, 1, 2);
    for (int i = 0; i < dimensions; i++) {
        options->window[i] = cases[index].window[i];
        options->stride[i] = cases[index].stride[i];
        options->pad_low[i] = cases[index].pad_low[i];
        options->pad_high[i] = cases[index].pad_high[i];
        shape.extent[i + 1] = weft_sampler_integer(sampler, 4, dimensions == 3 ? 5 : 6);
    }
    shape.extent[dimensions + 1] = wide
                                       ? weft_sampler_integer(sampler, 64, 80)
                                       : weft_sampler_integer(sampler, 1, dimensions == 3 ? 5 : 20);
    *x = weft_sampler_input(sampler, shape, kind);
    return true;
}
