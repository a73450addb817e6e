/* SPDX-License-Identifier: Apache-2.0
 *
 * succession_ambiguous.c - tests of W12: what must end in `ambiguous`, or with the incumbent.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/succession.h"
#include "tests/support/heirs.h"
#include "tests/support/test.h"

/* ---- what must end in `ambiguous`, or with the incumbent ---- */

static void W12_a_zombie_with_more_transactions_is_ambiguous_until_it_has_no_more(void **state)
{
    (void)state;
    claims_now(A); /* with the two that were lost */
    run_for(200);
    assert_ambiguous(B, REASON_TWO_CLAIMS, A);
    has(B, 125);
    run_for(200);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->fenced, MASK(A));
}

static void W12_a_zombie_with_more_transactions_does_not_follow_who_died(void **state)
{
    (void)state;
    dies(B);
    claims_now(A);
    run_for(200);
    assert_ambiguous(B, REASON_UNPROVEN, A);
}

static void W12_a_zombie_that_was_a_reader_meanwhile_is_one_all_the_same(void **state)
{
    (void)state;
    follow(A, 0);
    run_for(200);
    dies(B);
    claims_now(A);
    assert_ambiguous(B, REASON_UNPROVEN, A);
}

static void W12_a_copied_auto_cnf_does_not_make_the_writer(void **state)
{
    (void)state;
    says(C)->self = SELF(A); /* the whole data directory was copied */
    follow(C, 0);
    run_for(100);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    dies(A);
    claims_now(C);
    run_for(200);
    assert_ambiguous(A, REASON_UNPROVEN, C);
    says(C)->incarnation = 0;
    run_for(200);
    assert_ambiguous(A, REASON_UNPROVEN, C);
}

static void W12_two_replicas_of_one_name_that_both_claim_are_ambiguous(void **state)
{
    (void)state;
    says(C)->self = SELF(B);
    crash();
    claim(B);
    claim(C);
    run_for(200);
    assert_ambiguous(B, REASON_TWO_CLAIMS, C); /* as a copy of the writer */
}

static void W12_a_replica_that_was_left_writable_does_not_move_the_writer(void **state)
{
    (void)state;
    has(B, 101); /* an errant write; a running channel makes it a reader all the same */
    run_for(200);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    claim(B);
    run_for(200);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W12_a_circular_pair_switches_there_and_back_and_stays_where_both_claim(void **state)
{
    (void)state;
    says(A)->follows = SELF(B); /* the active side follows, too */
    run_for(100);
    is_reader(A);
    run_for(100);
    is_writer(B, 0); /* follows A still */
    run_for(100);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    is_reader(B);
    run_for(100);
    is_writer(A, 0);
    run_for(100);
    assert_verdict(A, CLUSTER_STEADY, REASON_SUCCEEDED);
    is_writer(B, 0);
    run_for(200);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W12_an_heir_after_RESET_MASTER_is_ambiguous(void **state)
{
    (void)state;
    crash();
    claim(B);
    has(B, 1);
    hears(B);
    assert_false(is_heir(B));
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_wiped_server_in_an_heirs_place_is_ambiguous(void **state)
{
    (void)state;
    crash();
    says(B)->self = STRANGER;
    has(B, 500);
    claims_now(B);
    assert_ambiguous(A, REASON_UNPROVEN, B);
    claims_now(C);
    assert_verdict(C, CLUSTER_AMBIGUOUS, REASON_TWO_CLAIMS);
    dies(B);
    assert_verdict(C, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
}

static void W12_a_wiped_server_in_the_writers_place_is_ambiguous(void **state)
{
    (void)state;
    follow(B, 0);
    hears(B);
    dies(A);
    says(A)->self = STRANGER;
    has(A, 5);
    claims_now(A);
    assert_ambiguous(A, REASON_UNPROVEN, A);
    run_for(SUCCESSION_ASTRAY_MS + 1000);
    claims_now(B); /* it is not the writer that claims there */
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_a_replica_of_another_cluster_does_not_inherit(void **state)
{
    (void)state;
    follow(B, STRANGER);
    has(B, 100000);
    hears(B);
    assert_false(is_heir(B));
    follow(B, 0);
    hears(B);
    dies(A);
    claims_now(B);
    run_for(200);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_stopped_channel_to_another_cluster_does_not_inherit(void **state)
{
    (void)state;
    crash();
    claim(B);
    says(B)->follows = STRANGER;
    hears(B);
    assert_false(is_heir(B));
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_detached_for_a_day_does_not_inherit(void **state)
{
    (void)state;
    detach(B, 40000);
    has(A, 5000);
    run_for(1000);
    dies(A);
    claims_now(B);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_a_delayed_replica_that_has_not_reached_the_branch_is_ambiguous(void **state)
{
    (void)state;
    has(C, 100);
    follow(C, SELF(B));
    run_for(100);
    assert_true(is_heir(C)); /* it follows; but B began at 118 */
    dies(B);
    claims_now(C);
    assert_ambiguous(B, REASON_UNPROVEN, C);
    dies(C);
    follow(C, SELF(B));
    has(C, 118);
    run_for(100);
    claims_now(C);
    assert_verdict(C, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_an_old_copy_that_writes_past_the_branch_has_proven_nothing(void **state)
{
    (void)state;
    has(C, 100);
    follow(C, SELF(B));
    run_for(100);
    dies(B);
    claims_now(C);
    assert_ambiguous(B, REASON_UNPROVEN, C);
    assert_false(is_heir(C));
    has(C, 130);
    run_for(200);
    assert_ambiguous(B, REASON_UNPROVEN, C);
}

static void W12_two_heirs_that_both_claim_are_ambiguous(void **state)
{
    (void)state;
    crash();
    claim(C);
    claim(B);
    story_restart(verdict);
    reports(A, REPORT_REFUSED);
    run_for(200);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
    assert_int_equal(verdict->reason, REASON_TWO_CLAIMS);
    assert_int_equal(verdict->writer, A);
}

static void W12_the_only_writable_that_was_never_seen_following_is_ambiguous(void **state)
{
    (void)state;
    set_up_unheard(state);
    claim(A);
    follow(B, 0);
    follow(C, SELF(A));
    run_for(200);
    has(B, 500);
    run_for(200);
    dies(A);
    claims_now(B);
    assert_ambiguous(A, REASON_UNPROVEN, B);
}

static void W12_another_data_set_is_another_one_for_an_heir_too(void **state)
{
    (void)state;
    crash();
    says(B)->identity++;
    claims_now(B);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_succeeded,
                  W12_a_zombie_with_more_transactions_is_ambiguous_until_it_has_no_more),
        TEST_FROM(set_up_succeeded, W12_a_zombie_with_more_transactions_does_not_follow_who_died),
        TEST_FROM(set_up_succeeded, W12_a_zombie_that_was_a_reader_meanwhile_is_one_all_the_same),
        TEST_FROM(set_up, W12_a_copied_auto_cnf_does_not_make_the_writer),
        TEST_FROM(set_up, W12_two_replicas_of_one_name_that_both_claim_are_ambiguous),
        TEST_FROM(set_up, W12_a_replica_that_was_left_writable_does_not_move_the_writer),
        TEST_FROM(set_up, W12_a_circular_pair_switches_there_and_back_and_stays_where_both_claim),
        TEST_FROM(set_up, W12_an_heir_after_RESET_MASTER_is_ambiguous),
        TEST_FROM(set_up, W12_a_wiped_server_in_an_heirs_place_is_ambiguous),
        TEST_FROM(set_up, W12_a_wiped_server_in_the_writers_place_is_ambiguous),
        TEST_FROM(set_up, W12_a_replica_of_another_cluster_does_not_inherit),
        TEST_FROM(set_up, W12_a_stopped_channel_to_another_cluster_does_not_inherit),
        TEST_FROM(set_up, W12_detached_for_a_day_does_not_inherit),
        TEST_FROM(set_up_succeeded,
                  W12_a_delayed_replica_that_has_not_reached_the_branch_is_ambiguous),
        TEST_FROM(set_up_succeeded, W12_an_old_copy_that_writes_past_the_branch_has_proven_nothing),
        TEST_FROM(set_up, W12_two_heirs_that_both_claim_are_ambiguous),
        TEST_FROM(set_up, W12_the_only_writable_that_was_never_seen_following_is_ambiguous),
        TEST_FROM(set_up, W12_another_data_set_is_another_one_for_an_heir_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
