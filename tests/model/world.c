/* SPDX-License-Identifier: Apache-2.0
 *
 * world.c - makes things happen to a cluster and to its witness, and packs both.
 *
 * Packing keeps each thing on which a later decision can depend, times as ages up to the point
 * where older makes no difference. It forgets what only counts or dates (switches, since_ms,
 * changed_ms), when the pace ends, and how long ago the last switches were: states that differ
 * only there are walked once.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

#define AGE_MAX   (2 * MAX_STALE_MS)
#define QUIET_MS  (10 * 60 * 1000)
#define NEVER_AGE UINT16_MAX

static struct cluster_conf domain_conf(const struct domain *d)
{
    return (struct cluster_conf){
        .members = d->members,
        .no_failover = d->no_failover,
        .interval_ms = BEAT_MS,
        .fast_interval_ms = BEAT_MS,
        .timeout_ms = TIMEOUT_MS,
        .max_stale_ms = MAX_STALE_MS,
        .max_switches = d->max_switches,
        .max_lag = 0,
    };
}

void world_start(struct world *w, const struct domain *d)
{
    struct cluster_conf conf = domain_conf(d);
    struct actions actions;

    memset(w, 0, sizeof *w);
    w->now_ms = START_MS;
    cluster_init(&w->c, &conf, NULL, w->now_ms, &actions);
    w->disk = w->c.verdict;
    w->w.alarms = actions.raised;
}

/* What can happen */

static void add(struct step *steps, uint32_t *count, struct step step)
{
    if (*count >= STEPS_MAX)
        abort();
    steps[(*count)++] = step;
}

static struct report answer(uint32_t member, enum role role, uint64_t term, uint64_t identity,
                            uint64_t position)
{
    return (struct report){
        .member = member,
        .kind = REPORT_ANSWER,
        .role = role,
        .term = {0, term},
        .identity = identity,
        .incarnation = 100 + member,
        .position = position,
    };
}

static void add_report(struct step *steps, uint32_t *count, struct report report, uint32_t ago_ms)
{
    add(steps, count,
        (struct step){
            .kind = STEP_REPORT,
            .member = report.member,
            .report = report,
            .asked_ago_ms = ago_ms,
        });
}

static void add_claims(const struct domain *d, uint32_t member, uint64_t identity,
                       struct step *steps, uint32_t *count)
{
    for (uint64_t term = 1; term <= d->terms; term++)
        for (uint64_t position = 1; position <= d->positions; position++) {
            struct report claim = answer(member, ROLE_WRITER, term, identity, position);
            add_report(steps, count, claim, 0);
            if (d->old_questions)
                add_report(steps, count, claim, 2 * BEAT_MS);
            if (d->aliases && member == d->members - 1) {
                claim.incarnation = 100;
                add_report(steps, count, claim, 0);
            }
        }
}

static void add_member(const struct domain *d, uint32_t member, struct step *steps, uint32_t *count)
{
    for (uint64_t identity = 1; identity <= d->identities; identity++) {
        add_claims(d, member, identity, steps, count);
        add_report(steps, count, answer(member, ROLE_READER, 0, identity, d->positions), 0);
    }
    add_report(steps, count, (struct report){.member = member, .kind = REPORT_LATE}, 0);
    add_report(steps, count, (struct report){.member = member, .kind = REPORT_BROKEN}, 0);
    if (d->operators)
        add(steps, count, (struct step){.kind = STEP_ACCEPT, .member = member});
}

uint32_t world_steps(const struct domain *d, struct step *ret_steps)
{
    uint32_t count = 0;

    for (uint32_t m = 0; m < d->members; m++)
        add_member(d, m, ret_steps, &count);
    add(ret_steps, &count, (struct step){.kind = STEP_BEAT});
    add(ret_steps, &count, (struct step){.kind = STEP_STALL});
    if (d->operators) {
        add(ret_steps, &count, (struct step){.kind = STEP_FREEZE});
        add(ret_steps, &count, (struct step){.kind = STEP_UNFREEZE});
    }
    if (d->max_switches != 0)
        add(ret_steps, &count, (struct step){.kind = STEP_QUIET});
    if (d->restarts)
        add(ret_steps, &count, (struct step){.kind = STEP_RESTART});
    if (d->reloads) {
        add(ret_steps, &count, (struct step){.kind = STEP_ROTATE});
        add(ret_steps, &count, (struct step){.kind = STEP_REPLACE});
    }
    return count;
}

/* How it happens */

static const char *conclude(struct world *w, const struct domain *d, const struct step *step,
                            struct outcome *o)
{
    if (o->actions.persist)
        w->disk = w->c.verdict;
    o->asked_ms = w->w.asked_ms;
    o->reaffirmed_ms = w->w.reaffirmed_ms;
    witness_outcome(w, step, o);
    return rules_check(w, d, step, o);
}

static const char *handle(struct world *w, const struct domain *d, const struct step *step,
                          const struct event *event)
{
    struct outcome o = {.before = w->c.verdict};

    if (event->kind == EVENT_REPORT)
        witness_report(w, &event->report);
    o.refusal = cluster_handle(&w->c, event, w->now_ms, &o.actions);
    return conclude(w, d, step, &o);
}

/* "The agent sleeps otherwise": a call just before the wake-up it asked for changes nothing. */
static bool sleeps_soundly(const struct world *w, uint64_t until_ms)
{
    struct cluster copy = w->c;
    struct actions actions;

    if (until_ms <= w->now_ms)
        return true;
    cluster_handle(&copy, &(struct event){.kind = EVENT_TICK}, until_ms, &actions);
    return !verdict_differs(&copy.verdict, &w->c.verdict) && actions.ask == 0 &&
           actions.raised == 0 && actions.cleared == 0 && actions.pace == w->c.pace;
}

static const char *pass_time(struct world *w, const struct domain *d, const struct step *step,
                             uint64_t ms)
{
    uint64_t until_ms = w->now_ms + ms;
    const char *broken = NULL;

    while (broken == NULL && w->c.wake_ms != 0 && w->c.wake_ms <= until_ms) {
        if (!sleeps_soundly(w, w->c.wake_ms - 1))
            return "wake_ms: nothing happens before it";
        if (w->c.wake_ms > w->now_ms)
            w->now_ms = w->c.wake_ms;
        broken = handle(w, d, step, &(struct event){.kind = EVENT_TICK});
    }
    if (broken == NULL && !sleeps_soundly(w, until_ms))
        return "wake_ms: nothing happens before it";
    w->now_ms = until_ms;
    return broken;
}

static const char *restart(struct world *w, const struct domain *d, const struct step *step)
{
    struct outcome o = {.before = w->disk};
    struct cluster_conf conf = w->c.conf;
    struct witness fresh = {
        .evidence_ms = w->disk.confirmed_ms,
        .seen_position = w->disk.position,
        /* The brake survives, the count that leads to it does not. */
        .switches = w->disk.braked ? d->max_switches + 1 : 0,
        .switched_ms = w->now_ms,
    };

    if (w->disk.reason == REASON_INCUMBENT_READER)
        fresh.at[w->disk.writer].said.role = ROLE_READER;
    if (w->disk.reason == REASON_BEHIND)
        fresh.at[w->disk.rival] = (struct witness_member){
            .short_of = true,
            .said = answer(w->disk.rival, ROLE_WRITER, w->disk.term.lo, w->disk.identity, 0),
        };
    w->w = fresh;
    cluster_init(&w->c, &conf, &w->disk, w->now_ms, &o.actions);
    return conclude(w, d, step, &o);
}

static uint32_t renumber(uint32_t mask, const uint32_t *map, uint32_t members)
{
    uint32_t to = 0;
    for (uint32_t m = 0; m < members; m++)
        if (map[m] != MEMBER_NONE && (mask >> m & 1) != 0)
            to |= 1u << map[m];
    return to;
}

static const char *reload(struct world *w, const struct domain *d, const struct step *step,
                          const uint32_t *map)
{
    struct outcome o = {.before = w->c.verdict};
    struct cluster_conf conf = w->c.conf;
    struct witness old = w->w;

    memset(w->w.at, 0, sizeof w->w.at);
    for (uint32_t m = 0; m < d->members; m++)
        if (map[m] != MEMBER_NONE) {
            w->w.at[map[m]] = old.at[m];
            w->w.at[map[m]].said.member = map[m];
        }
    w->w.asked_ms = w->w.reaffirmed_ms = 0;
    o.before.demoted = renumber(o.before.demoted, map, d->members);
    if (o.before.writer != MEMBER_NONE)
        o.before.writer = map[o.before.writer];
    if (o.before.writer == MEMBER_NONE)
        o.before.frozen = false;
    cluster_reconfigure(&w->c, &conf, map, w->now_ms, &o.actions);
    return conclude(w, d, step, &o);
}

static const char *rotate(struct world *w, const struct domain *d, const struct step *step)
{
    uint32_t map[MODEL_MAX];
    for (uint32_t m = 0; m < d->members; m++)
        map[m] = (m + 1) % d->members;
    return reload(w, d, step, map);
}

const char *world_step(struct world *w, const struct domain *d, const struct step *step)
{
    struct event event = {.member = step->member, .report = step->report};

    switch (step->kind) {
    case STEP_REPORT:
        event.kind = EVENT_REPORT;
        event.report.asked_ms = w->now_ms - step->asked_ago_ms;
        break;
    case STEP_ACCEPT:
        event.kind = EVENT_ACCEPT;
        break;
    case STEP_FREEZE:
        event.kind = EVENT_FREEZE;
        break;
    case STEP_UNFREEZE:
        event.kind = EVENT_UNFREEZE;
        break;
    case STEP_BEAT:
        return pass_time(w, d, step, BEAT_MS);
    case STEP_STALL:
        w->now_ms += TIMEOUT_MS;
        return NULL;
    case STEP_QUIET:
        return pass_time(w, d, step, QUIET_MS + 10 * BEAT_MS);
    case STEP_RESTART:
        return restart(w, d, step);
    case STEP_ROTATE:
        return rotate(w, d, step);
    default:
        return reload(w, d, step, (uint32_t[MODEL_MAX]){MEMBER_NONE, 1, 2});
    }
    return handle(w, d, step, &event);
}

/* Packing */

/* Writes or reads the same sequence of fields: one list for both ways. */
struct tape {
    uint8_t *at, *end;
    bool reading;
    uint64_t now_ms;
};

static void tape_bytes(struct tape *t, uint32_t *value, size_t width)
{
    if (t->at + width > t->end)
        abort();
    if (t->reading) {
        *value = 0;
        memcpy(value, t->at, width);
    } else {
        memcpy(t->at, value, width);
    }
    t->at += width;
}

static void tape_8(struct tape *t, uint32_t *value)
{
    tape_bytes(t, value, 1);
}

static void tape_bool(struct tape *t, bool *flag)
{
    uint32_t value = *flag;
    tape_8(t, &value);
    *flag = value != 0;
}

/* Small numbers, and MEMBER_NONE as 255. */
static void tape_small(struct tape *t, uint32_t *number)
{
    uint32_t value = *number == MEMBER_NONE ? 255 : *number;
    tape_8(t, &value);
    *number = value == 255 ? MEMBER_NONE : value;
}

static void tape_long(struct tape *t, uint64_t *number)
{
    uint32_t value = (uint32_t)*number;
    tape_8(t, &value);
    *number = value;
}

static void tape_age(struct tape *t, uint64_t *time_ms)
{
    uint64_t age_ms = *time_ms == 0 ? NEVER_AGE : t->now_ms - *time_ms;
    uint32_t value;

    if (*time_ms != 0 && age_ms > AGE_MAX)
        age_ms = AGE_MAX;
    value = (uint32_t)age_ms;
    tape_bytes(t, &value, 2);
    *time_ms = value == NEVER_AGE ? 0 : t->now_ms - value;
}

static void tape_wake(struct tape *t, uint64_t *wake_ms)
{
    uint64_t ahead = *wake_ms == 0 ? NEVER_AGE : *wake_ms + AGE_MAX - t->now_ms;
    uint32_t value;

    if (*wake_ms != 0 && ahead > NEVER_AGE - 1)
        ahead = *wake_ms > t->now_ms ? NEVER_AGE - 1 : 0;
    value = (uint32_t)ahead;
    tape_bytes(t, &value, 2);
    *wake_ms = value == NEVER_AGE ? 0 : t->now_ms + value - AGE_MAX;
}

#define TAPE_ENUM(t, field)                                                                        \
    do {                                                                                           \
        uint32_t number = (uint32_t)(field);                                                       \
        tape_8(t, &number);                                                                        \
        (field) = number;                                                                          \
    } while (0)

static void tape_report(struct tape *t, struct report *r)
{
    TAPE_ENUM(t, r->role);
    tape_long(t, &r->term.lo);
    tape_long(t, &r->identity);
    tape_long(t, &r->incarnation);
    tape_long(t, &r->position);
    tape_age(t, &r->asked_ms);
}

static void tape_member(struct tape *t, struct member_view *m)
{
    uint32_t good = m->good_answers;

    tape_report(t, &m->last);
    TAPE_ENUM(t, m->kind);
    tape_bool(t, &m->heard);
    tape_bool(t, &m->answered);
    tape_bool(t, &m->standing);
    tape_bool(t, &m->late);
    tape_bool(t, &m->behind);
    tape_8(t, &good);
    m->good_answers = (uint8_t)good;
    tape_age(t, &m->answered_ms);
}

static void tape_witness_member(struct tape *t, struct witness_member *m)
{
    tape_report(t, &m->said);
    tape_bool(t, &m->heard);
    tape_bool(t, &m->connected);
    tape_bool(t, &m->late);
    tape_bool(t, &m->short_of);
    tape_age(t, &m->said_ms);
}

static void tape_verdict(struct tape *t, struct verdict *v)
{
    TAPE_ENUM(t, v->state);
    TAPE_ENUM(t, v->reason);
    tape_small(t, &v->writer);
    tape_small(t, &v->rival);
    tape_8(t, &v->demoted);
    tape_8(t, &v->readers);
    tape_bool(t, &v->braked);
    tape_bool(t, &v->frozen);
    tape_long(t, &v->identity);
    tape_long(t, &v->discarded);
    tape_long(t, &v->term.lo);
    tape_long(t, &v->position);
    tape_age(t, &v->confirmed_ms);
}

static void tape_witness(struct tape *t, struct witness *w)
{
    tape_age(t, &w->asked_ms);
    tape_age(t, &w->reaffirmed_ms);
    tape_age(t, &w->evidence_ms);
    tape_long(t, &w->seen_position);
    tape_8(t, &w->switches);
    tape_8(t, &w->alarms);
}

/* How many switches count; that they were a moment ago is good enough. */
static void tape_brake(struct tape *t, struct cluster *c)
{
    struct brake *b = &c->brake;
    uint32_t recent = 0;

    for (uint32_t i = 0; i <= BRAKE_SWITCHES_MAX; i++)
        recent += b->at_ms[i] != 0 && t->now_ms - b->at_ms[i] < QUIET_MS;
    bool known = b->last_ms != 0 && t->now_ms - b->last_ms < QUIET_MS;
    tape_8(t, &recent);
    tape_bool(t, &known);
    if (!t->reading)
        return;
    for (uint32_t i = 0; i < recent; i++)
        b->at_ms[i] = t->now_ms - 1;
    b->next = recent % (BRAKE_SWITCHES_MAX + 1);
    b->last_ms = known ? t->now_ms - 1 : 0;
}

static void tape_world(struct tape *t, const struct domain *d, struct world *w)
{
    for (uint32_t m = 0; m < d->members; m++) {
        tape_member(t, &w->c.topo.at[m]);
        tape_witness_member(t, &w->w.at[m]);
    }
    tape_verdict(t, &w->c.verdict);
    tape_age(t, &w->c.asked_again_ms);
    tape_age(t, &w->c.reaffirmed_ms);
    tape_age(t, &w->c.last_call_ms);
    tape_age(t, &w->c.now_ms); /* behind the clock after a stall */
    tape_wake(t, &w->c.wake_ms);
    TAPE_ENUM(t, w->c.pace);
    tape_8(t, &w->c.alarms);
    tape_brake(t, &w->c);
    tape_witness(t, &w->w);
    if (d->restarts) {
        tape_age(t, &w->disk.confirmed_ms);
        tape_long(t, &w->disk.position);
    }
}

void world_pack(const struct world *w, const struct domain *d, struct packed *ret_packed)
{
    struct world copy = *w;
    struct tape t = {.at = ret_packed->bytes, .now_ms = w->now_ms};

    if (w->now_ms >= w->w.switched_ms + QUIET_MS)
        copy.w.switches = 0;
    memset(ret_packed, 0, sizeof *ret_packed);
    t.end = ret_packed->bytes + sizeof ret_packed->bytes;
    tape_world(&t, d, &copy);
}

void world_unpack(const struct packed *packed, const struct domain *d, struct world *ret_world)
{
    struct packed copy = *packed;
    struct tape t = {.at = copy.bytes, .reading = true, .now_ms = START_MS};
    struct world *w = ret_world;

    world_start(w, d);
    t.end = copy.bytes + sizeof copy.bytes;
    tape_world(&t, d, w);
    w->c.fast_until_ms = w->c.pace == PACE_FAST ? START_MS + 30000 : START_MS;
    w->c.persisted_ms = w->c.now_ms;
    w->c.first_round_done = topo_all_heard(&w->c.topo);
    w->w.switched_ms = w->w.switches != 0 ? START_MS - 1 : 0;
    for (uint32_t m = 0; m < d->members; m++) {
        w->c.topo.at[m].last.member = m;
        w->c.topo.at[m].changed_ms = START_MS;
        w->w.at[m].said.member = m;
    }
    struct verdict disk = w->c.verdict;
    disk.confirmed_ms = w->disk.confirmed_ms;
    disk.position = w->disk.position;
    w->disk = disk;
}

/* For people who have to find out why a rule broke */

static const char *const step_names[STEP_KIND_COUNT] = {"report",
                                                        "a beat passes",
                                                        "the agent stalls",
                                                        "ten minutes pass",
                                                        "accept",
                                                        "freeze",
                                                        "unfreeze",
                                                        "restart",
                                                        "reload, renumbered",
                                                        "reload, member 0 replaced"};

void step_print(const struct step *step)
{
    const struct report *r = &step->report;

    printf("#   %s", step_names[step->kind]);
    if (step->kind == STEP_ACCEPT)
        printf(" member %u", step->member);
    if (step->kind == STEP_REPORT)
        printf(" of member %u: %s", step->member, report_kind_name(r->kind));
    if (step->kind == STEP_REPORT && r->kind == REPORT_ANSWER)
        printf(" %s, term %u, identity %u, incarnation %u, position %u, asked %u ms ago",
               role_name(r->role), (unsigned)r->term.lo, (unsigned)r->identity,
               (unsigned)r->incarnation, (unsigned)r->position, step->asked_ago_ms);
    printf("\n");
}

void world_print(const struct world *w)
{
    const struct verdict *v = &w->c.verdict;

    printf("#     -> %s (%s), writer %d, rival %d, term %u, position %u, identity %u, demoted %x, "
           "readers %x, "
           "confirmed %d ms ago\n",
           cluster_state_name(v->state), reason_name(v->reason), (int)v->writer, (int)v->rival,
           (unsigned)v->term.lo, (unsigned)v->position, (unsigned)v->identity, v->demoted,
           v->readers, v->confirmed_ms ? (int)(w->now_ms - v->confirmed_ms) : -1);
}
