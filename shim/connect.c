/* SPDX-License-Identifier: Apache-2.0
 *
 * connect.c - takes over connect().
 */
#include "shim/libc.h"
#include "shim/next.h"
#include "shim/steer.h"

/* Under a name of its own: the address' type in libc's declaration differs from libc to libc. */
__attribute__((visibility("default"))) int
connect_interposed(int fd, const struct sockaddr *address, socklen_t len) __asm__("connect");

static int connect_fail(int error)
{
    int *at = __errno_location ? __errno_location() : NULL;

    if (at)
        *at = error;
    return -1;
}

/* Apart from those below, because of its stack. */
__attribute__((noinline)) static int connect_steered(next_connect *real, int fd,
                                                     const struct sockaddr *address, socklen_t len)
{
    struct steer_address to;
    int steered = steer(fd, address, len, &to);

    if (steered < 0)
        return connect_fail(-steered);
    return steered ? real(fd, &to.any, to.len) : real(fd, address, len);
}

/* Apart from connect(), of which peers that were never looked up need no more. */
__attribute__((noinline)) static int connect_known(next_connect *real, int fd,
                                                   const struct sockaddr *address, socklen_t len)
{
    if (!steer_is_vain(address))
        return connect_steered(real, fd, address, len);
    steer_let_go(fd, false);
    return real(fd, address, len);
}

int connect_interposed(int fd, const struct sockaddr *address, socklen_t len)
{
    next_connect *real = (next_connect *)next_get(NEXT_CONNECT);

    if (!real)
        return connect_fail(ENOSYS);
    if (steer_may(address, len))
        return connect_known(real, fd, address, len);
    steer_let_go(fd, steer_dissolves(address, len));
    return real(fd, address, len);
}
