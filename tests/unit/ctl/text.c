/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - how homingctl spells ages, sizes, and words that came from elsewhere.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ctl/show/text.h"
#include "tests/support/test.h"

static void ages_have_two_units_at_most(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } ages[] = {
        {0, "0.0 s"},
        {150, "0.1 s"},
        {9999, "9.9 s"},
        {10000, "10 s"},
        {119999, "119 s"},
        {120000, "2 min"},
        {7199999, "119 min"},
        {7200000, "2 h 0 min"},
        {172799999, "47 h 59 min"},
        {172800000, "2 d 0 h"},
        {UINT64_MAX, "82338 d 19 h"},
    };
    char text[TEXT_SHORT];

    (void)state;
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]) - 1; i++) {
        text_age(ages[i].ms, text);
        assert_string_equal(text, ages[i].text);
    }
    text_age(UINT64_MAX, text);
    assert_true(strlen(text) < TEXT_SHORT);
}

static void sizes_are_in_binary_units(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {16 << 20, "16.0 MiB"},
        {UINT64_C(3) << 40, "3.0 TiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char text[TEXT_SHORT];

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        text_size(sizes[i].bytes, text);
        assert_string_equal(text, sizes[i].text);
    }
}

static void what_a_terminal_would_obey_becomes_question_marks(void **state)
{
    static const struct {
        const char *from, *to;
        size_t width;
    } words[] = {
        {"plain", "plain", 5},
        {"", "", 0},
        {"\033[31mred\007\r\n", "?[31mred???", 11},
        {"\x7f\xc2\x9b", "??", 2}, /* DEL; C1's own CSI */
        {"gr\xc3\xb6\xc3\x9f"
         "er",
         "gr\xc3\xb6\xc3\x9f"
         "er",
         6},
        {"\xff\xfe", "??", 2},
        {"\xc0\xaf", "??", 2}, /* overlong */
        {"cut\xe2\x82", "cut??", 5},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(text_clean(words[i].from, text, sizeof(text)), words[i].width);
        assert_string_equal(text, words[i].to);
    }
}

static void text_is_cut_off_between_characters(void **state)
{
    char text[4];

    (void)state;
    assert_int_equal(text_clean("ab\xc3\xb6", text, sizeof(text)), 2);
    assert_string_equal(text, "ab");
    assert_int_equal(text_clean("abcdef", text, sizeof(text)), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(text_clean("abcdef", text, 1), 0);
    assert_string_equal(text, "");
}

static void each_line_is_clean_and_ends(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    text_put_lines(out, "14:11: one\n36:48: \033two\n\nthree");
    text_put_lines(out, "");
    fclose(out);
    assert_string_equal(text, "14:11: one\n36:48: ?two\n\nthree\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ages_have_two_units_at_most),
        TEST(sizes_are_in_binary_units),
        TEST(what_a_terminal_would_obey_becomes_question_marks),
        TEST(text_is_cut_off_between_characters),
        TEST(each_line_is_clean_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
