/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen.c - see bluegreen.h. W4a. Called by decision.c, writer.c, claims.c and readers.c.
 *
 * 1. Only the published writer's own word, on its own connection, makes a member a green one to
 *    which it may hand over, and begins or ends a switchover.
 * 2. `v->green` never has the writer's bit, nor that of one that was left behind.
 * 3. `v->renamed` is a part of `v->retired`.
 */
#include "config.h"

#include "agent/decide/bluegreen.h"

static bool bit(uint32_t mask, uint32_t member)
{
    return (mask >> member & 1) != 0;
}

/* The clock of a switchover runs from its first word on. */
static void set_phase(struct verdict *v, enum phase phase, uint64_t now_ms)
{
    bool awaited = phase >= PHASE_IN_PROGRESS;

    if (!awaited)
        v->phase_ms = 0;
    else if (v->phase < PHASE_IN_PROGRESS)
        v->phase_ms = now_ms;
    v->phase = phase;
}

static uint32_t claiming(const struct topo *topo)
{
    uint32_t mask = 0;

    for (uint32_t m = 0; m < topo->members; m++)
        if (topo->at[m].answered && topo->at[m].last.role == ROLE_WRITER)
            mask |= UINT32_C(1) << m;
    return mask;
}

static bool gave_over_to_stray(const struct verdict *v)
{
    return v->stray && bluegreen_gave_over(v);
}

/* It tells of none any more. While a switchover is in progress that may be its end: the green ones say
 * which. Else it was deleted: a green one is a server of others now, and claims for another data set as
 * long as it is a member. Who has handed over to a server that is no member is no writer again because its
 * table is empty. */
static void note_none(struct verdict *v, const struct topo *topo, uint64_t now_ms)
{
    if (bluegreen_holds(v, now_ms) || gave_over_to_stray(v))
        return;
    v->stray = false;
    v->green &= claiming(topo);
    v->named &= v->green;
    if (v->green == 0)
        v->phase_ms = 0;
    else if (v->phase_ms == 0)
        v->phase_ms = now_ms;
    v->phase = PHASE_NONE;
}

/* Names change in the course of a switchover: who is a green one was said before that. */
static void note_named(struct verdict *v, uint32_t presumed, const struct report *report,
                       uint32_t named)
{
    enum phase phase = report->phase;

    if (phase == PHASE_AVAILABLE || phase == PHASE_INITIATED) {
        v->green = named | (v->green & presumed);
        v->named = named;
        v->stray = report->stray;
    } else if (phase == PHASE_IN_PROGRESS) {
        v->green |= named;
        v->named |= named;
        v->stray |= report->stray;
    }
}

/* A writer that names itself was a green one: its rows, which are late, tell of the switchover that made it
 * the writer. And no switchover begins in its midst. Once names have changed, its name may be a green one's. */
static bool is_of_the_past(const struct verdict *v, const struct topo *topo,
                           const struct report *report)
{
    if (report->phase <= PHASE_IN_PROGRESS && (report->green & topo_aliases(topo, v->writer)) != 0)
        return true;
    return v->phase == PHASE_NONE && report->phase >= PHASE_IN_PROGRESS;
}

/* A member's own server may answer there, too, by whatever way. */
static bool is_left_behind_at(const struct topo *topo, const struct report *report)
{
    if (report->member < HOMING_MEMBERS_MAX ||
        !topo->places[report->member - HOMING_MEMBERS_MAX].behind)
        return false;
    for (uint32_t m = 0; m < topo->members; m++)
        if (report->incarnation == topo_incarnation(topo, m))
            return false;
    return true;
}

/* What was left behind is started again: what it was before is not to be found elsewhere, either. Nor is
 * what answers at the address at which it was left. */
static void note_started(const struct verdict *v, struct topo *topo, const struct report *report)
{
    if (report->kind == REPORT_ANSWER && report->member < topo->members &&
        bit(v->retired, report->member) &&
        report->incarnation != topo_incarnation(topo, report->member))
        topo_note_shown(topo, topo_incarnation(topo, report->member));
    if (report->kind == REPORT_ANSWER && is_left_behind_at(topo, report))
        topo_note_shown(topo, report->incarnation);
}

void bluegreen_note(struct verdict *v, struct topo *topo, uint32_t presumed,
                    const struct report *report, uint64_t now_ms)
{
    note_started(v, topo, report);
    if (report->kind != REPORT_ANSWER || report->member != v->writer ||
        report->identity != v->identity || topo->at[report->member].unproven)
        return;
    if (report->names_green)
        v->renamed = report->kin & v->retired;
    if (report->phase < PHASE_AVAILABLE) {
        note_none(v, topo, now_ms);
        return;
    }
    if (is_of_the_past(v, topo, report))
        return;
    if (report->names_green)
        note_named(v, presumed, report,
                   report->green & ~(topo_aliases(topo, v->writer) | v->retired));
    set_phase(v, v->named != 0 || v->stray ? report->phase : PHASE_NONE, now_ms);
}

static bool is_over(const struct verdict *v, uint64_t now_ms)
{
    return v->phase_ms != 0 && now_ms - v->phase_ms >= BLUEGREEN_HOLD_MS;
}

bool bluegreen_holds(const struct verdict *v, uint64_t now_ms)
{
    return v->phase >= PHASE_IN_PROGRESS && !is_over(v, now_ms);
}

bool bluegreen_is_overdue(const struct verdict *v, uint64_t now_ms)
{
    return v->phase >= PHASE_IN_PROGRESS && is_over(v, now_ms);
}

bool bluegreen_gave_over(const struct verdict *v)
{
    return v->phase >= PHASE_POST;
}

/* Its own word that it is a green one, whose time has not come. */
static bool says_so(const struct topo_member *m, uint32_t member)
{
    return bit(m->last.green, member) && m->last.phase >= PHASE_AVAILABLE &&
           m->last.phase <= PHASE_IN_PROGRESS;
}

bool bluegreen_keeps_back(const struct writer_input *in, const struct verdict *v, uint32_t member)
{
    if (bit(v->green, member))
        return !is_over(v, in->now_ms);
    if (bit(v->retired, member)) /* it says itself that it is none */
        return in->topo->at[member].last.phase >= PHASE_POST;
    return says_so(&in->topo->at[member], member);
}

/* The writer's own word is enough. If it is gone before it could say so, or tells of nothing any more, the
 * green one's own word makes up for it: the writer has named it, and was handing over. */
static bool is_handed_over(const struct writer_input *in, const struct verdict *v, uint32_t member,
                           bool stopped)
{
    bool silent = stopped || in->topo->at[v->writer].last.phase == PHASE_NONE;

    return bluegreen_gave_over(v) || (v->phase == PHASE_IN_PROGRESS && !is_over(v, in->now_ms) &&
                                      silent && in->topo->at[member].last.phase >= PHASE_POST);
}

static bool may_succeed(const struct writer_input *in, const struct verdict *v, uint32_t member)
{
    return bit(v->named, member) && !bit(in->conf->no_failover, member) &&
           topo_claims(in->topo, member, in->conf->timeout_ms, in->now_ms) &&
           !in->topo->at[member].late;
}

uint32_t bluegreen_successor(const struct writer_input *in, const struct verdict *v, bool stopped)
{
    uint32_t found = MEMBER_NONE;

    for (uint32_t m = 0; m < in->topo->members; m++) {
        if (!may_succeed(in, v, m) || !is_handed_over(in, v, m, stopped))
            continue;
        if (found != MEMBER_NONE && !topo_same_server(in->topo, found, m))
            return MEMBER_NONE; /* which of them, nobody has said */
        if (found == MEMBER_NONE)
            found = m;
    }
    return found;
}

void bluegreen_adopted(struct verdict *v, const struct topo *topo, uint32_t member,
                       enum reason reason)
{
    uint32_t all = UINT32_MAX >> (HOMING_MEMBERS_MAX - topo->members);

    if (bit(v->green, member))
        v->retired = all & ~v->green;
    else if (reason != REASON_ACCEPTED && !gave_over_to_stray(v))
        return; /* a failover among the blue ones: the deployment goes on */
    v->retired &= ~topo_aliases(topo, member);
    v->renamed = 0; /* this writer has not told of its cluster yet */
    v->green = v->named = 0;
    v->stray = false;
    v->phase = PHASE_NONE;
    v->phase_ms = 0;
}

bool bluegreen_is_behind(const struct topo *topo, const struct verdict *v, uint32_t voice)
{
    if (voice < HOMING_MEMBERS_MAX)
        return bit(v->retired, voice);
    const struct topo_place *place = &topo->places[voice - HOMING_MEMBERS_MAX];

    if (!bit(v->retired, place->member))
        return place->behind;
    return place->kind == PLACE_LEFT || !bit(v->renamed, place->member) ||
           topo->at[voice].last.incarnation == topo_incarnation(topo, place->member) ||
           topo_was_shown(topo, topo->at[voice].last.incarnation);
}

void bluegreen_moved(struct verdict *v, struct topo *topo, uint32_t member)
{
    for (uint32_t p = 0; bit(v->retired, member) && p < PLACES_MAX; p++)
        if (topo->places[p].kind == PLACE_LEFT && topo->places[p].member == member)
            topo->places[p].behind = true;
    v->retired &= ~(UINT32_C(1) << member);
    v->renamed &= v->retired;
}

uint32_t bluegreen_found(const struct topo *topo, const struct verdict *v)
{
    uint32_t found = topo_aliases(topo, v->writer);

    for (uint32_t m = 0; m < topo->members; m++)
        if (bit(v->retired, m) && (topo_aliases(topo, m) & ~(v->retired | v->green)) != 0)
            found |= UINT32_C(1) << m;
    return found & v->retired;
}
