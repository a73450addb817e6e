/* SPDX-License-Identifier: Apache-2.0
 *
 * merge.c - which states are one. Every decision and every rule only compares, so that
 *
 * 1. a time past the last limit that anything compares it with is as good as any older one;
 * 2. terms only have an order; a reader's term and position are looked at once, on arrival;
 * 3. why a steady writer was adopted decides nothing; accepting twice is written to disk once;
 * 4. when the disk is next written, a fast pace ends or the brake forgets are steps of their own,
 *    possible at any time: more may happen than really can, never less;
 * 5. dates and counts for people, who serves readers (worlds without .readers) and how often is
 *    asked (without .paces) decide nothing;
 * 6. of a member that is not the writer and whose claim is not live, only a new answer counts;
 * 7. members are alike but for their number, which decides between equals only.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/claims.h"
#include "tests/model/merge.h"
#include "tests/model/moved.h"
#include "tests/model/said.h"

#define PATIENCE_MS WRITER_PATIENCE_MS

/* So old that it might as well never have been. */
static void merge_forget(uint64_t *time_ms, uint64_t now_ms, uint64_t limit_ms)
{
    if (now_ms - *time_ms >= limit_ms)
        *time_ms = 0;
}

/* Past the limit, however long. */
static void merge_past(uint64_t *time_ms, uint64_t now_ms, uint64_t limit_ms)
{
    if (*time_ms != 0 && now_ms - *time_ms > limit_ms)
        *time_ms = now_ms - limit_ms;
}

static void merge_report(struct report *r, const struct domain *d, uint64_t now_ms)
{
    merge_forget(&r->asked_ms, now_ms, d->old_questions ? OLD_ANSWER_MS : 0);
    if (r->role != ROLE_WRITER) {
        r->term = (struct term){0, 0};
        r->position = r->branch = 0;
    }
}

static void merge_member(struct world *w, const struct domain *d, uint32_t member)
{
    struct topo_member *m = &w->c.topo.at[member];
    const struct verdict *v = &w->c.verdict;
    bool live = topo_live(&w->c.topo, member, d->timeout_ms, w->now_ms);
    bool dead = !live && (!m->standing || member != v->writer);

    merge_report(&m->last, d, w->now_ms);
    /* No confirmation is older than a live claim's that replaces it. */
    if (member == v->writer || v->writer == MEMBER_NONE || m->answered_ms <= v->confirmed_ms)
        merge_forget(&m->answered_ms, w->now_ms, d->timeout_ms);
    merge_forget(&m->answered_ms, w->now_ms, d->max_stale_ms);
    m->kind = REPORT_ANSWER; /* but for REPORT_DENIED, which no world has */
    m->changed_ms = 0;
    if (!d->readers)
        m->good_answers = 0;
    if (dead)
        m->standing = m->late = m->outdated = false;
    if (dead && d->positions == 1)
        m->last.term.lo = 0;
    if (dead && m->behind && !d->operators) /* accept clears it */
        m->last.position = 0;
}

/* The same for what the witness knows. */
static void merge_witness_member(struct world *w, const struct domain *d, uint32_t member)
{
    struct witness_member *m = &w->w.at[member];
    const struct verdict *v = &w->c.verdict;
    bool live = m->connected && w->now_ms < m->said_ms + d->timeout_ms;
    bool dead = !live && (!m->connected || member != v->writer);

    merge_report(&m->said, d, w->now_ms);
    if (member == v->writer || v->writer == MEMBER_NONE || m->said_ms <= w->w.evidence_ms)
        merge_forget(&m->said_ms, w->now_ms, d->timeout_ms);
    merge_forget(&m->said_ms, w->now_ms, d->max_stale_ms);
    if (dead)
        m->connected = m->late = m->outdated = false;
    if (dead && d->positions == 1)
        m->said.term.lo = 0;
    if (dead && m->short_of && !d->operators)
        m->said.position = 0;
}

/* Of a place nothing is left out but time. */
static void merge_place(struct world *w, const struct domain *d, uint32_t voice)
{
    struct topo_member *m = &w->c.topo.at[voice];
    struct witness_place *seen = &w->w.places[said_place(voice)];
    uint32_t live_ms = d->timeout_ms + (said_is_left(voice) ? w->c.topo.left_pause_ms : 0);

    merge_report(&m->last, d, w->now_ms);
    merge_report(&seen->is.said, d, w->now_ms);
    merge_forget(&m->answered_ms, w->now_ms, live_ms);
    merge_forget(&seen->is.said_ms, w->now_ms, live_ms);
    m->kind = REPORT_ANSWER;
    m->changed_ms = 0;
    m->good_answers = 0;
    m->unanswered = 0;
    seen->is.gone = seen->is.unanswered = false;
    merge_past(&w->c.topo.places[voice - HOMING_MEMBERS_MAX].claim_ms, w->now_ms,
               UINT64_C(2) * d->timeout_ms);
    merge_past(&seen->claims_since_ms, w->now_ms, UINT64_C(2) * d->timeout_ms);
}

static void merge_verdict(struct verdict *v, const struct domain *d, uint64_t now_ms)
{
    merge_forget(&v->confirmed_ms, now_ms, d->max_stale_ms);
    if (v->reason == REASON_FIRST_CLAIM || v->reason == REASON_NEWER_TERM ||
        v->reason == REASON_DEMOTION_UNDONE || (v->reason == REASON_ACCEPTED && !d->restarts))
        v->reason = REASON_INCUMBENT_CLAIMS;
    if (!d->readers)
        v->readers = 0;
    v->since_ms = 0;
    v->switches = 0;
}

static void merge_contest(struct decision *c, const struct domain *d, uint64_t now_ms)
{
    bool unheard = c->verdict.writer != MEMBER_NONE && !c->topo.at[c->verdict.writer].heard;

    merge_past(&c->asked_again_ms, now_ms, PATIENCE_MS + (unheard ? d->timeout_ms : 0));
    merge_past(&c->reaffirmed_ms, now_ms, PATIENCE_MS + d->beat_ms);
    merge_past(&c->last_call_ms, now_ms, 1);
    if (c->asked_again_ms == 0) /* the next contest begins with a new one */
        c->last_call_ms = 0;
}

/* What lies far ahead comes by STEP_MINUTES and STEP_QUIET only. */
void merge_schedule(struct decision *c, const struct domain *d, uint64_t now_ms)
{
    c->fast_until_ms = c->fast_until_ms > now_ms || !d->paces ? now_ms + MERGE_FAR_MS : 0;
    if (!d->paces)
        c->pace = PACE_FAST;
    if (c->wake_ms != 0 && c->wake_ms < now_ms)
        c->wake_ms = now_ms;
    if (c->wake_ms == 0 || c->wake_ms > now_ms + 2 * d->timeout_ms + d->max_stale_ms)
        c->wake_ms = now_ms + MERGE_FAR_MS;
}

static void merge_minutes(uint64_t *time_ms, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - *time_ms;

    if (*time_ms != 0)
        *time_ms = age_ms < QUIET_MS / 2 ? now_ms : age_ms < QUIET_MS ? now_ms - QUIET_MS / 2 : 0;
}

/* Newest first, and no more of them than make the brake hold. */
static void merge_brake(struct brake *b, const struct domain *d, uint64_t now_ms)
{
    uint64_t at_ms[SWITCHES_LIMIT];
    uint32_t newest = b->next + SWITCHES_LIMIT - 1;

    for (uint32_t i = 0; i < SWITCHES_LIMIT; i++)
        at_ms[i] = i <= d->max_switches ? b->at_ms[(newest - i) % SWITCHES_LIMIT] : 0;
    for (uint32_t i = 0; i < SWITCHES_LIMIT; i++) {
        merge_minutes(&at_ms[i], now_ms);
        b->at_ms[SWITCHES_LIMIT - 1 - i] = at_ms[i];
    }
    b->next = 0;
    merge_minutes(&b->last_ms, now_ms);
}

static void merge_witness(struct witness *w, const struct domain *d, uint64_t now_ms)
{
    merge_forget(&w->evidence_ms, now_ms, d->max_stale_ms);
    merge_past(&w->asked_ms, now_ms, d->timeout_ms + PATIENCE_MS);
    merge_past(&w->reaffirmed_ms, now_ms, PATIENCE_MS + d->beat_ms);
    for (uint32_t i = 0; i < SWITCHES_LIMIT; i++) {
        merge_minutes(&w->switched_ms[i], now_ms);
        if (i > d->max_switches)
            w->switched_ms[i] = 0;
    }
    merge_minutes(&w->unquiet_ms, now_ms);
    w->alarmed_twice = false;
}

/* Terms: their rank among those that are remembered, times two, so that others fit between. */

static void merge_term(uint64_t *term, const uint64_t *terms, uint32_t count)
{
    uint64_t below[TERM_RANKS(MODEL_MAX)];
    uint32_t distinct = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool counted = terms[i] == 0 || terms[i] >= *term;
        for (uint32_t j = 0; j < distinct; j++)
            counted |= below[j] == terms[i];
        if (!counted)
            below[distinct++] = terms[i];
    }
    if (*term != 0)
        *term = 2 * (distinct + 1);
}

static void merge_terms(struct world *w, const struct domain *d)
{
    uint64_t terms[2 * MODEL_MAX + 1];
    uint32_t count = 0;

    terms[count++] = w->c.verdict.term.lo;
    for (uint32_t m = 0; m < d->members; m++) {
        terms[count++] = w->c.topo.at[m].last.term.lo;
        terms[count++] = w->w.at[m].said.term.lo;
    }
    merge_term(&w->c.verdict.term.lo, terms, count);
    for (uint32_t m = 0; m < d->members; m++) {
        merge_term(&w->c.topo.at[m].last.term.lo, terms, count);
        merge_term(&w->w.at[m].said.term.lo, terms, count);
    }
}

/* Of equal rivals the one with the lowest number is named; while a decision is overdue, which one
 * was is of no use to anybody. */
static bool same_rival(const struct world *w, const struct domain *d, uint32_t a, uint32_t b)
{
    const struct decision *c = &w->c;
    enum rank rank = claim_rank(&c->topo, &c->verdict, a);

    if (c->wake_ms != 0 && c->wake_ms <= w->now_ms)
        return true;
    return topo_claims(&c->topo, a, d->timeout_ms, w->now_ms) &&
           rank == claim_rank(&c->topo, &c->verdict, b) &&
           (rank != RANK_NEWER ||
            term_compare(c->topo.at[a].last.term, c->topo.at[b].last.term) == 0);
}

static void merge_rival(struct world *w, const struct domain *d)
{
    struct verdict *v = &w->c.verdict;
    uint32_t rival = 0;

    if (v->rival == MEMBER_NONE || v->rival == v->writer)
        return;
    while (rival != v->rival && (rival == v->writer || !same_rival(w, d, rival, v->rival)))
        rival++;
    v->rival = rival;
}

/* All but position and time of confirmation is published, and thereby on disk. */
static void merge_disk(struct world *w, const struct domain *d)
{
    uint64_t position = w->disk.position, confirmed_ms = w->disk.confirmed_ms;

    w->disk = w->c.verdict;
    if (!d->restarts)
        return;
    w->disk.position = position;
    w->disk.confirmed_ms = confirmed_ms;
    merge_forget(&w->disk.confirmed_ms, w->now_ms, d->max_stale_ms);
}

void merge_world(struct world *w, const struct domain *d)
{
    for (uint32_t m = 0; m < d->members; m++) {
        merge_member(w, d, m);
        merge_witness_member(w, d, m);
    }
    for (uint32_t p = 0; p < MODEL_PLACES; p++)
        merge_place(w, d, moved_places[p]);
    merge_verdict(&w->c.verdict, d, w->now_ms);
    merge_contest(&w->c, d, w->now_ms);
    merge_schedule(&w->c, d, w->now_ms);
    w->c.now_ms = w->now_ms; /* behind it only until the next event */
    w->c.persisted_ms = w->now_ms;
    merge_brake(&w->c.brake, d, w->now_ms);
    merge_witness(&w->w, d, w->now_ms);
    if (d->terms == 0)
        merge_terms(w, d);
    if (merge_symmetric(d))
        merge_rival(w, d);
    merge_disk(w, d);
}

/* Other names */

bool merge_symmetric(const struct domain *d)
{
    /* With three members and a restart, which of two equal rivals is remembered shows. */
    return d->members > 1 && !d->aliases && !d->reloads && !d->moves && d->no_failover == 0 &&
           (d->members == 2 || !d->restarts);
}

static uint32_t rename_mask(uint32_t mask, const struct domain *d, const uint32_t *map)
{
    uint32_t to = 0;
    for (uint32_t m = 0; m < d->members; m++)
        to |= (mask >> m & 1) << map[m];
    return to;
}

static void rename_verdict(struct verdict *v, const struct domain *d, const uint32_t *map)
{
    v->writer = v->writer != MEMBER_NONE ? map[v->writer] : MEMBER_NONE;
    v->rival = v->rival != MEMBER_NONE ? map[v->rival] : MEMBER_NONE;
    v->fenced = rename_mask(v->fenced, d, map);
    v->demoted = rename_mask(v->demoted, d, map);
    v->readers = rename_mask(v->readers, d, map);
    for (uint32_t i = 0; d->fenced && i < d->members; i++)
        if (v->unyielding[i] != 0)
            v->unyielding[i] = 100 + map[v->unyielding[i] - 100];
}

/* An incarnation is the number of the one member that has it. */
static void rename_report(struct report *r, uint32_t from, uint32_t to)
{
    r->member = to;
    if (r->incarnation != 0)
        r->incarnation = r->incarnation - from + to;
}

void merge_rename(const struct world *w, const struct domain *d, const uint32_t *map,
                  struct world *ret_world)
{
    struct world *to = ret_world;

    world_copy(w, to);
    for (uint32_t m = 0; m < d->members; m++) {
        to->c.topo.at[map[m]] = w->c.topo.at[m];
        to->w.at[map[m]] = w->w.at[m];
        rename_report(&to->c.topo.at[map[m]].last, m, map[m]);
        rename_report(&to->w.at[map[m]].said, m, map[m]);
    }
    rename_verdict(&to->c.verdict, d, map);
    merge_rival(to, d);
    merge_disk(to, d);
}
