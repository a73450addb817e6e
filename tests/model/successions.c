/* SPDX-License-Identifier: Apache-2.0
 *
 * successions.c - W12 against servers as they really are (servers.h): two agents look on while a
 * manager promotes, and servers crash, lose a tail, come back as zombies, are wiped. Both agents
 * are stopped and started, too. Each move that an agent makes by itself is compared with the truth.
 *
 * None may be wrong, unless the agent could not know better: those are counted, and named. The seed is printed; HOMING_MODEL_SEED repeats it, HOMING_MODEL_RUNS sets how many
 * histories.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/decide/decision.h"
#include "tests/model/chance.h"
#include "tests/model/servers.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

#define RUNS_DEFAULT 200
#define RUN_DEEDS    60
#define AGENTS       2
#define ROUND_MS     60  /* while claims are contested, as the fast pace is */
#define LONG_MS      900 /* less than timeout */

/* Why an agent could not know better. */
enum excuse {
    EXCUSE_NONE,
    EXCUSE_ABSENT, /* it was down, and missed several failovers */
    EXCUSE_WIPED,  /* the manager once promoted a server that lacked the data */
    EXCUSE_FIRST,  /* it began beside a zombie alone */
    EXCUSE_COUNT
};

static const char *const excuse_names[EXCUSE_COUNT] = {
    "without excuse", "agent down over several failovers", "a wiped server was promoted",
    "first start beside a lone zombie"};

struct agent {
    bool up, started;
    struct decision c;
    struct verdict saved;
    bool have_saved;
    /* Since it last held the truth: it was down during a change; it began with another writer. */
    bool absent, first;
    uint32_t changes_at_stop, changes_agreed;
};

struct history {
    struct servers servers;
    struct agent agents[AGENTS];
    uint64_t now_ms;
    uint32_t moves, accepts, followed, unfollowed;
    uint32_t wrong[EXCUSE_COUNT];
    bool telling;
};

static const struct decision_conf conf = {
    .members = SERVERS,
    .interval_ms = 250,
    .fast_interval_ms = 50,
    .timeout_ms = 1000,
    .max_stale_ms = 30000,
};

static uint64_t seed;

/* ---- an agent ---- */

static enum excuse excuse_of(const struct history *h, const struct agent *a)
{
    if (a->first)
        return EXCUSE_FIRST;
    if (a->absent && h->servers.changes - a->changes_agreed > 1)
        return EXCUSE_ABSENT;
    return h->servers.wiped_primary ? EXCUSE_WIPED : EXCUSE_NONE;
}

/* Whoever holds the truth knows all that matters; but if it missed a change, and the writer is the
 * same one again, its heirs are those of an earlier reign. */
static void agree(const struct history *h, struct agent *a, bool adopted)
{
    if (a->c.verdict.writer != h->servers.primary || (a->absent && !adopted))
        return;
    a->absent = a->first = false;
    a->changes_agreed = h->servers.changes;
}

/* The writer changed, not by an order. */
static void judge_move(struct history *h, struct agent *a, uint32_t from)
{
    bool right = a->c.verdict.writer == h->servers.primary;

    if (from == MEMBER_NONE) {
        a->first = !right;
        return;
    }
    h->moves++;
    if (h->telling)
        printf("#     agent %d moves %u -> %u (%s), the truth is %u\n", (int)(a - h->agents), from,
               a->c.verdict.writer, reason_name(a->c.verdict.reason), h->servers.primary);
    if (!right)
        h->wrong[excuse_of(h, a)]++;
}

static void take(struct history *h, struct agent *a, const struct event *event)
{
    uint32_t from = a->c.verdict.writer;
    struct actions acts;
    enum refusal refusal = decision_handle(&a->c, event, h->now_ms, &acts);
    bool accepted = event->kind == EVENT_ACCEPT && refusal == REFUSAL_NONE;

    if (acts.persist) {
        a->saved = a->c.verdict;
        a->have_saved = true;
    }
    if (a->c.verdict.writer != from && !accepted)
        judge_move(h, a, from);
    h->accepts += accepted;
    agree(h, a, accepted || a->c.verdict.writer != from);
}

static void ask_all(struct history *h, struct agent *a)
{
    uint32_t first = dice_roll(&h->servers.dice, SERVERS), way = 1 + dice_roll(&h->servers.dice, 2);

    for (uint32_t i = 0; i < SERVERS && a->up; i++) {
        struct event event = {
            .kind = EVENT_REPORT,
            .report = servers_answer(&h->servers, (first + i * way) % SERVERS, h->now_ms)};
        take(h, a, &event);
    }
}

static bool is_contested(const struct history *h)
{
    for (uint32_t a = 0; a < AGENTS; a++)
        if (h->agents[a].up && h->agents[a].c.asked_again_ms != 0)
            return true;
    return false;
}

/* All are asked, and for as long as nothing is contested not before `pause_ms` again. */
static void look_for(struct history *h, uint64_t ms, uint64_t pause_ms)
{
    uint64_t until_ms = h->now_ms + ms;

    while (h->now_ms < until_ms) {
        for (uint32_t a = 0; a < AGENTS; a++)
            ask_all(h, &h->agents[a]);
        h->now_ms += is_contested(h) ? ROUND_MS : pause_ms;
        for (uint32_t a = 0; a < AGENTS; a++)
            for (int turn = 0; turn < 2 && h->agents[a].up; turn++)
                take(h, &h->agents[a], &(struct event){.kind = EVENT_TICK});
    }
}

static void look(void *arg)
{
    look_for(arg, 5 * ROUND_MS, ROUND_MS);
}

static void start(struct history *h, struct agent *a)
{
    struct actions acts;

    if (a->up)
        return;
    a->absent = a->absent || (a->started && h->servers.changes != a->changes_at_stop);
    decision_init(&a->c, &conf, a->have_saved ? &a->saved : NULL, h->now_ms, &acts);
    a->up = a->started = true;
}

static void stop(struct history *h, struct agent *a)
{
    if (a->up)
        a->changes_at_stop = h->servers.changes;
    a->up = false;
}

/* An operator sees the truth, sometimes. */
static void resolve(struct history *h, struct agent *a)
{
    uint32_t primary = h->servers.primary;
    const struct verdict *v = &a->c.verdict;

    if (a->up && (v->state == CLUSTER_AMBIGUOUS || v->state == CLUSTER_UNKNOWN) &&
        dice_roll(&h->servers.dice, 2) == 0)
        take(h, a, &(struct event){.kind = EVENT_ACCEPT, .member = primary});
}

/* ---- a history ---- */

/* Something happens to an agent, or time passes. True: all look after it. */
static bool disturb(struct history *h)
{
    struct agent *a = &h->agents[dice_roll(&h->servers.dice, AGENTS)];

    switch (dice_roll(&h->servers.dice, 5)) {
    case 0:
        if (a->up) {
            stop(h, a);
            start(h, a);
        }
        return true;
    case 1:
        stop(h, a);
        return true;
    case 2:
        start(h, a);
        return true;
    case 3:
        look_for(h, 36000, LONG_MS); /* heirs that do not follow end */
        return true;
    default:
        h->now_ms += ROUND_MS; /* and nobody looks */
        return false;
    }
}

static void tell(const struct history *h, uint32_t number, enum deed deed)
{
    if (!h->telling)
        return;
    printf("#   %u: %s, the truth is %u\n", number, deed_name(deed), h->servers.primary);
    for (uint32_t i = 0; i < SERVERS; i++) {
        struct report r = servers_answer(&h->servers, i, h->now_ms);
        printf("#       %u %s %s position %u self %u follows %u\n", i, report_kind_name(r.kind),
               role_name(r.role), (unsigned)r.position, (unsigned)r.self, (unsigned)r.follows);
    }
    for (uint32_t a = 0; a < AGENTS; a++) {
        const struct verdict *v = &h->agents[a].c.verdict;
        printf("#       agent %u %s %s (%s), writer %d, epoch %u, branch %u, heirs", a,
               h->agents[a].up ? "up" : "down", cluster_state_name(v->state),
               reason_name(v->reason), (int)v->writer, (unsigned)v->term.lo, (unsigned)v->branch);
        for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
            if (v->heirs[i] != 0)
                printf(" %u", (unsigned)v->heirs[i]);
        printf("\n");
    }
}

/* How many of the manager's changes were followed without a word. */
static void count_followed(struct history *h)
{
    for (uint32_t a = 0; a < AGENTS; a++) {
        bool followed = h->agents[a].c.verdict.writer == h->servers.primary;
        h->followed += h->agents[a].up && followed;
        h->unfollowed += h->agents[a].up && !followed;
    }
}

static void live(struct history *h, uint64_t number, bool telling)
{
    memset(h, 0, sizeof(*h));
    h->now_ms = 1000000;
    h->telling = telling;
    servers_begin(&h->servers, seed ^ number << 32, look, h);
    start(h, &h->agents[0]);
    look(h);
    for (uint32_t i = 0; i < RUN_DEEDS && h->wrong[EXCUSE_NONE] == 0; i++) {
        uint32_t changes = h->servers.changes;
        enum deed deed = servers_next(&h->servers);
        bool looks = true;
        if (!servers_do(&h->servers, deed))
            continue;
        if (deed == DEED_OTHER)
            looks = disturb(h);
        if (looks)
            look(h);
        tell(h, i, deed);
        if (looks && h->servers.changes != changes)
            count_followed(h);
        for (uint32_t a = 0; looks && a < AGENTS; a++)
            resolve(h, &h->agents[a]);
    }
}

static void W12_no_move_is_wrong_that_an_agent_could_have_known_better(void **state)
{
    uint64_t runs = chance_number("HOMING_MODEL_RUNS", RUNS_DEFAULT);
    uint64_t moves = 0, accepts = 0, followed = 0, unfollowed = 0, wrong[EXCUSE_COUNT] = {0};
    struct history h;

    (void)state;
    printf("# seed %llu\n", (unsigned long long)seed);
    for (uint64_t number = 0; number < runs && wrong[EXCUSE_NONE] == 0; number++) {
        live(&h, number, false);
        moves += h.moves;
        accepts += h.accepts;
        followed += h.followed;
        unfollowed += h.unfollowed;
        for (uint32_t i = 0; i < EXCUSE_COUNT; i++)
            wrong[i] += h.wrong[i];
        if (h.wrong[EXCUSE_NONE] != 0)
            live(&h, number, true);
    }
    printf("# %llu moves; of the manager's changes %llu followed, %llu left to the operator, who "
           "accepted %llu times\n",
           (unsigned long long)moves, (unsigned long long)followed, (unsigned long long)unfollowed,
           (unsigned long long)accepts);
    for (uint32_t i = 0; i < EXCUSE_COUNT; i++)
        printf("# wrong, %s: %llu\n", excuse_names[i], (unsigned long long)wrong[i]);
    fflush(stdout);
    assert_true(moves > runs);
    assert_int_equal(wrong[EXCUSE_NONE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W12_no_move_is_wrong_that_an_agent_could_have_known_better),
    };

    seed = chance_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
