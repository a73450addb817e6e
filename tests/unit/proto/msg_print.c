/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_print.c - tests of proto/msg_print.c: values as JSON, strings for terminals.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/msg.h"
#include "proto/msg_print.h"
#include "proto/utf8.h"
#include "tests/support/test.h"

/* `message`: the encoded result of a reply. */
static void assert_printed(void (*print)(FILE *, const struct msg_value *), const char *message,
                           size_t len, const char *expected)
{
    struct msg_parser parser;
    struct msg msg;
    size_t size, used;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);

    msg_parser_init(&parser, HOMING_REPLY_MAX);
    assert_int_equal(msg_parser_feed(&parser, "\x94\x01\x01\xc0", 4, &used, &msg), MSG_FED_MORE);
    assert_int_equal(msg_parser_feed(&parser, message, len, &used, &msg), MSG_FED_MESSAGE);
    print(out, msg.result);
    fclose(out);
    msg_parser_done(&parser);
    assert_string_equal(text, expected);
    free(text);
}

#define ASSERT_PRINTED(print, message, expected)                                                   \
    assert_printed(print, message, sizeof(message) - 1, expected)

static void values_are_printed_as_json(void **state)
{
    (void)state;
    ASSERT_PRINTED(msg_print_json, "\xc0", "null");
    ASSERT_PRINTED(msg_print_json, "\x92\xc2\xc3", "[false,true]");
    ASSERT_PRINTED(msg_print_json, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
    ASSERT_PRINTED(msg_print_json, "\xd0\x80", "-128");
    ASSERT_PRINTED(msg_print_json, "\xca\x3f\x00\x00\x00", "0.5");
    ASSERT_PRINTED(msg_print_json, "\xcb\x7f\xf0\0\0\0\0\0\0", "null");
    ASSERT_PRINTED(msg_print_json,
                   "\xa9"
                   "a\"\\\n\x1b\x7f/\0z",
                   "\"a\\\"\\\\\\u000a\\u001b\\u007f/\\u0000z\"");
    ASSERT_PRINTED(msg_print_json,
                   "\xa6"
                   "\xc3\xa4\xff\xc2\x9b"
                   "x",
                   "\"\xc3\xa4\xef\xbf\xbd\\u009bx\"");
    ASSERT_PRINTED(msg_print_json, "\xc4\x02\x00\xfe", "\"00fe\"");
    ASSERT_PRINTED(msg_print_json,
                   "\x83\xa1"
                   "a\x90\xa1"
                   "b\x80\x01\x02",
                   "{\"a\":[],\"b\":{},\"(uint)\":2}");
}

static void texts_for_terminals_have_no_control_characters(void **state)
{
    (void)state;
    ASSERT_PRINTED(msg_print_text,
                   "\xa8"
                   "a\x1b[1m\xc2\x9b\xff",
                   "a?[1m??");
    ASSERT_PRINTED(msg_print_text,
                   "\xa5"
                   "\xe2\x82\xac\tz",
                   "\xe2\x82\xac?z");
    ASSERT_PRINTED(msg_print_text, "\x05", "");
}

/* Of text that comes from servers: a version with an override of direction reads as another one. */
static void what_nobody_sees_or_what_turns_a_text_around_is_not_printed_as_it_came(void **state)
{
    static const uint32_t unseen[] = {
        0xad,   0x61c,   0x115f,  0x180e,  0x200b,  0x200e,  0x200f,  0x2028,
        0x202a, 0x202b,  0x202c,  0x202d,  0x202e,  0x2060,  0x2066,  0x2067,
        0x2068, 0x2069,  0x206f,  0x3164,  0xfe0f,  0xfeff,  0xffa0,  0xfff9,
        0xfffb, 0x1bca0, 0x1d173, 0xe0001, 0xe0020, 0xe007f, 0xe01ef,
    };
    static const uint32_t seen[] = {' ',    0xa0,   0xac,   0xae,   0x61b,  0x2010,
                                    0x2027, 0x202f, 0x2070, 0xfffd, 0xfe10, 0x1f600};

    (void)state;
    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
        if (!utf8_is_control(unseen[i]))
            fail_msg("U+%04X", (unsigned)unseen[i]);
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
        if (utf8_is_control(seen[i]))
            fail_msg("U+%04X", (unsigned)seen[i]);
    ASSERT_PRINTED(msg_print_text,
                   "\xaa"
                   "1\xe2\x80\xae"
                   "2\xf3\xa0\x80\xa1"
                   "3",
                   "1?2?3");
    ASSERT_PRINTED(msg_print_json,
                   "\xaa"
                   "1\xe2\x80\xae"
                   "2\xf3\xa0\x80\xa1"
                   "3",
                   "\"1\\u202e2\\udb40\\udc213\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_printed_as_json),
        TEST(texts_for_terminals_have_no_control_characters),
        TEST(what_nobody_sees_or_what_turns_a_text_around_is_not_printed_as_it_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
