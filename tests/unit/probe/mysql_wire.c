/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_wire.c - the client's half of the protocol: what real servers said, whole and byte by byte;
 * answers, and those that hostile servers would give.
 */
#include "config.h"

#include "tests/unit/probe/mysql_recorded.h"
#include "tests/unit/probe/mysql_wire_rig.h"

#define QUESTION "SELECT 1 AS one, NULL AS nothing, '' AS nil, @@version_comment"

static void assert_value(uint32_t row, uint32_t column, const char *text)
{
    const struct mysql_answer *a = &wire.result.answer;

    assert_true(row < a->rows && column < a->columns);
    const struct mysql_value *v = mysql_answer_at(a, row, column);
    if (!text) {
        assert_null(v->text);
        return;
    }
    assert_string_equal(v->text, text);
    assert_int_equal(v->length, strlen(text));
}

/* What real servers said. */

/* Both turns of the recording, `step` bytes of the server's at a time. */
static void play(const char *const *turns, size_t step)
{
    for (int asked = 0; turns[0]; turns += 2) {
        take(turns[0], step);
        if (turns[1] && wire.state == WIRE_READY && asked++ < 2)
            wire_ask(&wire, asked == 1 ? QUESTION : "SELECT nonsense");
        else if (turns[1] && wire.state == WIRE_READY)
            wire_leave(&wire);
        if (!turns[1])
            return;
        assert_said(turns[1]);
    }
}

static void each_recorded_session_is_said_again_byte_for_byte(void **state)
{
    static const size_t steps[] = {1024, 1, 7};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        begin("native", TLS_OFF, false);
        play(mariadb_native, steps[i]);
        assert_int_equal(wire.result.answer.error.code, 1054);
        assert_server(true, 101119, "10.11.19-MariaDB-0+deb12u1");
        begin("ed", TLS_OFF, false);
        play(mariadb_ed25519, steps[i]);
        assert_int_equal(wire.result.answer.error.code, 1054);
        begin("sha2", TLS_OFF, false);
        play(mysql_sha2_fast, steps[i]);
        assert_int_equal(wire.result.answer.error.code, 1054);
        assert_string_equal(wire.result.answer.error.state, "42S22");
        assert_server(false, 90704, "9.7.4-2");
    }
}

/* Up to the answer to the first question. */
static void play_first(const char *const *turns)
{
    take(turns[0], 1024);
    bytes_clear(&wire.out);
    take(turns[2], 1024);
    wire_ask(&wire, QUESTION);
    take(turns[4], 1024);
}

static void an_answer_has_names_values_and_NULLs(void **state)
{
    (void)state;
    play_first(mariadb_native);
    const struct mysql_answer *a = &wire.result.answer;
    assert_int_equal(wire.state, WIRE_READY);
    assert_int_equal(a->error.code, 0);
    assert_int_equal(a->rows, 1);
    assert_int_equal(a->columns, 4);
    assert_value(0, 0, "1");
    assert_value(0, 1, NULL);
    assert_value(0, 2, "");
    assert_value(0, 3, "Debian 12");
    assert_string_equal(a->names[1], "nothing");
    assert_int_equal(mysql_answer_column(a, "NIL"), 2);
    assert_int_equal(mysql_answer_column(a, "none"), -1);
}

static void a_refused_login_has_the_servers_code_state_and_words(void **state)
{
    static const struct wire_settings wrong = {.user = "native", .password = "wrong"};
    (void)state;
    wire_done(&wire);
    assert_true(wire_init(&wire, &wrong));
    play(mariadb_denied, 1024);
    assert_failed(MYSQL_FAULT_SERVER, MYSQL_STAGE_LOGIN, "Access denied for user 'native'");
    assert_int_equal(wire.failure.error.code, 1045);
    assert_string_equal(wire.failure.error.state, "28000");
}

/* Answers. */

static void a_table_of_several_rows_is_kept_in_order(void **state)
{
    (void)state;
    ready();
    say("\2");
    say(COLUMN("\1a"));
    say(COLUMN("\1b"));
    say(END);
    say("\1x\xfb");
    say("\xfc\3\0yyy\1z");
    say(END);
    assert_int_equal(wire.state, WIRE_READY);
    assert_int_equal(wire.result.answer.rows, 2);
    assert_value(0, 0, "x");
    assert_value(0, 1, NULL);
    assert_value(1, 0, "yyy");
    assert_value(1, 1, "z");
}

static void an_answer_before_does_not_shine_through(void **state)
{
    (void)state;
    play_first(mariadb_native);
    wire_ask(&wire, "DO 1");
    say(OK);
    assert_int_equal(wire.state, WIRE_READY);
    assert_int_equal(wire.result.answer.columns, 0);
    assert_int_equal(wire.result.answer.rows, 0);
}

static void of_what_a_procedure_answers_the_first_table_counts(void **state)
{
    (void)state;
    ready();
    say("\1");
    say(COLUMN("\1a"));
    say(END);
    say("\1x");
    say("\xfe\0\0\x8\0");
    say("\2");
    say(COLUMN("\1b"));
    say(COLUMN("\1c"));
    say(END);
    say("\1y\1z");
    say("\xfe\0\0\x8\0");
    assert_int_equal(wire.state, WIRE_BUSY);
    say(OK);
    assert_int_equal(wire.state, WIRE_READY);
    assert_int_equal(wire.result.answer.rows, 1);
    assert_int_equal(wire.result.answer.columns, 1);
    assert_value(0, 0, "x");
}

static void an_error_among_the_rows_is_the_answer(void **state)
{
    (void)state;
    ready();
    say("\1");
    say(COLUMN("\1a"));
    say(END);
    say("\1x");
    say("\xff\x25\5#70100Query execution was interrupted");
    assert_int_equal(wire.state, WIRE_READY);
    assert_int_equal(wire.result.answer.error.code, 1317);
    assert_int_equal(wire.result.answer.rows, 0);
}

static void a_file_of_this_host_is_not_given(void **state)
{
    (void)state;
    ready();
    say("\xfb/etc/shadow");
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "LOCAL INFILE");
    assert_int_equal(wire.out.count, 0);
}

static void an_answer_that_is_not_whole_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
    } rows[] = {{"\2x", 2},    {"\1xy", 3},
                {"\xfc\1", 2}, {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 9},
                {"", 0},       {"\xfe\0", 2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin("u", TLS_OFF, false);
        ready();
        say("\1");
        say(COLUMN("\1a"));
        say(END);
        say_bytes(rows[i].bytes, rows[i].count);
        assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "does not answer as");
    }
    begin("u", TLS_OFF, false);
    ready();
    say("\xfc\0\0"); /* no column */
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "");
}

static void a_server_that_sends_without_end_is_cut_off(void **state)
{
    static const uint8_t long_head[] = {0xff, 0xff, 0xff, 1};
    (void)state;
    ready();
    say("\xfc\xff\xff"); /* columns */
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "more than was asked for");

    begin("u", TLS_OFF, false);
    ready();
    say("\1");
    say(COLUMN("\1a"));
    say(END);
    for (int i = 0; i < MYSQL_ROWS_MAX; i++)
        say("\1x");
    assert_int_equal(wire.state, WIRE_BUSY);
    say("\1x");
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "more than was asked for");

    begin("u", TLS_OFF, false);
    ready();
    wire_take(&wire, long_head, sizeof(long_head));
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "more than was asked for");
}

static void results_that_never_end_are_cut_off(void **state)
{
    (void)state;
    ready();
    for (int i = 0; i < 100000 && wire.state == WIRE_BUSY; i++)
        say("\0\0\0\x8\0\0\0");
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "more than was asked for");
}

static void the_longest_answer_fits_and_no_longer_one(void **state)
{
    static char row[PACKET_MAX];
    const size_t most = MYSQL_ANSWER_MAX / 2;
    (void)state;
    ready();
    say("\1");
    say(COLUMN("\1a"));
    say(END);
    memset(row, 'x', sizeof(row));
    row[0] = '\xfd';
    row[1] = (char)(uint8_t)(most - 1);
    row[2] = (char)(uint8_t)((most - 1) >> 8);
    row[3] = (char)(uint8_t)((most - 1) >> 16);
    say_bytes(row, most + 3);
    assert_int_equal(wire.state, WIRE_BUSY);
    say_bytes(row, most + 3);
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "more than was asked for");
}

/* Order. */

static void a_packet_that_is_not_due_ends_the_session(void **state)
{
    (void)state;
    ready();
    say(OK);
    say(OK);
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "not asked");
    begin("u", TLS_OFF, false);
    ready();
    take("0700000500000002000000", 1024);
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_SESSION, "missing");
}

static void why_a_server_closes_is_heard_unasked(void **state)
{
    (void)state;
    ready();
    say(OK);
    take("1500000"
         "0ff1d04"
         "233038533031"
         "53687574646f776e2e2e2e",
         1024);
    take("00", 1024);
    assert_failed(MYSQL_FAULT_SERVER, MYSQL_STAGE_SESSION, "Shutdown...");
    assert_int_equal(wire.failure.error.code, 1053);
}

static void texts_of_a_server_are_one_line(void **state)
{
    (void)state;
    ready();
    say("\xff\x1e\4#42S22one\ntwo\x1b[31m\x7f");
    assert_string_equal(wire.result.answer.error.text, "one two [31m ");
}

static void a_question_that_is_too_long_is_not_sent(void **state)
{
    char *question = malloc(MYSQL_QUESTION_MAX + 2);
    (void)state;
    memset(question, 'x', MYSQL_QUESTION_MAX + 1);
    question[MYSQL_QUESTION_MAX + 1] = '\0';
    say(GREETING);
    say(OK);
    wire_ask(&wire, question + 1);
    assert_int_equal(wire.out.count, PACKET_HEAD + 1 + MYSQL_QUESTION_MAX);
    say(OK);
    wire_ask(&wire, question);
    assert_failed(MYSQL_FAULT_LOCAL, MYSQL_STAGE_SESSION, "too long");
    free(question);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, each_recorded_session_is_said_again_byte_for_byte),
        TEST_IN(rig, an_answer_has_names_values_and_NULLs),
        TEST_IN(rig, a_refused_login_has_the_servers_code_state_and_words),
        TEST_IN(rig, a_table_of_several_rows_is_kept_in_order),
        TEST_IN(rig, an_answer_before_does_not_shine_through),
        TEST_IN(rig, of_what_a_procedure_answers_the_first_table_counts),
        TEST_IN(rig, an_error_among_the_rows_is_the_answer),
        TEST_IN(rig, a_file_of_this_host_is_not_given),
        TEST_IN(rig, an_answer_that_is_not_whole_is_refused),
        TEST_IN(rig, a_server_that_sends_without_end_is_cut_off),
        TEST_IN(rig, results_that_never_end_are_cut_off),
        TEST_IN(rig, the_longest_answer_fits_and_no_longer_one),
        TEST_IN(rig, a_packet_that_is_not_due_ends_the_session),
        TEST_IN(rig, why_a_server_closes_is_heard_unasked),
        TEST_IN(rig, texts_of_a_server_are_one_line),
        TEST_IN(rig, a_question_that_is_too_long_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
