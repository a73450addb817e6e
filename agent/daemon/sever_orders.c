/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_orders.c - layer 3's orders: which connections homing-sever is to abort, and when. See
 * daemon/daemon.h.
 *
 * 1. W7: only to members known to be demoted, only what was made for one of the cluster's writer
 *    endpoints before its present answer, and only while the published writer's own claim is live.
 *    Never on silence alone (W5), never while braked (W10), frozen, ambiguous, stale, or without a
 *    writer. An address that is also the writer's is never named.
 * 2. What could not be ordered stays due: after the failover that an agent slept through, for a
 *    homing-sever that comes later, for addresses that change.
 * 3. A permit can come after the order that it was needed for: orders are repeated, less and less
 *    often, for ten minutes. Connections without tags are aborted once per switch, never again: who
 *    connects to a demoted member later means it.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/log.h"
#include "agent/daemon/parts.h"

/* The first repetition; each next one after twice the time, so that the last comes ten minutes
 * after the first order. */
#define REPEAT_MS  5000
#define REPEAT_MAX 7
/* What is redirected later than this is not because of the switch. Longer than homing-sever's
 * figures are old, and than the first repetition takes. */
#define REDIRECTS_MS 60000
/* A switch that could not be acted on for so long says nothing about connections without tags. */
#define UNTAGGED_MS 600000

/* One order under way. */
struct run_order {
    struct run_order *next;
    struct run_order **link; /* what points to it */
    struct run_cluster *rc;  /* NULL: it is gone */
    enum sever_kind kind;
    bool cancelled; /* homing-sever has been told to end it */
};

/* What is to be ordered of a cluster, before it is cut into orders that fit. */
struct target {
    enum sever_kind kind;
    struct sever_endpoint endpoints[SEVER_ENDPOINTS_MAX];
    uint32_t endpoint_count;
    struct sever_address addresses[HOMING_MEMBERS_MAX * HOMING_ADDRESSES_MAX];
    uint32_t address_count;
};

/* ---- whom ---- */

static bool is_writers(const struct probe_member *writer, const struct address *address)
{
    size_t len = address->family == 4 ? 4 : 16;

    for (uint32_t i = 0; i < writer->address_count; i++)
        if (writer->addresses[i].family == address->family &&
            writer->addresses[i].port == address->port &&
            memcmp(writer->addresses[i].bytes, address->bytes, len) == 0)
            return true;
    return false;
}

struct sever_address run_sever_address(const struct address *address)
{
    struct sever_address out = {
        .family = address->family == 4 ? AF_INET : AF_INET6,
        .port = address->port,
    };

    memcpy(out.addr, address->bytes, address->family == 4 ? 4 : 16);
    return out;
}

static void target_members(const struct run_cluster *rc, struct target *target)
{
    const struct verdict *verdict = &rc->mind.verdict;
    struct probe_member writer, member;

    probe_member(rc->probe, verdict->writer, &writer);
    for (uint32_t m = 0; m < rc->conf->member_count; m++) {
        if (!(verdict->demoted >> m & 1))
            continue;
        probe_member(rc->probe, m, &member);
        for (uint32_t i = 0; i < member.address_count; i++)
            if (!is_writers(&writer, &member.addresses[i]))
                target->addresses[target->address_count++] =
                    run_sever_address(&member.addresses[i]);
    }
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* The order of addresses is the resolver's and means nothing; what only counts is not counted
 * again because a name got another address. */
static uint64_t target_mark(const struct target *target)
{
    uint64_t mark = mix(1, target->kind), sum = 0;

    for (uint32_t i = 0; i < target->endpoint_count; i++)
        mark = mix(mix(mark, target->endpoints[i].id), target->endpoints[i].older_than);
    for (uint32_t i = 0; target->kind == SEVER_DO && i < target->address_count; i++) {
        const struct sever_address *address = &target->addresses[i];
        uint64_t words[2];
        memcpy(words, address->addr, sizeof(words));
        sum += mix(mix(mix(address->port, words[0]), words[1]), (uint64_t)address->family);
    }
    return mix(mark, sum) | 1;
}

/* Writer endpoints in the mode that this kind of order belongs to, from `*first` on. */
static void target_endpoints(const struct run_cluster *rc, uint32_t *first, struct target *target)
{
    enum view_mode wanted = target->kind == SEVER_DO ? VIEW_MODE_SEVER : VIEW_MODE_OBSERVE;
    uint32_t i = *first;

    target->endpoint_count = 0;
    for (; i < rc->conf->endpoint_count && target->endpoint_count < SEVER_ENDPOINTS_MAX; i++) {
        const struct conf_endpoint *endpoint = &rc->conf->endpoints[i];
        if (endpoint->role == VIEW_ROLE_WRITER && rc->endpoints[i].answer &&
            (rc->mode ? rc->mode : endpoint->mode) == wanted)
            target->endpoints[target->endpoint_count++] = (struct sever_endpoint){
                .id = rc->endpoints[i].id, .older_than = rc->endpoints[i].generation};
    }
    *first = i;
}

/* ---- when (1) ---- */

static bool may_sever(const struct run_cluster *rc)
{
    const struct verdict *verdict = &rc->mind.verdict;
    uint64_t now_ms = loop_now_ms(rc->run->loop);

    return verdict->demoted && verdict->writer != MEMBER_NONE &&
           (verdict->state == CLUSTER_STEADY || verdict->state == CLUSTER_SUSPECT) &&
           !verdict->braked && !verdict->frozen && verdict->rival == MEMBER_NONE &&
           topo_claims(&rc->mind.topo, verdict->writer, rc->conf->timing.timeout_ms, now_ms);
}

/* ---- replies ---- */

/* What programs' processes redirected since the last switch was ordered. */
static void note_redirects(struct run_cluster *rc, struct history_switch *change)
{
    const uint64_t *counts = sever_client_status(rc->run->sever_client)->counts;

    if (loop_now_ms(rc->run->loop) - rc->sever.switched_ms > REDIRECTS_MS)
        return;
    change->redirected = counts[TAG_COUNT_REDIRECTED] - rc->sever.redirected;
    change->would_redirect = counts[TAG_COUNT_WOULD_REDIRECT] - rc->sever.would_redirect;
}

static struct history_switch *last_switch(struct run_cluster *rc)
{
    struct history_switch *change = history_last_switch(&rc->run->history, rc->conf->name);

    return change && change->ordered ? change : NULL;
}

static void note_history(struct run_cluster *rc, enum sever_kind kind,
                         const struct sever_counts *counts)
{
    struct history_switch *change = last_switch(rc);

    if (!change)
        return;
    if (kind == SEVER_DO) {
        change->aborted += counts->severed;
        change->not_aborted += counts->denied + counts->failed;
    } else {
        change->would_abort += counts->severed;
    }
    if (counts->processes > change->processes)
        change->processes = counts->processes;
    if (!change->severed)
        change->sweep_us = counts->first_us;
    change->severed = rc->sever.pending == 0;
    note_redirects(rc, change);
}

static void note_done(struct run_cluster *rc, enum sever_kind kind,
                      const struct sever_counts *counts)
{
    if (kind == SEVER_DO)
        rc->sever.severed += counts->severed;
    else
        rc->sever.would_sever += counts->severed;
    rc->sever.not_severed += counts->denied + counts->failed;
    note_history(rc, kind, counts);
    run_events_severed(rc, kind, counts);
}

static void unlink_order(struct run_order *order)
{
    *order->link = order->next;
    if (order->next)
        order->next->link = order->link;
}

/* An order that was lost is due again, but not here: homing-sever may have gone in this moment. */
static void on_done(void *arg, int error, const struct sever_counts *counts)
{
    struct run_order *order = arg;
    struct run_cluster *rc = order->rc;

    unlink_order(order);
    if (rc)
        rc->sever.pending--;
    if (rc && error == 0) {
        note_done(rc, order->kind, counts);
    } else if (rc && error != -ECANCELED) {
        rc->sever.ordered[order->kind] = 0;
        rc->sever.due = true;
    }
    free(order);
}

/* ---- orders ---- */

static bool send_order(struct run_cluster *rc, const struct sever_order *order)
{
    struct run *run = rc->run;
    struct run_order *out = calloc(1, sizeof(*out));

    if (!out)
        return false;
    *out = (struct run_order){
        .next = run->orders, .link = &run->orders, .rc = rc, .kind = order->kind};
    if (sever_client_order(run->sever_client, order, on_done, out) < 0) {
        free(out);
        return false;
    }
    if (out->next)
        out->next->link = &out->next;
    run->orders = out;
    rc->sever.pending++;
    return true;
}

/* In pieces that one order holds. */
static bool send_target(struct run_cluster *rc, const struct target *target)
{
    struct sever_order order = {
        .kind = target->kind,
        .endpoint_count = target->endpoint_count,
        .spread_ms = rc->conf->timing.sever_spread_ms,
        .untagged = rc->conf->sever_untagged && rc->sever.switched &&
                    loop_now_ms(rc->run->loop) - rc->sever.switched_ms < UNTAGGED_MS,
    };

    memcpy(order.endpoints, target->endpoints, sizeof(order.endpoints));
    for (uint32_t i = 0; i < target->address_count; i += order.address_count) {
        uint32_t left = target->address_count - i;
        order.address_count = left < SEVER_ADDRESSES_MAX ? left : SEVER_ADDRESSES_MAX;
        memcpy(order.addresses, &target->addresses[i],
               order.address_count * sizeof(order.addresses[0]));
        if (!send_order(rc, &order))
            return false;
    }
    return true;
}

static void cancel_endpoints(const struct run_cluster *rc)
{
    uint64_t endpoints[SEVER_ENDPOINTS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++) {
        endpoints[count++] = rc->endpoints[i].id;
        if (count < SEVER_ENDPOINTS_MAX && i + 1 < rc->conf->endpoint_count)
            continue;
        sever_client_cancel(rc->run->sever_client, endpoints, count);
        count = 0;
    }
}

/* Whether there were any that had not been cancelled yet. */
static bool take_back(struct run_cluster *rc)
{
    bool any = false;

    for (struct run_order *order = rc->run->orders; order; order = order->next)
        if (order->rc == rc && order->kind == SEVER_DO && !order->cancelled)
            order->cancelled = any = true;
    if (any && rc->run->sever_client)
        cancel_endpoints(rc);
    return any;
}

/* What is under way must not go on when W7 does not allow it any more, or a mode: the operator's
 * word counts at once, also in the middle of a spread. What is still right is ordered anew. */
static void cancel(struct run_cluster *rc)
{
    if (!take_back(rc))
        return;
    rc->sever.ordered[SEVER_DO] = 0;
    rc->sever.due = true;
}

static void set_repeat(struct run_cluster *rc)
{
    if (rc->sever.repeats < REPEAT_MAX)
        loop_timer_set(rc->sever.again, (uint64_t)REPEAT_MS << rc->sever.repeats++);
}

static uint64_t endpoints_mark(const struct run_cluster *rc, struct target *target)
{
    uint64_t mark = 0;

    for (uint32_t i = 0; target->address_count && i < rc->conf->endpoint_count;) {
        target_endpoints(rc, &i, target);
        if (target->endpoint_count)
            mark = mix(mark, target_mark(target));
    }
    return mark;
}

static bool send_all(struct run_cluster *rc, struct target *target)
{
    bool sent = true;

    for (uint32_t i = 0; sent && i < rc->conf->endpoint_count;) {
        target_endpoints(rc, &i, target);
        if (target->endpoint_count)
            sent = send_target(rc, target);
    }
    return sent;
}

/* Sends what differs from what was ordered last, or, if it is time to, the same again. False: it
 * could not be sent. */
static bool order_kind(struct run_cluster *rc, enum sever_kind kind, bool again)
{
    struct target *target = calloc(1, sizeof(*target));
    uint64_t mark;
    bool sent = true;

    if (!target)
        return false;
    target->kind = kind;
    target_members(rc, target);
    mark = endpoints_mark(rc, target);
    if (kind == SEVER_DO && (!mark || mark != rc->sever.ordered[kind]))
        cancel(rc);
    if (mark && (again || mark != rc->sever.ordered[kind])) {
        sent = send_all(rc, target);
        if (sent)
            set_repeat(rc);
    }
    if (sent)
        rc->sever.ordered[kind] = mark;
    free(target);
    return sent;
}

/* A switch of this run, whose order goes out now for the first time. */
static void note_first(struct run_cluster *rc)
{
    struct history_switch *change = history_last_switch(&rc->run->history, rc->conf->name);
    const uint64_t *counts = sever_client_status(rc->run->sever_client)->counts;

    if (!rc->sever.switched)
        return;
    rc->sever.switched = false;
    if (!rc->sever.pending)
        return;
    rc->sever.redirected = counts[TAG_COUNT_REDIRECTED];
    rc->sever.would_redirect = counts[TAG_COUNT_WOULD_REDIRECT];
    if (!change)
        return;
    change->ordered = true;
    change->order_ms = (int64_t)(loop_now_ms(rc->run->loop) - rc->sever.switched_ms);
}

void run_sever_consider(struct run_cluster *rc)
{
    bool again = rc->sever.again_due;

    if (rc->run->sever_client && !may_sever(rc))
        cancel(rc);
    if (!rc->sever.due || !rc->run->sever_client || !sever_client_instance(rc->run->sever_client) ||
        !may_sever(rc))
        return;
    rc->sever.due = rc->sever.again_due = false;
    if (!order_kind(rc, SEVER_OBSERVE, false) ||
        (sever_client_status(rc->run->sever_client)->able && !order_kind(rc, SEVER_DO, again)))
        rc->sever.due = true;
    note_first(rc);
}

void run_sever_switched(struct run_cluster *rc, uint64_t began_ms)
{
    rc->sever.switched = true;
    rc->sever.switched_ms = began_ms;
    rc->sever.repeats = 0;
    rc->sever.due = true;
    loop_timer_stop(rc->sever.again);
}

static void on_again(void *arg)
{
    struct run_cluster *rc = arg;
    struct history_switch *change = last_switch(rc);

    if (change)
        note_redirects(rc, change);
    rc->sever.due = rc->sever.again_due = true;
    run_sever_consider(rc);
}

/* ---- coming and going ---- */

/* homing-sever came, went, or is another one. It may still carry out what an agent before this one
 * ordered, of which nobody here knows whether it is right: what is, is ordered anew. What only
 * counted, counted. */
static void on_changed(void *arg)
{
    struct run *run = arg;

    run_sever_instance(run, run->view);
    for (uint32_t i = 0; i < run->cluster_count; i++) {
        struct run_cluster *rc = run->clusters[i];
        if (sever_client_instance(run->sever_client))
            cancel_endpoints(rc);
        rc->sever.ordered[SEVER_DO] = 0;
        rc->sever.repeats = 0;
        rc->sever.due = true;
        run_sever_consider(rc);
    }
}

int run_sever_open(struct run *run, const char *run_dir)
{
    run->sever_client = sever_client_new(run->loop, run_dir, on_changed, run);
    if (!run->sever_client)
        return -ENOMEM;
    run_sever_instance(run, run->view);
    return 0;
}

void run_sever_close(struct run *run)
{
    if (run->sever_client)
        sever_client_free(run->sever_client);
    run->sever_client = NULL;
}

void run_sever_instance(const struct run *run, struct view *view)
{
    view_write_sever_instance(view_writer(view),
                              run->sever_client ? sever_client_instance(run->sever_client) : 0);
}

bool run_sever_init(struct run_cluster *rc)
{
    rc->sever.due = true;
    rc->sever.again = loop_timer_new(rc->run->loop, on_again, rc);
    return rc->sever.again;
}

void run_sever_inherit(struct run_cluster *rc, struct run_cluster *old)
{
    struct loop_timer *again = rc->sever.again;

    cancel(old);
    rc->sever = old->sever;
    rc->sever.again = again;
    rc->sever.pending = 0;
    rc->sever.repeats = 0;
    rc->sever.ordered[SEVER_DO] = 0; /* once more: endpoints, modes and members may be others */
    rc->sever.due = true;
}

void run_sever_done(struct run_cluster *rc)
{
    (void)take_back(rc);
    for (struct run_order *order = rc->run->orders; order; order = order->next)
        if (order->rc == rc)
            order->rc = NULL;
    loop_timer_free(rc->sever.again);
}
