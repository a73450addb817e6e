/* SPDX-License-Identifier: Apache-2.0
 *
 * runs.c - long random stories in larger worlds than walk.c can exhaust: three members, every
 * event, the same rules, without the packing in between.
 *
 * The seed is printed; HOMING_MODEL_SEED repeats a run, HOMING_MODEL_RUNS sets how many.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "rules.h"

#define RUNS_DEFAULT 100
#define RUN_STEPS    2000

static uint64_t seed;

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* splitmix64: any seed will do. */
static uint32_t random_below(uint64_t *random, uint32_t bound)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % bound);
}

/* Mostly a member goes on saying what it said and time passes: else nothing lasts long enough. */
static const struct step *step_next(uint64_t *random, const struct step *steps, uint32_t count,
                                    const struct step *favourites, uint32_t favourite_count)
{
    static const struct step beat = {.kind = STEP_BEAT};
    uint32_t choice = random_below(random, 100);

    if (choice < 40)
        return &beat;
    if (choice < 88)
        return &favourites[random_below(random, favourite_count)];
    return &steps[random_below(random, count)];
}

/* One story. The rule that broke, or NULL, and the step; tells the steps from `tell_from` on. */
static const char *run(const struct domain *d, uint64_t number, uint32_t tell_from,
                       uint32_t *ret_step)
{
    struct step steps[STEPS_MAX], favourites[4];
    uint32_t count = world_steps(d, steps);
    uint64_t random = seed ^ number << 32;
    const char *broken = NULL;
    struct world w;

    world_start(&w, d);
    for (uint32_t i = 0; i < RUN_STEPS && broken == NULL; i++) {
        if (i % 50 == 0)
            for (uint32_t f = 0; f < 4; f++)
                favourites[f] = steps[random_below(&random, count)];
        const struct step *step = step_next(&random, steps, count, favourites, 4);
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
    uint64_t runs = number_from("HOMING_MODEL_RUNS", RUNS_DEFAULT);

    printf("# seed %llu\n", (unsigned long long)seed);
    for (uint64_t number = 0; number < runs; number++) {
        uint32_t step;
        const char *broken = run(d, number, RUN_STEPS, &step);
        if (broken == NULL)
            continue;
        printf("# seed %llu, run %llu, broken at step %u; the last ones:\n",
               (unsigned long long)seed, (unsigned long long)number, step);
        run(d, number, step < 20 ? 0 : step - 20, &step);
        fflush(stdout);
        fail_msg("%s", broken);
    }
}

int main(void)
{
    static const struct domain plain = {
        .members = 3,
        .terms = 4,
        .identities = 2,
        .positions = 3,
        .old_questions = true,
        .operators = true,
        .restarts = true,
        .reloads = true,
        .max_switches = 3,
    };
    static const struct domain aliased = {
        .members = 3,
        .terms = 4,
        .identities = 1,
        .positions = 2,
        .no_failover = 2,
        .aliases = true,
        .old_questions = true,
        .operators = true,
        .restarts = true,
        .max_switches = 15,
    };
    const struct CMUnitTest tests[] = {
        {"the_rules_hold_in_long_random_stories", the_rules_hold_in_long_random_stories, NULL, NULL,
         (void *)&plain},
        {"the_rules_hold_in_long_random_stories_with_aliases",
         the_rules_hold_in_long_random_stories, NULL, NULL, (void *)&aliased},
    };

    seed = number_from("HOMING_MODEL_SEED", (uint64_t)time(NULL));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
