#include "ops/composed.h"

#include "weft/array.h"
#include "weft/graph.h"

void weft_composed_gradient(weft_gradient_call *call, weft_compose *compose, int inputs,
                            int outputs)
{
    /* Of names for the inputs: some of them may depend on others, as a mean does on x, which must not show here. */
    weft_value in[WEFT_COMPOSED_VALUES], composed[WEFT_COMPOSED_VALUES];
    weft_value y[WEFT_COMPOSED_VALUES], seed[WEFT_COMPOSED_VALUES];
    for (int i = 0; i < inputs; i++)
        in[i] = weft_reshape_like(call->input[i], call->input[i]);
    compose(in, call->attributes, composed);
    int seeds = 0;
    for (int i = 0; i < outputs; i++)
        if (!weft_is_null(call->output_gradient[i])) {
            y[seeds] = composed[i];
            seed[seeds++] = call->output_gradient[i];
        }
    weft_vector_jacobian(y, seed, seeds, in, inputs, call->input_gradient);
}
