/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql.c - the engine of Aurora with PostgreSQL's protocol; aurora_postgresql_reports.c
 * knows what the answers mean, agent/probe/postgresql how to ask.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/aurora_postgresql.h"
#include "agent/probe/engines/postgresql/aurora_postgresql_kind.h"
#include "agent/probe/engines/postgresql/aurora_postgresql_reports.h"

static const struct postgres_dialect dialect = {
    .full = AURORA_QUESTION,
    .first = AURORA_QUESTION_FIRST,
    .lesser = AURORA_QUESTION_FIRST_LESSER,
    .spares = aurora_denies_identity,
    .lesser_note = postgres_note_no_answer,
    .cheap = AURORA_QUESTION_CHEAP,
    .read = aurora_read,
    .mend = aurora_mend,
    .rights = AURORA_QUESTION_RIGHTS,
    .grants = aurora_grants,
    .deployments = &postgres_deployments_of_aurora,
    .stranger = "the server does not answer as an Aurora PostgreSQL does",
};

POSTGRES_ENGINE(aurora_postgresql, dialect);
