/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c - see handover.h. The message is in proto/permit.h.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/netlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/permit/handover.h"
#include "shim/view/process.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* The connection goes to this number or above: beyond the numbers that programs hand to their
 * children or take for granted, and below those that would make the kernel grow its table. */
#define HANDOVER_NUMBER 1000

static rlim_t handover_limit(int resource)
{
    struct rlimit64 limit = {.rlim_cur = RLIM64_INFINITY};

    syscall(SYS_prlimit64, 0, resource, NULL, &limit);
    return limit.rlim_cur;
}

static int handover_number(void)
{
    rlim_t limit = handover_limit(RLIMIT_NOFILE);

    if (limit < 8)
        return DESCRIPTOR_LOWEST;
    return limit > HANDOVER_NUMBER ? HANDOVER_NUMBER : (int)(limit * 3 / 4);
}

static int handover_connect(void)
{
    struct sockaddr_un address;
    int fd;

    if (!process_permit_socket(&address))
        return -1;
    fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fd = descriptor_lift(fd, handover_number());
    if (fd < 0 || syscall(SYS_connect, fd, &address, sizeof(address)) == 0)
        return fd;
    descriptor_close(fd);
    return -1;
}

static int handover_netlink(void)
{
    int fd = (int)syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    return descriptor_lift(fd, DESCRIPTOR_LOWEST);
}

/* A process that makes a file larger than its RLIMIT_FSIZE is killed (SIGXFSZ). */
static int handover_memory(void)
{
    int fd;

    if (handover_limit(RLIMIT_FSIZE) < sizeof(struct tag_memory))
        return -1;
    fd = (int)syscall(SYS_memfd_create, "homing-tags",
                      MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0) /* a kernel before 6.3 */
        fd = (int)syscall(SYS_memfd_create, "homing-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fd = descriptor_lift(fd, DESCRIPTOR_LOWEST);
    if (fd < 0 || (syscall(SYS_ftruncate, fd, sizeof(struct tag_memory)) == 0 &&
                   syscall(SYS_fcntl, fd, F_ADD_SEALS, PERMIT_TAG_SEALS) == 0))
        return fd;
    descriptor_close(fd);
    return -1;
}

static bool handover_send(int connection, const int fds[PERMIT_FD_COUNT])
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * PERMIT_FD_COUNT)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int) * PERMIT_FD_COUNT),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {(void *)permit_hello, sizeof(permit_hello)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    for (int i = 0; i < PERMIT_FD_COUNT; i++)
        ((int *)CMSG_DATA(&control.header))[i] = fds[i];
    return syscall(SYS_sendmsg, connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           sizeof(permit_hello);
}

/* The tags move before the memory is sent, so that homing-sever never finds it without its head. */
static bool handover_give(struct tags *tags, int connection)
{
    int fds[PERMIT_FD_COUNT];
    bool given = false;

    fds[PERMIT_FD_NETLINK] = handover_netlink();
    if (fds[PERMIT_FD_NETLINK] < 0)
        return false;
    fds[PERMIT_FD_TAGS] = handover_memory();
    if (fds[PERMIT_FD_TAGS] >= 0) {
        given = tags_move(tags, fds[PERMIT_FD_TAGS]) && handover_send(connection, fds);
        descriptor_close(fds[PERMIT_FD_TAGS]);
    }
    descriptor_close(fds[PERMIT_FD_NETLINK]);
    return given;
}

int handover(struct tags *tags)
{
    int connection = handover_connect();

    if (connection < 0 || handover_give(tags, connection))
        return connection;
    descriptor_close(connection);
    return -1;
}
