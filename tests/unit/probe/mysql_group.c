/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_group.c - what members of a group say of themselves (Group Replication), as reports: one test for
 * each trap.
 */
#include "config.h"

#include <string.h>

#include "tests/support/mysql_server.h"
#include "tests/support/test.h"

static void a_groups_primary_has_its_view_as_term_and_needs_no_heirs(void **state)
{
    struct told t = tell(&(struct server){.group = GROUP, .gtids = GROUP ":1-3:7-9"});
    struct told o = tell(&(struct server){.group = UUID_B});
    (void)state;
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_true(t.report.term.hi == 17958904293467258 && t.report.term.lo == 7);
    assert_int_equal(t.report.position, 7); /* gaps are no transactions */
    assert_true(t.report.self == 0 && t.report.follows == 0);
    assert_true(t.report.identity != 0 && t.report.identity != o.report.identity);
    assert_true(t.report.identity != tell(&(struct server){.uuid = UUID_A}).report.identity);
    assert_null(t.note);
}

static void a_primary_that_is_still_closed_is_no_writer_yet(void **state)
{
    struct told t =
        tell(&(struct server){.group = GROUP, .super_read_only = "1", .read_only = "1"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_READER);
    assert_int_equal(t.report.term.hi | t.report.term.lo, 0);
}

static void a_secondary_that_still_takes_writes_is_the_writer(void **state)
{
    struct told t = tell(&(struct server){.group = GROUP, .role = "SECONDARY"});
    (void)state;
    assert_int_equal(t.report.role, ROLE_WRITER);
    assert_non_null(strstr(t.note, "secondary"));
}

static void who_does_not_reach_the_majority_of_the_group_is_no_writer(void **state)
{
    static const char *const OF[][2] = {{"3", "2"}, {"2", "1"}, {"4", "2"}, {"1", "1"}};
    (void)state;
    for (size_t i = 0; i < sizeof(OF) / sizeof(OF[0]); i++)
        assert_int_equal(
            role_of(&(struct server){.group = GROUP, .members = OF[i][0], .unreachable = OF[i][1]}),
            ROLE_READER);
    assert_int_equal(role_of(&(struct server){.group = GROUP, .members = "3", .unreachable = "1"}),
                     ROLE_WRITER);
}

static void a_member_that_was_restarted_outside_of_its_group_is_no_writer(void **state)
{
    static const char *const STATES[] = {"OFFLINE", "RECOVERING", "ERROR", "UNREACHABLE", "\\N"};
    (void)state;
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
        assert_int_equal(
            role_of(&(struct server){.group = GROUP, .state = STATES[i], .view = "\\N"}),
            ROLE_READER);
}

static void a_group_with_several_primaries_is_odd_and_named(void **state)
{
    (void)state;
    assert_odd(&(struct server){.group = GROUP, .single = "0"}, "several primaries");
}

static void channels_of_the_group_are_no_replication_from_elsewhere(void **state)
{
    static const char ROWS[] = "group_replication_applier||ON|0|0|ON|" GROUP
                               "\ngroup_replication_recovery|h|OFF|0|0|OFF|" UUID_B;
    (void)state;
    assert_int_equal(role_of(&(struct server){.group = GROUP, .channels = ROWS}), ROLE_WRITER);
}

static void a_server_that_joins_a_group_while_it_is_asked_is_asked_anew_who_it_is(void **state)
{
    struct mysql_seen seen = {.introduced = false};
    struct server s = {.uuid = UUID_A};
    (void)state;
    assert_int_equal(tell_with(&seen, &s).report.term.hi, 0);
    s.channels = "group_replication_applier||ON|0|0|ON|" GROUP;
    s.group = GROUP;
    assert_true(tell_with(&seen, &s).report.term.hi == 17958904293467258);
    seen = (struct mysql_seen){0};
    s.group = NULL; /* it has the channel, and no group any more: that is no circle */
    assert_int_equal(tell_with(&seen, &s).report.role, ROLE_WRITER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_groups_primary_has_its_view_as_term_and_needs_no_heirs),
        TEST(a_primary_that_is_still_closed_is_no_writer_yet),
        TEST(a_secondary_that_still_takes_writes_is_the_writer),
        TEST(who_does_not_reach_the_majority_of_the_group_is_no_writer),
        TEST(a_member_that_was_restarted_outside_of_its_group_is_no_writer),
        TEST(a_group_with_several_primaries_is_odd_and_named),
        TEST(channels_of_the_group_are_no_replication_from_elsewhere),
        TEST(a_server_that_joins_a_group_while_it_is_asked_is_asked_anew_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
