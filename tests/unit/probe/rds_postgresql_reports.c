/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_reports.c - what servers of a Multi-AZ DB cluster with PostgreSQL may answer, as AWS
 * documents it. What they have of any PostgreSQL is in postgresql_reports.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/engines/postgresql/rds_postgresql_reports.h"
#include "tests/support/test.h"

#define WRITER "f", "000000020000000000000004", "0/4016DC8", "off", NULL, "0/4000DF8"
#define READER "t", NULL, "0/4016DC8", "on", NULL, NULL
#define ONE    "db-A", "one.abc.eu-west-1.rds.amazonaws.com", "5432"
#define NONE   NULL, NULL, NULL /* of a deployment */
#define TWO    "db-B", "two.abc.eu-west-1.rds.amazonaws.com", "5433"

enum {
    LATER = RDS_POSTGRES_COLUMN_COUNT + POSTGRES_START_TIME,
    FIRST = RDS_POSTGRES_COLUMN_COUNT + POSTGRES_COLUMN_COUNT
};

static struct topology topology;
static struct postgres_seen seen;

static int begin(void **state)
{
    (void)state;
    seen = (struct postgres_seen){0};
    return 0;
}

static bool take(const char *const *texts, int count, int columns)
{
    const struct postgres_rows rows = {.count = count, .columns = columns, .texts = texts};
    topology_init(&topology);
    seen.topology = &topology;
    seen.wrong = NULL;
    return rds_postgres_read(&rows, &seen);
}

static void who_is_not_in_recovery_and_follows_nobody_is_the_writer(void **state)
{
    static const char *const SOURCES[] = {NULL, "", "db-A"};
    (void)state;
    for (size_t i = 0; i < sizeof(SOURCES) / sizeof(SOURCES[0]); i++) {
        const char *const texts[] = {ONE, "db-A", SOURCES[i], NONE, WRITER,
                                     TWO, "db-A", SOURCES[i], NONE, WRITER};
        assert_true(take(texts, 2, LATER));
        assert_int_equal(seen.report.kind, REPORT_ANSWER);
        assert_int_equal(seen.report.role, ROLE_WRITER);
        assert_int_equal(seen.report.term.lo, 2);
        assert_int_equal(seen.report.position, 0x4016DC8);
        assert_int_equal(seen.report.branch, 0x4000DF8);
        assert_false(seen.report.fenced || seen.in_recovery || seen.unready);
        assert_null(seen.note);
    }
}

static void each_row_names_a_host_and_its_port(void **state)
{
    const char *const texts[] = {ONE, "db-B", "db-A", NONE, READER,
                                 TWO, "db-B", "db-A", NONE, READER};
    (void)state;
    assert_true(take(texts, 2, LATER));
    assert_int_equal(seen.report.role, ROLE_READER);
    assert_true(seen.in_recovery);
    assert_false(seen.unready);
    assert_null(seen.note);
    assert_int_equal(topology.count, 2);
    assert_string_equal(topology.at[1].host, "two.abc.eu-west-1.rds.amazonaws.com");
    assert_string_equal(topology.at[1].id, "");
    assert_int_equal(topology.at[1].port, 5433);
}

static void who_names_a_source_is_a_reader_although_not_in_recovery(void **state)
{
    const char *const texts[] = {ONE, "db-A", "db-B", NONE, WRITER};
    (void)state;
    assert_true(take(texts, 1, LATER));
    assert_int_equal(seen.report.role, ROLE_READER);
    assert_true(seen.unready);
    assert_non_null(strstr(seen.note, "counted as a reader"));
}

static void who_names_no_source_is_a_reader_as_long_as_it_is_in_recovery(void **state)
{
    const char *const texts[] = {ONE, "db-A", "", NONE, READER};
    (void)state;
    assert_true(take(texts, 1, LATER));
    assert_int_equal(seen.report.role, ROLE_READER);
}

static void the_first_answer_has_identity_and_incarnation(void **state)
{
    const char *const first[] = {
        ONE, "db-A", NULL, NONE, WRITER, "1763636391.123457", "7710208483270621824"};
    const char *const later[] = {ONE, "db-A", NULL, NONE, WRITER};
    (void)state;
    assert_true(take(first, 1, FIRST));
    assert_true(take(later, 1, LATER));
    assert_int_equal(seen.report.identity, 7710208483270621824);
    assert_int_equal(seen.report.incarnation, 1763636391123457);
}

static void a_topology_without_rows_is_a_failure(void **state)
{
    (void)state;
    assert_false(take(NULL, 0, LATER));
    assert_non_null(strstr(seen.wrong, "returns no row"));
    assert_int_equal(seen.report.role, ROLE_NONE);
}

/* As an older version shows a blue/green deployment. */
static void a_topology_without_the_server_itself_is_of_something_else(void **state)
{
    const char *const texts[] = {ONE, "db-C", "", NONE, WRITER, TWO, "db-C", "", NONE, WRITER};
    (void)state;
    assert_false(take(texts, 2, LATER));
    assert_non_null(strstr(seen.wrong, "does not name this server"));
    assert_int_equal(seen.report.role, ROLE_NONE);
}

#define DEPLOYED(role, status) "BLUE_GREEN_DEPLOYMENT_" role, status, "1.0"
#define BLUE                   "db-A", "one.abc.eu-west-1.rds.amazonaws.com", "5432", "db-A", ""
#define GREEN                  "db-G", "one-green-k7.abc.eu-west-1.rds.amazonaws.com", "5432", "db-A", ""

static void W4a_rows_of_a_deployment_are_no_members_but_for_the_green_servers(void **state)
{
    const char *const texts[] = {BLUE,
                                 DEPLOYED("SOURCE", "SWITCHOVER_IN_PROGRESS"),
                                 WRITER,
                                 ONE,
                                 "db-A",
                                 "",
                                 NONE,
                                 WRITER,
                                 TWO,
                                 "db-A",
                                 "",
                                 NONE,
                                 WRITER,
                                 GREEN,
                                 DEPLOYED("TARGET", "SWITCHOVER_IN_PROGRESS"),
                                 WRITER};
    (void)state;
    assert_true(take(texts, 4, LATER));
    assert_int_equal(seen.report.role, ROLE_WRITER);
    assert_int_equal(seen.report.phase, PHASE_IN_PROGRESS);
    assert_int_equal(topology.count, 3);
    assert_false(topology.at[0].green || topology.at[1].green);
    assert_string_equal(topology.at[2].host, "one-green-k7.abc.eu-west-1.rds.amazonaws.com");
    assert_true(topology.at[2].green);
    assert_true(take(texts + LATER, 2, LATER));
    assert_int_equal(seen.report.phase, PHASE_NONE);
}

static void W4a_a_server_that_tells_of_a_deployment_alone_says_all_the_same_what_it_is(void **state)
{
    const char *const texts[] = {BLUE,  DEPLOYED("SOURCE", "AVAILABLE"), WRITER,
                                 GREEN, DEPLOYED("TARGET", "AVAILABLE"), WRITER};
    (void)state;
    assert_true(take(texts, 2, LATER));
    assert_int_equal(seen.report.role, ROLE_WRITER);
    assert_int_equal(seen.report.phase, PHASE_AVAILABLE);
    assert_int_equal(topology.count, 1);
}

static void
W4a_a_deployment_that_is_not_known_is_strange_and_takes_nothing_from_the_rest(void **state)
{
    static const char *const CASES[][LATER] = {
        {BLUE, "BLUE_GREEN_DEPLOYMENT_SOURCE", "AVAILABLE", "2.0", WRITER},
        {BLUE, NULL, NULL, "1.0", WRITER},
        {BLUE, NULL, "AVAILABLE", NULL, WRITER},
        {"db-A", NULL, "5432", "db-A", "", DEPLOYED("SOURCE", "AVAILABLE"), WRITER},
        {"db-A", "one.abc", NULL, "db-A", "", DEPLOYED("SOURCE", "AVAILABLE"), WRITER},
    };
    const char *const nobody[] = {
        "db-A", "one.abc", "5432", NULL, "", DEPLOYED("SOURCE", "AVAILABLE"), WRITER};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_true(take(CASES[i], 1, LATER));
        assert_int_equal(seen.report.role, ROLE_WRITER);
        assert_int_equal(seen.report.phase, PHASE_STRANGE);
        assert_int_equal(topology.count, 0);
    }
    assert_false(take(nobody, 1, LATER));
}

#define HOST "one.abc.internal"

static void rows_of_another_shape_are_refused_and_change_nothing(void **state)
{
    static const char *const CASES[][LATER] = {
        {NULL, HOST, "5432", "db-A", "", NONE, WRITER},
        {"db-A", NULL, "5432", "db-A", "", NONE, WRITER},
        {"db-A", HOST, NULL, "db-A", "", NONE, WRITER},
        {"db-A", HOST, "0", "db-A", "", NONE, WRITER},
        {"db-A", HOST, "-1", "db-A", "", NONE, WRITER},
        {"db-A", HOST, "65536", "db-A", "", NONE, WRITER},
        {"db-A", HOST, "x", "db-A", "", NONE, WRITER},
        {"db-A", HOST, "5432", NULL, "", NONE, WRITER},
        {"db-A", HOST, "5432", "db-A", "", NONE, NULL, NULL, NULL, NULL, NULL, NULL},
        {"db-A", HOST, "5432", "db-A", "", NONE, "f", NULL, "0/1", "off", NULL, NULL},
    };
    static const struct report BEFORE = {.role = ROLE_READER, .identity = 9};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        seen.report = BEFORE;
        if (take(CASES[i], 1, LATER))
            fail_msg("answer %zu was taken", i);
        assert_memory_equal(&seen.report, &BEFORE, sizeof(BEFORE));
        assert_null(seen.wrong);
    }
    assert_false(take(CASES[0], 1, RDS_POSTGRES_COLUMN_COUNT - 1));
}

static void what_mends_it_is_said_and_a_server_that_starts_needs_nothing(void **state)
{
    (void)state;
    assert_non_null(strstr(rds_postgres_mend("3F000"), "CREATE EXTENSION rds_tools"));
    assert_non_null(strstr(rds_postgres_mend("42883"), "write engine: postgresql"));
    assert_null(rds_postgres_mend("42501")); /* the rights are asked for */
    assert_null(rds_postgres_mend("57P03"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(begin, who_is_not_in_recovery_and_follows_nobody_is_the_writer),
        TEST_FROM(begin, each_row_names_a_host_and_its_port),
        TEST_FROM(begin, who_names_a_source_is_a_reader_although_not_in_recovery),
        TEST_FROM(begin, who_names_no_source_is_a_reader_as_long_as_it_is_in_recovery),
        TEST_FROM(begin, the_first_answer_has_identity_and_incarnation),
        TEST_FROM(begin, a_topology_without_rows_is_a_failure),
        TEST_FROM(begin, a_topology_without_the_server_itself_is_of_something_else),
        TEST_FROM(begin, W4a_rows_of_a_deployment_are_no_members_but_for_the_green_servers),
        TEST_FROM(begin,
                  W4a_a_server_that_tells_of_a_deployment_alone_says_all_the_same_what_it_is),
        TEST_FROM(begin,
                  W4a_a_deployment_that_is_not_known_is_strange_and_takes_nothing_from_the_rest),
        TEST_FROM(begin, rows_of_another_shape_are_refused_and_change_nothing),
        TEST_FROM(begin, what_mends_it_is_said_and_a_server_that_starts_needs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
