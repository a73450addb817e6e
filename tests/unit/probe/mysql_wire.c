/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_wire.c - the client's half of the protocol: what real servers said, whole and byte by byte;
 * and what hostile ones would say.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/mysql/wire.h"
#include "tests/support/test.h"
#include "tests/unit/probe/mysql_recorded.h"

#define QUESTION "SELECT 1 AS one, NULL AS nothing, '' AS nil, @@version_comment"

static struct wire wire;

static int rig_setup(void **state)
{
    static const struct wire_settings settings = {.user = "native", .password = "secret"};
    (void)state;
    return wire_init(&wire, &settings) ? 0 : -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    wire_done(&wire);
    return 0;
}

/* As another user, or with TLS. */
static void begin(const char *user, enum tls_mode tls, bool strange)
{
    const struct wire_settings settings = {
        .user = user, .password = "secret", .tls = tls, .strange = strange};
    wire_done(&wire);
    assert_true(wire_init(&wire, &settings));
}

static size_t bytes_of(const char *hex, uint8_t *ret, size_t size)
{
    size_t n = strlen(hex) / 2;
    unsigned byte;

    assert_true(n <= size);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        ret[i] = (uint8_t)byte;
    }
    return n;
}

static void take(const char *hex, size_t step)
{
    uint8_t bytes[1024];
    size_t n = bytes_of(hex, bytes, sizeof(bytes));

    for (size_t at = 0; at < n; at += step)
        wire_take(&wire, bytes + at, step < n - at ? step : n - at);
}

static void assert_said(const char *hex)
{
    uint8_t bytes[1024];
    size_t n = bytes_of(hex, bytes, sizeof(bytes));

    assert_int_equal(wire.out.count, n);
    assert_memory_equal(wire.out.data, bytes, n);
    bytes_drop(&wire.out, n);
}

/* A packet of the server's with the sequence number that is due. */
static void say_bytes(const void *payload, size_t count)
{
    const uint8_t head[] = {(uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16),
                            wire.sequence};

    wire_take(&wire, head, sizeof(head));
    wire_take(&wire, payload, count);
    bytes_clear(&wire.out);
}

#define say(text) say_bytes(text, sizeof(text) - 1)

static void assert_failed(enum mysql_fault fault, enum mysql_stage stage, const char *text)
{
    assert_int_equal(wire.state, WIRE_FAILED);
    assert_int_equal(wire.failure.fault, fault);
    assert_int_equal(wire.failure.stage, stage);
    if (!strstr(wire.failure.error.text, text))
        fail_msg("'%s' does not say '%s'", wire.failure.error.text, text);
}

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

static void assert_server(bool mariadb, uint32_t number, const char *version)
{
    assert_int_equal(wire.login.server.mariadb, mariadb);
    assert_int_equal(wire.login.server.number, number);
    assert_string_equal(wire.login.server.version, version);
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

/* Greetings. */

#define SALT      "\1\2\3\4\5\6\7\10"
#define SALT_REST "abcdefghijkl\0"
/* Capabilities: all that is needed, with TLS. */
#define GREETING_OF(version, plugin)                                                               \
    "\n" version "\0\7\0\0\0" SALT "\0"                                                            \
    "\xff\xff\x2d\2\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0" SALT_REST plugin "\0"
#define GREETING     GREETING_OF("8.0.42", "caching_sha2_password")
#define OK           "\0\0\0\2\0\0\0"
#define END          "\xfe\0\0\2\0"
#define COLUMN(name) "\3def\0\0\0" name "\0\xc\x2d\0\1\0\0\0\xfd\0\0\0\0\0"

static void ready(void)
{
    say(GREETING);
    say(OK);
    assert_int_equal(wire.state, WIRE_READY);
    wire_ask(&wire, "SELECT 1");
}

static void versions_are_read_as_servers_write_them(void **state)
{
    (void)state;
    say(GREETING_OF("5.7.44-log", "mysql_native_password"));
    assert_server(false, 50744, "5.7.44-log");
    begin("u", TLS_OFF, false);
    say(GREETING_OF("11.8.2-MariaDB-ubu2404", "mysql_native_password"));
    assert_server(true, 110802, "11.8.2-MariaDB-ubu2404");
    begin("u", TLS_OFF, false);
    say(GREETING_OF("8.4", "mysql_native_password"));
    assert_server(false, 0, "8.4");
    begin("u", TLS_OFF, false);
    say(GREETING_OF("99999999999999999999.1.\x1b", "mysql_native_password"));
    assert_server(false, 0, "99999999999999999999.1.?");
}

static void an_error_in_place_of_a_greeting_is_the_servers(void **state)
{
    (void)state;
    say("\xff\x10\4Too many connections");
    assert_failed(MYSQL_FAULT_SERVER, MYSQL_STAGE_CONNECTING, "Too many connections");
    assert_int_equal(wire.failure.error.code, 1040);
    assert_string_equal(wire.failure.error.state, "");
}

static void what_is_no_greeting_is_told_so(void **state)
{
    static const char *const others[] = {
        "535348", /* SSH */
        "485454502f312e312034303020426164205265717565737400",
        "0100000009", /* another version of the protocol */
        "0500000000000000",
        "0800000a00313131", /* a sequence that is none */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        begin("u", TLS_OFF, false);
        take(others[i], 1024);
        take("00000000", 1024);
        assert_failed(MYSQL_FAULT_PROTOCOL, wire.failure.stage, "");
        assert_int_equal(wire.out.count, 0);
    }
}

static void a_greeting_is_refused_wherever_it_is_cut(void **state)
{
    static const char whole[] = GREETING;
    (void)state;
    for (size_t n = 0; n + 1 < sizeof(whole) - 1; n++) {
        begin("u", TLS_OFF, false);
        char *cut = malloc(n + 1); /* of its own, so that a read behind it is found */
        memcpy(cut, whole, n);
        say_bytes(cut, n);
        free(cut);
        assert_int_equal(wire.state, WIRE_FAILED);
    }
}

/* TLS. */

static void a_server_without_TLS_is_told_nothing_where_TLS_is_required(void **state)
{
    /* The recorded MySQL, without the flag. */
    char hex[200];
    (void)state;
    begin("sha2", TLS_REQUIRE, false);
    snprintf(hex, sizeof(hex), "%s", mysql_sha2_fast[0]);
    char *flags = strstr(hex, "ffffff02");
    assert_non_null(flags);
    memcpy(flags, "fff7", 4);
    take(hex, 1024);
    assert_failed(MYSQL_FAULT_TLS, MYSQL_STAGE_LOGIN, "offers no TLS");
    assert_int_equal(wire.out.count, 0);
}

static void in_clear_only_TLS_is_asked_for_where_it_is_required(void **state)
{
    (void)state;
    begin("someone", TLS_REQUIRE, false);
    take(mysql_sha2_fast[0], 1024);
    assert_int_equal(wire.state, WIRE_TLS);
    assert_int_equal(wire.out.count, PACKET_HEAD + 32);
    assert_int_equal(wire.out.data[3], 1);
    assert_int_equal(wire.out.data[PACKET_HEAD + 1] & 8, 8);
    bytes_clear(&wire.out);
    wire_encrypted(&wire);
    assert_int_equal(wire.out.data[3], 2);
    assert_string_equal((char *)wire.out.data + PACKET_HEAD + 32, "someone");
}

static void what_follows_a_greeting_in_clear_is_not_taken_for_what_TLS_brings(void **state)
{
    char hex[400];
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        begin("u", TLS_REQUIRE, false);
        snprintf(hex, sizeof(hex), "%s%s", mysql_sha2_fast[0],
                 whole ? "0700000200000002000000" : "07");
        take(hex, 1024);
        assert_failed(MYSQL_FAULT_TLS, MYSQL_STAGE_LOGIN, "in clear where TLS begins");
    }
}

/* Ways to log in. */

static void assert_out(const char *payload, size_t count)
{
    assert_int_equal(wire.out.count, PACKET_HEAD + count);
    assert_memory_equal(wire.out.data + PACKET_HEAD, payload, count);
}

static void ask_for_password(void)
{
    const uint8_t packet[] = {2, 0, 0, wire.sequence, 1, 4};
    bytes_clear(&wire.out);
    wire_take(&wire, packet, sizeof(packet));
}

static void the_password_itself_is_said_inside_of_TLS(void **state)
{
    (void)state;
    begin("u", TLS_REQUIRE, false);
    say(GREETING);
    wire_encrypted(&wire);
    ask_for_password();
    assert_out("secret", 7);
    say(OK);
    assert_int_equal(wire.state, WIRE_READY);
    assert_null(wire.password);
}

static void the_password_itself_is_never_said_without_TLS(void **state)
{
    (void)state;
    say(GREETING);
    ask_for_password();
    assert_failed(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, "inside of TLS");
    assert_int_equal(wire.out.count, 0);
}

/* W11 */
static void W11_a_strange_server_is_said_the_password_only_if_it_proves_its_name(void **state)
{
    (void)state;
    begin("u", TLS_REQUIRE, true);
    say(GREETING);
    wire_encrypted(&wire);
    ask_for_password();
    assert_failed(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, "tls=verify-full");
    assert_int_equal(wire.out.count, 0);
    begin("u", TLS_VERIFY_FULL, true);
    say(GREETING);
    wire_encrypted(&wire);
    ask_for_password();
    assert_out("secret", 7);
}

static void a_way_that_is_not_known_is_refused_by_its_name(void **state)
{
    (void)state;
    say(GREETING);
    say("\xfeparsec\0abcdefghijklmnopqrstuvwxyz123456");
    assert_failed(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, "to log in by parsec");
    begin("u", TLS_OFF, false);
    say(GREETING);
    say("\xfe");
    assert_failed(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, "to log in by mysql_old_password");
    begin("u", TLS_REQUIRE, false);
    say(GREETING);
    wire_encrypted(&wire);
    say("\xfemysql_clear_password\0");
    assert_failed(MYSQL_FAULT_LOGIN, MYSQL_STAGE_LOGIN, "to log in by mysql_clear_password");
    assert_int_equal(wire.out.count, 0);
}

static void a_challenge_that_is_too_short_or_too_long_is_no_challenge(void **state)
{
    (void)state;
    say(GREETING);
    say("\376client_ed25519\0abcdefghijklmnopqrst\0");
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_LOGIN, "");
    begin("u", TLS_OFF, false);
    say(GREETING);
    say("\xfemysql_native_password\0abcdefghijklmnopqrstuvwxyz");
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_LOGIN, "");
}

static void a_server_cannot_make_us_log_in_for_ever(void **state)
{
    (void)state;
    say(GREETING);
    for (int i = 0; i < 100 && wire.state == WIRE_LOGIN; i++)
        say("\xfemysql_native_password\0abcdefghijklmnopqrst\0");
    assert_failed(MYSQL_FAULT_PROTOCOL, MYSQL_STAGE_LOGIN, "");
}

static void an_empty_password_has_an_empty_proof(void **state)
{
    static const struct wire_settings settings = {.user = "u"};
    (void)state;
    wire_done(&wire);
    assert_true(wire_init(&wire, &settings));
    take(mysql_sha2_fast[0], 1024);
    assert_int_equal(wire.out.data[PACKET_HEAD + 32 + 2], 0);
    assert_string_equal((char *)wire.out.data + PACKET_HEAD + 32 + 3, "caching_sha2_password");
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
        TEST_IN(rig, versions_are_read_as_servers_write_them),
        TEST_IN(rig, an_error_in_place_of_a_greeting_is_the_servers),
        TEST_IN(rig, what_is_no_greeting_is_told_so),
        TEST_IN(rig, a_greeting_is_refused_wherever_it_is_cut),
        TEST_IN(rig, a_server_without_TLS_is_told_nothing_where_TLS_is_required),
        TEST_IN(rig, in_clear_only_TLS_is_asked_for_where_it_is_required),
        TEST_IN(rig, what_follows_a_greeting_in_clear_is_not_taken_for_what_TLS_brings),
        TEST_IN(rig, the_password_itself_is_said_inside_of_TLS),
        TEST_IN(rig, the_password_itself_is_never_said_without_TLS),
        TEST_IN(rig, W11_a_strange_server_is_said_the_password_only_if_it_proves_its_name),
        TEST_IN(rig, a_way_that_is_not_known_is_refused_by_its_name),
        TEST_IN(rig, a_challenge_that_is_too_short_or_too_long_is_no_challenge),
        TEST_IN(rig, a_server_cannot_make_us_log_in_for_ever),
        TEST_IN(rig, an_empty_password_has_an_empty_proof),
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
