/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c - see handover.h. The message is in proto/permit.h.
 */
#include <linux/netlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/permit/handover.h"
#include "shim/view/process.h"

/* The connection goes to this number or above: beyond the numbers that programs hand to their
 * children or take for granted, and below those that would make the kernel grow its table. */
#define HANDOVER_NUMBER 1000

static int handover_number(void)
{
    uint64_t limit = process_limit(RLIMIT_NOFILE).rlim_cur;

    if (limit < 8)
        return DESCRIPTOR_LOWEST;
    return limit > HANDOVER_NUMBER ? HANDOVER_NUMBER : (int)(limit * 3 / 4);
}

static int handover_connect(void)
{
    struct sockaddr_un address;
    int fd, error;

    if (!process_permit_socket(&address))
        return -1;
    fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fd = descriptor_lift(fd, handover_number());
    if (fd < 0 || syscall(SYS_connect, fd, &address, sizeof(address)) == 0)
        return fd;
    error = libc_keep_errno().value;
    descriptor_close(fd);
    return error == EAGAIN ? HANDOVER_CROWDED : -1;
}

static int handover_netlink(void)
{
    int fd = (int)syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    return descriptor_lift(fd, DESCRIPTOR_LOWEST);
}

static bool handover_send(int connection, const int fds[PERMIT_FD_COUNT], uint32_t slots)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * PERMIT_FD_COUNT)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int) * PERMIT_FD_COUNT),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    uint8_t hello[PERMIT_HELLO_SIZE];
    struct iovec data = {hello, sizeof(hello)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    permit_hello_encode(&(struct permit_hello){.slots = slots}, hello);
    for (int i = 0; i < PERMIT_FD_COUNT; i++)
        ((int *)CMSG_DATA(&control.header))[i] = fds[i];
    return syscall(SYS_sendmsg, connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(hello);
}

/* The tags move before the memory is sent, so that homing-sever never finds it without its head. */
static bool handover_give(struct tags *tags, uint64_t claim, int connection)
{
    int fds[PERMIT_FD_COUNT];
    uint32_t slots;
    bool given = false;

    fds[PERMIT_FD_NETLINK] = handover_netlink();
    if (fds[PERMIT_FD_NETLINK] < 0)
        return false;
    fds[PERMIT_FD_TAGS] = tags_open(tags, &slots);
    if (fds[PERMIT_FD_TAGS] >= 0) {
        given = tags_move(tags, claim, fds[PERMIT_FD_TAGS], slots) && tags_claims(tags, claim) &&
                handover_send(connection, fds, slots);
        descriptor_close(fds[PERMIT_FD_TAGS]);
    }
    descriptor_close(fds[PERMIT_FD_NETLINK]);
    return given;
}

int handover(struct tags *tags, uint64_t claim)
{
    int connection = handover_connect();

    if (connection < 0 || handover_give(tags, claim, connection))
        return connection;
    descriptor_close(connection);
    return -1;
}
