/* SPDX-License-Identifier: Apache-2.0
 *
 * visit.h - one login to one address of a server, with one full question, within SEEN_SECONDS.
 */
#ifndef HOMING_AGENT_DOCTOR_VISIT_H
#define HOMING_AGENT_DOCTOR_VISIT_H

#include "agent/doctor/seen.h"

typedef void visit_fn(void *arg, struct seen_visit *visit);

/* Asks `server` of the cluster at into->address, and fills `into`, which is SEEN_RUNNING until then. Calls
 * `done` exactly once, from the loop, when the session is closed. False: out of memory, and nothing
 * happens. */
bool visit_begin(struct loop *loop, const struct engine *engine, const struct conf_cluster *cluster,
                 const struct conf_member *member, struct seen_visit *into, visit_fn *done,
                 void *arg);

#endif
