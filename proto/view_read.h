/* SPDX-License-Identifier: Apache-2.0
 *
 * view_read.h - reading a view: wait-free, bounded, no system call, no trust in its bytes.
 *
 * Called by the shim at every lookup, and by tests. V1: what is looked at was copied out first and
 * the sequence re-checked. V2: bounded retries, bounded probes, lengths checked after the copy;
 * no content of the mapping, changing at any moment, can make a reader crash or loop.
 */
#ifndef HOMING_PROTO_VIEW_READ_H
#define HOMING_PROTO_VIEW_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/inet_address.h"
#include "proto/name.h"
#include "proto/view_format.h"

/* A mapping that was checked once. Bounds were copied out of the header: later changes to the
 * header cannot widen them. Immutable after view_map_check(). */
struct view_map {
    const struct view_header *header;
    const struct view_slot *slots;
    const struct view_cluster *clusters;
    uint64_t instance;
    uint32_t slot_mask;
    uint32_t cluster_count;
};

/* One answer, copied out. Texts are NUL-terminated; empty: that family is not had. */
struct view_entry {
    enum view_mode mode;
    enum view_state state;
    enum view_role role;
    uint8_t family; /* 4 or 6: the preferred one */
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
};

enum view_found {
    VIEW_FOUND,  /* *ret_entry is filled; never with mode VIEW_MODE_GONE */
    VIEW_ABSENT, /* not a managed name of this view */
    VIEW_TORN,   /* no whole copy within HOMING_VIEW_RETRIES_MAX, or the content is not valid */
    VIEW_FOUND_COUNT
};

/* One address of a member, copied out; see struct view_member. */
struct view_address {
    struct inet_address address;
    uint8_t flags; /* VIEW_MEMBER_* */
    uint16_t member;
    char text[48];
};

/* Checks magic, version, and that all of slots and clusters lie within `size` bytes at `base`,
 * which must be 8-aligned and stay mapped for as long as *ret_map is used.
 * False: refuse this view. */
bool view_map_check(const void *base, size_t size, struct view_map *ret_map);

/* Finds `name`. The hot path. *ret_entry is undefined unless VIEW_FOUND is returned: its texts are
 * copied out before it is known whether all of the copy is whole. */
enum view_found view_read(const struct view_map *map, const struct name *name,
                          struct view_entry *ret_entry);

/* The same for a name of which only the hash was kept. Two names of one hash would be taken for
 * each other; who could make such a name could as well give his own the address that he wants
 * reached. */
enum view_found view_read_hash(const struct view_map *map, uint64_t hash,
                               struct view_entry *ret_entry);

/* Whether any answer is kept for that hash, be it that it is gone: what a view without one has for
 * a name nobody need ask it. */
bool view_has_hash(const struct view_map *map, uint64_t hash);

/* Copies at most `max` addresses of a cluster, those that have any of `flags`, in the view's order;
 * VIEW_MEMBER_ALL: those without a flag too. Returns how many; 0 also when no whole copy could be
 * had. Puts 2.3 KB on the stack. */
#define VIEW_MEMBER_ALL 0xffu
uint32_t view_read_members(const struct view_map *map, uint32_t cluster, uint8_t flags,
                           struct view_address *ret, uint32_t max);

/* CLOCK_MONOTONIC ms of the last beat; and whether the view was retired (V4). */
uint64_t view_heartbeat_ms(const struct view_map *map);
bool view_retired(const struct view_map *map);

/* Which homing-sever runs beside the agent; 0: none. */
uint64_t view_sever_instance(const struct view_map *map);

/* Whether an answer is to be treated as stale at `now_ms` (W9): by its state, or unconfirmed for
 * longer than max_stale_ms, or confirmed in this clock's future by more than a beat (time
 * namespace). */
bool view_entry_stale(const struct view_entry *entry, uint64_t now_ms);

#endif
