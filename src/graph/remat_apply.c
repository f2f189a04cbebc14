/* Writes a schedule into the intermediate form: a node for each step that runs again, values and a storage for each
 * new life. Views of what lives again are repeated with it. */
#include "graph/remat.h"

#include "base/error.h"
#include "graph/executes.h"

#include <string.h>

typedef struct applier {
    const weft_remat_schedule *schedule;
    const weft_ir *from;
    weft_ir *ir; /* the new one; begins with all nodes, values and storages of the old one */
    int *first_value, *next_value; /* of each old storage: its values */
    int *current;                  /* of each old value: the one to read now */
} applier;

static weft_status begin(applier *a)
{
    const weft_ir *from = a->from;
    const weft_remat_schedule *s = a->schedule;
    weft_ir *ir = a->ir;
    weft_pool *pool = &ir->scratch;
    int nodes = 0, values = 0;
    a->first_value = weft_pool_array(pool, (size_t)from->storages, sizeof(int));
    a->next_value = weft_pool_array(pool, (size_t)from->values, sizeof(int));
    a->current = weft_pool_array(pool, (size_t)from->values, sizeof(int));
    int *count = weft_pool_array(pool, (size_t)from->storages, sizeof(int));
    if (!a->first_value || !a->next_value || !a->current || !count)
        return weft_ir_out_of_memory(ir);
    memset(a->first_value, -1, (size_t)from->storages * sizeof(int));
    for (int v = from->values - 1; v >= 0; v--) {
        int storage = from->value[v].storage;
        a->current[v] = v;
        if (storage < 0)
            continue;
        a->next_value[v] = a->first_value[storage];
        a->first_value[storage] = v;
        count[storage]++;
    }
    for (int p = 0; p < s->positions; p++)
        nodes += s->position[p].again;
    for (int l = 0; l < s->lives; l++)
        if (s->position[s->life_of[l].first].again)
            values += count[s->life_of[l].storage];
    return weft_ir_reserve(ir, nodes + values, values);
}

static int *copy_operands(applier *a, const weft_ir_node *node)
{
    int *operand =
        weft_pool_array(&a->ir->scratch, (size_t)(node->inputs + node->outputs), sizeof(int));
    if (!operand)
        return NULL;
    memcpy(operand, node->input, (size_t)node->inputs * sizeof(int));
    memcpy(operand + node->inputs, node->output, (size_t)node->outputs * sizeof(int));
    return operand;
}

static int copy_value(applier *a, int value, int storage)
{
    weft_ir *ir = a->ir;
    int copy = ir->values++;
    ir->value[copy] = ir->value[value];
    ir->value[copy].storage = storage;
    ir->value[copy].fetched = false;
    ir->forward[copy] = copy;
    return copy;
}

static int add_storage_like(weft_ir *ir, int storage)
{
    return weft_ir_add_storage(ir, (weft_storage){.bytes = ir->storage[storage].bytes});
}

/* Repeats the alias node that makes the value, with what is current. */
static weft_status repeat_alias(applier *a, int index)
{
    weft_ir *ir = a->ir;
    weft_ir_node node = a->from->node[index];
    int *operand = copy_operands(a, &node);
    if (!operand)
        return weft_ir_out_of_memory(ir);
    node.input = operand;
    node.output = operand + node.inputs;
    for (int k = 0; k < node.inputs; k++)
        node.input[k] = a->current[node.input[k]];
    for (int k = 0; k < node.outputs; k++) {
        node.output[k] = a->current[node.output[k]];
        ir->value[node.output[k]].producer = ir->nodes;
    }
    ir->node[ir->nodes++] = node;
    return WEFT_OK;
}

/* All values of the storage anew, in a storage of their own. */
static weft_status begin_life(applier *a, int storage)
{
    weft_ir *ir = a->ir;
    int anew = add_storage_like(ir, storage);
    for (int v = a->first_value[storage]; v >= 0; v = a->next_value[v])
        a->current[v] = copy_value(a, v, anew);
    for (int v = a->first_value[storage]; v >= 0; v = a->next_value[v]) {
        const weft_ir_node *producer = &ir->node[ir->value[v].producer];
        if (producer->alias && producer->outputs && producer->output[0] == v)
            WEFT_TRY(repeat_alias(a, ir->value[v].producer));
    }
    return WEFT_OK;
}

static int access_of(const weft_remat_step *step, int storage)
{
    for (int i = 0; i < step->accesses; i++)
        if (step->access[i].storage == storage)
            return i;
    return -1;
}

static bool has_access(uint64_t mask, int access)
{
    return access >= 0 && access < WEFT_REMAT_MASK && mask >> access & 1;
}

static weft_status give_workspace(weft_ir *ir, weft_ir_node *node)
{
    if (node->workspace >= 0)
        node->workspace = add_storage_like(ir, node->workspace);
    if (node->prepared >= 0)
        node->prepared = add_storage_like(ir, node->prepared);
    return weft_is_plain(node) ? weft_select_plain(ir, &ir->scratch, node) : WEFT_OK;
}

/* Appends the node of a step that runs again; returns its index in *index. */
static weft_status repeat_step(applier *a, const weft_remat_position *position, int *index)
{
    weft_ir *ir = a->ir;
    const weft_remat_step *step = &a->schedule->model->step[position->step];
    weft_ir_node node = a->from->node[step->node];
    int *operand = copy_operands(a, &node);
    if (!operand)
        return weft_ir_out_of_memory(ir);
    node.input = operand;
    node.output = operand + node.inputs;
    node.again = true;
    ir->recomputed_flops += node.cost.flops;
    *index = ir->nodes;
    int dummy[WEFT_REMAT_MASK];
    memset(dummy, -1, sizeof(dummy));
    for (int k = 0; k < node.outputs; k++) {
        int value = node.output[k], storage = ir->value[value].storage;
        int access = access_of(step, storage);
        if (has_access(position->dummies, access)) {
            if (dummy[access] < 0)
                dummy[access] = add_storage_like(ir, storage);
            node.output[k] = copy_value(a, value, dummy[access]);
            ir->value[node.output[k]].producer = *index;
            continue;
        }
        node.output[k] = a->current[value];
        if (node.output[k] != value)
            ir->value[node.output[k]].producer = *index;
    }
    for (int k = 0; k < node.inputs; k++)
        if (weft_ir_reads(&node, k))
            node.input[k] = a->current[node.input[k]];
    WEFT_TRY(give_workspace(ir, &node));
    ir->node[ir->nodes++] = node;
    return WEFT_OK;
}

/* Lets a step that runs the first time read what is current. */
static weft_status redirect(applier *a, int index)
{
    weft_ir_node *node = &a->ir->node[index];
    bool other = false;
    for (int k = 0; k < node->inputs; k++)
        other |= weft_ir_reads(node, k) && a->current[node->input[k]] != node->input[k];
    if (!other)
        return WEFT_OK;
    int *operand = copy_operands(a, node);
    if (!operand)
        return weft_ir_out_of_memory(a->ir);
    node->input = operand;
    node->output = operand + node->inputs;
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k))
            node->input[k] = a->current[node->input[k]];
    return WEFT_OK;
}

static weft_status apply_position(applier *a, const weft_remat_position *position, int *index)
{
    const weft_remat_step *step = &a->schedule->model->step[position->step];
    *index = step->node;
    if (!position->again)
        return redirect(a, *index);
    for (int i = 0; i < step->accesses; i++)
        if (has_access(position->creates, i))
            WEFT_TRY(begin_life(a, step->access[i].storage));
    return repeat_step(a, position, index);
}

weft_status weft_remat_apply(const weft_remat_schedule *schedule, weft_ir *ir)
{
    weft_ir from = *ir;
    applier a = {.schedule = schedule, .from = &from, .ir = ir};
    int *order = weft_pool_array(&ir->scratch, (size_t)schedule->positions, sizeof(int));
    if (!order)
        return weft_ir_out_of_memory(ir);
    WEFT_TRY(begin(&a));
    for (int p = 0; p < schedule->positions; p++)
        WEFT_TRY(apply_position(&a, &schedule->position[p], &order[p]));
    ir->order = order;
    ir->steps = schedule->positions;
    return WEFT_OK;
}
