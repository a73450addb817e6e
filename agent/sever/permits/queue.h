/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.h - connections to permit.sock that wait in line, from when they are accepted until the
 * receiver is asked about them.
 *
 * One pass, by handover.c: queue_add(); when the program has sent something, the owner is called;
 * queue_first() is the connection whose turn it is; queue_take() ends its wait.
 *
 * 1. The shim sends at once. What has sent nothing is no shim: it is closed after
 *    HOMING_CLIENT_DEADLINE_MS.
 * 2. Users have their turns one after the other, and so have the network namespaces of one user. So
 *    nobody waits for more than one connection of each other user.
 * 3. There is always room. If the line is full, the user with the most in line loses one: of his
 *    namespace with the most, the oldest that has sent nothing, or else the newest.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_QUEUE_H
#define HOMING_AGENT_SEVER_PERMITS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/base/closer.h"
#include "agent/base/loop.h"

/* Connections in line, at most: as many as all processes of one group may make at once. */
#define QUEUE_MAX 4096
/* A user whose connection took the receiver longer comes after the others for this many times as
 * long. */
#define QUEUE_SLOW_MS    10
#define QUEUE_SLOW_TIMES 10
/* So often within so long no program's connections come in vain: a user of whom that many processes
 * hand over at once is served faster. */
#define QUEUE_FLOOD    4096
#define QUEUE_FLOOD_MS 4000

struct queue;
struct queue_lane;

struct queued {
    struct queue_lane *lane;
    struct queued *older;
    struct queued *newer;
    struct loop_io *io;
    struct loop_timer *deadline;
    int fd;
    bool readable;
    struct ucred peer;
};

struct queue_owner {
    /* One of the queue has sent something. */
    void (*readable)(void *arg);
    /* This user has come QUEUE_FLOOD times in vain within QUEUE_FLOOD_MS; of root, his processes of one
     * control group have; of who comes from another network namespace than `netns`, those of that one
     * have (barred.h). */
    void (*flooded)(void *arg, const struct ucred *user, uint64_t place);
    void *arg;
    uint64_t netns; /* the owner's own */
};

/* For at most `max` connections. `closer` closes what leaves the line otherwise than by
 * queue_take(). NULL: out of memory. */
struct queue *queue_new(struct loop *loop, struct closer *closer, uint32_t max,
                        const struct queue_owner *owner);
/* Closes all that wait. NULL is allowed. */
void queue_free(struct queue *queue);

/* Takes over a connection just accepted, perhaps to close it. */
void queue_add(struct queue *queue, int fd, const struct ucred *peer);

/* NULL: none has sent anything. It stays in line. */
struct queued *queue_first(const struct queue *queue);

/* Ends its wait, and its user's turn. The connection is the caller's. */
int queue_take(struct queued *queued);

/* The receiver was busy for so long with what this user had sent. */
void queue_charge(struct queue *queue, uid_t uid, uint64_t took_ms);

/* One that was taken came in vain: it brought no permit. It is charged to him alone who could be barred for
 * it: of root, whose control group cannot be seen, that is nobody. Those that are closed here are counted by
 * themselves. */
void queue_note_vain(struct queue *queue, const struct ucred *user, uint64_t netns);

struct queue_figures {
    uint32_t waiting;
    uint64_t crowded_out; /* closed for want of room */
    uid_t crowded_uid;    /* whose the last of them was */
};
void queue_figures(const struct queue *queue, struct queue_figures *ret_figures);

#endif
