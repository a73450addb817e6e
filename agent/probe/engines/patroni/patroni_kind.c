/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_kind.c - what the members of a Patroni cluster are: see conf/engine_kind.h. Without a client.
 *
 * A member is the database: its port is the one that programs connect to. The REST API has another
 * one, which is the same for all members (rest_port).
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/connection.h"
#include "agent/probe/engines/patroni/patroni_kind.h"

static const char *check_port(const char *value, size_t len)
{
    size_t digits = strspn(value, "0123456789");

    if (digits == 0 || digits != len || len > 5 || strtoul(value, NULL, 10) - 1 > 65534)
        return "rest_port is the port of Patroni's REST API: write a number from 1 to 65535";
    return NULL;
}

#define NO_ACCOUNT "Patroni asks for none where its state is read; leave it out"

static const struct engine_keyword keywords[] = {
    {.name = "rest_port", .check = check_port},
    {.name = "tls", .check = tls_mode_check},
    {.name = "tls_ca", .file = true},
    {.name = "tls_cert", .file = true},
    {.name = "tls_key", .file = true},
    {.name = "host", .instead = "servers are listed under members"},
    {.name = "port", .instead = "ports of databases are given with the members; write rest_port"},
    {.name = "user", .instead = NO_ACCOUNT},
    {.name = "username", .instead = NO_ACCOUNT},
    {.name = "password", .instead = NO_ACCOUNT, .secret = true},
    {.name = "dbname", .instead = NO_ACCOUNT},
    {.name = "sslmode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "sslrootcert", .instead = "write tls_ca"},
    {.name = "cacert", .instead = "write tls_ca"},
    {.name = "cafile", .instead = "write tls_ca"},
    {.name = "certfile", .instead = "write tls_cert"},
    {.name = "keyfile", .instead = "write tls_key"},
    {.name = NULL},
};

static const char *refuse_url(const char *connection)
{
    if (strncmp(connection, "http:", 5) == 0 || strncmp(connection, "https:", 6) == 0)
        return "connection is a URL; write keywords, as in \"rest_port=8008 tls=verify-full\"";
    return NULL;
}

/* NULL: it is not given. */
static const char *read_path(const char *connection, const char *keyword, char *ret)
{
    bool given = conf_connection_get(connection, keyword, ret, PATRONI_PATH_SIZE);
    return given && ret[0] != '\0' ? ret : NULL;
}

void patroni_connection_read(const char *connection, struct patroni_connection *ret)
{
    char text[32];
    *ret = (struct patroni_connection){.rest_port = 8008, .tls = {.mode = TLS_OFF}};
    if (conf_connection_get(connection, "rest_port", text, sizeof(text)))
        ret->rest_port = (uint16_t)strtoul(text, NULL, 10);
    if (conf_connection_get(connection, "tls", text, sizeof(text)))
        tls_mode_find(text, strlen(text), &ret->tls.mode);
    ret->tls.ca = read_path(connection, "tls_ca", ret->ca);
    ret->tls.cert = read_path(connection, "tls_cert", ret->cert);
    ret->tls.key = read_path(connection, "tls_key", ret->key);
}

static const char *check_tls(const char *connection)
{
    struct patroni_connection c;
    patroni_connection_read(connection, &c);
    return tls_settings_check(&c.tls);
}

static uint16_t asked_port(const char *connection)
{
    struct patroni_connection c;
    patroni_connection_read(connection, &c);
    return c.rest_port;
}

/* As the database prints it. */
static void print_lsn(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "%" PRIX32 "/%" PRIX32, (uint32_t)(position >> 32), (uint32_t)position);
}

static const struct engine_advice advice[] = {
    {"cannot connect: Connection refused",
     "no Patroni listens there: start it, correct rest_port in connection, or see restapi.listen"},
    {"in clear where TLS begins",
     "write tls=off in connection, correct rest_port, or give Patroni restapi.certfile"},
    {"without an answer", "correct rest_port in connection: Patroni's is 8008 unless "
                          "restapi.listen says otherwise"},
    {"the database is not running", "look at Patroni's log there, and at patronictl list"},
    {"it wants authentication",
     "what stands before Patroni there has to let `GET /primary` pass without an account"},
    {NULL, NULL},
};

const struct engine_kind engine_kind_patroni = {
    .name = "patroni",
    .default_port = 5432,
    .client = "patroni",
    .keywords = keywords,
    .check_connection = refuse_url,
    .check_together = check_tls,
    .asked_port = asked_port,
    .asked_what = "Patroni's REST API",
    .asked_keyword = "rest_port",
    .no_password = NO_ACCOUNT,
    .proof_keyword = "tls",
    .proof_value = "verify-full",
    .advice = advice,
    .print_position = print_lsn,
    .lag_unit = "bytes",
    .branch = "branch point",
};
