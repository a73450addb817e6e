/* SPDX-License-Identifier: Apache-2.0
 *
 * permits.h - the permits that are held: for each process its connection and its tags, for each
 * group its netlink sockets.
 *
 * A group is one uid in one network namespace. Its processes could end each other's connections by
 * other means, so one netlink socket serves all of them. A few more are kept as a reserve.
 *
 * A permit ends with its connection, which ends when the process does. A group ends with its last
 * permit, because its netlink sockets keep the namespace alive.
 *
 * Tags and netlink sockets are kept elsewhere, too (keep.h). A permit that is restored from there has no
 * connection: it ends with its process and all that this has forked, or when that hands over again.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_PERMITS_H
#define HOMING_AGENT_SEVER_PERMITS_PERMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/closer.h"
#include "agent/base/loop.h"
#include "agent/sever/permits/keep.h"
#include "agent/sever/permits/quota.h"
#include "agent/sever/permits/uids.h"
#include "proto/permit.h"

/* Processes at once: in all, which users share (quota.h), and of one group. Here a permit costs up to
 * three descriptors and about 200 bytes; at a switch, the tags that it wrote may be read, of 32 MiB
 * at most. */
#define PERMITS_MAX           16384
#define PERMITS_PER_GROUP_MAX 4096

/* Called before a group is freed. */
typedef void permits_gone_fn(void *arg, struct group *group);

/* At most `max` permits, and never more than PERMITS_MAX. `closer` closes their connections. NULL:
 * out of memory. */
struct permits *permits_new(struct loop *loop, struct closer *closer, uint32_t max,
                            permits_gone_fn *gone, void *arg);
void permits_free(struct permits *permits);

/* Who has handed it over. */
struct permit_from {
    uint64_t netns;
    pid_t pid;
    uid_t uid;
    struct uids uids;
};

/* Takes over the three descriptors, and closes them if it fails. If no more can be held, an earlier
 * permit of the same process ends, or else the oldest of whoever has the most. -EDQUOT: that is this one's user or group itself; -ENOMEM. */
int permits_add(struct permits *permits, const struct permit_from *from, int connection,
                int netlink, int tags);

/* The socket to where descriptors are kept (keep.h); -1: from now on, what is kept there stays as it is. */
void permits_set_keep(struct permits *permits, int keep);

/* Takes back what was kept under a name, after checks as of a stranger's. Those of netlink sockets come after
 * all permits. False: it is of no use, and the descriptors are the caller's. */
bool permits_restore(struct permits *permits, const char *name, const int *fds, uint32_t count);

/* How many permits the service manager has. */
void permits_set_stored(struct permits *permits, uint32_t stored);

/* Names all that would have to be kept now, while nobody keeps it, and ends each permit when it is named: so no more
 * descriptors are needed than before. */
void permits_leave(struct permits *permits, keep_fn *keep, void *arg);

/* The group's first netlink socket is of no use: it is closed, and the permit that brought it ends.
 * If that was the last one, the group is gone, too. */
void permits_drop_netlink(struct group *group);

/* NULL: there is none. The groups of one namespace follow each other. */
struct group *permits_first_group(const struct permits *permits);

/* How many permits have ended. While it is the same, every pointer to a permit holds. */
uint64_t permits_ended(const struct permits *permits);

struct permits_figures {
    uint32_t permits;
    uint64_t changes; /* grows with each that comes or ends */
    uint32_t groups;
    uint32_t restored;        /* permits without a connection */
    uint32_t not_stored;      /* the service manager does not have them */
    uint32_t without_netlink; /* groups whose sockets all failed, or hang */
    uint64_t refused;         /* by quota */
    uint64_t taken_away;      /* held, and dropped for another one's sake */
    uint64_t pinned;          /* dropped because of a memory that was held back (ended.h) */
    struct quota_note notes[QUOTA_NOTES];
    uint32_t note_count;
    uint64_t counts[TAG_COUNT_COUNT]; /* of all processes, also of those that are gone */
};
void permits_figures(const struct permits *permits, struct permits_figures *ret_figures);

#endif
