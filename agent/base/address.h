/* SPDX-License-Identifier: Apache-2.0
 *
 * address.h - where a server is: one address, and all that its host resolves to.
 *
 * The probe finds them out, the daemon's table of members keeps them, publish and severing read
 * them there.
 */
#ifndef HOMING_AGENT_BASE_ADDRESS_H
#define HOMING_AGENT_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/limits.h"

struct address {
    uint8_t family;    /* 4 or 6; 0: none */
    uint8_t bytes[16]; /* network order; IPv4 in the first 4 bytes, rest 0 */
    uint16_t port;     /* host order */
    char text[48];     /* numeric, without port */
};

struct addresses {
    struct address at[HOMING_ADDRESSES_MAX]; /* all resolved ones that are allowed */
    uint32_t count;
    struct address connected; /* that a session stands on, or stood on last; family 0: none yet */
};

static inline bool address_same(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

static inline bool addresses_hold(const struct addresses *all, const struct address *one)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (address_same(&all->at[i], one))
            return true;
    return false;
}

#endif
