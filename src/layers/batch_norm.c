/* The batch normalization layer. */
#include "layers/layer.h"
#include "weft/layers.h"
#include "weft/normalization.h"

/* A variable with one element a channel, zeros or ones unless the initializer says otherwise. */
static weft_value channel_variable(weft_value x, const char *name, weft_initializer initializer,
                                   weft_initializer_kind otherwise, bool frozen)
{
    if (initializer.kind == WEFT_INIT_DEFAULT)
        initializer.kind = otherwise;
    return weft_variable(x.graph, &(weft_variable_options){.name = name,
                                                           .shape = weft_shape_of(weft_channels(x)),
                                                           .initializer = initializer,
                                                           .frozen = frozen});
}

static weft_value build(weft_value x, const weft_batch_norm_options *options)
{
    weft_graph *graph = x.graph;
    const weft_initializer none = {WEFT_INIT_DEFAULT};
    char text[128];
    weft_shape shape = weft_shape_get(x);
    if (shape.rank < 2 || weft_channels(x) < 0)
        return weft_layer_fail(graph, "batch_norm",
                               "input %s must have rank 2 at least, its last extent fixed",
                               weft_shape_text(shape, text, sizeof(text)));
    weft_batch_normalization_options normalization = {
        .gamma = options->no_scale ? weft_null(graph)
                                   : channel_variable(x, "weight", options->initializer,
                                                      WEFT_INIT_ONES, options->frozen),
        .beta = options->no_shift ? weft_null(graph)
                                  : channel_variable(x, "bias", options->bias_initializer,
                                                     WEFT_INIT_ZEROS, options->frozen),
        .epsilon = options->epsilon,
        .mode = options->mode,
        .decay = options->decay,
        .no_updates = options->no_updates,
        .biased_variance = options->biased_variance,
    };
    weft_value mean = channel_variable(x, "running_mean", none, WEFT_INIT_ZEROS, true);
    weft_value variance = channel_variable(x, "running_var", none, WEFT_INIT_ONES, true);
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
