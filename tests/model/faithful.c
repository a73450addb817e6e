/* SPDX-License-Identifier: Apache-2.0
 *
 * faithful.c - that the walk loses nothing by taking states that behave alike for one: in long
 * random stories, told without any merging, each next state is among those that the walk goes to
 * from the merged one before. Broken, it prints both.
 *
 * HOMING_MODEL_SEED tells other stories, HOMING_MODEL_RUNS sets how many.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/chance.h"
#include "tests/model/domains.h"
#include "tests/model/merge.h"
#include "tests/model/pack.h"
#include "tests/support/test.h"

#define RUNS_DEFAULT 40
#define RUN_STEPS    1000

/* But for the member's number and the term's, which merging may change. */
static bool alike(const struct step *a, const struct step *b)
{
    const struct report *x = &a->report, *y = &b->report;

    return a->kind == b->kind && a->asked_ago_ms == b->asked_ago_ms && x->kind == y->kind &&
           x->role == y->role && x->identity == y->identity && x->position == y->position;
}

static bool arrives(const struct world *w, const struct packed *to, const struct domain *d)
{
    struct packed packed;

    pack_world(w, d, &packed);
    return memcmp(&packed, to, sizeof(packed)) == 0;
}

/* Whether the walk, too, gets from here to there by such a step; that what it leaves to
 * STEP_PERSIST happened at once is all the same. */
static bool walk_goes_to(const struct packed *from, const struct step *step,
                         const struct packed *to, const struct domain *d)
{
    static const struct step persist = {.kind = STEP_PERSIST};
    struct step steps[STEPS_MAX];
    uint32_t count = world_steps(d, steps);
    struct world before, after;

    pack_restore(from, d, &before);
    for (uint32_t s = 0; s < count; s++) {
        if (!alike(&steps[s], step))
            continue;
        after = before;
        world_step(&after, d, &steps[s]);
        if (arrives(&after, to, d))
            return true;
        world_step(&after, d, &persist);
        if (d->restarts && arrives(&after, to, d))
            return true;
    }
    return false;
}

static void check_step(const struct domain *d, const struct world *before, const struct step *step,
                       const struct world *after)
{
    struct packed from, to;
    struct world merged;

    pack_world(before, d, &from);
    pack_world(after, d, &to);
    if (walk_goes_to(&from, step, &to, d))
        return;
    world_print(before);
    pack_restore(&from, d, &merged);
    world_print(&merged);
    step_print(step);
    world_print(after);
    pack_restore(&to, d, &merged);
    world_print(&merged);
    fflush(stdout);
    fail_msg("%s: a step that the walk does not take", d->name);
}

static void check_run(const struct domain *d, uint64_t seed, uint64_t number)
{
    struct domain told = *d;
    struct story story;
    struct world w;

    told.terms = d->terms != 0 ? d->terms : 5; /* real ones, not ranks */
    story_begin(&story, &told, seed, number);
    world_start(&w, &told);
    for (uint32_t i = 0; i < RUN_STEPS; i++) {
        struct world before = w;
        const struct step *step = story_next(&story);
        const char *broken = world_step(&w, &told, step);
        if (broken)
            fail_msg("%s, run %llu, step %u: %s", d->name, (unsigned long long)number, i, broken);
        check_step(d, &before, step, &w);
        merge_schedule(&w.c, d, w.now_ms);
    }
}

static void what_is_merged_behaves_alike(void **state)
{
    uint64_t seed = chance_number("HOMING_MODEL_SEED", 1),
             runs = chance_number("HOMING_MODEL_RUNS", RUNS_DEFAULT);

    printf("# seed %llu\n", (unsigned long long)seed);
    for (uint64_t number = 0; number < runs; number++)
        check_run(*state, seed, number);
}

int main(void)
{
    struct CMUnitTest tests[DOMAINS];

    for (uint32_t i = 0; i < DOMAINS; i++)
        tests[i] = (struct CMUnitTest){
            .name = domains[i].name,
            .test_func = what_is_merged_behaves_alike,
            .initial_state = (void *)&domains[i],
        };
    return cmocka_run_group_tests_name("what is merged behaves alike in a world of", tests, NULL,
                                       NULL);
}
