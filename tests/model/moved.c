/* SPDX-License-Identifier: Apache-2.0
 *
 * moved.c - see moved.h.
 */
#include "config.h"

#include <stddef.h>

#include "tests/model/moved.h"
#include "tests/model/said.h"

const uint32_t moved_places[MODEL_PLACES] = {CANDIDATE(0), LEFT(0), CANDIDATE(1), LEFT(1)};

uint32_t witness_bit(uint64_t incarnation)
{
    return incarnation == 0          ? 0
           : incarnation >= MOVED_TO ? 8u << (incarnation - MOVED_TO)
                                     : 1u << (incarnation - 100);
}

/* Whether the server there is another member, or the member itself that also answers as itself. */
static bool is_somebody(const struct world *w, uint32_t voice)
{
    uint32_t owner = said_owner(voice);

    for (uint32_t m = 0; m < w->c.conf.members; m++)
        if (said_one_server(w, voice, m) && (m != owner || said_answers_now(w, m)))
            return true;
    return false;
}

/* Presently, and for itself. */
bool moved_place_claims(const struct world *w, uint32_t voice)
{
    return said_claims_now(w, voice) && !said_by(w, voice)->late && !is_somebody(w, voice);
}

/* The claim of another server than the one at `voice` that is as good as what is held or better, or
 * that cannot be compared. */
static bool competes(const struct world *w, uint32_t other, uint32_t voice, const struct verdict *v)
{
    bool old = said_of_this_set(w, other, v) ? said_term(w, other) < v->term.lo
                                             : said_by(w, other)->said.identity == v->discarded;

    return other != voice && said_claims_now(w, other) && !said_one_server(w, other, voice) && !old;
}

static bool is_gone(const struct world *w, uint32_t member, const struct verdict *v)
{
    const struct witness_member *m = said_by(w, member);

    return m->gone || (m->said.identity != 0 && m->said.identity != v->identity);
}

static bool contested_place(const struct world *w, uint32_t voice, const struct verdict *v)
{
    bool any = false;

    for (uint32_t m = 0; m < w->c.conf.members; m++)
        any |= competes(w, m, voice, v) && !(m == said_owner(voice) && is_gone(w, m, v));
    for (uint32_t p = 0; p < MODEL_PLACES; p++)
        any |= competes(w, moved_places[p], voice, v);
    return any;
}

/* Lacks something that was seen of this term, or the term before. */
static bool place_lacks(const struct world *w, uint32_t voice, const struct verdict *v,
                        uint64_t seen)
{
    const struct witness_member *c = said_by(w, voice);

    return c->said.term.lo == v->term.lo ? c->short_of || c->said.position < seen
                                         : c->said.branch < v->position;
}

/* Why what is said at its candidate is not the member's own word; NULL: it is. */
static const char *not_its_own(const struct world *w, uint32_t member, const struct verdict *v,
                               uint64_t seen)
{
    uint32_t voice = CANDIDATE(member);
    const struct witness_member *c = said_by(w, voice);
    bool claim = c->said.role == ROLE_WRITER;

    if (!said_answers_now(w, voice) || c->late)
        return "W11: who does not answer is not moved to";
    if (c->said.identity != v->identity)
        return "W11: another data set is not moved to";
    if (is_somebody(w, voice))
        return "W11: a server that a member already is is not moved to";
    if (w->w.left & witness_bit(c->said.incarnation))
        return "W11: a server that was left is not moved to";
    if (!w->w.places[said_place(voice)].named)
        return "W11: DNS has to say so twice";
    if (!is_gone(w, member, v))
        return "W11: a member that is not gone does not move";
    if (claim && c->said.term.lo < v->term.lo)
        return "W11: an older term is not moved to";
    if (claim && place_lacks(w, voice, v, seen))
        return "W11: what lacks something is not moved to";
    if (claim && contested_place(w, voice, v))
        return "W11: of two claims none is moved to";
    if (claim && said_bit(w->c.conf.no_failover, member))
        return "W11: a member without failover moves as a reader only";
    if (claim && v->frozen)
        return "W10: a frozen writer stays";
    if (!claim && v->writer == member)
        return "W11: the writer does not move as a reader";
    return verdict_holds(v) ? NULL : "W11: nothing is held to judge by";
}

const char *rules_check_moved(const struct world *w, const struct step *step,
                              const struct outcome *o)
{
    struct verdict before = step->kind == STEP_ACCEPT ? w->c.verdict : o->before;

    before.frozen = before.frozen && step->kind != STEP_UNFREEZE;
    if (o->actions.moved >= MODEL_MOVERS ||
        PLACE_VOICE(o->actions.moved_place) != CANDIDATE(o->actions.moved))
        return "W11: the member that is named moves to where it is named";
    return not_its_own(w, o->actions.moved, &before, o->seen_position);
}

/* W11, the other way round: a writer that is at another address for certain is followed. */
const char *moved_check_followed(const struct world *w, const struct outcome *o)
{
    const struct verdict *v = &w->c.verdict;

    if (o->actions.moved != MEMBER_NONE || v->writer >= MODEL_MOVERS ||
        !w->w.places[said_place(CANDIDATE(v->writer))].there)
        return NULL;
    return not_its_own(w, v->writer, v, w->w.seen_position)
               ? NULL
               : "W11: a member that is at another address for certain is followed";
}

/* Whether a claim at a place is to be called out now: time brings nothing more. */
bool moved_is_rival(const struct world *w, uint32_t voice)
{
    const struct verdict *v = &w->c.verdict;
    const struct witness_place *p = &w->w.places[said_place(voice)];

    if (!moved_place_claims(w, voice))
        return false;
    if (!said_of_this_set(w, voice, v))
        return p->is.said.identity != v->discarded;
    if (said_term(w, voice) < v->term.lo)
        return false;
    return said_is_left(voice) || (w->w.left & witness_bit(p->is.said.incarnation)) ||
           place_lacks(w, voice, v, w->w.seen_position) ||
           w->now_ms >= p->claims_since_ms + 2 * w->c.conf.timeout_ms;
}

/* W9: others do not confirm a writer while this is claimed. */
bool moved_unsettles(const struct world *w, const struct verdict *v)
{
    for (uint32_t p = 0; p < MODEL_PLACES; p++) {
        const struct report *said = &said_by(w, moved_places[p])->said;
        bool behind = said_by(w, moved_places[p])->short_of || said->position < w->w.seen_position;
        if (!moved_place_claims(w, moved_places[p]))
            continue;
        if (said_of_this_set(w, moved_places[p], v)
                ? said->term.lo > v->term.lo || (said->term.lo == v->term.lo && !behind)
                : said->identity != v->discarded)
            return true;
    }
    return false;
}

/* Whether a place claims for this data set, on the term that is held or a newer one. */
bool moved_competes(const struct world *w, uint32_t member, const struct verdict *v)
{
    for (uint32_t p = 0; p < MODEL_PLACES; p++)
        if (said_claims_now(w, moved_places[p]) && !said_one_server(w, moved_places[p], member) &&
            said_of_this_set(w, moved_places[p], v) && said_term(w, moved_places[p]) >= v->term.lo)
            return true;
    return false;
}
