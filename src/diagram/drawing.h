/* What a diagram shows, before it is written as DOT: boxes with scoped names, and arrows. */
#ifndef WEFT_DIAGRAM_DRAWING_H
#define WEFT_DIAGRAM_DRAWING_H

#include "base/pool.h"
#include "base/text.h"
#include "weft/dot.h"

typedef enum weft_part { WEFT_PART_FORWARD, WEFT_PART_BACKWARD, WEFT_PART_UPDATE } weft_part;

typedef struct weft_box {
    const char *scope; /* "layer1.0", "" at the top; without the name of the part */
    const char *title; /* bold: the op, or the scope that was collapsed */
    const char *text;  /* further lines, or "" */
    weft_family family;
    weft_part part;
    double heat; /* 0..1, negative: colour by family */
    bool leaf;   /* a value from outside: drawn with another outline */
    bool gone;   /* collapsed into another */
} weft_box;

typedef struct weft_arrow {
    int from, to;
    const char *text;
    bool shape_only; /* dashed */
    bool gone;
} weft_arrow;

typedef struct weft_drawing {
    weft_pool pool;
    const weft_dot_options *options;
    weft_box *box;
    int boxes, box_capacity;
    weft_arrow *arrow;
    int arrows, arrow_capacity;
    bool failed; /* out of memory: sticks */
} weft_drawing;

weft_drawing weft_drawing_begin(weft_context *context, const weft_dot_options *options, int boxes,
                                int arrows);
/* A copy of the text, printf style, in the drawing's memory; never NULL. */
const char *weft_drawing_text(weft_drawing *drawing, const char *format, ...) WEFT_PRINTF(2, 3);
/* The scope of a node's name, and the part that its first component tells. */
void weft_drawing_place(weft_drawing *drawing, weft_box *box, const char *name);
int weft_drawing_box(weft_drawing *drawing, weft_box box);
void weft_drawing_arrow(weft_drawing *drawing, weft_arrow arrow);

/* Boxes whose scope is `depth` deep or deeper become one box for each such scope and part. */
void weft_drawing_collapse(weft_drawing *drawing, int depth);

/* dot.c: the drawing in the DOT language. */
void weft_drawing_write(weft_drawing *drawing, weft_text *text);

/* render.c: text as it is, into a file that is open or named. WEFT_ERROR_IO. */
weft_status weft_diagram_write(const weft_text *text, FILE *file, weft_error *error);
weft_status weft_diagram_save(const weft_text *text, const char *path, weft_error *error);

/* Fill of drawings: one file for each of graph and program. The caller releases drawing->pool. */
weft_status weft_draw_graph(weft_graph *graph, const weft_dot_options *options, weft_text *text,
                            weft_error *error);
weft_status weft_draw_program(const weft_program *program, const weft_dot_options *options,
                              weft_text *text, weft_error *error);

#endif
