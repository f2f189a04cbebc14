/* A memory plan as a picture in SVG: steps across, offsets in the arena up, a rectangle for each placement. */
#include "base/error.h"
#include "diagram/drawing.h"
#include "graph/plan.h"

#include <math.h>
#include <string.h>

/* In pixels. */
enum {
    WIDTH = 900,
    LEFT = 62,
    TOP = 66,
    ACROSS = 626, /* of the map itself */
    UP = 400,
    STRIP = 9, /* which pass a step belongs to, below the map */
    SIDE = LEFT + ACROSS + 22,
    SIDE_ACROSS = WIDTH - SIDE - 14,
    BOTTOM = TOP + UP,
    AXIS_NAME = BOTTOM + STRIP + 37,
    LEGEND = BOTTOM + 77,
    HEIGHT = LEGEND + 40
};

static const double smallest = 0.12; /* height of what is drawn */

static const struct {
    const char *text, *colour;
} stages[] = {
    [WEFT_STAGE_FORWARD] = {"forward", "#7fb3d9"},
    [WEFT_STAGE_BACKWARD] = {"backward", "#e9967a"},
    [WEFT_STAGE_UPDATE] = {"update", "#b8935f"},
};

typedef struct map {
    const weft_plan *plan;
    weft_text *text;
    double step_width, byte_height;
    int64_t unit; /* of sizes */
    const char *unit_name;
} map;

/* Text within an element or an attribute. */
static void add_escaped(weft_text *text, const char *words)
{
    for (; *words; words++) {
        switch (*words) {
        case '<':
            weft_text_add(text, "&lt;");
            break;
        case '>':
            weft_text_add(text, "&gt;");
            break;
        case '&':
            weft_text_add(text, "&amp;");
            break;
        case '"':
            weft_text_add(text, "&quot;");
            break;
        default:
            weft_text_add(text, "%c", *words);
        }
    }
}

static double in_units(const map *m, int64_t bytes)
{
    return (double)bytes / (double)m->unit;
}

static double x_of(const map *m, double step)
{
    return LEFT + step * m->step_width;
}

static double y_of(const map *m, int64_t offset)
{
    return BOTTOM - (double)offset * m->byte_height;
}

/* The largest of 1, 2, 5, 10, .. that divides the range into `parts` or more; 1 where it is empty. */
static double tick_of(double range, int parts)
{
    if (range <= 0)
        return 1;
    double tick = pow(10, floor(log10(range / parts)));
    if (tick * 5 <= range / parts)
        return tick * 5;
    return tick * 2 <= range / parts ? tick * 2 : tick;
}

/* ---- Frame ---- */

static void add_style(weft_text *text)
{
    weft_text_add(
        text,
        "<style>text{font:11px "
        "Helvetica,Arial,sans-serif;fill:#333}.h{font-size:15px;font-weight:bold}"
        ".b{font-weight:bold}.s{font-size:10px;fill:#666}.e{text-anchor:end}.m{text-anchor:middle}"
        ".n{font-size:9px;fill:#123;pointer-events:none;paint-order:stroke;stroke:#fff;stroke-"
        "opacity:.7;stroke-width:2px}.g{stroke:#e3e3e3}"
        ".v rect{stroke:#4a5a6a;stroke-width:.35}.v g:hover rect{stroke:#000;stroke-width:1.6}");
    for (int f = WEFT_FAMILY_OTHER; f <= WEFT_FAMILY_UPDATE; f++)
        weft_text_add(text, ".f%d{fill:%s}", f, weft_family_colour((weft_family)f));
    weft_text_add(text,
                  ".t{fill-opacity:.55}</style>\n<defs>"
                  "<pattern id=\"w\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
                  "patternTransform=\"rotate(45)\"><path d=\"M0 0V5\" stroke=\"#4a5a6a\" "
                  "stroke-width=\"1.6\" "
                  "stroke-opacity=\".55\"/></pattern>"
                  "<pattern id=\"p\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
                  "<circle cx=\"2.5\" cy=\"2.5\" r=\"1\" fill=\"#8a5a2b\"/></pattern></defs>\n");
}

static void add_axes(const map *m)
{
    weft_text *text = m->text;
    const weft_plan *plan = m->plan;
    double range = in_units(m, plan->arena_bytes), tick = tick_of(range, 4);
    for (int i = 0; i * tick <= range; i++) {
        double y = BOTTOM - i * tick * (double)m->unit * m->byte_height;
        weft_text_add(text,
                      "<path class=\"g\" d=\"M%d %.1fH%d\"/><text class=\"e\" x=\"%d\" "
                      "y=\"%.1f\">%g</text>\n",
                      LEFT, y, LEFT + ACROSS, LEFT - 7, y + 4, i * tick);
    }
    weft_text_add(text,
                  "<text class=\"m\" transform=\"translate(16 %d) rotate(-90)\">offset in the "
                  "arena, %s</text>\n",
                  TOP + UP / 2, m->unit_name);
    tick = tick_of(plan->steps, 5);
    tick = tick < 1 ? 1 : tick;
    for (int i = 0; i * tick < plan->steps; i++)
        weft_text_add(text, "<text class=\"m\" x=\"%.1f\" y=\"%d\">%g</text>\n",
                      x_of(m, i * tick + 0.5), BOTTOM + STRIP + 18, i * tick);
    weft_text_add(text, "<text class=\"m\" x=\"%d\" y=\"%d\">step</text>\n", LEFT + ACROSS / 2,
                  AXIS_NAME);
}

/* Which step belongs to which pass, as a strip under the map. */
static void add_stages(const map *m)
{
    const weft_plan *plan = m->plan;
    for (int i = 0; i < plan->steps;) {
        weft_stage stage = plan->step[i].stage;
        int end = i;
        while (end < plan->steps && plan->step[end].stage == stage)
            end++;
        double width = (end - i) * m->step_width;
        weft_text_add(m->text,
                      "<rect x=\"%.1f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>\n",
                      x_of(m, i), BOTTOM + 2, width, STRIP - 2, stages[stage].colour);
        i = end;
    }
}

/* ---- Values ---- */

static bool is_lasting(weft_memory memory)
{
    return memory == WEFT_MEMORY_KEPT || memory == WEFT_MEMORY_PREPARED;
}

static void add_rectangle(weft_text *text, double x, double y, double width, double height,
                          weft_family family, weft_memory memory)
{
    weft_text_add(text,
                  "<rect class=\"f%d%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.2f\"/>",
                  family, is_lasting(memory) ? "" : " t", x, y, width, height);
    const char *pattern = memory == WEFT_MEMORY_WORKSPACE   ? "w"
                          : memory == WEFT_MEMORY_GRADIENTS ? "p"
                                                            : NULL;
    if (pattern)
        weft_text_add(
            text, "<rect fill=\"url(#%s)\" x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.2f\"/>",
            pattern, x, y, width, height);
}

static void add_value(const map *m, const weft_placement *p)
{
    double height = (double)p->bytes * m->byte_height;
    double width = (p->last - p->first + 1) * m->step_width;
    double x = x_of(m, p->first), y = y_of(m, p->offset + p->bytes);
    if (height < smallest)
        return;
    weft_text_add(m->text, "<g><title>");
    add_escaped(m->text, p->name);
    weft_text_add(m->text, "\n");
    add_escaped(m->text, p->op);
    weft_text_add(m->text, "\n%s, %.2f %s at %.2f, steps %d to %d</title>",
                  weft_memory_text(p->memory), in_units(m, p->bytes), m->unit_name,
                  in_units(m, p->offset), p->first, p->last);
    add_rectangle(m->text, x, y, width, height, p->family, p->memory);
    weft_text_add(m->text, "</g>\n");
}

static void add_values(const map *m)
{
    weft_text_add(m->text, "<g class=\"v\">\n");
    for (int i = 0; i < m->plan->placements; i++)
        add_value(m, &m->plan->placement[i]);
    weft_text_add(m->text, "</g>\n");
}

/* ---- Lines and names ---- */

/* The op and what is fused with it, as far as there is room. */
static void add_op(weft_text *text, const char *op)
{
    enum { ROOM = 44 };
    char words[ROOM + 8];
    snprintf(words, ROOM + 1, "%s", op);
    char *last = strrchr(words, '+');
    if (last && strlen(op) > ROOM)
        strcpy(last, "+ ..");
    add_escaped(text, words);
}

static void add_lines(const map *m)
{
    const weft_plan *plan = m->plan;
    weft_text *text = m->text;
    weft_text_add(text, "<path fill=\"none\" stroke=\"#222\" stroke-width=\"1.2\" d=\"M%d %d", LEFT,
                  BOTTOM);
    for (int i = 0; i < plan->steps; i++)
        weft_text_add(text, "V%.1fH%.1f", y_of(m, plan->step[i].live_bytes), x_of(m, i + 1));
    weft_text_add(text, "V%d\"/>\n", BOTTOM);
    double bound = y_of(m, plan->bound_bytes), peak = x_of(m, plan->peak + 0.5);
    weft_text_add(text,
                  "<path stroke=\"#222\" d=\"M%d %dH%d\"/><path stroke=\"#c0392b\" "
                  "stroke-dasharray=\"5 3\" d=\"M%d %.1fH%d\"/>"
                  "<path stroke=\"#c0392b\" stroke-dasharray=\"2 3\" d=\"M%.1f %dV%d\"/>\n",
                  LEFT, TOP, LEFT + ACROSS, LEFT, bound, LEFT + ACROSS, peak, TOP, BOTTOM);
    weft_text_add(text, "<text x=\"%d\" y=\"%d\">arena %.1f %s</text>", LEFT, TOP - 6,
                  in_units(m, plan->arena_bytes), m->unit_name);
    weft_text_add(text,
                  "<text class=\"e\" x=\"%d\" y=\"%d\" style=\"fill:#c0392b\">bound %.1f %s, the "
                  "peak: step %d, ",
                  LEFT + ACROSS, TOP - 6, in_units(m, plan->bound_bytes), m->unit_name, plan->peak);
    if (plan->steps > 0)
        add_op(text, plan->step[plan->peak].op);
    weft_text_add(text, "</text>\n");
}

/* The name, or without its last part (which is the op's), where it fits into so many pixels. */
static void add_name(const map *m, const weft_placement *p)
{
    enum { LETTER = 5 };
    char words[160];
    double width = (p->last - p->first + 1) * m->step_width;
    double height = (double)p->bytes * m->byte_height;
    double x = x_of(m, p->first), y = y_of(m, p->offset + p->bytes);
    const char *last = strrchr(p->name, '.');
    bool short_name = last && (p->memory != WEFT_MEMORY_KEPT || strcmp(last, ".convolution") == 0);
    int length = short_name ? (int)(last - p->name) : (int)strlen(p->name);
    const char *name = p->name;
    if (strncmp(name, "backward.", 9) == 0 && length > 9) {
        name += 9;
        length -= 9;
    }
    snprintf(words, sizeof(words), "%.*s  %.1f", length, name, in_units(m, p->bytes));
    if (height < 10 || (double)strlen(words) * LETTER > width - 4)
        snprintf(words, sizeof(words), "%.*s", length, name);
    if (height < 10 || (double)strlen(words) * LETTER > width - 4)
        return;
    weft_text_add(m->text, "<text class=\"n\" x=\"%.1f\" y=\"%.1f\">", x + 3,
                  height > 26 ? y + 12 : y + height / 2 + 3);
    add_escaped(m->text, words);
    weft_text_add(m->text, "</text>\n");
}

/* ---- Beside and below ---- */

static double add_row(const map *m, double y, const char *name, int64_t bytes, bool sum)
{
    double width = SIDE_ACROSS * (double)bytes / (double)m->plan->total_bytes;
    if (!sum)
        weft_text_add(m->text,
                      "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"4\" fill=\"#9aa9b8\"/>",
                      SIDE, y + 4, width);
    weft_text_add(m->text,
                  "<text%s x=\"%d\" y=\"%.1f\">%s</text><text class=\"e%s\" x=\"%d\" "
                  "y=\"%.1f\">%.1f</text>\n",
                  sum ? " class=\"b\"" : "", SIDE, y, name, sum ? " b" : "", SIDE + SIDE_ACROSS, y,
                  in_units(m, bytes));
    return y + (sum ? 18 : 22);
}

/* How much of what there is at the peak. */
static void add_sums(const map *m)
{
    const weft_plan *plan = m->plan;
    double y = TOP + 8;
    char heading[40];
    snprintf(heading, sizeof(heading), "at the peak, %s", m->unit_name);
    y = add_row(m, y, heading, plan->total_bytes, true) + 6;
    y = add_row(m, y, "arena", plan->arena_bytes, true);
    for (int k = WEFT_MEMORY_KEPT; k < WEFT_MEMORY_FEEDS; k++)
        if (plan->most[k])
            y = add_row(m, y, weft_memory_text((weft_memory)k), plan->bytes[k], false);
    y = add_row(m, y + 6, "variables", plan->state_bytes, true);
    for (int k = 0; k < WEFT_MEMORY_KEPT; k++)
        if (plan->bytes[k])
            y = add_row(m, y, weft_memory_text((weft_memory)k), plan->bytes[k], false);
    y = add_row(m, y + 6, "feeds", plan->feed_bytes, true);
    add_row(m, y, "program", plan->program_bytes, true);
    weft_text_add(m->text,
                  "<text class=\"s\" x=\"%d\" y=\"%d\">less than %.2g %s is not drawn</text>\n",
                  SIDE, BOTTOM, in_units(m, (int64_t)(smallest / m->byte_height)), m->unit_name);
}

static double add_key(const map *m, double x, double y, weft_family family, weft_memory memory,
                      const char *words)
{
    weft_text_add(m->text, "<g class=\"v\">");
    add_rectangle(m->text, x, y - 10, 16, 11, family, memory);
    weft_text_add(m->text, "</g><text x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 21, y, words);
    return x + 21 + 6.1 * (double)strlen(words) + 14;
}

/* The strip's colours and the line, in one row with the axis' name. */
static void add_line_legend(const map *m)
{
    double x = LEFT, y = AXIS_NAME;
    bool there[3] = {false};
    for (int i = 0; i < m->plan->steps; i++)
        there[m->plan->step[i].stage] = true;
    for (int s = WEFT_STAGE_FORWARD; s <= WEFT_STAGE_UPDATE; s++) {
        if (!there[s])
            continue;
        weft_text_add(m->text,
                      "<rect x=\"%.1f\" y=\"%.1f\" width=\"16\" height=\"7\" fill=\"%s\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                      x, y - 8, stages[s].colour, x + 21, y, stages[s].text);
        x += 21 + 6.1 * (double)strlen(stages[s].text) + 14;
    }
    x = LEFT + ACROSS - 96;
    weft_text_add(m->text,
                  "<path stroke=\"#222\" stroke-width=\"1.2\" d=\"M%.1f %.1fh16\"/>"
                  "<text x=\"%.1f\" y=\"%.1f\">sum of what lives</text>\n",
                  x - 21, y - 4, x, y);
}

static void add_legend(const map *m)
{
    const weft_plan *plan = m->plan;
    double x = LEFT;
    add_line_legend(m);
    for (int f = WEFT_FAMILY_OTHER; f <= WEFT_FAMILY_UPDATE; f++) {
        bool there = false;
        for (int i = 0; i < plan->placements && !there; i++)
            there = plan->placement[i].family == (weft_family)f &&
                    (double)plan->placement[i].bytes * m->byte_height >= smallest;
        if (there)
            x = add_key(m, x, LEGEND, (weft_family)f, WEFT_MEMORY_KEPT,
                        weft_family_text((weft_family)f));
    }
    x = LEFT;
    for (int k = WEFT_MEMORY_KEPT; k < WEFT_MEMORY_GAPS; k++)
        if (plan->most[k])
            x = add_key(m, x, LEGEND + 22, WEFT_FAMILY_CONVOLUTION, (weft_memory)k,
                        weft_memory_text((weft_memory)k));
}

static void add_map(const map *m, const char *title)
{
    weft_text_add(m->text,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "viewBox=\"0 0 %d %d\">\n",
                  WIDTH, HEIGHT, WIDTH, HEIGHT);
    add_style(m->text);
    weft_text_add(m->text,
                  "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>"
                  "<text class=\"h\" x=\"%d\" y=\"26\">",
                  WIDTH, HEIGHT, LEFT);
    add_escaped(m->text, title ? title : "memory plan");
    weft_text_add(m->text, "</text>\n");
    add_axes(m);
    add_stages(m);
    add_values(m);
    add_lines(m);
    for (int i = 0; i < m->plan->placements; i++)
        add_name(m, &m->plan->placement[i]);
    add_sums(m);
    add_legend(m);
    weft_text_add(m->text, "</svg>\n");
}

static weft_status draw(const weft_plan *plan, const char *title, weft_text *text,
                        weft_error *error)
{
    static const struct {
        int64_t bytes;
        const char *name;
    } units[] = {{1000000000, "GB"}, {1000000, "MB"}, {1000, "kB"}, {1, "bytes"}};
    int unit = 0;
    while (plan->total_bytes < 2 * units[unit].bytes && units[unit].bytes > 1)
        unit++;
    map m = {.plan = plan,
             .text = text,
             .step_width = (double)ACROSS / (plan->steps > 0 ? plan->steps : 1),
             .byte_height = (double)UP / (double)(plan->arena_bytes > 0 ? plan->arena_bytes : 1),
             .unit = units[unit].bytes,
             .unit_name = units[unit].name};
    weft_numbers numbers = weft_numbers_begin();
    add_map(&m, title);
    weft_numbers_end(&numbers);
    return text->failed ? weft_out_of_memory(error, text->capacity) : WEFT_OK;
}

weft_status weft_plan_svg(const weft_plan *plan, const char *title, FILE *file, weft_error *error)
{
    weft_text text = weft_text_begin(weft_plan_context(plan));
    weft_status status = draw(plan, title, &text, error);
    if (status == WEFT_OK)
        status = weft_diagram_write(&text, file, error);
    weft_text_release(&text);
    return status;
}

weft_status weft_plan_draw(const weft_plan *plan, const char *title, const char *path,
                           weft_error *error)
{
    weft_text text = weft_text_begin(weft_plan_context(plan));
    weft_status status = draw(plan, title, &text, error);
    if (status == WEFT_OK)
        status = weft_diagram_save(&text, path, error);
    weft_text_release(&text);
    return status;
}
