/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.c - tables of what a PostgreSQL server may answer, and of what a liar, a
 * stranger or libpq may.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/postgresql/failures.h"
#include "tests/support/test.h"

#define WAL  "000000020000000000000004"
#define LSN  "0/4016DC8"
#define TIME "1763636391.123457"
#define ID   "7710208483270621824"
#define ALL  8
#define SOME 6

struct row {
    const char *columns[POSTGRES_COLUMN_COUNT];
    int count;
};

static bool read_row(const struct row *row, struct report *report, const char **note)
{
    *report = (struct report){0};
    *note = "untouched";
    return postgres_report_row(row->columns, row->count, report, note);
}

static void a_server_out_of_recovery_is_a_writer_with_its_timeline_as_term(void **state)
{
    (void)state;
    const struct row row = {{"f", WAL, LSN, "off", NULL, NULL, TIME, ID}, ALL};
    struct report r;
    const char *note;
    assert_true(read_row(&row, &r, &note));
    assert_int_equal(r.kind, REPORT_ANSWER);
    assert_int_equal(r.role, ROLE_WRITER);
    assert_int_equal(r.term.hi, 0);
    assert_int_equal(r.term.lo, 2);
    assert_int_equal(r.position, 0x4016DC8);
    assert_int_equal(r.identity, 7710208483270621824);
    assert_int_equal(r.incarnation, 1763636391123457);
    assert_null(note);
}

static void a_promoted_server_says_where_its_timeline_began(void **state)
{
    (void)state;
    const struct row promoted = {{"f", WAL, LSN, "off", NULL, "0/4000060"}, SOME};
    const struct row born = {{"f", WAL, LSN, "off", NULL, NULL}, SOME};
    struct report r;
    const char *note;
    assert_true(read_row(&promoted, &r, &note));
    assert_int_equal(r.branch, 0x4000060);
    assert_true(postgres_report_row(born.columns, born.count, &r, &note));
    assert_int_equal(r.branch, 0);
}

static void a_server_in_recovery_is_a_reader_with_its_replayed_position(void **state)
{
    (void)state;
    const struct row row = {{"t", NULL, "A/B", "on", NULL, NULL, TIME, ID}, ALL};
    struct report r;
    const char *note;
    assert_true(read_row(&row, &r, &note));
    assert_int_equal(r.role, ROLE_READER);
    assert_int_equal(r.term.lo, 0);
    assert_int_equal(r.position, 0xA0000000B);
    assert_null(note);
}

static void a_standby_that_has_replayed_nothing_has_no_position(void **state)
{
    (void)state;
    const struct row row = {{"t", NULL, NULL, "on", NULL}, SOME};
    struct report r;
    const char *note;
    assert_true(read_row(&row, &r, &note));
    assert_int_equal(r.role, ROLE_READER);
    assert_int_equal(r.position, 0);
}

static void columns_not_asked_for_leave_their_facts_as_they_were(void **state)
{
    (void)state;
    const struct row row = {{"f", WAL, LSN, "off", NULL}, SOME};
    struct report r = {.identity = 5, .incarnation = 6, .authenticated = true};
    const char *note;
    assert_true(postgres_report_row(row.columns, row.count, &r, &note));
    assert_int_equal(r.identity, 5);
    assert_int_equal(r.incarnation, 6);
    assert_true(r.authenticated);
}

static void a_demoted_server_loses_the_term_it_had_as_a_writer(void **state)
{
    (void)state;
    const struct row row = {{"t", NULL, NULL, "on", NULL}, SOME};
    struct report r = {.role = ROLE_WRITER, .term = {0, 2}, .position = 7};
    const char *note;
    assert_true(postgres_report_row(row.columns, row.count, &r, &note));
    assert_int_equal(r.role, ROLE_READER);
    assert_int_equal(r.term.lo, 0);
    assert_int_equal(r.position, 0);
}

static void read_only_counts_only_where_it_holds_for_every_role(void **state)
{
    static const struct {
        const char *source;
        enum role role;
    } CASES[] = {
        {"configuration file", ROLE_READER},
        {"command line", ROLE_READER},
        {"database", ROLE_READER},
        {"global", ROLE_READER},
        {"environment variable", ROLE_READER},
        {"user", ROLE_WRITER},
        {"database user", ROLE_WRITER},
        {"client", ROLE_WRITER},
        {"session", ROLE_WRITER},
        {"something new", ROLE_WRITER},
        {NULL, ROLE_WRITER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct row row = {{"f", WAL, LSN, "on", CASES[i].source}, SOME};
        struct report r;
        const char *note;
        assert_true(read_row(&row, &r, &note));
        assert_int_equal(r.role, CASES[i].role);
        assert_non_null(note);
    }
}

static void identifiers_and_times_are_read_to_the_last_digit(void **state)
{
    static const struct {
        const char *time;
        const char *identifier;
        uint64_t incarnation;
        uint64_t identity;
    } CASES[] = {
        {"1763636391", "1", 1763636391000000, 1},
        {"1763636391.1", "9223372036854775807", 1763636391100000, INT64_MAX},
        {"1763636391.000001", "-9223372036854775808", 1763636391000001, (uint64_t)1 << 63},
        {"1763636391.123400", "-1", 1763636391123400, UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct row row = {
            {"t", NULL, LSN, "on", NULL, NULL, CASES[i].time, CASES[i].identifier}, ALL};
        struct report r;
        const char *note;
        assert_true(read_row(&row, &r, &note));
        assert_true(r.incarnation == CASES[i].incarnation);
        assert_true(r.identity == CASES[i].identity);
    }
}

static void a_row_that_no_postgresql_makes_is_refused_and_changes_nothing(void **state)
{
    static const struct row ROWS[] = {
        {{"f", WAL, LSN, "off", NULL}, 5},
        {{"f", WAL, LSN, "off", NULL}, 0},
        {{"f", WAL, LSN, "off", NULL}, 9},
        {{NULL, WAL, LSN, "off", NULL}, SOME},
        {{"", WAL, LSN, "off", NULL}, SOME},
        {{"true", WAL, LSN, "off", NULL}, SOME},
        {{"f", NULL, LSN, "off", NULL}, SOME},
        {{"f", "", LSN, "off", NULL}, SOME},
        {{"f", "000000000000000000000004", LSN, "off", NULL}, SOME}, /* timeline 0 */
        {{"f", "00000002000000000000004", LSN, "off", NULL}, SOME},
        {{"f", "0000000200000000000000045", LSN, "off", NULL}, SOME},
        {{"f", "000000020000000000000004G", LSN, "off", NULL}, SOME},
        {{"f", "0000000G0000000000000004", LSN, "off", NULL}, SOME},
        {{"f", "0x0000020000000000000004", LSN, "off", NULL}, SOME},
        {{"f", WAL, NULL, "off", NULL}, SOME},
        {{"f", WAL, "", "off", NULL}, SOME},
        {{"f", WAL, "0", "off", NULL}, SOME},
        {{"f", WAL, "0/", "off", NULL}, SOME},
        {{"f", WAL, "/0", "off", NULL}, SOME},
        {{"f", WAL, "0/0 ", "off", NULL}, SOME},
        {{"f", WAL, "-1/0", "off", NULL}, SOME},
        {{"f", WAL, "123456789/0", "off", NULL}, SOME},
        {{"f", WAL, LSN, NULL, NULL}, SOME},
        {{"f", WAL, LSN, "maybe", NULL}, SOME},
        {{"f", WAL, LSN, "off", NULL, "x"}, SOME},
        {{"t", NULL, "x", "on", NULL}, SOME},
        {{"f", WAL, LSN, "off", NULL, NULL, NULL, ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "0", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "-5", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "1e9", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "1.", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "1.1234567", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "1234567890123", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "99999999999999999999", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, "infinity", ID}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, TIME, NULL}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, TIME, ""}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, TIME, "-"}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, TIME, "0"}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, TIME, "12345678901234567890"}, ALL},
        {{"f", WAL, LSN, "off", NULL, NULL, TIME, "1 "}, ALL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        static const struct report BEFORE = {.role = ROLE_READER, .term = {3, 4}, .identity = 9};
        struct report r = BEFORE;
        const char *note = "untouched";
        if (postgres_report_row(ROWS[i].columns, ROWS[i].count, &r, &note))
            fail_msg("row %zu was taken", i);
        assert_memory_equal(&r, &BEFORE, sizeof(r));
        assert_string_equal(note, "untouched");
    }
}

#define AT "connection to server at \"127.0.0.1\", port 5432 failed: "

static void failures_are_told_apart_by_sqlstate_and_by_how_far_they_came(void **state)
{
    static const struct {
        enum postgres_stage stage;
        const char *message;
        enum report_kind kind;
        enum engine_hint hint;
        const char *sqlstate;
        const char *text;
    } CASES[] = {
        {POSTGRES_STAGE_CONNECTING, AT "Connection refused\n\tIs the server running?\n",
         REPORT_REFUSED, HINT_NONE, "", "Connection refused"},
        {POSTGRES_STAGE_CONNECTING, "invalid sslmode value: \"maybe\"\n", REPORT_ODD, HINT_NONE, "",
         "invalid sslmode value: \"maybe\""},
        {POSTGRES_STAGE_LOGIN,
         AT "FATAL:  57P03: the database system is starting up\nLOCATION:  ProcessStartup\n",
         REPORT_REFUSED, HINT_STARTING, "57P03", "the database system is starting up"},
        {POSTGRES_STAGE_LOGIN,
         "connection to server at \"db-a\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password "
         "authentication failed for user \"x\"\n",
         REPORT_DENIED, HINT_NONE, "28P01", "password authentication failed for user \"x\""},
        {POSTGRES_STAGE_LOGIN, AT "SCHWERWIEGEND:  28000: kein Eintrag\n", REPORT_DENIED, HINT_NONE,
         "28000", "kein Eintrag"},
        {POSTGRES_STAGE_LOGIN, AT "fe_sendauth: no password supplied\n", REPORT_DENIED, HINT_NONE,
         "", "fe_sendauth: no password supplied"},
        {POSTGRES_STAGE_LOGIN, AT "FATAL:  53300: sorry, too many clients already\n",
         REPORT_REFUSED, HINT_CROWDED, "53300", "sorry, too many clients already"},
        {POSTGRES_STAGE_LOGIN, AT "FATAL:  3D000: database \"x\" does not exist\n", REPORT_ODD,
         HINT_NONE, "3D000", "database \"x\" does not exist"},
        {POSTGRES_STAGE_LOGIN, AT "server closed the connection unexpectedly\n\tThis probably\n",
         REPORT_REFUSED, HINT_NONE, "", "server closed the connection unexpectedly"},
        {POSTGRES_STAGE_LOGIN, AT "received invalid response to SSL negotiation: H\n", REPORT_ODD,
         HINT_NONE, "", "received invalid response to SSL negotiation: H"},
        {POSTGRES_STAGE_LOGIN, AT "FATAL:  57P01: terminating\n", REPORT_REFUSED, HINT_NONE,
         "57P01", "terminating"},
        {POSTGRES_STAGE_SESSION, "FATAL:  57P01: terminating connection\n", REPORT_BROKEN,
         HINT_NONE, "57P01", "terminating connection"},
        {POSTGRES_STAGE_SESSION, "server closed the connection unexpectedly\n", REPORT_BROKEN,
         HINT_NONE, "", "server closed the connection unexpectedly"},
        {POSTGRES_STAGE_SESSION, "ERROR:  40001: canceling statement due to conflict\n",
         REPORT_BROKEN, HINT_NONE, "40001", "canceling statement due to conflict"},
        {POSTGRES_STAGE_SESSION, "ERROR:  42883: function does not exist\n", REPORT_ODD, HINT_NONE,
         "42883", "function does not exist"},
        {POSTGRES_STAGE_SESSION, "lost synchronization with server: got message type \"H\"\n",
         REPORT_ODD, HINT_NONE, "", "lost synchronization with server: got message type \"H\""},
        {POSTGRES_STAGE_SESSION, "", REPORT_ODD, HINT_NONE, "", ""},
        {POSTGRES_STAGE_LOGIN, AT, REPORT_ODD, HINT_NONE, "", ""},
        {POSTGRES_STAGE_LOGIN, AT "a:  57P0: no SQLSTATE\n", REPORT_ODD, HINT_NONE, "",
         "a:  57P0: no SQLSTATE"},
        {POSTGRES_STAGE_LOGIN, AT "first\nFATAL:  28P01: second\n", REPORT_ODD, HINT_NONE, "",
         "first"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct postgres_failure f;
        postgres_failure_read(CASES[i].stage, CASES[i].message, &f);
        assert_string_equal(f.text, CASES[i].text);
        assert_string_equal(f.sqlstate, CASES[i].sqlstate);
        assert_int_equal(f.kind, CASES[i].kind);
        assert_int_equal(f.hint, CASES[i].hint);
    }
}

static void a_failures_text_is_one_printable_line_of_bounded_length(void **state)
{
    static const struct {
        const char *message;
        const char *text;
    } CASES[] = {
        {"a\tb\x1b[31m\rc", "a?b?[31m?c"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98"},
        {"cut \xe2\x82", "cut ??"},
        {"\xff\xc0\xaf\x80", "????"},
        {"c1 \xc2\x85", "c1 ?"},
        {"\xed\xa0\x80", "???"},
    };
    struct postgres_failure f;
    char big[1000];
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        postgres_failure_read(POSTGRES_STAGE_SESSION, CASES[i].message, &f);
        assert_string_equal(f.text, CASES[i].text);
    }
    for (size_t i = 0; i + 2 < sizeof(big); i += 2)
        memcpy(big + i, "\xc3\xa9", 2);
    big[sizeof(big) - 2] = '\0';
    postgres_failure_read(POSTGRES_STAGE_SESSION, big, &f);
    assert_int_equal(strlen(f.text), ENGINE_TEXT_MAX - 2); /* no half of a character */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_out_of_recovery_is_a_writer_with_its_timeline_as_term),
        TEST(a_promoted_server_says_where_its_timeline_began),
        TEST(a_server_in_recovery_is_a_reader_with_its_replayed_position),
        TEST(a_standby_that_has_replayed_nothing_has_no_position),
        TEST(columns_not_asked_for_leave_their_facts_as_they_were),
        TEST(a_demoted_server_loses_the_term_it_had_as_a_writer),
        TEST(read_only_counts_only_where_it_holds_for_every_role),
        TEST(identifiers_and_times_are_read_to_the_last_digit),
        TEST(a_row_that_no_postgresql_makes_is_refused_and_changes_nothing),
        TEST(failures_are_told_apart_by_sqlstate_and_by_how_far_they_came),
        TEST(a_failures_text_is_one_printable_line_of_bounded_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
