/* SPDX-License-Identifier: Apache-2.0
 *
 * moves.c - see moves.h. The conditions of W11, each a function.
 */
#include "config.h"

#include "agent/decide/bluegreen.h"
#include "agent/decide/claims.h"
#include "agent/decide/moves.h"

static bool bit(uint32_t mask, uint32_t member)
{
    return (mask >> member & 1) != 0;
}

static const struct report *said_at(const struct topo *t, uint32_t place)
{
    return &t->at[PLACE_VOICE(place)].last;
}

/* A present answer: W1 for claims, the same for readers. One whose question is late may be over. */
static bool speaks(const struct writer_input *in, uint32_t voice)
{
    return topo_live(in->topo, voice, in->conf->timeout_ms, in->now_ms) &&
           !in->topo->at[voice].late;
}

/* A running server that another member already is. */
static bool is_another_member(const struct topo *t, uint32_t place)
{
    for (uint32_t m = 0; m < t->members; m++)
        if (m != t->places[place].member && topo_same_server(t, PLACE_VOICE(place), m))
            return true;
    return false;
}

/* The member's own server, answering at its own address, too. */
static bool is_alias(const struct writer_input *in, uint32_t place)
{
    uint32_t member = in->topo->places[place].member;

    return topo_same_server(in->topo, PLACE_VOICE(place), member) &&
           topo_live(in->topo, member, in->conf->timeout_ms, in->now_ms);
}

/* One data set, proven, and a running server that nobody has moved away from. Its time of start
 * orders nothing: only whether it was seen. */
static bool is_unseen(const struct writer_input *in, uint32_t place)
{
    const struct report *said = said_at(in->topo, place);

    return said->identity != 0 && said->identity == in->held->identity && said->incarnation != 0 &&
           !topo_was_shown(in->topo, said->incarnation);
}

/* W4a: what the server at the old address says of itself counts for nothing. */
static bool was_left_behind(const struct writer_input *in, uint32_t place)
{
    return bit(in->held->retired, in->topo->places[place].member);
}

/* Where a newer term began, all that was seen written has to be in it: a clone as of an earlier
 * time has a newer term, too. */
static bool lacks_something(const struct writer_input *in, uint32_t place, enum rank rank)
{
    const struct report *said = said_at(in->topo, place);

    return rank == RANK_BEHIND ||
           (rank == RANK_NEWER && (said->branch == 0 || said->branch < in->held->position));
}

/* The member is not at its old address any more; somebody else may be. */
static bool is_gone(const struct writer_input *in, uint32_t member)
{
    const struct topo_member *m = &in->topo->at[member];

    return topo_gone(in->topo, member) ||
           (m->answered && m->last.identity != 0 && m->last.identity != in->held->identity);
}

/* Of this data set, as good as what is held or better, and by another server. */
static bool competes(const struct writer_input *in, uint32_t voice, uint32_t place)
{
    return voice != PLACE_VOICE(place) &&
           topo_claims(in->topo, voice, in->conf->timeout_ms, in->now_ms) &&
           !topo_same_server(in->topo, voice, PLACE_VOICE(place)) &&
           claim_rank(in->topo, in->held, voice) != RANK_OLDER;
}

/* Whether anybody else claims: at another address of this name or another one, or as a member. */
static bool is_contested(const struct writer_input *in, uint32_t place)
{
    const struct topo *t = in->topo;

    for (uint32_t m = 0; m < t->members; m++)
        if (competes(in, m, place) && !(m == t->places[place].member && is_gone(in, m)))
            return true;
    for (uint32_t p = 0; p < PLACES_MAX; p++)
        if (t->places[p].kind != PLACE_FREE && competes(in, PLACE_VOICE(p), place))
            return true;
    return false;
}

/* What only time can bring: the old address is gone, and DNS stands by its word. */
static bool is_settled(const struct writer_input *in, uint32_t place)
{
    const struct topo_place *at = &in->topo->places[place];

    return at->named && (is_gone(in, at->member) || (at->abandoned && was_left_behind(in, place)));
}

/* Why a claim can never become the member's by itself, or REASON_NONE. */
static enum reason refuse(const struct writer_input *in, uint32_t place)
{
    const struct topo_place *at = &in->topo->places[place];
    enum rank rank = claim_rank(in->topo, in->held, PLACE_VOICE(place));

    if (rank == RANK_FOREIGN)
        return REASON_OTHER_IDENTITY;
    if (bit(in->conf->no_failover, at->member))
        return REASON_NO_FAILOVER;
    if (lacks_something(in, place, rank))
        return REASON_BEHIND;
    if (at->kind != PLACE_CANDIDATE || !is_unseen(in, place) ||
        verdict_is_unyielding(in->held, said_at(in->topo, place)->incarnation))
        return REASON_OTHER_ADDRESS;
    return REASON_NONE;
}

uint64_t moves_deadline_ms(const struct decision_conf *conf, const struct topo_place *place)
{
    /* `timeout` for the further question, as long again for DNS to be asked twice. */
    return place->claim_ms + UINT64_C(2) * conf->timeout_ms;
}

static enum move judge_claim(const struct writer_input *in, uint32_t place, enum reason *ret_reason)
{
    const struct topo_place *at = &in->topo->places[place];

    if (claim_rank(in->topo, in->held, PLACE_VOICE(place)) == RANK_OLDER)
        return MOVE_STALE;
    *ret_reason = refuse(in, place);
    if (*ret_reason != REASON_NONE)
        return MOVE_RIVAL;
    *ret_reason = is_contested(in, place) ? REASON_TWO_CLAIMS : REASON_OTHER_ADDRESS;
    if (is_settled(in, place) && *ret_reason != REASON_TWO_CLAIMS && !in->held->frozen)
        return MOVE_GOOD;
    return in->now_ms < moves_deadline_ms(in->conf, at) ? MOVE_WAITS : MOVE_RIVAL;
}

/* A reader moves if its old address is gone, or was left by DNS long ago. The writer does not move
 * as a reader: that a copy of it is in recovery elsewhere says nothing about the writer. */
static enum move judge_reader(const struct writer_input *in, uint32_t place)
{
    const struct topo_place *at = &in->topo->places[place];
    bool old_is_reader = in->topo->at[at->member].last.role == ROLE_READER;

    if (at->kind != PLACE_CANDIDATE || at->member == in->held->writer || !is_unseen(in, place) ||
        bluegreen_is_behind(in->topo, in->held, PLACE_VOICE(place)))
        return MOVE_NOTHING;
    if (!is_settled(in, place) && !(at->named && at->abandoned && old_is_reader))
        return MOVE_WAITS;
    return MOVE_GOOD;
}

enum move moves_judge(const struct writer_input *in, uint32_t place, enum reason *ret_reason)
{
    const struct topo *t = in->topo;

    *ret_reason = REASON_NONE;
    if (t->places[place].kind == PLACE_FREE || !verdict_holds(in->held) ||
        !speaks(in, PLACE_VOICE(place)) || is_another_member(t, place) || is_alias(in, place))
        return MOVE_NOTHING;
    if (said_at(t, place)->role == ROLE_WRITER)
        return judge_claim(in, place, ret_reason);
    return judge_reader(in, place);
}

uint32_t moves_find(const struct writer_input *in)
{
    enum reason reason;

    for (uint32_t p = 0; p < PLACES_MAX; p++)
        if (moves_judge(in, p, &reason) == MOVE_GOOD)
            return p;
    return MEMBER_NONE;
}

void moves_collect(const struct writer_input *in, struct moves_claims *ret_claims)
{
    struct moves_claims claims = {.rival = MEMBER_NONE};
    enum reason reason;

    for (uint32_t p = 0; p < PLACES_MAX; p++) {
        enum move move = moves_judge(in, p, &reason);
        if (move == MOVE_STALE)
            claims.stale |= UINT32_C(1) << p;
        if (move == MOVE_RIVAL || (move == MOVE_WAITS && said_at(in->topo, p)->role == ROLE_WRITER))
            claims.unsettling |= claim_rank(in->topo, in->held, PLACE_VOICE(p)) != RANK_BEHIND;
        if (move == MOVE_RIVAL && claims.rival == MEMBER_NONE) {
            claims.rival = p;
            claims.reason = reason;
        }
    }
    *ret_claims = claims;
}
