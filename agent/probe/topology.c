/* SPDX-License-Identifier: Apache-2.0
 *
 * topology.c - see topology.h. Called by engines.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/topology.h"

static void take(char *to, size_t size, const char *from)
{
    size_t len = from ? strnlen(from, size) : 0;

    if (len == size)
        len = 0;
    if (len > 0)
        memcpy(to, from, len);
    to[len] = '\0';
}

void topology_add(struct topology *t, const char *id, const char *host, const char *region,
                  uint16_t port)
{
    struct topology_row *row = &t->at[t->count];

    if (t->count == HOMING_MEMBERS_MAX) {
        t->too_many = true;
        return;
    }
    take(row->id, sizeof(row->id), id);
    take(row->host, sizeof(row->host), host);
    take(row->region, sizeof(row->region), region);
    row->port = port;
    row->green = false;
    t->count++;
}

void topology_add_green(struct topology *t, const char *host, uint16_t port)
{
    uint32_t at = t->count;

    topology_add(t, NULL, host, NULL, port);
    if (t->count > at)
        t->at[at].green = true;
}
