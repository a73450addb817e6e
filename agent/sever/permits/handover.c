/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c - see handover.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/barred.h"
#include "agent/base/log.h"
#include "agent/base/stranger.h"
#include "agent/sever/permits/handover.h"
#include "agent/sever/permits/offer.h"
#include "agent/sever/permits/queue.h"
#include "agent/sever/permits/receiver.h"
#include "agent/sever/permits/rights.h"

enum {
    /* Connections accepted in one turn of the loop: enough to keep up with a user that connects all
     * the time, and few enough that the rest of the loop has its turn within a millisecond. */
    ACCEPT_BURST = 64,
    /* As many as the system allows (net.core.somaxconn): nobody waits for an answer here, and who
     * finds no room has to come again. */
    BACKLOG = INT_MAX,
    /* Until what was not possible is tried again. */
    PAUSE_MS = 100
};

struct handover {
    struct loop *loop;
    struct closer *closer;
    struct barred *barred;
    struct permits *permits;
    int listening;
    int reserve; /* a descriptor to give up when there are none left; -1: given up */
    struct loop_io *io;
    struct loop_timer *resume;
    struct queue *queue;
    struct receiver *receiver;
    /* What the receiver is busy with. */
    struct {
        int fd; /* -1: nothing, or it is closed already */
        struct ucred peer;
        uint64_t since_ms; /* 0: it is not busy */
    } asked;
    struct handover_figures figures;
};

/* ---- accepting ---- */

static int accept_one(const struct handover *h)
{
    return accept4(h->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void take_reserve(struct handover *h)
{
    if (h->reserve < 0)
        h->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void pause_accepting(struct handover *h)
{
    loop_io_set(h->io, 0);
    loop_timer_set(h->resume, PAUSE_MS);
}

/* Out of descriptors or memory: the first that waits in the kernel is turned away. */
static void turn_one_away(struct handover *h, int error)
{
    log_event(LOG_WARNING, "accept_paused", strerror(error), LOG_STR("socket", "permit.sock"));
    if (h->reserve < 0)
        return;
    close(h->reserve);
    closer_take(h->closer, accept_one(h));
    h->reserve = -1;
    take_reserve(h);
}

static void admit(struct handover *h, int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
        barred_has(h->barred, &peer, netns_of(fd)))
        closer_take(h->closer, fd);
    else
        queue_add(h->queue, fd, &peer);
}

/* False: none is left, or for now no more can be accepted. */
static bool accept_burst(struct handover *h)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        if (!closer_has_room(h->closer)) {
            pause_accepting(h);
            return false;
        }
        int fd = accept_one(h);
        if (fd >= 0) {
            admit(h, fd);
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            turn_one_away(h, errno);
            pause_accepting(h);
            return false;
        }
    }
    return true;
}

static void accept_some(void *arg, int events)
{
    (void)events;
    (void)accept_burst(arg);
}

/* ---- asking the receiver ---- */

static int take_asked(struct handover *h)
{
    int connection = h->asked.fd;

    h->asked.fd = -1;
    return connection;
}

static void drop_asked(struct handover *h)
{
    uint64_t netns = netns_of(h->asked.fd);

    closer_take(h->closer, take_asked(h));
    queue_note_vain(h->queue, &h->asked.peer, netns);
}

/* A program that has left, as one that only connects and closes, needs no look by the receiver. */
static bool has_left(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) > 0 && at.revents & POLLHUP;
}

/* A connection that cannot be given to the receiver is closed, so that those behind it do not wait
 * for ever. */
static void ask(struct handover *h, struct queued *first)
{
    h->asked.peer = first->peer;
    h->asked.fd = queue_take(first);
    bool left = has_left(h->asked.fd);
    uint64_t netns = netns_of(h->asked.fd);
    if (left || barred_has(h->barred, &h->asked.peer, netns)) {
        h->figures.left += left;
        drop_asked(h);
        return;
    }
    int rv = receiver_ask(h->receiver, h->asked.fd, &h->asked.peer, netns);
    if (rv == 0) {
        h->asked.since_ms = loop_now_ms(h->loop);
        return;
    }
    log_event(LOG_WARNING, "receiver_not_asked", strerror(-rv), LOG_INT("uid", h->asked.peer.uid),
              LOG_INT("pid", h->asked.peer.pid));
    closer_take(h->closer, take_asked(h));
    if (!receiver_is_running(h->receiver))
        loop_timer_set(h->resume, PAUSE_MS);
}

static void ask_next(void *arg)
{
    struct handover *h = arg;
    struct queued *first;

    while (receiver_is_running(h->receiver) && !receiver_is_busy(h->receiver) &&
           (first = queue_first(h->queue)))
        ask(h, first);
}

static void start_receiver(struct handover *h)
{
    int rv = receiver_start(h->receiver);

    h->figures.paused = rv == -EBUSY;
    if (rv)
        loop_timer_set(h->resume, PAUSE_MS);
    else
        ask_next(h);
}

static void charge(struct handover *h)
{
    if (h->asked.since_ms)
        queue_charge(h->queue, h->asked.peer.uid, loop_now_ms(h->loop) - h->asked.since_ms);
    h->asked.since_ms = 0;
}

static void receiver_done(void *arg)
{
    charge(arg);
    ask_next(arg);
}

static void receiver_lost(void *arg, const char *why, const struct ucred *user)
{
    struct handover *h = arg;

    log_event(LOG_WARNING, "receiver_replaced", why, LOG_INT("uid", user->uid),
              LOG_INT("pid", user->pid));
    h->figures.stuck++;
    charge(h);
    closer_take(h->closer, take_asked(h));
    start_receiver(h);
}

static void user_is_hostile(void *arg, const struct ucred *user, uint64_t netns)
{
    struct handover *h = arg;

    barred_add_from(h->barred, user, netns, BARRED_MS, "what it has sent cannot be closed");
}

static void user_floods(void *arg, const struct ucred *user, uint64_t place)
{
    struct handover *h = arg;

    barred_add_at(h->barred, user, place, BARRED_FLOOD_MS,
                  place && user->uid
                      ? "it connects all the time, and brings no permit: from its network namespace"
                      : "it connects all the time, and brings no permit");
}

static void resume(void *arg)
{
    struct handover *h = arg;

    take_reserve(h);
    loop_io_set(h->io, LOOP_READ);
    if (!receiver_is_running(h->receiver))
        start_receiver(h);
}

/* ---- taking and refusing ---- */

static void log_refused(const char *why, const struct ucred *peer)
{
    log_event(LOG_WARNING, "permit_refused", why, LOG_INT("uid", peer->uid),
              LOG_INT("pid", peer->pid));
}

static void take_permit(struct handover *h, const struct offer *offer)
{
    struct ucred peer = h->asked.peer;
    struct permit_from from = {offer->netns, peer.pid, peer.uid, offer->uids};

    uids_be_strict(&from.uids, offer->rights.fds[PERMIT_FD_NETLINK]);
    int rv = permits_add(h->permits, &from, take_asked(h), offer->rights.fds[PERMIT_FD_NETLINK],
                         offer->rights.fds[PERMIT_FD_TAGS]);

    if (rv)
        log_refused(strerror(-rv), &peer);
    else
        h->figures.taken++;
}

static void refuse(struct handover *h, enum offer_result why)
{
    log_refused(offer_result_name(why), &h->asked.peer);
    h->figures.refused++;
    drop_asked(h);
}

static void answered(void *arg, const struct offer *offer)
{
    struct handover *h = arg;

    if (offer->result == OFFER_PERMIT)
        take_permit(h, offer);
    else
        refuse(h, offer->result);
}

/* ---- begin and end ---- */

struct loop_io *handover_watch(void *arg, int fd)
{
    const struct handover *h = arg;

    (void)listen(fd, BACKLOG);
    return loop_io_new(h->loop, fd, accept_some, arg);
}

/* No more programs come to the old one: all that wait there are accepted, as far as there is room. */
void handover_move(void *arg, int fd, struct loop_io *io)
{
    struct handover *h = arg;

    for (int bursts = 0; bursts < QUEUE_MAX / ACCEPT_BURST && accept_burst(h); bursts++)
        ;
    loop_io_free(h->io);
    h->io = io;
    h->listening = fd;
    loop_io_set(h->io, LOOP_READ);
}

void handover_renewed(const struct handover *h)
{
    barred_renew(h->barred);
}

int handover_new(struct loop *loop, struct closer *closer, struct permits *permits,
                 const struct sockpath *sock, uint32_t queue_max, struct handover **ret_handover)
{
    struct handover *h = calloc(1, sizeof(*h));
    int rv = -ENOMEM;

    if (!h)
        return rv;
    *h = (struct handover){.loop = loop,
                           .closer = closer,
                           .permits = permits,
                           .listening = sock->fd,
                           .reserve = -1,
                           .asked = {.fd = -1}};
    const struct receiver_owner owner = {.answered = answered,
                                         .done = receiver_done,
                                         .lost = receiver_lost,
                                         .hostile = user_is_hostile,
                                         .arg = h};
    const struct queue_owner of_queue = {
        .readable = ask_next, .flooded = user_floods, .arg = h, .netns = netns_of(sock->fd)};
    take_reserve(h);
    h->io = handover_watch(h, sock->fd);
    h->resume = loop_timer_new(loop, resume, h);
    h->queue = queue_new(loop, closer, queue_max, &of_queue);
    h->barred = barred_new(loop, sock);
    h->receiver = receiver_new(loop, &owner);
    if (h->io && h->resume && h->queue && h->barred && h->receiver)
        rv = receiver_start(h->receiver);
    if (rv) {
        handover_free(h);
        return rv;
    }
    loop_io_set(h->io, LOOP_READ);
    *ret_handover = h;
    return 0;
}

void handover_free(struct handover *h)
{
    if (!h)
        return;
    queue_free(h->queue);
    closer_take(h->closer, take_asked(h));
    receiver_free(h->receiver);
    barred_free(h->barred);
    loop_timer_free(h->resume);
    loop_io_free(h->io);
    if (h->reserve >= 0)
        close(h->reserve);
    free(h);
}

void handover_figures(const struct handover *h, struct handover_figures *ret_figures)
{
    struct queue_figures queue;

    queue_figures(h->queue, &queue);
    *ret_figures = h->figures;
    ret_figures->waiting = queue.waiting + (h->asked.fd >= 0);
    ret_figures->crowded_out = queue.crowded_out;
    ret_figures->crowded_uid = queue.crowded_uid;
}

bool handover_is_idle(const struct handover *h)
{
    struct handover_figures figures;

    handover_figures(h, &figures);
    return figures.waiting == 0 && !rights_pending(h->listening);
}
