/* Diagrams into files: as DOT, or rendered in process by Graphviz. */
#include "base/error.h"
#include "diagram/drawing.h"
#include "graph/program.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef WEFT_HAVE_GRAPHVIZ
#include <graphviz/gvc.h>
#endif

static const weft_dot_options no_options;

weft_status weft_diagram_write(const weft_text *text, FILE *file, weft_error *error)
{
    if (fwrite(text->data, 1, text->length, file) != text->length || fflush(file) != 0)
        return weft_error_set(error, WEFT_ERROR_IO, "diagram: %s", strerror(errno));
    return WEFT_OK;
}

weft_status weft_diagram_save(const weft_text *text, const char *path, weft_error *error)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return weft_error_set(error, WEFT_ERROR_IO, "%s: %s", path, strerror(errno));
    weft_status status = weft_diagram_write(text, file, error);
    if (fclose(file) != 0 && status == WEFT_OK)
        status = weft_error_set(error, WEFT_ERROR_IO, "%s: %s", path, strerror(errno));
    return status;
}

#ifdef WEFT_HAVE_GRAPHVIZ

static bool render_into(FILE *file, const weft_text *text, const char *format)
{
    GVC_t *context = gvContext();
    Agraph_t *graph = context ? agmemread(text->data) : NULL;
    bool good = graph && gvLayout(context, graph, "dot") == 0;
    if (good) {
        good = gvRender(context, graph, format, file) == 0;
        gvFreeLayout(context, graph);
    }
    if (graph)
        agclose(graph);
    if (context)
        gvFreeContext(context);
    return good;
}

/* In memory first: Graphviz does not report a file that it cannot open, and ends the process where it cannot
 * write. */
static weft_status render(const weft_text *text, const char *format, const char *path,
                          weft_error *error)
{
    weft_text picture = {0};
    FILE *file = open_memstream(&picture.data, &picture.length);
    bool good = file && render_into(file, text, format);
    good = file && fclose(file) == 0 && good;
    weft_status status =
        good ? weft_diagram_save(&picture, path, error)
             : weft_error_set(error, WEFT_ERROR_IO, "%s: Graphviz could not render it", path);
    free(picture.data);
    return status;
}

#else

static weft_status render(const weft_text *text, const char *format, const char *path,
                          weft_error *error)
{
    (void)text;
    return weft_error_set(error, WEFT_ERROR_UNSUPPORTED,
                          "%s: this build has no Graphviz to render %s with; .dot works", path,
                          format);
}

#endif

static weft_status save(const weft_text *text, const char *path, weft_error *error)
{
    static const char *const formats[] = {"svg", "png", "pdf"};
    const char *suffix = strrchr(path, '.');
    suffix = suffix ? suffix + 1 : "";
    if (strcmp(suffix, "dot") == 0 || strcmp(suffix, "gv") == 0)
        return weft_diagram_save(text, path, error);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(suffix, formats[i]) == 0)
            return render(text, formats[i], path, error);
    return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                          "%s: a diagram's name ends in .dot, .gv, .svg, .png or .pdf", path);
}

weft_status weft_graph_dot(weft_graph *graph, const weft_dot_options *options, FILE *file,
                           weft_error *error)
{
    weft_text text = weft_text_begin(weft_graph_context(graph));
    weft_status status = weft_draw_graph(graph, options ? options : &no_options, &text, error);
    if (status == WEFT_OK)
        status = weft_diagram_write(&text, file, error);
    weft_text_release(&text);
    return status;
}

weft_status weft_graph_draw(weft_graph *graph, const weft_dot_options *options, const char *path,
                            weft_error *error)
{
    weft_text text = weft_text_begin(weft_graph_context(graph));
    weft_status status = weft_draw_graph(graph, options ? options : &no_options, &text, error);
    if (status == WEFT_OK)
        status = save(&text, path, error);
    weft_text_release(&text);
    return status;
}

weft_status weft_program_dot(const weft_program *program, const weft_dot_options *options,
                             FILE *file, weft_error *error)
{
    weft_text text = weft_text_begin(program->context);
    weft_status status = weft_draw_program(program, options ? options : &no_options, &text, error);
    if (status == WEFT_OK)
        status = weft_diagram_write(&text, file, error);
    weft_text_release(&text);
    return status;
}

weft_status weft_program_draw(const weft_program *program, const weft_dot_options *options,
                              const char *path, weft_error *error)
{
    weft_text text = weft_text_begin(program->context);
    weft_status status = weft_draw_program(program, options ? options : &no_options, &text, error);
    if (status == WEFT_OK)
        status = save(&text, path, error);
    weft_text_release(&text);
    return status;
}
