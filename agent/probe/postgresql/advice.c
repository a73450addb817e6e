/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.c - see advice.h. Called by way of the kind. The words are English, as
 * libpq's always are; what a server says in another language gets no advice but the kind's `admit`.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>

#include "agent/probe/postgresql/advice.h"

const struct engine_advice postgres_advice[] = {
    {"password authentication failed for user",
     "write its password to password_file, or on the writer: ALTER ROLE \"$1\" LOGIN PASSWORD "
     "'...'; "
     "(if there is no such role: CREATE ROLE \"$1\" LOGIN PASSWORD '...';)"},
    {"no password supplied", "name a file that holds the role's password in password_file"},
    {"no pg_hba.conf entry",
     "add to pg_hba.conf there, behind no line that rejects it: host \"$3\" \"$2\" $1/32 "
     "scram-sha-256 (IPv6: /128); then SELECT pg_reload_conf();"},
    {"pg_hba.conf rejects",
     "a line with reject in pg_hba.conf there comes first: move it, or take it away"},
    {"is not permitted to log in", "on the writer: ALTER ROLE \"$1\" LOGIN;"},
    {"too many connections for role", "on the writer: ALTER ROLE \"$1\" CONNECTION LIMIT -1;"},
    {"role \"", "correct user in connection, or on the writer: CREATE ROLE \"$1\" LOGIN PASSWORD "
                "'...';"},
    {"database \"", "write dbname=postgres in connection, or a database that is there"},
    {"permission denied for database",
     "on the writer: GRANT CONNECT ON DATABASE \"$1\" TO \"$u\";"},
    {"server does not support SSL", "turn ssl on there (ssl = on, ssl_cert_file, ssl_key_file); "
                                    "sslmode=prefer would go without it"},
    {"root certificate file", "name the CA's file in connection: sslrootcert=/path/of/ca.crt"},
    {"certificate verify failed", "name the file of the CA that signed its certificate in "
                                  "connection: sslrootcert=/path/of/ca.crt"},
    {"does not match host name", "call the member by a name that its certificate bears"},
    {"certificate has expired", "renew the server's certificate"},
    {"received invalid response to", "something else listens at this port: correct it in $w"},
    {"expected authentication request", "something else listens at this port: correct it in $w"},
    {"invalid sslmode", "correct connection: sslmode is disable, prefer, require or verify-full"},
    {"invalid connection option", "correct this keyword of connection"},
    {"starting up", "wait until it is ready; a standby may need hot_standby = on"},
    {"not accepting connections", "a standby has to take connections: hot_standby = on there"},
    {"too many clients", "raise max_connections there, or give back connections"},
    {"remaining connection slots", "raise max_connections there, or give back connections"},
    {"Connection refused",
     "nobody listens there: start it, correct the port in $w, or add the address to "
     "listen_addresses"},
    {NULL, NULL},
};

const char *const postgres_grants[] = {
    "EXECUTE ON FUNCTION pg_catalog.pg_control_system()",
    "EXECUTE ON FUNCTION pg_catalog.aurora_replica_status()",
    "EXECUTE ON FUNCTION pg_catalog.aurora_global_db_instance_status()",
    "EXECUTE ON FUNCTION pg_catalog.aurora_db_instance_identifier()",
    "USAGE ON SCHEMA rds_tools",
    "EXECUTE ON ALL FUNCTIONS IN SCHEMA rds_tools",
    "EXECUTE ON FUNCTION pg_catalog.get_blue_green_fast_switchover_metadata",
    NULL,
};

/* As PQescapeIdentifier() does, for a name of up to 63 bytes, as such a server has them. */
static void quote(const char *name, char ret[130])
{
    size_t used = 0;

    ret[used++] = '"';
    for (; *name && used < 126; name++) {
        if (*name == '"')
            ret[used++] = '"';
        ret[used++] = *name;
    }
    ret[used++] = '"';
    ret[used] = '\0';
}

static const char *print_grant(const char *why, const char *grant, const char *database,
                               const char *user, char ret[POSTGRES_NOTE_SIZE])
{
    char role[130];

    quote(user ? user : "", role);
    snprintf(ret, POSTGRES_NOTE_SIZE, "%s. In database %.63s: GRANT %s TO %s", why,
             database ? database : "", grant, role);
    return ret;
}

const char *postgres_note_lacks(const char *grant, const char *database, const char *user,
                                char ret[POSTGRES_NOTE_SIZE])
{
    return print_grant("homing's role lacks a privilege", grant, database, user, ret);
}

const char *postgres_note_no_deployments(const char *grant, const char *database, const char *user,
                                         char ret[POSTGRES_NOTE_SIZE])
{
    return print_grant("homing's role is not told of blue/green deployments", grant, database, user,
                       ret);
}

const char *postgres_note_failed_deployments(const char *words, char ret[POSTGRES_NOTE_SIZE])
{
    snprintf(ret, POSTGRES_NOTE_SIZE, "it does not tell of blue/green deployments: %.150s", words);
    return ret;
}

const char *postgres_note_no_identity(const char *database, const char *user,
                                      char ret[POSTGRES_NOTE_SIZE])
{
    return print_grant("homing's role may not execute pg_control_system(): no identity",
                       postgres_grants[0], database, user, ret);
}

const char *postgres_note_no_answer(const char *database, const char *user,
                                    char ret[POSTGRES_NOTE_SIZE])
{
    (void)database, (void)user, (void)ret;
    return "pg_control_system() does not answer homing's role: no identity, so that other clusters "
           "cannot be told from this one";
}
