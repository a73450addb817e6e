/* SPDX-License-Identifier: Apache-2.0
 *
 * decision.c - tests of what an event brings about: actions, alarms, pace, wake-ups, and the
 * operator's words on freeze and brake.
 */
#include "config.h"

#include <string.h>

#include "tests/support/story.h"
#include "tests/support/test.h"

static void the_first_verdict_is_published_and_everybody_asked(void **state)
{
    (void)state;
    assert_int_equal(story.published, 1);
    assert_int_equal(story.asked, MASK(A) | MASK(B) | MASK(C));
    assert_int_equal(story.last.pace, PACE_FAST);
}

static void a_steady_hour_publishes_nothing_but_refreshes_and_persists(void **state)
{
    (void)state;
    uint64_t confirmed_ms = verdict->confirmed_ms;
    for (int s = 0; s < 36; s++) {
        story.members[A].says.position += 1000; /* the database works */
        run_for(100000);
    }
    assert_int_equal(story.published, 0);
    assert_int_equal(verdict->confirmed_ms, confirmed_ms + 3600000);
    assert_int_equal(story.persisted, 3600000 / 7500);
}

static void an_answer_of_the_writer_confirms_and_a_readers_does_not(void **state)
{
    (void)state;
    story.now_ms += 10;
    hears(A);
    assert_true(story.last.confirmed);
    assert_false(story.last.publish);
    story.now_ms += 10;
    hears(B);
    assert_false(story.last.confirmed);
}

static void whatever_readers_see_is_published(void **state)
{
    struct verdict base = *verdict, v;
    (void)state;
    assert_false(verdict_differs(&base, &base));
#define DIFFERS(field, value)                                                                      \
    do {                                                                                           \
        v = base;                                                                                  \
        v.field = (value);                                                                         \
        assert_true(verdict_differs(&base, &v));                                                   \
        assert_true(verdict_differs(&v, &base));                                                   \
    } while (0)
    DIFFERS(state, CLUSTER_SUSPECT);
    DIFFERS(reason, REASON_INCUMBENT_SILENT);
    DIFFERS(writer, B);
    DIFFERS(rival, B);
    DIFFERS(demoted, MASK(B));
    DIFFERS(readers, MASK(B));
    DIFFERS(authenticated, true);
    DIFFERS(braked, true);
    DIFFERS(frozen, true);
    DIFFERS(identity, 9);
    DIFFERS(discarded, 9);
    DIFFERS(phase, PHASE_AVAILABLE);
    DIFFERS(green, MASK(B));
    DIFFERS(named, MASK(B));
    DIFFERS(stray, true);
    DIFFERS(retired, MASK(B));
    DIFFERS(term.lo, 9);
    DIFFERS(term.hi, 9);
    DIFFERS(since_ms, 9);
    DIFFERS(switches, 9);
    v = base;
    v.position = 1;
    v.confirmed_ms = 1;
    assert_false(verdict_differs(&base, &v));
}

static void an_unknown_event_is_a_tick(void **state)
{
    (void)state;
    struct verdict before = *verdict;
    assert_int_equal(operator_says(EVENT_KIND_COUNT, A), REFUSAL_NONE);
    assert_false(verdict_differs(&before, verdict));
}

static void a_report_about_nobody_changes_nothing(void **state)
{
    (void)state;
    struct topo before = story.c.topo;
    reports(3, REPORT_BROKEN);
    reports(UINT32_MAX, REPORT_BROKEN);
    reports(A, REPORT_KIND_COUNT);
    assert_memory_equal(&before, &story.c.topo, sizeof(before));
    assert_int_equal(story.published, 0);
}

static void status_knows_since_when_a_member_is_as_it_is(void **state)
{
    (void)state;
    uint64_t broke_ms = story.now_ms;
    reports(C, REPORT_BROKEN);
    story.now_ms += 100;
    reports(C, REPORT_BROKEN);
    assert_int_equal(story.c.topo.at[C].changed_ms, broke_ms);
    story.now_ms += 100;
    reports(C, REPORT_REFUSED);
    assert_int_equal(story.c.topo.at[C].changed_ms, broke_ms + 200);
}

static void suspicion_asks_everybody_at_once_and_fast(void **state)
{
    (void)state;
    assert_int_equal(story.last.pace, PACE_STEADY);
    reports(A, REPORT_LATE);
    assert_int_equal(story.last.ask, MASK(A) | MASK(B) | MASK(C));
    assert_int_equal(story.last.pace, PACE_FAST);
    reports(A, REPORT_TIMEOUT);
    assert_int_equal(story.last.ask, 0);
}

static void it_stays_fast_for_half_a_minute_after_a_change(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    uint64_t changed_ms = story.now_ms;
    run_for(29999);
    assert_int_equal(story.last.pace, PACE_FAST);
    wait_for(1);
    assert_int_equal(story.now_ms, changed_ms + 30000);
    assert_int_equal(story.last.pace, PACE_STEADY);
}

static void without_an_undisputed_writer_it_stays_fast(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(120000);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
    assert_int_equal(story.last.pace, PACE_FAST);
}

static void W3_a_contest_is_fast_before_it_is_called_out(void **state)
{
    (void)state;
    promote(B, 2);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(story.last.pace, PACE_FAST);
}

static void a_frozen_cluster_is_asked_at_leisure(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    breaks(A);
    run_for(31000);
    assert_int_equal(verdict->state, CLUSTER_FROZEN);
    assert_int_equal(story.last.pace, PACE_STEADY);
}

static void a_lone_agent_sleeps_until_time_brings_something(void **state)
{
    (void)state;
    uint64_t heard_ms = story.now_ms;
    assert_int_equal(story.last.wake_ms, heard_ms + 1000);
    for (uint32_t m = 0; m < 3; m++)
        breaks(m);
    assert_int_equal(story.last.wake_ms, heard_ms + 30000);
    wait_for(3600 * 1000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    assert_int_equal(story.last.wake_ms, 0);
}

static void a_refused_word_changes_nothing_but_keeps_pace_and_wake(void **state)
{
    (void)state;
    uint64_t wake_ms = story.last.wake_ms;
    struct decision before = story.c;
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NOT_CLAIMING);
    assert_memory_equal(&before, &story.c, sizeof(before));
    assert_int_equal(story.last.wake_ms, wake_ms);
    assert_int_equal(story.last.pace, PACE_STEADY);
    assert_false(story.last.publish || story.last.persist || story.last.confirmed);
}

static void alarms_are_raised_once_and_cleared_once(void **state)
{
    (void)state;
    is_writer(B, 2);
    run_for(100);
    assert_int_equal(story.raised, ALARM(AMBIGUOUS));
    story_forget();
    run_for(5000);
    assert_int_equal(story.raised | story.cleared, 0);
    is_reader(B);
    run_for(100);
    assert_int_equal(story.cleared, ALARM(AMBIGUOUS));
    story_forget();
    run_for(5000);
    assert_int_equal(story.raised | story.cleared, 0);
}

static void no_writer_alarms_and_goes_on_when_stale(void **state)
{
    (void)state;
    is_reader(A);
    run_for(100);
    assert_int_equal(story.raised, ALARM(NO_WRITER));
    run_for(30000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    assert_int_equal(story.raised, ALARM(NO_WRITER) | ALARM(STALE));
    assert_int_equal(story.cleared, 0);
    promote(B, 2);
    assert_int_equal(story.last.cleared, ALARM(NO_WRITER) | ALARM(STALE));
}

static void a_rival_alarms_even_when_stale_or_frozen(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    breaks(A);
    is_writer(B, 2);
    run_for(40000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    assert_int_equal(story.raised, ALARM(AMBIGUOUS) | ALARM(STALE));
}

static void W6_an_old_writer_that_comes_back_as_one_alarms_until_it_follows(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    story_forget();
    is_writer(A, 1);
    run_for(1000);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(verdict->fenced, 1 << A);
    assert_int_equal(story.raised, ALARM(SECOND_WRITER));
    is_reader(A);
    run_for(1000);
    assert_int_equal(verdict->fenced, 0);
    assert_int_equal(story.cleared, ALARM(SECOND_WRITER));
}

static void W4_so_does_one_of_a_data_set_that_was_left(void **state)
{
    (void)state;
    is_writer(B, 1);
    story.members[B].says.identity = 0x7002;
    run_for(100);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NONE);
    run_for(1000);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->fenced, 1 << A);
}

static void W6_a_rival_is_called_out_once(void **state)
{
    (void)state;
    breaks(A);
    promote(B, 2);
    breaks(B);
    story_forget();
    is_writer(A, 1);
    run_for(1000);
    assert_ambiguous(B, REASON_OLDER_TERM, A);
    assert_int_equal(verdict->fenced, 1 << A);
    assert_int_equal(story.raised, ALARM(AMBIGUOUS));
}

static void a_member_that_denies_us_alarms_until_it_answers(void **state)
{
    (void)state;
    falls_silent(C);
    reports(C, REPORT_DENIED);
    assert_int_equal(story.last.raised, ALARM(DENIED));
    run_for(1000);
    assert_int_equal(story.cleared, 0);
    hears(C);
    assert_int_equal(story.last.cleared, ALARM(DENIED));
}

static void a_member_never_heard_of_has_not_denied_us(void **state)
{
    (void)state;
    assert_int_equal(story.raised, 0);
    reports(A, REPORT_DENIED);
    assert_int_equal(story.raised, ALARM(DENIED));
}

static void W10_the_sixth_switch_brakes_and_names_still_follow(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        fail_over(i & 1, ~i & 1, i + 2);
    assert_false(verdict->braked);
    fail_over(B, A, 7);
    assert_true(verdict->braked);
    assert_int_equal(story.last.raised, ALARM(BRAKED));
    assert_int_equal(verdict->switches, 6);
    fail_over(A, B, 8);
    assert_int_equal(verdict->writer, B);
}

static void W10_ten_quiet_minutes_release_the_brake(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        fail_over(i & 1, ~i & 1, i + 2);
    run_for(10 * 60 * 1000 - 1);
    assert_true(verdict->braked);
    assert_int_equal(story.last.wake_ms, story.now_ms + 1);
    wait_for(1);
    assert_false(verdict->braked);
    assert_int_equal(story.last.cleared, ALARM(BRAKED));
}

static void W10_unfreeze_releases_the_brake_and_counts_anew(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        fail_over(i & 1, ~i & 1, i + 2);
    assert_int_equal(operator_says(EVENT_UNFREEZE, 0), REFUSAL_NONE);
    assert_false(verdict->braked);
    fail_over(A, B, 8);
    assert_false(verdict->braked);
}

static void W10_unfreeze_releases_the_brake_soon_after_the_machines_start_too(void **state)
{
    (void)state;
    story_configure(3);
    story.now_ms = 1000;
    story_start(NULL);
    is_writer(A, 1);
    is_reader(B);
    is_reader(C);
    run_for(200);
    for (uint32_t i = 0; i < 6; i++)
        fail_over(i & 1, ~i & 1, i + 2);
    assert_true(verdict->braked);
    assert_int_equal(operator_says(EVENT_UNFREEZE, 0), REFUSAL_NONE);
    assert_false(verdict->braked);
}

static void W10_the_brake_survives_a_restart(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        fail_over(i & 1, ~i & 1, i + 2);
    story_restart(verdict);
    assert_true(verdict->braked);
    wait_for(10 * 60 * 1000 - 1);
    assert_true(verdict->braked);
    wait_for(1);
    assert_false(verdict->braked);
}

static void W10_freeze_pins_the_incumbent(void **state)
{
    (void)state;
    assert_int_equal(operator_says(EVENT_FREEZE, 0), REFUSAL_NONE);
    assert_int_equal(verdict->state, CLUSTER_FROZEN);
    assert_true(story.last.publish);
    breaks(A);
    is_writer(B, 2);
    run_for(5000);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->state, CLUSTER_FROZEN);
    assert_int_equal(verdict->rival, B);
    assert_int_equal(operator_says(EVENT_UNFREEZE, 0), REFUSAL_NONE);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
}

static void W10_a_frozen_writer_keeps_its_own_term_up_to_date(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    is_writer(A, 4);
    run_for(50);
    assert_int_equal(verdict->term.lo, 4);
}

static void W10_frozen_and_unconfirmed_is_stale_and_frozen_again_when_confirmed(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    for (uint32_t m = 0; m < 3; m++)
        breaks(m);
    wait_for(30000);
    assert_int_equal(verdict->state, CLUSTER_STALE);
    assert_int_equal(verdict->reason, REASON_FROZEN);
    assert_true(verdict->frozen);
    story_restart(verdict);
    assert_true(verdict->frozen);
    promote(B, 2);
    reports(A, REPORT_REFUSED);
    assert_int_equal(verdict->writer, A);
    promote(A, 1);
    assert_int_equal(verdict->state, CLUSTER_FROZEN);
}

static void W10_accept_is_the_later_word_and_leaves_it_frozen(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    promote(B, 2);
    assert_int_equal(operator_says(EVENT_ACCEPT, B), REFUSAL_NONE);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(verdict->state, CLUSTER_FROZEN);
}

static void W10_what_another_agent_pinned_is_pinned_here_too_if_there_is_a_writer(void **state)
{
    struct decision nobody = {.verdict.writer = MEMBER_NONE};

    (void)state;
    decision_take_frozen(&story.c, true);
    assert_true(verdict->frozen);
    decision_take_frozen(&story.c, false);
    assert_false(verdict->frozen);
    decision_take_frozen(&nobody, true);
    assert_false(nobody.verdict.frozen);
}

static void W10_freeze_and_unfreeze_are_refused_where_they_mean_nothing(void **state)
{
    (void)state;
    assert_int_equal(operator_says(EVENT_UNFREEZE, 0), REFUSAL_NOT_FROZEN);
    story_begin(2);
    assert_int_equal(operator_says(EVENT_FREEZE, 0), REFUSAL_NO_WRITER_KNOWN);
}

static void a_moment_of_suspicion_is_a_change_as_well(void **state)
{
    (void)state;
    reports(A, REPORT_LATE);
    hears(A);
    run_for(29999);
    assert_int_equal(story.last.pace, PACE_FAST);
    wait_for(1);
    assert_int_equal(story.last.pace, PACE_STEADY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_empty, the_first_verdict_is_published_and_everybody_asked),
        TEST_FROM(set_up_settled, a_steady_hour_publishes_nothing_but_refreshes_and_persists),
        TEST_FROM(set_up_settled, an_answer_of_the_writer_confirms_and_a_readers_does_not),
        TEST_FROM(set_up_settled, whatever_readers_see_is_published),
        TEST_FROM(set_up_settled, an_unknown_event_is_a_tick),
        TEST_FROM(set_up_settled, a_report_about_nobody_changes_nothing),
        TEST_FROM(set_up_settled, status_knows_since_when_a_member_is_as_it_is),
        TEST_FROM(set_up_settled, suspicion_asks_everybody_at_once_and_fast),
        TEST_FROM(set_up_settled, it_stays_fast_for_half_a_minute_after_a_change),
        TEST_FROM(set_up_settled, without_an_undisputed_writer_it_stays_fast),
        TEST_FROM(set_up_settled, W3_a_contest_is_fast_before_it_is_called_out),
        TEST_FROM(set_up_settled, a_frozen_cluster_is_asked_at_leisure),
        TEST_FROM(set_up_settled, a_lone_agent_sleeps_until_time_brings_something),
        TEST_FROM(set_up_settled, a_refused_word_changes_nothing_but_keeps_pace_and_wake),
        TEST_FROM(set_up_settled, alarms_are_raised_once_and_cleared_once),
        TEST_FROM(set_up_settled, no_writer_alarms_and_goes_on_when_stale),
        TEST_FROM(set_up_settled, a_rival_alarms_even_when_stale_or_frozen),
        TEST_FROM(set_up_settled, W6_an_old_writer_that_comes_back_as_one_alarms_until_it_follows),
        TEST_FROM(set_up_settled, W4_so_does_one_of_a_data_set_that_was_left),
        TEST_FROM(set_up_settled, W6_a_rival_is_called_out_once),
        TEST_FROM(set_up_settled, a_member_that_denies_us_alarms_until_it_answers),
        TEST_FROM(set_up_empty, a_member_never_heard_of_has_not_denied_us),
        TEST_FROM(set_up_settled, W10_the_sixth_switch_brakes_and_names_still_follow),
        TEST_FROM(set_up_settled, W10_ten_quiet_minutes_release_the_brake),
        TEST_FROM(set_up_settled, W10_unfreeze_releases_the_brake_and_counts_anew),
        TEST_FROM(set_up_settled,
                  W10_unfreeze_releases_the_brake_soon_after_the_machines_start_too),
        TEST_FROM(set_up_settled, W10_the_brake_survives_a_restart),
        TEST_FROM(set_up_settled, W10_freeze_pins_the_incumbent),
        TEST_FROM(set_up_settled, W10_a_frozen_writer_keeps_its_own_term_up_to_date),
        TEST_FROM(set_up_settled,
                  W10_frozen_and_unconfirmed_is_stale_and_frozen_again_when_confirmed),
        TEST_FROM(set_up_settled, W10_accept_is_the_later_word_and_leaves_it_frozen),
        TEST_FROM(set_up_settled,
                  W10_what_another_agent_pinned_is_pinned_here_too_if_there_is_a_writer),
        TEST_FROM(set_up_settled, W10_freeze_and_unfreeze_are_refused_where_they_mean_nothing),
        TEST_FROM(set_up_settled, a_moment_of_suspicion_is_a_change_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
