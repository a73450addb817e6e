/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c - see handover.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/handover.h"
#include "agent/sever/permits/queue.h"
#include "agent/sever/permits/receiver.h"

enum {
    /* Connections accepted in one turn of the loop. */
    ACCEPT_BURST = 16,
    /* Until what was not possible is tried again. */
    PAUSE_MS = 100
};

struct handover {
    struct loop *loop;
    struct permits *permits;
    int listening;
    int reserve; /* a descriptor to give up when there are none left; -1: given up */
    struct loop_io *io;
    struct loop_timer *resume;
    struct queue *queue;
    struct receiver *receiver;
    struct queued *asked; /* the receiver is busy with it; NULL: with none */
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
    guard_close(accept_one(h));
    h->reserve = -1;
    take_reserve(h);
}

static void accept_some(void *arg, int events)
{
    struct handover *h = arg;

    (void)events;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        if (!queue_has_room(h->queue)) {
            pause_accepting(h);
            return;
        }
        int fd = accept_one(h);
        if (fd >= 0) {
            queue_add(h->queue, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            turn_one_away(h, errno);
            pause_accepting(h);
            return;
        }
    }
}

/* ---- asking the receiver ---- */

static void receiver_lost(void *arg, const char *why);

static void ask_next(void *arg)
{
    struct handover *h = arg;
    struct queued *first = queue_first(h->queue);

    if (!first || h->asked || !receiver_is_running(h->receiver))
        return;
    if (receiver_ask(h->receiver, first->fd))
        receiver_lost(h, "the receiver has ended");
    else
        h->asked = first;
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

static int take_asked(struct handover *h)
{
    int connection = queue_take(h->asked);

    h->asked = NULL;
    return connection;
}

static void receiver_lost(void *arg, const char *why)
{
    struct handover *h = arg;

    log_event(LOG_WARNING, "receiver_replaced", why,
              LOG_INT("uid", h->asked ? h->asked->peer.uid : 0),
              LOG_INT("pid", h->asked ? h->asked->peer.pid : 0));
    h->figures.stuck++;
    if (h->asked)
        guard_close(take_asked(h));
    start_receiver(h);
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
    struct ucred peer = h->asked->peer;
    int rv = permits_add(h->permits, offer->netns, peer.pid, peer.uid, take_asked(h),
                         offer->rights.fds[PERMIT_FD_NETLINK], offer->rights.fds[PERMIT_FD_TAGS]);

    if (rv)
        log_refused(strerror(-rv), &peer);
    else
        h->figures.taken++;
}

static void refuse(struct handover *h, enum offer_result why)
{
    log_refused(offer_result_name(why), &h->asked->peer);
    h->figures.refused++;
    guard_close(take_asked(h));
}

static void answered(void *arg, const struct offer *offer)
{
    struct handover *h = arg;

    if (offer->result == OFFER_PERMIT)
        take_permit(h, offer);
    else
        refuse(h, offer->result);
    ask_next(h);
}

/* ---- begin and end ---- */

int handover_new(struct loop *loop, struct permits *permits, int listening,
                 struct handover **ret_handover)
{
    struct handover *h = calloc(1, sizeof(*h));
    int rv = -ENOMEM;

    if (!h)
        return rv;
    *h = (struct handover){.loop = loop, .permits = permits, .listening = listening, .reserve = -1};
    take_reserve(h);
    h->io = loop_io_new(loop, listening, accept_some, h);
    h->resume = loop_timer_new(loop, resume, h);
    h->queue = queue_new(loop, ask_next, h);
    h->receiver = receiver_new(loop, answered, receiver_lost, h);
    if (h->io && h->resume && h->queue && h->receiver)
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
    receiver_free(h->receiver);
    loop_timer_free(h->resume);
    loop_io_free(h->io);
    if (h->reserve >= 0)
        close(h->reserve);
    free(h);
}

void handover_figures(const struct handover *h, struct handover_figures *ret_figures)
{
    *ret_figures = h->figures;
    ret_figures->waiting = queue_count(h->queue);
}
