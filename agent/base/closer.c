/* SPDX-License-Identifier: Apache-2.0
 *
 * closer.c - see closer.h. First what runs in the child process, then how it gets the sockets.
 *
 * 1. A socket is closed here only after the child has it, and the child ends only after this
 *    process has closed its end of their connection. So the child is always the last.
 */
#include "config.h"

#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/closer.h"
#include "agent/base/log.h"

enum {
    /* How long the first child gathers. Twice as long for each that has not ended: who sends in a
     * loop what hangs must not use up all children. */
    GATHER_MS = 20,
    /* Between two looks at whether children have ended. */
    LOOK_MS = 100,
    /* Sockets that wait until a child can be had: from then on none should be accepted; and the
     * most, with the clients that are there already. Beyond that they stay open. */
    KEPT_ENOUGH = 512,
    KEPT_MAX = 2048
};

struct closer {
    struct loop *loop;
    struct loop_timer *timer;
    int pid; /* of the child that gathers; 0: none */
    int fd;  /* to it */
    uint64_t due_ms;
    int ending[CLOSER_CHILDREN_MAX]; /* pids */
    uint32_t ending_count;
    int kept[KEPT_MAX];
    uint32_t kept_count;
};

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

/* ---- in the child ---- */

/* Until the other end is closed. A descriptor that finds no room in the table is closed by the
 * kernel, which does as well. */
static void gather(int fd)
{
    for (;;) {
        union control control;
        char byte;
        struct iovec iov = {&byte, 1};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(fd, &m, 0);
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
    }
}

/* Of what it inherits it is not the last holder, and keeps nothing. */
static void become(int fd)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_NAME, "homing-close");
    if (dup2(fd, 3) == 3 && syscall(SYS_close_range, 4, ~0u, 0) == 0)
        gather(3);
    _exit(0);
}

static int start(struct closer *c)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    int pid = fork();
    if (pid == 0)
        become(pair[1]);
    int error = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -error;
    }
    c->pid = pid;
    c->fd = pair[0];
    c->due_ms = loop_now_ms(c->loop) + ((uint64_t)GATHER_MS << c->ending_count);
    return 0;
}

/* ---- children end ---- */

static void reap(struct closer *c)
{
    for (uint32_t i = 0; i < c->ending_count;)
        if (waitpid(c->ending[i], NULL, WNOHANG) == 0)
            i++;
        else
            c->ending[i] = c->ending[--c->ending_count];
    if (c->pid && waitpid(c->pid, NULL, WNOHANG) != 0) { /* it was killed */
        close(c->fd);
        c->pid = 0;
    }
}

/* It ends as soon as it sees that. */
static void release(struct closer *c)
{
    close(c->fd);
    c->ending[c->ending_count++] = c->pid;
    c->pid = 0;
    if (c->ending_count == CLOSER_CHILDREN_MAX - 1)
        log_event(LOG_WARNING, "closers_hang",
                  "processes hang that close what other processes have sent");
}

static bool may_release(const struct closer *c)
{
    return c->pid && c->ending_count < CLOSER_CHILDREN_MAX - 1;
}

/* ---- sockets go to a child ---- */

static bool send_to(int child, int fd)
{
    union control control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                                        .cmsg_level = SOL_SOCKET,
                                        .cmsg_type = SCM_RIGHTS}};
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    return sendmsg(child, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool hand_over(struct closer *c, int fd)
{
    if ((!c->pid && start(c)) || !send_to(c->fd, fd))
        return false;
    close(fd);
    return true;
}

static void hand_over_kept(struct closer *c)
{
    while (c->kept_count && hand_over(c, c->kept[c->kept_count - 1]))
        c->kept_count--;
}

static void look(void *arg)
{
    struct closer *c = arg;

    reap(c);
    if (may_release(c) && loop_now_ms(c->loop) >= c->due_ms)
        release(c);
    hand_over_kept(c);
    if (c->pid || c->ending_count || c->kept_count)
        loop_timer_set(c->timer, c->ending_count ? LOOK_MS : GATHER_MS);
}

/* ---- from outside ---- */

struct closer *closer_new(struct loop *loop)
{
    struct closer *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->loop = loop;
    c->timer = loop_timer_new(loop, look, c);
    if (c->timer)
        return c;
    free(c);
    return NULL;
}

void closer_free(struct closer *c)
{
    if (!c)
        return;
    reap(c);
    hand_over_kept(c);
    if (c->pid)
        close(c->fd);
    loop_timer_free(c->timer);
    free(c);
}

static bool is_empty(int fd)
{
    int unread = 1;

    return ioctl(fd, SIOCINQ, &unread) == 0 && unread == 0;
}

void closer_take(struct closer *c, int fd)
{
    bool idle = !c->pid && !c->ending_count && !c->kept_count;

    if (fd < 0)
        return;
    loop_forget(c->loop, fd);
    (void)shutdown(fd, SHUT_RDWR);
    if (is_empty(fd)) {
        close(fd);
        return;
    }
    if (!hand_over(c, fd) && c->kept_count < KEPT_MAX)
        c->kept[c->kept_count++] = fd;
    if (idle)
        loop_timer_set(c->timer, GATHER_MS);
}

/* After it is shut down, nobody can connect, and accept() gives what has come before. */
void closer_take_listening(struct closer *c, int fd)
{
    int accepted;

    loop_forget(c->loop, fd);
    (void)shutdown(fd, SHUT_RDWR);
    while ((accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0 ||
           errno == EINTR || errno == ECONNABORTED)
        closer_take(c, accepted);
    close(fd);
}

bool closer_has_room(const struct closer *c)
{
    return c->kept_count < KEPT_ENOUGH;
}

uint32_t closer_children(const struct closer *c)
{
    return c->ending_count + (c->pid != 0);
}
