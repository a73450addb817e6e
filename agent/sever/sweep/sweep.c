/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.c - see sweep.h.
 *
 * 1. W7: what is aborted was listed in this very sweep as connected to the demoted member, and is
 *    named to the kernel by its cookie; and a tag of its own group says that it is outdated, or no
 *    tag of any process in its namespace knows it and the order is for such, too.
 * 2. One turn: one dump, or TAGS_PER_TURN memories, or ABORTS_PER_TURN orders to the kernel.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/sweep.h"
#include "agent/sever/sweep/tags.h"
#include "agent/sever/sweep/turns.h"

enum {
    /* Some milliseconds even where somebody has filled all of his tag memories. */
    TAGS_PER_TURN = 8,
    ABORTS_PER_TURN = 200,
    /* Dumps in a row that are not finished in time, then the permit goes. */
    LATE_MAX = 3,
    /* How long an order goes on that nobody can take back any more: its last sweep without a
     * spread, and no longer than a view without an agent counts at least (W9). */
    ORPHAN_MS = 5000
};

struct order {
    struct order *next;
    struct sever_order what;
    uint64_t start_us;
    uint64_t due_ms;
    uint32_t sweep;  /* under way, or the next one */
    uint64_t end_ms; /* no sweep after it; 0: as many as there are */
    bool cancelled;
    struct sever_counts counts;
    struct sever_row *rows;
    uint32_t row_count;
    uint32_t row_max;
    sweep_done_fn *done;
    void *arg;
};

enum stage {
    STAGE_LIST,
    STAGE_JUDGE,
    STAGE_ABORT
};

struct sweeps {
    struct loop *loop;
    struct permits *permits;
    struct loop_timer *timer;
    struct order *orders;
    uint32_t order_count;
    struct sever_counts sum; /* of orders that are done */
    uint64_t salt;           /* nodes do not sever in step */

    struct order *order; /* being swept; NULL: none */
    uint64_t number;     /* of this sweep, and of each round of judging */
    uint64_t sweep;
    enum stage stage;
    struct group *group; /* NULL: the next one */
    uint64_t netns;      /* of the group before */
    struct tags tags;
    uint32_t at; /* entry to be aborted next */
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- orders ---- */

static void order_remove(struct sweeps *s, struct order *o)
{
    struct order **at = &s->orders;

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    s->order_count--;
    free(o->rows);
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
    if (o->what.kind == SEVER_DO)
        counts_add(&s->sum, &o->counts);
    if (o->done)
        o->done(o->arg, &o->counts, o->rows, o->row_count);
    order_remove(s, o);
}

static struct order *order_first_due(const struct sweeps *s)
{
    struct order *first = s->orders;

    for (struct order *o = s->orders; o; o = o->next)
        if (o->due_ms < first->due_ms)
            first = o;
    return first;
}

/* ---- one group ---- */

static bool listed(void *arg, const struct diag_socket *socket)
{
    struct sweeps *s = arg;
    const struct sever_order *what = &s->order->what;

    if (!diag_is_connected_to(socket, what->addresses, what->address_count)) /* W7 */
        return true;
    return tags_add(&s->tags, socket) == 0;
}

static bool has_ipv4(const struct sever_order *what)
{
    for (uint32_t i = 0; i < what->address_count; i++)
        if (what->addresses[i].family == AF_INET)
            return true;
    return false;
}

static int list(struct sweeps *s, int fd)
{
    const struct sever_order *what = &s->order->what;
    int rv = netlink_dump(fd, AF_INET6, what->addresses, what->address_count, listed, s);

    if (rv == 0 && has_ipv4(what))
        rv = netlink_dump(fd, AF_INET, what->addresses, what->address_count, listed, s);
    return rv;
}

/* Late is not yet hindered: what was listed is right, and the next sweep lists more. */
static bool list_group(struct sweeps *s, struct group *group)
{
    int rv = list(s, group->netlinks[0].fd);

    group->late = rv == -ETIME ? group->late + 1 : 0;
    return rv == 0 || (rv == -ETIME && group->late < LATE_MAX);
}

/* The group's socket failed: its next one tries, in the next turn. */
static void hindered(struct sweeps *s)
{
    struct group *group = s->group;

    s->order->counts.dropped++;
    s->group = NULL;
    group->swept = 0;
    permits_drop_netlink(group);
}

static void list_turn(struct sweeps *s)
{
    struct group *group = s->group;

    tags_done(&s->tags);
    if (group->netlink_count == 0) {
        s->group = NULL;
        return;
    }
    if (!list_group(s, group)) {
        hindered(s);
        return;
    }
    if (s->order->sweep == 0) {
        s->order->counts.processes += group->count;
        s->order->counts.namespaces += group->netns == 0 || group->netns != s->netns;
    }
    s->number++;
    s->stage = STAGE_JUDGE;
}

static struct permit *next_memory(const struct sweeps *s, const struct group *group)
{
    struct permit *p = group->first;

    while (p && p->swept == s->number)
        p = p->next;
    return p;
}

/* First the group's own; then, where it matters that nobody knows a connection, those of the other
 * groups of the namespace. */
static struct permit *next_judge(const struct sweeps *s)
{
    struct permit *p = next_memory(s, s->group);

    if (!s->order->what.untagged || s->group->netns == 0)
        return p;
    for (const struct group *g = permits_first_group(s->permits); g && !p; g = g->next)
        if (g->netns == s->group->netns)
            p = next_memory(s, g);
    return p;
}

static void count_listed(struct sweeps *s)
{
    struct sever_counts *counts = &s->order->counts;
    bool first_of_netns = s->group->netns == 0 || s->group->netns != s->netns;

    if (s->order->sweep > 0)
        return;
    for (uint32_t i = 0; i < s->tags.count; i++) {
        enum tags_verdict verdict = s->tags.entries[i].verdict;
        counts->seen += first_of_netns;
        counts->outdated += verdict == TAGS_OUTDATED;
        counts->untagged += first_of_netns && verdict == TAGS_UNTAGGED;
    }
}

static void judge_by(struct sweeps *s, struct permit *p)
{
    struct tags_owner owner = {
        .process = (uintptr_t)p, .pid = p->pid, .uid = p->uid, .own = p->group == s->group};

    memcpy(owner.comm, p->comm, sizeof(owner.comm));
    p->swept = s->number;
    (void)tags_judge_memory(&s->tags, &s->order->what, p->tags, &owner);
}

static void judge_turn(struct sweeps *s)
{
    for (int i = 0; i < TAGS_PER_TURN; i++) {
        struct permit *p = s->tags.count ? next_judge(s) : NULL;
        if (!p) {
            count_listed(s);
            if (s->order->what.kind == SEVER_DO)
                turns_sort(&s->tags, s->salt);
            s->stage = STAGE_ABORT;
            s->at = 0;
            return;
        }
        judge_by(s, p);
    }
}

static void add_row(struct order *o, const struct tags_entry *e)
{
    if (o->row_count == o->row_max)
        return;
    struct sever_row *row = &o->rows[o->row_count++];
    uint64_t now_ms = now_us() / 1000;

    *row = (struct sever_row){.pid = e->owner.pid,
                              .uid = e->owner.uid,
                              .endpoint = e->endpoint,
                              .generation = e->generation,
                              .age_ms = now_ms > e->since_ms ? now_ms - e->since_ms : 0,
                              .address = diag_peer(&e->socket)};
    memcpy(row->comm, e->owner.comm, sizeof(row->comm));
}

/* The next to be aborted; 0: none is left. */
static uint32_t choose(struct sweeps *s, struct diag_socket *ret_sockets, uint32_t max)
{
    const struct order *o = s->order;
    uint32_t count = 0;

    for (; s->at < s->tags.count && count < max; s->at++) {
        const struct tags_entry *e = &s->tags.entries[s->at];
        bool wanted =
            e->verdict == TAGS_OUTDATED || (e->verdict == TAGS_UNTAGGED && o->what.untagged);
        if (wanted && turns_take(&o->what, o->sweep, e))
            ret_sockets[count++] = e->socket;
    }
    return count;
}

static bool count_results(struct sever_counts *counts, const int *errors, uint32_t count)
{
    bool answered = true;

    for (uint32_t i = 0; i < count; i++) {
        counts->severed += errors[i] == 0;
        counts->gone += errors[i] == -ENOENT;
        counts->denied += errors[i] == -EPERM;
        counts->failed += errors[i] != 0 && errors[i] != -ENOENT && errors[i] != -EPERM;
        answered &= errors[i] != -ENODATA;
    }
    return answered;
}

static void abort_turn(struct sweeps *s)
{
    struct diag_socket sockets[NETLINK_DESTROY_MAX];
    int errors[NETLINK_DESTROY_MAX];

    for (uint32_t done = 0; done < ABORTS_PER_TURN; done += NETLINK_DESTROY_MAX) {
        uint32_t count = choose(s, sockets, NETLINK_DESTROY_MAX);
        if (count == 0) {
            s->netns = s->group->netns;
            s->group = NULL;
            return;
        }
        if (s->order->what.kind == SEVER_OBSERVE) {
            s->order->counts.severed += count;
            continue;
        }
        netlink_destroy(s->group->netlinks[0].fd, sockets, count, errors);
        if (!count_results(&s->order->counts, errors, count)) {
            hindered(s);
            return;
        }
    }
}

static void list_rows(struct sweeps *s)
{
    for (uint32_t i = 0; i < s->tags.count; i++)
        if (s->tags.entries[i].verdict != TAGS_UNTAGGED)
            add_row(s->order, &s->tags.entries[i]);
    s->netns = s->group->netns;
    s->group = NULL;
}

static void group_turn(struct sweeps *s)
{
    if (s->stage == STAGE_LIST)
        list_turn(s);
    else if (s->stage == STAGE_JUDGE)
        judge_turn(s);
    else if (s->order->what.kind == SEVER_LIST)
        list_rows(s);
    else
        abort_turn(s);
}

/* ---- one sweep ---- */

static void sweep_begin(struct sweeps *s, struct order *o)
{
    o->sweep = turns_now(&o->what, o->sweep, (now_us() - o->start_us) / 1000);
    s->order = o;
    s->sweep = ++s->number;
    s->group = NULL;
    s->netns = 0;
}

static bool order_plan(struct order *o)
{
    uint64_t after_ms;

    if (o->cancelled || !turns_due_ms(&o->what, o->sweep, &after_ms))
        return false;
    o->due_ms = o->start_us / 1000 + after_ms;
    return o->end_ms == 0 || o->due_ms <= o->end_ms;
}

static void sweep_end(struct sweeps *s)
{
    struct order *o = s->order;

    tags_done(&s->tags);
    s->order = NULL;
    if (o->sweep++ == 0)
        o->counts.first_us = now_us() - o->start_us;
    if (!order_plan(o))
        order_finish(s, o);
}

static bool next_group(struct sweeps *s)
{
    struct group *g = permits_first_group(s->permits);

    while (g && g->swept == s->sweep)
        g = g->next;
    if (!g)
        return false;
    g->swept = s->sweep;
    s->group = g;
    s->stage = STAGE_LIST;
    return true;
}

static void plan(struct sweeps *s)
{
    const struct order *o = s->order ? NULL : order_first_due(s);
    uint64_t now_ms = now_us() / 1000;

    if (s->order || (o && o->due_ms <= now_ms))
        loop_timer_set(s->timer, 0);
    else if (o)
        loop_timer_set(s->timer, o->due_ms - now_ms);
}

static void turn(void *arg)
{
    struct sweeps *s = arg;
    struct order *o = order_first_due(s);

    if (!s->order && o && o->due_ms <= now_us() / 1000)
        sweep_begin(s, o);
    if (s->order) {
        if (!s->order->cancelled && (s->group || next_group(s)))
            group_turn(s);
        else
            sweep_end(s);
    }
    plan(s);
}

/* ---- from outside ---- */

struct sweeps *sweeps_new(struct loop *loop)
{
    struct sweeps *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->timer = loop_timer_new(loop, turn, s);
    if (s->timer && getrandom(&s->salt, sizeof(s->salt), 0) == sizeof(s->salt))
        return s;
    loop_timer_free(s->timer);
    free(s);
    return NULL;
}

void sweeps_set_permits(struct sweeps *sweeps, struct permits *permits)
{
    sweeps->permits = permits;
}

void sweeps_free(struct sweeps *sweeps)
{
    if (!sweeps)
        return;
    while (sweeps->orders)
        order_remove(sweeps, sweeps->orders);
    tags_done(&sweeps->tags);
    loop_timer_free(sweeps->timer);
    free(sweeps);
}

int sweeps_add(struct sweeps *sweeps, const struct sever_order *order, uint32_t limit,
               sweep_done_fn *done, void *arg)
{
    if (sweeps->order_count >= SWEEP_ORDERS_MAX)
        return -EBUSY;
    struct order *o = calloc(1, sizeof(*o));
    if (!o)
        return -ENOMEM;
    o->what = *order;
    o->done = done;
    o->arg = arg;
    o->start_us = now_us();
    o->due_ms = o->start_us / 1000;
    o->row_max = order->kind == SEVER_LIST ? limit : 0;
    o->rows = o->row_max ? calloc(o->row_max, sizeof(*o->rows)) : NULL;
    if (o->row_max && !o->rows) {
        free(o);
        return -ENOMEM;
    }
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

/* In its own turn, which is the next: nobody is called from here. */
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

    if (s->group == group)
        s->group = NULL;
}

uint32_t sweeps_figures(const struct sweeps *sweeps, struct sever_counts *ret_sum)
{
    *ret_sum = sweeps->sum;
    for (const struct order *o = sweeps->orders; o; o = o->next)
        if (o->what.kind == SEVER_DO)
            counts_add(ret_sum, &o->counts);
    return sweeps->order_count;
}
