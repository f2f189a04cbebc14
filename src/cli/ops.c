/* weft ops: the built-in ops, as their descriptors and samples say it; docs/ops.md is its output. */
#include "cli/command.h"
#include "weft/weft.h"

#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"

static const char *const orders[] = {"none", "first", "any"};

static const char *fusing(const weft_op_facts *facts)
{
    if (facts->map)
        return "map";
    if (facts->expands)
        return "sums and a map";
    return facts->takes_maps ? "takes maps" : "no";
}

/* ---- One op ---- */

static void print_line(const weft_op *op, const weft_op_facts *facts)
{
    printf("%-29s %-13s %-8s %-14s %s\n", op->name, weft_family_text(op->family),
           orders[facts->gradient_order], fusing(facts), op->summary);
}

static void print_page(const weft_op *op, const weft_op_facts *facts)
{
    printf("%s (%s)\n\n    %s\n\n", op->name, weft_family_text(op->family), op->summary);
    printf("shapes      %s\n", op->shapes);
    printf("for example %s\n", facts->example);
    printf("attributes  %s\n", op->parameters ? op->parameters : "none");
    printf("gradient    %s%s\n", orders[facts->gradient_order],
           facts->gradient_order == 2 ? " order"
           : facts->gradient_order    ? " order only"
                                      : "");
    printf("fuses       %s\n", fusing(facts));
    printf("source      %s\n", op->source);
}

static void print_json_text(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    if (!text) {
        printf("null");
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_json(const weft_op *op, const weft_op_facts *facts)
{
    printf("{\"name\": \"%s\"", op->name);
    print_json_text("family", weft_family_text(op->family));
    print_json_text("summary", op->summary);
    printf(", \"min_inputs\": %d, \"max_inputs\": %d, \"outputs\": %d", op->min_inputs,
           op->max_inputs, op->outputs);
    print_json_text("shapes", op->shapes);
    print_json_text("example", facts->example);
    print_json_text("attributes", op->parameters);
    print_json_text("gradient", orders[facts->gradient_order]);
    print_json_text("fuses", fusing(facts));
    print_json_text("source", op->source);
    putchar('}');
}

/* A cell of a table, in which a bar would end it. */
static void print_cell(const char *text)
{
    printf(" | ");
    for (; *text; text++) {
        if (strchr("|*_<", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void print_row(const weft_op *op, const weft_op_facts *facts)
{
    printf("| `%s`", op->name);
    print_cell(op->summary);
    print_cell(op->shapes);
    print_cell(op->parameters ? op->parameters : "");
    print_cell(orders[facts->gradient_order]);
    print_cell(fusing(facts));
    print_cell(op->source);
    printf(" |\n");
}

/* ---- All of them ---- */

typedef struct ops_options {
    bool json, markdown;
    const char *name;
} ops_options;

/* Prints one op as the options say; false, and the reason on the standard error, where a sample fails. */
static bool print_op(weft_context *context, const ops_options *options, const weft_op *op,
                     bool first)
{
    weft_error error = {0};
    weft_op_facts facts;
    if (weft_op_facts_find(context, op, &facts, &error) != WEFT_OK) {
        fprintf(stderr, "weft ops: %s: %s\n", op->name, error.message);
        return false;
    }
    if (options->json) {
        printf("%s", options->name ? "" : first ? "\n  " : ",\n  ");
        print_json(op, &facts);
    } else if (options->markdown) {
        print_row(op, &facts);
    } else if (options->name) {
        print_page(op, &facts);
    } else {
        print_line(op, &facts);
    }
    return true;
}

static void print_markdown_head(void)
{
    printf("# Ops\n\n"
           "Written by `weft ops --markdown` from the ops' descriptors (include/weft/op.h) and "
           "samples; a\n"
           "test compares. `weft ops NAME` prints one with the shapes of an example.\n\n"
           "Shapes: `[..]` is any shape, a name without a shape one that broadcasts, `name?` an "
           "input that\n"
           "may be left out, `name...` any number of them. Gradient: the order of derivative that "
           "there is.\n"
           "Fuses: a *map* with its neighbours, in one pass over memory; *takes maps* into its "
           "kernel;\n"
           "*sums and a map* is what the compiler makes of it where they fuse.\n");
}

static void print_markdown_family(weft_family family)
{
    const char *name = weft_family_text(family);
    printf("\n## %c%s\n\n", name[0] - 'a' + 'A', name + 1);
    printf("| op | computes | inputs -> outputs | attributes | gradient | fuses | source |\n");
    printf("|---|---|---|---|---|---|---|\n");
}

static bool print_markdown(weft_context *context, const ops_options *options)
{
    print_markdown_head();
    bool good = true;
    for (int family = WEFT_FAMILY_OTHER; family <= WEFT_FAMILY_UPDATE; family++) {
        bool begun = false;
        const weft_op *op;
        for (int i = 0; good && (op = weft_builtin_op(i)) != NULL; i++) {
            if (op->family != (weft_family)family)
                continue;
            if (!begun)
                print_markdown_family(op->family);
            begun = true;
            good = print_op(context, options, op, false);
        }
    }
    return good;
}

static bool print_list(weft_context *context, const ops_options *options)
{
    if (options->json)
        printf("[");
    else
        printf("%-29s %-13s %-8s %-14s %s\n", "name", "family", "gradient", "fuses", "computes");
    const weft_op *op;
    for (int i = 0; (op = weft_builtin_op(i)) != NULL; i++)
        if (!print_op(context, options, op, i == 0))
            return false;
    if (options->json)
        printf("\n]\n");
    return true;
}

static int print_one(weft_context *context, const argument_usage *usage, const ops_options *options)
{
    const weft_op *op;
    for (int i = 0; (op = weft_builtin_op(i)) != NULL; i++)
        if (strcmp(op->name, options->name) == 0) {
            bool good = print_op(context, options, op, true);
            if (options->json)
                putchar('\n');
            return good ? 0 : 1;
        }
    return arguments_refuse(usage, "there is no op \"%s\"", options->name);
}

static int run(int argc, char **argv)
{
    ops_options options = {0};
    const argument own[] = {{"json", NULL, "JSON objects", .flag = &options.json},
                            {"markdown", NULL, "tables: docs/ops.md", .flag = &options.markdown},
                            {0}};
    const argument_usage usage = {"weft ops", command_ops.purpose, "[NAME]", &options.name, own,
                                  NULL};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    weft_context *context = weft_context_create(NULL);
    if (!context) {
        fprintf(stderr, "weft ops: out of memory\n");
        return 1;
    }
    if (options.name)
        status = print_one(context, &usage, &options);
    else if (options.markdown)
        status = print_markdown(context, &options) ? 0 : 1;
    else
        status = print_list(context, &options) ? 0 : 1;
    weft_context_destroy(context);
    return status;
}

const command command_ops = {
    "ops", "Lists the ops, or says all of one: shapes, attributes, gradient, fusing, source.", run};
