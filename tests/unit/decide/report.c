/* SPDX-License-Identifier: Apache-2.0
 *
 * report.c - tests of the words that agent/decide shares with everybody else, and of terms.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/claims.h"
#include "agent/decide/decision.h"
#include "tests/support/test.h"

static void a_term_is_ordered_by_hi_and_then_by_lo(void **state)
{
    (void)state;
    static const struct term terms[] = {{0, 0}, {0, 1}, {0, UINT64_MAX}, {1, 0}, {1, 7}, {2, 3}};
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < 6; b++) {
            int order = term_compare(terms[a], terms[b]);
            assert_int_equal((order > 0) - (order < 0), (a > b) - (a < b));
        }
}

#define NAME_TEST(function, type)                                                                  \
    static const char *function##_of(int value)                                                    \
    {                                                                                              \
        return function((type)value);                                                              \
    }
NAME_TEST(role_name, enum role)
NAME_TEST(report_kind_name, enum report_kind)
NAME_TEST(phase_name, enum phase)
NAME_TEST(cluster_state_name, enum cluster_state)
NAME_TEST(reason_name, enum reason)
NAME_TEST(reason_text, enum reason)
NAME_TEST(pace_name, enum pace)
NAME_TEST(alarm_name, enum alarm)
NAME_TEST(refusal_name, enum refusal)
NAME_TEST(rank_name, enum rank)

static const struct {
    const char *(*name)(int value);
    int count;
} words[] = {
    {role_name_of, ROLE_COUNT},       {report_kind_name_of, REPORT_KIND_COUNT},
    {phase_name_of, PHASE_COUNT},     {cluster_state_name_of, CLUSTER_STATE_COUNT},
    {reason_name_of, REASON_COUNT},   {reason_text_of, REASON_COUNT},
    {pace_name_of, PACE_COUNT},       {alarm_name_of, ALARM_COUNT},
    {refusal_name_of, REFUSAL_COUNT}, {rank_name_of, RANK_COUNT},
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static void every_word_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t w = 0; w < WORDS; w++)
        for (int a = 0; a < words[w].count; a++) {
            assert_true(strlen(words[w].name(a)) > 2);
            for (int b = 0; b < a; b++)
                assert_string_not_equal(words[w].name(a), words[w].name(b));
        }
}

static void a_word_out_of_range_is_a_question_mark(void **state)
{
    (void)state;
    for (size_t w = 0; w < WORDS; w++) {
        assert_string_equal(words[w].name(words[w].count), "?");
        assert_string_equal(words[w].name(-1), "?");
    }
}

static void the_words_that_operators_type_and_grep_stay_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(role_name(ROLE_WRITER), "writer");
    assert_string_equal(report_kind_name(REPORT_DENIED), "denied");
    assert_string_equal(cluster_state_name(CLUSTER_NO_WRITER), "no_writer");
    assert_string_equal(cluster_state_name(CLUSTER_STALE), "stale");
    assert_string_equal(reason_name(REASON_TWO_CLAIMS), "two_claims");
    assert_string_equal(reason_name(REASON_RESTORED), "restored");
    assert_string_equal(pace_name(PACE_FAST), "fast");
    assert_string_equal(alarm_name(ALARM_DENIED), "denied");
    assert_string_equal(alarm_name(ALARM_SECOND_WRITER), "second_writer");
    assert_string_equal(refusal_name(REFUSAL_NO_WRITER_KNOWN), "no_writer_known");
    assert_string_equal(rank_name(RANK_NEWER), "newer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_term_is_ordered_by_hi_and_then_by_lo),
        TEST(every_word_has_a_name_of_its_own),
        TEST(a_word_out_of_range_is_a_question_mark),
        TEST(the_words_that_operators_type_and_grep_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
