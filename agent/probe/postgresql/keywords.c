/* SPDX-License-Identifier: Apache-2.0
 *
 * keywords.c - see keywords.h. Used by the kinds of the family.
 *
 * The agent chooses the server, the credentials and what it asks; a keyword that would choose for
 * it is refused in the configuration, where it can still be pointed at.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/probe/postgresql/keywords.h"

/* libpq takes a dbname with '=' for a whole connection string, host and all. */
static const char *check_dbname(const char *value, size_t len)
{
    if (memchr(value, '=', len) || memmem(value, len, "://", 3))
        return "dbname may not be a connection string; write only the name";
    return NULL;
}

const struct engine_keyword postgres_keywords[] = {
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

const char *postgres_refuse_uri(const char *connection)
{
    if (strncmp(connection, "postgres://", 11) == 0 ||
        strncmp(connection, "postgresql://", 13) == 0)
        return "connection is a URI; write libpq's keywords, as in \"user=homing dbname=postgres\"";
    return NULL;
}

/* As pg_lsn prints it. */
void postgres_print_lsn(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "%" PRIX32 "/%" PRIX32, (uint32_t)(position >> 32), (uint32_t)position);
}
