/* The dense layer. */
#include "weft/dense.h"
#include "layers/layer.h"
#include "weft/layers.h"

static weft_value build(weft_value x, const weft_dense_options *options)
{
    weft_graph *graph = x.graph;
    char text[128];
    weft_shape shape = weft_shape_get(x);
    if (options->units < 1)
        return weft_layer_fail(graph, "dense", "units is %d", options->units);
    if (shape.rank < 2 || weft_channels(x) < 0)
        return weft_layer_fail(graph, "dense",
                               "input %s must have rank 2 at least, its last extent fixed",
                               weft_shape_text(shape, text, sizeof(text)));
    weft_value weight =
        weft_variable(graph, &(weft_variable_options){
                                 .name = "weight",
                                 .shape = weft_shape_of(weft_channels(x), options->units),
                                 .initializer = options->initializer,
                                 .frozen = options->frozen,
                             });
    weft_value bias = weft_layer_bias(weight, false, options->no_bias, options->units,
                                      options->bias_initializer, options->frozen);
    return weft_matmul(x, weight, &(weft_matmul_options){.bias = bias});
}

weft_value weft_dense(weft_value x, const weft_dense_options *options)
{
    if (weft_is_null(x))
        return x;
    weft_scope_push_unique(x.graph, options->name ? options->name : "dense");
    weft_value y = build(x, options);
    weft_scope_pop(x.graph);
    return y;
}
