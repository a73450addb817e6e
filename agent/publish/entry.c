/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.c - see entry.h.
 *
 * 1. The address handed out is the one that the probe itself is connected to: another address of
 *    the same host was never seen to work. In the other family there are only addresses that the
 *    name resolved to.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/publish/entry.h"
#include "proto/hash.h"

#define SAME(cluster_state, view_state)                                                            \
    _Static_assert((int)(cluster_state) == (int)(view_state), "both count alike")
SAME(CLUSTER_UNKNOWN, VIEW_STATE_UNKNOWN);
SAME(CLUSTER_STEADY, VIEW_STATE_STEADY);
SAME(CLUSTER_SUSPECT, VIEW_STATE_SUSPECT);
SAME(CLUSTER_NO_WRITER, VIEW_STATE_NO_WRITER);
SAME(CLUSTER_AMBIGUOUS, VIEW_STATE_AMBIGUOUS);
SAME(CLUSTER_FROZEN, VIEW_STATE_FROZEN);
SAME(CLUSTER_STALE, VIEW_STATE_STALE);
SAME(CLUSTER_STATE_COUNT, VIEW_STATE_COUNT);

/* The member's flags under this verdict. */
static uint8_t member_flags(const struct verdict *v, uint32_t member)
{
    uint32_t bit = 1u << member;
    uint8_t flags = 0;

    if (member == v->writer)
        flags |= VIEW_MEMBER_WRITER;
    if (v->demoted & bit)
        flags |= VIEW_MEMBER_DEMOTED;
    if ((v->readers & bit) || (!v->readers && member == v->writer))
        flags |= VIEW_MEMBER_READER;
    return flags;
}

/* The view's order: what programs need most comes first, because the end may be cut off. */
static uint32_t flags_rank(uint8_t flags)
{
    if (flags & VIEW_MEMBER_WRITER)
        return 0;
    if (flags & VIEW_MEMBER_DEMOTED)
        return 1;
    return flags & VIEW_MEMBER_READER ? 2 : 3;
}

static uint32_t put_addresses(const struct address *at, uint32_t count, uint16_t index,
                              uint8_t flags, struct view_address *ret, uint32_t room)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count && n < room; i++) {
        const struct address *from = &at[i];
        struct view_address *to = &ret[n++];

        memset(to, 0, sizeof(*to));
        to->address = from->inet;
        to->flags = flags;
        to->member = index;
        snprintf(to->text, sizeof(to->text), "%s", from->text);
    }
    return n;
}

static uint32_t put_left(const struct left_addresses *left, struct view_address *ret, uint32_t room)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < left->count; i++)
        n += put_addresses(&left->at[i], 1, VIEW_MEMBER_NOBODY,
                           VIEW_MEMBER_DEMOTED | (left->still >> i & 1 ? VIEW_MEMBER_STILL : 0),
                           ret + n, room - n);
    return n;
}

static uint32_t put_rank(const struct verdict *verdict, const struct addresses *const *members,
                         uint32_t count, uint32_t rank, struct view_address *ret, uint32_t room)
{
    uint32_t n = 0;

    for (uint32_t m = 0; m < count; m++) {
        uint8_t flags = member_flags(verdict, m);
        if (flags_rank(flags) == rank)
            n += put_addresses(members[m]->at, members[m]->count, (uint16_t)m, flags, ret + n,
                               room - n);
    }
    return n;
}

uint32_t entry_addresses(const struct verdict *verdict, const struct addresses *const *members,
                         uint32_t count, const struct left_addresses *left,
                         struct view_address *ret)
{
    uint32_t room = HOMING_VIEW_ADDRESSES_MAX;
    uint32_t n = put_rank(verdict, members, count, 0, ret, room);

    n += put_left(left, ret + n, room - n);
    for (uint32_t rank = 1; rank < 4; rank++)
        n += put_rank(verdict, members, count, rank, ret + n, room - n);
    return n;
}

/* The address of `family` to hand out: the probe's own, or the smallest. If DNS names them in
 * rotation, the entry must not change each time. */
static const struct address *pick(const struct addresses *where, uint8_t family)
{
    const struct address *best = NULL;
    size_t len = family == 4 ? 4 : 16;

    if (where->connected.inet.family == family)
        return &where->connected;
    for (uint32_t i = 0; i < where->count; i++) {
        const struct address *at = &where->at[i];
        if (at->inet.family == family &&
            (!best || memcmp(at->inet.bytes, best->inet.bytes, len) < 0))
            best = at;
    }
    return best;
}

void entry_fill(const struct verdict *verdict, const struct addresses *const *members,
                struct view_entry *ret_entry)
{
    const struct address *v4 = NULL, *v6 = NULL, *preferred;

    if (verdict->writer != MEMBER_NONE) {
        v4 = pick(members[verdict->writer], 4);
        v6 = pick(members[verdict->writer], 6);
    }
    preferred = v4 ? v4 : v6;
    if (v4 && v6) /* before it is connected: the family that will be asked over */
        preferred = members[verdict->writer]->connected.inet.family
                        ? &members[verdict->writer]->connected
                        : &members[verdict->writer]->at[0];

    snprintf(ret_entry->text4, sizeof(ret_entry->text4), "%.15s", v4 ? v4->text : "");
    snprintf(ret_entry->text6, sizeof(ret_entry->text6), "%.45s", v6 ? v6->text : "");
    ret_entry->family = preferred ? preferred->inet.family : 4;
    ret_entry->port = preferred ? preferred->inet.port : 0;
    ret_entry->state = preferred ? (enum view_state)verdict->state : VIEW_STATE_UNKNOWN;
}

/* Only this agent compares these hashes: nobody can gain by a collision. */
uint64_t entry_fingerprint(enum view_role role, const struct view_entry *entry,
                           const struct view_address *at, uint32_t count)
{
    uint64_t hash = HASH_START;

    if (entry->state == VIEW_STATE_UNKNOWN)
        return 0;
    if (role == VIEW_ROLE_WRITER) {
        hash = hash_bytes(hash, entry->text4, strlen(entry->text4) + 1);
        hash = hash_bytes(hash, entry->text6, strlen(entry->text6) + 1);
        return hash_bytes(hash, &entry->port, sizeof(entry->port)) | 1;
    }
    for (uint32_t i = 0; i < count; i++)
        if (at[i].flags & VIEW_MEMBER_READER) {
            hash = hash_bytes(hash, at[i].text, strlen(at[i].text) + 1);
            hash = hash_bytes(hash, &at[i].address.port, sizeof(at[i].address.port));
        }
    return hash | 1;
}
