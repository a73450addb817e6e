/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_told.h - what servers say of each other, and who of those they name would be taken.
 * Pure; called by judge.c.
 */
#ifndef HOMING_AGENT_DOCTOR_JUDGE_TOLD_H
#define HOMING_AGENT_DOCTOR_JUDGE_TOLD_H

#include "agent/doctor/findings.h"
#include "agent/doctor/seen.h"

void judge_told(struct findings *f, const struct seen_cluster *cluster);

#endif
