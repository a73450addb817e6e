/* SPDX-License-Identifier: Apache-2.0
 *
 * reload.c - tests of readers, restarts and reloads.
 */
#include "config.h"

#include <string.h>

#include "tests/support/story.h"
#include "tests/support/test.h"

static void reload(uint32_t members, const uint32_t *map)
{
    story.conf.members = members;
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    assert_true(story.last.publish);
}

static void readers_are_those_that_follow(void **state)
{
    (void)state;
    assert_int_equal(verdict->readers, MASK(B) | MASK(C));
}

/* W3a */
static void a_reader_of_the_writers_volume_needs_no_position(void **state)
{
    (void)state;
    story.c.conf.max_lag = 1000;
    story.members[B].says.position = 0;
    story.members[C].says.position = 0;
    story.members[C].says.fenced = true;
    run_for(500);
    assert_int_equal(verdict->readers, MASK(C));
}

static void a_reader_enters_at_its_first_good_answer(void **state)
{
    (void)state;
    is_writer(A, 1);
    hears(A);
    is_reader(B);
    hears(B);
    assert_int_equal(verdict->readers, 0); /* nothing is held yet: whose reader? */
    reports(C, REPORT_REFUSED);
    assert_int_equal(verdict->writer, A);
    hears(B);
    assert_int_equal(verdict->readers, MASK(B));
}

static void a_reader_leaves_at_once_and_returns_after_three_good_answers(void **state)
{
    (void)state;
    reports(B, REPORT_BROKEN);
    assert_int_equal(verdict->readers, MASK(C));
    assert_true(story.last.publish);
    hears(B);
    hears(B);
    assert_int_equal(verdict->readers, MASK(C));
    hears(B);
    assert_int_equal(verdict->readers, MASK(B) | MASK(C));
}

static void a_reader_silent_for_timeout_leaves_without_a_report(void **state)
{
    (void)state;
    falls_silent(B);
    run_for(999);
    assert_int_equal(verdict->readers, MASK(B) | MASK(C));
    run_for(1);
    assert_int_equal(verdict->readers, MASK(C));
    hears(B);
    assert_int_equal(verdict->readers, MASK(C));
}

static void a_late_reader_stays_until_timeout(void **state)
{
    (void)state;
    reports(B, REPORT_LATE);
    assert_int_equal(verdict->readers, MASK(B) | MASK(C));
}

static void a_reader_too_far_behind_leaves(void **state)
{
    (void)state;
    story.members[A].says.position = 100 << 20;
    hears(A);
    assert_int_equal(verdict->readers, MASK(B) | MASK(C)); /* until they answer */
    story.members[B].says.position = 84 << 20;
    story.members[C].says.position = (84 << 20) - 1;
    hears(B);
    hears(C);
    assert_int_equal(verdict->readers, MASK(B));
    story.members[B].says.position = 0; /* not known is far behind */
    hears(B);
    assert_int_equal(verdict->readers, 0);
}

static void a_reader_of_another_data_set_does_not_serve(void **state)
{
    (void)state;
    story.members[B].says.identity = 9;
    hears(B);
    assert_int_equal(verdict->readers, MASK(C));
}

static void after_accept_of_another_data_set_its_old_readers_leave_at_once(void **state)
{
    (void)state;
    story.members[C].says.identity = 9;
    promote(C, 1);
    operator_says(EVENT_ACCEPT, C);
    assert_int_equal(verdict->readers, 0);
}

static void the_writer_is_no_reader_and_a_promoted_reader_leaves(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    assert_int_equal(verdict->readers, MASK(C));
    is_reader(A);
    run_for(100);
    assert_int_equal(verdict->readers, MASK(C));
    run_for(50);
    assert_int_equal(verdict->readers, MASK(A) | MASK(C));
    assert_int_equal(verdict->demoted, MASK(A)); /* as writer; as reader it serves */
}

static void a_restored_verdict_is_published_at_once_as_suspect(void **state)
{
    (void)state;
    story.now_ms += 10000;
    story_restart(verdict);
    assert_true(story.last.publish);
    assert_int_equal(verdict->state, CLUSTER_SUSPECT);
    assert_int_equal(verdict->reason, REASON_RESTORED);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->readers, 0);
    promote(A, 1);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->reason, REASON_INCUMBENT_CLAIMS);
}

static void a_restored_verdict_too_old_is_stale_but_its_term_is_held(void **state)
{
    (void)state;
    struct verdict saved = *verdict;
    saved.term.lo = 5;
    story.now_ms += 30000;
    story_restart(&saved);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    assert_int_equal(verdict->writer, A);
    reports(A, REPORT_REFUSED);
    promote(B, 4);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->rival, B);
}

static void times_from_another_boot_are_not_believed(void **state)
{
    (void)state;
    struct verdict saved = *verdict;
    saved.confirmed_ms = story.now_ms + 1;
    saved.since_ms = story.now_ms + 1;
    story_restart(&saved);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    assert_int_equal(verdict->confirmed_ms, 0);
    assert_int_equal(verdict->since_ms, story.now_ms);
}

static void a_restored_verdict_about_members_that_are_not_there_is_cut(void **state)
{
    (void)state;
    struct verdict saved = *verdict;
    saved.writer = 3;
    saved.rival = MEMBER_NONE - 1;
    saved.reason = REASON_BEHIND;
    saved.demoted = 0xff;
    saved.frozen = true;
    story_restart(&saved);
    assert_int_equal(verdict->writer, MEMBER_NONE);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
    assert_int_equal(verdict->reason, REASON_WRITER_REMOVED);
    assert_int_equal(verdict->demoted, 7);
    assert_false(verdict->frozen);
    saved.writer = B;
    story_restart(&saved);
    assert_int_equal(verdict->demoted, MASK(A) | MASK(C));
    assert_int_equal(verdict->rival, MEMBER_NONE);
    assert_true(verdict->frozen);
}

static void a_demotion_is_remembered_over_a_restart(void **state)
{
    (void)state;
    is_reader(A);
    hears(A);
    story_restart(verdict);
    assert_int_equal(verdict->state, CLUSTER_NO_WRITER);
    promote(B, 2);
    assert_int_equal(verdict->writer, B); /* A need not be waited for */
}

static void W3a_a_claim_found_behind_is_remembered_over_a_restart(void **state)
{
    (void)state;
    breaks(A);
    story.members[B].says.position = 1;
    promote(B, 1);
    assert_int_equal(verdict->reason, REASON_BEHIND);
    story_restart(verdict);
    story.members[B].says.position = 1 << 30;
    promote(B, 1);
    reports(A, REPORT_REFUSED);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->reason, REASON_BEHIND);
}

static void W3a_a_claim_found_behind_before_a_restart_is_good_on_a_newer_term(void **state)
{
    (void)state;
    breaks(A);
    story.members[A].says.position = 1;
    promote(A, 1);
    assert_int_equal(verdict->reason, REASON_BEHIND);
    story_restart(verdict);
    promote(A, 2);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
}

static void a_restored_verdict_without_a_writer_waits_for_a_first_claim(void **state)
{
    (void)state;
    story_begin(3);
    struct verdict saved = *verdict;
    saved.reason = REASON_INCUMBENT_READER; /* a disk may say anything */
    story_restart(&saved);
    assert_int_equal(verdict->state, CLUSTER_UNKNOWN);
    saved.reason = REASON_BEHIND;
    story_restart(&saved);
    assert_int_equal(verdict->state, CLUSTER_UNKNOWN);
}

static void a_clock_at_zero_is_a_clock(void **state)
{
    (void)state;
    story.now_ms = 0;
    story_start(NULL);
    for (uint32_t m = 0; m < 3; m++)
        hears(m);
    assert_int_equal(story.c.now_ms, 1);
}

static void a_cluster_of_one_member_has_a_writer(void **state)
{
    (void)state;
    story_begin(1);
    is_writer(A, 1);
    run_for(1000);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    breaks(A);
    assert_int_equal(verdict->state, CLUSTER_SUSPECT);
    wait_for(30000); /* nobody else to confirm it */
    assert_int_equal(verdict->state, CLUSTER_STALE);
    is_writer(A, 1);
    run_for(50);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
}

static void a_cluster_of_32_members_has_a_writer(void **state)
{
    (void)state;
    story_begin(HOMING_MEMBERS_MAX);
    for (uint32_t m = 0; m < 31; m++)
        is_reader(m);
    is_writer(31, 1);
    run_for(150);
    assert_int_equal(verdict->writer, 31);
    assert_int_equal(verdict->readers, 0x7fffffff);
    breaks(31);
    promote(0, 2);
    assert_int_equal(verdict->demoted, 0x80000000);
}

static void a_reload_that_changes_nothing_changes_nothing(void **state)
{
    (void)state;
    struct verdict before = *verdict;
    reload(3, (uint32_t[]){A, B, C});
    assert_memory_equal(&before, verdict, sizeof(before));
}

static void a_reload_renumbers_members(void **state)
{
    (void)state;
    fail_over(A, B, 2);
    story.members[C].speaks = false;
    reload(3, (uint32_t[]){2, 0, 1});
    assert_int_equal(verdict->writer, 0);
    assert_int_equal(verdict->demoted, 1 << 2);
    assert_int_equal(verdict->readers, 1 << 1);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(story.c.topo.at[0].last.member, 0);
}

static void a_reload_that_removes_the_writer_is_ambiguous(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    reload(2, (uint32_t[]){MEMBER_NONE, 0, 1});
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
    assert_int_equal(verdict->reason, REASON_WRITER_REMOVED);
    assert_int_equal(verdict->writer, MEMBER_NONE);
    assert_int_equal(verdict->term.lo, 1);
    assert_int_equal(verdict->identity, STORY_IDENTITY);
    assert_false(verdict->frozen);
    assert_true(story.last.raised & ALARM(AMBIGUOUS));
    assert_int_equal(verdict->readers, 3); /* still followers of this data set */
    wait_for(3600 * 1000);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
}

static void without_a_writer_nobody_is_a_second_one(void **state)
{
    (void)state;
    fail_over(A, B, 2);
    is_writer(A, 1);
    run_for(1000);
    assert_int_equal(verdict->fenced, 1 << A);
    reload(3, (uint32_t[]){A, MEMBER_NONE, C});
    assert_int_equal(verdict->writer, MEMBER_NONE);
    assert_int_equal(verdict->fenced, 0);
    assert_true(story.last.cleared & ALARM(SECOND_WRITER));
}

static void a_removed_writer_is_followed_by_a_sole_good_claim(void **state)
{
    (void)state;
    reload(2, (uint32_t[]){MEMBER_NONE, 0, 1});
    promote(0, 2);
    assert_int_equal(verdict->writer, 0);
    assert_int_equal(verdict->reason, REASON_NEWER_TERM);
}

static void a_renamed_writer_is_the_writer_again_when_it_was_heard(void **state)
{
    (void)state;
    reload(3, (uint32_t[]){MEMBER_NONE, B, C});
    assert_int_equal(verdict->writer, MEMBER_NONE);
    promote(A, 1);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->reason, REASON_DEMOTION_UNDONE);
}

static void a_removed_writer_is_not_followed_by_a_claim_that_is_not_good(void **state)
{
    (void)state;
    fail_over(A, B, 2);
    reload(3, (uint32_t[]){A, MEMBER_NONE, C});
    is_reader(B); /* a new member in its place: everybody was heard */
    hears(B);
    is_writer(A, 1);
    hears(A);
    assert_int_equal(verdict->writer, MEMBER_NONE);
    assert_int_equal(verdict->reason, REASON_WRITER_REMOVED);
    assert_int_equal(verdict->rival, 0);
    assert_int_equal(operator_says(EVENT_ACCEPT, A), REFUSAL_NONE);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->demoted, 0);
}

static void a_removed_writer_is_not_followed_while_two_claim(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(100);
    reload(2, (uint32_t[]){MEMBER_NONE, 0, 1});
    assert_int_equal(verdict->writer, 0); /* B's claim is newer and now the only one */
    set_up_steady(state);
    is_writer(B, 2);
    is_writer(C, 3);
    run_for(100);
    reload(2, (uint32_t[]){MEMBER_NONE, 0, 1});
    assert_int_equal(verdict->writer, MEMBER_NONE);
    assert_int_equal(verdict->rival, 1);
}

static void a_reload_that_maps_beyond_the_members_removes(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(100);
    reload(2, (uint32_t[]){0, 2, 1});
    assert_int_equal(verdict->writer, 0);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
}

static void a_reload_without_brake_releases_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        fail_over(i & 1, ~i & 1, i + 2);
    story.conf.max_switches = 0;
    reload(3, (uint32_t[]){A, B, C});
    assert_false(verdict->braked);
}

static void a_reader_of_a_stalled_agent_does_not_serve_unasked(void **state)
{
    (void)state;
    story.now_ms += 1000;
    operator_says(EVENT_FREEZE, 0);
    assert_int_equal(verdict->readers, 0);
}

static void a_rivals_claim_before_a_restart_is_not_held_against_it(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(100);
    assert_int_equal(verdict->reason, REASON_TWO_CLAIMS);
    story_restart(verdict);
    hears(B);
    reports(A, REPORT_REFUSED);
    assert_int_equal(verdict->writer, B);
}

static void a_reload_that_removes_a_demoted_member_forgets_it(void **state)
{
    (void)state;
    fail_over(A, B, 2);
    reload(2, (uint32_t[]){MEMBER_NONE, 0, 1});
    assert_int_equal(verdict->writer, 0);
    assert_int_equal(verdict->demoted, 0);
}

static void W2_a_term_is_held_without_an_identity_and_without_a_writer(void **state)
{
    (void)state;
    story_begin(2);
    story.members[A].says.identity = story.members[B].says.identity = 0;
    is_writer(A, 5);
    is_reader(B);
    run_for(100);
    assert_int_equal(verdict->writer, A);
    reload(1, (uint32_t[]){MEMBER_NONE, 0});
    story.members[0].says = story.members[B].says;
    story.members[0].says.member = 0;
    promote(0, 4);
    assert_int_equal(verdict->writer, MEMBER_NONE);
    promote(0, 6);
    assert_int_equal(verdict->writer, 0);
}

static void an_engine_without_terms_and_identities_has_readers(void **state)
{
    (void)state;
    for (uint32_t m = 0; m < 3; m++)
        story.members[m].says.identity = 0;
    is_writer(A, 0);
    is_reader(B);
    is_reader(C);
    run_for(200);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->readers, MASK(B) | MASK(C));
}

static void a_verdict_that_knows_nothing_names_nobody(void **state)
{
    struct verdict v;

    (void)state;
    memset(&v, 0xff, sizeof(v));
    verdict_init(&v);
    assert_int_equal(v.writer, MEMBER_NONE);
    assert_int_equal(v.rival, MEMBER_NONE);
    assert_int_equal(v.state, CLUSTER_UNKNOWN);
    assert_int_equal(v.demoted | v.readers, 0);
    assert_false(v.braked || v.frozen || v.authenticated || verdict_holds(&v));
    assert_int_equal(v.confirmed_ms, 0);
}

static void a_reload_before_any_writer_is_known_leaves_it_unknown(void **state)
{
    (void)state;
    reload(2, (uint32_t[]){0, 1, MEMBER_NONE});
    assert_verdict(MEMBER_NONE, CLUSTER_UNKNOWN, REASON_NONE);
}

static void a_report_without_an_answer_is_no_readers_good_answer(void **state)
{
    (void)state;
    is_reader(A);
    is_writer(B, 1);
    is_reader(C);
    run_for(200);
    reports(A, REPORT_BROKEN);
    hears(A);
    reports(C, REPORT_LATE);
    reports(C, REPORT_LATE);
    assert_int_equal(verdict->readers, MASK(C));
}

static void a_reader_returns_after_three_answers_when_nobody_spoke_in_between(void **state)
{
    (void)state;
    hears(B);
    wait_for(1000);
    assert_int_equal(verdict->readers & MASK(B), 0);
    hears(B);
    hears(B);
    assert_int_equal(verdict->readers & MASK(B), 0);
    hears(B);
    assert_int_equal(verdict->readers & MASK(B), MASK(B));
}

static void W3_a_reload_calls_no_claim_out_before_the_incumbent_was_asked_again(void **state)
{
    static const uint32_t same[] = {A, B, C};

    (void)state;
    hears(A);
    is_writer(B, 2);
    hears(B);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    reload(3, same);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->rival, MEMBER_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_settled, readers_are_those_that_follow),
        TEST_FROM(set_up_settled, a_reader_of_the_writers_volume_needs_no_position),
        TEST_FROM(set_up_empty, a_reader_enters_at_its_first_good_answer),
        TEST_FROM(set_up_settled, a_reader_leaves_at_once_and_returns_after_three_good_answers),
        TEST_FROM(set_up_settled, a_reader_silent_for_timeout_leaves_without_a_report),
        TEST_FROM(set_up_settled, a_late_reader_stays_until_timeout),
        TEST_FROM(set_up_settled, a_reader_too_far_behind_leaves),
        TEST_FROM(set_up_settled, a_reader_of_another_data_set_does_not_serve),
        TEST_FROM(set_up_settled, after_accept_of_another_data_set_its_old_readers_leave_at_once),
        TEST_FROM(set_up_settled, the_writer_is_no_reader_and_a_promoted_reader_leaves),
        TEST_FROM(set_up_settled, a_restored_verdict_is_published_at_once_as_suspect),
        TEST_FROM(set_up_settled, a_restored_verdict_too_old_is_stale_but_its_term_is_held),
        TEST_FROM(set_up_settled, times_from_another_boot_are_not_believed),
        TEST_FROM(set_up_settled, a_restored_verdict_about_members_that_are_not_there_is_cut),
        TEST_FROM(set_up_settled, a_demotion_is_remembered_over_a_restart),
        TEST_FROM(set_up_settled, W3a_a_claim_found_behind_is_remembered_over_a_restart),
        TEST_FROM(set_up_settled, a_restored_verdict_without_a_writer_waits_for_a_first_claim),
        TEST_FROM(set_up_settled, a_clock_at_zero_is_a_clock),
        TEST_FROM(set_up_settled, a_cluster_of_one_member_has_a_writer),
        TEST_FROM(set_up_settled, a_cluster_of_32_members_has_a_writer),
        TEST_FROM(set_up_settled, a_reload_that_changes_nothing_changes_nothing),
        TEST_FROM(set_up_settled, a_reload_renumbers_members),
        TEST_FROM(set_up_settled, a_reload_that_removes_the_writer_is_ambiguous),
        TEST_FROM(set_up_settled, without_a_writer_nobody_is_a_second_one),
        TEST_FROM(set_up_settled, a_removed_writer_is_followed_by_a_sole_good_claim),
        TEST_FROM(set_up_settled, a_renamed_writer_is_the_writer_again_when_it_was_heard),
        TEST_FROM(set_up_settled, a_removed_writer_is_not_followed_by_a_claim_that_is_not_good),
        TEST_FROM(set_up_settled, a_removed_writer_is_not_followed_while_two_claim),
        TEST_FROM(set_up_settled, a_reload_that_maps_beyond_the_members_removes),
        TEST_FROM(set_up_settled, a_reload_without_brake_releases_it),
        TEST_FROM(set_up_settled, a_reader_of_a_stalled_agent_does_not_serve_unasked),
        TEST_FROM(set_up_settled, a_rivals_claim_before_a_restart_is_not_held_against_it),
        TEST_FROM(set_up_settled, a_reload_that_removes_a_demoted_member_forgets_it),
        TEST_FROM(set_up_settled, W2_a_term_is_held_without_an_identity_and_without_a_writer),
        TEST_FROM(set_up_settled,
                  W3a_a_claim_found_behind_before_a_restart_is_good_on_a_newer_term),
        TEST_FROM(set_up_settled,
                  a_reader_returns_after_three_answers_when_nobody_spoke_in_between),
        TEST_FROM(set_up_settled,
                  W3_a_reload_calls_no_claim_out_before_the_incumbent_was_asked_again),
        TEST_FROM(set_up_empty, an_engine_without_terms_and_identities_has_readers),
        TEST_FROM(set_up_empty, a_verdict_that_knows_nothing_names_nobody),
        TEST_FROM(set_up_empty, a_reload_before_any_writer_is_known_leaves_it_unknown),
        TEST_FROM(set_up_empty, a_report_without_an_answer_is_no_readers_good_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
