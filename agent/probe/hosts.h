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

/* Adds all addresses of `host` in the hosts file at `path`; nothing if there is no such file. The
 * official name is the first one in the first line that has the host and an address of the family.
 * If there is none, ret_official is left alone. */
void hosts_read(const char *path, const char *host, enum conf_family family,
                struct address_set *set, char ret_official[HOMING_NAME_MAX + 1]);

/* Puts the official name of a host there, without a trailing dot. If it is not made of letters,
 * digits, hyphens, underscores and dots, as the names of hosts are, then "": programs print it, and
 * build other names of it. */
void hosts_set_official(const char *name, char ret_official[HOMING_NAME_MAX + 1]);

#endif
