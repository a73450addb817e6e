/* SPDX-License-Identifier: Apache-2.0
 *
 * topology.h - what a server says of the other members of its cluster: rows, as it tells them.
 *
 * An engine whose kind tells of others reads the rows of an answer into one of these, and hands it
 * to its sink before the answer. It is hearsay: agent/discover judges which hosts it may make
 * members. Pure, no allocation; rows come from outside.
 */
#ifndef HOMING_AGENT_PROBE_TOPOLOGY_H
#define HOMING_AGENT_PROBE_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

/* Bytes of an id or a region, with its final NUL: a label of a name. */
#define TOPOLOGY_ID_SIZE 64

/* One server: its id, or its host. Both "": what the row has is neither. */
struct topology_row {
    char id[TOPOLOGY_ID_SIZE];
    char host[HOMING_NAME_MAX + 1];
    char region[TOPOLOGY_ID_SIZE]; /* "": the engine knows of none */
    uint16_t port;                 /* 0: the port of the server that says so */
    bool green;                    /* W4a: a server of a blue/green deployment, by its host */
};

struct topology {
    uint32_t count;
    bool too_many; /* there were more rows than a cluster has members */
    struct topology_row at[HOMING_MEMBERS_MAX];
};

static inline void topology_init(struct topology *t)
{
    t->count = 0;
    t->too_many = false;
}

/* Adds a row; NULL counts as "". A text that is too long is kept as "", and not cut: what is cut
 * may be the id of another server. */
void topology_add(struct topology *t, const char *id, const char *host, const char *region,
                  uint16_t port);
/* The same of a green server, which is told by its host. */
void topology_add_green(struct topology *t, const char *host, uint16_t port);

#endif
