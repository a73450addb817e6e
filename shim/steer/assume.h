/* SPDX-License-Identifier: Apache-2.0
 *
 * assume.h - HOMING_ASSUME: endpoints that this process means by members' addresses that it was
 * given for no name, because another process looked them up, or a resolver that is not libc's.
 *
 * The variable has the endpoints' first names, with commas between them. steer.c asks for them when
 * the process connects to an address that it was given for no name.
 */
#ifndef HOMING_SHIM_STEER_ASSUME_H
#define HOMING_SHIM_STEER_ASSUME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/inet_address.h"

enum assume_state {
    ASSUME_UNREAD,
    ASSUME_NOTHING,
    ASSUME_SOMETHING
};
extern _Atomic uint8_t assume_state;

/* False: nothing is assumed. Found out at a glance. */
static inline bool assume_may(void)
{
    return atomic_load_explicit(&assume_state, memory_order_relaxed) != ASSUME_NOTHING;
}

/* The same for certain: reads the variable once. errno is kept. */
bool assume_is(void);

/* The hashes of the names, in their order: the first above `above`. False: there is none. */
bool assume_next(uint64_t above, uint64_t *ret_name);

/* Whether the address is this host's own, or that cannot be told. A program on a database host that
 * names its own server means it. May change errno. */
bool assume_is_own_host(const struct inet_address *address);

#endif
