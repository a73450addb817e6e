/* SPDX-License-Identifier: Apache-2.0
 *
 * values.h - texts of columns as values: the whole text or nothing. Pure; used by the reports of the
 * family. NULL is SQL's, and is no value. False: it is not such a text, and the output is untouched.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_VALUES_H
#define HOMING_AGENT_PROBE_POSTGRESQL_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* An answer: rows of texts, one row behind the other. It lives until the call that gets it returns. */
struct postgres_rows {
    int count;
    int columns;
    const char *const *texts; /* NULL: SQL's NULL */
};

static inline const char *const *postgres_row(const struct postgres_rows *rows, int row)
{
    return rows->texts + (long)row * rows->columns;
}

/* "t", "f" */
bool postgres_value_truth(const char *text, bool *ret_value);
/* "on", "off" */
bool postgres_value_switch(const char *text, bool *ret_value);
/* "0/4016DC8" */
bool postgres_value_lsn(const char *text, uint64_t *ret_lsn);
/* The name of a WAL file, "000000020000000000000004": its timeline, never 0. */
bool postgres_value_timeline(const char *file, uint64_t *ret_timeline);
/* "1763636391.123457" to microseconds, never 0. A shorter fraction is one with zeros at its end. */
bool postgres_value_seconds(const char *text, uint64_t *ret_us);
/* A signed 64-bit number, never 0; its bits are the identifier. From 2038 on it will be negative. */
bool postgres_value_identifier(const char *text, uint64_t *ret_identifier);
/* Up to 19 digits, with a sign before them or not. */
bool postgres_value_integer(const char *text, int64_t *ret_value);

#endif
