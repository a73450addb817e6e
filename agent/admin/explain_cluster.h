/* SPDX-License-Identifier: Apache-2.0
 *
 * explain_cluster.h - the result of `explain`: a cluster as `status` has it, and what that means
 * for a name.
 */
#ifndef HOMING_AGENT_ADMIN_EXPLAIN_CLUSTER_H
#define HOMING_AGENT_ADMIN_EXPLAIN_CLUSTER_H

#include "agent/admin/call.h"

void explain_call(struct call *call);

/* The keys "addresses" and "ports": what programs get, the preferred family first. For a reader
 * endpoint these are the addresses of all readers. Then "other_ports", those of the endpoint. */
void explain_put_addresses(const struct daemon *daemon, const struct view_entry *entry,
                           struct msg_writer *w);

#endif
