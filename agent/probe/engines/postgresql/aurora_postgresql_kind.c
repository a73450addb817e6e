/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql_kind.c - what Aurora with PostgreSQL's protocol is: see conf/engine_kind.h.
 * Without libpq.
 */
#include "config.h"

#include <stdio.h>

#include "agent/probe/engines/postgresql/aurora_postgresql_kind.h"
#include "agent/probe/postgresql/advice.h"
#include "agent/probe/postgresql/keywords.h"

/* It has one, which says nothing: all servers write into one volume. */
static void print_term(uint64_t hi, uint64_t lo, char *ret, size_t size)
{
    (void)hi, (void)lo;
    snprintf(ret, size, "of the volume");
}

const struct engine_kind engine_kind_aurora_postgresql = {
    .name = "aurora-postgresql",
    .default_port = 5432,
    .tells = ENGINE_TELLS_IDS,
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
    .print_term = print_term,
    .lag_unit = "bytes",
    .branch = "branch point",
};
