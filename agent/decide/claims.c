/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.c - W3a and W4: which live claims there are, and how good each is.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/bluegreen.h"
#include "agent/decide/claims.h"

const char *rank_name(enum rank rank)
{
    static const char *const names[RANK_COUNT] = {"older", "foreign", "behind", "equal", "newer"};
    return (unsigned)rank < RANK_COUNT ? names[rank] : "?";
}

/* A position of 0 is not known, and is no evidence. W12: where nothing speaks for a claim, its
 * position does not, either. Who writes into the one volume lacks nothing that is in it. */
static bool is_behind(const struct topo_member *m, const struct verdict *held)
{
    if (m->last.fenced)
        return false;
    return m->behind || m->unproven || (m->last.position != 0 && m->last.position < held->position);
}

enum rank claim_rank(const struct topo *topo, const struct verdict *held, uint32_t member)
{
    const struct topo_member *m = &topo->at[member];
    int order = term_compare(m->last.term, held->term);

    /* W4a: servers of one volume, or copies of one, may say the same identity on both sides. */
    if (bluegreen_is_behind(topo, held, member))
        return RANK_OLDER;
    if (member < HOMING_MEMBERS_MAX && (held->green >> member & 1) != 0)
        return RANK_FOREIGN;
    if (m->last.identity != held->identity)
        return m->last.identity != 0 && m->last.identity == held->discarded ? RANK_OLDER
                                                                            : RANK_FOREIGN;
    if (order != 0)
        return order < 0 ? RANK_OLDER : RANK_NEWER;
    return is_behind(m, held) ? RANK_BEHIND : RANK_EQUAL;
}

/* W11: a member's own server at another address. One answer of it may be older than another one. */
static bool is_own_server(const struct topo *topo, uint32_t voice)
{
    return voice >= HOMING_MEMBERS_MAX &&
           topo_same_server(topo, voice, topo->places[voice - HOMING_MEMBERS_MAX].member);
}

void claims_mark_behind(struct topo *topo, const struct verdict *held)
{
    for (uint32_t v = 0; v < TOPO_VOICES_MAX; v++)
        if (topo->at[v].last.role == ROLE_WRITER && !is_own_server(topo, v) &&
            claim_rank(topo, held, v) == RANK_BEHIND)
            topo->at[v].behind = true;
}

bool claims_mark_outdated(struct topo *topo, struct verdict *held, uint32_t writer)
{
    uint32_t before = held->writer;
    bool any = false;

    /* Once there is a writer, there is always one (W5). */
    if (before == MEMBER_NONE || topo_same_server(topo, before, writer))
        return false;
    for (uint32_t m = 0; m < topo->members; m++)
        if (topo_same_server(topo, before, m) && topo->at[m].last.fenced &&
            topo->at[m].last.role == ROLE_WRITER)
            any = topo->at[m].outdated = true;
    if (any)
        verdict_note_unyielding(held, topo->at[before].last.incarnation);
    return any;
}

static bool eligible(const struct writer_input *in, uint32_t member)
{
    return (in->conf->no_failover >> member & 1) == 0;
}

/* Orders two claims: by rank, then by term within one history. */
static int compare(const struct writer_input *in, const struct verdict *held, uint32_t a,
                   uint32_t b)
{
    int rank_a = claim_rank(in->topo, held, a), rank_b = claim_rank(in->topo, held, b);

    if (rank_a != rank_b || rank_a != RANK_NEWER)
        return rank_a - rank_b;
    return term_compare(in->topo->at[a].last.term, in->topo->at[b].last.term);
}

static bool incumbent_claims(const struct writer_input *in, const struct verdict *held)
{
    return held->writer != MEMBER_NONE &&
           topo_claims(in->topo, held->writer, in->conf->timeout_ms, in->now_ms);
}

/* The newest of the eligible claims that are newer than what is held. If two have that same term,
 * none: a position never orders two members that both claim (W3a). */
static uint32_t newest_eligible(const struct writer_input *in, const struct verdict *held,
                                uint32_t mask)
{
    uint32_t best = MEMBER_NONE;
    bool alike = false;

    for (uint32_t m = 0; m < in->topo->members; m++) {
        if ((mask >> m & 1) == 0 || !eligible(in, m) || claim_rank(in->topo, held, m) != RANK_NEWER)
            continue;
        int order = best == MEMBER_NONE ? 1 : compare(in, held, m, best);
        alike = order == 0 || (alike && order < 0);
        if (order > 0)
            best = m;
    }
    return alike ? MEMBER_NONE : best;
}

/* W11: whether a place of this data set claims, too, by another server. W3a: beside a fenced claim, one
 * whose question is unanswered may be what the old writer said before that was shut out. */
static bool place_claims(const struct writer_input *in, const struct verdict *held, uint32_t member)
{
    bool fenced = in->topo->at[member].last.fenced;

    for (uint32_t v = HOMING_MEMBERS_MAX; v < TOPO_VOICES_MAX; v++)
        if (!(fenced && in->topo->at[v].late) &&
            topo_claims(in->topo, v, in->conf->timeout_ms, in->now_ms) &&
            !topo_same_server(in->topo, v, member) && claim_rank(in->topo, held, v) >= RANK_BEHIND)
            return true;
    return false;
}

/* W3a: an equal claim is good if it is the only live claim of all. Of a fenced server it is as good as
 * a newer one beside the incumbent's: W3 decides whether that has stopped claiming. */
static bool is_sole(const struct writer_input *in, const struct verdict *held, uint32_t member)
{
    return (in->topo->at[member].last.fenced || !incumbent_claims(in, held)) &&
           !place_claims(in, held, member);
}

/* W3a: a claim is good if it is newer, or equal and the only one. */
static uint32_t find_candidate(const struct writer_input *in, const struct verdict *held,
                               const struct claims *claims)
{
    uint32_t sole = claims->newest;

    if (sole == MEMBER_NONE)
        return MEMBER_NONE;
    if (claim_rank(in->topo, held, sole) == RANK_NEWER)
        return newest_eligible(in, held, claims->mask);
    if (claim_rank(in->topo, held, sole) != RANK_EQUAL || claims->count > 1 ||
        !eligible(in, sole) || !is_sole(in, held, sole))
        return MEMBER_NONE;
    return sole;
}

/* Adds a claim, unless the same server makes one that is as good under another name. */
static void add(const struct writer_input *in, const struct verdict *held, uint32_t member,
                struct claims *claims)
{
    uint32_t aliases = topo_aliases(in->topo, member) & claims->mask;

    for (uint32_t m = 0; m < member; m++)
        if ((aliases >> m & 1) != 0 && compare(in, held, member, m) <= 0)
            return;
    claims->mask &= ~aliases;
    claims->mask |= UINT32_C(1) << member;
}

static void sum_up(const struct writer_input *in, const struct verdict *held, struct claims *claims)
{
    for (uint32_t m = 0; m < in->topo->members; m++) {
        if ((claims->mask >> m & 1) == 0)
            continue;
        enum rank rank = claim_rank(in->topo, held, m);
        claims->count += !bluegreen_is_behind(in->topo, held, m);
        claims->unsettling |= rank == RANK_NEWER || rank == RANK_FOREIGN ||
                              (rank == RANK_EQUAL && in->topo->at[m].last.fenced);
        if (claims->newest == MEMBER_NONE || compare(in, held, m, claims->newest) > 0)
            claims->newest = m;
    }
}

void claims_collect(const struct writer_input *in, const struct verdict *held,
                    struct claims *ret_claims)
{
    struct claims claims = {.newest = MEMBER_NONE};
    /* While the writer claims, what its aliases claim is its own claim. */
    uint32_t own = incumbent_claims(in, held) ? topo_aliases(in->topo, held->writer) : 0;

    for (uint32_t m = 0; m < in->topo->members; m++)
        if (m != held->writer && (own >> m & 1) == 0 && !bluegreen_keeps_back(in, held, m) &&
            topo_claims(in->topo, m, in->conf->timeout_ms, in->now_ms))
            add(in, held, m, &claims);
    sum_up(in, held, &claims);
    claims.candidate = find_candidate(in, held, &claims);
    *ret_claims = claims;
}
