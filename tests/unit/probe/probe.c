/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.c - the probe's schedule on a virtual clock: engine and resolver are probe_rig.c's, and do
 * what each test tells them.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/backoff.h"
#include "tests/support/fake_loop.h"
#include "tests/support/probe_rig.h"
#include "tests/support/test.h"

static void a_resolved_member_is_connected_and_asked_the_full_question(void **state)
{
    (void)state;
    fake_loop_advance(loop, 5);
    assert_null(sessions[0]);
    resolves(0, "1");
    fake_loop_advance(loop, 0);
    assert_non_null(sessions[0]);
    assert_string_equal(sessions[0]->address.text, "10.0.0.1");
    assert_int_equal(sessions[0]->address.inet.port, 1);
    assert_int_equal(full[0], 0);
    becomes_ready(0);
    assert_int_equal(full[0], 1);
    answers(0);
    assert_int_equal(report_count, 1);
    assert_int_equal(reports[0].kind, REPORT_ANSWER);
    assert_int_equal(reports[0].asked_ms, FAKE_LOOP_START_MS + 5);
    assert_int_equal(reports[0].position, 7);
}

static void at_the_steady_pace_the_full_question_is_asked_once_a_second(void **state)
{
    (void)state;
    stands(0);
    probe_set_pace(probe, PACE_STEADY);
    passes(1000, 1);
    forget();
    passes(10000, 1);
    assert_int_equal(full[0], 10);
    assert_int_equal(cheap[0], 30);
    assert_int_equal(report_count, 40);
}

static void at_the_fast_pace_every_member_is_asked_every_fast_interval(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MEMBERS; i++)
        stands(i);
    forget();
    passes(5000, (1u << MEMBERS) - 1);
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_int_equal(full[i] + cheap[i], 5000 / FAST);
}

static void turning_fast_asks_at_once(void **state)
{
    (void)state;
    stands(0);
    probe_set_pace(probe, PACE_STEADY);
    passes(1000, 1);
    forget();
    fake_loop_advance(loop, fake_loop_next_ms(loop) - 100);
    probe_set_pace(probe, PACE_FAST);
    fake_loop_advance(loop, 0);
    assert_int_equal(full[0] + cheap[0], 1);
}

static void members_of_a_cluster_are_asked_in_the_same_turn(void **state)
{
    (void)state;
    stands(0);
    passes(33, 1);
    stands(1);
    probe_set_pace(probe, PACE_STEADY);
    passes(1000, 3);
    uint64_t at = 0;
    for (size_t i = report_count - 2; i < report_count; i++) {
        assert_true(at == 0 || reports[i].asked_ms == at);
        at = reports[i].asked_ms;
    }
    assert_int_equal(at % 10, 0); /* the grid that all clusters share */
}

static void an_unanswered_question_is_late_once_and_then_times_out(void **state)
{
    (void)state;
    stands(0);
    while (!sessions[0]->asked)
        fake_loop_advance(loop, 1);
    forget();
    fake_loop_advance(loop, INTERVAL - 1);
    assert_int_equal(report_count, 0);
    fake_loop_advance(loop, FAST);
    assert_int_equal(reported(0, REPORT_LATE), 1);
    fake_loop_advance(loop, TIMEOUT - INTERVAL - FAST);
    assert_int_equal(report_count, 1);
    assert_int_equal(opened[0], 0);
    fake_loop_advance(loop, 1);
    assert_int_equal(reported(0, REPORT_TIMEOUT), 1);
    assert_int_equal(report_count, 2);
    assert_int_equal(opened[0], 1); /* a new attempt, at once */
}

static void a_late_answer_is_still_an_answer(void **state)
{
    (void)state;
    stands(0);
    passes(INTERVAL + 2 * FAST, 0);
    assert_int_equal(reported(0, REPORT_LATE), 1);
    forget();
    answers(0);
    assert_int_equal(reported(0, REPORT_ANSWER), 1);
    passes(FAST, 1);
    assert_int_equal(reported(0, REPORT_ANSWER), 2);
}

static void a_silent_member_does_not_hold_up_another(void **state)
{
    (void)state;
    stands(0);
    stands(1);
    forget();
    passes(5000, 2);
    assert_int_equal(reported(1, REPORT_ANSWER), 5000 / FAST);
}

static void a_broken_session_is_opened_again_at_once(void **state)
{
    (void)state;
    stands(0);
    passes(2000, 1);
    forget();
    fails(0, REPORT_BROKEN, HINT_NONE);
    assert_int_equal(reported(0, REPORT_BROKEN), 1);
    assert_null(sessions[0]);
    fake_loop_advance(loop, 0);
    assert_int_equal(opened[0], 1);
}

static void a_session_that_breaks_over_and_over_is_not_opened_in_a_busy_loop(void **state)
{
    (void)state;
    resolves(0, "1");
    for (uint32_t t = 0; t < 1000; t++) {
        fake_loop_advance(loop, 1);
        if (!sessions[0])
            continue;
        becomes_ready(0);
        answers(0);
        fails(0, REPORT_BROKEN, HINT_NONE);
    }
    assert_in_range(opened[0], 10, 1000 / FAST + 1);
}

static void a_silent_connect_is_told_at_timeout_and_given_up_later(void **state)
{
    (void)state;
    resolves(0, "1");
    fake_loop_advance(loop, TIMEOUT - 1);
    assert_int_equal(report_count, 0);
    fake_loop_advance(loop, 1);
    assert_int_equal(reported(0, REPORT_TIMEOUT), 1);
    fake_loop_advance(loop, 3 * TIMEOUT - 1);
    assert_non_null(sessions[0]);
    fake_loop_advance(loop, 1);
    assert_null(sessions[0]);
    assert_int_equal(report_count, 1);
}

static void a_login_that_is_slower_than_timeout_gets_through(void **state)
{
    (void)state;
    resolves(0, "1");
    fake_loop_advance(loop, 3 * TIMEOUT);
    becomes_ready(0);
    answers(0);
    assert_int_equal(reported(0, REPORT_TIMEOUT), 1);
    assert_int_equal(reported(0, REPORT_ANSWER), 1);
    assert_int_equal(opened[0], 1);
}

static void a_silent_address_is_given_up_at_timeout_while_there_are_others(void **state)
{
    (void)state;
    resolves(0, "12");
    for (uint32_t patience = 1; patience <= 8; patience *= 2) {
        for (uint8_t address = 1; address <= 2; address++) {
            fake_loop_advance(loop, address == 1 ? FAST : 0);
            assert_int_equal(sessions[0]->address.inet.bytes[3], address);
            fake_loop_advance(loop,
                              patience * TIMEOUT - (patience == 1 && address == 1 ? FAST : 0));
            assert_true(!sessions[0] || sessions[0]->address.inet.bytes[3] != address);
        }
    }
}

static void the_next_address_is_tried_at_once_and_only_the_last_failure_is_reported(void **state)
{
    (void)state;
    resolves(0, "123");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(report_count, 0);
        fake_loop_advance(loop, 0);
        assert_int_equal(sessions[0]->address.inet.bytes[3], 1 + i);
        fails(0, REPORT_REFUSED, HINT_NONE);
    }
    assert_int_equal(reported(0, REPORT_REFUSED), 1);
    fake_loop_advance(loop, 0);
    assert_null(sessions[0]);
    fake_loop_advance(loop, FAST);
    assert_int_equal(sessions[0]->address.inet.bytes[3], 1);
    fails(0, REPORT_REFUSED, HINT_NONE);
    fake_loop_advance(loop, 0);
    becomes_ready(0);
    assert_string_equal(told[0].where.connected.text, "10.0.0.2");
}

static void a_refusing_member_is_tried_fast_for_30_s_and_then_ever_less_often(void **state)
{
    (void)state;
    resolves(0, "1");
    passes_failing(29000, 0, REPORT_REFUSED, HINT_NONE);
    assert_in_range(opened[0], 29000 / FAST - 2, 29000 / FAST + 2);
    passes_failing(60000, 0, REPORT_REFUSED, HINT_NONE);
    forget();
    passes_failing(3600000, 0, REPORT_REFUSED, HINT_NONE);
    assert_in_range(opened[0], 3600 / 12.5, 3600 / 7.5); /* 10 s, give or take a quarter */
}

/* Member 0 is refused for so long that it is asked ever less often. */
static void is_backed_off(void)
{
    resolves(0, "1");
    probe_set_pace(probe, PACE_STEADY);
    passes_failing(120000, 0, REPORT_REFUSED, HINT_NONE);
    forget();
}

static void a_change_of_pace_brings_a_backed_off_member_back_to_the_fast_pace(void **state)
{
    (void)state;
    is_backed_off();
    probe_set_pace(probe, PACE_FAST);
    passes_failing(10000, 0, REPORT_REFUSED, HINT_NONE);
    assert_in_range(opened[0], 10000 / FAST - 2, 10000 / FAST + 2);
}

static void a_server_that_is_starting_up_is_tried_at_least_about_once_a_second(void **state)
{
    (void)state;
    resolves(0, "1");
    passes_failing(300000, 0, REPORT_REFUSED, HINT_STARTING);
    forget();
    passes_failing(60000, 0, REPORT_REFUSED, HINT_STARTING);
    assert_in_range(opened[0], 60 / 1.25, 60 / 0.75 + 1);
}

static void an_odd_member_is_backed_off_from_at_once(void **state)
{
    (void)state;
    resolves(0, "1");
    passes_failing(2000, 0, REPORT_ODD, HINT_NONE);
    assert_in_range(opened[0], 1, 3);
    passes_failing(60000, 0, REPORT_ODD, HINT_NONE);
    forget();
    passes_failing(100000, 0, REPORT_ODD, HINT_NONE);
    assert_in_range(opened[0], 8, 14);
}

static void a_crowded_member_is_backed_off_from_at_once(void **state)
{
    (void)state;
    resolves(0, "1");
    passes_failing(2000, 0, REPORT_REFUSED, HINT_CROWDED);
    assert_in_range(opened[0], 1, 3);
}

static void a_denied_member_is_left_alone_whatever_anybody_asks(void **state)
{
    (void)state;
    stands(1);
    resolves(0, "1");
    fake_loop_advance(loop, 0);
    fails(0, REPORT_DENIED, HINT_NONE);
    assert_int_equal(reported(0, REPORT_DENIED), 1);
    probe_ask(probe, 7);
    probe_set_pace(probe, PACE_STEADY);
    probe_set_pace(probe, PACE_FAST);
    resolves(0, "2");
    passes(100000, 2);
    assert_int_equal(opened[0], 1);
    assert_int_equal(opened[1], 1);
}

static void a_member_that_is_asked_for_is_asked_the_full_question_soon(void **state)
{
    (void)state;
    stands(0);
    probe_set_pace(probe, PACE_STEADY);
    passes(2000, 1);
    forget();
    fake_loop_advance(loop, fake_loop_next_ms(loop) - 200);
    probe_ask(probe, 1);
    fake_loop_advance(loop, 0);
    assert_int_equal(full[0], 1);
    probe_ask(probe, 1); /* the first is outstanding */
    fake_loop_advance(loop, 50);
    answers(0);
    fake_loop_advance(loop, 0);
    assert_int_equal(full[0], 2);
}

static void a_waiting_member_that_is_asked_for_is_tried_soon_but_not_in_a_busy_loop(void **state)
{
    (void)state;
    is_backed_off();
    probe_ask(probe, 1);
    fake_loop_advance(loop, FAST);
    assert_int_equal(opened[0], 1);
    forget();
    ask_on_report = 7;
    fails(0, REPORT_REFUSED, HINT_NONE);
    passes_failing(1000, 0, REPORT_REFUSED, HINT_NONE);
    assert_in_range(opened[0], 10, 1000 / FAST + 1);
}

static void asking_again_on_every_answer_is_no_busy_loop(void **state)
{
    (void)state;
    stands(0);
    forget();
    ask_on_report = 1;
    passes(1000, 1);
    assert_in_range(full[0], 50, 100);
}

static void asking_again_during_every_question_is_no_busy_loop(void **state)
{
    (void)state;
    stands(0);
    forget();
    for (uint32_t t = 0; t < 1000; t++) {
        fake_loop_advance(loop, 1);
        if (!sessions[0]->asked)
            continue;
        probe_ask(probe, 1);
        answers(0);
    }
    assert_in_range(full[0], 50, 101);
}

static void a_session_that_keeps_breaking_is_backed_off_from_in_the_end(void **state)
{
    (void)state;
    resolves(0, "1");
    for (uint32_t t = 0; t < 300000; t++) {
        if (t == 200000)
            forget();
        fake_loop_advance(loop, 1);
        if (!sessions[0])
            continue;
        becomes_ready(0);
        answers(0);
        fails(0, REPORT_BROKEN, HINT_NONE);
        report_count = 0;
    }
    assert_in_range(opened[0], 8, 14);
}

static void ticks_of_all_phases_meet_on_one_grid(void **state)
{
    (void)state;
    for (uint32_t phase = 0; phase < 1000; phase++) {
        uint64_t tick = backoff_tick(FAKE_LOOP_START_MS + 3, INTERVAL, phase);
        assert_int_equal(tick % BACKOFF_GRID_MS, 0);
        assert_in_range(tick, FAKE_LOOP_START_MS + 4, FAKE_LOOP_START_MS + 3 + INTERVAL);
        assert_int_equal(backoff_tick(tick, INTERVAL, phase), tick + INTERVAL);
    }
    assert_true(backoff_tick(FAKE_LOOP_START_MS, INTERVAL, 20) !=
                backoff_tick(FAKE_LOOP_START_MS, INTERVAL, 40));
}

static void an_unknown_host_is_refused_until_it_is_known(void **state)
{
    (void)state;
    resolves(0, "");
    assert_int_equal(reported(0, REPORT_REFUSED), 1);
    assert_string_equal(told[0].error, "no such host");
    assert_int_equal(told[0].where.count, 0);
    passes(1000, 0);
    assert_int_equal(opened[0], 0);
    stands(0);
    assert_string_equal(told[0].error, "");
}

static void a_host_that_is_unknown_has_no_address_while_its_session_stands(void **state)
{
    (void)state;
    stands(0);
    assert_int_equal(told[0].where.count, 1);
    resolves(0, "");
    assert_non_null(sessions[0]);
    assert_int_equal(told[0].where.count, 0);
    assert_int_equal(told[0].where.connected.inet.family, 4);
}

static void an_address_outside_allowed_networks_is_never_connected_to(void **state)
{
    static struct conf_network networks[] = {{.family = 4, .bits = 24, .bytes = {10, 0, 1}}};
    (void)state;
    probe_rig_cluster.allowed_networks = networks;
    probe_rig_cluster.allowed_network_count = 1;
    resolves(0, "1");
    resolves(1, "1");
    fake_loop_advance(loop, 0);
    assert_int_equal(opened[0], 0);
    assert_int_equal(opened[1], 1);
    assert_int_equal(reported(0, REPORT_REFUSED), 1);
    assert_string_equal(told[0].error, "no address is in allowed_networks");
}

static void a_name_that_flickers_costs_no_session(void **state)
{
    (void)state;
    stands(0);
    for (uint32_t i = 0; i < 10; i++) {
        resolves(0, "2");
        passes(20000, 1);
        resolves(0, "12");
        passes(20000, 1);
    }
    assert_int_equal(opened[0], 1);
}

static void the_last_error_and_its_retry_are_told_until_an_answer_comes(void **state)
{
    (void)state;
    resolves(0, "1");
    fake_loop_advance(loop, 0);
    fails(0, REPORT_REFUSED, HINT_NONE);
    assert_string_equal(told[0].error, "its own words");
    assert_int_equal(told[0].retry_ms, loop_now_ms(loop) + FAST);
    assert_int_equal(told[0].where.connected.inet.family, 0);
    fake_loop_advance(loop, FAST);
    becomes_ready(0);
    answers(0);
    assert_string_equal(told[0].error, "");
    assert_int_equal(told[0].retry_ms, 0);
    assert_string_equal(told[0].where.connected.text, "10.0.0.1");
}

static void the_official_name_goes_where_the_addresses_go(void **state)
{
    (void)state;
    official_name = "node-a.corp";
    resolves(0, "1");
    assert_string_equal(told[0].where.official, "node-a.corp");
    official_name = "node-b.corp";
    resolves(0, "1");
    assert_string_equal(told[0].where.official, "node-b.corp");
    resolves(0, ""); /* a failure takes nothing away */
    assert_string_equal(told[0].where.official, "node-b.corp");
    official_name = "";
}

static void nothing_due_means_no_wakeup(void **state)
{
    (void)state;
    assert_true(fake_loop_next_ms(loop) == UINT64_MAX);
    resolves(0, "1");
    fake_loop_advance(loop, 0);
    fails(0, REPORT_DENIED, HINT_NONE);
    assert_true(fake_loop_next_ms(loop) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(probe_rig, a_resolved_member_is_connected_and_asked_the_full_question),
        TEST_IN(probe_rig, at_the_steady_pace_the_full_question_is_asked_once_a_second),
        TEST_IN(probe_rig, at_the_fast_pace_every_member_is_asked_every_fast_interval),
        TEST_IN(probe_rig, turning_fast_asks_at_once),
        TEST_IN(probe_rig, members_of_a_cluster_are_asked_in_the_same_turn),
        TEST_IN(probe_rig, an_unanswered_question_is_late_once_and_then_times_out),
        TEST_IN(probe_rig, a_late_answer_is_still_an_answer),
        TEST_IN(probe_rig, a_silent_member_does_not_hold_up_another),
        TEST_IN(probe_rig, a_broken_session_is_opened_again_at_once),
        TEST_IN(probe_rig, a_session_that_breaks_over_and_over_is_not_opened_in_a_busy_loop),
        TEST_IN(probe_rig, a_silent_connect_is_told_at_timeout_and_given_up_later),
        TEST_IN(probe_rig, a_login_that_is_slower_than_timeout_gets_through),
        TEST_IN(probe_rig, a_silent_address_is_given_up_at_timeout_while_there_are_others),
        TEST_IN(probe_rig, the_next_address_is_tried_at_once_and_only_the_last_failure_is_reported),
        TEST_IN(probe_rig, a_refusing_member_is_tried_fast_for_30_s_and_then_ever_less_often),
        TEST_IN(probe_rig, a_change_of_pace_brings_a_backed_off_member_back_to_the_fast_pace),
        TEST_IN(probe_rig, a_server_that_is_starting_up_is_tried_at_least_about_once_a_second),
        TEST_IN(probe_rig, an_odd_member_is_backed_off_from_at_once),
        TEST_IN(probe_rig, a_crowded_member_is_backed_off_from_at_once),
        TEST_IN(probe_rig, a_denied_member_is_left_alone_whatever_anybody_asks),
        TEST_IN(probe_rig, a_member_that_is_asked_for_is_asked_the_full_question_soon),
        TEST_IN(probe_rig, a_waiting_member_that_is_asked_for_is_tried_soon_but_not_in_a_busy_loop),
        TEST_IN(probe_rig, asking_again_on_every_answer_is_no_busy_loop),
        TEST_IN(probe_rig, asking_again_during_every_question_is_no_busy_loop),
        TEST_IN(probe_rig, a_session_that_keeps_breaking_is_backed_off_from_in_the_end),
        TEST_IN(probe_rig, ticks_of_all_phases_meet_on_one_grid),
        TEST_IN(probe_rig, an_unknown_host_is_refused_until_it_is_known),
        TEST_IN(probe_rig, a_host_that_is_unknown_has_no_address_while_its_session_stands),
        TEST_IN(probe_rig, an_address_outside_allowed_networks_is_never_connected_to),
        TEST_IN(probe_rig, a_name_that_flickers_costs_no_session),
        TEST_IN(probe_rig, the_last_error_and_its_retry_are_told_until_an_answer_comes),
        TEST_IN(probe_rig, the_official_name_goes_where_the_addresses_go),
        TEST_IN(probe_rig, nothing_due_means_no_wakeup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
