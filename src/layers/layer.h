/* What the layers share. */
#ifndef WEFT_LAYERS_LAYER_H
#define WEFT_LAYERS_LAYER_H

#include "weft/graph.h"

/* Records a mistake in the options of the layer whose scope is the current one; the null value. */
weft_value weft_layer_fail(weft_graph *graph, const char *kind, const char *format, ...)
    WEFT_PRINTF(3, 4);

/* A variable "bias" of that many elements, or the null value where there is to be none. weight is the layer's,
 * with its fans swapped or not. */
weft_value weft_layer_bias(weft_value weight, bool swap_fans, bool none, int64_t elements,
                           weft_initializer initializer, bool frozen);

/* A variable that starts as `otherwise` says unless the initializer says something else. */
weft_value weft_layer_parameter(weft_graph *graph, const char *name, weft_shape shape,
                                weft_initializer initializer, weft_initializer_kind otherwise,
                                bool frozen);

#endif
