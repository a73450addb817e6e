/* SPDX-License-Identifier: Apache-2.0
 *
 * made_up_engine.c - a failover of an engine that no file but this one knows: it is handed to the
 * configuration and to the daemon, and that is all it takes.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/admin/methods.h"
#include "agent/daemon/reload.h"
#include "tests/sim/sim.h"
#include "tests/support/test.h"

static const struct engine_keyword keywords[] = {
    {.name = "token", .secret = true},
    {.name = NULL},
};

static void print_entry(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "entry %" PRIu64, position);
}

static void print_era(uint64_t hi, uint64_t lo, char *ret, size_t size)
{
    (void)hi;
    snprintf(ret, size, "era %" PRIu64, lo);
}

static const struct engine_kind made_up = {
    .name = "made_up",
    .default_port = 777,
    .client = "made_up",
    .keywords = keywords,
    .print_position = print_entry,
    .print_term = print_era,
    .lag_unit = "entries",
    .lag_in_transactions = true,
    .branch = "fork",
};

static struct sim sim;

static int rig_setup(void **state)
{
    (void)state;
    sim_init_kind(&sim, &made_up, 3,
                  "    connection: token=secret\n    max_lag_transactions: 5000\n");
    sim_settle(&sim);
    return 0;
}

static void its_new_writer_is_followed(void **state)
{
    (void)state;
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 500);
    sim_promote(&sim, 1);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, 300) <= 300);
    assert_false(sim_serves(&sim, 1));
}

static const struct history_switch *newest_switch(void)
{
    const struct history *history = &sim.daemon->history;
    for (uint64_t i = history->count; i > 0; i--)
        if (history->at[(i - 1) % HISTORY_MAX].is_switch)
            return &history->at[(i - 1) % HISTORY_MAX].change;
    fail_msg("no switch in the history");
    return NULL;
}

static void its_switch_is_told_in_its_own_words(void **state)
{
    (void)state;
    sim.servers[0].position = 5000;
    sim_run(&sim, 1500);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 1); /* parts at 1000 */
    sim_run(&sim, 500);
    const struct history_switch *change = newest_switch();
    assert_string_equal(change->term, "era 2");
    assert_non_null(strstr(change->evidence, "writer term era 2"));
    assert_non_null(strstr(change->loss, "up to 4000 entries: "));
    assert_non_null(strstr(change->loss, "had written up to entry 5000 when last seen"));
    assert_non_null(strstr(change->loss, "fork is entry 1000;"));
}

static void a_reader_may_lack_as_many_transactions_as_its_key_says(void **state)
{
    (void)state;
    assert_true(sim_serves(&sim, 1));
    sim.servers[0].position = 6000;
    sim_run(&sim, 1500);
    assert_true(sim_serves(&sim, 1));
    sim.servers[0].position = 6001;
    sim_run(&sim, 1500);
    assert_false(sim_serves(&sim, 1));
}

/* Asks for the status; *ret_msg lives as long as the parser. */
static void ask_status(struct msg_writer *reply, struct msg_parser *parser, struct msg *ret_msg)
{
    struct serve_peer peer = {.pid = 1, .uid = geteuid()};
    size_t used;
    int fd = -1;
    methods_serve(sim.daemon, SERVE_ADMIN, &peer, 7, "status", NULL, reply, &fd);
    assert_int_equal(msg_writer_finish(reply), 0);
    assert_int_equal(msg_parser_feed(parser, reply->data, reply->len, &used, ret_msg),
                     MSG_FED_MESSAGE);
    assert_null(ret_msg->error);
}

static void status_has_its_name_its_unit_and_its_positions(void **state)
{
    struct msg_writer reply;
    struct msg_parser parser;
    struct msg msg;
    (void)state;
    msg_writer_init(&reply, HOMING_REPLY_MAX);
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    ask_status(&reply, &parser, &msg);
    const struct msg_value *cluster = msg_array_at(msg_get(msg.result, "clusters"), 0);
    const struct msg_value *member = msg_array_at(msg_get(cluster, "members"), 0);
    assert_string_equal(msg_get_str(cluster, "engine"), "made_up");
    assert_string_equal(msg_get_str(cluster, "lag_unit"), "entries");
    assert_string_equal(msg_get_str(cluster, "term"), "era 1");
    assert_string_equal(msg_get_str(member, "position_text"), "entry 1000");
    assert_int_equal(msg_get_uint(member, "position", 0), 1000);
    msg_parser_done(&parser);
    msg_writer_done(&reply);
}

static void a_reload_knows_it_too(void **state)
{
    char *lines = NULL;
    (void)state;
    assert_int_equal(reload_conf(sim.daemon, &lines), 0);
    free(lines);
    sim_run(&sim, 1000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_ptr_equal(sim.daemon->clusters[0]->conf->engine, &made_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(its_new_writer_is_followed),
        TEST_IN_SIM(its_switch_is_told_in_its_own_words),
        TEST_IN_SIM(a_reader_may_lack_as_many_transactions_as_its_key_says),
        TEST_IN_SIM(status_has_its_name_its_unit_and_its_positions),
        TEST_IN_SIM(a_reload_knows_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
