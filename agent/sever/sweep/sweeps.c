/* SPDX-License-Identifier: Apache-2.0
 *
 * sweeps.c - see sweeps.h.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "agent/sever/sweep/sweep.h"
#include "agent/sever/sweep/sweeps.h"
#include "agent/sever/sweep/turns.h"

/* How long an order goes on that no client can take back any more. That is its last sweep without
 * a spread, and no longer than the shortest time for which a view without an agent counts (W9). */
#define ORPHAN_MS 5000

struct order {
    struct order *next;
    struct sever_order what;
    uint64_t start_us;
    uint64_t due_ms;
    uint32_t nth;    /* the sweep under way, or the next one */
    uint64_t end_ms; /* no sweep after it; 0: as many as there are */
    bool cancelled;
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
    free(o->results.rows);
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
}

static void order_finish(struct sweeps *s, struct order *o)
{
    const struct sweep_results *r = &o->results;

    if (o->what.kind == SEVER_DO)
        counts_add(&s->sum, &r->counts);
    if (o->done)
        o->done(o->arg, &r->counts, r->rows, r->row_count);
    order_remove(s, o);
}

/* ---- turn by turn ---- */

/* When its next sweep is due. False: there is none. */
static bool order_plan(struct order *o)
{
    uint64_t after_ms;

    if (o->cancelled || !turns_due_ms(&o->what, o->nth, &after_ms))
        return false;
    o->due_ms = o->start_us / 1000 + after_ms;
    return o->end_ms == 0 || o->due_ms <= o->end_ms;
}

static struct order *first_due(const struct sweeps *s)
{
    struct order *first = s->orders;

    for (struct order *o = s->orders; o; o = o->next)
        if (o->due_ms < first->due_ms)
            first = o;
    return first;
}

static void begin(struct sweeps *s, struct order *o)
{
    o->nth = turns_now(&o->what, o->nth, (now_us() - o->start_us) / 1000);
    s->order = o;
    sweep_begin(&s->sweep, &o->what, o->nth, &o->results);
}

static void end(struct sweeps *s)
{
    struct order *o = s->order;

    sweep_end(&s->sweep);
    s->order = NULL;
    if (o->nth++ == 0)
        o->results.counts.first_us = now_us() - o->start_us;
    if (!order_plan(o))
        order_finish(s, o);
}

static void plan(struct sweeps *s)
{
    const struct order *o = s->order ? NULL : first_due(s);
    uint64_t now_ms = now_us() / 1000;

    if (s->order || (o && o->due_ms <= now_ms))
        loop_timer_set(s->timer, 0);
    else if (o)
        loop_timer_set(s->timer, o->due_ms - now_ms);
}

static void turn(void *arg)
{
    struct sweeps *s = arg;
    uint64_t now_ms = now_us() / 1000;
    struct order *o = first_due(s);

    if (!s->order && o && o->due_ms <= now_ms)
        begin(s, o);
    if (s->order && (s->order->cancelled || !sweep_turn(&s->sweep, now_ms)))
        end(s);
    plan(s);
}

/* ---- orders come, and are taken back ---- */

static struct order *order_new(const struct sever_order *what, uint32_t row_max)
{
    struct order *o = calloc(1, sizeof(*o));

    if (!o)
        return NULL;
    o->what = *what;
    o->start_us = now_us();
    o->due_ms = o->start_us / 1000;
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
        if (o->due_ms > end_ms)
            order_cancel(o);
    }
    plan(sweeps);
}

void sweeps_group_gone(void *arg, struct group *group)
{
    struct sweeps *s = arg;

    sweep_group_gone(&s->sweep, group);
}

uint32_t sweeps_figures(const struct sweeps *sweeps, struct sever_counts *ret_sum)
{
    *ret_sum = sweeps->sum;
    for (const struct order *o = sweeps->orders; o; o = o->next)
        if (o->what.kind == SEVER_DO)
            counts_add(ret_sum, &o->results.counts);
    return sweeps->order_count;
}

/* ---- begin and end ---- */

struct sweeps *sweeps_new(struct loop *loop)
{
    struct sweeps *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->timer = loop_timer_new(loop, turn, s);
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
    loop_timer_free(sweeps->timer);
    free(sweeps);
}
