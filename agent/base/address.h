/* SPDX-License-Identifier: Apache-2.0
 *
 * address.h - one address of a server, and all addresses that its host resolves to.
 *
 * The probe finds the addresses, the daemon's table of members keeps them, and publishing and
 * severing read them there.
 */
#ifndef HOMING_AGENT_BASE_ADDRESS_H
#define HOMING_AGENT_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/inet_address.h"
#include "proto/limits.h"

struct address {
    struct inet_address inet; /* family 0: none */
    char text[48];            /* numeric, without port */
};

struct addresses {
    struct address at[HOMING_ADDRESSES_MAX]; /* the resolved ones that are allowed */
    uint32_t count;
    struct address connected; /* the one that the probe's session uses, or used last */
    /* What the host's own name turned out to be when it was resolved: programs get it as canonical
     * name. "": it is not known, as for a literal. */
    char official[HOMING_NAME_MAX + 1];
};

/* Addresses that members have left (W11), and that are nobody's. */
struct left_addresses {
    struct address at[HOMING_LEFT_MAX];
    uint32_t count;
    uint32_t still; /* mask: the data set that was there answers there still */
};

static inline bool addresses_hold(const struct addresses *all, const struct inet_address *one)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (inet_address_same(&all->at[i].inet, one))
            return true;
    return false;
}

#endif
