/* SPDX-License-Identifier: Apache-2.0
 *
 * world.c - makes things happen to a cluster and to its witness.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/moved.h"
#include "tests/model/rules.h"
#include "tests/model/said.h"

static struct decision_conf domain_conf(const struct domain *d)
{
    return (struct decision_conf){
        .members = d->members,
        .no_failover = d->no_failover,
        .interval_ms = d->beat_ms,
        .fast_interval_ms = d->beat_ms,
        .timeout_ms = d->timeout_ms,
        .max_stale_ms = d->max_stale_ms,
        .max_switches = d->max_switches,
        .max_lag = 0,
    };
}

void world_start(struct world *w, const struct domain *d)
{
    struct decision_conf conf = domain_conf(d);
    struct actions actions;

    memset(w, 0, sizeof(*w));
    w->now_ms = START_MS;
    decision_init(&w->c, &conf, NULL, w->now_ms, &actions);
    w->c.topo.left_pause_ms = d->beat_ms;
    w->disk = w->c.verdict;
    w->w.alarms = actions.raised;
}

static void copy_part(const struct world *from, struct world *to, size_t begin, size_t end)
{
    memcpy((char *)to + begin, (const char *)from + begin, end - begin);
}

void world_copy(const struct world *from, struct world *to)
{
    copy_part(from, to, 0, offsetof(struct world, c.topo.at[MODEL_MAX]));
    for (uint32_t p = 0; p < MODEL_PLACES; p++)
        to->c.topo.at[moved_places[p]] = from->c.topo.at[moved_places[p]];
    copy_part(from, to, offsetof(struct world, c.topo.places), sizeof(*to));
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
    uint32_t terms = d->terms != 0 ? d->terms : TERM_RANKS(d->members);

    for (uint64_t term = 1; term <= terms; term++)
        for (uint64_t position = 1; position <= d->positions; position++) {
            struct report claim = answer(member, ROLE_WRITER, term, identity, position);
            claim.fenced = d->fenced;
            add_report(steps, count, claim, 0);
            if (d->old_questions)
                add_report(steps, count, claim, OLD_ANSWER_MS);
            if (d->swaps || (d->aliases && member == d->members - 1)) {
                claim.incarnation = d->swaps ? 101 - member : 100;
                add_report(steps, count, claim, 0);
            }
        }
}

/* What is said at a place: by the server that member 0 was, or by one that came up since; by member
 * 1's, if the names are exchanged. A newer term began where the position says. */
static void add_place(const struct domain *d, uint32_t voice, struct step *steps, uint32_t *count)
{
    static const uint64_t incarnations[] = {100, MOVED_TO, 101, MOVED_TO + 1};

    for (uint32_t i = 0; i < (d->swaps ? 4 : 2); i++)
        for (uint64_t identity = 1; identity <= d->identities; identity++) {
            struct report said = answer(voice, ROLE_READER, 0, identity, d->positions);
            said.incarnation = incarnations[i];
            add_report(steps, count, said, 0);
            said.role = ROLE_WRITER;
            for (uint64_t term = 1; term <= d->terms; term++)
                for (uint64_t position = 1; position <= d->positions; position++) {
                    said.term.lo = term;
                    said.position = said.branch = position;
                    add_report(steps, count, said, 0);
                }
        }
    add_report(steps, count, (struct report){.member = voice, .kind = REPORT_LATE}, 0);
    add_report(steps, count, (struct report){.member = voice, .kind = REPORT_BROKEN}, 0);
}

static void add_moves(const struct domain *d, struct step *steps, uint32_t *count)
{
    for (uint32_t m = 0; m < (d->swaps ? MODEL_MOVERS : 1); m++) {
        for (enum step_kind kind = STEP_NAMED; kind <= STEP_FORGET; kind++)
            add(steps, count, (struct step){.kind = kind, .member = m});
        add_place(d, CANDIDATE(m), steps, count);
        add_place(d, LEFT(m), steps, count);
    }
    for (uint32_t m = 0; m < d->members; m++)
        add_report(steps, count, (struct report){.member = m, .kind = REPORT_TIMEOUT}, 0);
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
    add(ret_steps, &count, (struct step){.kind = STEP_TICK});
    if (d->paces || d->max_switches != 0)
        add(ret_steps, &count, (struct step){.kind = STEP_MINUTES});
    if (d->operators) {
        add(ret_steps, &count, (struct step){.kind = STEP_FREEZE});
        add(ret_steps, &count, (struct step){.kind = STEP_UNFREEZE});
    }
    if (d->max_switches != 0)
        add(ret_steps, &count, (struct step){.kind = STEP_QUIET});
    if (d->restarts) {
        add(ret_steps, &count, (struct step){.kind = STEP_PERSIST});
        add(ret_steps, &count, (struct step){.kind = STEP_RESTART});
    }
    if (d->moves)
        add_moves(d, ret_steps, &count);
    if (d->reloads) {
        add(ret_steps, &count, (struct step){.kind = STEP_ROTATE});
        add(ret_steps, &count, (struct step){.kind = STEP_REPLACE});
    }
    return count;
}

/* How it happens */

static void set_place(struct world *w, uint32_t voice, enum place_kind kind, bool named)
{
    struct witness_place *place = &w->w.places[said_place(voice)];

    if (kind == PLACE_FREE || !place->there)
        memset(place, 0, sizeof(*place));
    place->there = kind != PLACE_FREE;
    place->named = named;
    decision_set_place(
        &w->c, voice - HOMING_MEMBERS_MAX,
        &(struct topo_place){.kind = kind, .member = said_owner(voice), .named = named});
}

/* As the daemon does it: the member is where its candidate was, and its address before is left. */
static void follow_move(struct world *w, uint32_t member)
{
    struct witness_place *place = &w->w.places[said_place(CANDIDATE(member))];
    struct witness_member *m = &w->w.at[member], to = place->is;

    if (m->said.incarnation != to.said.incarnation)
        w->w.left |= witness_bit(m->said.incarnation);
    *m = to;
    m->said.member = member;
    memset(place, 0, sizeof(*place));
    set_place(w, LEFT(member), PLACE_FREE, false);
    set_place(w, LEFT(member), PLACE_LEFT, false);
}

static const char *conclude(struct world *w, const struct domain *d, const struct step *step,
                            struct outcome *o)
{
    const char *broken = NULL;

    if (o->actions.persist)
        w->disk = w->c.verdict;
    o->asked_ms = w->w.asked_ms;
    o->reaffirmed_ms = w->w.reaffirmed_ms;
    o->seen_position = w->w.seen_position;
    if (o->actions.moved != MEMBER_NONE) {
        broken = rules_check_moved(w, step, o);
        follow_move(w, o->actions.moved);
    }
    witness_outcome(w, d, step, o);
    return broken ? broken : rules_check(w, d, step, o);
}

static const char *handle(struct world *w, const struct domain *d, const struct step *step,
                          const struct event *event)
{
    struct outcome o = {.before = w->c.verdict};

    if (event->kind == EVENT_REPORT)
        witness_report(w, &event->report);
    o.refusal = decision_handle(&w->c, event, w->now_ms, &o.actions);
    const char *broken = conclude(w, d, step, &o);
    if (broken || o.actions.moved == MEMBER_NONE)
        return broken;
    return handle(w, d, &(struct step){.kind = STEP_TICK}, &(struct event){.kind = EVENT_TICK});
}

/* "The agent sleeps otherwise": a call just before the wake-up it asked for changes nothing. */
static bool sleeps_soundly(const struct world *w, uint64_t until_ms)
{
    struct decision copy = w->c;
    struct actions actions;

    if (until_ms <= w->now_ms)
        return true;
    decision_handle(&copy, &(struct event){.kind = EVENT_TICK}, until_ms, &actions);
    return !verdict_differs(&copy.verdict, &w->c.verdict) && actions.ask == 0 &&
           actions.raised == 0 && actions.cleared == 0 && actions.pace == w->c.pace;
}

static const char *pass_time(struct world *w, const struct domain *d, const struct step *step,
                             uint64_t ms)
{
    uint64_t until_ms = w->now_ms + ms;
    const char *broken = NULL;

    while (!broken && w->c.wake_ms != 0 && w->c.wake_ms <= until_ms) {
        if (!sleeps_soundly(w, w->c.wake_ms - 1))
            return "wake_ms: nothing happens before it";
        if (w->c.wake_ms > w->now_ms)
            w->now_ms = w->c.wake_ms;
        broken = handle(w, d, step, &(struct event){.kind = EVENT_TICK});
    }
    if (!broken && !sleeps_soundly(w, until_ms))
        return "wake_ms: nothing happens before it";
    w->now_ms = until_ms;
    return broken;
}

static void put_back(uint64_t *time_ms, uint64_t now_ms)
{
    if (now_ms < *time_ms + QUIET_MS)
        *time_ms -= QUIET_MS / 2;
}

/* What lasts long ages, all else is as fresh as before: a thousand answers in one step. */
static void pass_minutes(struct world *w)
{
    for (uint32_t i = 0; i < SWITCHES_LIMIT; i++) {
        put_back(&w->c.brake.at_ms[i], w->now_ms);
        put_back(&w->w.switched_ms[i], w->now_ms);
    }
    put_back(&w->c.brake.last_ms, w->now_ms);
    put_back(&w->w.unquiet_ms, w->now_ms);
    w->c.fast_until_ms = 0;
}

static const char *restart(struct world *w, const struct domain *d, const struct step *step)
{
    struct outcome o = {.before = w->disk};
    struct decision_conf conf = w->c.conf;
    struct witness fresh = {
        .evidence_ms = w->disk.confirmed_ms,
        .seen_position = w->disk.position,
        /* The brake survives, the count that leads to it does not. */
        .braked = w->disk.braked,
        .unquiet_ms = w->disk.braked ? w->now_ms : 0,
    };

    if (w->disk.reason == REASON_INCUMBENT_READER)
        fresh.at[w->disk.writer].said.role = ROLE_READER;
    if (w->disk.reason == REASON_BEHIND)
        fresh.at[w->disk.rival] = (struct witness_member){
            .short_of = true,
            .said = answer(w->disk.rival, ROLE_WRITER, w->disk.term.lo, w->disk.identity, 0),
        };
    for (uint32_t m = 0; m < d->members; m++)
        fresh.at[m].unyielding = w->w.at[m].unyielding;
    w->w = fresh;
    decision_init(&w->c, &conf, &w->disk, w->now_ms, &o.actions);
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
    struct decision_conf conf = w->c.conf;
    struct witness old = w->w;

    memset(w->w.at, 0, sizeof(w->w.at));
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
    decision_reconfigure(&w->c, &conf, map, w->now_ms, &o.actions);
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
        return pass_time(w, d, step, d->beat_ms);
    case STEP_STALL:
        w->now_ms += d->timeout_ms;
        return NULL;
    case STEP_TICK:
        event.kind = EVENT_TICK;
        break;
    case STEP_QUIET:
        return pass_time(w, d, step, QUIET_MS + 10 * d->beat_ms);
    case STEP_MINUTES:
        pass_minutes(w);
        event.kind = EVENT_TICK;
        break;
    case STEP_PERSIST:
        w->disk = w->c.verdict;
        return NULL;
    case STEP_NAMED:
    case STEP_NAMED_TWICE:
        set_place(w, CANDIDATE(step->member), PLACE_CANDIDATE, step->kind == STEP_NAMED_TWICE);
        event.kind = EVENT_TICK;
        break;
    case STEP_UNNAMED:
    case STEP_FORGET:
        set_place(w, step->kind == STEP_FORGET ? LEFT(step->member) : CANDIDATE(step->member),
                  PLACE_FREE, false);
        event.kind = EVENT_TICK;
        break;
    case STEP_RESTART:
        return restart(w, d, step);
    case STEP_ROTATE:
        return rotate(w, d, step);
    default:
        return reload(w, d, step, (uint32_t[MODEL_MAX]){MEMBER_NONE, 1, 2});
    }
    return handle(w, d, step, &event);
}

/* For people who have to find out why a rule broke */

static const char *const step_names[STEP_KIND_COUNT] = {"report",
                                                        "a beat passes",
                                                        "the agent stalls",
                                                        "the agent is called",
                                                        "ten silent minutes pass",
                                                        "five minutes pass, all as before",
                                                        "the verdict is written to disk",
                                                        "accept",
                                                        "freeze",
                                                        "unfreeze",
                                                        "restart",
                                                        "reload, renumbered",
                                                        "reload, member 0 replaced",
                                                        "another address is named",
                                                        "another address is named twice",
                                                        "the address is not named any more",
                                                        "the left address is forgotten"};

void step_print(const struct step *step)
{
    const struct report *r = &step->report;

    printf("#   %s", step_names[step->kind]);
    if (step->kind == STEP_ACCEPT || (step->kind >= STEP_NAMED && step->kind <= STEP_FORGET))
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
