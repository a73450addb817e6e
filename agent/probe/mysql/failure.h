/* SPDX-License-Identifier: Apache-2.0
 *
 * failure.h - why a connection to a server has ended. Filled by login.c, wire.c and client.c; the
 * engine's reports say what follows from it.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_FAILURE_H
#define HOMING_AGENT_PROBE_MYSQL_FAILURE_H

#include <stdbool.h>

#include "agent/probe/mysql/answer.h"

/* How far the connection had come when it failed. */
enum mysql_stage {
    MYSQL_STAGE_CONNECTING, /* no greeting yet */
    MYSQL_STAGE_LOGIN,
    MYSQL_STAGE_SESSION,
};

enum mysql_fault {
    MYSQL_FAULT_NONE,
    MYSQL_FAULT_NETWORK,  /* refused, unreachable, reset, closed */
    MYSQL_FAULT_SERVER,   /* the server said an error and ends the session: error.code */
    MYSQL_FAULT_TLS,      /* no TLS where it is required, or a certificate that is not good */
    MYSQL_FAULT_LOGIN,    /* it wants the password in a way that is not known, or not safe */
    MYSQL_FAULT_PROTOCOL, /* it does not speak as such a server does, or too much */
    MYSQL_FAULT_LOCAL,    /* our own: out of memory or descriptors, a file of the settings */
};

struct mysql_failure {
    enum mysql_fault fault;
    enum mysql_stage stage;
    struct mysql_error error; /* code and state only with MYSQL_FAULT_SERVER; text always */
};

/* Sets fault and text, unless there is a fault: the first one counts. Returns false. */
bool mysql_failure_set(struct mysql_failure *failure, enum mysql_fault fault, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* As above, from the payload of an error. */
bool mysql_failure_said(struct mysql_failure *failure, const uint8_t *payload, size_t count);

#endif
