/* SPDX-License-Identifier: Apache-2.0
 *
 * succession.c - see succession.h. W12: first who is an heir, then the table of what a claim gets.
 *
 * 1. An heir is known by its own name, `self`, and not by its member: behind a virtual address
 *    another server may answer.
 * 2. `v->heirs` is empty while `v->self` is 0; while it is not, the held epoch is 1 or more.
 * 3. The terms and marks in `topo` are those of the verdict in force: succession_settle() brings
 *    them up to date after each adoption.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/succession.h"

/* ---- who is an heir ---- */

/* Where a name stands in the list; 0: a free slot. NULL: nowhere. */
static uint64_t *find_slot(struct verdict *v, uint64_t self)
{
    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        if (v->heirs[i] == self)
            return &v->heirs[i];
    return NULL;
}

bool succession_is_heir(const struct verdict *v, uint64_t self)
{
    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        if (v->heirs[i] == self)
            return true;
    return false;
}

/* Without a free slot it is no heir, and its claim is the operator's to judge. */
static void add_heir(struct verdict *v, uint64_t self)
{
    uint64_t *slot = find_slot(v, self);

    if (!slot)
        slot = find_slot(v, 0);
    if (slot)
        *slot = self;
}

static void end_heir(struct verdict *v, uint64_t self)
{
    uint64_t *slot = find_slot(v, self);

    if (slot)
        *slot = 0;
}

/* The writer, directly or through another heir. */
static bool names_writer(const struct verdict *v, const struct report *r)
{
    return r->follows != 0 && (r->follows == v->self || succession_is_heir(v, r->follows));
}

static bool is_follower(const struct verdict *v, const struct report *r)
{
    return r->role == ROLE_READER && r->self != 0 && r->self != v->self && names_writer(v, r);
}

/* Behind a virtual address another server may answer, although this one has not changed. */
static bool is_shown_elsewhere(const struct topo *topo, uint32_t member, uint64_t self)
{
    for (uint32_t m = 0; m < topo->members; m++)
        if (m != member && topo->at[m].last.self == self)
            return true;
    return false;
}

/* The member was another server at its last answer, or has lost something since. */
static bool is_not_what_it_was(const struct topo *topo, const struct report *r)
{
    const struct report *before = &topo->at[r->member].last;

    if (before->self != r->self)
        return before->self != 0 && !is_shown_elsewhere(topo, r->member, before->self);
    return !r->bound && r->position != 0 && r->position < before->position;
}

/* Another member is the writer, and claims; not another server in its place. */
static bool writer_claims(const struct verdict *v, const struct topo *topo, uint32_t timeout_ms,
                          const struct report *r, uint64_t now_ms)
{
    return v->writer != MEMBER_NONE && v->writer != r->member && !topo->at[v->writer].unproven &&
           topo_claims(topo, v->writer, timeout_ms, now_ms);
}

/* It has what the writer had when it was adopted, as far as is known. */
static bool has_branch(const struct verdict *v, const struct report *r)
{
    return r->bound || r->position == 0 || r->position >= v->branch;
}

/* An heir answers, and does not follow. If it names somebody else, it belongs to others now; if it claims
 * without what the writer began with, what it writes from then on proves nothing. If it names nobody, or
 * claims, it may be about to be promoted; but then the writer ends before long. */
static void note_astray(struct verdict *v, struct topo *topo, uint32_t timeout_ms,
                        const struct report *r, uint64_t now_ms)
{
    struct topo_member *m = &topo->at[r->member];

    if ((r->follows != 0 && !names_writer(v, r)) || (r->role == ROLE_WRITER && !has_branch(v, r))) {
        end_heir(v, r->self);
        return;
    }
    if (writer_claims(v, topo, timeout_ms, r, now_ms) &&
        topo_live(topo, r->member, timeout_ms, now_ms))
        m->astray_ms += (uint32_t)(now_ms - m->answered_ms);
    if (m->astray_ms < SUCCESSION_ASTRAY_MS)
        return;
    end_heir(v, r->self);
    m->detached = r->role == ROLE_READER;
}

static void note_heir(struct verdict *v, struct topo *topo, uint32_t timeout_ms,
                      const struct report *r, uint64_t now_ms)
{
    struct topo_member *m = &topo->at[r->member];

    if (is_not_what_it_was(topo, r)) {
        end_heir(v, m->last.self);
        m->detached = false;
        m->astray_ms = 0;
    }
    if (is_follower(v, r)) {
        add_heir(v, r->self);
        m->detached = false;
        m->astray_ms = 0;
    } else if (succession_is_heir(v, r->self)) {
        note_astray(v, topo, timeout_ms, r, now_ms);
    } else if ((r->follows != 0 && !names_writer(v, r)) ||
               (r->role == ROLE_WRITER && writer_claims(v, topo, timeout_ms, r, now_ms))) {
        m->detached = false;
    }
}

/* ---- what a claim gets ---- */

static uint32_t member_of(const struct topo *topo, uint32_t voice)
{
    return voice < HOMING_MEMBERS_MAX ? voice : topo->places[voice - HOMING_MEMBERS_MAX].member;
}

/* Whether it is the writer's own answer. Its name alone does not tell: a copy of the data directory
 * has the same one. */
static bool is_own(const struct verdict *v, const struct topo *topo, const struct report *r)
{
    if (!verdict_holds(v))
        return true;
    if (v->self != 0 && r->self != v->self)
        return false;
    if (v->writer == MEMBER_NONE)
        return v->self != 0;
    return member_of(topo, r->member) == v->writer ||
           (r->incarnation != 0 && r->incarnation == topo_incarnation(topo, v->writer));
}

/* A writer of before that has nothing more than this one, or had not when this claim was first
 * heard: what is written there since proves nothing. */
static bool is_left_behind(const struct verdict *v, const struct topo *topo, const struct report *r)
{
    const struct topo_member *m = &topo->at[r->member];
    bool goes_on = m->standing && m->last.role == ROLE_WRITER && m->last.self == r->self &&
                   m->last.term.lo < v->term.lo;

    return (v->demoted >> member_of(topo, r->member) & 1) != 0 &&
           (r->position <= v->position || goes_on);
}

/* An heir that stopped to follow long ago, and has all that the writer was seen to write. */
static bool is_complete(const struct verdict *v, const struct topo_member *m,
                        const struct report *r)
{
    return m->detached && (m->last.role == ROLE_READER || !m->unproven) &&
           r->position >= v->position;
}

/* The table of W12. Returns whether anything speaks for the claim. If it is one that was noted
 * before, what it was called then is overwritten first, and does not count. */
static bool judge_claim(const struct verdict *v, const struct topo *topo, struct report *r)
{
    r->term = v->term;
    if (v->self == 0)
        return false;
    if (succession_is_heir(v, r->self) && has_branch(v, r))
        r->term.lo = v->term.lo + 1;
    else if (is_left_behind(v, topo, r))
        r->term.lo = v->term.lo - 1;
    else
        return is_complete(v, &topo->at[r->member], r);
    return true;
}

static void judge(const struct verdict *v, struct topo *topo, struct report *r)
{
    bool proven = true;

    if (r->role != ROLE_WRITER || is_own(v, topo, r))
        r->term = (struct term){0, v->term.lo != 0 ? v->term.lo : 1};
    else
        proven = judge_claim(v, topo, r);
    topo->at[r->member].unproven = !proven;
}

void succession_judge(struct verdict *v, struct topo *topo, uint32_t timeout_ms,
                      struct report *report, uint64_t now_ms)
{
    if (report->kind != REPORT_ANSWER)
        return;
    if (report->self == 0 || report->term.hi != 0 || report->term.lo != 0) {
        report->self = 0; /* its engine knows better */
        topo->at[report->member].unproven = false;
        return;
    }
    if (v->self != 0 && report->member < HOMING_MEMBERS_MAX)
        note_heir(v, topo, timeout_ms, report, now_ms);
    judge(v, topo, report);
}

/* ---- adoptions ---- */

/* One may follow another one that is looked at later: as often as there are members. */
void succession_adopt(struct verdict *v, const struct topo *topo, const struct report *claim)
{
    v->self = claim->self;
    v->branch = claim->self != 0 ? claim->position : 0;
    memset(v->heirs, 0, sizeof(v->heirs));
    for (uint32_t i = 0; i < topo->members * topo->members; i++) {
        const struct topo_member *m = &topo->at[i % topo->members];
        if (m->standing && is_follower(v, &m->last))
            add_heir(v, m->last.self);
    }
}

void succession_accept(const struct verdict *v, struct topo_member *claimant)
{
    if (claimant->last.self != 0)
        claimant->last.term = (struct term){0, v->term.lo + 1};
}

void succession_settle(struct topo *topo, const struct verdict *v)
{
    for (uint32_t voice = 0; voice < TOPO_VOICES_MAX; voice++) {
        struct topo_member *m = &topo->at[voice];
        m->detached = false;
        m->astray_ms = 0;
        if (m->last.self != 0)
            judge(v, topo, &m->last);
    }
}
