/* SPDX-License-Identifier: Apache-2.0
 *
 * keep.h - the holder's end of where descriptors are kept that must outlive it: the supervisor, and from
 * there the service manager (agent/sever/kept.h).
 *
 * Descriptors are kept under a name that says whose they are. The message is the one that a service manager
 * takes (sd_pid_notify_with_fds(3)): the supervisor passes it on as it is.
 *
 * Only tag memories, netlink sockets and pidfds are kept, each checked before. A permit's connection is not:
 * other descriptors may lie in it, and whoever closes the last copy of it may wait for them for ever.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_KEEP_H
#define HOMING_AGENT_SEVER_PERMITS_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/sever/permits/held.h"
#include "agent/sever/permits/rights.h"
#include "agent/sever/permits/uids.h"

/* With its NUL. A service manager takes 255 characters. */
#define KEEP_NAME_SIZE 128
#define KEEP_FDS       2
_Static_assert(KEEP_FDS <= PERMIT_FD_COUNT, "they fit into one message of rights.h");

#define KEEP_STORE   "FDSTORE=1\nFDPOLL=0\nFDNAME="
#define KEEP_REMOVE  "FDSTOREREMOVE=1\nFDNAME="
#define KEEP_MESSAGE (sizeof(KEEP_STORE) + KEEP_NAME_SIZE)

/* What a name says. */
struct kept_permit {
    uint64_t serial; /* no two are the same */
    uint64_t netns;
    uid_t uid;
    pid_t pid;
    uint64_t started;
    struct uids uids;
};
void keep_permit_name(const struct kept_permit *permit, char ret_name[KEEP_NAME_SIZE]);
bool keep_permit_parse(const char *name, struct kept_permit *ret_permit);

struct kept_netlink {
    uint64_t serial;
    uid_t uid; /* of the group that it serves */
};
void keep_netlink_name(const struct kept_netlink *netlink, char ret_name[KEEP_NAME_SIZE]);
bool keep_netlink_parse(const char *name, struct kept_netlink *ret_netlink);

/* Over the socket to the supervisor; below 0: nothing is kept. The descriptors stay the caller's. False: it was not
 * said. */
bool keep_put(int keep, const char *name, const int *fds, uint32_t count);
bool keep_remove(int keep, const char *name);

/* Where the holder gives them. What is not taken is said again after a pause, by keep_missed(). */
struct keeping {
    int fd; /* the socket to the supervisor; -1: nothing is kept, and what is kept stays as it is */
    struct loop_timer *again; /* the end of the pause */
    bool paused;
    char (*missed)[KEEP_NAME_SIZE]; /* what is to be let go */
    uint32_t missed_count;
    uint32_t missed_size;
};

/* A group's netlink socket comes and goes; likewise a permit, whose pidfd is closed then. */
void keep_netlink(struct group *group, uint32_t i);
void keep_netlink_end(const struct group *group, uint32_t i);
void keep_permit(struct permit *permit);
void keep_permit_end(const struct permit *permit);

/* After a pause: what was to be let go, and then for each group what is not kept. */
void keep_missed_ends(struct keeping *keeping);
void keep_missed(struct group *group);

/* Name what would have to be kept now; the descriptors stay ours. */
typedef void keep_fn(void *arg, const char *name, const int *fds, uint32_t count);
void keep_again_netlinks(const struct group *group, keep_fn *keep, void *arg);
void keep_again_permit(const struct permit *permit, keep_fn *keep, void *arg);

#endif
