/* SPDX-License-Identifier: Apache-2.0
 *
 * succession.c - tests of W12: each row of its table, and how an heir begins and ends.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/succession.h"
#include "tests/support/heirs.h"
#include "tests/support/test.h"

/* ---- the table ---- */

static void W12_the_writer_and_all_readers_have_the_held_epoch(void **state)
{
    (void)state;
    assert_epoch(verdict->term, 1);
    for (uint32_t m = 0; m < 3; m++)
        assert_epoch(at(m)->last.term, 1);
    assert_int_equal(verdict->self, SELF(A));
    assert_int_equal(verdict->branch, 100);
    assert_true(is_heir(B) && is_heir(C) && !is_heir(A));
}

static void W12_an_heir_is_followed_although_the_crash_lost_something(void **state)
{
    (void)state;
    assert_epoch(verdict->term, 2);
    assert_int_equal(verdict->self, SELF(B));
    assert_int_equal(verdict->branch, 118);
    assert_int_equal(verdict->position, 118);
    assert_int_equal(verdict->demoted, MASK(A));
    assert_int_equal(story.raised, 0);
    assert_non_null(strstr(reason_text(verdict->reason), "W12"));
}

static void W12_an_heir_that_has_just_what_the_writer_began_with_is_followed(void **state)
{
    (void)state;
    has(A, 120);
    run_for(100);
    dies(A);
    claims_now(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_an_heir_of_which_it_is_not_known_what_it_has_is_followed(void **state)
{
    (void)state;
    has(A, 120);
    follow(B, 0);
    has(B, 0);
    run_for(100);
    is_reader(A);
    hears(A);
    claims_now(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    has(B, 3); /* it counts anew, and the agent has another connection */
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_int_equal(verdict->position, 3);
}

static void W12_a_writer_of_before_that_has_no_more_is_fenced(void **state)
{
    (void)state;
    has(B, 120);
    run_for(100);
    claims_now(A);
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_int_equal(verdict->fenced, MASK(A));
    assert_true(story.raised & ALARM(SECOND_WRITER));
    assert_false(story.raised & ALARM(AMBIGUOUS));
    assert_epoch(at(A)->last.term, 1);
    dies(B);
    run_for(500);
    assert_ambiguous(B, REASON_OLDER_TERM, A);
}

static void W12_what_a_fenced_writer_goes_on_to_write_proves_nothing(void **state)
{
    (void)state;
    has(B, 120);
    run_for(100);
    claims_now(A);
    has(A, 500);
    run_for(500);
    assert_int_equal(verdict->fenced, MASK(A));
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    dies(A); /* but when it comes again, it is looked at again */
    claims_now(A);
    assert_ambiguous(B, REASON_TWO_CLAIMS, A);
}

static void W12_a_fenced_member_that_is_another_server_since_is_looked_at_again(void **state)
{
    (void)state;
    claims_now(A);
    has(A, 118);
    run_for(100);
    says(A)->self = STRANGER;
    has(A, 500);
    run_for(100);
    assert_ambiguous(B, REASON_TWO_CLAIMS, A);
}

static void
W12_an_heir_that_was_detached_for_long_undoes_the_demotion_if_it_lacks_nothing(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS + 1000);
    assert_false(is_heir(B));
    assert_true(at(B)->detached);
    is_reader(A);
    run_for(50);
    claim(B);
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    assert_epoch(verdict->term, 1);
    assert_int_equal(verdict->self, SELF(B));
    assert_int_equal(verdict->demoted, MASK(A));
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    claims_now(A); /* and back, though on this epoch */
    run_for(500);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->fenced, MASK(A));
}

static void W12_such_a_claim_is_as_good_at_its_second_answer(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS + 1000);
    is_reader(A);
    run_for(50);
    operator_says(EVENT_FREEZE, MEMBER_NONE);
    claim(B);
    run_for(500);
    operator_says(EVENT_UNFREEZE, MEMBER_NONE);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

static void W12_any_other_claim_is_unproven(void **state)
{
    (void)state;
    detach(C, SUCCESSION_ASTRAY_MS + 1000);
    has(A, 101);
    run_for(100);
    dies(A);
    claims_now(C);
    run_for(500);
    assert_ambiguous(A, REASON_UNPROVEN, C);
    assert_true(story.raised & ALARM(AMBIGUOUS));
    assert_epoch(at(C)->last.term, 1);
    assert_int_equal(at(C)->last.position, 100); /* it is shown as it is */
    has(C, 1000);
    run_for(500); /* writing on proves nothing */
    assert_ambiguous(A, REASON_UNPROVEN, C);
    assert_non_null(strstr(reason_text(verdict->reason), "W12"));
}

/* ---- how an heir begins and ends ---- */

static void W12_who_follows_an_heir_is_one(void **state)
{
    (void)state;
    is_heir(C);
    says(C)->self = STRANGER;
    follow(C, SELF(B));
    run_for(100);
    assert_true(is_heir(C));
    assert_false(succession_is_heir(verdict, SELF(C))); /* who is not there any more */
    crash();
    claims_now(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_who_follows_the_new_writer_already_is_its_heir_at_once(void **state)
{
    (void)state;
    crash();
    follow(C, SELF(B));
    run_for(50);
    claims_now(B);
    assert_int_equal(verdict->writer, B);
    assert_true(is_heir(C));
    assert_false(is_heir(B));
    dies(B);
    claims_now(C); /* a second failover within the second */
    assert_verdict(C, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_epoch(verdict->term, 3);
}

static void W12_a_chain_is_known_in_any_order_and_without_who_is_gone(void **state)
{
    (void)state;
    follow(A, SELF(B)); /* A follows B, B follows C, C is promoted */
    follow(B, SELF(C));
    hears(B);
    hears(A);
    claims_now(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_true(is_heir(A) && is_heir(B));
    breaks(A);
    follow(B, SELF(C));
    hears(B);
    claims_now(B); /* C claims, too, and stays */
    dies(C);
    run_for(100);
    assert_int_equal(verdict->writer, B);
    assert_false(is_heir(A)); /* what it said before it was lost is not present */
}

static void W12_only_who_reads_follows(void **state)
{
    (void)state;
    set_up_unheard(state);
    claim(A);
    claim(B); /* as the active side of a pair, or with a stopped channel */
    says(B)->follows = SELF(A);
    follow(C, SELF(A));
    run_for(100);
    dies(B);
    assert_int_equal(verdict->writer, A);
    assert_false(is_heir(B));
    hears(B);
    assert_false(is_heir(B));
}

static void W12_a_follower_without_a_name_is_no_heir(void **state)
{
    (void)state;
    set_up_unheard(state);
    claim(A);
    says(B)->self = 0;
    follow(B, SELF(A));
    follow(C, SELF(A));
    hears(B);
    run_for(200);
    assert_int_equal(verdict->self, SELF(A));
    assert_false(succession_is_heir(verdict, SELF(B)));
    assert_true(is_heir(C));
    assert_int_equal(verdict->heirs[1], 0);
}

static void W12_an_heir_that_is_another_server_is_none(void **state)
{
    (void)state;
    crash();
    says(B)->self = STRANGER;
    claims_now(B);
    assert_false(succession_is_heir(verdict, SELF(B)));
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_an_heir_that_lost_something_is_none_until_it_follows_again(void **state)
{
    (void)state;
    has(B, 110);
    run_for(100);
    follow(B, 0);
    has(B, 0); /* not known, which is no loss */
    run_for(100);
    assert_true(is_heir(B));
    has(B, 109);
    run_for(50);
    assert_true(is_heir(B)); /* nothing is known to compare it with */
    has(B, 108);
    run_for(50);
    assert_false(is_heir(B));
    assert_false(at(B)->detached);
    follow(B, SELF(A));
    run_for(50);
    assert_true(is_heir(B));
}

static void W12_an_heir_that_follows_nobody_has_a_while(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS - 1000);
    assert_true(is_heir(B));
    follow(B, SELF(A)); /* and it begins anew */
    run_for(100);
    detach(B, SUCCESSION_ASTRAY_MS - STORY_STEP_MS);
    assert_true(is_heir(B));
    run_for(STORY_STEP_MS);
    assert_false(is_heir(B));
    follow(B, SELF(A));
    run_for(100);
    assert_true(is_heir(B));
    assert_false(at(B)->detached);
}

static void W12_the_while_passes_only_while_the_writer_claims_and_the_heir_answers(void **state)
{
    (void)state;
    follow(B, 0);
    run_for(100);
    falls_silent(B);
    reports(B, REPORT_TIMEOUT);
    run_for(2 * SUCCESSION_ASTRAY_MS);
    follow(B, 0);
    run_for(1000);
    assert_true(is_heir(B));
    dies(A);
    run_for(2 * SUCCESSION_ASTRAY_MS);
    assert_true(is_heir(B));
    claims_now(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_an_heir_that_claims_beside_the_writer_for_long_ends(void **state)
{
    (void)state;
    claim(B);
    run_for(1000);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    assert_epoch(at(B)->last.term, 2);
    run_for(SUCCESSION_ASTRAY_MS);
    assert_false(is_heir(B));
    assert_false(at(B)->detached);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    dies(A);
    run_for(500);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_detached_heir_that_claims_beside_the_writer_ends(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS + 1000);
    assert_true(at(B)->detached);
    claims_now(B);
    assert_false(at(B)->detached);
    dies(A);
    run_for(500);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_detached_heir_that_follows_others_ends(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS + 1000);
    follow(B, STRANGER);
    run_for(50);
    follow(B, 0);
    run_for(50);
    is_reader(A);
    run_for(50);
    claims_now(B);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_detached_heir_that_is_another_server_ends(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS + 1000);
    says(B)->self = STRANGER;
    run_for(50);
    is_reader(A);
    run_for(50);
    claims_now(B);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_stopped_channel_may_still_name_the_writer(void **state)
{
    (void)state;
    crash();
    claim(B);
    says(B)->follows = SELF(A);
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_heirs_end_with_their_writer(void **state)
{
    (void)state;
    assert_false(is_heir(A) || is_heir(B) || is_heir(C)); /* C still names A */
    run_for(500);
    assert_false(is_heir(C));
    dies(B);
    claims_now(C);
    assert_ambiguous(B, REASON_UNPROVEN, C);
}

/* A replica's rows may be some bytes ahead of what it has when it is promoted. */
static void W12_where_a_name_is_its_volumes_an_heir_may_have_less_than_before(void **state)
{
    (void)state;
    says(A)->bound = says(B)->bound = true;
    has(A, 200);
    has(B, 200);
    run_for(200);
    dies(A);
    has(B, verdict->branch - 1);
    claims_now(B);
    run_for(200);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_a_full_list_takes_no_more(void **state)
{
    struct verdict saved = *verdict;

    (void)state;
    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        saved.heirs[i] = 1000 + i;
    story_restart(&saved);
    run_for(200);
    assert_false(is_heir(B));
    saved.heirs[HOMING_MEMBERS_MAX - 1] = 0;
    story_restart(&saved);
    run_for(200);
    assert_true(is_heir(B) && !is_heir(C));
}

static void W12_a_replayed_answer_makes_no_heir(void **state)
{
    (void)state;
    set_up_unheard(state);
    claim(A);
    follow(B, 0);
    follow(C, SELF(A));
    run_for(200);
    says(B)->follows = SELF(A);
    hears_late_answer(B, story.now_ms - 1000);
    assert_false(is_heir(B));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, W12_the_writer_and_all_readers_have_the_held_epoch),
        TEST_FROM(set_up_succeeded, W12_an_heir_is_followed_although_the_crash_lost_something),
        TEST_FROM(set_up, W12_an_heir_that_has_just_what_the_writer_began_with_is_followed),
        TEST_FROM(set_up, W12_an_heir_of_which_it_is_not_known_what_it_has_is_followed),
        TEST_FROM(set_up_succeeded, W12_a_writer_of_before_that_has_no_more_is_fenced),
        TEST_FROM(set_up_succeeded, W12_what_a_fenced_writer_goes_on_to_write_proves_nothing),
        TEST_FROM(set_up_succeeded,
                  W12_a_fenced_member_that_is_another_server_since_is_looked_at_again),
        TEST_FROM(set_up,
                  W12_an_heir_that_was_detached_for_long_undoes_the_demotion_if_it_lacks_nothing),
        TEST_FROM(set_up, W12_such_a_claim_is_as_good_at_its_second_answer),
        TEST_FROM(set_up, W12_any_other_claim_is_unproven),
        TEST_FROM(set_up, W12_who_follows_an_heir_is_one),
        TEST_FROM(set_up, W12_who_follows_the_new_writer_already_is_its_heir_at_once),
        TEST_FROM(set_up, W12_a_chain_is_known_in_any_order_and_without_who_is_gone),
        TEST_FROM(set_up, W12_only_who_reads_follows),
        TEST_FROM(set_up, W12_a_follower_without_a_name_is_no_heir),
        TEST_FROM(set_up, W12_an_heir_that_is_another_server_is_none),
        TEST_FROM(set_up, W12_an_heir_that_lost_something_is_none_until_it_follows_again),
        TEST_FROM(set_up, W12_an_heir_that_follows_nobody_has_a_while),
        TEST_FROM(set_up, W12_the_while_passes_only_while_the_writer_claims_and_the_heir_answers),
        TEST_FROM(set_up, W12_an_heir_that_claims_beside_the_writer_for_long_ends),
        TEST_FROM(set_up, W12_a_detached_heir_that_claims_beside_the_writer_ends),
        TEST_FROM(set_up, W12_a_detached_heir_that_follows_others_ends),
        TEST_FROM(set_up, W12_a_detached_heir_that_is_another_server_ends),
        TEST_FROM(set_up, W12_a_stopped_channel_may_still_name_the_writer),
        TEST_FROM(set_up_succeeded, W12_heirs_end_with_their_writer),
        TEST_FROM(set_up, W12_where_a_name_is_its_volumes_an_heir_may_have_less_than_before),
        TEST_FROM(set_up, W12_a_full_list_takes_no_more),
        TEST_FROM(set_up, W12_a_replayed_answer_makes_no_heir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
