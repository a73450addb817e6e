/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_mysql_reports.c - what servers of a Global Database answer otherwise than those of one region,
 * which are in aurora_mysql_reports.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "tests/support/mysql_answer.h"
#include "tests/support/test.h"

#define MASTER "MASTER_SESSION_ID"

/* A server "a" that has these rows; returns the step that comes next, or how it ended. */
static int hear(struct aurora_seen *seen, const char *rows, const char *read_only,
                struct mysql_report_failure *ret_failure)
{
    *seen = (struct aurora_seen){.global = true, .introduced = true, .id = "a", .born = 1};
    int next = aurora_step_take(seen, AURORA_STEP_TOPOLOGY,
                                answer_table("id|session|age|region|lsn", "%s", rows), ret_failure);
    return next != AURORA_STEP_STATE
               ? next
               : aurora_step_take(seen, AURORA_STEP_STATE, answer_table("ro", "%s", read_only),
                                  ret_failure);
}

static struct report report_of(const char *rows, const char *read_only)
{
    struct aurora_seen seen;
    struct mysql_report_failure failure;
    struct report report;
    assert_int_equal(hear(&seen, rows, read_only, &failure), MYSQL_STEP_DONE);
    aurora_report(&seen, &report);
    return report;
}

static void it_has_a_table_of_its_own(void **state)
{
    const struct aurora_seen global = {.global = true}, regional = {.global = false};
    (void)state;
    assert_non_null(strstr(aurora_question(&global, AURORA_STEP_TOPOLOGY), "AWS_REGION"));
    assert_null(strstr(aurora_question(&regional, AURORA_STEP_TOPOLOGY), "AWS_REGION"));
}

static void each_row_names_a_server_and_its_region(void **state)
{
    struct aurora_seen seen;
    struct mysql_report_failure failure;
    (void)state;
    hear(&seen, "a|" MASTER "|0|eu-west-1|1000\nb|x|0|us-east-1|900", "0", &failure);
    assert_true(seen.told);
    assert_int_equal(seen.topology.count, 2);
    assert_string_equal(seen.topology.at[0].region, "eu-west-1");
    assert_string_equal(seen.topology.at[1].region, "us-east-1");
}

static void its_own_row_has_its_position(void **state)
{
    struct report writer = report_of("a|" MASTER "|0|eu-west-1|1000\nb|x|0|us-east-1|900", "0");
    struct report reader = report_of("b|" MASTER "|0|eu-west-1|1000\na|x|0|us-east-1|900", "1");
    (void)state;
    assert_int_equal(writer.role, ROLE_WRITER);
    assert_int_equal(writer.position, 1000);
    assert_int_equal(reader.role, ROLE_READER);
    assert_int_equal(reader.position, 900);
    assert_true(writer.term.lo == 0 && reader.term.lo == 0); /* W12 gives them one */
}

/* W12: by the names that all regions know. */
static void who_reads_follows_who_is_named_as_the_writer(void **state)
{
    struct report writer = report_of("a|" MASTER "|0|eu-west-1|1000\nb|x|0|us-east-1|900", "0");
    struct report reader = report_of("b|" MASTER "|0|eu-west-1|1000\na|x|0|us-east-1|900", "1");
    struct report other = report_of("b|x|0|eu-west-1|1000\na|" MASTER "|0|eu-west-1|900", "0");
    (void)state;
    assert_true(writer.self != 0 && writer.follows == 0);
    assert_true(reader.self != 0 && reader.self != writer.self && reader.follows != 0);
    assert_int_equal(other.self, writer.self); /* of its own id and region */
    assert_int_equal(report_of("b|x|0|eu-west-1|1\na|x|0|us-east-1|1", "1").follows, 0);
    /* It was demoted, or is about to be the writer. */
    assert_int_equal(report_of("b|x|0|eu-west-1|1\na|" MASTER "|0|us-east-1|1", "1").follows, 0);
}

static void of_two_writers_that_are_named_nobody_knows_which_one_it_follows(void **state)
{
    (void)state;
    assert_int_equal(report_of("b|" MASTER "|0|eu-west-1|1\nc|" MASTER "|0|eu-west-1|1\n"
                               "a|x|0|us-east-1|1",
                               "1")
                         .follows,
                     0);
}

/* A writer that was left behind, and whose rows name the new one: it is no replica of that. */
static void who_takes_writes_follows_nobody(void **state)
{
    static const char ROWS[] = "b|" MASTER "|0|us-east-1|990\na|x|0|eu-west-1|1000";
    (void)state;
    assert_int_equal(report_of(ROWS, "0").role, ROLE_READER);
    assert_int_equal(report_of(ROWS, "0").follows, 0);
    assert_true(report_of(ROWS, "1").follows != 0);
}

static void rows_that_name_nobody_or_several_say_nothing(void **state)
{
    static const char *const ROWS[] = {"b|x|0|us-east-1|990\na|x|0|eu-west-1|1000",
                                       "b|" MASTER "|0|us-east-1|990\nc|" MASTER
                                       "|0|us-east-1|1\na|x|0|eu-west-1|1000"};
    struct aurora_seen seen;
    struct mysql_report_failure failure;
    struct report before, report;
    (void)state;
    hear(&seen, "b|" MASTER "|0|us-east-1|990\na|x|0|eu-west-1|1000", "1", &failure);
    aurora_report(&seen, &before);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        aurora_step_take(&seen, AURORA_STEP_TOPOLOGY,
                         answer_table("id|session|age|region|lsn", "%s", ROWS[i]), &failure);
        aurora_report(&seen, &report);
        assert_true(report.follows != 0 && report.follows == before.follows);
    }
}

static void who_is_in_no_row_has_no_name(void **state)
{
    (void)state;
    assert_int_equal(report_of("b|" MASTER "|0|eu-west-1|1", "1").self, 0);
}

/* Ids are unique within a region alone. */
static void of_two_servers_with_one_id_the_one_that_takes_writes_is_the_writer(void **state)
{
    static const char ROWS[] = "a|" MASTER "|0|eu-west-1|1000\na|x|0|us-east-1|900";
    (void)state;
    assert_int_equal(report_of(ROWS, "0").role, ROLE_WRITER);
    assert_int_equal(report_of(ROWS, "0").position, 1000);
    assert_int_equal(report_of(ROWS, "1").role, ROLE_READER);
    assert_int_equal(report_of(ROWS, "1").position, 900);
    assert_int_equal(report_of(ROWS, "1").follows, report_of(ROWS, "0").self);
}

static void
a_row_of_a_writer_of_another_region_takes_nothing_from_one_that_takes_writes(void **state)
{
    (void)state;
    assert_int_equal(
        report_of("b|" MASTER "|0|us-east-1|990\na|" MASTER "|0|eu-west-1|1000", "0").role,
        ROLE_WRITER);
    assert_int_equal(report_of("b|" MASTER "|0|us-east-1|990\na|x|0|eu-west-1|1000", "0").role,
                     ROLE_READER);
}

static void what_is_no_global_database_is_told_which_engine_it_needs(void **state)
{
    struct aurora_seen seen;
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(hear(&seen, "", "0", &failure), MYSQL_STEP_FAILED);
    assert_non_null(strstr(failure.text, "write engine: aurora-mysql"));
    assert_int_equal(aurora_step_take(&seen, AURORA_STEP_TOPOLOGY,
                                      answer_error(1109, "Unknown table"), &failure),
                     MYSQL_STEP_FAILED);
    assert_non_null(strstr(failure.text, "write engine: aurora-mysql"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_a_table_of_its_own),
        TEST(each_row_names_a_server_and_its_region),
        TEST(its_own_row_has_its_position),
        TEST(who_reads_follows_who_is_named_as_the_writer),
        TEST(of_two_writers_that_are_named_nobody_knows_which_one_it_follows),
        TEST(who_takes_writes_follows_nobody),
        TEST(rows_that_name_nobody_or_several_say_nothing),
        TEST(who_is_in_no_row_has_no_name),
        TEST(of_two_servers_with_one_id_the_one_that_takes_writes_is_the_writer),
        TEST(a_row_of_a_writer_of_another_region_takes_nothing_from_one_that_takes_writes),
        TEST(what_is_no_global_database_is_told_which_engine_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
