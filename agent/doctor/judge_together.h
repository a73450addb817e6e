/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_together.h - the members together: one data set, one writer, no server twice. Pure; called by judge.c.
 */
#ifndef HOMING_AGENT_DOCTOR_JUDGE_TOGETHER_H
#define HOMING_AGENT_DOCTOR_JUDGE_TOGETHER_H

#include "agent/doctor/findings.h"
#include "agent/doctor/seen.h"

void judge_together(struct findings *f, const struct seen_cluster *cluster);

#endif
