/* SPDX-License-Identifier: Apache-2.0
 *
 * keywords.h - what the kinds of PostgreSQL's family have in common: libpq's keywords, and how a
 * position is written. Without libpq.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_KEYWORDS_H
#define HOMING_AGENT_PROBE_POSTGRESQL_KEYWORDS_H

#include "agent/conf/engine_kind.h"

/* For engine_kind.keywords, .check_connection and .print_position. */
extern const struct engine_keyword postgres_keywords[];
const char *postgres_refuse_uri(const char *connection);
void postgres_print_lsn(uint64_t position, char *ret, size_t size);

/* For .admits_by and .admit: the file has this name in every language. */
#define POSTGRES_ADMITS_BY "pg_hba.conf"
#define POSTGRES_ADMIT                                                                             \
    "add a line for this user, database and address to pg_hba.conf there, and reload it"

#endif
