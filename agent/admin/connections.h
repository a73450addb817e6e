/* SPDX-License-Identifier: Apache-2.0
 *
 * connections.h - `connections`: which process is connected to which member.
 */
#ifndef HOMING_AGENT_ADMIN_CONNECTIONS_H
#define HOMING_AGENT_ADMIN_CONNECTIONS_H

#include "agent/admin/call.h"

/* The reply comes later: homing-sever is asked. */
void connections_call(struct call *call);

#endif
