/* Activations in straight pieces: ReLU, clipped and leaky; hard sigmoid, hard tanh, hard swish. */
#include "weft/activation.h"

#include "ops/activation.h"
#include "weft/arithmetic.h"

#include <float.h>

WEFT_ACTIVATION(relu, RELU, RELU_GRADIENT, "y", "max(x, 0); its gradient at 0 is 0",
                "dy where y > 0, else 0", "Nair, Hinton 2010");

weft_value weft_relu(weft_value x)
{
    return weft_activate(&relu_activation, x, 0, 0, NULL);
}

WEFT_ACTIVATION_WITH("ceiling", "to %g", clipped_relu, CLIPPED_RELU, CLIPPED_RELU_GRADIENT, "y",
                     "min(max(x, 0), ceiling); its gradient at 0 and at the ceiling is 0",
                     "dy where 0 < y < ceiling, else 0", "ReLU6: Howard et al. 2017",
                     .parameters = {{2}, {6}}, .pieces = true);

weft_value weft_clipped_relu(weft_value x, double ceiling)
{
    if (!(ceiling >= FLT_MIN)) /* less is 0 in float32 */
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "clipped_relu: the ceiling %g is not positive, at least %g", ceiling,
                               (double)FLT_MIN);
    return weft_activate(&clipped_relu_activation, x, ceiling, 0, NULL);
}

weft_value weft_relu6(weft_value x)
{
    return weft_clipped_relu(x, 6);
}

/* y has x's sign while the slope is above 0. */
WEFT_ACTIVATION_WITH("slope", "slope %g", leaky_relu, LEAKY_RELU, LEAKY_RELU_GRADIENT, "y",
                     "x where x > 0, else slope x; its gradient at 0 is slope",
                     "dy where y > 0, else slope dy", "Maas, Hannun, Ng 2013", .x_if_falling = true,
                     .parameters = {{0.01}, {0.3}, {-0.5}});

weft_value weft_leaky_relu(weft_value x, const weft_leaky_relu_options *options)
{
    double slope = options && options->slope != 0 ? options->slope : 0.01;
    return weft_activate(&leaky_relu_activation, x, slope, 0, options ? options->name : NULL);
}

WEFT_ACTIVATION_WITH("slope", "slope %.4g", hard_sigmoid, HARD_SIGMOID, HARD_SIGMOID_GRADIENT, "y",
                     "min(max(slope x + 1/2, 0), 1); its gradient where a piece ends is 0",
                     "slope dy where 0 < y < 1, else 0",
                     "Courbariaux et al. 2015; slope 1/6: Howard et al. 2019",
                     .parameters = {{WEFT_MAP_SIXTH}, {0.2}}, .pieces = true);

weft_value weft_hard_sigmoid(weft_value x, const weft_hard_sigmoid_options *options)
{
    double slope = options && options->slope != 0 ? options->slope : WEFT_MAP_SIXTH;
    if (!(slope > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "hard_sigmoid: the slope %g is not positive", slope);
    return weft_activate(&hard_sigmoid_activation, x, slope, 0, options ? options->name : NULL);
}

WEFT_ACTIVATION_WITH("low, high", "[%g, %g]", hard_tanh, CLIP, HARD_TANH_GRADIENT, "y",
                     "min(max(x, low), high); its gradient at both is 0",
                     "dy where low < y < high, else 0", "Collobert 2004",
                     .parameters = {{-1, 1}, {-0.4, 1.3}}, .pieces = true);

weft_value weft_hard_tanh(weft_value x, const weft_hard_tanh_options *options)
{
    bool given = options && (options->low != 0 || options->high != 0);
    double low = given ? options->low : -1, high = given ? options->high : 1;
    if (!(low < high))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "hard_tanh: %g is not below %g", low,
                               high);
    return weft_activate(&hard_tanh_activation, x, low, high, options ? options->name : NULL);
}

/* dy / 3 between -3 and 3: a hard sigmoid of slope 1/6, whose gradient is half of that. */
static weft_value hard_swish_second(const weft_gradient_call *call, weft_value dy)
{
    weft_value y = weft_offset(weft_scale(call->input[1], 1.0 / 6), 0.5);
    return weft_activation_slope(&hard_sigmoid_activation, dy, y, 1.0 / 3, 0);
}

WEFT_ACTIVATION(hard_swish, HARD_SWISH, HARD_SWISH_GRADIENT, "x",
                "x min(max(x/6 + 1/2, 0), 1); its gradient at -3 is 0, at 3 it is 1",
                "0 where x <= -3, dy where x >= 3, between them dy (x/3 + 1/2)",
                "Howard et al. 2019, section 5.2", .second = hard_swish_second, .pieces = true);

weft_value weft_hard_swish(weft_value x)
{
    return weft_activate(&hard_swish_activation, x, 0, 0, NULL);
}
