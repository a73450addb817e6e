/* SPDX-License-Identifier: Apache-2.0
 *
 * strayed.c - W7: a process that comes back to a demoted member is not severed for ever, and a pool that is left there is
 * severed whole.
 */
#include "config.h"

#include <string.h>

#include "agent/sever/sweep/strayed.h"
#include "tests/support/test.h"

#define ENDPOINT 0x1111u
#define SEVERED  100000u /* when it was */

static struct strayed strayed;
static struct sever_order order;

static int set_up(void **state)
{
    (void)state;
    memset(&strayed, 0, sizeof(strayed));
    order =
        (struct sever_order){.endpoints = {{ENDPOINT, 7}, {ENDPOINT + 1, 7}}, .endpoint_count = 2};
    return 0;
}

static struct tags_entry made(uint64_t process, uint64_t generation, uint64_t since_ms)
{
    return (struct tags_entry){.owner.number = process,
                               .endpoint = ENDPOINT,
                               .generation = generation,
                               .since_ms = since_ms};
}

static void sever(struct tags_entry e, uint64_t now_ms)
{
    strayed_note(&strayed, &order, &e, now_ms);
}

static enum strayed_fate fate(struct tags_entry e, uint64_t now_ms)
{
    return strayed_judge(&strayed, &order, &e, now_ms);
}

static void W7_all_that_a_process_had_when_it_was_severed_goes_in_any_sweep(void **state)
{
    (void)state;
    assert_int_equal(fate(made(1, 0, SEVERED - 9000), SEVERED), STRAYED_GOES);
    sever(made(1, 0, SEVERED - 9000), SEVERED);
    sever(made(1, 0, SEVERED), SEVERED + 2000); /* a later one changes nothing */
    assert_int_equal(fate(made(1, 0, SEVERED), SEVERED + 60000), STRAYED_GOES);
}

static void W7_what_it_makes_after_that_stays(void **state)
{
    (void)state;
    sever(made(1, 0, SEVERED - 1), SEVERED);
    for (uint64_t after = 1001; after < 3600000; after *= 2)
        assert_int_equal(fate(made(1, 0, SEVERED + after), SEVERED + after), STRAYED_STAYS);
}

static void W7_what_it_makes_while_it_may_have_the_view_of_before_goes_a_little_later(void **state)
{
    (void)state;
    sever(made(1, 0, SEVERED - 1), SEVERED);
    for (uint64_t after = 1; after <= 1000; after++) {
        assert_int_equal(fate(made(1, 0, SEVERED + after), SEVERED + 1499), STRAYED_WAITS);
        assert_int_equal(fate(made(1, 0, SEVERED + after), SEVERED + 1500), STRAYED_GOES);
    }
}

static void W7_what_has_a_generation_always_goes(void **state)
{
    (void)state;
    sever(made(1, 6, SEVERED - 1), SEVERED);
    assert_int_equal(fate(made(1, 0, SEVERED + 5000), SEVERED + 5000), STRAYED_GOES);
    sever(made(1, 0, SEVERED), SEVERED);
    for (uint64_t generation = 1; generation < 7; generation++)
        assert_int_equal(fate(made(1, generation, SEVERED + 5000), SEVERED + 5000), STRAYED_GOES);
}

static void W7_the_next_switch_severs_once_more(void **state)
{
    (void)state;
    sever(made(1, 0, SEVERED), SEVERED);
    order.endpoints[0].older_than = 8;
    assert_int_equal(fate(made(1, 0, SEVERED + 5000), SEVERED + 9000), STRAYED_GOES);
    sever(made(1, 0, SEVERED + 5000), SEVERED + 9000);
    assert_int_equal(fate(made(1, 0, SEVERED + 20000), SEVERED + 20000), STRAYED_STAYS);
}

static void another_process_and_another_endpoint_are_of_no_concern(void **state)
{
    struct tags_entry other = made(1, 0, SEVERED + 5000);

    (void)state;
    sever(made(1, 0, SEVERED), SEVERED);
    assert_int_equal(fate(made(2, 0, SEVERED + 5000), SEVERED + 5000), STRAYED_GOES);
    other.endpoint++;
    assert_int_equal(fate(other, SEVERED + 5000), STRAYED_GOES);
    sever(made(0, 0, SEVERED), SEVERED); /* of no permit at all */
    assert_int_equal(fate(made(0, 0, SEVERED + 5000), SEVERED + 5000), STRAYED_GOES);
}

static void it_is_told_once(void **state)
{
    struct tags_entry e = made(1, 0, SEVERED);

    (void)state;
    assert_false(strayed_tells(&strayed, &e));
    sever(e, SEVERED);
    assert_true(strayed_tells(&strayed, &e));
    assert_false(strayed_tells(&strayed, &e));
}

static void I6_of_too_many_the_last_are_remembered(void **state)
{
    uint32_t remembered = 0;

    (void)state;
    for (uint64_t process = 1; process <= 10 * STRAYED_MAX; process++)
        sever(made(process, 0, SEVERED + process), SEVERED + process);
    sever(made(11 * STRAYED_MAX, 0, SEVERED + 10 * STRAYED_MAX + 1),
          SEVERED + 10 * STRAYED_MAX + 1);
    for (uint64_t process = 1; process <= 11 * STRAYED_MAX; process++)
        remembered += fate(made(process, 0, UINT64_MAX), UINT64_MAX) == STRAYED_STAYS;
    assert_in_range(remembered, STRAYED_MAX * 3 / 4, STRAYED_MAX);
    assert_int_equal(fate(made(11 * STRAYED_MAX, 0, UINT64_MAX), UINT64_MAX), STRAYED_STAYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, W7_all_that_a_process_had_when_it_was_severed_goes_in_any_sweep),
        TEST_FROM(set_up, W7_what_it_makes_after_that_stays),
        TEST_FROM(set_up,
                  W7_what_it_makes_while_it_may_have_the_view_of_before_goes_a_little_later),
        TEST_FROM(set_up, W7_what_has_a_generation_always_goes),
        TEST_FROM(set_up, W7_the_next_switch_severs_once_more),
        TEST_FROM(set_up, another_process_and_another_endpoint_are_of_no_concern),
        TEST_FROM(set_up, it_is_told_once),
        TEST_FROM(set_up, I6_of_too_many_the_last_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
