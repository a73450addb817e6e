/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_write.c - tests of proto/msg_write.c: the bytes, and what an open map or array counts.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/msg.h"
#include "tests/support/fail.h"
#include "tests/support/test.h"

static struct msg_writer w;

static int rig_setup(void **state)
{
    (void)state;
    msg_writer_init(&w, HOMING_REPLY_MAX);
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    msg_writer_done(&w);
    return 0;
}

/* The next bytes written are these: from the specification, not from a library. */
#define ASSERT_WRITTEN(bytes)                                                                      \
    do {                                                                                           \
        assert_int_equal(msg_writer_finish(&w), 0);                                                \
        assert_int_equal(w.len, sizeof(bytes) - 1);                                                \
        assert_memory_equal(w.data, bytes, sizeof(bytes) - 1);                                     \
        msg_writer_reset(&w);                                                                      \
    } while (0)

#define ASSERT_HEAD(bytes)                                                                         \
    do {                                                                                           \
        assert_int_equal(msg_writer_finish(&w), 0);                                                \
        assert_memory_equal(w.data, bytes, sizeof(bytes) - 1);                                     \
        msg_writer_reset(&w);                                                                      \
    } while (0)

static void integers_have_the_shortest_encoding(void **state)
{
    static const struct {
        int64_t value;
        const char *bytes;
        size_t len;
    } cases[] = {
        {0, "\x00", 1},
        {127, "\x7f", 1},
        {128, "\xcc\x80", 2},
        {255, "\xcc\xff", 2},
        {256, "\xcd\x01\x00", 3},
        {65535, "\xcd\xff\xff", 3},
        {65536, "\xce\x00\x01\x00\x00", 5},
        {UINT32_MAX, "\xce\xff\xff\xff\xff", 5},
        {1ll << 32, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9},
        {INT64_MAX, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
        {-1, "\xff", 1},
        {-32, "\xe0", 1},
        {-33, "\xd0\xdf", 2},
        {-128, "\xd0\x80", 2},
        {-129, "\xd1\xff\x7f", 3},
        {-32768, "\xd1\x80\x00", 3},
        {-32769, "\xd2\xff\xff\x7f\xff", 5},
        {INT32_MIN, "\xd2\x80\x00\x00\x00", 5},
        {INT32_MIN - 1ll, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9},
        {INT64_MIN, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        msg_put_int(&w, cases[i].value);
        if (cases[i].value >= 0)
            msg_put_uint(&w, (uint64_t)cases[i].value);
        assert_int_equal(msg_writer_finish(&w), 0);
        assert_int_equal(w.len, cases[i].len << (cases[i].value >= 0));
        assert_memory_equal(w.data, cases[i].bytes, cases[i].len);
        assert_memory_equal(w.data + w.len - cases[i].len, cases[i].bytes, cases[i].len);
        msg_writer_reset(&w);
    }
    msg_put_uint(&w, UINT64_MAX);
    ASSERT_WRITTEN("\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
}

static void strings_bytes_and_constants_have_the_shortest_encoding(void **state)
{
    static const struct {
        size_t len;
        const char *str, *bin;
        size_t str_head, bin_head;
    } cases[] = {
        {0, "\xa0", "\xc4\x00", 1, 2},
        {31, "\xbf", "\xc4\x1f", 1, 2},
        {32, "\xd9\x20", "\xc4\x20", 2, 2},
        {255, "\xd9\xff", "\xc4\xff", 2, 2},
        {256, "\xda\x01\x00", "\xc5\x01\x00", 3, 3},
        {65535, "\xda\xff\xff", "\xc5\xff\xff", 3, 3},
        {65536, "\xdb\x00\x01\x00\x00", "\xc6\x00\x01\x00\x00", 5, 5},
    };
    static char text[65536];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        msg_put_str_len(&w, text, cases[i].len);
        assert_int_equal(w.len, cases[i].str_head + cases[i].len);
        assert_memory_equal(w.data, cases[i].str, cases[i].str_head);
        msg_writer_reset(&w);
        msg_put_bin(&w, text, cases[i].len);
        assert_int_equal(w.len, cases[i].bin_head + cases[i].len);
        assert_memory_equal(w.data, cases[i].bin, cases[i].bin_head);
        assert_int_equal(msg_writer_finish(&w), 0);
        msg_writer_reset(&w);
    }
    msg_put_nil(&w), msg_put_bool(&w, false), msg_put_bool(&w, true);
    ASSERT_WRITTEN("\xc0\xc2\xc3");
}

/* An array of `n`, or a map of as many pairs. */
static void put_open(bool is_map, uint32_t n)
{
    if (is_map)
        msg_open_map(&w);
    else
        msg_open_array(&w);
    for (uint32_t i = 0; i < (is_map ? 2 * n : n); i++)
        msg_put_nil(&w);
    msg_close(&w);
}

static void the_head_of_an_open_map_or_array_is_the_shortest_too(void **state)
{
    (void)state;
    put_open(true, 0);
    ASSERT_WRITTEN("\x80");
    put_open(true, 1);
    ASSERT_WRITTEN("\x81\xc0\xc0");
    put_open(true, 15);
    ASSERT_HEAD("\x8f\xc0");
    put_open(true, 16);
    ASSERT_HEAD("\xde\x00\x10\xc0");
    put_open(true, 65535);
    ASSERT_HEAD("\xde\xff\xff\xc0");
    put_open(true, 65536);
    ASSERT_HEAD("\xdf\x00\x01\x00\x00\xc0");
    put_open(false, 0);
    ASSERT_WRITTEN("\x90");
    put_open(false, 15);
    ASSERT_HEAD("\x9f\xc0");
    put_open(false, 16);
    ASSERT_HEAD("\xdc\x00\x10\xc0");
    put_open(false, 65536);
    ASSERT_HEAD("\xdd\x00\x01\x00\x00\xc0");
}

/* The same bytes as with msg_put_array(), whose number the caller knows. */
static void a_number_that_was_counted_is_written_as_one_that_was_given(void **state)
{
    struct msg_writer given;

    (void)state;
    msg_writer_init(&given, HOMING_REPLY_MAX);
    for (uint32_t n = 0; n < 300; n++) {
        msg_writer_reset(&given);
        msg_writer_reset(&w);
        msg_put_array(&given, n);
        msg_open_array(&w);
        for (uint32_t i = 0; i < n; i++) {
            msg_put_uint(&given, i);
            msg_put_uint(&w, i);
        }
        msg_close(&w);
        assert_int_equal(msg_writer_finish(&given) | msg_writer_finish(&w), 0);
        assert_int_equal(w.len, given.len);
        assert_memory_equal(w.data, given.data, given.len);
    }
    msg_writer_done(&given);
}

static void what_is_inside_counts_as_one(void **state)
{
    (void)state;
    msg_open_array(&w);
    msg_open_map(&w);
    msg_put_str(&w, "a");
    msg_put_array(&w, 2);
    msg_open_array(&w);
    msg_put_uint(&w, 1);
    msg_close(&w);
    msg_put_array(&w, 0);
    msg_put_key_nil(&w, "b");
    msg_close(&w);
    put_open(false, 16);
    msg_put_uint(&w, 2);
    msg_close(&w);
    ASSERT_WRITTEN("\x93\x82\xa1"
                   "a\x92\x91\x01\x90\xa1"
                   "b\xc0\xdc\x00\x10\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0"
                   "\xc0\x02");
}

static void what_is_left_open_or_closed_twice_is_reported(void **state)
{
    (void)state;
    msg_open_map(&w);
    assert_int_equal(msg_writer_finish(&w), -EINVAL);
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), 0);
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), -EINVAL);
}

static void a_key_without_a_value_and_an_array_that_lacks_one_are_reported(void **state)
{
    (void)state;
    msg_open_map(&w);
    msg_put_str(&w, "a");
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), -EINVAL);
    msg_writer_reset(&w);
    msg_open_array(&w);
    msg_put_array(&w, 2);
    msg_put_nil(&w);
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), -EINVAL);
}

static void no_message_begins_in_an_open_map(void **state)
{
    (void)state;
    msg_open_map(&w);
    msg_put_reply(&w, 1);
    msg_put_nil(&w);
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), -EINVAL);
    msg_writer_reset(&w);
    msg_open_array(&w);
    msg_put_whole(&w, "\xc0", 1);
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), -EINVAL);
}

static void more_levels_than_a_reader_takes_are_reported(void **state)
{
    (void)state;
    for (int levels = MSG_DEPTH_MAX; levels <= MSG_DEPTH_MAX + 2; levels++) {
        msg_writer_reset(&w);
        for (int i = 0; i < levels; i++)
            msg_open_array(&w);
        for (int i = 0; i < levels; i++)
            msg_close(&w);
        assert_int_equal(msg_writer_finish(&w), levels > MSG_DEPTH_MAX ? -EINVAL : 0);
    }
}

/* The head of 16 pairs takes two bytes more than that of none. */
static void a_head_that_grows_beyond_the_limit_or_the_memory_is_reported(void **state)
{
    struct msg_writer small;

    (void)state;
    for (size_t max = 33; max <= 35; max++) {
        msg_writer_init(&small, max);
        msg_open_map(&small);
        for (int i = 0; i < 32; i++)
            msg_put_nil(&small);
        msg_close(&small);
        assert_int_equal(msg_writer_finish(&small), max < 35 ? -EMSGSIZE : 0);
        assert_true(small.len <= max);
        msg_writer_done(&small);
    }
    msg_open_array(&w);
    for (int i = 0; i < 255; i++)
        msg_put_nil(&w);
    assert_int_equal(w.len, w.size); /* full, before the head grows */
    fail_allocation(0);
    msg_close(&w);
    assert_true(fail_happened());
    assert_int_equal(msg_writer_finish(&w), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, integers_have_the_shortest_encoding),
        TEST_IN(rig, strings_bytes_and_constants_have_the_shortest_encoding),
        TEST_IN(rig, the_head_of_an_open_map_or_array_is_the_shortest_too),
        TEST_IN(rig, a_number_that_was_counted_is_written_as_one_that_was_given),
        TEST_IN(rig, what_is_inside_counts_as_one),
        TEST_IN(rig, what_is_left_open_or_closed_twice_is_reported),
        TEST_IN(rig, a_key_without_a_value_and_an_array_that_lacks_one_are_reported),
        TEST_IN(rig, no_message_begins_in_an_open_map),
        TEST_IN(rig, more_levels_than_a_reader_takes_are_reported),
        TEST_IN(rig, a_head_that_grows_beyond_the_limit_or_the_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
