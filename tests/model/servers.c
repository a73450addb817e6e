/* SPDX-License-Identifier: Apache-2.0
 *
 * servers.c - see servers.h.
 */
#include "config.h"

#include <string.h>

#include "tests/model/servers.h"
#include "tests/support/dice.h"

/* Of a hundred, so that most of the time data grows and spreads. */
static const uint32_t weights[DEED_COUNT] = {
    [DEED_WRITE] = 4,          [DEED_REPLICATE] = 5,
    [DEED_PLANNED] = 1,        [DEED_PLANNED_UNFOLLOWED] = 1,
    [DEED_UNDO] = 1,           [DEED_CRASH] = 1,
    [DEED_CRASH_IN_PLACE] = 1, [DEED_RETURN] = 1,
    [DEED_REJOIN] = 1,         [DEED_ERRANT] = 1,
    [DEED_WIPE] = 1,           [DEED_OTHER] = 5,
};

const char *deed_name(enum deed deed)
{
    static const char *const names[DEED_COUNT] = {
        "write",  "replicate", "planned",        "planned, unfollowed",
        "undo",   "crash",     "crash in place", "return",
        "rejoin", "errant",    "wiped",          "other"};
    return names[deed];
}

static uint32_t roll(struct servers *s, uint32_t sides)
{
    return dice_roll(&s->dice, sides);
}

static bool chance(struct servers *s, uint32_t percent)
{
    return roll(s, 100) < percent;
}

void servers_begin(struct servers *s, uint64_t seed, void (*look)(void *arg), void *arg)
{
    memset(s, 0, sizeof(*s));
    s->dice = seed;
    s->look = look;
    s->arg = arg;
    s->origins = SERVERS;
    for (uint32_t i = 0; i < SERVERS; i++) {
        s->at[i] = (struct server){.up = true,
                                   .read_only = i != 0,
                                   .by_word = i == 0,
                                   .self = i,
                                   .follows = i == 0 ? SERVERS : 0};
        s->at[i].has[0] = 5;
    }
}

enum deed servers_next(struct servers *s)
{
    uint32_t sum = 0, at;

    for (uint32_t i = 0; i < DEED_COUNT; i++)
        sum += weights[i];
    at = roll(s, sum);
    for (uint32_t i = 0;; i++) {
        if (at < weights[i])
            return (enum deed)i;
        at -= weights[i];
    }
}

static uint64_t count_of(const struct server *x)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < ORIGINS; i++)
        sum += x->has[i];
    return sum;
}

/* A channel that is configured makes it a reader, writable or not. */
static bool is_writer(const struct server *x)
{
    return !x->read_only && x->follows == SERVERS;
}

struct report servers_answer(const struct servers *s, uint32_t server, uint64_t now_ms)
{
    const struct server *x = &s->at[server];

    if (!x->up)
        return (struct report){.member = server, .kind = REPORT_REFUSED};
    return (struct report){
        .member = server,
        .kind = REPORT_ANSWER,
        .asked_ms = now_ms,
        .role = is_writer(x) ? ROLE_WRITER : ROLE_READER,
        .identity = 1,
        .incarnation = 1 + server + SERVERS * (uint64_t)x->starts,
        .position = 1 + count_of(x),
        .self = 100 + x->self,
        .follows = x->follows == SERVERS ? 0 : 100 + s->at[x->follows].self,
    };
}

/* Draws one of those that `is` allows; SERVERS: there is none. */
static uint32_t draw(struct servers *s, bool (*is)(const struct servers *s, uint32_t i))
{
    uint32_t found[SERVERS], count = 0;

    for (uint32_t i = 0; i < SERVERS; i++)
        if (is(s, i))
            found[count++] = i;
    return count ? found[roll(s, count)] : SERVERS;
}

static bool is_replica(const struct servers *s, uint32_t i)
{
    return i != s->primary && s->at[i].up && s->at[i].follows == s->primary;
}

static bool is_any_replica(const struct servers *s, uint32_t i)
{
    return i != s->primary && s->at[i].up && s->at[i].follows != SERVERS;
}

static bool is_down(const struct servers *s, uint32_t i)
{
    return i != s->primary && !s->at[i].up;
}

static bool is_alone(const struct servers *s, uint32_t i)
{
    return i != s->primary && s->at[i].up && s->at[i].follows == SERVERS;
}

static bool is_other(const struct servers *s, uint32_t i)
{
    return i != s->primary && s->at[i].up;
}

static void writes(struct servers *s, uint32_t i, uint32_t count)
{
    s->at[i].has[s->at[i].self] += count;
}

static void replicate(struct servers *s, uint32_t i)
{
    struct server *x = &s->at[i];

    if (!x->up || x->follows == SERVERS || !s->at[x->follows].up)
        return;
    for (uint32_t o = 0; o < ORIGINS; o++)
        if (s->at[x->follows].has[o] > x->has[o])
            x->has[o] = s->at[x->follows].has[o];
}

static void promote(struct servers *s, uint32_t i)
{
    struct server *x = &s->at[i];

    x->follows = SERVERS;
    x->read_only = false;
    x->by_word = true;
    s->wiped_primary = s->wiped_primary || x->wiped;
    s->primary = i;
    s->changes++;
}

static void follow_all(struct servers *s, uint32_t source)
{
    for (uint32_t i = 0; i < SERVERS; i++)
        if (i != source && s->at[i].up)
            s->at[i].follows = source;
}

/* Back before or after the new one wrote anything. */
static void undo(struct servers *s, uint32_t old)
{
    uint32_t now = s->primary;

    s->look(s->arg);
    if (chance(s, 50))
        writes(s, now, 1);
    s->at[now].read_only = true;
    s->look(s->arg);
    if (s->at[old].follows == now)
        replicate(s, old);
    promote(s, old);
    follow_all(s, old);
}

static bool plan(struct servers *s, enum deed deed)
{
    uint32_t old = s->primary, to = draw(s, is_replica);

    if (!s->at[old].up || to == SERVERS)
        return false;
    s->at[old].read_only = s->at[old].by_word = true;
    s->look(s->arg);
    replicate(s, to);
    promote(s, to);
    if (deed != DEED_PLANNED_UNFOLLOWED)
        follow_all(s, to);
    if (deed == DEED_UNDO)
        undo(s, old);
    return true;
}

/* The furthest; of equal ones any. */
static uint32_t furthest(struct servers *s)
{
    uint32_t best = draw(s, is_replica);

    for (uint32_t i = 0; i < SERVERS && best != SERVERS; i++)
        if (is_replica(s, i) && count_of(&s->at[i]) > count_of(&s->at[best]))
            best = i;
    return best;
}

/* What the manager promotes, and who is told. */
static bool fail_over(struct servers *s)
{
    uint32_t old = s->primary, to = furthest(s);
    bool told[SERVERS];

    if (to == SERVERS) { /* back by hand */
        s->at[old].up = true;
        s->at[old].read_only = false;
        s->at[old].starts++;
        return false;
    }
    for (uint32_t i = 0; i < SERVERS; i++)
        told[i] = i != to && is_replica(s, i) && chance(s, 80);
    promote(s, to);
    for (uint32_t i = 0; i < SERVERS; i++)
        if (told[i])
            s->at[i].follows = to;
    return true;
}

static bool crash(struct servers *s, bool in_place)
{
    struct server *x = &s->at[s->primary];

    if (!x->up)
        return false;
    x->up = false;
    writes(s, s->primary, chance(s, 33) ? 2 : 0); /* a tail that nobody got */
    s->look(s->arg);
    if (!in_place)
        return fail_over(s);
    x->up = true;
    x->read_only = x->by_word = false;
    x->follows = SERVERS;
    x->starts++;
    return true;
}

static bool come_back(struct servers *s)
{
    uint32_t i = draw(s, is_down);

    if (i == SERVERS)
        return false;
    s->at[i].up = true;
    s->at[i].read_only = chance(s, 40);
    s->at[i].by_word = false;
    s->at[i].follows = SERVERS;
    s->at[i].starts++;
    if (!s->at[i].read_only && chance(s, 50))
        writes(s, i, 2); /* of programs that found it first */
    return true;
}

static bool rejoin(struct servers *s)
{
    uint32_t i = draw(s, is_alone);

    if (i == SERVERS || !s->at[s->primary].up)
        return false;
    s->at[i].read_only = true;
    s->at[i].follows = s->primary;
    if (chance(s, 70)) {
        memcpy(s->at[i].has, s->at[s->primary].has, sizeof(s->at[i].has));
        s->at[i].wiped = false;
    }
    return true;
}

static bool wipe(struct servers *s)
{
    uint32_t i = draw(s, is_other);

    if (i == SERVERS || s->origins == ORIGINS)
        return false;
    s->at[i] = (struct server){.up = true,
                               .wiped = true,
                               .self = s->origins++,
                               .follows = SERVERS,
                               .starts = s->at[i].starts + 1};
    writes(s, i, 3);
    return true;
}

bool servers_do(struct servers *s, enum deed deed)
{
    uint32_t i;

    switch (deed) {
    case DEED_WRITE:
        if (s->at[s->primary].up)
            writes(s, s->primary, chance(s, 33) ? 3 : 1);
        return true;
    case DEED_REPLICATE:
        replicate(s, roll(s, SERVERS));
        return true;
    case DEED_PLANNED:
    case DEED_PLANNED_UNFOLLOWED:
    case DEED_UNDO:
        return plan(s, deed);
    case DEED_CRASH:
    case DEED_CRASH_IN_PLACE:
        return crash(s, deed == DEED_CRASH_IN_PLACE);
    case DEED_RETURN:
        return come_back(s);
    case DEED_REJOIN:
        return rejoin(s);
    case DEED_ERRANT:
        i = draw(s, is_any_replica);
        if (i != SERVERS)
            writes(s, i, 1);
        return i != SERVERS;
    case DEED_WIPE:
        return wipe(s);
    default:
        return true;
    }
}
