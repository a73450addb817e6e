/* SPDX-License-Identifier: Apache-2.0
 *
 * brake.c - tests of W10's count.
 */
#include "config.h"

#include "agent/decide/brake.h"
#include "tests/support/test.h"

static struct brake brake;

static int set_up(void **state)
{
    (void)state;
    brake_init(&brake, false, 1);
    return 0;
}

static void note(int times, uint64_t from_ms, uint64_t every_ms)
{
    for (int i = 0; i < times; i++)
        brake_note(&brake, from_ms + (uint64_t)i * every_ms);
}

static void W10_five_switches_are_allowed_and_the_sixth_brakes(void **state)
{
    (void)state;
    note(5, 1000, 1000);
    assert_false(brake_holds(&brake, false, 5, 5000));
    brake_note(&brake, 6000);
    assert_true(brake_holds(&brake, false, 5, 6000));
}

static void W10_switches_older_than_ten_minutes_do_not_count(void **state)
{
    (void)state;
    note(6, 1000, 1);
    assert_true(brake_holds(&brake, false, 5, 1000 + BRAKE_WINDOW_MS - 1));
    assert_false(brake_holds(&brake, false, 5, 1000 + BRAKE_WINDOW_MS));
}

static void W10_only_ten_quiet_minutes_release_it(void **state)
{
    (void)state;
    /* One switch each five minutes: never six in ten, but never quiet either. */
    note(6, 1000, 1);
    note(4, 301005, 300000);
    assert_true(brake_holds(&brake, true, 5, 1201005));
    assert_false(brake_holds(&brake, false, 5, 1201005));
    assert_int_equal(brake_until(&brake), 1201005 + BRAKE_WINDOW_MS);
    assert_true(brake_holds(&brake, true, 5, brake_until(&brake) - 1));
    assert_false(brake_holds(&brake, true, 5, brake_until(&brake)));
}

static void W10_zero_means_no_brake(void **state)
{
    (void)state;
    note(16, 1000, 1);
    assert_false(brake_holds(&brake, true, 0, 1016));
}

static void W10_more_than_can_be_counted_is_taken_as_what_can(void **state)
{
    (void)state;
    note(15, 1000, 1);
    assert_false(brake_holds(&brake, false, 1000, 1015));
    brake_note(&brake, 1015);
    assert_true(brake_holds(&brake, false, 1000, 1015));
}

static void W10_the_ring_forgets_the_oldest(void **state)
{
    (void)state;
    note(100, 1000, BRAKE_WINDOW_MS / 3);
    assert_false(brake_holds(&brake, false, 3, brake.last_ms));
    assert_true(brake_holds(&brake, false, 2, brake.last_ms));
}

static void W10_a_brake_found_on_disk_needs_quiet_from_then_on(void **state)
{
    (void)state;
    brake_init(&brake, true, 5000);
    assert_true(brake_holds(&brake, true, 5, 5000));
    assert_int_equal(brake_until(&brake), 5000 + BRAKE_WINDOW_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, W10_five_switches_are_allowed_and_the_sixth_brakes),
        TEST_FROM(set_up, W10_switches_older_than_ten_minutes_do_not_count),
        TEST_FROM(set_up, W10_only_ten_quiet_minutes_release_it),
        TEST_FROM(set_up, W10_zero_means_no_brake),
        TEST_FROM(set_up, W10_more_than_can_be_counted_is_taken_as_what_can),
        TEST_FROM(set_up, W10_the_ring_forgets_the_oldest),
        TEST_FROM(set_up, W10_a_brake_found_on_disk_needs_quiet_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
