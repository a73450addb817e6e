/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_reports.h - what a server of a Multi-AZ DB cluster of RDS answered, as a report, and
 * whom else it names. Pure. Such a server is a PostgreSQL that replicates, and is promoted as one:
 * postgresql_reports.h has the rest.
 *
 * What the functions of rds_tools return is documented by AWS; nobody of us has asked an RDS.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_RDS_POSTGRESQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_RDS_POSTGRESQL_REPORTS_H

#include "agent/probe/postgresql/session.h"

/* The questions: a row for each server of the cluster, and one for each endpoint of a blue/green deployment,
 * with the columns of enum rds_postgres_column, and behind them those of the question of the same name in
 * postgresql_reports.h. */
extern const char RDS_POSTGRES_QUESTION[];
extern const char RDS_POSTGRES_QUESTION_FIRST[];
extern const char RDS_POSTGRES_QUESTION_FIRST_DENIED[];
extern const char RDS_POSTGRES_QUESTION_CHEAP[];
/* Whether the role has each of these rights. */
extern const char RDS_POSTGRES_QUESTION_RIGHTS[];
extern const char *const rds_postgres_grants[];

enum rds_postgres_column {
    RDS_POSTGRES_ID, /* of the row's server */
    RDS_POSTGRES_ENDPOINT,
    RDS_POSTGRES_PORT,
    RDS_POSTGRES_SELF,   /* the id of the server that is asked, in every row */
    RDS_POSTGRES_SOURCE, /* of whom it replicates, in every row; NULL, "" or its own: of nobody */
    RDS_POSTGRES_ROLE,   /* these three of a blue/green deployment alone (W4a); else NULL */
    RDS_POSTGRES_STATUS,
    RDS_POSTGRES_VERSION,
    RDS_POSTGRES_COLUMN_COUNT
};

/* For struct postgres_dialect. */
bool rds_postgres_read(const struct postgres_rows *rows, struct postgres_seen *seen);
const char *rds_postgres_mend(const char *sqlstate);

#endif
