/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_gtid.c - sets and lists of transactions, as servers print them and as a liar would.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/mysql/family/gtid.h"
#include "tests/support/test.h"

#define A "b8d2f67a-eca3-11f1-9972-02fc00000001"
#define B "FFFFFFFF-eca3-11f1-9972-02fc00000002"

static void transactions_are_counted_and_gaps_are_not(void **state)
{
    static const struct {
        const char *text;
        uint64_t count;
    } CASES[] = {
        {"", 0},
        {A ":1", 1},
        {A ":1-8", 8},
        {A ":1-5:7", 6},
        {A ":1-5:7-9:1000000-1000001", 10},
        {A ":1-16,\n" B ":1-3", 19},
        {A ":1-16, " B ":1-3\n", 19},
        {A ":1-16:tag_1:1-2:other:5," B ":only:1-3", 22},
        {A ":1-9223372036854775807", INT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint64_t count = 77;
        if (!gtid_count(CASES[i].text, &count) || count != CASES[i].count)
            fail_msg("case %zu: %llu", i, (unsigned long long)count);
    }
}

static void what_is_no_set_is_refused(void **state)
{
    static const char *const BAD[] = {
        A,
        A ":",
        A ":0",
        A ":0-3",
        A ":5-3",
        A ":5-4",
        A ":1-",
        A ":-1",
        A ":1-2-3",
        A ":1,",
        "," A ":1",
        A ":1 " B ":1",
        A ":1;" B ":1",
        A ":1-9223372036854775808",
        A ":1-99999999999999999999",
        A ":1-9223372036854775807," B ":1",
        A ":Tag:1",
        A ":a_tag_that_is_longer_than_a_tag_may_be:1",
        "b8d2f67a-eca3-11f1-9972-02fc0000000:1",
        "b8d2f67aXeca3-11f1-9972-02fc00000001:1",
        "g8d2f67a-eca3-11f1-9972-02fc00000001:1",
        "0-1-6",
        "x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        uint64_t count = 77;
        if (gtid_count(BAD[i], &count))
            fail_msg("%s", BAD[i]);
        assert_int_equal(count, 77);
    }
}

static void thousands_of_intervals_are_counted(void **state)
{
    enum {
        INTERVALS = 12000
    };
    char *text = malloc(64 + INTERVALS * 24);
    size_t used = (size_t)sprintf(text, "%s", A);
    uint64_t count;
    (void)state;
    for (int i = 0; i < INTERVALS; i++)
        used += (size_t)sprintf(text + used, ":%d-%d", 10 * i + 1, 10 * i + 3);
    assert_true(gtid_count(text, &count));
    assert_int_equal(count, 3 * INTERVALS);
    free(text);
}

static void a_list_has_the_last_number_of_a_domain(void **state)
{
    static const struct {
        const char *text;
        uint64_t domain, last;
    } CASES[] = {
        {"", 0, 0},
        {"0-1-6", 0, 6},
        {"0-1-6,1-2-33", 1, 33},
        {"0-1-6,1-2-33", 2, 0},
        {"4-1-7,0-1-6", 4, 7},
        {"0-4294967295-18446744073709551614", 0, UINT64_MAX - 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint64_t last = 77;
        assert_true(gtid_last(CASES[i].text, CASES[i].domain, &last));
        assert_true(last == CASES[i].last);
    }
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const BAD[] = {
        "0",
        "0-1",
        "0-1-",
        "0-1-x",
        "0-1-6,",
        "0-1-6 ,1-1-1",
        "0--6",
        "-1-1-1",
        "0-1-18446744073709551615",
        "0-1-18446744073709551616",
        "0-1-6-7",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        uint64_t last = 77;
        if (gtid_last(BAD[i], 0, &last))
            fail_msg("%s", BAD[i]);
        assert_int_equal(last, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(transactions_are_counted_and_gaps_are_not),
        TEST(what_is_no_set_is_refused),
        TEST(thousands_of_intervals_are_counted),
        TEST(a_list_has_the_last_number_of_a_domain),
        TEST(what_is_no_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
