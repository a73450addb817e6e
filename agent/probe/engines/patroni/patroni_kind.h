/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_kind.h - what the members of a Patroni cluster are: engine_kind_patroni, for its row in
 * engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_KIND_H

#include "agent/base/tls/tls.h"
#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_patroni;

#define PATRONI_PATH_SIZE 4096

/* The key `connection`, as it is used. */
struct patroni_connection {
    uint16_t rest_port;
    char ca[PATRONI_PATH_SIZE], cert[PATRONI_PATH_SIZE], key[PATRONI_PATH_SIZE];
    struct tls_settings tls; /* its paths point into this struct */
};

/* Fills in what is not given: rest_port=8008, tls=off. The text has passed the checks of the kind. */
void patroni_connection_read(const char *connection, struct patroni_connection *ret);

#endif
