/* Dropout of whole channels and of whole samples: plain dropout of a mask of ones, which is multiplied by. */
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/random.h"

/* Dropout of one number for every part of x: those of the dimensions that are kept. */
static weft_value drop(weft_value x, bool keep_samples, bool keep_channels,
                       const weft_dropout_options *options)
{
    int rank = weft_shape_get(x).rank;
    weft_slice_options first = {0};
    for (int d = 0; d < rank; d++) {
        bool kept = d == 0 ? keep_samples : keep_channels && d == rank - 1;
        first.size[d] = kept ? 0 : 1;
    }
    weft_value ones = weft_fill_like(weft_slice(x, &first), 1);
    return weft_multiply(x, weft_dropout(ones, options));
}

weft_value weft_spatial_dropout(weft_value x, const weft_dropout_options *options)
{
    weft_dropout_options own = *options;
    own.name = own.name ? own.name : "spatial_dropout";
    weft_shape shape = weft_shape_get(x);
    char text[128];
    if (!weft_is_null(x) && shape.rank < 2)
        return weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                               "spatial_dropout \"%s\": input %s has no channels", own.name,
                               weft_shape_text(shape, text, sizeof(text)));
    return drop(x, true, true, &own);
}

weft_value weft_stochastic_depth(weft_value x, const weft_stochastic_depth_options *options)
{
    weft_dropout_options own = {.name = options->name ? options->name : "stochastic_depth",
                                .rate = options->rate,
                                .mode = options->mode};
    return drop(x, !options->whole_batch, false, &own);
}
