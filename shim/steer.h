/* SPDX-License-Identifier: Apache-2.0
 *
 * steer.h - takes one connect() to where it belongs.
 *
 * One pass: an address that the process was not given for a name, or for one of which the view
 * knows nothing, goes straight on (one look into seen.h each); a tag that its socket has of a
 * connect that failed goes first. Else the view is asked about each of those names, and redirect.h
 * decides. A connect for a managed name renews the permit and is tagged; then it goes on, as it is
 * or to another address.
 *
 * Async-signal-safe as connect() is: no lock, no allocation, errno kept. It waits only for a writer
 * that is to come, when the socket is blocking.
 */
#ifndef HOMING_SHIM_STEER_H
#define HOMING_SHIM_STEER_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "proto/permit.h"
#include "shim/seen.h"

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

/* Whether a connect() may be one for a managed name, at a glance. An IPv6 address may come without
 * its last field. */
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

/* Of such: whether it is, as most are, to a peer of whose name the present view knows nothing.
 * Whether there is a newer view is not asked for it: at the next lookup it is. */
bool steer_is_vain(const struct sockaddr *address);

/* Whether a connect() ends what the socket was connected to, or began to be. */
static inline bool steer_dissolves(const struct sockaddr *address, socklen_t len)
{
    return address && len >= sizeof(address->sa_family) && address->sa_family == AF_UNSPEC;
}

/* A bit for each descriptor: a socket was tagged by this number since steer_leave() looked. */
extern _Atomic uint64_t steer_marks[TAG_SLOTS / 64];

static inline bool steer_is_marked(int fd)
{
    return (unsigned)fd < TAG_SLOTS &&
           atomic_load_explicit(&steer_marks[fd / 64], memory_order_relaxed) >> fd % 64 & 1;
}

/* If the socket was tagged for a connect() that failed since, the tag goes. `dissolved`: it goes in
 * any case. Keeps errno. */
__attribute__((cold)) void steer_leave(int fd, bool dissolved);

/* Before each connect() that is not for a managed name. */
static inline void steer_let_go(int fd, bool dissolved)
{
    if (steer_is_marked(fd))
        steer_leave(fd, dissolved);
}

/* 0: to be connected as asked for. 1: to *ret_to. Else negative errno: to be refused with it. */
int steer(int fd, const struct sockaddr *address, socklen_t len, struct steer_address *ret_to);

#endif
