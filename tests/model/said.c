/* SPDX-License-Identifier: Apache-2.0
 *
 * said.c - see said.h.
 */
#include "config.h"

#include "tests/model/said.h"

bool said_bit(uint32_t mask, uint32_t member)
{
    return (mask >> member & 1) != 0;
}

bool said_is_left(uint32_t voice)
{
    return voice >= LEFT(0);
}

uint32_t said_owner(uint32_t voice)
{
    return said_is_left(voice) ? voice - LEFT(0) : voice - CANDIDATE(0);
}

uint32_t said_place(uint32_t voice)
{
    return 2 * said_owner(voice) + said_is_left(voice);
}

const struct witness_member *said_by(const struct world *w, uint32_t voice)
{
    return voice < HOMING_MEMBERS_MAX ? &w->w.at[voice] : &w->w.places[said_place(voice)].is;
}

bool said_answers_now(const struct world *w, uint32_t voice)
{
    const struct witness_member *m = said_by(w, voice);
    uint32_t pause_ms = said_is_left(voice) ? w->c.topo.left_pause_ms : 0;

    return m->connected && w->now_ms < m->said_ms + w->c.conf.timeout_ms + pause_ms;
}

bool said_claims_now(const struct world *w, uint32_t voice)
{
    return said_answers_now(w, voice) && said_by(w, voice)->said.role == ROLE_WRITER &&
           !said_by(w, voice)->outdated;
}

bool said_one_server(const struct world *w, uint32_t a, uint32_t b)
{
    const struct report *x = &said_by(w, a)->said, *y = &said_by(w, b)->said;
    return a == b ||
           (x->incarnation != 0 && x->incarnation == y->incarnation && x->identity == y->identity);
}

bool said_of_this_set(const struct world *w, uint32_t member, const struct verdict *v)
{
    return said_by(w, member)->said.identity == v->identity;
}

uint64_t said_term(const struct world *w, uint32_t member)
{
    return said_by(w, member)->said.term.lo;
}
