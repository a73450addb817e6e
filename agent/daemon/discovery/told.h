/* SPDX-License-Identifier: Apache-2.0
 *
 * told.h - W4a: which members a server means when it names green servers, and those of its own cluster.
 *
 * One pass: told_hear() keeps what the rows of an answer name; told_fill() puts it into the report
 * that comes next, and into each one until the member names others. Who may be a member is the
 * roster's to judge: here nobody becomes one.
 */
#ifndef HOMING_AGENT_DAEMON_DISCOVERY_TOLD_H
#define HOMING_AGENT_DAEMON_DISCOVERY_TOLD_H

#include "agent/daemon/shared.h"

void told_hear(struct cluster *cluster, uint32_t member, const struct topology *topology);
void told_fill(struct cluster *cluster, struct report *report);

#endif
