/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.h - what was seen of a cluster becomes findings. Pure, but for the stream that findings.h
 * writes to.
 */
#ifndef HOMING_AGENT_DOCTOR_JUDGE_H
#define HOMING_AGENT_DOCTOR_JUDGE_H

#include "agent/doctor/findings.h"
#include "agent/doctor/seen.h"

/* The whole block of a cluster of which everything has ended. */
void judge_cluster(struct findings *f, const struct seen_cluster *cluster);

#endif
