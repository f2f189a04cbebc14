/* weft dot: a model's graph, or the steps of its program, as a picture. */
#include "cli/command.h"
#include "cli/machine.h"
#include "cli/workload.h"

#include <stdio.h>
#include <string.h>

static const char *const heats[] = {[WEFT_HEAT_NONE] = "none",
                                    [WEFT_HEAT_TIME] = "time",
                                    [WEFT_HEAT_BYTES] = "bytes",
                                    [WEFT_HEAT_LOST] = "lost",
                                    [WEFT_HEAT_LOST + 1] = NULL};

/* What is drawn, and where to. */
typedef struct picture {
    const char *file, *heat;
    bool program;
    weft_dot_options options;
} picture;

static weft_heat heat_called(const char *name)
{
    int heat = WEFT_HEAT_NONE;
    while (strcmp(heats[heat], name) != 0)
        heat++;
    return (weft_heat)heat;
}

static weft_status draw_program(workload *w, const workload_options *options, picture *p,
                                weft_error *error)
{
    bool lost = p->options.heat == WEFT_HEAT_LOST;
    bool timed = p->options.heat == WEFT_HEAT_TIME || lost;
    double ignored;
    if (lost && !machine_roof(w->threads, &p->options.roof))
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
    weft_status status = workload_compile(w, options, timed, error);
    for (int i = 0; i < 2 && timed && status == WEFT_OK; i++) /* one to warm up */
        status = workload_run(w, &ignored, error);
    if (status != WEFT_OK)
        return status;
    return p->file ? weft_program_draw(w->program, &p->options, p->file, error)
                   : weft_program_dot(w->program, &p->options, stdout, error);
}

static weft_status draw(workload *w, const workload_options *options, picture *p, weft_error *error)
{
    p->options.heat = heat_called(p->heat);
    if (p->program || p->options.offsets || p->options.heat != WEFT_HEAT_NONE)
        return draw_program(w, options, p, error);
    return p->file ? weft_graph_draw(w->graph, &p->options, p->file, error)
                   : weft_graph_dot(w->graph, &p->options, stdout, error);
}

static int run(int argc, char **argv)
{
    workload_options options = workload_defaults();
    options.mode = "infer";
    picture p = {.heat = heats[0]};
    argument shared[WORKLOAD_ARGUMENTS];
    workload_arguments(&options, shared);
    const argument own[] = {
        {"output", "FILE", ".dot, .svg, .png or .pdf; otherwise DOT to the standard output", 'o',
         .text = &p.file},
        {"collapse", "N", "scopes nested this deep become one box; 0: every node is drawn",
         .integer = &p.options.collapse, .high = 100},
        {"variables", NULL, "variables and constants as boxes", .flag = &p.options.variables},
        {"left-to-right", NULL, "instead of top to bottom", .flag = &p.options.left_to_right},
        {"program", NULL, "the steps of the program instead of the graph", .flag = &p.program},
        {"heat", "WHAT", "colours of the steps: none, time, bytes, or lost: time above the roof",
         .choice = &p.heat, .words = heats},
        {"offsets", NULL, "arena offset and bytes of each value of the steps",
         .flag = &p.options.offsets},
        {0},
    };
    const argument_usage usage = {"weft dot", command_dot.purpose, "MODEL", &options.model, own,
                                  shared};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    workload w;
    weft_error error = {0};
    p.options.title = options.model;
    bool done = workload_build(&w, &options, &error) == WEFT_OK &&
                draw(&w, &options, &p, &error) == WEFT_OK;
    workload_close(&w);
    return done ? 0 : workload_fail(&usage, &error);
}

const command command_dot = {"dot", "Draws a model's graph, or the steps of its program.", run};
