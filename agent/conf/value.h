/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h - texts to values: durations, sizes, numbers, networks, hosts.
 *
 * Pure. Each function returns NULL, or what is wrong and what to do as a constant sentence that
 * fits behind "key 'text' ", with the output untouched.
 */
#ifndef HOMING_AGENT_CONF_VALUE_H
#define HOMING_AGENT_CONF_VALUE_H

#include "agent/conf/conf.h"

/* 250ms, 5s, 10m: an integer and a unit; a bare number is refused,
 * for nobody agrees on its unit. */
const char *conf_value_duration(const char *text, uint64_t *ret_ms);
/* 16MB: an integer and B, kB, MB, GB or TB, in steps of 1024. */
const char *conf_value_size(const char *text, uint64_t *ret_bytes);
const char *conf_value_number(const char *text, uint64_t *ret_number);
/* true and false. */
const char *conf_value_bool(const char *text, bool *ret_value);

/* 10.0.0.0/8, fd00::/8, or one address. */
const char *conf_value_network(const char *text, struct conf_network *ret_network);

enum {
    CONF_HOST_MAX = 256
};

/* A host in canonical form, and the family of an address literal (0: it is a name). */
struct conf_host {
    char text[CONF_HOST_MAX];
    uint8_t family; /* 0, 4 or 6 */
    uint8_t bytes[16];
};

const char *conf_value_host(const char *text, struct conf_host *ret_host);
const char *conf_value_port(const char *text, uint16_t *ret_port);
/* host, host:port, [v6], [v6]:port or a bare v6 address. Without a port *ret_port stays. */
const char *conf_value_member(const char *text, struct conf_host *ret_host, uint16_t *ret_port);

#endif
