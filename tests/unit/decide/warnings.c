/* SPDX-License-Identifier: Apache-2.0
 *
 * warnings.c - tests of what is told although the verdict is good.
 */
#include "config.h"

#include "agent/decide/warnings.h"
#include "tests/support/test.h"

#define BIT(warning) (UINT64_C(1) << (warning))

static struct warnings warnings;
static struct topo topo;
static struct verdict verdict;
static struct warnings_input in;
static uint64_t raised, cleared;

static void hear(uint32_t member, enum report_kind kind)
{
    topo.at[member].heard = true;
    topo.at[member].kind = kind;
}

/* Three members answer; the first one is the writer. */
static int set_up(void **state)
{
    (void)state;
    warnings = (struct warnings){0};
    topo_init(&topo, 3);
    verdict_init(&verdict);
    verdict.writer = 0;
    verdict.readers = 6;
    in = (struct warnings_input){.topo = &topo, .verdict = &verdict, .wants_readers = true};
    for (uint32_t m = 0; m < 3; m++)
        hear(m, REPORT_ANSWER);
    return 0;
}

static void look(uint64_t now_ms)
{
    warnings_update(&warnings, &in, now_ms, &raised, &cleared);
}

static void while_all_answer_nothing_is_told(void **state)
{
    (void)state;
    for (uint64_t now = 1000; now < 30000; now += 1000) {
        look(now);
        assert_int_equal(warnings.raised, 0);
        assert_int_equal(raised | cleared, 0);
    }
}

static void a_member_that_cannot_be_asked_is_told_of_once_and_when_it_is_back(void **state)
{
    static const enum report_kind kinds[] = {REPORT_LATE, REPORT_TIMEOUT, REPORT_BROKEN,
                                             REPORT_REFUSED, REPORT_ODD};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        set_up(state);
        hear(1, kinds[i]);
        look(1000);
        look(1000 + WARNINGS_AFTER_MS - 1);
        assert_int_equal(warnings.raised, 0);
        look(1000 + WARNINGS_AFTER_MS);
        assert_int_equal(raised, BIT(1));
        look(2000 + WARNINGS_AFTER_MS);
        assert_int_equal(raised | cleared, 0);
        assert_int_equal(warnings.raised, BIT(1));
        hear(1, REPORT_ANSWER);
        look(3000 + WARNINGS_AFTER_MS);
        assert_int_equal(cleared, BIT(1));
        assert_int_equal(warnings.raised, 0);
    }
}

static void a_member_that_was_never_heard_is_told_of(void **state)
{
    (void)state;
    topo.at[2].heard = false;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(2));
}

static void a_short_restart_is_not_told_of(void **state)
{
    (void)state;
    for (uint64_t now = 1000; now < 40000; now += 8000) {
        hear(1, REPORT_REFUSED);
        look(now);
        look(now + WARNINGS_AFTER_MS - 1);
        hear(1, REPORT_ANSWER);
        look(now + WARNINGS_AFTER_MS);
        assert_int_equal(raised | cleared | warnings.raised, 0);
    }
}

/* W5: others may confirm it for ever. */
static void a_silent_writer_is_told_of_whatever_the_state(void **state)
{
    for (int i = 0; i < CLUSTER_STATE_COUNT; i++) {
        set_up(state);
        verdict.state = (enum cluster_state)i;
        hear(0, REPORT_LATE);
        look(1);
        look(1 + WARNINGS_AFTER_MS);
        assert_int_equal(raised, BIT(0));
        verdict.writer = 1; /* it was replaced, and is still silent */
        look(2 + WARNINGS_AFTER_MS);
        assert_int_equal(raised | cleared, 0);
        hear(0, REPORT_ANSWER);
        look(3 + WARNINGS_AFTER_MS);
        assert_int_equal(cleared, BIT(0));
    }
}

/* That is an alarm. */
static void who_refuses_the_login_needs_no_warning(void **state)
{
    (void)state;
    hear(0, REPORT_DENIED);
    hear(1, REPORT_DENIED);
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(warnings.raised, 0);
}

static void no_reader_is_told_of_where_readers_are_wanted(void **state)
{
    (void)state;
    verdict.readers = 0;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(WARNING_NO_READER));
    verdict.readers = 4;
    look(2 + WARNINGS_AFTER_MS);
    assert_int_equal(cleared, BIT(WARNING_NO_READER));
}

static void no_reader_is_no_news_where_there_can_be_none(void **state)
{
    (void)state;
    verdict.readers = 0;
    in.wants_readers = false;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(warnings.raised, 0);
    in.wants_readers = true;
    verdict.writer = MEMBER_NONE;
    look(2 + WARNINGS_AFTER_MS);
    look(2 + 2 * WARNINGS_AFTER_MS);
    assert_int_equal(warnings.raised, 0);
    verdict.writer = 0;
    topo_init(&topo, 1);
    hear(0, REPORT_ANSWER);
    look(3 + 2 * WARNINGS_AFTER_MS);
    look(3 + 3 * WARNINGS_AFTER_MS);
    assert_int_equal(warnings.raised, 0);
}

static void a_password_that_cannot_be_read_is_told_of(void **state)
{
    (void)state;
    in.no_password = true;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(WARNING_PASSWORD));
}

static void a_writer_without_an_address_is_told_of(void **state)
{
    (void)state;
    in.no_address = true;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(WARNING_NO_ADDRESS));
}

static void what_was_spared_is_told_of_until_it_is_gone(void **state)
{
    (void)state;
    in.spared = true;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(WARNING_SPARED));
    in.spared = false;
    look(2 + WARNINGS_AFTER_MS);
    assert_int_equal(cleared, BIT(WARNING_SPARED));
}

static void W4a_a_green_server_that_is_no_member_is_told_of(void **state)
{
    (void)state;
    in.green = true;
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(WARNING_GREEN));
    in.green = false;
    look(2 + WARNINGS_AFTER_MS);
    assert_int_equal(cleared, BIT(WARNING_GREEN));
}

static void after_a_reload_nothing_is_told_twice(void **state)
{
    static const uint32_t map[] = {1, MEMBER_NONE, 0};
    struct warnings after = {0};

    (void)state;
    in.no_password = true;
    hear(1, REPORT_REFUSED);
    hear(2, REPORT_REFUSED);
    look(1);
    look(1 + WARNINGS_AFTER_MS);
    assert_int_equal(raised, BIT(1) | BIT(2) | BIT(WARNING_PASSWORD));
    warnings_inherit(&after, &warnings, map, 3);
    assert_int_equal(after.raised, BIT(0) | BIT(WARNING_PASSWORD));
    assert_int_equal(after.since_ms[0], 1);
    assert_int_equal(after.since_ms[1], 0);
}

static void each_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(warning_name(0), "member_unreachable");
    assert_string_equal(warning_name(WARNING_NO_READER), "no_reader");
    assert_string_equal(warning_name(WARNING_PASSWORD), "password_unreadable");
    assert_string_equal(warning_name(WARNING_NO_ADDRESS), "no_address");
    assert_string_equal(warning_name(WARNING_SPARED), "spared_older");
    assert_string_equal(warning_name(WARNING_GREEN), "green_no_member");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, while_all_answer_nothing_is_told),
        TEST_FROM(set_up, a_member_that_cannot_be_asked_is_told_of_once_and_when_it_is_back),
        TEST_FROM(set_up, a_member_that_was_never_heard_is_told_of),
        TEST_FROM(set_up, a_short_restart_is_not_told_of),
        TEST_FROM(set_up, a_silent_writer_is_told_of_whatever_the_state),
        TEST_FROM(set_up, who_refuses_the_login_needs_no_warning),
        TEST_FROM(set_up, no_reader_is_told_of_where_readers_are_wanted),
        TEST_FROM(set_up, no_reader_is_no_news_where_there_can_be_none),
        TEST_FROM(set_up, a_password_that_cannot_be_read_is_told_of),
        TEST_FROM(set_up, a_writer_without_an_address_is_told_of),
        TEST_FROM(set_up, what_was_spared_is_told_of_until_it_is_gone),
        TEST_FROM(set_up, W4a_a_green_server_that_is_no_member_is_told_of),
        TEST_FROM(set_up, after_a_reload_nothing_is_told_twice),
        TEST_FROM(set_up, each_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
