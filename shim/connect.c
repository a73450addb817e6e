/* SPDX-License-Identifier: Apache-2.0
 *
 * connect.c - takes over connect().
 *
 * Three ways, the shortest for the most frequent. To an address that was never looked up: on to the
 * real connect(), unless members' addresses matter by themselves. To one whose name is not managed:
 * the same, after a look at the view. To any other: where steer() says.
 */
#include "shim/libc/libc.h"
#include "shim/libc/next.h"
#include "shim/permit/marks.h"
#include "shim/steer/steer.h"

/* It has a name of its own, because the address' type in the declaration differs from libc to
 * libc. It begins a cache line: every connect of a program comes here, and most go on after a
 * cycle or two, one of which depends on where the code lies. */
__attribute__((visibility("default"), aligned(64))) int
connect_interposed(int fd, const struct sockaddr *address, socklen_t len) __asm__("connect");

/* Not inlined, because the shorter way needs none of its stack. */
__attribute__((noinline)) static int connect_seen(next_connect *real, int fd,
                                                  const struct sockaddr *address, socklen_t len)
{
    if (steer_pass_unmanaged(fd, address) || steer_pass_several(fd, address))
        return real(fd, address, len);
    return steer(real, fd, address, len);
}

/* For a descriptor that a tag was written for. With AF_UNSPEC a connect() ends what the socket was
 * connected to, or began to be. */
__attribute__((noinline, cold)) static void connect_marked(int fd, const struct sockaddr *address,
                                                           socklen_t len)
{
    if (len >= sizeof(address->sa_family) && steer_is_pointer(address) &&
        address->sa_family == AF_UNSPEC)
        marks_drop(fd);
    else
        marks_look(fd);
}

int connect_interposed(int fd, const struct sockaddr *address, socklen_t len)
{
    next_connect *real = (next_connect *)next_get(NEXT_CONNECT);

    if (!real)
        return libc_fail(ENOSYS);
    if (steer_may(address, len))
        return connect_seen(real, fd, address, len);
    if (steer_may_unseen() && steer_is_inet(address, len))
        return steer(real, fd, address, len);
    if (marks_has(fd))
        connect_marked(fd, address, len);
    return real(fd, address, len);
}
