/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.c - asks the agent for its view.
 *
 * 1. Only poll() waits, for what is left of the time: an agent that is stopped with a full backlog
 *    must not hang an application.
 * 2. Nothing that the peer sends is trusted. The reply has one form, and the descriptor is a sealed
 *    memfd of exactly the stated size; anything else counts as no reply.
 * 3. Every descriptor is closed before agent_ask() returns.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "proto/attach.h"
#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/view/agent.h"
#include "shim/view/process.h"

/* The largest view that is mapped. HOMING_CLUSTERS_MAX clusters with some names each stay far below
 * it. */
#define AGENT_VIEW_MAX ((uint64_t)4 << 30)

static int64_t agent_clock_ns(void)
{
    struct timespec now = {0};

    if (clock_gettime)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int agent_connect(void)
{
    struct sockaddr_un address;
    int fd, rv;

    if (!process_socket(&address))
        return -ENOENT;
    fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fd = descriptor_lift(fd, DESCRIPTOR_LOWEST);
    if (fd < 0)
        return -errno;
    if (syscall(SYS_connect, fd, &address, sizeof(address)) == 0 &&
        syscall(SYS_sendto, fd, attach_request, sizeof(attach_request), MSG_NOSIGNAL, NULL, 0) ==
            sizeof(attach_request))
        return fd;
    rv = errno == EAGAIN ? -EAGAIN : -ECONNREFUSED; /* EAGAIN: the backlog is full */
    descriptor_close(fd);
    return rv;
}

/* Waits until there is something to read, or the deadline has passed. Looks once in any case: if
 * the thread did not run for so long, its reply may be there. */
static bool agent_wait(int fd, int64_t deadline_ns)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int64_t left;
    int ready;

    do {
        left = deadline_ns - agent_clock_ns();
        ready = descriptor_poll(&readable, left > 0 ? (int)((left + 999999) / 1000000) : 0);
    } while (left > 0 && ready < 0 && errno == EINTR);
    return ready > 0;
}

/* The descriptor that came with a message, or -1. There is room for one; the kernel closes any more
 * that come. */
static int agent_received(const struct msghdr *message)
{
    const struct cmsghdr *control = message->msg_control;

    if (message->msg_controllen < CMSG_LEN(sizeof(int)) || control->cmsg_level != SOL_SOCKET ||
        control->cmsg_type != SCM_RIGHTS || control->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    return descriptor_lift(*(const int *)CMSG_DATA(control), DESCRIPTOR_LOWEST);
}

/* The reply was sent in one piece, and comes in one piece. Anything else counts as no reply. */
static int agent_receive(int fd, struct attach_reply *ret_reply)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_LEN(sizeof(int))];
    } control;
    uint8_t bytes[ATTACH_REPLY_SIZE + 1];
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control.bytes)};
    long len = syscall(SYS_recvmsg, fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int view_fd;

    if (len < 0)
        return -errno;
    view_fd = agent_received(&message);
    if (view_fd < 0)
        return attach_reply_is_busy(bytes, (size_t)len) ? -EAGAIN : -EPROTO;
    if (!(message.msg_flags & MSG_CTRUNC) && attach_reply_check(bytes, (size_t)len, ret_reply))
        return view_fd;
    descriptor_close(view_fd);
    return -EPROTO;
}

/* V2: sealed against shrinking, so that no read can fault, and exactly as large as stated. The
 * seals come first: only a memfd has them, and fstat() of some other files can hang. The size is not
 * asked for with lseek(): the file's position is shared with all processes that have this view, and
 * one of them could keep it locked. */
static bool agent_checked(int fd, const struct attach_reply *reply)
{
    struct stat status;
    long seals = syscall(SYS_fcntl, fd, F_GET_SEALS);

    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return false;
    return descriptor_stat(fd, &status) == 0 && status.st_size > 0 &&
           (uint64_t)status.st_size == reply->size && reply->size <= AGENT_VIEW_MAX;
}

/* In a process under mlockall() a view does not count as locked, and is not read from end to end
 * when it is mapped: one page of it is mapped, unlocked, and enlarged. */
static void *agent_map_unlocked(int fd, size_t size)
{
    const size_t page = 4096;
    void *first = (void *)syscall(SYS_mmap, NULL, page, PROT_READ, MAP_SHARED, fd, 0L), *all;

    if (first == MAP_FAILED)
        return MAP_FAILED;
    syscall(SYS_munlock, first, page);
    all = (void *)syscall(SYS_mremap, first, page, size, MREMAP_MAYMOVE);
    if (all == MAP_FAILED)
        syscall(SYS_munmap, first, page);
    return all;
}

static int agent_map(int fd, const struct attach_reply *reply, struct agent_view *ret_view)
{
    struct agent_view view = {.size = reply->size};

    if (!agent_checked(fd, reply))
        return -EPROTO;
    view.base = process_is_locked()
                    ? agent_map_unlocked(fd, view.size)
                    : (void *)syscall(SYS_mmap, NULL, view.size, PROT_READ, MAP_SHARED, fd, 0L);
    if (view.base == MAP_FAILED)
        return -ENOMEM;
    if (!view_map_check(view.base, view.size, &view.map) || view.map.instance != reply->instance) {
        agent_view_done(&view);
        return -EPROTO;
    }
    *ret_view = view;
    return 0;
}

int agent_ask(unsigned patience_ms, struct agent_view *ret_view)
{
    struct attach_reply reply = {0};
    int64_t deadline_ns;
    int fd, view_fd, rv;

    if (!syscall || !__errno_location)
        return -ENOSYS;
    fd = agent_connect();
    if (fd < 0)
        return fd;
    /* The clock starts only now. The agent, woken by connect(), may have taken this very processor;
     * if it was busy, the deadline would have passed before the request was sent. */
    deadline_ns = agent_clock_ns() + (int64_t)patience_ms * 1000000;
    view_fd = agent_wait(fd, deadline_ns) ? agent_receive(fd, &reply) : -ETIMEDOUT;
    descriptor_close(fd);
    if (view_fd < 0)
        return view_fd;
    rv = agent_map(view_fd, &reply, ret_view);
    descriptor_close(view_fd);
    return rv;
}

void agent_view_done(const struct agent_view *view)
{
    syscall(SYS_munmap, view->base, view->size);
}
