/* SPDX-License-Identifier: Apache-2.0
 *
 * desk.h - sever.sock: where homingd orders, asks and lists.
 *
 * MessagePack-RPC as on the other sockets: `version`, `status`, `connections`, `sever`. Only root
 * and our own uid can open it (0600), so its clients are few and trusted: they may idle, and stay
 * connected to learn at once when this process ends. The reply to `sever` comes when the last sweep
 * is done. Contract: PROTOCOL.md.
 */
#ifndef HOMING_AGENT_SEVER_DESK_H
#define HOMING_AGENT_SEVER_DESK_H

#include "agent/sever/intake.h"
#include "agent/sever/sweep.h"

/* Clients at once: an agent, its successor, a few people. */
#define DESK_CLIENTS_MAX 16

struct desk;

/* What there is to be told. All stay the caller's, and outlive the desk. */
struct desk_parts {
    struct loop *loop;
    struct permits *permits;
    struct intake *intake;
    struct sweeps *sweeps;
    uint64_t instance;
    int ability; /* of ability_prove() */
};

/* NULL: out of memory. */
struct desk *desk_new(const struct desk_parts *parts, int listening);
void desk_free(struct desk *desk);

/* How long nobody has been connected; 0: somebody is. */
uint64_t desk_idle_ms(const struct desk *desk);

#endif
