/* SPDX-License-Identifier: Apache-2.0
 *
 * places.c - W11: which addresses are asked beside the members' own. Called by probe.c only.
 *
 * One pass: a member that is known at one address falls ill, and its name is asked for again and
 * again. Each other address that DNS names becomes a candidate, and has a session of its own. When
 * the member answers again, its candidates are dropped; when it moves to one of them, the address
 * that it moved from becomes a left one, which is asked for a day.
 *
 * 1. A member is known at the one address at which it was connected last. DNS only says whom to
 *    ask; it takes that address away from nobody.
 * 2. The memory of a place outlives the call in which it becomes free: that may be a call of its
 *    own session.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/places.h"
#include "agent/probe/where.h"

enum {
    /* If DNS has named others for so long, they are asked although the member answers. Shorter: a
     * name that flickers costs sessions. Longer: a reader that moved is missed for longer. */
    ABANDONED_MS = 60000,
};

static void place_tell(const struct member *m)
{
    const struct probe_place known = {
        .kind = m->kind,
        .member = m->index,
        .address = m->where.at[0],
        .named = m->named_twice,
        .abandoned = m->abandoned,
        .left_ms = m->left_ms,
    };
    m->probe->sink.place(m->probe->sink.arg, m->place, &known);
}

static void place_free(struct member *m)
{
    struct probe *p = m->probe;
    static const struct probe_place FREE = {.kind = PLACE_FREE};
    member_close(m);
    m->state = MEMBER_UNRESOLVED;
    p->places[m->place] = NULL;
    m->next_dead = p->dead;
    p->dead = m;
    p->sink.place(p->sink.arg, m->place, &FREE);
}

static void bury(struct probe *p)
{
    while (p->dead) {
        struct member *m = p->dead;
        p->dead = m->next_dead;
        free(m);
    }
}

void places_done(struct probe *p)
{
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        if (p->places[i])
            member_close(p->places[i]);
        free(p->places[i]);
    }
    bury(p);
}

/* Out of memory: the address is not asked; the next answer of DNS tries again. */
static struct member *place_new(struct probe *p, uint32_t place, enum place_kind kind,
                                uint32_t member, const struct address *address)
{
    struct member *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->probe = p;
    m->conf = &p->cluster->members[member];
    m->index = member;
    m->kind = kind;
    m->place = place;
    m->backoff.random = (p->phase ^ (uint32_t)loop_now_ms(p->loop) ^ place << 16) | 1;
    m->where.at[0] = *address;
    m->where.count = m->askable = 1;
    member_begin(m, loop_now_ms(p->loop));
    p->places[place] = m;
    return m;
}

static bool is_at(const struct member *m, const struct inet_address *address)
{
    return inet_address_same(&m->where.at[0].inet, address);
}

/* W4a */
static bool is_behind(const struct probe *p, const struct inet_address *address)
{
    return p->sink.is_behind(p->sink.arg, address);
}

static struct member *place_find(const struct probe *p, enum place_kind kind, uint32_t member,
                                 const struct inet_address *address)
{
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct member *m = p->places[i];
        if (m && m->kind == kind && m->index == member && is_at(m, address))
            return m;
    }
    return NULL;
}

/* ---- left addresses ---- */

/* What a switchover left behind goes last: DNS may name it again, and it looks like the member. */
static bool goes_before(const struct member *m, const struct member *other)
{
    bool behind = is_behind(m->probe, &m->where.at[0].inet);

    if (behind != is_behind(m->probe, &other->where.at[0].inet))
        return !behind;
    return m->left_ms < other->left_ms;
}

/* The left address, of one member or of all, that is given up first: the oldest. */
static struct member *left_oldest(const struct probe *p, uint32_t member, bool of_all,
                                  uint32_t *ret_count)
{
    struct member *oldest = NULL;
    *ret_count = 0;
    for (uint32_t i = PLACE_CANDIDATES_MAX; i < PLACES_MAX; i++) {
        struct member *m = p->places[i];
        if (!m || (!of_all && m->index != member))
            continue;
        ++*ret_count;
        if (!oldest || goes_before(m, oldest))
            oldest = m;
    }
    return oldest;
}

static uint32_t left_slot(struct probe *p, uint32_t member)
{
    uint32_t count, slot = PLACE_CANDIDATES_MAX;
    struct member *oldest = left_oldest(p, member, false, &count);
    if (count >= PLACE_LEFT_OF_ONE_MAX)
        place_free(oldest);
    oldest = left_oldest(p, member, true, &count);
    if (count >= PLACE_LEFT_MAX)
        place_free(oldest);
    while (p->places[slot])
        slot++;
    return slot;
}

void places_leave(struct probe *p, uint32_t member, const struct address *address, uint64_t left_ms)
{
    if (!p->sink.place || member >= p->member_count ||
        place_find(p, PLACE_LEFT, member, &address->inet))
        return;
    struct member *m = place_new(p, left_slot(p, member), PLACE_LEFT, member, address);
    if (!m)
        return;
    m->left_ms = left_ms;
    if (address->inet.family == p->members[member].other.family)
        m->state = MEMBER_DENIED; /* nothing is asked over that family */
    place_tell(m);
    member_schedule(p);
}

/* A left address is forgotten when DNS names it again, but not one at which a server was left behind:
 * that may be an old answer. As long as DNS has named it all the time, as one of several, it is a left
 * one. */
static void left_named(struct member *m, const struct address_set *named)
{
    bool is_named = false;
    for (uint32_t i = 0; i < named->count; i++)
        is_named |= is_at(m, &named->at[i]);
    if (is_named && m->unnamed && !is_behind(m->probe, &m->where.at[0].inet))
        place_free(m);
    else if (!is_named)
        m->unnamed = true;
}

/* Whether the place is still worth being asked. If not, it is free now. */
static bool place_keep(struct member *m, uint64_t now)
{
    struct probe *p = m->probe;
    bool over = m->kind == PLACE_LEFT ? now >= m->left_ms + LEFT_FOR_MS
                                      : is_behind(p, &m->where.at[0].inet);
    if (!over && !p->sink.is_taken(p->sink.arg, m->index, &m->where.at[0].inet))
        return true;
    place_free(m);
    return false;
}

void places_turn(struct probe *p, uint64_t now)
{
    bury(p);
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct member *m = p->places[i];
        if (m && member_due(m) <= now && place_keep(m, now))
            member_turn(m, now);
    }
}

/* ---- candidates ---- */

static bool is_abandoned(const struct member *m, uint64_t now)
{
    return m->gone_ms != 0 && now - m->gone_ms >= ABANDONED_MS;
}

bool places_is_named(const struct member *m, const struct inet_address *address)
{
    for (uint32_t i = 0; i < m->named.count; i++)
        if (inet_address_same(&m->named.at[i], address))
            return true;
    return false;
}

static void candidates_drop(struct member *m, bool all)
{
    for (uint32_t i = 0; i < PLACE_CANDIDATES_MAX; i++) {
        struct member *c = m->probe->places[i];
        if (c && c->index == m->index && (all || !places_is_named(m, &c->where.at[0].inet)))
            place_free(c);
    }
}

static bool is_silent(const struct member *c)
{
    return c->full_ms == 0 && c->state != MEMBER_IDLE && c->state != MEMBER_ASKED;
}

/* If all are in use, a name with many addresses must not keep out the only one of another member: who
 * has the most gives one up, but none at which anybody answers. NULL: nobody has more than this member
 * would have. */
static struct member *candidate_to_spare(const struct probe *p, uint32_t member)
{
    uint32_t counts[HOMING_MEMBERS_MAX] = {0};
    struct member *spare = NULL;
    for (uint32_t i = 0; i < PLACE_CANDIDATES_MAX; i++)
        counts[p->places[i]->index]++;
    for (uint32_t i = 0; i < PLACE_CANDIDATES_MAX; i++) {
        struct member *c = p->places[i];
        if (is_silent(c) && counts[c->index] > counts[spare ? spare->index : member] + !spare)
            spare = c;
    }
    return spare;
}

/* PLACE_CANDIDATES_MAX: there is none for the member. */
static uint32_t candidate_slot(struct probe *p, uint32_t member)
{
    struct member *spare;
    uint32_t slot = 0;
    while (slot < PLACE_CANDIDATES_MAX && p->places[slot])
        slot++;
    if (slot < PLACE_CANDIDATES_MAX || !(spare = candidate_to_spare(p, member)))
        return slot;
    slot = spare->place;
    place_free(spare);
    return slot;
}

static void candidate_add(struct member *m, const struct address *address, uint64_t now)
{
    struct probe *p = m->probe;
    struct member *left = place_find(p, PLACE_LEFT, m->index, &address->inet), *c;
    if (is_behind(p, &address->inet))
        return;
    if (left)
        place_free(left);
    if (p->sink.is_taken(p->sink.arg, m->index, &address->inet))
        return;
    uint32_t slot = candidate_slot(p, m->index);
    if (slot == PLACE_CANDIDATES_MAX)
        return;
    c = place_new(p, slot, PLACE_CANDIDATE, m->index, address);
    if (!c)
        return;
    c->named_ms = m->named_ms;
    c->abandoned = is_abandoned(m, now);
    place_tell(c);
}

/* The address was named before, too. */
static void candidate_note(const struct member *m, struct member *c, uint64_t now)
{
    bool twice = m->named_ms - c->named_ms >= RESOLVE_AGAIN_MS, abandoned = is_abandoned(m, now);
    if (twice == c->named_twice && abandoned == c->abandoned)
        return;
    c->named_twice = twice;
    c->abandoned = abandoned;
    place_tell(c);
}

static bool wants_candidates(const struct member *m, uint64_t now)
{
    return m->probe->sink.place && member_is_known(m) && (m->ill || is_abandoned(m, now));
}

/* What is told of a candidate may make the member move: then it wants none any more. */
static void candidates_update(struct member *m, uint64_t now)
{
    bool waits = false;
    candidates_drop(m, false);
    for (uint32_t i = 0; i < m->named.count && wants_candidates(m, now); i++) {
        struct address address;
        address_make(&address, &m->named.at[i], m->conf->port);
        if (inet_address_same(&address.inet, &m->where.connected.inet))
            continue;
        struct member *c = place_find(m->probe, PLACE_CANDIDATE, m->index, &address.inet);
        if (c)
            candidate_note(m, c, now);
        else
            candidate_add(m, &address, now);
        c = place_find(m->probe, PLACE_CANDIDATE, m->index, &address.inet);
        waits |= c && !c->named_twice;
    }
    if (waits)
        resolve_host_again(m->host);
}

void places_note(struct member *m, uint64_t now)
{
    bool active = wants_candidates(m, now);
    bool urgent = active || (m->ill && m->where.count > 0);
    resolve_host_urge(m->host, urgent);
    resolve_host_urge(m->other.host, urgent);
    if (active)
        candidates_update(m, now);
    else
        candidates_drop(m, true);
    member_schedule(m->probe);
}

/* ---- what DNS names ---- */

static void where_take_named(struct member *m)
{
    struct inet_address at[HOMING_ADDRESSES_MAX];
    const struct conf_cluster *cluster = m->probe->cluster;
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->named.count && count < HOMING_ADDRESSES_MAX; i++)
        if (!place_find(m->probe, PLACE_LEFT, m->index, &m->named.at[i]))
            at[count++] = m->named.at[i];
    m->askable = where_set(&m->where, cluster, at, count, m->conf->port);
    where_set_others(&m->where, m->askable, cluster, &m->other, m->conf->port);
    snprintf(m->where.official, sizeof(m->where.official), "%s", resolve_host_official(m->host));
}

/* All that DNS names are the member's, as far as anybody knows, while it names the one at which the
 * member is; if it does not, of its own family only that one is, and what else was known of it
 * stays: the other family's addresses and the official name. */
static void where_update(struct member *m)
{
    struct addresses *where = &m->where;
    uint32_t others = where->count - m->askable;
    if (places_is_named(m, &where->connected.inet)) {
        where_take_named(m);
        return;
    }
    memmove(&where->at[1], &where->at[m->askable], others * sizeof(where->at[0]));
    where->at[0] = where->connected;
    m->askable = 1;
    where->count = 1 + others;
}

void places_others_named(struct member *m)
{
    where_update(m);
}

void places_named(struct member *m, uint64_t now)
{
    for (uint32_t i = PLACE_CANDIDATES_MAX; i < PLACES_MAX; i++)
        if (m->probe->places[i] && m->probe->places[i]->index == m->index)
            left_named(m->probe->places[i], &m->named);
    where_update(m);
    if (places_is_named(m, &m->where.connected.inet))
        m->gone_ms = 0;
    else if (m->gone_ms == 0)
        m->gone_ms = now;
    places_note(m, now);
}

/* ---- moves ---- */

void places_know(struct probe *p, uint32_t member, const struct address *address)
{
    const struct inet_address *inet = &address->inet;
    uint8_t family = (uint8_t)p->cluster->timing.family;
    struct member *m = member < p->member_count ? &p->members[member] : NULL;

    if (!m || !p->sink.place || inet->port != m->conf->port ||
        (family != 0 && family != inet->family) ||
        !conf_address_allowed(p->cluster, inet->family, inet->bytes))
        return;
    address_make(&m->where.connected, inet, inet->port);
    where_update(m);
    member_begin(m, loop_now_ms(p->loop));
    member_tell(m);
    member_schedule(p);
}

/* What the other family's connections lead to is left, too. As long as DNS names it, it is still the
 * member's. These are forgotten first. */
static void leave_others(struct member *m, uint64_t now)
{
    struct addresses others = m->others;
    if (!m->ill)
        where_get_others(&m->where, m->askable, &others);
    for (uint32_t i = 0; i < others.count; i++)
        places_leave(m->probe, m->index, &others.at[i], now - 1);
}

void places_move(struct probe *p, uint32_t place)
{
    struct member *from = place < PLACES_MAX ? p->places[place] : NULL;
    uint64_t now = loop_now_ms(p->loop);
    if (!from)
        return;
    struct member *m = &p->members[from->index];
    struct address old = m->where.connected, new = from->where.at[0];
    leave_others(m, now);
    place_free(from);
    member_close(m);
    m->where.connected = new;
    m->gone_ms = 0;
    m->ill = m->slowly = false;
    m->tried = m->patience = 0;
    m->text[0] = '\0';
    backoff_reset(&m->backoff);
    member_begin(m, now);
    if (old.inet.family)
        places_leave(p, m->index, &old, now);
    where_update(m);
    member_tell(m);
    places_note(m, now);
}

void places_forget(struct probe *p, uint32_t place)
{
    if (place < PLACES_MAX && p->places[place])
        place_free(p->places[place]);
}
