/* SPDX-License-Identifier: Apache-2.0
 *
 * topo.c - notes what members say; which claims are live (W1); aliases.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/topo.h"

void topo_init_member(struct topo_member *m)
{
    memset(m, 0, sizeof(*m));
    /* One good answer short of serving: at the start there is no failure to recover from. */
    m->good_answers = READER_GOOD_ANSWERS - 1;
}

void topo_init(struct topo *t, uint32_t members)
{
    memset(t, 0, sizeof(*t));
    t->members = members;
    t->left_pause_ms = PLACE_LEFT_PAUSE_MAX_MS;
    for (uint32_t v = 0; v < TOPO_VOICES_MAX; v++)
        topo_init_member(&t->at[v]);
}

/* Whether it is still the same claim. A lost connection or a restart does not end a claim, if the
 * next answer says the same. */
static bool claim_continues(const struct report *before, const struct report *after)
{
    return before->role == after->role && before->identity == after->identity &&
           before->self == after->self && term_compare(before->term, after->term) == 0;
}

/* A question cannot have been sent later than now. With such a time, all answers that follow would
 * be taken for replays. */
static uint64_t asked_ms(const struct report *report, uint64_t now_ms)
{
    return report->asked_ms < now_ms ? report->asked_ms : now_ms;
}

static void member_answer(struct topo_member *m, const struct report *report, uint64_t now_ms)
{
    if (m->answered && !claim_continues(&m->last, report))
        m->behind = false;
    m->last = *report;
    m->last.asked_ms = asked_ms(report, now_ms);
    m->answered = true;
    m->standing = true;
    m->late = m->outdated = false;
    m->unanswered = 0;
    m->answered_ms = now_ms;
}

/* Its connection does not stand any more. If it was this end that gave up waiting, one further
 * question has to be unanswered, too. */
static void member_gone(struct topo_member *m, enum report_kind kind)
{
    m->standing = false;
    m->late = false;
    if (kind != REPORT_TIMEOUT)
        m->unanswered = TOPO_GONE;
    else if (m->unanswered < TOPO_GONE)
        m->unanswered++;
}

static bool voice_exists(const struct topo *t, uint32_t voice)
{
    return voice < t->members || (voice >= HOMING_MEMBERS_MAX && voice < TOPO_VOICES_MAX &&
                                  t->places[voice - HOMING_MEMBERS_MAX].kind != PLACE_FREE);
}

/* Since when the place has claimed without a break. */
static void place_note(struct topo *t, uint32_t voice, uint64_t now_ms)
{
    const struct topo_member *m = &t->at[voice];

    if (voice < HOMING_MEMBERS_MAX)
        return;
    struct topo_place *place = &t->places[voice - HOMING_MEMBERS_MAX];
    if (!m->standing || m->last.role != ROLE_WRITER)
        place->claim_ms = 0;
    else if (place->claim_ms == 0)
        place->claim_ms = now_ms;
}

bool topo_takes(const struct topo *t, const struct report *report, uint64_t now_ms)
{
    if (!voice_exists(t, report->member) || (unsigned)report->kind >= REPORT_KIND_COUNT)
        return false;
    const struct topo_member *m = &t->at[report->member];

    return report->kind != REPORT_ANSWER || asked_ms(report, now_ms) >= m->last.asked_ms;
}

bool topo_note(struct topo *t, const struct report *report, uint64_t now_ms)
{
    if (!topo_takes(t, report, now_ms))
        return false;
    struct topo_member *m = &t->at[report->member];

    if (report->kind == REPORT_ANSWER) {
        member_answer(m, report, now_ms);
    } else if (report->kind == REPORT_LATE) {
        m->late = true;
    } else {
        member_gone(m, report->kind);
    }
    place_note(t, report->member, now_ms);
    if (m->kind != report->kind || m->changed_ms == 0)
        m->changed_ms = now_ms;
    m->kind = report->kind;
    m->heard = m->heard || report->kind != REPORT_LATE;
    return true;
}

static bool voice_is_left(const struct topo *t, uint32_t voice)
{
    return voice >= HOMING_MEMBERS_MAX && t->places[voice - HOMING_MEMBERS_MAX].kind == PLACE_LEFT;
}

uint64_t topo_lives_until(const struct topo *t, uint32_t member, uint32_t timeout_ms)
{
    return t->at[member].answered_ms +
           (voice_is_left(t, member) ? t->left_pause_ms + timeout_ms : timeout_ms);
}

bool topo_live(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms)
{
    return t->at[member].standing && now_ms < topo_lives_until(t, member, timeout_ms);
}

bool topo_claims(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms)
{
    return topo_live(t, member, timeout_ms, now_ms) && t->at[member].last.role == ROLE_WRITER &&
           !t->at[member].outdated;
}

bool topo_same_server(const struct topo *t, uint32_t a, uint32_t b)
{
    const struct report *x = &t->at[a].last, *y = &t->at[b].last;

    return a == b ||
           (x->incarnation != 0 && x->incarnation == y->incarnation && x->identity == y->identity);
}

uint32_t topo_aliases(const struct topo *t, uint32_t member)
{
    uint32_t mask = 0;
    for (uint32_t m = 0; m < t->members; m++)
        if (topo_same_server(t, member, m))
            mask |= UINT32_C(1) << m;
    return mask;
}

bool topo_all_heard(const struct topo *t)
{
    for (uint32_t m = 0; m < t->members; m++)
        if (!t->at[m].heard)
            return false;
    return true;
}

bool topo_awaits(const struct topo *t)
{
    for (uint32_t m = 0; m < t->members; m++)
        if (!t->at[m].heard && !t->at[m].joined)
            return true;
    return false;
}

bool topo_set_place(struct topo *t, uint32_t place, const struct topo_place *set)
{
    if (place >= PLACES_MAX || (set->kind != PLACE_FREE && set->member >= t->members))
        return false;
    struct topo_place *at = &t->places[place];

    if (set->kind == PLACE_FREE || at->kind != set->kind || at->member != set->member) {
        *at = (struct topo_place){.kind = set->kind, .member = set->member};
        topo_init_member(&t->at[PLACE_VOICE(place)]);
    }
    at->named = set->named;
    at->abandoned = set->abandoned;
    at->behind = set->behind;
    return true;
}

void topo_note_shown(struct topo *t, uint64_t incarnation)
{
    if (incarnation == 0 || topo_was_shown(t, incarnation))
        return;
    t->shown[t->shown_next] = incarnation;
    t->shown_next = (t->shown_next + 1) % TOPO_SHOWN_MAX;
}

bool topo_was_shown(const struct topo *t, uint64_t incarnation)
{
    for (uint32_t i = 0; i < TOPO_SHOWN_MAX; i++)
        if (t->shown[i] == incarnation)
            return true;
    return false;
}

uint64_t topo_incarnation(const struct topo *t, uint32_t member)
{
    uint64_t incarnation = t->at[member].last.incarnation;

    return incarnation != 0 ? incarnation : t->known[member];
}

void topo_move(struct topo *t, uint32_t place)
{
    uint32_t member = t->places[place].member;

    if (topo_incarnation(t, member) != t->at[PLACE_VOICE(place)].last.incarnation)
        topo_note_shown(t, topo_incarnation(t, member));
    t->at[member] = t->at[PLACE_VOICE(place)];
    t->at[member].last.member = member;
    topo_set_place(t, place, &(struct topo_place){.kind = PLACE_FREE});
}

bool topo_gone(const struct topo *t, uint32_t member)
{
    return t->at[member].unanswered >= TOPO_GONE;
}
