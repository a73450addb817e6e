/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.h - makes an endpoint's entry in the view of a verdict and the members' addresses. Pure.
 *
 * Called by publication.c whenever a verdict or an address changed.
 */
#ifndef HOMING_AGENT_PUBLISH_ENTRY_H
#define HOMING_AGENT_PUBLISH_ENTRY_H

#include "agent/base/address.h"
#include "agent/decide/verdict.h"
#include "proto/view_read.h"

/* A cluster's addresses in the view's order: the writer's, the left ones, which are nobody's and
 * demoted (W11), the demoted members', the readers', then all others. If no reader serves, the
 * writer does. `members`: the addresses of each of the `count` members. Returns how many of `ret`
 * are filled, which has HOMING_VIEW_ADDRESSES_MAX. */
uint32_t entry_addresses(const struct verdict *verdict, const struct addresses *const *members,
                         uint32_t count, const struct left_addresses *left,
                         struct view_address *ret);

/* Fills state, texts, preferred family and port of *ret_entry; leaves the rest alone. If no address
 * of the writer is known (yet), the state is VIEW_STATE_UNKNOWN: then a shim asks the real
 * resolver, or keeps the entry of an older view (V4). */
void entry_fill(const struct verdict *verdict, const struct addresses *const *members,
                struct view_entry *ret_entry);

/* Stands for what lookups of an endpoint get: the writer's addresses, or all readers' addresses. If
 * it differs from the one before, that is a new generation. 0: lookups get nothing. */
uint64_t entry_fingerprint(enum view_role role, const struct view_entry *entry,
                           const struct view_address *at, uint32_t count);

#endif
