/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.h - what a PostgreSQL server answered, as a report. Pure: strings in, report
 * out.
 *
 * One pass: POSTGRES_QUESTION_FIRST is asked once per connection, later POSTGRES_QUESTION, and the
 * texts of the row's columns come here as they came. Every byte comes from outside: whatever is not
 * exactly what such a server answers is odd, never guessed at. The timeline is lo of the term.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_POSTGRESQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_POSTGRESQL_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/decide/report.h"

/* The questions. Each is answered by one row in one round trip, with the columns of enum
 * postgres_column; POSTGRES_QUESTION lacks the last two. */
extern const char POSTGRES_QUESTION[];       /* role, timeline, position */
extern const char POSTGRES_QUESTION_FIRST[]; /* and which server it is: incarnation, identity */
/* For a role that may not execute pg_control_system(): without the identity. */
extern const char POSTGRES_QUESTION_FIRST_DENIED[];

/* Whether an error is that refusal: the only thing asked for that can be refused. */
bool postgres_denies_identity(const char *sqlstate);

enum postgres_column {
    POSTGRES_IN_RECOVERY,
    POSTGRES_WAL_FILE,         /* NULL in recovery; its first 8 hex digits are the timeline */
    POSTGRES_LSN,              /* flushed, or replayed if in recovery (NULL: nothing yet) */
    POSTGRES_READ_ONLY,        /* transaction_read_only: on, off */
    POSTGRES_READ_ONLY_SOURCE, /* where default_transaction_read_only was set; NULL: it is off */
    POSTGRES_BRANCH,           /* where a writer's recovery ended; NULL: it began without one */
    POSTGRES_START_TIME,       /* seconds since 1970, with a fraction */
    POSTGRES_SYSTEM_IDENTIFIER,
    POSTGRES_COLUMN_COUNT
};

/* Reads a row (NULL: SQL NULL); columns from `count` on were not asked for, and what is in
 * *ret_report for them stays. False, with *ret_report untouched: not the answer of a PostgreSQL.
 * *ret_note: NULL, or a remark for status. */
bool postgres_report_row(const char *const *columns, int count, struct report *ret_report,
                         const char **ret_note);

#endif
