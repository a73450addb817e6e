/* SPDX-License-Identifier: Apache-2.0
 *
 * orders.h - the operator's orders: the methods that change something. Each is logged, and all but
 * `reload` with the uid that gave it.
 */
#ifndef HOMING_AGENT_ADMIN_ORDERS_H
#define HOMING_AGENT_ADMIN_ORDERS_H

#include "agent/admin/call.h"

void orders_accept(struct call *call);
void orders_freeze(struct call *call);
void orders_unfreeze(struct call *call);
void orders_mode(struct call *call);
void orders_reload(struct call *call);

#endif
