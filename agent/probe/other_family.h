/* SPDX-License-Identifier: Apache-2.0
 *
 * other_family.h - the addresses of a member in the family over which it is not asked (`family: 4` or
 * `6`). Programs are given them, too: they may have a route to those alone.
 *
 * Called by probe.c. Nothing waits for them, and they make no member known or unknown.
 */
#ifndef HOMING_AGENT_PROBE_OTHER_FAMILY_H
#define HOMING_AGENT_PROBE_OTHER_FAMILY_H

#include "agent/base/address.h"
#include "agent/conf/conf.h"
#include "agent/probe/resolve.h"

struct other_family {
    uint8_t family;            /* 0: both families are asked over */
    struct resolve_host *host; /* NULL: that, or the member has no name, but an address */
    uint32_t count;
    struct inet_address at[HOMING_ADDRESSES_MAX];
    void (*changed)(void *arg);
    void *arg;
};

/* False: out of memory. `changed` is called from the loop. */
bool other_family_init(struct other_family *other, struct resolver *resolver, const char *name,
                       enum conf_family family, void (*changed)(void *arg), void *arg);
void other_family_done(struct other_family *other);

/* What was known before a reload: this family's stay here, and *ret has the others, as many as are
 * returned, HOMING_ADDRESSES_MAX at most. */
uint32_t other_family_split(struct other_family *other, const struct addresses *known,
                            struct inet_address *ret);

#endif
