/* SPDX-License-Identifier: Apache-2.0
 *
 * named.c - which servers the doctor visits because others name them, and what it makes of these.
 */
#include "config.h"

#include "agent/doctor/patient.h"
#include "tests/unit/doctor/judge_rig.h"

static struct seen_cluster *patient;

/* One seed, which answers, and names two servers by a pattern. */
static int named_setup(void **state)
{
    rig_setup(state);
    conf.members = NULL;
    conf.member_count = 0;
    conf.seeds = &members[3];
    conf.seed_count = 1;
    conf.host_patterns = patterns;
    conf.host_pattern_count = 1;
    patient = patient_new(&conf);
    assert_non_null(patient);
    return 0;
}

static int named_teardown(void **state)
{
    patient_free(patient);
    return rig_teardown(state);
}

static void found_at(struct seen_server *server, uint32_t number)
{
    struct address address;

    address_of(number, &address);
    server->name.end = SEEN_GOOD;
    server->name.at[server->name.count++] = address.inet;
    patient_plan(patient);
}

static void answers(struct seen_server *server, enum role role, uint64_t incarnation,
                    const char *const *names)
{
    struct seen_visit *visit = &server->visits[0];

    visit->end = SEEN_GOOD;
    visit->report = (struct report){
        .role = role, .identity = 7, .incarnation = incarnation, .term.lo = 1, .position = 5};
    visit->told = malloc(sizeof(*visit->told));
    assert_non_null(visit->told);
    topology_init(visit->told);
    for (; names && *names; names++)
        topology_add(visit->told, NULL, *names, NULL, 0);
    patient_plan(patient);
}

static void expect_patient(uint32_t problems, uint32_t remarks)
{
    cluster = *patient;
    expect(problems, remarks);
}

static const char *const both[] = {"db1.x", "db2.x", NULL};

static void begin_named(const char *const *names)
{
    found_at(&patient->servers[0], 4);
    assert_null(patient_next_name(patient)); /* nobody is named before the first one has answered */
    answers(&patient->servers[0], ROLE_WRITER, 101, names);
}

static void who_is_named_is_asked_too(void **state)
{
    (void)state;
    begin_named(both);
    assert_int_equal(patient->server_count, 3);
    assert_false(patient_is_done(patient));
    assert_string_equal(patient_next_name(patient)->name, "db1.x");
    found_at(&patient->servers[1], 1);
    found_at(&patient->servers[2], 2);
    answers(&patient->servers[1], ROLE_WRITER, 101, both);
    answers(&patient->servers[2], ROLE_READER, 102, both);
    assert_int_equal(patient->server_count, 3);
    assert_true(patient_is_done(patient));
    expect_patient(0, 0);
    expect_line("  ok       named db1.x:5000 at 10.0.0.1: login works (no TLS)");
    expect_line("all 2 that answered hold one data set");
    expect_line("one claims to be the writer: named db1.x:5000");
}

/* And so on, but for no more than a cluster may have. */
static void who_is_named_names_others(void **state)
{
    char name[16] = "0.x";
    const char *const next[] = {name, NULL};

    (void)state;
    begin_named(next);
    for (uint32_t i = 1; i <= HOMING_MEMBERS_MAX; i++) {
        assert_int_equal(patient->server_count, i + 1);
        found_at(&patient->servers[i], i);
        snprintf(name, sizeof(name), "%u.x", i);
        answers(&patient->servers[i], ROLE_READER, i, next);
    }
    assert_int_equal(patient->server_count, HOMING_MEMBERS_MAX + 1);
    assert_true(patient_is_done(patient));
    cluster = *patient;
    judge();
    expect_line("more servers are named than the 32");
}

static void a_pattern_that_leads_nowhere_is_a_problem(void **state)
{
    (void)state;
    begin_named(both);
    for (uint32_t i = 1; i <= 2; i++) {
        patient->servers[i].name.end = SEEN_FAILED;
        snprintf(patient->servers[i].name.words, sizeof(patient->servers[i].name.words), "no host");
    }
    patient_plan(patient);
    expect_patient(3, 0);
    expect_line("  PROBLEM  named db1.x:5000: no host\n"
                "           -> seed seed:5000 names it so: correct DNS");
    expect_line("  PROBLEM  the pattern '?.x' leads nowhere: DNS knows none of the hosts");
}

/* A resolver that says nothing speaks against no pattern. */
static void a_pattern_is_not_blamed_for_a_silent_dns(void **state)
{
    (void)state;
    begin_named(both);
    for (uint32_t i = 1; i <= 2; i++)
        patient->servers[i].name.end = SEEN_SILENT;
    patient_plan(patient);
    cluster = *patient;
    judge();
    expect_no("leads nowhere");
}

static void a_pattern_for_nobody_is_a_remark(void **state)
{
    static const char *const other[] = {"other.y", NULL};

    (void)state;
    begin_named(other);
    expect_patient(1, 1); /* other.y is refused */
    expect_line("  remark   the pattern '?.x' is for no server that is named\n");
}

static void two_names_that_lead_to_one_server_are_a_problem(void **state)
{
    (void)state;
    begin_named(both);
    for (uint32_t i = 1; i <= 2; i++) {
        found_at(&patient->servers[i], 1);
        answers(&patient->servers[i], ROLE_WRITER, 101, both);
    }
    expect_patient(1, 0);
    expect_line("named db1.x:5000 and named db2.x:5000 are one server, but others name two");
}

static void a_member_that_others_name_otherwise_is_a_remark(void **state)
{
    (void)state;
    servers[1].named = true;
    servers[1].from = &servers[0];
    servers[1].visits[0].report = servers[0].visits[0].report;
    expect(0, 1);
    expect_line("a:5000 and named b:5000 are one server under two names");
}

static void a_named_server_that_is_another_clusters_is_a_problem(void **state)
{
    (void)state;
    servers[2].named = true;
    servers[2].from = &servers[0];
    servers[2].visits[0].report.identity = 8;
    expect(1, 0);
    expect_line("named c:5000 holds another data set than a:5000");
    expect_line("           -> correct host_patterns or DNS");
}

static void an_answer_that_names_too_many_names_nobody(void **state)
{
    (void)state;
    begin_named(NULL);
    for (uint32_t i = 0; i <= HOMING_MEMBERS_MAX; i++)
        topology_add(patient->servers[0].visits[0].told, NULL, "db1.x", NULL, 0);
    patient_plan(patient);
    assert_int_equal(patient->server_count, 1);
    expect_patient(2, 0);
    expect_line("seed seed:5000 names more servers than the 32 that a cluster may have");
    expect_line("no server that answered names another one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(named, who_is_named_is_asked_too),
        TEST_IN(named, who_is_named_names_others),
        TEST_IN(named, a_pattern_that_leads_nowhere_is_a_problem),
        TEST_IN(named, a_pattern_is_not_blamed_for_a_silent_dns),
        TEST_IN(named, a_pattern_for_nobody_is_a_remark),
        TEST_IN(named, two_names_that_lead_to_one_server_are_a_problem),
        TEST_IN(rig, a_member_that_others_name_otherwise_is_a_remark),
        TEST_IN(rig, a_named_server_that_is_another_clusters_is_a_problem),
        TEST_IN(named, an_answer_that_names_too_many_names_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
