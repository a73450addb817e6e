/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql.c - the engine of PostgreSQL with streaming replication; postgresql_reports.c knows what
 * the answers mean, agent/probe/postgresql how to ask.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/postgresql.h"
#include "agent/probe/engines/postgresql/postgresql_kind.h"
#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/postgresql/session.h"

static bool read_rows(const struct postgres_rows *rows, struct postgres_seen *seen)
{
    return rows->count == 1 &&
           postgres_report_row(postgres_row(rows, 0), rows->columns, &seen->report, &seen->note);
}

static const struct postgres_dialect dialect = {
    .full = POSTGRES_QUESTION,
    .first = POSTGRES_QUESTION_FIRST,
    .lesser = POSTGRES_QUESTION_FIRST_DENIED,
    .spares = postgres_denies_identity,
    .lesser_note = postgres_note_no_identity,
    .read = read_rows,
    .deployments = &postgres_deployments_of_rds,
    .stranger = "the server does not answer as a PostgreSQL does",
};

POSTGRES_ENGINE(postgresql, dialect);
