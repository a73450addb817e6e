/* SPDX-License-Identifier: Apache-2.0
 *
 * no_destroy.c - preloaded into homing-sever by a test, makes the kernel one without
 * CONFIG_INET_DIAG_DESTROY: each order to abort a socket is sent as one about Unix sockets, which
 * no kernel aborts, and which it refuses with the same EOPNOTSUPP.
 */
#include <dlfcn.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#define REQUEST_MAX 65536

static void change_orders(char *request, size_t len)
{
    struct nlmsghdr head;

    for (size_t at = 0; at + sizeof(head) < len; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, request + at, sizeof(head));
        if (head.nlmsg_type == SOCK_DESTROY)
            request[at + NLMSG_HDRLEN + offsetof(struct inet_diag_req_v2, sdiag_family)] = AF_UNIX;
    }
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
               socklen_t to_len)
{
    static char request[REQUEST_MAX];
    ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
        (ssize_t(*)(int, const void *, size_t, int, const struct sockaddr *, socklen_t))dlsym(
            RTLD_NEXT, "sendto");

    if (!to || to->sa_family != AF_NETLINK || len > sizeof(request))
        return next(fd, data, len, flags, to, to_len);
    memcpy(request, data, len);
    change_orders(request, len);
    return next(fd, request, len, flags, to, to_len);
}
