/* SPDX-License-Identifier: Apache-2.0
 *
 * persist.h - a cluster's verdict, generations and mode, to disk and back (W2); and which programs' permits were
 * lost with a homing-sever.
 *
 * A disk that fails does not stop a failover: the verdict is published all the same, and an alarm
 * says that a restart may begin with an older term.
 */
#ifndef HOMING_AGENT_DAEMON_PERSIST_H
#define HOMING_AGENT_DAEMON_PERSIST_H

#include "agent/daemon/shared.h"

/* Opens the state directory. If it cannot be used, the agent works all the same, but nothing
 * survives a restart. */
void persist_open(struct daemon *daemon);

/* Once a second: opens it again if it could not be opened, or if its name leads elsewhere. True: it is another one, in
 * which all is to be saved. */
bool persist_look(struct daemon *daemon);

/* If the saved state cannot be read, it counts as nothing saved, and that is logged. The caller
 * frees ret_saved->endpoints. */
void persist_load(struct cluster *cluster, struct state_cluster *ret_saved);

/* Saves, if anything that must survive differs from what is on disk; `force`: in any case.
 * -ESTALE: another agent saved something newer, which is to be merged first. Other -errno: it could
 * not be saved, and that was logged. */
int persist_save(struct cluster *cluster, bool force);

/* Notes that what is known now is on disk: it was just read from there. */
void persist_noted(struct cluster *cluster);

/* Whose permits were lost is known again from the first status on. */
void persist_load_missing(struct daemon *daemon);
/* `ends`: this agent looks no more, so that whose permits are held is saved, too. False: they could not be saved,
 * and that was logged when it began. */
bool persist_save_missing(struct daemon *daemon, bool ends);

#endif
