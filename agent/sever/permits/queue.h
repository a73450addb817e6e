/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.h - connections to permit.sock that wait in line, from when they are accepted until the
 * receiver has answered.
 *
 * One pass, by handover.c: queue_add(); when the program has sent something, the owner is called;
 * queue_first() is the oldest connection that has sent something; queue_take() ends its wait.
 *
 * 1. The shim sends at once. What has sent nothing is no shim: it is closed after
 *    HOMING_CLIENT_DEADLINE_MS, or earlier, the oldest first, if the line is full.
 * 2. A connection that has sent something is never closed here.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_QUEUE_H
#define HOMING_AGENT_SEVER_PERMITS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/base/loop.h"

/* Connections in line. When all of them have sent something, further ones wait unaccepted, in the
 * kernel. */
#define QUEUE_MAX 256

struct queue;

struct queued {
    struct queue *queue;
    struct queued *older;
    struct queued *newer;
    struct loop_io *io;
    struct loop_timer *deadline;
    int fd;
    bool readable;
    struct ucred peer;
};

/* One of the queue has sent something. */
typedef void queue_readable_fn(void *arg);

/* NULL: out of memory. */
struct queue *queue_new(struct loop *loop, queue_readable_fn *readable, void *arg);
/* Closes all that wait. */
void queue_free(struct queue *queue);

/* For one more, if need be in place of the oldest that has sent nothing. */
bool queue_has_room(const struct queue *queue);

/* Takes over a connection just accepted. Closes it if there is no room for it. */
void queue_add(struct queue *queue, int fd);

/* NULL: none has sent anything. It stays in line. */
struct queued *queue_first(const struct queue *queue);

/* Ends its wait. The connection is the caller's. */
int queue_take(struct queued *queued);

uint32_t queue_count(const struct queue *queue);

#endif
