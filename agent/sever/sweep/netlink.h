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

#include "agent/sever/sweep/age.h"
#include "agent/sever/sweep/diag.h"

/* For one dump at most, or one datagram of aborts, in processor time. The kernel answers while it is
 * asked. It takes longer only if another process hinders it, or for a great many connections. */
#define NETLINK_DEADLINE_MS 50
/* Sockets in one datagram. Their acknowledgements fit into a receive buffer of the default size. */
#define NETLINK_DESTROY_MAX 50

/* False: it is enough, and `fn` is not called for the rest. */
typedef bool netlink_fn(void *arg, const struct diag_socket *socket);

/* Calls `fn` for every connection of one family to the addresses that is listed (diag.h). 0; -ETIME: the deadline, so that
 * some may not have been listed; -EPROTO: replies are missing, because another process reads them;
 * -EBADMSG; or the kernel's error. -EDEADLK: more is to be told than DIAG_TCP says, and a program keeps a connection
 * locked: `fd` is of no use any more. -ENOLCK: the same is known of before, and nothing was asked. A dump
 * that tells more than DIAG_TCP, for which `age` is needed, does not always run on the processor of its
 * caller: what is known of the cookies of that one is added to it. */
int netlink_dump(int fd, int family, enum diag_what what, const struct inet_address *at,
                 uint32_t count, struct age *age, netlink_fn *fn, void *arg);

/* A new netlink socket, if `fd` is of this process' own network namespace. -1: it is not, or none can be had. */
int netlink_beside(int fd);

/* Aborts sockets, NETLINK_DESTROY_MAX at most. ret_errors[i]: 0; -ENOENT: it had ended; -EPERM;
 * -EOPNOTSUPP; -ENODATA: no answer came; -EBUSY: its program has it locked, and it is aborted when that ends. */
void netlink_destroy(int fd, const struct diag_socket *sockets, uint32_t count, int *ret_errors);

#endif
