/* Gives every value its storage, and lets values share one where strides can say it: a concat's inputs
 * are produced inside its output; reshape, slice, split and crop become views of their input. */
#include "base/error.h"
#include "graph/core_ops.h"
#include "graph/micro_batch.h"

#include <string.h>

static weft_storage storage_of(const weft_ir *ir, const weft_ir_node *node,
                               const weft_ir_value *value)
{
    weft_storage storage = {.bytes = (int64_t)weft_tensor_bytes(&value->tensor),
                            .lasting = weft_lasts(node->op)};
    if (value->tensor.data) {
        storage.place = WEFT_PLACE_CONSTANT;
        storage.memory = value->tensor.data;
    } else if (node->op == &weft_input_op) {
        storage.place = WEFT_PLACE_FEED;
    } else if (node->op == &weft_variable_op) {
        storage.place = WEFT_PLACE_VARIABLE;
        storage.memory = weft_state_tensor_of(ir->state, node->graph_node).data;
    }
    return storage;
}

static bool has_storage(const weft_ir_node *node, const weft_ir_value *value)
{
    return !node->gone || (value->tensor.data && (value->needed || value->fetched));
}

static void give_storages(weft_ir *ir)
{
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        for (int k = 0; k < node->outputs; k++) {
            weft_ir_value *value = &ir->value[node->output[k]];
            if (value->storage >= 0 || !has_storage(node, value))
                continue;
            bool is_new_value = k == 0 && node->op->writes;
            value->storage = is_new_value
                                 ? ir->value[node->input[__builtin_ctz(node->op->writes)]].storage
                                 : weft_ir_add_storage(ir, storage_of(ir, node, value));
        }
    }
}

/* ---- Who takes strides ---- */

/* The plain forms follow any strides, but for a user's run_f32, which must say so. */
static bool is_plain(const weft_ir *ir, const weft_ir_node *node)
{
    return ir->real == WEFT_FLOAT64 || (!node->op->bind && !node->op->run_f32);
}

static bool takes_strided_output(const weft_ir *ir, const weft_ir_node *node)
{
    return is_plain(ir, node) || node->op->flags & WEFT_OP_STRIDED_OUTPUTS;
}

static bool takes_strided_input(const weft_ir *ir, const weft_ir_node *node, int input)
{
    bool dense = input < 32 && node->op->dense & WEFT_INPUT(input);
    return is_plain(ir, node) || (node->op->flags & WEFT_OP_STRIDED_INPUTS && !dense);
}

/* True where every node that reads the value takes strided inputs. `except` is not asked. */
static bool readers_take_strides(const weft_ir *ir, int value, const weft_ir_node *except)
{
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        if (node->gone || node == except)
            continue;
        for (int k = 0; k < node->inputs; k++)
            if (node->input[k] == value && weft_ir_reads(node, k) &&
                !takes_strided_input(ir, node, k))
                return false;
    }
    return true;
}

/* ---- Producing the inputs of a concat in place ---- */

static bool appears_once(const weft_ir_node *node, int input)
{
    for (int k = 0; k < node->inputs; k++)
        if (k != input && node->input[k] == node->input[input])
            return false;
    return true;
}

static bool can_produce_inside(const weft_ir *ir, const weft_ir_node *concat, int input)
{
    const weft_ir_value *value = &ir->value[concat->input[input]];
    const weft_ir_node *producer = &ir->node[value->producer];
    if (weft_is_leaf(producer->op) || producer->gone || producer->op->writes ||
        weft_lasts(producer->op) || value->fetched || value->placed || value->tensor.data ||
        !appears_once(concat, input))
        return false;
    return takes_strided_output(ir, producer) &&
           readers_take_strides(ir, concat->input[input], concat);
}

static void place_value(weft_ir *ir, int value, int into, const weft_tensor *view, int64_t offset)
{
    ir->value[value].tensor = *view;
    ir->value[value].storage = ir->value[into].storage;
    ir->value[value].offset =
        ir->value[into].offset + offset * (int64_t)weft_dtype_bytes(view->dtype);
    ir->value[value].placed = true;
}

static weft_status place_inputs(weft_ir *ir, weft_ir_node *node)
{
    if (ir->value[node->output[0]].tensor.data)
        return WEFT_OK;
    weft_tensor *tensors =
        weft_pool_array(&ir->scratch, (size_t)node->inputs + 1, sizeof(*tensors));
    bool *inside = weft_pool_array(&ir->scratch, (size_t)node->inputs, sizeof(bool));
    if (!tensors || !inside)
        return weft_ir_out_of_memory(ir);
    bool any = false;
    for (int k = 0; k < node->inputs; k++)
        any |= inside[k] = can_produce_inside(ir, node, k);
    if (!any)
        return WEFT_OK;
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    for (int k = 0; k < node->inputs; k++) {
        weft_tensor view = tensors[k];
        int64_t offset = 0;
        if (!node->op->place(&bind, k, &view, &offset))
            return weft_error_set(ir->error, WEFT_ERROR_INTERNAL,
                                  "%s \"%s\": input %d has no place in the output", node->op->name,
                                  node->name, k);
        int copy = inside[k] ? node->input[k] : weft_ir_append_copy(ir, node, node->input[k]);
        if (copy < 0)
            return weft_ir_out_of_memory(ir);
        node->input[k] = copy;
        view.data = NULL;
        place_value(ir, node->input[k], node->output[0], &view, offset);
    }
    node->alias = node->gone = true;
    return WEFT_OK;
}

/* ---- Views of an input ---- */

static bool make_views(weft_ir *ir, weft_ir_node *node, weft_tensor *tensors)
{
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    weft_tensor *view = tensors + node->inputs;
    int64_t offset[64];
    if (node->outputs > 64 || ir->value[node->input[0]].tensor.data)
        return false;
    for (int k = 0; k < node->outputs; k++) {
        const weft_ir_value *value = &ir->value[node->output[k]];
        weft_tensor strided = view[k];
        if (value->placed || value->tensor.data || !node->op->view(&bind, k, &strided, &offset[k]))
            return false;
        bool dense = weft_tensor_dense(&strided);
        if (!dense && (value->fetched || !readers_take_strides(ir, node->output[k], NULL)))
            return false;
        view[k] = strided;
    }
    const weft_ir_value *from = &ir->value[node->input[0]];
    for (int k = 0; k < node->outputs; k++) {
        weft_ir_value *value = &ir->value[node->output[k]];
        value->tensor = view[k];
        value->storage = from->storage;
        value->offset = from->offset + offset[k] * (int64_t)weft_dtype_bytes(view[k].dtype);
    }
    return true;
}

static weft_status share_storages(weft_ir *ir)
{
    for (int i = ir->nodes - 1; i >= 0; i--) /* outer concats first, so that inner ones nest */
        if (!ir->node[i].gone && ir->node[i].op->place)
            WEFT_TRY(place_inputs(ir, &ir->node[i]));
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        if (node->gone || !node->op->view)
            continue;
        weft_tensor *tensors =
            weft_pool_array(&ir->scratch, (size_t)(node->inputs + node->outputs), sizeof(*tensors));
        if (!tensors)
            return weft_ir_out_of_memory(ir);
        if (make_views(ir, node, tensors))
            node->alias = node->gone = true;
    }
    return WEFT_OK;
}

/* ---- Updates ---- */

static bool writes(const weft_ir_node *node)
{
    return !node->gone && node->op->writes;
}

static bool writes_storage(const weft_ir *ir, const weft_ir_node *node, int storage)
{
    for (int k = 0; writes(node) && k < node->inputs; k++)
        if (weft_ir_writes(node, k) && ir->value[node->input[k]].storage == storage)
            return true;
    return false;
}

/* True where the node reads by input k, and not to write over it, what the writer's variable is before that. */
static bool reads_before(const weft_ir *ir, const weft_ir_node *node, int k,
                         const weft_ir_node *writer)
{
    return weft_ir_reads(node, k) && !weft_ir_writes(node, k) &&
           writes_storage(ir, writer, ir->value[node->input[k]].storage) &&
           !weft_ir_is_after(ir, node->input[k], writer);
}

/* True where the node comes after the other: it reads what that makes, writes what that reads as it was before, or
 * comes after one that does. */
static bool comes_after(const weft_ir *ir, int node, int other, bool *seen)
{
    const weft_ir_node *n = &ir->node[node];
    if (node == other)
        return true;
    if (seen[node])
        return false;
    seen[node] = true;
    for (int k = 0; k < n->inputs; k++)
        if (weft_ir_reads(n, k) && comes_after(ir, ir->value[n->input[k]].producer, other, seen))
            return true;
    for (int i = 0; writes(n) && i < ir->nodes; i++)
        for (int k = 0; i != node && !ir->node[i].gone && k < ir->node[i].inputs; k++)
            if (reads_before(ir, &ir->node[i], k, n) && comes_after(ir, i, other, seen))
                return true;
    return false;
}

/* True where the update would have to come before one that it comes after, as it reads its variable by input k. */
static bool in_circle(const weft_ir *ir, int update, int k, bool *seen)
{
    for (int i = 0; i < ir->nodes; i++) {
        if (i == update || !reads_before(ir, &ir->node[update], k, &ir->node[i]))
            continue;
        memset(seen, 0, (size_t)ir->nodes * sizeof(bool));
        if (comes_after(ir, update, i, seen))
            return true;
    }
    return false;
}

/* Two variables may each be the other one's gradient: one of the updates then reads a copy. */
static weft_status copy_read_by_updates(weft_ir *ir)
{
    bool *seen = weft_pool_array(&ir->scratch, (size_t)ir->node_capacity, sizeof(bool));
    if (!seen)
        return weft_ir_out_of_memory(ir);
    for (int i = 0, nodes = ir->nodes; i < nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        for (int k = 0; writes(node) && k < node->inputs; k++) {
            if (!in_circle(ir, i, k, seen))
                continue;
            node->input[k] = weft_ir_append_dense_copy(ir, node, node->input[k]);
            if (node->input[k] < 0)
                return weft_ir_out_of_memory(ir);
        }
    }
    return WEFT_OK;
}

/* ---- Fetches ---- */

/* True where the value is of a variable, but not the variable itself, and is written over. */
static bool passes(const weft_ir *ir, int value)
{
    const weft_ir_node *from = &ir->node[ir->value[value].producer];
    int storage = ir->value[value].storage;
    bool over = false;
    for (int i = 0; from->op != &weft_variable_op && i < ir->nodes; i++)
        over |=
            writes_storage(ir, &ir->node[i], storage) && !weft_ir_is_after(ir, value, &ir->node[i]);
    return over && ir->storage[storage].place == WEFT_PLACE_VARIABLE;
}

/* What the caller feeds is his; a fetch that turns out to be a feed, or a view of one, is a copy. So is what updates
 * write over. */
static weft_status copy_fetched(weft_ir *ir)
{
    for (int v = 0, values = ir->values; v < values; v++) {
        const weft_ir_value *value = &ir->value[v];
        if (!value->fetched || value->storage < 0)
            continue;
        if (ir->storage[value->storage].place != WEFT_PLACE_FEED && !passes(ir, v))
            continue;
        int copy = weft_ir_append_dense_copy(ir, &ir->node[value->producer], v);
        if (copy < 0)
            return weft_ir_out_of_memory(ir);
        ir->value[copy].fetched = true;
        ir->value[v].fetched = false;
        ir->forward[v] = copy;
    }
    return WEFT_OK;
}

/* Copies that may be appended: one for each input of a concat and of an update, and each fetch. */
static int most_copies(const weft_ir *ir)
{
    int copies = 0;
    for (int i = 0; i < ir->nodes; i++)
        if (!ir->node[i].gone && (ir->node[i].op->place || ir->node[i].op->writes))
            copies += ir->node[i].inputs;
    for (int v = 0; v < ir->values; v++)
        copies += ir->value[v].fetched;
    return copies;
}

weft_status weft_pass_view(weft_ir *ir)
{
    int copies = most_copies(ir);
    WEFT_TRY(weft_ir_reserve(ir, copies, copies));
    give_storages(ir);
    if (!(ir->options->without & 1u << WEFT_PASS_VIEW))
        WEFT_TRY(share_storages(ir));
    WEFT_TRY(copy_read_by_updates(ir));
    return copy_fetched(ir);
}
