/* SPDX-License-Identifier: Apache-2.0
 *
 * left_alone.c - what the whole agent tells an operator of connections that a switch has left and of what to do, and
 * that an order of his stands. homing-sever itself is a notebook (fake_sever.h).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/events.h"
#include "tests/sim/sever_rig.h"

static void switch_and_order(void)
{
    switch_over(0, 1);
    sim_run(&sim, 500);
    assert_true(fake_order_count > 0);
}

static const struct history_entry *newest_entry(const char *event)
{
    const struct history *history = &sim.daemon->history;

    for (uint64_t i = history->count; i > 0; i--)
        if (strcmp(history->at[i - 1].event, event) == 0)
            return &history->at[i - 1];
    return NULL;
}

static void a_switch_that_left_only_connections_without_a_tag_says_how_many(void **state)
{
    (void)state;
    begin("");
    switch_and_order();
    fake_sever_untagged(0, 5);
    assert_int_equal(newest_entry("writer_changed")->change.untagged, 5);
    assert_non_null(newest_entry("severed"));
    assert_non_null(strstr(newest_entry("severed")->text, "; 5 without a tag left alone: homingctl "
                                                          "connections says whose they are"));
    sim_run(&sim, 10000);
    assert_true(fake_order_count > 1);
    fake_sever_untagged(1, 9); /* of later ones nothing is said */
    assert_int_equal(newest_entry("writer_changed")->change.untagged, 5);
    assert_non_null(strstr(newest_entry("severed")->text, "; 5 without"));
}

static void what_is_severed_without_a_tag_was_not_left_alone(void **state)
{
    (void)state;
    begin("    sever_untagged: true\n");
    switch_and_order();
    fake_sever_untagged(0, 5);
    assert_int_equal(newest_entry("writer_changed")->change.untagged, 0);
    assert_null(newest_entry("severed"));
}

static void what_is_spared_as_older_was_left_alone(void **state)
{
    (void)state;
    begin("    sever_untagged: true\n");
    switch_and_order();
    fake_sever_spared(0, 4);
    assert_int_equal(newest_entry("writer_changed")->change.untagged, 4);
    assert_non_null(strstr(newest_entry("severed")->text, "; 4 without a tag left alone"));
}

static void the_alarm_of_an_outage_says_what_to_do(void **state)
{
    (void)state;
    begin("");
    for (unsigned i = 0; i < 3; i++)
        sim_conduct(&sim, i, SIM_DOWN);
    sim_run(&sim, 40000);
    assert_non_null(newest_entry("alarm_raised"));
    assert_string_equal(
        newest_entry("alarm_raised")->text,
        "stale: nobody has confirmed the writer for 30 s: names go to the real resolver; "
        "start the writer again, or promote another member");
}

static void the_alarm_of_the_brake_says_what_does_not_happen_meanwhile(void **state)
{
    (void)state;
    begin("    max_switches: 1\n");
    switch_and_order();
    sim_run(&sim, 5000);
    sim_conduct(&sim, 1, SIM_DOWN);
    sim_promote(&sim, 0);
    sim_run(&sim, 1000);
    assert_non_null(newest_entry("alarm_raised"));
    assert_non_null(
        strstr(newest_entry("alarm_raised")->text,
               "more than 1 switch in 10 minutes: nothing is severed before 10 quiet minutes"));
}

static void the_alarm_of_a_server_that_admits_nobody_like_us_says_where_to_write_it(void **state)
{
    (void)state;
    begin("");
    sim.denial = "28000: no pg_hba.conf entry for host \"10.0.0.1\", user \"homing\"";
    sim_conduct(&sim, 2, SIM_DOWN);
    sim_run(&sim, 1000);
    sim_conduct(&sim, 2, SIM_DENIES);
    sim_run(&sim, 15000);
    assert_non_null(newest_entry("alarm_raised"));
    assert_non_null(strstr(newest_entry("alarm_raised")->text, "denied: not admitted by "));
    assert_non_null(strstr(newest_entry("alarm_raised")->text,
                           ": add a line for this user, database and address to pg_hba.conf there, "
                           "and reload it"));
    assert_null(strstr(newest_entry("alarm_raised")->text, "password_file"));
    sim.denial = NULL;
}

static void the_history_has_a_long_alarm_of_the_agent_in_full(void **state)
{
    char text[900];

    (void)state;
    begin("");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    events_agent_alarm(sim.daemon, "permits_lost", true, text);
    assert_non_null(strstr(newest_entry("alarm_raised")->text, text));
}

/* As when an older file system is mounted over the state directory. */
static void
a_frozen_cluster_stays_frozen_though_the_state_directory_becomes_an_older_one(void **state)
{
    struct cluster *cluster;
    char command[400];

    (void)state;
    begin("");
    cluster = sim.daemon->clusters[0];
    snprintf(command, sizeof(command), "cp -a %s/state %s/older", sim.folder, sim.folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(cluster_order(cluster, &(struct event){.kind = EVENT_FREEZE}), REFUSAL_NONE);
    snprintf(command, sizeof(command), "cd %s && mv state away && mv older state", sim.folder);
    assert_int_equal(system(command), 0);
    sim_run(&sim, 3000);
    assert_true(cluster->decision.verdict.frozen);
    snprintf(command, sizeof(command), "grep -q '^frozen yes' %s/state/orders.state.?", sim.folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "rm -r %s/away", sim.folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_switch_that_left_only_connections_without_a_tag_says_how_many),
        TEST_IN(rig, what_is_severed_without_a_tag_was_not_left_alone),
        TEST_IN(rig, what_is_spared_as_older_was_left_alone),
        TEST_IN(rig, the_alarm_of_an_outage_says_what_to_do),
        TEST_IN(rig, the_alarm_of_the_brake_says_what_does_not_happen_meanwhile),
        TEST_IN(rig, a_frozen_cluster_stays_frozen_though_the_state_directory_becomes_an_older_one),
        TEST_IN(rig, the_alarm_of_a_server_that_admits_nobody_like_us_says_where_to_write_it),
        TEST_IN(rig, the_history_has_a_long_alarm_of_the_agent_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
