/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_orders.c - see sever_orders.h. sever_target.c finds out which connections an order is
 * about.
 *
 * 1. W7: orders go out only while the published writer's own claim is live. Never on silence alone
 *    (W5), never while braked (W10), frozen, ambiguous, stale, or without a writer.
 * 2. What could not be ordered stays due, connections without tags for UNTAGGED_MS. It is ordered
 *    later: after a failover while no agent ran, when homing-sever comes, when addresses change, when
 *    the mode becomes `sever`.
 * 3. A permit can come after the order that it was needed for. Orders are therefore repeated, less
 *    and less often, for ten minutes. Connections without tags are aborted once per switch, and not
 *    again: if a program connects to a demoted member later, it means to. Those that were spared, because
 *    they may have been noted, are looked for until none is left: they may still be written over.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/elsewhere.h"
#include "agent/daemon/events.h"
#include "agent/daemon/persist.h"
#include "agent/daemon/sever_orders.h"
#include "agent/daemon/sever_target.h"
#include "agent/sever/client/sever_place.h"

/* The first repetition; each next one after twice the time, so that the last comes ten minutes
 * after the first order. */
#define REPEAT_MS  5000
#define REPEAT_MAX 7
/* A redirect later than this is not because of the switch. It is longer than homing-sever's figures
 * are old, and longer than the time to the first repetition. */
#define REDIRECTS_MS 60000
/* Between two looks whether connections that were spared are still there. A look is one sweep of the
 * node's connections. */
#define LOOK_MS 30000
/* If nothing could be ordered for so long after a switch, connections without tags are left
 * alone. */
#define UNTAGGED_MS 600000
/* What a sweep takes at most, on a busy machine. */
#define SWEEP_MS 1000

/* One order under way. */
struct sent_order {
    struct sent_order *next;
    struct sent_order **link; /* what points to it */
    struct cluster *cluster;  /* NULL: the cluster is gone */
    enum sever_kind kind;
    bool cancelled; /* homing-sever has been told to end it */
    bool looks;     /* it counts what was spared, and nothing else */
    bool first;     /* of those for the last switch */
    bool untagged;
    uint64_t all_ms; /* by then all had their turn */
};

/* ---- what became of orders ---- */

static uint64_t since_switch_ms(const struct cluster *cluster)
{
    return loop_now_ms(cluster->daemon->loop) - cluster->severing.switched_ms;
}

/* Counts begin anew with a homing-sever that has lost its permits. */
static uint64_t since(uint64_t count, uint64_t before)
{
    return count > before ? count - before : 0;
}

/* What the node's processes redirected since severing was ordered for the last switch. */
static void note_redirects(struct cluster *cluster)
{
    const uint64_t *counts = sever_client_status(cluster->daemon->sever_client)->counts;
    const struct severing *severing = &cluster->severing;

    if (since_switch_ms(cluster) <= REDIRECTS_MS)
        history_note_redirects(&cluster->daemon->history, cluster->conf->name,
                               since(counts[TAG_COUNT_REDIRECTED], severing->redirected),
                               since(counts[TAG_COUNT_WOULD_REDIRECT], severing->would_redirect));
}

/* It is on disk, so that the next agent warns of them, too. What cannot be saved now is with the next save. */
static void set_spared(struct cluster *cluster, uint64_t spared)
{
    if (spared == cluster->severing.spared)
        return;
    cluster->severing.spared = spared;
    (void)persist_save(cluster, false);
}

static void note_done(struct cluster *cluster, const struct sent_order *order,
                      const struct sever_counts *counts)
{
    struct severing *severing = &cluster->severing;
    enum sever_kind kind = order->kind;
    uint64_t alone = order->untagged ? counts->older : counts->untagged;
    uint64_t left = order->first ? alone : 0;

    if (kind == SEVER_DO)
        severing->severed += counts->severed;
    else
        severing->would_sever += counts->severed;
    severing->not_severed += counts->denied + counts->failed;
    severing->older += counts->older;
    if (kind == SEVER_DO && counts->older) {
        set_spared(cluster, severing->spared + counts->older);
        loop_timer_set(severing->look, LOOK_MS);
    }
    history_note_severed(&cluster->daemon->history, cluster->conf->name, kind, counts,
                         severing->pending == 0);
    history_note_untagged(&cluster->daemon->history, cluster->conf->name, left);
    note_redirects(cluster);
    events_severed(cluster, kind, counts, left);
}

static void unlink_order(struct sent_order *order)
{
    *order->link = order->next;
    if (order->next)
        order->next->link = order->link;
}

/* There cannot be more than before. If it was not counted, it is as it was. A homing-sever that
 * has come since spares others, too. */
static void note_look(struct cluster *cluster, int error, const struct sever_counts *counts)
{
    struct severing *severing = &cluster->severing;

    severing->spared_found += error ? severing->spared : counts->older;
    if (--severing->looking == 0 && severing->spared_found < severing->spared)
        set_spared(cluster, severing->spared_found);
}

/* An order that was lost is due again, with all that it was for. It is not sent from here: homing-sever
 * may have gone in this moment. */
static void on_done(void *arg, int error, const struct sever_counts *counts)
{
    struct sent_order *order = arg;
    struct cluster *cluster = order->cluster;

    unlink_order(order);
    if (cluster && !order->looks)
        cluster->severing.pending--;
    if (cluster && order->looks) {
        note_look(cluster, error, counts);
    } else if (cluster && error == 0) {
        note_done(cluster, order, counts);
    } else if (cluster && error != -ECANCELED) {
        cluster->severing.ordered[order->kind] = 0;
        cluster->severing.first[order->kind] |= order->first && !order->cancelled;
        cluster->severing.due = true;
    }
    free(order);
}

/* ---- sending ---- */

static bool send_order(struct cluster *cluster, const struct sever_order *order, bool looks)
{
    struct daemon *daemon = cluster->daemon;
    struct sent_order *sent = calloc(1, sizeof(*sent));

    if (!sent)
        return false;
    *sent = (struct sent_order){.next = daemon->orders,
                                .link = &daemon->orders,
                                .cluster = cluster,
                                .kind = order->kind,
                                .looks = looks,
                                .first = !looks && cluster->severing.first[order->kind],
                                .untagged = order->untagged,
                                .all_ms = loop_now_ms(daemon->loop) + order->spread_ms + SWEEP_MS};
    if (sever_client_order(daemon->sever_client, order, on_done, sent) < 0) {
        free(sent);
        return false;
    }
    if (sent->next)
        sent->next->link = &sent->next;
    daemon->orders = sent;
    if (looks)
        cluster->severing.looking++;
    else
        cluster->severing.pending++;
    return true;
}

static uint32_t at_most(uint32_t left, uint32_t most)
{
    return left < most ? left : most;
}

static void take_target_addresses(const struct daemon *daemon, struct sever_order *order,
                                  const struct sever_target *target, uint32_t from)
{
    memcpy(order->addresses, &target->addresses[from],
           order->address_count * sizeof(order->addresses[0]));
    /* Our own probes are untagged, too. They are neither aborted nor counted as such. */
    order->spared_count = sever_target_own(daemon, order->addresses, order->address_count,
                                           order->spared, SEVER_SPARED_MAX);
}

/* Sends as much of the target as one order holds, from this endpoint and this address on; `end`: up
 * to there. */
static bool send_piece(struct cluster *cluster, const struct sever_target *target,
                       uint32_t endpoint, uint32_t address, uint32_t end)
{
    struct sever_order order = {
        .kind = target->kind,
        .endpoint_count = at_most(target->endpoint_count - endpoint, SEVER_ENDPOINTS_MAX),
        .address_count = at_most(end - address, SEVER_ADDRESSES_MAX),
        .spread_ms = cluster->conf->timing.sever_spread_ms,
        .untagged = cluster->conf->sever_untagged && cluster->severing.first[target->kind] &&
                    since_switch_ms(cluster) < UNTAGGED_MS && address < target->left_from,
    };

    /* Programs may not have told yet what they have connected. With HOMING_SEVER=0 they have asked. */
    order.unasked = order.untagged && (cluster->severing.untold & target->meant);
    memcpy(order.endpoints, &target->endpoints[endpoint],
           order.endpoint_count * sizeof(order.endpoints[0]));
    take_target_addresses(cluster->daemon, &order, target, address);
    return send_order(cluster, &order, false);
}

static bool send_range(struct cluster *cluster, const struct sever_target *target, uint32_t from,
                       uint32_t end)
{
    for (uint32_t e = 0; e < target->endpoint_count; e += SEVER_ENDPOINTS_MAX)
        for (uint32_t a = from; a < end; a += SEVER_ADDRESSES_MAX)
            if (!send_piece(cluster, target, e, a, end))
                return false;
    return true;
}

static bool send_target(struct cluster *cluster, const struct sever_target *target)
{
    return send_range(cluster, target, 0, target->left_from) &&
           send_range(cluster, target, target->left_from, target->address_count);
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

/* If connections without tags have not all had their turn, the rest stays due. */
static void cancel_order(struct sent_order *order)
{
    struct cluster *cluster = order->cluster;

    order->cancelled = true;
    if (order->first && order->untagged && loop_now_ms(cluster->daemon->loop) < order->all_ms)
        cluster->severing.first[order->kind] = true;
}

/* Cancels the orders under way. False: there was none left to cancel. */
static bool take_back(struct cluster *cluster)
{
    bool any = false;

    for (struct sent_order *order = cluster->daemon->orders; order; order = order->next)
        if (order->cluster == cluster && order->kind == SEVER_DO && !order->cancelled) {
            cancel_order(order);
            any = true;
        }
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

static bool has_left(const struct cluster *cluster)
{
    struct left_addresses left;

    elsewhere_left(cluster, &left);
    return left.count > 0;
}

static bool may_sever(const struct cluster *cluster)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    return (verdict->demoted || has_left(cluster)) && verdict->writer != MEMBER_NONE &&
           (verdict->state == CLUSTER_STEADY || verdict->state == CLUSTER_SUSPECT) &&
           !verdict->braked && !verdict->frozen && verdict->rival == MEMBER_NONE &&
           members_claims(&cluster->members, verdict->writer, loop_now_ms(cluster->daemon->loop));
}

/* What was ordered to be severed is not counted as what would be. */
static void note_sent(struct severing *severing, enum sever_kind kind)
{
    severing->first[kind] = false;
    if (kind == SEVER_DO)
        severing->first[SEVER_OBSERVE] = false;
    set_repeat(severing);
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
            note_sent(severing, kind);
    }
    if (sent)
        severing->ordered[kind] = target.mark;
    sever_target_done(&target);
    return sent;
}

/* If this agent switched, its first order for that may have gone out now. */
static void note_first(struct cluster *cluster)
{
    const uint64_t *counts = sever_client_status(cluster->daemon->sever_client)->counts;
    struct severing *severing = &cluster->severing;

    if (!severing->switched || (severing->first[SEVER_DO] && severing->first[SEVER_OBSERVE]))
        return;
    severing->switched = false;
    severing->redirected = counts[TAG_COUNT_REDIRECTED];
    severing->would_redirect = counts[TAG_COUNT_WOULD_REDIRECT];
    history_note_ordered(&cluster->daemon->history, cluster->conf->name, since_switch_ms(cluster));
}

/* A program has connected to a demoted member for a writer's name, while nothing was confirmed or
 * while a switch was being published. It has tagged the connection as outdated. Or it tells only now
 * of one that it has made while nobody wanted to know, and which may be outdated. */
static void note_behind(struct cluster *cluster)
{
    const uint64_t *counts = sever_client_status(cluster->daemon->sever_client)->counts;
    uint64_t behind = counts[TAG_COUNT_BEHIND] + counts[TAG_COUNT_LATE];
    struct severing *severing = &cluster->severing;

    if (behind > severing->behind)
        severing->due = severing->again_due = true;
    severing->behind = behind;
}

/* Programs whose permits were lost have handed over again. A failover may have come meanwhile. */
static void note_returned(struct cluster *cluster)
{
    const struct lost *lost = sever_client_lost(cluster->daemon->sever_client);
    struct severing *severing = &cluster->severing;
    uint64_t returned = lost ? lost_returned(lost) : 0;

    if (returned > severing->returned)
        severing->due = severing->again_due = true;
    severing->returned = returned;
}

void sever_orders_consider(struct cluster *cluster)
{
    struct sever_client *client = cluster->daemon->sever_client;
    struct severing *severing = &cluster->severing;
    bool may = may_sever(cluster), again;

    sever_target_note_untold(cluster);
    if (client) {
        note_behind(cluster);
        note_returned(cluster);
    }
    again = severing->again_due;
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

    for (struct sent_order *order = cluster->daemon->orders; order; order = order->next)
        if (order->cluster == cluster)
            order->first = false; /* of the one before */
    severing->switched = severing->first[SEVER_DO] = severing->first[SEVER_OBSERVE] = true;
    severing->switched_ms = began_ms;
    severing->untold = sever_target_untold(cluster);
    severing->spared = 0;
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

/* ---- what was spared ---- */

/* They are counted without an endpoint: no tag matters. */
static bool send_look(struct cluster *cluster, const struct sever_target *target)
{
    struct sever_order order = {
        .kind = SEVER_OBSERVE, .untagged = true, .unasked = cluster->severing.untold};

    for (uint32_t a = 0; a < target->left_from; a += SEVER_ADDRESSES_MAX) {
        order.address_count = at_most(target->left_from - a, SEVER_ADDRESSES_MAX);
        take_target_addresses(cluster->daemon, &order, target, a);
        if (!send_order(cluster, &order, true))
            return false;
    }
    return true;
}

static void look_for_spared(struct cluster *cluster)
{
    struct severing *severing = &cluster->severing;
    struct sever_target target;

    if (!sever_target_make(cluster, SEVER_DO, &target))
        return;
    severing->spared_found = 0;
    if (!target.mark)
        set_spared(cluster, 0); /* the operator or the members have made it no matter */
    else if (!send_look(cluster, &target))
        severing->spared_found = severing->spared;
    sever_target_done(&target);
}

static void on_look(void *arg)
{
    struct cluster *cluster = arg;
    struct severing *severing = &cluster->severing;
    struct sever_client *client = cluster->daemon->sever_client;

    if (severing->spared && !severing->looking && client && sever_client_instance(client) &&
        may_sever(cluster))
        look_for_spared(cluster);
    if (severing->spared)
        loop_timer_set(severing->look, LOOK_MS);
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
    sever_client_published(daemon->sever_client);
    for (uint32_t i = 0; i < daemon->cluster_count; i++) {
        struct cluster *cluster = daemon->clusters[i];
        if (sever_client_instance(daemon->sever_client) && !take_back(cluster))
            cancel_endpoints(cluster);
        cluster->severing.ordered[SEVER_DO] = 0;
        cluster->severing.repeats = 0;
        cluster->severing.due = true;
        sever_orders_consider(cluster);
    }
}

static void on_lost(void *arg, bool raised, const char *text)
{
    events_agent_alarm(arg, "permits_lost", raised, text);
}

static bool on_lost_changed(void *arg)
{
    return persist_save_missing(arg, false);
}

int sever_orders_open(struct daemon *daemon, const char *run_dir)
{
    char command[LOST_COMMAND];

    sever_place_command(run_dir, command);
    daemon->sever_client = sever_client_new(daemon->loop, run_dir, command, on_changed, on_lost,
                                            on_lost_changed, daemon);
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
    cluster->severing.unheard = UINT64_MAX; /* its names are new to programs */
    cluster->severing.again = loop_timer_new(cluster->daemon->loop, on_again, cluster);
    cluster->severing.look = loop_timer_new(cluster->daemon->loop, on_look, cluster);
    return cluster->severing.again && cluster->severing.look;
}

void sever_orders_restore(struct cluster *cluster, const struct state_cluster *saved)
{
    cluster->severing.spared = saved->spared;
    cluster->severing.untold = saved->spared && saved->untold ? UINT64_MAX : 0;
    if (saved->spared)
        loop_timer_set(cluster->severing.look, LOOK_MS);
}

void sever_orders_inherit(struct cluster *cluster, struct cluster *old)
{
    struct severing *severing = &cluster->severing;
    struct loop_timer *again = severing->again, *look = severing->look;

    cancel(old);
    *severing = old->severing;
    severing->again = again;
    severing->look = look;
    if (severing->spared)
        loop_timer_set(look, LOOK_MS);
    severing->untold = severing->untold ? UINT64_MAX : 0; /* endpoints may have other numbers */
    severing->unheard = UINT64_MAX;                       /* and other names */
    severing->pending = severing->looking = 0;
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
    loop_timer_free(cluster->severing.look);
}
