/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen.c - tests of W4a: what the writer and a green member say of a blue/green deployment goes in,
 * who is published comes out (tests/support/switchover.h). What was left behind: bluegreen_left.c. A
 * green server that is no member: bluegreen_stray.c.
 */
#include "config.h"

#include "agent/decide/bluegreen.h"
#include "agent/decide/succession.h"
#include "tests/support/switchover.h"
#include "tests/support/test.h"

enum {
    D = C + 1, /* of one test alone */
    OTHER = 0x7002
};

static void switchover_begins(void)
{
    tells(A, PHASE_IN_PROGRESS);
    tells(C, PHASE_IN_PROGRESS);
    is_reader(A);
    run_for(200);
}

static void W4a_a_green_member_that_claims_is_no_rival_and_no_reader(void **state)
{
    (void)state;
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    assert_int_equal(verdict->green, MASK(C));
    is_reader(C);
    run_for(2000);
    assert_int_equal(verdict->readers, MASK(B));
    assert_int_equal(story.raised, 0);
}

static void W4a_a_switchover_in_progress_is_waited_for_without_an_alarm(void **state)
{
    (void)state;
    switchover_begins();
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_SWITCHOVER);
    run_for(60000);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_SWITCHOVER);
    assert_int_equal(story.raised, 0);
    assert_int_equal(story.c.pace, PACE_FAST);
}

static void W4a_the_writers_word_hands_over_at_once(void **state)
{
    (void)state;
    switchover_begins();
    tells_without_names(A, PHASE_POST);
    tells_without_names(C, PHASE_POST);
    hears(A);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
    assert_int_equal(verdict->demoted, MASK(A));
    assert_int_equal(verdict->green, 0);
    run_for(2000);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->readers, 0); /* B reads what nobody writes to any more */
    assert_int_equal(story.raised, 0);
}

static void W4a_the_writers_word_counts_although_its_engine_calls_it_a_writer_still(void **state)
{
    (void)state;
    tells(A, PHASE_POST);
    hears(A);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    run_for(2000);
    assert_int_equal(story.raised, 0); /* nor is it a second one: it says so itself */
}

static void W4a_a_successor_has_to_claim(void **state)
{
    (void)state;
    is_reader(C);
    switchover_begins();
    tells(A, PHASE_POST);
    run_for(2000);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_SWITCHOVER);
    is_writer(C, 1);
    hears(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
}

static void W4a_another_identity_is_adopted_by_the_writers_word(void **state)
{
    (void)state;
    story.members[C].says.identity = OTHER;
    run_for(1000);
    assert_int_equal(story.raised, 0);
    tells(A, PHASE_COMPLETED);
    hears(A);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->identity, OTHER);
    assert_int_equal(verdict->discarded, STORY_IDENTITY);
}

static void W4a_the_green_members_word_alone_proves_nothing(void **state)
{
    (void)state;
    tells(C, PHASE_COMPLETED);
    run_for(2000);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    breaks(A);
    run_for(2000);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->rival, MEMBER_NONE);
}

static void W4a_the_word_of_a_reader_proves_nothing(void **state)
{
    (void)state;
    tells(B, PHASE_POST);
    run_for(2000);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    breaks(A);
    run_for(2000);
    assert_int_equal(verdict->writer, A);
}

static void W4a_a_reader_makes_nobody_a_green_member(void **state)
{
    (void)state;
    for (uint32_t m = A; m <= C; m++)
        tells(m, PHASE_NONE);
    is_reader(C);
    run_for(2000);
    assert_int_equal(verdict->green, 0);
    tells(B, PHASE_IN_PROGRESS);
    run_for(2000);
    assert_int_equal(verdict->green, 0);
    assert_int_equal(verdict->phase, PHASE_NONE);
    fail_over(A, C, 1);
    run_for(500);
    assert_verdict(C, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void
W4a_a_writer_that_was_handing_over_and_is_gone_is_followed_by_who_says_that_it_is_done(void **state)
{
    (void)state;
    tells(A, PHASE_IN_PROGRESS);
    run_for(200);
    breaks(A);
    run_for(2000);
    assert_int_equal(verdict->writer, A);
    tells_without_names(C, PHASE_POST);
    hears(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
}

static void W4a_a_table_that_was_emptied_at_the_end_is_no_rollback(void **state)
{
    (void)state;
    tells(A, PHASE_IN_PROGRESS);
    run_for(200);
    tells(A, PHASE_NONE);
    hears(A);
    assert_int_equal(verdict->writer, A);
    tells_without_names(C, PHASE_COMPLETED);
    hears(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
}

static void W4a_a_switchover_that_is_rolled_back_leaves_everything_as_it_was(void **state)
{
    (void)state;
    switchover_begins();
    is_writer(A, 1);
    tells(A, PHASE_AVAILABLE);
    tells(C, PHASE_AVAILABLE);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->switches, 0);
    assert_int_equal(story.raised, 0);
    tells(C, PHASE_POST); /* too late */
    breaks(A);
    run_for(500);
    assert_int_equal(verdict->writer, A);
}

static void W4a_after_ten_minutes_all_is_as_without_a_switchover_and_an_alarm_says_so(void **state)
{
    (void)state;
    switchover_begins();
    run_for(BLUEGREEN_HOLD_MS - 1000);
    assert_int_equal(story.raised, 0);
    run_for(2000);
    assert_int_equal(verdict->writer, A);
    assert_true(story.raised & ALARM(SWITCHOVER));
    assert_true(story.raised & ALARM(AMBIGUOUS)); /* what C claims is the operator's to judge */
    assert_int_equal(verdict->rival, C);
    assert_int_equal(operator_says(EVENT_ACCEPT, C), REFUSAL_NONE);
    assert_verdict(C, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
    assert_true(story.cleared & ALARM(SWITCHOVER));
}

static void W4a_a_failover_among_the_blue_ones_is_one(void **state)
{
    (void)state;
    breaks(A);
    is_writer(B, 1);
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
    assert_int_equal(verdict->green, MASK(C));
    assert_int_equal(verdict->retired, 0);
    tells(B, PHASE_POST);
    hears(B);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
}

static void W4a_of_two_green_members_that_claim_neither_is_followed(void **state)
{
    (void)state;
    story.members[A].says.green = MASK(B) | MASK(C);
    is_writer(B, 1);
    run_for(200);
    story.members[A].says.phase = PHASE_POST;
    run_for(500);
    assert_int_equal(verdict->writer, A);
    is_reader(B);
    hears(B);
    assert_int_equal(verdict->writer, C);
    assert_int_equal(verdict->retired, MASK(A));
}

static void W4a_failover_false_and_a_freeze_hold(void **state)
{
    (void)state;
    assert_int_equal(operator_says(EVENT_FREEZE, 0), REFUSAL_NONE);
    tells(A, PHASE_POST);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    story.c.conf.no_failover = MASK(C);
    assert_int_equal(operator_says(EVENT_UNFREEZE, 0), REFUSAL_NONE);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    story.c.conf.no_failover = 0;
    run_for(500);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
}

static void W4a_words_that_are_not_known_count_for_nothing_and_are_an_alarm(void **state)
{
    (void)state;
    tells(A, PHASE_STRANGE);
    run_for(200);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->phase, PHASE_NONE);
    assert_int_equal(story.raised, ALARM(DEPLOYMENT));
    story_forget();
    tells(A, PHASE_AVAILABLE);
    run_for(200);
    assert_int_equal(story.cleared, ALARM(DEPLOYMENT));
}

static void W4a_a_restarted_agent_knows_who_is_green_and_who_was_left_behind(void **state)
{
    (void)state;
    switchover_begins();
    breaks(A);
    story_restart(verdict);
    assert_int_equal(verdict->green, MASK(C));
    tells_without_names(C, PHASE_POST);
    reports(A, REPORT_REFUSED);
    run_for(500);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    story_restart(verdict);
    tells(C, PHASE_NONE);
    tells(A, PHASE_NONE);
    is_writer(A, 1);
    run_for(500);
    assert_int_equal(verdict->writer, C);
    assert_int_equal(verdict->fenced, MASK(A));
}

static void W4a_at_a_first_start_a_green_member_that_says_so_is_no_rival(void **state)
{
    (void)state;
    story_restart(&(struct verdict){.writer = MEMBER_NONE, .rival = MEMBER_NONE});
    run_for(500);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
}

static void
W4a_a_green_member_whose_deployment_was_deleted_is_called_out_if_it_goes_on(void **state)
{
    (void)state;
    tells(A, PHASE_NONE);
    tells(C, PHASE_NONE);
    run_for(60000); /* a server that nobody names leaves by then */
    assert_int_equal(story.raised, 0);
    run_for(BLUEGREEN_HOLD_MS);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, C);
    assert_int_equal(story.raised, ALARM(AMBIGUOUS));
    is_reader(C);
    run_for(500);
    assert_int_equal(verdict->green, 0);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
}

static void W4a_green_members_are_those_that_were_named_last(void **state)
{
    (void)state;
    tells(A, PHASE_INITIATED);
    run_for(200);
    assert_int_equal(verdict->phase, PHASE_INITIATED);
    assert_int_equal(verdict->green, MASK(C));
    story.members[A].says.names_green = false; /* the answer to a cheap question */
    story.members[A].says.green = 0;
    run_for(200);
    assert_int_equal(verdict->green, MASK(C));
    tells_without_names(A, PHASE_AVAILABLE); /* of one whose hosts no pattern makes */
    run_for(200);
    assert_int_equal(verdict->named, 0);
    assert_int_equal(verdict->phase, PHASE_NONE);
}

static void W4a_the_word_of_another_server_in_the_writers_place_counts_for_nothing(void **state)
{
    (void)state;
    for (uint32_t m = A; m <= C; m++) {
        story.members[m].says.fenced = false;
        story.members[m].says.term = (struct term){0};
        story.members[m].says.self = 11 + m; /* W12 */
    }
    story_restart(&(struct verdict){.writer = MEMBER_NONE, .rival = MEMBER_NONE});
    run_for(500);
    assert_int_equal(verdict->writer, A);
    story.members[A].says.self = 99;
    tells(A, PHASE_POST);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->phase, PHASE_AVAILABLE);
}

/* RDS for MySQL: the green one replicates from the writer until then, and so it is an heir (W12). */
static void W4a_a_green_heir_is_handed_over_to_and_does_not_take_over_by_itself(void **state)
{
    (void)state;
    for (uint32_t m = A; m <= C; m++) {
        story.members[m].says.fenced = false;
        story.members[m].says.term = (struct term){0};
        story.members[m].says.self = 11 + m;
    }
    is_reader(C);
    story.members[C].says.follows = 11 + A;
    story_restart(&(struct verdict){.writer = MEMBER_NONE, .rival = MEMBER_NONE});
    run_for(1000);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    assert_true(succession_is_heir(verdict, 11 + C));
    assert_int_equal(verdict->readers & MASK(C), 0);
    is_writer(C, 0);
    story.members[C].says.follows = 0;
    breaks(A);
    run_for(2000);
    assert_int_equal(verdict->writer, A);
    is_reader(A);
    tells(A, PHASE_POST);
    hears(A);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    is_writer(A, 0);
    tells(A, PHASE_NONE);
    run_for(2000);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->fenced, MASK(A));
}

static void W4a_a_green_server_whose_words_are_not_known_is_a_rival_at_a_first_start(void **state)
{
    (void)state;
    tells(C, PHASE_STRANGE);
    story.members[C].says.green = MASK(C);
    story_restart(&(struct verdict){.writer = MEMBER_NONE, .rival = MEMBER_NONE});
    run_for(500);
    assert_int_equal(verdict->writer, MEMBER_NONE);
    assert_int_equal(verdict->reason, REASON_CLAIMS_AT_START);
}

static void W4a_a_green_member_that_does_not_answer_is_waited_for(void **state)
{
    (void)state;
    falls_silent(C);
    reports(C, REPORT_LATE);
    tells(A, PHASE_POST);
    hears(A);
    assert_int_equal(verdict->writer, A);
    hears(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
}

static void W4a_one_green_server_under_two_names_is_one(void **state)
{
    (void)state;
    story.members[A].says.green = MASK(B) | MASK(C);
    story.members[B].says.incarnation = story.members[C].says.incarnation;
    is_writer(B, 1);
    run_for(200);
    story.members[A].says.phase = PHASE_POST;
    hears(A);
    assert_verdict(B, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->retired, MASK(A));
}

static void W4a_a_reload_keeps_who_is_green_and_how_far_it_is(void **state)
{
    const uint32_t map[] = {B, A, C};

    (void)state;
    switchover_begins();
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->green, MASK(C));
    assert_int_equal(verdict->phase, PHASE_IN_PROGRESS);
}

static void W4a_who_was_named_green_by_others_is_kept_back_and_never_handed_over_to(void **state)
{
    const uint32_t map[] = {A, B, C};

    (void)state;
    story.conf.members = 4;
    story.conf.green = MASK(D); /* a reader named it, and so it joined */
    story.conf.named = true;
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    story.members[D].says = story.members[C].says;
    story.members[D].says.member = D;
    story.members[D].says.incarnation += 9;
    is_writer(D, 1);
    is_reader(C);
    run_for(2000);
    assert_int_equal(verdict->green, MASK(C) | MASK(D));
    assert_int_equal(verdict->named, MASK(C));
    tells(A, PHASE_POST);
    tells(D, PHASE_POST);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    is_writer(C, 1);
    run_for(500);
    assert_int_equal(verdict->writer, C);
    assert_ambiguous(C, REASON_TWO_CLAIMS, D); /* whoever that is, it is called out */
}

static void W4a_what_the_new_writers_rows_say_of_its_own_switchover_is_of_the_past(void **state)
{
    (void)state;
    story.members[A].says.green = MASK(B) | MASK(C);
    run_for(200);
    story.members[A].says.phase = PHASE_POST;
    hears(A);
    assert_int_equal(verdict->writer, C);
    for (enum phase phase = PHASE_AVAILABLE; phase < PHASE_COUNT; phase++) {
        tells(C, phase);
        story.members[C].says.green = phase >= PHASE_POST ? MASK(A) : MASK(B) | MASK(C);
        run_for(500);
        assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
        assert_int_equal(verdict->phase, PHASE_NONE);
    }
}

static void W4a_after_ten_minutes_a_green_members_word_is_not_enough(void **state)
{
    (void)state;
    tells(A, PHASE_IN_PROGRESS);
    is_reader(C);
    run_for(BLUEGREEN_HOLD_MS + 1000);
    is_writer(C, 1);
    tells_without_names(C, PHASE_POST);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    reports(A, REPORT_LATE);
    breaks(A);
    run_for(500);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, C);
}

static void W4a_a_switchover_that_ends_without_a_word_ends_after_ten_minutes(void **state)
{
    (void)state;
    is_reader(C);
    tells(A, PHASE_IN_PROGRESS);
    run_for(500);
    tells(A, PHASE_NONE);
    tells(C, PHASE_NONE);
    run_for(BLUEGREEN_HOLD_MS - 1000);
    assert_int_equal(verdict->phase, PHASE_IN_PROGRESS);
    run_for(2000);
    assert_int_equal(verdict->phase, PHASE_NONE);
    assert_int_equal(verdict->green, 0);
    tells_without_names(C, PHASE_POST);
    is_writer(C, 1);
    run_for(500);
    assert_int_equal(verdict->writer, A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_deployment, W4a_a_green_member_that_claims_is_no_rival_and_no_reader),
        TEST_FROM(set_up_deployment, W4a_a_switchover_in_progress_is_waited_for_without_an_alarm),
        TEST_FROM(set_up_deployment, W4a_the_writers_word_hands_over_at_once),
        TEST_FROM(set_up_deployment,
                  W4a_the_writers_word_counts_although_its_engine_calls_it_a_writer_still),
        TEST_FROM(set_up_deployment, W4a_a_successor_has_to_claim),
        TEST_FROM(set_up_deployment, W4a_another_identity_is_adopted_by_the_writers_word),
        TEST_FROM(set_up_deployment, W4a_the_green_members_word_alone_proves_nothing),
        TEST_FROM(set_up_deployment, W4a_the_word_of_a_reader_proves_nothing),
        TEST_FROM(set_up_deployment, W4a_a_reader_makes_nobody_a_green_member),
        TEST_FROM(
            set_up_deployment,
            W4a_a_writer_that_was_handing_over_and_is_gone_is_followed_by_who_says_that_it_is_done),
        TEST_FROM(set_up_deployment, W4a_a_table_that_was_emptied_at_the_end_is_no_rollback),
        TEST_FROM(set_up_deployment,
                  W4a_a_switchover_that_is_rolled_back_leaves_everything_as_it_was),
        TEST_FROM(set_up_deployment,
                  W4a_after_ten_minutes_all_is_as_without_a_switchover_and_an_alarm_says_so),
        TEST_FROM(set_up_deployment, W4a_a_failover_among_the_blue_ones_is_one),
        TEST_FROM(set_up_deployment, W4a_of_two_green_members_that_claim_neither_is_followed),
        TEST_FROM(set_up_deployment, W4a_failover_false_and_a_freeze_hold),
        TEST_FROM(set_up_deployment,
                  W4a_words_that_are_not_known_count_for_nothing_and_are_an_alarm),
        TEST_FROM(set_up_deployment,
                  W4a_a_restarted_agent_knows_who_is_green_and_who_was_left_behind),
        TEST_FROM(set_up_deployment, W4a_at_a_first_start_a_green_member_that_says_so_is_no_rival),
        TEST_FROM(set_up_deployment,
                  W4a_a_green_member_whose_deployment_was_deleted_is_called_out_if_it_goes_on),
        TEST_FROM(set_up_deployment, W4a_green_members_are_those_that_were_named_last),
        TEST_FROM(set_up_deployment,
                  W4a_the_word_of_another_server_in_the_writers_place_counts_for_nothing),
        TEST_FROM(set_up_deployment,
                  W4a_a_green_heir_is_handed_over_to_and_does_not_take_over_by_itself),
        TEST_FROM(set_up_deployment,
                  W4a_a_green_server_whose_words_are_not_known_is_a_rival_at_a_first_start),
        TEST_FROM(set_up_deployment, W4a_a_green_member_that_does_not_answer_is_waited_for),
        TEST_FROM(set_up_deployment, W4a_one_green_server_under_two_names_is_one),
        TEST_FROM(set_up_deployment, W4a_a_reload_keeps_who_is_green_and_how_far_it_is),
        TEST_FROM(set_up_deployment,
                  W4a_who_was_named_green_by_others_is_kept_back_and_never_handed_over_to),
        TEST_FROM(set_up_deployment,
                  W4a_what_the_new_writers_rows_say_of_its_own_switchover_is_of_the_past),
        TEST_FROM(set_up_deployment, W4a_after_ten_minutes_a_green_members_word_is_not_enough),
        TEST_FROM(set_up_deployment,
                  W4a_a_switchover_that_ends_without_a_word_ends_after_ten_minutes),
    };
    return cmocka_run_group_tests_name("a blue/green deployment", tests, NULL, NULL);
}
