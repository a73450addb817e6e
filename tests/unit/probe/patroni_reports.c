/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_reports.c - what Patroni answers to GET /primary, and what else may be at its port. The
 * documents are those of Patroni 3.0.2 and 3.3, shortened.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/engines/patroni/patroni_reports.h"
#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "proto/hash.h"
#include "tests/support/test.h"

/* By the member's clock: when it answers, and when it has read its store. */
#define NOW  1692356720
#define SEEN "1692356718"

#define IDENTIFIER "\"database_system_identifier\": \"7268616322854375442\", "
#define START      "\"postmaster_start_time\": \"2023-08-18 11:03:37.966359+00:00\", "
#define REST                                                                                       \
    "\"database_system_identifier\": \"7268616322854375442\", \"patroni\": "                       \
    "{\"version\": \"3.0.2\", \"scope\": \"orders\"}}"
#define PRIMARY(role, more)                                                                        \
    "{\"state\": \"running\", " START "\"role\": \"" role "\", \"server_version\": 150004, "       \
    "\"xlog\": {\"location\": 67395656}, \"timeline\": 2, \"replication\": [{\"usename\": \"r\", " \
    "\"client_addr\": \"10.89.0.6\"}], \"dcs_last_seen\": " SEEN ", " more REST
#define REPLICA(role)                                                                              \
    "{\"state\": \"running\", " START "\"role\": \"" role "\", \"xlog\": {\"received_location\": " \
    "67419744, \"replayed_location\": 67419740, \"replayed_timestamp\": null, \"paused\": "        \
    "false}, "                                                                                     \
    "\"timeline\": 2, \"dcs_last_seen\": " SEEN ", " REST

static struct report report;
static const char *note;
static struct patroni_failure failure;

static bool hear(unsigned status, const char *body)
{
    const struct patroni_answer answer = {status, NOW, body, strlen(body)};
    report = (struct report){0};
    note = NULL;
    failure = (struct patroni_failure){.kind = REPORT_ANSWER};
    return patroni_report(&answer, &report, &note, &failure);
}

static void assert_failure(enum report_kind kind, enum engine_hint hint, const char *text)
{
    assert_int_equal(failure.kind, kind);
    assert_int_equal(failure.hint, hint);
    if (!strstr(failure.text, text))
        fail_msg("'%s' does not say '%s'", failure.text, text);
    assert_true(strlen(failure.text) < ENGINE_TEXT_MAX - 1);
}

static void a_primary_is_the_writer_under_both_of_its_names(void **state)
{
    static const char *const BODIES[] = {PRIMARY("master", ""), PRIMARY("primary", "")};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(hear(200, BODIES[i]));
        assert_int_equal(report.kind, REPORT_ANSWER);
        assert_int_equal(report.role, ROLE_WRITER);
        assert_int_equal(report.term.lo, 2);
        assert_int_equal(report.position, 67395656);
        assert_int_equal(report.self, 0);
        assert_false(report.authenticated);
        assert_null(note);
    }
}

static void replicas_and_standby_leaders_are_readers(void **state)
{
    static const char *const BODIES[] = {REPLICA("replica"), REPLICA("standby_leader")};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(hear(503, BODIES[i]));
        assert_int_equal(report.role, ROLE_READER);
        assert_int_equal(report.term.lo, 0);
        assert_int_equal(report.position, 67419740);
        assert_int_equal(report.lock, LOCK_NONE);
    }
}

/* What the database itself says of the same server. */
static void the_numbers_are_those_that_the_database_itself_gives(void **state)
{
    const char *row[] = {"f",  "000000020000000000000004", "0/4046048",          "off", NULL,
                         NULL, "1692356617.966359",        "7268616322854375442"};
    struct report own = {0};
    const char *own_note;
    (void)state;
    assert_true(postgres_report_row(row, POSTGRES_COLUMN_COUNT, &own, &own_note));
    assert_true(hear(200, PRIMARY("primary", "")));
    assert_int_equal(report.identity, own.identity);
    assert_int_equal(report.incarnation, own.incarnation);
    assert_int_equal(report.position, own.position);
    assert_int_equal(term_compare(report.term, own.term), 0);
}

static void a_start_is_one_moment_in_all_time_zones(void **state)
{
    static const char *const SAME[] = {"2023-08-18 13:03:37.966359+02:00",
                                       "2023-08-18 04:33:37.966359-06:30"};
    static const char *const UNKNOWN[] = {"2023-08-18 11:03:37.966 UTC", "2023-08-18", "soon",
                                          "2023-08-18 11:03:37.966359+00:00 "};
    char body[1000];
    (void)state;
    for (int i = 0; i < 6; i++) {
        const char *start = i < 2 ? SAME[i] : UNKNOWN[i - 2];
        snprintf(body, sizeof(body),
                 "{\"state\": \"running\", \"role\": \"replica\", " IDENTIFIER
                 "\"postmaster_start_time\": \"%s\"}",
                 start);
        assert_true(hear(503, body));
        assert_int_equal(report.incarnation, i < 2 ? UINT64_C(1692356617966359) : 0);
    }
}

static void the_leader_lock_is_held_lost_or_says_nothing(void **state)
{
    (void)state;
    assert_true(hear(200, PRIMARY("primary", "")));
    assert_int_equal(report.lock, LOCK_HELD);
    assert_int_equal(report.lock_of, hash_text("orders"));
    assert_true(hear(503, PRIMARY("primary", "")));
    assert_int_equal(report.lock, LOCK_LOST);
    assert_string_equal(note, "it claims without the leader lock");
    assert_true(hear(503, PRIMARY("primary", "\"cluster_unlocked\": true, ")));
    assert_int_equal(report.lock, LOCK_LOST);
    assert_true(hear(200, PRIMARY("primary", "\"cluster_unlocked\": true, ")));
    assert_int_equal(report.lock, LOCK_NONE);
}

static void a_paused_cluster_and_one_without_its_store_have_no_lock(void **state)
{
    (void)state;
    for (unsigned status = 200; status <= 503; status += 303) {
        assert_true(hear(status, PRIMARY("primary", "\"pause\": true, ")));
        assert_int_equal(report.lock, LOCK_NONE);
        assert_non_null(strstr(note, "paused"));
        assert_true(hear(status, PRIMARY("primary", "\"failsafe_mode_is_active\": true, ")));
        assert_int_equal(report.lock, LOCK_NONE);
    }
}

static void a_lock_is_held_only_by_who_has_read_the_store_lately(void **state)
{
    static const struct {
        int64_t date;
        enum lock lock;
    } cases[] = {
        {0, LOCK_NONE},        {NOW - 4, LOCK_NONE},  {NOW - 3, LOCK_HELD},
        {NOW + 28, LOCK_HELD}, {NOW + 29, LOCK_NONE},
    };
    struct patroni_answer answer = {200, 0, PRIMARY("primary", ""), strlen(PRIMARY("primary", ""))};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer.date = cases[i].date;
        assert_true(patroni_report(&answer, &report, &note, &failure));
        assert_int_equal(report.lock, cases[i].lock);
    }
}

static void a_cluster_without_a_name_has_no_lock(void **state)
{
    (void)state;
    assert_true(hear(503,
                     "{\"state\": \"running\", \"role\": \"master\", \"timeline\": 1, " IDENTIFIER
                     "\"xlog\": {\"location\": 1}}"));
    assert_int_equal(report.lock, LOCK_NONE);
}

static void W4_who_does_not_say_yet_which_data_set_it_has_claims_nothing(void **state)
{
    (void)state;
    assert_false(hear(200, "{\"state\": \"running\", \"role\": \"master\", \"timeline\": 1, "
                           "\"xlog\": {\"location\": 1}}"));
    assert_failure(REPORT_REFUSED, HINT_STARTING, "does not say yet which data set it has");
}

static void a_database_that_does_not_run_is_no_answer(void **state)
{
    (void)state;
    assert_false(hear(503, "{\"state\": \"starting\", \"role\": \"replica\"}"));
    assert_failure(REPORT_REFUSED, HINT_STARTING, "the database is not running: starting");
    assert_false(hear(200, "{\"state\": \"stopped\", \"role\": \"master\", \"timeline\": 1}"));
    assert_failure(REPORT_REFUSED, HINT_STARTING, "not running: stopped");
    assert_false(hear(503, "{\"state\": \"\\u001b[31mred\", \"role\": \"replica\"}"));
    assert_failure(REPORT_REFUSED, HINT_STARTING, "not running: ?[31mred");
}

static void half_a_claim_is_none(void **state)
{
    static const char *const BODIES[] = {
        "{\"state\": \"running\", " IDENTIFIER "\"role\": \"master\", \"timeline\": 1}",
        "{\"state\": \"running\", " IDENTIFIER "\"role\": \"master\", \"xlog\": {\"location\": 1}}",
        "{\"state\": \"running\", " IDENTIFIER
        "\"role\": \"master\", \"timeline\": 0, \"xlog\": {\"location\": "
        "1}}",
        "{\"state\": \"running\", " IDENTIFIER
        "\"role\": \"master\", \"timeline\": \"1\", \"xlog\": "
        "{\"location\": 1}}",
        "{\"state\": \"running\", " IDENTIFIER
        "\"role\": \"king\", \"timeline\": 1, \"xlog\": {\"location\": "
        "1}}",
        "{\"state\": \"running\", \"role\": \"replica\", \"database_system_identifier\": \"x\"}",
        ("{\"state\": \"running\", \"role\": \"replica\", \"database_system_identifier\": "
         "\"18446744073709551616\"}"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        assert_false(hear(200, BODIES[i]));
        assert_failure(REPORT_ODD, HINT_NONE, "not with which role, timeline and position");
    }
}

static void what_is_no_patroni_is_told_with_what_to_do(void **state)
{
    static const char *const BODIES[] = {"",
                                         "<html>",
                                         "[]",
                                         "{}",
                                         "{\"state\": 1, \"role\": 2}",
                                         "{\"state\": \"running\", \"role\": \"replica\"",
                                         "{\"state\": \"a\", \"state\": \"b\", \"role\": \"c\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        assert_false(hear(200, BODIES[i]));
        assert_failure(REPORT_ODD, HINT_NONE, "write Patroni's own into rest_port");
    }
    assert_false(hear(404, PRIMARY("primary", "")));
    assert_failure(REPORT_ODD, HINT_NONE, "(HTTP status 404)");
    assert_false(hear(400, "The plain HTTP request was sent to HTTPS port"));
    assert_failure(REPORT_ODD, HINT_NONE, "if it speaks TLS there, write tls=require");
}

static void who_wants_authentication_is_not_asked_again(void **state)
{
    static const unsigned STATUSES[] = {401, 403, 407};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_false(hear(STATUSES[i], "{}"));
        assert_failure(REPORT_DENIED, HINT_NONE, "it wants authentication (HTTP status 40");
    }
}

static void a_document_that_goes_too_deep_is_none(void **state)
{
    char body[200] = "{\"state\": \"running\", " IDENTIFIER "\"role\": \"replica\", \"a\": ";
    size_t length = strlen(body);
    (void)state;
    memset(body + length, '[', 15);
    memset(body + length + 15, ']', 15);
    strcpy(body + length + 30, "}");
    assert_true(hear(503, body));
    memset(body + length, '[', 16);
    memset(body + length + 16, ']', 16);
    strcpy(body + length + 32, "}");
    assert_false(hear(503, body));
}

static void brackets_in_texts_do_not_hide_how_deep_a_document_goes(void **state)
{
    static const char *const TEXTS[] = {"]]]]]]]]]]]]]]]]", "\\\"]]]]]]]]]]]]]]]]", "\\\\"};
    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        char body[256], deep[17] = "", back[17] = "";
        memset(deep, '[', 16);
        memset(back, ']', 16);
        snprintf(body, sizeof(body),
                 "{\"state\": \"running\", " IDENTIFIER
                 "\"role\": \"replica\", \"b\": \"%s\", \"a\": %s%s}",
                 TEXTS[i], deep, back);
        assert_false(hear(503, body));
        snprintf(body, sizeof(body),
                 "{\"state\": \"running\", " IDENTIFIER
                 "\"role\": \"replica\", \"b\": \"%s[[[[[[[[[[[[[[[[[\"}",
                 TEXTS[i]);
        assert_true(hear(503, body));
    }
}

static void why_there_was_no_answer_is_told_with_a_guess_at_tls(void **state)
{
    struct http_failure f = {HTTP_FAULT_NETWORK, false, "cannot connect: Connection refused"};
    (void)state;
    patroni_report_failure(&f, 8008, false, false, &failure);
    assert_int_equal(failure.kind, REPORT_REFUSED);
    assert_string_equal(failure.text, "REST API, port 8008: cannot connect: Connection refused");
    f = (struct http_failure){HTTP_FAULT_NETWORK, true,
                              "the server has closed the connection without an answer"};
    patroni_report_failure(&f, 8008, false, false, &failure);
    assert_failure(REPORT_REFUSED, HINT_NONE,
                   "without an answer. If it speaks TLS there, write tls=verify-full");
    patroni_report_failure(&f, 8008, true, false, &failure);
    assert_null(strstr(failure.text, "If it speaks TLS"));
    f.fault = HTTP_FAULT_ANSWER;
    patroni_report_failure(&f, 8008, true, false, &failure);
    assert_int_equal(failure.kind, REPORT_ODD);
    f.fault = HTTP_FAULT_LOCAL;
    patroni_report_failure(&f, 8008, false, false, &failure);
    assert_int_equal(failure.kind, REPORT_ODD);
    patroni_report_failure(&f, 8008, false, true, &failure);
    assert_int_equal(failure.kind, REPORT_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_primary_is_the_writer_under_both_of_its_names),
        TEST(replicas_and_standby_leaders_are_readers),
        TEST(the_numbers_are_those_that_the_database_itself_gives),
        TEST(a_start_is_one_moment_in_all_time_zones),
        TEST(the_leader_lock_is_held_lost_or_says_nothing),
        TEST(a_paused_cluster_and_one_without_its_store_have_no_lock),
        TEST(a_lock_is_held_only_by_who_has_read_the_store_lately),
        TEST(a_cluster_without_a_name_has_no_lock),
        TEST(W4_who_does_not_say_yet_which_data_set_it_has_claims_nothing),
        TEST(a_database_that_does_not_run_is_no_answer),
        TEST(half_a_claim_is_none),
        TEST(what_is_no_patroni_is_told_with_what_to_do),
        TEST(who_wants_authentication_is_not_asked_again),
        TEST(a_document_that_goes_too_deep_is_none),
        TEST(brackets_in_texts_do_not_hide_how_deep_a_document_goes),
        TEST(why_there_was_no_answer_is_told_with_a_guess_at_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
