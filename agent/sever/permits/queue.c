/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.c - see queue.h.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/queue.h"
#include "agent/sever/permits/rights.h"
#include "proto/limits.h"

struct queue {
    struct loop *loop;
    queue_readable_fn *readable;
    void *arg;
    struct queued *oldest;
    struct queued *newest;
    uint32_t count;
};

struct queue *queue_new(struct loop *loop, queue_readable_fn *readable, void *arg)
{
    struct queue *queue = calloc(1, sizeof(*queue));

    if (queue)
        *queue = (struct queue){.loop = loop, .readable = readable, .arg = arg};
    return queue;
}

/* ---- one leaves ---- */

static void queued_free(struct queued *c)
{
    loop_io_free(c->io);
    loop_timer_free(c->deadline);
    free(c);
}

int queue_take(struct queued *c)
{
    struct queue *queue = c->queue;
    int fd = c->fd;

    *(c->older ? &c->older->newer : &queue->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &queue->newest) = c->older;
    queue->count--;
    queued_free(c);
    return fd;
}

void queue_free(struct queue *queue)
{
    while (queue && queue->oldest)
        guard_close(queue_take(queue->oldest));
    free(queue);
}

/* ---- one sends something, or nothing ---- */

static void readable(void *arg, int events)
{
    struct queued *c = arg;

    (void)events;
    c->readable = true;
    loop_io_set(c->io, 0);
    loop_timer_stop(c->deadline);
    c->queue->readable(c->queue->arg);
}

/* If this process had no processor, the program may have sent in time all the same. */
static void late(void *arg)
{
    struct queued *c = arg;

    if (rights_pending(c->fd))
        readable(c, 0);
    else
        guard_close(queue_take(c));
}

/* ---- one comes ---- */

/* The oldest that has sent nothing, also nothing that there was no time to look at. */
static struct queued *oldest_silent(const struct queue *queue)
{
    struct queued *c = queue->oldest;

    while (c && (c->readable || rights_pending(c->fd)))
        c = c->newer;
    return c;
}

bool queue_has_room(const struct queue *queue)
{
    return queue->count < QUEUE_MAX || oldest_silent(queue);
}

static void make_room(const struct queue *queue)
{
    struct queued *c = queue->count >= QUEUE_MAX ? oldest_silent(queue) : NULL;

    if (c)
        guard_close(queue_take(c));
}

static struct queued *queued_new(struct queue *queue, int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);
    struct queued *c = NULL;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
        c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct queued){.queue = queue, .fd = fd, .peer = peer};
    c->io = loop_io_new(queue->loop, fd, readable, c);
    c->deadline = loop_timer_new(queue->loop, late, c);
    if (c->io && c->deadline)
        return c;
    queued_free(c);
    return NULL;
}

void queue_add(struct queue *queue, int fd)
{
    make_room(queue);
    struct queued *c = queue->count < QUEUE_MAX ? queued_new(queue, fd) : NULL;
    if (!c) {
        guard_close(fd);
        return;
    }
    c->older = queue->newest;
    *(c->older ? &c->older->newer : &queue->oldest) = c;
    queue->newest = c;
    queue->count++;
    loop_io_set(c->io, LOOP_READ);
    loop_timer_set(c->deadline, HOMING_CLIENT_DEADLINE_MS);
}

/* ---- the one in front ---- */

struct queued *queue_first(const struct queue *queue)
{
    struct queued *c = queue->oldest;

    while (c && !c->readable)
        c = c->newer;
    return c;
}

uint32_t queue_count(const struct queue *queue)
{
    return queue->count;
}
