/* SPDX-License-Identifier: Apache-2.0
 *
 * moves.c - W11 as the whole agent does it: the member db-1 is known by name; its host goes silent
 * or stops; its data set comes up at another address; DNS names that. What is published, severed
 * and saved then, and what is not when anything is wrong. Figures are virtual milliseconds.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/cluster.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/history.h"
#include "agent/daemon/words.h"
#include "tests/sim/sim.h"
#include "tests/support/fake_loop.h"
#include "tests/support/fake_sever.h"
#include "tests/support/test.h"

/* From DNS to the view: the name is asked at most 300 ms later, once more 250 ms after that. */
#define MOVE_MS 700

/* Server 0 is db-1, server 1 is db-2 and reads, server 2 is nobody's. */
enum {
    OLD = 0,
    READER = 1,
    NEW = 2,
    NEWER = 3,
};

static struct sim sim;

static void begin(const char *keys)
{
    sim_init_named(&sim, 2, 4, keys);
    sim.servers[NEW].conduct = sim.servers[NEWER].conduct = SIM_DOWN;
    fake_sever_set(1, true);
    sim_settle(&sim);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), OLD);
    fake_sever_forget();
}

static int rig_setup(void **state)
{
    (void)state;
    begin("");
    return 0;
}

static struct cluster *cluster(void)
{
    return sim.daemon->clusters[0];
}

static const struct verdict *verdict(void)
{
    return &cluster()->decision.verdict;
}

/* The data set of `from` is started at `to`: one host's disk on another host. */
static void comes_up(unsigned from, unsigned to)
{
    sim.servers[to] = sim.servers[from];
    sim.servers[to].started += 1000;
    sim.servers[to].position += 100;
    sim.servers[to].conduct = SIM_ANSWERS;
}

static void old_goes(enum sim_conduct conduct)
{
    sim_conduct(&sim, OLD, conduct);
    sim_run(&sim, 3000);
}

static void moves_to_new(void)
{
    old_goes(SIM_DOWN);
    comes_up(OLD, NEW);
    sim_name(&sim, 0, "10.0.0.3");
    assert_true(sim_until(&sim, SIM_WRITER_NAME, NEW, MOVE_MS) <= MOVE_MS);
}

static void stays(const char *address)
{
    sim_name(&sim, 0, address);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, NEW, 8000) == UINT64_MAX);
    assert_int_equal(verdict()->state, CLUSTER_AMBIGUOUS);
    assert_true(verdict()->rival >= HOMING_MEMBERS_MAX);
    assert_int_equal(fake_order_count, 0);
}

static uint32_t view_members(struct view_address at[HOMING_VIEW_ADDRESSES_MAX], uint8_t flags)
{
    struct view_writer *writer = view_writer(sim.daemon->view);
    struct view_entry entry = sim_look(&sim, SIM_WRITER_NAME);
    struct view_map map;

    assert_true(view_map_check(writer->header, writer->header->size, &map));
    return view_read_members(&map, entry.cluster, flags, at, HOMING_VIEW_ADDRESSES_MAX);
}

static void W11_a_silent_member_is_found_at_the_address_that_dns_names(void **state)
{
    uint64_t generation = sim_look(&sim, SIM_WRITER_NAME).generation;

    (void)state;
    old_goes(SIM_SILENT);
    comes_up(OLD, NEW);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), OLD);
    sim_name(&sim, 0, "10.0.0.3");
    assert_true(sim_until(&sim, SIM_WRITER_NAME, NEW, MOVE_MS) <= MOVE_MS);
    assert_int_equal(verdict()->reason, REASON_MOVED);
    assert_int_equal(verdict()->writer, 0);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).generation, generation + 1);
    sim_run(&sim, 10000);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
    assert_int_equal(verdict()->switches, 1);
}

static void W11_a_stopped_member_is_found_too(void **state)
{
    (void)state;
    moves_to_new();
}

static void W7_connections_to_the_left_address_are_severed_but_no_untagged_ones(void **state)
{
    const struct sever_order *order = &fake_orders[0].order;

    (void)state;
    sim_done(&sim);
    begin("    sever_untagged: true\n");
    moves_to_new();
    assert_int_equal(fake_order_count, 1);
    assert_int_equal(order->kind, SEVER_DO);
    assert_int_equal(order->address_count, 1);
    assert_int_equal(order->addresses[0].bytes[3], OLD + 1);
    assert_int_equal(order->addresses[0].port, SIM_PORT);
    assert_true(order->endpoints[0].older_than == sim_look(&sim, SIM_WRITER_NAME).generation);
    assert_false(order->untagged);
}

static void a_left_address_is_published_as_demoted_and_as_nobodys(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_to_new();
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
    assert_string_equal(at[0].text, "10.0.0.1");
    assert_int_equal(at[0].member, VIEW_MEMBER_NOBODY);
    assert_int_equal(at[0].flags, VIEW_MEMBER_DEMOTED);
    assert_int_equal(view_members(at, VIEW_MEMBER_WRITER), 1);
    assert_string_equal(at[0].text, "10.0.0.3");
}

static void a_move_is_in_the_history(void **state)
{
    const struct history *history = &sim.daemon->history;
    const struct history_entry *entry = NULL;

    (void)state;
    moves_to_new();
    for (uint64_t i = 0; i < history->count; i++)
        if (history->at[i].is_switch)
            entry = &history->at[i];
    assert_non_null(entry);
    assert_string_equal(entry->change.from, "db-1:5432 at 10.0.0.1");
    assert_string_equal(entry->change.to, "db-1:5432 at 10.0.0.3");
    assert_string_equal(entry->change.reason, "moved");
}

static void a_restored_snapshot_moves_nobody(void **state)
{
    (void)state;
    old_goes(SIM_SILENT);
    comes_up(OLD, NEW);
    sim.servers[NEW].position = sim.servers[OLD].position - 1;
    stays("10.0.0.3");
    assert_int_equal(verdict()->reason, REASON_BEHIND);
}

static void a_clone_as_of_an_earlier_time_moves_nobody(void **state)
{
    (void)state;
    old_goes(SIM_DOWN);
    comes_up(OLD, NEW);
    sim.servers[NEW].timeline = 2;
    sim.servers[NEW].branch = sim.servers[OLD].position - 1;
    stays("10.0.0.3");
    assert_int_equal(verdict()->reason, REASON_BEHIND);
}

static void a_reused_address_with_another_identity_moves_nobody(void **state)
{
    (void)state;
    old_goes(SIM_DOWN);
    comes_up(OLD, NEW);
    sim.servers[NEW].system = 2;
    stays("10.0.0.3");
    assert_int_equal(verdict()->reason, REASON_OTHER_IDENTITY);
}

static void a_spoofed_name_moves_nobody_while_the_member_answers(void **state)
{
    (void)state;
    comes_up(OLD, NEW);
    sim_name(&sim, 0, "10.0.0.3");
    sim_run(&sim, 50000);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
    sim_run(&sim, 30000); /* named for long: asked, and called out */
    assert_int_equal(verdict()->state, CLUSTER_AMBIGUOUS);
    assert_int_equal(verdict()->reason, REASON_TWO_CLAIMS);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), OLD);
    assert_int_equal(verdict()->switches, 0);
}

static void a_promoted_member_that_moved_does_not_replace_a_living_writer(void **state)
{
    (void)state;
    sim_conduct(&sim, READER, SIM_DOWN);
    sim_run(&sim, 1000);
    comes_up(READER, NEW);
    sim.servers[NEW].writer = true;
    sim.servers[NEW].timeline = 2;
    sim.servers[NEW].branch = sim.servers[OLD].position;
    sim_name(&sim, 1, "10.0.0.3");
    sim_run(&sim, 5000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), OLD); /* W3: a living writer stays */
    assert_int_equal(verdict()->reason, REASON_TWO_CLAIMS);
}

static void a_name_that_flips_back_and_forth_moves_once(void **state)
{
    (void)state;
    old_goes(SIM_SILENT);
    comes_up(OLD, NEW);
    for (int i = 0; i < 12; i++) {
        sim_name(&sim, 0, i % 2 ? "10.0.0.1" : "10.0.0.3");
        sim_run(&sim, 2500);
    }
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), NEW);
    assert_int_equal(verdict()->switches, 1);
    /* And the old host comes back, while the name still flips. */
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    for (int i = 0; i < 12; i++) {
        sim_name(&sim, 0, i % 2 ? "10.0.0.1" : "10.0.0.3");
        sim_run(&sim, 2500);
    }
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), NEW);
    assert_int_equal(verdict()->switches, 1);
}

static void two_members_that_swap_addresses_do_not_move(void **state)
{
    (void)state;
    sim_name(&sim, 0, "10.0.0.2");
    sim_name(&sim, 1, "10.0.0.1");
    sim_run(&sim, 100000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), OLD);
    assert_int_equal(verdict()->switches, 0);
    /* The writer goes: db-1's name leads to a reader, which is another member. */
    old_goes(SIM_SILENT);
    sim_run(&sim, 5000);
    assert_int_equal(verdict()->switches, 0);
    assert_int_equal(verdict()->state, CLUSTER_SUSPECT);
}

static void an_old_writer_that_comes_back_at_a_left_address_is_a_second_claim(void **state)
{
    struct view_entry entry;

    (void)state;
    moves_to_new();
    sim_run(&sim, 5000);
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    sim_run(&sim, 12000);
    fake_sever_forget();
    for (int i = 0; i < 100; i++) { /* and stays one, though it is asked seldom */
        sim_run(&sim, 100);
        assert_int_equal(verdict()->state, CLUSTER_AMBIGUOUS);
    }
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), NEW);
    entry = sim_look(&sim, SIM_WRITER_NAME);
    assert_int_equal(entry.state, VIEW_STATE_AMBIGUOUS);
    assert_int_equal(fake_order_count, 0);
}

static void a_left_address_with_another_data_set_is_forgotten(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_to_new();
    sim.servers[OLD].system = 9;
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    sim_run(&sim, 12000);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 0);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
}

static void a_left_address_where_something_else_listens_is_forgotten(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_to_new();
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
    sim_conduct(&sim, OLD, SIM_IS_ELSE);
    sim_run(&sim, 12000);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 0);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
}

static uint32_t still(void)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count = view_members(at, VIEW_MEMBER_STILL);

    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(at[i].text, "10.0.0.1");
        assert_int_equal(at[i].flags, VIEW_MEMBER_DEMOTED | VIEW_MEMBER_STILL);
    }
    return count;
}

static void until_still(uint32_t count)
{
    for (int i = 0; i < 3000 && still() != count; i++)
        sim_run(&sim, 10);
    assert_int_equal(still(), count);
}

/* Whoever has the address by now need not let the agent in: then nothing is known of him. */
static void a_left_address_says_whether_its_data_set_answers_there_still(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    const enum sim_conduct ends[] = {SIM_SILENT, SIM_DOWN};

    (void)state;
    moves_to_new();
    assert_int_equal(still(), 0);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        sim_conduct(&sim, OLD, SIM_ANSWERS);
        until_still(1);
        sim_conduct(&sim, OLD, ends[i]);
        until_still(0);
    }
    sim_conduct(&sim, OLD, SIM_DENIES);
    for (int i = 0; i < 300; i++) {
        sim_run(&sim, 100);
        assert_int_equal(still(), 0);
    }
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
}

static void a_left_address_that_is_forgotten_leaves_the_view_at_once(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_to_new();
    sim.servers[OLD].system = 9;
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    while (elsewhere_last_left(cluster(), 0))
        sim_run(&sim, 1);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 0);
}

static void left_addresses_survive_a_restart(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_to_new();
    sim_run(&sim, 1000);
    sim_stop(&sim);
    sim_start(&sim);
    sim_run(&sim, 1000);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
    assert_string_equal(at[0].text, "10.0.0.1");
    assert_int_equal(at[0].member, VIEW_MEMBER_NOBODY);
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    sim_run(&sim, 12000);
    assert_int_equal(verdict()->state, CLUSTER_AMBIGUOUS);
    assert_true(topo_was_shown(&cluster()->decision.topo, 1));
}

static void a_member_that_moved_while_no_agent_ran_has_left_its_address_all_the_same(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    sim_run(&sim, 10000); /* what was seen is on disk */
    sim_stop(&sim);
    sim_conduct(&sim, OLD, SIM_SILENT);
    comes_up(OLD, NEW);
    sim_name(&sim, 0, "10.0.0.3");
    fake_sever_forget();
    sim_start(&sim);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, NEW, 8000) <= 8000); /* two attempts to connect */
    sim_run(&sim, 1000);
    assert_int_equal(verdict()->reason, REASON_MOVED);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
    assert_string_equal(at[0].text, "10.0.0.1");
    assert_int_equal(fake_order_count, 1);
    assert_true(topo_was_shown(&cluster()->decision.topo, 1));
}

static void a_restored_snapshot_that_came_while_no_agent_ran_moves_nobody(void **state)
{
    (void)state;
    sim_run(&sim, 10000);
    sim_stop(&sim);
    sim_conduct(&sim, OLD, SIM_SILENT);
    comes_up(OLD, NEW);
    sim.servers[NEW].position = sim.servers[OLD].position - 1;
    sim_name(&sim, 0, "10.0.0.3");
    sim_start(&sim);
    sim_run(&sim, 10000);
    assert_int_equal(verdict()->rival, PLACE_VOICE(0));
    assert_int_equal(verdict()->switches, 0);
}

static void a_reader_that_moves_is_found_too(void **state)
{
    (void)state;
    assert_true(sim_serves(&sim, READER));
    sim_conduct(&sim, READER, SIM_SILENT);
    sim_run(&sim, 3000);
    comes_up(READER, NEW);
    sim_name(&sim, 1, "10.0.0.3");
    sim_run(&sim, MOVE_MS + 500);
    assert_true(sim_serves(&sim, NEW));
    assert_false(sim_serves(&sim, READER));
    assert_int_equal(verdict()->switches, 0);
}

static void accept_takes_what_is_claimed_at_an_address(void **state)
{
    struct event event = {.kind = EVENT_ACCEPT};
    char text[512], command[400];

    (void)state;
    old_goes(SIM_DOWN);
    comes_up(OLD, NEW);
    sim.servers[NEW].system = 2;
    stays("10.0.0.3");
    words_alarm(cluster(), ALARM_AMBIGUOUS, text, sizeof(text), command, sizeof(command));
    assert_string_equal(command, "homingctl accept orders 10.0.0.3:5432");
    event.member = elsewhere_find(cluster(), "10.0.0.3:5432");
    assert_int_equal(cluster_order(cluster(), &event), REFUSAL_NONE);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), NEW);
    sim_run(&sim, 3000);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
    assert_int_equal(fake_order_count, 1);
    assert_int_equal(fake_orders[0].order.addresses[0].bytes[3], OLD + 1);
}

static void a_name_with_several_addresses_is_asked_at_each(void **state)
{
    (void)state;
    old_goes(SIM_SILENT);
    comes_up(OLD, NEW);
    sim_name(&sim, 0, "10.0.0.1 10.0.0.3 10.0.0.4");
    assert_true(sim_until(&sim, SIM_WRITER_NAME, NEW, MOVE_MS) <= MOVE_MS);
    assert_int_equal(fake_order_count, 1); /* though DNS still names the old address */
    assert_int_equal(fake_orders[0].order.addresses[0].bytes[3], OLD + 1);
}

/* ---- W4a: as if a switchover had left db-1's old server behind ---- */

/* The writer is at its new address; another server than before is started at the old one. */
static void moves_and_leaves_behind(void)
{
    moves_to_new();
    sim_run(&sim, 5000);
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        cluster()->places[i].behind = cluster()->places[i].is.kind == PLACE_LEFT;
    elsewhere_again(cluster());
    sim.servers[OLD].started += 5000;
    sim.servers[OLD].position = sim.servers[NEW].position + 100;
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    sim_run(&sim, 12000);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
    assert_true(verdict()->fenced_places != 0);
}

static void W4a_what_was_left_behind_is_not_found_where_an_old_answer_of_DNS_leads(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_and_leaves_behind();
    sim_conduct(&sim, OLD, SIM_IS_ELSE); /* once, as it starts */
    sim_run(&sim, 12000);
    sim_name(&sim, 0, "10.0.0.1");
    sim_run(&sim, 5000);
    sim_conduct(&sim, NEW, SIM_DOWN);
    sim_conduct(&sim, OLD, SIM_ANSWERS);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, OLD, 100000) == UINT64_MAX);
    assert_int_equal(verdict()->switches, 1);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
    assert_string_equal(at[0].text, "10.0.0.1");
}

static void W4a_an_address_that_was_left_behind_stays_so_whatever_data_set_answers(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    moves_and_leaves_behind();
    sim.servers[OLD].system = 9;
    sim_run(&sim, 12000);
    assert_int_equal(view_members(at, VIEW_MEMBER_DEMOTED), 1);
    assert_int_equal(verdict()->state, CLUSTER_STEADY);
}

static void says_to_delete_the_old_cluster(void)
{
    char text[512], command[400];

    assert_int_equal(verdict()->state, CLUSTER_AMBIGUOUS);
    words_alarm(cluster(), ALARM_AMBIGUOUS, text, sizeof(text), command, sizeof(command));
    assert_string_equal(command, "");
    assert_non_null(strstr(text, "a blue/green switchover left behind"));
    assert_non_null(strstr(text, "delete the old cluster"));
    assert_null(strstr(text, "accept"));
}

static void W4a_no_alarm_proposes_to_accept_what_claims_at_such_an_address(void **state)
{
    (void)state;
    moves_and_leaves_behind();
    sim_conduct(&sim, NEW, SIM_SILENT);
    sim_run(&sim, 20000);
    assert_true(verdict()->rival >= HOMING_MEMBERS_MAX);
    says_to_delete_the_old_cluster();
}

static void W4a_no_alarm_proposes_to_accept_a_member_that_was_left_behind(void **state)
{
    char text[512], command[400];

    (void)state;
    cluster()->decision.verdict.retired = 1U << READER;
    sim.servers[READER].writer = true;
    sim_conduct(&sim, OLD, SIM_SILENT);
    sim_run(&sim, 5000);
    assert_int_equal(verdict()->rival, READER);
    says_to_delete_the_old_cluster();
    cluster()->decision.verdict.rival = MEMBER_NONE; /* as when a reload has taken the writer out */
    words_alarm(cluster(), ALARM_AMBIGUOUS, text, sizeof(text), command, sizeof(command));
    assert_string_equal(command, "homingctl accept orders MEMBER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(W11_a_silent_member_is_found_at_the_address_that_dns_names),
        TEST_IN_SIM(W11_a_stopped_member_is_found_too),
        TEST_IN_SIM(W7_connections_to_the_left_address_are_severed_but_no_untagged_ones),
        TEST_IN_SIM(a_left_address_is_published_as_demoted_and_as_nobodys),
        TEST_IN_SIM(a_move_is_in_the_history),
        TEST_IN_SIM(a_restored_snapshot_moves_nobody),
        TEST_IN_SIM(a_clone_as_of_an_earlier_time_moves_nobody),
        TEST_IN_SIM(a_reused_address_with_another_identity_moves_nobody),
        TEST_IN_SIM(a_spoofed_name_moves_nobody_while_the_member_answers),
        TEST_IN_SIM(a_promoted_member_that_moved_does_not_replace_a_living_writer),
        TEST_IN_SIM(a_name_that_flips_back_and_forth_moves_once),
        TEST_IN_SIM(two_members_that_swap_addresses_do_not_move),
        TEST_IN_SIM(an_old_writer_that_comes_back_at_a_left_address_is_a_second_claim),
        TEST_IN_SIM(a_left_address_with_another_data_set_is_forgotten),
        TEST_IN_SIM(a_left_address_where_something_else_listens_is_forgotten),
        TEST_IN_SIM(a_left_address_says_whether_its_data_set_answers_there_still),
        TEST_IN_SIM(a_left_address_that_is_forgotten_leaves_the_view_at_once),
        TEST_IN_SIM(left_addresses_survive_a_restart),
        TEST_IN_SIM(a_member_that_moved_while_no_agent_ran_has_left_its_address_all_the_same),
        TEST_IN_SIM(a_restored_snapshot_that_came_while_no_agent_ran_moves_nobody),
        TEST_IN_SIM(a_reader_that_moves_is_found_too),
        TEST_IN_SIM(accept_takes_what_is_claimed_at_an_address),
        TEST_IN_SIM(a_name_with_several_addresses_is_asked_at_each),
        TEST_IN_SIM(W4a_what_was_left_behind_is_not_found_where_an_old_answer_of_DNS_leads),
        TEST_IN_SIM(W4a_an_address_that_was_left_behind_stays_so_whatever_data_set_answers),
        TEST_IN_SIM(W4a_no_alarm_proposes_to_accept_what_claims_at_such_an_address),
        TEST_IN_SIM(W4a_no_alarm_proposes_to_accept_a_member_that_was_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
