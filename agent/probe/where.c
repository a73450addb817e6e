/* SPDX-License-Identifier: Apache-2.0
 *
 * where.c - see where.h. Called by probe.c and places.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/where.h"

void address_make(struct address *to, const struct inet_address *from, uint16_t port)
{
    memset(to, 0, sizeof(*to)); /* padding, too: addresses are compared whole */
    to->inet.family = from->family;
    memcpy(to->inet.bytes, from->bytes, sizeof(to->inet.bytes));
    to->inet.port = port;
    inet_address_print(&to->inet, to->text, sizeof(to->text));
}

static void add(struct addresses *where, const struct conf_cluster *cluster,
                const struct inet_address *addresses, uint32_t count, uint16_t port)
{
    for (uint32_t i = 0; i < count && where->count < HOMING_ADDRESSES_MAX; i++)
        if (conf_address_allowed(cluster, addresses[i].family, addresses[i].bytes))
            address_make(&where->at[where->count++], &addresses[i], port);
}

uint32_t where_set(struct addresses *where, const struct conf_cluster *cluster,
                   const struct inet_address *addresses, uint32_t count, uint16_t port)
{
    where->count = 0;
    add(where, cluster, addresses, count, port);
    return where->count;
}

void where_set_others(struct addresses *where, uint32_t own, const struct conf_cluster *cluster,
                      const struct other_family *other, uint16_t port)
{
    where->count = own;
    if (own > 0)
        add(where, cluster, other->at, other->count, port);
}

void where_get_others(const struct addresses *where, uint32_t own, struct addresses *ret_others)
{
    ret_others->count = where->count - own;
    memcpy(ret_others->at, &where->at[own], ret_others->count * sizeof(where->at[0]));
}

uint32_t where_find(const struct addresses *where, uint32_t own, const struct address *address)
{
    uint32_t i = 0;
    while (i < own && memcmp(&where->at[i], address, sizeof(*address)) != 0)
        i++;
    return i;
}
