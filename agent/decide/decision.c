/* SPDX-License-Identifier: Apache-2.0
 *
 * decision.c - events in, actions out. Called by daemon/cluster.c, for one cluster at a time.
 *
 * Every event goes the same way: it is noted, the verdict is made anew, and the actions are the
 * difference. What time alone changes comes as an event, too: wake_ms asks for it.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/bluegreen.h"
#include "agent/decide/claims.h"
#include "agent/decide/decision.h"
#include "agent/decide/moves.h"
#include "agent/decide/readers.h"
#include "agent/decide/succession.h"

/* How long the pace stays fast after a change. What follows a failover (members that join again, a
 * second failover) comes within seconds of it. */
#define FAST_AFTER_CHANGE_MS 30000

const char *pace_name(enum pace pace)
{
    static const char *const names[PACE_COUNT] = {"steady", "fast"};
    return (unsigned)pace < PACE_COUNT ? names[pace] : "?";
}

const char *alarm_name(enum alarm alarm)
{
    static const char *const names[ALARM_COUNT] = {
        "ambiguous", "no_writer",     "stale",           "braked",
        "denied",    "second_writer", "switchover_long", "deployment_unknown"};
    return (unsigned)alarm < ALARM_COUNT ? names[alarm] : "?";
}

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[REFUSAL_COUNT] = {"none", "no_such_member", "not_claiming",
                                                     "not_frozen", "no_writer_known"};
    return (unsigned)refusal < REFUSAL_COUNT ? names[refusal] : "?";
}

static uint32_t all_members(const struct decision_conf *conf)
{
    return conf->members ? UINT32_MAX >> (32 - conf->members) : 0;
}

/* Whether a fenced member needs an alarm of its own: the rival has that of `ambiguous`. */
static bool second_writer(const struct verdict *v)
{
    uint32_t rival = v->rival < HOMING_MEMBERS_MAX ? UINT32_C(1) << v->rival : 0, place = 0;

    if (v->rival != MEMBER_NONE && v->rival >= HOMING_MEMBERS_MAX)
        place = UINT32_C(1) << (v->rival - HOMING_MEMBERS_MAX);
    return (v->fenced & ~rival) != 0 || (v->fenced_places & ~place) != 0;
}

static bool tells_strangely(const struct decision *c)
{
    uint32_t writer = c->verdict.writer;

    return writer != MEMBER_NONE && c->topo.at[writer].standing &&
           c->topo.at[writer].last.phase == PHASE_STRANGE;
}

static uint32_t alarms_of(const struct decision *c)
{
    const struct verdict *v = &c->verdict;
    uint32_t mask = 0;

    if (v->rival != MEMBER_NONE || v->state == CLUSTER_AMBIGUOUS)
        mask |= 1u << ALARM_AMBIGUOUS;
    if (v->reason == REASON_INCUMBENT_READER)
        mask |= 1u << ALARM_NO_WRITER;
    if (v->state == CLUSTER_STALE)
        mask |= 1u << ALARM_STALE;
    if (v->braked)
        mask |= 1u << ALARM_BRAKED;
    if (second_writer(v))
        mask |= 1u << ALARM_SECOND_WRITER;
    if (bluegreen_is_overdue(v, c->now_ms))
        mask |= 1u << ALARM_SWITCHOVER;
    if (tells_strangely(c))
        mask |= 1u << ALARM_DEPLOYMENT;
    for (uint32_t m = 0; m < c->topo.members; m++)
        if (c->topo.at[m].heard && c->topo.at[m].kind == REPORT_DENIED)
            mask |= 1u << ALARM_DENIED;
    return mask;
}

static void alarms_update(struct decision *c, struct actions *acts)
{
    uint32_t now = alarms_of(c);

    acts->raised = now & ~c->alarms;
    acts->cleared = c->alarms & ~now;
    c->alarms = now;
}

static void update(struct decision *c, const struct verdict *before, bool contested,
                   struct actions *acts)
{
    enum cluster_state state = c->verdict.state;
    enum pace pace = PACE_FAST;

    if (c->verdict.writer != before->writer || state != before->state)
        c->fast_until_ms = c->now_ms + FAST_AFTER_CHANGE_MS;
    if ((state == CLUSTER_STEADY || state == CLUSTER_FROZEN) && !contested &&
        c->verdict.phase < PHASE_INITIATED && c->now_ms >= c->fast_until_ms)
        pace = PACE_STEADY;
    /* Fast begins now, not when the next steady question would be due. */
    if (pace == PACE_FAST && c->pace == PACE_STEADY)
        acts->ask |= all_members(&c->conf);
    c->pace = pace;
    acts->pace = pace;
}

static void contest_forget(struct decision *c)
{
    c->asked_again_ms = 0;
    c->reaffirmed_ms = 0; /* last_call_ms is cleared when the next contest begins */
}

/* W3: asks the incumbent once more when a contest begins; notes when its time is over. */
static void contest_update(struct decision *c, const struct writer_output *out,
                           struct actions *acts)
{
    if (!out->contested) {
        contest_forget(c);
        return;
    }
    if (c->asked_again_ms == 0) {
        c->asked_again_ms = c->now_ms;
        acts->ask |= UINT32_C(1) << c->verdict.writer;
    }
    if (c->now_ms < out->deadline_ms)
        c->last_call_ms = 0;
    else if (c->last_call_ms == 0)
        c->last_call_ms = c->now_ms;
}

/* W3: only an answer to a question that was sent during the contest counts. */
static void contest_note(struct decision *c, const struct report *report)
{
    if (c->asked_again_ms != 0 && report->member == c->verdict.writer &&
        report->asked_ms >= c->asked_again_ms)
        c->reaffirmed_ms = c->now_ms;
}

static void brake_update(struct decision *c, uint64_t switches_before)
{
    if (c->verdict.switches != switches_before)
        brake_note(&c->brake, c->now_ms);
    c->verdict.braked = brake_holds(&c->brake, c->verdict.braked, c->conf.max_switches, c->now_ms);
}

static void wake_at(uint64_t *wake_ms, uint64_t now_ms, uint64_t at_ms)
{
    if (at_ms > now_ms && (*wake_ms == 0 || at_ms < *wake_ms))
        *wake_ms = at_ms;
}

static struct writer_input input(const struct decision *c)
{
    return (struct writer_input){
        .conf = &c->conf,
        .topo = &c->topo,
        .held = &c->verdict,
        .first_round_done = c->first_round_done,
        .asked_again_ms = c->asked_again_ms != 0 ? c->asked_again_ms : c->now_ms,
        .reaffirmed_ms = c->reaffirmed_ms,
        .last_call_ms = c->last_call_ms,
        .now_ms = c->now_ms,
    };
}

/* The next moment at which time alone changes something. What is past was dealt with in this
 * pass. */
static uint64_t wake_next(const struct decision *c, const struct writer_output *out)
{
    uint64_t wake_ms = 0, now_ms = c->now_ms;
    struct writer_input in = input(c);

    /* Moves are looked at before the writer: who is not the writer any more may move as a reader. */
    if (moves_find(&in) != MEMBER_NONE)
        wake_at(&wake_ms, now_ms, now_ms + 1);

    if (c->verdict.writer != MEMBER_NONE)
        wake_at(&wake_ms, now_ms, c->verdict.confirmed_ms + c->conf.max_stale_ms);
    if (c->verdict.phase_ms != 0)
        wake_at(&wake_ms, now_ms, c->verdict.phase_ms + BLUEGREEN_HOLD_MS);
    if (c->verdict.braked)
        wake_at(&wake_ms, now_ms, brake_until(&c->brake));
    if (out->contested)
        wake_at(&wake_ms, now_ms, c->last_call_ms != 0 ? now_ms + 1 : out->deadline_ms);
    wake_at(&wake_ms, now_ms, c->fast_until_ms);
    for (uint32_t v = 0; v < TOPO_VOICES_MAX; v++)
        if (c->topo.at[v].standing)
            wake_at(&wake_ms, now_ms, topo_lives_until(&c->topo, v, c->conf.timeout_ms));
    for (uint32_t p = 0; p < PLACES_MAX; p++)
        if (c->topo.places[p].claim_ms != 0)
            wake_at(&wake_ms, now_ms, moves_deadline_ms(&c->conf, &c->topo.places[p]));
    return wake_ms;
}

/* Often enough that the time of confirmation on disk is worth something after a kill -9, seldom
 * enough that a hundred clusters do not keep the disk busy. */
static void persist_update(struct decision *c, struct actions *acts)
{
    acts->persist = acts->publish ||
                    (acts->confirmed && c->now_ms - c->persisted_ms >= c->conf.max_stale_ms / 4);
    if (acts->persist)
        c->persisted_ms = c->now_ms;
}

static void adopt(struct decision *c, uint32_t member, enum reason reason)
{
    if (reason == REASON_ACCEPTED)
        succession_accept(&c->verdict, &c->topo.at[member]);
    writer_adopt(&c->verdict, &c->topo, member, reason, c->now_ms);
    succession_settle(&c->topo, &c->verdict);
}

/* W11: what is said at the place is the member's word from now on. If the writer moves, that is a
 * switch: the contest was about the server that was left. */
static void take_place(struct decision *c, uint32_t place, enum reason reason, struct actions *acts)
{
    struct verdict *v = &c->verdict;
    uint32_t member = c->topo.places[place].member;
    struct verdict before = *v;
    bool stays = member == v->writer;

    acts->left_incarnation = topo_incarnation(&c->topo, member);
    topo_move(&c->topo, place);
    acts->moved = member;
    acts->moved_place = place;
    acts->left_behind = (v->retired >> member & 1) != 0;
    bluegreen_moved(v, &c->topo, member);
    if (!stays && reason == REASON_MOVED)
        return; /* writer_decide() judges the member's claim */
    adopt(c, member, reason);
    if (reason == REASON_MOVED && v->confirmed_ms < before.confirmed_ms)
        v->confirmed_ms = before.confirmed_ms; /* it was confirmed at the old address meanwhile */
    if (reason == REASON_MOVED && v->position < before.position &&
        term_compare(v->term, before.term) == 0)
        v->position = before.position; /* the position there is not known */
    if (stays) {
        v->switches++;
        v->since_ms = c->now_ms;
    }
    contest_forget(c);
}

/* Members move one after the other: what the first one did may be what the second one lacked. */
static void move_members(struct decision *c, struct actions *acts)
{
    struct writer_input in = input(c);
    uint32_t place = moves_find(&in);

    if (place != MEMBER_NONE && acts->moved == MEMBER_NONE)
        take_place(c, place, REASON_MOVED, acts);
}

/* `before` is the verdict before the event; c->verdict may already hold an operator's order. */
static void pass(struct decision *c, const struct verdict *before, struct actions *acts)
{
    struct writer_output out;

    c->first_round_done = topo_all_heard(&c->topo);
    move_members(c, acts);
    struct writer_input in = input(c);
    writer_decide(&in, &out);
    if (claims_mark_outdated(&c->topo, &c->verdict, out.verdict.writer))
        writer_decide(&in, &out); /* the same again, without that claim beside the new one */
    if (out.verdict.writer != c->verdict.writer || out.verdict.self != c->verdict.self) {
        /* The new writer may be contested in its turn; it has not been asked about that yet. */
        c->verdict = out.verdict;
        succession_settle(&c->topo, &c->verdict);
        contest_forget(c);
        in.asked_again_ms = c->now_ms;
        in.reaffirmed_ms = in.last_call_ms = 0;
        writer_decide(&in, &out);
    }
    c->verdict = out.verdict;
    claims_mark_behind(&c->topo, &c->verdict);
    contest_update(c, &out, acts);
    brake_update(c, before->switches);
    acts->publish =
        acts->publish || acts->moved != MEMBER_NONE || verdict_differs(before, &c->verdict);
    acts->confirmed = c->verdict.confirmed_ms > before->confirmed_ms;
    persist_update(c, acts);
    alarms_update(c, acts);
    update(c, before, out.contested, acts);
    c->wake_ms = wake_next(c, &out);
    acts->wake_ms = c->wake_ms;
}

/* W2: time never goes back here, and is never 0, which means "never". */
static void clock_advance(struct decision *c, uint64_t now_ms)
{
    if (now_ms > c->now_ms)
        c->now_ms = now_ms;
}

/* What the last agent knew of its members, as far as the reason of its verdict tells: that the
 * writer last answered as a reader, or that the rival's claim on the held term was behind. */
static void restore_topo(struct topo *topo, const struct verdict *saved)
{
    if (saved->writer != MEMBER_NONE &&
        (saved->reason == REASON_INCUMBENT_READER || saved->reason == REASON_SWITCHOVER)) {
        topo->at[saved->writer].answered = true;
        topo->at[saved->writer].last.role = ROLE_READER;
    }
    if (saved->rival != MEMBER_NONE && saved->reason == REASON_BEHIND) {
        struct topo_member *m = &topo->at[saved->rival];
        m->answered = true;
        m->behind = true;
        m->last.role = ROLE_WRITER;
        m->last.identity = saved->identity;
        m->last.term = saved->term;
        m->last.self = saved->self; /* W12: of another server, the reason would be another one */
    }
}

static uint32_t member_within(uint32_t member, uint32_t members)
{
    return member < members ? member : MEMBER_NONE;
}

/* W4a: how long a switchover had been in progress is not known: it is waited for anew. */
static void restore_deployment(struct decision *c)
{
    struct verdict *v = &c->verdict;
    uint32_t writer = v->writer != MEMBER_NONE ? UINT32_C(1) << v->writer : 0;

    v->retired &= all_members(&c->conf) & ~writer;
    v->green &= all_members(&c->conf) & ~writer & ~v->retired;
    v->named &= v->green;
    v->renamed &= v->retired;
    if (v->named == 0 && !v->stray)
        v->phase = PHASE_NONE;
    v->phase_ms = v->phase >= PHASE_IN_PROGRESS ? c->now_ms : 0;
}

/* Makes a verdict from disk safe to use, whatever the disk says. */
static void restore_verdict(struct decision *c, const struct verdict *saved)
{
    struct verdict *v = &c->verdict;

    *v = *saved;
    v->writer = member_within(v->writer, c->conf.members);
    v->rival = member_within(v->rival, c->conf.members);
    v->demoted &= all_members(&c->conf);
    restore_deployment(c);
    if (v->writer == MEMBER_NONE)
        v->frozen = false;
    if (v->self != 0 && v->term.lo == 0)
        v->term.lo = 1; /* W12: no agent writes this */
    if (v->confirmed_ms > c->now_ms)
        v->confirmed_ms = 0;
    if (v->since_ms > c->now_ms)
        v->since_ms = c->now_ms;
    restore_topo(&c->topo, v);
}

void decision_init(struct decision *c, const struct decision_conf *conf,
                   const struct verdict *saved, uint64_t now_ms, struct actions *ret_actions)
{
    struct actions acts = {.publish = true, .moved = MEMBER_NONE};

    memset(c, 0, sizeof(*c));
    c->conf = *conf;
    c->now_ms = 1;
    clock_advance(c, now_ms);
    topo_init(&c->topo, conf->members);
    verdict_init(&c->verdict);
    if (saved)
        restore_verdict(c, saved);
    brake_init(&c->brake, c->verdict.braked, c->now_ms);
    struct verdict before = c->verdict;
    pass(c, &before, &acts);
    *ret_actions = acts;
}

static uint32_t map_member(const uint32_t *map, const struct decision_conf *before,
                           const struct decision_conf *after, uint32_t member)
{
    return member < before->members ? member_within(map[member], after->members) : MEMBER_NONE;
}

static void map_verdict(struct verdict *v, const uint32_t *map, const struct decision_conf *before,
                        const struct decision_conf *after)
{
    struct verdict old = *v;
    uint32_t kept = 0;

    v->writer = map_member(map, before, after, v->writer);
    v->rival = MEMBER_NONE; /* decided anew */
    if (v->writer == MEMBER_NONE)
        v->frozen = false;
    v->demoted = v->green = v->named = v->retired = v->renamed = 0;
    for (uint32_t m = 0; m < before->members; m++) {
        uint32_t to = map_member(map, before, after, m);
        if (to == MEMBER_NONE)
            continue;
        kept |= UINT32_C(1) << to;
        v->demoted |= (old.demoted >> m & 1) << to;
        v->green |= (old.green >> m & 1) << to;
        v->named |= (old.named >> m & 1) << to;
        v->retired |= (old.retired >> m & 1) << to;
        v->renamed |= (old.renamed >> m & 1) << to;
    }
    v->green |= after->green & ~kept;
    if (v->named == 0 && !v->stray) {
        v->phase = PHASE_NONE;
        v->phase_ms = 0;
    }
}

/* W12: one server that names others without end would hold up each heir without end. At a first start,
 * where nothing is held, all are waited for. */
static bool none_is_waited_for(const struct decision *c, const struct decision_conf *after)
{
    return after->named && verdict_holds(&c->verdict) && !topo_awaits(&c->topo);
}

static void map_topo(struct topo *topo, const uint32_t *map, const struct decision_conf *before,
                     const struct decision_conf *after, bool joined)
{
    struct topo old = *topo;

    topo_init(topo, after->members);
    for (uint32_t m = 0; m < after->members; m++)
        topo->at[m].joined = joined;
    memcpy(topo->shown, old.shown, sizeof(topo->shown));
    topo->shown_next = old.shown_next;
    for (uint32_t m = 0; m < before->members; m++) {
        uint32_t to = map_member(map, before, after, m);
        if (to == MEMBER_NONE)
            continue;
        topo->at[to] = old.at[m];
        topo->at[to].last.member = to;
        topo->known[to] = old.known[m];
    }
}

void decision_reconfigure(struct decision *c, const struct decision_conf *conf, const uint32_t *map,
                          uint64_t now_ms, struct actions *ret_actions)
{
    struct actions acts = {.publish = true, .moved = MEMBER_NONE};

    clock_advance(c, now_ms);
    map_verdict(&c->verdict, map, &c->conf, conf);
    map_topo(&c->topo, map, &c->conf, conf, none_is_waited_for(c, conf));
    c->conf = *conf;
    contest_forget(c);
    struct verdict before = c->verdict;
    pass(c, &before, &acts);
    *ret_actions = acts;
}

static bool may_be_accepted(const struct topo *t, uint32_t voice)
{
    return voice < t->members || (voice >= HOMING_MEMBERS_MAX && voice < TOPO_VOICES_MAX &&
                                  t->places[voice - HOMING_MEMBERS_MAX].kind != PLACE_FREE);
}

static enum refusal accept_member(struct decision *c, uint32_t member, struct actions *acts)
{
    if (!may_be_accepted(&c->topo, member))
        return REFUSAL_NO_SUCH_MEMBER;
    /* A member that is late has no present claim: W3 would leave it in the same moment. */
    if (!topo_claims(&c->topo, member, c->conf.timeout_ms, c->now_ms) || c->topo.at[member].late)
        return REFUSAL_NOT_CLAIMING;
    /* The held term and position are discarded, so no claim is behind them any more. */
    for (uint32_t v = 0; v < TOPO_VOICES_MAX; v++)
        c->topo.at[v].behind = false;
    if (member >= HOMING_MEMBERS_MAX) {
        take_place(c, member - HOMING_MEMBERS_MAX, REASON_ACCEPTED, acts);
        return REFUSAL_NONE;
    }
    adopt(c, member, REASON_ACCEPTED);
    /* The old writer was asked once more; that tells nothing about this one. */
    contest_forget(c);
    return REFUSAL_NONE;
}

static enum refusal freeze(struct decision *c)
{
    if (c->verdict.writer == MEMBER_NONE)
        return REFUSAL_NO_WRITER_KNOWN;
    c->verdict.frozen = true;
    return REFUSAL_NONE;
}

static enum refusal unfreeze(struct decision *c)
{
    if (!c->verdict.frozen && !c->verdict.braked)
        return REFUSAL_NOT_FROZEN;
    c->verdict.frozen = false;
    c->verdict.braked = false;
    brake_init(&c->brake, false, c->now_ms);
    return REFUSAL_NONE;
}

static void take_report(struct decision *c, const struct report *report)
{
    uint32_t answered = MEMBER_NONE;
    struct report judged = *report;

    if (topo_takes(&c->topo, report, c->now_ms)) {
        succession_judge(&c->verdict, &c->topo, c->conf.timeout_ms, &judged, c->now_ms);
        bluegreen_note(&c->verdict, &c->topo, c->conf.green, report, c->now_ms);
        topo_note(&c->topo, &judged, c->now_ms);
        if (report->kind == REPORT_ANSWER) {
            if (report->role != ROLE_WRITER)
                verdict_forget_unyielding(&c->verdict, report->incarnation);
            answered = report->member;
            contest_note(c, report);
        }
    }
    readers_note(&c->topo, &c->conf, &c->verdict, answered, c->now_ms);
}

static enum refusal take(struct decision *c, const struct event *event, struct actions *acts)
{
    switch (event->kind) {
    case EVENT_REPORT:
        take_report(c, &event->report);
        return REFUSAL_NONE;
    case EVENT_ACCEPT:
        return accept_member(c, event->member, acts);
    case EVENT_FREEZE:
        return freeze(c);
    case EVENT_UNFREEZE:
        return unfreeze(c);
    default: /* a tick: only time has passed */
        readers_note(&c->topo, &c->conf, &c->verdict, MEMBER_NONE, c->now_ms);
        return REFUSAL_NONE;
    }
}

enum refusal decision_handle(struct decision *c, const struct event *event, uint64_t now_ms,
                             struct actions *ret_actions)
{
    struct actions acts = {.pace = c->pace, .wake_ms = c->wake_ms, .moved = MEMBER_NONE};
    struct verdict before = c->verdict;

    clock_advance(c, now_ms);
    enum refusal refusal = take(c, event, &acts);
    if (refusal == REFUSAL_NONE)
        pass(c, &before, &acts);
    *ret_actions = acts;
    return refusal;
}

void decision_set_place(struct decision *c, uint32_t place, const struct topo_place *set)
{
    (void)topo_set_place(&c->topo, place, set);
}

void decision_note_known(struct decision *c, uint32_t member, uint64_t incarnation)
{
    if (member < c->topo.members)
        c->topo.known[member] = incarnation;
}

void decision_note_shown(struct decision *c, uint64_t incarnation)
{
    topo_note_shown(&c->topo, incarnation);
}

void decision_take_frozen(struct decision *c, bool frozen)
{
    if (c->verdict.writer != MEMBER_NONE)
        c->verdict.frozen = frozen;
}
