/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_target.h - the target of an order to sever: which connections it is about.
 */
#ifndef HOMING_AGENT_DAEMON_SEVER_TARGET_H
#define HOMING_AGENT_DAEMON_SEVER_TARGET_H

#include "agent/daemon/shared.h"

/* Connections to these addresses that were made for one of these endpoints. */
struct sever_target {
    enum sever_kind kind;
    struct sever_endpoint *endpoints;
    uint32_t endpoint_count;
    struct inet_address addresses[HOMING_MEMBERS_MAX * HOMING_ADDRESSES_MAX];
    uint32_t address_count;
    uint64_t mark; /* tells one target from another; 0: there is nothing to order */
};

/* W7: the demoted members' addresses, but none that is also the writer's; the cluster's writer
 * endpoints in the mode that this kind of order belongs to, each with its present generation.
 * False: out of memory. */
bool sever_target_make(const struct cluster *cluster, enum sever_kind kind,
                       struct sever_target *ret_target);
void sever_target_done(struct sever_target *target);

#endif
