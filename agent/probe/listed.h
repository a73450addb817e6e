/* SPDX-License-Identifier: Apache-2.0
 *
 * listed.h - where the kernel lists one of our own TCP connections as leading to.
 *
 * That is not always where it was to go. A BPF program of the control group may put another address in
 * the place of the one asked for while a connection is made, as Cilium's does instead of kube-proxy; and
 * getpeername() may still give the one asked for. homing-sever finds a program's connection by what the
 * kernel lists (W7), so the probe looks how its own connection to the same address is listed.
 *
 * NETLINK_SOCK_DIAG is asked, without waiting and without a privilege. First for the very socket, which
 * costs the kernel a look into a table. Only if that is not found where it should be, for all sockets
 * with its local port.
 */
#ifndef HOMING_AGENT_PROBE_LISTED_H
#define HOMING_AGENT_PROBE_LISTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/inet_address.h"

/* False: it is not listed, or the kernel cannot be asked. */
bool listed_peer(int fd, struct inet_address *ret);

/* What a datagram of the kernel's says. Pure. */
enum listed_found {
    LISTED_NOTHING, /* and more may follow */
    LISTED_SOCKET,  /* the one with this cookie: *ret is where it leads to */
    LISTED_END,     /* an error, or the last one; or it is no such datagram */
    LISTED_COUNT
};
enum listed_found listed_take(const uint8_t *bytes, size_t len, uint32_t seq, uint64_t cookie,
                              struct inet_address *ret);

#endif
