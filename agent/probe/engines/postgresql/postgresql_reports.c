/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.c - PostgreSQL's answers as reports. Pure; called by postgresql.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/postgresql/values.h"

/* Every function and operator is schema-qualified: a search_path of the role, or objects that
 * somebody made in `public`, must not change the answer.
 *
 * The timeline is taken from the name of the WAL file being written: pg_control_checkpoint() shows
 * the old one until the first checkpoint after a promotion. pg_settings is costly (it builds all
 * rows), and is only read if there is something to explain. The position of a writer is the one up to
 * which its log is flushed: a server that crashed comes back with at least that (W3a, W11), and may
 * lack what was only written. After a promotion, the position that
 * was replayed last does not change any more: it is the point at which the timelines part. Any role
 * may ask for it. */
#define QUESTION                                                                                   \
    "SELECT pg_catalog.pg_is_in_recovery(),"                                                       \
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
#define START_TIME ", pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
#define IDENTITY   ", (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)"

const char POSTGRES_QUESTION[] = QUESTION;
const char POSTGRES_QUESTION_FIRST[] = QUESTION START_TIME IDENTITY;
const char POSTGRES_QUESTION_FIRST_DENIED[] = QUESTION START_TIME;

/* insufficient_privilege */
bool postgres_denies_identity(const char *sqlstate)
{
    return strcmp(sqlstate, "42501") == 0;
}

static const char NOTE_SERVER[] = "default_transaction_read_only is on for the whole server or "
                                  "database: counted as a reader";
static const char NOTE_ROLE[] = "default_transaction_read_only is on for homing's own role: "
                                "says nothing about the server";

/* Whether the setting comes from a place where it holds for every role. */
static bool source_is_server(const char *source)
{
    static const char *const SERVER[] = {"configuration file", "command line", "database",
                                         "environment variable", "global"};
    for (size_t i = 0; i < sizeof(SERVER) / sizeof(SERVER[0]); i++)
        if (strcmp(source, SERVER[i]) == 0)
            return true;
    return false;
}

/* Not in recovery: a writer, unless the server is configured not to be one. */
static bool report_primary(const char *const *columns, struct report *report, const char **ret_note)
{
    bool read_only;
    if (!postgres_value_timeline(columns[POSTGRES_WAL_FILE], &report->term.lo) ||
        !postgres_value_lsn(columns[POSTGRES_LSN], &report->position) ||
        !postgres_value_switch(columns[POSTGRES_READ_ONLY], &read_only))
        return false;
    report->branch = 0;
    if (columns[POSTGRES_BRANCH] && !postgres_value_lsn(columns[POSTGRES_BRANCH], &report->branch))
        return false;
    const char *source = columns[POSTGRES_READ_ONLY_SOURCE];
    bool server = read_only && source && source_is_server(source);
    report->role = server ? ROLE_READER : ROLE_WRITER;
    if (read_only)
        *ret_note = server ? NOTE_SERVER : NOTE_ROLE;
    return true;
}

/* In recovery: before its first WAL record it has no position. */
static bool report_standby(const char *const *columns, struct report *report)
{
    report->role = ROLE_READER;
    report->term.lo = 0;
    report->position = 0;
    report->branch = 0;
    return !columns[POSTGRES_LSN] || postgres_value_lsn(columns[POSTGRES_LSN], &report->position);
}

bool postgres_report_row(const char *const *columns, int count, struct report *ret_report,
                         const char **ret_note)
{
    struct report report = *ret_report;
    const char *note = NULL;
    bool in_recovery;
    if (count < POSTGRES_START_TIME || count > POSTGRES_COLUMN_COUNT ||
        !postgres_value_truth(columns[POSTGRES_IN_RECOVERY], &in_recovery))
        return false;
    report.kind = REPORT_ANSWER;
    report.term.hi = 0;
    if (in_recovery ? !report_standby(columns, &report) : !report_primary(columns, &report, &note))
        return false;
    if (count > POSTGRES_START_TIME &&
        !postgres_value_seconds(columns[POSTGRES_START_TIME], &report.incarnation))
        return false;
    if (count > POSTGRES_SYSTEM_IDENTIFIER &&
        !postgres_value_identifier(columns[POSTGRES_SYSTEM_IDENTIFIER], &report.identity))
        return false;
    *ret_report = report;
    *ret_note = note;
    return true;
}
