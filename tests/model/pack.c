/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c - writes or reads the same sequence of fields: one list for both ways, so that they cannot
 * disagree. What is not on the list is the same in all merged states, or follows from what is.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/model/merge.h"
#include "tests/model/moved.h"
#include "tests/model/pack.h"
#include "tests/model/said.h"

#define TIME_BITS  11
#define TIME_NEVER 2047u
#define TIME_FAR   2046u

struct tape {
    struct packed *packed;
    uint32_t at; /* bit */
    bool reading;
    uint64_t now_ms;
    const struct domain *domain;
};

/* Values are at most 16 bits wide. By whole aligned words, because this is where a walk spends most
 * of its time. */
static void tape_bits(struct tape *t, uint32_t width, uint64_t *value)
{
    uint64_t *word = &t->packed->words[t->at / 64];
    uint32_t from = t->at % 64;
    bool split = from + width > 64;

    t->at += width;
    if (t->at > PACKED_MAX * 8 || (!t->reading && *value >> width != 0))
        abort();
    if (!t->reading) {
        word[0] |= *value << from;
        if (split)
            word[1] |= *value >> (64 - from);
        return;
    }
    *value = word[0] >> from;
    if (split)
        *value |= word[1] << (64 - from);
    *value &= (UINT64_C(1) << width) - 1;
}

#define TAPE(t, width, field)                                                                      \
    do {                                                                                           \
        uint64_t number = (uint64_t)(field);                                                       \
        tape_bits(t, width, &number);                                                              \
        (field) = number;                                                                          \
    } while (0)

static void tape_member_number(struct tape *t, uint32_t *member)
{
    uint64_t number = *member == MEMBER_NONE         ? MODEL_MAX
                      : *member < HOMING_MEMBERS_MAX ? *member
                                                     : MODEL_MAX + 1 + said_place(*member);
    tape_bits(t, 3, &number);
    *member = number == MODEL_MAX  ? MEMBER_NONE
              : number > MODEL_MAX ? moved_places[number - MODEL_MAX - 1]
                                   : (uint32_t)number;
}

static void tape_past(struct tape *t, uint64_t *time_ms)
{
    uint64_t age_ms = *time_ms == 0 ? TIME_NEVER : t->now_ms - *time_ms;
    tape_bits(t, TIME_BITS, &age_ms);
    *time_ms = age_ms == TIME_NEVER ? 0 : t->now_ms - age_ms;
}

static void tape_future(struct tape *t, uint64_t *time_ms)
{
    uint64_t ahead_ms = *time_ms == 0                          ? TIME_NEVER
                        : *time_ms == t->now_ms + MERGE_FAR_MS ? TIME_FAR
                                                               : *time_ms - t->now_ms;
    tape_bits(t, TIME_BITS, &ahead_ms);
    *time_ms = ahead_ms == TIME_NEVER ? 0
               : ahead_ms == TIME_FAR ? t->now_ms + MERGE_FAR_MS
                                      : t->now_ms + ahead_ms;
}

/* Never, now, or half of the ten minutes ago. */
static void tape_minutes(struct tape *t, uint64_t *time_ms)
{
    uint64_t code = *time_ms == 0 ? 0 : *time_ms == t->now_ms ? 1 : 2;
    tape_bits(t, 2, &code);
    *time_ms = code == 0 ? 0 : code == 1 ? t->now_ms : t->now_ms - QUIET_MS / 2;
}

static void tape_report(struct tape *t, struct report *r)
{
    uint64_t incarnation = r->incarnation == 0          ? 0
                           : r->incarnation >= MOVED_TO ? 4 + r->incarnation - MOVED_TO
                                                        : r->incarnation - 99;

    TAPE(t, 2, r->role);
    TAPE(t, 4, r->term.lo);
    TAPE(t, 2, r->identity);
    TAPE(t, 3, r->position);
    tape_bits(t, 3, &incarnation);
    r->incarnation = incarnation == 0   ? 0
                     : incarnation >= 4 ? MOVED_TO + incarnation - 4
                                        : incarnation + 99;
    if (t->domain->moves)
        TAPE(t, 3, r->branch);
    if (t->domain->fenced)
        TAPE(t, 1, r->fenced);
    if (t->domain->old_questions)
        tape_past(t, &r->asked_ms);
}

static void tape_member(struct tape *t, struct topo_member *m)
{
    tape_report(t, &m->last);
    TAPE(t, 1, m->heard);
    TAPE(t, 1, m->answered);
    TAPE(t, 1, m->standing);
    TAPE(t, 1, m->late);
    TAPE(t, 1, m->behind);
    if (t->domain->fenced)
        TAPE(t, 1, m->outdated);
    TAPE(t, 2, m->good_answers);
    tape_past(t, &m->answered_ms);
}

static void tape_witness_member(struct tape *t, struct witness_member *m)
{
    tape_report(t, &m->said);
    TAPE(t, 1, m->heard);
    TAPE(t, 1, m->connected);
    TAPE(t, 1, m->late);
    TAPE(t, 1, m->short_of);
    if (t->domain->fenced) {
        TAPE(t, 1, m->outdated);
        TAPE(t, 1, m->unyielding);
    }
    tape_past(t, &m->said_ms);
}

static void tape_fenced_places(struct tape *t, struct verdict *v)
{
    uint32_t movers = (1u << MODEL_MOVERS) - 1;
    uint64_t candidates = v->fenced_places & movers,
             left = v->fenced_places >> PLACE_CANDIDATES_MAX & movers;

    tape_bits(t, MODEL_MOVERS, &candidates);
    tape_bits(t, MODEL_MOVERS, &left);
    v->fenced_places = (uint32_t)(candidates | left << PLACE_CANDIDATES_MAX);
}

/* W3a: the order in which they were noted says nothing: there is room for all. */
static void tape_unyielding(struct tape *t, struct verdict *v)
{
    uint64_t mask = 0;

    for (uint32_t m = 0; m < MODEL_MAX; m++)
        mask |= (uint64_t)verdict_is_unyielding(v, 100 + m) << m;
    tape_bits(t, MODEL_MAX, &mask);
    memset(v->unyielding, 0, sizeof(v->unyielding));
    for (uint32_t m = 0; m < MODEL_MAX; m++)
        if (mask >> m & 1)
            verdict_note_unyielding(v, 100 + m);
}

static void tape_verdict(struct tape *t, struct verdict *v)
{
    TAPE(t, 3, v->state);
    TAPE(t, 5, v->reason);
    tape_member_number(t, &v->writer);
    tape_member_number(t, &v->rival);
    TAPE(t, MODEL_MAX, v->demoted);
    TAPE(t, MODEL_MAX, v->readers);
    TAPE(t, 1, v->braked);
    TAPE(t, 1, v->frozen);
    TAPE(t, 2, v->identity);
    TAPE(t, 2, v->discarded);
    TAPE(t, 4, v->term.lo);
    TAPE(t, 3, v->position);
    TAPE(t, MODEL_MAX, v->fenced);
    if (t->domain->fenced)
        tape_unyielding(t, v);
    if (t->domain->moves)
        tape_fenced_places(t, v);
    tape_past(t, &v->confirmed_ms);
}

static void tape_cluster(struct tape *t, struct decision *c)
{
    tape_past(t, &c->asked_again_ms);
    tape_past(t, &c->reaffirmed_ms);
    tape_past(t, &c->last_call_ms);
    tape_future(t, &c->fast_until_ms);
    tape_future(t, &c->wake_ms);
    TAPE(t, 1, c->pace);
    TAPE(t, ALARM_COUNT, c->alarms);
}

static void tape_witness(struct tape *t, struct witness *w)
{
    tape_past(t, &w->asked_ms);
    tape_past(t, &w->reaffirmed_ms);
    tape_past(t, &w->evidence_ms);
    TAPE(t, 3, w->seen_position);
    TAPE(t, ALARM_COUNT, w->alarms);
}

static void tape_brakes(struct tape *t, struct world *w)
{
    for (uint32_t i = 0; i <= t->domain->max_switches; i++) {
        tape_minutes(t, &w->c.brake.at_ms[SWITCHES_LIMIT - 1 - i]);
        tape_minutes(t, &w->w.switched_ms[i]);
    }
    tape_minutes(t, &w->c.brake.last_ms);
    tape_minutes(t, &w->w.unquiet_ms);
    TAPE(t, 1, w->w.braked);
}

/* Where a place is, and what the decision and the witness know of it. */
static void tape_place(struct tape *t, struct world *w, uint32_t voice)
{
    struct topo_place *place = &w->c.topo.places[voice - HOMING_MEMBERS_MAX];
    struct witness_place *seen = &w->w.places[said_place(voice)];
    enum place_kind kind = said_is_left(voice) ? PLACE_LEFT : PLACE_CANDIDATE;

    TAPE(t, 1, seen->there);
    TAPE(t, 1, seen->named);
    place->kind = seen->there ? kind : PLACE_FREE;
    place->member = seen->there ? said_owner(voice) : 0;
    place->named = seen->named;
    tape_past(t, &place->claim_ms);
    tape_past(t, &seen->claims_since_ms);
    tape_member(t, &w->c.topo.at[voice]);
    tape_witness_member(t, &seen->is);
    if (w->c.topo.at[voice].answered)
        w->c.topo.at[voice].last.member = seen->is.said.member = voice;
}

/* The order in which incarnations were left says nothing. */
static void tape_left(struct tape *t, struct world *w)
{
    static const uint64_t incarnations[] = {100, 101, 102, MOVED_TO, MOVED_TO + 1};
    const uint32_t count = sizeof(incarnations) / sizeof(incarnations[0]);
    struct topo *topo = &w->c.topo;
    uint64_t shown = 0;

    for (uint32_t i = 0; i < count; i++)
        shown |= (uint64_t)topo_was_shown(topo, incarnations[i]) << i;
    TAPE(t, 5, shown);
    TAPE(t, 5, w->w.left);
    memset(topo->shown, 0, sizeof(topo->shown));
    topo->shown_next = 0;
    for (uint32_t i = 0; i < count; i++)
        if (shown >> i & 1)
            topo_note_shown(topo, incarnations[i]);
}

static void tape_moves(struct tape *t, struct world *w)
{
    for (uint32_t m = 0; m < t->domain->members; m++) {
        TAPE(t, 2, w->c.topo.at[m].unanswered);
        TAPE(t, 1, w->w.at[m].gone);
        TAPE(t, 1, w->w.at[m].unanswered);
    }
    for (uint32_t p = 0; p < (t->domain->swaps ? MODEL_PLACES : 2); p++)
        tape_place(t, w, moved_places[p]);
    tape_left(t, w);
}

static void tape_world(struct tape *t, struct world *w)
{
    for (uint32_t m = 0; m < t->domain->members; m++) {
        tape_member(t, &w->c.topo.at[m]);
        tape_witness_member(t, &w->w.at[m]);
    }
    tape_verdict(t, &w->c.verdict);
    tape_cluster(t, &w->c);
    tape_witness(t, &w->w);
    if (t->domain->max_switches != 0)
        tape_brakes(t, w);
    if (t->domain->moves)
        tape_moves(t, w);
    if (t->domain->restarts) {
        tape_past(t, &w->disk.confirmed_ms);
        TAPE(t, 3, w->disk.position);
    }
}

/* Returns how many bits. Writing changes nothing in the world. */
static uint32_t pack_merged(struct world *w, const struct domain *d, struct packed *ret_packed)
{
    struct tape t = {.packed = ret_packed, .now_ms = w->now_ms, .domain = d};

    memset(ret_packed, 0, sizeof(*ret_packed));
    tape_world(&t, w);
    return t.at;
}

uint32_t pack_size(const struct domain *d)
{
    struct packed packed;
    struct world w;

    world_start(&w, d);
    merge_world(&w, d);
    return (pack_merged(&w, d, &packed) + 7) / 8;
}

/* The smallest of all names for the same state. */
static void pack_renamed(const struct world *w, const struct domain *d, struct packed *packed)
{
    static const uint32_t orders[5][MODEL_MAX] = {
        {1, 0, 2}, {0, 2, 1}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    uint32_t count = d->members == 2 ? 1 : 5;
    struct packed other;
    struct world renamed;

    for (uint32_t i = 0; i < count; i++) {
        merge_rename(w, d, orders[i], &renamed);
        pack_merged(&renamed, d, &other);
        if (memcmp(&other, packed, sizeof(other)) < 0)
            *packed = other;
    }
}

void pack_world(const struct world *w, const struct domain *d, struct packed *ret_packed)
{
    struct world merged;

    world_copy(w, &merged);
    merge_world(&merged, d);
    pack_merged(&merged, d, ret_packed);
    if (merge_symmetric(d))
        pack_renamed(&merged, d, ret_packed);
}

void pack_restore(const struct packed *packed, const struct domain *d, struct world *ret_world)
{
    struct packed copy = *packed;
    struct tape t = {.packed = &copy, .reading = true, .now_ms = START_MS, .domain = d};
    struct world *w = ret_world;

    world_start(w, d);
    tape_world(&t, w);
    w->c.persisted_ms = START_MS;
    w->c.first_round_done = topo_all_heard(&w->c.topo);
    for (uint32_t m = 0; m < d->members; m++)
        w->c.topo.at[m].last.member = w->w.at[m].said.member = m;
    struct verdict disk = w->disk;
    w->disk = w->c.verdict;
    w->disk.confirmed_ms = disk.confirmed_ms;
    w->disk.position = disk.position;
}
