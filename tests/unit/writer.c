/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.c - tests of THE decision, one name per rule and case: what members say goes in through
 * cluster_handle(), what is published comes out. The model walks the states in between.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/story.h"

enum {
    A,
    B,
    C
};

static const struct verdict *const verdict = &story.c.verdict;

static void assert_verdict(uint32_t writer, enum cluster_state state, enum reason reason)
{
    assert_string_equal(cluster_state_name(verdict->state), cluster_state_name(state));
    assert_string_equal(reason_name(verdict->reason), reason_name(reason));
    assert_int_equal(verdict->writer, writer);
}

static void assert_ambiguous(uint32_t writer, enum reason reason, uint32_t rival)
{
    assert_verdict(writer, CLUSTER_AMBIGUOUS, reason);
    assert_int_equal(verdict->rival, rival);
}

/* A writes on term 1, the others follow, all is well. */
static int set_up(void **state)
{
    (void)state;
    story_begin(3);
    is_writer(A, 1);
    is_reader(B);
    is_reader(C);
    run_for(200);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    story_forget();
    return 0;
}

static int set_up_empty(void **state)
{
    (void)state;
    story_begin(3);
    return 0;
}

/* Has every member up to B heard, for tests that go on with A's answer alone. */
static void promote(uint32_t member, uint64_t term)
{
    is_writer(member, term);
    hears(member);
}

/* W1 */

static void w1_readers_alone_make_no_writer(void **state)
{
    (void)state;
    for (uint32_t m = 0; m < 3; m++)
        is_reader(m);
    run_for(5000);
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_NONE);
}

static void w1_an_answer_without_a_role_is_no_claim(void **state)
{
    (void)state;
    breaks(A);
    is_writer(B, 2);
    story.members[B].says.role = ROLE_NONE;
    hears(B);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

static void w1_a_claim_dies_with_its_connection(void **state)
{
    (void)state;
    static const enum report_kind kinds[] = {REPORT_TIMEOUT, REPORT_BROKEN, REPORT_REFUSED,
                                             REPORT_DENIED, REPORT_ODD};
    for (int i = 0; i < 5; i++) {
        set_up(state);
        is_writer(B, 2);
        run_for(100);
        assert_ambiguous(A, REASON_TWO_CLAIMS, B);
        falls_silent(B);
        reports(B, kinds[i]);
        assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    }
}

static void w1_a_claim_dies_of_age_at_timeout(void **state)
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

static void w1_the_published_writers_authentication_is_its_claims(void **state)
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

/* W2 */

static void w2_an_older_term_is_not_adopted_and_says_so(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 5);
    breaks(B);
    promote(C, 4);
    assert_ambiguous(B, REASON_OLDER_TERM, C);
    assert_int_equal(verdict->term.lo, 5);
}

static void w2_a_replayed_answer_is_ignored(void **state)
{
    (void)state;
    uint64_t before_ms = story.now_ms - 10;
    is_reader(A);
    hears(A);
    is_writer(A, 1);
    hears_late_answer(A, before_ms);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
}

static void w2_a_clock_that_jumps_back_changes_nothing(void **state)
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

static void w2_a_question_from_the_future_does_not_mute_its_member(void **state)
{
    (void)state;
    hears_late_answer(A, UINT64_MAX);
    is_reader(A);
    run_for(50);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
}

static void w2_the_term_grows_with_the_writers_own(void **state)
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

static void w2_the_writers_own_older_term_is_ambiguous(void **state)
{
    (void)state;
    is_writer(A, 0);
    hears(A);
    assert_ambiguous(A, REASON_OLDER_TERM, A);
    assert_int_equal(verdict->term.lo, 1);
}

/* W3 */

static void w3_a_living_incumbent_stays(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(3600 * 1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    assert_int_equal(story.moves, 0);
    assert_int_equal(verdict->term.lo, 1);
    assert_true(story.raised & 1 << ALARM_AMBIGUOUS);
}

static void w3_a_claim_moves_the_endpoint_when_the_incumbent_answers_as_reader(void **state)
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

static void w3_a_claim_moves_the_endpoint_when_the_incumbents_connection_broke(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void w3_a_claim_moves_the_endpoint_when_the_incumbent_is_late_already(void **state)
{
    (void)state;
    reports(A, REPORT_LATE);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void w3_an_answer_ends_being_late(void **state)
{
    (void)state;
    reports(A, REPORT_LATE);
    hears(A);
    assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    is_writer(B, 2);
    run_for(1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void w3_an_incumbent_that_claims_another_data_set_does_not_claim_this_one(void **state)
{
    (void)state;
    story.members[A].says.identity = 9;
    hears(A);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, A);
    promote(B, 2);
    assert_int_equal(verdict->writer, B);
}

static void w3_a_silent_incumbent_is_asked_once_more_and_left_after_150_ms(void **state)
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

static void w3_only_an_answer_to_a_later_question_reaffirms(void **state)
{
    (void)state;
    uint64_t claimed_ms = story.now_ms;
    promote(B, 2);
    story.now_ms += 10;
    hears_late_answer(A, claimed_ms - 1);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    hears_late_answer(A, claimed_ms);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void w3_an_earlier_question_answered_buys_no_time(void **state)
{
    (void)state;
    uint64_t claimed_ms = story.now_ms;
    promote(B, 2);
    story.now_ms += 100;
    hears_late_answer(A, claimed_ms - 1);
    assert_int_equal(story.last.wake_ms, claimed_ms + 150);
}

static void w3_one_slow_answer_does_not_flap(void **state)
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

static void w3_an_incumbent_stopped_in_a_contest_is_left_within_250_ms(void **state)
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

static void w3_an_answer_that_waited_while_the_agent_stalled_is_heard_first(void **state)
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

static void w3_the_patience_of_one_contest_is_not_inherited_by_the_next(void **state)
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

static void w3_an_aged_incumbent_of_a_stalled_agent_is_asked_before_it_is_left(void **state)
{
    (void)state;
    story.now_ms += 5000; /* nobody was late by probe's account */
    promote(B, 2);
    assert_int_equal(verdict->writer, A);
    hears(A);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void w3_the_newest_of_several_newer_claims_is_adopted(void **state)
{
    (void)state;
    breaks(A);
    story.conf.no_failover = 0;
    reports(A, REPORT_REFUSED);
    for (int order = 0; order < 2; order++) {
        set_up(state);
        operator_says(EVENT_FREEZE, 0);
        breaks(A);
        promote(B, order ? 2 : 3);
        promote(C, order ? 3 : 2);
        assert_int_equal(verdict->rival, order ? C : B);
        operator_says(EVENT_UNFREEZE, 0);
        assert_verdict(order ? C : B, CLUSTER_STEADY, REASON_NEWER_TERM);
    }
}

static void w3_two_claims_on_the_same_newer_term_are_ambiguous(void **state)
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

static void w3_a_third_newest_claim_settles_what_two_others_could_not(void **state)
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

static void w3_a_tie_is_not_broken_by_an_older_third(void **state)
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

static void w3_a_member_without_failover_is_never_adopted_by_itself(void **state)
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

static void w3_a_member_without_failover_does_not_hide_behind_the_held_term(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    promote(B, 1);
    assert_ambiguous(A, REASON_NO_FAILOVER, B);
}

static void w3_a_member_without_failover_is_adopted_by_accept(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    promote(B, 2);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NONE);
    assert_verdict(B, CLUSTER_STEADY, REASON_ACCEPTED);
}

static void w3_after_a_restart_the_incumbent_is_waited_for(void **state)
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

static void w3_after_a_restart_a_refusal_of_the_incumbent_moves_at_once(void **state)
{
    (void)state;
    story_restart(verdict);
    promote(B, 2);
    reports(A, REPORT_REFUSED);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void w3_after_a_restart_an_incumbent_never_heard_of_is_left_at_last(void **state)
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

/* W3a */

static void w3a_a_sole_claim_waits_until_every_member_was_heard(void **state)
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
    assert_true(story.c.first_round_done);
    assert_int_equal(verdict->identity, STORY_IDENTITY);
    assert_int_equal(verdict->switches, 0);
    assert_int_equal(verdict->since_ms, story.now_ms);
}

static void w3a_several_claims_at_the_first_start_are_unknown(void **state)
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

static void w3a_a_first_claim_without_failover_is_not_adopted(void **state)
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

static void w3a_a_demotion_undone_is_the_writer_again(void **state)
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

static void w3a_an_equal_sole_claim_that_is_not_behind_is_adopted(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 1);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    assert_int_equal(verdict->demoted, 1 << A);
}

static void w3a_an_equal_claim_behind_what_was_seen_is_ambiguous_for_good(void **state)
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

static void w3a_a_position_not_known_is_no_evidence(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.position = 0;
    promote(B, 1);
    assert_int_equal(verdict->writer, B);
}

static void w3a_the_writer_itself_behind_is_ambiguous(void **state)
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

static void w3a_an_equal_claim_waits_until_the_incumbents_is_not_live(void **state)
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

static void w3a_two_equal_claims_besides_a_silent_incumbent_are_ambiguous(void **state)
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

static void w3a_the_position_held_is_the_newest_the_writer_claimed(void **state)
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

/* W4 */

static void w4_a_claim_of_another_identity_is_never_adopted(void **state)
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

static void w4_an_identity_not_known_is_another_one(void **state)
{
    (void)state;
    story.members[B].says.identity = 0;
    is_writer(B, 7);
    run_for(100);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
}

static void w4_accept_adopts_a_present_claim_and_discards_the_held_term(void **state)
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

static void w4_the_identity_left_behind_ranks_as_old(void **state)
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

static void w4_accept_works_without_a_held_term_and_while_two_claim(void **state)
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

static void w4_accept_starts_a_contest_anew(void **state)
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

static void w4_accept_is_refused_without_a_present_claim(void **state)
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

/* W5 */

static void w5_silence_is_no_evidence(void **state)
{
    (void)state;
    breaks(A);
    run_for(3600 * 1000);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
    assert_int_equal(verdict->demoted, 0);
    assert_int_equal(story.moves, 0);
}

static void w5_an_incumbent_unheard_for_timeout_is_suspect_without_a_report(void **state)
{
    (void)state;
    falls_silent(A);
    run_for(999);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    run_for(1);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

/* W6 */

static void w6_a_demoted_writer_is_not_published_again_in_the_same_term(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    assert_int_equal(verdict->demoted, 1 << A);
    is_writer(A, 1); /* comes back as it was */
    run_for(1000);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    breaks(B);
    run_for(20000);
    assert_ambiguous(B, REASON_OLDER_TERM, A);
    assert_int_equal(verdict->demoted, 1 << A);
}

static void w6_a_newer_term_ends_being_demoted(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    is_reader(A);
    run_for(100);
    breaks(B);
    promote(A, 3);
    assert_verdict(A, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(verdict->demoted, 1 << B);
}

static void w6_an_old_claim_beside_a_late_writer_is_not_the_sole_one(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    is_writer(A, 1);
    run_for(100);
    reports(B, REPORT_LATE);
    assert_verdict(B, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

/* W9 */

static void w9_unconfirmed_for_max_stale_is_stale(void **state)
{
    (void)state;
    uint64_t confirmed_ms = verdict->confirmed_ms;
    for (uint32_t m = 0; m < 3; m++)
        breaks(m);
    wait_for(confirmed_ms + 29999 - story.now_ms);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
    wait_for(1);
    assert_verdict(A, CLUSTER_STALE, REASON_UNCONFIRMED);
    promote(A, 1);
    assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    assert_int_equal(verdict->confirmed_ms, story.now_ms);
}

static void w9_a_silent_writer_is_confirmed_by_another_members_answer(void **state)
{
    (void)state;
    breaks(A);
    breaks(C);
    wait_for(29000);
    hears(B);
    assert_int_equal(verdict->confirmed_ms, story.now_ms);
    wait_for(29999);
    assert_int_equal(verdict->state, CLUSTER_SUSPECT);
    wait_for(1);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    hears(B);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

static void w9_a_newer_claim_does_not_confirm_the_silent_writer(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    is_writer(B, 2);
    run_for(30000);
    assert_verdict(A, CLUSTER_STALE, REASON_NO_FAILOVER);
    assert_int_equal(verdict->rival, B);
}

static void w9_a_claim_of_another_identity_does_not_confirm_either(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.identity = 9;
    is_writer(B, 1);
    run_for(30000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
}

static void w9_readers_of_another_data_set_do_not_confirm(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.identity = 9;
    story.members[C].says.identity = 9;
    run_for(30000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
}

static void w9_an_older_claim_confirms_like_any_answer(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    breaks(B);
    breaks(C);
    is_writer(A, 1);
    run_for(60000);
    assert_ambiguous(B, REASON_OLDER_TERM, A);
}

static void w9_a_demoted_writer_is_not_confirmed_by_anybody(void **state)
{
    (void)state;
    is_reader(A);
    run_for(29900);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
    run_for(100);
    assert_verdict(A, CLUSTER_STALE, REASON_INCUMBENT_READER);
    breaks(A);
    run_for(1000);
    assert_verdict(A, CLUSTER_STALE, REASON_INCUMBENT_READER);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void w9_a_writer_with_a_strange_claim_is_not_confirmed(void **state)
{
    (void)state;
    is_writer(A, 0);
    run_for(30000);
    assert_verdict(A, CLUSTER_STALE, REASON_OLDER_TERM);
    assert_int_equal(verdict->rival, A);
}

static void w9_an_unheard_writer_is_not_a_silent_one(void **state)
{
    (void)state;
    struct verdict saved = *verdict;
    saved.confirmed_ms = 0;
    story_restart(&saved);
    assert_verdict(A, CLUSTER_STALE, REASON_RESTORED);
    falls_silent(A);
    run_for(100);
    assert_verdict(A, CLUSTER_STALE, REASON_RESTORED);
    reports(A, REPORT_TIMEOUT);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

/* Aliases */

static void an_alias_of_the_writer_is_never_a_rival(void **state)
{
    (void)state;
    story.members[B].says.incarnation = story.members[A].says.incarnation;
    for (uint64_t term = 0; term < 3; term++) {
        is_writer(B, term);
        run_for(500);
        assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    }
    assert_int_equal(story.published, 1); /* B is no reader any more */
}

static void one_server_listed_twice_is_one_claim_at_the_first_start(void **state)
{
    (void)state;
    is_writer(A, 1);
    is_writer(B, 1);
    is_reader(C);
    story.members[B].says.incarnation = story.members[A].says.incarnation;
    run_for(100);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    breaks(A); /* still reachable by its other name */
    run_for(100);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    assert_int_equal(verdict->demoted, 0); /* A is the same server */
}

static void one_candidate_listed_twice_is_one_candidate(void **state)
{
    (void)state;
    story.members[C].says.incarnation = story.members[B].says.incarnation;
    operator_says(EVENT_FREEZE, 0);
    breaks(A);
    promote(B, 2);
    promote(C, 2);
    operator_says(EVENT_UNFREEZE, 0);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
}

static void an_incarnation_not_known_makes_no_alias(void **state)
{
    (void)state;
    story.members[A].says.incarnation = 0;
    story.members[B].says.incarnation = 0;
    is_writer(B, 2);
    run_for(500);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void the_same_incarnation_of_another_data_set_is_no_alias(void **state)
{
    (void)state;
    story.members[B].says.incarnation = story.members[A].says.incarnation;
    story.members[B].says.identity = 9;
    is_writer(B, 2);
    run_for(500);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
}

static void w6_a_demoted_servers_alias_is_demoted_until_it_moves_on(void **state)
{
    (void)state;
    story.members[C].says.incarnation = story.members[A].says.incarnation; /* a virtual address */
    is_writer(C, 1);
    run_for(100);
    breaks(A);
    breaks(C);
    promote(B, 2);
    assert_int_equal(verdict->demoted, 1 << A | 1 << C);
    story.members[C].says.incarnation = story.members[B].says.incarnation;
    promote(C, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(verdict->demoted, 1 << A);
}

int main(void)
{
#define CASE(test)       cmocka_unit_test_setup(test, set_up)
#define EMPTY_CASE(test) cmocka_unit_test_setup(test, set_up_empty)
    const struct CMUnitTest tests[] = {
        EMPTY_CASE(w1_readers_alone_make_no_writer),
        CASE(w1_an_answer_without_a_role_is_no_claim),
        CASE(w1_a_claim_dies_with_its_connection),
        CASE(w1_a_claim_dies_of_age_at_timeout),
        CASE(w1_the_published_writers_authentication_is_its_claims),
        CASE(w2_an_older_term_is_not_adopted_and_says_so),
        CASE(w2_a_replayed_answer_is_ignored),
        CASE(w2_a_clock_that_jumps_back_changes_nothing),
        CASE(w2_a_question_from_the_future_does_not_mute_its_member),
        CASE(w2_the_term_grows_with_the_writers_own),
        CASE(w2_the_writers_own_older_term_is_ambiguous),
        CASE(w3_a_living_incumbent_stays),
        CASE(w3_a_claim_moves_the_endpoint_when_the_incumbent_answers_as_reader),
        CASE(w3_a_claim_moves_the_endpoint_when_the_incumbents_connection_broke),
        CASE(w3_a_claim_moves_the_endpoint_when_the_incumbent_is_late_already),
        CASE(w3_an_answer_ends_being_late),
        CASE(w3_an_incumbent_that_claims_another_data_set_does_not_claim_this_one),
        CASE(w3_a_silent_incumbent_is_asked_once_more_and_left_after_150_ms),
        CASE(w3_only_an_answer_to_a_later_question_reaffirms),
        CASE(w3_an_earlier_question_answered_buys_no_time),
        CASE(w3_one_slow_answer_does_not_flap),
        CASE(w3_an_incumbent_stopped_in_a_contest_is_left_within_250_ms),
        CASE(w3_an_answer_that_waited_while_the_agent_stalled_is_heard_first),
        CASE(w3_the_patience_of_one_contest_is_not_inherited_by_the_next),
        CASE(w3_an_aged_incumbent_of_a_stalled_agent_is_asked_before_it_is_left),
        CASE(w3_the_newest_of_several_newer_claims_is_adopted),
        CASE(w3_two_claims_on_the_same_newer_term_are_ambiguous),
        CASE(w3_a_third_newest_claim_settles_what_two_others_could_not),
        CASE(w3_a_tie_is_not_broken_by_an_older_third),
        CASE(w3_a_member_without_failover_is_never_adopted_by_itself),
        CASE(w3_a_member_without_failover_does_not_hide_behind_the_held_term),
        CASE(w3_a_member_without_failover_is_adopted_by_accept),
        CASE(w3_after_a_restart_the_incumbent_is_waited_for),
        CASE(w3_after_a_restart_a_refusal_of_the_incumbent_moves_at_once),
        CASE(w3_after_a_restart_an_incumbent_never_heard_of_is_left_at_last),
        EMPTY_CASE(w3a_a_sole_claim_waits_until_every_member_was_heard),
        EMPTY_CASE(w3a_several_claims_at_the_first_start_are_unknown),
        EMPTY_CASE(w3a_a_first_claim_without_failover_is_not_adopted),
        CASE(w3a_a_demotion_undone_is_the_writer_again),
        CASE(w3a_an_equal_sole_claim_that_is_not_behind_is_adopted),
        CASE(w3a_an_equal_claim_behind_what_was_seen_is_ambiguous_for_good),
        CASE(w3a_a_position_not_known_is_no_evidence),
        CASE(w3a_the_writer_itself_behind_is_ambiguous),
        CASE(w3a_an_equal_claim_waits_until_the_incumbents_is_not_live),
        CASE(w3a_two_equal_claims_besides_a_silent_incumbent_are_ambiguous),
        CASE(w3a_the_position_held_is_the_newest_the_writer_claimed),
        CASE(w4_a_claim_of_another_identity_is_never_adopted),
        CASE(w4_an_identity_not_known_is_another_one),
        CASE(w4_accept_adopts_a_present_claim_and_discards_the_held_term),
        CASE(w4_the_identity_left_behind_ranks_as_old),
        EMPTY_CASE(w4_accept_works_without_a_held_term_and_while_two_claim),
        CASE(w4_accept_starts_a_contest_anew),
        CASE(w4_accept_is_refused_without_a_present_claim),
        CASE(w5_silence_is_no_evidence),
        CASE(w5_an_incumbent_unheard_for_timeout_is_suspect_without_a_report),
        CASE(w6_a_demoted_writer_is_not_published_again_in_the_same_term),
        CASE(w6_a_newer_term_ends_being_demoted),
        CASE(w6_an_old_claim_beside_a_late_writer_is_not_the_sole_one),
        CASE(w9_unconfirmed_for_max_stale_is_stale),
        CASE(w9_a_silent_writer_is_confirmed_by_another_members_answer),
        CASE(w9_a_newer_claim_does_not_confirm_the_silent_writer),
        CASE(w9_a_claim_of_another_identity_does_not_confirm_either),
        CASE(w9_readers_of_another_data_set_do_not_confirm),
        CASE(w9_an_older_claim_confirms_like_any_answer),
        CASE(w9_a_demoted_writer_is_not_confirmed_by_anybody),
        CASE(w9_a_writer_with_a_strange_claim_is_not_confirmed),
        CASE(w9_an_unheard_writer_is_not_a_silent_one),
        CASE(an_alias_of_the_writer_is_never_a_rival),
        EMPTY_CASE(one_server_listed_twice_is_one_claim_at_the_first_start),
        CASE(one_candidate_listed_twice_is_one_candidate),
        CASE(an_incarnation_not_known_makes_no_alias),
        CASE(the_same_incarnation_of_another_data_set_is_no_alias),
        CASE(w6_a_demoted_servers_alias_is_demoted_until_it_moves_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
