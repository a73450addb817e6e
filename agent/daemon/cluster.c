/* SPDX-License-Identifier: Apache-2.0
 *
 * cluster.c - one cluster at work: its probe's reports go in, its mind's actions are carried
 * out. See daemon/daemon.h.
 *
 * 1. A cluster has no effect before run_cluster_start() or run_cluster_inherit(), so that a reload
 *    can make all new ones first and drop them again.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/parts.h"

static void set_wake(struct run_cluster *rc, uint64_t wake_ms, uint64_t now_ms)
{
    if (!wake_ms)
        loop_timer_stop(rc->wake);
    else /* never 0: a mind that wants to be woken in the past must not spin the loop */
        loop_timer_set(rc->wake, wake_ms > now_ms ? wake_ms - now_ms : 1);
}

static void carry_out(struct run_cluster *rc, const struct actions *actions,
                      const struct verdict *before, const struct report *cause, uint64_t now_ms)
{
    if (actions->publish) {
        bool switched = before->writer != MEMBER_NONE && before->writer != rc->mind.verdict.writer;

        run_publish(rc);
        run_events_verdict(rc, before, cause, now_ms);
        if (switched && rc->mind.verdict.writer != MEMBER_NONE)
            run_sever_switched(rc, now_ms);
    } else if (actions->confirmed) {
        run_publish_confirmed(rc, actions->persist);
    }
    run_sever_consider(rc);
    run_events_alarms(rc, actions->raised, actions->cleared);
    set_wake(rc, actions->wake_ms, now_ms);
    if (actions->pace != rc->pace) {
        rc->pace = actions->pace;
        probe_set_pace(rc->probe, rc->pace);
    }
    if (actions->ask)
        probe_ask(rc->probe, actions->ask);
}

static enum refusal handle(struct run_cluster *rc, const struct event *event)
{
    struct verdict before = rc->mind.verdict;
    uint64_t now_ms = loop_now_ms(rc->run->loop);
    struct actions actions = {0};
    enum refusal refusal = cluster_handle(&rc->mind, event, now_ms, &actions);

    if (refusal == REFUSAL_NONE)
        carry_out(rc, &actions, &before, event->kind == EVENT_REPORT ? &event->report : NULL,
                  now_ms);
    return refusal;
}

enum refusal run_cluster_order(struct run_cluster *rc, const struct event *event)
{
    return handle(rc, event);
}

static void on_wake(void *arg)
{
    struct run_cluster *rc = arg;

    handle(rc, &(struct event){.kind = EVENT_TICK});
    run_beat(rc->run);
    run_check_ready(rc->run);
}

static void on_report(void *arg, const struct report *report)
{
    struct run_cluster *rc = arg;

    if (report->kind == REPORT_ANSWER && report->role == ROLE_READER)
        rc->reader_incarnation[report->member] = report->incarnation;
    handle(rc, &(struct event){.kind = EVENT_REPORT, .report = *report});
    run_beat(rc->run);
    run_check_ready(rc->run);
}

/* Addresses are part of the answer, and of what members of the view are told apart by. */
static void on_addresses(void *arg, uint32_t member)
{
    (void)member;
    run_publish(arg);
    run_sever_consider(arg);
}

static struct cluster_conf mind_conf(const struct conf_cluster *conf)
{
    struct cluster_conf c = {
        .members = conf->member_count,
        .interval_ms = conf->timing.interval_ms,
        .fast_interval_ms = conf->timing.fast_interval_ms,
        .timeout_ms = conf->timing.timeout_ms,
        .max_stale_ms = conf->timing.max_stale_ms,
        .max_switches = conf->timing.max_switches,
        .max_lag = conf->timing.max_lag,
    };

    for (uint32_t i = 0; i < conf->member_count; i++)
        if (!conf->members[i].failover)
            c.no_failover |= 1u << i;
    return c;
}

static bool make_endpoints(struct run_cluster *rc)
{
    struct name name;

    rc->endpoints = calloc(rc->conf->endpoint_count + 1, sizeof(*rc->endpoints));
    if (!rc->endpoints)
        return false;
    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++)
        if (name_canonical(rc->conf->endpoints[i].names[0].text, &name))
            rc->endpoints[i].id = name.hash;
    return true;
}

struct run_cluster *run_cluster_new(struct run *run, struct run_conf *held,
                                    const struct conf_cluster *conf)
{
    struct run_cluster *rc = calloc(1, sizeof(*rc));

    if (!rc)
        return NULL;
    rc->run = run;
    rc->held = run_conf_ref(held);
    rc->conf = conf;
    rc->pace = PACE_FAST; /* as a probe starts */
    verdict_init(&rc->mind.verdict);
    rc->wake = loop_timer_new(run->loop, on_wake, rc);
    if (rc->wake && make_endpoints(rc) && run_sever_init(rc))
        rc->probe = probe_new(
            run->loop, run->resolver, conf,
            &(struct probe_sink){.report = on_report, .addresses = on_addresses, .arg = rc});
    if (rc->probe)
        return rc;
    run_cluster_free(rc);
    return NULL;
}

void run_cluster_free(struct run_cluster *rc)
{
    if (!rc)
        return;
    probe_free(rc->probe);
    run_sever_done(rc);
    loop_timer_free(rc->wake);
    free(rc->endpoints);
    run_conf_unref(rc->held);
    free(rc);
}

/* Generations of endpoints that still exist; each only grows. */
static void take_endpoint(struct run_cluster *rc, uint64_t id, uint64_t generation, uint64_t answer)
{
    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++) {
        struct run_endpoint *endpoint = &rc->endpoints[i];
        if (endpoint->id == id && generation >= endpoint->generation) {
            endpoint->generation = generation;
            endpoint->answer = answer;
        }
    }
}

static void take_saved(struct run_cluster *rc, const struct state_cluster *saved)
{
    for (uint32_t i = 0; i < saved->endpoint_count; i++)
        take_endpoint(rc, saved->endpoints[i].id, saved->endpoints[i].generation,
                      saved->endpoints[i].answer);
    rc->mode = saved->have_mode ? saved->mode : 0;
    if (rc->mode > CONF_MODE_HIGHEST) /* ordered of a newer version */
        rc->mode = CONF_MODE_HIGHEST;
}

/* What cannot be read counts as nothing saved. Free ret_saved->endpoints. */
static void load(struct run_cluster *rc, struct state_cluster *ret_saved)
{
    int rv;

    memset(ret_saved, 0, sizeof(*ret_saved));
    rv = rc->run->state ? state_load(rc->run->state, rc->conf, ret_saved) : 0;
    if (rv == 0)
        return;
    memset(ret_saved, 0, sizeof(*ret_saved));
    log_event(LOG_ERROR, "state_unreadable",
              rv == -EBADMSG ? "saved state is corrupt and was renamed aside: starting unknown"
                             : "saved state cannot be read: starting unknown",
              LOG_STR("cluster", rc->conf->name), LOG_STR("error", strerror(-rv)));
}

static void begin(struct run_cluster *rc, const struct state_cluster *saved,
                  struct actions *ret_actions)
{
    struct cluster_conf conf = mind_conf(rc->conf);

    cluster_init(&rc->mind, &conf, saved->have_verdict ? &saved->verdict : NULL,
                 loop_now_ms(rc->run->loop), ret_actions);
}

void run_cluster_start(struct run_cluster *rc)
{
    struct state_cluster saved;
    struct actions actions;

    load(rc, &saved);
    take_saved(rc, &saved);
    begin(rc, &saved, &actions);
    free(saved.endpoints);
    run_save_note(rc); /* a thousand clusters must not wait for the disk to say nothing new */
    run_events_restored(rc);
    actions.publish = true; /* in any case: the names exist from now on */
    carry_out(rc, &actions, &rc->mind.verdict, NULL, loop_now_ms(rc->run->loop));
}

/* W2: what another agent on this node saved, in a rollout, wins if it is newer, or another data
 * set, which only an operator can have made it. */
static bool is_newer(const struct state_cluster *saved, const struct verdict *own)
{
    return saved->have_verdict && (saved->verdict.identity != own->identity ||
                                   term_compare(saved->verdict.term, own->term) > 0);
}

void run_cluster_merge(struct run_cluster *rc)
{
    struct state_cluster saved;
    struct actions actions = {.wake_ms = loop_now_ms(rc->run->loop) + 1};

    load(rc, &saved);
    take_saved(rc, &saved);
    if (is_newer(&saved, &rc->mind.verdict))
        begin(rc, &saved, &actions);
    else if (saved.have_verdict && rc->mind.verdict.writer != MEMBER_NONE)
        rc->mind.verdict.frozen = saved.verdict.frozen;
    free(saved.endpoints);
    log_event(LOG_INFO, "state_merged", "another agent saved news of this cluster: taken over",
              LOG_STR("cluster", rc->conf->name));
    set_wake(rc, actions.wake_ms, loop_now_ms(rc->run->loop));
    probe_ask(rc->probe, UINT32_MAX);
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

void run_cluster_inherit(struct run_cluster *rc, struct run_cluster *old)
{
    struct verdict before = old->mind.verdict;
    struct cluster_conf conf = mind_conf(rc->conf);
    struct actions actions = {0};
    uint32_t map[HOMING_MEMBERS_MAX];
    uint64_t now_ms = loop_now_ms(rc->run->loop);

    rc->mode = old->mode;
    rc->mind = old->mind;
    rc->saved = old->saved;
    run_sever_inherit(rc, old);
    for (uint32_t i = 0; i < old->conf->endpoint_count; i++)
        take_endpoint(rc, old->endpoints[i].id, old->endpoints[i].generation,
                      old->endpoints[i].answer);
    probe_inherit(rc->probe, old->probe);
    map_members(old->conf, rc->conf, map);
    cluster_reconfigure(&rc->mind, &conf, map, now_ms, &actions);
    actions.publish = true; /* names, modes and times may be new without a new verdict */
    carry_out(rc, &actions, &before, NULL, now_ms);
}

bool run_cluster_ready(const struct run_cluster *rc)
{
    return rc->mind.first_round_done || rc->mind.verdict.state == CLUSTER_STEADY;
}

struct run_cluster *run_cluster_find(const struct run *run, const char *name)
{
    for (uint32_t i = 0; name && i < run->cluster_count; i++)
        if (strcmp(run->clusters[i]->conf->name, name) == 0)
            return run->clusters[i];
    return NULL;
}
