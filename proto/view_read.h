/* SPDX-License-Identifier: Apache-2.0
 *
 * view_read.h - reading a view: wait-free, bounded, without a system call, without trust in its
 * bytes.
 *
 * Called by the shim at every lookup and connect, and by the agent for its replies. V1: a reader
 * copies out, checks the sequence, and looks only at the copy. V2: attempts and probes are bounded,
 * and lengths are checked in the copy. Whatever bytes the view holds, and however they change, no
 * reader crashes or loops.
 */
#ifndef HOMING_PROTO_VIEW_READ_H
#define HOMING_PROTO_VIEW_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/inet_address.h"
#include "proto/name.h"
#include "proto/view_format.h"

/* A mapping that was checked once. Its bounds were copied out of the header, so that later changes
 * of the header cannot widen them. It never changes after view_map_check(). */
struct view_map {
    const struct view_header *header;
    const char *slots, *clusters, *officials; /* each is a table, whose stride stands below */
    uint64_t instance;
    uint32_t slot_mask;
    uint32_t cluster_count;
    uint32_t official_count;
    uint32_t slot_stride, cluster_stride, official_stride;
    uint32_t index_count; /* 0: there is none, and `index` is NULL */
    const view_word *index;
};

static inline const struct view_slot *view_slot_at(const struct view_map *map, uint64_t i)
{
    return (const struct view_slot *)(map->slots + (i & map->slot_mask) * map->slot_stride);
}

/* One answer, copied out. Each text ends with a NUL; empty: there is no address of that family. What
 * a newer agent says with a value that is not known here is what view_format.h says of it. */
struct view_entry {
    enum view_mode mode;
    enum view_state state;
    enum view_role role;
    uint8_t family; /* the preferred one, 4 or 6 */
    uint16_t port;
    uint32_t cluster; /* index for view_read_members(), checked */
    uint64_t generation;
    uint64_t endpoint;
    uint64_t confirmed_ms;
    uint32_t hold_ms;
    uint32_t max_stale_ms;
    uint32_t keepalive_ms;
    char text4[16];
    char text6[48];
    uint64_t ports; /* others that are steered, too: see view_entry_has_port() */
};

enum view_found {
    VIEW_FOUND,  /* *ret_entry is filled, and its mode is not VIEW_MODE_GONE */
    VIEW_ABSENT, /* this view does not manage the name */
    VIEW_TORN, /* there was no whole copy in HOMING_VIEW_RETRIES_MAX attempts, or it is not valid */
    VIEW_FOUND_COUNT
};

/* One address of a member, copied out; see struct view_member. */
struct view_address {
    struct inet_address address;
    uint8_t flags; /* VIEW_MEMBER_* */
    uint16_t member;
    char text[48];
};

/* A cluster's addresses as of one moment, to be read one at a time: all of them at once would take
 * 5 KB of a stack. */
struct view_list {
    const view_word *copy, *seq;
    uint64_t as_of; /* what `seq` was */
    uint32_t count;
};

/* Bytes of an official name with its NUL, and room for whole words. */
#define VIEW_OFFICIAL_SIZE (HOMING_NAME_WORDS * 8)

/* Checks magic and version, and that all three tables lie within the `size` bytes at `base`.
 * `base` must be 8-aligned, and stay mapped for as long as *ret_map is used. False: refuse this
 * view. */
bool view_map_check(const void *base, size_t size, struct view_map *ret_map);

/* Finds `name`. This is the hot path. Unless VIEW_FOUND is returned, *ret_entry is undefined: its
 * texts are copied out before it is known whether the copy is whole. */
enum view_found view_read(const struct view_map *map, const struct name *name,
                          struct view_entry *ret_entry);

/* The same for a name of which only the hash was kept. Two names with one hash would be taken for
 * each other. Nobody gains by making such a name: a name of his own can lead to the same
 * address. */
enum view_found view_read_hash(const struct view_map *map, uint64_t hash,
                               struct view_entry *ret_entry);

/* Whether the view has a slot for that hash. It has one for a name that is gone, too. If it has
 * none, the name need not be read. */
bool view_has_hash(const struct view_map *map, uint64_t hash);

/* Begins to read a cluster's addresses. False: there is no such cluster, or no whole copy. */
bool view_list_open(const struct view_map *map, uint32_t cluster, struct view_list *ret_list);

/* The address number `index`, in the view's order; an index from `count` on is that of none. False:
 * the list has changed since it was opened, or the address is not valid. Then all that was read of
 * it is void, and *ret is undefined. Open it again, HOMING_VIEW_RETRIES_MAX times at most. */
bool view_list_at(const struct view_list *list, uint32_t index, struct view_address *ret);

/* Copies the addresses of a cluster that have any of `flags`, in the view's order, `max` at most.
 * VIEW_MEMBER_ALL stands for all of them, also for those without a flag. Returns how many it
 * copied; 0 also if there was no whole copy. */
#define VIEW_MEMBER_ALL 0xffu
uint32_t view_read_members(const struct view_map *map, uint32_t cluster, uint8_t flags,
                           struct view_address *ret, uint32_t max);

/* The official name of the member that has the address `text`. If several have it, the first one
 * with any of `flags` is meant, else the first one. ret_name has VIEW_OFFICIAL_SIZE bytes. Returns
 * the length of the name; 0: it is not known, and *ret_name is undefined. */
uint32_t view_read_official(const struct view_map *map, uint32_t cluster, const char *text,
                            uint8_t flags, char *ret_name);

/* What the index knows an address and port by: the hash of section 4 of PROTOCOL.md, over three
 * words. */
uint64_t view_address_key(const struct inet_address *address);

/* The clusters that may have a member at this address and port, one at a time. *at is 0 at first.
 * False: there are no more. An address that has left a cluster may still be named; the cluster's
 * list tells. */
bool view_index_next(const struct view_map *map, uint64_t key, uint32_t *at, uint32_t *ret_cluster);

/* The word of the header that counts clusters to whose members nobody connects without handing over
 * a permit. To be loaded by the caller, each time that it matters. */
const view_word *view_permit_clusters(const struct view_map *map);

/* CLOCK_MONOTONIC of the last beat, in ms. */
uint64_t view_heartbeat_ms(const struct view_map *map);

/* Whether the agent goes on with another view (V4). */
bool view_retired(const struct view_map *map);

/* The instance of the homing-sever that runs beside the agent; 0: there is none. */
uint64_t view_sever_instance(const struct view_map *map);

/* Another value than before: names were added, or have another mode or their first answer. Whoever
 * sees it sees those. Always 0 in a view of layout 2.0. */
uint64_t view_changes(const struct view_map *map);

/* Whether `port` is one of the other ports of the answer's endpoint: at every member's host it
 * stands for the member, as a pooler does. */
static inline bool view_entry_has_port(const struct view_entry *entry, uint16_t port)
{
    for (unsigned i = 0; i < HOMING_PORTS_MAX; i++)
        if ((entry->ports >> i * 16 & 0xffff) == port)
            return port != 0;
    return false;
}

/* Whether an answer is to be treated as stale at `now_ms` (W9). It is if its state says so, if it
 * was not confirmed for longer than max_stale_ms, or if it was confirmed more than a beat in this
 * clock's future, as in a time namespace. */
bool view_entry_stale(const struct view_entry *entry, uint64_t now_ms);

#endif
