/* SPDX-License-Identifier: Apache-2.0
 *
 * lock.c - tests of the leader lock as an arbiter of W3: what two members that both claim say of it
 * goes in, who is published comes out. A writes on term 1 and B is promoted to term 2 beside it, unless
 * a test says else.
 */
#include "config.h"

#include "tests/support/story.h"
#include "tests/support/test.h"

enum {
    OURS = 0x10c1,
    THEIRS = 0x10c2
};

/* From now on. */
static void says_lock(uint32_t member, enum lock lock, uint64_t whose)
{
    story.members[member].says.lock = lock;
    story.members[member].says.lock_of = whose;
}

/* Both say it, A first; then time enough for an alarm passes. */
static void promote_beside(enum lock of_a, enum lock of_b, uint64_t whose)
{
    says_lock(A, of_a, OURS);
    says_lock(B, of_b, whose);
    hears(A);
    promote(B, 2);
    run_for(200);
}

static void W3_who_holds_the_lock_is_followed_while_the_old_leader_claims_without_it(void **state)
{
    (void)state;
    says_lock(A, LOCK_LOST, OURS);
    hears(A);
    says_lock(B, LOCK_HELD, OURS);
    promote(B, 2);
    assert_verdict(B, CLUSTER_STEADY, REASON_LOCK);
    assert_int_equal(verdict->demoted, MASK(A));
}

static void W3_an_old_leader_that_loses_the_lock_later_is_left_then(void **state)
{
    (void)state;
    promote_beside(LOCK_HELD, LOCK_HELD, OURS);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    says_lock(A, LOCK_LOST, OURS);
    hears(A);
    assert_verdict(B, CLUSTER_STEADY, REASON_LOCK);
}

static void W6_an_old_leader_that_goes_on_claiming_is_fenced(void **state)
{
    (void)state;
    promote_beside(LOCK_LOST, LOCK_HELD, OURS);
    run_for(1000);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->fenced, MASK(A));
}

static void W3_without_both_halves_of_the_evidence_the_incumbent_stays(void **state)
{
    static const enum lock said[][2] = {
        {LOCK_NONE, LOCK_NONE}, {LOCK_NONE, LOCK_HELD}, {LOCK_NONE, LOCK_LOST},
        {LOCK_HELD, LOCK_NONE}, {LOCK_HELD, LOCK_HELD}, {LOCK_HELD, LOCK_LOST},
        {LOCK_LOST, LOCK_NONE}, {LOCK_LOST, LOCK_LOST},
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        set_up_steady(state);
        promote_beside(said[i][0], said[i][1], OURS);
        assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    }
}

static void W3_the_lock_of_another_cluster_decides_nothing(void **state)
{
    (void)state;
    promote_beside(LOCK_LOST, LOCK_HELD, THEIRS);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W3_a_lock_does_not_order_two_claims_of_one_term(void **state)
{
    (void)state;
    says_lock(A, LOCK_LOST, OURS);
    says_lock(B, LOCK_HELD, OURS);
    hears(A);
    promote(B, 1);
    run_for(200);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W3a_a_lock_does_not_order_two_claims_to_one_volume(void **state)
{
    (void)state;
    for (uint32_t m = 0; m < story.c.conf.members; m++)
        story.members[m].says.fenced = true;
    says_lock(A, LOCK_LOST, OURS);
    says_lock(B, LOCK_HELD, OURS);
    hears(A);
    promote(B, 1);
    run_for(200);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

static void W4_a_lock_does_not_speak_for_another_data_set(void **state)
{
    (void)state;
    story.members[B].says.identity = STORY_IDENTITY + 1;
    promote_beside(LOCK_LOST, LOCK_HELD, OURS);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, B);
}

static void W2_a_lock_brings_no_older_term_back(void **state)
{
    (void)state;
    promote_beside(LOCK_LOST, LOCK_HELD, OURS);
    says_lock(A, LOCK_HELD, OURS);
    says_lock(B, LOCK_LOST, OURS);
    run_for(1000);
    assert_int_equal(verdict->writer, B);
}

static void W10_a_lock_does_not_move_a_frozen_cluster(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    promote_beside(LOCK_LOST, LOCK_HELD, OURS);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->state, CLUSTER_FROZEN);
}

static void W3_a_member_without_failover_is_not_adopted_for_its_lock(void **state)
{
    (void)state;
    story.c.conf.no_failover = MASK(B);
    promote_beside(LOCK_LOST, LOCK_HELD, OURS);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_steady,
                  W3_who_holds_the_lock_is_followed_while_the_old_leader_claims_without_it),
        TEST_FROM(set_up_steady, W3_an_old_leader_that_loses_the_lock_later_is_left_then),
        TEST_FROM(set_up_steady, W6_an_old_leader_that_goes_on_claiming_is_fenced),
        TEST(W3_without_both_halves_of_the_evidence_the_incumbent_stays),
        TEST_FROM(set_up_steady, W3_the_lock_of_another_cluster_decides_nothing),
        TEST_FROM(set_up_steady, W3_a_lock_does_not_order_two_claims_of_one_term),
        TEST_FROM(set_up_steady, W3a_a_lock_does_not_order_two_claims_to_one_volume),
        TEST_FROM(set_up_steady, W4_a_lock_does_not_speak_for_another_data_set),
        TEST_FROM(set_up_steady, W2_a_lock_brings_no_older_term_back),
        TEST_FROM(set_up_steady, W10_a_lock_does_not_move_a_frozen_cluster),
        TEST_FROM(set_up_steady, W3_a_member_without_failover_is_not_adopted_for_its_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
