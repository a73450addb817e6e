/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_postgresql_reports.c - what the instances of a Global Database answer otherwise than those
 * of one region, which are in aurora_postgresql_reports.c.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/engines/postgresql/aurora_postgresql_reports.h"
#include "tests/support/postgres_answer.h"
#include "tests/support/test.h"

/* How an answer's rows begin, which says of the server that it is not, or is, in recovery, and its id; and
 * how they go on. */
#define EU        "f|eu-1|"
#define EU_CLOSED "t|eu-1|"
#define US_CLOSED "t|us-1|"
#define EU_WRITES "eu-1|t|0|1000|1000|eu-west-1"
#define EU_READS  "eu-1|f|0|1000|1000|eu-west-1"
#define US_WRITES "us-1|t|0|1001|1001|us-east-1"
#define US_READS  "us-1|f|0|900|900|us-east-1"
#define FIRST     "|1763636391.123457|7710208483270621824"
/* Ids are unique within a region alone. */
#define ONE_ID_WRITES "a|t|0|1000|1000|eu-west-1"
#define ONE_ID_READS  "a|f|0|900|900|us-east-1"

static struct postgres_seen seen;
static struct topology topology;

static int begin(void **state)
{
    (void)state;
    seen = (struct postgres_seen){0};
    return 0;
}

/* `more`: another row, or NULL. */
static bool take(const char *each, const char *row, const char *more)
{
    char text[512];
    snprintf(text, sizeof(text), "%s%s%s%s%s", each, row, more ? "\n" : "", more ? each : "",
             more ? more : "");
    return postgres_answer_read(aurora_global_read, text, &seen, &topology);
}

static void its_instances_are_asked_for_with_their_regions(void **state)
{
    static const char *const QUESTIONS[] = {AURORA_GLOBAL_QUESTION, AURORA_GLOBAL_QUESTION_FIRST,
                                            AURORA_GLOBAL_QUESTION_FIRST_LESSER};
    (void)state;
    for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++) {
        assert_non_null(strstr(QUESTIONS[i], "pg_catalog.aurora_global_db_instance_status()"));
        assert_non_null(strstr(QUESTIONS[i], "aws_region"));
    }
    assert_null(strstr(AURORA_QUESTION, "aws_region"));
}

static void each_row_names_an_instance_and_its_region(void **state)
{
    (void)state;
    assert_true(take(EU, EU_WRITES, US_READS));
    assert_int_equal(topology.count, 2);
    assert_string_equal(topology.at[0].id, "eu-1");
    assert_string_equal(topology.at[0].region, "eu-west-1");
    assert_string_equal(topology.at[1].region, "us-east-1");
}

static void
the_instance_that_is_named_and_not_in_recovery_is_the_writer_and_not_fenced(void **state)
{
    (void)state;
    assert_true(take(EU, EU_WRITES FIRST, US_READS FIRST));
    assert_int_equal(seen.report.kind, REPORT_ANSWER);
    assert_int_equal(seen.report.role, ROLE_WRITER);
    assert_false(seen.report.fenced); /* W3a: the region that was left has a volume of its own */
    assert_true(seen.report.term.hi == 0 && seen.report.term.lo == 0); /* W12 gives it one */
    assert_true(seen.report.self != 0 && seen.report.follows == 0);
    assert_int_equal(seen.report.position, 1000);
    assert_int_equal(seen.report.identity, 7710208483270621824);
    assert_int_equal(seen.report.incarnation, 1763636391123457);
    assert_false(seen.unready);
    assert_null(seen.note);
}

static void an_instance_of_another_region_is_a_reader_with_what_that_has_made_durable(void **state)
{
    (void)state;
    assert_true(take(US_CLOSED, EU_WRITES, US_READS));
    assert_int_equal(seen.report.role, ROLE_READER);
    assert_int_equal(seen.report.position, 900);
    assert_false(seen.unready);
    assert_null(seen.note);
}

/* W12: by the names that all regions know. */
static void who_reads_follows_who_is_named_as_the_writer(void **state)
{
    (void)state;
    assert_true(take(EU, EU_WRITES, US_READS));
    uint64_t writer = seen.report.self;
    assert_true(take(US_CLOSED, EU_WRITES, US_READS));
    assert_int_equal(seen.report.follows, writer);
    uint64_t reader = seen.report.self;
    assert_true(reader != 0 && reader != writer);
    assert_true(take(US_CLOSED, EU_READS, US_READS)); /* nobody is named: that says nothing */
    assert_true(seen.report.self == reader && seen.report.follows == writer);
    assert_true(take(US_CLOSED, EU_READS, US_WRITES)); /* it is about to be the writer */
    assert_true(seen.report.self == reader && seen.report.follows == 0);
    assert_true(take("f|us-1|", EU_READS, US_WRITES));
    assert_true(seen.report.self == reader && seen.report.role == ROLE_WRITER);
}

static void of_two_writers_that_are_named_nobody_knows_which_one_it_follows(void **state)
{
    (void)state;
    assert_true(take(US_CLOSED, EU_WRITES, "eu-2|t|0|1000|1000|eu-west-1"));
    assert_int_equal(seen.report.follows, 0);
    assert_true(take(US_CLOSED, EU_WRITES, US_WRITES));
    assert_int_equal(seen.report.follows, 0);
}

/* A writer that was left behind, and whose rows name the new one: it is no replica of that. */
static void who_is_not_in_recovery_follows_nobody(void **state)
{
    (void)state;
    assert_true(take(EU, EU_READS, US_WRITES));
    assert_int_equal(seen.report.role, ROLE_READER);
    assert_true(seen.report.self != 0 && seen.report.follows == 0);
    assert_true(take(EU_CLOSED, EU_READS, US_WRITES));
    assert_true(seen.report.follows != 0);
}

static void who_is_in_no_row_has_no_name(void **state)
{
    (void)state;
    assert_true(take("t|us-9|", EU_WRITES, US_READS));
    assert_int_equal(seen.report.self, 0);
}

/* After a switchover, until it has started again or has heard of the new writer. */
static void a_writer_that_is_not_any_longer_is_a_reader_by_either_sign(void **state)
{
    (void)state;
    assert_true(take(EU_CLOSED, EU_WRITES, US_READS));
    assert_int_equal(seen.report.role, ROLE_READER);
    assert_non_null(strstr(seen.note, "in recovery"));
    assert_true(take(EU, EU_READS, US_WRITES));
    assert_int_equal(seen.report.role, ROLE_READER);
    assert_non_null(strstr(seen.note, "another writer"));
    assert_true(seen.unready);
}

/* What a region that was cut off says of itself, and of the one that took over. */
static void a_writer_beside_that_of_another_region_claims_all_the_same(void **state)
{
    (void)state;
    assert_true(take(EU, US_WRITES, EU_WRITES));
    assert_int_equal(seen.report.role, ROLE_WRITER);
    assert_int_equal(seen.report.position, 1000);
}

static void of_two_instances_with_one_id_each_has_the_row_that_fits_it(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        assert_true(
            take("t|a|", turn ? ONE_ID_READS : ONE_ID_WRITES, turn ? ONE_ID_WRITES : ONE_ID_READS));
        assert_int_equal(seen.report.role, ROLE_READER);
        assert_true(seen.report.follows != 0 && seen.report.follows != seen.report.self);
        assert_int_equal(seen.report.position, 900);
        assert_false(seen.unready);
        assert_null(seen.note);
        assert_int_equal(topology.count, 2);
    }
    uint64_t named = seen.report.follows;
    assert_true(take("f|a|", ONE_ID_READS, ONE_ID_WRITES));
    assert_int_equal(seen.report.role, ROLE_WRITER);
    assert_int_equal(seen.report.self, named);
    assert_int_equal(seen.report.position, 1000);
}

static void what_is_not_known_of_a_row_is_no_evidence(void **state)
{
    (void)state;
    assert_true(take(EU, "eu-1|t|0|\\N|\\N|\\N", NULL));
    assert_int_equal(seen.report.role, ROLE_WRITER);
    assert_int_equal(seen.report.position, 0);
    assert_string_equal(topology.at[0].region, "");
}

static void no_row_is_no_empty_database_and_tells_which_engine_it_needs(void **state)
{
    const struct postgres_rows none = {.columns = AURORA_START_TIME};
    (void)state;
    assert_false(aurora_global_read(&none, &seen));
    assert_non_null(strstr(seen.wrong, "write engine: aurora-postgresql"));
    assert_int_equal(seen.report.role, ROLE_NONE);
}

static void what_mends_it_is_said(void **state)
{
    (void)state;
    assert_non_null(strstr(aurora_global_mend("42883"), "write engine: aurora-postgresql"));
    assert_null(aurora_global_mend("42501")); /* the rights are asked for */
    assert_non_null(
        strstr(aurora_global_grants[0], "pg_catalog.aurora_global_db_instance_status()"));
    assert_null(aurora_global_mend("57P03"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(begin, its_instances_are_asked_for_with_their_regions),
        TEST_FROM(begin, each_row_names_an_instance_and_its_region),
        TEST_FROM(begin,
                  the_instance_that_is_named_and_not_in_recovery_is_the_writer_and_not_fenced),
        TEST_FROM(begin, an_instance_of_another_region_is_a_reader_with_what_that_has_made_durable),
        TEST_FROM(begin, who_reads_follows_who_is_named_as_the_writer),
        TEST_FROM(begin, of_two_writers_that_are_named_nobody_knows_which_one_it_follows),
        TEST_FROM(begin, who_is_not_in_recovery_follows_nobody),
        TEST_FROM(begin, who_is_in_no_row_has_no_name),
        TEST_FROM(begin, a_writer_that_is_not_any_longer_is_a_reader_by_either_sign),
        TEST_FROM(begin, a_writer_beside_that_of_another_region_claims_all_the_same),
        TEST_FROM(begin, of_two_instances_with_one_id_each_has_the_row_that_fits_it),
        TEST_FROM(begin, what_is_not_known_of_a_row_is_no_evidence),
        TEST_FROM(begin, no_row_is_no_empty_database_and_tells_which_engine_it_needs),
        TEST_FROM(begin, what_mends_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
