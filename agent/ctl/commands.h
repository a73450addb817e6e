/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.h - homingctl's commands. One row holds everything about a command: the agent's method,
 * what is printed of its result, for which users it is, what `--help` says, and what the shell
 * completes. A test compares the rows with the agent's methods and with homingctl(1).
 */
#ifndef HOMING_AGENT_CTL_COMMANDS_H
#define HOMING_AGENT_CTL_COMMANDS_H

#include "agent/ctl/show/show.h"

/* For which users a command is. The agent enforces it; here it is what `--help` says, and which
 * socket is asked. */
enum rights {
    RIGHTS_ANY,    /* every user: agent.sock, or nothing is asked */
    RIGHTS_LOOK,   /* root, homingd's user and its group: admin.sock */
    RIGHTS_CHANGE, /* root and homingd's user: admin.sock */
    RIGHTS_COUNT
};

/* What an argument is: gives its word in the usage, and what completes it. */
enum argument {
    ARG_NONE,
    ARG_CLUSTER,
    ARG_MEMBER,
    ARG_NAME,
    ARG_NAME_OR_CLUSTER,
    ARG_MODE,
    ARG_COMMAND,
    ARG_PROGRAM, /* and all that follows */
    ARG_COUNT
};

/* What homingctl does itself. If there is a method as well, the agent is asked after it. */
enum own {
    OWN_NOTHING,
    OWN_VERSION,
    OWN_RUN,
    OWN_HELP
};

/* Prints a method's result. Returns an exit code. */
typedef int result_fn(const struct show *show, const struct msg_value *result, char **args);

struct command {
    const char *name;
    const char *method; /* of the agent; NULL: it is not asked */
    result_fn *result;
    enum rights rights;
    enum own own;
    int least; /* so many of the arguments must be given */
    enum argument first, second;
    const char *text;
};

extern const struct command commands[];
extern const size_t commands_count;

/* NULL: no such command. */
const struct command *command_find(const char *name);

/* The command whose name is one slip away; NULL: none. */
const struct command *command_near(const char *name);

/* What the argument is that `i` others stand before. */
enum argument command_argument(const struct command *command, int i);

/* At most so many arguments; INT_MAX for those of a program. */
int command_most(const struct command *command);

/* The words of ARG_MODE, one by one: "off" and so on, "default" last. NULL: beyond it. */
const char *command_mode(unsigned i);

bool command_starts_program(const char *name);

#endif
