/* SPDX-License-Identifier: Apache-2.0
 *
 * deputy.c - see deputy.h. First what runs in the deputy, then how it gets its work.
 *
 * 1. The two agree on who does a piece by one atomic number: what deputy_stop() has not counted, the deputy never does.
 *    One that hangs is killed besides, and so ends before it takes anything, whenever the kernel lets it.
 * 2. This process never waits for it without a bound, nor for a process that ends.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/process.h"
#include "agent/sever/deputy/deputy.h"

enum {
    TO_HOLDER = 3, /* its end of the connection */
    FDS = 2
};

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(FDS * sizeof(int))];
};

/* ---- in the deputy ---- */

int deputy_take(struct deputy_desk *desk)
{
    uint32_t at = atomic_fetch_add(&desk->taken, 1);

    return at < desk->count ? desk->pieces[at] : -1;
}

/* False: there is no more to do. */
static bool receive_work(int ret_fds[FDS])
{
    union control control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    while ((n = recvmsg(TO_HOLDER, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    ret_fds[0] = ret_fds[1] = -1;
    if (n == 1 && CMSG_FIRSTHDR(&m))
        memcpy(ret_fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), CMSG_FIRSTHDR(&m)->cmsg_len - CMSG_LEN(0));
    return n == 1;
}

static void serve(struct deputy_desk *desk)
{
    int fds[FDS];

    while (receive_work(fds)) {
        desk->answer = desk->fn(desk, fds[0], fds[1]);
        for (int i = 0; i < FDS; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        if (send(TO_HOLDER, "", 1, MSG_NOSIGNAL) != 1)
            return;
    }
}

/* It keeps nothing of what it inherits, because it may be there for long. */
static void become(int fd, int holder, struct deputy_desk *desk)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_NAME, "homing-deputy");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == holder && dup2(fd, TO_HOLDER) == TO_HOLDER &&
        syscall(SYS_close_range, TO_HOLDER + 1, ~0u, 0) == 0)
        serve(desk);
    _exit(0);
}

/* ---- begin and end ---- */

static void forget(struct deputy *d)
{
    if (d->fd > 0)
        close(d->fd);
    if (d->desk)
        munmap(d->desk, sizeof(*d->desk));
    d->fd = 0;
    d->desk = NULL;
}

/* With the memory that both see, and a connection. */
static int start(struct deputy *d, const int pair[2])
{
    int holder = getpid(), pid;

    pid = fork();
    if (pid == 0)
        become(pair[1], holder, d->desk);
    if (pid < 0)
        return -errno;
    d->pid = pid;
    return 0;
}

int deputy_start(struct deputy *d)
{
    int pair[2], rv;
    void *desk =
        mmap(NULL, sizeof(*d->desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    *d = (struct deputy){0};
    if (desk == MAP_FAILED)
        return -errno;
    d->desk = desk;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        rv = -errno;
    } else {
        d->fd = pair[0];
        rv = start(d, pair);
        close(pair[1]);
    }
    if (rv)
        forget(d);
    return rv;
}

void deputy_kill(struct deputy *d)
{
    (void)deputy_stop(d);
    kill(d->pid, SIGKILL);
    forget(d);
}

void deputy_leave(struct deputy *d)
{
    *d = (struct deputy){0};
}

bool deputy_is_gone(struct deputy *d)
{
    if (waitpid(d->pid, NULL, WNOHANG) == 0)
        return false;
    deputy_leave(d);
    return true;
}

void deputy_end(struct deputy *d, int wait_ms)
{
    struct pollfd ended = {.fd = process_open_child(d->pid), .events = POLLIN};

    deputy_kill(d);
    if (ended.fd < 0)
        return;
    poll(&ended, 1, wait_ms);
    close(ended.fd);
}

/* ---- its work ---- */

static size_t put_fds(union control *control, int fd, int second)
{
    int fds[FDS] = {fd, second};
    size_t size = (size_t)((fd >= 0) + (fd >= 0 && second >= 0)) * sizeof(int);

    control->header.cmsg_len = CMSG_LEN(size);
    control->header.cmsg_level = SOL_SOCKET;
    control->header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control->header), fds, size);
    return size ? CMSG_SPACE(size) : 0;
}

bool deputy_give(struct deputy *d, int fd, int second)
{
    union control control = {.space = ""};
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    d->waits_since_ms = 0;
    atomic_store(&d->desk->taken, 0);
    m.msg_controllen = put_fds(&control, fd, second);
    m.msg_control = m.msg_controllen ? &control : NULL;
    return sendmsg(d->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

uint64_t deputy_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Where /proc does not show it, nobody can tell, and what takes long counts as waiting. */
static enum deputy_state state_of(struct deputy *d)
{
    char state = process_state(d->pid);

    if (state != 'D' && state)
        d->waits_since_ms = 0;
    else if (!d->waits_since_ms)
        d->waits_since_ms = deputy_now_ms();
    return d->waits_since_ms ? DEPUTY_WAITS : DEPUTY_WORKS;
}

enum deputy_state deputy_look(struct deputy *d, int wait_ms)
{
    struct pollfd said = {.fd = d->fd, .events = POLLIN};
    char byte;

    poll(&said, 1, wait_ms);
    ssize_t n = recv(d->fd, &byte, 1, MSG_DONTWAIT);
    if (n == 1)
        return DEPUTY_DONE;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return state_of(d);
    return DEPUTY_ENDED;
}

uint32_t deputy_stop(struct deputy *d)
{
    uint32_t count = d->desk->count, taken = atomic_exchange(&d->desk->taken, UINT32_MAX / 2);

    return taken < count ? taken : count;
}
