/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c - tests of proto/attach.h: the fixed bytes are the messages they claim to be.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "proto/attach.h"
#include "proto/limits.h"
#include "proto/msg.h"
#include "tests/support/test.h"

static const struct attach_reply reply = {
    .major = VIEW_MAJOR, .minor = 0x01020304, .size = 0x1122334455667788, .instance = ~7ull};

static void the_request_is_messagepack_rpc(void **state)
{
    struct msg_parser parser;
    struct msg msg;
    uint64_t major;
    size_t used;

    (void)state;
    msg_parser_init(&parser, HOMING_REQUEST_MAX);
    assert_int_equal(msg_parser_feed(&parser, attach_request, ATTACH_REQUEST_SIZE, &used, &msg),
                     MSG_FED_MESSAGE);
    assert_int_equal(used, ATTACH_REQUEST_SIZE);
    assert_int_equal(msg.kind, MSG_REQUEST);
    assert_int_equal(msg.id, 1);
    assert_string_equal(msg.method, "attach");
    assert_int_equal(msg_array_len(msg.params), 1);
    assert_true(msg_uint(msg_array_at(msg.params, 0), &major) && major == VIEW_MAJOR);
    msg_parser_done(&parser);
}

static void the_reply_is_messagepack_rpc(void **state)
{
    uint8_t bytes[ATTACH_REPLY_SIZE];
    struct msg_parser parser;
    struct msg msg;
    size_t used;

    (void)state;
    attach_reply_encode(&reply, bytes);
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    assert_int_equal(msg_parser_feed(&parser, bytes, sizeof(bytes), &used, &msg), MSG_FED_MESSAGE);
    assert_int_equal(used, ATTACH_REPLY_SIZE);
    assert_int_equal(msg.kind, MSG_REPLY);
    assert_int_equal(msg.id, 1);
    assert_null(msg.error);
    assert_int_equal(msg_map_len(msg.result), 4);
    assert_true(msg_get_uint(msg.result, "major", 0) == reply.major);
    assert_true(msg_get_uint(msg.result, "minor", 0) == reply.minor);
    assert_true(msg_get_uint(msg.result, "size", 0) == reply.size);
    assert_true(msg_get_uint(msg.result, "instance", 0) == reply.instance);
    msg_parser_done(&parser);
}

static void a_checked_reply_has_the_values_that_were_encoded(void **state)
{
    uint8_t bytes[ATTACH_REPLY_SIZE];
    struct attach_reply checked = {0};

    (void)state;
    attach_reply_encode(&reply, bytes);
    assert_true(attach_reply_check(bytes, sizeof(bytes), &checked));
    assert_int_equal(checked.major, reply.major);
    assert_int_equal(checked.minor, reply.minor);
    assert_true(checked.size == reply.size && checked.instance == reply.instance);
}

/* Each byte but those of minor, size and instance, which may have any value. */
static void a_reply_with_any_other_byte_of_its_frame_or_major_is_refused(void **state)
{
    uint8_t bytes[ATTACH_REPLY_SIZE];
    struct attach_reply checked;
    int accepted = 0;

    (void)state;
    attach_reply_encode(&reply, bytes);
    for (size_t i = 0; i < ATTACH_REPLY_SIZE; i++) {
        bytes[i] ^= 0x40;
        accepted += attach_reply_check(bytes, sizeof(bytes), &checked);
        bytes[i] ^= 0x40;
    }
    assert_int_equal(accepted, 4 + 8 + 8);
}

static void a_reply_of_any_other_length_is_refused(void **state)
{
    uint8_t bytes[ATTACH_REPLY_SIZE + 1] = {0};
    struct attach_reply checked;

    (void)state;
    attach_reply_encode(&reply, bytes);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        assert_int_equal(attach_reply_check(bytes, len, &checked), len == ATTACH_REPLY_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_request_is_messagepack_rpc),
        TEST(the_reply_is_messagepack_rpc),
        TEST(a_checked_reply_has_the_values_that_were_encoded),
        TEST(a_reply_with_any_other_byte_of_its_frame_or_major_is_refused),
        TEST(a_reply_of_any_other_length_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
