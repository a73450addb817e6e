/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_mysql_reports.c - what servers of an Aurora MySQL cluster may answer: one test for each trap.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "agent/probe/engines/mysql/family/deployments.h"
#include "tests/support/mysql_answer.h"
#include "tests/support/test.h"

#define MASTER "MASTER_SESSION_ID"
#define READER "0a9b8c7d-1111-2222-3333-444455556666"
#define SOON   "500000"      /* half a second ago */
#define HOURS  "32400000000" /* nine hours ago */

/* What a server says: who it is, its rows, whether it is closed, and its deployment. NULL: a, started then,
 * open, no such table. */
struct server {
    const char *id, *started, *rows, *read_only, *deployment;
};

struct told {
    struct report report;
    const char *note;
    struct mysql_report_failure failure;
    bool failed;
};

static const struct mysql_answer *answer_of(const struct server *s, enum aurora_step step)
{
    switch (step) {
    case AURORA_STEP_FIRST:
        return answer_table("id|t", "%s|%s", s->id ? s->id : "a",
                            s->started ? s->started : "1796032457");
    case AURORA_STEP_TOPOLOGY:
        return answer_table("SERVER_ID|SESSION_ID|age|region|lsn", "%s", s->rows);
    case AURORA_STEP_DEPLOYMENT:
        return s->deployment
                   ? answer_table("endpoint|port|role|status|version", "%s", s->deployment)
                   : answer_error(1146, "Table 'mysql.rds_topology' doesn't exist");
    case AURORA_STEP_ACCOUNT:
        return answer_table("a", "homing@%%");
    default:
        return answer_table("ro", "%s", s->read_only ? s->read_only : "0");
    }
}

/* From this step on, to the end. */
static int ask(struct aurora_seen *seen, const struct server *s, enum aurora_step step,
               struct mysql_report_failure *ret_failure)
{
    int next = (int)step;
    for (int i = 0; next < AURORA_STEP_COUNT; i++) {
        assert_true(i < 6);
        assert_non_null(aurora_question(seen, (enum aurora_step)next));
        next = aurora_step_take(seen, (enum aurora_step)next, answer_of(s, (enum aurora_step)next),
                                ret_failure);
    }
    return next;
}

static struct told tell_with(struct aurora_seen *seen, const struct server *s)
{
    struct told t = {.failed = false};
    t.failed = ask(seen, s, seen->introduced ? AURORA_STEP_TOPOLOGY : AURORA_STEP_FIRST,
                   &t.failure) == MYSQL_STEP_FAILED;
    if (!t.failed)
        t.note = aurora_report(seen, &t.report);
    return t;
}

static struct told tell(const struct server *s)
{
    struct aurora_seen seen = {.introduced = false};
    return tell_with(&seen, s);
}

static bool names(const struct aurora_seen *seen, const char *id)
{
    for (uint32_t i = 0; i < seen->topology.count; i++)
        if (strcmp(seen->topology.at[i].id, id) == 0)
            return true;
    return false;
}

/* ---- claims ---- */

static void who_is_named_writer_and_takes_writes_claims_on_the_one_term(void **state)
{
    struct told t = tell(&(struct server){.rows = "a|" MASTER "|" SOON "\nb|" READER "|" SOON});
    (void)state;
    assert_false(t.failed);
    assert_int_equal(t.report.kind, REPORT_ANSWER);
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_true(t.report.term.hi == 0 && t.report.term.lo == 1);
    assert_true(t.report.identity != 0 && t.report.incarnation != 0);
    assert_true(t.report.self == 0 && t.report.follows == 0); /* W12 is not for it */
    assert_true(t.report.position == 0 && t.report.branch == 0);
    assert_null(t.note);
}

static void a_reader_is_one_though_it_names_the_writer(void **state)
{
    struct told t = tell(&(struct server){
        .id = "b", .rows = "a|" MASTER "|" SOON "\nb|" READER "|\\N", .read_only = "1"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_true(t.report.term.hi == 0 && t.report.term.lo == 1);
    assert_null(t.note);
}

static void the_own_row_has_no_time_and_counts_all_the_same(void **state)
{
    struct told t = tell(&(struct server){.rows = "a|" MASTER "|\\N\nb|" READER "|" SOON});
    (void)state;
    assert_int_equal(t.report.role, ROLE_WRITER);
}

static void one_that_was_just_demoted_names_itself_and_claims_no_more(void **state)
{
    struct told t =
        tell(&(struct server){.rows = "a|" MASTER "|\\N\nb|" READER "|" SOON, .read_only = "1"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
}

static void one_that_takes_writes_but_is_not_named_writer_yet_is_a_reader(void **state)
{
    struct told t =
        tell(&(struct server){.id = "b", .rows = "a|" MASTER "|" SOON "\nb|" READER "|" SOON});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_non_null(strstr(t.note, "does not call it the writer yet"));
}

static void one_without_a_row_of_its_own_is_a_reader(void **state)
{
    struct told t = tell(&(struct server){.id = "c", .rows = "a|" READER "|" SOON});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_non_null(strstr(t.note, "has no row"));
}

static void a_writers_row_of_nine_hours_ago_makes_no_writer(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    struct told t =
        tell_with(&seen, &(struct server){.rows = "a|" MASTER "|" HOURS "\nb|" READER "|" SOON});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_false(names(&seen, "a"));
    assert_true(names(&seen, "b"));
}

static void of_two_rows_of_writers_the_newest_counts(void **state)
{
    static const char OLD_FIRST[] = "b|" MASTER "|9000000\na|" MASTER "|" SOON;
    static const char NEW_FIRST[] = "a|" MASTER "|" SOON "\nb|" MASTER "|9000000";
    (void)state;
    assert_int_equal(tell(&(struct server){.rows = OLD_FIRST}).report.role, ROLE_WRITER);
    assert_int_equal(tell(&(struct server){.rows = NEW_FIRST}).report.role, ROLE_WRITER);
    assert_int_equal(tell(&(struct server){.id = "b", .rows = OLD_FIRST}).report.role, ROLE_READER);
    assert_int_equal(tell(&(struct server){.id = "b", .rows = NEW_FIRST}).report.role, ROLE_READER);
}

/* ---- a row's age ---- */

static void a_row_counts_for_three_minutes(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    tell_with(&seen, &(struct server){.rows = "a|" MASTER "|\\N\nb|" READER "|180000000"
                                              "\nc|" READER "|180000001"});
    assert_true(names(&seen, "b"));
    assert_false(names(&seen, "c"));
}

static void only_the_own_row_may_have_no_time(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    tell_with(&seen, &(struct server){.rows = "a|" MASTER "|\\N\nb|" READER "|\\N"});
    assert_int_equal(seen.topology.count, 1);
}

static void a_time_that_is_far_ahead_is_no_better_than_an_old_one(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    tell_with(&seen, &(struct server){.rows = "a|" MASTER "|\\N\nb|" READER "|-" SOON "\nc|" READER
                                              "|-" HOURS});
    assert_true(names(&seen, "b"));
    assert_false(names(&seen, "c"));
}

static void if_all_others_are_old_status_says_so(void **state)
{
    struct told t = tell(&(struct server){.rows = "a|" MASTER "|\\N\nb|" READER "|" HOURS});
    (void)state;
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_non_null(strstr(t.note, "no other server"));
}

static void an_empty_topology_is_a_failure_and_no_empty_cluster(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    struct told empty = tell_with(&seen, &(struct server){.rows = ""});
    (void)state;
    assert_true(empty.failed && !seen.told);
    assert_int_equal(empty.failure.kind, REPORT_ODD);
    assert_non_null(strstr(empty.failure.text, "has no rows"));
    assert_int_equal(empty.failure.hint, HINT_STARTING);
    struct told old = tell(&(struct server){.rows = "b|" MASTER "|" HOURS});
    assert_true(old.failed);
    assert_non_null(strstr(old.failure.text, "no row"));
}

/* ---- whom it names ---- */

static void each_row_names_a_server_by_its_id(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    tell_with(&seen, &(struct server){.rows = "a|" MASTER "|" SOON "\nb|" READER "|" SOON});
    assert_true(seen.told);
    assert_int_equal(seen.topology.count, 2);
    assert_string_equal(seen.topology.at[1].id, "b");
    assert_string_equal(seen.topology.at[1].host, "");
    assert_int_equal(seen.topology.at[1].port, 0);
}

/* Its old name stays in a row for as long as the server pleases. */
static void a_renamed_instance_is_named_by_its_new_id_alone(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    struct told t =
        tell_with(&seen, &(struct server){.id = "new",
                                          .rows = "old|" MASTER "|" HOURS "\nnew|" MASTER "|\\N"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_int_equal(seen.topology.count, 1);
    assert_string_equal(seen.topology.at[0].id, "new");
}

static void a_restarted_server_is_another_incarnation_of_the_same_data(void **state)
{
    struct told a = tell(&(struct server){.rows = "a|" MASTER "|" SOON});
    struct told again =
        tell(&(struct server){.rows = "a|" MASTER "|" SOON, .started = "1796032458"});
    struct told b = tell(&(struct server){.id = "b", .rows = "b|" READER "|" SOON});
    (void)state;
    assert_true(a.report.incarnation != again.report.incarnation);
    assert_true(a.report.incarnation != b.report.incarnation);
    assert_true(a.report.identity == b.report.identity);
}

/* ---- between full questions ---- */

static void a_cheap_question_is_enough_while_nothing_changed(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    struct server a = {.rows = "a|" MASTER "|" SOON};
    struct mysql_report_failure failure;
    (void)state;
    tell_with(&seen, &a);
    assert_int_equal(
        aurora_step_take(&seen, AURORA_STEP_CHEAP, answer_of(&a, AURORA_STEP_CHEAP), &failure),
        MYSQL_STEP_DONE);
    assert_false(seen.told);
    assert_false(aurora_is_unsettled(&seen));
    a.read_only = "1";
    assert_int_equal(
        aurora_step_take(&seen, AURORA_STEP_CHEAP, answer_of(&a, AURORA_STEP_CHEAP), &failure),
        AURORA_STEP_TOPOLOGY);
}

static void one_that_is_not_named_writer_yet_is_asked_in_full(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    tell_with(&seen, &(struct server){.id = "b", .rows = "a|" MASTER "|" SOON});
    assert_true(aurora_is_unsettled(&seen));
    tell_with(&seen, &(struct server){.id = "b", .rows = "b|" MASTER "|" SOON});
    assert_false(aurora_is_unsettled(&seen));
}

/* ---- strangers and liars ---- */

static void another_server_is_told_which_engine_it_needs(void **state)
{
    static const struct {
        enum aurora_step step;
        unsigned code;
        const char *words;
    } OTHERS[] = {
        {AURORA_STEP_FIRST, 1193, "Unknown system variable 'aurora_server_id'"},
        {AURORA_STEP_TOPOLOGY, 1109, "Unknown table 'REPLICA_HOST_STATUS' in information_schema"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        struct aurora_seen seen = {.introduced = false};
        struct mysql_report_failure failure;
        assert_int_equal(aurora_step_take(&seen, OTHERS[i].step,
                                          answer_error(OTHERS[i].code, OTHERS[i].words), &failure),
                         MYSQL_STEP_FAILED);
        assert_int_equal(failure.kind, REPORT_ODD);
        assert_non_null(strstr(failure.text, "write engine: mysql"));
    }
}

static void what_may_not_be_read_is_named_with_the_line_that_mends_it(void **state)
{
    struct aurora_seen seen = {.introduced = true};
    struct mysql_report_failure failure;
    const struct server s = {.rows = ""};
    (void)state;
    assert_int_equal(aurora_step_take(&seen, AURORA_STEP_TOPOLOGY,
                                      answer_error(1227, "Access denied; you need PROCESS"),
                                      &failure),
                     AURORA_STEP_ACCOUNT);
    assert_int_equal(ask(&seen, &s, AURORA_STEP_ACCOUNT, &failure), MYSQL_STEP_FAILED);
    assert_non_null(strstr(failure.text, "GRANT PROCESS ON *.* TO 'homing'@'%'"));
}

static void another_error_is_told_in_the_servers_words(void **state)
{
    struct aurora_seen seen = {.introduced = true};
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(
        aurora_step_take(&seen, AURORA_STEP_STATE, answer_error(1053, "shutdown"), &failure),
        MYSQL_STEP_FAILED);
    assert_int_equal(failure.kind, REPORT_BROKEN);
    assert_string_equal(failure.text, "shutdown");
}

static void answers_of_another_shape_are_odd(void **state)
{
    static const struct server ODD[] = {
        {.id = "", .rows = "a|" MASTER "|1"},
        {.id = "\\N", .rows = "a|" MASTER "|1"},
        {.id = "1234567890123456789012345678901234567890123456789012345678901234",
         .rows = "a|" MASTER "|1"},
        {.started = "\\N", .rows = "a|" MASTER "|1"},
        {.rows = "a|" MASTER "|soon"},
        {.rows = "a|" MASTER "|"},
        {.rows = "a|" MASTER "|-"},
        {.rows = "\\N|" MASTER "|1"},
        {.rows = "a|\\N|1"},
        {.rows = "a|" MASTER "|1", .read_only = "maybe"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ODD) / sizeof(ODD[0]); i++) {
        struct told t = tell(&ODD[i]);
        assert_true(t.failed);
        assert_int_equal(t.failure.kind, REPORT_ODD);
    }
}

/* ---- blue/green deployments ---- */

#define ROWS         "a|" MASTER "|" SOON
#define SOURCE       "|3306|BLUE_GREEN_DEPLOYMENT_SOURCE|"
#define TARGET       "|3306|BLUE_GREEN_DEPLOYMENT_TARGET|"
#define GREEN        "a-green-k7h2ma.abc.example"
#define BOTH(status) "a.abc.example" SOURCE status "|1.0\n" GREEN TARGET status "|1.0"

static enum phase phase_of(const char *deployment)
{
    struct told t = tell(&(struct server){.rows = ROWS, .deployment = deployment});
    assert_false(t.failed);
    assert_int_equal(t.report.role, ROLE_WRITER);
    return t.report.phase;
}

static void W4a_each_status_is_a_phase(void **state)
{
    (void)state;
    assert_int_equal(phase_of(NULL), PHASE_NONE);
    assert_int_equal(phase_of(""), PHASE_NONE);
    assert_int_equal(phase_of(BOTH("AVAILABLE")), PHASE_AVAILABLE);
    assert_int_equal(phase_of(BOTH("SWITCHOVER_INITIATED")), PHASE_INITIATED);
    assert_int_equal(phase_of(BOTH("SWITCHOVER_IN_PROGRESS")), PHASE_IN_PROGRESS);
    assert_int_equal(phase_of(BOTH("SWITCHOVER_IN_POST_PROCESSING")), PHASE_POST);
    assert_int_equal(phase_of(BOTH("SWITCHOVER_COMPLETED")), PHASE_COMPLETED);
}

static void W4a_rows_that_differ_say_the_least_of_them(void **state)
{
    (void)state;
    assert_int_equal(phase_of("a.abc.example" SOURCE "SWITCHOVER_IN_PROGRESS|1.0\n" GREEN TARGET
                              "SWITCHOVER_COMPLETED|1.0"),
                     PHASE_IN_PROGRESS);
}

static void W4a_what_is_not_known_is_strange_and_takes_nothing_from_the_report(void **state)
{
    static const char *const STRANGE[] = {
        "a.abc.example" SOURCE "AVAILABLE|2.0",
        "a.abc.example" SOURCE "AVAILABLE|1.0\n" GREEN TARGET "AVAILABLE|1.1",
        "a.abc.example" SOURCE "AVAILABLE|\\N",
        "a.abc.example" SOURCE "PAUSED|1.0",
        "a.abc.example" SOURCE "\\N|1.0",
        "a.abc.example|3306|WITNESS|AVAILABLE|1.0",
        "\\N" SOURCE "AVAILABLE|1.0",
        "a.abc.example|0|BLUE_GREEN_DEPLOYMENT_SOURCE|AVAILABLE|1.0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(STRANGE) / sizeof(STRANGE[0]); i++)
        assert_int_equal(phase_of(STRANGE[i]), PHASE_STRANGE);
}

/* The hosts of the green servers that it names, one behind the other. */
static const char *green_of(const char *deployment)
{
    static char hosts[600];
    struct aurora_seen seen = {.introduced = false};
    assert_false(tell_with(&seen, &(struct server){.rows = ROWS, .deployment = deployment}).failed);
    hosts[0] = '\0';
    for (uint32_t i = 0; i < seen.topology.count; i++)
        if (seen.topology.at[i].green)
            snprintf(hosts + strlen(hosts), sizeof(hosts) - strlen(hosts), "%s:%u ",
                     seen.topology.at[i].host, seen.topology.at[i].port);
    return hosts;
}

static void W4a_green_instances_are_named_and_nobody_else(void **state)
{
    (void)state;
    assert_string_equal(green_of(BOTH("AVAILABLE")), GREEN ":3306 ");
    assert_string_equal(green_of("o-green-k7h2ma.cluster-abc.example" TARGET "AVAILABLE|1.0\n"
                                 "o-green-k7h2ma.cluster-ro-abc.example" TARGET
                                 "AVAILABLE|1.0\n" GREEN TARGET "AVAILABLE|1.0"),
                        GREEN ":3306 ");
    /* Without a row of an instance, the cluster's name leads to its writer. */
    assert_string_equal(green_of("o-green-k7h2ma.cluster-abc.example" TARGET "AVAILABLE|1.0"),
                        "o-green-k7h2ma.cluster-abc.example:3306 ");
    /* The names were exchanged. */
    assert_string_equal(green_of("a-old1.abc.example" SOURCE "SWITCHOVER_COMPLETED|1.0\n"
                                 "a.abc.example" TARGET "SWITCHOVER_COMPLETED|1.0"),
                        "");
    assert_string_equal(green_of(GREEN TARGET "AVAILABLE|2.0"), "");
}

static void W4a_while_a_switchover_moves_each_question_is_a_full_one(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    tell_with(&seen, &(struct server){.rows = ROWS, .deployment = BOTH("AVAILABLE")});
    assert_int_equal(aurora_first(&seen, true), AURORA_STEP_CHEAP);
    tell_with(&seen, &(struct server){.rows = ROWS, .deployment = BOTH("SWITCHOVER_INITIATED")});
    assert_int_equal(aurora_first(&seen, true), AURORA_STEP_TOPOLOGY);
    tell_with(&seen, &(struct server){.rows = ROWS, .deployment = BOTH("SWITCHOVER_COMPLETED")});
    assert_int_equal(aurora_first(&seen, true), AURORA_STEP_CHEAP);
}

static void W4a_a_table_that_has_told_is_gone_only_after_several_questions(void **state)
{
    const struct server there = {.rows = ROWS, .deployment = BOTH("SWITCHOVER_IN_PROGRESS")};
    const struct server gone = {.rows = ROWS};
    struct aurora_seen seen = {.introduced = false};
    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(tell_with(&seen, &there).report.phase, PHASE_IN_PROGRESS);
        assert_true(seen.told);
        for (int i = 1; i < MYSQL_DEPLOYMENT_MISSES; i++) {
            assert_int_equal(tell_with(&seen, &gone).report.phase, PHASE_IN_PROGRESS);
            assert_false(seen.told);
            assert_int_equal(seen.rest, 0);
        }
    }
    assert_int_equal(tell_with(&seen, &gone).report.phase, PHASE_NONE);
    assert_true(seen.told);
    assert_int_equal(seen.rest, AURORA_DEPLOYMENT_REST);
}

static void W4a_who_shows_no_deployments_is_left_alone_for_a_minute(void **state)
{
    struct aurora_seen seen = {.introduced = false};
    struct mysql_report_failure failure;
    struct report report;
    (void)state;
    tell_with(&seen, &(struct server){.rows = ROWS});
    for (int i = 0; i < AURORA_DEPLOYMENT_REST; i++)
        assert_int_equal(aurora_step_take(&seen, AURORA_STEP_TOPOLOGY,
                                          answer_table("a|b|c|d|e", ROWS "|\\N|\\N"), &failure),
                         AURORA_STEP_STATE);
    assert_int_equal(aurora_step_take(&seen, AURORA_STEP_TOPOLOGY,
                                      answer_table("a|b|c|d|e", ROWS "|\\N|\\N"), &failure),
                     AURORA_STEP_DEPLOYMENT);
    assert_null(aurora_report(&seen, &report));
    assert_int_equal(aurora_step_take(&seen, AURORA_STEP_DEPLOYMENT,
                                      answer_error(1142, "SELECT command denied"), &failure),
                     AURORA_STEP_STATE);
    assert_non_null(strstr(aurora_report(&seen, &report), "GRANT SELECT ON mysql.rds_topology"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_named_writer_and_takes_writes_claims_on_the_one_term),
        TEST(a_reader_is_one_though_it_names_the_writer),
        TEST(the_own_row_has_no_time_and_counts_all_the_same),
        TEST(one_that_was_just_demoted_names_itself_and_claims_no_more),
        TEST(one_that_takes_writes_but_is_not_named_writer_yet_is_a_reader),
        TEST(one_without_a_row_of_its_own_is_a_reader),
        TEST(a_writers_row_of_nine_hours_ago_makes_no_writer),
        TEST(of_two_rows_of_writers_the_newest_counts),
        TEST(a_row_counts_for_three_minutes),
        TEST(only_the_own_row_may_have_no_time),
        TEST(a_time_that_is_far_ahead_is_no_better_than_an_old_one),
        TEST(if_all_others_are_old_status_says_so),
        TEST(an_empty_topology_is_a_failure_and_no_empty_cluster),
        TEST(each_row_names_a_server_by_its_id),
        TEST(a_renamed_instance_is_named_by_its_new_id_alone),
        TEST(a_restarted_server_is_another_incarnation_of_the_same_data),
        TEST(a_cheap_question_is_enough_while_nothing_changed),
        TEST(one_that_is_not_named_writer_yet_is_asked_in_full),
        TEST(another_server_is_told_which_engine_it_needs),
        TEST(what_may_not_be_read_is_named_with_the_line_that_mends_it),
        TEST(another_error_is_told_in_the_servers_words),
        TEST(answers_of_another_shape_are_odd),
        TEST(W4a_each_status_is_a_phase),
        TEST(W4a_rows_that_differ_say_the_least_of_them),
        TEST(W4a_what_is_not_known_is_strange_and_takes_nothing_from_the_report),
        TEST(W4a_green_instances_are_named_and_nobody_else),
        TEST(W4a_while_a_switchover_moves_each_question_is_a_full_one),
        TEST(W4a_who_shows_no_deployments_is_left_alone_for_a_minute),
        TEST(W4a_a_table_that_has_told_is_gone_only_after_several_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
