/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - homingctl's options. One row of the table is what the parser takes, what `--help`
 * says and what the shell completes.
 */
#ifndef HOMING_AGENT_CTL_OPTIONS_H
#define HOMING_AGENT_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "proto/limits.h"

/* Of homingctl itself; `run` ends with its program's. */
enum exit_code {
    EXIT_OK,
    EXIT_DEGRADED, /* or refused, or without an answer */
    EXIT_USAGE,
    EXIT_UNREACHABLE
};

/* Libraries of --with. A program has a client library or two. */
#define OPTIONS_WITH_MAX 8
/* As many names as the library takes. */
#define OPTIONS_ASSUME_SIZE (HOMING_ASSUME_MAX * OPTIONS_NAME_SIZE)
/* Longer than every name, so that one that was cut off is none either. */
#define OPTIONS_NAME_SIZE (HOMING_NAME_MAX + 3)

struct options {
    const char *socket;                     /* --socket; NULL: not given */
    const char *with[OPTIONS_WITH_MAX + 1]; /* --with, in the order given, up to a NULL */
    char assume[OPTIONS_ASSUME_SIZE]; /* all of --assume, with commas between them; "": none */
    bool json;
    bool help;
};

enum option_kind {
    OPTION_JSON,
    OPTION_SOCKET,
    OPTION_WITH,
    OPTION_ASSUME,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT
};

struct option {
    const char *name;
    const char *other; /* the same, spelled otherwise; NULL: no such spelling */
    const char *value; /* what `--help` calls its value; NULL: it takes none */
    const char *text;  /* NULL: `--help` does not list it. Its further lines begin in column 17 */
    bool runs;         /* it is for `run` only */
};

extern const struct option options_table[OPTION_COUNT];

/* The option that this word is, without a value behind '='. OPTION_COUNT: none. */
enum option_kind options_find(const char *word);

/* Takes the options out of argv, before and after the command, up to "--"; what is none moves to
 * the front, from argv[0] on. `starts_program` says for a command's name whether everything behind
 * the first argument is a program's. EXIT_OK, or the code to exit with, and why is said. */
enum exit_code options_parse(char **argv, bool (*starts_program)(const char *command),
                             struct options *ret_options);

/* The name up to the next comma of --assume or HOMING_ASSUME, which may be none. Returns what is
 * behind the comma; NULL: there is none. */
const char *options_take_name(const char *at, char ret_word[OPTIONS_NAME_SIZE]);

/* Why one of these can be no name, or is too many, in one line; "": nothing is wrong. `already`: so
 * many stand before them. */
void options_name_fault(const char *names, int already, char *ret_text, size_t size);

/* Says on stderr what is wrong with the command line, and about what (NULL: nothing more). */
enum exit_code options_refuse(const char *what, const char *about);

#endif
