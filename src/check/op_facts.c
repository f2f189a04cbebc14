/* weft_op_facts_find: what an op's samples show of it. */
#include "weft/check.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "check/sampler.h"
#include "graph/fusion.h"

#include <stdio.h>
#include <string.h>

/* Derivatives of `order` of the case's real outputs by its real inputs exist: rules are there, all the way. */
static bool differentiates(weft_sampler *sample, weft_value *y, weft_value *seed, weft_value *x,
                           weft_value *gradient, int order)
{
    int outputs = 0, inputs = 0;
    for (size_t i = 0; i < sample->outputs; i++)
        if (weft_dtype_get(sample->output[i]) == WEFT_REAL)
            y[outputs++] = sample->output[i];
    for (size_t i = 0; i < sample->inputs; i++)
        if (sample->input[i].dtype == WEFT_REAL)
            x[inputs++] = sample->input[i].value;
    for (int done = 0; done < order; done++) {
        for (int i = 0; i < outputs; i++)
            seed[i] = weft_fill_like(y[i], 1);
        if (weft_vector_jacobian(y, seed, outputs, x, inputs, gradient) != WEFT_OK)
            return false;
        int found = 0;
        for (int i = 0; i < inputs; i++)
            if (!weft_is_null(gradient[i]))
                y[found++] = gradient[i];
        if (!found)
            return done > 0; /* nothing depends on x any more */
        outputs = found;
    }
    return true;
}

/* The highest order of derivative, up to 2, of the case. */
static int order_of(weft_sampler *sample)
{
    size_t most = sample->inputs > sample->outputs ? sample->inputs : sample->outputs;
    weft_value *room = weft_allocate_array(sample->context, 4 * most, sizeof(*room));
    if (!room)
        return -1;
    int order = 0;
    for (int tried = 1; tried <= 2; tried++)
        if (differentiates(sample, room, room + most, room + 2 * most, room + 3 * most, tried))
            order = tried;
        else
            break;
    weft_release_array(sample->context, room, 4 * most, sizeof(*room));
    return order;
}

/* "[3,5], [5] -> [3,5]" */
static void write_example(const weft_sampler *sample, char *text, size_t size)
{
    size_t used = 0;
    char shape[120];
    text[0] = '\0';
    for (size_t i = 0; i < sample->inputs && used < size; i++)
        used += (size_t)snprintf(
            text + used, size - used, "%s%s", i ? ", " : "",
            weft_shape_text(weft_shape_get(sample->input[i].value), shape, sizeof(shape)));
    for (size_t i = 0; i < sample->outputs && used < size; i++)
        used += (size_t)snprintf(
            text + used, size - used, "%s%s",
            i      ? ", "
            : used ? " -> "
                   : "-> ",
            weft_shape_text(weft_shape_get(sample->output[i]), shape, sizeof(shape)));
}

weft_status weft_op_facts_find(weft_context *context, const weft_op *op, weft_op_facts *facts,
                               weft_error *error)
{
    bool writes_only = op->writes && !op->gradient;
    bool differentiable = !(op->flags & WEFT_OP_NO_GRADIENT) && op->gradient && !writes_only;
    *facts = (weft_op_facts){
        .gradient_order = differentiable ? 2 : 0,
        .map = op->map != NULL,
        .takes_maps = op->fusion && op->fusion->epilogue,
        .expands = op->fusion && op->fusion->expand,
    };
    for (int index = 0;; index++) {
        weft_sampler sample;
        bool found = false;
        weft_status status =
            weft_sampler_create(context, op, index, 0, WEFT_LAYOUT_FED, &sample, &found, error);
        int order = facts->gradient_order;
        if (status == WEFT_OK && found) {
            if (index == 0)
                write_example(&sample, facts->example, sizeof(facts->example));
            order = differentiable ? order_of(&sample) : 0;
        }
        weft_sampler_destroy(&sample);
        WEFT_TRY(status);
        if (order < 0)
            return weft_out_of_memory(error, sizeof(weft_value));
        if (order < facts->gradient_order)
            facts->gradient_order = order;
        if (!found)
            return WEFT_OK;
    }
}
