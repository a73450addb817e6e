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

/* What is asked for, which the questions of rds-postgresql have, too: the columns of enum postgres_column
 * until the last two, and these.
 *
 * Every function and operator is schema-qualified: a search_path of the role, or objects that
 * somebody made in `public`, must not change the answer.
 *
 * The timeline is taken from the name of the WAL file being written: pg_control_checkpoint() shows
 * the old one until the first checkpoint after a promotion. pg_settings is costly (it builds all
 * rows), and is only read if there is something to explain. The position of a writer is the one up to
 * which its log is flushed: a server that crashed comes back with at least that (W3a, W11), and may
 * lack what was only written. After a promotion, the position that was replayed last does not change any
 * more: it is the point at which the timelines part. Any role may ask for it. */
#define POSTGRES_ASKS                                                                              \
    "pg_catalog.pg_is_in_recovery(),"                                                              \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL"                                          \
    " ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END,"                       \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"           \
    " ELSE pg_catalog.pg_current_wal_flush_lsn() END,"                                             \
    " pg_catalog.current_setting('transaction_read_only'),"                                        \
    " CASE WHEN pg_catalog.current_setting('default_transaction_read_only')"                       \
    " OPERATOR(pg_catalog.=) 'off' THEN NULL"                                                      \
    " ELSE (SELECT s.source FROM pg_catalog.pg_settings AS s"                                      \
    " WHERE s.name OPERATOR(pg_catalog.=) 'default_transaction_read_only') END,"                   \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL"                                          \
    " ELSE pg_catalog.pg_last_wal_replay_lsn() END"
#define POSTGRES_ASKS_START_TIME                                                                   \
    ", pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
#define POSTGRES_ASKS_IDENTITY                                                                     \
    ", (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)"

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
