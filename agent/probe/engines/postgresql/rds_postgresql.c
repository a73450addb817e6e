/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql.c - the engine of Multi-AZ DB clusters of RDS with PostgreSQL; rds_postgresql_reports.c
 * knows what the answers mean, agent/probe/postgresql how to ask.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/engines/postgresql/rds_postgresql.h"
#include "agent/probe/engines/postgresql/rds_postgresql_kind.h"
#include "agent/probe/engines/postgresql/rds_postgresql_reports.h"

static const struct postgres_dialect dialect = {
    .full = RDS_POSTGRES_QUESTION,
    .first = RDS_POSTGRES_QUESTION_FIRST,
    .lesser = RDS_POSTGRES_QUESTION_FIRST_DENIED,
    .spares = postgres_denies_identity,
    .lesser_note = postgres_note_no_answer,
    .cheap = RDS_POSTGRES_QUESTION_CHEAP,
    .read = rds_postgres_read,
    .mend = rds_postgres_mend,
    .rights = RDS_POSTGRES_QUESTION_RIGHTS,
    .grants = rds_postgres_grants,
    .stranger = "the server does not answer as a PostgreSQL of a Multi-AZ DB cluster does",
};

POSTGRES_ENGINE(rds_postgresql, dialect);
