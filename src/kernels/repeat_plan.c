#include "kernels/repeat_plan.h"

#include <string.h>

/* Floats from the first place to this one. */
static int64_t shift(const weft_repeat_places *places, int operand, int64_t place)
{
    int64_t floats = 0;
    for (int d = places->rank - 1; d >= 0; d--) {
        floats += place % places->extent[d] * places->stride[operand][d];
        place /= places->extent[d];
    }
    return floats;
}

/* The round is the number of the phase. */
static void run_phase(const weft_call *call, int64_t piece)
{
    const weft_repeat_args *args = call->args;
    const weft_phase *phase = &args->phase[call->round];
    int64_t place = piece / phase->pieces;
    void *operand[WEFT_REPEAT_OPERANDS + 2];
    int count = 0;
    for (int i = 0; i < args->inputs; i++)
        operand[count++] =
            (float *)call->operand[args->slots.input[i]] + shift(&args->places, i, place);
    operand[count++] = (float *)call->operand[args->slots.output] +
                       shift(&args->places, WEFT_REPEAT_OPERANDS - 1, place);
    operand[count++] = args->workspace ? (char *)call->operand[args->slots.workspace] +
                                             (size_t)place * args->workspace
                                       : NULL;
    size_t prepared = args->prepared_once ? 0 : (size_t)place * args->prepared;
    operand[count] = args->prepared ? (char *)call->operand[args->slots.prepared] + prepared : NULL;
    const weft_call one = {
        .args = args->args, .operand = operand, .info = call->info, .round = phase->round};
    phase->run(&one, piece % phase->pieces);
}

/* True where the inputs that preparing reads are the same at all places. */
static bool shares_prepared(const weft_repeat_places *places, uint32_t inputs)
{
    for (int i = 0; i < WEFT_REPEAT_OPERANDS - 1; i++)
        for (int d = 0; d < places->rank; d++)
            if (inputs & WEFT_INPUT(i) && places->stride[i][d] != 0)
                return false;
    return true;
}

void weft_repeat_plan(const weft_repeat_places *places, int inputs, const weft_slots *slots,
                      weft_kernel_plan *plan, weft_repeat_args *args)
{
    int64_t count = 1;
    for (int d = 0; d < places->rank; d++)
        count *= places->extent[d];
    args->places = *places;
    args->inputs = inputs;
    args->slots = *slots;
    args->workspace = plan->workspace;
    args->prepared = plan->prepared;
    args->prepared_once = shares_prepared(places, plan->prepare_inputs);
    memcpy(args->args, plan->args, sizeof(args->args));
    for (int i = 0; i < plan->phases; i++) {
        args->phase[i] = plan->phase[i];
        plan->phase[i].run = run_phase;
        plan->phase[i].round = i;
        if (i >= plan->prepare_phases || !args->prepared_once)
            plan->phase[i].pieces *= count;
    }
    plan->workspace *= (size_t)count;
    if (!args->prepared_once)
        plan->prepared *= (size_t)count;
}
