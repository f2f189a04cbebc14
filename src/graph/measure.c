#include "graph/measure.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "graph/program.h"

enum { MOST_OPERANDS = 6 }; /* up to three inputs, the output, workspace, what is prepared */

/* Small numbers, none of them denormal. */
static void fill(float *element, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t mixed = (uint32_t)i * 2654435761u; /* Knuth's multiplicative hash */
        element[i] = (float)(int32_t)mixed * 0x1p-31f;
    }
}

/* Gives each operand its place in the arena, and all of it finite elements. */
static weft_status lay_out(weft_program *program, const weft_kernel_plan *plan,
                           const int64_t *floats, int operands, void **operand, weft_error *error)
{
    int64_t offset[MOST_OPERANDS], total = 0;
    for (int i = 0; i < operands + 2; i++) {
        int64_t bytes = i < operands    ? floats[i] * (int64_t)sizeof(float)
                        : i == operands ? (int64_t)plan->workspace
                                        : (int64_t)plan->prepared;
        offset[i] = total;
        total += weft_aligned(bytes);
    }
    WEFT_TRY(weft_allocate_arena(program, total, error));
    fill((float *)program->arena, (size_t)total / sizeof(float));
    for (int i = 0; i < operands + 2; i++)
        operand[i] = program->arena + offset[i];
    return WEFT_OK;
}

static double seconds_of_run(weft_program *program)
{
    weft_run_info info = {0};
    int bad_step;
    double start = weft_seconds();
    /* It fails only where it checks for NaN. */
    (void)weft_execute(program, &info, 0, program->tasks, &bad_step);
    return weft_seconds() - start;
}

weft_status weft_measure(const weft_ir *ir, const weft_kernel_plan *plan, const int64_t *floats,
                         int operands, bool steady, double seconds, double *fastest)
{
    void *operand[MOST_OPERANDS];
    weft_task task[WEFT_PLAN_PHASES];
    _Atomic int64_t counter[WEFT_PLAN_PHASES * WEFT_MOST_SHARES];
    weft_program program = {.context = weft_graph_context(ir->graph),
                            .state = ir->state,
                            .real = WEFT_FLOAT32,
                            .threads = ir->threads,
                            .task = task,
                            .tasks = plan->phases,
                            .hoisted_tasks = steady ? plan->prepare_phases : 0,
                            .counter = counter};
    for (int i = 0; i < plan->phases; i++)
        task[i] = (weft_task){
            .run = plan->phase[i].run,
            .call = {.args = plan->args, .operand = operand, .round = plan->phase[i].round},
            .pieces = plan->phase[i].pieces,
            .wait = true,
            .chain = 1};
    WEFT_TRY(lay_out(&program, plan, floats, operands, operand, ir->error));
    seconds_of_run(&program); /* to warm up, and to prepare */
    double total = 0;
    for (int runs = 0; !runs || total < seconds || (runs < 2 && total < 10 * seconds); runs++) {
        double now = seconds_of_run(&program);
        total += now;
        *fastest = now < *fastest ? now : *fastest;
    }
    weft_release(program.context, program.arena, program.arena_allocated);
    return WEFT_OK;
}
