/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink.h - asks the kernel through a netlink socket that came with a permit. Called by sweep.c
 * and ability.c.
 *
 * The program that sent it may have kept a copy, and may read from it or fill it. So nothing here
 * waits; a message that is not from the kernel, or does not belong to this request, is skipped; and
 * after NETLINK_DEADLINE_MS it is over. If a dump fails, the socket is of no use, but for -ETIME.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_NETLINK_H
#define HOMING_AGENT_SEVER_SWEEP_NETLINK_H

#include "agent/sever/deputy/deputies.h"
#include "agent/sever/permits/held.h"
#include "agent/sever/sweep/age.h"
#include "agent/sever/sweep/diag.h"

/* For one dump at most, or one datagram of aborts, in processor time. The kernel answers while it is
 * asked. It takes longer only if another process hinders it, or for a great many connections. */
#define NETLINK_DEADLINE_MS 50
/* Sockets in one datagram. Their acknowledgements fit into a receive buffer of the default size. */
#define NETLINK_DESTROY_MAX 50

/* False: it is enough, and `fn` is not called for the rest. */
typedef bool netlink_fn(void *arg, const struct diag_socket *socket);

/* Who asks in place of this process where the kernel may wait for a lock that a program has. */
struct netlink_deputies {
    struct deputies aborting;
    struct deputies listing;
};

void netlink_deputies_init(struct netlink_deputies *deputies);
/* No order is under way. */
void netlink_deputies_rest(struct netlink_deputies *deputies);
void netlink_deputies_done(struct netlink_deputies *deputies);

/* What is to be listed. */
struct netlink_list {
    int fd;
    uint32_t uid; /* for whom: it is charged to him, in this network namespace, if it hangs */
    int family;
    enum diag_what what;
    const struct inet_address *at;
    uint32_t count;
    struct age *age;     /* is needed for more than DIAG_TCP */
    uint64_t ret_ticket; /* with -EDEADLK: of the deputy that hangs with `fd` */
};

/* Calls `fn` for every connection of one family to the addresses that is listed (diag.h). 0; -ETIME: the deadline, so that
 * some may not have been listed; -EPROTO: replies are missing, because another process reads them;
 * -EBADMSG; or the kernel's error. -EDEADLK: more is to be told than DIAG_TCP says, and a program keeps a connection
 * locked: `fd` is of no use until the deputy is back. -ENOLCK: the same is known of before, and nothing was asked. A dump
 * that tells more than DIAG_TCP does not always run on the processor of its caller: what is known of the cookies of that
 * one is added to `age`. deputies NULL: this process itself asks. */
int netlink_dump(struct netlink_deputies *deputies, struct netlink_list *list, netlink_fn *fn,
                 void *arg);

/* A new netlink socket, if `fd` is of this process' own network namespace. -1: it is not, or none can be had. */
int netlink_beside(int fd);

/* Aborts sockets, NETLINK_DESTROY_MAX at most. pids: who has tagged each, or 0; NULL: nobody has. ret_errors[i]: 0;
 * -ENOENT: it had ended; -EPERM; -EOPNOTSUPP; -ENODATA: no answer came; -EBUSY: its program has it locked, and it is
 * aborted when that ends, or its user has as many others locked as he may, and it was not tried. */
void netlink_destroy(struct netlink_deputies *deputies, int fd, const struct diag_socket *sockets,
                     const int *pids, uint32_t count, int *ret_errors);

/* The group whose first netlink socket is to be asked for this group: itself, if none of the deputies hangs with each of
 * its sockets, or else another one of its network namespace, of `groups`. NULL: there is none. */
struct group *netlink_group(struct netlink_deputies *deputies, struct group *groups,
                            struct group *group);

#endif
