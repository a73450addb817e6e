/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.c - members come from what servers say of each other: a made-up engine tells ids, the
 * agent begins with one seed.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/admin/methods.h"
#include "agent/daemon/reload.h"
#include "agent/daemon/words.h"
#include "tests/sim/sim.h"
#include "tests/support/test.h"

static const struct engine_keyword keywords[] = {{.name = NULL}};
static const struct engine_kind made_up = {
    .name = "made_up",
    .default_port = SIM_PORT,
    .tells = ENGINE_TELLS_IDS,
    .keywords = keywords,
    .takes_others = true,
    .lag_unit = "entries",
    .branch = "fork",
};

#define PATTERN "    host_patterns: ['db-?']\n"
/* Longer than a missing member stays. */
#define LONG_MS 70000

static struct sim sim;

/* Ids that every server names; "": rows without any, "-": nothing is told at all. */
static const char *rows;
static bool tells_hosts;
/* The only one that tells these; SIM_NOBODY: all do. */
static int teller;

static bool tell(unsigned server, struct topology *ret_topology)
{
    char copy[256], *save = NULL;
    if (strcmp(rows, "-") == 0 || (teller != SIM_NOBODY && teller != (int)server))
        return false;
    snprintf(copy, sizeof(copy), "%s", rows);
    for (char *id = strtok_r(copy, " ", &save); id; id = strtok_r(NULL, " ", &save))
        topology_add(ret_topology, tells_hosts ? NULL : id, tells_hosts ? id : NULL, NULL, 0);
    return true;
}

static int begin(const struct engine_kind *kind, const char *keys, const char *named)
{
    sim_init_seeded(&sim, kind, 4, keys);
    sim.tell = tell;
    rows = named;
    teller = SIM_NOBODY;
    tells_hosts = kind->tells == ENGINE_TELLS_HOSTS;
    return 0;
}

static int rig_setup(void **state)
{
    (void)state;
    return begin(&made_up, PATTERN, "1 2 3");
}

static const struct engine_kind tells_of_hosts = {
    .name = "tells_of_hosts",
    .default_port = SIM_PORT,
    .tells = ENGINE_TELLS_HOSTS,
    .keywords = keywords,
    .takes_others = true,
};

static int hosts_setup(void **state)
{
    (void)state;
    return begin(&tells_of_hosts, "    allowed_networks: [10.0.0.0/30]\n", "db-1 db-2 10.0.0.3");
}

static const struct cluster *cluster(void)
{
    return sim.daemon->clusters[0];
}

static bool is_member(const char *host)
{
    for (uint32_t i = 0; i < cluster()->conf->member_count; i++)
        if (strcmp(cluster()->conf->members[i].host, host) == 0)
            return true;
    return false;
}

static bool is_warned(enum warning warning)
{
    return cluster()->warnings.raised >> warning & 1;
}

static void one_seed_brings_all_members(void **state)
{
    (void)state;
    sim_settle(&sim);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_true(sim_serves(&sim, 1));
    assert_true(sim_serves(&sim, 2));
    assert_string_equal(cluster()->discovery->roster.at[1].from, "seed:5432");
    assert_int_equal(sim.strange, 0);
}

/* Its name leads to a server that claims for the same data, and that nobody names. */
static void a_claim_through_the_seed_counts_for_nothing(void **state)
{
    (void)state;
    sim_name_seed(&sim, "10.0.0.4");
    sim.servers[3].writer = true;
    sim.servers[3].timeline = 9;
    sim_settle(&sim);
    sim_run(&sim, LONG_MS);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_int_equal(cluster()->decision.verdict.state, CLUSTER_STEADY);
}

static void a_seed_that_told_is_asked_no_more_until_nobody_tells(void **state)
{
    (void)state;
    sim_settle(&sim);
    unsigned asked = sim.asked_seed;
    assert_true(asked > 0);
    assert_null(cluster()->discovery->seeds);
    sim_run(&sim, LONG_MS);
    assert_int_equal(sim.asked_seed, asked);
    rows = "-";
    sim_run(&sim, 12000);
    assert_true(sim.asked_seed > asked);
    assert_non_null(cluster()->discovery->seeds);
    sim_run(&sim, 10000);
    assert_true(is_warned(WARNING_UNTOLD));
    rows = "1 2 3";
    sim_run(&sim, 3000);
    assert_null(cluster()->discovery->seeds);
    assert_false(is_warned(WARNING_UNTOLD));
}

/* Its first answer was from a server that is gone by now. */
static void a_seed_is_where_its_name_leads_now(void **state)
{
    (void)state;
    rows = "-";
    sim_start(&sim);
    sim_run(&sim, 2000);
    assert_int_equal(cluster()->conf->member_count, 0);
    sim_conduct(&sim, 0, SIM_DOWN);
    rows = "2 3";
    sim_name_seed(&sim, "10.0.0.2");
    sim_run(&sim, 15000);
    assert_int_equal(cluster()->conf->member_count, 2);
}

static void a_server_that_joins_may_become_the_writer(void **state)
{
    (void)state;
    sim_settle(&sim);
    assert_false(is_member("db-4"));
    rows = "1 2 3 4";
    sim_run(&sim, 3000);
    assert_true(is_member("db-4"));
    assert_true(sim_serves(&sim, 3));
    assert_string_not_equal(cluster()->discovery->roster.at[3].from, "seed:5432");
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 500);
    sim_promote(&sim, 3);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 3, 300) <= 300);
}

static void nobody_is_connected_to_anew_because_a_server_joins(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_conduct(&sim, 1, SIM_SILENT);
    sim_run(&sim, 10000);
    sim_conduct(&sim, 1, SIM_ANSWERS);
    sim_run(&sim, 10000);
    unsigned opened = sim.opened;
    rows = "1 2 3 4";
    sim_run(&sim, 5000);
    assert_true(is_member("db-4"));
    assert_int_equal(sim.opened, opened + 1);
    assert_int_equal(cluster()->decision.verdict.state, CLUSTER_STEADY);
    assert_true(sim_serves(&sim, 1));
}

static void a_server_that_is_down_and_in_no_row_for_a_minute_leaves(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_conduct(&sim, 2, SIM_DOWN);
    rows = "1 2";
    sim_run(&sim, 50000);
    assert_true(is_member("db-3"));
    sim_run(&sim, 20000);
    assert_false(is_member("db-3"));
    assert_int_equal(cluster()->conf->member_count, 2);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
}

static void a_row_that_comes_and_goes_moves_nobody(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_conduct(&sim, 2, SIM_DOWN);
    for (int i = 0; i < 20; i++) {
        rows = i % 2 ? "1 2 3" : "1 2";
        sim_run(&sim, 10000);
        assert_true(is_member("db-3"));
    }
    assert_int_equal(sim.daemon->history.count > 0, 1);
}

static void an_empty_topology_is_no_empty_cluster(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_conduct(&sim, 2, SIM_DOWN);
    rows = "";
    sim_run(&sim, 5 * LONG_MS);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_true(is_warned(WARNING_UNTOLD));
}

static void a_server_that_answers_stays_although_nobody_names_it(void **state)
{
    (void)state;
    sim_settle(&sim);
    rows = "1 2";
    sim_run(&sim, 2 * LONG_MS);
    assert_true(is_member("db-3"));
}

static void the_writer_stays_whoever_is_named(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_conduct(&sim, 0, SIM_SILENT);
    rows = "2 3";
    sim_run(&sim, 3 * LONG_MS);
    assert_true(is_member("db-1"));
    assert_int_equal(cluster()->decision.verdict.writer, 0);
}

static void a_demoted_member_stays_although_it_is_down_and_nobody_names_it(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 500);
    sim_promote(&sim, 1);
    rows = "2 3";
    sim_run(&sim, 3 * LONG_MS);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    assert_true(is_member("db-1"));
    assert_int_equal(cluster()->decision.verdict.demoted, 1);
}

static void rows_of_another_data_set_do_not_count(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim.servers[2].system = 2;
    teller = 2;
    rows = "1 2 3 4";
    sim_run(&sim, 5000);
    assert_false(is_member("db-4"));
    teller = 1;
    sim_run(&sim, 5000);
    assert_true(is_member("db-4"));
}

static void an_id_that_would_leave_the_pattern_is_refused_and_never_dialled(void **state)
{
    static const char *const hostile[] = {"1 2 3 evil.example", "1 2 3 10.0.0.9", "1 2 3 x/../y",
                                          "1 2 3 a_b"};
    (void)state;
    sim_settle(&sim);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        rows = hostile[i];
        sim_run(&sim, 8000);
        assert_int_equal(cluster()->conf->member_count, 3);
        assert_true(is_warned(WARNING_REFUSED));
    }
    assert_string_equal(cluster()->discovery->roster.refused, "a_b");
    assert_int_equal(sim.strange, 0);
    rows = "1 2 3";
    sim_run(&sim, LONG_MS);
    assert_false(is_warned(WARNING_REFUSED));
}

/* 10.0.0.4 is outside of the networks. A name may be a member, but is connected to nowhere. */
static void a_host_outside_of_the_networks_is_never_dialled(void **state)
{
    (void)state;
    sim_settle(&sim);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    sim_name(&sim, 3, "10.0.0.200");
    rows = "db-1 db-2 10.0.0.3 192.168.0.1 10.0.0.9 db-4";
    sim_run(&sim, 30000);
    assert_true(is_member("db-4"));
    assert_false(is_member("10.0.0.9"));
    assert_false(is_member("192.168.0.1"));
    assert_true(is_warned(WARNING_REFUSED));
    assert_int_equal(sim.strange, 0);
    assert_int_equal(cluster()->members.at[3].where.count, 0);
}

static const char *many_rows(unsigned count)
{
    static char text[256];
    size_t len = 0;
    for (unsigned i = 1; i <= count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%u ", i);
    return text;
}

static void more_servers_than_a_cluster_has_are_refused(void **state)
{
    (void)state;
    sim_settle(&sim);
    rows = many_rows(HOMING_MEMBERS_MAX + 1);
    sim_run(&sim, 10000);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_true(is_warned(WARNING_CROWDED));
    rows = many_rows(HOMING_MEMBERS_MAX);
    sim_run(&sim, 10000);
    assert_int_equal(cluster()->conf->member_count, HOMING_MEMBERS_MAX);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    rows = "40 41";
    sim_run(&sim, LONG_MS + 5000);
    assert_true(is_member("db-41"));
    assert_true(is_member("db-1"));
    assert_false(is_member("db-9"));
}

static void after_a_restart_members_are_known_while_seed_and_dns_are_gone(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_promote(&sim, 1);
    sim_rejoin(&sim, 0);
    sim_run(&sim, 5000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    sim_stop(&sim);
    for (unsigned i = 0; i < 4; i++)
        sim_name(&sim, i, "");
    sim_name_seed(&sim, "");
    rows = "-";
    sim_start(&sim);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_string_equal(cluster()->discovery->roster.at[0].from, "seed:5432");
    sim_run(&sim, 3000);
    assert_int_equal(cluster()->decision.verdict.state, CLUSTER_STEADY);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    sim_rejoin(&sim, 1);
    sim_promote(&sim, 2);
    sim_run(&sim, 3000);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 2);
}

static void addresses_are_kept_when_a_server_joins_while_dns_is_down(void **state)
{
    (void)state;
    sim_name(&sim, 1, "10.0.0.2 10.0.0.8");
    sim_settle(&sim);
    for (unsigned i = 0; i < 4; i++)
        sim_name(&sim, i, "");
    rows = "1 2 3 4";
    sim_run(&sim, 30000);
    assert_true(is_member("db-4"));
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_true(sim_serves(&sim, 1));
    assert_int_equal(cluster()->members.at[1].where.count, 2);
}

static void reload(int expected)
{
    char *lines = NULL;
    assert_int_equal(reload_conf(sim.daemon, &lines), expected);
    free(lines);
}

/* The file with one text in place of another. */
static void edit(const char *from, const char *to)
{
    char text[4096] = "", *at;
    FILE *file = fopen(sim.file, "r");
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    at = strstr(text, from);
    assert_non_null(at);
    file = fopen(sim.file, "w");
    fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fclose(file);
}

static void a_reload_keeps_who_was_discovered(void **state)
{
    (void)state;
    sim_settle(&sim);
    const struct cluster *before = cluster();
    reload(0);
    assert_ptr_equal(cluster(), before);
    edit("endpoints:", "max_lag: 1MB\n    endpoints:");
    reload(0);
    assert_ptr_not_equal(cluster(), before);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    sim_run(&sim, 3000);
    assert_int_equal(cluster()->decision.verdict.state, CLUSTER_STEADY);
    assert_int_equal(cluster()->conf->timing.max_lag, 1 << 20);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_promote(&sim, 2);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 2, 1000) <= 1000);
}

static void a_reload_drops_whom_the_new_patterns_do_not_make(void **state)
{
    (void)state;
    sim_settle(&sim);
    edit("db-?", "dbs-?");
    reload(0);
    assert_int_equal(cluster()->conf->member_count, 0);
    sim_run(&sim, 10000);
    assert_int_equal(cluster()->decision.verdict.state, CLUSTER_AMBIGUOUS);
    edit("dbs-?", "db-?");
    reload(0);
    sim_run(&sim, 15000);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
}

static void a_member_of_the_configuration_never_leaves(void **state)
{
    (void)state;
    sim_settle(&sim);
    edit("    seeds:", "    members: ['db-3:5432']\n    seeds:");
    reload(0);
    sim_conduct(&sim, 2, SIM_DOWN);
    rows = "1 2";
    sim_run(&sim, 2 * LONG_MS);
    assert_true(is_member("db-3"));
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(cluster()->discovery->roster.count, 2);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
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

static void status_says_who_was_discovered_from_whom(void **state)
{
    struct msg_writer reply;
    struct msg_parser parser;
    struct msg msg;
    (void)state;
    msg_writer_init(&reply, HOMING_REPLY_MAX);
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    sim_settle(&sim);
    rows = "1 2 3 evil.example";
    sim_run(&sim, 8000);
    ask_status(&reply, &parser, &msg);
    const struct msg_value *is = msg_array_at(msg_get(msg.result, "clusters"), 0);
    const struct msg_value *member = msg_array_at(msg_get(is, "members"), 1);
    const struct msg_value *discovered = msg_get(member, "discovered");
    assert_string_equal(msg_get_str(member, "member"), "db-2:5432");
    assert_string_equal(msg_get_str(discovered, "from"), "seed:5432");
    assert_in_range(msg_get_uint(discovered, "since_ms", 0), 10000, 11000);
    assert_int_equal(msg_get_uint(discovered, "unnamed_ms", 7), 7);
    const struct msg_value *seed = msg_array_at(msg_get(is, "seeds"), 0);
    assert_string_equal(msg_get_str(seed, "seed"), "seed:5432");
    assert_false(msg_get_bool(seed, "asked", true));
    const struct msg_value *warning = msg_array_at(msg_get(is, "warnings"), 0);
    assert_string_equal(msg_get_str(warning, "warning"), "member_refused");
    assert_non_null(strstr(msg_get_str(warning, "text"),
                           "names the server 'evil.example', which is no id or host"));
    msg_parser_done(&parser);
    msg_writer_done(&reply);
}

/* Whoever looks after a start sees why there is no member. */
static void a_seed_that_cannot_be_asked_is_told_of(void **state)
{
    char text[700];
    (void)state;
    rows = "evil.example";
    sim_conduct(&sim, 0, SIM_DENIES);
    sim_start(&sim);
    sim_run(&sim, 10000);
    assert_true(is_warned(WARNING_UNTOLD));
    words_warning(cluster(), WARNING_UNTOLD, text, sizeof(text));
    assert_string_equal(text, "no server tells who the members are: none is known; seed "
                              "seed:5432: password authentication failed");
    sim_conduct(&sim, 0, SIM_ANSWERS);
    sim_run(&sim, 5000);
    assert_int_equal(cluster()->conf->member_count, 0);
    reload(0);
    sim_run(&sim, 5000); /* it is asked, and whom it names is refused */
    words_warning(cluster(), WARNING_UNTOLD, text, sizeof(text));
    assert_non_null(strstr(text, "; seed seed:5432: each server that it names is refused, as "));
    rows = "1 2 3";
    sim_run(&sim, 5000);
    assert_int_equal(cluster()->conf->member_count, 3);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
}

static unsigned count_events(const char *event)
{
    const struct history *history = &sim.daemon->history;
    unsigned count = 0;
    for (uint64_t i = 0; i < history->count; i++)
        count += strcmp(history->at[i].event, event) == 0;
    return count;
}

/* The writer has another number then, and is the same one. */
static void that_a_member_before_the_writer_leaves_is_no_switch(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_promote(&sim, 2);
    sim_rejoin(&sim, 0);
    sim_run(&sim, 5000);
    assert_int_equal(cluster()->decision.verdict.writer, 2);
    unsigned switches = count_events("writer_changed");
    uint64_t generation = sim_look(&sim, SIM_WRITER_NAME).generation;
    sim_conduct(&sim, 1, SIM_DOWN);
    rows = "1 3";
    sim_run(&sim, LONG_MS);
    assert_false(is_member("db-2"));
    assert_int_equal(cluster()->decision.verdict.writer, 1);
    assert_int_equal(count_events("writer_changed"), switches);
    assert_int_equal(cluster()->decision.verdict.demoted, 1);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).generation, generation);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 2);
}

static void who_was_discovered_from_whom_is_in_the_history(void **state)
{
    (void)state;
    sim_settle(&sim);
    for (uint64_t i = 0; i < sim.daemon->history.count; i++)
        if (strcmp(sim.daemon->history.at[i].event, "member_joined") == 0) {
            assert_non_null(strstr(sim.daemon->history.at[i].text, "seed:5432 named it"));
        }
    assert_int_equal(count_events("member_joined"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(one_seed_brings_all_members),
        TEST_IN_SIM(a_claim_through_the_seed_counts_for_nothing),
        TEST_IN_SIM(a_seed_that_told_is_asked_no_more_until_nobody_tells),
        TEST_IN_SIM(a_seed_is_where_its_name_leads_now),
        TEST_IN_SIM(a_server_that_joins_may_become_the_writer),
        TEST_IN_SIM(nobody_is_connected_to_anew_because_a_server_joins),
        TEST_IN_SIM(a_server_that_is_down_and_in_no_row_for_a_minute_leaves),
        TEST_IN_SIM(a_row_that_comes_and_goes_moves_nobody),
        TEST_IN_SIM(an_empty_topology_is_no_empty_cluster),
        TEST_IN_SIM(a_server_that_answers_stays_although_nobody_names_it),
        TEST_IN_SIM(the_writer_stays_whoever_is_named),
        TEST_IN_SIM(a_demoted_member_stays_although_it_is_down_and_nobody_names_it),
        TEST_IN_SIM(rows_of_another_data_set_do_not_count),
        TEST_IN_SIM(an_id_that_would_leave_the_pattern_is_refused_and_never_dialled),
        TEST_BETWEEN(hosts_setup, sim_teardown, a_host_outside_of_the_networks_is_never_dialled),
        TEST_IN_SIM(more_servers_than_a_cluster_has_are_refused),
        TEST_IN_SIM(after_a_restart_members_are_known_while_seed_and_dns_are_gone),
        TEST_IN_SIM(addresses_are_kept_when_a_server_joins_while_dns_is_down),
        TEST_IN_SIM(a_reload_keeps_who_was_discovered),
        TEST_IN_SIM(a_reload_drops_whom_the_new_patterns_do_not_make),
        TEST_IN_SIM(a_member_of_the_configuration_never_leaves),
        TEST_IN_SIM(that_a_member_before_the_writer_leaves_is_no_switch),
        TEST_IN_SIM(status_says_who_was_discovered_from_whom),
        TEST_IN_SIM(a_seed_that_cannot_be_asked_is_told_of),
        TEST_IN_SIM(who_was_discovered_from_whom_is_in_the_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
