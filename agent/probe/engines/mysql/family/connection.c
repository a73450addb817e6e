/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c - see connection.h. The keywords are our own, as the client is. Those of mysql and
 * mariadb, which people know, are refused with the ones that are meant.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/connection.h"
#include "agent/probe/engines/mysql/family/connection.h"

static const char *check_user(const char *value, size_t len)
{
    bool empty = len == 0 || (len == 2 && memcmp(value, "''", 2) == 0);
    return empty || len >= MYSQL_USER_SIZE ? "user is empty or too long; write an account's name"
                                           : NULL;
}

const struct engine_keyword mysql_keywords[] = {
    {.name = "user", .check = check_user},
    {.name = "tls", .check = tls_mode_check},
    {.name = "tls_ca", .file = true},
    {.name = "tls_cert", .file = true},
    {.name = "tls_key", .file = true},
    {.name = "host", .instead = "servers are listed under members"},
    {.name = "port", .instead = "ports are given with the members"},
    {.name = "socket", .instead = "servers are listed under members"},
    {.name = "password", .instead = "put it into a file and name that in password_file"},
    {.name = "passwd", .instead = "put it into a file and name that in password_file"},
    {.name = "database", .instead = "the agent asks for no database's data; leave it out"},
    {.name = "dbname", .instead = "the agent asks for no database's data; leave it out"},
    {.name = "ssl_mode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "ssl-mode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "sslmode", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "ssl", .instead = "write tls=off, tls=require or tls=verify-full"},
    {.name = "ssl_ca", .instead = "write tls_ca"},
    {.name = "ssl-ca", .instead = "write tls_ca"},
    {.name = "ssl_cert", .instead = "write tls_cert"},
    {.name = "ssl-cert", .instead = "write tls_cert"},
    {.name = "ssl_key", .instead = "write tls_key"},
    {.name = "ssl-key", .instead = "write tls_key"},
    {.name = NULL},
};

const char *mysql_connection_refuse(const char *connection)
{
    if (strncmp(connection, "mysql:", 6) == 0 || strncmp(connection, "mariadb:", 8) == 0 ||
        strncmp(connection, "jdbc:", 5) == 0)
        return "connection is a URI; write keywords, as in \"user=homing tls=require\"";
    return NULL;
}

/* NULL: it is not given. */
static const char *read_path(const char *connection, const char *keyword, char *ret)
{
    bool given = conf_connection_get(connection, keyword, ret, MYSQL_PATH_SIZE);
    return given && ret[0] != '\0' ? ret : NULL;
}

void mysql_connection_read(const char *connection, struct mysql_connection *ret)
{
    char mode[32];
    *ret = (struct mysql_connection){.user = "homing", .tls = {.mode = TLS_REQUIRE}};
    conf_connection_get(connection, "user", ret->user, sizeof(ret->user));
    if (conf_connection_get(connection, "tls", mode, sizeof(mode)))
        tls_mode_find(mode, strlen(mode), &ret->tls.mode);
    ret->tls.ca = read_path(connection, "tls_ca", ret->ca);
    ret->tls.cert = read_path(connection, "tls_cert", ret->cert);
    ret->tls.key = read_path(connection, "tls_key", ret->key);
}

const char *mysql_connection_check(const char *connection)
{
    struct mysql_connection c;
    mysql_connection_read(connection, &c);
    return tls_settings_check(&c.tls);
}
