/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.c - walks breadth first through every state that a small world can get into, on the real
 * objects of agent/decide, and checks the rules after every single event. A broken rule is printed
 * with the shortest story that leads to it.
 *
 * HOMING_MODEL_STATES sets how many states each world may have before the walk ends (default
 * below; each takes some 200 bytes). The smallest world is exhausted in 20,000 states; of the
 * others the nearest states are walked, so whatever breaks within few events is found.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rules.h"

/* A few seconds for all worlds together in `make check`. */
#define STATES_DEFAULT 20000

struct node {
    struct packed state;
    uint32_t parent;
    uint32_t step;
};

struct walk {
    const struct domain *domain;
    struct step steps[STEPS_MAX];
    uint32_t step_count;
    struct node *nodes;
    uint32_t count, limit;
    uint32_t *table; /* open addressing: node index + 1 */
    uint32_t table_mask;
    uint64_t transitions;
};

static uint64_t hash_of(const struct packed *p)
{
    uint64_t hash = 0xcbf29ce484222325, word;

    for (size_t i = 0; i < sizeof p->bytes; i += sizeof word) {
        memcpy(&word, p->bytes + i, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }
    return hash;
}

static void walk_visit(struct walk *k, const struct packed *state, uint32_t parent, uint32_t step)
{
    uint32_t at = (uint32_t)hash_of(state) & k->table_mask;

    while (k->table[at] != 0) {
        if (memcmp(&k->nodes[k->table[at] - 1].state, state, sizeof *state) == 0)
            return;
        at = (at + 1) & k->table_mask;
    }
    if (k->count == k->limit)
        return;
    k->nodes[k->count] = (struct node){.state = *state, .parent = parent, .step = step};
    k->table[at] = ++k->count;
}

static uint32_t states_limit(void)
{
    const char *text = getenv("HOMING_MODEL_STATES");
    long limit = text != NULL ? atol(text) : STATES_DEFAULT;
    return limit < 1 ? 1 : limit > 50000000 ? 50000000 : (uint32_t)limit;
}

static void walk_init(struct walk *k, const struct domain *domain)
{
    uint32_t size = 1;

    memset(k, 0, sizeof *k);
    k->domain = domain;
    k->step_count = world_steps(domain, k->steps);
    k->limit = states_limit();
    while (size < 2 * k->limit)
        size *= 2;
    k->table_mask = size - 1;
    k->nodes = calloc(k->limit, sizeof *k->nodes);
    k->table = calloc(size, sizeof *k->table);
    assert_true(k->nodes != NULL && k->table != NULL);
}

static void walk_done(struct walk *k)
{
    free(k->nodes);
    free(k->table);
}

/* Steps from the start to this node, printed in order. */
static void walk_print(const struct walk *k, uint32_t node)
{
    struct world w;

    if (node == 0)
        return;
    walk_print(k, k->nodes[node].parent);
    step_print(&k->steps[k->nodes[node].step]);
    world_unpack(&k->nodes[node].state, k->domain, &w);
    world_print(&w);
}

static void walk_expand(struct walk *k, uint32_t node)
{
    struct world start, w;
    struct packed packed;

    world_unpack(&k->nodes[node].state, k->domain, &start);
    for (uint32_t s = 0; s < k->step_count; s++) {
        w = start;
        const char *broken = world_step(&w, k->domain, &k->steps[s]);
        if (broken != NULL) {
            printf("# broken: %s\n", broken);
            walk_print(k, node);
            step_print(&k->steps[s]);
            world_print(&w);
            fflush(stdout);
            fail_msg("%s: %s", k->domain->name, broken);
        }
        world_pack(&w, k->domain, &packed);
        walk_visit(k, &packed, node, s);
        k->transitions++;
    }
}

static void walk_domain(const struct domain *domain)
{
    struct walk k;
    struct world w;
    struct packed packed, again;
    uint32_t node;

    walk_init(&k, domain);
    world_start(&w, domain);
    world_pack(&w, domain, &packed);
    world_unpack(&packed, domain, &w);
    world_pack(&w, domain, &again);
    assert_memory_equal(&packed, &again, sizeof packed);
    walk_visit(&k, &packed, 0, 0);
    for (node = 0; node < k.count; node++)
        walk_expand(&k, node);
    printf("# %s: %u states%s, %llu transitions\n", domain->name, k.count,
           k.count < k.limit ? ", all there are" : ", the nearest ones",
           (unsigned long long)k.transitions);
    walk_done(&k);
}

static const struct domain domains[] = {
    {.name = "one member",
     .members = 1,
     .terms = 3,
     .identities = 2,
     .positions = 2,
     .old_questions = true,
     .operators = true,
     .restarts = true,
     .reloads = true},
    {.name = "one member, silence", .members = 1, .terms = 2, .identities = 1, .positions = 1},
    {.name = "two members, one term", .members = 2, .terms = 1, .identities = 1, .positions = 1},
    {.name = "two members, contests",
     .members = 2,
     .terms = 3,
     .identities = 1,
     .positions = 1,
     .old_questions = true},
    {.name = "two members, restarts",
     .members = 2,
     .terms = 2,
     .identities = 1,
     .positions = 1,
     .restarts = true},
    {.name = "two members, positions", .members = 2, .terms = 2, .identities = 1, .positions = 3},
    {.name = "two members, identities, operators",
     .members = 2,
     .terms = 2,
     .identities = 2,
     .positions = 1,
     .operators = true},
    {.name = "two members, brake",
     .members = 2,
     .terms = 2,
     .identities = 1,
     .positions = 1,
     .operators = true,
     .max_switches = 2},
    {.name = "two members, reloads",
     .members = 2,
     .terms = 2,
     .identities = 1,
     .positions = 2,
     .reloads = true},
    {.name = "two members, one without failover",
     .members = 2,
     .terms = 3,
     .identities = 1,
     .positions = 1,
     .no_failover = 2,
     .operators = true},
    {.name = "three members, terms", .members = 3, .terms = 3, .identities = 1, .positions = 1},
    {.name = "three members, aliases",
     .members = 3,
     .terms = 2,
     .identities = 1,
     .positions = 1,
     .aliases = true},
    {.name = "three members, everything",
     .members = 3,
     .terms = 3,
     .identities = 2,
     .positions = 2,
     .aliases = true,
     .old_questions = true,
     .operators = true,
     .restarts = true,
     .max_switches = 1},
    {.name = "three members, reloads, everything",
     .members = 3,
     .terms = 2,
     .identities = 2,
     .positions = 2,
     .old_questions = true,
     .operators = true,
     .restarts = true,
     .reloads = true,
     .max_switches = 1},
};

static void the_rules_hold(void **state)
{
    walk_domain(*state);
}

int main(void)
{
    enum {
        DOMAINS = sizeof domains / sizeof domains[0]
    };
    struct CMUnitTest tests[DOMAINS];

    for (int i = 0; i < DOMAINS; i++)
        tests[i] = (struct CMUnitTest){
            .name = domains[i].name,
            .test_func = the_rules_hold,
            .initial_state = (void *)&domains[i],
        };
    return cmocka_run_group_tests_name("the rules hold in every state of a world of", tests, NULL,
                                       NULL);
}
