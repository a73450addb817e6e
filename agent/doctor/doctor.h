/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.h - `homingd --doctor`: logs in to every server of a configuration once, and says what an
 * operator has to mend.
 *
 * A process of its own: it reads the configuration, asks, writes lines, and nothing else. It needs no
 * directory, no agent and no privilege, and disturbs none that is there.
 */
#ifndef HOMING_AGENT_DOCTOR_DOCTOR_H
#define HOMING_AGENT_DOCTOR_DOCTOR_H

#include "agent/conf/conf.h"
#include "agent/probe/engine.h"

/* Writes a block for each cluster to `out`, in their order, each as soon as it is complete, and the
 * summary. Returns the number of problems, or negative errno. */
int64_t doctor_run(const struct conf *conf, const struct engine *const *engines, FILE *out);

#endif
