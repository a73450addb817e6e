/* SPDX-License-Identifier: Apache-2.0
 *
 * heirs.c - walks breadth first through every state that a small cluster of servers without a term
 * can get into (W12), on the real objects of agent/decide. A bystander keeps by its own words who is
 * an heir; after each step his list and the agent's are compared, and each move is judged.
 *
 * A step is over when nothing is contested any more, so that time is not part of a state: walk.c
 * has that. A broken rule is printed with the shortest story that leads to it.
 * HOMING_MODEL_STATES sets how many states each world may have; as in walk.c, all but those called
 * deep are exhausted by default.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/small.h"
#include "tests/support/test.h"

enum {
    STATES_DEFAULT = 20000,
    STATES_DEEP = 2000
};

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct state {
    struct situation is[MEMBERS];
    struct bystander by;
    struct verdict verdict, disk;
    struct topo_member at[MEMBERS];
};

struct node {
    struct state state;
    uint32_t parent, step;
};

/* The world being walked. */
static struct {
    struct step steps[64];
    uint32_t step_count, count, limit;
    struct node *nodes;
    uint32_t *table, table_mask;
    uint64_t transitions;
    bool cut;
} walk;

/* ---- the walk ---- */

static void add(struct step step)
{
    if (walk.step_count >= sizeof(walk.steps) / sizeof(walk.steps[0]))
        abort();
    walk.steps[walk.step_count++] = step;
}

static void add_says(uint32_t m, bool writer, uint8_t name, uint8_t follows, uint8_t position)
{
    add((struct step){KIND_SAYS, m, {true, writer, name, follows, position}});
}

static void add_member(const struct small *d, uint32_t m)
{
    for (uint8_t position = 1; position <= d->positions; position++) {
        add_says(m, true, (uint8_t)m, NOBODY, position);
        for (uint8_t to = 0; to < d->members; to++)
            add_says(m, false, (uint8_t)m, to == m ? NOBODY : to, position);
    }
    if (d->others)
        add_says(m, false, (uint8_t)m, STRANGER, (uint8_t)d->positions);
    if (d->anew) {
        add_says(m, true, (uint8_t)(MEMBERS + m), NOBODY, (uint8_t)d->positions);
        add_says(m, false, (uint8_t)(MEMBERS + m), m == 0, (uint8_t)d->positions);
    }
    add((struct step){.kind = KIND_DIES, .member = m});
    add((struct step){.kind = KIND_ACCEPT, .member = m});
}

static void leave(struct state *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->is, small.is, sizeof(small.is));
    ret->by = small.by;
    ret->verdict = small.c.verdict;
    ret->disk = small.disk;
    memcpy(ret->at, small.c.topo.at, sizeof(ret->at));
}

/* Back to where a step had ended: all who are up have just answered. */
static void enter(const struct state *s)
{
    const struct decision_conf conf = {.members = small.d->members,
                                       .interval_ms = 250,
                                       .fast_interval_ms = 50,
                                       .timeout_ms = 1000,
                                       .max_stale_ms = UINT32_MAX};
    struct actions acts;

    small.now_ms = 10000000;
    decision_init(&small.c, &conf, NULL, small.now_ms, &acts);
    memcpy(small.is, s->is, sizeof(small.is));
    small.by = s->by;
    small.c.verdict = s->verdict;
    small.disk = s->disk;
    memcpy(small.c.topo.at, s->at, sizeof(s->at));
    small.c.verdict.confirmed_ms = small.disk.confirmed_ms = small.now_ms;
    for (uint32_t m = 0; m < small.d->members; m++)
        small.c.topo.at[m].answered_ms = small.c.topo.at[m].last.asked_ms = small.now_ms;
}

/* A state without its dates and the number of its epoch: what decides. */
static void shorten(struct state *s)
{
    uint64_t epoch = s->verdict.term.lo;

    s->verdict.confirmed_ms = s->verdict.since_ms = s->verdict.switches = 0;
    s->disk.confirmed_ms = s->disk.since_ms = s->disk.switches = 0;
    s->verdict.readers = s->disk.readers = 0;
    if (s->verdict.state == CLUSTER_STEADY)
        s->verdict.reason = REASON_INCUMBENT_CLAIMS;
    if (s->disk.state == CLUSTER_STEADY || s->disk.state == CLUSTER_SUSPECT)
        s->disk.reason = REASON_INCUMBENT_CLAIMS;
    for (uint32_t m = 0; m < MEMBERS; m++) {
        struct topo_member *at = &s->at[m];
        at->answered_ms = at->changed_ms = at->last.asked_ms = at->good_answers = 0;
        at->astray_ms = s->by.idle_ms[m] = 0;
        at->unanswered = 0;
        if (at->last.term.lo != 0)
            at->last.term.lo += 8 - epoch;
    }
    if (epoch != 0) {
        s->verdict.term.lo = 8;
        s->disk.term.lo += 8 - epoch;
    }
    memset(s->verdict.heirs, 0, sizeof(s->verdict.heirs)); /* the bystander has them, too */
    memset(s->disk.heirs, 0, sizeof(s->disk.heirs));
}

static uint64_t hash_of(const struct state *s)
{
    const unsigned char *bytes = (const unsigned char *)s;
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < sizeof(*s); i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash ^ hash >> 32;
}

static void visit(uint32_t parent, uint32_t step)
{
    struct state found, known;

    leave(&found);
    shorten(&found);
    uint32_t at = (uint32_t)hash_of(&found) & walk.table_mask;
    for (; walk.table[at] != 0; at = (at + 1) & walk.table_mask) {
        known = walk.nodes[walk.table[at] - 1].state;
        shorten(&known);
        if (memcmp(&known, &found, sizeof(found)) == 0)
            return;
    }
    if (walk.count == walk.limit) {
        walk.cut = true;
        return;
    }
    leave(&walk.nodes[walk.count].state);
    walk.nodes[walk.count].parent = parent;
    walk.nodes[walk.count].step = step;
    walk.table[at] = ++walk.count;
}

static void print_state(void)
{
    for (uint32_t m = 0; m < small.d->members; m++)
        printf("#       %u: %s %s, name %u, follows %u, position %u%s%s\n", m,
               small.is[m].up ? "up" : "down", small.is[m].writer ? "writer" : "reader",
               small.is[m].name, small.is[m].follows, small.is[m].position,
               small.c.topo.at[m].unproven ? ", unproven" : "",
               small.by.detached[m] ? ", detached" : "");
    printf("#       -> %s (%s), writer %d, rival %d, epoch %u, position %u, branch %u, heirs %x "
           "(seen: "
           "%x), fenced %x\n",
           cluster_state_name(small.c.verdict.state), reason_name(small.c.verdict.reason),
           (int)small.c.verdict.writer, (int)small.c.verdict.rival,
           (unsigned)small.c.verdict.term.lo, (unsigned)small.c.verdict.position,
           (unsigned)small.c.verdict.branch, small_agents_heirs(), small.by.heirs,
           small.c.verdict.fenced);
}

static void print_step(const struct step *step)
{
    static const char *const names[] = {"says", "dies", "30 s pass", "the agent restarts",
                                        "accept"};

    printf("#   %s, member %u\n", names[step->kind], step->member);
}

static void print_story(uint32_t node)
{
    if (node == 0)
        return;
    print_story(walk.nodes[node].parent);
    print_step(&walk.steps[walk.nodes[node].step]);
    enter(&walk.nodes[node].state);
    print_state();
}

static void expand(uint32_t node)
{
    for (uint32_t s = 0; s < walk.step_count; s++) {
        enter(&walk.nodes[node].state);
        small_take_step(&walk.steps[s]);
        small_check_settled();
        walk.transitions++;
        if (small.broken) {
            const char *rule = small.broken;
            print_step(&walk.steps[s]);
            print_state();
            printf("# broken: %s; the story that leads there:\n", rule);
            print_story(node);
            fflush(stdout);
            fail_msg("%s: %s", small.d->title, rule);
        }
        visit(node, s);
    }
}

static bool is_deep(const struct small *d)
{
    return SANITIZED || strncmp(d->title, "deep", 4) == 0;
}

static void begin(const struct small *d)
{
    const char *states = getenv("HOMING_MODEL_STATES");
    struct state nothing = {.by.name = NOBODY};

    memset(&walk, 0, sizeof(walk));
    small.broken = NULL;
    small.moves = 0;
    small.d = d;
    walk.limit = states ? (uint32_t)atol(states) : is_deep(d) ? STATES_DEEP : STATES_DEFAULT;
    walk.table_mask = 1;
    while (walk.table_mask < 2 * walk.limit)
        walk.table_mask = 2 * walk.table_mask + 1;
    walk.nodes = calloc(walk.limit, sizeof(*walk.nodes));
    walk.table = calloc(walk.table_mask + 1, sizeof(*walk.table));
    assert_true(walk.nodes && walk.table);
    for (uint32_t m = 0; m < d->members; m++)
        add_member(d, m);
    add((struct step){.kind = KIND_LONG});
    if (d->restarts)
        add((struct step){.kind = KIND_RESTART});
    verdict_init(&nothing.verdict);
    verdict_init(&nothing.disk);
    enter(&nothing);
    for (uint32_t m = 0; m < d->members; m++)
        small_silence(m);
    visit(0, 0);
}

static void W12_holds(void **state)
{
    begin(*state);
    for (uint32_t node = 0; node < walk.count; node++)
        expand(node);
    assert_false(walk.cut && !getenv("HOMING_MODEL_STATES") && !is_deep(small.d));
    printf("# %s: %s, %u states, %llu transitions, %llu moves\n", small.d->title,
           walk.cut ? "the nearest only" : "exhausted", walk.count,
           (unsigned long long)walk.transitions, (unsigned long long)small.moves);
    free(walk.nodes);
    free(walk.table);
}

int main(void)
{
    static const struct small worlds[] = {
        {"two members, restarts", .members = 2, .positions = 2, .restarts = true},
        {"two members, other servers", .members = 2, .positions = 2, .anew = true, .others = true},
        {"deep: two members, three positions", .members = 2, .positions = 3},
        {"deep: three members", .members = 3, .positions = 2, .others = true, .restarts = true},
    };
    struct CMUnitTest tests[sizeof(worlds) / sizeof(worlds[0])];

    for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++)
        tests[i] = (struct CMUnitTest){
            .name = worlds[i].title, .test_func = W12_holds, .initial_state = (void *)&worlds[i]};
    return cmocka_run_group_tests_name("W12 holds in every state of a world of", tests, NULL, NULL);
}
