/* SPDX-License-Identifier: Apache-2.0
 *
 * view_write.h - the writing end of a view; view_read.h is the reading end. One writer at a time.
 *
 * Called by agent/publish/view.c, which owns the memory. If the writer is killed between any two
 * stores, each slot still has one whole copy. Nothing here allocates or fails for lack of memory.
 */
#ifndef HOMING_PROTO_VIEW_WRITE_H
#define HOMING_PROTO_VIEW_WRITE_H

#include "proto/view_read.h"

/* The slots that so many names need: a power of two, at least 4 × names, at least
 * HOMING_VIEW_SLOTS_MIN. */
uint32_t view_slots_for(uint32_t names);

/* Bytes of a view with so many slots, clusters and official names, a multiple of 4096. */
size_t view_size(uint32_t slots, uint32_t clusters, uint32_t officials);

struct view_writer {
    struct view_header *header;
    struct view_slot *slots;
    struct view_cluster *clusters;
    struct view_official *officials;
    view_word *index;
    uint32_t slot_count;
    uint32_t cluster_count;
    uint32_t official_count;
    uint32_t index_count;
    uint32_t index_used;     /* rows, those of addresses that are nobody's any more included */
    uint32_t index_kept;     /* of them after the index was written anew */
    uint32_t names;          /* keys in use, with those of names that are gone */
    uint32_t officials_used; /* places given to clusters, with those that a cluster has left */
};

/* Lays out an empty view in `size` bytes at `base` (page-aligned) and writes every page of it, so
 * that a reader never touches a hole. What slots and clusters leave is for official names. */
void view_write_init(struct view_writer *w, void *base, size_t size, uint32_t slots,
                     uint32_t clusters, uint64_t instance);

/* Publishes the answer for a name, and adds its key if it is new. 0, or -ENOSPC: half of the slots
 * are in use, or the chain would be longer than HOMING_VIEW_PROBES_MAX; make a larger view, and
 * retire this one. -EINVAL: a mode, state, role, family or cluster does not exist (a bug of the
 * caller). */
int view_write_entry(struct view_writer *w, const struct name *name,
                     const struct view_entry *entry);

/* Makes the name unmanaged. A name that is not in the view is ignored. */
void view_write_gone(struct view_writer *w, const struct name *name);

/* Writes only the time of confirmation, with one store. A name that is not in the view is
 * ignored. */
void view_write_confirmed(struct view_writer *w, const struct name *name, uint64_t now_ms);

/* Publishes the addresses of a cluster, HOMING_VIEW_ADDRESSES_MAX at most: the rest is cut off. */
void view_write_members(struct view_writer *w, uint32_t cluster, const struct view_address *at,
                        uint32_t count);

/* All that is listed of a cluster: its addresses; the official name of each of `name_count` members,
 * "": it is not known; the other ports of its endpoints, each once, HOMING_CLUSTER_PORTS_MAX at
 * most. */
struct view_listing {
    const struct view_address *at;
    uint32_t count;
    const char *const *names;
    uint32_t name_count;
    const uint16_t *ports;
    uint32_t port_count;
};

/* The same with names and ports, and each address with each port into the index. A name that is too
 * long is left out. -ENOSPC: there is no room for the names of so many members, and all that are new
 * are left out; make a larger view, and retire this one. */
int view_write_cluster(struct view_writer *w, uint32_t cluster, const struct view_listing *listing);

void view_write_heartbeat(struct view_writer *w, uint64_t now_ms);
void view_write_retired(struct view_writer *w);
void view_write_sever_instance(struct view_writer *w, uint64_t instance);

#endif
