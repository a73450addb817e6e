/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_deployments.c - W4a: what a server of the engine mysql may say of a blue/green deployment, and that
 * any other server is asked for none. What the statuses mean is in aurora_mysql_reports.c.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/mysql/family/deployments.h"
#include "agent/probe/engines/mysql/mysql_reports.h"
#include "tests/support/mysql_server.h"
#include "tests/support/test.h"

#define SOURCE       "|3306|BLUE_GREEN_DEPLOYMENT_SOURCE|"
#define TARGET       "|3306|BLUE_GREEN_DEPLOYMENT_TARGET|"
#define GREEN        "a-green-k7h2ma.abc.example"
#define BOTH(status) "a.abc.example" SOURCE status "|1.0\n" GREEN TARGET status "|1.0"

static const struct server OPEN = {.read_only = "0"}, CLOSED = {.read_only = "1"};

struct heard {
    struct report report;
    struct mysql_report_failure failure;
    int end;
    char steps[16]; /* a letter of each that was asked: L, D; any other: . */
};

static const struct mysql_answer *answer_to(const struct server *s, int step, const char *rows)
{
    if (step == MYSQL_STEP_LOOK && rows && rows[0] == '?')
        return answer_error((unsigned)strtoul(rows + 1, NULL, 10), "an error");
    if (step == MYSQL_STEP_LOOK)
        return answer_table("1|2", "%s", rows ? "1|2" : "");
    if (step != MYSQL_STEP_DEPLOYMENT)
        return answer_of(s, (enum mysql_step)step);
    if (rows[0] == '!')
        return answer_error((unsigned)strtoul(rows + 1, NULL, 10), "an error");
    return answer_table("endpoint|port|role|status|version", "%s", rows);
}

/* One question. `rows`: of the table; NULL: there is none; "!1142": an error in their place; "?1205": in
 * place of what is looked for. */
static struct heard hear(struct mysql_deployed *seen, const struct server *s, bool cheap,
                         const char *rows)
{
    struct heard h = {.end = mysql_deployed_first(seen, cheap)};

    for (size_t i = 0; h.end < MYSQL_DEPLOYED_STEP_COUNT; i++) {
        assert_true(i < sizeof(h.steps) - 1);
        assert_non_null(mysql_deployed_question(seen, h.end));
        h.steps[i] = h.end == MYSQL_STEP_LOOK ? 'L' : h.end == MYSQL_STEP_DEPLOYMENT ? 'D' : '.';
        h.end = mysql_deployed_take(seen, h.end, answer_to(s, h.end, rows), &h.failure);
    }
    if (h.end == MYSQL_STEP_DONE)
        mysql_deployed_report(seen, &h.report);
    return h;
}

static void W4a_a_server_without_the_table_is_asked_once_and_then_once_a_minute(void **state)
{
    struct mysql_deployed seen = {.there = false};
    struct heard h = hear(&seen, &OPEN, false, NULL);
    (void)state;
    assert_string_equal(h.steps, ".L..");
    assert_int_equal(h.report.role, ROLE_WRITER);
    assert_int_equal(h.report.phase, PHASE_NONE);
    assert_false(seen.told);
    assert_string_equal(hear(&seen, &OPEN, true, NULL).steps, ".");
    for (int i = 1; i < MYSQL_LOOK_REST; i++)
        assert_string_equal(hear(&seen, &OPEN, false, NULL).steps, "..");
    assert_string_equal(hear(&seen, &OPEN, false, NULL).steps, "L..");
}

static void W4a_the_deployment_is_asked_for_before_what_decides_the_role(void **state)
{
    struct mysql_deployed seen = {.there = false};
    struct heard h = hear(&seen, &OPEN, false, BOTH("AVAILABLE"));
    (void)state;
    assert_string_equal(h.steps, ".LD..");
    assert_int_equal(h.report.role, ROLE_WRITER);
    assert_int_equal(h.report.phase, PHASE_AVAILABLE);
    assert_true(seen.told);
    assert_int_equal(seen.topology.count, 1);
    assert_string_equal(seen.topology.at[0].host, GREEN);
    assert_true(seen.topology.at[0].green);
    assert_string_equal(hear(&seen, &OPEN, false, BOTH("AVAILABLE")).steps, "D..");
    assert_string_equal(hear(&seen, &OPEN, true, BOTH("AVAILABLE")).steps, ".");
    assert_false(seen.told);
    /* Who is closed all at once may be handing over. */
    h = hear(&seen, &CLOSED, true, BOTH("SWITCHOVER_IN_PROGRESS"));
    assert_string_equal(h.steps, ".D..");
    assert_int_equal(h.report.role, ROLE_READER);
    assert_int_equal(h.report.phase, PHASE_IN_PROGRESS);
}

static void W4a_while_it_switches_over_it_is_asked_in_full_each_time(void **state)
{
    struct mysql_deployed seen = {.there = false};
    (void)state;
    hear(&seen, &OPEN, false, BOTH("SWITCHOVER_INITIATED"));
    assert_string_equal(hear(&seen, &OPEN, true, BOTH("SWITCHOVER_IN_POST_PROCESSING")).steps,
                        "D..");
    assert_string_equal(hear(&seen, &OPEN, true, BOTH("SWITCHOVER_COMPLETED")).steps, "D..");
    assert_string_equal(hear(&seen, &OPEN, true, BOTH("SWITCHOVER_COMPLETED")).steps, ".");
}

static void W4a_an_empty_table_tells_of_none(void **state)
{
    struct mysql_deployed seen = {.there = false};
    (void)state;
    hear(&seen, &OPEN, false, BOTH("AVAILABLE"));
    assert_int_equal(hear(&seen, &OPEN, false, "").report.phase, PHASE_NONE);
    assert_true(seen.told);
    assert_int_equal(seen.topology.count, 0);
}

static void W4a_rows_of_another_kind_are_strange_and_the_role_is_known(void **state)
{
    static const char *const ODD[] = {BOTH("SWITCHED"), "a|b|c|d|e", GREEN TARGET "AVAILABLE|2.0"};
    (void)state;
    for (size_t i = 0; i < sizeof(ODD) / sizeof(ODD[0]); i++) {
        struct mysql_deployed seen = {.there = false};
        struct heard h = hear(&seen, &OPEN, false, ODD[i]);
        assert_int_equal(h.report.role, ROLE_WRITER);
        assert_int_equal(h.report.phase, PHASE_STRANGE);
    }
}

static void W4a_rows_of_a_multi_az_cluster_are_no_deployment(void **state)
{
    struct mysql_deployed seen = {.there = false};
    struct heard h = hear(&seen, &OPEN, false, "a.abc.example|3306|\\N|\\N|\\N");
    (void)state;
    assert_int_equal(h.report.phase, PHASE_NONE);
    assert_int_equal(seen.topology.count, 0);
}

/* "!1142" comes with a table that is there, NULL when it is looked for. */
static void W4a_a_table_that_is_gone_counts_as_none_after_several_questions(void **state)
{
    static const char *const GONE[] = {"!1146", "!1142", "!1143", "!1054"};
    (void)state;
    for (size_t i = 0; i < sizeof(GONE) / sizeof(GONE[0]); i++) {
        struct mysql_deployed seen = {.there = false};
        hear(&seen, &OPEN, false, BOTH("AVAILABLE"));
        struct heard h = hear(&seen, &OPEN, false, GONE[i]);
        assert_string_equal(h.steps, "D..");
        assert_int_equal(h.report.role, ROLE_WRITER);
        assert_false(seen.told);
        for (int n = 2; n <= MYSQL_DEPLOYMENT_MISSES; n++) {
            assert_int_equal(h.report.phase, PHASE_AVAILABLE);
            h = hear(&seen, &OPEN, false, n % 2 ? GONE[i] : NULL);
            assert_string_equal(h.steps, n % 2 ? "LD.." : "L..");
        }
        assert_int_equal(h.report.phase, PHASE_NONE);
        h = hear(&seen, &OPEN, false, BOTH("SWITCHOVER_IN_PROGRESS"));
        assert_string_equal(h.steps, "LD..");
        assert_int_equal(h.report.phase, PHASE_IN_PROGRESS);
    }
}

static void W4a_a_table_that_is_missing_for_a_moment_loses_no_switchover(void **state)
{
    struct mysql_deployed seen = {.there = false};
    (void)state;
    for (int i = 0; i < MYSQL_DEPLOYMENT_MISSES; i++) {
        hear(&seen, &OPEN, false, BOTH("SWITCHOVER_IN_PROGRESS"));
        assert_int_equal(hear(&seen, &OPEN, false, "!1146").report.phase, PHASE_IN_PROGRESS);
        assert_int_equal(hear(&seen, &OPEN, false, NULL).report.phase, PHASE_IN_PROGRESS);
    }
}

static void W4a_a_table_that_never_told_is_looked_for_once_a_minute(void **state)
{
    struct mysql_deployed seen = {.there = false};
    (void)state;
    assert_string_equal(hear(&seen, &OPEN, false, "!1054").steps, ".LD..");
    for (int i = 1; i < MYSQL_LOOK_REST; i++)
        assert_string_equal(hear(&seen, &OPEN, false, "!1054").steps, "..");
    assert_string_equal(hear(&seen, &OPEN, false, "?1205").steps, "L..");
    assert_string_equal(hear(&seen, &OPEN, false, "").steps, "..");
}

static void W4a_an_error_is_no_word_that_the_table_is_gone(void **state)
{
    struct mysql_deployed seen = {.there = false};
    (void)state;
    hear(&seen, &OPEN, false, BOTH("SWITCHOVER_IN_PROGRESS"));
    hear(&seen, &OPEN, false, "!1146");
    for (int i = 0; i < 2 * MYSQL_DEPLOYMENT_MISSES; i++) {
        struct heard h = hear(&seen, &OPEN, false, "?1205");
        assert_string_equal(h.steps, "L..");
        assert_int_equal(h.report.phase, PHASE_IN_PROGRESS);
    }
}

static void W4a_any_other_error_is_one(void **state)
{
    struct mysql_deployed seen = {.there = false};
    (void)state;
    hear(&seen, &OPEN, false, BOTH("AVAILABLE"));
    assert_int_equal(hear(&seen, &OPEN, false, "!1040").end, MYSQL_STEP_FAILED);
    assert_int_equal(hear(&seen, &OPEN, false, "!1047").end, MYSQL_STEP_DONE); /* of Galera */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W4a_a_server_without_the_table_is_asked_once_and_then_once_a_minute),
        TEST(W4a_the_deployment_is_asked_for_before_what_decides_the_role),
        TEST(W4a_while_it_switches_over_it_is_asked_in_full_each_time),
        TEST(W4a_an_empty_table_tells_of_none),
        TEST(W4a_rows_of_another_kind_are_strange_and_the_role_is_known),
        TEST(W4a_rows_of_a_multi_az_cluster_are_no_deployment),
        TEST(W4a_a_table_that_is_gone_counts_as_none_after_several_questions),
        TEST(W4a_a_table_that_is_missing_for_a_moment_loses_no_switchover),
        TEST(W4a_a_table_that_never_told_is_looked_for_once_a_minute),
        TEST(W4a_an_error_is_no_word_that_the_table_is_gone),
        TEST(W4a_any_other_error_is_one),
    };
    return cmocka_run_group_tests_name("blue/green deployments of RDS for MySQL", tests, NULL,
                                       NULL);
}
