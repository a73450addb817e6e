/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink.h - asks the kernel through a netlink socket that came with a permit. Called by sweep.c
 * and ability.c.
 *
 * The sender may have kept the socket, and read, fill or misuse it: nothing here waits, what does
 * not come from the kernel or was not asked for now is skipped, and after NETLINK_DEADLINE_MS it is
 * over. An error from here means that the socket is of no use.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_NETLINK_H
#define HOMING_AGENT_SEVER_SWEEP_NETLINK_H

#include "agent/sever/sweep/diag.h"

/* One dump, in processor time. The kernel answers while it is asked; longer takes only who is
 * hindered by somebody, or has a great many connections. */
#define NETLINK_DEADLINE_MS 50
/* Orders in one datagram: their acknowledgements fit into a default receive buffer. */
#define NETLINK_DESTROY_MAX 50

/* False: enough, the rest is not wanted. */
typedef bool netlink_fn(void *arg, const struct diag_socket *socket);

/* Calls `fn` for every connection of one family to the addresses. 0; -ETIME: the deadline,
 * what was listed so far is right, but not all; -EPROTO: replies are missing, somebody else reads
 * them; or the kernel's error. */
int netlink_dump(int fd, int family, const struct sever_address *at, uint32_t count, netlink_fn *fn,
                 void *arg);

/* Orders sockets aborted, NETLINK_DESTROY_MAX at most. ret_errors[i]: 0, -ENOENT: it had ended,
 * -EPERM, -EOPNOTSUPP; -ENODATA: no answer. */
void netlink_destroy(int fd, const struct diag_socket *sockets, uint32_t count, int *ret_errors);

#endif
