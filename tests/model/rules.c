/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.c - the rules as predicates over what was said and what is published.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "tests/model/moved.h"
#include "tests/model/rules.h"
#include "tests/model/said.h"

/* Another server than these two claims as well. */
static bool others_claim(const struct world *w, uint32_t a, uint32_t b)
{
    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (said_claims_now(w, m) && !said_one_server(w, m, a) &&
            (b == MEMBER_NONE || !said_one_server(w, m, b)))
            return true;
    return false;
}

/* A claim that the published term does not cover, other than the writer's. W3a: where servers share
 * one volume, one on the published term. */
static bool newer_claim(const struct world *w, uint32_t member, const struct verdict *v)
{
    return member != v->writer && said_claims_now(w, member) && said_of_this_set(w, member, v) &&
           said_term(w, member) + said_by(w, member)->said.fenced > v->term.lo &&
           !(said_claims_now(w, v->writer) && said_one_server(w, member, v->writer));
}

/* W3's words: it answers as a reader, or its connection broke, or it left a question unanswered
 * (suspect already, or 150 ms after being asked once more); or it speaks for another data set. */
static bool stopped_claiming(const struct world *w, uint32_t member, const struct outcome *o)
{
    const struct verdict *v = &o->before;
    const struct witness_member *m = said_by(w, member);
    uint64_t since_ms = o->asked_ms;

    if (!m->heard) /* it may still be connecting, unless its last word to the agent before... */
        return m->said.role == ROLE_READER ||
               (since_ms != 0 && w->now_ms >= since_ms + w->c.conf.timeout_ms);
    if (!m->connected || m->late || m->said.role != ROLE_WRITER || !said_of_this_set(w, member, v))
        return true;
    if (o->reaffirmed_ms > since_ms)
        since_ms = o->reaffirmed_ms;
    return since_ms != 0 && w->now_ms > since_ms + 150;
}

/* The witness */

static bool claim_begins(const struct witness_member *m, const struct report *r)
{
    return r->role == ROLE_WRITER &&
           (m->said.role != ROLE_WRITER || m->said.identity != r->identity ||
            m->said.term.lo != r->term.lo);
}

static void witness_answer(struct world *w, struct witness_member *m, const struct report *r)
{
    if (r->role != ROLE_WRITER || claim_begins(m, r))
        m->short_of = false;
    if (r->role == ROLE_READER ||
        (m->said.incarnation != 0 && r->incarnation != m->said.incarnation))
        m->unyielding = false;
    m->said = *r;
    m->said_ms = w->now_ms;
    m->connected = true;
    m->late = m->gone = m->unanswered = m->outdated = false;
    if (r->member == w->c.verdict.writer && w->w.asked_ms != 0 && r->asked_ms >= w->w.asked_ms)
        w->w.reaffirmed_ms = w->now_ms;
}

static void witness_gone(struct witness_member *m, enum report_kind kind)
{
    m->gone = m->gone || m->unanswered || kind != REPORT_TIMEOUT;
    m->unanswered = true;
    m->connected = m->late = false;
}

void witness_report(struct world *w, const struct report *report)
{
    bool at_place = report->member >= HOMING_MEMBERS_MAX;
    struct witness_place *place = at_place ? &w->w.places[said_place(report->member)] : NULL;
    struct witness_member *m = at_place ? &place->is : &w->w.at[report->member];

    if (at_place && !place->there)
        return;
    if (report->kind == REPORT_ANSWER && report->asked_ms < m->said.asked_ms)
        return;
    if (report->kind == REPORT_ANSWER)
        witness_answer(w, m, report);
    else if (report->kind == REPORT_LATE)
        m->late = true;
    else
        witness_gone(m, report->kind);
    m->heard = m->heard || report->kind != REPORT_LATE;
    if (at_place && (!m->connected || m->said.role != ROLE_WRITER))
        place->claims_since_ms = 0;
    else if (at_place && place->claims_since_ms == 0)
        place->claims_since_ms = w->now_ms;
}

/* W9's words, at this moment. */
static bool writer_confirms(const struct world *w, const struct verdict *v)
{
    return said_claims_now(w, v->writer) && said_of_this_set(w, v->writer, v) &&
           said_term(w, v->writer) >= v->term.lo && !said_by(w, v->writer)->short_of;
}

static bool writer_silent(const struct world *w, const struct verdict *v)
{
    const struct witness_member *m = said_by(w, v->writer);
    return m->heard && m->said.role != ROLE_READER && !said_claims_now(w, v->writer);
}

static bool unsettling_claim(const struct world *w, const struct verdict *v)
{
    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (m != v->writer && said_claims_now(w, m) &&
            (newer_claim(w, m, v) ||
             (!said_of_this_set(w, m, v) && said_by(w, m)->said.identity != v->discarded)))
            return true;
    return moved_unsettles(w, v);
}

static void witness_evidence(struct world *w)
{
    const struct verdict *v = &w->c.verdict;

    if (writer_confirms(w, v) && said_by(w, v->writer)->said_ms > w->w.evidence_ms)
        w->w.evidence_ms = said_by(w, v->writer)->said_ms;
    if (!writer_silent(w, v) || unsettling_claim(w, v))
        return;
    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (m != v->writer && said_of_this_set(w, m, v) &&
            said_by(w, m)->said_ms > w->w.evidence_ms)
            w->w.evidence_ms = said_by(w, m)->said_ms;
}

/* W3a: a position of 0 is not known, and is no evidence. Nor is any of who writes into one volume. */
static bool lacks(const struct witness_member *m, uint64_t seen)
{
    return m->said.role == ROLE_WRITER && !m->said.fenced && m->said.position != 0 &&
           m->said.position < seen;
}

/* What was seen of the published writer on the published term, and who lacks it. */
static void witness_positions(struct world *w, const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;

    if (v->identity != o->before.identity || v->term.lo != o->before.term.lo)
        w->w.seen_position = 0;
    for (uint32_t m = 0; m < w->c.conf.members; m++) {
        struct witness_member *x = &w->w.at[m];
        if (said_of_this_set(w, m, v) && said_term(w, m) == v->term.lo &&
            lacks(x, w->w.seen_position))
            x->short_of = true;
    }
    if (v->writer != MEMBER_NONE && writer_confirms(w, v) &&
        said_by(w, v->writer)->said.position > w->w.seen_position)
        w->w.seen_position = said_by(w, v->writer)->said.position;
    for (uint32_t p = 0; p < MODEL_PLACES; p++) {
        struct witness_member *x = &w->w.places[p].is;
        uint32_t voice = moved_places[p];
        if (!said_one_server(w, voice, said_owner(voice)) && said_of_this_set(w, voice, v) &&
            said_term(w, voice) == v->term.lo && lacks(x, w->w.seen_position))
            x->short_of = true;
    }
}

static void witness_contest(struct world *w, const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;
    bool contested = false;

    for (uint32_t m = 0; v->writer != MEMBER_NONE && m < w->c.conf.members; m++)
        contested |= m != v->writer && said_claims_now(w, m) && said_of_this_set(w, m, v) &&
                     said_term(w, m) >= v->term.lo &&
                     !(said_claims_now(w, v->writer) && said_one_server(w, m, v->writer));
    if (!contested || v->writer != o->before.writer || v->frozen)
        w->w.asked_ms = w->w.reaffirmed_ms = 0;
    /* Asked anew, only answers to questions sent from now on count. */
    if (contested && !v->frozen && said_bit(o->actions.ask, v->writer)) {
        w->w.asked_ms = w->now_ms;
        w->w.reaffirmed_ms = 0;
    }
}

/* W10's words: more than so many in ten minutes, until ten quiet ones or the operator's word. */
static void witness_switches(struct world *w, const struct domain *d, const struct step *step,
                             const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;
    uint32_t recent = 0;

    if (step->kind == STEP_UNFREEZE) {
        memset(w->w.switched_ms, 0, sizeof(w->w.switched_ms));
        w->w.braked = false;
    }
    if (o->before.writer != MEMBER_NONE && v->writer != MEMBER_NONE &&
        (v->writer != o->before.writer || o->actions.moved == v->writer)) {
        memmove(w->w.switched_ms + 1, w->w.switched_ms,
                sizeof(w->w.switched_ms) - sizeof(w->w.switched_ms[0]));
        w->w.switched_ms[0] = w->w.unquiet_ms = w->now_ms;
    }
    while (recent < SWITCHES_LIMIT && w->w.switched_ms[recent] != 0 &&
           w->now_ms < w->w.switched_ms[recent] + QUIET_MS)
        recent++;
    if (w->now_ms >= w->w.unquiet_ms + QUIET_MS)
        w->w.braked = false;
    if (d->max_switches != 0 && recent > d->max_switches)
        w->w.braked = true;
}

/* W3a: who is adopted again has nothing to notice any more. */
static void witness_adoption(struct world *w, const struct step *step, const struct outcome *o)
{
    uint32_t writer = w->c.verdict.writer;

    if (writer == MEMBER_NONE || (writer == o->before.writer && step->kind != STEP_ACCEPT))
        return;
    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (said_one_server(w, writer, m))
            w->w.at[m].unyielding = false;
}

/* W3a: the claim of the writer before was made before a fenced one took over. */
static void witness_takeover(struct world *w, const struct step *step, const struct outcome *o)
{
    uint32_t before = o->before.writer, writer = w->c.verdict.writer;

    if (step->kind == STEP_ACCEPT || before == MEMBER_NONE || writer == before ||
        said_one_server(w, before, writer))
        return;
    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (said_one_server(w, before, m) && said_by(w, m)->said.fenced &&
            said_by(w, m)->said.role == ROLE_WRITER)
            w->w.at[m].outdated = w->w.at[m].unyielding = true;
}

void witness_outcome(struct world *w, const struct domain *d, const struct step *step,
                     const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;

    w->w.alarmed_twice = false;
    if (o->refusal != REFUSAL_NONE)
        return; /* nothing was decided */
    if (step->kind == STEP_ACCEPT) {
        for (uint32_t m = 0; m < w->c.conf.members; m++)
            w->w.at[m].short_of = false;
        for (uint32_t p = 0; p < MODEL_PLACES; p++)
            w->w.places[p].is.short_of = false;
        w->w.seen_position = 0;
        w->w.asked_ms = w->w.reaffirmed_ms = 0;
        w->w.evidence_ms = 0;
    }
    if (v->writer != o->before.writer && v->writer != MEMBER_NONE)
        w->w.evidence_ms = said_by(w, v->writer)->said_ms;
    witness_switches(w, d, step, o);
    witness_adoption(w, step, o);
    witness_takeover(w, step, o);
    witness_positions(w, o);
    if (v->writer != MEMBER_NONE)
        witness_evidence(w);
    witness_contest(w, o);
    w->w.alarmed_twice =
        (w->w.alarms & o->actions.raised) != 0 || (~w->w.alarms & o->actions.cleared) != 0;
    w->w.alarms = (w->w.alarms | o->actions.raised) & ~o->actions.cleared;
}

/* The rules. A move is a change of the published writer that no operator ordered. */

static const char *check_accept(const struct world *w, const struct step *step,
                                const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;

    if (o->refusal != REFUSAL_NONE)
        return said_claims_now(w, step->member) && !said_by(w, step->member)->late
                   ? "W4: a present claim can be accepted"
                   : NULL;
    if (!said_claims_now(w, step->member))
        return "W1: accept adopts a present claim only";
    if (v->writer != step->member)
        return "W4: accept adopts the member that the operator named";
    if (v->identity != said_by(w, step->member)->said.identity ||
        v->term.lo != said_term(w, step->member))
        return "W4: accept holds what that member claims";
    if (said_bit(v->demoted, step->member))
        return "W6: accept ends being demoted";
    return NULL;
}

static const char *check_first(const struct world *w, const struct verdict *v)
{
    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (!said_by(w, m)->heard)
            return "W3a: the first claim waits until every member was heard";
    if (others_claim(w, v->writer, MEMBER_NONE))
        return "W3a: only a sole claim is adopted at the first start";
    return NULL;
}

static const char *check_good(const struct world *w, const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict, *b = &o->before;

    if (v->identity != b->identity)
        return "W4: another identity is never adopted silently";
    if (said_term(w, v->writer) > b->term.lo)
        return NULL;
    if (said_term(w, v->writer) < b->term.lo)
        return "W3a: an older claim is not adopted";
    if (others_claim(w, v->writer, said_by(w, v->writer)->said.fenced ? b->writer : MEMBER_NONE) ||
        moved_competes(w, v->writer, v))
        return "W3a: an equal claim is adopted only if no other is live";
    if (said_by(w, v->writer)->unyielding &&
        (b->writer == MEMBER_NONE || said_by(w, b->writer)->said.role != ROLE_READER))
        return "W3a: who has not noticed that another one took over is not followed";
    if (said_by(w, v->writer)->short_of)
        return "W3a: an equal claim that was behind is not adopted";
    return NULL;
}

static const char *check_move(const struct world *w, const struct domain *d,
                              const struct step *step, const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict, *b = &o->before;

    if (v->writer == MEMBER_NONE)
        return "W5: a writer is never forgotten";
    if (!said_claims_now(w, v->writer))
        return "W1: only a member that claims is published";
    if (said_bit(d->no_failover, v->writer))
        return "W3: a member without failover is not adopted by itself";
    if (b->frozen && step->kind != STEP_UNFREEZE)
        return "W10: a frozen writer stays";
    if (b->writer != MEMBER_NONE && !stopped_claiming(w, b->writer, o))
        return "W3: a living incumbent stays";
    if (b->writer == MEMBER_NONE && check_first(w, v))
        return check_first(w, v);
    if (b->writer != MEMBER_NONE && !said_one_server(w, b->writer, v->writer) &&
        !said_bit(v->demoted, b->writer))
        return "W6: the writer before is known to be demoted";
    return verdict_holds(b) ? check_good(w, o) : NULL;
}

/* W3, the other way round: a single newest newer claim of an eligible member is not left waiting
 * once the incumbent has stopped for certain. */
static const char *check_progress(const struct world *w, const struct domain *d)
{
    const struct verdict *v = &w->c.verdict;
    uint32_t newest = MEMBER_NONE;
    bool tie = false;

    if (v->writer == MEMBER_NONE || v->frozen)
        return NULL;
    for (uint32_t m = 0; m < w->c.conf.members; m++) {
        if (!newer_claim(w, m, v) || said_bit(d->no_failover, m))
            continue;
        if (said_term(w, m) == v->term.lo && others_claim(w, m, v->writer))
            continue;
        if (said_by(w, m)->unyielding && said_by(w, v->writer)->said.role != ROLE_READER)
            continue;
        if (newest == MEMBER_NONE || said_term(w, m) > said_term(w, newest)) {
            newest = m;
            tie = false;
        } else if (said_term(w, m) == said_term(w, newest) && !said_one_server(w, m, newest)) {
            tie = true;
        }
    }
    const struct witness_member *m = said_by(w, v->writer);
    bool gone =
        (m->heard && !m->connected) || m->late ||
        (m->connected && (m->said.role == ROLE_READER || !said_of_this_set(w, v->writer, v)));
    if (newest != MEMBER_NONE && !tie && gone && m->heard)
        return "W3: a good claim moves the endpoint when the incumbent has stopped";
    return NULL;
}

static const char *check_terms(const struct world *w, const struct step *step,
                               const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict, *b = &o->before;

    if (step->kind == STEP_ACCEPT || !verdict_holds(b))
        return NULL;
    if (v->identity != b->identity)
        return "W4: the identity changes by accept only";
    if (v->term.lo < b->term.lo)
        return "W2: terms never go back";
    return NULL;
}

/* W6: who was demoted stays so until published again, or shown to be the writer's own server. */
static const char *check_demoted(const struct world *w, const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;

    for (uint32_t m = 0; m < w->c.conf.members; m++) {
        bool writers = v->writer != MEMBER_NONE && said_one_server(w, m, v->writer);
        if (said_bit(v->demoted, m) && m == v->writer)
            return "W6: the writer is not known to be demoted";
        if (said_bit(o->before.demoted, m) && !said_bit(v->demoted, m) && !writers)
            return "W6: a demoted member stays demoted";
        bool same = o->before.writer != MEMBER_NONE && said_one_server(w, m, o->before.writer);
        if (said_bit(v->demoted & ~o->before.demoted, m) && !same)
            return "W5: only the writer before is demoted";
    }
    return NULL;
}

static const char *check_confirmed(const struct world *w)
{
    const struct verdict *v = &w->c.verdict;
    bool fresh = w->w.evidence_ms != 0 && w->now_ms < w->w.evidence_ms + w->c.conf.max_stale_ms;

    if (v->writer == MEMBER_NONE)
        return v->state == CLUSTER_STALE ? "W9: nobody cannot be stale" : NULL;
    if (v->state == CLUSTER_STALE && fresh)
        return "W9: what was confirmed is not stale";
    if (v->state != CLUSTER_STALE && !fresh)
        return "W9: what nobody confirmed for max_stale is stale";
    return NULL;
}

static const char *check_brake(const struct world *w)
{
    return w->c.verdict.braked == w->w.braked ? NULL
                                              : "W10: too many switches brake, and only they";
}

static const char *check_steady(const struct world *w, const struct verdict *v)
{
    if (!writer_confirms(w, v) || said_by(w, v->writer)->late)
        return "steady: the writer answers";
    for (uint32_t m = 0; m < w->c.conf.members; m++) {
        bool known = said_by(w, m)->said.identity == v->discarded;
        /* A claim that awaits the incumbent's answer is not called out yet. */
        bool waits = w->w.asked_ms != 0 && w->w.reaffirmed_ms == 0;
        if (!said_claims_now(w, m) || said_one_server(w, m, v->writer))
            continue;
        if (said_of_this_set(w, m, v) ? said_term(w, m) >= v->term.lo && !waits : !known)
            return "I4: a rival claim is called out";
    }
    for (uint32_t p = 0; p < MODEL_PLACES; p++)
        if (moved_is_rival(w, moved_places[p]) && (w->w.asked_ms == 0 || w->w.reaffirmed_ms != 0))
            return "I4: a rival claim at a place is called out";
    return NULL;
}

static const char *check_state(const struct world *w)
{
    const struct verdict *v = &w->c.verdict;

    switch (v->state) {
    case CLUSTER_UNKNOWN:
        return verdict_holds(v) ? "unknown: nothing is held" : NULL;
    case CLUSTER_STEADY:
        return check_steady(w, v);
    case CLUSTER_SUSPECT:
        return writer_confirms(w, v) && !said_by(w, v->writer)->late
                   ? "suspect: the writer does not answer"
                   : NULL;
    case CLUSTER_NO_WRITER:
        return said_by(w, v->writer)->said.role == ROLE_READER
                   ? NULL
                   : "no_writer: its last word is reader";
    case CLUSTER_AMBIGUOUS:
        if (v->writer == MEMBER_NONE)
            return NULL;
        return v->rival != MEMBER_NONE && said_claims_now(w, v->rival)
                   ? NULL
                   : "ambiguous: somebody claims";
    case CLUSTER_FROZEN:
        return v->frozen ? NULL : "frozen: the operator said so";
    default:
        return v->state == CLUSTER_STALE ? NULL : "a state has a name";
    }
}

static const char *check_readers(const struct world *w)
{
    const struct verdict *v = &w->c.verdict;

    for (uint32_t m = 0; m < 32; m++) {
        if (!said_bit(v->readers, m))
            continue;
        if (m >= w->c.conf.members || m == v->writer || said_by(w, m)->said.role != ROLE_READER ||
            !said_by(w, m)->connected ||
            w->now_ms >= said_by(w, m)->said_ms + w->c.conf.timeout_ms ||
            !said_of_this_set(w, m, v))
            return "readers: reachable followers of this data set";
    }
    return NULL;
}

/* W6: whether a member beside the writer still claims, on what has been left behind. */
static bool claims_in_vain(const struct world *w, uint32_t member)
{
    const struct verdict *v = &w->c.verdict;
    bool left = said_of_this_set(w, member, v) ? said_term(w, member) < v->term.lo
                                               : said_by(w, member)->said.identity == v->discarded;

    return v->writer != MEMBER_NONE && member != v->writer && member != v->rival &&
           said_claims_now(w, member) && left;
}

/* A server that also claims well by another name is its own business. */
static const char *check_second_writer(const struct world *w)
{
    bool alarmed = said_bit(w->w.alarms, ALARM_SECOND_WRITER), any = false, alone = false;

    for (uint32_t m = 0; m < w->c.conf.members; m++) {
        bool twin = false;
        for (uint32_t other = 0; other < w->c.conf.members; other++)
            twin |= other != m && said_one_server(w, m, other);
        any |= claims_in_vain(w, m);
        alone |= claims_in_vain(w, m) && !twin;
    }
    for (uint32_t p = 0; p < MODEL_PLACES; p++) {
        bool vain = claims_in_vain(w, moved_places[p]) && moved_place_claims(w, moved_places[p]);
        any |= vain;
        alone |= vain;
    }
    return (alarmed && !any) || (alone && !alarmed) ? "W6: a second writer alarms" : NULL;
}

static const char *check_actions(const struct world *w, const struct outcome *o)
{
    const struct actions *a = &o->actions;
    const struct verdict *v = &w->c.verdict;
    bool alarmed = said_bit(w->w.alarms, ALARM_AMBIGUOUS);

    if (o->refusal != REFUSAL_NONE && verdict_differs(&o->before, v))
        return "a refused word changes nothing";
    if (o->refusal != REFUSAL_NONE)
        return NULL;
    if (verdict_differs(&o->before, v) && !a->publish)
        return "what changed is published";
    if (a->publish && !a->persist)
        return "W2: what is published is persisted";
    if (a->wake_ms != 0 && a->wake_ms <= w->now_ms)
        return "I6: a wake-up lies in the future";
    if (w->w.alarmed_twice)
        return "alarms are raised once and cleared once";
    if (v->state == CLUSTER_AMBIGUOUS && !alarmed)
        return "I4: ambiguity alarms";
    if ((v->state == CLUSTER_STALE) != said_bit(w->w.alarms, ALARM_STALE))
        return "W9: stale alarms";
    if (o->actions.moved != MEMBER_NONE)
        return NULL; /* what is left is told of after that */
    return check_second_writer(w);
}

const char *rules_check(const struct world *w, const struct domain *d, const struct step *step,
                        const struct outcome *o)
{
    bool accepted = step->kind == STEP_ACCEPT && o->refusal == REFUSAL_NONE;
    bool moved = w->c.verdict.writer != o->before.writer;
    const char *broken = NULL;

    if (step->kind == STEP_ACCEPT)
        broken = check_accept(w, step, o);
    if (!broken && o->refusal != REFUSAL_NONE)
        return check_actions(w, o); /* nothing was decided: time may have passed since */
    if (!broken && moved && !accepted)
        broken = check_move(w, d, step, o);
    if (!broken)
        broken = check_terms(w, step, o);
    if (!broken)
        broken = check_demoted(w, o);
    if (!broken)
        broken = check_progress(w, d);
    if (!broken && d->moves)
        broken = moved_check_followed(w, o);
    if (!broken && o->actions.moved != MEMBER_NONE)
        return check_actions(w, o); /* the address that was left is known with the next event */
    if (!broken)
        broken = check_confirmed(w);
    if (!broken)
        broken = check_brake(w);
    if (!broken)
        broken = check_state(w);
    if (!broken)
        broken = check_readers(w);
    if (!broken)
        broken = check_actions(w, o);
    return broken;
}
