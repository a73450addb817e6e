/* SPDX-License-Identifier: Apache-2.0
 *
 * sweeps.c - see sweeps.h.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "agent/base/log.h"
#include "agent/sever/sweep/own.h"
#include "agent/sever/sweep/sweep.h"
#include "agent/sever/sweep/sweeps.h"
#include "agent/sever/sweep/turns.h"

/* How long an order goes on that no client can take back any more. That is its last sweep without
 * a spread, and no longer than the shortest time for which a view without an agent counts (W9). */
#define ORPHAN_MS 5000
#define NEVER     UINT64_MAX
/* How long, after its last sweep, an order goes on with what its sweeps have left. Who has more than
 * that may be a user who means harm; homingd repeats its orders. */
#define REST_MS 10000

struct order {
    struct order *next;
    struct sever_order what;
    struct age age; /* of the order, if that counts */
    uint64_t start_us;
    uint64_t due_ms; /* NEVER: no sweep is left */
    uint32_t nth;    /* the sweep under way, or the next one */
    uint64_t end_ms; /* no sweep after it; 0: as many as there are */
    uint64_t rest_end_ms;
    bool cancelled;
    struct sweep rest; /* of the last sweep that left some */
    bool again;        /* a later sweep has left some, too, while the rest was under way */
    struct sweep_results results;
    sweeps_done_fn *done;
    void *arg;
};

struct sweeps {
    struct loop *loop;
    struct loop_timer *timer;
    struct order *orders;
    uint32_t order_count;
    struct sever_counts sum; /* of orders that are done */
    struct order *order;     /* being swept; NULL: none */
    struct group own;        /* own.h */
    struct age age;
    struct order *rested; /* whose rest had the last turn */
    struct strayed strayed;
    struct netlink_deputies deputies;
    struct sweep sweep;
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- an order ends ---- */

static void order_remove(struct sweeps *s, struct order *o)
{
    struct order **at = &s->orders;

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    s->order_count--;
    if (s->rested == o)
        s->rested = NULL;
    sweep_end(&o->rest);
    sweep_results_done(&o->results);
    free(o);
}

static void counts_add(struct sever_counts *sum, const struct sever_counts *counts)
{
    sum->severed += counts->severed;
    sum->gone += counts->gone;
    sum->denied += counts->denied;
    sum->failed += counts->failed;
    sum->dropped += counts->dropped;
    sum->seen += counts->seen;
    sum->outdated += counts->outdated;
    sum->untagged += counts->untagged;
    sum->older += counts->older;
    sum->foreign += counts->foreign;
    sum->unsure += counts->unsure;
    sum->memories += counts->memories;
    sum->behind += counts->behind;
    sum->given_up += counts->given_up;
    sum->mptcp_late += counts->mptcp_late;
    sum->mptcp_hidden += counts->mptcp_hidden;
}

static void order_finish(struct sweeps *s, struct order *o)
{
    const struct sweep_results *r = &o->results;

    if (o->what.kind == SEVER_DO)
        counts_add(&s->sum, &r->counts);
    if (s->order_count == 1)
        netlink_deputies_rest(&s->deputies);
    if (o->done)
        o->done(o->arg, &r->counts, r->rows, r->row_count);
    order_remove(s, o);
}

/* ---- its sweeps ---- */

/* When its next sweep is due. */
static void order_plan(struct order *o)
{
    uint64_t after_ms;

    o->due_ms = NEVER;
    if (turns_due_ms(&o->what, o->nth, &after_ms))
        o->due_ms = o->start_us / 1000 + after_ms;
    if (o->end_ms && o->due_ms > o->end_ms)
        o->due_ms = NEVER;
}

/* Nothing of it is due, or left. */
static bool order_is_over(const struct order *o)
{
    return o->cancelled || (o->due_ms == NEVER && !o->rest.order);
}

static struct order *first_due(const struct sweeps *s)
{
    struct order *first = s->orders;

    for (struct order *o = s->orders; o; o = o->next)
        if (o->due_ms < first->due_ms)
            first = o;
    return first;
}

static struct age *age_of(struct sweeps *s, struct order *o)
{
    return o->what.unasked ? &o->age : &s->age;
}

static void begin(struct sweeps *s, struct order *o)
{
    o->nth = turns_now(&o->what, o->nth, (now_us() - o->start_us) / 1000);
    s->order = o;
    s->sweep.age = age_of(s, o);
    sweep_begin(&s->sweep, &o->what, o->nth, &o->results);
}

static void note_first(struct order *o)
{
    o->results.counts.first_us = now_us() - o->start_us;
}

static void note_behind(struct order *o, uint32_t users)
{
    if (users && o->nth == 0)
        log_event(LOG_INFO, "behind",
                  "users have so many tags or connections that they wait for the others",
                  LOG_INT("users", users));
    o->results.counts.behind += o->nth == 0 ? users : 0;
}

/* What the sweep has left comes when nothing is due. One rest at a time: if one of an earlier sweep
 * is under way, another one of the last sweep follows. */
static void end(struct sweeps *s)
{
    struct order *o = s->order;
    uint32_t left = o->cancelled ? 0 : sweep_users_left(&s->sweep);

    note_behind(o, left);
    if (left && o->rest.order)
        o->again = true;
    else if (left)
        sweep_begin_rest(&o->rest, &s->sweep);
    sweep_end(&s->sweep);
    s->order = NULL;
    if (o->nth++ == 0 && !left)
        note_first(o);
    order_plan(o);
    if (order_is_over(o))
        order_finish(s, o);
}

/* ---- what its sweeps have left ---- */

/* Orders take turns. NULL: nothing is left of any. */
static struct order *next_rest(const struct sweeps *s)
{
    struct order *first = s->rested ? s->rested->next : NULL;

    for (struct order *o = first; o; o = o->next)
        if (o->rest.order)
            return o;
    for (struct order *o = s->orders; o != first; o = o->next)
        if (o->rest.order)
            return o;
    return NULL;
}

static void begin_again(struct sweeps *s, struct order *o)
{
    struct sweep whole = {.permits = s->sweep.permits,
                          .own = &s->own,
                          .salt = s->sweep.salt,
                          .age = age_of(s, o),
                          .strayed = &s->strayed,
                          .deputies = &s->deputies};

    o->again = false;
    sweep_begin(&whole, &o->what, o->nth - 1, &o->results);
    sweep_begin_rest(&o->rest, &whole);
    sweep_end(&whole);
}

static void end_rest(struct sweeps *s, struct order *o)
{
    if (o->rest.nth == 0)
        note_first(o);
    sweep_end(&o->rest);
    if (o->again)
        begin_again(s, o);
    if (order_is_over(o))
        order_finish(s, o);
}

static void give_up_rest(struct sweeps *s, struct order *o)
{
    uint32_t users = sweep_users_left(&o->rest);

    log_event(LOG_WARNING, "given_up",
              "users have too many tags or connections: not all were gone through",
              LOG_INT("users", users));
    o->results.counts.given_up += users;
    o->again = false;
    end_rest(s, o);
}

static void rest_turn(struct sweeps *s, struct order *o, uint64_t now_ms)
{
    s->rested = o;
    if (o->end_ms && now_ms > o->end_ms)
        order_finish(s, o);
    else if (now_ms > o->rest_end_ms)
        give_up_rest(s, o);
    else if (!sweep_turn(&o->rest, now_ms))
        end_rest(s, o);
}

/* ---- turn by turn ---- */

static bool is_due(const struct order *o, uint64_t now_ms)
{
    return o && o->due_ms <= now_ms;
}

static void plan(struct sweeps *s)
{
    const struct order *o = s->order ? NULL : first_due(s);
    uint64_t now_ms = now_us() / 1000;

    if (s->order || is_due(o, now_ms) || next_rest(s))
        loop_timer_set(s->timer, 0);
    else if (o && o->due_ms != NEVER)
        loop_timer_set(s->timer, o->due_ms - now_ms);
}

static void turn(void *arg)
{
    struct sweeps *s = arg;
    uint64_t now_ms = now_us() / 1000;
    struct order *due = first_due(s), *rest;

    if (!s->order && is_due(due, now_ms))
        begin(s, due);
    if (s->order) {
        if (s->order->cancelled || !sweep_turn(&s->sweep, now_ms))
            end(s);
    } else if ((rest = next_rest(s))) {
        rest_turn(s, rest, now_ms);
    }
    plan(s);
}

/* ---- orders come, and are taken back ---- */

static uint64_t last_due_ms(const struct sever_order *what)
{
    uint64_t ms = 0;

    for (uint32_t i = 0; turns_due_ms(what, i, &ms); i++)
        ;
    return ms;
}

static struct order *order_new(const struct sever_order *what, uint32_t row_max)
{
    struct order *o = calloc(1, sizeof(*o));

    if (!o)
        return NULL;
    o->what = *what;
    if (what->unasked)
        age_now(&o->age);
    o->start_us = now_us();
    o->due_ms = o->start_us / 1000;
    o->rest_end_ms = o->due_ms + last_due_ms(what) + REST_MS;
    o->results.row_max = row_max;
    o->results.rows = row_max ? calloc(row_max, sizeof(*o->results.rows)) : NULL;
    if (!row_max || o->results.rows)
        return o;
    free(o);
    return NULL;
}

int sweeps_add(struct sweeps *sweeps, const struct sever_order *order, uint32_t limit,
               sweeps_done_fn *done, void *arg)
{
    if (sweeps->order_count >= SWEEPS_ORDERS_MAX)
        return -EBUSY;
    struct order *o = order_new(order, order->kind == SEVER_LIST ? limit : 0);
    if (!o)
        return -ENOMEM;
    o->done = done;
    o->arg = arg;
    o->next = sweeps->orders;
    sweeps->orders = o;
    sweeps->order_count++;
    plan(sweeps);
    return 0;
}

static bool is_for(const struct sever_order *what, const uint64_t *endpoints, uint32_t count)
{
    for (uint32_t i = 0; i < what->endpoint_count; i++)
        for (uint32_t k = 0; k < count; k++)
            if (what->endpoints[i].id == endpoints[k])
                return true;
    return false;
}

/* It ends in its own turn, which is the next: `done` is not called from here. */
static void order_cancel(struct order *o)
{
    o->cancelled = true;
    o->due_ms = 0;
}

uint32_t sweeps_cancel(struct sweeps *sweeps, const uint64_t *endpoints, uint32_t count)
{
    uint32_t cancelled = 0;

    for (struct order *o = sweeps->orders; o; o = o->next)
        if (o->what.kind == SEVER_DO && is_for(&o->what, endpoints, count)) {
            order_cancel(o);
            cancelled++;
        }
    plan(sweeps);
    return cancelled;
}

void sweeps_forget(struct sweeps *sweeps, const void *arg)
{
    uint64_t end_ms = now_us() / 1000 + ORPHAN_MS;

    for (struct order *o = sweeps->orders; o; o = o->next) {
        if (!o->done || o->arg != arg)
            continue;
        o->done = NULL;
        o->end_ms = end_ms;
        if (o->due_ms > end_ms && !o->rest.order)
            order_cancel(o);
    }
    plan(sweeps);
}

void sweeps_group_gone(void *arg, struct group *group)
{
    struct sweeps *s = arg;

    sweep_group_gone(&s->sweep, group);
    for (struct order *o = s->orders; o; o = o->next)
        if (o->rest.order)
            sweep_group_gone(&o->rest, group);
}

uint32_t sweeps_figures(const struct sweeps *sweeps, struct sever_counts *ret_sum)
{
    *ret_sum = sweeps->sum;
    for (const struct order *o = sweeps->orders; o; o = o->next)
        if (o->what.kind == SEVER_DO)
            counts_add(ret_sum, &o->results.counts);
    return sweeps->order_count;
}

void sweeps_published(struct sweeps *sweeps)
{
    age_now(&sweeps->age);
}

void sweeps_look(struct sweeps *sweeps)
{
    age_note(&sweeps->age);
    age_go_on(&sweeps->age);
    if (!sweeps->orders)
        netlink_deputies_rest(&sweeps->deputies);
}

/* ---- begin and end ---- */

struct sweeps *sweeps_new(struct loop *loop)
{
    struct sweeps *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->timer = loop_timer_new(loop, turn, s);
    own_init(&s->own);
    s->sweep.own = &s->own;
    s->sweep.strayed = &s->strayed;
    s->sweep.deputies = &s->deputies;
    netlink_deputies_init(&s->deputies);
    age_now(&s->age);
    s->sweep.age = &s->age;
    if (s->timer && getrandom(&s->sweep.salt, sizeof(s->sweep.salt), 0) == sizeof(s->sweep.salt))
        return s;
    loop_timer_free(s->timer);
    free(s);
    return NULL;
}

void sweeps_set_permits(struct sweeps *sweeps, struct permits *permits)
{
    sweeps->sweep.permits = permits;
}

void sweeps_free(struct sweeps *sweeps)
{
    if (!sweeps)
        return;
    while (sweeps->orders)
        order_remove(sweeps, sweeps->orders);
    sweep_end(&sweeps->sweep);
    own_close(&sweeps->own);
    netlink_deputies_done(&sweeps->deputies);
    loop_timer_free(sweeps->timer);
    free(sweeps);
}
