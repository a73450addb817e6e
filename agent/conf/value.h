/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h - texts to values and back: numbers of all types, networks, hosts.
 *
 * Pure. What reads a text returns NULL, or what is wrong and what to do as a constant sentence that
 * fits behind "key 'text' ", with the output untouched.
 */
#ifndef HOMING_AGENT_CONF_VALUE_H
#define HOMING_AGENT_CONF_VALUE_H

#include "agent/conf/keys.h"

/* A value of one of the types that are numbers inside. A duration is an integer and a unit, as in
 * 250ms, 5s or 10m: a bare number is refused, for nobody agrees on its unit. A size is an integer
 * and B, kB, MB, GB or TB, in steps of 1024. */
const char *conf_value_read(enum conf_type type, const char *text, uint64_t *ret_number);

/* The same number as a text that conf_value_read() takes. */
void conf_value_print(enum conf_type type, uint64_t number, char *ret, size_t size);
#define CONF_VALUE_SIZE 32 /* enough for all of them */

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
/* host, host:port, [v6], [v6]:port or a bare v6 address. Without a port *ret_port stays. */
const char *conf_value_member(const char *text, struct conf_host *ret_host, uint16_t *ret_port);

#endif
