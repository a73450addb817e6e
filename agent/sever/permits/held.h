/* SPDX-License-Identifier: Apache-2.0
 *
 * held.h - what a permit and a group of permits look like (permits.h).
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_HELD_H
#define HOMING_AGENT_SEVER_PERMITS_HELD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/loop.h"
#include "agent/base/process.h"
#include "agent/sever/permits/quota.h"
#include "agent/sever/permits/uids.h"

#define GROUP_NETLINKS 4

struct keeping;
struct permits;
struct permit;

struct group_netlink {
    int fd;
    bool ours;           /* it lists users with the numbers of this process */
    struct permit *from; /* that brought it; NULL: that process is gone, or it is restored */
    uint64_t serial;     /* under which it is kept; 0: it is not */
    uint64_t ticket;     /* of the deputy that hangs with it (deputies.h); 0: none */
};

struct group {
    struct keeping *keeping; /* keep.h */
    uint64_t netns; /* SO_NETNS_COOKIE; 0: not known, then each permit is a group of its own */
    uid_t uid;
    struct quota_user *user;
    struct group_netlink netlinks[GROUP_NETLINKS];
    uint32_t netlink_count;
    uint32_t late; /* dumps in a row that the first netlink socket did not finish in time */
    uint32_t count;
    struct permit *first; /* the newest */
    struct group *next;
};

/* The first one that can be asked comes first. False: there is none. */
static inline bool group_can_ask(const struct group *group)
{
    return group->netlink_count && !group->netlinks[0].ticket;
}

struct permit {
    struct permits *permits;
    struct group *group;
    struct permit *next; /* of the group */
    uint64_t number;     /* from 1; no other permit of this homing-sever has it, or had it */
    struct loop_io *io;
    int connection; /* -1: restored */
    int process;    /* pidfd of a restored one; -1 otherwise, once it is kept */
    int tags;
    uint64_t serial; /* under which it is kept; 0: it is not */
    bool ended;      /* restored, and its process has ended: it is in line (ended.h) */
    struct permit *ended_before;
    struct permit *ended_after;
    struct permit *process_before; /* of the chain in processes.h */
    uint64_t look_ms;              /* when it is due there */
    uint64_t process_id;           /* of the process, by its pidfd; 0: not known */
    pid_t pid;                     /* 0: of a pid namespace that we do not see */
    uint64_t started;              /* with the pid it tells processes apart; 0: not seen */
    uid_t uid;
    struct uids uids;
    char comm[PROCESS_NAME_SIZE];
    uint64_t swept; /* where its tags were read last: judging.c */
};

#endif
