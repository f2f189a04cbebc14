#include "cli/arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { USAGE_STATUS = 2, NAME_WIDTH = 22 };

int arguments_refuse(const argument_usage *usage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", usage->program);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n%s --help lists the options\n", usage->program);
    va_end(arguments);
    return USAGE_STATUS;
}

/* ---- Help ---- */

static void print_default(const argument *a)
{
    if (a->integer)
        printf(" (%d)", *a->integer);
    else if (a->positive)
        printf(" (%g)", *a->positive);
    else if (a->seed)
        printf(" (%" PRIu64 ")", *a->seed);
    else if (a->choice)
        printf(" (%s)", *a->choice);
    putchar('\n');
}

static void print_table(const argument *table)
{
    for (const argument *a = table; a && a->name; a++) {
        char text[80];
        char letter[] = {'-', a->letter, ',', ' ', '\0'};
        snprintf(text, sizeof(text), "%s--%s%s%s", a->letter ? letter : "", a->name,
                 a->value ? " " : "", a->value ? a->value : "");
        printf("  %-*s %s", NAME_WIDTH, text, a->help);
        print_default(a);
    }
}

static void print_help(const argument_usage *usage)
{
    printf("usage: %s%s%s [options]\n%s\n\n", usage->program, usage->operand ? " " : "",
           usage->operand ? usage->operand : "", usage->purpose);
    print_table(usage->own);
    print_table(usage->shared);
    printf("  %-*s %s\n", NAME_WIDTH, "--help", "this text");
}

/* ---- Values ---- */

static bool refuse_value(const argument_usage *usage, const argument *a, const char *text,
                         const char *wanted)
{
    arguments_refuse(usage, "--%s takes %s, not \"%s\"", a->name, wanted, text);
    return false;
}

static bool parse_integer(const argument_usage *usage, const argument *a, const char *text)
{
    char *end, wanted[80];
    errno = 0;
    long parsed = strtol(text, &end, 10);
    snprintf(wanted, sizeof(wanted), "a whole number from %d to %d", a->low, a->high);
    if (errno || end == text || *end || parsed < a->low || parsed > a->high)
        return refuse_value(usage, a, text, wanted);
    *a->integer = (int)parsed;
    return true;
}

static bool parse_positive(const argument_usage *usage, const argument *a, const char *text)
{
    char *end;
    double parsed = strtod(text, &end);
    if (end == text || *end || !(parsed > 0 && parsed < 1e6))
        return refuse_value(usage, a, text, "a positive number");
    *a->positive = parsed;
    return true;
}

static bool parse_seed(const argument_usage *usage, const argument *a, const char *text)
{
    char *end;
    errno = 0;
    uint64_t parsed = strtoull(text, &end, 0);
    if (errno || end == text || *end || *text == '-')
        return refuse_value(usage, a, text, "a whole number");
    *a->seed = parsed;
    return true;
}

static bool parse_bytes(const argument_usage *usage, const argument *a, const char *text)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
                 {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
    char *end;
    double number = strtod(text, &end);
    bool is_number = end != text && number > 0;
    for (; *end == ' '; end++)
        ;
    for (size_t i = 0; is_number && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcasecmp(end, units[i].name) == 0 && number * units[i].bytes >= 1 &&
            number * units[i].bytes < 0x1p62) {
            *a->bytes = (int64_t)(number * units[i].bytes);
            return true;
        }
    return refuse_value(usage, a, text, "a size such as 625MB or 2GiB");
}

static bool parse_choice(const argument_usage *usage, const argument *a, const char *text)
{
    char wanted[160] = "one of";
    for (int i = 0; a->words[i]; i++) {
        if (strcmp(text, a->words[i]) == 0) {
            *a->choice = a->words[i];
            return true;
        }
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof(wanted) - used, "%s %s", i ? "," : "", a->words[i]);
    }
    return refuse_value(usage, a, text, wanted);
}

static bool parse_value(const argument_usage *usage, const argument *a, const char *text)
{
    if (a->integer)
        return parse_integer(usage, a, text);
    if (a->positive)
        return parse_positive(usage, a, text);
    if (a->seed)
        return parse_seed(usage, a, text);
    if (a->bytes)
        return parse_bytes(usage, a, text);
    if (a->choice)
        return parse_choice(usage, a, text);
    *a->text = text;
    return true;
}

/* ---- Options ---- */

/* The option that the word asks for, "--name" or "-n"; *value is what follows its "=", or NULL. */
static const argument *find(const argument *table, const char *word, const char **value)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    *value = equals ? equals + 1 : NULL;
    for (const argument *a = table; a && a->name; a++) {
        bool is_long = length > 2 && strncmp(word, "--", 2) == 0 && strlen(a->name) == length - 2 &&
                       strncmp(word + 2, a->name, length - 2) == 0;
        if (is_long || (a->letter && length == 2 && word[1] == a->letter))
            return a;
    }
    return NULL;
}

/* Parses the option argv[*i], and its value, which may be the next word. */
static bool parse_option(int argc, char **argv, int *i, const argument_usage *usage)
{
    const char *word = argv[*i], *value;
    const argument *a = find(usage->own, word, &value);
    if (!a)
        a = find(usage->shared, word, &value);
    if (!a) {
        arguments_refuse(usage, "there is no option \"%s\"", word);
        return false;
    }
    if (a->flag) {
        *a->flag = true;
        if (value)
            arguments_refuse(usage, "--%s takes no value", a->name);
        return !value;
    }
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value) {
        arguments_refuse(usage, "--%s needs a value", a->name);
        return false;
    }
    return parse_value(usage, a, value);
}

bool arguments_parse(int argc, char **argv, const argument_usage *usage, int *status)
{
    const char *operand = NULL;
    *status = USAGE_STATUS;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            print_help(usage);
            *status = 0;
            return false;
        }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            if (!parse_option(argc, argv, &i, usage))
                return false;
        } else if (usage->operand && !operand) {
            operand = argv[i];
        } else {
            arguments_refuse(usage, "what is \"%s\"?", argv[i]);
            return false;
        }
    }
    if (usage->operand && !operand && usage->operand[0] != '[') {
        arguments_refuse(usage, "%s is missing", usage->operand);
        return false;
    }
    if (usage->operand)
        *usage->operand_value = operand;
    return true;
}
