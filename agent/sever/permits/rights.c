/* SPDX-License-Identifier: Apache-2.0
 *
 * rights.c - see rights.h.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/sever/permits/rights.h"

/* Room for the descriptors of a permit and no more: if more are sent, the kernel drops the rest and
 * says so (MSG_CTRUNC). */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(PERMIT_FD_COUNT * sizeof(int))];
};

_Static_assert(CMSG_SPACE(PERMIT_FD_COUNT * sizeof(int)) == CMSG_LEN(PERMIT_FD_COUNT * sizeof(int)),
               "no room for a third in the padding");

int rights_send(int fd, const void *data, size_t len, const int *fds, uint32_t count)
{
    union control control = {.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                                        .cmsg_level = SOL_SOCKET,
                                        .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)data, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (count) {
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t rights_receive(int fd, void *data, size_t size, int flags, struct rights *ret_rights)
{
    union control control;
    struct iovec iov = {data, size};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, flags | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -errno;
    *ret_rights = (struct rights){.truncated = m.msg_flags & MSG_CTRUNC};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        ret_rights->count = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(ret_rights->fds, CMSG_DATA(c), ret_rights->count * sizeof(int));
    }
    return n;
}

bool rights_pending(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};

    return poll(&at, 1, 0) > 0;
}
