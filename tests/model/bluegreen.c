/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen.c - walks breadth first through every state that two blue servers and a green one can get a
 * real struct decision into (W4a). All say the same identity and share the term, as servers of Aurora MySQL
 * do. A bystander keeps by its own words who was named and what the writer said last; each move is judged
 * by that, and so is each state in which nobody moves.
 *
 * After each step those who are up say the same again until nothing is contested, so that time is not
 * part of a state. A broken rule is printed with the shortest story that leads to it.
 * HOMING_MODEL_STATES sets how many states are walked; by default the nearest.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/decide/decision.h"
#include "tests/support/test.h"

enum {
    A, /* blue */
    B,
    C, /* green */
    MEMBERS,
    ROUND_MS = 60,
    ROUNDS = 8,
    STATES_DEFAULT = 6000
};

/* What a member is, and says. */
struct situation {
    bool up, writer;
    enum phase phase;
};

struct bystander {
    enum phase phase; /* the writer's last word, that of a switchover that it began */
    bool green;       /* it has named C */
    uint32_t left;    /* mask of those that were left behind */
};

enum kind {
    KIND_SAYS,
    KIND_DIES,
    KIND_RESTART,
    KIND_ACCEPT
};

struct step {
    enum kind kind;
    uint32_t member;
    struct situation says;
};

struct state {
    struct situation is[MEMBERS];
    struct bystander by;
    struct verdict verdict;
    struct topo_member at[MEMBERS];
};

static struct {
    struct decision c;
    struct bystander by;
    struct situation is[MEMBERS];
    uint64_t now_ms, moves;
    const char *broken;
} world;

struct node {
    struct state state;
    uint32_t parent, step;
};

static struct {
    struct step steps[64];
    uint32_t step_count, count, limit;
    struct node *nodes;
    uint32_t *table, table_mask;
} walk;

static const struct decision_conf conf = {.members = MEMBERS,
                                          .interval_ms = 250,
                                          .fast_interval_ms = 50,
                                          .timeout_ms = 1000,
                                          .max_stale_ms = UINT32_MAX};

static void must(bool good, const char *rule)
{
    if (!good && !world.broken)
        world.broken = rule;
}

/* ---- the bystander ---- */

/* Before the decision hears it. */
static void overhear(uint32_t m)
{
    const struct situation *s = &world.is[m];
    struct bystander *by = &world.by;
    bool names = world.c.verdict.writer != C && (by->left >> C & 1) == 0;

    if (m != world.c.verdict.writer)
        return;
    if (s->phase < PHASE_AVAILABLE) {
        if (by->phase >= PHASE_IN_PROGRESS)
            return;
        by->green = by->green && world.c.topo.at[C].last.role == ROLE_WRITER;
        by->phase = PHASE_NONE;
        return;
    }
    if (!names || (by->phase == PHASE_NONE && s->phase >= PHASE_IN_PROGRESS))
        return;
    if (s->phase == PHASE_AVAILABLE)
        by->green = names;
    else if (s->phase == PHASE_IN_PROGRESS)
        by->green |= names;
    by->phase = by->green ? s->phase : PHASE_NONE;
}

/* The two halves of the evidence, each by its own last word. */
static bool is_handed_over(uint32_t writer)
{
    const struct situation *w = &world.is[writer], *c = &world.is[C];

    if (!world.by.green || writer == C || !c->up || !c->writer)
        return false;
    return world.by.phase >= PHASE_POST ||
           (world.by.phase == PHASE_IN_PROGRESS && c->phase >= PHASE_POST &&
            (!w->up || !w->writer || w->phase == PHASE_NONE));
}

static void judge_move(const struct verdict *was, bool accepted, bool handed_over)
{
    uint32_t to = world.c.verdict.writer;

    world.moves++;
    must(world.is[to].up && world.is[to].writer, "W1: only who claims is published");
    if (accepted || was->writer == MEMBER_NONE)
        return;
    must((world.by.left >> to & 1) == 0, "W4a: who was left behind is never followed");
    must(to != C || !world.by.green || handed_over, "W4a: only the writer hands over");
    must((to == C && handed_over) || !world.is[was->writer].up || !world.is[was->writer].writer ||
             world.by.phase >= PHASE_POST,
         "W3: a living writer stays");
}

/* Another one is the writer, or is accepted. */
static void crown(bool accepted)
{
    uint32_t to = world.c.verdict.writer;
    bool handed = to == C && world.by.green;

    if (handed)
        world.by.left = 1u << A | 1u << B;
    world.by.left &= ~(1u << to);
    if (handed || accepted) {
        world.by.green = false;
        world.by.phase = PHASE_NONE;
    }
}

static void compare(void)
{
    const struct verdict *v = &world.c.verdict;

    must(v->green == (world.by.green ? 1u << C : 0), "W4a: whom the writer named is green");
    must(v->retired == world.by.left, "W4a: who was left behind is known");
    must(v->phase == world.by.phase, "W4a: the writer's last word");
    must((v->readers & (v->green | v->retired)) == 0, "W4a: neither serves readers");
    must(!world.by.green || v->rival != C || v->writer == MEMBER_NONE,
         "W4a: a green member is no rival");
}

static void tell(const struct event *event)
{
    struct verdict was = world.c.verdict;
    struct actions acts;

    if (event->kind == EVENT_REPORT && event->report.kind == REPORT_ANSWER)
        overhear(event->report.member);
    bool handed_over = was.writer != MEMBER_NONE && is_handed_over(was.writer);
    enum refusal refusal = decision_handle(&world.c, event, world.now_ms, &acts);
    bool accepted = event->kind == EVENT_ACCEPT && refusal == REFUSAL_NONE;
    if (world.c.verdict.writer != was.writer || accepted) {
        judge_move(&was, accepted, handed_over);
        crown(accepted);
    }
    compare();
}

/* ---- what happens ---- */

static void hear(uint32_t m)
{
    const struct situation *s = &world.is[m];
    struct event event = {.kind = EVENT_REPORT};

    if (!s->up)
        return;
    event.report = (struct report){
        .member = m,
        .kind = REPORT_ANSWER,
        .asked_ms = world.now_ms,
        .role = s->writer ? ROLE_WRITER : ROLE_READER,
        .identity = 1,
        .incarnation = 100 + m,
        .term = {0, 1},
        .fenced = true,
        .phase = s->phase,
        .names_green = s->phase >= PHASE_AVAILABLE,
        .green = s->phase >= PHASE_AVAILABLE ? 1u << C : 0,
    };
    tell(&event);
}

static void silence(uint32_t m)
{
    tell(&(struct event){.kind = EVENT_REPORT, .report = {.member = m, .kind = REPORT_REFUSED}});
}

static void settle(void)
{
    for (int i = 0; i < ROUNDS && !world.broken; i++) {
        world.now_ms += ROUND_MS;
        tell(&(struct event){.kind = EVENT_TICK});
        for (uint32_t m = 0; m < MEMBERS; m++)
            hear(m);
    }
    uint32_t writer = world.c.verdict.writer;
    must(writer == MEMBER_NONE || !is_handed_over(writer),
         "W4a: who was handed over to is followed");
}

static void restart(void)
{
    struct verdict saved = world.c.verdict;
    struct actions acts;

    decision_init(&world.c, &conf, &saved, world.now_ms, &acts);
    for (uint32_t m = 0; m < MEMBERS; m++)
        if (!world.is[m].up)
            silence(m);
}

static void take_step(const struct step *step)
{
    switch (step->kind) {
    case KIND_SAYS:
        world.is[step->member] = step->says;
        hear(step->member);
        break;
    case KIND_DIES:
        world.is[step->member] = (struct situation){0};
        silence(step->member);
        break;
    case KIND_RESTART:
        restart();
        break;
    default:
        tell(&(struct event){.kind = EVENT_ACCEPT, .member = step->member});
    }
    settle();
}

/* ---- the walk ---- */

static void leave(struct state *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->is, world.is, sizeof(world.is));
    ret->by = world.by;
    ret->verdict = world.c.verdict;
    memcpy(ret->at, world.c.topo.at, sizeof(ret->at));
}

/* Back to where a step had ended: all who are up have just answered. */
static void enter(const struct state *s)
{
    struct actions acts;

    world.now_ms = 100000000;
    decision_init(&world.c, &conf, NULL, world.now_ms, &acts);
    memcpy(world.is, s->is, sizeof(world.is));
    world.by = s->by;
    world.c.verdict = s->verdict;
    memcpy(world.c.topo.at, s->at, sizeof(s->at));
    world.c.verdict.confirmed_ms = world.now_ms;
    if (world.c.verdict.phase_ms != 0)
        world.c.verdict.phase_ms = world.now_ms;
    for (uint32_t m = 0; m < MEMBERS; m++)
        world.c.topo.at[m].answered_ms = world.c.topo.at[m].last.asked_ms = world.now_ms;
}

/* In which order they were noted says nothing: there is room for all. */
static void sort(uint64_t incarnations[HOMING_MEMBERS_MAX])
{
    for (int i = 1; i < MEMBERS; i++)
        for (int j = i; j > 0 && incarnations[j] > incarnations[j - 1]; j--) {
            uint64_t other = incarnations[j];
            incarnations[j] = incarnations[j - 1];
            incarnations[j - 1] = other;
        }
}

/* A state without its dates: what decides. */
static void shorten(struct state *s)
{
    struct verdict *v = &s->verdict;

    v->confirmed_ms = v->since_ms = v->switches = 0;
    v->phase_ms = v->phase_ms != 0;
    if (v->state == CLUSTER_STEADY)
        v->reason = REASON_INCUMBENT_CLAIMS;
    for (uint32_t m = 0; m < MEMBERS; m++) {
        s->at[m].answered_ms = s->at[m].changed_ms = s->at[m].last.asked_ms = 0;
        s->at[m].good_answers = s->at[m].unanswered = 0;
    }
    v->readers = 0;
    sort(v->unyielding);
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
    if (walk.count == walk.limit)
        return; /* the nearest only */
    leave(&walk.nodes[walk.count].state);
    walk.nodes[walk.count].parent = parent;
    walk.nodes[walk.count].step = step;
    walk.table[at] = ++walk.count;
}

static void add_member(uint32_t m)
{
    static const enum phase phases[] = {PHASE_NONE, PHASE_POST, PHASE_AVAILABLE, PHASE_IN_PROGRESS};
    static const size_t counts[MEMBERS] = {
        [A] = 4, [B] = 2, [C] = 3}; /* of what makes a difference */

    for (int writer = 0; writer < 2; writer++)
        for (size_t p = 0; p < counts[m]; p++)
            walk.steps[walk.step_count++] =
                (struct step){KIND_SAYS, m, {true, writer == 1, phases[p]}};
    walk.steps[walk.step_count++] = (struct step){.kind = KIND_DIES, .member = m};
    if (m != B)
        walk.steps[walk.step_count++] = (struct step){.kind = KIND_ACCEPT, .member = m};
}

static void print_step(const struct step *step)
{
    static const char *const names[] = {"says", "dies", "the agent restarts", "accept"};

    printf("#   %s, member %c", names[step->kind], 'A' + (int)step->member);
    if (step->kind == KIND_SAYS)
        printf(": %s, %s", step->says.writer ? "writer" : "reader", phase_name(step->says.phase));
    printf("\n");
}

static void print_story(uint32_t node)
{
    const struct verdict *v = &walk.nodes[node].state.verdict;

    if (node == 0)
        return;
    print_story(walk.nodes[node].parent);
    print_step(&walk.steps[walk.nodes[node].step]);
    printf("#       -> %s (%s), writer %d, rival %d, green %x, left %x, %s\n",
           cluster_state_name(v->state), reason_name(v->reason), (int)v->writer, (int)v->rival,
           v->green, v->retired, phase_name(v->phase));
}

static void expand(uint32_t node)
{
    for (uint32_t s = 0; s < walk.step_count; s++) {
        enter(&walk.nodes[node].state);
        take_step(&walk.steps[s]);
        if (world.broken) {
            printf("# broken: %s; the story that leads there:\n", world.broken);
            print_story(node);
            print_step(&walk.steps[s]);
            fflush(stdout);
            fail_msg("%s", world.broken);
        }
        visit(node, s);
    }
}

static void W4a_holds_in_every_state_of_two_blue_servers_and_a_green_one(void **state)
{
    struct state nothing = {.by.phase = PHASE_NONE};
    const char *states = getenv("HOMING_MODEL_STATES");

    (void)state;
    walk.limit = states ? (uint32_t)atol(states) : STATES_DEFAULT;
    walk.table_mask = 1;
    while (walk.table_mask < 2 * walk.limit)
        walk.table_mask = 2 * walk.table_mask + 1;
    walk.nodes = calloc(walk.limit, sizeof(*walk.nodes));
    walk.table = calloc(walk.table_mask + 1, sizeof(*walk.table));
    assert_true(walk.nodes && walk.table);
    for (uint32_t m = 0; m < MEMBERS; m++)
        add_member(m);
    walk.steps[walk.step_count++] = (struct step){.kind = KIND_RESTART};
    verdict_init(&nothing.verdict);
    enter(&nothing);
    for (uint32_t m = 0; m < MEMBERS; m++)
        silence(m);
    visit(0, 0);
    for (uint32_t node = 0; node < walk.count; node++)
        expand(node);
    printf("# %u states, %llu moves\n", walk.count, (unsigned long long)world.moves);
    free(walk.nodes);
    free(walk.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W4a_holds_in_every_state_of_two_blue_servers_and_a_green_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
