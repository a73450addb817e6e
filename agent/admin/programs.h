/* SPDX-License-Identifier: Apache-2.0
 *
 * programs.h - the methods of agent.sock, for programs: `attach` (the view) and `resolve` (one
 * name).
 */
#ifndef HOMING_AGENT_ADMIN_PROGRAMS_H
#define HOMING_AGENT_ADMIN_PROGRAMS_H

#include "agent/admin/call.h"

void programs_attach(struct call *call);
void programs_resolve(struct call *call);

#endif
