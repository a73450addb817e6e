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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_printed_as_json),
        TEST(texts_for_terminals_have_no_control_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
