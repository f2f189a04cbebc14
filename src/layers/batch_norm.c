/* The batch normalization layer. */
#include "layers/layer.h"
#include "weft/layers.h"
#include "weft/normalization.h"

static weft_value build(weft_value x, const weft_batch_norm_options *options)
{
    weft_graph *graph = x.graph;
    const weft_initializer none = {WEFT_INIT_DEFAULT};
    char text[128];
    weft_shape shape = weft_shape_get(x), channels = weft_shape_of(weft_channels(x));
    if (shape.rank < 2 || weft_channels(x) < 0)
        return weft_layer_fail(graph, "batch_norm",
                               "input %s must have rank 2 at least, its last extent fixed",
                               weft_shape_text(shape, text, sizeof(text)));
    weft_batch_normalization_options normalization = {
        .gamma = options->no_scale
                     ? weft_null(graph)
                     : weft_layer_parameter(graph, "weight", channels, options->initializer,
                                            WEFT_INIT_ONES, options->frozen),
        .beta = options->no_shift
                    ? weft_null(graph)
                    : weft_layer_parameter(graph, "bias", channels, options->bias_initializer,
                                           WEFT_INIT_ZEROS, options->frozen),
        .epsilon = options->epsilon,
        .mode = options->mode,
        .decay = options->decay,
        .no_updates = options->no_updates,
        .biased_variance = options->biased_variance,
    };
    weft_value mean =
        weft_layer_parameter(graph, "running_mean", channels, none, WEFT_INIT_ZEROS, true);
    weft_value variance =
        weft_layer_parameter(graph, "running_var", channels, none, WEFT_INIT_ONES, true);
    return weft_batch_normalization(x, mean, variance, &normalization);
}

weft_value weft_batch_norm(weft_value x, const weft_batch_norm_options *options)
{
    if (weft_is_null(x))
        return x;
    weft_scope_push_unique(x.graph, options->name ? options->name : "batch_norm");
    weft_value y = build(x, options);
    weft_scope_pop(x.graph);
    return y;
}
