/* SPDX-License-Identifier: Apache-2.0
 *
 * steer.h - takes one connect() to where it belongs.
 *
 * One pass: steer_may() and steer_is_unmanaged() let most connects go at a glance. For any other,
 * steer() asks the view about each name that the process was given the address for (finding.h), and
 * decides (redirect.h). Then it waits for a writer if need be, renews the permit and writes the
 * tag, and the caller connects: to the address asked for, or to another one.
 *
 * Async-signal-safe, as connect() is: no lock, no allocation. errno is kept. It waits for two
 * things only: for a writer if the socket is blocking (hold.h), and for the agent (attach.h).
 */
#ifndef HOMING_SHIM_STEER_STEER_H
#define HOMING_SHIM_STEER_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "shim/view/seen.h"

struct steer_address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
    socklen_t len;
};

static inline const void *steer_bytes(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return &((const struct sockaddr_in *)address)->sin_addr;
    return &((const struct sockaddr_in6 *)address)->sin6_addr;
}

/* False: the process was not given the address for any name. An IPv6 address may come without its
 * last field. */
static inline bool steer_may(const struct sockaddr *address, socklen_t len)
{
    struct seen_address key;

    if (!address || len < sizeof(struct sockaddr_in))
        return false;
    if (address->sa_family != AF_INET &&
        (address->sa_family != AF_INET6 || len < offsetof(struct sockaddr_in6, sin6_scope_id)))
        return false;
    key = seen_address(address->sa_family, steer_bytes(address));
    return seen_may(&key);
}

/* For an address that may be steered. True: the process was given it for a single name, and the
 * newest view has nothing for that name. If there is a newer view by now, the next lookup finds
 * out. */
bool steer_is_unmanaged(const struct sockaddr *address);

/* For an address that may be steered. 0: connect to it. 1: connect to *ret_to. Else a negative
 * errno: refuse with it. */
int steer(int fd, const struct sockaddr *address, socklen_t len, struct steer_address *ret_to);

#endif
