/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_failures.c - what follows from each way in which a session with a server of MySQL's family
 * fails.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/engines/mysql/family/failures.h"
#include "tests/support/test.h"

static struct mysql_report_failure judge(enum mysql_fault fault, enum mysql_stage stage,
                                         unsigned code, bool strange)
{
    struct mysql_failure failure = {
        .fault = fault, .stage = stage, .error = {.code = (uint16_t)code, .text = "its words"}};
    struct mysql_report_failure f = {.kind = REPORT_KIND_COUNT};
    mysql_report_failure(&failure, strange, &f);
    assert_string_equal(f.text, "its words");
    return f;
}

static void errors_at_login_are_told_apart_by_their_numbers(void **state)
{
    static const struct {
        unsigned code;
        enum report_kind kind;
        enum engine_hint hint;
    } CASES[] = {
        {1040, REPORT_REFUSED, HINT_CROWDED}, {1203, REPORT_REFUSED, HINT_CROWDED},
        {1226, REPORT_REFUSED, HINT_CROWDED}, {1045, REPORT_DENIED, HINT_NONE},
        {1698, REPORT_DENIED, HINT_NONE},     {1862, REPORT_DENIED, HINT_NONE},
        {3118, REPORT_DENIED, HINT_NONE},     {4151, REPORT_DENIED, HINT_NONE},
        {1130, REPORT_DENIED, HINT_NONE},     {1129, REPORT_REFUSED, HINT_NONE},
        {3032, REPORT_REFUSED, HINT_NONE},    {1053, REPORT_REFUSED, HINT_NONE},
        {1049, REPORT_ODD, HINT_NONE},        {65535, REPORT_ODD, HINT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct mysql_report_failure f =
            judge(MYSQL_FAULT_SERVER, MYSQL_STAGE_LOGIN, CASES[i].code, false);
        if (f.kind != CASES[i].kind || f.hint != CASES[i].hint)
            fail_msg("%u: %d %d", CASES[i].code, (int)f.kind, (int)f.hint);
    }
}

static void the_end_of_a_session_is_broken_and_before_one_refused(void **state)
{
    static const unsigned ENDS[] = {3032, 1053, 1927, 3169, 4031};
    (void)state;
    for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
        assert_int_equal(judge(MYSQL_FAULT_SERVER, MYSQL_STAGE_SESSION, ENDS[i], false).kind,
                         REPORT_BROKEN);
        assert_int_equal(judge(MYSQL_FAULT_SERVER, MYSQL_STAGE_LOGIN, ENDS[i], false).kind,
                         REPORT_REFUSED);
    }
    assert_int_equal(judge(MYSQL_FAULT_NETWORK, MYSQL_STAGE_SESSION, 0, false).kind, REPORT_BROKEN);
    assert_int_equal(judge(MYSQL_FAULT_NETWORK, MYSQL_STAGE_LOGIN, 0, false).kind, REPORT_REFUSED);
    assert_int_equal(judge(MYSQL_FAULT_NETWORK, MYSQL_STAGE_CONNECTING, 0, false).kind,
                     REPORT_REFUSED);
}

static void W11_what_is_our_own_says_nothing_about_who_is_at_a_strange_address(void **state)
{
    (void)state;
    assert_int_equal(judge(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, 0, false).kind, REPORT_ODD);
    assert_int_equal(judge(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, 0, true).kind, REPORT_DENIED);
    assert_int_equal(judge(MYSQL_FAULT_LOCAL, MYSQL_STAGE_CONNECTING, 0, false).kind, REPORT_ODD);
    assert_int_equal(judge(MYSQL_FAULT_LOCAL, MYSQL_STAGE_CONNECTING, 0, true).kind, REPORT_DENIED);
    assert_int_equal(judge(MYSQL_FAULT_TLS, MYSQL_STAGE_LOGIN, 0, true).kind, REPORT_ODD);
    assert_int_equal(judge(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_CONNECTING, 0, true).kind, REPORT_ODD);
}

static void its_words_are_one_line_that_a_terminal_shows(void **state)
{
    struct mysql_failure failure = {.fault = MYSQL_FAULT_SERVER, .error = {.code = 1045}};
    struct mysql_report_failure f;
    (void)state;
    memset(failure.error.text, '\x1b', sizeof(failure.error.text)); /* without a NUL */
    mysql_report_failure(&failure, false, &f);
    assert_int_equal(strspn(f.text, "?"), sizeof(f.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errors_at_login_are_told_apart_by_their_numbers),
        TEST(the_end_of_a_session_is_broken_and_before_one_refused),
        TEST(W11_what_is_our_own_says_nothing_about_who_is_at_a_strange_address),
        TEST(its_words_are_one_line_that_a_terminal_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
