/* SPDX-License-Identifier: Apache-2.0
 *
 * permits.c - see permits.h.
 *
 * 1. On a permit's connection nothing is ever read. Its end, or any further byte, ends the permit.
 *    From Linux 6.16 on, no further descriptors can be sent into it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/permits.h"
#include "agent/sever/permits/tag_memory.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

struct permits {
    struct loop *loop;
    permits_gone_fn *gone;
    void *arg;
    struct group *groups;
    uint32_t count;
    uint32_t max;
    uint64_t refused;
    uint64_t departed[TAG_COUNT_COUNT]; /* counters of processes that are gone */
};

struct permits *permits_new(struct loop *loop, uint32_t max, permits_gone_fn *gone, void *arg)
{
    struct permits *permits = calloc(1, sizeof(*permits));
    if (!permits)
        return NULL;
    permits->loop = loop;
    permits->max = max < PERMITS_MAX ? max : PERMITS_MAX;
    permits->gone = gone;
    permits->arg = arg;
    return permits;
}

struct group *permits_first_group(const struct permits *permits)
{
    return permits->groups;
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
    struct group **at = &permits->groups;

    if (!group)
        return NULL;
    group->netns = netns;
    group->uid = uid;
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

static void group_free(struct permits *permits, struct group *group)
{
    struct group **at = &permits->groups;

    permits->gone(permits->arg, group);
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    for (uint32_t i = 0; i < group->netlink_count; i++)
        guard_close(group->netlinks[i].fd);
    free(group);
}

static void group_add_netlink(struct group *group, struct permit *from, int fd)
{
    if (group->netlink_count == GROUP_NETLINKS) {
        guard_close(fd);
        return;
    }
    group->netlinks[group->netlink_count].fd = fd;
    group->netlinks[group->netlink_count].from = from;
    group->netlink_count++;
}

/* ---- permits ---- */

static void permit_unlink(struct permit *permit)
{
    struct group *group = permit->group;
    struct permit **at = &group->first;

    while (*at != permit)
        at = &(*at)->next;
    *at = permit->next;
    group->count--;
    for (uint32_t i = 0; i < group->netlink_count; i++)
        if (group->netlinks[i].from == permit)
            group->netlinks[i].from = NULL;
}

static void permit_free(struct permit *permit)
{
    loop_io_free(permit->io);
    guard_close(permit->connection);
    guard_close(permit->tags);
    free(permit);
}

static void permit_drop(struct permit *permit)
{
    struct permits *permits = permit->permits;
    struct group *group = permit->group;

    tag_memory_add_counts(permit->tags, permits->departed);
    permit_unlink(permit);
    permit_free(permit);
    permits->count--;
    if (!group->first)
        group_free(permits, group);
}

static void permit_ended(void *arg, int events)
{
    (void)events;
    permit_drop(arg);
}

static void read_comm(pid_t pid, char ret_comm[16])
{
    char path[32];

    ret_comm[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    ssize_t n = read(fd, ret_comm, 15);
    close(fd);
    ret_comm[n > 0 ? n : 0] = '\0';
    ret_comm[strcspn(ret_comm, "\n")] = '\0';
}

static struct permit *permit_new(struct permits *permits, pid_t pid, uid_t uid, int connection,
                                 int tags)
{
    struct permit *permit = calloc(1, sizeof(*permit));
    int no = 0;

    if (!permit)
        return NULL;
    *permit = (struct permit){
        .permits = permits, .connection = connection, .tags = tags, .pid = pid, .uid = uid};
    permit->io = loop_io_new(permits->loop, connection, permit_ended, permit);
    if (!permit->io) {
        free(permit);
        return NULL;
    }
    (void)setsockopt(connection, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
    read_comm(pid, permit->comm);
    return permit;
}

static void permit_join(struct permit *permit, struct group *group)
{
    permit->group = group;
    permit->next = group->first;
    group->first = permit;
    group->count++;
    permit->permits->count++;
    loop_io_set(permit->io, LOOP_READ);
}

static bool within_quota(const struct permits *permits, uint64_t netns, uid_t uid)
{
    uint32_t of_netns = 0, of_uid = 0, of_group = 0;

    for (const struct group *g = permits->groups; g; g = g->next) {
        of_netns += netns && g->netns == netns ? g->count : 0;
        of_uid += g->uid == uid ? g->count : 0;
        of_group += netns && g->netns == netns && g->uid == uid ? g->count : 0;
    }
    return permits->count < permits->max && of_netns < PERMITS_PER_NETNS_MAX &&
           of_uid < PERMITS_PER_UID_MAX && of_group < PERMITS_PER_GROUP_MAX;
}

int permits_add(struct permits *permits, uint64_t netns, pid_t pid, uid_t uid, int connection,
                int netlink, int tags)
{
    bool fits = within_quota(permits, netns, uid);
    struct permit *permit = fits ? permit_new(permits, pid, uid, connection, tags) : NULL;
    struct group *group = permit ? group_of(permits, netns, uid) : NULL;

    if (group) {
        permit_join(permit, group);
        group_add_netlink(group, permit, netlink);
        return 0;
    }
    permits->refused += !fits;
    if (permit) {
        loop_io_free(permit->io);
        free(permit);
    }
    guard_close(connection);
    guard_close(netlink);
    guard_close(tags);
    return fits ? -ENOMEM : -EDQUOT;
}

void permits_drop_netlink(struct group *group)
{
    struct permit *from = group->netlinks[0].from;

    log_event(LOG_WARNING, "permit_dropped",
              "its netlink socket is of no use: answers are missing, late or an error",
              LOG_INT("uid", group->uid), LOG_INT("pid", from ? from->pid : 0));
    guard_close(group->netlinks[0].fd);
    group->netlink_count--;
    group->late = 0;
    memmove(group->netlinks, group->netlinks + 1,
            group->netlink_count * sizeof(group->netlinks[0]));
    if (from)
        permit_drop(from);
}

void permits_figures(const struct permits *permits, struct permits_figures *ret_figures)
{
    struct permits_figures f = {.permits = permits->count, .refused = permits->refused};

    memcpy(f.counts, permits->departed, sizeof(f.counts));
    for (const struct group *g = permits->groups; g; g = g->next) {
        f.groups++;
        f.without_netlink += g->netlink_count == 0;
        for (const struct permit *p = g->first; p; p = p->next)
            tag_memory_add_counts(p->tags, f.counts);
    }
    *ret_figures = f;
}

void permits_free(struct permits *permits)
{
    if (!permits)
        return;
    while (permits->groups)
        permit_drop(permits->groups->first);
    free(permits);
}
