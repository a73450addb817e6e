/* SPDX-License-Identifier: Apache-2.0
 *
 * steer.h - takes one connect() to where it belongs.
 *
 * One pass: steer_may() and steer_pass_unmanaged() let most connects go at a glance, and
 * steer_pass_several() after a walk. For any other, steer() asks the view about each name that the process was given the address for (finding.h), and
 * decides (redirect.h). Then it renews the permit, waits for a writer if need be, writes the tag,
 * and connects: to the address asked for, or to another one.
 *
 * Async-signal-safe, as connect() is: no lock, no allocation. errno is kept. It waits for two
 * things only: for a writer if the socket is blocking (hold.h), and for the agent (attach.h). It
 * may be called on a signal handler's small stack: up to the real connect it takes 1 KB, and once
 * in a while, to ask the agent, to hand over, or to tell late, 2 KB.
 */
#ifndef HOMING_SHIM_STEER_STEER_H
#define HOMING_SHIM_STEER_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "shim/libc/next.h"
#include "shim/steer/assume.h"
#include "shim/view/attach.h"
#include "shim/view/seen.h"

static inline const void *steer_bytes(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return &((const struct sockaddr_in *)address)->sin_addr;
    return &((const struct sockaddr_in6 *)address)->sin6_addr;
}

/* No process has memory in the first 64 KiB, and none beyond these bits unless it asks for it by a
 * hint. arm64 ignores the upper byte of a pointer. */
#ifdef __aarch64__
#define STEER_POINTER(address) ((uintptr_t)(address) << 8 >> 8)
#define STEER_POINTER_BITS     48
#else
#define STEER_POINTER(address) ((uintptr_t)(address))
#define STEER_POINTER_BITS     47
#endif

/* Whether there may be something behind the pointer. For one that is surely bad a program is told
 * EFAULT by the real connect(), and is not killed here. Counted in 64 KiB, because then the bound
 * is short enough to stand in the instruction. */
static inline bool steer_is_pointer(const struct sockaddr *address)
{
    return (STEER_POINTER(address) >> 16) - 1 < (1ull << (STEER_POINTER_BITS - 16)) - 1;
}

/* Whether it is an IPv4 or IPv6 address. An IPv6 address may come without its last field. */
static inline bool steer_is_inet(const struct sockaddr *address, socklen_t len)
{
    if (len < sizeof(struct sockaddr_in) || !steer_is_pointer(address))
        return false;
    return address->sa_family == AF_INET ||
           (address->sa_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id));
}

/* False: the process was not given the address for any name. */
static inline bool steer_may(const struct sockaddr *address, socklen_t len)
{
    struct seen_address key;

    if (!steer_is_inet(address, len))
        return false;
    key = seen_address(address->sa_family, steer_bytes(address));
    return seen_may(&key);
}

/* Whether one that the process was given for no name may be a member's that matters. */
static inline bool steer_may_unseen(void)
{
    return assume_may() || attach_wants_permits();
}

/* For one that is to be connected to as asked: the socket's tag goes. If the address is that of a
 * member of a cluster in which untagged connections are severed, homing-sever is to have the permit.
 * errno is kept. */
void steer_pass(int fd, const struct sockaddr *address);

/* The same for one that may be steered, if the process was given it for a single name and the newest
 * view has nothing for that: it may be managed one day. If there is a newer view by now, the next
 * lookup finds out. False: it is not so, and nothing was done. */
bool steer_pass_unmanaged(int fd, const struct sockaddr *address);

/* The same for one that the process was given for several names. None of what steer() decides with is on
 * the stack. */
bool steer_pass_several(int fd, const struct sockaddr *address);

/* For an IPv4 or IPv6 address: `real`, the real connect(), to it or to another one, or a
 * failure with ECONNREFUSED. */
int steer(next_connect *real, int fd, const struct sockaddr *address, socklen_t len);

#endif
