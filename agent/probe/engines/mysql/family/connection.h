/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.h - the key `connection` of the engines of MySQL's family: what their kinds say of it, and
 * what it means.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_CONNECTION_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_CONNECTION_H

#include "agent/base/tls/tls.h"
#include "agent/conf/engine_kind.h"

/* For struct engine_kind: keywords, check_connection, check_together. */
extern const struct engine_keyword mysql_keywords[];
const char *mysql_connection_refuse(const char *connection);
const char *mysql_connection_check(const char *connection);

/* Bytes of a user's name with its NUL: 80 characters in MariaDB, of up to 4 bytes each. */
#define MYSQL_USER_SIZE 321
#define MYSQL_PATH_SIZE 4096

/* The key `connection`, as it is used. */
struct mysql_connection {
    char user[MYSQL_USER_SIZE];
    char ca[MYSQL_PATH_SIZE], cert[MYSQL_PATH_SIZE], key[MYSQL_PATH_SIZE];
    struct tls_settings tls; /* its paths point into this struct */
};

/* Fills in what is not given: user homing, tls=require. The text has passed the checks of the kind. */
void mysql_connection_read(const char *connection, struct mysql_connection *ret);

#endif
