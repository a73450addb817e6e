/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_kind.c - what a Multi-AZ DB cluster of RDS with PostgreSQL is: see conf/engine_kind.h.
 * Without libpq.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/rds_postgresql_kind.h"
#include "agent/probe/postgresql/advice.h"
#include "agent/probe/postgresql/keywords.h"

const struct engine_kind engine_kind_rds_postgresql = {
    .name = "rds-postgresql",
    .default_port = 5432,
    .tells = ENGINE_TELLS_HOSTS,
    .client = "libpq",
    .keywords = postgres_keywords,
    .takes_others = true,
    .check_connection = postgres_refuse_uri,
    .alias = alias_amazon,
    .region = alias_amazon_region,
    .proof_keyword = "sslmode",
    .proof_value = "verify-full",
    .advice = postgres_advice,
    .grants = postgres_grants,
    .print_position = postgres_print_lsn,
    .lag_unit = "bytes",
    .branch = "branch point",
};
