/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.c - what the doctor makes of what was seen: which lines, how bad, and what is to be done.
 */
#include "config.h"

#include "agent/discover/named.h"
#include "tests/unit/doctor/judge_rig.h"

static struct conf_network network = {.family = 4, .bits = 8, .bytes = {10}};
static uint16_t ports[] = {6432};
static struct conf_endpoint conf_endpoint = {.ports = ports, .port_count = 1};
static struct topology told, again;

static void fails(uint32_t server, enum engine_stage stage, const char *words)
{
    struct seen_visit *visit = &servers[server].visits[0];

    visit->end = SEEN_FAILED;
    visit->stage = stage;
    visit->kind = REPORT_DENIED;
    snprintf(visit->words, sizeof(visit->words), "%s", words);
}

static void a_cluster_in_order_has_no_problem(void **state)
{
    (void)state;
    expect(0, 0);
    expect_line("cluster orders (made-up)\n");
    expect_line("  ok       a:5000 resolves to 10.0.0.1\n");
    expect_line("  ok       a:5000 at 10.0.0.1: login works (no TLS); version not known, writer, "
                "term 3, position 5, identity 7\n");
    expect_line("  ok       b:5000 at 10.0.0.2: login works (no TLS); version not known, reader, "
                "position 5, identity 7\n");
    expect_line("all 3 that answered hold one data set\n");
    expect_line("  ok       one claims to be the writer: a:5000 (term 3)\n");
}

static void the_way_in_is_told_apart(void **state)
{
    (void)state;
    servers[0].visits[0].encrypted = servers[1].visits[0].encrypted = true;
    servers[1].visits[0].report.authenticated = true;
    snprintf(servers[1].visits[0].version, sizeof(servers[1].visits[0].version),
             "9\033[2J\u202e1\u200b");
    expect(0, 0);
    expect_line("a:5000 at 10.0.0.1: login works (TLS, which proves no name)");
    expect_line("b:5000 at 10.0.0.2: login works (TLS, which proves its name); version 9?[2J?1?,");
}

static void a_failure_says_how_far_it_came(void **state)
{
    static const char *const failed[] = {"cannot be asked: x", "no TCP connection: x",
                                         "TCP works, TLS does not: x",
                                         "TCP works, login does not: x", "login works, but x"};
    static const char *const silent[] = {
        "no TCP connection within 5 s", "no TCP connection within 5 s",
        "TCP works, but no TLS within 5 s", "TCP works, but no login within 5 s",
        "login works, but no answer to a question within 5 s"};

    (void)state;
    for (enum engine_stage stage = 0; stage < ENGINE_STAGE_COUNT; stage++) {
        fails(1, stage, "x");
        expect(1, 0);
        expect_line(failed[stage]);
        servers[1].visits[0].end = SEEN_SILENT;
        expect(1, 0);
        expect_line(silent[stage]);
    }
}

static void what_is_to_be_done_stands_below(void **state)
{
    (void)state;
    fails(1, ENGINE_STAGE_LOGIN, "no role \"he \"re\"");
    expect(1, 0);
    expect_line("no role \"he \"re\"\n           -> CREATE ROLE \"he \";\n");
    fails(1, ENGINE_STAGE_LOGIN, "refused");
    expect(1, 0);
    expect_line("\n           -> let \"homing\" in\n");
    fails(1, ENGINE_STAGE_LOGIN, "kept out \"one\", \"two\"");
    expect(1, 0);
    expect_line("\n           -> add two for one\n");
    fails(1, ENGINE_STAGE_LOGIN, "kept out, in another language");
    expect(1, 0);
    expect_line("\n           -> admit it\n");
    fails(1, ENGINE_STAGE_LOGIN, "never heard of");
    expect(1, 0);
    expect_line("never heard of\n  ok ");
    fails(1, ENGINE_STAGE_CONNECTING, "never heard of");
    expect(1, 0);
    expect_line("never heard of\n           -> its host is down, or a route or a firewall");
}

static void the_key_is_named_in_which_the_server_is_written(void **state)
{
    (void)state;
    cluster.server_count = 4;
    fails(3, ENGINE_STAGE_CONNECTING, "nobody listens");
    expect(0, 1);
    expect_line("nobody listens\n           -> correct the port in seeds\n");
    fails(1, ENGINE_STAGE_CONNECTING, "nobody listens");
    expect(1, 1);
    expect_line("nobody listens\n           -> correct the port in members\n");
    servers[1].named = true;
    servers[1].from = &servers[3];
    expect(1, 1);
    expect_line(
        "nobody listens\n           -> correct the port in the list that its servers give\n");
}

static void a_missing_privilege_is_a_statement_in_its_own_line(void **state)
{
    (void)state;
    fails(1, ENGINE_STAGE_SESSION, "it is missing: GRANT X TO 'homing'@'%'");
    expect(1, 0);
    expect_line("it is missing; as an administrator, on the writer:\n"
                "           -> GRANT X TO 'homing'@'%';\n");
    servers[1].visits[0].end = SEEN_GOOD; /* a note */
    expect(1, 0);
    expect_line("\n           -> GRANT X TO 'homing'@'%';\n");
    fails(1, ENGINE_STAGE_SESSION, "it is missing: GRANT LOOK ON t.of_it TO \"homing\"");
    expect(1, 0);
    expect_line("\n           -> GRANT LOOK ON t.of_it TO \"homing\";\n");
}

/* Whoever answers there may say such things. */
static void a_server_has_no_other_statement_run(void **state)
{
    static const char *const WORDS[] = {
        "missing: GRANT X TO 'homing'@'%'; DROP Y",
        "missing: GRANT X TO 'homing'@'%', 'b'@'%'",
        "missing: GRANT X TO 'homing'@'%' WITH GRANT OPTION",
        "missing: GRANT X TO 'evil'@'%'",
        "missing: GRANT X TO ''@'%'",
        "missing: GRANT X TO \"homing\", evil",
        "missing: GRANT X TO homing",
        "missing: GRANT ALL ON *.* TO 'homing'@'%'",
        "missing: GRANT X, ALL TO 'homing'@'%'",
        "missing: GRANT LOOK ON t.a, ALL TO 'homing'@'%'",
        "missing: GRANT LOOK ON u.a TO 'homing'@'%'",
        "missing: GRANT ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        fails(1, ENGINE_STAGE_SESSION, WORDS[i]);
        expect(1, 0);
        expect_no("-> GRANT");
        expect_no("administrator");
    }
}

static void a_note_is_a_remark(void **state)
{
    (void)state;
    snprintf(servers[1].visits[0].words, sizeof(servers[1].visits[0].words), "it is odd");
    expect(0, 1);
    expect_line("  remark   b:5000 at 10.0.0.2: it is odd\n");
}

static void a_name_that_leads_nowhere_is_a_problem(void **state)
{
    (void)state;
    servers[1].name = (struct seen_name){.name = hosts[1], .end = SEEN_FAILED, .words = "no b"};
    servers[1].visit_count = 0;
    expect(1, 0);
    expect_line("  PROBLEM  b:5000: no b\n");
    servers[1].name.end = SEEN_SILENT;
    expect(1, 0);
    expect_line("b:5000: DNS does not answer within 5 s");
}

static void one_address_of_two_that_works_is_enough(void **state)
{
    (void)state;
    fails(1, ENGINE_STAGE_CONNECTING, "x");
    add_visit(1, 20);
    expect(0, 1);
    expect_line("  remark   b:5000 at 10.0.0.2: no TCP connection: x\n");
}

static void one_name_of_two_servers_is_a_problem(void **state)
{
    (void)state;
    add_visit(1, 20);
    expect(1, 0);
    expect_line("b:5000 leads to different servers: at 10.0.0.20 is another one than at 10.0.0.2");
    servers[1].visits[1].report.incarnation = servers[1].visits[0].report.incarnation;
    expect(0, 0);
}

static void addresses_outside_of_allowed_networks_are_named(void **state)
{
    (void)state;
    conf.allowed_networks = &network;
    conf.allowed_network_count = 1;
    servers[1].name.at[servers[1].name.count++] =
        (struct inet_address){.family = 4, .bytes = {11, 0, 0, 1}};
    expect(0, 1);
    expect_line("b:5000: 11.0.0.1 is outside of allowed_networks");
    servers[1].name.at[0] = servers[1].name.at[1];
    servers[1].name.count = 1;
    servers[1].visit_count = 0;
    expect(1, 0);
}

static void a_seed_that_fails_is_a_problem_only_if_nobody_answers(void **state)
{
    (void)state;
    cluster.server_count = 4;
    fails(3, ENGINE_STAGE_CONNECTING, "x");
    expect(0, 1);
    expect_line("  remark   seed seed:5000 at 10.0.0.4: no TCP connection: x\n");
    for (uint32_t i = 0; i < 3; i++)
        fails(i, ENGINE_STAGE_CONNECTING, "x");
    expect(4, 0);
    expect_line("nobody answered: who is the writer cannot be said");
}

static void seeds_speak_where_there_are_no_members(void **state)
{
    (void)state;
    conf.member_count = 0;
    for (uint32_t i = 0; i < 3; i++)
        servers[i].seed = true;
    servers[1].visits[0].report.incarnation = servers[0].visits[0].report.incarnation;
    expect(0, 0); /* two seeds may be one server */
    expect_line("one claims to be the writer: seed a:5000");
}

static void the_odd_data_set_is_that_of_the_fewest(void **state)
{
    (void)state;
    servers[0].visits[0].report.identity = 8;
    expect(1, 0);
    expect_line("  PROBLEM  a:5000 holds another data set than b:5000 (identity 8, not 7)");
    cluster.server_count = 2; /* of two it is the reader's */
    expect(1, 0);
    expect_line("  PROBLEM  b:5000 holds another data set than a:5000 (identity 7, not 8)");
    servers[1].visits[0].report.identity = 0;
    expect(0, 0);
    expect_no("data set");
}

static void exactly_one_has_to_claim(void **state)
{
    (void)state;
    servers[0].visits[0].report.role = ROLE_READER;
    expect(1, 0);
    expect_line("none of the 3 that answered claims to be the writer\n           -> add the writer "
                "to members; if there is none, promote one");
    fails(2, ENGINE_STAGE_CONNECTING, "x");
    expect(2, 0);
    expect_line("           -> see to those that do not answer: one may be the writer.");
    servers[0].visits[0].report.role = servers[1].visits[0].report.role = ROLE_WRITER;
    expect(2, 0);
    expect_line("2 claim to be the writer: a:5000 (term 3), b:5000 (term none)");
}

static void in_deployment(enum phase phase, enum phase green_phase)
{
    servers[1].visits[0].report.role = ROLE_WRITER;
    servers[1].visits[0].report.identity = 8;
    topology_init(&told);
    if (phase < PHASE_POST) /* then names are exchanged */
        topology_add_green(&told, "b", 0);
    for (uint32_t i = 0; i < 3; i++) {
        servers[i].visits[0].report.phase = i == 1 ? green_phase : phase;
        servers[i].visits[0].told = &told;
    }
}

static void W4a_a_green_server_that_claims_is_no_problem(void **state)
{
    (void)state;
    in_deployment(PHASE_AVAILABLE, PHASE_AVAILABLE);
    expect(0, 0);
    expect_line("  ok       one claims to be the writer: a:5000 (term 3)\n");
    expect_line(
        "  ok       a blue/green deployment is there (available); its green writer, to which no "
        "program is led before the switchover: b:5000 (term none) (W4a)\n");
    expect_no("another data set");
    in_deployment(PHASE_IN_PROGRESS, PHASE_IN_PROGRESS);
    expect(0, 0);
    expect_line("a blue/green deployment is there (in_progress)");
    servers[0].visits[0].report.role = ROLE_READER;
    expect(0, 1);
    expect_line("  remark   none claims to be the writer: a blue/green switchover is in progress "
                "(W4a)\n           -> wait for its end: promote none meanwhile");
}

static void W4a_a_green_server_that_is_no_member_is_a_problem(void **state)
{
    struct topology each[3];

    (void)state;
    in_deployment(PHASE_AVAILABLE, PHASE_AVAILABLE);
    topology_add_green(&told, "orders-green.x", 5001);
    for (uint32_t i = 0; i < 3; i++) {
        each[i] = told;
        servers[i].visits[0].told = &each[i];
    }
    expect(1, 0);
    expect_line("  PROBLEM  a:5000 names orders-green.x:5001 as the green server of a blue/green "
                "deployment, which is no member: homing cannot hand over to it (W4a)\n"
                "           -> add it to members and reload, before the switchover\n");
}

static void W4a_its_own_word_alone_makes_nobody_green(void **state)
{
    (void)state;
    in_deployment(PHASE_NONE, PHASE_AVAILABLE);
    expect(2, 0);
    expect_line("2 claim to be the writer: a:5000 (term 3), b:5000 (term none)");
    in_deployment(PHASE_AVAILABLE, PHASE_NONE);
    expect(2, 0);
    expect_no("a blue/green deployment");
}

static void W4a_after_a_switchover_nobody_is_to_be_stopped(void **state)
{
    (void)state;
    in_deployment(PHASE_POST, PHASE_COMPLETED);
    servers[1].visits[0].report.identity = 7;
    expect(0, 1);
    expect_line(
        "  remark   2 claim to be the writer, after a blue/green switchover (W4a): a:5000 (term "
        "3), b:5000 (term none)\n           -> stop none of them;");
    servers[0].visits[0].report.phase = PHASE_AVAILABLE;
    expect(1, 0);
}

static void W3_a_writer_that_homing_does_not_take_by_itself_is_told(void **state)
{
    (void)state;
    members[0].failover = false;
    expect(1, 0);
    expect_line("  PROBLEM  a:5000 claims to be the writer, but has failover: false");
    members[0].failover = true;
    members[1].failover = false;
    expect(0, 0);
}

static void one_server_under_two_names_claims_once(void **state)
{
    (void)state;
    servers[1].visits[0].report = servers[0].visits[0].report;
    expect(1, 0);
    expect_line("a:5000 and b:5000 are one server under two names");
    expect_line("one claims to be the writer: a:5000 (term 3)");
}

static void W12_servers_that_follow_the_wrong_one_are_named(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        servers[i].visits[0].report.self = i + 1;
        servers[i].visits[0].report.follows = i == 0 ? 0 : 1;
    }
    expect(0, 0);
    expect_line("as far as they can tell");
    servers[1].visits[0].report.follows = 0;
    servers[2].visits[0].report.follows = 99;
    expect(0, 2);
    expect_line("b:5000 is a reader, but replicates from nobody");
    expect_line("c:5000 replicates from a server that is not among the members");
    fails(0, ENGINE_STAGE_CONNECTING, "x"); /* it may be that one */
    judge();
    expect_no("not among the members");
}

static void W12_two_servers_with_one_id_are_a_problem(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        servers[i].visits[0].report.self = i < 2 ? 1 : 2;
        servers[i].visits[0].report.follows = i == 0 ? 0 : 1;
    }
    expect(1, 0);
    expect_line("a:5000 and b:5000 have the same server id");
}

static void who_is_named_and_refused_is_said_once_with_the_reason(void **state)
{
    (void)state;
    conf.host_patterns = patterns;
    conf.host_pattern_count = 1;
    conf.endpoints = &conf_endpoint;
    conf.endpoint_count = 1;
    topology_init(&told);
    topology_add(&told, NULL, "db1.x", NULL, 0);
    topology_add(&told, NULL, "evil.y", NULL, 0);
    topology_add(&told, NULL, "db2.x", NULL, 6432);
    topology_add(&told, NULL, NULL, NULL, 0);
    again = told;
    servers[0].visits[0].told = &told;
    servers[1].visits[0].told = &again;
    expect(3, 0);
    expect_no("leads nowhere"); /* nobody looked up db1.x here */
    expect_line("  ok       a:5000 names db1.x, which is taken as a member\n");
    expect_line(
        "a:5000 names 'evil.y', which is outside of host_patterns and allowed_networks: homing");
    expect_line("a:5000 names 'db2.x', which has a port that stands in ports");
    expect_line("a:5000 names '', which is no id or host of a server");
    conf.host_pattern_count = 0; /* nobody asked for members */
    expect(0, 0);
    expect_no("names");
}

static void names_of_endpoints_are_hints(void **state)
{
    (void)state;
    endpoint.name.end = SEEN_FAILED;
    expect(0, 0);
    expect_line("  hint     orders-db (writer) is not in plain DNS");
    endpoint.name.end = SEEN_SILENT;
    expect(0, 0);
    expect_line("  hint     orders-db (writer): plain DNS does not answer within 5 s");
    endpoint.name.end = SEEN_GOOD;
    endpoint.name.count = 3;
    endpoint.name.at[0] = servers[0].name.at[0];
    endpoint.name.at[1] = servers[1].name.at[0];
    endpoint.name.at[2] = (struct inet_address){.family = 4, .bytes = {11, 0, 0, 1}};
    endpoint.role = VIEW_ROLE_READER;
    fails(1, ENGINE_STAGE_CONNECTING, "x");
    expect(1, 0);
    expect_line("orders-db (reader) is in plain DNS: 10.0.0.1 (a:5000, a writer) 10.0.0.2 (b:5000, "
                "which does not answer) 11.0.0.1 (no member)\n");
}

static void the_last_line_counts(void **state)
{
    size_t size;

    (void)state;
    findings = (struct findings){.out = open_memstream(&printed, &size)};
    findings_add(&findings, FINDING_PROBLEM, NULL, "x");
    findings_end(&findings);
    fclose(findings.out);
    expect_line("\nNot checked: ");
    expect_line("\n1 problem, 0 remarks\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_cluster_in_order_has_no_problem),
        TEST_IN(rig, the_way_in_is_told_apart),
        TEST_IN(rig, a_failure_says_how_far_it_came),
        TEST_IN(rig, what_is_to_be_done_stands_below),
        TEST_IN(rig, the_key_is_named_in_which_the_server_is_written),
        TEST_IN(rig, a_missing_privilege_is_a_statement_in_its_own_line),
        TEST_IN(rig, a_server_has_no_other_statement_run),
        TEST_IN(rig, a_note_is_a_remark),
        TEST_IN(rig, a_name_that_leads_nowhere_is_a_problem),
        TEST_IN(rig, one_address_of_two_that_works_is_enough),
        TEST_IN(rig, one_name_of_two_servers_is_a_problem),
        TEST_IN(rig, addresses_outside_of_allowed_networks_are_named),
        TEST_IN(rig, a_seed_that_fails_is_a_problem_only_if_nobody_answers),
        TEST_IN(rig, seeds_speak_where_there_are_no_members),
        TEST_IN(rig, the_odd_data_set_is_that_of_the_fewest),
        TEST_IN(rig, exactly_one_has_to_claim),
        TEST_IN(rig, W4a_a_green_server_that_claims_is_no_problem),
        TEST_IN(rig, W4a_a_green_server_that_is_no_member_is_a_problem),
        TEST_IN(rig, W4a_its_own_word_alone_makes_nobody_green),
        TEST_IN(rig, W4a_after_a_switchover_nobody_is_to_be_stopped),
        TEST_IN(rig, W3_a_writer_that_homing_does_not_take_by_itself_is_told),
        TEST_IN(rig, one_server_under_two_names_claims_once),
        TEST_IN(rig, W12_servers_that_follow_the_wrong_one_are_named),
        TEST_IN(rig, W12_two_servers_with_one_id_are_a_problem),
        TEST_IN(rig, who_is_named_and_refused_is_said_once_with_the_reason),
        TEST_IN(rig, names_of_endpoints_are_hints),
        TEST_IN(rig, the_last_line_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
