/* The layer of parametric ReLU: the slopes are its variable. */
#include "layers/layer.h"
#include "weft/activation.h"
#include "weft/layers.h"

static weft_value build(weft_value x, const weft_parametric_relu_options *options)
{
    char text[128];
    weft_shape shape = weft_shape_get(x);
    if (!options->shared && weft_channels(x) < 0)
        return weft_layer_fail(x.graph, "parametric_relu", "the channels of %s are not fixed",
                               weft_shape_text(shape, text, sizeof(text)));
    const weft_initializer quarter = {.kind = WEFT_INIT_CONSTANT, .a = 0.25};
    bool given = options->initializer.kind != WEFT_INIT_DEFAULT;
    weft_shape slopes = options->shared ? weft_shape_of(1) : weft_shape_of(weft_channels(x));
    weft_value slope =
        weft_layer_parameter(x.graph, "weight", slopes, given ? options->initializer : quarter,
                             WEFT_INIT_CONSTANT, options->frozen);
    return weft_prelu(x, slope);
}

weft_value weft_parametric_relu(weft_value x, const weft_parametric_relu_options *options)
{
    if (weft_is_null(x))
        return x;
    weft_scope_push_unique(x.graph, options->name ? options->name : "parametric_relu");
    weft_value y = build(x, options);
    weft_scope_pop(x.graph);
    return y;
}
