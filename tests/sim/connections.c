/* SPDX-License-Identifier: Apache-2.0
 *
 * connections.c - at which addresses and ports the whole agent asks homing-sever for connections: to
 * sever them, and to list them. homing-sever itself is a notebook (fake_sever.h).
 */
#include "config.h"

#include "agent/admin/methods.h"
#include "tests/sim/sever_rig.h"

/* What it names in place `i`. */
static bool has_address(const struct sever_order *order, uint32_t i, unsigned server, uint16_t port)
{
    return order->addresses[i].bytes[3] == server + 1 && order->addresses[i].port == port;
}

static const char with_ports[] =
    "      - {names: [pooled.invalid], role: writer, ports: [6433, 6432]}\n"
    "      - {names: [watched.invalid], role: writer, mode: observe, ports: [6434]}\n"
    "      - {names: [read.invalid], role: reader, ports: [6435]}\n";

static void a_poolers_port_at_the_demoted_members_host_is_ordered_with_its_own(void **state)
{
    const struct sever_order *order = &fake_orders[1].order; /* the first one counts */
    (void)state;
    begin(with_ports);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    sim_run(&sim, 500);
    assert_int_equal(fake_order_count, 2);
    assert_int_equal(order->kind, SEVER_DO);
    assert_int_equal(order->endpoint_count, 2);
    assert_int_equal(order->address_count, 3);
    assert_true(has_address(order, 0, 0, SIM_PORT));
    assert_true(has_address(order, 1, 0, 6432));
    assert_true(has_address(order, 2, 0, 6433));
    order = &fake_orders[0].order;
    assert_int_equal(order->kind, SEVER_OBSERVE);
    assert_int_equal(order->address_count, 2);
    assert_true(has_address(order, 1, 0, 6434));
}

static int ask_connections(const char *cluster)
{
    struct serve_peer peer = {.pid = 1, .uid = 0, .number = 1};
    struct msg_writer request, reply;
    struct msg_parser parser;
    struct msg msg;
    size_t used;
    int fd = -1;

    msg_writer_init(&request, HOMING_REQUEST_MAX);
    msg_writer_init(&reply, HOMING_REPLY_MAX);
    msg_parser_init(&parser, HOMING_REQUEST_MAX);
    msg_put_request(&request, 5, "connections");
    msg_put_array(&request, 1);
    msg_put_str(&request, cluster);
    assert_int_equal(msg_parser_feed(&parser, request.data, request.len, &used, &msg),
                     MSG_FED_MESSAGE);
    methods_serve(sim.daemon, SERVE_ADMIN, &peer, msg.id, msg.method, msg.params, &reply, &fd);
    msg_writer_done(&request);
    msg_writer_done(&reply);
    msg_parser_done(&parser);
    return fd;
}

static void connections_are_asked_for_at_all_members_and_answered_later(void **state)
{
    struct sever_row row = {.pid = 1, .comm = "x"};
    (void)state;
    begin("");
    assert_int_equal(ask_connections("orders"), SERVE_LATER);
    assert_int_equal(fake_order_count, 1);
    assert_int_equal(fake_orders[0].order.kind, SEVER_LIST);
    assert_int_equal(fake_orders[0].order.address_count, 3);
    assert_true(fake_orders[0].order.untagged);
    assert_int_equal(sim.daemon->listings, 1);
    fake_sever_rows(0, &row, 1);
    assert_int_equal(sim.daemon->listings, 0);
    assert_int_equal(ask_connections("unheard-of"), -1);
    fake_sever_set(0, false);
    assert_int_equal(ask_connections("orders"), -1);
    fake_sever_set(1, true);
    assert_int_equal(ask_connections(NULL), SERVE_LATER); /* and the agent ends */
}

static void a_list_that_does_not_come_is_given_up_and_what_comes_later_is_dropped(void **state)
{
    struct sever_row row = {.pid = 1, .comm = "x"};
    (void)state;
    begin("");
    assert_int_equal(ask_connections("orders"), SERVE_LATER);
    sim_run(&sim, 4500);
    assert_int_equal(sim.daemon->listings, 1); /* its memory waits for what was asked */
    fake_sever_rows(0, &row, 1);
    assert_int_equal(sim.daemon->listings, 0);
    assert_int_equal(ask_connections("orders"), SERVE_LATER);
    sim_run(&sim, 4500); /* and the agent ends */
}

static void connections_at_the_other_ports_of_all_endpoints_are_asked_for(void **state)
{
    (void)state;
    begin(with_ports);
    assert_int_equal(ask_connections("orders"), SERVE_LATER);
    assert_int_equal(fake_orders[0].order.address_count, 3 * 5);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(has_address(&fake_orders[0].order, 1 + i, 0, (uint16_t)(6432 + i)));
}

/* As the kernel lists connections to that server: as ones to 10.1.0.`last`. */
static void is_listed(unsigned server, uint8_t last, uint16_t port)
{
    const struct cluster *cluster = sim.daemon->clusters[0];
    const uint8_t listed[4] = {10, 1, 0, last};
    struct inet_address to = inet_address_make(4, listed, port);

    assert_true(members_take_listed(&sim.daemon->clusters[0]->members,
                                    &cluster->members.at[server].where.at[0].inet, &to));
}

static void writer_goes(void)
{
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1);
    sim_run(&sim, 500);
}

static bool is_listed_address(const struct inet_address *address, uint8_t last, uint16_t port)
{
    return address->bytes[1] == 1 && address->bytes[3] == last && address->port == port;
}

/* Who else is there now has not noted his connections for us. */
static void W7_what_is_listed_in_a_demoted_members_place_is_ordered_if_it_is_tagged(void **state)
{
    const struct sever_order *order = &fake_orders[1].order;
    (void)state;
    begin("    sever_untagged: true\n");
    is_listed(0, 1, 7000);
    is_listed(0, 2, 7000); /* it was started anew */
    is_listed(2, 3, 7000);
    writer_goes();
    assert_int_equal(fake_order_count, 2);
    assert_true(fake_orders[0].order.untagged);
    assert_int_equal(fake_orders[0].order.address_count, 1);
    assert_false(order->untagged);
    assert_int_equal(order->address_count, 2);
    assert_true(is_listed_address(&order->addresses[0], 2, 7000));
    assert_true(is_listed_address(&order->addresses[1], 1, 7000));
}

static bool is_ordered(uint8_t last, uint16_t port)
{
    for (uint32_t i = 0; i < fake_order_count; i++)
        for (uint32_t a = 0; a < fake_orders[i].order.address_count; a++)
            if (is_listed_address(&fake_orders[i].order.addresses[a], last, port))
                return true;
    return false;
}

static void
W7_what_a_member_was_listed_as_before_a_restart_is_ordered_though_it_is_silent(void **state)
{
    (void)state;
    begin("");
    is_listed(0, 1, 7000);
    is_listed(0, 2, 7000);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_stop(&sim);
    fake_sever_forget();
    sim_start(&sim);
    sim_promote(&sim, 1);
    sim_run(&sim, 60000);
    assert_true(is_ordered(1, 7000) && is_ordered(2, 7000));
}

/* As behind a proxy that all connections go through. */
static void W7_what_is_listed_in_another_members_place_too_is_not_ordered(void **state)
{
    const uint8_t loopback[4] = {127, 0, 0, 1};
    struct inet_address local = inet_address_make(4, loopback, 15001);
    (void)state;
    begin("");
    is_listed(0, 1, 7000);
    is_listed(1, 1, 7000);
    is_listed(0, 2, 7000); /* as one listed before */
    is_listed(2, 2, 7000);
    assert_true(members_take_listed(&sim.daemon->clusters[0]->members,
                                    &sim.daemon->clusters[0]->members.at[0].where.at[0].inet,
                                    &local));
    writer_goes();
    assert_int_equal(fake_order_count, 1);
    assert_int_equal(fake_orders[0].order.address_count, 1);
}

static void what_another_member_was_listed_as_once_is_ordered(void **state)
{
    (void)state;
    begin("");
    is_listed(1, 1, 7000);
    is_listed(1, 2, 7000);
    is_listed(0, 1, 7000);
    writer_goes();
    assert_int_equal(fake_order_count, 2);
    assert_true(is_listed_address(&fake_orders[1].order.addresses[0], 1, 7000));
}

static void a_poolers_port_is_ordered_there_too_if_the_members_own_is_kept(void **state)
{
    (void)state;
    begin("      - {names: [pooled.invalid], role: writer, ports: [6432]}\n");
    is_listed(0, 1, SIM_PORT);
    is_listed(0, 2, 7000);
    writer_goes();
    assert_int_equal(fake_order_count, 2);
    assert_int_equal(fake_orders[1].order.address_count, 3);
    assert_true(is_listed_address(&fake_orders[1].order.addresses[0], 2, 7000));
    assert_true(is_listed_address(&fake_orders[1].order.addresses[1], 1, SIM_PORT));
    assert_true(is_listed_address(&fake_orders[1].order.addresses[2], 1, 6432));
}

static void of_one_address_the_last_four_are_kept(void **state)
{
    const struct members *members;
    const struct inet_address *asked;
    (void)state;
    begin("");
    members = &sim.daemon->clusters[0]->members;
    asked = &members->at[0].where.at[0].inet;
    is_listed(1, 100, 7000);
    for (uint8_t i = 1; i <= 9; i++) {
        is_listed(0, i, 7000);
        assert_true(is_listed_address(members_listed(members, asked), i, 7000));
    }
    assert_int_equal(members->listed_count, 5);
    assert_false(members_take_listed(&sim.daemon->clusters[0]->members, asked,
                                     members_listed(members, asked)));
    assert_true(is_listed_address(&members->listed[3].listed, 6, 7000));
    assert_true(is_listed_address(&members->listed[4].listed, 100, 7000));
}

static void connections_are_asked_for_where_they_are_listed(void **state)
{
    (void)state;
    begin("");
    is_listed(2, 3, 7000);
    assert_int_equal(ask_connections("orders"), SERVE_LATER);
    assert_int_equal(fake_orders[0].order.address_count, 4);
    assert_true(is_listed_address(&fake_orders[0].order.addresses[3], 3, 7000));
}

static uint64_t wanting_permits(void)
{
    return view_writer(sim.daemon->view)->header->permit_clusters;
}

static void a_connect_to_a_member_hands_over_where_untagged_connections_are_severed(void **state)
{
    (void)state;
    begin("    sever_untagged: true\n");
    assert_int_equal(wanting_permits(), 1);
    cluster_set_mode(sim.daemon->clusters[0], VIEW_MODE_CONNECT);
    assert_int_equal(wanting_permits(), 0);
    cluster_set_mode(sim.daemon->clusters[0], VIEW_MODE_OBSERVE);
    assert_int_equal(wanting_permits(), 1);
    sim_done(&sim);
    begin("");
    assert_int_equal(wanting_permits(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_poolers_port_at_the_demoted_members_host_is_ordered_with_its_own),
        TEST_IN(rig, connections_are_asked_for_at_all_members_and_answered_later),
        TEST_IN(rig, a_connect_to_a_member_hands_over_where_untagged_connections_are_severed),
        TEST_IN(rig, a_list_that_does_not_come_is_given_up_and_what_comes_later_is_dropped),
        TEST_IN(rig, connections_at_the_other_ports_of_all_endpoints_are_asked_for),
        TEST_IN(rig, W7_what_is_listed_in_a_demoted_members_place_is_ordered_if_it_is_tagged),
        TEST_IN(rig,
                W7_what_a_member_was_listed_as_before_a_restart_is_ordered_though_it_is_silent),
        TEST_IN(rig, W7_what_is_listed_in_another_members_place_too_is_not_ordered),
        TEST_IN(rig, what_another_member_was_listed_as_once_is_ordered),
        TEST_IN(rig, a_poolers_port_is_ordered_there_too_if_the_members_own_is_kept),
        TEST_IN(rig, of_one_address_the_last_four_are_kept),
        TEST_IN(rig, connections_are_asked_for_where_they_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
