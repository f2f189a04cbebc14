/* Where the operands of a program are: in its arena, which may be the caller's, in the state and in the program. */
#include "base/error.h"
#include "base/memory.h"
#include "graph/program.h"

static void address_step(weft_program *program, weft_step *step)
{
    for (int k = 0; k < step->inputs + step->outputs; k++)
        if (k >= step->inputs || !weft_step_has(step, step->op->shape_only, k))
            step->operand[step->slot[k]] =
                weft_plan_address(program, &program->value[step->value[k]]);
    if (step->workspace_bytes)
        step->operand[step->workspace_slot] = program->arena + step->workspace_offset;
    if (step->prepared_bytes)
        step->operand[step->workspace_slot + 1] = program->arena + step->prepared_offset;
}

void weft_address(weft_program *program)
{
    for (int i = 0; i < program->steps; i++)
        address_step(program, &program->step[i]);
}

weft_status weft_program_set_arena(weft_program *program, void *memory, size_t bytes,
                                   weft_error *error)
{
    int64_t needed = program->report.arena_bytes;
    if (!memory && needed)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "set_arena: no memory, %lld bytes are needed", (long long)needed);
    if ((int64_t)bytes < needed)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "set_arena: %zu bytes are too few, %lld are needed", bytes,
                              (long long)needed);
    if ((uintptr_t)memory % WEFT_ALIGNMENT)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "set_arena: the memory is at %p, which is not a multiple of %d",
                              memory, WEFT_ALIGNMENT);
    weft_release_arena(program);
    program->arena = memory;
    program->prepared_version = 0;
    weft_address(program);
    return WEFT_OK;
}
