#include "ops/bind_plan.h"

#include "graph/fusion.h"

#include <string.h>

int weft_bind_slot(const weft_bind *bind, int operand)
{
    return bind->slot ? bind->slot[operand] : operand;
}

weft_slots weft_bind_slots(const weft_bind *bind)
{
    weft_slots slots = {
        .output = weft_bind_slot(bind, bind->inputs),
        .workspace = weft_bind_slot(bind, bind->inputs + bind->outputs),
    };
    slots.prepared = slots.workspace + 1;
    for (int i = 0; i < 3; i++)
        slots.input[i] = i < bind->inputs ? weft_bind_slot(bind, i) : i;
    return slots;
}

/* All that a plan asks for but its arguments. */
static void bind_rest(weft_bind *bind, const weft_kernel_plan *plan)
{
    weft_bind_algorithm(bind, plan->algorithm);
    weft_bind_cycles(bind, plan->cycles);
    if (plan->writes_early)
        weft_bind_not_in_place(bind);
    if (plan->workspace > 0)
        weft_bind_workspace(bind, plan->workspace);
    if (plan->prepare_phases > 0)
        weft_bind_prepare(bind, plan->prepare_phases, plan->prepare_inputs, plan->prepared);
    for (int i = 0; i < plan->phases; i++)
        weft_bind_round(bind, plan->phase[i].run, plan->phase[i].pieces, plan->phase[i].round);
}

bool weft_bind_plan(weft_bind *bind, const weft_kernel_plan *plan)
{
    void *args = weft_bind_args(bind, sizeof(plan->args));
    if (args == NULL)
        return false;
    memcpy(args, plan->args, sizeof(plan->args));
    bind_rest(bind, plan);
    return true;
}

bool weft_bind_repeated(weft_bind *bind, weft_kernel_plan *plan, const weft_repeat_places *places)
{
    weft_repeat_args *args = weft_bind_args(bind, sizeof(*args));
    if (args == NULL)
        return false;
    const weft_slots slots = weft_bind_slots(bind);
    weft_repeat_plan(places, bind->inputs, &slots, plan, args);
    bind_rest(bind, plan);
    return true;
}
