/* The command-line tool. */
#include "cli/command.h"
#include "weft/weft.h"

#include <stdio.h>
#include <string.h>

static const command *const commands[] = {
    &command_models, &command_ops,     &command_bench, &command_plan,
    &command_curve,  &command_profile, &command_dot,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *file)
{
    fprintf(file, "usage: weft COMMAND [options]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->purpose);
    fprintf(file, "\nweft COMMAND --help lists the options of a command; weft --version says which "
                  "weft this is.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("weft %s (%s)\n", weft_version(), weft_instruction_set());
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    if (argc > 1)
        fprintf(stderr, "weft: there is no command \"%s\"\n", name);
    print_help(stderr);
    return 2;
}
