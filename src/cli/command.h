/* The subcommands of weft, one file each; src/cli/main.c has their table. */
#ifndef WEFT_CLI_COMMAND_H
#define WEFT_CLI_COMMAND_H

/* Runs with argv[0] its name. Returns the exit status: 0, 1 after a failure, 2 after a mistake on the
 * command line. */
typedef int command_function(int argc, char **argv);

typedef struct command {
    const char *name, *purpose;
    command_function *run;
} command;

extern const command command_models, command_ops, command_bench, command_plan, command_curve,
    command_profile, command_dot;

#endif
