/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_postgresql_kind.c - what an Aurora Global Database with PostgreSQL is: see
 * conf/engine_kind.h. Its positions are numbers of its log, which count bytes. Without libpq.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/aurora_global_postgresql_kind.h"
#include "agent/probe/postgresql/advice.h"
#include "agent/probe/postgresql/keywords.h"

const struct engine_kind engine_kind_aurora_global_postgresql = {
    .name = "aurora-global-postgresql",
    .default_port = 5432,
    .tells = ENGINE_TELLS_IDS,
    .spans_regions = true,
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
    .lag_unit = "bytes",
    .branch = "branch point",
};
