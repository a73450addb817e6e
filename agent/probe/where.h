/* SPDX-License-Identifier: Apache-2.0
 *
 * where.h - the addresses of a member, from what its name resolved to.
 */
#ifndef HOMING_AGENT_PROBE_WHERE_H
#define HOMING_AGENT_PROBE_WHERE_H

#include "agent/base/address.h"
#include "agent/conf/conf.h"
#include "agent/probe/other_family.h"

/* `from`, with a port and as text. */
void address_make(struct address *to, const struct inet_address *from, uint16_t port);

/* Sets those that the cluster allows, as far as there is room. Returns their number. */
uint32_t where_set(struct addresses *where, const struct conf_cluster *cluster,
                   const struct inet_address *addresses, uint32_t count, uint16_t port);

/* The first `own` stay, and those of the other family come behind them; none if there are no own. */
void where_set_others(struct addresses *where, uint32_t own, const struct conf_cluster *cluster,
                      const struct other_family *other, uint16_t port);

/* Those behind the first `own`. */
void where_get_others(const struct addresses *where, uint32_t own, struct addresses *ret_others);

/* Which of the first `own` it is; `own`: none. */
uint32_t where_find(const struct addresses *where, uint32_t own, const struct address *address);

#endif
