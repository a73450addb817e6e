/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.c - THE decision. Called by decision.c after each event.
 *
 * One pass: the incumbent's own good claim is absorbed; the other live claims are ranked; if one
 * of them is good (W3a) and the incumbent has stopped claiming (W3), it is adopted. Then the state
 * follows from what the writer and the others say now. The operator's freeze, and the age of the
 * confirmation (W9), come over it.
 */
#include "config.h"

#include "agent/decide/bluegreen.h"
#include "agent/decide/claims.h"
#include "agent/decide/moves.h"
#include "agent/decide/readers.h"
#include "agent/decide/succession.h"
#include "agent/decide/writer.h"

/* W3: whether the incumbent still claims, as far as we know. */
enum stance {
    STANCE_CLAIMS,
    STANCE_UNHEARD, /* asked, but not heard since the agent's start */
    STANCE_STOPPED, /* it is a reader, broken or late, claims for another data set, or is another
                     * server (W12) */
};

static enum stance incumbent_stance(const struct writer_input *in, const struct verdict *v)
{
    const struct topo_member *m = &in->topo->at[v->writer];

    if (!m->heard && m->last.role != ROLE_READER)
        return STANCE_UNHEARD;
    if (!m->standing || m->late || m->last.role != ROLE_WRITER || m->last.identity != v->identity ||
        m->unproven)
        return STANCE_STOPPED;
    return STANCE_CLAIMS;
}

/* When the incumbent has been silent for too long. For a first answer, a connection may have to be
 * made. For another answer, another question has to be sent; the pace is fast while claims are
 * contested. */
static uint64_t incumbent_deadline(const struct writer_input *in, enum stance stance)
{
    if (stance == STANCE_UNHEARD)
        return in->asked_again_ms + in->conf->timeout_ms + WRITER_PATIENCE_MS;
    if (in->reaffirmed_ms != 0)
        return in->reaffirmed_ms + in->conf->fast_interval_ms + WRITER_PATIENCE_MS;
    return in->asked_again_ms + WRITER_PATIENCE_MS;
}

static bool incumbent_claims(const struct writer_input *in, const struct verdict *v)
{
    return topo_claims(in->topo, v->writer, in->conf->timeout_ms, in->now_ms) &&
           !bluegreen_gave_over(v);
}

static bool incumbent_demoted(const struct writer_input *in, const struct verdict *v)
{
    const struct topo_member *m = &in->topo->at[v->writer];
    return m->answered && (m->last.role == ROLE_READER || bluegreen_gave_over(v));
}

static enum reason newer_reason(const struct report *claim)
{
    return claim->self != 0 ? REASON_SUCCEEDED : REASON_NEWER_TERM;
}

/* If the writer's own claim is good, it brings term and position up to date. The term may be newer:
 * behind a virtual address another server may have been promoted. */
static void absorb(const struct writer_input *in, struct verdict *v)
{
    const struct report *last = &in->topo->at[v->writer].last;
    enum rank rank = claim_rank(in->topo, v, v->writer);

    if (!incumbent_claims(in, v) || rank < RANK_EQUAL)
        return;
    if (rank == RANK_NEWER || v->reason == REASON_INCUMBENT_READER) {
        v->state = CLUSTER_STEADY;
        v->reason = rank == RANK_NEWER ? newer_reason(last) : REASON_DEMOTION_UNDONE;
    }
    if (last->self != v->self)
        succession_adopt(v, in->topo, last);
    if (rank == RANK_NEWER || last->position > v->position)
        v->position = last->position;
    v->term = last->term;
    v->authenticated = last->authenticated;
}

/* When a member of this data set other than the writer answered last; 0: never. */
static uint64_t others_answered_ms(const struct writer_input *in, const struct verdict *v)
{
    uint64_t newest = 0;

    for (uint32_t m = 0; m < in->topo->members; m++) {
        const struct topo_member *other = &in->topo->at[m];
        if (m != v->writer && other->answered && other->last.identity == v->identity &&
            other->answered_ms > newest)
            newest = other->answered_ms;
    }
    return newest;
}

/* W11: judged by the verdict that is being made. */
static void collect_places(const struct writer_input *in, const struct verdict *v,
                           struct moves_claims *ret_claims)
{
    struct writer_input judged = *in;

    judged.held = v;
    moves_collect(&judged, ret_claims);
}

/* W9. Others confirm the writer only if it was found silent: not if it was never heard, not if it
 * answers as a reader, and not if it claims for another data set. */
static void confirm(const struct writer_input *in, const struct claims *claims, struct verdict *v)
{
    const struct topo_member *m = &in->topo->at[v->writer];
    struct moves_claims elsewhere;
    uint64_t confirmed_ms = 0;

    collect_places(in, v, &elsewhere);

    if (bluegreen_holds(v, in->now_ms) &&
        topo_live(in->topo, v->writer, in->conf->timeout_ms, in->now_ms)) {
        confirmed_ms = m->answered_ms; /* W4a: it says itself what it is about */
    } else if (incumbent_claims(in, v)) {
        if (claim_rank(in->topo, v, v->writer) == RANK_EQUAL)
            confirmed_ms = m->answered_ms;
    } else if (m->heard && !incumbent_demoted(in, v) && !claims->unsettling &&
               !elsewhere.unsettling) {
        confirmed_ms = others_answered_ms(in, v);
    }
    if (confirmed_ms > v->confirmed_ms)
        v->confirmed_ms = confirmed_ms;
}

static void demote(struct verdict *v, const struct topo *topo)
{
    v->demoted |= topo_aliases(topo, v->writer);
    v->switches++;
}

void writer_adopt(struct verdict *v, const struct topo *topo, uint32_t member, enum reason reason,
                  uint64_t now_ms)
{
    const struct topo_member *m = &topo->at[member];

    if (v->writer != member) {
        if (v->writer != MEMBER_NONE)
            demote(v, topo);
        v->since_ms = now_ms;
    }
    bluegreen_adopted(v, topo, member, reason);
    if (m->last.identity != v->identity)
        v->discarded = v->identity;
    if (m->last.self != v->self || reason == REASON_ACCEPTED)
        succession_adopt(v, topo, &m->last);
    verdict_forget_unyielding(v, m->last.incarnation);
    v->writer = member;
    v->state = CLUSTER_STEADY;
    v->reason = reason;
    v->identity = m->last.identity;
    v->term = m->last.term;
    v->position = m->last.position;
    v->authenticated = m->last.authenticated;
    v->confirmed_ms = m->answered_ms;
}

static enum reason adoption_reason(const struct writer_input *in, const struct verdict *v,
                                   uint32_t member)
{
    const struct report *last = &in->topo->at[member].last;

    if (claim_rank(in->topo, v, member) == RANK_NEWER)
        return newer_reason(last);
    return last->fenced ? REASON_TAKEN_OVER : REASON_DEMOTION_UNDONE;
}

/* W3a without an incumbent: only a sole claim is adopted, once every member has been heard. If a
 * term is held, because a reload removed the writer, the claim has to be good against it as
 * well. */
static void decide_first(const struct writer_input *in, const struct claims *claims,
                         struct verdict *v)
{
    bool held = verdict_holds(v);
    uint32_t sole = claims->count == 1 ? claims->newest : MEMBER_NONE;
    bool eligible = sole != MEMBER_NONE && (in->conf->no_failover >> sole & 1) == 0 &&
                    !verdict_is_unyielding(v, in->topo->at[sole].last.incarnation);

    if (in->first_round_done && eligible && (!held || claims->candidate == sole)) {
        writer_adopt(v, in->topo, sole, held ? adoption_reason(in, v, sole) : REASON_FIRST_CLAIM,
                     in->now_ms);
        return;
    }
    v->state = held ? CLUSTER_AMBIGUOUS : CLUSTER_UNKNOWN;
    v->rival = MEMBER_NONE;
    v->reason = held ? REASON_WRITER_REMOVED : REASON_NONE;
    if (claims->count > 1 || (sole != MEMBER_NONE && (!eligible || held)))
        v->rival = claims->newest;
    if (!held && v->rival != MEMBER_NONE)
        v->reason = sole == MEMBER_NONE ? REASON_CLAIMS_AT_START : REASON_NO_FAILOVER;
}

/* W3: the failover manager of both has appointed the member that claims a newer term, and the incumbent
 * knows that it is not the one any more. */
static bool lock_decides(const struct writer_input *in, const struct verdict *v, uint32_t member)
{
    const struct report *own = &in->topo->at[v->writer].last, *other = &in->topo->at[member].last;

    return own->lock == LOCK_LOST && other->lock == LOCK_HELD && own->lock_of == other->lock_of &&
           claim_rank(in->topo, v, member) == RANK_NEWER;
}

/* W3. True: the only other claim has to wait until the incumbent answered once more, or its time is
 * over. Until then the cluster is not called ambiguous: the incumbent may have been demoted since
 * its last answer. But if a rival was named already, that is not taken back. */
static bool decide_next(const struct writer_input *in, const struct claims *claims,
                        struct writer_output *out)
{
    struct verdict *v = &out->verdict;
    enum stance stance = incumbent_stance(in, v);
    uint32_t green = bluegreen_successor(in, v, stance == STANCE_STOPPED);

    if (green != MEMBER_NONE && !v->frozen) {
        writer_adopt(v, in->topo, green, REASON_HANDED_OVER, in->now_ms);
        return false;
    }
    if (v->frozen || claims->candidate == MEMBER_NONE)
        return false;
    /* W3a: who has not noticed that another one took over is not followed because that is silent. */
    if (verdict_is_unyielding(v, in->topo->at[claims->candidate].last.incarnation) &&
        !incumbent_demoted(in, v))
        return false;
    /* W12: who has to be asked first may have a better claim. */
    if (in->topo->at[claims->candidate].last.self != 0 && topo_awaits(in->topo))
        return v->rival == MEMBER_NONE && claims->count == 1;
    if (stance == STANCE_CLAIMS && lock_decides(in, v, claims->candidate)) {
        writer_adopt(v, in->topo, claims->candidate, REASON_LOCK, in->now_ms);
        return false;
    }
    uint64_t deadline_ms = incumbent_deadline(in, stance);
    bool over = in->now_ms >= deadline_ms && in->last_call_ms != 0 && in->now_ms > in->last_call_ms;

    if (stance == STANCE_STOPPED || over) {
        writer_adopt(v, in->topo, claims->candidate, adoption_reason(in, v, claims->candidate),
                     in->now_ms);
        return false;
    }
    out->contested = true;
    out->deadline_ms = deadline_ms;
    return in->reaffirmed_ms == 0 && v->rival == MEMBER_NONE && claims->count == 1;
}

static void set_state(struct verdict *v, enum cluster_state state, enum reason reason,
                      uint32_t rival)
{
    v->state = state;
    v->reason = reason;
    v->rival = rival;
}

/* Why a live claim is not followed. */
static enum reason refused_reason(const struct writer_input *in, const struct verdict *v,
                                  uint32_t member)
{
    static const enum reason reasons[RANK_EQUAL] = {
        [RANK_OLDER] = REASON_OLDER_TERM,
        [RANK_FOREIGN] = REASON_OTHER_IDENTITY,
        [RANK_BEHIND] = REASON_BEHIND,
    };
    enum rank rank = claim_rank(in->topo, v, member);

    if (rank == RANK_BEHIND && in->topo->at[member].unproven)
        return REASON_UNPROVEN;
    if (rank < RANK_EQUAL)
        return reasons[rank];
    return in->conf->no_failover >> member & 1 ? REASON_NO_FAILOVER : REASON_TWO_CLAIMS;
}

/* The state while the writer's own claim is live. An older claim beside it changes nothing: it is
 * the claim of a demoted writer that has not noticed (W6). */
static void judge_claiming(const struct writer_input *in, const struct claims *claims,
                           struct verdict *v)
{
    uint32_t rival = claims->newest;

    if (claim_rank(in->topo, v, v->writer) != RANK_EQUAL)
        set_state(v, CLUSTER_AMBIGUOUS, refused_reason(in, v, v->writer), v->writer);
    else if (rival != MEMBER_NONE && claim_rank(in->topo, v, rival) == RANK_FOREIGN)
        set_state(v, CLUSTER_AMBIGUOUS, REASON_OTHER_IDENTITY, rival);
    else if (rival != MEMBER_NONE && claim_rank(in->topo, v, rival) > RANK_FOREIGN)
        set_state(v, CLUSTER_AMBIGUOUS, REASON_TWO_CLAIMS, rival);
    else if (in->topo->at[v->writer].late)
        set_state(v, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT, MEMBER_NONE);
    else
        set_state(v, CLUSTER_STEADY,
                  v->state == CLUSTER_STEADY ? v->reason : REASON_INCUMBENT_CLAIMS, MEMBER_NONE);
}

/* The state while the writer's own claim is not live (W5, W6). */
static void judge_silent(const struct writer_input *in, const struct claims *claims,
                         struct verdict *v)
{
    if (incumbent_stance(in, v) == STANCE_UNHEARD)
        set_state(v, CLUSTER_SUSPECT, REASON_RESTORED, MEMBER_NONE);
    else if (claims->newest != MEMBER_NONE)
        set_state(v, CLUSTER_AMBIGUOUS, refused_reason(in, v, claims->newest), claims->newest);
    else if (incumbent_demoted(in, v))
        set_state(v, CLUSTER_NO_WRITER,
                  bluegreen_holds(v, in->now_ms) ? REASON_SWITCHOVER : REASON_INCUMBENT_READER,
                  MEMBER_NONE);
    else
        set_state(v, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT, MEMBER_NONE);
}

/* W11: what is claimed at a place, and is not a member's, is in dispute like a member's claim. A
 * claim on what was left behind is so only if nobody claims better. While a better claim waits for
 * the incumbent's answer, nothing is called out. */
static void judge_places(const struct writer_input *in, bool waiting, struct verdict *v)
{
    bool claims = incumbent_claims(in, v);
    struct moves_claims elsewhere;

    collect_places(in, v, &elsewhere);
    v->fenced_places = elsewhere.stale;
    if (v->rival != MEMBER_NONE || waiting)
        return;
    if (elsewhere.rival != MEMBER_NONE) {
        bool two = claims && elsewhere.reason != REASON_OTHER_IDENTITY;
        set_state(v, CLUSTER_AMBIGUOUS, two ? REASON_TWO_CLAIMS : elsewhere.reason,
                  PLACE_VOICE(elsewhere.rival));
    } else if (elsewhere.stale != 0 && !claims && incumbent_stance(in, v) != STANCE_UNHEARD) {
        set_state(v, CLUSTER_AMBIGUOUS, REASON_OLDER_TERM,
                  PLACE_VOICE((uint32_t)__builtin_ctz(elsewhere.stale)));
    }
}

/* The operator's freeze pins the writer. If nothing confirms it, it is stale like any other
 * (W9). */
static void judge_overlays(const struct writer_input *in, struct verdict *v)
{
    if (v->frozen) {
        v->state = CLUSTER_FROZEN;
        v->reason = REASON_FROZEN;
    }
    if (v->confirmed_ms == 0 || in->now_ms - v->confirmed_ms >= in->conf->max_stale_ms) {
        v->state = CLUSTER_STALE;
        if (v->reason == REASON_INCUMBENT_SILENT)
            v->reason = REASON_UNCONFIRMED;
    }
}

/* W6: the members that claim on an older term. */
static uint32_t fenced_mask(const struct writer_input *in, const struct claims *claims,
                            const struct verdict *v)
{
    uint32_t mask = 0;

    for (uint32_t m = 0; m < in->topo->members; m++)
        if ((claims->mask >> m & 1) != 0 && claim_rank(in->topo, v, m) == RANK_OLDER)
            mask |= UINT32_C(1) << m;
    return mask;
}

static void judge(const struct writer_input *in, bool waiting, struct verdict *v)
{
    struct claims claims = {.newest = MEMBER_NONE};

    if (!waiting)
        claims_collect(in, v, &claims);
    if (incumbent_claims(in, v))
        judge_claiming(in, &claims, v);
    else
        judge_silent(in, &claims, v);
    judge_places(in, waiting, v);
    judge_overlays(in, v);
    v->fenced = fenced_mask(in, &claims, v);
    /* W6: a member that is published is not demoted any more. Nor are its aliases: a virtual
     * address may have moved to it. */
    v->demoted &= ~topo_aliases(in->topo, v->writer);
    v->retired &= ~bluegreen_found(in->topo, v);
    v->renamed &= v->retired;
}

void writer_decide(const struct writer_input *in, struct writer_output *ret_output)
{
    struct writer_output out = {.verdict = *in->held};
    struct verdict *v = &out.verdict;
    struct claims claims;
    bool waiting = false;

    v->fenced = v->fenced_places = 0;
    if (v->writer == MEMBER_NONE) {
        claims_collect(in, v, &claims);
        decide_first(in, &claims, v);
    } else {
        absorb(in, v);
        claims_collect(in, v, &claims);
        confirm(in, &claims, v);
        waiting = decide_next(in, &claims, &out);
    }
    if (v->writer != MEMBER_NONE)
        judge(in, waiting, v);
    v->readers = readers_mask(in, v);
    *ret_output = out;
}
