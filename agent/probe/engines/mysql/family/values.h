/* SPDX-License-Identifier: Apache-2.0
 *
 * values.h - reads the values of an answer: strict, the whole text or nothing. Pure; what the reports of
 * all engines of MySQL's family share.
 *
 * An engine has steps of its own, numbered from 0. What takes an answer returns the step that comes next,
 * or one of the two below.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_VALUES_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/probe/engines/mysql/family/failures.h"
#include "agent/probe/mysql/answer.h"

enum {
    MYSQL_STEP_DONE = 100, /* more than the steps of any engine */
    MYSQL_STEP_FAILED,     /* the session is of no use, and the failure says why */
};

/* Errors of servers that tell what is there, and what may be read. */
enum {
    ER_UNREADY = 1047, /* ER_UNKNOWN_COM_ERROR: "WSREP has not yet prepared node" */
    ER_UNKNOWN_COLUMN = 1054,
    ER_UNKNOWN_TABLE = 1109,    /* in information_schema */
    ER_TABLE_DENIED = 1142,     /* "SELECT command denied to user … for table '…'" */
    ER_COLUMN_DENIED = 1143,    /* the same, of a column */
    ER_NO_TABLE = 1146,         /* "Table '…' doesn't exist" */
    ER_UNKNOWN_VARIABLE = 1193, /* "Unknown system variable '…'" */
    ER_PRIVILEGE = 1227,        /* "you need (at least one of) the … privilege(s)" */
};

/* One row of so many columns. */
bool mysql_is_row(const struct mysql_answer *answer, uint32_t columns);

/* NULL: SQL NULL, or a text that has a NUL inside, which none of these has. */
const char *mysql_text_at(const struct mysql_answer *answer, uint32_t row, uint32_t column);

/* Digits alone; NULL is no number. */
bool mysql_parse_number(const char *text, uint64_t *ret_number);

/* A variable that is on or off; read_only has other values from MariaDB 12 on, which close it, too. */
bool mysql_parse_switch(const char *text, bool *ret_on);

/* Hashes: of a text in lower case, of numbers. mysql_hash_end() makes one of them that is never 0, which is
 * "not known". */
uint64_t mysql_hash_more(uint64_t hash, const char *text);
uint64_t mysql_hash_end(uint64_t hash);
uint64_t mysql_hash_numbers(const char *what, uint64_t a, uint64_t b);

/* Each sets the failure and returns MYSQL_STEP_FAILED. */
int mysql_fail(struct mysql_report_failure *ret, const char *text);
int mysql_fail_odd(struct mysql_report_failure *ret);
int mysql_fail_error(const struct mysql_error *error, struct mysql_report_failure *ret);

/* As whom we are logged in; asked only to name the account in a GRANT. */
#define MYSQL_QUESTION_ACCOUNT "SELECT CURRENT_USER()"

/* The answer to that: what has to be granted, as in "SELECT ON mysql.t", with the line that does it. */
int mysql_fail_denied(const char *denied, const struct mysql_answer *account,
                      struct mysql_report_failure *ret);

#endif
