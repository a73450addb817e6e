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
    struct inet_address *addresses; /* one host may come several times, with each port */
    uint32_t address_count;
    /* From here on they are left ones (W11), or those that the kernel lists in the place of a member's,
     * now or before: what is not tagged may be meant for who is there now. */
    uint32_t left_from;
    uint64_t meant; /* sever_target_untold() of these endpoints */
    uint64_t mark;  /* tells one target from another; 0: there is nothing to order */
};

/* W7: the demoted members' addresses and the left ones, but none that is also the writer's; those that
 * the kernel lists in their place, but none that is also another member's; the
 * same at the endpoints' other ports, but at no host that is also that of a member that is not
 * demoted; the cluster's writer endpoints in the mode that this kind of order belongs to, each with
 * its present generation. False: out of memory. */
bool sever_target_make(const struct cluster *cluster, enum sever_kind kind,
                       struct sever_target *ret_target);
void sever_target_done(struct sever_target *target);

/* Cookies of our own sockets that lead to one of these addresses, or that are listed so. */
uint32_t sever_target_own(const struct daemon *daemon, const struct inet_address *addresses,
                          uint32_t count, uint64_t *ret_cookies, uint32_t max);

/* The writer endpoints in mode `off` or `names`, as bits: programs do not tag what they connect for these
 * now. A bit may stand for several endpoints. */
uint64_t sever_target_untold(const struct cluster *cluster);
/* Notes it for this switch. When an endpoint has come to want tags since the last call, homing-sever is told. */
void sever_target_note_untold(struct cluster *cluster);

/* The other ports of the endpoints that this kind of order is about, each once, in rising order: the
 * first above `above`; 0: there is none. For SEVER_LIST they are those of all endpoints. */
uint16_t sever_target_port(const struct cluster *cluster, enum sever_kind kind, uint16_t above);

#endif
