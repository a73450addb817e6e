/* SPDX-License-Identifier: Apache-2.0
 *
 * cluster.c - see cluster.h.
 *
 * 1. W2: verdict, term and generation are on disk before they are published.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/conf/password.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/discovery/discovery.h"
#include "agent/daemon/discovery/told.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/events.h"
#include "agent/daemon/persist.h"
#include "agent/daemon/publish.h"
#include "agent/daemon/sever_orders.h"

struct shared_conf *shared_conf_ref(struct shared_conf *held)
{
    held->refs++;
    return held;
}

void shared_conf_unref(struct shared_conf *held)
{
    if (!held || --held->refs > 0)
        return;
    conf_free(held->conf);
    free(held);
}

/* ---- what is saved ---- */

static struct decision_conf decision_conf(const struct cluster *cluster)
{
    const struct conf_cluster *conf = cluster->conf;
    struct decision_conf c = {
        .green = discovery_green(cluster),
        .members = conf->member_count,
        .interval_ms = conf->timing.interval_ms,
        .fast_interval_ms = conf->timing.fast_interval_ms,
        .timeout_ms = conf->timing.timeout_ms,
        .max_stale_ms = conf->timing.max_stale_ms,
        .max_switches = conf->timing.max_switches,
        .max_lag = conf->engine->lag_in_transactions ? conf->timing.max_lag_transactions
                                                     : conf->timing.max_lag,
    };

    for (uint32_t i = 0; i < conf->member_count; i++)
        if (!conf->members[i].failover)
            c.no_failover |= 1u << i;
    return c;
}

/* Takes over what is known of an endpoint, if it still exists. A generation only grows. */
static void take_endpoint(struct cluster *cluster, const struct state_endpoint *saved)
{
    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++) {
        struct state_endpoint *endpoint = &cluster->endpoints[i];
        if (endpoint->id == saved->id && saved->generation >= endpoint->generation)
            *endpoint = *saved;
    }
}

static void take_saved(struct cluster *cluster, const struct state_cluster *saved)
{
    for (uint32_t i = 0; i < saved->endpoint_count; i++)
        take_endpoint(cluster, &saved->endpoints[i]);
    cluster->mode = saved->have_mode ? saved->mode : 0;
    if (cluster->mode > CONF_MODE_HIGHEST) /* ordered with a newer version */
        cluster->mode = CONF_MODE_HIGHEST;
}

static void begin(struct cluster *cluster, const struct state_cluster *saved,
                  struct actions *ret_actions)
{
    struct decision_conf conf = decision_conf(cluster);

    decision_init(&cluster->decision, &conf, saved->have_verdict ? &saved->verdict : NULL,
                  loop_now_ms(cluster->daemon->loop), ret_actions);
}

static void set_wake(struct cluster *cluster, uint64_t wake_ms)
{
    uint64_t now_ms = loop_now_ms(cluster->daemon->loop);

    if (!wake_ms)
        loop_timer_stop(cluster->wake);
    else /* never 0: a decision that wants to be woken in the past must not spin the loop */
        loop_timer_set(cluster->wake, wake_ms > now_ms ? wake_ms - now_ms : 1);
}

/* W2: in a rollout, another agent on this node saves, too. Its verdict counts if its term is newer,
 * or if it is about another data set: only an operator can have told it to accept that. */
static bool is_newer(const struct state_cluster *saved, const struct verdict *own)
{
    return saved->have_verdict && (saved->verdict.identity != own->identity ||
                                   term_compare(saved->verdict.term, own->term) > 0);
}

/* Another agent saved something newer: takes it over, and asks every member. */
static void merge(struct cluster *cluster)
{
    struct state_cluster saved;
    struct actions actions = {.wake_ms = loop_now_ms(cluster->daemon->loop) + 1};
    bool turning = cluster->turning;

    persist_load(cluster, &saved);
    take_saved(cluster, &saved);
    cluster->turning = true; /* the wake-up brings the next decision */
    if (is_newer(&saved, &cluster->decision.verdict)) {
        begin(cluster, &saved, &actions);
        elsewhere_again(cluster);
    } else if (saved.have_verdict) {
        decision_take_frozen(&cluster->decision, saved.verdict.frozen);
    }
    elsewhere_restore(cluster, &saved);
    discovery_merge(cluster, &saved);
    cluster->turning = turning;
    free(saved.endpoints);
    log_event(LOG_INFO, "state_merged", "another agent saved news of this cluster: taken over",
              LOG_STR("cluster", cluster->conf->name));
    set_wake(cluster, actions.wake_ms);
    probe_ask(cluster->probe, UINT32_MAX);
}

/* ---- what is published ---- */

/* Each endpoint whose lookups get something else than before has a new generation. */
static void count(struct cluster *cluster, const struct publication *publication)
{
    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++) {
        const struct conf_endpoint *conf = &cluster->conf->endpoints[i];
        struct state_endpoint *endpoint = &cluster->endpoints[i];
        uint64_t fingerprint = publication_fingerprint(publication, conf->role);
        if (!fingerprint || fingerprint == endpoint->fingerprint)
            continue;
        endpoint->fingerprint = fingerprint;
        endpoint->generation++;
        if (conf->role == VIEW_ROLE_WRITER)
            events_answer(cluster, i, &publication->entry);
    }
}

static void publish(struct cluster *cluster, bool force_save)
{
    struct publication publication;

    publish_make(cluster, &publication);
    count(cluster, &publication);
    if (persist_save(cluster, force_save) == -ESTALE) { /* once: then nothing on disk is newer */
        merge(cluster);
        publish_make(cluster, &publication);
        count(cluster, &publication);
        persist_save(cluster, true);
    }
    sever_orders_note(cluster);
    publish_write(cluster, &publication);
}

void cluster_publish(struct cluster *cluster)
{
    publish(cluster, false);
}

void cluster_save_anew(struct cluster *cluster)
{
    enum view_mode mode = cluster->mode;
    bool frozen = cluster->decision.verdict.frozen;

    publish(cluster, true);
    if (frozen)
        decision_take_frozen(&cluster->decision, true);
    if (mode)
        cluster->mode = mode;
    publish(cluster, false);
}

/* ---- a report's way ---- */

static void carry_out(struct cluster *cluster, const struct actions *actions,
                      const struct verdict *before, const struct report *cause)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    uint64_t now_ms = loop_now_ms(cluster->daemon->loop);

    elsewhere_move(cluster, actions, before); /* first: what is published has the new addresses */
    if (actions->publish) {
        /* Before it is published: a switch that another agent saved is that agent's. */
        bool switched = before->writer != MEMBER_NONE &&
                        (before->writer != verdict->writer || actions->moved == verdict->writer);

        publish(cluster, false);
        events_verdict(cluster, before, cause, now_ms);
        if (actions->moved != MEMBER_NONE)
            events_moved(cluster, before, actions->moved, cause, now_ms);
        if (switched && verdict->writer != MEMBER_NONE)
            sever_orders_switched(cluster, now_ms);
    } else if (actions->confirmed && actions->persist) {
        publish(cluster, true);
    } else if (actions->confirmed) {
        publish_refresh(cluster);
    }
    sever_orders_consider(cluster);
    events_alarms(cluster, actions->raised, actions->cleared);
    set_wake(cluster, actions->wake_ms);
    if (actions->pace != cluster->pace) {
        cluster->pace = actions->pace;
        probe_set_pace(cluster->probe, cluster->pace);
    }
    if (actions->ask)
        probe_ask(cluster->probe, actions->ask);
}

static enum refusal handle(struct cluster *cluster, const struct event *event)
{
    struct verdict before = cluster->decision.verdict;
    struct actions actions = {0};
    enum refusal refusal =
        decision_handle(&cluster->decision, event, loop_now_ms(cluster->daemon->loop), &actions);

    if (refusal == REFUSAL_NONE)
        carry_out(cluster, &actions, &before, event->kind == EVENT_REPORT ? &event->report : NULL);
    return refusal;
}

/* What the probe tells of places while a decision is carried out is looked at after that: a move
 * makes the probe tell of the address that was left. */
static enum refusal handle_turn(struct cluster *cluster, const struct event *event)
{
    enum refusal refusal;

    cluster->turning = true;
    refusal = handle(cluster, event);
    while (cluster->tick_due) {
        cluster->tick_due = false;
        handle(cluster, &(struct event){.kind = EVENT_TICK});
    }
    cluster->turning = false;
    return refusal;
}

static void tick(struct cluster *cluster)
{
    if (cluster->turning)
        cluster->tick_due = true;
    else
        handle_turn(cluster, &(struct event){.kind = EVENT_TICK});
}

enum refusal cluster_order(struct cluster *cluster, const struct event *event)
{
    return handle_turn(cluster, event);
}

void cluster_set_mode(struct cluster *cluster, enum view_mode mode)
{
    cluster->mode = mode;
    publish(cluster, false);
    sever_orders_consider(cluster);
}

static void on_wake(void *arg)
{
    struct cluster *cluster = arg;

    handle_turn(cluster, &(struct event){.kind = EVENT_TICK});
    cluster->daemon->turned(cluster->daemon);
}

static void on_member(void *arg, uint32_t member, const struct probe_member *known)
{
    struct cluster *cluster = arg;

    members_take(&cluster->members, member, known);
}

static void on_report(void *arg, const struct report *report)
{
    struct cluster *cluster = arg;
    struct event event = {.kind = EVENT_REPORT, .report = *report};

    if (report->member < HOMING_MEMBERS_MAX)
        members_take_report(&cluster->members, report);
    if (report->kind == REPORT_ANSWER)
        told_fill(cluster, &event.report);
    handle_turn(cluster, &event);
    if (elsewhere_note_report(cluster, report))
        publish(cluster, false);
    discovery_note_report(cluster, report);
    cluster->daemon->turned(cluster->daemon);
}

/* Lookups get addresses, and severing tells members apart by them. */
static void on_addresses(void *arg, uint32_t member)
{
    struct cluster *cluster = arg;

    (void)member;
    publish(cluster, false);
    sever_orders_consider(cluster);
}

/* That goes by what it is listed as, which orders name as well. */
static void on_listed(void *arg, const struct inet_address *asked,
                      const struct inet_address *listed)
{
    struct cluster *cluster = arg;

    if (!members_take_listed(&cluster->members, asked, listed))
        return;
    events_listed(cluster, asked, listed);
    publish(cluster, true); /* on disk: who is silent at the next start will not say it again */
    sever_orders_consider(cluster);
}

static void on_topology(void *arg, uint32_t member, const struct topology *topology)
{
    told_hear(arg, member, topology);
    discovery_hear(arg, member, topology);
}

static bool on_is_taken(void *arg, uint32_t member, const struct inet_address *address)
{
    return elsewhere_taken(arg, member, address);
}

static bool on_is_behind(void *arg, const struct inet_address *address)
{
    return elsewhere_behind(arg, address);
}

static void on_place(void *arg, uint32_t place, const struct probe_place *known)
{
    elsewhere_take(arg, place, known);
    tick(arg);
}

/* ---- warnings ---- */

/* Nobody tells of the members for so long. Each that answers does so once a second. */
#define UNTOLD_MS 10000

/* Nobody needs it before a connection to a member breaks, and then a look is too late. */
void cluster_look_at_password(struct cluster *cluster)
{
    const char *file = cluster->conf->password_file;

    cluster->no_password = file && conf_password_check(file);
}

static bool wants_readers(const struct conf_cluster *conf)
{
    for (uint32_t i = 0; i < conf->endpoint_count; i++)
        if (conf->endpoints[i].role == VIEW_ROLE_READER)
            return true;
    return false;
}

/* As agent/publish finds it: what was connected to once, or what DNS named and is allowed. */
static bool has_no_address(const struct cluster *cluster)
{
    uint32_t writer = cluster->decision.verdict.writer;
    const struct addresses *where;

    if (writer >= cluster->conf->member_count)
        return false;
    where = &cluster->members.at[writer].where;
    return !where->connected.inet.family && where->count == 0;
}

void cluster_look(struct cluster *cluster)
{
    const struct discovery *d = cluster->discovery;
    uint64_t now_ms = loop_now_ms(cluster->daemon->loop), raised, cleared;
    const struct warnings_input in = {
        .topo = &cluster->decision.topo,
        .verdict = &cluster->decision.verdict,
        .wants_readers = wants_readers(cluster->conf),
        .no_password = cluster->no_password,
        .no_address = has_no_address(cluster),
        .spared = cluster->severing.spared > 0,
        .untold = d && (d->roster.taken_ms == 0 || now_ms - d->roster.taken_ms >= UNTOLD_MS),
        .refused = d && roster_has_refused(&d->roster, now_ms),
        .crowded = d && roster_is_crowded(&d->roster, now_ms),
        .green = !d && cluster->decision.verdict.stray, /* who is discovered may be about to join */
    };
    discovery_look(cluster);
    warnings_update(&cluster->warnings, &in, now_ms, &raised, &cleared);
    events_warnings(cluster, raised, cleared);
}

/* ---- coming and going ---- */

static bool make_endpoints(struct cluster *cluster)
{
    cluster->endpoints = calloc(cluster->conf->endpoint_count + 1, sizeof(*cluster->endpoints));
    if (!cluster->endpoints)
        return false;
    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++)
        cluster->endpoints[i].id = cluster->conf->endpoints[i].names[0].name.hash;
    return true;
}

static bool make_parts(struct cluster *cluster)
{
    const struct probe_sink sink = {
        .member = on_member,
        .report = on_report,
        .addresses = on_addresses,
        .listed = on_listed,
        .is_taken = on_is_taken,
        .is_behind = on_is_behind,
        .place = on_place,
        .topology = on_topology,
        .arg = cluster,
    };
    struct daemon *daemon = cluster->daemon;

    cluster->wake = loop_timer_new(daemon->loop, on_wake, cluster);
    if (!cluster->wake || !make_endpoints(cluster) || !sever_orders_init(cluster) ||
        !members_init(&cluster->members, cluster->conf->member_count, &cluster->decision))
        return false;
    cluster->probe =
        probe_new(daemon->loop, daemon->resolver,
                  engine_find(daemon->engines, cluster->conf->engine), cluster->conf, &sink);
    return cluster->probe;
}

struct cluster *cluster_new(struct daemon *daemon, struct shared_conf *held,
                            const struct conf_cluster *conf, const struct cluster *old)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));

    if (!cluster)
        return NULL;
    cluster->daemon = daemon;
    cluster->held = shared_conf_ref(held);
    cluster->conf = conf;
    cluster->pace = PACE_FAST; /* as a probe starts */
    verdict_init(&cluster->decision.verdict);
    if (discovery_init(cluster, old) && make_parts(cluster))
        return cluster;
    cluster_free(cluster);
    return NULL;
}

void cluster_free(struct cluster *cluster)
{
    if (!cluster)
        return;
    probe_free(cluster->probe);
    sever_orders_done(cluster);
    loop_timer_free(cluster->wake);
    members_done(&cluster->members);
    free(cluster->endpoints);
    discovery_done(cluster);
    shared_conf_unref(cluster->held);
    free(cluster);
}

void cluster_start(struct cluster *cluster)
{
    struct state_cluster saved;
    struct actions actions;

    persist_load(cluster, &saved);
    take_saved(cluster, &saved);
    begin(cluster, &saved, &actions);
    cluster->turning = true;
    elsewhere_begin(cluster, &saved);
    members_load_listed(&cluster->members, &saved);
    sever_orders_restore(cluster, &saved);
    free(saved.endpoints);
    persist_noted(cluster); /* nothing is new: a thousand clusters must not wait for the disk */
    events_restored(cluster);
    actions.publish = true; /* in any case: the names exist from now on */
    carry_out(cluster, &actions, &cluster->decision.verdict, NULL);
    cluster->turning = cluster->tick_due = false;
    discovery_look(cluster);
}

/* Old member indices to new ones: the same host and port is the same member. */
static void map_members(const struct conf_cluster *from, const struct conf_cluster *to,
                        uint32_t ret_map[HOMING_MEMBERS_MAX])
{
    for (uint32_t i = 0; i < from->member_count; i++) {
        ret_map[i] = MEMBER_NONE;
        for (uint32_t j = 0; j < to->member_count; j++)
            if (from->members[i].port == to->members[j].port &&
                strcmp(from->members[i].host, to->members[j].host) == 0)
                ret_map[i] = j;
    }
}

/* As the new members are numbered: a writer that has another number is no switch. One that is no member
 * any more keeps its own. */
static uint32_t renumber(uint32_t member, const uint32_t map[HOMING_MEMBERS_MAX], uint32_t count)
{
    return member < count && map[member] != MEMBER_NONE ? map[member] : member;
}

void cluster_inherit(struct cluster *cluster, struct cluster *old)
{
    struct verdict before = old->decision.verdict;
    struct decision_conf conf = decision_conf(cluster);
    struct actions actions = {0};
    uint32_t map[HOMING_MEMBERS_MAX];

    cluster->mode = old->mode;
    cluster->stray = old->stray;
    cluster->decision = old->decision;
    cluster->persisted = old->persisted;
    sever_orders_inherit(cluster, old);
    for (uint32_t i = 0; i < old->conf->endpoint_count; i++)
        take_endpoint(cluster, &old->endpoints[i]);
    probe_inherit(cluster->probe, old->probe);
    conf.named = cluster_configured(cluster) == cluster_configured(old);
    if (conf.named) /* the members alone are others */
        probe_adopt(cluster->probe, old->probe);
    map_members(old->conf, cluster->conf, map);
    before.writer = renumber(before.writer, map, old->conf->member_count);
    before.rival = renumber(before.rival, map, old->conf->member_count);
    warnings_inherit(&cluster->warnings, &old->warnings, map, old->conf->member_count);
    decision_reconfigure(&cluster->decision, &conf, map, loop_now_ms(cluster->daemon->loop),
                         &actions);
    cluster->turning = true;
    elsewhere_inherit(cluster, old, map);
    members_inherit_listed(&cluster->members, &old->members);
    actions.publish = true; /* names, modes and times may be new without a new verdict */
    carry_out(cluster, &actions, &before, NULL);
    cluster->turning = cluster->tick_due = false;
}

bool cluster_ready(const struct cluster *cluster)
{
    return (cluster->decision.first_round_done && cluster->conf->member_count > 0) ||
           cluster->decision.verdict.state == CLUSTER_STEADY;
}

struct cluster *cluster_find(const struct daemon *daemon, const char *name)
{
    for (uint32_t i = 0; name && i < daemon->cluster_count; i++)
        if (strcmp(daemon->clusters[i]->conf->name, name) == 0)
            return daemon->clusters[i];
    return NULL;
}
