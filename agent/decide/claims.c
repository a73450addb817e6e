/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.c - W3a and W4: which live claims there are, and how good each is.
 */
#include "config.h"

#include <string.h>

#include "claims.h"

const char *rank_name(enum rank rank)
{
    static const char *const names[RANK_COUNT] = {"older", "foreign", "behind", "equal", "newer"};
    return (unsigned)rank < RANK_COUNT ? names[rank] : "?";
}

enum rank claim_rank(const struct topo *topo, const struct verdict *held, uint32_t member)
{
    const struct member_view *m = &topo->at[member];
    int order = term_compare(m->last.term, held->term);

    if (m->last.identity != held->identity)
        return m->last.identity != 0 && m->last.identity == held->discarded ? RANK_OLDER
                                                                            : RANK_FOREIGN;
    if (order != 0)
        return order < 0 ? RANK_OLDER : RANK_NEWER;
    return m->behind ? RANK_BEHIND : RANK_EQUAL;
}

void claims_mark_behind(struct topo *topo, const struct verdict *held)
{
    for (uint32_t m = 0; m < topo->members; m++) {
        const struct report *last = &topo->at[m].last;
        /* Position 0 is not known, which is no evidence. */
        if (last->role == ROLE_WRITER && last->position != 0 && last->position < held->position &&
            claim_rank(topo, held, m) == RANK_EQUAL)
            topo->at[m].behind = true;
    }
}

static bool claim_eligible(const struct writer_input *in, uint32_t member)
{
    return (in->conf->no_failover >> member & 1) == 0;
}

/* Orders two claims: by rank, then by term within one history. */
static int claim_compare(const struct writer_input *in, const struct verdict *held, uint32_t a,
                         uint32_t b)
{
    int rank_a = claim_rank(in->topo, held, a), rank_b = claim_rank(in->topo, held, b);

    if (rank_a != rank_b || rank_a != RANK_NEWER)
        return rank_a - rank_b;
    return term_compare(in->topo->at[a].last.term, in->topo->at[b].last.term);
}

/* An alias of a claim that is counted already, or of the incumbent's own live one. */
static bool claim_counted(const struct writer_input *in, const struct verdict *held, uint32_t mask,
                          bool incumbent_claims, uint32_t member)
{
    if (incumbent_claims)
        mask |= UINT32_C(1) << held->writer;
    return (topo_aliases(in->topo, member) & mask) != 0;
}

static bool incumbent_claims(const struct writer_input *in, const struct verdict *held)
{
    return held->writer != MEMBER_NONE &&
           topo_claims(in->topo, held->writer, in->conf->timeout_ms, in->now_ms);
}

/* The best of the eligible claims that are newer; if two are alike, none: a position never orders
 * two members that both claim (W3a). */
static uint32_t claims_newest_eligible(const struct writer_input *in, const struct verdict *held,
                                       uint32_t mask)
{
    uint32_t best = MEMBER_NONE;
    bool alike = false;

    for (uint32_t m = 0; m < in->topo->members; m++) {
        if ((mask >> m & 1) == 0 || !claim_eligible(in, m) ||
            claim_rank(in->topo, held, m) != RANK_NEWER)
            continue;
        int order = best == MEMBER_NONE ? 1 : claim_compare(in, held, m, best);
        alike = order == 0 || (alike && order < 0);
        if (order > 0)
            best = m;
    }
    return alike ? MEMBER_NONE : best;
}

/* W3a: newer, or equal and the only live claim of all. */
static uint32_t claims_candidate(const struct writer_input *in, const struct verdict *held,
                                 const struct claims *claims)
{
    uint32_t sole = claims->newest;

    if (sole == MEMBER_NONE)
        return MEMBER_NONE;
    if (claim_rank(in->topo, held, sole) == RANK_NEWER)
        return claims_newest_eligible(in, held, claims->mask);
    if (claim_rank(in->topo, held, sole) != RANK_EQUAL || claims->count > 1 ||
        incumbent_claims(in, held) || !claim_eligible(in, sole))
        return MEMBER_NONE;
    return sole;
}

static void claims_add(const struct writer_input *in, const struct verdict *held, uint32_t member,
                       struct claims *claims)
{
    enum rank rank = claim_rank(in->topo, held, member);

    claims->mask |= UINT32_C(1) << member;
    claims->count++;
    claims->unsettling |= rank == RANK_NEWER || rank == RANK_FOREIGN;
    if (claims->newest == MEMBER_NONE || claim_compare(in, held, member, claims->newest) > 0)
        claims->newest = member;
}

void claims_collect_without(const struct writer_input *in, const struct verdict *held,
                            uint32_t member, struct claims *ret_claims)
{
    struct claims claims = {.newest = MEMBER_NONE, .candidate = MEMBER_NONE};
    bool claiming = incumbent_claims(in, held);

    for (uint32_t m = 0; m < in->topo->members; m++)
        if (m != held->writer && m != member &&
            topo_claims(in->topo, m, in->conf->timeout_ms, in->now_ms) &&
            !claim_counted(in, held, claims.mask, claiming, m))
            claims_add(in, held, m, &claims);
    claims.candidate = claims_candidate(in, held, &claims);
    *ret_claims = claims;
}

void claims_collect(const struct writer_input *in, const struct verdict *held,
                    struct claims *ret_claims)
{
    claims_collect_without(in, held, MEMBER_NONE, ret_claims);
}
