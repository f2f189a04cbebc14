/* A graph as a drawing: a box a node, an arrow an operand, shapes on the arrows. */
#include "base/error.h"
#include "diagram/drawing.h"
#include "graph/core_ops.h"
#include "graph/node.h"

#include <string.h>

static bool is_hidden(const weft_node *node, const weft_dot_options *options)
{
    if (options->forward_only && (node->backward || node->op->family == WEFT_FAMILY_UPDATE))
        return true;
    return !options->variables && (node->op == &weft_variable_op || node->op == &weft_constant_op);
}

static weft_part part_of(const weft_node *node)
{
    if (node->op->family == WEFT_FAMILY_UPDATE)
        return WEFT_PART_UPDATE;
    return node->backward ? WEFT_PART_BACKWARD : WEFT_PART_FORWARD;
}

/* Name, attributes and, where variables have no boxes, their shapes. */
static const char *describe(weft_drawing *drawing, const weft_graph *graph, const weft_node *node)
{
    char label[100] = "", shape[120];
    if (node->op->label)
        node->op->label(node->attributes, label, sizeof(label));
    const char *last = strrchr(node->name, '.');
    last = last ? last + 1 : node->name;
    bool plain = strcmp(last, node->op->name) == 0;
    const char *text = weft_drawing_text(drawing, "%s%s%s", plain ? "" : last,
                                         !plain && label[0] ? "\n" : "", label);
    for (int k = 0; k < node->inputs && !drawing->options->variables; k++) {
        const weft_node *from = weft_node_get(graph, node->input[k].node);
        if (from->op != &weft_variable_op || node->backward)
            continue;
        const char *name = strrchr(from->name, '.');
        text = weft_drawing_text(drawing, "%s%s%s %s", text, text[0] ? "\n" : "",
                                 name ? name + 1 : from->name,
                                 weft_shape_text(from->shape[0], shape, sizeof(shape)));
    }
    return text;
}

static void add_boxes(weft_drawing *drawing, const weft_graph *graph, int *box)
{
    for (int32_t i = 1; i <= graph->nodes; i++) {
        const weft_node *node = weft_node_get(graph, i);
        box[i] = -1;
        if (is_hidden(node, drawing->options))
            continue;
        weft_box made = {.title = node->op->name,
                         .text = describe(drawing, graph, node),
                         .family = node->op->family,
                         .part = part_of(node),
                         .heat = -1,
                         .leaf = weft_is_leaf(node->op)};
        weft_drawing_place(drawing, &made, node->name);
        box[i] = weft_drawing_box(drawing, made);
    }
}

static void add_arrows(weft_drawing *drawing, const weft_graph *graph, const int *box)
{
    char text[120];
    for (int32_t i = 1; i <= graph->nodes; i++) {
        const weft_node *node = weft_node_get(graph, i);
        for (int k = 0; box[i] >= 0 && k < node->inputs; k++) {
            weft_source from = node->input[k];
            bool shape_only = k < 32 && node->op->shape_only & WEFT_INPUT(k);
            if (box[from.node] < 0 || (shape_only && drawing->options->collapse))
                continue;
            weft_shape shape = weft_node_get(graph, from.node)->shape[from.output];
            weft_drawing_arrow(
                drawing,
                (weft_arrow){.from = box[from.node],
                             .to = box[i],
                             .text = weft_drawing_text(
                                 drawing, "%s",
                                 shape_only ? "" : weft_shape_text(shape, text, sizeof(text))),
                             .shape_only = shape_only});
        }
    }
}

weft_status weft_draw_graph(weft_graph *graph, const weft_dot_options *options, weft_text *text,
                            weft_error *error)
{
    const weft_error *own = weft_graph_error(graph);
    if (own->status != WEFT_OK)
        return weft_error_set(error, own->status, "%s", own->message);
    weft_numbers numbers = weft_numbers_begin();
    int arrows = 0;
    for (int32_t i = 1; i <= graph->nodes; i++)
        arrows += weft_node_get(graph, i)->inputs;
    weft_drawing drawing = weft_drawing_begin(graph->context, options, graph->nodes, arrows);
    int *box = weft_pool_array(&drawing.pool, (size_t)graph->nodes + 1, sizeof(int));
    if (box && !drawing.failed) {
        add_boxes(&drawing, graph, box);
        add_arrows(&drawing, graph, box);
        if (options->collapse > 0)
            weft_drawing_collapse(&drawing, options->collapse);
        weft_drawing_write(&drawing, text);
    }
    bool good = box && !drawing.failed && !text->failed;
    weft_pool_release(&drawing.pool);
    weft_numbers_end(&numbers);
    return good ? WEFT_OK : weft_out_of_memory(error, text->capacity);
}
