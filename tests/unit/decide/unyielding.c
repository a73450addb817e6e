/* SPDX-License-Identifier: Apache-2.0
 *
 * unyielding.c - tests of W3a: an old writer of one volume that has not noticed that it was replaced, across
 * restarts, reloads, orders of the operator and addresses that move (W11).
 */
#include "config.h"

#include "agent/decide/moves.h"
#include "tests/support/story.h"
#include "tests/support/test.h"

/* B took over from A, which was frozen and goes on; then the agent is killed. */
static void thaw_and_restart(void)
{
    falls_silent(A);
    promote(B, 1);
    wait_for(WRITER_PATIENCE_MS + 50);
    is_writer(A, 1);
    run_for(100);
    story_restart(verdict);
}

static void W3a_who_has_not_noticed_is_known_after_a_restart(void **state)
{
    (void)state;
    thaw_and_restart();
    breaks(B);
    run_for(500);
    assert_ambiguous(B, REASON_TWO_CLAIMS, A);
}

static void W3a_who_has_not_noticed_is_known_after_a_reload_and_a_restart(void **state)
{
    static const uint32_t map[] = {1, 2, 0};

    (void)state;
    thaw_and_restart();
    struct story_member old = story.members[A];
    story.members[A] = story.members[C];
    story.members[C] = story.members[B];
    story.members[B] = old;
    for (uint32_t m = A; m <= C; m++)
        story.members[m].says.member = m;
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    story_restart(verdict);
    breaks(C);
    run_for(500);
    assert_int_equal(verdict->writer, C);
}

static void W3a_who_has_noticed_has_noticed_after_a_restart(void **state)
{
    (void)state;
    thaw_and_restart();
    is_reader(A);
    hears(A);
    assert_true(story.last.persist);
    story_restart(verdict);
    breaks(B);
    is_writer(A, 1);
    run_for(500);
    assert_verdict(A, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void W3a_who_has_not_noticed_is_noted_once_and_the_oldest_is_forgotten(void **state)
{
    struct verdict v;

    (void)state;
    verdict_init(&v);
    verdict_note_unyielding(&v, 0);
    assert_false(verdict_is_unyielding(&v, 0));
    for (uint64_t i = 1; i <= HOMING_MEMBERS_MAX + 1; i++) {
        verdict_note_unyielding(&v, i);
        verdict_note_unyielding(&v, i);
    }
    assert_false(verdict_is_unyielding(&v, 1));
    assert_true(verdict_is_unyielding(&v, 2));
    verdict_forget_unyielding(&v, 3);
    verdict_forget_unyielding(&v, 3);
    assert_false(verdict_is_unyielding(&v, 3));
    assert_true(verdict_is_unyielding(&v, 2));
    assert_int_equal(v.unyielding[0], HOMING_MEMBERS_MAX + 1);
    assert_int_equal(v.unyielding[HOMING_MEMBERS_MAX - 1], 0);
}

static void W3a_who_was_started_again_has_noticed_though_the_agent_was_too(void **state)
{
    (void)state;
    thaw_and_restart();
    story.members[A].says.incarnation += 50;
    breaks(B);
    run_for(500);
    assert_verdict(A, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

/* Taking out the server that broke is what an operator does then. */
static void W3a_who_has_not_noticed_is_not_followed_when_the_writer_is_taken_out(void **state)
{
    static const uint32_t map[] = {0, MEMBER_NONE, 1};

    (void)state;
    thaw_and_restart();
    breaks(B);
    run_for(500);
    story.members[B] = story.members[C];
    story.members[B].says.member = B;
    story.members[C].speaks = false;
    story.conf.members = 2;
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    run_for(500);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
    assert_int_equal(verdict->rival, A);
    assert_int_equal(operator_says(EVENT_ACCEPT, A), REFUSAL_NONE);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
}

/* W1: its other name, which leads to the same server. */
static void W3a_who_was_accepted_again_is_followed_to_its_other_name(void **state)
{
    (void)state;
    thaw_and_restart();
    breaks(B);
    run_for(500);
    operator_says(EVENT_ACCEPT, A);
    assert_false(verdict_is_unyielding(verdict, story.members[A].says.incarnation));
    story.members[C].says = story.members[A].says;
    story.members[C].says.member = C;
    run_for(500);
    breaks(A);
    run_for(500);
    assert_verdict(C, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void tells(const struct report *report, uint32_t voice)
{
    struct event event = {.kind = EVENT_REPORT, .report = *report};

    event.report.member = voice;
    event.report.asked_ms = story.now_ms;
    decision_handle(&story.c, &event, story.now_ms, &story.last);
}

/* By its own name it was not heard since the start; DNS gives its address for the writer's. */
static void W11_who_has_not_noticed_is_not_the_writers_new_address(void **state)
{
    (void)state;
    thaw_and_restart();
    struct report old = story.members[A].says;
    falls_silent(A);
    run_for(300);
    reports(A, REPORT_REFUSED);
    decision_set_place(&story.c, 0,
                       &(struct topo_place){.kind = PLACE_CANDIDATE, .member = B, .named = true});
    ticks();
    breaks(B);
    for (int i = 0; i < 20; i++) {
        run_for(50);
        tells(&old, PLACE_VOICE(0));
    }
    assert_ambiguous(B, REASON_OTHER_ADDRESS, PLACE_VOICE(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_volume, W3a_who_has_not_noticed_is_known_after_a_restart),
        TEST_FROM(set_up_volume, W3a_who_has_not_noticed_is_known_after_a_reload_and_a_restart),
        TEST_FROM(set_up_volume, W3a_who_has_noticed_has_noticed_after_a_restart),
        TEST_FROM(set_up_volume, W3a_who_has_not_noticed_is_noted_once_and_the_oldest_is_forgotten),
        TEST_FROM(set_up_volume, W3a_who_was_started_again_has_noticed_though_the_agent_was_too),
        TEST_FROM(set_up_volume,
                  W3a_who_has_not_noticed_is_not_followed_when_the_writer_is_taken_out),
        TEST_FROM(set_up_volume, W3a_who_was_accepted_again_is_followed_to_its_other_name),
        TEST_FROM(set_up_volume, W11_who_has_not_noticed_is_not_the_writers_new_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
