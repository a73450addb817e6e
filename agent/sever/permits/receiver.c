/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver.c - see receiver.h. First what runs in the process, then how it is looked after.
 *
 * 1. The answer goes out before anything is closed. If closing hangs, only the next connection's
 *    answer is missing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/privilege.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/receiver.h"

enum {
    /* How long an answer may take. On the busiest node it takes microseconds. */
    ANSWER_MS = 500,
    /* Receivers that were killed and have not ended. Each is a process that does nothing. */
    STUCK_MAX = 8
};

struct receiver {
    struct loop *loop;
    receiver_answered_fn *answered;
    receiver_lost_fn *lost;
    void *arg;
    int pid; /* 0: it does not run */
    int fd;  /* SOCK_SEQPACKET to it, non-blocking */
    bool asked;
    struct loop_io *io;
    struct loop_timer *patience; /* for the answer */
    int stuck_pids[STUCK_MAX];   /* 0: a free place */
};

/* One whole message of the two processes' own. -EPIPE: the other one has ended. */
static int receive(int fd, void *data, size_t len, struct rights *ret_rights)
{
    ssize_t n = rights_receive(fd, data, len, 0, ret_rights);

    return n < 0 ? (int)n : (size_t)n == len ? 0 : -EPIPE;
}

/* ---- in the process ---- */

/* Its whole life: one connection after the other, until the other end is gone. */
static void serve(int fd)
{
    for (;;) {
        struct rights asked = {.count = 0};
        struct offer offer;
        char byte;

        int rv = receive(fd, &byte, sizeof(byte), &asked);
        if (rv == -EINTR)
            continue;
        if (rv || asked.count != 1)
            return;
        offer_read(asked.fds[0], &offer);
        rv = rights_send(fd, &offer, sizeof(offer), offer.rights.fds,
                         offer.result == OFFER_PERMIT ? PERMIT_FD_COUNT : 0);
        while (offer.rights.count > 0)
            guard_close(offer.rights.fds[--offer.rights.count]);
        close(asked.fds[0]);
        if (rv)
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

static int start_process(int *ret_pid, int *ret_fd)
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

/* ---- it ends ---- */

static void keep_stuck(struct receiver *r, int pid)
{
    for (int i = 0; i < STUCK_MAX; i++)
        if (r->stuck_pids[i] == 0) {
            r->stuck_pids[i] = pid;
            return;
        }
}

/* Whether there is a place for one more. */
static bool reap_stuck(struct receiver *r)
{
    bool room = false;

    for (int i = 0; i < STUCK_MAX; i++) {
        int *pid = &r->stuck_pids[i];
        if (*pid && waitpid(*pid, NULL, WNOHANG) != 0)
            *pid = 0;
        room |= *pid == 0;
    }
    return room;
}

static void end(struct receiver *r)
{
    loop_timer_stop(r->patience);
    loop_io_free(r->io);
    r->io = NULL;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->asked = false;
    if (r->pid > 0) {
        kill(r->pid, SIGKILL);
        if (waitpid(r->pid, NULL, WNOHANG) == 0)
            keep_stuck(r, r->pid);
    }
    r->pid = 0;
}

/* ---- it answers, or does not ---- */

static void lose(struct receiver *r, const char *why)
{
    end(r);
    r->lost(r->arg, why);
}

/* -EAGAIN: none yet. Any other error: the receiver is of no use any more. */
static int read_answer(const struct receiver *r, struct offer *ret_offer)
{
    struct rights rights = {.count = 0};
    struct offer offer;
    int rv = receive(r->fd, &offer, sizeof(offer), &rights);

    if (rv == 0 && r->asked &&
        rights.count == (offer.result == OFFER_PERMIT ? PERMIT_FD_COUNT : 0)) {
        *ret_offer = offer;
        ret_offer->rights = rights;
        return 0;
    }
    while (rights.count > 0)
        close(rights.fds[--rights.count]);
    return rv ? rv : -EPROTO;
}

static void readable(void *arg, int events)
{
    struct receiver *r = arg;
    struct offer offer;

    (void)events;
    int rv = read_answer(r, &offer);
    if (rv == -EAGAIN || rv == -EINTR)
        return;
    if (rv) {
        lose(r, "the receiver has ended");
        return;
    }
    loop_timer_stop(r->patience);
    r->asked = false;
    r->answered(r->arg, &offer);
}

/* The process is in state R: it would go on if it had a processor. On a busy machine that takes its
 * time, and is no reason to lose a permit. A process that hangs sleeps. */
static bool is_runnable(int pid)
{
    char path[32], text[128] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *end_of_name = n > 0 ? strrchr(text, ')') : NULL;
    return end_of_name && end_of_name[1] == ' ' && end_of_name[2] == 'R';
}

/* The answer may have come while this process had no processor. */
static void out_of_patience(void *arg)
{
    struct receiver *r = arg;

    if (is_runnable(r->pid) || rights_pending(r->fd))
        loop_timer_set(r->patience, ANSWER_MS);
    else
        lose(r, "the receiver hangs on what this process sent, or the one before it");
}

/* ---- from outside ---- */

struct receiver *receiver_new(struct loop *loop, receiver_answered_fn *answered,
                              receiver_lost_fn *lost, void *arg)
{
    struct receiver *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    *r = (struct receiver){.loop = loop, .answered = answered, .lost = lost, .arg = arg, .fd = -1};
    r->patience = loop_timer_new(loop, out_of_patience, r);
    if (!r->patience) {
        free(r);
        return NULL;
    }
    return r;
}

void receiver_free(struct receiver *r)
{
    if (!r)
        return;
    end(r);
    loop_timer_free(r->patience);
    free(r);
}

int receiver_start(struct receiver *r)
{
    if (!reap_stuck(r))
        return -EBUSY;
    int rv = start_process(&r->pid, &r->fd);
    if (rv)
        return rv;
    r->io = loop_io_new(r->loop, r->fd, readable, r);
    if (!r->io) {
        end(r);
        return -ENOMEM;
    }
    loop_io_set(r->io, LOOP_READ);
    return 0;
}

bool receiver_is_running(const struct receiver *r)
{
    return r->pid > 0;
}

int receiver_ask(struct receiver *r, int connection)
{
    char byte = 0;
    int rv = rights_send(r->fd, &byte, sizeof(byte), &connection, 1);

    if (rv) {
        end(r);
        return rv;
    }
    r->asked = true;
    loop_timer_set(r->patience, ANSWER_MS);
    return 0;
}
