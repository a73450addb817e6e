/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_orders.h - layer 3 in the agent: orders that outdated connections are severed, as soon as
 * W7 allows.
 *
 * One pass: a switch is published; sever_orders_switched() makes an order due, and
 * sever_orders_consider() sends it as soon as W7 allows it. homing-sever's reply goes into the
 * history's entry of that switch.
 */
#ifndef HOMING_AGENT_DAEMON_SEVER_ORDERS_H
#define HOMING_AGENT_DAEMON_SEVER_ORDERS_H

#include "agent/daemon/shared.h"

/* -ENOMEM. */
int sever_orders_open(struct daemon *daemon, const char *run_dir);
void sever_orders_close(struct daemon *daemon);

/* False: out of memory. */
bool sever_orders_init(struct cluster *cluster);
/* What an agent before this one has spared is looked for. */
void sever_orders_restore(struct cluster *cluster, const struct state_cluster *saved);
/* Orders of `old` that are under way end, and what is still right is ordered anew. */
void sever_orders_inherit(struct cluster *cluster, struct cluster *old);
void sever_orders_done(struct cluster *cluster);

/* Something that orders depend on may have changed. */
void sever_orders_note(struct cluster *cluster);

/* A switch was published. `began_ms`: when the report that decided it came in. */
void sever_orders_switched(struct cluster *cluster, uint64_t began_ms);

/* Orders what is due, if W7 allows it now. Cheap when nothing is. */
void sever_orders_consider(struct cluster *cluster);

#endif
