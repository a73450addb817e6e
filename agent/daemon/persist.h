/* SPDX-License-Identifier: Apache-2.0
 *
 * persist.h - a cluster's verdict, generations and mode, to disk and back (W2).
 *
 * A disk that fails does not stop a failover: it is published all the same, an alarm says so, and a
 * restart may then start from an older term.
 */
#ifndef HOMING_AGENT_DAEMON_PERSIST_H
#define HOMING_AGENT_DAEMON_PERSIST_H

#include "agent/daemon/shared.h"

/* Opens the state directory. One that cannot be used costs memory across restarts,
 * not the service. */
void persist_open(struct daemon *daemon);

/* What cannot be read counts as nothing saved, and that is said. Free ret_saved->endpoints. */
void persist_load(struct cluster *cluster, struct state_cluster *ret_saved);

/* Saves, if anything that must survive differs from what is on disk; `force`: in any case.
 * -ESTALE: another agent saved something newer, which is to be merged first. Other -errno: it could
 * not be saved, which was said. */
int persist_save(struct cluster *cluster, bool force);

/* What is known now is what is on disk: it was just read from there. */
void persist_noted(struct cluster *cluster);

#endif
