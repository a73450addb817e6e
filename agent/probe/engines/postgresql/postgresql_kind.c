/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_kind.c - what PostgreSQL is: see conf/engine_kind.h. Without libpq.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/postgresql_kind.h"
#include "agent/probe/postgresql/advice.h"
#include "agent/probe/postgresql/keywords.h"

const struct engine_kind engine_kind_postgresql = {
    .name = "postgresql",
    .also = "postgres",
    .default_port = 5432,
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
    .admits_by = POSTGRES_ADMITS_BY,
    .admit = POSTGRES_ADMIT,
    .print_position = postgres_print_lsn,
    .lag_unit = "bytes",
    .branch = "branch point",
};
