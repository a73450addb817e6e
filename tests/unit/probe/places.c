/* SPDX-License-Identifier: Apache-2.0
 *
 * places.c - W11 in the probe, on a virtual clock: which addresses are asked beside the members'.
 */
#include "config.h"

#include <string.h>

#include "tests/support/fake_loop.h"
#include "tests/support/probe_rig.h"
#include "tests/support/test.h"

enum {
    HOUR_MS = 60 * 60 * 1000,
    DAY_MS = 24 * HOUR_MS,
};

/* Member 0 answered at .1, and its connection broke. */
static void falls_ill(void)
{
    stands(0);
    fails(0, REPORT_BROKEN, HINT_NONE);
}

static bool is_asked_at(uint32_t end)
{
    return sessions[AT(end)];
}

static void other_addresses_are_asked_while_a_member_is_ill_and_beside_it(void **state)
{
    (void)state;
    falls_ill();
    resolves(0, "2");
    passes(100, 0);
    assert_true(is_asked_at(2));
    assert_int_equal(sessions[0]->address.inet.bytes[3], 1);
    becomes_ready(AT(2));
    answers(AT(2));
    assert_int_equal(reported(PLACE_VOICE(place_at(PLACE_CANDIDATE, 2)), REPORT_ANSWER), 1);
    assert_int_equal(told[0].where.count, 1); /* DNS takes nothing away */
    assert_string_equal(told[0].where.at[0].text, "10.0.0.1");
    assert_string_equal(told[0].where.connected.text, "10.0.0.1");
}

static void what_dns_named_before_a_member_fell_ill_is_asked_at_once(void **state)
{
    (void)state;
    stands(0);
    resolves(0, "2");
    passes(1000, 1);
    assert_false(is_asked_at(2));
    passes(300, 0); /* late: suspect */
    assert_true(is_asked_at(2));
}

static void
a_member_that_was_never_reached_is_tried_at_each_address_though_dns_is_asked_often(void **state)
{
    (void)state;
    resolves(0, "123");
    for (uint32_t i = 1; i <= 3; i++) {
        fake_loop_advance(loop, 0);
        assert_int_equal(sessions[0]->address.inet.bytes[3], i);
        resolves(0, "123"); /* told again, because the member is ill */
        fails(0, REPORT_REFUSED, HINT_NONE);
    }
    assert_int_equal(reported(0, REPORT_REFUSED), 1);
}

static void a_name_that_is_told_again_does_not_end_a_pause(void **state)
{
    (void)state;
    falls_ill();
    passes_failing(120000, 0, REPORT_REFUSED, HINT_NONE);
    forget();
    for (uint32_t i = 0; i < 40; i++) {
        passes_failing(250, 0, REPORT_REFUSED, HINT_NONE);
        resolves(0, "1");
    }
    assert_in_range(opened[0], 0, 3);
}

static void each_address_of_a_name_is_asked(void **state)
{
    (void)state;
    falls_ill();
    resolves(0, "1345");
    passes(100, 0);
    assert_true(is_asked_at(3) && is_asked_at(4) && is_asked_at(5));
    assert_false(is_asked_at(1));
}

static void an_ill_member_makes_its_host_urgent_and_a_well_one_does_not(void **state)
{
    (void)state;
    stands(0);
    assert_int_equal(urged, 0);
    fails(0, REPORT_BROKEN, HINT_NONE);
    assert_int_equal(urged, 1);
    passes(100, 0);
    becomes_ready(0);
    assert_int_equal(unurged, 0);
    answers(0);
    assert_int_equal(unurged, 1);
}

static void candidates_are_dropped_when_the_member_answers_again(void **state)
{
    (void)state;
    falls_ill();
    resolves(0, "2");
    passes(100, 0);
    assert_true(is_asked_at(2));
    becomes_ready(0);
    answers(0);
    assert_false(is_asked_at(2));
    assert_int_equal(place_at(PLACE_CANDIDATE, 2), PLACES_MAX);
}

static void a_candidate_that_dns_names_no_more_is_dropped(void **state)
{
    (void)state;
    falls_ill();
    resolves(0, "2");
    passes(100, 0);
    resolves(0, "3");
    passes(100, 0);
    assert_false(is_asked_at(2));
    assert_true(is_asked_at(3));
}

static void a_candidate_is_named_when_dns_says_so_again_250_ms_later(void **state)
{
    uint32_t place;
    (void)state;
    falls_ill();
    resolves(0, "2");
    place = place_at(PLACE_CANDIDATE, 2);
    assert_int_equal(again, 1); /* soon, not at leisure */
    passes(249, 0);
    resolves(0, "2");
    assert_false(placed[place].named);
    passes(1, 0);
    resolves(0, "2");
    assert_true(placed[place].named);
    assert_int_equal(again, 2);
}

static void another_members_address_is_never_a_candidate(void **state)
{
    (void)state;
    strcpy(taken, "2");
    falls_ill();
    resolves(0, "23");
    passes(100, 0);
    assert_false(is_asked_at(2));
    assert_true(is_asked_at(3));
    strcpy(taken, "23"); /* a reload, or another member moved */
    passes(1000, 0);
    assert_false(is_asked_at(3));
}

/* Member 0 is ill at .1, and DNS names eight others for it; member 1 is ill, too. */
static void fill_candidates(void)
{
    falls_ill();
    stands(1);
    fails(1, REPORT_BROKEN, HINT_NONE);
    resolves(0, "23456789");
    passes(100, 0);
    assert_true(is_asked_at(2) && is_asked_at(9));
}

static void a_name_with_many_addresses_keeps_out_no_other_members_one(void **state)
{
    (void)state;
    fill_candidates();
    resolves(1, "0");
    passes(100, 0);
    assert_true(is_asked_at(0));
    resolves(0, "23456789"); /* what was given up stays given up */
    passes(100, 0);
    assert_true(is_asked_at(0));
}

static void a_candidate_that_answers_is_not_given_up_for_another_members(void **state)
{
    (void)state;
    fill_candidates();
    for (uint32_t end = 2; end <= 9; end++) {
        becomes_ready(AT(end));
        answers(AT(end));
    }
    resolves(1, "0");
    passes(100, 0);
    assert_false(is_asked_at(0));
}

static void an_address_outside_allowed_networks_is_never_a_candidate(void **state)
{
    static struct conf_network networks[] = {{.family = 4, .bits = 32, .bytes = {10, 0, 0, 1}}};
    (void)state;
    probe_rig_cluster.allowed_networks = networks;
    probe_rig_cluster.allowed_network_count = 1;
    falls_ill();
    resolves(0, "2");
    passes(100, 0);
    assert_false(is_asked_at(2));
    assert_non_null(sessions[0]); /* it is asked where it was */
    becomes_ready(0);
    answers(0);
}

static void a_member_that_answers_is_not_left_but_after_a_minute_others_are_asked_too(void **state)
{
    (void)state;
    stands(0);
    resolves(0, "2");
    passes(59000, 1);
    assert_false(is_asked_at(2));
    passes(1500, 1);
    assert_true(is_asked_at(2));
    assert_true(placed[place_at(PLACE_CANDIDATE, 2)].abandoned);
    assert_int_equal(sessions[0]->address.inet.bytes[3], 1);
    assert_int_equal(opened[0], 1);
}

static void a_member_that_moves_is_asked_there_and_its_address_is_left(void **state)
{
    uint32_t left;
    (void)state;
    falls_ill();
    move_at_once = true;
    resolves(0, "2");
    passes(250, 0);
    resolves(0, "2");
    assert_string_equal(told[0].where.connected.text, "10.0.0.2");
    assert_int_equal(told[0].where.count, 1);
    passes(1, 0);
    assert_int_equal(sessions[0]->address.inet.bytes[3], 2);
    left = place_at(PLACE_LEFT, 1);
    assert_in_range(left, PLACE_CANDIDATES_MAX, PLACES_MAX - 1);
    assert_int_equal(placed[left].member, 0);
    assert_int_equal(placed[left].left_ms, loop_now_ms(loop) - 1);
    assert_true(is_asked_at(1));
    assert_int_equal(place_at(PLACE_CANDIDATE, 2), PLACES_MAX);
    assert_int_equal(unurged, 1);
}

/* Member 0 is at .2, and has left .1. */
static void moves(void)
{
    falls_ill();
    move_at_once = true;
    resolves(0, "2");
    passes(250, 0);
    resolves(0, "2");
    passes(1, 0);
    becomes_ready(0);
    answers(0);
    move_at_once = false;
}

static void a_left_address_is_asked_every_one_to_ten_seconds_for_a_day(void **state)
{
    uint64_t over_ms;
    (void)state;
    moves();
    becomes_ready(AT(1));
    answers(AT(1));
    forget();
    passes(60000, 1 | 1 << AT(1));
    assert_in_range(full[AT(1)] + cheap[AT(1)], 6, 60);
    forget();
    fails(AT(1), REPORT_BROKEN, HINT_NONE);
    passes_failing(600000, AT(1), REPORT_REFUSED, HINT_NONE);
    assert_in_range(opened[AT(1)], 60, 600);
    over_ms = placed[place_at(PLACE_LEFT, 1)].left_ms + DAY_MS;
    for (; loop_now_ms(loop) < over_ms - HOUR_MS; forget())
        passes_failing(HOUR_MS, AT(1), REPORT_REFUSED, HINT_NONE);
    passes_failing(over_ms - loop_now_ms(loop) - 1, AT(1), REPORT_REFUSED, HINT_NONE);
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
    passes_failing(15000, AT(1), REPORT_REFUSED, HINT_NONE);
    assert_int_equal(place_at(PLACE_LEFT, 1), PLACES_MAX);
}

static void a_left_address_that_refuses_our_credentials_is_left_alone(void **state)
{
    (void)state;
    moves();
    fails(AT(1), REPORT_DENIED, HINT_NONE);
    forget();
    passes(60000, 1);
    assert_int_equal(opened[AT(1)], 0);
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
}

static void a_left_address_is_forgotten_when_it_is_named_again(void **state)
{
    (void)state;
    moves();
    resolves(0, "2");
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
    resolves(0, "12");
    assert_int_equal(place_at(PLACE_LEFT, 1), PLACES_MAX);
    assert_false(is_asked_at(1));
}

static void
a_left_address_that_dns_named_all_the_time_stays_left_and_is_not_the_members(void **state)
{
    (void)state;
    falls_ill();
    move_at_once = true;
    resolves(0, "12");
    passes(250, 0);
    resolves(0, "12");
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
    assert_int_equal(told[0].where.count, 1);
    resolves(0, "12");
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
    /* But when the member is ill again, it may have gone back there. */
    move_at_once = false;
    passes(1, 0);
    becomes_ready(0);
    answers(0);
    fails(0, REPORT_BROKEN, HINT_NONE);
    assert_int_equal(place_at(PLACE_LEFT, 1), PLACES_MAX);
    assert_true(place_at(PLACE_CANDIDATE, 1) < PLACES_MAX);
}

/* An old answer of DNS, while the member is ill, too: it does not go back there. */
static void is_no_candidate_though_named(const char *ends)
{
    becomes_ready(0);
    answers(0);
    fails(0, REPORT_BROKEN, HINT_NONE);
    resolves(0, ends);
    passes(250, 0);
    resolves(0, ends);
    passes(1000, 0);
    assert_int_equal(place_at(PLACE_CANDIDATE, 1), PLACES_MAX);
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
    assert_string_equal(told[0].where.connected.text, "10.0.0.2");
}

static void
W4a_an_address_at_which_a_server_was_left_behind_stays_left_whatever_DNS_names(void **state)
{
    (void)state;
    behind = 1;
    moves();
    resolves(0, "2");
    resolves(0, "12");
    assert_true(place_at(PLACE_LEFT, 1) < PLACES_MAX);
    assert_true(is_asked_at(1));
    resolves(0, "1"); /* alone, for longer than a minute */
    passes(70000, 1);
    move_at_once = true;
    is_no_candidate_though_named("1");
}

static void W4a_so_it_does_when_DNS_names_it_all_the_time(void **state)
{
    (void)state;
    behind = 1;
    falls_ill();
    move_at_once = true;
    resolves(0, "12");
    passes(250, 0);
    resolves(0, "12");
    passes(1, 0);
    is_no_candidate_though_named("12");
    assert_int_equal(told[0].where.count, 1);
}

static void
W4a_a_candidate_at_which_a_server_turns_out_to_be_left_behind_is_none_any_more(void **state)
{
    (void)state;
    falls_ill();
    resolves(0, "2");
    assert_true(place_at(PLACE_CANDIDATE, 2) < PLACES_MAX);
    behind = 2;
    passes(12000, 0);
    assert_int_equal(place_at(PLACE_CANDIDATE, 2), PLACES_MAX);
    assert_false(is_asked_at(2));
}

static void a_left_address_that_becomes_another_members_is_forgotten(void **state)
{
    (void)state;
    moves();
    strcpy(taken, "1");
    passes(12000, 1);
    assert_int_equal(place_at(PLACE_LEFT, 1), PLACES_MAX);
}

static void four_left_addresses_of_a_member_are_kept_and_the_oldest_goes(void **state)
{
    static const char *const NEXT[] = {"2", "3", "4", "5", "6", "7"};
    (void)state;
    stands(0);
    move_at_once = true;
    for (uint32_t i = 0; i < 6; i++) {
        fails(0, REPORT_BROKEN, HINT_NONE);
        resolves(0, NEXT[i]);
        passes(250, 0);
        resolves(0, NEXT[i]);
        passes(1, 0);
        becomes_ready(0);
        answers(0);
    }
    for (uint32_t end = 1; end <= 6; end++)
        assert_int_equal(place_at(PLACE_LEFT, end) < PLACES_MAX, end >= 3);
}

static void W4a_of_too_many_left_addresses_one_with_a_server_left_behind_goes_last(void **state)
{
    struct address address = {.inet = {.family = 4, .port = 1, .bytes = {10, 0, 9}}};
    (void)state;
    behind = 100;
    for (uint32_t i = 0; i < 6; i++) {
        address.inet.bytes[3] = (uint8_t)(100 + i);
        probe_leave(probe, 0, &address, 1 + i);
    }
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(place_at(PLACE_LEFT, 100 + i) < PLACES_MAX, i == 0 || i >= 3);
}

static void sixteen_left_addresses_of_a_cluster_are_kept_and_the_oldest_goes(void **state)
{
    struct address address = {.inet = {.family = 4, .port = 1, .bytes = {10, 0, 9}}};
    uint32_t kept = 0;
    (void)state;
    for (uint32_t i = 0; i < 4 * MEMBERS; i++) {
        address.inet.bytes[3] = (uint8_t)(100 + i);
        probe_leave(probe, i % MEMBERS, &address, 1 + i);
    }
    for (uint32_t i = 0; i < 4 * MEMBERS; i++) {
        bool is_kept = place_at(PLACE_LEFT, 100 + i) < PLACES_MAX;
        assert_int_equal(is_kept, i >= 4 * MEMBERS - PLACE_LEFT_MAX);
        kept += is_kept;
    }
    assert_int_equal(kept, 16);
}

static void a_left_address_from_before_the_start_is_asked(void **state)
{
    struct address address = {.inet = {.family = 4, .port = 1, .bytes = {10, 0, 0, 7}}};
    (void)state;
    stands(0);
    probe_leave(probe, 0, &address, loop_now_ms(loop));
    probe_leave(probe, 0, &address, loop_now_ms(loop)); /* once */
    probe_leave(probe, MEMBERS, &address, loop_now_ms(loop));
    passes(1, 1);
    assert_true(is_asked_at(7));
    probe_forget(probe, place_at(PLACE_LEFT, 7));
    assert_false(is_asked_at(7));
    probe_forget(probe, 0);
    probe_move(probe, PLACES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(probe_rig, other_addresses_are_asked_while_a_member_is_ill_and_beside_it),
        TEST_IN(probe_rig, what_dns_named_before_a_member_fell_ill_is_asked_at_once),
        TEST_IN(probe_rig,
                a_member_that_was_never_reached_is_tried_at_each_address_though_dns_is_asked_often),
        TEST_IN(probe_rig, a_name_that_is_told_again_does_not_end_a_pause),
        TEST_IN(probe_rig, each_address_of_a_name_is_asked),
        TEST_IN(probe_rig, an_ill_member_makes_its_host_urgent_and_a_well_one_does_not),
        TEST_IN(probe_rig, candidates_are_dropped_when_the_member_answers_again),
        TEST_IN(probe_rig, a_candidate_that_dns_names_no_more_is_dropped),
        TEST_IN(probe_rig, a_candidate_is_named_when_dns_says_so_again_250_ms_later),
        TEST_IN(probe_rig, another_members_address_is_never_a_candidate),
        TEST_IN(probe_rig, a_name_with_many_addresses_keeps_out_no_other_members_one),
        TEST_IN(probe_rig, a_candidate_that_answers_is_not_given_up_for_another_members),
        TEST_IN(probe_rig, an_address_outside_allowed_networks_is_never_a_candidate),
        TEST_IN(probe_rig,
                a_member_that_answers_is_not_left_but_after_a_minute_others_are_asked_too),
        TEST_IN(probe_rig, a_member_that_moves_is_asked_there_and_its_address_is_left),
        TEST_IN(probe_rig, a_left_address_is_asked_every_one_to_ten_seconds_for_a_day),
        TEST_IN(probe_rig, a_left_address_that_refuses_our_credentials_is_left_alone),
        TEST_IN(probe_rig, a_left_address_is_forgotten_when_it_is_named_again),
        TEST_IN(probe_rig,
                a_left_address_that_dns_named_all_the_time_stays_left_and_is_not_the_members),
        TEST_IN(probe_rig,
                W4a_an_address_at_which_a_server_was_left_behind_stays_left_whatever_DNS_names),
        TEST_IN(probe_rig, W4a_so_it_does_when_DNS_names_it_all_the_time),
        TEST_IN(probe_rig,
                W4a_a_candidate_at_which_a_server_turns_out_to_be_left_behind_is_none_any_more),
        TEST_IN(probe_rig, W4a_of_too_many_left_addresses_one_with_a_server_left_behind_goes_last),
        TEST_IN(probe_rig, a_left_address_that_becomes_another_members_is_forgotten),
        TEST_IN(probe_rig, four_left_addresses_of_a_member_are_kept_and_the_oldest_goes),
        TEST_IN(probe_rig, sixteen_left_addresses_of_a_cluster_are_kept_and_the_oldest_goes),
        TEST_IN(probe_rig, a_left_address_from_before_the_start_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
