#include "layers/layer.h"

#include "graph/initializer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

weft_value weft_layer_fail(weft_graph *graph, const char *kind, const char *format, ...)
{
    char message[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    const char *scope = weft_scope_get(graph);
    size_t length = strlen(scope);
    return weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "%s \"%.*s\": %s", kind,
                           (int)(length > 0 ? length - 1 : 0), scope, message);
}

weft_value weft_layer_bias(weft_value weight, bool swap_fans, bool none, int64_t elements,
                           weft_initializer initializer, bool frozen)
{
    if (none)
        return weft_null(weight.graph);
    if (initializer.kind == WEFT_INIT_FAN_IN_UNIFORM) {
        double limit = 1 / sqrt(weft_fans_of(weft_shape_get(weight), swap_fans).in);
        initializer = (weft_initializer){WEFT_INIT_UNIFORM, .a = -limit, .b = limit};
    }
    return weft_variable(weight.graph, &(weft_variable_options){.name = "bias",
                                                                .shape = weft_shape_of(elements),
                                                                .initializer = initializer,
                                                                .frozen = frozen});
}

weft_value weft_layer_parameter(weft_graph *graph, const char *name, weft_shape shape,
                                weft_initializer initializer, weft_initializer_kind otherwise,
                                bool frozen)
{
    if (initializer.kind == WEFT_INIT_DEFAULT)
        initializer.kind = otherwise;
    return weft_variable(
        graph, &(weft_variable_options){
                   .name = name, .shape = shape, .initializer = initializer, .frozen = frozen});
}
