/* SPDX-License-Identifier: Apache-2.0
 *
 * status.h - what is known: `version`, `status`, `history`, and `watch` for events as they come.
 */
#ifndef HOMING_AGENT_ADMIN_STATUS_H
#define HOMING_AGENT_ADMIN_STATUS_H

#include "agent/admin/call.h"

void status_version(struct call *call);
void status_call(struct call *call);
void status_history(struct call *call);
void status_watch(struct call *call);

/* One cluster as `status` has it. */
void status_put_cluster(const struct cluster *cluster, struct msg_writer *w);

/* "lost_pids" with the pids whose permits were lost. `for_certain`: only once there is the alarm, because a
 * homing-sever that hangs may have them still. */
void status_put_lost_pids(struct msg_writer *w, const struct daemon *daemon, bool for_certain);

#endif
