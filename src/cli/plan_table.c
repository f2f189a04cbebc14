#include "cli/plan_table.h"

#include "weft/dot.h"

#include <inttypes.h>
#include <stdlib.h>

static double megabytes(int64_t bytes)
{
    return (double)bytes * 1e-6;
}

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

static const char *const stages[] = {"forward", "backward", "update"};

/* ---- For people ---- */

/* Kinds from first to end - 1, then their sum. */
static void print_kinds(const weft_plan *plan, int first, int end, FILE *file)
{
    for (int m = first; m < end; m++) {
        if (!plan->most[m])
            continue;
        fprintf(file, "    %-22s %10.2f %6.1f%%", weft_memory_text((weft_memory)m),
                megabytes(plan->bytes[m]), percent(plan->bytes[m], plan->total_bytes));
        if (plan->most[m] != plan->bytes[m])
            fprintf(file, " %14.2f", megabytes(plan->most[m]));
        fputc('\n', file);
    }
}

static void print_sum(const char *name, int64_t bytes, int64_t total, FILE *file)
{
    fprintf(file, "  %-24s %10.2f %6.1f%%", name, megabytes(bytes), percent(bytes, total));
}

static void print_sums(const weft_plan *plan, FILE *file)
{
    int64_t total = plan->total_bytes;
    fprintf(file, "  %-24s %10s %7s %14s\n", "memory", "MB", "", "MB at most");
    print_sum("variables", plan->state_bytes, total, file);
    fputc('\n', file);
    print_kinds(plan, WEFT_MEMORY_PARAMETERS, WEFT_MEMORY_KEPT, file);
    print_sum("arena, at its peak", plan->arena_bytes, total, file);
    fprintf(file,
            "                 no plan of this order is below %.2f, none of creation's below %.2f\n",
            megabytes(plan->bound_bytes), megabytes(plan->creation_bound_bytes));
    print_kinds(plan, WEFT_MEMORY_KEPT, WEFT_MEMORY_FEEDS, file);
    print_sum("feeds, the caller's", plan->feed_bytes, total, file);
    fputc('\n', file);
    print_sum("program", plan->program_bytes, total, file);
    fputc('\n', file);
    print_sum("total", total, total, file);
    fputc('\n', file);
}

static bool is_alive(const weft_placement *placement, int step)
{
    return placement->first <= step && step <= placement->last;
}

static int largest_first(const void *a, const void *b)
{
    const weft_placement *x = *(const weft_placement *const *)a;
    const weft_placement *y = *(const weft_placement *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x > y) - (x < y);
}

static void print_alive(const weft_plan *plan, const weft_placement *const *alive, int count,
                        int lines, FILE *file)
{
    int64_t rest = 0;
    int shown = lines && lines < count ? lines : count;
    fprintf(file, "  %10s %7s %11s  %-20s %s\n", "MB", "share", "steps", "", "value");
    for (int i = 0; i < count; i++) {
        const weft_placement *p = alive[i];
        char steps[32];
        snprintf(steps, sizeof(steps), "%d-%d", p->first, p->last);
        rest += i < shown ? 0 : p->bytes;
        if (i < shown)
            fprintf(file, "  %10.2f %6.1f%% %11s  %-20s %s (%s)\n", megabytes(p->bytes),
                    percent(p->bytes, plan->bound_bytes), steps, weft_memory_text(p->memory),
                    p->name, p->op);
    }
    if (shown < count)
        fprintf(file, "  %10.2f %6.1f%% %11s  %d more\n", megabytes(rest),
                percent(rest, plan->bound_bytes), "", count - shown);
}

bool plan_print(const weft_plan *plan, int lines, FILE *file)
{
    const weft_placement **alive = calloc((size_t)plan->placements + 1, sizeof(*alive));
    int count = 0;
    if (!alive)
        return false;
    for (int i = 0; i < plan->placements; i++)
        if (is_alive(&plan->placement[i], plan->peak))
            alive[count++] = &plan->placement[i];
    qsort(alive, (size_t)count, sizeof(*alive), largest_first);
    print_sums(plan, file);
    fprintf(file, "\n  %.4g GFLOP a run", plan->flops * 1e-9);
    if (plan->recomputed_flops > 0)
        fprintf(file, ", %.3g of them on what is computed again instead of kept",
                plan->recomputed_flops * 1e-9);
    if (plan->steps_again > 0)
        fprintf(file,
                "\n  %d of %d steps run again to save memory: %.1f%% more time, by prediction",
                plan->steps_again, plan->steps, plan->again_share * 100);
    if (plan->micro_batches > 1)
        fprintf(file, "\n  the batch is taken in %d parts of %" PRId64, plan->micro_batches,
                plan->batch / plan->micro_batches);
    fputc('\n', file);
    if (plan->steps > 0) {
        const weft_planned_step *step = &plan->step[plan->peak];
        fprintf(file, "\nthe peak, step %d of %d (%s): %s, %s\n", plan->peak, plan->steps,
                stages[step->stage], step->op, step->name);
        print_alive(plan, alive, count, lines, file);
    }
    free(alive);
    return true;
}

/* ---- JSON ---- */

static void print_kinds_json(const char *name, const int64_t *bytes, FILE *file)
{
    fprintf(file, "\"%s\": {", name);
    for (int m = 0; m < WEFT_MEMORIES; m++)
        fprintf(file, "%s\"%s\": %" PRId64, m ? ", " : "", weft_memory_text((weft_memory)m),
                bytes[m]);
    fprintf(file, "}, ");
}

void plan_print_json(const weft_plan *plan, FILE *file)
{
    fprintf(file,
            "\"total_bytes\": %" PRId64 ", \"arena_bytes\": %" PRId64 ", \"bound_bytes\": %" PRId64
            ", \"creation_bound_bytes\": %" PRId64 ", \"state_bytes\": %" PRId64
            ", \"feed_bytes\": %" PRId64 ", \"program_bytes\": %" PRId64
            ", \"flops\": %.0f, \"recomputed_flops\": %.0f, "
            "\"steps_again\": %d, \"again_share\": %.4f, \"micro_batches\": %d, "
            "\"peak_step\": %d, ",
            plan->total_bytes, plan->arena_bytes, plan->bound_bytes, plan->creation_bound_bytes,
            plan->state_bytes, plan->feed_bytes, plan->program_bytes, plan->flops,
            plan->recomputed_flops, plan->steps_again, plan->again_share, plan->micro_batches,
            plan->peak);
    print_kinds_json("bytes", plan->bytes, file);
    print_kinds_json("most_bytes", plan->most, file);
    fprintf(file, "\"steps\": [");
    for (int i = 0; i < plan->steps; i++) {
        const weft_planned_step *s = &plan->step[i];
        fprintf(file,
                "%s{\"name\": \"%s\", \"op\": \"%s\", \"stage\": \"%s\", \"live_bytes\": %" PRId64
                "}",
                i ? ", " : "", s->name, s->op, stages[s->stage], s->live_bytes);
    }
    fprintf(file, "], \"values\": [");
    for (int i = 0; i < plan->placements; i++) {
        const weft_placement *p = &plan->placement[i];
        fprintf(file,
                "%s{\"name\": \"%s\", \"op\": \"%s\", \"family\": \"%s\", \"memory\": \"%s\", "
                "\"offset\": %" PRId64 ", \"bytes\": %" PRId64
                ", \"first\": %d, \"last\": %d, \"values\": %d}",
                i ? ", " : "", p->name, p->op, weft_family_text(p->family),
                weft_memory_text(p->memory), p->offset, p->bytes, p->first, p->last, p->values);
    }
    fprintf(file, "]");
}
