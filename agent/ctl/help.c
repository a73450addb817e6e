/* SPDX-License-Identifier: Apache-2.0
 *
 * help.c - see help.h.
 */
#include "config.h"

#include "agent/ctl/help.h"
#include "agent/ctl/options.h"

#define OPTIONS_COLUMN 17

#define SYNOPSIS "Usage: homingctl [-o json] [--socket PATH] "

static const char *const rights_texts[RIGHTS_COUNT] = {
    [RIGHTS_ANY] = "every user",
    [RIGHTS_LOOK] = "root, homingd's user and its group",
    [RIGHTS_CHANGE] = "root and homingd's user",
};

static void print_modes(FILE *out)
{
    for (unsigned i = 0; command_mode(i); i++)
        fprintf(out, "%s%s", i ? "|" : "", command_mode(i));
}

static void print_argument(FILE *out, enum argument argument)
{
    static const char *const texts[ARG_COUNT] = {
        [ARG_CLUSTER] = "CLUSTER", [ARG_MEMBER] = "MEMBER|ADDRESS:PORT",
        [ARG_NAME] = "NAME",       [ARG_NAME_OR_CLUSTER] = "NAME|CLUSTER",
        [ARG_COMMAND] = "COMMAND", [ARG_PROGRAM] = "[OPTION...] -- CMD [ARG...]",
    };

    if (argument == ARG_MODE)
        print_modes(out);
    else
        fputs(texts[argument], out);
}

static void print_usage(FILE *out, const struct command *command)
{
    fputs(command->name, out);
    for (int i = 0; command_argument(command, i) != ARG_NONE; i++) {
        fputs(i < command->least ? " " : " [", out);
        print_argument(out, command_argument(command, i));
        fputs(i < command->least ? "" : "]", out);
    }
}

static void print_commands(FILE *out)
{
    for (size_t i = 0; i < commands_count; i++) {
        fputs("  ", out);
        print_usage(out, &commands[i]);
        fprintf(out, "\n           %s\n", commands[i].text);
    }
}

/* A usage that reaches into the column of the texts has a line for itself. */
static void print_option(FILE *out, const struct option *option)
{
    int width = fprintf(out, "  %s %s", option->name, option->value);

    if (width >= OPTIONS_COLUMN) {
        fputc('\n', out);
        width = 0;
    }
    fprintf(out, "%*s%s\n", OPTIONS_COLUMN - width, "", option->text);
}

static void print_options(FILE *out, bool all)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options_table[i].text && (all || options_table[i].runs))
            print_option(out, &options_table[i]);
}

void help_command(FILE *out, const struct command *command)
{
    fputs(SYNOPSIS, out);
    print_usage(out, command);
    fprintf(out, "\n%s\n", command->text);
    if (command->own == OWN_RUN)
        print_options(out, false);
    fprintf(out, "For %s.\n", rights_texts[command->rights]);
}

/* "For root and homingd's user: accept, mode." and so on. */
static void print_rights(FILE *out)
{
    for (int rights = 0; rights < RIGHTS_COUNT; rights++) {
        const char *sep = ":";
        fprintf(out, "For %s", rights_texts[rights]);
        for (size_t i = 0; i < commands_count; i++)
            if ((int)commands[i].rights == rights) {
                fprintf(out, "%s %s", sep, commands[i].name);
                sep = ",";
            }
        fputs(".\n", out);
    }
}

void help_all(FILE *out)
{
    fputs(SYNOPSIS "COMMAND [ARG...]\n\n", out);
    print_commands(out);
    fputc('\n', out);
    print_options(out, true);
    fputc('\n', out);
    print_rights(out);
    fputs("\nExit codes: 0 ok, 1 degraded or no answer, 2 usage, 3 agent unreachable.\n", out);
}
