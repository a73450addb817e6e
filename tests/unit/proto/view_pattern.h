/* SPDX-License-Identifier: Apache-2.0
 *
 * view_pattern.h - answers and addresses in which every field follows from one number, so that a
 * reader can tell a whole copy from one made of two. For the tests of proto/view_*.c.
 */
#ifndef HOMING_TESTS_UNIT_PROTO_VIEW_PATTERN_H
#define HOMING_TESTS_UNIT_PROTO_VIEW_PATTERN_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/view_write.h"

#define PATTERN_CLUSTERS 4
#define PATTERN_NAMES    16

static inline struct view_entry pattern_entry(uint64_t n)
{
    struct view_entry e = {
        .mode = (enum view_mode)(VIEW_MODE_OFF + n % 5),
        .state = (enum view_state)(n % VIEW_STATE_COUNT),
        .role = (enum view_role)(n % VIEW_ROLE_COUNT),
        .family = n % 2 ? 4 : 6,
        .port = (uint16_t)n,
        .cluster = (uint32_t)(n % PATTERN_CLUSTERS),
        .generation = n,
        .endpoint = n * 0x9e3779b97f4a7c15ull,
        .confirmed_ms = n + 1000,
        .hold_ms = (uint32_t)n,
        .max_stale_ms = ~(uint32_t)n,
        .keepalive_ms = (uint32_t)n ^ 0x5555,
        .ports = n * 0xc2b2ae3d27d4eb4full,
    };

    snprintf(e.text4, sizeof(e.text4), "10.%u.%u.%u", (unsigned)(n >> 16 & 255),
             (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
    snprintf(e.text6, sizeof(e.text6), "fd00::%x:%x", (unsigned)(n >> 16 & 0xffff),
             (unsigned)(n & 0xffff));
    return e;
}

static inline bool pattern_entry_equal(const struct view_entry *a, const struct view_entry *b)
{
    return a->mode == b->mode && a->state == b->state && a->role == b->role &&
           a->family == b->family && a->port == b->port && a->cluster == b->cluster &&
           a->generation == b->generation && a->endpoint == b->endpoint &&
           a->confirmed_ms == b->confirmed_ms && a->hold_ms == b->hold_ms &&
           a->max_stale_ms == b->max_stale_ms && a->keepalive_ms == b->keepalive_ms &&
           a->ports == b->ports && strcmp(a->text4, b->text4) == 0 &&
           strcmp(a->text6, b->text6) == 0;
}

static inline int pattern_write_named(struct view_writer *w, uint32_t cluster,
                                      const struct view_address *at, uint32_t count,
                                      const char *const *names, uint32_t name_count)
{
    return view_write_cluster(
        w, cluster,
        &(struct view_listing){.at = at, .count = count, .names = names, .name_count = name_count});
}

static inline bool pattern_entry_whole(const struct view_entry *e)
{
    struct view_entry expected = pattern_entry(e->generation);

    return pattern_entry_equal(e, &expected);
}

/* The official name of a member, which tells n too. */
static inline void pattern_official(uint64_t n, uint32_t member, char ret_name[64])
{
    snprintf(ret_name, 64, "node-%u.%u.generation-%llu.example", member, (unsigned)(n & 0xffff),
             (unsigned long long)n);
}

/* n % 8 + 1 addresses that all tell n. */
static inline uint32_t pattern_members(uint64_t n, struct view_address at[8])
{
    uint32_t count = (uint32_t)(n % 8 + 1);

    memset(at, 0, 8 * sizeof(*at));
    for (uint32_t i = 0; i < count; i++) {
        at[i].address.family = 6;
        at[i].flags = VIEW_MEMBER_DEMOTED;
        at[i].address.port = (uint16_t)n;
        at[i].member = (uint16_t)i;
        memcpy(at[i].address.bytes, &n, sizeof(n));
        memcpy(at[i].address.bytes + 8, &n, sizeof(n));
        snprintf(at[i].text, sizeof(at[i].text), "fd00::%x", (unsigned)(n & 0xffff));
    }
    return count;
}

/* Publishes them with their official names. */
static inline int pattern_write_members(struct view_writer *w, uint32_t cluster, uint64_t n)
{
    struct view_address at[8];
    char names[8][64];
    const char *pointers[8];
    uint32_t count = pattern_members(n, at);

    for (uint32_t i = 0; i < 8; i++) {
        pattern_official(n, i, names[i]);
        pointers[i] = names[i];
    }
    return pattern_write_named(w, cluster, at, count, pointers, 8);
}

static inline bool pattern_members_whole(const struct view_address *at, uint32_t count)
{
    struct view_address expected[8];
    uint64_t n;

    if (count == 0 || count > 8)
        return false;
    memcpy(&n, at[0].address.bytes, sizeof(n));
    if (pattern_members(n, expected) != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (at[i].address.port != expected[i].address.port || at[i].member != i ||
            at[i].address.family != 6 ||
            memcmp(at[i].address.bytes, expected[i].address.bytes, 16) != 0 ||
            strcmp(at[i].text, expected[i].text) != 0)
            return false;
    return true;
}

/* Whether a name is that of the member whose address `at` is. */
static inline bool pattern_official_whole(const char *name, const struct view_address *at)
{
    char expected[64];
    uint64_t n;

    memcpy(&n, at->address.bytes, sizeof(n));
    pattern_official(n, at->member, expected);
    return strcmp(name, expected) == 0;
}

#endif
