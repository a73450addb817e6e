/* SPDX-License-Identifier: Apache-2.0
 *
 * errors.h - what is wrong with a configuration, collected, then printed in the file's order.
 *
 * Used by agent/conf only. Never allocates, so that "out of memory" can be said too.
 */
#ifndef HOMING_AGENT_CONF_FILE_ERRORS_H
#define HOMING_AGENT_CONF_FILE_ERRORS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/conf/conf.h"

enum {
    CONF_ERRORS_MAX = 50,      /* lines; more would scroll the first one away */
    CONF_ERRORS_TEXT_MAX = 600 /* bytes of one: two names of 253 and a sentence */
};

struct conf_error {
    struct conf_at at;
    bool warning;
    char text[CONF_ERRORS_TEXT_MAX];
};

struct conf_errors {
    const char *file;
    uint32_t count;    /* lines kept */
    uint32_t lost;     /* errors beyond CONF_ERRORS_MAX */
    uint32_t failures; /* errors, warnings not counted */
    struct conf_error list[CONF_ERRORS_MAX];
};

/* "what; what to do". Bytes that would break the line or the terminal are replaced. */
void conf_errors_add(struct conf_errors *errors, struct conf_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_errors_warn(struct conf_errors *errors, struct conf_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts by position and prints all, one line each. */
void conf_errors_print(struct conf_errors *errors, FILE *out);

#endif
