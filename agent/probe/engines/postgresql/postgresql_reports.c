/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.c - PostgreSQL's answers as reports. Pure; called by postgresql.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/postgresql/values.h"

const char POSTGRES_QUESTION[] = "SELECT " POSTGRES_ASKS;
const char POSTGRES_QUESTION_FIRST[] =
    "SELECT " POSTGRES_ASKS POSTGRES_ASKS_START_TIME POSTGRES_ASKS_IDENTITY;
const char POSTGRES_QUESTION_FIRST_DENIED[] = "SELECT " POSTGRES_ASKS POSTGRES_ASKS_START_TIME;

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
