#include "kernels/convolution_strips.h"

#include "kernels/cpu.h"
#include "kernels/integer.h"

#include <string.h>

enum { H = 1, W = 2 };

/* Operands of a link's kernel. */
enum { IN, FILTER, BIAS, OUT, WORKSPACE, PREPARED, CENTER, SLOPE, SHIFT, ADDEND };
_Static_assert(ADDEND + 1 == WEFT_STRIPS_OPERANDS, "a link has room for all");

/* Rows of an array. */
typedef struct interval {
    int64_t first, end;
} interval;

/* Those that the rows `out` of the result read. */
static interval rows_read(const weft_dimension *height, interval out)
{
    int64_t first = out.first * height->stride - height->pad;
    int64_t last = (out.end - 1) * height->stride - height->pad;
    return (interval){weft_most(first, 0),
                      weft_least(last + (height->kernel - 1) * height->dilation + 1, height->in)};
}

/* rows[i + 1]: those that a strip computes of the result of link i; rows[0]: those that it reads. */
static void rows_of(const weft_strips *s, int64_t strips, int64_t strip,
                    interval rows[WEFT_STRIPS_LINKS + 1])
{
    int64_t out = s->link[s->links - 1].height.out;
    rows[s->links] = (interval){out * strip / strips, out * (strip + 1) / strips};
    for (int i = s->links - 1; i >= 0; i--)
        rows[i] = rows_read(&s->link[i].height, rows[i + 1]);
}

/* ---- Running ---- */

static void find_operands(const weft_strips_link *link, const weft_call *call,
                          void *operand[WEFT_STRIPS_OPERANDS])
{
    for (int i = 0; i < WEFT_STRIPS_OPERANDS; i++)
        operand[i] = link->from[i] < 0 ? NULL : call->operand[link->from[i]];
}

/* The height of an array of which only some rows are there. */
static weft_dimension cut(const weft_dimension *height, interval in, interval out)
{
    weft_dimension d = *height;
    d.in = in.end - in.first;
    d.out = out.end - out.first;
    d.pad = in.first - (out.first * height->stride - height->pad);
    return d;
}

/* The rows `out` of a link's result from the rows `in` of what it reads. */
static void run_link(const weft_strips_link *link, void *const *operand, const weft_run_info *info,
                     interval in, interval out)
{
    weft_dimension height = cut(&link->height, in, out);
    weft_direct direct;
    weft_depthwise columns;
    weft_call call = {.operand = operand, .info = info};
    if (link->depthwise) {
        columns = link->columns;
        columns.dimension[H] = height;
        columns.blocks[H] = height.out;
        call.args = &columns;
    } else {
        direct = link->direct;
        if (link->flat) {
            direct.dimension[W].in *= height.in;
            direct.dimension[W].out *= height.out;
        } else {
            direct.dimension[H] = height;
        }
        call.args = &direct;
    }
    for (int64_t block = 0; block < link->blocks; block++)
        link->run(&call, block);
}

static void run(const weft_call *call, int64_t piece)
{
    const weft_strips *s = call->args;
    int64_t image = piece / s->strips;
    interval rows[WEFT_STRIPS_LINKS + 1];
    rows_of(s, s->strips, piece % s->strips, rows);
    float *buffer =
        (float *)call->operand[s->workspace] + (s->by_piece ? piece : call->thread) * s->buffer;
    int64_t at = image * s->y_image + rows[s->links].first * s->y_row;
    void *in = (float *)call->operand[s->input] + image * s->x_image + rows[0].first * s->x_row;
    for (int i = 0; i < s->links; i++) {
        const weft_strips_link *link = &s->link[i];
        void *operand[WEFT_STRIPS_OPERANDS];
        find_operands(link, call, operand);
        bool last = i + 1 == s->links;
        operand[IN] = in;
        operand[OUT] = last ? (float *)call->operand[s->output] + at : buffer + link->buffer;
        if (link->pack_pieces)
            operand[PREPARED] = (float *)call->operand[s->prepared] + link->prepared;
        if (operand[ADDEND])
            operand[ADDEND] = (float *)operand[ADDEND] + at;
        run_link(link, operand, call->info, rows[i], rows[i + 1]);
        in = operand[OUT];
    }
}

static void pack(const weft_call *call, int64_t piece)
{
    const weft_strips *s = call->args;
    int i = 0;
    for (; piece >= s->link[i].pack_pieces; i++)
        piece -= s->link[i].pack_pieces;
    const weft_strips_link *link = &s->link[i];
    void *operand[WEFT_STRIPS_OPERANDS];
    find_operands(link, call, operand);
    operand[PREPARED] = (float *)call->operand[s->prepared] + link->prepared;
    weft_call own = {.args = &link->direct, .operand = operand, .info = call->info};
    weft_convolution_direct()->pack(&own, piece);
}

/* ---- Planning ---- */

static bool rows_go_on(const int64_t stride[4], int64_t width)
{
    return stride[2] == width * stride[3];
}

/* Two dimensions, and no row of the result that sees nothing but padding. */
static bool has_rows(const weft_convolution_problem *p)
{
    int64_t span = (p->kernel[H] - 1) * p->dilation[H] + 1;
    return p->in[0] == 1 && p->out[0] == 1 && p->kernel[0] == 1 && p->pad[0] == 0 &&
           p->pad[H] < span && (p->out[H] - 1) * p->stride[H] - p->pad[H] < p->in[H];
}

/* The arguments of a link's kernel, as they were planned, for one image. Where a filter has one tap, planning has
 * taken a whole array for one row. */
static void set_direct(weft_strips_link *link, const weft_convolution_problem *p)
{
    weft_direct *d = &link->direct;
    d->epilogue = &link->epilogue;
    d->batch = d->images = d->ranges = 1;
    d->filters_far = false; /* strips come back to them soon */
    memcpy(d->a_stride, p->x_stride, sizeof d->a_stride);
    memcpy(d->c_stride, p->y_stride, sizeof d->c_stride);
    link->flat = p->kernel[H] == 1 && p->kernel[W] == 1 && p->stride[H] == 1 && p->stride[W] == 1 &&
                 p->pad[H] == 0 && p->pad[W] == 0 && p->in[W] == p->out[W] &&
                 rows_go_on(p->x_stride, p->in[W]) && rows_go_on(p->y_stride, p->out[W]);
    for (int i = 0; i < 3; i++) {
        d->dimension[i].in = p->in[i];
        d->dimension[i].out = p->out[i];
    }
    link->height = d->dimension[H];
    if (link->flat)
        d->dimension[H].in = d->dimension[H].out = 1;
    link->run = weft_convolution_direct()->run;
    link->blocks = d->filter_blocks * d->groups;
}

static void set_depthwise(weft_strips_link *link, const weft_convolution_problem *p)
{
    weft_depthwise *d = &link->columns;
    d->epilogue = &link->epilogue;
    d->batch = d->ranges = 1;
    d->far = false;
    memcpy(d->a_stride, p->x_stride, sizeof d->a_stride);
    memcpy(d->c_stride, p->y_stride, sizeof d->c_stride);
    for (int i = 0; i < 3; i++) {
        d->dimension[i].in = p->in[i];
        d->dimension[i].out = d->blocks[i] = p->out[i];
    }
    link->height = d->dimension[H];
    link->run = weft_convolution_depthwise()->run;
    link->blocks = d->channel_blocks;
}

static void set_operands(weft_strips_link *link, const weft_strips_part *part)
{
    const int from[WEFT_STRIPS_OPERANDS] = {-1,          part->filter, part->bias,   -1,
                                            -1,          -1,           part->center, part->slope,
                                            part->shift, part->addend};
    memcpy(link->from, from, sizeof from);
    link->epilogue = (weft_epilogue){.channels = part->problem.out_channels,
                                     .finish = {.center = part->center < 0 ? 0 : CENTER,
                                                .slope = part->slope < 0 ? 0 : SLOPE,
                                                .shift = part->shift < 0 ? 0 : SHIFT,
                                                .addend = part->addend < 0 ? 0 : ADDEND,
                                                .ceiling = part->ceiling}};
}

/* Cycles of a link's work on its own, and those of its step. */
typedef struct link_cycles {
    double work, alone;
} link_cycles;

/* Plans link i as if it were alone; false where it cannot be one. */
static bool plan_link(const weft_strips_problem *problem, int i, weft_strips *s,
                      weft_kernel_plan *plan, link_cycles *cycles)
{
    static const weft_slots slots = {
        .input = {IN, FILTER, BIAS}, .output = OUT, .workspace = WORKSPACE, .prepared = PREPARED};
    weft_strips_link *link = &s->link[i];
    const weft_strips_part *part = &problem->part[i];
    weft_convolution_problem p = part->problem;
    memset(link, 0, sizeof *link);
    set_operands(link, part);
    p.epilogue = &link->epilogue; /* as the step has one: of a finish alone */
    weft_kernel_plan own;
    if (!part->algorithm ||
        !weft_convolution_plan_by(part->algorithm, &p, WEFT_CONVOLUTION_FORWARD, &slots, &own))
        weft_convolution_plan(&p, WEFT_CONVOLUTION_FORWARD, &slots, &own);
    link->depthwise = strcmp(own.algorithm, "depthwise") == 0;
    if (!has_rows(&p) || !(link->depthwise || strcmp(own.algorithm, "direct") == 0))
        return false;
    if (i > 0)
        weft_convolution_dense(p.in, p.in_channels, p.x_stride);
    if (i + 1 < problem->links)
        weft_convolution_dense(p.out, p.out_channels, p.y_stride);
    double barrier = weft_phase_cycles(0, 1);
    int64_t pieces = own.phase[own.phases - 1].pieces;
    if (link->depthwise) {
        memcpy(&link->columns, own.args, sizeof link->columns);
        set_depthwise(link, &p);
        *cycles = (link_cycles){own.cycles, weft_phase_cycles(own.cycles, pieces)};
    } else {
        memcpy(&link->direct, own.args, sizeof link->direct);
        if (!link->direct.packed)
            return false;
        set_direct(link, &p);
        link->pack_pieces = own.phase[0].pieces;
        link->prepared = (int64_t)(plan->prepared / sizeof(float));
        plan->prepared += (own.prepared + 63) / 64 * 64;
        plan->prepare_inputs |= 1u << part->filter;
        *cycles = (link_cycles){(own.cycles - barrier) / (weft_phase_cycles(1, pieces) - barrier),
                                own.cycles};
    }
    link->row = p.out[W] * p.out_channels;
    return true;
}

/* Cuts images into so many strips; returns the cycles of all. */
static double cut_images(weft_strips *s, const link_cycles *cycles, int64_t batch, int64_t strips)
{
    const double start = 2000; /* of a piece */
    int64_t computed[WEFT_STRIPS_LINKS] = {0}, most[WEFT_STRIPS_LINKS] = {0};
    for (int64_t strip = 0; strip < strips; strip++) {
        interval rows[WEFT_STRIPS_LINKS + 1];
        rows_of(s, strips, strip, rows);
        for (int i = 0; i < s->links; i++) {
            int64_t count = rows[i + 1].end - rows[i + 1].first;
            computed[i] += count;
            most[i] = weft_most(most[i], count);
        }
    }
    double work = start * (double)(batch * strips);
    s->strips = strips;
    s->buffer = 0;
    for (int i = 0; i < s->links; i++) {
        work += cycles[i].work * (double)computed[i] / (double)s->link[i].height.out;
        if (i + 1 == s->links)
            break;
        s->link[i].buffer = s->buffer;
        s->buffer += weft_ceiling(most[i] * s->link[i].row, 16) * 16;
    }
    return weft_phase_cycles(work, batch * strips);
}

/* Chooses the strips of least cycles among those whose buffer stays in the cache beside filters, input and
 * output; returns the cycles, or a negative number where none does. */
static double choose_strips(weft_strips *s, const link_cycles *cycles, int64_t batch)
{
    const int64_t room = weft_cpu_l2() / 2 / (int64_t)sizeof(float);
    int64_t out = s->link[s->links - 1].height.out, best = 0;
    double least = -1;
    for (int64_t strips = 1; strips <= out; strips++) {
        double c = cut_images(s, cycles, batch, strips);
        if (s->buffer <= room && (least < 0 || c < least)) {
            least = c;
            best = strips;
        }
    }
    if (best)
        cut_images(s, cycles, batch, best);
    return least;
}

double weft_strips_plan(const weft_strips_problem *problem, int threads, weft_strips *s,
                        weft_kernel_plan *plan)
{
    const double pass = 0.5; /* a float that is written to memory and read again; measured */
    const weft_convolution_problem *first = &problem->part[0].problem;
    const weft_convolution_problem *last = &problem->part[problem->links - 1].problem;
    *plan = (weft_kernel_plan){.algorithm = "strips"};
    s->links = problem->links;
    link_cycles cycles[WEFT_STRIPS_LINKS];
    bool depthwise = false;
    double apart = 0;
    int64_t packs = 0;
    for (int i = 0; i < s->links; i++) {
        if (!plan_link(problem, i, s, plan, &cycles[i]))
            return 0;
        depthwise |= s->link[i].depthwise;
        packs += s->link[i].pack_pieces;
        apart += cycles[i].alone;
        if (i + 1 < s->links)
            apart += pass * (double)(first->batch * s->link[i].height.out * s->link[i].row);
    }
    plan->cycles = depthwise ? choose_strips(s, cycles, first->batch) : -1;
    if (plan->cycles < 0 || plan->cycles >= apart)
        return 0;
    s->input = problem->input;
    s->output = problem->output;
    s->workspace = problem->workspace;
    s->prepared = problem->prepared;
    s->x_image = first->x_stride[0];
    s->x_row = first->x_stride[2];
    s->y_image = last->y_stride[0];
    s->y_row = last->y_stride[2];
    int64_t pieces = first->batch * s->strips;
    s->by_piece = pieces < threads;
    plan->workspace = (size_t)(weft_least(pieces, threads) * s->buffer) * sizeof(float);
    if (packs) {
        plan->prepare_phases = 1;
        plan->phase[plan->phases++] = (weft_phase){pack, packs, 0};
    }
    plan->phase[plan->phases++] = (weft_phase){run, pieces, 0};
    return apart - plan->cycles;
}
