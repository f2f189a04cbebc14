/* Checks, without trusting what put them there, that barriers stand wherever they must: two tasks that no
 * barrier separates may run at the same time, and then neither may write what the other touches. */
#include "base/error.h"
#include "base/memory.h"
#include "graph/program.h"

#include <stdint.h>

/* The stretch between two barriers that a task runs in, and the chain that it is part of. */
typedef struct slot {
    int stretch, chain;
} slot;

/* Offsets in the arena, or addresses elsewhere. */
typedef struct bytes {
    uintptr_t from, to;
    bool arena, written;
} bytes;

/* What operand k of the task's step covers, then its workspace, then what it prepares; nothing for feeds,
 * which no step writes. Hoisted phases see some inputs and what they prepare. */
static bytes covered(const weft_program *program, int task, int k)
{
    const weft_step *step = &program->step[program->task[task].step];
    bool input = k < step->inputs, prepares = weft_task_prepares(program, task);
    int operands = step->inputs + step->outputs;
    if (k == operands + 1) {
        uintptr_t from = (uintptr_t)step->prepared_offset;
        bool kept = step->hoisted_phases > 0;
        return (bytes){from, from + (uintptr_t)step->prepared_bytes, true, prepares || !kept};
    }
    if (prepares && !(input && weft_step_has(step, step->prepare_inputs, k)))
        return (bytes){0};
    if (k == operands) {
        uintptr_t from = (uintptr_t)step->workspace_offset;
        return (bytes){from, from + (uintptr_t)step->workspace_bytes, true, true};
    }
    const weft_plan_value *value = &program->value[step->value[k]];
    bool arena = value->place == WEFT_PLACE_ARENA;
    uintptr_t base = arena ? 0 : (uintptr_t)value->tensor.data;
    if (!(arena || base) || (input && weft_step_has(step, step->op->shape_only, k)))
        return (bytes){0};
    int64_t elements = 1;
    for (int d = 0; d < value->tensor.rank; d++)
        elements += (value->tensor.extent[d] - 1) * value->tensor.stride[d];
    uintptr_t from = base + (uintptr_t)value->offset;
    return (bytes){from, from + (uintptr_t)elements * weft_dtype_bytes(value->tensor.dtype), arena,
                   !input || weft_step_has(step, step->op->writes, k)};
}

static int operands_of(const weft_program *program, int task)
{
    const weft_step *step = &program->step[program->task[task].step];
    return step->inputs + step->outputs + 2;
}

static bool collide(const weft_program *program, int a, int b)
{
    for (int i = 0; i < operands_of(program, a); i++)
        for (int k = 0; k < operands_of(program, b); k++) {
            bytes x = covered(program, a, i), y = covered(program, b, k);
            if ((x.written || y.written) && x.arena == y.arena && x.from < y.to && y.from < x.to)
                return true;
        }
    return false;
}

static void find_slots(const weft_program *program, slot *slots)
{
    slot now = {0};
    for (int i = 0; i < program->tasks; i++) {
        now.stretch += program->task[i].wait;
        now.chain += !program->task[i].joined;
        slots[i] = now;
    }
}

static weft_status check_task(const weft_program *program, const slot *slots, int index,
                              weft_error *error)
{
    const weft_step *step = &program->step[program->task[index].step];
    for (int i = index - 1; i >= 0 && slots[i].stretch == slots[index].stretch; i--) {
        const weft_step *other = &program->step[program->task[i].step];
        if (slots[i].chain != slots[index].chain && (other == step || collide(program, i, index)))
            return weft_error_set(error, WEFT_ERROR_INTERNAL,
                                  "plan: %s \"%s\" does not wait for %s \"%s\"", step->op->name,
                                  step->name, other->op->name, other->name);
    }
    return WEFT_OK;
}

weft_status weft_verify_barriers(const weft_program *program, weft_error *error)
{
    size_t count = (size_t)program->tasks;
    slot *slots = weft_allocate_array(program->context, count, sizeof(*slots));
    if (!slots)
        return weft_out_of_memory(error, count * sizeof(*slots));
    find_slots(program, slots);
    weft_status status = WEFT_OK;
    for (int i = 0; i < program->tasks && status == WEFT_OK; i++)
        status = check_task(program, slots, i, error);
    weft_release_array(program->context, slots, count, sizeof(*slots));
    return status;
}
