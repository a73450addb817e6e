/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.h - what a PostgreSQL server answered, as a report. Pure: strings in, report
 * out.
 *
 * One pass: engines/postgresql.c asks POSTGRES_QUESTION_FIRST once per connection, later
 * POSTGRES_QUESTION, and hands over the texts of the row's columns as they came; on failure it
 * hands over libpq's message and learns what kind of failure that is. Every byte comes from
 * outside: whatever is not exactly what such a server answers is odd, never guessed at. The
 * timeline is lo of the term.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/decide/report.h"
#include "agent/probe/engine.h"

/* The questions. Each is answered by one row in one round trip, with the columns of enum
 * postgres_column; POSTGRES_QUESTION lacks the last two. */
extern const char POSTGRES_QUESTION[];       /* role, timeline, position */
extern const char POSTGRES_QUESTION_FIRST[]; /* and which server it is: incarnation, identity */
/* For a role that may not execute pg_control_system(): without the identity. */
extern const char POSTGRES_QUESTION_FIRST_DENIED[];

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

/* How far a connection came before it failed. */
enum postgres_stage {
    POSTGRES_STAGE_CONNECTING, /* no TCP connection yet */
    POSTGRES_STAGE_LOGIN,      /* TCP stands; TLS, authentication, start-up */
    POSTGRES_STAGE_SESSION,    /* questions are being answered */
    POSTGRES_STAGE_COUNT
};

struct postgres_failure {
    enum report_kind kind;
    enum engine_hint hint;
    char sqlstate[6]; /* "": the message is not the server's */
    char text[ENGINE_TEXT_MAX];
};

/* Understands libpq's message (with PQERRORS_VERBOSE: severity, SQLSTATE, text, details). The text
 * is the first thing said, one line, without libpq's "connection to server at". */
void postgres_report_failure(enum postgres_stage stage, const char *message,
                             struct postgres_failure *ret_failure);

#endif
