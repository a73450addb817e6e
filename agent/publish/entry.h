/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.h - from a verdict and the members' addresses to what the view says of an endpoint. Pure.
 *
 * Called by publication.c whenever a verdict or an address changed.
 */
#ifndef HOMING_AGENT_PUBLISH_ENTRY_H
#define HOMING_AGENT_PUBLISH_ENTRY_H

#include "agent/base/address.h"
#include "agent/decide/verdict.h"
#include "proto/view_read.h"

/* A cluster's addresses in the view's order: the writer's, the demoted ones', the readers', then
 * those that are nothing at present. Where no reader serves, the writer does. `members`: where each
 * of `count` members is. Returns how many of `ret`, which holds HOMING_VIEW_ADDRESSES_MAX. */
uint32_t entry_addresses(const struct verdict *verdict, const struct addresses *const *members,
                         uint32_t count, struct view_address *ret);

/* Fills state, texts, preferred family and port of *ret_entry; leaves the rest alone. A writer
 * whose address is not known (yet) makes it VIEW_STATE_UNKNOWN: then a shim asks the real resolver,
 * or keeps the entry of an older view (V4). */
void entry_fill(const struct verdict *verdict, const struct addresses *const *members,
                struct view_entry *ret_entry);

/* Tells whether lookups get something else than before, which is a new generation; 0: they get
 * nothing. Of a writer endpoint it stands for the writer's address, of a reader endpoint for the
 * set of the readers'. */
uint64_t entry_fingerprint(enum view_role role, const struct view_entry *entry,
                           const struct view_address *at, uint32_t count);

#endif
