/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.c - tests of THE decision, rules W1 to W3, one name per case: what members say goes in
 * through decision_handle(), what is published comes out. claims.c has W3a and W4, staleness.c the
 * rest. The model walks the states in between.
 */
#include "config.h"

#include "tests/support/story.h"
#include "tests/support/test.h"

static void W1_readers_alone_make_no_writer(void **state)
{
    (void)state;
    for (uint32_t m = 0; m < 3; m++)
        is_reader(m);
    run_for(5000);
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_NONE);
}

static void W1_an_answer_without_a_role_is_no_claim(void **state)
{
    (void)state;
    breaks(A);
    is_writer(B, 2);
    story.members[B].says.role = ROLE_NONE;
    hears(B);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

static void W1_a_claim_dies_with_its_connection(void **state)
{
    (void)state;
    static const enum report_kind kinds[] = {REPORT_TIMEOUT, REPORT_BROKEN, REPORT_REFUSED,
                                             REPORT_DENIED, REPORT_ODD};
    for (int i = 0; i < 5; i++) {
        set_up_steady(state);
        is_writer(B, 2);
        run_for(100);
        assert_ambiguous(A, REASON_TWO_CLAIMS, B);
        falls_silent(B);
        reports(B, kinds[i]);
        assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    }
}

static void W1_a_claim_dies_of_age_at_timeout(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(100);
    falls_silent(B);
    run_for(999);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    run_for(1);
    assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
}

/* I5: what is said of it. */
static void W1_the_published_writers_authentication_is_its_claims(void **state)
{
    (void)state;
    assert_false(verdict->authenticated);
    story.members[A].says.authenticated = true;
    hears(A);
    assert_true(verdict->authenticated);
    breaks(A);
    promote(B, 2);
    assert_int_equal(verdict->writer, B);
    assert_false(verdict->authenticated);
}

static void W2_an_older_term_is_not_adopted_and_says_so(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 5);
    breaks(B);
    promote(C, 4);
    assert_ambiguous(B, REASON_OLDER_TERM, C);
    assert_int_equal(verdict->term.lo, 5);
}

static void W2_a_replayed_answer_is_ignored(void **state)
{
    (void)state;
    uint64_t before_ms = story.now_ms - 10;
    is_reader(A);
    hears(A);
    is_writer(A, 1);
    hears_late_answer(A, before_ms);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
}

static void W2_a_clock_that_jumps_back_changes_nothing(void **state)
{
    (void)state;
    uint64_t confirmed_ms = verdict->confirmed_ms;
    story.now_ms = 7;
    hears(A);
    hears(B);
    ticks();
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    assert_true(verdict->confirmed_ms >= confirmed_ms);
    assert_true(story.last.wake_ms > confirmed_ms);
}

static void W2_a_question_from_the_future_does_not_mute_its_member(void **state)
{
    (void)state;
    hears_late_answer(A, UINT64_MAX);
    is_reader(A);
    run_for(50);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
}

static void W2_the_term_grows_with_the_writers_own(void **state)
{
    (void)state;
    is_writer(A, 3);
    story.members[A].says.position = 5;
    hears(A);
    assert_verdict(A, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(verdict->term.lo, 3);
    assert_int_equal(verdict->position, 5);
    assert_int_equal(verdict->switches, 0);
}

static void W2_the_writers_own_older_term_is_ambiguous(void **state)
{
    (void)state;
    is_writer(A, 0);
    hears(A);
    assert_ambiguous(A, REASON_OLDER_TERM, A);
    assert_int_equal(verdict->term.lo, 1);
}

static void W3_a_living_incumbent_stays(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(3600 * 1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    assert_int_equal(story.moves, 0);
    assert_int_equal(verdict->term.lo, 1);
    assert_true(story.raised & 1 << ALARM_AMBIGUOUS);
}

static void W3_a_claim_moves_the_endpoint_when_the_incumbent_answers_as_reader(void **state)
{
    (void)state;
    is_reader(A);
    hears(A);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(verdict->since_ms, story.now_ms);
    assert_int_equal(verdict->switches, 1);
}

static void W3_a_claim_moves_the_endpoint_when_the_incumbents_connection_broke(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void W3_a_claim_moves_the_endpoint_when_the_incumbent_is_late_already(void **state)
{
    (void)state;
    reports(A, REPORT_LATE);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void W3_an_answer_ends_being_late(void **state)
{
    (void)state;
    reports(A, REPORT_LATE);
    hears(A);
    assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    is_writer(B, 2);
    run_for(1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W3_an_incumbent_that_claims_another_data_set_does_not_claim_this_one(void **state)
{
    (void)state;
    story.members[A].says.identity = 9;
    hears(A);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, A);
    promote(B, 2);
    assert_int_equal(verdict->writer, B);
}

static void W3_a_silent_incumbent_is_asked_once_more_and_left_after_150_ms(void **state)
{
    (void)state;
    falls_silent(A);
    promote(B, 2);
    assert_int_equal(story.asked & 1 << A, 1 << A);
    assert_int_equal(story.last.pace, PACE_FAST);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM); /* asked, not called ambiguous yet */
    assert_int_equal(story.last.wake_ms, story.now_ms + 150);
    wait_for(150);
    assert_int_equal(verdict->writer, A);
    wait_for(1); /* the next turn of the loop */
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void W3_only_an_answer_to_a_later_question_reaffirms(void **state)
{
    (void)state;
    story.now_ms += 20;
    uint64_t claimed_ms = story.now_ms;
    promote(B, 2);
    story.now_ms += 10;
    hears_late_answer(A, claimed_ms - 1);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    hears_late_answer(A, claimed_ms);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W3_an_earlier_question_answered_buys_no_time(void **state)
{
    (void)state;
    story.now_ms += 20;
    uint64_t claimed_ms = story.now_ms;
    promote(B, 2);
    story.now_ms += 100;
    hears_late_answer(A, claimed_ms - 1);
    assert_int_equal(story.last.wake_ms, claimed_ms + 150);
}

static void W3_one_slow_answer_does_not_flap(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(500);
    falls_silent(A);
    run_for(190);
    hears_late_answer(A, story.now_ms - 150);
    is_writer(A, 1);
    run_for(1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    assert_int_equal(story.moves, 0);
}

static void W3_an_incumbent_stopped_in_a_contest_is_left_within_250_ms(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(500);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    falls_silent(A);
    run_for(200);
    assert_int_equal(verdict->writer, A);
    run_for(50);
    assert_int_equal(verdict->writer, B);
    is_writer(A, 1); /* SIGCONT: it still believes what it was */
    run_for(5000);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(story.moves, 1);
}

static void W3_an_answer_that_waited_while_the_agent_stalled_is_heard_first(void **state)
{
    (void)state;
    promote(B, 2);
    story.now_ms += 5000;
    hears(B);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(story.last.wake_ms, story.now_ms + 1);
    hears(A);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    run_for(1000);
    assert_int_equal(story.moves, 0);
}

static void W3_the_patience_of_one_contest_is_not_inherited_by_the_next(void **state)
{
    (void)state;
    promote(B, 2);
    wait_for(150); /* the last call is out, but B withdraws */
    breaks(B);
    story.now_ms += 100;
    promote(B, 2);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(story.last.wake_ms, story.now_ms + 150);
}

static void W3_an_aged_incumbent_of_a_stalled_agent_is_asked_before_it_is_left(void **state)
{
    (void)state;
    story.now_ms += 5000; /* nobody was late by probe's account */
    promote(B, 2);
    assert_int_equal(verdict->writer, A);
    hears(A);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W3_the_newest_of_several_newer_claims_is_adopted(void **state)
{
    (void)state;
    breaks(A);
    story.conf.no_failover = 0;
    reports(A, REPORT_REFUSED);
    for (int order = 0; order < 2; order++) {
        set_up_steady(state);
        operator_says(EVENT_FREEZE, 0);
        breaks(A);
        promote(B, order ? 2 : 3);
        promote(C, order ? 3 : 2);
        assert_int_equal(verdict->rival, order ? C : B);
        operator_says(EVENT_UNFREEZE, 0);
        assert_verdict(order ? C : B, CLUSTER_STEADY, REASON_NEWER_TERM);
    }
}

static void W3_two_claims_on_the_same_newer_term_are_ambiguous(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    breaks(A);
    story.members[C].says.position = 1 << 30; /* a position never orders two that claim */
    promote(B, 2);
    promote(C, 2);
    operator_says(EVENT_UNFREEZE, 0);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    breaks(B);
    assert_verdict(C, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void W3_a_third_newest_claim_settles_what_two_others_could_not(void **state)
{
    (void)state;
    story_begin(4);
    is_writer(A, 1);
    for (uint32_t m = B; m < 4; m++)
        is_reader(m);
    run_for(200);
    operator_says(EVENT_FREEZE, 0);
    breaks(A);
    promote(B, 2);
    promote(C, 2);
    promote(3, 1);
    operator_says(EVENT_UNFREEZE, 0);
    assert_int_equal(verdict->writer, A);
    operator_says(EVENT_FREEZE, 0);
    promote(3, 3);
    operator_says(EVENT_UNFREEZE, 0);
    assert_int_equal(verdict->writer, 3);
}

static void W3_a_tie_is_not_broken_by_an_older_third(void **state)
{
    (void)state;
    story_begin(4);
    is_writer(A, 1);
    for (uint32_t m = B; m < 4; m++)
        is_reader(m);
    run_for(200);
    operator_says(EVENT_FREEZE, 0);
    breaks(A);
    promote(B, 3);
    promote(C, 3);
    promote(3, 2);
    operator_says(EVENT_UNFREEZE, 0);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W3_a_member_without_failover_is_never_adopted_by_itself(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    promote(B, 2);
    assert_ambiguous(A, REASON_NO_FAILOVER, B);
    run_for(60000);
    assert_int_equal(verdict->writer, A);
    promote(C, 2); /* though on the same term: only C is eligible */
    assert_ambiguous(C, REASON_TWO_CLAIMS, B);
}

static void W3_a_member_without_failover_does_not_hide_behind_the_held_term(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    promote(B, 1);
    assert_ambiguous(A, REASON_NO_FAILOVER, B);
}

static void W3_a_member_without_failover_is_adopted_by_accept(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    promote(B, 2);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NONE);
    assert_verdict(B, CLUSTER_STEADY, REASON_ACCEPTED);
}

static void W3_after_a_restart_the_incumbent_is_waited_for(void **state)
{
    (void)state;
    story_restart(verdict);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_RESTORED);
    promote(B, 2); /* while A's connection is still being made */
    reports(A, REPORT_LATE);
    wait_for(1000);
    hears(B);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_RESTORED);
    is_writer(A, 1);
    hears(A);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    assert_int_equal(story.moves, 0);
}

static void W3_after_a_restart_a_refusal_of_the_incumbent_moves_at_once(void **state)
{
    (void)state;
    story_restart(verdict);
    promote(B, 2);
    reports(A, REPORT_REFUSED);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void W3_after_a_restart_an_incumbent_never_heard_of_is_left_at_last(void **state)
{
    (void)state;
    story_restart(verdict);
    falls_silent(A);
    is_writer(B, 2);
    run_for(1200); /* B's claim after 50 ms, timeout, patience */
    assert_int_equal(verdict->writer, A);
    run_for(50);
    assert_int_equal(verdict->writer, B);
}

static void W2_a_report_that_was_not_taken_down_is_told_apart(void **state)
{
    struct topo *topo = &story.c.topo;
    struct report report = story.members[A].says;

    (void)state;
    report.asked_ms = story.now_ms;
    assert_true(topo_note(topo, &report, story.now_ms));
    report.asked_ms--;
    assert_false(topo_note(topo, &report, story.now_ms));
    report.member = 3;
    assert_false(topo_note(topo, &report, story.now_ms));
    report = (struct report){.member = A, .kind = REPORT_KIND_COUNT};
    assert_false(topo_note(topo, &report, story.now_ms));
}

static void a_broken_connection_owes_no_answer(void **state)
{
    (void)state;
    reports(A, REPORT_LATE);
    assert_true(story.c.topo.at[A].late);
    reports(A, REPORT_BROKEN);
    assert_false(story.c.topo.at[A].late);
}

static void W3_each_stall_of_the_agent_gets_its_own_last_call(void **state)
{
    (void)state;
    promote(B, 2);
    for (int stall = 0; stall < 3; stall++) {
        story.now_ms += 5000;
        hears(B);
        assert_int_equal(verdict->writer, A);
        hears(A);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_empty, W1_readers_alone_make_no_writer),
        TEST_FROM(set_up_steady, W1_an_answer_without_a_role_is_no_claim),
        TEST_FROM(set_up_steady, W1_a_claim_dies_with_its_connection),
        TEST_FROM(set_up_steady, W1_a_claim_dies_of_age_at_timeout),
        TEST_FROM(set_up_steady, W1_the_published_writers_authentication_is_its_claims),
        TEST_FROM(set_up_steady, W2_an_older_term_is_not_adopted_and_says_so),
        TEST_FROM(set_up_steady, W2_a_replayed_answer_is_ignored),
        TEST_FROM(set_up_steady, W2_a_clock_that_jumps_back_changes_nothing),
        TEST_FROM(set_up_steady, W2_a_question_from_the_future_does_not_mute_its_member),
        TEST_FROM(set_up_steady, W2_the_term_grows_with_the_writers_own),
        TEST_FROM(set_up_steady, W2_the_writers_own_older_term_is_ambiguous),
        TEST_FROM(set_up_steady, W3_a_living_incumbent_stays),
        TEST_FROM(set_up_steady,
                  W3_a_claim_moves_the_endpoint_when_the_incumbent_answers_as_reader),
        TEST_FROM(set_up_steady,
                  W3_a_claim_moves_the_endpoint_when_the_incumbents_connection_broke),
        TEST_FROM(set_up_steady, W3_a_claim_moves_the_endpoint_when_the_incumbent_is_late_already),
        TEST_FROM(set_up_steady, W3_an_answer_ends_being_late),
        TEST_FROM(set_up_steady,
                  W3_an_incumbent_that_claims_another_data_set_does_not_claim_this_one),
        TEST_FROM(set_up_steady, W3_a_silent_incumbent_is_asked_once_more_and_left_after_150_ms),
        TEST_FROM(set_up_steady, W3_only_an_answer_to_a_later_question_reaffirms),
        TEST_FROM(set_up_steady, W3_an_earlier_question_answered_buys_no_time),
        TEST_FROM(set_up_steady, W3_one_slow_answer_does_not_flap),
        TEST_FROM(set_up_steady, W3_an_incumbent_stopped_in_a_contest_is_left_within_250_ms),
        TEST_FROM(set_up_steady, W3_an_answer_that_waited_while_the_agent_stalled_is_heard_first),
        TEST_FROM(set_up_steady, W3_the_patience_of_one_contest_is_not_inherited_by_the_next),
        TEST_FROM(set_up_steady,
                  W3_an_aged_incumbent_of_a_stalled_agent_is_asked_before_it_is_left),
        TEST_FROM(set_up_steady, W3_the_newest_of_several_newer_claims_is_adopted),
        TEST_FROM(set_up_steady, W3_two_claims_on_the_same_newer_term_are_ambiguous),
        TEST_FROM(set_up_steady, W3_a_third_newest_claim_settles_what_two_others_could_not),
        TEST_FROM(set_up_steady, W3_a_tie_is_not_broken_by_an_older_third),
        TEST_FROM(set_up_steady, W3_a_member_without_failover_is_never_adopted_by_itself),
        TEST_FROM(set_up_steady, W3_a_member_without_failover_does_not_hide_behind_the_held_term),
        TEST_FROM(set_up_steady, W3_a_member_without_failover_is_adopted_by_accept),
        TEST_FROM(set_up_steady, W3_after_a_restart_the_incumbent_is_waited_for),
        TEST_FROM(set_up_steady, W3_after_a_restart_a_refusal_of_the_incumbent_moves_at_once),
        TEST_FROM(set_up_steady, W3_after_a_restart_an_incumbent_never_heard_of_is_left_at_last),
        TEST_FROM(set_up_steady, W2_a_report_that_was_not_taken_down_is_told_apart),
        TEST_FROM(set_up_steady, a_broken_connection_owes_no_answer),
        TEST_FROM(set_up_steady, W3_each_stall_of_the_agent_gets_its_own_last_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
