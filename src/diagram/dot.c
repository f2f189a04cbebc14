/* A drawing in Graphviz's DOT language (https://graphviz.org/doc/info/lang.html). */
#include "diagram/drawing.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *label, *fill;
} parts[] = {
    [WEFT_PART_FORWARD] = {"forward", "forward", "#fbfdff"},
    [WEFT_PART_BACKWARD] = {"backward", "backward", "#fffbfa"},
    [WEFT_PART_UPDATE] = {"update", "update", "#fdfaf4"},
};

/* The first `length` characters of words within double quotes; a newline becomes \n. */
static void add_quoted_part(weft_text *text, const char *words, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (words[i] == '\n')
            weft_text_add(text, "\\n");
        else
            weft_text_add(text, words[i] == '"' || words[i] == '\\' ? "\\%c" : "%c", words[i]);
}

static void add_quoted(weft_text *text, const char *words)
{
    add_quoted_part(text, words, strlen(words));
}

static void add_colour(const weft_box *box, weft_text *text)
{
    if (box->heat < 0) {
        weft_text_add(text, "%s", weft_family_colour(box->family));
        return;
    }
    double heat = box->heat > 1 ? 1 : box->heat;
    int fade = (int)(255 - 200 * heat);
    weft_text_add(text, "#ff%02x%02x", fade, (int)(245 - 215 * heat));
}

static void add_box(const weft_drawing *drawing, int index, int indent, weft_text *text)
{
    const weft_box *box = &drawing->box[index];
    weft_text_add(text, "%*sn%d [label=\"", indent, "", index);
    add_quoted(text, box->title);
    if (box->text[0]) {
        weft_text_add(text, "\\n");
        add_quoted(text, box->text);
    }
    weft_text_add(text, "\", fillcolor=\"");
    add_colour(box, text);
    weft_text_add(text, "\"%s];\n", box->leaf ? ", shape=ellipse" : "");
}

/* ---- Scopes as clusters ---- */

typedef struct sorted_box {
    const weft_box *box;
    int index;
} sorted_box;

static int by_scope(const void *a, const void *b)
{
    const sorted_box *x = a, *y = b;
    if (x->box->part != y->box->part)
        return x->box->part < y->box->part ? -1 : 1;
    int order = strcmp(x->box->scope, y->box->scope);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* True where scope lies in the prefix of that length: equal, or going on with a dot. */
static bool within(const char *scope, const char *prefix, size_t length)
{
    return strncmp(scope, prefix, length) == 0 &&
           (length == 0 || scope[length] == '\0' || scope[length] == '.');
}

/* Writes the boxes [from, to) that lie in the first `length` characters of their scope. Neighbours with
 * the same next component go into a cluster of their own. */
static void add_scope(const weft_drawing *drawing, const sorted_box *sorted, int from, int to,
                      size_t length, int indent, weft_text *text)
{
    for (int i = from; i < to;) {
        const char *scope = sorted[i].box->scope;
        if (scope[length] == '\0') {
            add_box(drawing, sorted[i++].index, indent, text);
            continue;
        }
        size_t start = length ? length + 1 : 0;
        size_t next = start + strcspn(scope + start, ".");
        int end = i + 1;
        while (end < to && within(sorted[end].box->scope, scope, next))
            end++;
        weft_text_add(text, "%*ssubgraph \"cluster_%s_", indent, "",
                      parts[sorted[i].box->part].name);
        add_quoted_part(text, scope, next);
        weft_text_add(text, "_%d\" {\n%*slabel=\"", i, indent + 2, "");
        add_quoted_part(text, scope + start, next - start);
        weft_text_add(text, "\"; style=\"rounded\"; color=\"#b0b0b0\"; "
                            "fontsize=10; fontcolor=\"#606060\";\n");
        add_scope(drawing, sorted, i, end, next, indent + 2, text);
        weft_text_add(text, "%*s}\n", indent, "");
        i = end;
    }
}

static void add_parts(const weft_drawing *drawing, const sorted_box *sorted, int count,
                      weft_text *text)
{
    bool several = count && sorted[0].box->part != sorted[count - 1].box->part;
    for (int from = 0; from < count;) {
        weft_part part = sorted[from].box->part;
        int to = from;
        while (to < count && sorted[to].box->part == part)
            to++;
        if (several)
            weft_text_add(text,
                          "  subgraph cluster_%s {\n    label=\"%s\"; style=\"rounded,filled\"; "
                          "fillcolor=\"%s\"; color=\"#909090\"; fontsize=13;\n",
                          parts[part].name, parts[part].label, parts[part].fill);
        add_scope(drawing, sorted, from, to, 0, several ? 4 : 2, text);
        if (several)
            weft_text_add(text, "  }\n");
        from = to;
    }
}

/* Forward runs down the page and backward up beside it, each op's gradient about level with the op. So
 * arrows within backward are given to Graphviz the other way round, with their heads at the tail, and
 * those from forward to backward do not push anything down. */
static void add_arrow(const weft_drawing *drawing, const weft_arrow *arrow, weft_text *text)
{
    weft_part from = drawing->box[arrow->from].part, to = drawing->box[arrow->to].part;
    bool up = from == WEFT_PART_BACKWARD && to == WEFT_PART_BACKWARD;
    bool across = from == WEFT_PART_FORWARD && to != WEFT_PART_FORWARD;
    weft_text_add(text, "  n%d -> n%d [label=\"", up ? arrow->to : arrow->from,
                  up ? arrow->from : arrow->to);
    add_quoted(text, across ? "" : arrow->text);
    weft_text_add(text, "\"%s%s%s];\n", arrow->shape_only ? ", style=dashed" : "",
                  up ? ", dir=back" : "", across ? ", constraint=false, color=\"#c8c8c8\"" : "");
}

static void add_arrows(const weft_drawing *drawing, weft_text *text)
{
    for (int i = 0; i < drawing->arrows; i++)
        if (!drawing->arrow[i].gone)
            add_arrow(drawing, &drawing->arrow[i], text);
}

void weft_drawing_write(weft_drawing *drawing, weft_text *text)
{
    const weft_dot_options *options = drawing->options;
    sorted_box *sorted =
        weft_pool_array(&drawing->pool, (size_t)drawing->boxes, sizeof(sorted_box));
    if (!sorted || drawing->failed) {
        drawing->failed = true;
        return;
    }
    int count = 0;
    for (int i = 0; i < drawing->boxes; i++)
        if (!drawing->box[i].gone)
            sorted[count++] = (sorted_box){&drawing->box[i], i};
    qsort(sorted, (size_t)count, sizeof(sorted_box), by_scope);
    weft_text_add(text,
                  "digraph weft {\n  rankdir=%s; newrank=true; compound=true; nodesep=0.25; "
                  "ranksep=0.35;\n  fontname=\"Helvetica\";\n",
                  options->left_to_right ? "LR" : "TB");
    if (options->title) {
        weft_text_add(text, "  labelloc=t; fontsize=18; label=\"");
        add_quoted(text, options->title);
        weft_text_add(text, "\";\n");
    }
    weft_text_add(text, "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", "
                        "fontsize=10, color=\"#707070\", margin=\"0.08,0.04\", height=0.3];\n"
                        "  edge [fontname=\"Helvetica\", fontsize=8, fontcolor=\"#606060\", "
                        "color=\"#707070\", arrowsize=0.6];\n");
    add_parts(drawing, sorted, count, text);
    add_arrows(drawing, text);
    weft_text_add(text, "}\n");
}
