/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.c - what is said of layers and reasons, and that nothing is left without words.
 */
#include "config.h"

#include <string.h>

#include "agent/admin/explain.h"
#include "agent/daemon/history.h"
#include "proto/limits.h"
#include "tests/support/test.h"

static void every_layer_state_and_mode_has_words(void **state)
{
    (void)state;
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        for (int mode = 0; mode < VIEW_MODE_COUNT; mode++)
            for (int st = 0; st < VIEW_STATE_COUNT; st++)
                assert_string_not_equal(explain_layer((enum layer)layer, VIEW_ROLE_WRITER,
                                                      (enum view_mode)mode, (enum view_state)st),
                                        "?");
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        assert_string_not_equal(explain_change((enum reason)reason, EXPLAIN_BY_TERM), "?");
        /* W12, W3a: nobody waits for a term that no server has. */
        assert_null(strstr(explain_change((enum reason)reason, EXPLAIN_BY_HEIRS), "newer term"));
        assert_null(strstr(explain_change((enum reason)reason, EXPLAIN_BY_VOLUME), "newer term"));
    }
}

static void a_layer_above_the_mode_is_off(void **state)
{
    (void)state;
    assert_string_equal(
        explain_layer(LAYER_LOOKUP, VIEW_ROLE_WRITER, VIEW_MODE_NAMES, VIEW_STATE_STEADY),
        "answers the writer");
    assert_string_equal(
        explain_layer(LAYER_CONNECT, VIEW_ROLE_WRITER, VIEW_MODE_NAMES, VIEW_STATE_STEADY),
        "off (by mode)");
    assert_string_equal(
        explain_layer(LAYER_LOOKUP, VIEW_ROLE_WRITER, VIEW_MODE_OFF, VIEW_STATE_STEADY),
        "off (by mode)");
    assert_non_null(
        strstr(explain_layer(LAYER_SEVER, VIEW_ROLE_WRITER, VIEW_MODE_OBSERVE, VIEW_STATE_STEADY),
               "observe"));
}

static void a_reader_endpoint_is_said_to_answer_the_readers(void **state)
{
    (void)state;
    assert_non_null(
        strstr(explain_layer(LAYER_LOOKUP, VIEW_ROLE_READER, VIEW_MODE_NAMES, VIEW_STATE_SUSPECT),
               "the readers in turn"));
    assert_string_equal(
        explain_layer(LAYER_LOOKUP, VIEW_ROLE_READER, VIEW_MODE_NAMES, VIEW_STATE_STALE),
        explain_layer(LAYER_LOOKUP, VIEW_ROLE_WRITER, VIEW_MODE_NAMES, VIEW_STATE_STALE));
}

static void a_reader_endpoint_is_never_said_to_be_severed(void **state)
{
    (void)state;
    assert_null(
        strstr(explain_layer(LAYER_SEVER, VIEW_ROLE_READER, VIEW_MODE_SEVER, VIEW_STATE_STEADY),
               "aborts"));
    assert_non_null(
        strstr(explain_layer(LAYER_CONNECT, VIEW_ROLE_READER, VIEW_MODE_SEVER, VIEW_STATE_STEADY),
               "to a reader"));
    assert_string_equal(
        explain_layer(LAYER_CONNECT, VIEW_ROLE_READER, VIEW_MODE_SEVER, VIEW_STATE_STALE),
        "untouched");
}

static void a_frozen_cluster_is_said_to_have_both_ways_out_and_to_sever_nothing(void **state)
{
    (void)state;
    assert_non_null(strstr(explain_change(REASON_FROZEN, EXPLAIN_BY_TERM), "unfreezes"));
    assert_non_null(strstr(explain_change(REASON_FROZEN, EXPLAIN_BY_TERM), "accepts"));
    assert_string_equal(
        explain_layer(LAYER_SEVER, VIEW_ROLE_WRITER, VIEW_MODE_SEVER, VIEW_STATE_FROZEN),
        "nothing while frozen (W7)");
}

static void the_history_keeps_the_newest_of_what_is_asked_for(void **state)
{
    static struct history history;
    struct msg_writer w;
    struct msg_parser p;
    struct msg msg;
    size_t used;
    const struct msg_value *first;

    (void)state;
    for (uint64_t i = 0; i < HISTORY_MAX + 10; i++)
        history_add(&history, i, 5000 + i, i % 2 ? "odd" : "even", "event", i < 20 ? "old" : "new");
    msg_writer_init(&w, HOMING_REPLY_MAX);
    msg_parser_init(&p, HOMING_REPLY_MAX);
    msg_put_reply(&w, 1);
    history_put(&history, 1000, "odd", 5, &w);
    assert_int_equal(msg_writer_finish(&w), 0);
    assert_int_equal(msg_parser_feed(&p, w.data, w.len, &used, &msg), MSG_FED_MESSAGE);
    assert_int_equal(msg_array_len(msg.result), 5);
    first = msg_array_at(msg.result, 0);
    assert_string_equal(msg_get_str(first, "cluster"), "odd");
    assert_string_equal(msg_get_str(first, "text"), "new");
    assert_int_equal(msg_get_uint(first, "ago_ms", 0), 1000 - (HISTORY_MAX + 1));
    assert_int_equal(msg_get_uint(first, "at_unix_ms", 0), 5000 + HISTORY_MAX + 1);
    msg_parser_done(&p);
    msg_writer_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_layer_state_and_mode_has_words),
        TEST(a_layer_above_the_mode_is_off),
        TEST(a_reader_endpoint_is_said_to_answer_the_readers),
        TEST(a_reader_endpoint_is_never_said_to_be_severed),
        TEST(a_frozen_cluster_is_said_to_have_both_ways_out_and_to_sever_nothing),
        TEST(the_history_keeps_the_newest_of_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
