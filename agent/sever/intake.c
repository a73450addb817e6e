/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.c - see intake.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/guard.h"
#include "agent/sever/intake.h"
#include "agent/sever/receive.h"
#include "proto/limits.h"

enum {
    ACCEPT_BURST = 16,
    /* Connections that have not handed over anything yet. The shim sends at once: what waits
     * longer than a moment is no shim, and makes room for who comes. Who comes when all have sent
     * waits in the socket's queue. */
    ARRIVALS_MAX = 256,
    /* Far more than the receiver needs on the busiest node, where it takes microseconds. */
    ANSWER_MS = 500,
    RECEIVERS_STUCK_MAX = 8,
    PAUSE_MS = 100
};

struct arrival {
    struct intake *intake;
    struct arrival *older;
    struct arrival *newer;
    struct loop_io *io;
    struct loop_timer *deadline;
    int fd;
    bool readable;
    struct ucred peer;
};

struct intake {
    struct loop *loop;
    struct permits *permits;
    int listening;
    int reserve;
    struct loop_io *io;
    struct loop_timer *resume;
    struct arrival *oldest;
    struct arrival *newest;
    uint32_t count;
    struct arrival *asked; /* the receiver is busy with it */
    int receiver_pid;
    int receiver_fd;
    struct loop_io *receiver_io;
    struct loop_timer *answer;
    int stuck_pids[RECEIVERS_STUCK_MAX];
    struct intake_figures figures;
};

static void next(struct intake *intake);

/* ---- arrivals ---- */

static void arrival_unlink(struct arrival *a)
{
    struct intake *intake = a->intake;

    *(a->older ? &a->older->newer : &intake->oldest) = a->newer;
    *(a->newer ? &a->newer->older : &intake->newest) = a->older;
    intake->count--;
    if (intake->asked == a)
        intake->asked = NULL;
    loop_io_free(a->io);
    loop_timer_free(a->deadline);
}

/* The connection stays open for the caller. */
static int arrival_leave(struct arrival *a)
{
    int fd = a->fd;

    arrival_unlink(a);
    free(a);
    return fd;
}

static bool is_readable(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};

    return poll(&at, 1, 0) > 0;
}

static void arrival_readable(void *arg, int events)
{
    struct arrival *a = arg;

    (void)events;
    a->readable = true;
    loop_io_set(a->io, 0);
    loop_timer_stop(a->deadline);
    next(a->intake);
}

/* It may have been us who were late. */
static void arrival_late(void *arg)
{
    struct arrival *a = arg;

    if (is_readable(a->fd))
        arrival_readable(a, 0);
    else
        guard_close(arrival_leave(a));
}

/* Not one that has sent what we had no time to look at. */
static struct arrival *first_silent(const struct intake *intake)
{
    struct arrival *a = intake->oldest;

    while (a && (a->readable || is_readable(a->fd)))
        a = a->newer;
    return a;
}

/* The oldest that has sent nothing goes. */
static void make_room(struct intake *intake)
{
    struct arrival *a = intake->count >= ARRIVALS_MAX ? first_silent(intake) : NULL;

    if (a)
        guard_close(arrival_leave(a));
}

static struct arrival *arrival_new(struct intake *intake, int fd, const struct ucred *peer)
{
    struct arrival *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    *a = (struct arrival){.intake = intake, .fd = fd, .peer = *peer};
    a->io = loop_io_new(intake->loop, fd, arrival_readable, a);
    a->deadline = loop_timer_new(intake->loop, arrival_late, a);
    if (!a->io || !a->deadline) {
        loop_io_free(a->io);
        loop_timer_free(a->deadline);
        free(a);
        return NULL;
    }
    a->older = intake->newest;
    *(a->older ? &a->older->newer : &intake->oldest) = a;
    intake->newest = a;
    intake->count++;
    loop_io_set(a->io, LOOP_READ);
    loop_timer_set(a->deadline, HOMING_CLIENT_DEADLINE_MS);
    return a;
}

/* ---- accepting ---- */

static void admit(struct intake *intake, int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    make_room(intake);
    if (intake->count >= ARRIVALS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
        !arrival_new(intake, fd, &peer))
        guard_close(fd);
}

static void take_reserve(struct intake *intake)
{
    if (intake->reserve < 0)
        intake->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors or memory: the first in the queue is turned away, the rest wait. */
static void pause_accepting(struct intake *intake, int error)
{
    log_event(LOG_WARNING, "accept_paused", strerror(error), LOG_STR("socket", "permit.sock"));
    if (intake->reserve >= 0) {
        close(intake->reserve);
        int fd = accept4(intake->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        guard_close(fd);
        intake->reserve = -1;
        take_reserve(intake);
    }
    loop_io_set(intake->io, 0);
    loop_timer_set(intake->resume, PAUSE_MS);
}

static void accept_some(void *arg, int events)
{
    struct intake *intake = arg;

    (void)events;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        if (intake->count >= ARRIVALS_MAX && !first_silent(intake)) {
            loop_io_set(intake->io, 0);
            loop_timer_set(intake->resume, PAUSE_MS);
            return;
        }
        int fd = accept4(intake->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(intake, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN)
                pause_accepting(intake, errno);
            return;
        }
    }
}

/* ---- the receiver ---- */

static void answered(void *arg, int events);

static int receiver_start(struct intake *intake)
{
    int rv = receive_start(&intake->receiver_pid, &intake->receiver_fd);
    if (rv)
        return rv;
    intake->receiver_io = loop_io_new(intake->loop, intake->receiver_fd, answered, intake);
    if (!intake->receiver_io)
        return -ENOMEM;
    loop_io_set(intake->receiver_io, LOOP_READ);
    return 0;
}

static bool keep_stuck(struct intake *intake, int pid)
{
    for (int i = 0; i < RECEIVERS_STUCK_MAX; i++)
        if (intake->stuck_pids[i] == 0) {
            intake->stuck_pids[i] = pid;
            return true;
        }
    return false;
}

/* Whether one more may get stuck. */
static bool reap_stuck(struct intake *intake)
{
    bool room = false;

    for (int i = 0; i < RECEIVERS_STUCK_MAX; i++) {
        int *pid = &intake->stuck_pids[i];
        if (*pid && waitpid(*pid, NULL, WNOHANG) != 0)
            *pid = 0;
        room |= *pid == 0;
    }
    return room;
}

static void receiver_end(struct intake *intake)
{
    loop_timer_stop(intake->answer);
    loop_io_free(intake->receiver_io);
    intake->receiver_io = NULL;
    if (intake->receiver_fd >= 0)
        close(intake->receiver_fd);
    intake->receiver_fd = -1;
    if (intake->receiver_pid > 0) {
        kill(intake->receiver_pid, SIGKILL);
        if (waitpid(intake->receiver_pid, NULL, WNOHANG) == 0)
            (void)keep_stuck(intake, intake->receiver_pid);
    }
    intake->receiver_pid = 0;
}

static void receiver_begin(struct intake *intake)
{
    intake->figures.paused = !reap_stuck(intake);
    if (intake->figures.paused || receiver_start(intake))
        receiver_end(intake);
    if (intake->receiver_pid == 0)
        loop_timer_set(intake->resume, PAUSE_MS);
    else
        next(intake);
}

static void receiver_replace(struct intake *intake, const char *why)
{
    const struct arrival *a = intake->asked;

    log_event(LOG_WARNING, "receiver_replaced", why, LOG_INT("uid", a ? a->peer.uid : 0),
              LOG_INT("pid", a ? a->peer.pid : 0));
    intake->figures.stuck++;
    receiver_end(intake);
    if (intake->asked)
        guard_close(arrival_leave(intake->asked));
    receiver_begin(intake);
}

/* Whether it would go on if it were given a processor, which on a busy machine takes its time: then
 * nobody's permit is to be lost. What hangs sleeps. */
static bool is_running(int pid)
{
    char path[32], text[128] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *end = n > 0 ? strrchr(text, ')') : NULL;
    return end && end[1] == ' ' && end[2] == 'R';
}

/* An answer may have come while we were kept from looking. */
static void answer_missing(void *arg)
{
    struct intake *intake = arg;

    if (is_running(intake->receiver_pid) || is_readable(intake->receiver_fd))
        loop_timer_set(intake->answer, ANSWER_MS);
    else
        receiver_replace(intake, "it hangs on what this process sent");
}

/* The first that waits is next. */
static void next(struct intake *intake)
{
    struct arrival *a = intake->oldest;

    while (a && !a->readable)
        a = a->newer;
    if (!a || intake->asked || intake->receiver_pid == 0)
        return;
    intake->asked = a;
    if (receive_ask(intake->receiver_fd, a->fd)) {
        intake->asked = NULL;
        receiver_replace(intake, "it has ended");
        return;
    }
    loop_timer_set(intake->answer, ANSWER_MS);
}

static void take_permit(struct intake *intake, const struct received *received)
{
    struct ucred peer = intake->asked->peer;
    int connection = arrival_leave(intake->asked);
    int error = permits_add(intake->permits, received->netns, peer.pid, peer.uid, connection,
                            received->fds[PERMIT_FD_NETLINK], received->fds[PERMIT_FD_TAGS]);

    if (error)
        log_event(LOG_WARNING, "permit_refused", strerror(-error), LOG_INT("uid", peer.uid),
                  LOG_INT("pid", peer.pid));
    else
        intake->figures.taken++;
}

static void refuse_permit(struct intake *intake, enum receive_result why)
{
    const struct ucred *peer = &intake->asked->peer;

    log_event(LOG_WARNING, "permit_refused", receive_result_name(why), LOG_INT("uid", peer->uid),
              LOG_INT("pid", peer->pid));
    intake->figures.refused++;
    guard_close(arrival_leave(intake->asked));
}

static void answered(void *arg, int events)
{
    struct intake *intake = arg;
    struct received received;

    (void)events;
    int error = receive_answer(intake->receiver_fd, &received);
    if (error == -EAGAIN || error == -EINTR)
        return;
    if (error || !intake->asked) {
        receiver_replace(intake, "it has ended");
        return;
    }
    loop_timer_stop(intake->answer);
    if (received.result == RECEIVE_PERMIT)
        take_permit(intake, &received);
    else
        refuse_permit(intake, received.result);
    next(intake);
}

static void resume(void *arg)
{
    struct intake *intake = arg;

    take_reserve(intake);
    loop_io_set(intake->io, LOOP_READ);
    if (intake->receiver_pid == 0)
        receiver_begin(intake);
}

/* ---- begin and end ---- */

int intake_new(struct loop *loop, struct permits *permits, int listening,
               struct intake **ret_intake)
{
    struct intake *intake = calloc(1, sizeof(*intake));
    int rv = -ENOMEM;

    if (!intake)
        return rv;
    intake->loop = loop;
    intake->permits = permits;
    intake->listening = listening;
    intake->reserve = intake->receiver_fd = -1;
    take_reserve(intake);
    intake->io = loop_io_new(loop, listening, accept_some, intake);
    intake->resume = loop_timer_new(loop, resume, intake);
    intake->answer = loop_timer_new(loop, answer_missing, intake);
    if (intake->io && intake->resume && intake->answer)
        rv = receiver_start(intake);
    if (rv) {
        intake_free(intake);
        return rv;
    }
    loop_io_set(intake->io, LOOP_READ);
    *ret_intake = intake;
    return 0;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    while (intake->oldest)
        guard_close(arrival_leave(intake->oldest));
    if (intake->answer)
        receiver_end(intake);
    loop_timer_free(intake->answer);
    loop_timer_free(intake->resume);
    loop_io_free(intake->io);
    if (intake->reserve >= 0)
        close(intake->reserve);
    free(intake);
}

void intake_figures(const struct intake *intake, struct intake_figures *ret_figures)
{
    *ret_figures = intake->figures;
    ret_figures->waiting = intake->count;
}
