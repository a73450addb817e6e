/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen.c - walks breadth first through every state that two blue servers and a green one can get a
 * real struct decision into (W4a). All say the same identity and share the term, as servers of Aurora MySQL
 * do. A bystander keeps by its own words who was named and what the writer said last; each move is judged
 * by that, and so is each state in which nobody moves.
 *
 * A second walk begins after the switchover. B's name comes to mean a new server, by the writer's word, by
 * DNS, or by both; whatever was there goes on, or is started again. The new servers fail over.
 *
 * A broken rule is printed with the shortest story that leads to it.
 * HOMING_MODEL_STATES sets how many states are walked; by default the nearest.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/bluegreen_stage.h"
#include "tests/support/test.h"

enum {
    STATES_DEFAULT = 6000
};

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

static void shorten_member(struct topo_member *m)
{
    m->answered_ms = m->changed_ms = m->last.asked_ms = 0;
    m->good_answers = 0;
    m->unanswered = m->unanswered >= TOPO_GONE;
}

/* A state without its dates: what decides. */
static void shorten(struct state *s)
{
    struct verdict *v = &s->verdict;

    v->confirmed_ms = v->since_ms = v->switches = 0;
    v->phase_ms = v->phase_ms != 0;
    if (v->state == CLUSTER_STEADY)
        v->reason = REASON_INCUMBENT_CLAIMS;
    for (uint32_t m = 0; m < MEMBERS; m++)
        shorten_member(&s->at[m]);
    shorten_member(&s->elsewhere);
    shorten_member(&s->left);
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
            walk.steps[walk.step_count++] = (struct step){
                KIND_SAYS, m, {.up = true, .writer = writer == 1, .phase = phases[p]}};
    walk.steps[walk.step_count++] = (struct step){.kind = KIND_DIES, .member = m};
    if (m != B)
        walk.steps[walk.step_count++] = (struct step){.kind = KIND_ACCEPT, .member = m};
}

static void print_step(const struct step *step)
{
    static const char *const names[] = {"says", "dies", "the agent restarts", "accept",
                                        "B's name leads"};

    printf("#   %s, %u", names[step->kind], step->member);
    if (step->kind == KIND_SAYS)
        printf(": %s, %s, names B %d, incarnation %u", step->says.writer ? "writer" : "reader",
               phase_name(step->says.phase), step->says.names_b, step->says.incarnation);
    printf("\n");
}

static void print_story(uint32_t node)
{
    const struct verdict *v = &walk.nodes[node].state.verdict;

    if (node == 0)
        return;
    print_story(walk.nodes[node].parent);
    print_step(&walk.steps[walk.nodes[node].step]);
    printf("#       -> %s (%s), writer %d, rival %d, green %x, left %x, renamed %x, %s\n",
           cluster_state_name(v->state), reason_name(v->reason), (int)v->writer, (int)v->rival,
           v->green, v->retired, v->renamed, phase_name(v->phase));
}

static void expand(uint32_t node)
{
    for (uint32_t s = 0; s < walk.step_count; s++) {
        enter(&walk.nodes[node].state);
        take_step(&walk.steps[s]);
        if (stage.broken) {
            printf("# broken: %s; the story that leads there:\n", stage.broken);
            print_story(node);
            print_step(&walk.steps[s]);
            fflush(stdout);
            fail_msg("%s", stage.broken);
        }
        visit(node, s);
    }
}

static void begin(void)
{
    const char *states = getenv("HOMING_MODEL_STATES");

    memset(&walk, 0, sizeof(walk));
    stage.moves = stage.renamed = 0;
    walk.limit = states ? (uint32_t)atol(states) : STATES_DEFAULT;
    walk.table_mask = 1;
    while (walk.table_mask < 2 * walk.limit)
        walk.table_mask = 2 * walk.table_mask + 1;
    walk.nodes = calloc(walk.limit, sizeof(*walk.nodes));
    walk.table = calloc(walk.table_mask + 1, sizeof(*walk.table));
    assert_true(walk.nodes && walk.table);
}

static void go(void)
{
    visit(0, 0);
    for (uint32_t node = 0; node < walk.count; node++)
        expand(node);
    printf("# %u states, %llu moves, %llu names\n", walk.count, (unsigned long long)stage.moves,
           (unsigned long long)stage.renamed);
    free(walk.nodes);
    free(walk.table);
}

static void enter_nothing(void)
{
    struct state nothing = {.by.phase = PHASE_NONE};

    verdict_init(&nothing.verdict);
    enter(&nothing);
}

static void W4a_holds_in_every_state_of_two_blue_servers_and_a_green_one(void **state)
{
    (void)state;
    begin();
    for (uint32_t m = 0; m < MEMBERS; m++)
        add_member(m);
    walk.steps[walk.step_count++] = (struct step){.kind = KIND_RESTART};
    enter_nothing();
    for (uint32_t m = 0; m < MEMBERS; m++)
        silence(m);
    go();
}

static void add_says(uint32_t voice, bool writer, bool names_b, uint32_t incarnation)
{
    walk.steps[walk.step_count++] =
        (struct step){KIND_SAYS, voice, {true, writer, PHASE_NONE, names_b, incarnation}};
}

/* Blue servers name B all the time: it is one of theirs. */
static void add_after_the_switchover(void)
{
    for (int writer = 0; writer < 2; writer++) {
        add_says(A, writer, true, 0);
        add_says(B, writer, true, 0);
        add_says(B, writer, true, 301); /* started again; or the new one, once it is B */
        add_says(C, writer, false, 0);
        add_says(C, writer, true, 0);
        add_says(ELSEWHERE, writer, true, NEW);
        add_says(ELSEWHERE, writer, true, OLD); /* B's old server, by another address */
        add_says(LEFT, writer, true, 302);
    }
    for (uint32_t m = B; m <= C; m++)
        walk.steps[walk.step_count++] = (struct step){.kind = KIND_DIES, .member = m};
    for (uint32_t leads = LEADS_HOME; leads <= LEADS_AWAY; leads++)
        walk.steps[walk.step_count++] = (struct step){.kind = KIND_LEADS, .member = leads};
    walk.steps[walk.step_count++] = (struct step){.kind = KIND_RESTART};
}

static void W4a_holds_in_every_state_in_which_an_old_name_comes_to_mean_a_new_server(void **state)
{
    static const struct step before[] = {{KIND_SAYS, A, {true, true, PHASE_AVAILABLE, true, 0}},
                                         {KIND_SAYS, B, {true, false, PHASE_AVAILABLE, true, 0}},
                                         {KIND_SAYS, C, {true, true, PHASE_AVAILABLE, false, 0}},
                                         {KIND_SAYS, A, {true, true, PHASE_POST, true, 0}},
                                         {KIND_SAYS, C, {true, true, PHASE_NONE, false, 0}}};

    (void)state;
    begin();
    add_after_the_switchover();
    enter_nothing();
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        take_step(&before[i]);
    assert_int_equal(stage.c.verdict.writer, C);
    assert_int_equal(stage.c.verdict.retired, 1u << A | 1u << B);
    go();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W4a_holds_in_every_state_of_two_blue_servers_and_a_green_one),
        TEST(W4a_holds_in_every_state_in_which_an_old_name_comes_to_mean_a_new_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
