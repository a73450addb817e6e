/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql_reports.c - what servers of a Multi-AZ DB cluster may answer. What they have of any MySQL is in
 * mysql_reports.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/mysql/rds_mysql_reports.h"
#include "tests/support/mysql_server.h"
#include "tests/support/test.h"

#define COLUMNS "id|endpoint|port|own"
#define ROWS                                                                                       \
    "7|db-1.abc.eu-west-1.rds.amazonaws.com|3306|7\n8|db-2.abc.eu-west-1.rds.amazonaws.com|3307|7"

struct heard {
    struct report report;
    struct mysql_report_failure failure;
    int end;
};

/* A full question, with these rows of the topology. */
static struct heard hear(struct rds_seen *seen, const struct server *s, const char *rows)
{
    struct heard h = {.end = seen->mysql.introduced ? RDS_STEP_TOPOLOGY : MYSQL_STEP_FIRST};
    for (int i = 0; h.end < RDS_STEP_COUNT; i++) {
        assert_true(i < 8);
        assert_non_null(rds_question(seen, h.end));
        h.end = rds_step_take(seen, h.end,
                              h.end == RDS_STEP_TOPOLOGY ? answer_table(COLUMNS, "%s", rows)
                                                         : answer_of(s, (enum mysql_step)h.end),
                              &h.failure);
    }
    if (h.end == MYSQL_STEP_DONE)
        mysql_report(&seen->mysql, &h.report);
    return h;
}

static void the_topology_is_asked_for_before_what_decides_the_role(void **state)
{
    struct rds_seen seen = {.told = false};
    struct server s = {.read_only = "0"};
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(
        rds_step_take(&seen, MYSQL_STEP_FIRST, answer_of(&s, MYSQL_STEP_FIRST), &failure),
        RDS_STEP_TOPOLOGY);
    assert_int_equal(
        rds_step_take(&seen, RDS_STEP_TOPOLOGY, answer_table(COLUMNS, "%s", ROWS), &failure),
        MYSQL_STEP_CHANNELS);
}

static void each_row_names_a_host_and_its_port(void **state)
{
    struct rds_seen seen = {.told = false};
    struct heard h = hear(&seen, &(struct server){.read_only = "0"}, ROWS);
    (void)state;
    assert_int_equal(h.end, MYSQL_STEP_DONE);
    assert_true(seen.told);
    assert_int_equal(seen.topology.count, 2);
    assert_string_equal(seen.topology.at[1].host, "db-2.abc.eu-west-1.rds.amazonaws.com");
    assert_string_equal(seen.topology.at[1].id, "");
    assert_int_equal(seen.topology.at[1].port, 3307);
}

static void W12_its_readers_follow_its_writer(void **state)
{
    struct rds_seen a = {.told = false}, b = {.told = false};
    struct heard writer = hear(&a, &(struct server){.uuid = UUID_A}, ROWS);
    struct heard reader = hear(
        &b,
        &(struct server){.uuid = UUID_B, .read_only = "1", .channels = "|db-1|ON|0|0|ON|" UUID_A},
        ROWS);
    (void)state;
    assert_int_equal(writer.report.role, ROLE_WRITER);
    assert_int_equal(reader.report.role, ROLE_READER);
    assert_true(writer.report.self != 0 && reader.report.follows == writer.report.self);
    assert_int_equal(writer.report.term.hi | writer.report.term.lo, 0);
}

static void a_cheap_question_tells_of_nobody(void **state)
{
    struct rds_seen seen = {.told = false};
    struct server s = {.read_only = "0"};
    struct mysql_report_failure failure;
    (void)state;
    hear(&seen, &s, ROWS);
    assert_int_equal(
        rds_step_take(&seen, MYSQL_STEP_CHEAP, answer_of(&s, MYSQL_STEP_CHEAP), &failure),
        MYSQL_STEP_DONE);
    assert_false(seen.told);
}

static void a_topology_without_the_server_itself_is_of_something_else(void **state)
{
    static const char *const STRANGE[] = {
        "", "8|db-2.abc.internal|3306|7\n9|db-2-green-x1y2z3.abc.internal|3306|7"};
    (void)state;
    for (size_t i = 0; i < sizeof(STRANGE) / sizeof(STRANGE[0]); i++) {
        struct rds_seen seen = {.told = false};
        struct heard h = hear(&seen, &(struct server){.read_only = "0"}, STRANGE[i]);
        assert_int_equal(h.end, MYSQL_STEP_FAILED);
        assert_int_equal(h.failure.kind, REPORT_ODD);
        assert_non_null(strstr(h.failure.text, "write engine: mysql"));
        assert_false(seen.told);
    }
}

static void rows_of_another_shape_are_odd(void **state)
{
    static const char *const ODD[] = {"7|db-1|0|7",     "7|db-1|65536|7", "7|db-1|x|7",
                                      "7|db-1|\\N|7",   "7|\\N|3306|7",   "\\N|db-1|3306|7",
                                      "7|db-1|3306|\\N"};
    (void)state;
    for (size_t i = 0; i < sizeof(ODD) / sizeof(ODD[0]); i++) {
        struct rds_seen seen = {.told = false};
        struct heard h = hear(&seen, &(struct server){.read_only = "0"}, ODD[i]);
        assert_int_equal(h.end, MYSQL_STEP_FAILED);
        assert_non_null(strstr(h.failure.text, "does not answer as MySQL"));
    }
}

static void a_server_without_the_table_is_told_which_engine_it_needs(void **state)
{
    struct rds_seen seen = {.told = false};
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(rds_step_take(&seen, RDS_STEP_TOPOLOGY,
                                   answer_error(1146, "Table 'mysql.rds_topology' doesn't exist"),
                                   &failure),
                     MYSQL_STEP_FAILED);
    assert_non_null(strstr(failure.text, "write engine: mysql"));
}

static void a_missing_privilege_is_named_with_the_line_that_mends_it(void **state)
{
    struct rds_seen seen = {.told = false};
    struct mysql_report_failure failure;
    struct server s = {.read_only = "0"};
    (void)state;
    assert_int_equal(rds_step_take(&seen, RDS_STEP_TOPOLOGY,
                                   answer_error(1142, "SELECT command denied to user 'homing'@'x' "
                                                      "for table 'rds_topology'"),
                                   &failure),
                     MYSQL_STEP_ACCOUNT);
    assert_int_equal(
        rds_step_take(&seen, MYSQL_STEP_ACCOUNT, answer_of(&s, MYSQL_STEP_ACCOUNT), &failure),
        MYSQL_STEP_FAILED);
    assert_non_null(strstr(failure.text, "GRANT SELECT ON mysql.rds_topology TO 'homing'@'%'"));
}

static void aurora_is_told_which_engine_it_needs(void **state)
{
    struct rds_seen seen = {.told = false};
    struct heard h = hear(&seen, &(struct server){.aurora = "3.08.0"}, ROWS);
    (void)state;
    assert_int_equal(h.end, MYSQL_STEP_FAILED);
    assert_non_null(strstr(h.failure.text, "write engine: aurora-mysql"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_topology_is_asked_for_before_what_decides_the_role),
        TEST(each_row_names_a_host_and_its_port),
        TEST(W12_its_readers_follow_its_writer),
        TEST(a_cheap_question_tells_of_nobody),
        TEST(a_topology_without_the_server_itself_is_of_something_else),
        TEST(rows_of_another_shape_are_odd),
        TEST(a_server_without_the_table_is_told_which_engine_it_needs),
        TEST(a_missing_privilege_is_named_with_the_line_that_mends_it),
        TEST(aurora_is_told_which_engine_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
