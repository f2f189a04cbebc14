/* Steps and storages of an order, as rematerialization sees them. */
#include "graph/remat.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum {
    SMALL = 512, /* storages below such a part of the largest one are not worth a decision */
    SHORT = 3,   /* steps between uses, up to which nothing is gained */
};

/* In the part of the arena that is planned. */
static bool in_arena(const weft_ir *ir, int storage)
{
    return storage >= 0 && ir->storage[storage].place == WEFT_PLACE_ARENA &&
           !weft_storage_stays(&ir->storage[storage]);
}

/* ---- Steps ---- */

/* The number of the step's access to the storage, a new one where it has none yet. */
static int find_access(weft_remat_step *step, int storage)
{
    for (int a = 0; a < step->accesses; a++)
        if (step->access[a].storage == storage)
            return a;
    step->access[step->accesses] = (weft_remat_access){.storage = storage};
    return step->accesses++;
}

static void touch(const weft_ir *ir, weft_remat_step *step, int value, bool write)
{
    int storage = ir->value[value].storage;
    if (!in_arena(ir, storage))
        return;
    int access = find_access(step, storage);
    if (access < WEFT_REMAT_MASK && write)
        step->writes |= (uint64_t)1 << access;
}

static void read_variable(const weft_ir *ir, weft_remat_step *step, int value)
{
    int storage = ir->value[value].storage;
    if (storage >= 0 && ir->storage[storage].place == WEFT_PLACE_VARIABLE)
        step->variable[step->variables++] = storage;
}

static void find_overs(const weft_ir *ir, const weft_ir_node *node, weft_remat_step *step)
{
    step->written = -1;
    int output = node->outputs ? ir->value[node->output[0]].storage : -1;
    if (!in_arena(ir, output) || node->op->writes ||
        ir->options->without & 1u << WEFT_PASS_IN_PLACE)
        return;
    step->written = find_access(step, output);
    for (int k = 0; k < node->inputs && k < 32; k++)
        if (node->in_place & WEFT_INPUT(k) && weft_ir_reads(node, k) &&
            weft_ir_fits_over(ir, node, k) && in_arena(ir, ir->value[node->input[k]].storage))
            step->over[step->overs++] = find_access(step, ir->value[node->input[k]].storage);
}

static weft_status describe(weft_remat_model *model, int index)
{
    weft_ir *ir = model->ir;
    weft_remat_step *step = &model->step[index];
    step->node = ir->order[index];
    const weft_ir_node *node = &ir->node[step->node];
    size_t operands = (size_t)(node->inputs + node->outputs);
    step->access = weft_pool_array(&ir->scratch, operands, sizeof(*step->access));
    step->variable = weft_pool_array(&ir->scratch, (size_t)node->inputs, sizeof(int));
    step->over = weft_pool_array(&ir->scratch, (size_t)node->inputs, sizeof(int));
    if (!step->access || !step->variable || !step->over)
        return weft_ir_out_of_memory(ir);
    for (int k = 0; k < node->outputs; k++)
        touch(ir, step, node->output[k], true);
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k)) {
            touch(ir, step, node->input[k], false);
            read_variable(ir, step, node->input[k]);
        }
    find_overs(ir, node, step);
    bool keeps = node->prepared >= 0 && ir->storage[node->prepared].kept;
    step->workspace = weft_aligned(node->workspace_bytes);
    if (node->prepared >= 0 && !keeps)
        step->workspace += weft_aligned(node->prepared_bytes);
    step->cost = weft_ir_cycles(node);
    step->repeatable =
        !node->op->writes && !node->hoisted && !keeps && step->accesses <= WEFT_REMAT_MASK;
    model->cost += node->after ? step->cost / ir->micro_batches : step->cost;
    return WEFT_OK;
}

/* ---- Variables ---- */

static bool reads_result(const weft_ir *ir, const weft_ir_node *writer)
{
    if (!writer->outputs)
        return false;
    for (int i = 0; i < ir->nodes; i++)
        for (int k = 0; (!ir->node[i].gone || ir->node[i].alias) && k < ir->node[i].inputs; k++)
            if (ir->node[i].input[k] == writer->output[0] && weft_ir_reads(&ir->node[i], k))
                return true;
    return false;
}

/* True where the step, which changes variables, reads one that another step changes. */
static bool reads_changed(const weft_remat_model *model, int s)
{
    const weft_remat_step *step = &model->step[s];
    for (int v = 0; v < step->variables; v++) {
        int writer = model->storage[step->variable[v]].late_writer;
        if (writer >= 0 && writer != s)
            return true;
    }
    return false;
}

/* A step that changes variables comes after all that read what they held before, also those that run again: it
 * runs later than planned where nobody reads what it makes, and it reads nothing that others change. Other variables are
 * not read again after their change. */
static weft_status find_writers(weft_remat_model *model)
{
    weft_ir *ir = model->ir;
    bool *fixed = weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(bool));
    if (!fixed)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < model->storages; i++)
        model->storage[i].late_writer = -1;
    for (int s = 0; s < model->steps; s++) {
        const weft_ir_node *node = &ir->node[model->step[s].node];
        for (int k = 0; k < node->inputs; k++) {
            if (!weft_ir_writes(node, k))
                continue;
            int storage = ir->value[node->input[k]].storage;
            fixed[storage] |= model->storage[storage].late_writer >= 0 || reads_result(ir, node);
            model->storage[storage].late_writer = s;
        }
    }
    for (int i = 0; i < model->storages; i++)
        fixed[i] |= model->storage[i].late_writer >= 0 &&
                    reads_changed(model, model->storage[i].late_writer);
    for (int i = 0; i < model->storages; i++)
        if (fixed[i])
            model->storage[i].late_writer = -1;
    for (int s = 0; s < model->steps; s++)
        for (int v = 0; v < model->step[s].variables; v++)
            if (fixed[model->step[s].variable[v]])
                model->step[s].repeatable = false;
    return WEFT_OK;
}

/* ---- Storages ---- */

static weft_status find_uses(weft_remat_model *model)
{
    weft_ir *ir = model->ir;
    for (int pass = 0; pass < 2; pass++) { /* count, then fill */
        for (int s = 0; s < model->steps; s++) {
            weft_remat_step *step = &model->step[s];
            for (int a = 0; a < step->accesses; a++) {
                weft_remat_storage *storage = &model->storage[step->access[a].storage];
                bool write = a >= WEFT_REMAT_MASK || step->writes >> a & 1;
                if (pass) {
                    step->access[a].use = storage->uses;
                    storage->use[storage->uses] = s;
                    if (write)
                        storage->writer[storage->writers] = s;
                }
                storage->uses++;
                storage->writers += write;
                storage->pinned |= write && !step->repeatable;
            }
        }
        for (int i = 0; i < model->storages && pass == 0; i++) {
            weft_remat_storage *storage = &model->storage[i];
            storage->use = weft_pool_array(&ir->scratch, (size_t)storage->uses, sizeof(int));
            storage->writer = weft_pool_array(&ir->scratch, (size_t)storage->writers, sizeof(int));
            model->parts += (size_t)storage->writers;
            if (!storage->use || !storage->writer)
                return weft_ir_out_of_memory(ir);
            storage->uses = storage->writers = 0;
        }
    }
    return WEFT_OK;
}

/* The parts that the value is made of. */
static uint64_t parts_of(const weft_remat_model *model, const int *step_of, int value)
{
    const weft_ir *ir = model->ir;
    int producer = ir->value[value].producer, storage = ir->value[value].storage;
    const weft_ir_node *node = &ir->node[producer];
    uint64_t parts = 0;
    if (node->alias) {
        for (int k = 0; k < node->inputs; k++)
            if (weft_ir_reads(node, k) && ir->value[node->input[k]].storage == storage)
                parts |= parts_of(model, step_of, node->input[k]);
        return parts;
    }
    const weft_remat_storage *of = &model->storage[storage];
    for (int w = 0; w < of->writers && w < WEFT_REMAT_MASK; w++)
        if (of->writer[w] == step_of[producer])
            parts |= (uint64_t)1 << w;
    return parts;
}

static weft_status find_parts(weft_remat_model *model)
{
    weft_ir *ir = model->ir;
    int *step_of = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(int));
    if (!step_of)
        return weft_ir_out_of_memory(ir);
    memset(step_of, -1, (size_t)ir->nodes * sizeof(int));
    for (int s = 0; s < model->steps; s++)
        step_of[model->step[s].node] = s;
    for (int s = 0; s < model->steps; s++) {
        weft_remat_step *step = &model->step[s];
        const weft_ir_node *node = &ir->node[step->node];
        for (int k = 0; k < node->inputs + node->outputs; k++) {
            int value = k < node->inputs ? node->input[k] : node->output[k - node->inputs];
            int storage = ir->value[value].storage;
            if ((k < node->inputs && !weft_ir_reads(node, k)) || !in_arena(ir, storage))
                continue;
            uint64_t parts = parts_of(model, step_of, value);
            weft_remat_access *access = &step->access[find_access(step, storage)];
            if (k < node->inputs)
                access->parts |= parts;
            else
                access->own |= parts;
        }
    }
    return WEFT_OK;
}

static int gap_length(const weft_remat_storage *storage, int use)
{
    return storage->use[use + 1] - storage->use[use];
}

/* The longest gaps after the storage is complete. */
static void find_gaps(weft_remat_storage *storage)
{
    for (int u = 0; u + 1 < storage->uses; u++) {
        if (gap_length(storage, u) <= SHORT ||
            storage->use[u] < storage->writer[storage->writers - 1])
            continue;
        int at = storage->gaps;
        while (at > 0 && gap_length(storage, storage->gap[at - 1]) < gap_length(storage, u))
            at--;
        if (at == WEFT_REMAT_GAPS)
            continue;
        int moved = storage->gaps - at - (storage->gaps == WEFT_REMAT_GAPS);
        memmove(&storage->gap[at + 1], &storage->gap[at], (size_t)moved * sizeof(int));
        storage->gap[at] = u;
        storage->gaps += storage->gaps < WEFT_REMAT_GAPS;
    }
}

static void find_candidates(weft_remat_model *model)
{
    const weft_ir *ir = model->ir;
    int64_t largest = 0;
    for (int i = 0; i < model->storages; i++) {
        weft_remat_storage *storage = &model->storage[i];
        if (!in_arena(ir, i) || !storage->uses)
            continue;
        storage->bytes = weft_aligned(ir->storage[i].bytes);
        storage->pinned |= storage->writers == 0 || storage->writers > WEFT_REMAT_MASK;
        largest = storage->bytes > largest ? storage->bytes : largest;
    }
    for (int v = 0; v < ir->values; v++)
        if (ir->value[v].fetched && in_arena(ir, ir->value[v].storage))
            model->storage[ir->value[v].storage].pinned =
                model->storage[ir->value[v].storage].lasts = true;
    for (int i = 0; i < model->storages; i++) {
        weft_remat_storage *storage = &model->storage[i];
        storage->pinned |= storage->bytes < largest / SMALL;
        if (storage->bytes && !storage->pinned)
            find_gaps(storage);
    }
}

weft_status weft_remat_model_build(weft_ir *ir, weft_remat_model *model)
{
    *model = (weft_remat_model){.ir = ir, .steps = ir->steps, .storages = ir->storages};
    model->step = weft_pool_array(&ir->scratch, (size_t)ir->steps, sizeof(*model->step));
    model->storage = weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(*model->storage));
    if (!model->step || !model->storage)
        return weft_ir_out_of_memory(ir);
    for (int s = 0; s < model->steps; s++)
        WEFT_TRY(describe(model, s));
    WEFT_TRY(find_writers(model));
    WEFT_TRY(find_uses(model));
    WEFT_TRY(find_parts(model));
    find_candidates(model);
    return WEFT_OK;
}
