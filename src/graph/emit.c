/* Turns the compiled form into a program: steps with operands, tasks with barriers. */
#include "base/error.h"
#include "base/memory.h"
#include "graph/core_ops.h"
#include "graph/fused.h"
#include "graph/node.h"
#include "graph/program.h"

#include <string.h>

static weft_status emit_values(const weft_ir *ir, weft_program *program)
{
    program->values = ir->values;
    program->value = weft_pool_array(&program->pool, (size_t)ir->values, sizeof(weft_plan_value));
    if (!program->value)
        return weft_out_of_memory(ir->error, (size_t)ir->values * sizeof(weft_plan_value));
    for (int i = 0; i < ir->values; i++) {
        const weft_ir_value *from = &ir->value[i];
        const weft_ir_node *producer = &ir->node[from->producer];
        weft_plan_value *value = &program->value[i];
        *value = (weft_plan_value){.tensor = from->tensor,
                                   .storage = from->storage,
                                   .offset = from->offset,
                                   .graph_node = from->graph_node,
                                   .graph_output = from->graph_output};
        if (from->storage < 0)
            continue;
        const weft_storage *storage = &ir->storage[from->storage];
        value->place = storage->place;
        value->tensor.data = storage->memory;
        if (storage->place == WEFT_PLACE_ARENA)
            value->offset += storage->offset;
        if (producer->alias) {
            value->parts = producer->op->place ? producer->inputs : 1;
            value->part = weft_pool_array(&program->pool, (size_t)value->parts, sizeof(int));
            if (!value->part)
                return weft_out_of_memory(ir->error, (size_t)value->parts * sizeof(int));
            memcpy(value->part, producer->input, (size_t)value->parts * sizeof(int));
        }
    }
    return WEFT_OK;
}

static weft_status emit_step(const weft_ir *ir, weft_program *program, int index)
{
    const weft_ir_node *node = &ir->node[ir->order[index]];
    weft_step *step = &program->step[index];
    size_t operands = (size_t)(node->inputs + node->outputs);
    const char *label = node->label ? node->label : node->op->name;
    *step = (weft_step){.op = node->op,
                        .name = node->name,
                        .graph_node = node->graph_node,
                        .label = label,
                        .kernel = node->op == &weft_maps_op ? label : node->op->name,
                        .algorithm = node->algorithm ? node->algorithm : "",
                        .inputs = node->inputs,
                        .outputs = node->outputs,
                        .own_inputs = node->own_inputs,
                        .workspace_slot = node->own_inputs + node->own_outputs,
                        .in_place = node->in_place,
                        .cost = node->cost,
                        .again = node->again,
                        .workspace_bytes = node->workspace_bytes,
                        .prepared_bytes = node->prepared_bytes,
                        .prepare_inputs = node->prepare_inputs};
    step->value = weft_pool_array(&program->pool, operands, sizeof(int));
    step->slot = weft_pool_array(&program->pool, operands, sizeof(int));
    step->operand = weft_pool_array(&program->pool, operands + 2, sizeof(void *));
    if (!step->value || !step->slot || !step->operand)
        return weft_out_of_memory(ir->error, operands * sizeof(void *));
    memcpy(step->value, node->input, (size_t)node->inputs * sizeof(int));
    memcpy(step->value + node->inputs, node->output, (size_t)node->outputs * sizeof(int));
    for (int k = 0; k < (int)operands; k++)
        step->slot[k] = weft_ir_slot(node, k);
    if (node->workspace >= 0)
        step->workspace_offset = ir->storage[node->workspace].offset;
    if (node->prepared >= 0) {
        step->prepared_offset = ir->storage[node->prepared].offset;
        step->hoisted_phases = ir->storage[node->prepared].kept ? node->prepare_phases : 0;
    }
    for (int p = 0; p < node->phases; p++)
        step->pieces += node->phase[p].pieces;
    for (int s = 0; s < ir->storages; s++) {
        const weft_storage *storage = &ir->storage[s];
        if (storage->used && storage->place == WEFT_PLACE_ARENA && storage->first <= index &&
            index <= storage->last)
            step->live_bytes += storage->bytes;
    }
    return WEFT_OK;
}

/* ---- Barriers ---- */

/* Bytes that a step touches: offsets in the arena, or addresses elsewhere; feeds are only read and need no
 * entry. */
typedef struct range {
    int64_t from, to;
    bool arena, written;
} range;

static range range_of(const weft_program *program, const weft_step *step, int operand)
{
    const weft_plan_value *value = &program->value[step->value[operand]];
    const weft_tensor *tensor = &value->tensor;
    int64_t last = 0;
    for (int d = 0; d < tensor->rank; d++)
        last += (tensor->extent[d] - 1) * tensor->stride[d];
    bool written = operand >= step->inputs || weft_step_has(step, step->op->writes, operand);
    bool read = operand < step->inputs && !weft_step_has(step, step->op->shape_only, operand);
    bool arena = value->place == WEFT_PLACE_ARENA;
    if (!(arena || tensor->data) || !(written || read))
        return (range){0};
    int64_t from = arena ? value->offset : (int64_t)(intptr_t)tensor->data + value->offset;
    return (range){from, from + (last + 1) * (int64_t)weft_dtype_bytes(tensor->dtype), arena,
                   written};
}

static range workspace_range(const weft_step *step)
{
    int64_t from = step->workspace_offset;
    return (range){from, from + step->workspace_bytes, true, true};
}

/* What is kept is only read by the phases that are not hoisted. */
static range prepared_range(const weft_step *step)
{
    int64_t from = step->prepared_offset;
    return (range){from, from + step->prepared_bytes, true, !step->hoisted_phases};
}

/* Of operand k: an input, an output, the workspace or what is prepared. */
static range operand_range(const weft_program *program, const weft_step *step, int k)
{
    int operands = step->inputs + step->outputs;
    if (k < operands)
        return range_of(program, step, k);
    return k == operands ? workspace_range(step) : prepared_range(step);
}

static bool conflict(range a, range b)
{
    return (a.written || b.written) && a.arena == b.arena && a.from < b.to && b.from < a.to;
}

/* True where the two steps may not run at the same time. */
static bool steps_conflict(const weft_program *program, const weft_step *a, const weft_step *b)
{
    for (int i = 0; i < a->inputs + a->outputs + 2; i++) {
        range x = operand_range(program, a, i);
        for (int k = 0; k < b->inputs + b->outputs + 2; k++)
            if (conflict(x, operand_range(program, b, k)))
                return true;
    }
    return false;
}

/* True where the step conflicts with one of those from first to end - 1. */
static bool must_wait(const weft_program *program, int first, int end, int step)
{
    for (int s = first; s < end; s++)
        if (steps_conflict(program, &program->step[s], &program->step[step]))
            return true;
    return false;
}

/* Where emitting tasks stands. */
typedef struct task_cursor {
    int since; /* first step after the last barrier */
    int chain; /* step of the first task of the chain that is being built */
} task_cursor;

/* Appends a task. One of a single piece joins the chain before it, in place of a barrier, where all that
 * it waits for since the last barrier is in that chain. */
static void emit_task(weft_program *program, weft_task task, bool first_phase, bool stepwise,
                      task_cursor *cursor)
{
    bool fresh = program->tasks > 0 && (program->tasks == program->hoisted_tasks ||
                                        program->tasks == program->after_task);
    const weft_task *before = program->tasks && !fresh ? &program->task[program->tasks - 1] : NULL;
    bool single = !stepwise && before && before->pieces == 1 && task.pieces == 1;
    int step = task.step;
    task.joined =
        single && (!first_phase || !must_wait(program, cursor->since, cursor->chain, step));
    task.wait = !task.joined && (stepwise || !first_phase || fresh ||
                                 must_wait(program, cursor->since, step, step));
    if (!task.joined)
        cursor->chain = step;
    if (task.wait)
        cursor->since = step;
    program->task[program->tasks++] = task;
}

static void mark_chains(weft_program *program)
{
    for (int i = program->tasks - 1; i >= 0; i--) {
        bool more = i + 1 < program->tasks && program->task[i + 1].joined;
        program->task[i].chain = more ? program->task[i + 1].chain + 1 : 1;
    }
}

/* A thread more than the most pieces of any task of every run would only wait at barriers. */
static void use_no_idle_threads(weft_program *program)
{
    int64_t most = 1;
    for (int i = program->hoisted_tasks; i < program->tasks; i++)
        most = program->task[i].pieces > most ? program->task[i].pieces : most;
    if (program->threads > most)
        program->threads = (int)most;
}

static weft_task phase_task(const weft_ir *ir, const weft_program *program, int step, int phase)
{
    const weft_ir_node *node = &ir->node[ir->order[step]];
    return (weft_task){
        .run = node->phase[phase].run,
        .call = {.args = node->phase_args[phase],
                 .operand = program->step[step].operand,
                 .round = node->phase[phase].round},
        .pieces = node->phase[phase].pieces,
        .step = step,
    };
}

static void emit_steps(const weft_ir *ir, weft_program *program, int first, int end, bool stepwise)
{
    task_cursor cursor = {first, first};
    for (int i = first; i < end; i++) {
        int hoisted = program->step[i].hoisted_phases;
        for (int p = hoisted; p < ir->node[ir->order[i]].phases; p++)
            emit_task(program, phase_task(ir, program, i, p), p == hoisted, stepwise, &cursor);
    }
}

/* All first phases together, then all second ones: they touch nothing of each other's. */
static void emit_hoisted_phases(const weft_ir *ir, weft_program *program, bool stepwise)
{
    for (int p = 0; p < WEFT_PLAN_PHASES; p++) {
        bool wait = program->tasks > 0;
        for (int i = program->hoisted_steps; i < program->steps; i++) {
            if (p >= program->step[i].hoisted_phases)
                continue;
            weft_task task = phase_task(ir, program, i, p);
            task.wait = wait || stepwise;
            wait = false;
            program->task[program->tasks++] = task;
        }
    }
}

static weft_status emit_tasks(const weft_ir *ir, weft_program *program)
{
    size_t count = 0;
    for (int i = 0; i < ir->steps; i++)
        count += (size_t)ir->node[ir->order[i]].phases;
    program->task = weft_pool_array(&program->pool, count, sizeof(weft_task));
    program->counter =
        weft_pool_array(&program->pool, count * (size_t)weft_shares(program), sizeof(int64_t));
    if (!program->task || !program->counter)
        return weft_out_of_memory(ir->error, count * sizeof(weft_task));
    bool stepwise = program->poison || program->check_finite || program->profile;
    emit_steps(ir, program, 0, program->hoisted_steps, stepwise);
    emit_hoisted_phases(ir, program, stepwise);
    program->hoisted_tasks = program->tasks;
    emit_steps(ir, program, program->hoisted_steps, program->after_step, stepwise);
    program->after_task = program->tasks;
    emit_steps(ir, program, program->after_step, program->steps, stepwise);
    mark_chains(program);
    use_no_idle_threads(program);
    return WEFT_OK;
}

/* ---- Feeds, fetches, slots ---- */

static weft_status emit_feed(const weft_ir *ir, weft_program *program, int storage)
{
    weft_feed_slot *feed = &program->feed[program->feeds++];
    for (int v = 0; v < ir->values; v++)
        if (ir->value[v].storage == storage && weft_is_leaf(ir->node[ir->value[v].producer].op)) {
            feed->graph_node = ir->value[v].graph_node;
            feed->name = ir->node[ir->value[v].producer].name;
            feed->dtype = ir->value[v].tensor.dtype;
            feed->bytes = ir->storage[storage].bytes;
            if (ir->micro_batches > 1 &&
                weft_node_get(ir->graph, feed->graph_node)->shape[0].extent[0] < 0) {
                feed->step = feed->bytes;
                feed->bytes *= ir->micro_batches;
            }
        }
    for (int pass = 0; pass < 2; pass++) { /* count, then fill */
        feed->patches = 0;
        for (int s = 0; s < program->steps; s++) {
            const weft_step *step = &program->step[s];
            for (int k = 0; k < step->inputs; k++) {
                const weft_plan_value *value = &program->value[step->value[k]];
                if (value->storage != storage)
                    continue;
                if (feed->patch)
                    feed->patch[feed->patches] =
                        (struct weft_patch){&step->operand[step->slot[k]], value->offset};
                feed->patches++;
            }
        }
        if (pass == 0)
            feed->patch =
                weft_pool_array(&program->pool, (size_t)feed->patches, sizeof(struct weft_patch));
        if (!feed->patch)
            return weft_ir_out_of_memory((weft_ir *)ir);
    }
    return WEFT_OK;
}

static bool is_used_feed(const weft_ir *ir, int storage)
{
    return ir->storage[storage].used && ir->storage[storage].place == WEFT_PLACE_FEED;
}

static weft_status emit_edges(const weft_ir *ir, weft_program *program)
{
    size_t feeds = 0, slots = 0;
    for (int s = 0; s < ir->storages; s++) {
        feeds += is_used_feed(ir, s);
        slots += ir->storage[s].used && ir->storage[s].place == WEFT_PLACE_ARENA;
    }
    program->feed = weft_pool_array(&program->pool, feeds, sizeof(weft_feed_slot));
    program->slot = weft_pool_array(&program->pool, slots, sizeof(weft_slot));
    program->fetch =
        weft_pool_array(&program->pool, (size_t)ir->options->fetches, sizeof(weft_fetch_slot));
    if (!program->feed || !program->slot || !program->fetch)
        return weft_ir_out_of_memory((weft_ir *)ir);
    for (int s = 0; s < ir->storages; s++) {
        const weft_storage *storage = &ir->storage[s];
        if (is_used_feed(ir, s))
            WEFT_TRY(emit_feed(ir, program, s));
        else if (storage->used && storage->place == WEFT_PLACE_ARENA)
            program->slot[program->slots++] = (weft_slot){s,
                                                          storage->first,
                                                          storage->last,
                                                          storage->offset,
                                                          storage->bytes,
                                                          storage->kept,
                                                          storage->lasting};
    }
    for (int i = 0; i < ir->options->fetches; i++) {
        weft_value wanted = ir->options->fetch[i];
        for (int v = 0; v < ir->values; v++)
            if (ir->value[v].graph_node == wanted.node &&
                ir->value[v].graph_output == wanted.output) {
                program->fetch[program->fetches++] =
                    (weft_fetch_slot){wanted.node, wanted.output, weft_ir_resolve(ir, v)};
                break;
            }
    }
    return WEFT_OK;
}

static void emit_report(const weft_ir *ir, weft_program *program)
{
    weft_report *report = &program->report;
    report->steps = program->steps;
    report->arena_bytes = ir->arena_bytes;
    report->bound_bytes = ir->bound_bytes;
    report->creation_bound_bytes = ir->creation_bound_bytes;
    report->prepared_bytes = ir->kept_bytes;
    report->recomputed_flops = ir->micro_batches * ir->recomputed_flops;
    report->constant_bytes = (int64_t)program->pool.bytes;
    report->again_share = ir->again_share;
    report->micro_batches = ir->micro_batches;
    for (int i = program->hoisted_steps; i < program->steps; i++) {
        int times = i < program->after_step ? ir->micro_batches : 1;
        report->flops += times * program->step[i].cost.flops;
        report->bytes += times * program->step[i].cost.bytes;
        report->steps_again += program->step[i].again;
    }
    for (int s = 0; s < ir->storages; s++)
        if (ir->storage[s].used && ir->storage[s].place == WEFT_PLACE_VARIABLE)
            report->state_bytes += ir->storage[s].bytes;
}

/* Plans that were only tried leave nothing in the program: these arguments are made of the one that was taken. */
static weft_status keep_arguments(weft_ir *ir)
{
    for (int i = 0; i < ir->steps; i++)
        if (weft_is_plain(&ir->node[ir->order[i]]))
            WEFT_TRY(weft_select_plain(ir, ir->keep, &ir->node[ir->order[i]]));
    return WEFT_OK;
}

weft_status weft_emit(weft_ir *ir, weft_program *program)
{
    WEFT_TRY(keep_arguments(ir));
    program->steps = ir->steps;
    program->hoisted_steps = ir->hoisted;
    for (program->after_step = ir->hoisted; program->after_step < ir->steps; program->after_step++)
        if (ir->node[ir->order[program->after_step]].after)
            break;
    program->step = weft_pool_array(&program->pool, (size_t)ir->steps, sizeof(weft_step));
    if (!program->step)
        return weft_out_of_memory(ir->error, (size_t)ir->steps * sizeof(weft_step));
    WEFT_TRY(emit_values(ir, program));
    for (int i = 0; i < ir->steps; i++)
        WEFT_TRY(emit_step(ir, program, i));
    WEFT_TRY(emit_tasks(ir, program));
    WEFT_TRY(emit_edges(ir, program));
    emit_report(ir, program);
    return WEFT_OK;
}
