/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_endpoints.h - what plain DNS makes of the names of endpoints. Hints only. Pure; called by judge.c.
 */
#ifndef HOMING_AGENT_DOCTOR_JUDGE_ENDPOINTS_H
#define HOMING_AGENT_DOCTOR_JUDGE_ENDPOINTS_H

#include "agent/doctor/findings.h"
#include "agent/doctor/seen.h"

void judge_endpoints(struct findings *f, const struct seen_cluster *cluster);

#endif
