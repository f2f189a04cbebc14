#include "ops/training.h"

#include "ops/ops.h"
#include "weft/arithmetic.h"

static bool infer(weft_infer *infer)
{
    infer->out_shape[0] = (weft_shape){.rank = 0};
    return true;
}

static void run_f64(const weft_operands *operands)
{
    int32_t choice = *(const int32_t *)operands->attributes;
    *(double *)operands->output[0].data =
        weft_mode_of((weft_mode_choice)choice, operands->mode) == WEFT_TRAIN;
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index > WEFT_MODE_INFER)
        return false;
    weft_value training = weft_is_training(weft_sampler_graph(sampler), (weft_mode_choice)index);
    weft_sampler_output(sampler, weft_offset(training, 0.5));
    return true;
}

const weft_op weft_is_training_op = {
    .name = "is_training",
    .summary = "1 in train mode, 0 in infer mode",
    .shapes = "-> []",
    .source = "definition",

    .family = WEFT_FAMILY_OTHER,
    .outputs = 1,
    .flags = WEFT_OP_NO_GRADIENT,
    .infer = infer,
    .run_f64 = run_f64,
    .sample = sample,
};

weft_value weft_is_training(weft_graph *graph, weft_mode_choice choice)
{
    int32_t attribute = choice;
    return weft_apply(graph, &weft_is_training_op, &attribute, sizeof(attribute), NULL, NULL, 0,
                      NULL, 1);
}
