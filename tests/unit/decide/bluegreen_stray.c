/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen_stray.c - tests of W4a: the writer names a green server that is no member
 * (tests/support/switchover.h).
 */
#include "config.h"

#include "agent/decide/bluegreen.h"
#include "tests/support/switchover.h"
#include "tests/support/test.h"

/* C is a member, but no green one: that one is none. */
static void tells_of_a_stray(enum phase phase)
{
    for (uint32_t m = A; m <= C; m++)
        tells_without_names(m, phase);
    story.members[A].says.stray = phase <= PHASE_IN_PROGRESS; /* then names change */
    story.members[A].says.green = phase >= PHASE_POST ? MASK(A) : 0;
    is_reader(C);
    run_for(500);
}

static void hands_over_to_a_stray(void)
{
    tells_of_a_stray(PHASE_AVAILABLE);
    tells_of_a_stray(PHASE_IN_PROGRESS);
    is_reader(A);
    run_for(500);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_SWITCHOVER);
    tells_of_a_stray(PHASE_POST);
}

static void W4a_a_switchover_to_a_server_that_is_no_member_is_waited_for_too(void **state)
{
    (void)state;
    hands_over_to_a_stray();
    assert_true(verdict->stray);
    assert_int_equal(verdict->green, 0);
    story_restart(verdict);
    run_for(BLUEGREEN_HOLD_MS - 2000);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_SWITCHOVER);
    assert_int_equal(story.raised, 0);
    run_for(3000);
    assert_int_equal(verdict->reason, REASON_INCUMBENT_READER);
    assert_true(story.raised & ALARM(NO_WRITER));
    assert_true(story.raised & ALARM(SWITCHOVER));
}

static void W4a_who_handed_over_to_no_member_is_no_writer_again_with_an_empty_table(void **state)
{
    const uint32_t map[] = {A, B, C};

    (void)state;
    hands_over_to_a_stray();
    story.members[A].says.stray = false;
    tells(A, PHASE_NONE);
    is_writer(A, 1);
    run_for(BLUEGREEN_HOLD_MS + 1000);
    assert_int_equal(verdict->phase, PHASE_POST);
    assert_int_equal(verdict->reason, REASON_INCUMBENT_READER);
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    run_for(500);
    assert_int_equal(verdict->phase, PHASE_POST);
    assert_int_equal(operator_says(EVENT_ACCEPT, A), REFUSAL_NONE);
    run_for(500);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_false(verdict->stray);
}

static void W4a_who_follows_a_writer_that_handed_over_to_no_member_did_not(void **state)
{
    (void)state;
    hands_over_to_a_stray();
    is_writer(B, 2);
    run_for(500);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->phase, PHASE_NONE);
    assert_false(verdict->stray);
}

static void W4a_a_green_server_is_no_member_by_the_writers_last_word(void **state)
{
    (void)state;
    tells_of_a_stray(PHASE_AVAILABLE);
    assert_true(verdict->stray);
    tells(A, PHASE_AVAILABLE); /* it was added */
    story.members[A].says.stray = false;
    run_for(500);
    assert_false(verdict->stray);
    assert_int_equal(verdict->named, MASK(C));
    tells_of_a_stray(PHASE_INITIATED);
    assert_int_equal(verdict->phase, PHASE_INITIATED);
    story.members[A].says.stray = false;
    tells(A, PHASE_NONE);
    run_for(500);
    assert_false(verdict->stray);
    assert_int_equal(verdict->phase, PHASE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_deployment,
                  W4a_a_switchover_to_a_server_that_is_no_member_is_waited_for_too),
        TEST_FROM(set_up_deployment,
                  W4a_who_handed_over_to_no_member_is_no_writer_again_with_an_empty_table),
        TEST_FROM(set_up_deployment,
                  W4a_who_follows_a_writer_that_handed_over_to_no_member_did_not),
        TEST_FROM(set_up_deployment, W4a_a_green_server_is_no_member_by_the_writers_last_word),
    };
    return cmocka_run_group_tests_name("a green server that is no member", tests, NULL, NULL);
}
