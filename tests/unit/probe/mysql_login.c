/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_login.c - from a server's greeting to its OK: what is told to whom, and what is never told.
 */
#include "config.h"

#include "tests/unit/probe/mysql_recorded.h"
#include "tests/unit/probe/mysql_wire_rig.h"

/* Greetings. */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
