/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.h - one name to its addresses, once, within SEEN_SECONDS.
 */
#ifndef HOMING_AGENT_DOCTOR_LOOKUP_H
#define HOMING_AGENT_DOCTOR_LOOKUP_H

#include "agent/doctor/seen.h"
#include "agent/probe/resolve.h"

typedef void lookup_fn(void *arg, struct seen_name *name);

/* Looks up into->name, and fills `into`, which is SEEN_RUNNING until then. Calls `done` exactly once, from
 * the loop, when nothing of the lookup is left. False: out of memory, and nothing happens. */
bool lookup_begin(struct loop *loop, struct resolver *resolver, enum conf_family family,
                  struct seen_name *into, lookup_fn *done, void *arg);

#endif
