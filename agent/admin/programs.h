/* SPDX-License-Identifier: Apache-2.0
 *
 * programs.h - what programs ask for: the view, and a name by hand.
 */
#ifndef HOMING_AGENT_ADMIN_PROGRAMS_H
#define HOMING_AGENT_ADMIN_PROGRAMS_H

#include "agent/admin/call.h"

void programs_attach(struct call *call);
void programs_resolve(struct call *call);

#endif
