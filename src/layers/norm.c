/* Layer, group and instance normalization layers. */
#include "layers/layer.h"
#include "weft/layers.h"
#include "weft/normalization.h"

/* A layer whose parameters have the extents of the last dimensions of x. */
typedef struct norm_kind {
    const char *name;
    int dimensions;
    weft_value (*normalize)(weft_value x, const weft_norm_options *options, weft_value gamma,
                            weft_value beta);
} norm_kind;

static weft_value by_layer(weft_value x, const weft_norm_options *options, weft_value gamma,
                           weft_value beta)
{
    return weft_layer_normalization(
        x, &(weft_layer_normalization_options){.dimensions = options->dimensions,
                                               .gamma = gamma,
                                               .beta = beta,
                                               .epsilon = options->epsilon});
}

static weft_value by_group(weft_value x, const weft_norm_options *options, weft_value gamma,
                           weft_value beta)
{
    return weft_group_normalization(
        x,
        &(weft_group_normalization_options){
            .groups = options->groups, .gamma = gamma, .beta = beta, .epsilon = options->epsilon});
}

static weft_value by_instance(weft_value x, const weft_norm_options *options, weft_value gamma,
                              weft_value beta)
{
    return weft_instance_normalization(
        x, &(weft_instance_normalization_options){
               .gamma = gamma, .beta = beta, .epsilon = options->epsilon});
}

static weft_value build(const norm_kind *kind, weft_value x, const weft_norm_options *options)
{
    weft_graph *graph = x.graph;
    weft_shape shape = weft_shape_get(x), parameter = {.rank = kind->dimensions};
    char text[128];
    weft_shape_text(shape, text, sizeof(text));
    if (kind->dimensions < 1 || kind->dimensions >= shape.rank)
        return weft_layer_fail(graph, kind->name, "%d dimensions of input %s cannot be normalized",
                               kind->dimensions, text);
    for (int d = 0; d < parameter.rank; d++) {
        parameter.extent[d] = shape.extent[shape.rank - parameter.rank + d];
        if (parameter.extent[d] < 1)
            return weft_layer_fail(graph, kind->name, "input %s: dimension %d must be fixed", text,
                                   shape.rank - parameter.rank + d);
    }
    weft_value gamma = weft_null(graph), beta = gamma;
    if (!options->no_scale)
        gamma = weft_layer_parameter(graph, "weight", parameter, options->initializer,
                                     WEFT_INIT_ONES, options->frozen);
    if (!options->no_shift)
        beta = weft_layer_parameter(graph, "bias", parameter, options->bias_initializer,
                                    WEFT_INIT_ZEROS, options->frozen);
    return kind->normalize(x, options, gamma, beta);
}

static weft_value layer(const norm_kind *kind, weft_value x, const weft_norm_options *options)
{
    if (weft_is_null(x))
        return x;
    weft_scope_push_unique(x.graph, options->name ? options->name : kind->name);
    weft_value y = build(kind, x, options);
    weft_scope_pop(x.graph);
    return y;
}

weft_value weft_layer_norm(weft_value x, const weft_norm_options *options)
{
    int dimensions = options->dimensions != 0 ? options->dimensions : 1;
    return layer(&(norm_kind){"layer_norm", dimensions, by_layer}, x, options);
}

weft_value weft_group_norm(weft_value x, const weft_norm_options *options)
{
    return layer(&(norm_kind){"group_norm", 1, by_group}, x, options);
}

weft_value weft_instance_norm(weft_value x, const weft_norm_options *options)
{
    return layer(&(norm_kind){"instance_norm", 1, by_instance}, x, options);
}
