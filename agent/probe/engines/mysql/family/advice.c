/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.c - see advice.h. Called by way of the kind. The client's own texts mostly say
 * by themselves what to do.
 */
#include "config.h"

#include <stddef.h>

#include "agent/probe/engines/mysql/family/advice.h"

const struct engine_advice mysql_advice[] = {
    {"(using password: NO)", "name a file that holds the account's password in password_file"},
    {"Access denied for user", "correct user in connection, write its password to password_file, "
                               "or on the writer: ALTER USER "
                               "'name'@'host' IDENTIFIED BY "
                               "'...'; (SELECT user, host FROM mysql.user shows which there are; "
                               "if there is none: CREATE USER)"},
    {"is not allowed to connect to this",
     "on the writer: CREATE USER for this user with this host, or with '%'"},
    {"is blocked because of many connection errors", "there: FLUSH HOSTS;"},
    {"password has expired", "on the writer: ALTER USER for this user with PASSWORD EXPIRE NEVER"},
    {"must reset your password", "on the writer: ALTER USER for this user IDENTIFIED BY '...';"},
    {"account is locked", "on the writer: ALTER USER for this user with ACCOUNT UNLOCK"},
    {"Too many connections", "raise max_connections there, or give back connections"},
    {"offers no TLS", "or turn it on there: ssl_cert and ssl_key"},
    {"Connection refused",
     "nobody listens there: start it, correct the port in $w, or see bind_address and "
     "skip_networking"},
    {NULL, NULL},
};

const char *const mysql_grants[] = {"PROCESS ON *.*", "SLAVE MONITOR ON *.*",
                                    "SELECT ON performance_schema.", "SELECT ON mysql.rds_topology",
                                    NULL};
