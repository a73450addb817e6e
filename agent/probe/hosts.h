/* SPDX-License-Identifier: Apache-2.0
 *
 * hosts.h - address sets, and what a hosts file says of a name. No sockets, no allocation.
 *
 * resolve.c looks into the hosts file first, as every resolver on the node does. So it knows which
 * addresses have a TTL, and which change only with the file.
 */
#ifndef HOMING_AGENT_PROBE_HOSTS_H
#define HOMING_AGENT_PROBE_HOSTS_H

#include <stdbool.h>

#include "agent/conf/conf.h"
#include "proto/inet_address.h"
#include "proto/limits.h"

/* Sorted, without duplicates, bounded: two sets are equal exactly if the addresses in them are. All
 * ports are 0. */
struct address_set {
    uint32_t count;
    struct inet_address at[HOMING_ADDRESSES_MAX];
};

/* Keeps the smallest HOMING_ADDRESSES_MAX, whatever the order of adding: if DNS names more
 * addresses than that, in rotation, it must not look like a change each time. */
void address_set_add(struct address_set *set, uint8_t family, const void *bytes);
bool address_set_equal(const struct address_set *a, const struct address_set *b);

/* Adds `text` if it is an address literal of the wanted family; false if it is not a literal. */
bool address_set_add_text(struct address_set *set, const char *text, enum conf_family family);

/* Adds all addresses of `host` in the hosts file at `path`; nothing if there is no such file. */
void hosts_read(const char *path, const char *host, enum conf_family family,
                struct address_set *set);

#endif
