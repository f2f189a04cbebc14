#include "cli/profile_table.h"

#include "cli/quantile.h"

#include <stdlib.h>
#include <string.h>

bool profile_begin(profile_table *table, const weft_program *program, const weft_roof *roof,
                   int most_runs)
{
    int steps = weft_program_report(program).steps;
    size_t rows = steps > 0 ? (size_t)steps : 1;
    *table = (profile_table){
        .steps = steps,
        .most_runs = most_runs,
        .roof = *roof,
        .step = calloc(rows, sizeof(profile_row)),
        .group = calloc(rows, sizeof(profile_row)),
        .sample = calloc(rows * (size_t)most_runs, sizeof(double)),
    };
    weft_step_report report;
    for (int i = 0; table->step && weft_program_step(program, i, &report); i++)
        table->step[i] = (profile_row){.name = report.name,
                                       .op = report.op,
                                       .kernel = report.kernel,
                                       .algorithm = report.algorithm,
                                       .steps = 1,
                                       .flops = report.flops,
                                       .bytes = report.bytes};
    return table->step && table->group && table->sample;
}

void profile_add(profile_table *table, const weft_program *program)
{
    weft_step_report report;
    if (table->runs == table->most_runs)
        return;
    for (int i = 0; weft_program_step(program, i, &report); i++)
        table->sample[i * table->most_runs + table->runs] = report.seconds;
    table->runs++;
}

/* ---- Rows ---- */

static int slowest_first(const void *a, const void *b)
{
    const profile_row *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static int most_lost_first(const void *a, const void *b)
{
    const profile_row *x = a, *y = b;
    int order = (x->lost < y->lost) - (x->lost > y->lost);
    return order ? order : slowest_first(a, b);
}

static profile_row *group_of(profile_table *table, const profile_row *step)
{
    for (int i = 0; i < table->groups; i++) {
        profile_row *group = &table->group[i];
        if (strcmp(group->kernel, step->kernel) == 0 &&
            strcmp(group->algorithm, step->algorithm) == 0)
            return group;
    }
    profile_row *group = &table->group[table->groups++];
    *group =
        (profile_row){.op = step->kernel, .kernel = step->kernel, .algorithm = step->algorithm};
    return group;
}

static void add(profile_row *sum, const profile_row *step)
{
    sum->steps += step->steps;
    sum->flops += step->flops;
    sum->bytes += step->bytes;
    sum->seconds += step->seconds;
    sum->roof += step->roof;
    sum->lost += step->lost;
}

/* A step that is hoisted does not run, nor work, each time. */
static void finish_step(const profile_table *table, profile_row *step, double *sample)
{
    step->seconds = quantile(sample, table->runs, 0.5);
    if (step->seconds > 0)
        step->roof = weft_roof_seconds(&table->roof, step->flops, step->bytes);
    if (step->seconds > step->roof)
        step->lost = step->seconds - step->roof;
}

void profile_finish(profile_table *table)
{
    for (int i = 0; i < table->steps; i++) {
        profile_row *step = &table->step[i];
        finish_step(table, step, table->sample + (ptrdiff_t)i * table->most_runs);
        add(&table->total, step);
        add(group_of(table, step), step);
    }
    qsort(table->step, (size_t)table->steps, sizeof(profile_row), slowest_first);
    qsort(table->group, (size_t)table->groups, sizeof(profile_row), most_lost_first);
}

void profile_release(profile_table *table)
{
    free(table->step);
    free(table->group);
    free(table->sample);
}

/* ---- Printing ---- */

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void print_heading(const char *rest, FILE *file)
{
    fprintf(file, "%10s %6s %9s %8s %5s %9s %6s  %s\n", "ms", "time", "GFLOP/s", "GB/s", "roof",
            "lost ms", "lost", rest);
}

static void print_row(const profile_table *table, const profile_row *row, FILE *file)
{
    fprintf(file, "%10.3f %5.1f%% %9.2f %8.2f %4.0f%% %9.3f %5.1f%%  ", row->seconds * 1e3,
            100 * ratio(row->seconds, table->total.seconds), ratio(row->flops, row->seconds) * 1e-9,
            ratio(row->bytes, row->seconds) * 1e-9, 100 * ratio(row->roof, row->seconds),
            row->lost * 1e3, 100 * ratio(row->lost, table->total.lost));
    if (!row->name)
        fprintf(file, "%5d  ", row->steps);
    fprintf(file, "%-18s  %s", row->algorithm, row->op);
    fprintf(file, row->name ? "  %s\n" : "\n", row->name);
}

void profile_print(const profile_table *table, int lines, FILE *file)
{
    const profile_row *total = &table->total;
    fprintf(file,
            "the roof: %.1f GFLOP/s of multiply-adds, %.1f GB/s of memory, whichever takes a step "
            "longer\n(beyond 100%%: operands in a cache; Winograd, whose flops count as direct "
            "ones)\n\nslowest steps\n",
            table->roof.flops * 1e-9, table->roof.bytes * 1e-9);
    print_heading("algorithm           op  name", file);
    for (int i = 0; i < table->steps && (lines == 0 || i < lines); i++)
        print_row(table, &table->step[i], file);
    fprintf(file, "\nby op and algorithm, most time above the roof first\n");
    print_heading("steps  algorithm           op", file);
    for (int i = 0; i < table->groups; i++)
        print_row(table, &table->group[i], file);
    fprintf(file,
            "\n%d steps, %.3f ms = %.3f at the roof + %.3f lost above it - %.3f won below it\n",
            total->steps, total->seconds * 1e3, total->roof * 1e3, total->lost * 1e3,
            (total->roof + total->lost - total->seconds) * 1e3);
}

static void print_json_rows(const profile_table *table, const profile_row *row, int rows,
                            FILE *file)
{
    fprintf(file, "[");
    for (int i = 0; i < rows; i++, row++) {
        fprintf(file, "%s{", i ? ", " : "");
        if (row->name)
            fprintf(file, "\"name\": \"%s\", ", row->name);
        else
            fprintf(file, "\"steps\": %d, ", row->steps);
        fprintf(file,
                "\"op\": \"%s\", \"algorithm\": \"%s\", \"ms\": %.5f, \"share\": %.5f, "
                "\"gflops\": %.3f, \"gigabytes_per_second\": %.3f, \"roof_ms\": %.5f, "
                "\"roof_share\": %.5f, \"lost_ms\": %.5f, \"lost_share\": %.5f, "
                "\"flops\": %.0f, \"bytes\": %.0f}",
                row->op, row->algorithm, row->seconds * 1e3,
                ratio(row->seconds, table->total.seconds), ratio(row->flops, row->seconds) * 1e-9,
                ratio(row->bytes, row->seconds) * 1e-9, row->roof * 1e3,
                ratio(row->roof, row->seconds), row->lost * 1e3,
                ratio(row->lost, table->total.lost), row->flops, row->bytes);
    }
    fprintf(file, "]");
}

void profile_print_json(const profile_table *table, FILE *file)
{
    fprintf(file,
            "\"peak_gflops\": %.3f, \"peak_gigabytes_per_second\": %.3f, \"total_ms\": %.5f, "
            "\"roof_ms\": %.5f, \"lost_ms\": %.5f, \"steps\": ",
            table->roof.flops * 1e-9, table->roof.bytes * 1e-9, table->total.seconds * 1e3,
            table->total.roof * 1e3, table->total.lost * 1e3);
    print_json_rows(table, table->step, table->steps, file);
    fprintf(file, ", \"ops\": ");
    print_json_rows(table, table->group, table->groups, file);
}
