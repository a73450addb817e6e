/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_deployments.c - what a server of AWS's with PostgreSQL may say of a blue/green deployment, and
 * when it is asked for that. What the rows mean for all engines is in aurora_mysql_reports.c.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/postgresql/deployments.h"
#include "tests/support/postgres_answer.h"
#include "tests/support/test.h"

#define SOURCE "|5432|BLUE_GREEN_DEPLOYMENT_SOURCE|"
#define TARGET "|5433|BLUE_GREEN_DEPLOYMENT_TARGET|"
#define GREEN  "a-green-k7h2ma.abc.example"

#define RDS    (&postgres_deployments_of_rds)
#define AURORA (&postgres_deployments_of_aurora)

static struct postgres_deployments d;
static struct topology topology;

static int begin(void **state)
{
    (void)state;
    memset(&d, 0, sizeof(d));
    topology_init(&topology);
    return 0;
}

static const char *take(const struct postgres_deployments_of *of, const char *text)
{
    const struct postgres_answer answer = {.kind = POSTGRES_ANSWER_ROWS,
                                           .rows = *postgres_answer(text)};
    return postgres_deployments_take(&d, of, &answer, &topology);
}

static const char *fail_with(const struct postgres_deployments_of *of, const char *words)
{
    struct postgres_answer answer = {.kind = POSTGRES_ANSWER_ERROR};
    snprintf(answer.failure.text, sizeof(answer.failure.text), "%s", words);
    return postgres_deployments_take(&d, of, &answer, &topology);
}

/* Nothing is asked for a minute, and then whether it tells. */
static void expect_a_rest(const struct postgres_deployments_of *of)
{
    for (int i = 0; i < POSTGRES_DEPLOYMENTS_REST; i++)
        assert_null(postgres_deployments_begin(&d, of));
    assert_ptr_equal(postgres_deployments_begin(&d, of), of->rights);
}

static void who_has_the_function_is_asked_after_each_full_question(void **state)
{
    (void)state;
    assert_null(postgres_deployments_begin(&d, NULL));
    assert_ptr_equal(postgres_deployments_begin(&d, AURORA), AURORA->rights);
    assert_ptr_equal(take(AURORA, "t|f"), AURORA->question);
    assert_null(take(AURORA, "a.abc.example" SOURCE "AVAILABLE|1.0"));
    assert_ptr_equal(postgres_deployments_begin(&d, AURORA), AURORA->question);
    assert_null(take(AURORA, "a.abc.example" SOURCE "SWITCHOVER_INITIATED|1.0"));
    assert_int_equal(d.phase, PHASE_INITIATED);
}

static void an_ordinary_server_is_never_asked_again(void **state)
{
    (void)state;
    assert_ptr_equal(postgres_deployments_begin(&d, RDS), RDS->rights);
    assert_null(take(RDS, "\\N|\\N|f"));
    for (int i = 0; i < 3 * POSTGRES_DEPLOYMENTS_REST; i++)
        assert_null(postgres_deployments_begin(&d, RDS));
    assert_null(d.lacked);
    assert_int_equal(d.phase, PHASE_NONE);
}

static void a_server_whose_answer_is_none_is_asked_again_after_a_minute(void **state)
{
    static const char *const ODD[] = {"t|t", "t|t|t|t", "t|t|f\nt|t|f"};
    (void)state;
    for (size_t i = 0; i < sizeof(ODD) / sizeof(ODD[0]); i++) {
        begin(NULL);
        assert_null(take(RDS, ODD[i]));
        expect_a_rest(RDS);
        assert_ptr_equal(take(RDS, "t|t|t"), RDS->question);
    }
}

static void a_look_that_fails_is_no_word_that_there_is_no_function(void **state)
{
    (void)state;
    assert_null(fail_with(RDS, "canceling statement due to lock timeout"));
    assert_string_equal(d.words, "canceling statement due to lock timeout");
    expect_a_rest(RDS);
    assert_ptr_equal(take(RDS, "t|t|t"), RDS->question);
    assert_string_equal(d.words, "");
}

static void where_the_extension_may_be_created_it_is_looked_for_each_minute(void **state)
{
    (void)state;
    assert_null(take(RDS, "\\N|\\N|t"));
    expect_a_rest(RDS);
    assert_ptr_equal(take(RDS, "t|t|t"), RDS->question);
}

static void what_the_role_lacks_is_kept_and_looked_for_each_minute(void **state)
{
    (void)state;
    assert_null(take(RDS, "f|f|t"));
    assert_string_equal(d.lacked, "USAGE ON SCHEMA rds_tools");
    expect_a_rest(RDS);
    assert_null(take(RDS, "t|f|f"));
    assert_string_equal(d.lacked, "EXECUTE ON ALL FUNCTIONS IN SCHEMA rds_tools");
    expect_a_rest(RDS);
    assert_ptr_equal(take(RDS, "t|t|f"), RDS->question);
    assert_null(d.lacked);
    begin(NULL);
    assert_null(take(AURORA, "f|f"));
    assert_string_equal(d.lacked,
                        "EXECUTE ON FUNCTION pg_catalog.get_blue_green_fast_switchover_metadata");
}

static void a_function_that_has_told_of_none_and_fails_is_left_alone_for_a_minute(void **state)
{
    (void)state;
    take(AURORA, "t|f");
    take(AURORA, "a.abc.example|5432|\\N|\\N|\\N");
    assert_null(fail_with(AURORA, "not now"));
    assert_string_equal(d.words, "not now");
    assert_int_equal(d.phase, PHASE_NONE);
    expect_a_rest(AURORA);
    assert_ptr_equal(take(AURORA, "t|f"), AURORA->question);
    assert_null(take(AURORA, "a.abc.example" SOURCE "AVAILABLE|1.0"));
    assert_string_equal(d.words, "");
    assert_int_equal(d.phase, PHASE_AVAILABLE);
}

/* With one green server. */
static void expect_kept(enum phase phase)
{
    assert_true(d.tells);
    assert_int_equal(d.phase, phase);
    assert_int_equal(topology.count, 1);
    assert_true(topology.at[0].green);
    assert_string_equal(topology.at[0].host, GREEN);
    assert_int_equal(topology.at[0].port, 5433);
}

static void W4a_an_error_is_no_word_that_there_is_no_deployment(void **state)
{
    (void)state;
    take(AURORA, "t|f");
    take(AURORA, GREEN TARGET "SWITCHOVER_IN_PROGRESS|1.0");
    for (int i = 0; i < 3; i++) {
        topology_init(&topology);
        assert_ptr_equal(postgres_deployments_begin(&d, AURORA), AURORA->question);
        assert_null(fail_with(AURORA, "a transient fault"));
        expect_kept(PHASE_IN_PROGRESS);
        assert_string_equal(d.words, "a transient fault");
    }
    assert_ptr_equal(postgres_deployments_begin(&d, AURORA), AURORA->question);
    assert_null(take(AURORA, "a.abc.example" SOURCE "SWITCHOVER_IN_POST_PROCESSING|1.0"));
    assert_int_equal(d.phase, PHASE_POST);
    assert_string_equal(d.words, "");
}

static void fail_for_a_minute(void)
{
    begin(NULL);
    take(RDS, "t|t|t");
    take(RDS, GREEN TARGET "AVAILABLE|1.0");
    for (int i = 0; i < POSTGRES_DEPLOYMENTS_REST; i++) {
        assert_ptr_equal(postgres_deployments_begin(&d, RDS), RDS->question);
        assert_null(fail_with(RDS, "not now"));
    }
    topology_init(&topology);
    assert_ptr_equal(postgres_deployments_begin(&d, RDS), RDS->rights);
}

static void
W4a_a_function_that_fails_for_a_minute_is_looked_for_and_only_rows_say_that_it_is_gone(void **state)
{
    (void)state;
    fail_for_a_minute();
    assert_null(fail_with(RDS, "not now"));
    expect_kept(PHASE_AVAILABLE);
    assert_ptr_equal(postgres_deployments_begin(&d, RDS), RDS->rights);
    assert_ptr_equal(take(RDS, "t|t|t"), RDS->question);
    topology_init(&topology);
    assert_null(fail_with(RDS, "not now"));
    expect_kept(PHASE_AVAILABLE);
    fail_for_a_minute();
    assert_null(take(RDS, "\\N|\\N|t"));
    assert_int_equal(d.phase, PHASE_NONE);
    assert_int_equal(topology.count, 0);
    expect_a_rest(RDS);
}

static void only_an_error_about_the_session_ends_it(void **state)
{
    static const struct {
        const char *message;
        bool spared;
    } ERRORS[] = {
        {"ERROR:  57014: canceling statement due to statement timeout\n", true},
        {"ERROR:  P0001: a transient fault\n", true},
        {"ERROR:  42883: function does not exist\n", true},
        {"ERROR:  55P03: canceling statement due to lock timeout\n", true},
        {"ERROR:  40001: canceling statement due to conflict with recovery\n", true},
        {"ERROR:  53200: out of memory\n", true},
        {"FATAL:  57P01: terminating connection due to administrator command\n", false},
        {"FATAL:  57P02: terminating connection because of crash\n", false},
        {"server closed the connection unexpectedly\n", false},
    };
    struct postgres_failure failure;
    (void)state;
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        postgres_failure_read(POSTGRES_STAGE_SESSION, ERRORS[i].message, &failure);
        assert_int_equal(postgres_deployments_spare(&failure), ERRORS[i].spared);
    }
}

static enum phase phase_of(const char *text)
{
    begin(NULL);
    d.tells = true;
    assert_null(take(RDS, text));
    return d.phase;
}

static void W4a_its_rows_say_how_far_it_is_and_who_is_green(void **state)
{
    (void)state;
    assert_int_equal(phase_of("a.abc.example" SOURCE "SWITCHOVER_IN_PROGRESS|1.0\n" GREEN TARGET
                              "SWITCHOVER_IN_PROGRESS|1.0"),
                     PHASE_IN_PROGRESS);
    assert_int_equal(topology.count, 1);
    assert_string_equal(topology.at[0].host, GREEN);
    assert_int_equal(topology.at[0].port, 5433);
    assert_true(topology.at[0].green);
    assert_int_equal(phase_of("o-green-k7h2ma.cluster-abc.example" TARGET "AVAILABLE|1.0"),
                     PHASE_AVAILABLE);
    assert_string_equal(topology.at[0].host, "o-green-k7h2ma.cluster-abc.example");
}

static void W4a_rows_of_a_cluster_are_no_deployment(void **state)
{
    (void)state;
    assert_int_equal(phase_of("a.abc.example|5432|\\N|\\N|\\N"), PHASE_NONE);
    assert_int_equal(phase_of("a.abc.example|\\N|\\N|\\N|\\N\n" GREEN TARGET "AVAILABLE|1.0"),
                     PHASE_AVAILABLE);
    assert_int_equal(topology.count, 1);
}

static void W4a_what_is_not_known_is_strange(void **state)
{
    static const char *const STRANGE[] = {
        "a.abc.example" SOURCE "AVAILABLE|2.0",
        "a.abc.example" SOURCE "PAUSED|1.0",
        "\\N" SOURCE "AVAILABLE|1.0",
        "a.abc.example|\\N|BLUE_GREEN_DEPLOYMENT_SOURCE|AVAILABLE|1.0",
        "a.abc.example|0|BLUE_GREEN_DEPLOYMENT_SOURCE|AVAILABLE|1.0",
        GREEN "|65536|BLUE_GREEN_DEPLOYMENT_TARGET|AVAILABLE|1.0",
        GREEN "|-1|BLUE_GREEN_DEPLOYMENT_TARGET|AVAILABLE|1.0",
        "a.abc.example" SOURCE "AVAILABLE",
        GREEN TARGET "AVAILABLE|1.0|x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(STRANGE) / sizeof(STRANGE[0]); i++) {
        assert_int_equal(phase_of(STRANGE[i]), PHASE_STRANGE);
        assert_int_equal(topology.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(begin, who_has_the_function_is_asked_after_each_full_question),
        TEST_FROM(begin, an_ordinary_server_is_never_asked_again),
        TEST_FROM(begin, a_server_whose_answer_is_none_is_asked_again_after_a_minute),
        TEST_FROM(begin, a_look_that_fails_is_no_word_that_there_is_no_function),
        TEST_FROM(begin, where_the_extension_may_be_created_it_is_looked_for_each_minute),
        TEST_FROM(begin, what_the_role_lacks_is_kept_and_looked_for_each_minute),
        TEST_FROM(begin, a_function_that_has_told_of_none_and_fails_is_left_alone_for_a_minute),
        TEST_FROM(begin, W4a_an_error_is_no_word_that_there_is_no_deployment),
        TEST_FROM(
            begin,
            W4a_a_function_that_fails_for_a_minute_is_looked_for_and_only_rows_say_that_it_is_gone),
        TEST_FROM(begin, only_an_error_about_the_session_ends_it),
        TEST_FROM(begin, W4a_its_rows_say_how_far_it_is_and_who_is_green),
        TEST_FROM(begin, W4a_rows_of_a_cluster_are_no_deployment),
        TEST_FROM(begin, W4a_what_is_not_known_is_strange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
