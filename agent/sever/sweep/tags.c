/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - see tags.h. Pure, but for tags_judge_next().
 */
#include "config.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "agent/sever/sweep/tags.h"

/* ---- by cookie ---- */

/* Cookies count up, so that their low bits spread well. */
static uint32_t *place_of(const struct tags *tags, uint64_t cookie)
{
    uint32_t mask = tags->index_size - 1;
    uint32_t i = (uint32_t)(cookie ^ cookie >> 32) & mask;

    while (tags->index[i] && tags->entries[tags->index[i] - 1].socket.cookie != cookie)
        i = (i + 1) & mask;
    return &tags->index[i];
}

/* The index stays at most half full. */
static int grow(struct tags *tags)
{
    uint32_t size = tags->size ? tags->size * 2 : 64;
    struct tags_entry *entries = realloc(tags->entries, size * sizeof(*entries));
    uint32_t *index;

    if (!entries)
        return -ENOMEM;
    tags->entries = entries;
    index = calloc((size_t)size * 2, sizeof(*index));
    if (!index)
        return -ENOMEM;
    free(tags->index);
    tags->index = index;
    tags->index_size = size * 2;
    tags->size = size;
    for (uint32_t i = 0; i < tags->count; i++)
        *place_of(tags, entries[i].socket.cookie) = i + 1;
    return 0;
}

int tags_add(struct tags *tags, const struct diag_socket *socket)
{
    if (tags->count == TAGS_MAX)
        return -E2BIG;
    if (tags->count == tags->size) {
        int rv = grow(tags);
        if (rv)
            return rv;
    }
    uint32_t *place = place_of(tags, socket->cookie);
    if (*place == 0) {
        tags->entries[tags->count] = (struct tags_entry){.socket = *socket};
        *place = ++tags->count;
    }
    return 0;
}

void tags_done(struct tags *tags)
{
    free(tags->entries);
    free(tags->index);
    *tags = (struct tags){0};
}

/* ---- verdicts ---- */

static bool is_outdated(const struct sever_order *order, uint64_t endpoint, uint64_t generation)
{
    for (uint32_t i = 0; i < order->endpoint_count; i++)
        if (order->endpoints[i].id == endpoint)
            return generation < order->endpoints[i].older_than;
    return false;
}

/* Of another group's process, in the numbers of this one, which are those of its `uid`. Whatever
 * numbers it has itself, they differ by a constant. Its root may be any user of its namespace. */
static enum uids_fit fit_other(const struct tags_owner *owner, uint32_t listed)
{
    const struct uids *uids = owner->uids;

    if (!owner->comparable || !uids || !uids->told)
        return UIDS_UNSURE;
    if (uids->ours)
        return uids_fit(uids, listed);
    for (uint32_t i = 0; i < uids->count; i++)
        if (uids->of[i] == 0 || owner->uid + (uids->of[i] - uids->of[0]) == listed)
            return UIDS_UNSURE;
    return owner->uid == UIDS_UNMAPPED ? UIDS_UNSURE : UIDS_FOREIGN;
}

static enum uids_fit fit_user(const struct tags_owner *owner, uint32_t listed)
{
    if (!owner->own)
        return fit_other(owner, listed);
    return owner->uids ? uids_fit(owner->uids, listed) : UIDS_UNSURE;
}

/* What no process has any more is nobody's. */
static enum uids_fit fit(const struct tags_entry *e, const struct tags_owner *owner)
{
    return e->socket.orphan ? UIDS_FIT : fit_user(owner, e->socket.uid);
}

/* A tag for another user's connection says nothing, not even that it is not untagged. */
static void judge(struct tags *tags, struct tags_entry *e, const struct sever_order *order,
                  const uint64_t slot[TAG_WORDS], const struct tags_owner *owner)
{
    bool outdated = owner->own && is_outdated(order, slot[1], slot[2]);
    enum tags_verdict verdict = outdated ? TAGS_OUTDATED : TAGS_CURRENT;
    enum uids_fit fits = fit(e, owner);

    if (fits == UIDS_FOREIGN) {
        tags->foreign += outdated;
        return;
    }
    if (verdict <= e->verdict)
        return;
    e->verdict = verdict;
    e->unsure = fits == UIDS_UNSURE;
    e->owner = *owner;
    e->endpoint = slot[1];
    e->generation = slot[2];
    e->since_ms = slot[3];
}

void tags_judge(struct tags *tags, const struct sever_order *order,
                const uint64_t (*slots)[TAG_WORDS], uint32_t count, const struct tags_owner *owner)
{
    for (uint32_t i = 0; i < count && tags->count > 0; i++) {
        uint32_t at = slots[i][0] ? *place_of(tags, slots[i][0]) : 0;
        if (at)
            judge(tags, &tags->entries[at - 1], order, slots[i], owner);
    }
}

int tags_judge_next(struct tags *tags, const struct sever_order *order, struct tag_reading *reading,
                    const struct tags_owner *owner)
{
    uint64_t slots[TAG_MEMORY_SLOTS][TAG_WORDS];
    int count = tag_memory_next(reading, slots);

    if (count > 0)
        tags_judge(tags, order, (const uint64_t(*)[TAG_WORDS])slots, (uint32_t)count, owner);
    return count;
}

/* ---- whose tags can matter ---- */

static int by_uid(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void note_user(struct tags *tags, uint32_t uid, bool elsewhere)
{
    uint32_t i = 0;

    while (i < tags->user_count && tags->users[i].uid != uid)
        i++;
    if (i == TAGS_USERS_MAX) {
        tags->many_users = true;
        return;
    }
    tags->users[i].uid = uid;
    tags->users[i].elsewhere = elsewhere;
    tags->user_count += i == tags->user_count;
}

void tags_note_users(struct tags *tags, const uint32_t *elsewhere, uint32_t count)
{
    for (uint32_t i = 0; i < tags->count; i++) {
        struct tags_entry *e = &tags->entries[i];
        e->elsewhere =
            count && bsearch(&e->socket.uid, elsewhere, count, sizeof(*elsewhere), by_uid);
        tags->orphans |= e->socket.orphan;
        if (!e->socket.orphan && !tags->many_users)
            note_user(tags, e->socket.uid, e->elsewhere);
    }
}

bool tags_concern(const struct tags *tags, const struct tags_owner *owner)
{
    if (tags->many_users || (tags->orphans && owner->own))
        return true;
    for (uint32_t i = 0; i < tags->user_count; i++)
        if ((owner->own || !tags->users[i].elsewhere) &&
            fit_user(owner, tags->users[i].uid) != UIDS_FOREIGN)
            return true;
    return false;
}

/* ---- MPTCP ---- */

/* A socket of MPTCP, by the inode that its subflows have, too. */
struct whole {
    uint32_t inode;
    uint32_t at;
};

static int by_inode(const void *a, const void *b)
{
    const struct whole *x = a, *y = b;

    return (x->inode > y->inode) - (x->inode < y->inode);
}

static uint32_t list_wholes(const struct tags *tags, struct whole *ret_wholes)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tags->count; i++)
        if (tags->entries[i].socket.whole && tags->entries[i].socket.inode)
            ret_wholes[count++] = (struct whole){tags->entries[i].socket.inode, i};
    qsort(ret_wholes, count, sizeof(*ret_wholes), by_inode);
    return count;
}

/* While both ends speak MPTCP, a program does not notice at once that its last subflow has been
 * aborted. In SYN_SENT it does. */
static void take_verdict(struct tags_entry *e, const struct tags_entry *whole)
{
    struct diag_socket socket = e->socket;

    socket.subflow = true;
    if (!whole) {
        e->hidden = true;
        e->verdict = e->verdict > TAGS_CURRENT ? e->verdict : TAGS_CURRENT;
        return;
    }
    socket.plain = whole->socket.plain || whole->socket.state == TCP_SYN_SENT;
    if (whole->verdict > e->verdict)
        *e = *whole;
    e->socket = socket;
}

static bool has_mptcp(const struct tags *tags)
{
    for (uint32_t i = 0; i < tags->count; i++)
        if (tags->entries[i].socket.subflow || tags->entries[i].socket.whole)
            return true;
    return false;
}

int tags_join_subflows(struct tags *tags)
{
    if (!has_mptcp(tags))
        return 0;
    struct whole *wholes = calloc(tags->count, sizeof(*wholes));
    uint32_t count = wholes ? list_wholes(tags, wholes) : 0, kept = 0;

    for (uint32_t i = 0; i < tags->count; i++) {
        struct tags_entry *e = &tags->entries[i];
        struct whole key = {.inode = e->socket.inode}, *found = NULL;
        if (e->socket.inode && count)
            found = bsearch(&key, wholes, count, sizeof(key), by_inode);
        if (e->socket.whole || (!found && !e->socket.subflow))
            continue;
        take_verdict(e, found ? &tags->entries[found->at] : NULL);
    }
    bool failed = !wholes;
    free(wholes);
    for (uint32_t i = 0; i < tags->count; i++)
        if (!tags->entries[i].socket.whole)
            tags->entries[kept++] = tags->entries[i];
    tags->count = kept;
    return failed ? -ENOMEM : 0;
}
