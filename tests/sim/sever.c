/* SPDX-License-Identifier: Apache-2.0
 *
 * sever.c - what the whole agent orders of homing-sever, and when (W5, W7, W10); homing-sever
 * itself is a notebook (fake_sever.h).
 */
#include "config.h"

#include <string.h>

#include "tests/sim/sever_rig.h"
#include "tests/support/fake_loop.h"

static void order(enum event_kind kind)
{
    assert_int_equal(cluster_order(cluster(), &(struct event){.kind = kind}), REFUSAL_NONE);
}

static void set_mode(enum view_mode mode)
{
    cluster_set_mode(cluster(), mode);
}

/* It names the member 10.0.0.(server + 1), and the writer endpoint up to its present answer. */
static void assert_names(const struct sever_order *order, unsigned server)
{
    struct view_entry entry = sim_look(&sim, SIM_WRITER_NAME);

    assert_int_equal(order->address_count, 1);
    assert_int_equal(order->addresses[0].family, 4);
    assert_int_equal(order->addresses[0].bytes[3], server + 1);
    assert_int_equal(order->addresses[0].port, SIM_PORT + server);
    assert_int_equal(order->endpoint_count, 1);
    assert_true(order->endpoints[0].id == entry.endpoint);
    assert_true(order->endpoints[0].older_than == entry.generation);
}

static const struct history_switch *newest_switch(void)
{
    const struct history *history = &sim.daemon->history;

    for (uint64_t i = history->count; i > 0; i--)
        if (history->at[i - 1].is_switch)
            return &history->at[i - 1].change;
    fail_msg("no switch in the history");
    return NULL;
}

static void
W7_the_demoted_members_connections_are_ordered_once_the_new_writer_is_published(void **state)
{
    (void)state;
    begin("    sever_spread: 3s\n");
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    while (fake_order_count == 0 && sim_answer(&sim, SIM_WRITER_NAME) == 0)
        sim_run(&sim, 1);
    assert_int_equal(fake_order_count, 1);
    assert_int_equal(fake_orders[0].order.kind, SEVER_DO);
    assert_int_equal(fake_orders[0].order.spread_ms, 3000);
    assert_false(fake_orders[0].order.untagged);
    assert_names(&fake_orders[0].order, 0);
}

static void W5_silence_alone_orders_nothing(void **state)
{
    (void)state;
    begin("");
    sim_conduct(&sim, 0, SIM_SILENT);
    sim_run(&sim, 20000);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 40000);
    assert_int_equal(fake_order_count, 0);
}

static void without_a_successor_nothing_is_ordered(void **state)
{
    (void)state;
    begin("");
    sim_rejoin(&sim, 0);
    sim_run(&sim, 10000);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_NO_WRITER);
    assert_int_equal(fake_order_count, 0);
    sim_promote(&sim, 2);
    sim_run(&sim, 500);
    assert_names(&fake_orders[0].order, 0);
}

static void W3_two_claims_order_nothing_until_one_of_them_is_published_and_alone(void **state)
{
    (void)state;
    begin("");
    sim_promote(&sim, 1);
    sim_run(&sim, 10000);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_AMBIGUOUS);
    assert_int_equal(fake_order_count, 0);
    sim_rejoin(&sim, 0);
    sim_run(&sim, 1000);
    assert_int_equal(fake_order_count, 1);
    assert_names(&fake_orders[0].order, 0);
}

static void W10_a_braked_cluster_orders_nothing_until_it_is_unfrozen(void **state)
{
    (void)state;
    begin("    max_switches: 1\n");
    switch_over(0, 1);
    sim_run(&sim, 1000);
    fake_sever_forget();
    switch_over(1, 2);
    sim_run(&sim, 5000);
    assert_true(cluster()->decision.verdict.braked);
    assert_int_equal(fake_order_count, 0);
    order(EVENT_UNFREEZE);
    assert_true(fake_order_count > 0);
}

static void a_frozen_cluster_orders_nothing(void **state)
{
    (void)state;
    begin("");
    order(EVENT_FREEZE);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    sim_run(&sim, 10000);
    assert_int_equal(fake_order_count, 0);
    order(EVENT_UNFREEZE);
    sim_run(&sim, 500);
    assert_names(&fake_orders[0].order, 0);
}

static void a_new_writer_that_falls_silent_is_no_reason_to_order_more(void **state)
{
    (void)state;
    begin("");
    switch_over(0, 1);
    sim_run(&sim, 1000);
    sim_conduct(&sim, 1, SIM_SILENT);
    sim_run(&sim, 3000);
    fake_sever_forget();
    fake_sever_set(2, true);
    sim_run(&sim, 20000);
    assert_int_equal(fake_order_count, 0);
    sim_conduct(&sim, 1, SIM_ANSWERS);
    sim_run(&sim, 15000); /* it is asked seldom by now */
    assert_true(fake_order_count > 0);
}

static void in_observe_it_is_counted_once_and_not_done(void **state)
{
    (void)state;
    begin("    mode: observe\n");
    switch_over(0, 1);
    fake_sever_done(0, 5);
    assert_int_equal(newest_switch()->would_abort, 5);
    assert_int_equal(newest_switch()->aborted, 0);
    assert_int_equal(cluster()->severing.would_sever, 5);
    sim_run(&sim, 60000);
    fake_sever_set(2, true);
    sim_run(&sim, 60000);
    assert_int_equal(fake_sever_count(SEVER_DO), 0);
    assert_int_equal(fake_sever_count(SEVER_OBSERVE), 1);
    assert_names(&fake_orders[0].order, 0);
}

static void below_sever_nothing_is_ordered_and_the_mode_counts_at_once(void **state)
{
    static const char *const modes[] = {"    mode: off\n", "    mode: names\n",
                                        "    mode: connect\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        begin(modes[i]);
        switch_over(0, 1);
        sim_run(&sim, 10000);
        assert_int_equal(fake_order_count, 0);
        set_mode(VIEW_MODE_SEVER);
        assert_int_equal(fake_order_count, 1);
        set_mode(0);
        fake_sever_forget();
        sim_run(&sim, 60000);
        assert_int_equal(fake_order_count, 0);
        if (i + 1 < sizeof(modes) / sizeof(modes[0]))
            sim_done(&sim);
    }
}

static void the_kill_switch_ends_what_is_under_way(void **state)
{
    (void)state;
    begin("    sever_spread: 10m\n");
    switch_over(0, 1);
    assert_int_equal(fake_sever_cancelled, 0);
    set_mode(VIEW_MODE_OFF);
    assert_int_equal(fake_sever_cancelled, 2); /* all of the cluster's endpoints */
    fake_sever_done(0, 3);
    sim_run(&sim, 60000);
    assert_int_equal(fake_order_count, 1);
    set_mode(0);
    assert_int_equal(fake_order_count, 2);
    assert_names(&fake_orders[1].order, 0);
}

static void the_kill_switch_ends_what_is_under_way_also_when_a_repetition_was_refused(void **state)
{
    (void)state;
    begin("    sever_spread: 10m\n");
    switch_over(0, 1);
    sim_run(&sim, 6000);
    assert_int_equal(fake_order_count, 2);
    fake_sever_refuse(1);
    set_mode(VIEW_MODE_OFF);
    assert_int_equal(fake_sever_cancelled, 2);
}

static void a_switch_back_ends_what_is_under_way_before_it_orders_anew(void **state)
{
    (void)state;
    begin("    sever_spread: 10m\n");
    switch_over(0, 1);
    assert_int_equal(fake_sever_cancelled, 0);
    sim_conduct(&sim, 1, SIM_DOWN);
    sim_promote(&sim, 0);
    while (sim_answer(&sim, SIM_WRITER_NAME) == 1)
        sim_run(&sim, 1);
    assert_int_equal(fake_sever_cancelled, 2);
    sim_run(&sim, 1);
    assert_names(&fake_orders[fake_order_count - 1].order, 1);
}

static int answered_at_cancel;

static void note_answer(void)
{
    answered_at_cancel = sim_answer(&sim, SIM_WRITER_NAME);
}

/* Else a program that connects to it could be severed by the order that demoted it. */
static void W7_an_order_is_taken_back_before_programs_hear_of_the_switch_back(void **state)
{
    (void)state;
    begin("    sever_spread: 10m\n");
    switch_over(0, 1);
    fake_sever_on_cancel = note_answer;
    sim_conduct(&sim, 1, SIM_DOWN);
    sim_promote(&sim, 0);
    while (sim_answer(&sim, SIM_WRITER_NAME) == 1)
        sim_run(&sim, 1);
    assert_int_equal(fake_sever_cancelled, 2);
    assert_int_equal(answered_at_cancel, 1);
}

/* Of an agent that ended in the middle of a spread, or of ours that lost its connection. */
static void what_was_ordered_before_homing_sever_was_reached_is_taken_back(void **state)
{
    (void)state;
    begin("    sever_spread: 10m\n");
    fake_sever_set(7, true);
    assert_int_equal(fake_sever_cancelled, 2);
    assert_int_equal(fake_order_count, 0);
    switch_over(0, 1);
    fake_sever_forget();
    fake_sever_set(7, true);
    assert_int_equal(fake_sever_cancelled, 2);
    assert_int_equal(fake_order_count, 1);
}

static void what_is_under_way_ends_when_the_new_writer_is_contested(void **state)
{
    (void)state;
    begin("    sever_spread: 10m\n");
    switch_over(0, 1);
    sim_promote(&sim, 2);
    sim_run(&sim, 2000);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).state, VIEW_STATE_AMBIGUOUS);
    assert_true(fake_sever_cancelled > 0);
}

static void an_order_is_repeated_ever_less_often_and_ends_after_ten_minutes(void **state)
{
    (void)state;
    begin("");
    switch_over(0, 1);
    uint64_t first_ms = fake_orders[0].at_ms;
    sim_run(&sim, 20 * 60 * 1000);
    assert_in_range(fake_order_count, 6, 12);
    for (uint32_t i = 0; i < fake_order_count; i++)
        assert_names(&fake_orders[i].order, 0);
    uint64_t last_ms = fake_orders[fake_order_count - 1].at_ms;
    assert_in_range(last_ms - first_ms, 300000, 660000);
}

static void W7_a_connect_that_lands_on_a_demoted_member_is_ordered_within_a_second(void **state)
{
    (void)state;
    begin("");
    switch_over(0, 1);
    sim_run(&sim, 20 * 60 * 1000); /* nothing is repeated any more */
    fake_sever_forget();
    fake_sever_behind++;
    sim_run(&sim, 1000);
    assert_int_equal(fake_order_count, 1);
    assert_names(&fake_orders[0].order, 0);
}

static void a_homing_sever_that_comes_late_or_anew_is_ordered_again(void **state)
{
    (void)state;
    begin("");
    fake_sever_set(0, false);
    switch_over(0, 1);
    sim_run(&sim, 1000);
    assert_int_equal(fake_order_count, 0);
    fake_sever_set(7, true);
    assert_int_equal(fake_order_count, 1);
    assert_names(&fake_orders[0].order, 0);
    fake_sever_set(8, true);
    assert_int_equal(fake_order_count, 2);
    assert_names(&fake_orders[1].order, 0);
}

static void one_that_cannot_sever_is_ordered_nothing(void **state)
{
    (void)state;
    begin("");
    fake_sever_set(3, false);
    switch_over(0, 1);
    sim_run(&sim, 10000);
    assert_int_equal(fake_order_count, 0);
}

/* A quiet pool holds connections that were made before. */
static void a_switch_that_the_agent_slept_through_is_ordered_when_it_wakes(void **state)
{
    (void)state;
    begin("");
    sim_stop(&sim);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    sim_rejoin(&sim, 0);
    sim_start(&sim);
    sim_run(&sim, SETTLED_MS);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    assert_true(fake_order_count > 0);
    assert_names(&fake_orders[0].order, 0);
}

static void
an_agent_that_dies_after_a_switch_orders_again_what_it_may_not_have_ordered(void **state)
{
    (void)state;
    begin("");
    fake_sever_set(0, false);
    switch_over(0, 1);
    sim_run(&sim, 1000);
    sim_stop(&sim);
    fake_sever_set(1, true);
    sim_start(&sim);
    assert_int_equal(fake_order_count, 0); /* not before the writer's claim is heard again */
    sim_run(&sim, SETTLED_MS);
    assert_true(fake_order_count > 0);
    assert_names(&fake_orders[0].order, 0);
}

static void failing_back_names_the_other_member(void **state)
{
    (void)state;
    begin("");
    switch_over(0, 1);
    sim_run(&sim, 5000);
    fake_sever_forget();
    switch_over(1, 0);
    sim_run(&sim, 500);
    assert_true(fake_order_count > 0);
    for (uint32_t i = 0; i < fake_order_count; i++)
        assert_names(&fake_orders[i].order, 1);
}

static void the_history_has_the_switch_with_what_was_severed_and_may_be_lost(void **state)
{
    (void)state;
    begin("");
    sim.servers[0].position = 5000;
    sim_run(&sim, 1500);
    fake_sever_redirected = 10;
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1); /* branches off at 1000 */
    sim_run(&sim, 500);
    fake_sever_redirected = 14;
    fake_sever_done(0, 37);

    const struct history_switch *change = newest_switch();
    assert_string_equal(change->from, "10.0.0.1:5432");
    assert_string_equal(change->to, "10.0.0.2:5433");
    assert_true(change->ordered && change->severed);
    assert_int_equal(change->aborted, 37);
    assert_int_equal(change->would_abort, 0);
    assert_int_equal(change->redirected, 4);
    assert_int_equal(change->loss_bytes, 4000);
    assert_true(change->loss_exact);
    assert_non_null(strstr(change->loss, "up to 4000 bytes"));
    assert_non_null(strstr(change->loss, "0/1388"));
    assert_non_null(strstr(change->loss, "branch point is 0/3E8"));
    assert_true(change->silent_ms >= 0 && change->publish_ms >= 0);
    assert_int_equal(cluster()->severing.severed, 37);
}

static void a_branch_point_that_may_be_of_another_recovery_is_not_called_one(void **state)
{
    (void)state;
    begin("");
    sim.servers[0].position = 5000;
    sim_run(&sim, 1500);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_conduct(&sim, 1, SIM_DOWN);
    sim_run(&sim, 500);
    sim.servers[1].started += 50; /* promoted, and restarted since */
    sim.servers[1].conduct = SIM_ANSWERS;
    sim_promote(&sim, 1);
    sim_run(&sim, 15000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    assert_false(newest_switch()->loss_exact);
    assert_non_null(strstr(newest_switch()->loss, "at least 4000 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(
            W7_the_demoted_members_connections_are_ordered_once_the_new_writer_is_published),
        TEST_IN_SIM(W5_silence_alone_orders_nothing),
        TEST_IN_SIM(without_a_successor_nothing_is_ordered),
        TEST_IN_SIM(W3_two_claims_order_nothing_until_one_of_them_is_published_and_alone),
        TEST_IN_SIM(W10_a_braked_cluster_orders_nothing_until_it_is_unfrozen),
        TEST_IN_SIM(a_frozen_cluster_orders_nothing),
        TEST_IN_SIM(a_new_writer_that_falls_silent_is_no_reason_to_order_more),
        TEST_IN_SIM(in_observe_it_is_counted_once_and_not_done),
        TEST_IN_SIM(below_sever_nothing_is_ordered_and_the_mode_counts_at_once),
        TEST_IN_SIM(the_kill_switch_ends_what_is_under_way),
        TEST_IN_SIM(the_kill_switch_ends_what_is_under_way_also_when_a_repetition_was_refused),
        TEST_IN_SIM(a_switch_back_ends_what_is_under_way_before_it_orders_anew),
        TEST_IN_SIM(W7_an_order_is_taken_back_before_programs_hear_of_the_switch_back),
        TEST_IN_SIM(what_was_ordered_before_homing_sever_was_reached_is_taken_back),
        TEST_IN_SIM(what_is_under_way_ends_when_the_new_writer_is_contested),
        TEST_IN_SIM(an_order_is_repeated_ever_less_often_and_ends_after_ten_minutes),
        TEST_IN_SIM(W7_a_connect_that_lands_on_a_demoted_member_is_ordered_within_a_second),
        TEST_IN_SIM(a_homing_sever_that_comes_late_or_anew_is_ordered_again),
        TEST_IN_SIM(one_that_cannot_sever_is_ordered_nothing),
        TEST_IN_SIM(a_switch_that_the_agent_slept_through_is_ordered_when_it_wakes),
        TEST_IN_SIM(an_agent_that_dies_after_a_switch_orders_again_what_it_may_not_have_ordered),
        TEST_IN_SIM(failing_back_names_the_other_member),
        TEST_IN_SIM(the_history_has_the_switch_with_what_was_severed_and_may_be_lost),
        TEST_IN_SIM(a_branch_point_that_may_be_of_another_recovery_is_not_called_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
