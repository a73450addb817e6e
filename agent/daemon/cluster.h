/* SPDX-License-Identifier: Apache-2.0
 *
 * cluster.h - one cluster at work.
 *
 * One pass of a report, from the top of cluster.c to its end: the probe hands it over, the decision
 * judges it, and what that says is carried out. A changed verdict is counted (generations), saved
 * (W2), published, told; then severing is considered, and the probe asks as it is told to.
 */
#ifndef HOMING_AGENT_DAEMON_CLUSTER_H
#define HOMING_AGENT_DAEMON_CLUSTER_H

#include "agent/daemon/shared.h"

struct shared_conf *shared_conf_ref(struct shared_conf *held);
void shared_conf_unref(struct shared_conf *held); /* NULL is allowed */

/* Allocates, and makes its probe; nothing has an effect before _start or _inherit, so that a reload
 * can make all new ones first and drop them again. NULL: ENOMEM. */
struct cluster *cluster_new(struct daemon *daemon, struct shared_conf *held,
                            const struct conf_cluster *conf);
void cluster_free(struct cluster *cluster); /* NULL is allowed */

/* Reads the saved state and publishes it. */
void cluster_start(struct cluster *cluster);

/* The same cluster under a new configuration: takes over what `old` knows. */
void cluster_inherit(struct cluster *cluster, struct cluster *old);

/* The operator's word: EVENT_ACCEPT, EVENT_FREEZE, EVENT_UNFREEZE. */
enum refusal cluster_order(struct cluster *cluster, const struct event *event);
/* `homingctl mode`; 0: as configured. It holds at once, even if it cannot be saved. */
void cluster_set_mode(struct cluster *cluster, enum view_mode mode);

/* Counts and saves what changed, then publishes it (W2). */
void cluster_publish(struct cluster *cluster);

/* Whether every member had its say, or the writer did. */
bool cluster_ready(const struct cluster *cluster);

struct cluster *cluster_find(const struct daemon *daemon, const char *name);

#endif
