/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_socket.c - tests of proto/msg_socket.c.
 */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "proto/limits.h"
#include "proto/msg_socket.h"
#include "tests/support/test.h"

static struct msg_writer writer;
static struct msg_parser parser;
static int ends[2];

static int rig_setup(void **state)
{
    (void)state;
    msg_writer_init(&writer, HOMING_REPLY_MAX);
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int rig_teardown(void **state)
{
    (void)state;
    msg_writer_done(&writer);
    msg_parser_done(&parser);
    close(ends[0]);
    return close(ends[1]);
}

static bool count(void *arg, const struct msg *msg)
{
    uint32_t *next = arg;

    assert_int_equal(msg->id, *next);
    return ++*next < 5;
}

static void what_the_socket_does_not_take_is_sent_later_and_read_in_its_order(void **state)
{
    static const uint8_t much[100000];
    uint32_t next = 0, turns = 0;

    (void)state;
    for (uint32_t id = 0; id < 5; id++) {
        msg_put_reply(&writer, id);
        msg_put_bin(&writer, much, sizeof(much));
    }
    assert_true(msg_send_some(&writer, ends[0]));
    assert_true(writer.len > 0);
    while (msg_receive_some(&parser, ends[1], count, &next) && ++turns < 1000)
        assert_true(msg_send_some(&writer, ends[0]));
    assert_int_equal(next, 5); /* who then wanted no more */
    assert_null(writer.data);
    assert_true(msg_send_some(&writer, ends[0]));
}

static void a_connection_of_no_use_is_said_to_be_that(void **state)
{
    uint32_t next = 0;

    (void)state;
    assert_true(msg_receive_some(&parser, ends[1], count, &next));
    assert_int_equal(write(ends[0], "GET /", 5), 5);
    assert_false(msg_receive_some(&parser, ends[1], count, &next));
    msg_put_reply(&writer, 0);
    assert_false(msg_send_some(&writer, ends[0])); /* it lacks its result */
    msg_put_nil(&writer);
    shutdown(ends[1], SHUT_RDWR);
    assert_false(msg_receive_some(&parser, ends[1], count, &next));
    assert_false(msg_send_some(&writer, ends[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, what_the_socket_does_not_take_is_sent_later_and_read_in_its_order),
        TEST_IN(rig, a_connection_of_no_use_is_said_to_be_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
