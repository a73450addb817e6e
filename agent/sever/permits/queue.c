/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.c - see queue.h. A user has a lane for each network namespace that he has something in line
 * from.
 *
 * 1. A user stays in the list while he is there, or has to come after the others. That took the receiver
 *    a tenth of the time: so the list is short, however many users somebody has.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/base/barred.h"
#include "agent/base/stranger.h"
#include "agent/sever/permits/queue.h"
#include "agent/sever/permits/rights.h"
#include "proto/limits.h"

struct user;

struct queue_lane {
    struct user *user;
    struct queue_lane *next;
    uint64_t netns;
    uint64_t turn; /* when it came or had its last turn: a lower number is first */
    uint32_t count;
    uint32_t readable;
    struct queued *oldest;
    struct queued *newest;
};

struct user {
    struct queue *queue;
    struct user *next;
    struct queue_lane *lanes;
    uid_t uid;
    uint64_t turn;
    uint64_t after_ms; /* until then, others come first */
    uint32_t count;
    uint32_t readable;
};

/* Who comes in vain, as he would be barred. */
struct comer {
    uid_t uid;
    uint64_t place;
    uint64_t since_ms;
    uint32_t times; /* since then; 0: a free place */
};

struct queue {
    struct loop *loop;
    struct closer *closer;
    struct queue_owner owner;
    struct user *users;
    uint32_t max;
    uint32_t count;
    uint64_t turns;
    struct queue_figures figures;
    struct comer in_vain[QUEUE_COUNTED];
};

struct queue *queue_new(struct loop *loop, struct closer *closer, uint32_t max,
                        const struct queue_owner *owner)
{
    struct queue *queue = calloc(1, sizeof(*queue));

    if (queue)
        *queue = (struct queue){.loop = loop, .closer = closer, .owner = *owner, .max = max};
    return queue;
}

/* ---- users and lanes ---- */

static struct user *user_find(const struct queue *queue, uid_t uid)
{
    struct user *u = queue->users;

    while (u && u->uid != uid)
        u = u->next;
    return u;
}

static bool is_remembered(const struct user *u, uint64_t now_ms)
{
    return u->count || u->after_ms > now_ms;
}

static void forget_users(struct queue *queue)
{
    uint64_t now_ms = loop_now_ms(queue->loop);

    for (struct user **at = &queue->users; *at;) {
        struct user *u = *at;
        if (is_remembered(u, now_ms)) {
            at = &u->next;
            continue;
        }
        *at = u->next;
        free(u);
    }
}

static struct user *user_of(struct queue *queue, uid_t uid)
{
    struct user *u = user_find(queue, uid);

    if (u)
        return u;
    forget_users(queue);
    u = calloc(1, sizeof(*u));
    if (!u)
        return NULL;
    *u = (struct user){.queue = queue, .next = queue->users, .uid = uid};
    queue->users = u;
    return u;
}

static struct queue_lane *lane_find(const struct user *user, uint64_t netns)
{
    struct queue_lane *lane = user ? user->lanes : NULL;

    while (lane && lane->netns != netns)
        lane = lane->next;
    return lane;
}

static struct queue_lane *lane_of(struct queue *queue, uid_t uid, uint64_t netns)
{
    struct user *user = user_of(queue, uid);
    struct queue_lane *lane = lane_find(user, netns);

    if (!user || lane)
        return lane;
    lane = calloc(1, sizeof(*lane));
    if (!lane)
        return NULL;
    *lane = (struct queue_lane){
        .user = user, .next = user->lanes, .netns = netns, .turn = ++queue->turns};
    user->lanes = lane;
    return lane;
}

static void lane_free(struct queue_lane *lane)
{
    struct queue_lane **at = &lane->user->lanes;

    while (*at != lane)
        at = &(*at)->next;
    *at = lane->next;
    free(lane);
}

void queue_charge(struct queue *queue, uid_t uid, uint64_t took_ms)
{
    struct user *user = took_ms >= QUEUE_SLOW_MS ? user_of(queue, uid) : NULL;

    if (user)
        user->after_ms = loop_now_ms(queue->loop) + QUEUE_SLOW_TIMES * took_ms;
}

/* ---- who comes in vain ---- */

static bool is_over(const struct comer *c, uint64_t now_ms)
{
    return c->since_ms + QUEUE_FLOOD_MS <= now_ms;
}

/* Of a user that several containers have, only the one is meant that it comes from. */
static uint64_t place_of(const struct queue *queue, const struct ucred *peer, uint64_t netns)
{
    if (peer->uid == 0)
        return barred_place(peer->pid);
    return netns == queue->owner.netns ? 0 : netns;
}

/* His own, or another one's, of whom that means least. */
static struct comer *comer_of(struct queue *queue, uid_t uid, uint64_t place, uint64_t now_ms)
{
    struct comer *least = &queue->in_vain[0];

    for (uint32_t i = 0; i < QUEUE_COUNTED; i++) {
        struct comer *c = &queue->in_vain[i];
        if (c->times && c->uid == uid && c->place == place)
            return c;
        if (c->times && is_over(c, now_ms))
            c->times = 0;
        if (c->times < least->times)
            least = c;
    }
    *least = (struct comer){.uid = uid, .place = place, .since_ms = now_ms};
    return least;
}

void queue_note_vain(struct queue *queue, const struct ucred *peer, uint64_t netns)
{
    uint64_t place = place_of(queue, peer, netns);
    uint64_t now_ms = loop_now_ms(queue->loop);

    if (peer->uid == 0 && !place)
        return;
    struct comer *c = comer_of(queue, peer->uid, place, now_ms);
    if (is_over(c, now_ms)) {
        c->times = 0;
        c->since_ms = now_ms;
    }
    if (++c->times == QUEUE_FLOOD)
        queue->owner.flooded(queue->owner.arg, peer, place);
}

/* ---- one leaves ---- */

static void queued_free(struct queued *c)
{
    loop_io_free(c->io);
    loop_timer_free(c->deadline);
    free(c);
}

static int leave(struct queued *c)
{
    struct queue_lane *lane = c->lane;
    struct user *user = lane->user;
    int fd = c->fd;

    *(c->older ? &c->older->newer : &lane->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &lane->newest) = c->older;
    lane->count--;
    user->count--;
    user->queue->count--;
    lane->readable -= c->readable;
    user->readable -= c->readable;
    queued_free(c);
    if (lane->count == 0)
        lane_free(lane);
    return fd;
}

static void close_one(struct queued *c)
{
    struct queue *queue = c->lane->user->queue;
    struct ucred peer = c->peer;
    uint64_t netns = c->lane->netns;

    closer_take(queue->closer, leave(c));
    queue_note_vain(queue, &peer, netns);
}

int queue_take(struct queued *c)
{
    struct user *user = c->lane->user;

    user->turn = c->lane->turn = ++user->queue->turns;
    return leave(c);
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    while (queue->users) {
        struct user *user = queue->users;
        while (user->lanes)
            closer_take(queue->closer, leave(user->lanes->oldest));
        queue->users = user->next;
        free(user);
    }
    free(queue);
}

/* ---- one sends something, or nothing ---- */

static void readable(void *arg, int events)
{
    struct queued *c = arg;
    const struct queue *queue = c->lane->user->queue;

    (void)events;
    c->readable = true;
    c->lane->readable++;
    c->lane->user->readable++;
    loop_io_set(c->io, 0);
    loop_timer_stop(c->deadline);
    queue->owner.readable(queue->owner.arg);
}

/* If this process had no processor, the program may have sent in time all the same. */
static void late(void *arg)
{
    struct queued *c = arg;

    if (rights_pending(c->fd))
        readable(c, 0);
    else
        close_one(c);
}

/* ---- the line is full ---- */

/* The user with the most in line; `joining`, if nobody has more: else two of them would throw each
 * other out for ever. */
static const struct user *largest_user(const struct queue *queue, const struct user *joining)
{
    const struct user *largest = joining;

    for (const struct user *u = queue->users; u; u = u->next)
        if (u->count > largest->count)
            largest = u;
    return largest;
}

static const struct queue_lane *largest_lane(const struct user *user,
                                             const struct queue_lane *joining)
{
    const struct queue_lane *largest = joining->user == user ? joining : user->lanes;

    for (const struct queue_lane *lane = user->lanes; lane; lane = lane->next)
        if (lane->count > largest->count)
            largest = lane;
    return largest;
}

/* The oldest that has sent nothing, also nothing that there was no time to look at. */
static struct queued *oldest_silent(const struct queue_lane *lane)
{
    struct queued *c = lane->readable < lane->count ? lane->oldest : NULL;

    while (c && (c->readable || rights_pending(c->fd)))
        c = c->newer;
    return c;
}

static void close_surplus(struct queue *queue, const struct queue_lane *joining)
{
    const struct user *user = largest_user(queue, joining->user);
    const struct queue_lane *lane = largest_lane(user, joining);
    struct queued *c = oldest_silent(lane);

    queue->figures.crowded_out++;
    queue->figures.crowded_uid = user->uid;
    close_one(c ? c : lane->newest);
}

/* ---- one comes ---- */

static struct queued *queued_new(struct queue *queue, int fd, const struct ucred *peer)
{
    struct queued *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct queued){.fd = fd, .peer = *peer};
    c->io = loop_io_new(queue->loop, fd, readable, c);
    c->deadline = loop_timer_new(queue->loop, late, c);
    if (c->io && c->deadline)
        return c;
    queued_free(c);
    return NULL;
}

static void join(struct queued *c, struct queue_lane *lane)
{
    struct user *user = lane->user;

    if (user->count++ == 0)
        user->turn = ++user->queue->turns;
    c->lane = lane;
    c->older = lane->newest;
    *(c->older ? &c->older->newer : &lane->oldest) = c;
    lane->newest = c;
    lane->count++;
    user->queue->count++;
    loop_io_set(c->io, LOOP_READ);
    loop_timer_set(c->deadline, HOMING_CLIENT_DEADLINE_MS);
}

void queue_add(struct queue *queue, int fd, const struct ucred *peer)
{
    struct queued *c = queued_new(queue, fd, peer);
    struct queue_lane *lane = c ? lane_of(queue, peer->uid, netns_of(fd)) : NULL;

    if (lane) {
        join(c, lane);
        if (queue->count > queue->max)
            close_surplus(queue, lane);
        return;
    }
    if (c)
        queued_free(c);
    closer_take(queue->closer, fd);
}

/* ---- whose turn it is ---- */

static bool comes_before(const struct user *a, const struct user *b, uint64_t now_ms)
{
    uint64_t a_after_ms = a->after_ms > now_ms ? a->after_ms : 0;
    uint64_t b_after_ms = b->after_ms > now_ms ? b->after_ms : 0;

    return a_after_ms != b_after_ms ? a_after_ms < b_after_ms : a->turn < b->turn;
}

struct queued *queue_first(const struct queue *queue)
{
    uint64_t now_ms = loop_now_ms(queue->loop);
    const struct user *user = NULL;
    const struct queue_lane *lane = NULL;

    for (const struct user *u = queue->users; u; u = u->next)
        if (u->readable && (!user || comes_before(u, user, now_ms)))
            user = u;
    for (const struct queue_lane *l = user ? user->lanes : NULL; l; l = l->next)
        if (l->readable && (!lane || l->turn < lane->turn))
            lane = l;
    struct queued *c = lane ? lane->oldest : NULL;
    while (c && !c->readable)
        c = c->newer;
    return c;
}

void queue_figures(const struct queue *queue, struct queue_figures *ret_figures)
{
    *ret_figures = queue->figures;
    ret_figures->waiting = queue->count;
}
