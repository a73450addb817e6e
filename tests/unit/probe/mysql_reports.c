/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_reports.c - what servers of MySQL's family may answer, and of what a liar or a stranger may:
 * one test for each trap. Sets of transactions and failures have tests of their own.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/mysql/mysql_reports.h"
#include "tests/support/mysql_server.h"
#include "tests/support/test.h"

/* ---- without a group ---- */

static void a_lone_writable_server_is_a_writer_without_a_term(void **state)
{
    struct told t = tell(&(struct server){.gtids = UUID_A ":1-8"});
    (void)state;
    assert_int_equal(t.report.kind, REPORT_ANSWER);
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_int_equal(t.report.term.hi | t.report.term.lo, 0);
    assert_int_equal(t.report.position, 9);
    assert_true(t.report.self != 0 && t.report.follows == 0);
    assert_true(t.report.identity != 0 && t.report.incarnation != 0);
    assert_null(t.note);
}

static void each_setting_that_stops_writes_makes_a_reader(void **state)
{
    static const struct server CLOSED[] = {
        {.read_only = "1"},
        {.super_read_only = "1"},
        {.innodb_read_only = "1"},
        {.offline = "1"},
        {.read_only = "ON"},
        {.mariadb = true, .read_only = "1"},
        {.mariadb = true, .innodb_read_only = "1"},
        {.mariadb = true, .read_only = "NO_LOCK"},
        {.mariadb = true, .read_only = "NO_LOCK_NO_ADMIN"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CLOSED) / sizeof(CLOSED[0]); i++)
        assert_int_equal(role_of(&CLOSED[i]), ROLE_READER);
}

static void W12_a_replica_names_the_server_that_it_follows(void **state)
{
    struct told a = tell(&(struct server){.uuid = UUID_A});
    struct told b = tell(&(struct server){.uuid = UUID_B,
                                          .read_only = "1",
                                          .super_read_only = "1",
                                          .channels = "|10.0.0.1|ON|0|0|ON|" UUID_A});
    (void)state;
    assert_int_equal(b.report.role, ROLE_READER);
    assert_true(b.report.follows == a.report.self && b.report.self != a.report.self);
    assert_true(b.report.identity == a.report.identity);
    assert_true(b.report.incarnation != a.report.incarnation);
}

static void W12_a_source_that_is_down_is_followed_all_the_same(void **state)
{
    struct told a = tell(&(struct server){.uuid = UUID_A});
    struct told b = tell(&(struct server){
        .uuid = UUID_B, .read_only = "1", .channels = "|10.0.0.1|CONNECTING|2003|0|ON|" UUID_A});
    (void)state;
    assert_true(b.report.follows == a.report.self);
}

static void names_are_the_same_in_upper_and_lower_case(void **state)
{
    struct told a = tell(&(struct server){.uuid = "B8D2F67A-ECA3-11F1-9972-02FC00000001"});
    struct told b = tell(&(struct server){.uuid = UUID_A});
    (void)state;
    assert_true(a.report.self == b.report.self);
}

static void a_replica_that_somebody_forgot_to_close_is_no_writer(void **state)
{
    struct told t = tell(&(struct server){.channels = "|10.0.0.1|ON|0|0|ON|" UUID_B});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_non_null(strstr(t.note, "set to replicate"));
    /* Who forgot to close it has to read that before what makes a second writer of it. */
    assert_true(strstr(t.note, "read_only = ON keeps") <
                strstr(t.note, "RESET REPLICA ALL promote"));
    assert_int_equal(role_of(&(struct server){.channels = "|h|OFF|0|0|OFF|" UUID_B}), ROLE_READER);
    assert_int_equal(role_of(&(struct server){.channels = "|h|\\N|\\N|0|\\N|\\N"}), ROLE_READER);
}

static void a_stopped_channel_leaves_a_writer_that_was_opened_by_word(void **state)
{
    static const char *const WORDS[] = {"DYNAMIC", "PERSISTED", "SQL"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(role_of(&(struct server){.channels = "|10.0.0.1|OFF|0|0|OFF|" UUID_B,
                                                  .origin = WORDS[i]}),
                         ROLE_WRITER);
    assert_int_equal(role_of(&(struct server){
                         .mariadb = true, .origin = "SQL", .channels = "|10.0.0.1|No|0|0|No|1"}),
                     ROLE_WRITER);
    assert_int_equal(role_of(&(struct server){
                         .mariadb = true, .origin = "CONFIG", .channels = "|10.0.0.1|No|0|0|No|1"}),
                     ROLE_READER);
}

static void a_channel_that_is_started_again_makes_a_reader_again(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    struct server s = {.channels = "|h|OFF|0|0|OFF|" UUID_B, .origin = "DYNAMIC"};
    (void)state;
    assert_int_equal(tell_with(&seen, &s).report.role, ROLE_WRITER);
    s.channels = "|h|ON|0|0|ON|" UUID_B;
    assert_int_equal(tell_with(&seen, &s).report.role, ROLE_READER);
}

static void a_channel_that_ended_with_an_error_or_half_runs_is_not_stopped(void **state)
{
    static const char *const ROWS[] = {"|h|OFF|1236|0|OFF|" UUID_B, "|h|OFF|0|1062|OFF|" UUID_B,
                                       "|h|ON|0|0|OFF|" UUID_B, "|h|OFF|0|0|ON|" UUID_B,
                                       "|h|CONNECTING|0|0|OFF|" UUID_B};
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        assert_int_equal(role_of(&(struct server){.channels = ROWS[i], .origin = "DYNAMIC"}),
                         ROLE_READER);
    assert_int_equal(role_of(&(struct server){
                         .mariadb = true, .origin = "SQL", .channels = "|h|No|0|1062|No|1"}),
                     ROLE_READER);
    assert_int_equal(role_of(&(struct server){
                         .mariadb = true, .origin = "SQL", .channels = "|h|Preparing|0|0|No|1"}),
                     ROLE_READER);
}

static void in_a_circular_pair_read_only_alone_decides(void **state)
{
    (void)state;
    assert_int_equal(
        role_of(&(struct server){.circular = true, .channels = "|10.0.0.2|ON|0|0|ON|" UUID_B}),
        ROLE_WRITER);
    assert_int_equal(role_of(&(struct server){.circular = true,
                                              .read_only = "1",
                                              .channels = "|10.0.0.1|ON|0|0|ON|" UUID_B}),
                     ROLE_READER);
}

static void a_channel_without_a_host_is_none(void **state)
{
    (void)state;
    assert_int_equal(role_of(&(struct server){.channels = "||OFF|0|0|OFF|"}), ROLE_WRITER);
}

static void who_replicates_from_several_servers_follows_none(void **state)
{
    struct told t = tell(&(struct server){
        .read_only = "1", .channels = "x|h|ON|0|0|ON|" UUID_B "\ny|i|ON|0|0|ON|" GROUP});
    (void)state;
    assert_int_equal(t.report.follows, 0);
    assert_non_null(strstr(t.note, "several servers"));
    t = tell(&(struct server){.read_only = "1",
                              .channels = "x|h|ON|0|0|ON|" UUID_B "\ny|h|ON|0|0|ON|" UUID_B});
    assert_true(t.report.follows != 0);
}

static void without_gtids_it_says_that_nobody_sees_what_is_lost(void **state)
{
    struct told t = tell(&(struct server){.gtid_mode = "OFF_PERMISSIVE"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_int_equal(t.report.position, 1);
    assert_non_null(strstr(t.note, "gtid_mode"));
}

static void a_copied_auto_cnf_does_not_make_two_servers_one(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    struct told a = tell(&(struct server){.started = "1796032457"});
    struct told b = tell_with(&seen, &(struct server){.started = "1796032458"});
    (void)state;
    assert_true(a.report.self == b.report.self);
    assert_true(a.report.incarnation != b.report.incarnation);
    assert_true(tell(&(struct server){.started = "1796032457"}).report.incarnation ==
                a.report.incarnation);
}

/* ---- MariaDB ---- */

static void W12_mariadb_names_servers_by_domain_and_number(void **state)
{
    struct told a = tell(&(struct server){.mariadb = true, .number = "11", .gtids = "0-11-7"});
    struct told b = tell(&(struct server){.mariadb = true,
                                          .number = "12",
                                          .gtids = "0-11-6",
                                          .read_only = "1",
                                          .channels = "|h|Yes|0|0|Yes|11"});
    struct told c = tell(&(struct server){.mariadb = true,
                                          .number = "12",
                                          .domain = "4",
                                          .read_only = "1",
                                          .channels = "|h|Yes|0|0|Yes|11"});
    (void)state;
    assert_int_equal(a.report.role, ROLE_WRITER);
    assert_int_equal(a.report.position, 8);
    assert_int_equal(b.report.position, 7);
    assert_true(a.report.self != 0 && b.report.follows == a.report.self);
    assert_true(a.report.identity == b.report.identity);
    assert_true(c.report.follows != a.report.self && c.report.identity != a.report.identity);
}

static void mariadbs_source_is_unknown_while_it_has_never_answered(void **state)
{
    struct told t = tell(&(struct server){
        .mariadb = true, .read_only = "1", .channels = "|h|Connecting|2003|0|Yes|0"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_int_equal(t.report.follows, 0);
}

static void only_the_own_domain_of_a_list_counts(void **state)
{
    (void)state;
    assert_int_equal(
        tell(&(struct server){.mariadb = true, .domain = "2", .gtids = "0-1-99,2-1-5,3-1-77"})
            .report.position,
        6);
    assert_int_equal(tell(&(struct server){.mariadb = true, .gtids = "7-1-99"}).report.position, 1);
}

static uint64_t position_of(struct mysql_seen *seen, const char *channels, const char *gtids)
{
    const struct server s = {.mariadb = true, .channels = channels, .gtids = gtids};
    return tell_with(seen, &s).report.position;
}

/* Managers do that to a replica that they promote: with gtid_slave_pos = '', or RESET MASTER. */
static void W12_what_a_stopped_replica_has_is_not_known_when_its_record_was_cleared(void **state)
{
    static const char RUNS[] = "|h|Yes|0|0|Yes|11", STOPPED[] = "|h|No|0|0|No|11";
    struct mysql_seen seen = {.introduced = false};
    (void)state;
    assert_int_equal(position_of(&seen, RUNS, "0-1-23"), 24);
    assert_int_equal(position_of(&seen, STOPPED, ""), 0);
    assert_int_equal(position_of(&seen, NULL, "0-2-1"), 0); /* it counts anew */
    assert_int_equal(position_of(&seen, NULL, "0-2-23"), 24);
    assert_int_equal(position_of(&seen, RUNS, "0-2-5"), 6); /* it was restored, and follows */
    assert_int_equal(position_of(&seen, NULL, "0-2-4"), 0);
    assert_int_equal(position_of(&seen, STOPPED, "0-2-6"),
                     7); /* it had that, and was stopped since */
    assert_int_equal(position_of(&seen, RUNS, ""),
                     0); /* it was, after its channels were asked for */
    assert_int_equal(position_of(&seen, NULL, "0-2-5"), 0);
    assert_int_equal(position_of(&seen, NULL, "0-2-7"), 8);
    assert_int_equal(position_of(&seen, NULL, ""), 1); /* as a writer it has begun to write */
}

static void what_a_server_that_did_not_replicate_has_is_always_known(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    (void)state;
    assert_int_equal(position_of(&seen, NULL, "0-1-23"), 24);
    assert_int_equal(position_of(&seen, NULL, "0-1-5"), 6);
    assert_int_equal(position_of(&seen, NULL, ""), 1);
}

static void a_galera_node_is_a_reader_and_says_why(void **state)
{
    struct told t = tell(&(struct server){.mariadb = true, .wsrep = "ON"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_non_null(strstr(t.note, "Galera is not supported"));
    assert_int_equal(role_of(&(struct server){.wsrep = "ON"}), ROLE_READER);
    assert_int_equal(role_of(&(struct server){.mariadb = true, .wsrep = "OFF"}), ROLE_WRITER);
}

static void a_node_that_galera_keeps_out_is_a_reader_at_any_step(void **state)
{
    static const enum mysql_step STEPS[] = {MYSQL_STEP_CHEAP, MYSQL_STEP_FIRST, MYSQL_STEP_CHANNELS,
                                            MYSQL_STEP_STATE};
    (void)state;
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
        struct mysql_seen seen = {.introduced = false};
        struct report report = {.role = ROLE_NONE};
        tell_with(&seen, &(struct server){.mariadb = true});
        assert_int_equal(mysql_step_take(&seen, STEPS[i],
                                         answer_error(1047, "WSREP has not yet prepared node"),
                                         NULL),
                         MYSQL_STEP_DONE);
        assert_non_null(strstr(mysql_report(&seen, &report), "Galera"));
        assert_int_equal(report.role, ROLE_READER);
        assert_int_equal(tell_with(&seen, &(struct server){.mariadb = true}).report.role,
                         ROLE_WRITER);
    }
}

/* ---- the cheap question ---- */

static void the_cheap_question_is_enough_as_long_as_its_answer_is_the_same(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    struct mysql_report_failure failure;
    (void)state;
    tell_with(&seen, &(struct server){.read_only = "1"});
    assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_CHEAP, answer_table("r", "1"), &failure),
                     MYSQL_STEP_DONE);
    assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_CHEAP, answer_table("r", "0"), &failure),
                     MYSQL_STEP_CHANNELS);
}

/* Its channel is gone, or was when it was made writable: read_only is what it was. */
static void a_server_that_takes_writes_and_does_not_claim_is_asked_in_full_each_time(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(
        tell_with(&seen, &(struct server){.channels = "|db|ON|0|0|ON|" UUID_B}).report.role,
        ROLE_READER);
    assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_CHEAP, answer_table("r", "0"), &failure),
                     MYSQL_STEP_CHANNELS);
    assert_int_equal(tell_with(&seen, &(struct server){.read_only = "0"}).report.role, ROLE_WRITER);
    assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_CHEAP, answer_table("r", "0"), &failure),
                     MYSQL_STEP_DONE);
}

static void questions_are_short_and_differ_where_the_servers_do(void **state)
{
    (void)state;
    for (int step = 0; step < MYSQL_STEP_COUNT; step++) {
        const char *own = mysql_question(false, (enum mysql_step)step);
        const char *other = mysql_question(true, (enum mysql_step)step);
        assert_true(strlen(own) < 1000 && strlen(other) < 1000);
        if (step != MYSQL_STEP_GROUP) /* which no MariaDB is asked */
            assert_null(strstr(other, "performance_schema"));
    }
}

/* ---- other servers, other answers ---- */

static void other_servers_of_the_protocol_are_named_and_not_asked(void **state)
{
    (void)state;
    assert_null(mysql_server_refuse("8.0.42", 80042, false));
    assert_null(mysql_server_refuse("9.7.4-2", 90704, false));
    assert_null(mysql_server_refuse("10.5.29-MariaDB", 100529, true));
    assert_non_null(strstr(mysql_server_refuse("5.7.44", 50744, false), "MySQL is too old"));
    assert_non_null(strstr(mysql_server_refuse("10.4.34-MariaDB", 100434, true), "too old"));
    assert_non_null(strstr(mysql_server_refuse("8.0.11-TiDB-v7.5.0", 80011, false), "TiDB"));
    assert_non_null(strstr(mysql_server_refuse("8.0.30-Vitess", 80030, false), "Vitess"));
    assert_odd(&(struct server){.aurora = "3.08.0"}, "write engine: aurora-mysql");
}

static void an_answer_that_no_such_server_gives_is_odd(void **state)
{
    static const struct server BAD[] = {
        {.uuid = "\\N"},
        {.uuid = "b8d2f67a"},
        {.started = "\\N"},
        {.wsrep = "maybe"},
        {.gtids = "\\N"},
        {.gtids = UUID_A},
        {.gtid_mode = "\\N"},
        {.read_only = "\\N"},
        {.read_only = ""},
        {.read_only = "2"},
        {.super_read_only = "yes"},
        {.offline = "\\N"},
        {.innodb_read_only = "\\N"},
        {.mariadb = true, .domain = "-1"},
        {.mariadb = true, .domain = "\\N"},
        {.mariadb = true, .number = "1x"},
        {.mariadb = true, .gtids = "0-1"},
        {.mariadb = true, .gtids = "0-1-2,"},
        {.group = GROUP, .members = "x"},
        {.group = GROUP, .members = "1", .unreachable = "2"},
        {.group = GROUP, .view = "\\N"},
        {.group = GROUP, .view = "17958904293467258"},
        {.group = GROUP, .view = "0:1"},
        {.group = GROUP, .view = "1:"},
        {.group = GROUP, .view = "1:2 "},
        {.group = GROUP, .view = "99999999999999999999:1"},
        {.group = GROUP, .single = "\\N"},
        {.channels = "|h|OFF|0|0|OFF|", .origin = "\\N"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct told t = tell(&BAD[i]);
        if (!t.failed)
            fail_msg("server %zu was taken", i);
        assert_string_equal(t.failure.text, "the server does not answer as MySQL or MariaDB does");
    }
}

static void answers_of_another_shape_are_odd_at_every_step(void **state)
{
    const struct mysql_answer empty = {.rows = 0};
    (void)state;
    for (int step = 0; step < MYSQL_STEP_COUNT; step++) {
        struct mysql_seen seen = {.introduced = false};
        struct mysql_report_failure failure;
        if (step != MYSQL_STEP_CHANNELS) /* there it says that nobody is followed */
            assert_int_equal(mysql_step_take(&seen, (enum mysql_step)step, &empty, &failure),
                             MYSQL_STEP_FAILED);
        assert_int_equal(
            mysql_step_take(&seen, (enum mysql_step)step, answer_table("a|b", "1|2"), &failure),
            MYSQL_STEP_FAILED);
        assert_int_equal(
            mysql_step_take(&seen, (enum mysql_step)step, answer_table("a", "1\n2"), &failure),
            MYSQL_STEP_FAILED);
    }
}

static void a_text_with_a_nul_inside_is_no_value(void **state)
{
    const struct mysql_value value = {.text = "0\0", .length = 2};
    const char *const name = "r";
    const struct mysql_answer answer = {.rows = 1, .columns = 1, .names = &name, .values = &value};
    struct mysql_seen seen = {.introduced = true};
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_CHEAP, &answer, &failure),
                     MYSQL_STEP_FAILED);
}

/* ---- grants ---- */

static void a_missing_privilege_is_answered_with_the_grant_that_mends_it(void **state)
{
    static const struct {
        bool mariadb;
        enum mysql_step step;
        unsigned code;
        const char *text, *grant;
    } CASES[] = {
        {false, MYSQL_STEP_CHANNELS, 1142,
         "SELECT command denied to user 'homing'@'db' for table 'replication_connection_status'",
         "GRANT SELECT ON performance_schema.replication_connection_status TO 'homing'@'%'"},
        {false, MYSQL_STEP_GROUP, 1142,
         "SELECT command denied to user 'homing'@'db' for table 'replication_group_member_stats'",
         "GRANT SELECT ON performance_schema.replication_group_member_stats TO 'homing'@'%'"},
        {false, MYSQL_STEP_GROUP, 1142, "verboten",
         "GRANT SELECT ON performance_schema.replication_group_members TO 'homing'@'%'"},
        {true, MYSQL_STEP_CHANNELS, 1227,
         "Access denied; you need (at least one of) the SUPER, SLAVE MONITOR privilege(s)",
         "GRANT SLAVE MONITOR ON *.* TO 'homing'@'%'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct mysql_seen seen = {.mariadb = CASES[i].mariadb};
        struct mysql_report_failure failure;
        assert_int_equal(mysql_step_take(&seen, CASES[i].step,
                                         answer_error(CASES[i].code, CASES[i].text), &failure),
                         MYSQL_STEP_ACCOUNT);
        assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_ACCOUNT,
                                         answer_of(&(struct server){0}, MYSQL_STEP_ACCOUNT),
                                         &failure),
                         MYSQL_STEP_FAILED);
        assert_int_equal(failure.kind, REPORT_ODD);
        assert_non_null(strstr(failure.text, CASES[i].grant));
    }
}

static void another_error_in_place_of_an_answer_is_the_servers_own_words(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    struct mysql_report_failure failure;
    (void)state;
    assert_int_equal(mysql_step_take(&seen, MYSQL_STEP_STATE,
                                     answer_error(1193, "Unknown system variable 'x'"), &failure),
                     MYSQL_STEP_FAILED);
    assert_int_equal(failure.kind, REPORT_ODD);
    assert_string_equal(failure.text, "Unknown system variable 'x'");
    mysql_step_take(&seen, MYSQL_STEP_STATE, answer_error(1053, "Server shutdown in progress"),
                    &failure);
    assert_int_equal(failure.kind, REPORT_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lone_writable_server_is_a_writer_without_a_term),
        TEST(each_setting_that_stops_writes_makes_a_reader),
        TEST(W12_a_replica_names_the_server_that_it_follows),
        TEST(W12_a_source_that_is_down_is_followed_all_the_same),
        TEST(names_are_the_same_in_upper_and_lower_case),
        TEST(a_replica_that_somebody_forgot_to_close_is_no_writer),
        TEST(a_stopped_channel_leaves_a_writer_that_was_opened_by_word),
        TEST(a_channel_that_is_started_again_makes_a_reader_again),
        TEST(a_channel_that_ended_with_an_error_or_half_runs_is_not_stopped),
        TEST(in_a_circular_pair_read_only_alone_decides),
        TEST(a_channel_without_a_host_is_none),
        TEST(who_replicates_from_several_servers_follows_none),
        TEST(without_gtids_it_says_that_nobody_sees_what_is_lost),
        TEST(a_copied_auto_cnf_does_not_make_two_servers_one),
        TEST(W12_mariadb_names_servers_by_domain_and_number),
        TEST(mariadbs_source_is_unknown_while_it_has_never_answered),
        TEST(only_the_own_domain_of_a_list_counts),
        TEST(W12_what_a_stopped_replica_has_is_not_known_when_its_record_was_cleared),
        TEST(what_a_server_that_did_not_replicate_has_is_always_known),
        TEST(a_galera_node_is_a_reader_and_says_why),
        TEST(a_node_that_galera_keeps_out_is_a_reader_at_any_step),
        TEST(the_cheap_question_is_enough_as_long_as_its_answer_is_the_same),
        TEST(a_server_that_takes_writes_and_does_not_claim_is_asked_in_full_each_time),
        TEST(questions_are_short_and_differ_where_the_servers_do),
        TEST(other_servers_of_the_protocol_are_named_and_not_asked),
        TEST(an_answer_that_no_such_server_gives_is_odd),
        TEST(answers_of_another_shape_are_odd_at_every_step),
        TEST(a_text_with_a_nul_inside_is_no_value),
        TEST(a_missing_privilege_is_answered_with_the_grant_that_mends_it),
        TEST(another_error_in_place_of_an_answer_is_the_servers_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
