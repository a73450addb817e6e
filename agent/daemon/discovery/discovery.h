/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.h - members that servers name: between probe, roster and the cluster's object.
 *
 * One pass: an engine hands up rows, discovery_hear() keeps them, and discovery_note_report() lets
 * the roster take them if the answer that comes next is of this data set. If that changes who is a
 * member, daemon/reload.c exchanges the cluster's object for one with a configuration of its own:
 * the operator's, with other members. A cluster that discovers nothing has no struct discovery, and
 * all of this does nothing for it.
 *
 * 1. Where DNS says that a seed is, is never evidence, and no report of a seed reaches the decision
 *    (W1): only the rows of its answer count.
 */
#ifndef HOMING_AGENT_DAEMON_DISCOVERY_DISCOVERY_H
#define HOMING_AGENT_DAEMON_DISCOVERY_DISCOVERY_H

#include "agent/daemon/shared.h"

/* Gives the cluster its discovery and a configuration with the members that are known: from `old`,
 * the cluster's object until now, or else from disk. cluster->conf is the operator's before.
 * False: out of memory. */
bool discovery_init(struct cluster *cluster, const struct cluster *old);
void discovery_done(struct cluster *cluster);

/* The rows that came with an answer of `member`; its report comes next. */
void discovery_hear(struct cluster *cluster, uint32_t member, const struct topology *topology);
/* After the decision has seen it. */
void discovery_note_report(struct cluster *cluster, const struct report *report);

/* W4a: mask of the members that were green ones when they joined. */
uint32_t discovery_green(const struct cluster *cluster);

/* Once a second, and at the start: asks the seeds while nobody tells of the members. */
void discovery_look(struct cluster *cluster);

/* Another agent saved these: whoever is not a member yet becomes one. */
void discovery_merge(struct cluster *cluster, const struct state_cluster *saved);

/* Whether the cluster's object is to be exchanged, because its members are others by now.
 * *ret_after_ms: not sooner. */
bool discovery_is_due(const struct cluster *cluster, uint64_t *ret_after_ms);

#endif
