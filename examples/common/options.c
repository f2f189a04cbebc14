#include "common/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { LARGEST = 1000000000, OWN_OPTIONS = 8, FIRST_OWN = 256 };

static const struct option shared[] = {
    {"data", required_argument, NULL, 'd'},    {"samples", required_argument, NULL, 'n'},
    {"epochs", required_argument, NULL, 'e'},  {"batch", required_argument, NULL, 'b'},
    {"threads", required_argument, NULL, 't'}, {"learning-rate", required_argument, NULL, 'r'},
    {"seed", required_argument, NULL, 's'},    {"dot", required_argument, NULL, 'g'},
    {"summary", no_argument, NULL, 'l'},       {"profile", no_argument, NULL, 'p'},
    {"json", no_argument, NULL, 'j'},          {"help", no_argument, NULL, 'h'},
};

enum { SHARED = sizeof(shared) / sizeof(shared[0]) };

static void print_help(const char *program, const char *purpose, const example_options *defaults,
                       const example_option *own)
{
    printf("usage: %s [options]\n%s\n\n", program, purpose);
    printf("  --data DIR          read the data set in this directory (default: draw one)\n"
           "  --samples N         training images to draw (%d)\n"
           "  --epochs N          passes over the training images (%d)\n"
           "  --batch N           images in a batch (%d)\n"
           "  --learning-rate X   at its highest (%g)\n"
           "  --threads N         0: one for each processor (%d)\n"
           "  --seed N            of data, variables and order (%llu)\n"
           "  --dot FILE          draw the network: .dot, .svg, .png or .pdf\n"
           "  --summary           print the table of layers\n"
           "  --profile           print where the time of the last step went\n"
           "  --json              end with one line of JSON\n"
           "  --help              this text\n",
           defaults->samples, defaults->epochs, defaults->batch, defaults->learning_rate,
           defaults->threads, (unsigned long long)defaults->seed);
    for (; own && own->name; own++)
        printf("  --%-17s %s (%d)\n", own->name, own->help, *own->value);
}

static bool complain(const char *option, const char *text, const char *wanted)
{
    fprintf(stderr, "--%s takes %s, not \"%s\"\n", option, wanted, text);
    return false;
}

static bool parse_integer(const char *option, const char *text, int low, int high, int *value)
{
    char *end, wanted[80];
    errno = 0;
    long parsed = strtol(text, &end, 10);
    snprintf(wanted, sizeof(wanted), "a whole number from %d to %d", low, high);
    if (errno || end == text || *end || parsed < low || parsed > high)
        return complain(option, text, wanted);
    *value = (int)parsed;
    return true;
}

static bool parse_seed(const char *text, uint64_t *seed)
{
    char *end;
    errno = 0;
    *seed = strtoull(text, &end, 0);
    return (!errno && end != text && !*end && *text != '-') ||
           complain("seed", text, "a whole number");
}

static bool parse_rate(const char *text, double *rate)
{
    char *end;
    *rate = strtod(text, &end);
    return (end != text && !*end && *rate > 0 && *rate < 1e6) ||
           complain("learning-rate", text, "a positive number");
}

static bool parse_one(int which, example_options *options)
{
    switch (which) {
    case 'd':
        options->data = optarg;
        return true;
    case 'n':
        return parse_integer("samples", optarg, 1, LARGEST, &options->samples);
    case 'e':
        return parse_integer("epochs", optarg, 1, LARGEST, &options->epochs);
    case 'b':
        return parse_integer("batch", optarg, 1, LARGEST, &options->batch);
    case 't':
        return parse_integer("threads", optarg, 0, 1024, &options->threads);
    case 'r':
        return parse_rate(optarg, &options->learning_rate);
    case 's':
        return parse_seed(optarg, &options->seed);
    case 'g':
        options->dot = optarg;
        return true;
    case 'l':
        options->summary = true;
        return true;
    case 'p':
        options->profile = true;
        return true;
    default:
        options->json = true;
        return true;
    }
}

bool example_parse(int argc, char **argv, const char *purpose, example_options *options,
                   const example_option *own, int *status)
{
    struct option known[SHARED + OWN_OPTIONS + 1] = {{0}};
    for (int i = 0; i < SHARED; i++)
        known[i] = shared[i];
    for (int i = 0; own && i < OWN_OPTIONS && own[i].name; i++)
        known[SHARED + i] = (struct option){own[i].name, required_argument, NULL, FIRST_OWN + i};
    const example_options defaults = *options;
    *status = 2;
    for (;;) {
        int which = getopt_long(argc, argv, "", known, NULL);
        if (which == -1)
            break;
        if (which == 'h') {
            print_help(argv[0], purpose, &defaults, own);
            *status = 0;
            return false;
        }
        const example_option *mine = own && which >= FIRST_OWN ? &own[which - FIRST_OWN] : NULL;
        if (mine ? !parse_integer(mine->name, optarg, mine->low, mine->high, mine->value)
                 : which == '?' || !parse_one(which, options)) {
            fprintf(stderr, "%s --help lists the options\n", argv[0]);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "what is \"%s\"? %s --help lists the options\n", argv[optind], argv[0]);
        return false;
    }
    return true;
}
