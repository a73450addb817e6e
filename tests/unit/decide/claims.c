/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.c - tests of W3a and W4: which claims are good, and what the operator may accept.
 */
#include "config.h"

#include <string.h>

#include "tests/support/story.h"
#include "tests/support/test.h"

static void W3a_a_sole_claim_waits_until_every_member_was_heard_or_could_not_be(void **state)
{
    (void)state;
    is_writer(A, 1);
    run_for(500);
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_NONE);
    assert_false(story.c.first_round_done);
    is_reader(B);
    run_for(50);
    reports(C, REPORT_LATE); /* says nothing yet */
    assert_int_equal(verdict->writer, MEMBER_NONE);
    reports(C, REPORT_TIMEOUT);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    assert_non_null(
        strstr(reason_text(verdict->reason), "could not be asked")); /* C was not heard */
    assert_true(story.c.first_round_done);
    assert_int_equal(verdict->identity, STORY_IDENTITY);
    assert_int_equal(verdict->switches, 0);
    assert_int_equal(verdict->since_ms, story.now_ms);
}

static void W3a_several_claims_at_the_first_start_are_unknown(void **state)
{
    (void)state;
    is_writer(A, 1);
    is_writer(B, 2);
    is_reader(C);
    run_for(5000);
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_CLAIMS_AT_START);
    assert_int_not_equal(verdict->rival, MEMBER_NONE);
    assert_true(story.raised & 1 << ALARM_AMBIGUOUS);
    breaks(A);
    assert_verdict(B, CLUSTER_STEADY, REASON_FIRST_CLAIM);
}

static void W3a_a_first_claim_without_failover_is_not_adopted(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << A;
    is_writer(A, 1);
    is_reader(B);
    is_reader(C);
    run_for(500);
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_NO_FAILOVER);
    assert_int_equal(verdict->rival, A);
    operator_says(EVENT_ACCEPT, A);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->switches, 0);
}

static void W3a_a_demotion_undone_is_the_writer_again(void **state)
{
    (void)state;
    is_reader(A);
    run_for(50);
    breaks(A);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
    is_writer(A, 1);
    run_for(50);
    assert_verdict(A, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

static void W3a_an_equal_sole_claim_that_is_not_behind_is_adopted(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 1);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    assert_int_equal(verdict->demoted, 1 << A);
}

static void W3a_an_equal_claim_behind_what_was_seen_is_ambiguous_for_good(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.position = (1 << 20) - 1;
    promote(B, 1);
    assert_ambiguous(A, REASON_BEHIND, B);
    story.members[B].says.position = 1 << 30; /* writing on proves nothing */
    run_for(100);
    assert_ambiguous(A, REASON_BEHIND, B);
    breaks(B);
    is_writer(B, 1); /* nor does a restart */
    story.members[B].says.incarnation++;
    run_for(100);
    assert_ambiguous(A, REASON_BEHIND, B);
    is_reader(B); /* but following and being promoted again does */
    run_for(100);
    promote(B, 1);
    assert_int_equal(verdict->writer, B);
}

static void W3a_a_position_not_known_is_no_evidence(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.position = 0;
    promote(B, 1);
    assert_int_equal(verdict->writer, B);
}

static void W3a_the_writer_itself_behind_is_ambiguous(void **state)
{
    (void)state;
    breaks(A);
    story.members[A].says.position = 1;
    promote(A, 1);
    assert_ambiguous(A, REASON_BEHIND, A);
    assert_int_equal(operator_says(EVENT_ACCEPT, A), REFUSAL_NONE);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->position, 1);
}

static void W3a_an_equal_claim_waits_until_the_incumbents_is_not_live(void **state)
{
    (void)state;
    is_writer(B, 1);
    run_for(500);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    reports(A, REPORT_LATE);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    breaks(A);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

static void W3a_two_equal_claims_besides_a_silent_incumbent_are_ambiguous(void **state)
{
    (void)state;
    is_writer(B, 1);
    is_writer(C, 1);
    run_for(100);
    breaks(A);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    breaks(C);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

static void W3a_the_position_held_is_the_newest_the_writer_claimed(void **state)
{
    (void)state;
    story.members[A].says.position = 2 << 20;
    hears(A);
    story.members[A].says.position = 0;
    story.members[C].says.position = 3 << 20;
    run_for(50);
    assert_int_equal(verdict->position, 2 << 20);
    breaks(A);
    promote(B, 1);
    assert_ambiguous(A, REASON_BEHIND, B);
}

static void W4_a_claim_of_another_identity_is_never_adopted(void **state)
{
    (void)state;
    story.members[B].says.identity = 9;
    is_writer(B, 7);
    run_for(100);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
    breaks(A);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
    run_for(20000);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->identity, STORY_IDENTITY);
}

static void W4_an_identity_not_known_is_another_one(void **state)
{
    (void)state;
    story.members[B].says.identity = 0;
    is_writer(B, 7);
    run_for(100);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
}

static void W4_accept_adopts_a_present_claim_and_discards_the_held_term(void **state)
{
    (void)state;
    is_writer(A, 9);
    run_for(50);
    story.members[B].says.identity = 9;
    is_writer(B, 1);
    run_for(100);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NONE);
    assert_verdict(B, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->identity, 9);
    assert_int_equal(verdict->term.lo, 1);
    assert_int_equal(verdict->demoted, 1 << A);
}

static void W4_the_identity_left_behind_ranks_as_old(void **state)
{
    (void)state;
    story.members[B].says.identity = 9;
    is_writer(B, 1);
    run_for(50);
    operator_says(EVENT_ACCEPT, B);
    run_for(1000); /* A goes on claiming the old data set */
    assert_verdict(B, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->discarded, STORY_IDENTITY);
    breaks(B);
    assert_ambiguous(B, REASON_OLDER_TERM, A);
    operator_says(EVENT_ACCEPT, A);
    assert_int_equal(verdict->discarded, 9);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
}

static void W4_accept_works_without_a_held_term_and_while_two_claim(void **state)
{
    (void)state;
    is_writer(A, 1);
    is_writer(B, 2);
    run_for(100);
    assert_int_equal(operator_says(EVENT_ACCEPT, A), REFUSAL_NONE);
    /* B's claim is newer still, and goes on being said aloud. */
    assert_int_equal(verdict->writer, A);
    run_for(1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    assert_int_equal(story.moves, 1);
}

static void W4_accept_starts_a_contest_anew(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(500);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    is_writer(C, 3);
    run_for(50);
    story.now_ms += 150;
    operator_says(EVENT_ACCEPT, B);
    assert_int_equal(verdict->writer, B); /* B is asked about C before C follows */
    assert_int_equal(story.last.wake_ms, story.now_ms + 150);
}

static void W4_accept_is_refused_without_a_present_claim(void **state)
{
    (void)state;
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NOT_CLAIMING);
    assert_int_equal(operator_says(EVENT_ACCEPT, 3), REFUSAL_NO_SUCH_MEMBER);
    assert_int_equal(operator_says(EVENT_ACCEPT, MEMBER_NONE), REFUSAL_NO_SUCH_MEMBER);
    is_writer(B, 2);
    run_for(50);
    breaks(B);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NOT_CLAIMING);
    promote(B, 2);
    story.now_ms += 1000;
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NOT_CLAIMING);
    assert_int_equal(verdict->writer, A);
}

static void W4_accept_is_refused_while_the_member_is_late(void **state)
{
    (void)state;
    promote(B, 2);
    reports(B, REPORT_LATE);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NOT_CLAIMING);
    hears(B);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NONE);
}

static void W4_accept_forgets_who_was_behind_of_what_it_discards(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.position = 1;
    story.members[C].says.position = 1;
    promote(B, 1);
    promote(C, 1);
    assert_int_equal(operator_says(EVENT_ACCEPT, C), REFUSAL_NONE);
    breaks(C);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

static void W3a_claims_at_the_start_that_vanish_are_no_rivals_any_more(void **state)
{
    (void)state;
    promote(A, 1);
    promote(B, 1);
    assert_int_not_equal(verdict->rival, MEMBER_NONE);
    is_reader(A);
    hears(A);
    is_reader(B);
    hears(B);
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_NONE);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    assert_int_equal(story.cleared, 1 << ALARM_AMBIGUOUS);
}

/* W3, and not only when the claim before is not live any more. */
static void W3a_a_fenced_claim_moves_once_the_silent_incumbent_had_its_time(void **state)
{
    (void)state;
    falls_silent(A);
    is_writer(B, 1);
    hears(B);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM); /* it is asked first */
    assert_true(story.asked & MASK(A));
    wait_for(WRITER_PATIENCE_MS + 50);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
    assert_true(verdict->demoted & MASK(A));
}

static void W3a_a_fenced_claim_moves_at_once_if_the_incumbent_is_a_reader_or_broke(void **state)
{
    (void)state;
    is_reader(A);
    hears(A);
    is_writer(B, 1);
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
    breaks(B);
    is_writer(A, 1); /* the same server, and the same term, as at first */
    hears(A);
    assert_verdict(A, CLUSTER_STEADY, REASON_TAKEN_OVER);
    assert_int_equal(verdict->demoted, MASK(B));
    assert_int_equal(verdict->switches, 2);
}

static void W3a_a_fenced_claim_beside_the_incumbents_is_ambiguous(void **state)
{
    (void)state;
    is_writer(B, 1);
    run_for(2000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    is_reader(A);
    hears(A);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void W3a_a_fenced_claim_is_behind_at_no_position(void **state)
{
    (void)state;
    story.members[B].says.position = 1;
    breaks(A);
    is_writer(B, 1);
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void W3a_of_two_fenced_claims_none_is_followed(void **state)
{
    (void)state;
    breaks(A);
    is_writer(B, 1);
    is_writer(C, 1);
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
    run_for(500);
    assert_ambiguous(B, REASON_TWO_CLAIMS, C);
}

/* It was frozen, and goes on. */
static void W3a_an_old_writer_that_has_not_noticed_is_not_followed_from_a_silent_one(void **state)
{
    (void)state;
    falls_silent(A);
    promote(B, 1);
    wait_for(WRITER_PATIENCE_MS + 50);
    assert_int_equal(verdict->writer, B);
    is_writer(A, 1);
    run_for(100);
    assert_ambiguous(B, REASON_TWO_CLAIMS, A);
    breaks(B);
    run_for(500);
    assert_int_equal(verdict->writer, B);
    story.members[A].says.incarnation += 50; /* it was started again */
    run_for(100);
    assert_verdict(A, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void W3a_an_old_writer_that_has_not_noticed_is_followed_from_a_reader(void **state)
{
    (void)state;
    falls_silent(A);
    promote(B, 1);
    wait_for(WRITER_PATIENCE_MS + 50);
    is_writer(A, 1);
    run_for(100);
    is_reader(B);
    hears(B);
    assert_verdict(A, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

/* W9 */
static void
W3a_a_fenced_claim_that_may_not_be_followed_leaves_a_silent_writer_unconfirmed(void **state)
{
    (void)state;
    story.c.conf.no_failover = MASK(B);
    falls_silent(A);
    is_writer(B, 1);
    run_for(story.conf.max_stale_ms + 2000);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->state, CLUSTER_STALE);
}

/* Before the engine fences, or where it does not. */
static void W3a_a_fence_is_of_the_claim_and_of_no_other(void **state)
{
    (void)state;
    story.members[B].says.fenced = false;
    falls_silent(A);
    is_writer(B, 1);
    run_for(500);
    assert_int_equal(verdict->writer, A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_empty,
                  W3a_a_sole_claim_waits_until_every_member_was_heard_or_could_not_be),
        TEST_FROM(set_up_empty, W3a_several_claims_at_the_first_start_are_unknown),
        TEST_FROM(set_up_empty, W3a_a_first_claim_without_failover_is_not_adopted),
        TEST_FROM(set_up_steady, W3a_a_demotion_undone_is_the_writer_again),
        TEST_FROM(set_up_steady, W3a_an_equal_sole_claim_that_is_not_behind_is_adopted),
        TEST_FROM(set_up_steady, W3a_an_equal_claim_behind_what_was_seen_is_ambiguous_for_good),
        TEST_FROM(set_up_steady, W3a_a_position_not_known_is_no_evidence),
        TEST_FROM(set_up_steady, W3a_the_writer_itself_behind_is_ambiguous),
        TEST_FROM(set_up_steady, W3a_an_equal_claim_waits_until_the_incumbents_is_not_live),
        TEST_FROM(set_up_steady, W3a_two_equal_claims_besides_a_silent_incumbent_are_ambiguous),
        TEST_FROM(set_up_steady, W3a_the_position_held_is_the_newest_the_writer_claimed),
        TEST_FROM(set_up_steady, W4_a_claim_of_another_identity_is_never_adopted),
        TEST_FROM(set_up_steady, W4_an_identity_not_known_is_another_one),
        TEST_FROM(set_up_steady, W4_accept_adopts_a_present_claim_and_discards_the_held_term),
        TEST_FROM(set_up_steady, W4_the_identity_left_behind_ranks_as_old),
        TEST_FROM(set_up_empty, W4_accept_works_without_a_held_term_and_while_two_claim),
        TEST_FROM(set_up_steady, W4_accept_starts_a_contest_anew),
        TEST_FROM(set_up_steady, W4_accept_is_refused_without_a_present_claim),
        TEST_FROM(set_up_steady, W4_accept_is_refused_while_the_member_is_late),
        TEST_FROM(set_up_steady, W4_accept_forgets_who_was_behind_of_what_it_discards),
        TEST_FROM(set_up_empty, W3a_claims_at_the_start_that_vanish_are_no_rivals_any_more),
        TEST_FROM(set_up_volume, W3a_a_fenced_claim_moves_once_the_silent_incumbent_had_its_time),
        TEST_FROM(set_up_volume,
                  W3a_a_fenced_claim_moves_at_once_if_the_incumbent_is_a_reader_or_broke),
        TEST_FROM(set_up_volume, W3a_a_fenced_claim_beside_the_incumbents_is_ambiguous),
        TEST_FROM(set_up_volume, W3a_a_fenced_claim_is_behind_at_no_position),
        TEST_FROM(set_up_volume, W3a_of_two_fenced_claims_none_is_followed),
        TEST_FROM(set_up_volume,
                  W3a_an_old_writer_that_has_not_noticed_is_not_followed_from_a_silent_one),
        TEST_FROM(set_up_volume, W3a_an_old_writer_that_has_not_noticed_is_followed_from_a_reader),
        TEST_FROM(set_up_volume,
                  W3a_a_fenced_claim_that_may_not_be_followed_leaves_a_silent_writer_unconfirmed),
        TEST_FROM(set_up_volume, W3a_a_fence_is_of_the_claim_and_of_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
