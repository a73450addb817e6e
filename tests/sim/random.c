/* SPDX-License-Identifier: Apache-2.0
 *
 * random.c - the agent in worlds that change at random: what must hold whatever happens. The seed
 * is printed; HOMING_SEED=N repeats one world.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/sim/sim.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

enum {
    WORLDS = 20,
    STEPS = 150
};

static struct sim sim;
static uint64_t dice;
static unsigned switches; /* in all worlds: a run without any has shown nothing */

/* What the checks remember of a world. */
struct witness {
    int writer;
    uint64_t timeline; /* of the published writer, at its publication */
    uint64_t generation;
    uint64_t claimed[SIM_SERVERS_MAX]; /* newest timeline that it ever claimed; 0: never */
};

static void note_claims(struct witness *w)
{
    for (unsigned i = 0; i < sim.count; i++)
        if (sim.servers[i].writer)
            w->claimed[i] = sim.servers[i].timeline;
}

static void change_the_world(void)
{
    static const enum sim_conduct conducts[] = {SIM_ANSWERS, SIM_ANSWERS, SIM_SILENT, SIM_DOWN};
    unsigned server = dice_roll(&dice, sim.count);
    switch (dice_roll(&dice, 6)) {
    case 0:
        sim_promote(&sim, server);
        break;
    case 1:
        sim_rejoin(&sim, server);
        break;
    case 2:
        sim_stop(&sim);
        sim_start(&sim);
        break;
    default:
        sim_conduct(&sim, server, conducts[dice_roll(&dice, 4)]);
    }
}

static void check(struct witness *w)
{
    struct view_entry entry = sim_look(&sim, SIM_WRITER_NAME);
    int writer = sim_answer(&sim, SIM_WRITER_NAME);
    assert_true(entry.generation >= w->generation);
    w->generation = entry.generation;
    if (writer == SIM_NOBODY || writer == w->writer)
        return;
    assert_true(w->claimed[writer] != 0);           /* W1: it said so itself */
    assert_true(w->claimed[writer] >= w->timeline); /* W2: never back */
    switches += w->writer != SIM_NOBODY;
    w->writer = writer;
    w->timeline = w->claimed[writer];
}

/* When all is well for long enough, the newest claim is what is published. */
static void settle(struct witness *w)
{
    sim_promote(&sim, 0);
    for (unsigned i = 1; i < sim.count; i++)
        sim_rejoin(&sim, i);
    sim_conduct(&sim, 0, SIM_ANSWERS);
    note_claims(w);
    sim_run(&sim, 60000);
    check(w);
    assert_int_equal(w->writer, 0);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_STEADY);
}

static void live_through(uint64_t seed)
{
    struct witness w = {.writer = SIM_NOBODY};
    dice = seed;
    sim_init(&sim, 2 + dice_roll(&dice, 4), "");
    sim_start(&sim);
    note_claims(&w);
    for (unsigned i = 0; i < STEPS; i++) {
        sim_run(&sim, dice_roll(&dice, dice_roll(&dice, 2) ? 200 : 5000));
        check(&w);
        change_the_world();
        note_claims(&w);
    }
    settle(&w);
    sim_done(&sim);
}

static void W1_W2_hold_in_worlds_that_change_at_random(void **state)
{
    (void)state;
    const char *given = getenv("HOMING_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000;
    for (unsigned i = 0; i < (given ? 1 : WORLDS); i++) {
        printf("# HOMING_SEED=%llu\n", (unsigned long long)seed + i);
        fflush(stdout);
        live_through(seed + i);
    }
    printf("# %u switches\n", switches);
    assert_true(switches > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W1_W2_hold_in_worlds_that_change_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
