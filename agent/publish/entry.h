/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.h - from a verdict and the members' addresses to what the view says of an endpoint. Pure.
 *
 * Called by daemon/publish.c whenever a verdict or an address changed.
 */
#ifndef HOMING_AGENT_PUBLISH_ENTRY_H
#define HOMING_AGENT_PUBLISH_ENTRY_H

#include "agent/decide/writer.h"
#include "agent/probe/probe.h"
#include "proto/view_read.h"

/* A cluster's addresses in the view's order: the writer's, the demoted ones', the readers', then
 * those that are nothing at present. Where no reader serves, the writer does. Returns how many of
 * `ret`, which holds HOMING_VIEW_ADDRESSES_MAX. */
uint32_t answer_addresses(const struct verdict *verdict, const struct probe_member *members,
                          uint32_t count, struct view_address *ret);

/* Fills state, texts, preferred family and port of *ret_entry; leaves the rest alone. A writer
 * whose address is not known (yet) makes it VIEW_STATE_UNKNOWN: then a shim asks the real resolver,
 * or keeps the answer of an older view (V4). */
void answer_fill(const struct verdict *verdict, const struct probe_member *members,
                 struct view_entry *ret_entry);

/* Names an answer, so that the same answer keeps its generation; 0: there is none. A writer
 * endpoint's is the writer's address, a reader endpoint's the set of the readers'. */
uint64_t answer_hash(enum view_role role, const struct view_entry *entry,
                     const struct view_address *at, uint32_t count);

#endif
