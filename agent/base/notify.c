/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.c - see notify.h. The protocol: one datagram of newline-separated assignments to the Unix
 * socket in $NOTIFY_SOCKET, which is a path, or '@' and an abstract name.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/notify.h"

static int address(const char *name, struct sockaddr_un *ret_at, socklen_t *ret_len)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len >= sizeof(ret_at->sun_path))
        return -EINVAL;
    *ret_at = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_at->sun_path, name, len);
    if (name[0] == '@')
        ret_at->sun_path[0] = '\0';
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

static ssize_t send_message(int fd, const struct sockaddr_un *at, socklen_t len, const char *lines,
                            const int *fds, uint32_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(char *)lines, strlen(lines)};
    struct msghdr m = {
        .msg_name = (void *)at, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1};

    if (count) {
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int notify_send_fds(const char *lines, const int *fds, uint32_t count)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at;
    socklen_t len;

    if (!name || !name[0])
        return 0;
    int rv = count > NOTIFY_FDS_MAX ? -EINVAL : address(name, &at, &len);
    if (rv)
        return rv;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (send_message(fd, &at, len, lines, fds, count) < 0)
        rv = -errno;
    close(fd);
    return rv;
}

int notify_send(const char *lines)
{
    return notify_send_fds(lines, NULL, 0);
}
