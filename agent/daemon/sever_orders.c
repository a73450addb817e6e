/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_orders.c - see sever_orders.h. sever_target.c finds out which connections an order is
 * about.
 *
 * 1. W7: orders go out only while the published writer's own claim is live. Never on silence alone
 *    (W5), never while braked (W10), frozen, ambiguous, stale, or without a writer.
 * 2. What could not be ordered stays due. It is ordered later: after a failover while no agent ran,
 *    when homing-sever comes, when addresses change.
 * 3. A permit can come after the order that it was needed for. Orders are therefore repeated, less
 *    and less often, for ten minutes. Connections without tags are aborted once per switch, and not
 *    again: if a program connects to a demoted member later, it means to.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/events.h"
#include "agent/daemon/sever_orders.h"
#include "agent/daemon/sever_target.h"

/* The first repetition; each next one after twice the time, so that the last comes ten minutes
 * after the first order. */
#define REPEAT_MS  5000
#define REPEAT_MAX 7
/* A redirect later than this is not because of the switch. It is longer than homing-sever's figures
 * are old, and longer than the time to the first repetition. */
#define REDIRECTS_MS 60000
/* If nothing could be ordered for so long after a switch, connections without tags are left
 * alone. */
#define UNTAGGED_MS 600000

/* One order under way. */
struct sent_order {
    struct sent_order *next;
    struct sent_order **link; /* what points to it */
    struct cluster *cluster;  /* NULL: the cluster is gone */
    enum sever_kind kind;
    bool cancelled; /* homing-sever has been told to end it */
};

/* ---- what became of orders ---- */

static uint64_t since_switch_ms(const struct cluster *cluster)
{
    return loop_now_ms(cluster->daemon->loop) - cluster->severing.switched_ms;
}

/* What the node's processes redirected since severing was ordered for the last switch. */
static void note_redirects(struct cluster *cluster)
{
    const uint64_t *counts = sever_client_status(cluster->daemon->sever_client)->counts;
    const struct severing *severing = &cluster->severing;

    if (since_switch_ms(cluster) <= REDIRECTS_MS)
        history_note_redirects(&cluster->daemon->history, cluster->conf->name,
                               counts[TAG_COUNT_REDIRECTED] - severing->redirected,
                               counts[TAG_COUNT_WOULD_REDIRECT] - severing->would_redirect);
}

static void note_done(struct cluster *cluster, enum sever_kind kind,
                      const struct sever_counts *counts)
{
    struct severing *severing = &cluster->severing;

    if (kind == SEVER_DO)
        severing->severed += counts->severed;
    else
        severing->would_sever += counts->severed;
    severing->not_severed += counts->denied + counts->failed;
    history_note_severed(&cluster->daemon->history, cluster->conf->name, kind, counts,
                         severing->pending == 0);
    note_redirects(cluster);
    events_severed(cluster, kind, counts);
}

static void unlink_order(struct sent_order *order)
{
    *order->link = order->next;
    if (order->next)
        order->next->link = order->link;
}

/* An order that was lost is due again. It is not sent from here: homing-sever may have gone in this
 * moment. */
static void on_done(void *arg, int error, const struct sever_counts *counts)
{
    struct sent_order *order = arg;
    struct cluster *cluster = order->cluster;

    unlink_order(order);
    if (cluster)
        cluster->severing.pending--;
    if (cluster && error == 0) {
        note_done(cluster, order->kind, counts);
    } else if (cluster && error != -ECANCELED) {
        cluster->severing.ordered[order->kind] = 0;
        cluster->severing.due = true;
    }
    free(order);
}

/* ---- sending ---- */

static bool send_order(struct cluster *cluster, const struct sever_order *order)
{
    struct daemon *daemon = cluster->daemon;
    struct sent_order *sent = calloc(1, sizeof(*sent));

    if (!sent)
        return false;
    *sent = (struct sent_order){
        .next = daemon->orders, .link = &daemon->orders, .cluster = cluster, .kind = order->kind};
    if (sever_client_order(daemon->sever_client, order, on_done, sent) < 0) {
        free(sent);
        return false;
    }
    if (sent->next)
        sent->next->link = &sent->next;
    daemon->orders = sent;
    cluster->severing.pending++;
    return true;
}

static uint32_t at_most(uint32_t left, uint32_t most)
{
    return left < most ? left : most;
}

/* Sends as much of the target as one order holds, from this endpoint and this address on. */
static bool send_piece(struct cluster *cluster, const struct sever_target *target,
                       uint32_t endpoint, uint32_t address)
{
    struct sever_order order = {
        .kind = target->kind,
        .endpoint_count = at_most(target->endpoint_count - endpoint, SEVER_ENDPOINTS_MAX),
        .address_count = at_most(target->address_count - address, SEVER_ADDRESSES_MAX),
        .spread_ms = cluster->conf->timing.sever_spread_ms,
        .untagged = cluster->conf->sever_untagged && cluster->severing.switched &&
                    since_switch_ms(cluster) < UNTAGGED_MS,
    };

    memcpy(order.endpoints, &target->endpoints[endpoint],
           order.endpoint_count * sizeof(order.endpoints[0]));
    memcpy(order.addresses, &target->addresses[address],
           order.address_count * sizeof(order.addresses[0]));
    return send_order(cluster, &order);
}

static bool send_target(struct cluster *cluster, const struct sever_target *target)
{
    for (uint32_t e = 0; e < target->endpoint_count; e += SEVER_ENDPOINTS_MAX)
        for (uint32_t a = 0; a < target->address_count; a += SEVER_ADDRESSES_MAX)
            if (!send_piece(cluster, target, e, a))
                return false;
    return true;
}

static void set_repeat(struct severing *severing)
{
    if (severing->repeats < REPEAT_MAX)
        loop_timer_set(severing->again, (uint64_t)REPEAT_MS << severing->repeats++);
}

/* ---- taking back ---- */

static void cancel_endpoints(const struct cluster *cluster)
{
    uint64_t endpoints[SEVER_ENDPOINTS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++) {
        endpoints[count++] = cluster->endpoints[i].id;
        if (count < SEVER_ENDPOINTS_MAX && i + 1 < cluster->conf->endpoint_count)
            continue;
        sever_client_cancel(cluster->daemon->sever_client, endpoints, count);
        count = 0;
    }
}

/* Cancels the orders under way. False: there was none left to cancel. */
static bool take_back(struct cluster *cluster)
{
    bool any = false;

    for (struct sent_order *order = cluster->daemon->orders; order; order = order->next)
        if (order->cluster == cluster && order->kind == SEVER_DO && !order->cancelled)
            order->cancelled = any = true;
    if (any && cluster->daemon->sever_client)
        cancel_endpoints(cluster);
    return any;
}

/* Orders under way must not go on if W7 or the mode does not allow them any more: the operator's
 * order counts at once, even in the middle of a spread. What is still right is ordered anew. */
static void cancel(struct cluster *cluster)
{
    if (!take_back(cluster))
        return;
    cluster->severing.ordered[SEVER_DO] = 0;
    cluster->severing.due = true;
}

/* ---- considering ---- */

static bool may_sever(const struct cluster *cluster)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    return verdict->demoted && verdict->writer != MEMBER_NONE &&
           (verdict->state == CLUSTER_STEADY || verdict->state == CLUSTER_SUSPECT) &&
           !verdict->braked && !verdict->frozen && verdict->rival == MEMBER_NONE &&
           members_claims(&cluster->members, verdict->writer, loop_now_ms(cluster->daemon->loop));
}

/* Sends an order if the target is not the one ordered last; with `again`, in any case. False: it
 * could not be sent. */
static bool order(struct cluster *cluster, enum sever_kind kind, bool again)
{
    struct severing *severing = &cluster->severing;
    struct sever_target target;
    bool sent = true;

    if (!sever_target_make(cluster, kind, &target))
        return false;
    if (kind == SEVER_DO && (!target.mark || target.mark != severing->ordered[kind]))
        cancel(cluster);
    if (target.mark && (again || target.mark != severing->ordered[kind])) {
        sent = send_target(cluster, &target);
        if (sent)
            set_repeat(severing);
    }
    if (sent)
        severing->ordered[kind] = target.mark;
    sever_target_done(&target);
    return sent;
}

/* If this agent switched, its first order for that has gone out now. */
static void note_first(struct cluster *cluster)
{
    const uint64_t *counts = sever_client_status(cluster->daemon->sever_client)->counts;
    struct severing *severing = &cluster->severing;

    if (!severing->switched)
        return;
    severing->switched = false;
    if (!severing->pending)
        return;
    severing->redirected = counts[TAG_COUNT_REDIRECTED];
    severing->would_redirect = counts[TAG_COUNT_WOULD_REDIRECT];
    history_note_ordered(&cluster->daemon->history, cluster->conf->name, since_switch_ms(cluster));
}

void sever_orders_consider(struct cluster *cluster)
{
    struct sever_client *client = cluster->daemon->sever_client;
    struct severing *severing = &cluster->severing;
    bool may = may_sever(cluster), again = severing->again_due;

    if (client && !may)
        cancel(cluster);
    if (!severing->due || !client || !sever_client_instance(client) || !may)
        return;
    severing->due = severing->again_due = false;
    if (!order(cluster, SEVER_OBSERVE, false) ||
        (sever_client_status(client)->able && !order(cluster, SEVER_DO, again)))
        severing->due = true;
    note_first(cluster);
}

void sever_orders_note(struct cluster *cluster)
{
    cluster->severing.due = true;
}

void sever_orders_switched(struct cluster *cluster, uint64_t began_ms)
{
    struct severing *severing = &cluster->severing;

    severing->switched = true;
    severing->switched_ms = began_ms;
    severing->repeats = 0;
    severing->due = true;
    loop_timer_stop(severing->again);
}

static void on_again(void *arg)
{
    struct cluster *cluster = arg;

    note_redirects(cluster);
    cluster->severing.due = cluster->severing.again_due = true;
    sever_orders_consider(cluster);
}

/* ---- coming and going ---- */

static void write_instance(const struct daemon *daemon)
{
    view_write_sever_instance(view_writer(daemon->view),
                              sever_client_instance(daemon->sever_client));
}

/* homing-sever came, went, or was replaced. It may still carry out the orders of an agent before
 * this one. Whether those are right is not known here: they are cancelled, and what is right is
 * ordered anew. Orders that only count are not given again. */
static void on_changed(void *arg)
{
    struct daemon *daemon = arg;

    write_instance(daemon);
    for (uint32_t i = 0; i < daemon->cluster_count; i++) {
        struct cluster *cluster = daemon->clusters[i];
        if (sever_client_instance(daemon->sever_client))
            cancel_endpoints(cluster);
        cluster->severing.ordered[SEVER_DO] = 0;
        cluster->severing.repeats = 0;
        cluster->severing.due = true;
        sever_orders_consider(cluster);
    }
}

int sever_orders_open(struct daemon *daemon, const char *run_dir)
{
    daemon->sever_client = sever_client_new(daemon->loop, run_dir, on_changed, daemon);
    if (!daemon->sever_client)
        return -ENOMEM;
    write_instance(daemon);
    return 0;
}

void sever_orders_close(struct daemon *daemon)
{
    if (daemon->sever_client)
        sever_client_free(daemon->sever_client);
    daemon->sever_client = NULL;
}

bool sever_orders_init(struct cluster *cluster)
{
    cluster->severing.due = true;
    cluster->severing.again = loop_timer_new(cluster->daemon->loop, on_again, cluster);
    return cluster->severing.again;
}

void sever_orders_inherit(struct cluster *cluster, struct cluster *old)
{
    struct severing *severing = &cluster->severing;
    struct loop_timer *again = severing->again;

    cancel(old);
    *severing = old->severing;
    severing->again = again;
    severing->pending = 0;
    severing->repeats = 0;
    severing->ordered[SEVER_DO] = 0; /* once more: endpoints, modes and members may be others */
    severing->due = true;
}

void sever_orders_done(struct cluster *cluster)
{
    (void)take_back(cluster);
    for (struct sent_order *order = cluster->daemon->orders; order; order = order->next)
        if (order->cluster == cluster)
            order->cluster = NULL;
    loop_timer_free(cluster->severing.again);
}
