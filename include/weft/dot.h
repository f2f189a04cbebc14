/* Diagrams of graphs and programs in Graphviz's DOT language, and rendered where Graphviz is built in. */
#ifndef WEFT_DOT_H
#define WEFT_DOT_H

#include <stdio.h>

#include "weft/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A word for a family of ops, "convolution", and its colour in all diagrams, "#9ecae9"; never NULL. */
WEFT_API const char *weft_family_text(weft_family family);
WEFT_API const char *weft_family_colour(weft_family family);

/* What the colour of a program's steps tells. */
typedef enum weft_heat {
    WEFT_HEAT_NONE = 0, /* the family of the op */
    WEFT_HEAT_TIME,     /* its share of the last run's time; the program must be profiling */
    WEFT_HEAT_BYTES,    /* its share of the bytes moved */
    WEFT_HEAT_LOST      /* its share of the time above the roof; also profiling */
} weft_heat;

typedef struct weft_dot_options {
    const char *title;  /* NULL: none */
    int collapse;       /* scopes nested this deep become one box; 0: draw every node */
    bool variables;     /* draw variables and constants as boxes of their own */
    bool forward_only;  /* leave out gradients and updates */
    weft_heat heat;     /* programs only */
    weft_roof roof;     /* the machine's, for WEFT_HEAT_LOST */
    bool offsets;       /* programs only: arena offset and bytes of each value */
    bool left_to_right; /* default: top to bottom */
} weft_dot_options;

/* Writes the graph, or the steps of the program in their order. options may be NULL. Errors: the
 * graph's own, out of memory, and WEFT_ERROR_IO. */
WEFT_API weft_status weft_graph_dot(weft_graph *graph, const weft_dot_options *options, FILE *file,
                                    weft_error *error);
WEFT_API weft_status weft_program_dot(const weft_program *program, const weft_dot_options *options,
                                      FILE *file, weft_error *error);

/* The same into a file whose name ends in .dot (or .gv), or, with Graphviz built in, .svg, .png or .pdf.
 * Without it: WEFT_ERROR_UNSUPPORTED. Another ending: WEFT_ERROR_ARGUMENT. Rendering is not safe in two threads at
 * once. */
WEFT_API weft_status weft_graph_draw(weft_graph *graph, const weft_dot_options *options,
                                     const char *path, weft_error *error);
WEFT_API weft_status weft_program_draw(const weft_program *program, const weft_dot_options *options,
                                       const char *path, weft_error *error);

#ifdef __cplusplus
}
#endif
#endif
