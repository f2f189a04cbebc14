/* From a group of nodes to the operands and the epilogue of one. */
#include "graph/fused.h"

#include "graph/core_ops.h"
#include "kernels/map.h"

#include <string.h>

static bool same_extents(const weft_tensor *a, const weft_tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->extent[d] != b->extent[d])
            return false;
    return true;
}

/* Each extent but the last is like's, or 1 and repeated. */
static bool is_broadcast(const weft_tensor *tensor, const weft_tensor *like)
{
    for (int d = 1; d < tensor->rank; d++) {
        int64_t extent = tensor->extent[tensor->rank - 1 - d];
        if (extent != 1 && extent != like->extent[like->rank - 1 - d])
            return false;
    }
    return true;
}

weft_fused_shape weft_fused_shape_of(const weft_tensor *tensor, const weft_tensor *like)
{
    if (tensor->dtype != WEFT_FLOAT32 || like->dtype != WEFT_FLOAT32 || like->rank < 2)
        return WEFT_FUSED_NONE;
    int last = tensor->rank - 1;
    if (same_extents(tensor, like))
        return tensor->stride[last] == 1 || tensor->extent[last] == 1 ? WEFT_FUSED_WHOLE
                                                                      : WEFT_FUSED_NONE;
    if (weft_tensor_elements(tensor) == 1 && tensor->rank <= like->rank)
        return WEFT_FUSED_ONE;
    if (last < 0 || tensor->rank > like->rank || tensor->stride[last] != 1 ||
        tensor->extent[last] != like->extent[like->rank - 1])
        return WEFT_FUSED_NONE;
    if (weft_tensor_elements(tensor) == tensor->extent[last])
        return WEFT_FUSED_CHANNELS;
    return is_broadcast(tensor, like) ? WEFT_FUSED_ROWS : WEFT_FUSED_NONE;
}

/* ---- Operands ---- */

/* What laying out works on. */
typedef struct layout {
    const weft_ir *ir;
    const weft_fused *fused;
    const bool *stored;
    weft_ir_node *node;
    weft_epilogue *epilogue;
    int operand_value[WEFT_EPILOGUE_OPERANDS];
    bool operand_written[WEFT_EPILOGUE_OPERANDS];
    int block; /* value that lies in the kernel's own output; -1 without a kernel */
} layout;

static int map_that_makes(const weft_fused *fused, int value)
{
    for (int i = 0; i < fused->maps; i++)
        if (fused->map[i].out == value)
            return i;
    return -1;
}

/* The last map, or the number of maps if a sum, that reads the value; -1 if none does. */
static int last_reader(const weft_fused *fused, int value)
{
    int last = -1;
    for (int i = 0; i < fused->maps; i++)
        for (int k = 0; k < fused->map[i].inputs; k++)
            if (fused->map[i].in[k] == value)
                last = i;
    for (int i = 0; i < fused->sums; i++)
        for (int k = 0; k < WEFT_CHANNEL_OPERANDS; k++)
            if (fused->sum[i].node.input[fused->sum[i].reduction.input[k]] == value)
                last = fused->maps;
    return last;
}

static bool add_input(layout *l, int value)
{
    for (int i = l->node->own_inputs; i < l->node->inputs; i++)
        if (l->node->input[i] == value)
            return true;
    if (l->node->inputs == WEFT_FUSED_OPERANDS)
        return false;
    l->node->input[l->node->inputs++] = value;
    return true;
}

static bool add_output(layout *l, int value)
{
    if (l->node->outputs == WEFT_FUSED_OPERANDS)
        return false;
    l->node->output[l->node->outputs++] = value;
    return true;
}

static bool add_operand(layout *l, int value, bool written)
{
    weft_epilogue *e = l->epilogue;
    for (int i = 0; i < e->operands; i++)
        if (l->operand_value[i] == value)
            return true;
    if (e->operands == WEFT_EPILOGUE_OPERANDS)
        return false;
    l->operand_value[e->operands] = value;
    l->operand_written[e->operands++] = written;
    return written ? add_output(l, value) : add_input(l, value);
}

static bool is_outside(const layout *l, int value)
{
    return value != l->fused->raw && map_that_makes(l->fused, value) < 0;
}

/* The last map whose result is stored, or -1. */
static int last_store(const layout *l)
{
    for (int i = l->fused->maps - 1; i >= 0; i--)
        if (l->stored[l->fused->map[i].out])
            return i;
    return -1;
}

/* The kernel's own operands. Its output is what it makes, if others read that or sums do, or the last
 * result that they read. */
static void own_operands(layout *l)
{
    const weft_fused *f = l->fused;
    l->block = -1;
    l->node->inputs = l->node->outputs = 0;
    if (!f->kernel.op)
        return;
    int store = last_store(l);
    bool raw = store < 0 || l->stored[f->raw] || last_reader(f, f->raw) > store;
    l->block = raw ? f->raw : f->map[store].out;
    for (int i = 0; i < f->kernel.inputs; i++)
        l->node->input[l->node->inputs++] = f->kernel.input[i];
    l->node->output[l->node->outputs++] = l->block;
}

static bool collect_operands(layout *l)
{
    const weft_fused *f = l->fused;
    for (int i = f->maps - 1; i >= 0; i--) /* the last one first: it may take an input's place */
        if (l->stored[f->map[i].out] && f->map[i].out != l->block &&
            !add_operand(l, f->map[i].out, true))
            return false;
    for (int i = 0; i < f->maps; i++)
        for (int k = 0; k < f->map[i].inputs; k++)
            if (is_outside(l, f->map[i].in[k]) && !add_operand(l, f->map[i].in[k], false))
                return false;
    for (int i = 0; i < f->sums; i++) {
        const weft_ir_node *reduce = &f->sum[i].node;
        for (int k = 0; k < WEFT_CHANNEL_OPERANDS; k++) {
            int value = reduce->input[f->sum[i].reduction.input[k]];
            if (is_outside(l, value) && !add_operand(l, value, false))
                return false;
        }
        for (int k = 0; k < reduce->inputs; k++) /* read by the rest of the node, if at all */
            if (weft_ir_reads(reduce, k) && is_outside(l, reduce->input[k]) &&
                !add_input(l, reduce->input[k]))
                return false;
        for (int k = 0; k < reduce->outputs; k++)
            if (!add_output(l, reduce->output[k]))
                return false;
    }
    return true;
}

/* What the kernel's own finish and prologue read. The addend must be laid out as what is written. */
static bool add_finish(layout *l)
{
    const weft_fused *f = l->fused;
    const int value[] = {f->finish.center, f->finish.slope, f->finish.shift, f->finish.addend,
                         f->before.center, f->before.slope, f->before.shift};
    for (int i = 0; i < (int)(sizeof(value) / sizeof(*value)); i++)
        if (value[i] >= 0 && !add_input(l, value[i]))
            return false;
    return f->finish.addend < 0 || weft_ir_same_layout(&l->ir->value[f->finish.addend].tensor,
                                                       &l->ir->value[l->block].tensor);
}

static void set_strides(const layout *l, weft_epilogue_operand *operand, const weft_tensor *tensor)
{
    const weft_tensor *like = &l->ir->value[l->fused->reference].tensor;
    weft_fused_shape shape = weft_fused_shape_of(tensor, like);
    operand->one = shape == WEFT_FUSED_ONE;
    if (shape != WEFT_FUSED_WHOLE && shape != WEFT_FUSED_ROWS)
        return;
    weft_tensor wide = shape == WEFT_FUSED_WHOLE ? *tensor : weft_tensor_broadcast(tensor, like);
    if (wide.rank > 5) /* no kernel's, but a chain's, which goes by its own pixels */
        return;
    if (wide.rank == 2) { /* rows are pixels */
        operand->stride[3] = wide.stride[0];
        return;
    }
    operand->stride[0] = wide.stride[0];
    for (int d = 1; d < wide.rank - 1; d++)
        operand->stride[4 - (wide.rank - 1) + d] = wide.stride[d];
}

/* ---- Places ---- */

static int place_of(const layout *l, const int *scratch, int value)
{
    for (int i = 0; i < l->epilogue->operands; i++)
        if (l->operand_value[i] == value)
            return WEFT_AT_OPERAND + i;
    if (value == l->block || value == l->fused->raw)
        return WEFT_AT_BLOCK;
    return WEFT_AT_SCRATCH + scratch[map_that_makes(l->fused, value)];
}

/* Gives results that nobody else reads a row of scratch for as long as maps read them. */
static bool choose_scratch(const layout *l, int *scratch)
{
    const weft_fused *f = l->fused;
    int busy[WEFT_EPILOGUE_SCRATCH] = {0}; /* until map: the last that reads it */
    for (int i = 0; i < f->maps; i++) {
        scratch[i] = -1;
        if (l->stored[f->map[i].out] || f->map[i].out == l->block)
            continue;
        int last = last_reader(f, f->map[i].out), free = 0;
        while (free < WEFT_EPILOGUE_SCRATCH && busy[free] > i)
            free++;
        if (free == WEFT_EPILOGUE_SCRATCH)
            return false;
        busy[free] = last > i ? last : i + 1;
        scratch[i] = free;
    }
    return true;
}

/* Output 0 of maps alone may take the place of an input that is not read after it is written, that of a
 * kernel the place of what it adds if no map reads that. */
static bool may_go_in_place(const layout *l, int k, int store)
{
    const weft_fused *f = l->fused;
    int value = l->node->input[k], last = last_reader(f, value);
    if (f->kernel.op)
        return k >= l->node->own_inputs && value == f->finish.addend && last < 0;
    return last >= 0 && last <= store &&
           weft_fused_shape_of(&l->ir->value[value].tensor, &l->ir->value[f->reference].tensor) ==
               WEFT_FUSED_WHOLE;
}

static void find_in_place(layout *l)
{
    const weft_fused *f = l->fused;
    l->node->in_place = 0;
    int store = last_store(l);
    for (int k = 0; k < l->node->inputs && k < 32; k++)
        if (may_go_in_place(l, k, store))
            l->node->in_place |= WEFT_INPUT(k);
    for (int i = 0; i < f->sums;
         i++) /* what the rest of the node reads is not read block by block */
        for (int k = 0; k < l->node->inputs && k < 32; k++)
            for (int j = 0; j < f->sum[i].node.inputs; j++)
                if (f->sum[i].node.input[j] == l->node->input[k])
                    l->node->in_place &= ~WEFT_INPUT(k);
}

static int slot_of(const weft_ir_node *node, int value, bool written)
{
    int count = written ? node->outputs : node->inputs;
    const int *list = written ? node->output : node->input;
    int first = written ? 0 : node->own_inputs;
    for (int i = first; i < count; i++)
        if (list[i] == value)
            return weft_ir_slot(node, written ? node->inputs + i : i);
    return -1;
}

static int slot_of_finish(const weft_ir_node *node, int value)
{
    return value < 0 ? 0 : slot_of(node, value, false);
}

weft_finish_slots weft_fused_slots(const weft_fused_finish *finish, const weft_ir_node *node)
{
    return (weft_finish_slots){.center = slot_of_finish(node, finish->center),
                               .slope = slot_of_finish(node, finish->slope),
                               .shift = slot_of_finish(node, finish->shift),
                               .addend = slot_of_finish(node, finish->addend),
                               .ceiling = finish->ceiling};
}

static void set_pixels(layout *l)
{
    weft_epilogue *e = l->epilogue;
    const weft_tensor *like = &l->ir->value[l->fused->reference].tensor;
    weft_tensor wide[WEFT_EPILOGUE_OPERANDS];
    const weft_tensor *tensor[WEFT_EPILOGUE_OPERANDS];
    for (int i = 0; i < e->operands; i++) {
        wide[i] = weft_tensor_broadcast(&l->ir->value[l->operand_value[i]].tensor, like);
        tensor[i] = &wide[i];
    }
    e->pixels = weft_pixels_of(tensor, e->operands);
}

bool weft_fused_lay_out(const weft_ir *ir, const weft_fused *fused, const bool *stored,
                        weft_ir_node *node, weft_epilogue *epilogue)
{
    layout l = {.ir = ir, .fused = fused, .stored = stored, .node = node, .epilogue = epilogue};
    int scratch[WEFT_EPILOGUE_MAPS];
    *epilogue = (weft_epilogue){0};
    own_operands(&l);
    node->own_inputs = node->inputs;
    node->own_outputs = node->outputs;
    if (!add_finish(&l) || !collect_operands(&l) || !choose_scratch(&l, scratch))
        return false;
    const weft_tensor *like = &ir->value[fused->reference].tensor;
    epilogue->channels = like->extent[like->rank - 1];
    epilogue->workspace = node->own_inputs + node->own_outputs;
    epilogue->finish = weft_fused_slots(&fused->finish, node);
    for (int i = 0; i < epilogue->operands; i++) {
        epilogue->operand[i].slot = slot_of(node, l.operand_value[i], l.operand_written[i]);
        set_strides(&l, &epilogue->operand[i], &ir->value[l.operand_value[i]].tensor);
    }
    for (int i = 0; i < fused->maps; i++) {
        const weft_fused_map *from = &fused->map[i];
        weft_epilogue_map *to = &epilogue->map[epilogue->maps++];
        *to = (weft_epilogue_map){.map = from->map, .inputs = from->inputs};
        for (int k = 0; k < from->inputs; k++)
            to->in[k] = place_of(&l, scratch, from->in[k]);
        to->out = place_of(&l, scratch, from->out);
    }
    for (int i = 0; i < fused->sums; i++) {
        weft_epilogue_sums *to = &epilogue->sum[epilogue->sums++];
        to->kind = fused->sum[i].reduction.kind;
        for (int k = 0; k < WEFT_CHANNEL_OPERANDS; k++)
            to->in[k] =
                place_of(&l, scratch, fused->sum[i].node.input[fused->sum[i].reduction.input[k]]);
    }
    find_in_place(&l);
    if (!fused->kernel.op)
        set_pixels(&l);
    return true;
}
