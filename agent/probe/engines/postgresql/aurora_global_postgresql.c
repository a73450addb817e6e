/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_postgresql.c - the engine of Aurora Global Databases with PostgreSQL's protocol;
 * aurora_postgresql_reports.c knows what the answers mean, agent/probe/postgresql how to ask.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/aurora_global_postgresql.h"
#include "agent/probe/engines/postgresql/aurora_global_postgresql_kind.h"
#include "agent/probe/engines/postgresql/aurora_postgresql_reports.h"

static const struct postgres_dialect dialect = {
    .full = AURORA_GLOBAL_QUESTION,
    .first = AURORA_GLOBAL_QUESTION_FIRST,
    .lesser = AURORA_GLOBAL_QUESTION_FIRST_LESSER,
    .spares = aurora_denies_identity,
    .lesser_note = postgres_note_no_answer,
    .cheap = AURORA_QUESTION_CHEAP,
    .read = aurora_global_read,
    .mend = aurora_global_mend,
    .rights = AURORA_GLOBAL_QUESTION_RIGHTS,
    .grants = aurora_global_grants,
    .stranger = "the server does not answer as an Aurora PostgreSQL of a Global Database does",
};

POSTGRES_ENGINE(aurora_global_postgresql, dialect);
