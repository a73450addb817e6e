/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.c - walks breadth first through every state that a small world can get into, on the real
 * objects of agent/decide, and checks the rules after every single event. States that behave alike
 * are walked once (merge.c). A broken rule is printed with the shortest story that leads to it, in
 * which members and terms may change their numbers.
 *
 * HOMING_MODEL_STATES sets how many states each world may have before its walk ends. The default
 * exhausts all but those called deep, of which it walks the nearest states, and has to; under
 * AddressSanitizer, which is after other mistakes and slow, the nearest states of all.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/domains.h"
#include "tests/model/pack.h"
#include "tests/model/rules.h"
#include "tests/support/test.h"

/* What the largest of the others needs and a little more: ten seconds for all together. */
#define STATES_DEFAULT 100000
/* What is walked of a deep one by default. */
#define STATES_DEEP 10000

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct node {
    uint32_t parent;
    uint32_t step;
};

struct walk {
    const struct domain *domain;
    struct step steps[STEPS_MAX];
    uint32_t step_count;
    uint8_t *states; /* packed, size bytes each */
    uint32_t size;
    struct node *nodes; /* how each was first reached */
    uint32_t count, limit;
    bool cut;
    uint32_t *table; /* open addressing: node index + 1 */
    uint32_t table_mask;
    uint64_t transitions;
};

static uint64_t hash_of(const struct walk *k, const struct packed *p)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i * sizeof(p->words[0]) < k->size; i++) {
        hash = (hash ^ p->words[i]) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }
    return hash;
}

static uint8_t *walk_state(const struct walk *k, uint32_t node)
{
    return k->states + (size_t)node * k->size;
}

static void *grown(void *block, size_t count, size_t size)
{
    block = realloc(block, count * size);
    assert_non_null(block);
    return block;
}

/* Room for twice as many states: the table is filled anew. */
static void walk_grow(struct walk *k)
{
    uint32_t room = 2 * (k->table_mask + 1);
    struct packed state = {{0}};

    k->states = grown(k->states, room / 2, k->size);
    k->nodes = grown(k->nodes, room / 2, sizeof(*k->nodes));
    k->table = grown(k->table, room, sizeof(*k->table));
    memset(k->table, 0, room * sizeof(*k->table));
    k->table_mask = room - 1;
    for (uint32_t node = 0; node < k->count; node++) {
        memcpy(&state, walk_state(k, node), k->size);
        uint32_t at = (uint32_t)hash_of(k, &state) & k->table_mask;
        while (k->table[at] != 0)
            at = (at + 1) & k->table_mask;
        k->table[at] = node + 1;
    }
}

static void walk_visit(struct walk *k, const struct packed *state, uint32_t parent, uint32_t step)
{
    uint32_t at = (uint32_t)hash_of(k, state) & k->table_mask;

    while (k->table[at] != 0) {
        if (memcmp(walk_state(k, k->table[at] - 1), state, k->size) == 0)
            return;
        at = (at + 1) & k->table_mask;
    }
    if (k->count == k->limit) {
        k->cut = true;
        return;
    }
    memcpy(walk_state(k, k->count), state, k->size);
    k->nodes[k->count] = (struct node){.parent = parent, .step = step};
    k->table[at] = ++k->count;
    if (k->count == (k->table_mask + 1) / 2)
        walk_grow(k);
}

static bool is_deep(const struct domain *domain)
{
    return SANITIZED || strncmp(domain->name, "deep", 4) == 0;
}

static uint32_t states_limit(bool deep)
{
    const char *text = getenv("HOMING_MODEL_STATES");
    long limit = text ? atol(text) : deep ? STATES_DEEP : STATES_DEFAULT;
    return limit < 1 ? 1 : limit > 50000000 ? 50000000 : (uint32_t)limit;
}

static void walk_init(struct walk *k, const struct domain *domain)
{
    memset(k, 0, sizeof(*k));
    k->domain = domain;
    k->step_count = world_steps(domain, k->steps);
    k->limit = states_limit(is_deep(domain));
    k->size = pack_size(domain);
    k->table_mask = 511;
    walk_grow(k);
}

static void walk_done(struct walk *k)
{
    free(k->states);
    free(k->nodes);
    free(k->table);
}

static void walk_restore(const struct walk *k, uint32_t node, struct world *ret_world)
{
    struct packed state = {{0}};

    memcpy(&state, walk_state(k, node), k->size);
    pack_restore(&state, k->domain, ret_world);
}

/* The steps from the start to this node, in order. */
static void walk_print(const struct walk *k, uint32_t node)
{
    struct world w;

    if (node == 0)
        return;
    walk_print(k, k->nodes[node].parent);
    step_print(&k->steps[k->nodes[node].step]);
    walk_restore(k, node, &w);
    world_print(&w);
}

static void walk_expand(struct walk *k, uint32_t node)
{
    struct world start, w;
    struct packed packed;

    walk_restore(k, node, &start);
    world_start(&w, k->domain);
    for (uint32_t s = 0; s < k->step_count; s++) {
        world_copy(&start, &w);
        const char *broken = world_step(&w, k->domain, &k->steps[s]);
        if (broken) {
            printf("# broken: %s\n", broken);
            walk_print(k, node);
            step_print(&k->steps[s]);
            world_print(&w);
            fflush(stdout);
            fail_msg("%s: %s", k->domain->name, broken);
        }
        pack_world(&w, k->domain, &packed);
        walk_visit(k, &packed, node, s);
        k->transitions++;
    }
}

static void walk_domain(const struct domain *domain)
{
    struct walk k;
    struct world w;
    struct packed packed, again;

    walk_init(&k, domain);
    world_start(&w, domain);
    pack_world(&w, domain, &packed);
    pack_restore(&packed, domain, &w);
    pack_world(&w, domain, &again);
    assert_memory_equal(&packed, &again, sizeof(packed));
    walk_visit(&k, &packed, 0, 0);
    for (uint32_t node = 0; node < k.count; node++)
        walk_expand(&k, node);
    if (!getenv("HOMING_MODEL_STATES") && !is_deep(domain))
        assert_false(k.cut);
    printf("# %s: %s, %u states, %llu transitions\n", domain->name,
           k.cut ? "the nearest only" : "exhausted", k.count, (unsigned long long)k.transitions);
    walk_done(&k);
}

static void the_rules_hold(void **state)
{
    walk_domain(*state);
}

int main(void)
{
    struct CMUnitTest tests[DOMAINS];

    for (uint32_t i = 0; i < DOMAINS; i++)
        tests[i] = (struct CMUnitTest){
            .name = domains[i].name,
            .test_func = the_rules_hold,
            .initial_state = (void *)&domains[i],
        };
    return cmocka_run_group_tests_name("the rules hold in every state of a world of", tests, NULL,
                                       NULL);
}
