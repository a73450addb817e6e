/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_server.h - each server by itself: its name, each of its addresses, what it says of itself.
 * Pure; called by judge.c.
 */
#ifndef HOMING_AGENT_DOCTOR_JUDGE_SERVER_H
#define HOMING_AGENT_DOCTOR_JUDGE_SERVER_H

#include "agent/doctor/findings.h"
#include "agent/doctor/seen.h"

void judge_server(struct findings *f, const struct seen_cluster *cluster,
                  const struct seen_server *server);

#endif
