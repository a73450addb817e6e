/* SPDX-License-Identifier: Apache-2.0
 *
 * receive.c - see receive.h.
 *
 * 1. The answer goes out before anything is closed: what hangs then is told by the next one's
 *    missing answer, and has cost this connection nothing.
 * 2. F_GET_SEALS before any other look at the second descriptor: it fails for what is no memory,
 *    without asking the file system, as fstat() would.
 * 3. Memory is read with pread(), never mapped: a page of it can be missing for ever.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/privilege.h"
#include "agent/sever/guard.h"
#include "agent/sever/receive.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* With room for these and no more, the kernel says so (MSG_CTRUNC) and drops the rest. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(PERMIT_FD_COUNT * sizeof(int))];
};

_Static_assert(CMSG_SPACE(PERMIT_FD_COUNT * sizeof(int)) == CMSG_LEN(PERMIT_FD_COUNT * sizeof(int)),
               "no room for a third in the padding");

const char *receive_result_name(enum receive_result result)
{
    static const char *const names[RECEIVE_RESULT_COUNT] = {
        [RECEIVE_PERMIT] = "a permit",
        [RECEIVE_NOTHING] = "it sent nothing",
        [RECEIVE_NO_HELLO] = "it does not begin like a permit of a version known here",
        [RECEIVE_TRUNCATED] = "too many descriptors",
        [RECEIVE_COUNT] = "too few descriptors",
        [RECEIVE_NETLINK] = "the first descriptor is not a NETLINK_SOCK_DIAG socket",
        [RECEIVE_SEALS] = "the second descriptor is not memory that is sealed against resizing",
        [RECEIVE_SIZE] = "the memory has another size than tags have",
        [RECEIVE_LAYOUT] = "the memory does not begin like tags of a version known here",
    };

    return (unsigned)result < RECEIVE_RESULT_COUNT ? names[result] : "?";
}

/* ---- checks ---- */

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -1 : value;
}

static bool is_netlink(int fd)
{
    int type = option_of(fd, SO_TYPE);

    return option_of(fd, SO_DOMAIN) == AF_NETLINK &&
           option_of(fd, SO_PROTOCOL) == NETLINK_SOCK_DIAG &&
           (type == SOCK_RAW || type == SOCK_DGRAM);
}

static uint64_t netns_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) ? 0 : cookie;
}

static enum receive_result check_tags(int fd)
{
    uint64_t head[3];
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & PERMIT_TAG_SEALS) != PERMIT_TAG_SEALS)
        return RECEIVE_SEALS;
    if (fstat(fd, &st) || st.st_size != sizeof(struct tag_memory))
        return RECEIVE_SIZE;
    if (pread(fd, head, sizeof(head), 0) != sizeof(head) || head[0] != TAG_MAGIC ||
        head[1] != TAG_VERSION || head[2] != TAG_SLOTS)
        return RECEIVE_LAYOUT;
    return RECEIVE_PERMIT;
}

static enum receive_result check_fds(const int *fds, uint32_t count)
{
    if (count != PERMIT_FD_COUNT)
        return RECEIVE_COUNT;
    return is_netlink(fds[PERMIT_FD_NETLINK]) ? check_tags(fds[PERMIT_FD_TAGS]) : RECEIVE_NETLINK;
}

/* ---- one message ---- */

/* Descriptors of a message of our own making's shape. */
static uint32_t take_fds(struct msghdr *m, int fds[PERMIT_FD_COUNT])
{
    uint32_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), count * sizeof(int));
    }
    return count;
}

static enum receive_result read_message(int connection, int fds[PERMIT_FD_COUNT],
                                        uint32_t *ret_count)
{
    uint8_t bytes[sizeof(permit_hello) + 1]; /* one more shows what is too long */
    union control control;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};

    guard_begin();
    ssize_t n = recvmsg(connection, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    guard_end();
    if (n < 0)
        return RECEIVE_NOTHING;
    *ret_count = take_fds(&m, fds);
    if (n == 0)
        return RECEIVE_NOTHING;
    if (m.msg_flags & MSG_CTRUNC)
        return RECEIVE_TRUNCATED;
    return n == sizeof(permit_hello) && memcmp(bytes, permit_hello, sizeof(permit_hello)) == 0
               ? RECEIVE_PERMIT
               : RECEIVE_NO_HELLO;
}

/* What came; the descriptors are there whatever the result. */
static uint32_t message(int connection, struct received *ret)
{
    uint32_t count = 0;

    ret->netns = 0;
    ret->result = read_message(connection, ret->fds, &count);
    if (ret->result == RECEIVE_PERMIT)
        ret->result = check_fds(ret->fds, count);
    if (ret->result == RECEIVE_PERMIT)
        ret->netns = netns_of(ret->fds[PERMIT_FD_NETLINK]);
    return count;
}

void receive_permit(int connection, struct received *ret_received)
{
    uint32_t count = message(connection, ret_received);

    if (ret_received->result == RECEIVE_PERMIT)
        return;
    while (count > 0)
        guard_close(ret_received->fds[--count]);
}

/* ---- between the two processes ---- */

static int send_with(int fd, const void *data, size_t len, const int *fds, uint32_t count)
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

static int with(int fd, void *data, size_t len, int *fds, uint32_t *ret_count)
{
    union control control;
    struct iovec iov = {data, len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -errno;
    *ret_count = take_fds(&m, fds);
    return (size_t)n == len ? 0 : -EPIPE;
}

int receive_ask(int fd, int connection)
{
    char byte = 0;
    return send_with(fd, &byte, sizeof(byte), &connection, 1);
}

int receive_answer(int fd, struct received *ret_received)
{
    struct received r;
    int fds[PERMIT_FD_COUNT];
    uint32_t count = 0;
    int error = with(fd, &r, sizeof(r), fds, &count);

    if (error == 0 && (r.result == RECEIVE_PERMIT) == (count == PERMIT_FD_COUNT)) {
        memcpy(r.fds, fds, sizeof(fds));
        *ret_received = r;
        return 0;
    }
    while (count > 0)
        close(fds[--count]);
    return error ? error : -EPROTO;
}

/* Its whole life: one connection after the other, until the other end is gone. */
static void serve(int fd)
{
    for (;;) {
        struct received r;
        int connection[PERMIT_FD_COUNT];
        uint32_t count = 0;
        char byte;

        int error = with(fd, &byte, sizeof(byte), connection, &count);
        if (error == -EINTR)
            continue;
        if (error || count != 1)
            return;
        count = message(connection[0], &r);
        bool good = r.result == RECEIVE_PERMIT;
        error = send_with(fd, &r, sizeof(r), r.fds, good ? PERMIT_FD_COUNT : 0);
        while (count > 0)
            guard_close(r.fds[--count]);
        close(connection[0]);
        if (error)
            return;
    }
}

/* Signals as they were before the loop came, no descriptor but this one. */
static void become(int fd)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "sever-receive");
    if (dup2(fd, 3) != 3 || syscall(SYS_close_range, 4, ~0u, 0) || privilege_keep(0))
        _exit(1);
    guard_init();
    serve(3);
    _exit(0);
}

int receive_start(int *ret_pid, int *ret_fd)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    int flags = fcntl(pair[0], F_GETFL);
    int pid = fcntl(pair[0], F_SETFL, flags | O_NONBLOCK) ? -1 : fork();
    if (pid == 0)
        become(pair[1]);
    int error = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -error;
    }
    *ret_pid = pid;
    *ret_fd = pair[0];
    return 0;
}
