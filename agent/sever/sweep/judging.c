/* SPDX-License-Identifier: Apache-2.0
 *
 * judging.c - see judging.h.
 *
 * 1. A permit may end between two turns, or come to the group. Then the list is made anew, without
 *    what was read; the memory that is being read is held by a descriptor of its own.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sever/sweep/judging.h"

enum {
    /* A millisecond or two: between two turns it is shown that this process does not hang. */
    SLOTS_PER_TURN = 65536,
    /* What a memory costs, beside its slots, and what it costs to look how many these are. */
    MEMORY_SLOTS = 256,
    LOOK_SLOTS = 25
};

struct judging_memory {
    struct permit *permit;
    uint64_t inode;
    uint64_t slots; /* for which it has room in the pages that exist */
    bool own;
    bool matters;
};

/* ---- whose memories ---- */

/* Whether the list of connections has the numbers of users that this process has. */
static bool lists_our_numbers(const struct group *group)
{
    return group->netlink_count && group->netlinks[0].ours;
}

/* Of homing-sever's own namespace (own.h) every process may have connections, if namespaces cannot be
 * told apart. */
static bool is_anybodys(const struct judging *j)
{
    return j->group->netns == 0 && j->group->count == 0;
}

static bool is_beside(const struct judging *j, const struct group *g)
{
    return g != j->group && (g->netns == j->group->netns || is_anybodys(j));
}

static bool wants_others(const struct judging *j)
{
    return j->order->untagged && (j->group->netns || is_anybodys(j));
}

static int by_uid(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Which users have a group of their own in the namespace, that can list their connections. */
static int note_users(const struct judging *j, struct tags *tags, struct rota *rota)
{
    uint32_t *users = NULL, count = 0, groups = 0;

    if (wants_others(j) && lists_our_numbers(j->group)) {
        for (const struct group *g = permits_first_group(j->permits); g; g = g->next)
            groups++;
        users = calloc(groups ? groups : 1, sizeof(*users));
        if (!users)
            return -ENOMEM;
        for (const struct group *g = permits_first_group(j->permits); g; g = g->next)
            if (is_beside(j, g) && lists_our_numbers(g))
                users[count++] = g->uid;
        qsort(users, count, sizeof(*users), by_uid);
    }
    rota->spent += groups;
    tags_note_users(tags, users, count);
    free(users);
    return 0;
}

static struct tags_owner owner_of(const struct judging *j, const struct permit *p)
{
    struct tags_owner owner = {.process = (uintptr_t)p,
                               .number = p->number,
                               .pid = p->pid,
                               .uid = p->uid,
                               .uids = &p->uids,
                               .own = p->group == j->group,
                               .comparable = lists_our_numbers(j->group)};

    memcpy(owner.comm, p->comm, sizeof(owner.comm));
    return owner;
}

/* ---- the list ---- */

static bool same_uids(const struct uids *a, const struct uids *b)
{
    return a->told == b->told && a->ours == b->ours && a->strict == b->strict &&
           a->count == b->count && memcmp(a->of, b->of, a->count * sizeof(a->of[0])) == 0;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Those that matter first, of these the group's own, and of these the cheapest. */
static int by_turn(const void *x, const void *y)
{
    const struct judging_memory *a = x, *b = y;
    int rv = compare(b->matters, a->matters);

    if (rv == 0)
        rv = compare(b->own, a->own);
    if (rv == 0)
        rv = compare(a->slots, b->slots);
    return rv ? rv : compare(a->inode, b->inode);
}

static void add(struct judging *j, const struct tags *tags, struct permit *p)
{
    struct judging_memory *m = &j->list[j->count];
    struct tags_owner owner = owner_of(j, p);
    struct stat st;

    if (p->swept == j->mark)
        return;
    *m = (struct judging_memory){
        .permit = p, .own = owner.own, .matters = tags_concern(tags, &owner)};
    if (!m->matters && !m->own) {
        j->everything = false;
        return;
    }
    if (fstat(p->tags, &st) == 0) {
        m->inode = st.st_ino;
        m->slots = (uint64_t)st.st_blocks * 512 / sizeof(struct tag);
    }
    j->count++;
}

static void add_group(struct judging *j, const struct tags *tags, const struct group *g)
{
    for (struct permit *p = g->first; p; p = p->next)
        add(j, tags, p);
}

/* One memory that several processes of a group handed over is read for the first of them. */
static void leave_out_repeated(struct judging *j)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < j->count; i++) {
        const struct judging_memory *m = &j->list[i], *last = kept ? &j->list[kept - 1] : NULL;
        if (last && m->inode && m->inode == last->inode && m->own && last->own &&
            same_uids(&m->permit->uids, &last->permit->uids))
            m->permit->swept = j->mark;
        else
            j->list[kept++] = *m;
    }
    j->count = kept;
}

static uint32_t room(const struct judging *j)
{
    uint32_t room = j->group->count;

    if (wants_others(j))
        for (const struct group *g = permits_first_group(j->permits); g; g = g->next)
            room += is_beside(j, g) ? g->count : 0;
    return room;
}

static int list(struct judging *j, const struct tags *tags, struct rota *rota)
{
    uint32_t most = room(j);

    free(j->list);
    j->count = j->at = 0;
    j->ended = permits_ended(j->permits);
    j->newest = j->group->first;
    j->list = calloc(most ? most : 1, sizeof(*j->list));
    if (!j->list)
        return -ENOMEM;
    add_group(j, tags, j->group);
    if (wants_others(j))
        for (const struct group *g = permits_first_group(j->permits); g; g = g->next)
            if (is_beside(j, g))
                add_group(j, tags, g);
    qsort(j->list, j->count, sizeof(*j->list), by_turn);
    leave_out_repeated(j);
    rota->spent += (uint64_t)most * LOOK_SLOTS;
    return 0;
}

int judging_begin(struct judging *j, const struct permits *permits, const struct group *group,
                  const struct sever_order *order, struct tags *tags, struct rota *rota)
{
    static uint64_t marks;

    judging_done(j);
    *j = (struct judging){.permits = permits,
                          .group = group,
                          .order = order,
                          .mark = ++marks,
                          .all_read = true,
                          .everything = true,
                          .fd = -1};
    if (tags->count == 0)
        return 0;
    int rv = note_users(j, tags, rota);
    return rv ? rv : list(j, tags, rota);
}

void judging_done(struct judging *j)
{
    free(j->list);
    if (j->order && j->fd >= 0)
        close(j->fd);
    *j = (struct judging){.fd = -1};
}

/* ---- it is read ---- */

static bool leave_rest(struct judging *j, bool matters)
{
    j->everything = false;
    j->all_read &= !matters;
    j->at = j->count;
    return false;
}

/* One that cannot be held is passed over, like one that cannot be read. */
static void open_memory(struct judging *j, const struct judging_memory *m)
{
    m->permit->swept = j->mark;
    j->owner = owner_of(j, m->permit);
    j->uids = m->permit->uids;
    j->owner.uids = &j->uids;
    j->matters = m->matters;
    j->fd = fcntl(m->permit->tags, F_DUPFD_CLOEXEC, 0);
    if (j->fd >= 0)
        tag_memory_begin(j->fd, &j->reading);
    j->read++;
}

static bool is_outdated(const struct judging *j)
{
    return j->ended != permits_ended(j->permits) || j->newest != j->group->first;
}

/* False: there is none, or the cheapest of those that are left costs too much. */
static bool next_memory(struct judging *j, const struct tags *tags, struct rota *rota)
{
    if (is_outdated(j) && list(j, tags, rota))
        return leave_rest(j, true);
    if (j->at == j->count)
        return false;
    const struct judging_memory *m = &j->list[j->at++];
    if (!rota_allows(rota, MEMORY_SLOTS + m->slots))
        return leave_rest(j, m->matters);
    rota->spent += MEMORY_SLOTS;
    open_memory(j, m);
    return true;
}

static void close_memory(struct judging *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

/* Returns how many slots were read. A memory that has grown since is not read to its end. */
static uint64_t read_some(struct judging *j, struct tags *tags, struct rota *rota)
{
    int count = j->fd < 0 ? 0 : tags_judge_next(tags, j->order, &j->reading, &j->owner);

    if (count <= 0) {
        close_memory(j);
        return MEMORY_SLOTS;
    }
    rota->spent += (uint64_t)count;
    if (!rota_allows(rota, 0)) {
        close_memory(j);
        leave_rest(j, j->matters);
    }
    return (uint64_t)count;
}

bool judging_turn(struct judging *j, struct tags *tags, struct rota *rota)
{
    for (uint64_t looked = 0; tags->count && looked < SLOTS_PER_TURN;) {
        if (j->fd < 0 && !next_memory(j, tags, rota))
            return false;
        looked += read_some(j, tags, rota);
    }
    return tags->count;
}
