/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_kind.c - what PostgreSQL is: see conf/engine_kind.h. Without libpq.
 *
 * The agent chooses the server, the credentials and what it asks; a keyword that would choose for
 * it is refused in the configuration, where it can still be pointed at.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/probe/engines/postgresql_advice.h"
#include "agent/probe/engines/postgresql_kind.h"

/* libpq takes a dbname with '=' for a whole connection string, host and all. */
static const char *check_dbname(const char *value, size_t len)
{
    if (memchr(value, '=', len) || memmem(value, len, "://", 3))
        return "dbname may not be a connection string; write only the name";
    return NULL;
}

static const struct engine_keyword keywords[] = {
    {.name = "host", .instead = "servers are listed under members"},
    {.name = "hostaddr", .instead = "servers are listed under members"},
    {.name = "port", .instead = "ports are given with the members"},
    {.name = "password", .instead = "put it into a file and name that in password_file"},
    {.name = "passfile", .instead = "name a file with only the password in password_file"},
    {.name = "service", .instead = "write its settings here"},
    {.name = "options", .instead = "the agent sets what its sessions need"},
    {.name = "target_session_attrs", .instead = "the agent asks each member itself"},
    {.name = "dbname", .check = check_dbname},
    {.name = "sslpassword", .secret = true},
    {.name = "oauth_client_secret", .secret = true},
    {.name = NULL},
};

static const char *refuse_uri(const char *connection)
{
    if (strncmp(connection, "postgres://", 11) == 0 ||
        strncmp(connection, "postgresql://", 13) == 0)
        return "connection is a URI; write libpq's keywords, as in \"user=homing dbname=postgres\"";
    return NULL;
}

/* As pg_lsn prints it. */
static void print_lsn(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "%" PRIX32 "/%" PRIX32, (uint32_t)(position >> 32), (uint32_t)position);
}

const struct engine_kind engine_kind_postgresql = {
    .name = "postgresql",
    .default_port = 5432,
    .client = "libpq",
    .keywords = keywords,
    .takes_others = true,
    .check_connection = refuse_uri,
    .proof_keyword = "sslmode",
    .proof_value = "verify-full",
    .admits_by = "pg_hba.conf", /* in every language */
    .admit = "add a line for this user, database and address to pg_hba.conf there, and reload it",
    .advice = postgresql_advice,
    .print_position = print_lsn,
    .lag_unit = "bytes",
    .branch = "branch point",
};
