/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - homingctl's options. One row of the table is what the parser takes, what `--help`
 * says and what the shell completes.
 */
#ifndef HOMING_AGENT_CTL_OPTIONS_H
#define HOMING_AGENT_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* Of homingctl itself; `run` ends with its program's. */
enum exit_code {
    EXIT_OK,
    EXIT_DEGRADED, /* or refused, or without an answer */
    EXIT_USAGE,
    EXIT_UNREACHABLE
};

struct options {
    const char *socket; /* --socket; NULL: not given */
    bool json;
    bool help;
};

enum option_kind {
    OPTION_JSON,
    OPTION_SOCKET,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT
};

struct option {
    const char *name;
    const char *other; /* the same, spelled otherwise; NULL: no such spelling */
    const char *value; /* what `--help` calls its value; NULL: it takes none */
    const char *text;  /* NULL: `--help` does not list it */
};

extern const struct option options_table[OPTION_COUNT];

/* The option that this word is, without a value behind '='. OPTION_COUNT: none. */
enum option_kind options_find(const char *word);

/* Takes the options out of argv, before and after the command, up to "--"; what is none moves to
 * the front, from argv[0] on. `starts_program` says for a command's name whether everything behind
 * the first argument is a program's. EXIT_OK, or the code to exit with, and why is said. */
enum exit_code options_parse(char **argv, bool (*starts_program)(const char *command),
                             struct options *ret_options);

/* Says on stderr what is wrong with the command line, and about what (NULL: nothing more). */
enum exit_code options_refuse(const char *what, const char *about);

#endif
