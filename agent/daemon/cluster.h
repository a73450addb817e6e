/* SPDX-License-Identifier: Apache-2.0
 *
 * cluster.h - one cluster at work.
 *
 * One pass of a report, in cluster.c: on_report() notes it in the table of members, handle() lets
 * the decision judge it, carry_out() does what that says. For a changed verdict, publish() counts
 * the generations, saves (W2), and writes the view; events.c tells of it. Then severing is
 * considered, and the probe gets its pace and which members to ask.
 */
#ifndef HOMING_AGENT_DAEMON_CLUSTER_H
#define HOMING_AGENT_DAEMON_CLUSTER_H

#include "agent/daemon/shared.h"

struct shared_conf *shared_conf_ref(struct shared_conf *held);
void shared_conf_unref(struct shared_conf *held); /* NULL is allowed */

/* `old`: its object until now, whose discovered members it has; NULL: there is none. Allocates a
 * cluster and its probe. Nothing has an effect before cluster_start() or
 * cluster_inherit(), so that a reload can make all new ones first, and drop them again. NULL:
 * ENOMEM. */
struct cluster *cluster_new(struct daemon *daemon, struct shared_conf *held,
                            const struct conf_cluster *conf, const struct cluster *old);
void cluster_free(struct cluster *cluster); /* NULL is allowed */

/* Reads the saved state and publishes it. */
void cluster_start(struct cluster *cluster);

/* The same cluster under a new configuration: takes over what `old` knows. */
void cluster_inherit(struct cluster *cluster, struct cluster *old);

/* The operator's orders: EVENT_ACCEPT, EVENT_FREEZE, EVENT_UNFREEZE. */
enum refusal cluster_order(struct cluster *cluster, const struct event *event);
/* `homingctl mode`; 0: as configured. It holds at once, even if it cannot be saved. */
void cluster_set_mode(struct cluster *cluster, enum view_mode mode);

/* Once a second: raises and clears warnings. */
void cluster_look(struct cluster *cluster);
/* Now and then: whether its password can still be read. */
void cluster_look_at_password(struct cluster *cluster);

/* Counts and saves what changed, then publishes it (W2). */
void cluster_publish(struct cluster *cluster);
/* The state directory is another one. What is there counts as another agent's, but an order that this one was given
 * stands. */
void cluster_save_anew(struct cluster *cluster);

/* Whether every member was heard once, or the writer answers. */
bool cluster_ready(const struct cluster *cluster);

struct cluster *cluster_find(const struct daemon *daemon, const char *name);

#endif
