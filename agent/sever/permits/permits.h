/* SPDX-License-Identifier: Apache-2.0
 *
 * permits.h - the permits that are held: for each process its connection and its tags, for each
 * group its netlink sockets.
 *
 * A group is one uid in one network namespace. Its processes could end each other's connections by
 * other means, so one netlink socket serves all of them. A few more are kept, in case the first is
 * of no use.
 *
 * A permit ends with its connection, which ends when the process does. A group ends with its last
 * permit, because its netlink sockets keep the namespace alive.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_PERMITS_H
#define HOMING_AGENT_SEVER_PERMITS_PERMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/loop.h"
#include "proto/permit.h"

/* Processes at once: in all, of one namespace, of one uid, of one group. Here a permit costs up to
 * three descriptors and about 200 bytes; at a switch, up to 2 MiB of tags are read for it. */
#define PERMITS_MAX           16384
#define PERMITS_PER_NETNS_MAX 8192
#define PERMITS_PER_UID_MAX   8192
#define PERMITS_PER_GROUP_MAX 4096
#define GROUP_NETLINKS        4

struct permits;
struct permit;

struct group {
    uint64_t netns; /* SO_NETNS_COOKIE; 0: not known, then each permit is a group of its own */
    uid_t uid;
    struct {
        int fd;
        struct permit *from; /* that brought it; NULL: that process is gone */
    } netlinks[GROUP_NETLINKS];
    uint32_t netlink_count;
    uint32_t late; /* dumps in a row that the first netlink socket did not finish in time */
    uint32_t count;
    uint64_t swept; /* number of the sweep that has been here */
    struct permit *first;
    struct group *next;
};

struct permit {
    struct permits *permits;
    struct group *group;
    struct permit *next; /* of the group */
    struct loop_io *io;
    int connection;
    int tags;
    pid_t pid; /* 0: of a pid namespace that we do not see */
    uid_t uid;
    char comm[16];
    uint64_t swept;
};

/* Called before a group is freed. */
typedef void permits_gone_fn(void *arg, struct group *group);

/* At most `max` permits, and never more than PERMITS_MAX. NULL: out of memory. */
struct permits *permits_new(struct loop *loop, uint32_t max, permits_gone_fn *gone, void *arg);
void permits_free(struct permits *permits);

/* Takes over the three descriptors, and closes them if it fails. -EDQUOT: a quota is reached;
 * -ENOMEM. */
int permits_add(struct permits *permits, uint64_t netns, pid_t pid, uid_t uid, int connection,
                int netlink, int tags);

/* The group's first netlink socket is of no use: it is closed, and the permit that brought it ends.
 * If that was the last one, the group is gone, too. */
void permits_drop_netlink(struct group *group);

/* NULL: there is none. The groups of one namespace follow each other. */
struct group *permits_first_group(const struct permits *permits);

struct permits_figures {
    uint32_t permits;
    uint32_t groups;
    uint32_t without_netlink;         /* groups that cannot be severed: all their sockets failed */
    uint64_t refused;                 /* by quota */
    uint64_t counts[TAG_COUNT_COUNT]; /* of all processes, also of those that are gone */
};
void permits_figures(const struct permits *permits, struct permits_figures *ret_figures);

#endif
