/* A program as a drawing: a box a step, numbered in order of execution; arrows are values. */
#include "base/error.h"
#include "diagram/drawing.h"
#include "graph/node.h"
#include "graph/program.h"

#include <math.h>
#include <string.h>

typedef struct sketch {
    weft_drawing drawing;
    const weft_program *program;
    int *writer; /* box that writes each value, -1: none */
    double largest;
} sketch;

/* Seconds that the step would take at the roof; a hoisted one does not run each time. */
static double at_roof(const weft_step *step, const weft_dot_options *options)
{
    return step->seconds > 0 ? weft_roof_seconds(&options->roof, step->cost.flops, step->cost.bytes)
                             : 0;
}

static double heat_of(const weft_step *step, const weft_dot_options *options)
{
    switch (options->heat) {
    case WEFT_HEAT_TIME:
        return step->seconds;
    case WEFT_HEAT_BYTES:
        return step->cost.bytes;
    case WEFT_HEAT_LOST:
        return fmax(step->seconds - at_roof(step, options), 0);
    default:
        return 0;
    }
}

static const char *describe_heat(sketch *s, const weft_step *step)
{
    const weft_dot_options *options = s->drawing.options;
    double microseconds = step->seconds * 1e6;
    switch (options->heat) {
    case WEFT_HEAT_TIME:
        return weft_drawing_text(&s->drawing, "\n%.1f us, %.1f GFLOP/s", microseconds,
                                 step->seconds > 0 ? step->cost.flops / step->seconds * 1e-9 : 0.0);
    case WEFT_HEAT_BYTES:
        return weft_drawing_text(&s->drawing, "\n%.3f MB", step->cost.bytes * 1e-6);
    case WEFT_HEAT_LOST:
        return weft_drawing_text(&s->drawing, "\n%.1f us, %.1f us at the roof", microseconds,
                                 at_roof(step, options) * 1e6);
    default:
        return "";
    }
}

static const char *describe(sketch *s, const weft_step *step, int index)
{
    char label[100] = "";
    const weft_node *node = weft_node_get(s->program->graph, step->graph_node);
    if (step->op->label && node->op == step->op)
        step->op->label(node->attributes, label, sizeof(label));
    return weft_drawing_text(&s->drawing, "#%d%s%s%s%s%s", index, label[0] ? "  " : "", label,
                             step->algorithm[0] ? "  " : "", step->algorithm,
                             describe_heat(s, step));
}

static const char *describe_value(sketch *s, int index)
{
    const weft_plan_value *value = &s->program->value[index];
    char text[120];
    weft_shape_text(weft_shape_make(value->tensor.rank, value->tensor.extent), text, sizeof(text));
    if (!s->drawing.options->offsets || value->place != WEFT_PLACE_ARENA)
        return weft_drawing_text(&s->drawing, "%s", text);
    return weft_drawing_text(&s->drawing, "%s\n@%lld +%zu", text, (long long)value->offset,
                             weft_tensor_bytes(&value->tensor));
}

/* Arrows from whatever wrote the value, through the aliases that it may be made of. */
static void connect(sketch *s, int value, int to, const char *text)
{
    if (s->writer[value] >= 0) {
        weft_drawing_arrow(&s->drawing,
                           (weft_arrow){.from = s->writer[value], .to = to, .text = text});
        return;
    }
    for (int i = 0; i < s->program->value[value].parts; i++)
        connect(s, s->program->value[value].part[i], to, text);
}

static void add_step(sketch *s, int index)
{
    const weft_program *program = s->program;
    const weft_step *step = &program->step[index];
    const weft_node *node = weft_node_get(program->graph, step->graph_node);
    weft_heat heat = s->drawing.options->heat;
    weft_box box = {
        .title = step->label,
        .text = describe(s, step, index),
        .family = step->op->family,
        .part = step->op->family == WEFT_FAMILY_UPDATE ? WEFT_PART_UPDATE
                : node->backward                       ? WEFT_PART_BACKWARD
                                                       : WEFT_PART_FORWARD,
        .heat = heat != WEFT_HEAT_NONE && s->largest > 0
                    ? heat_of(step, s->drawing.options) / s->largest
                    : -1,
    };
    if (s->drawing.options->forward_only && box.part != WEFT_PART_FORWARD)
        return;
    weft_drawing_place(&s->drawing, &box, step->name);
    int made = weft_drawing_box(&s->drawing, box);
    for (int k = 0; k < step->inputs; k++)
        if (!weft_step_has(step, step->op->shape_only, k))
            connect(s, step->value[k], made, describe_value(s, step->value[k]));
    for (int k = 0; k < step->outputs; k++)
        s->writer[step->value[step->inputs + k]] = made;
}

/* Boxes for what comes from outside: feeds, and variables where asked for. */
static void add_leaves(sketch *s)
{
    const weft_program *program = s->program;
    for (int v = 0; v < program->values; v++) {
        const weft_plan_value *value = &program->value[v];
        s->writer[v] = -1;
        bool shown = value->place == WEFT_PLACE_FEED ||
                     (value->place == WEFT_PLACE_VARIABLE && s->drawing.options->variables);
        if (value->storage < 0 || value->parts || !shown)
            continue;
        const weft_node *node = weft_node_get(program->graph, value->graph_node);
        const char *last = strrchr(node->name, '.');
        weft_box box = {.title = node->op->name,
                        .text = last ? last + 1 : node->name,
                        .family = node->op->family,
                        .heat = -1,
                        .leaf = true};
        weft_drawing_place(&s->drawing, &box, node->name);
        s->writer[v] = weft_drawing_box(&s->drawing, box);
    }
}

/* Of one reader of the value, at most. */
static int count_value_arrows(const weft_program *program, int value)
{
    const weft_plan_value *read = &program->value[value];
    int arrows = read->parts ? 0 : 1;
    for (int i = 0; i < read->parts; i++)
        arrows += count_value_arrows(program, read->part[i]);
    return arrows;
}

static int count_arrows(const weft_program *program)
{
    int arrows = 0;
    for (int i = 0; i < program->steps; i++)
        for (int k = 0; k < program->step[i].inputs; k++)
            arrows += count_value_arrows(program, program->step[i].value[k]);
    return arrows;
}

weft_status weft_draw_program(const weft_program *program, const weft_dot_options *options,
                              weft_text *text, weft_error *error)
{
    sketch s = {.program = program};
    weft_numbers numbers = weft_numbers_begin();
    s.drawing = weft_drawing_begin(program->context, options, program->steps + program->values,
                                   count_arrows(program));
    s.writer = weft_pool_array(&s.drawing.pool, (size_t)program->values, sizeof(int));
    for (int i = 0; i < program->steps; i++) {
        double heat = heat_of(&program->step[i], options);
        s.largest = heat > s.largest ? heat : s.largest;
    }
    if (s.writer && !s.drawing.failed) {
        add_leaves(&s);
        for (int i = 0; i < program->steps; i++)
            add_step(&s, i);
        if (options->collapse > 0)
            weft_drawing_collapse(&s.drawing, options->collapse);
        weft_drawing_write(&s.drawing, text);
    }
    bool good = s.writer && !s.drawing.failed && !text->failed;
    weft_pool_release(&s.drawing.pool);
    weft_numbers_end(&numbers);
    return good ? WEFT_OK : weft_out_of_memory(error, text->capacity);
}
