/* SPDX-License-Identifier: Apache-2.0
 *
 * msg.c - tests of proto/msg.c and msg_measure.c.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/msg.h"
#include "tests/support/fail.h"
#include "tests/support/test.h"

struct fixture {
    struct msg_writer writer;
    struct msg_parser parser;
    struct msg msg;
    size_t used;
};

static struct fixture f;

static int rig_setup(void **state)
{
    (void)state;
    msg_writer_init(&f.writer, HOMING_REPLY_MAX);
    msg_parser_init(&f.parser, HOMING_REPLY_MAX);
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    msg_writer_done(&f.writer);
    msg_parser_done(&f.parser);
    return 0;
}

static enum msg_fed feed(const void *bytes, size_t len)
{
    return msg_parser_feed(&f.parser, bytes, len, &f.used, &f.msg);
}

/* Byte by byte: everything before the last needs more. */
static enum msg_fed drip(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        assert_int_equal(feed(bytes + i, 1), MSG_FED_MORE);
        assert_int_equal(f.used, 1);
    }
    return feed(bytes + len - 1, 1);
}

/* Parses what was written. */
static void turn_round(void)
{
    assert_int_equal(msg_writer_finish(&f.writer), 0);
    assert_int_equal(feed(f.writer.data, f.writer.len), MSG_FED_MESSAGE);
    assert_int_equal(f.used, f.writer.len);
}

/* The one value of a reply. */
static const struct msg_value *result(void)
{
    turn_round();
    msg_writer_reset(&f.writer);
    return f.msg.result;
}

static void the_three_kinds_of_messages_are_told_apart(void **state)
{
    (void)state;
    msg_put_request(&f.writer, 7, "resolve");
    msg_put_array(&f.writer, 1);
    msg_put_str(&f.writer, "orders-db");
    turn_round();
    assert_int_equal(f.msg.kind, MSG_REQUEST);
    assert_int_equal(f.msg.id, 7);
    assert_string_equal(f.msg.method, "resolve");
    assert_string_equal(msg_str(msg_array_at(f.msg.params, 0)), "orders-db");
    assert_null(f.msg.error);
    assert_null(f.msg.result);

    msg_writer_reset(&f.writer);
    msg_put_reply(&f.writer, UINT32_MAX);
    msg_put_bool(&f.writer, true);
    turn_round();
    assert_int_equal(f.msg.kind, MSG_REPLY);
    assert_int_equal(f.msg.id, UINT32_MAX);
    assert_null(f.msg.method);
    assert_null(f.msg.params);
    assert_null(f.msg.error);

    msg_writer_reset(&f.writer);
    msg_put_notification(&f.writer, "changed");
    msg_put_array(&f.writer, 0);
    turn_round();
    assert_int_equal(f.msg.kind, MSG_NOTIFICATION);
    assert_string_equal(f.msg.method, "changed");
    assert_int_equal(msg_array_len(f.msg.params), 0);
}

static void an_error_has_a_code_and_a_message(void **state)
{
    (void)state;
    msg_put_error(&f.writer, 3, MSG_ERROR_NOT_FOUND, "no cluster \"%s\"", "orderz");
    turn_round();
    assert_int_equal(f.msg.kind, MSG_REPLY);
    assert_string_equal(msg_get_str(f.msg.error, "code"), "not_found");
    assert_string_equal(msg_get_str(f.msg.error, "message"), "no cluster \"orderz\"");
    assert_int_equal(msg_type(f.msg.result), MSG_TYPE_NIL);
}

static void every_error_and_type_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < MSG_ERROR_COUNT; i++)
        for (int k = 0; k <= MSG_ERROR_COUNT; k++)
            assert_int_equal(strcmp(msg_error_name(i), msg_error_name(k)) == 0, i == k);
    for (int i = 0; i < MSG_TYPE_COUNT; i++)
        for (int k = 0; k <= MSG_TYPE_COUNT; k++)
            assert_int_equal(strcmp(msg_type_name(i), msg_type_name(k)) == 0, i == k);
}

static void integers_keep_their_value_and_their_range(void **state)
{
    static const uint64_t values[] = {0,         1,          127,       128,        255,
                                      256,       65535,      65536,     UINT32_MAX, 1ull << 32,
                                      INT64_MAX, 1ull << 63, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint64_t u = 5;
        int64_t s = 5;

        msg_put_reply(&f.writer, 1);
        msg_put_uint(&f.writer, values[i]);
        assert_int_equal(msg_type(result()), MSG_TYPE_UINT);
        assert_true(msg_uint(f.msg.result, &u) && u == values[i]);
        assert_int_equal(msg_int(f.msg.result, &s), values[i] <= INT64_MAX);

        msg_put_reply(&f.writer, 1);
        msg_put_int(&f.writer, -(int64_t)(values[i] >> 1) - 1);
        assert_int_equal(msg_type(result()), MSG_TYPE_INT);
        assert_true(msg_int(f.msg.result, &s) && s == -(int64_t)(values[i] >> 1) - 1);
        assert_false(msg_uint(f.msg.result, &u));
    }
}

static void strings_and_bytes_of_every_length_come_back_whole(void **state)
{
    char text[70000];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len = len < 300 ? len + 1 : len * 2) {
        size_t bytes = 0;

        msg_put_reply(&f.writer, 1);
        msg_put_array(&f.writer, 3);
        msg_put_str_len(&f.writer, text, len);
        msg_put_str(&f.writer, "next");
        msg_put_bin(&f.writer, text, len);
        assert_int_equal(msg_array_len(result()), 3);
        assert_int_equal(strlen(msg_str(msg_array_at(f.msg.result, 0))), len);
        assert_string_equal(msg_str(msg_array_at(f.msg.result, 1)), "next");
        assert_memory_equal(msg_bin(msg_array_at(f.msg.result, 2), &bytes), text, len);
        assert_int_equal(bytes, len);
    }
}

static void maps_and_arrays_of_every_length_come_back_whole(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 70000; n = n < 40 ? n + 1 : n * 3) {
        uint64_t u = 0;

        msg_put_reply(&f.writer, 1);
        msg_open_map(&f.writer);
        for (uint32_t i = 0; i < n; i++)
            msg_put_uint(&f.writer, i), msg_put_uint(&f.writer, i);
        msg_put_str(&f.writer, "given");
        msg_put_array(&f.writer, n);
        for (uint32_t i = 0; i < n; i++)
            msg_put_uint(&f.writer, i);
        msg_put_str(&f.writer, "open");
        msg_open_array(&f.writer);
        for (uint32_t i = 0; i < n; i++)
            msg_put_uint(&f.writer, i);
        msg_close(&f.writer);
        msg_close(&f.writer);
        assert_int_equal(msg_map_len(result()), n + 2);
        assert_int_equal(msg_array_len(msg_get(f.msg.result, "given")), n);
        assert_int_equal(msg_array_len(msg_get(f.msg.result, "open")), n);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(msg_uint(msg_map_key(f.msg.result, i), &u) && u == i);
            assert_true(msg_uint(msg_map_value(f.msg.result, i), &u) && u == i);
        }
    }
}

static void pairs_are_found_by_their_key(void **state)
{
    const struct msg_value *map;
    int64_t i = 0;

    (void)state;
    msg_put_reply(&f.writer, 1);
    msg_open_map(&f.writer);
    msg_put_key_bool(&f.writer, "no", false);
    msg_put_key_str(&f.writer, "name", "orders");
    msg_put_key_uint(&f.writer, "port", 5432);
    msg_put_key_int(&f.writer, "offset", -3);
    msg_put_key_bool(&f.writer, "yes", true);
    msg_put_key_nil(&f.writer, "nil");
    msg_put_key_str(&f.writer, "none", NULL);
    msg_close(&f.writer);
    map = result();
    assert_string_equal(msg_get_str(map, "name"), "orders");
    assert_int_equal(msg_get_uint(map, "port", 1), 5432);
    assert_true(msg_int(msg_get(map, "offset"), &i) && i == -3);
    assert_true(msg_get_bool(map, "yes", false));
    assert_false(msg_get_bool(map, "no", true));
    assert_int_equal(msg_type(msg_get(map, "nil")), MSG_TYPE_NIL);
    assert_int_equal(msg_type(msg_get(map, "none")), MSG_TYPE_NIL);
    assert_null(msg_get(map, "nam"));
    assert_int_equal(msg_get_uint(map, "name", 9), 9);
    assert_true(msg_get_bool(map, "port", true));
    assert_null(msg_get_str(map, "port"));
}

/* So that a reader can write msg_get_str(msg_get(result, "a"), "b") and look at the end only. */
static void a_message_that_was_encoded_elsewhere_is_put_between_messages_only(void **state)
{
    (void)state;
    msg_put_whole(&f.writer, "\x94\x01\x09\xc0\xc2", 5);
    turn_round();
    assert_int_equal(f.msg.id, 9);
    assert_false(msg_get_bool(f.msg.result, "", false));
    msg_writer_reset(&f.writer);
    msg_put_reply(&f.writer, 1);
    msg_put_whole(&f.writer, "\xc0", 1);
    assert_int_equal(msg_writer_finish(&f.writer), -EINVAL);
}

static void what_is_not_there_has_nothing_in_it(void **state)
{
    size_t len;
    uint64_t u;
    int64_t i;
    double d;
    bool b;

    (void)state;
    assert_int_equal(msg_type(NULL), MSG_TYPE_NIL);
    assert_null(msg_str(NULL));
    assert_null(msg_bin(NULL, &len));
    assert_false(msg_uint(NULL, &u) || msg_int(NULL, &i) || msg_float(NULL, &d));
    assert_false(msg_bool(NULL, &b));
    assert_int_equal(msg_array_len(NULL) + msg_map_len(NULL), 0);
    assert_null(msg_array_at(NULL, 0));
    assert_null(msg_map_key(NULL, 0));
    assert_null(msg_map_value(NULL, 0));
    assert_null(msg_get(NULL, "a"));
}

/* Written by hand from the specification, not by the library that reads them. */
static void encodings_are_those_of_the_specification(void **state)
{
    static const uint8_t message[] = {
        0xdc, 0x00, 0x04, 0x00, 0xcd, 0x01, 0x02, 0xd9, 0x01,
        'm',                                                  /* array 16, request, id, str 8 */
        0xdd, 0x00, 0x00, 0x00, 0x07,                         /* array 32 of seven */
        0xca, 0x3f, 0x00, 0x00, 0x00,                         /* float 32: 0.5 */
        0xcb, 0xbf, 0xe0, 0,    0,    0,    0,    0,    0,    /* float 64: -0.5 */
        0xdf, 0x00, 0x00, 0x00, 0x01, 0xa1, 'k',  0xd0, 0x80, /* map 32: "k": int 8 -128 */
        0xde, 0x00, 0x00,                                     /* map 16, empty */
        0xdb, 0x00, 0x00, 0x00, 0x02, 'h',  'i',              /* str 32 */
        0xc4, 0x01, 0x00,                                     /* bin 8 */
        0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* int 64: -1 */
    };
    double d;
    int64_t i;

    (void)state;
    assert_int_equal(drip(message, sizeof(message)), MSG_FED_MESSAGE);
    assert_int_equal(f.msg.id, 0x102);
    assert_string_equal(f.msg.method, "m");
    assert_int_equal(msg_array_len(f.msg.params), 7);
    assert_true(msg_float(msg_array_at(f.msg.params, 0), &d) && d == 0.5);
    assert_true(msg_float(msg_array_at(f.msg.params, 1), &d) && d == -0.5);
    assert_true(msg_int(msg_get(msg_array_at(f.msg.params, 2), "k"), &i) && i == -128);
    assert_int_equal(msg_type(msg_array_at(f.msg.params, 3)), MSG_TYPE_MAP);
    assert_string_equal(msg_str(msg_array_at(f.msg.params, 4)), "hi");
    assert_true(msg_int(msg_array_at(f.msg.params, 6), &i) && i == -1);
}

static void messages_that_arrive_together_are_given_one_by_one(void **state)
{
    size_t at = 0;

    (void)state;
    for (uint32_t id = 0; id < 500; id++) {
        msg_put_request(&f.writer, id, "status");
        msg_put_array(&f.writer, 0);
    }
    for (uint32_t id = 0; id < 500; id++) {
        assert_int_equal(feed(f.writer.data + at, f.writer.len - at), MSG_FED_MESSAGE);
        assert_int_equal(f.msg.id, id);
        at += f.used;
    }
    assert_int_equal(at, f.writer.len);
    assert_int_equal(feed("", 0), MSG_FED_MORE);
}

/* A client that sends one byte at a time costs no more than its bytes. */
static void what_was_measured_is_not_measured_again(void **state)
{
    size_t before = 0;

    (void)state;
    msg_put_request(&f.writer, 1, "m");
    msg_put_array(&f.writer, 1000);
    for (int i = 0; i < 1000; i++)
        msg_put_uint(&f.writer, 1);
    for (size_t i = 0; i + 1 < f.writer.len; i++) {
        assert_int_equal(feed(f.writer.data + i, 1), MSG_FED_MORE);
        assert_true(f.parser.measure.done >= before && i + 1 - f.parser.measure.done < 5);
        before = f.parser.measure.done;
    }
}

static void bytes_that_are_no_message_are_bad(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\xc1", 1},                                     /* never used */
        {"\xd4\x01\x00", 3},                             /* extension */
        {"\xc7\x01\x00\x00", 4},                         /* extension */
        {"GET / HTTP/1.1\r\n", 16},                      /* "G" alone is the integer 71 */
        {"\x80", 1},                                     /* a map */
        {"\x90", 1},                                     /* an array of nothing */
        {"\x94\x00\x01\xa1m\x80", 6},                    /* params: a map */
        {"\x94\x00\x01\x05\x90", 5},                     /* method: a number */
        {"\x94\x00\x01\xa1\0\x90", 6},                   /* method: a NUL */
        {"\x94\x00\xff\xa1m\x90", 6},                    /* id: -1 */
        {"\x94\x00\xcf\0\0\0\x01\0\0\0\0\xa1m\x90", 14}, /* id: 2^32 */
        {"\x93\x00\xa1m\x90", 5},                        /* a request of three */
        {"\x94\x02\x01\xa1m\x90", 6},                    /* a notification of four */
        {"\x94\x03\x01\xa1m\x90", 6},                    /* kind 3 */
        {"\x94\xff\x01\xa1m\x90", 6},                    /* kind -1 */
        {"\x93\x01\x01\xc0", 4},                         /* a reply of three */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (feed(bad[i].bytes, bad[i].len) != MSG_FED_BAD)
            fail_msg("case %zu was not bad", i);
        if (feed("\x93\x02\xa1m\x90", 5) != MSG_FED_BAD)
            fail_msg("case %zu: the parser went on", i);
        msg_parser_done(&f.parser);
    }
}

/* I6: neither memory nor patience is spent on what only promises to be large. */
static void a_message_that_will_be_too_long_is_refused_at_its_head(void **state)
{
    static const char *const heads[] = {"\xdb\xff\xff\xff\xff", "\xdd\xff\xff\xff\xff",
                                        "\xdf\xff\xff\xff\xff", "\xc6\x00\x00\x10\x00"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        msg_parser_done(&f.parser);
        msg_parser_init(&f.parser, HOMING_REQUEST_MAX);
        assert_int_equal(feed("\x94\x00\x01", 3), MSG_FED_MORE);
        assert_int_equal(feed(heads[i], 5), MSG_FED_TOO_LONG);
        assert_true(f.parser.size <= 256);
    }
}

static void the_longest_message_is_max_bytes(void **state)
{
    uint8_t message[101] = {0x93, 0x02, 0xa1, 'm', 0x91, 0xd9, 93};

    (void)state;
    memset(message + 7, 'x', sizeof(message) - 7);
    msg_parser_init(&f.parser, 100);
    assert_int_equal(feed(message, 100), MSG_FED_MESSAGE);
    message[6] = 94;
    assert_int_equal(feed(message, 101), MSG_FED_TOO_LONG);
    msg_parser_done(&f.parser);
    msg_parser_init(&f.parser, 5);
    assert_int_equal(feed("\x94\x00\x01\xa1m", 5), MSG_FED_TOO_LONG);
    msg_parser_done(&f.parser);
    msg_parser_init(&f.parser, 7);
    assert_int_equal(feed("\x93\x02\xa1m\x93\x00\x00\x00", 8), MSG_FED_TOO_LONG);
}

static void the_deepest_message_has_sixteen_levels(void **state)
{
    uint8_t message[MSG_DEPTH_MAX + 8] = {0x93, 0x02, 0xa1, 'm'};

    (void)state;
    memset(message + 4, 0x91, sizeof(message) - 4);
    message[4 + MSG_DEPTH_MAX - 1] = 0x00;
    assert_int_equal(feed(message, 4 + MSG_DEPTH_MAX), MSG_FED_MESSAGE);
    message[4 + MSG_DEPTH_MAX - 1] = 0x91;
    assert_int_equal(feed(message, sizeof(message)), MSG_FED_TOO_LONG);
}

static void a_writer_says_that_its_limit_was_reached(void **state)
{
    struct msg_writer small;

    (void)state;
    msg_writer_init(&small, 20);
    msg_put_request(&small, 1, "resolve");
    msg_put_array(&small, 1);
    msg_put_str(&small, "orders-db.internal");
    msg_put_str(&small, "ignored");
    assert_int_equal(msg_writer_finish(&small), -EMSGSIZE);
    assert_true(small.len <= 20);
    msg_writer_reset(&small);
    msg_put_nil(&small);
    assert_int_equal(msg_writer_finish(&small), 0);
    msg_writer_done(&small);
}

static void a_writer_says_that_values_are_missing(void **state)
{
    (void)state;
    msg_put_reply(&f.writer, 1);
    assert_int_equal(msg_writer_finish(&f.writer), -EINVAL);
    msg_put_array(&f.writer, 2);
    msg_put_uint(&f.writer, 1);
    assert_int_equal(msg_writer_finish(&f.writer), -EINVAL);
    msg_open_map(&f.writer);
    msg_put_key_uint(&f.writer, "a", 1);
    msg_put_str(&f.writer, "b");
    assert_int_equal(msg_writer_finish(&f.writer), -EINVAL);
    msg_put_array(&f.writer, 0);
    assert_int_equal(msg_writer_finish(&f.writer), -EINVAL);
    msg_close(&f.writer);
    assert_int_equal(msg_writer_finish(&f.writer), 0);
    msg_put_reply(&f.writer, 2);
    msg_put_reply(&f.writer, 3);
    msg_put_nil(&f.writer);
    assert_int_equal(msg_writer_finish(&f.writer), -EINVAL);
}

static void running_out_of_memory_is_reported_at_every_growth(void **state)
{
    char text[3000];
    int failures = 0;

    (void)state;
    memset(text, 'x', sizeof(text));
    for (int n = 1; n < 20; n++) {
        msg_writer_done(&f.writer);
        msg_parser_done(&f.parser);
        fail_allocation(n - 1);
        msg_put_reply(&f.writer, 1);
        msg_put_str_len(&f.writer, text, sizeof(text));
        if (msg_writer_finish(&f.writer) != 0) {
            assert_int_equal(msg_writer_finish(&f.writer), -ENOMEM);
            failures++;
        } else if (feed(f.writer.data, f.writer.len) != MSG_FED_MESSAGE) {
            assert_int_equal(f.parser.state, MSG_FED_NO_MEMORY);
            failures++;
        }
        fail_happened();
    }
    assert_in_range(failures, 4, 18);
}

/* An error text of a server comes in the server's encoding. */
static void what_is_not_utf8_is_sent_as_question_marks(void **state)
{
    static const struct {
        const char *text, *sent;
    } cases[] = {
        {"Universit\xe4t", "Universit?t"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98", NULL},
        {"\xc3", "?"},
        {"\xc0\x80", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf8x", "?x"},
        {"a\xe2\x82z", "a??z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        msg_put_reply(&f.writer, 1);
        msg_put_str(&f.writer, cases[i].text);
        assert_string_equal(msg_str(result()), cases[i].sent ? cases[i].sent : cases[i].text);
    }
}

static void a_string_with_a_nul_in_it_is_no_c_string(void **state)
{
    size_t len = 0;

    (void)state;
    msg_put_reply(&f.writer, 1);
    msg_put_str_len(&f.writer, "a\0b", 3);
    assert_null(msg_str(result()));
    assert_non_null(msg_str_len(f.msg.result, &len));
    assert_int_equal(len, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, the_three_kinds_of_messages_are_told_apart),
        TEST_IN(rig, an_error_has_a_code_and_a_message),
        TEST_IN(rig, every_error_and_type_has_a_name_of_its_own),
        TEST_IN(rig, integers_keep_their_value_and_their_range),
        TEST_IN(rig, strings_and_bytes_of_every_length_come_back_whole),
        TEST_IN(rig, maps_and_arrays_of_every_length_come_back_whole),
        TEST_IN(rig, pairs_are_found_by_their_key),
        TEST_IN(rig, a_message_that_was_encoded_elsewhere_is_put_between_messages_only),
        TEST_IN(rig, what_is_not_there_has_nothing_in_it),
        TEST_IN(rig, encodings_are_those_of_the_specification),
        TEST_IN(rig, messages_that_arrive_together_are_given_one_by_one),
        TEST_IN(rig, what_was_measured_is_not_measured_again),
        TEST_IN(rig, bytes_that_are_no_message_are_bad),
        TEST_IN(rig, a_message_that_will_be_too_long_is_refused_at_its_head),
        TEST_IN(rig, the_longest_message_is_max_bytes),
        TEST_IN(rig, the_deepest_message_has_sixteen_levels),
        TEST_IN(rig, a_writer_says_that_its_limit_was_reached),
        TEST_IN(rig, a_writer_says_that_values_are_missing),
        TEST_IN(rig, running_out_of_memory_is_reported_at_every_growth),
        TEST_IN(rig, what_is_not_utf8_is_sent_as_question_marks),
        TEST_IN(rig, a_string_with_a_nul_in_it_is_no_c_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
