#include "diagram/drawing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

weft_drawing weft_drawing_begin(weft_context *context, const weft_dot_options *options, int boxes,
                                int arrows)
{
    weft_drawing drawing = {.pool = weft_pool_begin(context),
                            .options = options,
                            .box_capacity = boxes,
                            .arrow_capacity = arrows};
    drawing.box = weft_pool_array(&drawing.pool, (size_t)boxes, sizeof(weft_box));
    drawing.arrow = weft_pool_array(&drawing.pool, (size_t)arrows, sizeof(weft_arrow));
    drawing.failed = !drawing.box || !drawing.arrow;
    return drawing;
}

const char *weft_drawing_text(weft_drawing *drawing, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    size_t bytes = strlen(text) + 1;
    char *copy = weft_pool_allocate(&drawing->pool, bytes);
    if (!copy) {
        drawing->failed = true;
        return "";
    }
    return memcpy(copy, text, bytes);
}

void weft_drawing_place(weft_drawing *drawing, weft_box *box, const char *name)
{
    static const char backward[] = "backward.";
    bool is_backward = box->part == WEFT_PART_BACKWARD;
    while (strncmp(name, backward, sizeof(backward) - 1) == 0) {
        name += sizeof(backward) - 1;
        is_backward = true;
    }
    if (box->part != WEFT_PART_UPDATE)
        box->part = is_backward ? WEFT_PART_BACKWARD : WEFT_PART_FORWARD;
    const char *end = strrchr(name, '.');
    box->scope = end ? weft_drawing_text(drawing, "%.*s", (int)(end - name), name) : "";
}

int weft_drawing_box(weft_drawing *drawing, weft_box box)
{
    if (drawing->failed || drawing->boxes == drawing->box_capacity)
        return -1;
    drawing->box[drawing->boxes] = box;
    return drawing->boxes++;
}

void weft_drawing_arrow(weft_drawing *drawing, weft_arrow arrow)
{
    if (!drawing->failed && arrow.from >= 0 && arrow.to >= 0 &&
        drawing->arrows < drawing->arrow_capacity)
        drawing->arrow[drawing->arrows++] = arrow;
}

/* ---- Collapsing ---- */

/* Length of the first `depth` components of a scope; 0 where it has fewer. */
static size_t prefix_length(const char *scope, int depth)
{
    size_t length = 0;
    if (!scope[0])
        return 0;
    for (; scope[length]; length++)
        if (scope[length] == '.' && --depth == 0)
            return length;
    return depth <= 1 ? length : 0;
}

static bool same_group(const weft_box *a, const weft_box *b, int depth)
{
    size_t length = prefix_length(a->scope, depth);
    return a->part == b->part && length == prefix_length(b->scope, depth) &&
           strncmp(a->scope, b->scope, length) == 0;
}

static void merge_boxes(weft_drawing *drawing, int *group, int *members, int depth)
{
    for (int i = 0; i < drawing->boxes; i++) {
        group[i] = i;
        if (drawing->box[i].leaf || !prefix_length(drawing->box[i].scope, depth))
            continue;
        for (int k = 0; k < i; k++)
            if (group[k] == k && !drawing->box[k].leaf &&
                same_group(&drawing->box[k], &drawing->box[i], depth)) {
                group[i] = k;
                break;
            }
        members[group[i]]++;
    }
}

static void summarize(weft_drawing *drawing, const int *group, const int *members, int depth)
{
    for (int i = 0; i < drawing->boxes; i++) {
        weft_box *box = &drawing->box[i], *into = &drawing->box[group[i]];
        if (group[i] == i)
            continue;
        box->gone = true;
        into->heat = box->heat >= 0 ? into->heat + box->heat : into->heat;
    }
    for (int i = 0; i < drawing->boxes; i++) {
        weft_box *box = &drawing->box[i];
        if (members[i] < 2 || group[i] != i)
            continue;
        size_t length = prefix_length(box->scope, depth);
        box->title = weft_drawing_text(drawing, "%.*s", (int)length, box->scope);
        box->text = weft_drawing_text(drawing, "%d ops", members[i]);
        const char *parent = strrchr(box->title, '.');
        box->scope =
            parent ? weft_drawing_text(drawing, "%.*s", (int)(parent - box->title), box->title)
                   : "";
        box->family = WEFT_FAMILY_OTHER;
    }
}

static void merge_arrows(weft_drawing *drawing, const int *group)
{
    for (int i = 0; i < drawing->arrows; i++) {
        weft_arrow *arrow = &drawing->arrow[i];
        arrow->from = group[arrow->from];
        arrow->to = group[arrow->to];
        arrow->gone = arrow->from == arrow->to;
        for (int k = 0; k < i && !arrow->gone; k++)
            arrow->gone = !drawing->arrow[k].gone && drawing->arrow[k].from == arrow->from &&
                          drawing->arrow[k].to == arrow->to;
    }
}

void weft_drawing_collapse(weft_drawing *drawing, int depth)
{
    int *group = weft_pool_array(&drawing->pool, (size_t)drawing->boxes, sizeof(int));
    int *members = weft_pool_array(&drawing->pool, (size_t)drawing->boxes, sizeof(int));
    if (!group || !members) {
        drawing->failed = true;
        return;
    }
    merge_boxes(drawing, group, members, depth);
    summarize(drawing, group, members, depth);
    merge_arrows(drawing, group);
}
