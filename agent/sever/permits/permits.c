/* SPDX-License-Identifier: Apache-2.0
 *
 * permits.c - see permits.h.
 *
 * 1. On a permit's connection nothing is ever read. Its end, or any further byte, ends the permit.
 *    From Linux 6.16 on, no further descriptors can be sent into it. Before, they may lie in it when
 *    it is closed: closer.h does that.
 * 2. A process that hands over once more may have been another user before, and its tags come along.
 *    So it goes on to speak for that user, if the permit before was held until just now.
 * 3. A process that hands over once more has all its tags in the new memory. A restored permit of it ends
 *    then. Any other it gives up itself; if there is no room for both, its oldest ends, too.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/process.h"
#include "agent/base/stranger.h"
#include "agent/sever/permits/ended.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/keep.h"
#include "agent/sever/permits/offer.h"
#include "agent/sever/permits/permits.h"
#include "agent/sever/permits/processes.h"
#include "agent/sever/permits/tag_memory.h"

struct permits {
    struct loop *loop;
    struct ended ended_ones;
    struct closer *closer;
    permits_gone_fn *gone;
    void *arg;
    struct group *groups;
    struct processes processes;
    uint32_t count;
    uint32_t max;
    struct keeping keeping;
    uint32_t stored;
    struct quota quota;
    uint64_t refused;
    uint64_t taken_away;
    uint64_t changes;
    uint64_t departed[TAG_COUNT_COUNT]; /* counters of processes that are gone */
    struct formers formers;
    uint64_t ended;
};

void permits_set_keep(struct permits *permits, int keep)
{
    permits->keeping.fd = keep;
}

void permits_set_stored(struct permits *permits, uint32_t stored)
{
    permits->stored = stored;
}

struct group *permits_first_group(const struct permits *permits)
{
    return permits->groups;
}

uint64_t permits_ended(const struct permits *permits)
{
    return permits->ended;
}

/* ---- groups ---- */

static struct group *group_find(const struct permits *permits, uint64_t netns, uid_t uid)
{
    struct group *g = netns ? permits->groups : NULL;

    while (g && (g->netns != netns || g->uid != uid))
        g = g->next;
    return g;
}

/* Beside the other groups of its namespace, so that sweep.c counts what they share once. */
static struct group *group_new(struct permits *permits, uint64_t netns, uid_t uid)
{
    struct group *group = calloc(1, sizeof(*group));
    struct quota_user *user = group ? quota_join(&permits->quota, uid) : NULL;
    struct group **at = &permits->groups;

    if (!user) {
        free(group);
        return NULL;
    }
    group->keeping = &permits->keeping;
    group->netns = netns;
    group->uid = uid;
    group->user = user;
    while (*at && (*at)->netns != netns)
        at = &(*at)->next;
    group->next = *at;
    *at = group;
    return group;
}

static struct group *group_of(struct permits *permits, uint64_t netns, uid_t uid)
{
    struct group *group = group_find(permits, netns, uid);

    return group ? group : group_new(permits, netns, uid);
}

static void end_netlink(const struct group *group, uint32_t i)
{
    keep_netlink_end(group, i);
    guard_close(group->netlinks[i].fd);
}

static void group_free(struct permits *permits, struct group *group)
{
    struct group **at = &permits->groups;

    permits->gone(permits->arg, group);
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    for (uint32_t i = 0; i < group->netlink_count; i++)
        end_netlink(group, i);
    quota_leave(&permits->quota, group->user);
    free(group);
}

/* False: there are enough. */
static bool group_add_netlink(struct group *group, struct permit *from, uint64_t serial, int fd)
{
    uint32_t i = group->netlink_count;

    if (i == GROUP_NETLINKS)
        return false;
    group->netlinks[i].fd = fd;
    group->netlinks[i].ours = from && from->uids.told && from->uids.ours;
    group->netlinks[i].from = from;
    group->netlinks[i].serial = serial;
    group->netlinks[i].ticket = 0;
    group->netlink_count++;
    return true;
}

/* ---- which users a process was ---- */

static struct former former_of(const struct permit *permit)
{
    return (struct former){permit->pid, permit->started, permit->uid};
}

static void inherit_from(struct permit *permit, const struct former *of)
{
    if (permit->started && of->pid == permit->pid && of->started == permit->started && of->uid != 0)
        uids_add(&permit->uids, of->uid, permit->uid);
}

static void inherit(struct permit *permit)
{
    struct permits *permits = permit->permits;
    const struct former *former;
    uint32_t at = 0;

    while ((former = former_next(&permits->formers, &at, loop_now_ms(permits->loop))))
        inherit_from(permit, former);
    for (const struct permit *p = processes_newest(&permits->processes, permit); p;
         p = processes_before(p, permit)) {
        struct former held = former_of(p);
        inherit_from(permit, &held);
    }
}

/* ---- permits ---- */

static void permit_unlink(struct permit *permit)
{
    struct group *group = permit->group;
    struct permit **at = &group->first;

    while (*at != permit)
        at = &(*at)->next;
    *at = permit->next;
    processes_remove(&permit->permits->processes, permit);
    group->count--;
    group->user->count--;
    for (uint32_t i = 0; i < group->netlink_count; i++)
        if (group->netlinks[i].from == permit)
            group->netlinks[i].from = NULL;
}

static void permit_free(struct permit *permit)
{
    loop_io_free(permit->io);
    closer_take(permit->permits->closer, permit->connection);
    if (permit->process >= 0) { /* the supervisor has it, too */
        loop_forget(permit->permits->loop, permit->process);
        close(permit->process);
    }
    guard_close(permit->tags);
    free(permit);
}

static void permit_drop(struct permit *permit)
{
    struct permits *permits = permit->permits;
    struct group *group = permit->group;
    struct former former = former_of(permit);

    tag_memory_add_counts(permit->tags, permits->departed);
    former_note(&permits->formers, &former, loop_now_ms(permits->loop));
    ended_remove(&permits->ended_ones, permit);
    keep_permit_end(permit);
    permit_unlink(permit);
    permit_free(permit);
    permits->count--;
    permits->changes++;
    permits->ended++;
    if (!group->first)
        group_free(permits, group);
}

/* For a child of its process, a restored permit goes on as one with a connection does. */
static void permit_look(struct permit *permit)
{
    loop_io_set(permit->io, 0);
    ended_add(&permit->permits->ended_ones, permit);
}

static void permit_ended(void *arg, int events)
{
    struct permit *permit = arg;

    (void)events;
    if (permit->connection >= 0)
        permit_drop(permit);
    else
        permit_look(permit);
}

/* Its fields are as in `like`; the descriptors stay the caller's if it fails. */
static struct permit *permit_new(const struct permit *like)
{
    static uint64_t numbers;
    struct permit *permit = calloc(1, sizeof(*permit));

    if (!permit)
        return NULL;
    *permit = *like;
    permit->io =
        loop_io_new(like->permits->loop, like->connection < 0 ? like->process : like->connection,
                    permit_ended, permit);
    if (!permit->io) {
        free(permit);
        return NULL;
    }
    permit->number = ++numbers;
    process_name(permit->pid, permit->comm);
    return permit;
}

static struct permit *permit_of(struct permits *permits, const struct permit_from *from,
                                int connection, int tags)
{
    struct permit *permit = permit_new(&(struct permit){.permits = permits,
                                                        .connection = connection,
                                                        .process = -1,
                                                        .tags = tags,
                                                        .pid = from->pid,
                                                        .started = process_started(from->pid),
                                                        .uid = from->uid,
                                                        .uids = from->uids});

    if (!permit)
        return NULL;
    permit->process = process_open_peer(connection, permit->pid);
    permit->process_id = permit->process < 0 ? 0 : process_id(permit->process);
    if (!process_may_run(permit->process))
        permit->started = 0; /* what was read may be of another one */
    stranger_refuse(connection);
    inherit(permit);
    return permit;
}

static void permit_join(struct permit *permit, struct group *group)
{
    permit->group = group;
    permit->next = group->first;
    group->first = permit;
    processes_add(&permit->permits->processes, permit);
    group->count++;
    group->user->count++;
    permit->permits->count++;
    permit->permits->changes++;
    loop_io_set(permit->io, LOOP_READ);
}

/* ---- keeping ---- */

static void say_missed(void *arg)
{
    struct permits *permits = arg;

    keep_missed_ends(&permits->keeping);
    for (struct group *g = permits->groups; g; g = g->next)
        keep_missed(g);
}

void permits_leave(struct permits *permits, keep_fn *keep, void *arg)
{
    const struct group *group;

    permits->keeping.fd = -1;
    while ((group = permits->groups)) {
        struct permit *next = group->first;
        keep_again_netlinks(group, keep, arg);
        while (next) {
            struct permit *permit = next;
            next = permit->next;
            keep_again_permit(permit, keep, arg);
            permit_drop(permit);
        }
    }
}

/* ---- quota ---- */

static void take_away_one(struct permits *permits, const struct group *group)
{
    struct permit *oldest = group->first;

    while (oldest->next)
        oldest = oldest->next;
    log_event(LOG_WARNING, "permit_taken_away",
              "there is no room for more, and this user has the most: another one gets its place",
              LOG_INT("uid", oldest->uid), LOG_INT("pid", oldest->pid));
    permits->taken_away++;
    quota_note(&permits->quota, oldest->uid, false);
    permit_drop(oldest);
}

/* The group that has to give up a permit for one more of `own`; NULL: `own` itself, which may be NULL,
 * because it has none yet. */
static const struct group *losing_group(const struct permits *permits, const struct group *own,
                                        uid_t uid)
{
    const struct quota_user *user = quota_loser(&permits->quota, uid);
    uint32_t most = user && user->uid == uid ? (own ? own->count : 0) + 1 : 0;
    const struct group *loser = NULL;

    for (const struct group *g = permits->groups; g; g = g->next)
        if (g->user == user && g->count > most) {
            loser = g;
            most = g->count;
        }
    return loser;
}

/* Whether there is room for one more, if need be in another one's place. */
static bool make_room(struct permits *permits, const struct permit_from *from)
{
    const struct group *own = group_find(permits, from->netns, from->uid), *loser = NULL;
    bool fits = !own || own->count < PERMITS_PER_GROUP_MAX;

    if (fits && permits->count >= permits->max) {
        loser = losing_group(permits, own, from->uid);
        fits = loser;
    }
    if (loser)
        take_away_one(permits, loser);
    if (!fits) {
        permits->refused++;
        quota_note(&permits->quota, from->uid, true);
    }
    return fits;
}

static bool has_restored(struct permits *permits, const struct permit *of)
{
    const struct permit *p = processes_newest(&permits->processes, of);

    while (p && p->connection >= 0)
        p = processes_before(p, of);
    return p;
}

/* If there is no room: the oldest of the same process that would make some. NULL: there is room, or no
 * such permit. */
static struct permit *find_before(struct permits *permits, const struct permit_from *from,
                                  const struct permit *of)
{
    const struct group *own = group_find(permits, from->netns, from->uid);
    bool of_own = own && own->count >= PERMITS_PER_GROUP_MAX;
    struct permit *before = NULL;

    if (!of_own && permits->count < permits->max)
        return NULL;
    for (struct permit *p = processes_newest(&permits->processes, of); p;
         p = processes_before(p, of))
        if (p->connection >= 0 && (!of_own || p->group == own))
            before = p;
    return before;
}

/* Those of the process that has handed over again. */
static void drop_restored(struct permits *permits, const struct permit *by)
{
    struct permit *next;

    for (struct permit *p = processes_newest(&permits->processes, by); p; p = next) {
        next = processes_before(p, by);
        if (p->connection < 0)
            permit_drop(p); /* with its last one the group goes */
    }
}

int permits_add(struct permits *permits, const struct permit_from *from, int connection,
                int netlink, int tags)
{
    struct permit *permit = permit_of(permits, from, connection, tags);
    struct permit *before = permit ? find_before(permits, from, permit) : NULL;
    bool fits = !permit || before || has_restored(permits, permit) || make_room(permits, from);
    struct group *group = permit && fits ? group_of(permits, from->netns, from->uid) : NULL;

    if (group) {
        permit_join(permit, group);
        if (group_add_netlink(group, permit, 0, netlink))
            keep_netlink(group, group->netlink_count - 1);
        else
            guard_close(netlink);
        keep_permit(permit);
        drop_restored(permits, permit);
        if (before)
            permit_drop(before);
        return 0;
    }
    if (permit) {
        loop_io_free(permit->io);
        if (permit->process >= 0)
            close(permit->process);
        free(permit);
    }
    closer_take(permits->closer, connection);
    guard_close(netlink);
    guard_close(tags);
    return fits ? -ENOMEM : -EDQUOT;
}

/* ---- restored ones ---- */

/* Of a permit's two descriptors, which come in any order, one is the memory. */
static bool sort_kept(const int *fds, uint32_t count, struct permit *ret_permit)
{
    if (count != KEEP_FDS)
        return false;
    for (int i = 0; i < KEEP_FDS; i++) {
        ret_permit->tags = fds[i];
        ret_permit->process = fds[KEEP_FDS - 1 - i];
        if (offer_is_tags(ret_permit->tags))
            return true;
    }
    return false;
}

static bool is_running(const struct permit *permit)
{
    return process_is_alive(permit->process) &&
           !(permit->pid && process_is_over(permit->pid, permit->started));
}

static bool restore_permit(struct permits *permits, const struct kept_permit *kept, const int *fds,
                           uint32_t count)
{
    struct permit like = {.permits = permits,
                          .connection = -1,
                          .serial = kept->serial,
                          .pid = kept->pid,
                          .started = kept->started,
                          .uid = kept->uid,
                          .uids = kept->uids};

    if (!kept->netns || !sort_kept(fds, count, &like) || permits->count >= permits->max)
        return false;
    like.process_id = process_id(like.process);
    struct permit *permit = permit_new(&like);
    struct group *group = permit ? group_of(permits, kept->netns, kept->uid) : NULL;
    if (group) {
        permit_join(permit, group);
        if (!is_running(permit))
            permit_look(permit);
        return true;
    }
    if (permit)
        loop_io_free(permit->io);
    free(permit);
    return false;
}

static bool restore_netlink(const struct permits *permits, const struct kept_netlink *kept,
                            const int *fds, uint32_t count)
{
    struct group *group = count == 1 && offer_is_netlink(fds[0])
                              ? group_find(permits, netns_of(fds[0]), kept->uid)
                              : NULL;

    return group && group_add_netlink(group, NULL, kept->serial, fds[0]);
}

bool permits_restore(struct permits *permits, const char *name, const int *fds, uint32_t count)
{
    struct kept_permit permit;
    struct kept_netlink netlink;

    if (keep_permit_parse(name, &permit))
        return restore_permit(permits, &permit, fds, count);
    return keep_netlink_parse(name, &netlink) && restore_netlink(permits, &netlink, fds, count);
}

void permits_drop_netlink(struct group *group)
{
    struct permit *from = group->netlinks[0].from;

    log_event(LOG_WARNING, "permit_dropped",
              "its netlink socket is of no use: answers are missing, late or an error",
              LOG_INT("uid", group->uid), LOG_INT("pid", from ? from->pid : 0));
    end_netlink(group, 0);
    group->netlink_count--;
    group->late = 0;
    memmove(group->netlinks, group->netlinks + 1,
            group->netlink_count * sizeof(group->netlinks[0]));
    if (from)
        permit_drop(from);
}

void permits_figures(const struct permits *permits, struct permits_figures *ret_figures)
{
    struct permits_figures f = {
        .permits = permits->count,
        .changes = permits->changes,
        .not_stored = permits->count > permits->stored ? permits->count - permits->stored : 0,
        .refused = permits->refused,
        .taken_away = permits->taken_away,
        .pinned = permits->ended_ones.pinned,
        .note_count = permits->quota.note_count};

    memcpy(f.notes, permits->quota.notes, sizeof(f.notes));
    memcpy(f.counts, permits->departed, sizeof(f.counts));
    for (const struct group *g = permits->groups; g; g = g->next) {
        f.groups++;
        f.without_netlink += !group_can_ask(g);
        for (const struct permit *p = g->first; p; p = p->next) {
            f.restored += p->connection < 0;
            tag_memory_add_counts(p->tags, f.counts);
        }
    }
    *ret_figures = f;
}

/* ---- begin and end ---- */

struct permits *permits_new(struct loop *loop, struct closer *closer, uint32_t max,
                            permits_gone_fn *gone, void *arg)
{
    struct permits *permits = calloc(1, sizeof(*permits));
    if (!permits)
        return NULL;
    permits->loop = loop;
    permits->closer = closer;
    permits->max = max < PERMITS_MAX ? max : PERMITS_MAX;
    permits->keeping =
        (struct keeping){.fd = -1, .again = loop_timer_new(loop, say_missed, permits)};
    permits->gone = gone;
    permits->arg = arg;
    if (ended_init(&permits->ended_ones, loop, permit_drop) && permits->keeping.again)
        return permits;
    permits_free(permits);
    return NULL;
}

void permits_free(struct permits *permits)
{
    if (!permits)
        return;
    while (permits->groups)
        permit_drop(permits->groups->first);
    ended_free(&permits->ended_ones);
    loop_timer_free(permits->keeping.again);
    free(permits->keeping.missed);
    free(permits);
}
