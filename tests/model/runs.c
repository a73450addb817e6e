/* SPDX-License-Identifier: Apache-2.0
 *
 * runs.c - long random stories in larger worlds than walk.c can exhaust: three members, every
 * event, the same rules, without the packing in between.
 *
 * The seed is printed; HOMING_MODEL_SEED repeats a run, HOMING_MODEL_RUNS sets how many.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/chance.h"
#include "tests/model/rules.h"
#include "tests/support/test.h"

#define RUNS_DEFAULT 100
#define RUN_STEPS    2000

static uint64_t seed;

/* One story. The rule that broke, or NULL, and the step; tells the steps from `tell_from` on. */
static const char *run(const struct domain *d, uint64_t number, uint32_t tell_from,
                       uint32_t *ret_step)
{
    const char *broken = NULL;
    struct story story;
    struct world w;

    story_begin(&story, d, seed, number);
    world_start(&w, d);
    for (uint32_t i = 0; i < RUN_STEPS && !broken; i++) {
        const struct step *step = story_next(&story);
        broken = world_step(&w, d, step);
        *ret_step = i;
        if (i < tell_from)
            continue;
        step_print(step);
        world_print(&w);
    }
    return broken;
}

static void the_rules_hold_in_long_random_stories(void **state)
{
    const struct domain *d = *state;
    uint64_t runs = chance_number("HOMING_MODEL_RUNS", RUNS_DEFAULT);

    printf("# seed %llu\n", (unsigned long long)seed);
    for (uint64_t number = 0; number < runs; number++) {
        uint32_t step;
        const char *broken = run(d, number, RUN_STEPS, &step);
        if (!broken)
            continue;
        printf("# seed %llu, run %llu, broken at step %u; the last ones:\n",
               (unsigned long long)seed, (unsigned long long)number, step);
        run(d, number, step < 20 ? 0 : step - 20, &step);
        fflush(stdout);
        fail_msg("%s", broken);
    }
}

/* A position of 0 is not known. So what the rival was behind is forgotten with the term that was
 * left, by the bystander, too: all he knows of its position after a restart is that it was behind. */
static struct report claim(uint8_t by, uint64_t term, uint64_t position)
{
    return (struct report){.member = by,
                           .role = ROLE_WRITER,
                           .term = {0, term},
                           .identity = 1,
                           .incarnation = 100 + by,
                           .position = position};
}

static void a_claim_of_before_the_restart_is_not_behind_what_was_accepted_since(void **state)
{
    static const struct domain d = {BEATS_FINE,       .members = 2,    .terms = 2,
                                    .positions = 2,   .identities = 1, .restarts = true,
                                    .operators = true};
    const struct step told[] = {
        {.kind = STEP_REPORT, .member = 0, .report = claim(0, 2, 2)},
        {.kind = STEP_REPORT, .member = 1, .report = {.member = 1, .kind = REPORT_BROKEN}},
        {.kind = STEP_REPORT, .member = 0, .report = {.member = 0, .kind = REPORT_BROKEN}},
        {.kind = STEP_REPORT, .member = 1, .report = claim(1, 2, 1)}, /* behind */
        {.kind = STEP_RESTART},
        {.kind = STEP_REPORT, .member = 0, .report = claim(0, 1, 2)},
        {.kind = STEP_ACCEPT, .member = 0},
        {.kind = STEP_REPORT, .member = 0, .report = claim(0, 2, 2)},
        {.kind = STEP_TICK},
        {.kind = STEP_REPORT, .member = 0, .report = {.member = 0, .kind = REPORT_BROKEN}},
        {.kind = STEP_REPORT, .member = 1, .report = claim(1, 2, 2)},
    };
    struct world w;

    (void)state;
    world_start(&w, &d);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        const char *broken = world_step(&w, &d, &told[i]);
        if (broken)
            fail_msg("step %zu: %s", i, broken);
        assert_int_equal(w.c.verdict.reason == REASON_BEHIND, i == 3);
    }
    assert_int_equal(w.c.verdict.writer, 1);
    assert_int_equal(w.c.verdict.reason, REASON_DEMOTION_UNDONE);
}

int main(void)
{
    static const struct domain plain = {
        BEATS_FINE,        .members = 3,     .terms = 4,      .identities = 2,
        .positions = 3,    .readers = true,  .paces = true,   .old_questions = true,
        .operators = true, .restarts = true, .reloads = true, .max_switches = 3,
    };
    static const struct domain aliased = {
        BEATS_FINE,         .members = 3,          .terms = 4,        .identities = 1,
        .positions = 2,     .readers = true,       .paces = true,     .no_failover = 2,
        .aliases = true,    .old_questions = true, .operators = true, .restarts = true,
        .max_switches = 15,
    };
    static const struct domain moving = {
        BEATS_FINE,     .members = 2,          .terms = 3,        .identities = 2,
        .positions = 2, .readers = true,       .paces = true,     .no_failover = 2,
        .moves = true,  .old_questions = true, .operators = true, .max_switches = 15,
    };
    static const struct domain swapping = {
        BEATS_FINE,     .members = 2,      .terms = 2,         .identities = 1,
        .positions = 2, .readers = true,   .paces = true,      .moves = true,
        .swaps = true,  .operators = true, .max_switches = 15,
    };
    const struct CMUnitTest tests[] = {
        {"the_rules_hold_in_long_random_stories_with_addresses_exchanged",
         the_rules_hold_in_long_random_stories, NULL, NULL, (void *)&swapping},
        {"the_rules_hold_in_long_random_stories_with_moves", the_rules_hold_in_long_random_stories,
         NULL, NULL, (void *)&moving},
        {"the_rules_hold_in_long_random_stories", the_rules_hold_in_long_random_stories, NULL, NULL,
         (void *)&plain},
        {"the_rules_hold_in_long_random_stories_with_aliases",
         the_rules_hold_in_long_random_stories, NULL, NULL, (void *)&aliased},
        TEST(a_claim_of_before_the_restart_is_not_behind_what_was_accepted_since),
    };

    seed = chance_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
