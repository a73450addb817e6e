/* SPDX-License-Identifier: Apache-2.0
 *
 * switch.c - failovers as the whole agent sees them, from a server's answer to the view. The
 * figures are virtual milliseconds: they are what the schedule promises, not what a machine took.
 */
#include "config.h"

#include <stdlib.h>

#include "tests/sim/sim.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

/* From a promotion to the view, the old writer stopped or killed; and the old writer silent. */
#define MOVE_MS        250
#define MOVE_SILENT_MS 300

static struct sim sim;

static int rig_setup(void **state)
{
    (void)state;
    sim_init(&sim, 3, "");
    sim_settle(&sim);
    return 0;
}

static void the_only_claim_is_published(void **state)
{
    (void)state;
    struct view_entry entry = sim_look(&sim, SIM_WRITER_NAME);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_int_equal(entry.state, VIEW_STATE_STEADY);
    assert_false(view_entry_stale(&entry, loop_now_ms(sim.loop)));
}

static void W3_a_promotion_after_the_writers_end_is_followed(void **state)
{
    (void)state;
    uint64_t before = sim_look(&sim, SIM_WRITER_NAME).generation;
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 700);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    sim_promote(&sim, 1);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, MOVE_MS) <= MOVE_MS);
    assert_true(sim_look(&sim, SIM_WRITER_NAME).generation > before);
}

static void W3_a_silent_writer_keeps_the_name_until_another_claims(void **state)
{
    (void)state;
    sim_conduct(&sim, 0, SIM_SILENT);
    sim_run(&sim, 10000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_SUSPECT);
    sim_promote(&sim, 2);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 2, MOVE_SILENT_MS) <= MOVE_SILENT_MS);
}

static void W3_two_claims_are_ambiguous_and_the_incumbent_stays(void **state)
{
    (void)state;
    sim_promote(&sim, 1);
    sim_run(&sim, 5000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_AMBIGUOUS);
    sim_conduct(&sim, 0, SIM_DOWN);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, MOVE_MS) <= MOVE_MS);
}

static void W2_a_former_writer_that_returns_does_not_get_the_name_back(void **state)
{
    (void)state;
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    sim_run(&sim, 1000);
    sim_conduct(&sim, 0, SIM_ANSWERS); /* still claims, on timeline 1 */
    sim_run(&sim, 20000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    sim_conduct(&sim, 1, SIM_DOWN); /* and does not even if it is the only one */
    sim_run(&sim, 20000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
}

static void W2_a_restarted_agent_keeps_its_last_verdict_against_an_older_claim(void **state)
{
    (void)state;
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    sim_run(&sim, 1000);
    uint64_t before = sim_look(&sim, SIM_WRITER_NAME).generation;
    sim_stop(&sim);
    sim_conduct(&sim, 1, SIM_SILENT);
    sim_start(&sim);
    sim_run(&sim, 1000); /* when the sockets appear */
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_SUSPECT);
    sim_conduct(&sim, 0, SIM_ANSWERS); /* the one before, with its old claim */
    sim_run(&sim, 15000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_AMBIGUOUS);
    assert_true(sim_look(&sim, SIM_WRITER_NAME).generation >= before);
}

static void W9_what_nobody_confirms_for_max_stale_is_stale(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sim.count; i++)
        sim_conduct(&sim, i, SIM_SILENT);
    sim_run(&sim, 29000);
    struct view_entry entry = sim_look(&sim, SIM_WRITER_NAME);
    assert_false(view_entry_stale(&entry, loop_now_ms(sim.loop)));
    sim_run(&sim, 2000);
    entry = sim_look(&sim, SIM_WRITER_NAME);
    assert_true(view_entry_stale(&entry, loop_now_ms(sim.loop)));
    sim_conduct(&sim, 0, SIM_ANSWERS);
    sim_run(&sim, 12000); /* the longest back-off */
    entry = sim_look(&sim, SIM_WRITER_NAME);
    assert_false(view_entry_stale(&entry, loop_now_ms(sim.loop)));
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
}

static void a_demoted_writer_serves_as_a_reader(void **state)
{
    (void)state;
    sim_promote(&sim, 1);
    sim_rejoin(&sim, 0);
    sim_rejoin(&sim, 2);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, MOVE_MS) <= MOVE_MS);
    sim_run(&sim, 15000);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_STEADY);
    assert_true(sim_serves(&sim, 0));
    assert_true(sim_serves(&sim, 2));
    assert_false(sim_serves(&sim, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(the_only_claim_is_published),
        TEST_IN_SIM(W3_a_promotion_after_the_writers_end_is_followed),
        TEST_IN_SIM(W3_a_silent_writer_keeps_the_name_until_another_claims),
        TEST_IN_SIM(W3_two_claims_are_ambiguous_and_the_incumbent_stays),
        TEST_IN_SIM(W2_a_former_writer_that_returns_does_not_get_the_name_back),
        TEST_IN_SIM(W2_a_restarted_agent_keeps_its_last_verdict_against_an_older_claim),
        TEST_IN_SIM(W9_what_nobody_confirms_for_max_stale_is_stale),
        TEST_IN_SIM(a_demoted_writer_serves_as_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
