/* SPDX-License-Identifier: Apache-2.0
 *
 * orders.h - sever.sock: where homingd orders, takes orders back, asks and lists.
 *
 * MessagePack-RPC as on the other sockets: `version`, `status`, `holders`, `published`, `sever`, `cancel`,
 * `connections`.
 * Only root and the uid of this process can open the socket (0600), so its clients are few and
 * trusted. They may idle, and stay connected to learn at once when this process ends. The reply to
 * `sever` comes when the last sweep is done. Contract: PROTOCOL.md.
 */
#ifndef HOMING_AGENT_SEVER_ORDERS_H
#define HOMING_AGENT_SEVER_ORDERS_H

#include "agent/sever/permits/handover.h"
#include "agent/sever/sweep/sweeps.h"

/* Clients at once: an agent, its successor, a few people. */
#define ORDERS_CLIENTS_MAX 16

struct orders;

/* What is ordered from, and told about. All stay the caller's, and outlive the orders. */
struct orders_parts {
    struct loop *loop;
    struct permits *permits;
    struct handover *handover;
    struct sweeps *sweeps;
    uint64_t instance;
    int ability;             /* of ability_prove() */
    const char *unreachable; /* why the sockets are not in place; "": they are */
};

/* The listening socket stays the caller's. NULL: out of memory. */
struct orders *orders_new(const struct orders_parts *parts, int listening);
void orders_free(struct orders *orders);

/* Another socket, which gets the old one's name (names_listener of agent/base/names.h). */
struct loop_io *orders_watch(void *orders, int fd);
void orders_move(void *orders, int fd, struct loop_io *io);

/* How long no client has been connected; 0: one is. */
uint64_t orders_idle_ms(const struct orders *orders);

#endif
