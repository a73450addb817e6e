/* SPDX-License-Identifier: Apache-2.0
 *
 * stranger.c - see stranger.h.
 *
 * 1. A look (MSG_PEEK) without room for descriptors says whether there are any (MSG_CTRUNC), and
 *    leaves them in the queue: what the kernel closes then is a second reference. A look never goes
 *    past a descriptor without saying so. So as many bytes as it saw can be taken.
 * 2. A byte that was sent out of band (MSG_OOB) is skipped by a look, and dropped by recv() together
 *    with its descriptors. SO_OOBINLINE makes it a byte like the others.
 */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>

#include "agent/base/stranger.h"

/* Of <asm-generic/socket.h> since Linux 6.16. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

void stranger_refuse(int fd)
{
    int no = 0;

    (void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

void stranger_prepare(int fd)
{
    int yes = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &yes, sizeof(yes));
}

uint64_t netns_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) ? 0 : cookie;
}

ssize_t stranger_receive(int fd, void *data, size_t size)
{
    struct iovec iov = {data, size};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0 && (m.msg_flags & MSG_CTRUNC))
        return -EBADMSG;
    if (n > 0)
        n = recv(fd, data, (size_t)n, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}
