/* SPDX-License-Identifier: Apache-2.0
 *
 * staleness.c - tests of W5, W6 and W9: silence, demotion and age; and of aliases, which are one
 * server and never rivals.
 */
#include "config.h"

#include "tests/support/story.h"
#include "tests/support/test.h"

static void W5_silence_is_no_evidence(void **state)
{
    (void)state;
    breaks(A);
    run_for(3600 * 1000);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
    assert_int_equal(verdict->demoted, 0);
    assert_int_equal(story.moves, 0);
}

static void W5_an_incumbent_unheard_for_timeout_is_suspect_without_a_report(void **state)
{
    (void)state;
    falls_silent(A);
    run_for(999);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    run_for(1);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

static void W6_a_demoted_writer_is_not_published_again_in_the_same_term(void **state)
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

static void W6_a_newer_term_ends_being_demoted(void **state)
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

static void W6_an_old_claim_beside_a_late_writer_is_not_the_sole_one(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    is_writer(A, 1);
    run_for(100);
    reports(B, REPORT_LATE);
    assert_verdict(B, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

static void W9_unconfirmed_for_max_stale_is_stale(void **state)
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

static void W9_a_silent_writer_is_confirmed_by_another_members_answer(void **state)
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

static void W9_a_newer_claim_does_not_confirm_the_silent_writer(void **state)
{
    (void)state;
    story.c.conf.no_failover = 1 << B;
    breaks(A);
    is_writer(B, 2);
    run_for(30000);
    assert_verdict(A, CLUSTER_STALE, REASON_NO_FAILOVER);
    assert_int_equal(verdict->rival, B);
}

static void W9_a_claim_of_another_identity_does_not_confirm_either(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.identity = 9;
    is_writer(B, 1);
    run_for(30000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
}

static void W9_readers_of_another_data_set_do_not_confirm(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.identity = 9;
    story.members[C].says.identity = 9;
    run_for(30000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
}

static void W9_an_older_claim_confirms_like_any_answer(void **state)
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

static void W9_a_demoted_writer_is_not_confirmed_by_anybody(void **state)
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

static void W9_a_writer_with_a_strange_claim_is_not_confirmed(void **state)
{
    (void)state;
    is_writer(A, 0);
    run_for(30000);
    assert_verdict(A, CLUSTER_STALE, REASON_OLDER_TERM);
    assert_int_equal(verdict->rival, A);
}

static void W9_an_unheard_writer_is_not_a_silent_one(void **state)
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

/* Its old name says what was true before, so that its new name's claim was not a rival's. */
static void
W3_a_writer_adopted_from_one_of_two_names_is_asked_before_the_other_name_follows(void **state)
{
    (void)state;
    is_writer(C, 3);
    story.members[C].says.incarnation = story.members[A].says.incarnation;
    is_writer(B, 2);
    hears(A);
    hears(C);
    hears(B);
    assert_int_equal(story.last.ask, 1u << A);
    wait_for(20);
    hears(A);
    wait_for(80);
    reports(A, REPORT_LATE);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(story.last.ask & 1u << B, 1u << B);
    wait_for(WRITER_PATIENCE_MS);
    assert_int_equal(verdict->writer, B);
    wait_for(1);
    assert_int_equal(verdict->writer, C);
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

static void W6_a_demoted_servers_alias_is_demoted_until_it_moves_on(void **state)
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

static void one_server_by_two_names_is_judged_by_its_better_claim(void **state)
{
    for (uint32_t better = B; better <= C; better++) {
        set_up_steady(state);
        story.members[C].says.incarnation = story.members[B].says.incarnation;
        operator_says(EVENT_FREEZE, 0);
        breaks(A);
        promote(B, better == B ? 2 : 1);
        promote(C, better == B ? 1 : 2);
        operator_says(EVENT_UNFREEZE, 0);
        assert_verdict(better, CLUSTER_STEADY, REASON_NEWER_TERM);
    }
}

static void one_server_by_two_names_is_a_sole_claim(void **state)
{
    (void)state;
    is_writer(A, 2);
    hears(A);
    breaks(A);
    story.members[C].says.incarnation = story.members[B].says.incarnation;
    promote(B, 1); /* heard before it went on */
    promote(C, 2);
    assert_verdict(C, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_steady, W5_silence_is_no_evidence),
        TEST_FROM(set_up_steady, W5_an_incumbent_unheard_for_timeout_is_suspect_without_a_report),
        TEST_FROM(set_up_steady, W6_a_demoted_writer_is_not_published_again_in_the_same_term),
        TEST_FROM(set_up_steady, W6_a_newer_term_ends_being_demoted),
        TEST_FROM(set_up_steady, W6_an_old_claim_beside_a_late_writer_is_not_the_sole_one),
        TEST_FROM(set_up_steady, W9_unconfirmed_for_max_stale_is_stale),
        TEST_FROM(set_up_steady, W9_a_silent_writer_is_confirmed_by_another_members_answer),
        TEST_FROM(set_up_steady, W9_a_newer_claim_does_not_confirm_the_silent_writer),
        TEST_FROM(set_up_steady, W9_a_claim_of_another_identity_does_not_confirm_either),
        TEST_FROM(set_up_steady, W9_readers_of_another_data_set_do_not_confirm),
        TEST_FROM(set_up_steady, W9_an_older_claim_confirms_like_any_answer),
        TEST_FROM(set_up_steady, W9_a_demoted_writer_is_not_confirmed_by_anybody),
        TEST_FROM(set_up_steady, W9_a_writer_with_a_strange_claim_is_not_confirmed),
        TEST_FROM(set_up_steady, W9_an_unheard_writer_is_not_a_silent_one),
        TEST_FROM(set_up_steady, an_alias_of_the_writer_is_never_a_rival),
        TEST_FROM(set_up_empty, one_server_listed_twice_is_one_claim_at_the_first_start),
        TEST_FROM(set_up_steady, one_candidate_listed_twice_is_one_candidate),
        TEST_FROM(set_up_steady,
                  W3_a_writer_adopted_from_one_of_two_names_is_asked_before_the_other_name_follows),
        TEST_FROM(set_up_steady, an_incarnation_not_known_makes_no_alias),
        TEST_FROM(set_up_steady, the_same_incarnation_of_another_data_set_is_no_alias),
        TEST_FROM(set_up_steady, W6_a_demoted_servers_alias_is_demoted_until_it_moves_on),
        TEST_FROM(set_up_steady, one_server_by_two_names_is_judged_by_its_better_claim),
        TEST_FROM(set_up_steady, one_server_by_two_names_is_a_sole_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
