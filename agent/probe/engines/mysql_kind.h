/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_kind.h - what MySQL and MariaDB are: engine_kind_mysql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_KIND_H

#include "agent/base/tls/tls.h"
#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_mysql;

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
