/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver.c - see receiver.h. First what runs in the process, then how it is looked after.
 *
 * 1. The answer goes out before anything is closed. A byte behind it says that all is.
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
#include "agent/base/process.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/receiver.h"

enum {
    /* How long an answer may take. On the busiest node it takes microseconds. */
    ANSWER_MS = 500,
    /* Receivers that were killed and have not ended. Each is a process that does nothing. */
    STUCK_MAX = 8,
    /* Between two looks at one that was killed, and how often it is found to wait in the kernel until
     * that is no accident. */
    LOOK_MS = 100,
    LOOKS = 3
};

/* One that was killed. */
struct stuck {
    int pid; /* 0: a free place */
    struct ucred user;
    uint64_t netns;
    int waits; /* how often it was found so */
};

struct receiver {
    struct loop *loop;
    struct receiver_owner owner;
    int pid;   /* 0: it does not run */
    int fd;    /* SOCK_SEQPACKET to it, non-blocking */
    bool busy; /* it was asked, and has not yet said that all is closed */
    bool answered;
    struct ucred user; /* whose connection it was asked about last */
    uint64_t netns;    /* and where it is of */
    struct loop_io *io;
    struct loop_timer *patience; /* for the answer, and for what follows it */
    struct loop_timer *look;     /* at those that are stuck */
    struct stuck stuck[STUCK_MAX];
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
        guard_close(asked.fds[0]); /* it may be the last one that has it */
        if (rv || rights_send(fd, &byte, sizeof(byte), NULL, 0))
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
        if (r->stuck[i].pid == 0) {
            r->stuck[i] = (struct stuck){.pid = pid, .user = r->user, .netns = r->netns};
            loop_timer_set(r->look, LOOK_MS);
            return;
        }
}

/* Whether there is a place for one more. */
static bool reap_stuck(struct receiver *r)
{
    bool room = false;

    for (int i = 0; i < STUCK_MAX; i++) {
        int *pid = &r->stuck[i].pid;
        if (*pid && waitpid(*pid, NULL, WNOHANG) != 0)
            *pid = 0;
        room |= *pid == 0;
    }
    return room;
}

/* On a busy machine, one that was killed takes its time to end. Only one that waits where no signal
 * reaches it (D) hangs on what it was sent. */
static void look_at_stuck(void *arg)
{
    struct receiver *r = arg;
    bool again = false;

    (void)reap_stuck(r);
    for (int i = 0; i < STUCK_MAX; i++) {
        struct stuck *s = &r->stuck[i];
        if (s->pid == 0 || s->waits >= LOOKS)
            continue;
        s->waits += process_state(s->pid) == 'D';
        if (s->waits == LOOKS)
            r->owner.hostile(r->owner.arg, &s->user, s->netns);
        else
            again = true;
    }
    if (again)
        loop_timer_set(r->look, LOOK_MS);
}

static void end(struct receiver *r)
{
    loop_timer_stop(r->patience);
    loop_io_free(r->io);
    r->io = NULL;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->busy = false;
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
    struct ucred user = r->busy ? r->user : (struct ucred){0};

    end(r);
    r->owner.lost(r->owner.arg, why, &user);
}

/* Its length; only an answer has more than one byte. -EAGAIN: none yet. Any other error: the receiver
 * is of no use any more. */
static ssize_t read_message(struct receiver *r, struct offer *ret_offer)
{
    struct rights rights = {.count = 0};
    struct offer offer;
    ssize_t n = rights_receive(r->fd, &offer, sizeof(offer), 0, &rights);

    if (n == 1 && r->busy && r->answered && rights.count == 0)
        return n;
    if (n == sizeof(offer) && r->busy && !r->answered &&
        rights.count == (offer.result == OFFER_PERMIT ? PERMIT_FD_COUNT : 0)) {
        *ret_offer = offer;
        ret_offer->rights = rights;
        return n;
    }
    while (rights.count > 0)
        close(rights.fds[--rights.count]);
    return n < 0 ? n : -EPROTO;
}

static void readable(void *arg, int events)
{
    struct receiver *r = arg;
    struct offer offer;

    (void)events;
    ssize_t n = read_message(r, &offer);
    if (n == -EAGAIN || n == -EINTR)
        return;
    if (n < 0) {
        lose(r, "the receiver has ended");
    } else if (n == 1) {
        loop_timer_stop(r->patience);
        r->busy = false;
        r->owner.done(r->owner.arg);
    } else {
        loop_timer_set(r->patience, ANSWER_MS);
        r->answered = true;
        r->owner.answered(r->owner.arg, &offer);
    }
}

/* The answer may have come while this process had no processor. A process in state R would go on if
 * it had one: on a busy machine that takes its time, and is no reason to lose a permit. A process that
 * hangs sleeps. */
static void out_of_patience(void *arg)
{
    struct receiver *r = arg;

    if (process_state(r->pid) == 'R' || rights_pending(r->fd))
        loop_timer_set(r->patience, ANSWER_MS);
    else
        lose(r, "the receiver hangs on what this process sent");
}

/* ---- from outside ---- */

struct receiver *receiver_new(struct loop *loop, const struct receiver_owner *owner)
{
    struct receiver *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    *r = (struct receiver){.loop = loop, .owner = *owner, .fd = -1};
    r->patience = loop_timer_new(loop, out_of_patience, r);
    r->look = loop_timer_new(loop, look_at_stuck, r);
    if (r->patience && r->look)
        return r;
    receiver_free(r);
    return NULL;
}

void receiver_free(struct receiver *r)
{
    if (!r)
        return;
    if (r->patience)
        end(r);
    loop_timer_free(r->patience);
    loop_timer_free(r->look);
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

bool receiver_is_busy(const struct receiver *r)
{
    return r->busy;
}

int receiver_ask(struct receiver *r, int connection, const struct ucred *user, uint64_t netns)
{
    char byte = 0;

    r->user = *user;
    r->netns = netns;
    int rv = rights_send(r->fd, &byte, sizeof(byte), &connection, 1);

    if (rv == -EPIPE || rv == -ECONNRESET)
        end(r);
    if (rv)
        return rv;
    r->busy = true;
    r->answered = false;
    loop_timer_set(r->patience, ANSWER_MS);
    return 0;
}
