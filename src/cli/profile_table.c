#include "cli/profile_table.h"

#include <stdlib.h>
#include <string.h>

bool profile_begin(profile_table *table, const weft_program *program, int most_runs)
{
    int steps = weft_program_report(program).steps;
    size_t rows = steps > 0 ? (size_t)steps : 1;
    *table = (profile_table){
        .steps = steps,
        .most_runs = most_runs,
        .step = calloc(rows, sizeof(profile_row)),
        .op = calloc(rows, sizeof(profile_row)),
        .sample = calloc(rows * (size_t)most_runs, sizeof(double)),
    };
    weft_step_report report;
    for (int i = 0; table->step && weft_program_step(program, i, &report); i++)
        table->step[i] = (profile_row){.name = report.name,
                                       .op = report.op,
                                       .steps = 1,
                                       .flops = report.flops,
                                       .bytes = report.bytes};
    return table->step && table->op && table->sample;
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

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int slowest_first(const void *a, const void *b)
{
    const profile_row *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static profile_row *row_of_op(profile_table *table, const char *op)
{
    for (int i = 0; i < table->ops; i++)
        if (strcmp(table->op[i].op, op) == 0)
            return &table->op[i];
    table->op[table->ops] = (profile_row){.op = op};
    return &table->op[table->ops++];
}

void profile_finish(profile_table *table)
{
    for (int i = 0; i < table->steps; i++) {
        profile_row *step = &table->step[i];
        double *sample = table->sample + (ptrdiff_t)i * table->most_runs;
        qsort(sample, (size_t)table->runs, sizeof(*sample), by_value);
        step->seconds = (sample[(table->runs - 1) / 2] + sample[table->runs / 2]) / 2;
        table->seconds += step->seconds;
        profile_row *op = row_of_op(table, step->op);
        op->steps++;
        op->seconds += step->seconds;
        op->flops += step->flops;
        op->bytes += step->bytes;
    }
    qsort(table->step, (size_t)table->steps, sizeof(profile_row), slowest_first);
    qsort(table->op, (size_t)table->ops, sizeof(profile_row), slowest_first);
}

void profile_release(profile_table *table)
{
    free(table->step);
    free(table->op);
    free(table->sample);
}

/* ---- Printing ---- */

/* Amounts a second, in 10^9; 0 where no time was measured. */
static double rate(double amount, double seconds)
{
    return seconds > 0 ? amount / seconds * 1e-9 : 0;
}

static double share(const profile_table *table, const profile_row *row)
{
    return table->seconds > 0 ? row->seconds / table->seconds : 0;
}

static void print_row(const profile_table *table, const profile_row *row, FILE *file)
{
    fprintf(file, "%10.3f ms %5.1f%% %8.2f GFLOP/s %7.2f GB/s  %-28s ", row->seconds * 1e3,
            100 * share(table, row), rate(row->flops, row->seconds), rate(row->bytes, row->seconds),
            row->op);
    if (row->name)
        fprintf(file, "%s\n", row->name);
    else
        fprintf(file, "%d steps\n", row->steps);
}

void profile_print(const profile_table *table, int lines, FILE *file)
{
    fprintf(file, "%d steps, %.2f ms\n", table->steps, table->seconds * 1e3);
    for (int i = 0; i < table->steps && (lines == 0 || i < lines); i++)
        print_row(table, &table->step[i], file);
    fprintf(file, "\nby op\n");
    for (int i = 0; i < table->ops; i++)
        print_row(table, &table->op[i], file);
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
                "\"op\": \"%s\", \"ms\": %.5f, \"share\": %.5f, \"gflops\": %.3f, "
                "\"gigabytes_per_second\": %.3f, \"flops\": %.0f, \"bytes\": %.0f}",
                row->op, row->seconds * 1e3, share(table, row), rate(row->flops, row->seconds),
                rate(row->bytes, row->seconds), row->flops, row->bytes);
    }
    fprintf(file, "]");
}

void profile_print_json(const profile_table *table, FILE *file)
{
    fprintf(file, "\"total_ms\": %.5f, \"steps\": ", table->seconds * 1e3);
    print_json_rows(table, table->step, table->steps, file);
    fprintf(file, ", \"ops\": ");
    print_json_rows(table, table->op, table->ops, file);
}
