/* SPDX-License-Identifier: Apache-2.0
 *
 * roster.c - who joins and who leaves by what servers say of each other, and who may not.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/discover/roster.h"
#include "tests/support/test.h"

#define PORT 5432

static const struct engine_kind ids = {.name = "ids", .tells = ENGINE_TELLS_IDS};
static const struct engine_kind hosts = {.name = "hosts", .tells = ENGINE_TELLS_HOSTS};

static char own_host[] = "own.x";
static char one_pattern[] = "?.x", other_pattern[] = "?.eu.y", region[] = "eu-1";
static struct conf_member members[HOMING_MEMBERS_MAX] = {{.host = own_host, .port = PORT}};
static struct conf_pattern patterns[] = {{.pattern = one_pattern},
                                         {.region = region, .pattern = other_pattern}};
static struct conf_network network = {.family = 4, .bits = 8, .bytes = {10}};

static struct conf_cluster conf;
static struct roster roster;
static uint64_t now_ms;

static int rig_setup(void **state)
{
    (void)state;
    conf =
        (struct conf_cluster){.engine = &ids, .host_patterns = patterns, .host_pattern_count = 1};
    roster = (struct roster){.count = 0};
    now_ms = 1000000;
    return 0;
}

/* One server says so: ids or hosts, blanks between; with "@" a region behind it. */
static bool says(const char *rows)
{
    struct topology topology;
    char copy[1024], *save = NULL;
    topology_init(&topology);
    snprintf(copy, sizeof(copy), "%s", rows);
    for (char *row = strtok_r(copy, " ", &save); row; row = strtok_r(NULL, " ", &save)) {
        char *at = strchr(row, '@');
        if (at)
            *at = '\0';
        topology_add(&topology, conf.engine == &ids ? row : NULL, conf.engine == &ids ? NULL : row,
                     at ? at + 1 : NULL, 0);
    }
    return roster_take(&roster, &conf, &topology, "s:1", PORT, now_ms);
}

static bool has(const char *host)
{
    return roster_find(&roster, host, PORT) < roster.count;
}

static bool nobody_holds(void)
{
    static const enum roster_hold none[HOMING_MEMBERS_MAX];
    return roster_leave(&roster, none, now_ms);
}

/* For so long all servers say so, once a second; then who is missing leaves. */
static bool say_for(const char *rows, uint64_t ms)
{
    bool left = false;
    for (uint64_t end = now_ms + ms; now_ms < end; now_ms += 1000) {
        says(rows);
        left |= nobody_holds();
    }
    return left;
}

static void who_is_named_joins_with_the_port_of_who_says_so(void **state)
{
    (void)state;
    assert_true(says("a B"));
    assert_int_equal(roster.count, 2);
    assert_true(has("a.x"));
    assert_true(has("b.x"));
    assert_string_equal(roster.at[0].from, "s:1");
    assert_int_equal(roster.at[0].since_ms, now_ms);
    assert_false(says("b a"));
    assert_int_equal(roster.count, 2);
}

static void a_row_has_a_port_of_its_own(void **state)
{
    struct topology topology;
    (void)state;
    topology_init(&topology);
    topology_add(&topology, "a", NULL, NULL, 7);
    assert_true(roster_take(&roster, &conf, &topology, "s:1", PORT, now_ms));
    assert_int_equal(roster.at[0].port, 7);
}

/* What an endpoint has at another port could not be told from the member's own. */
static void a_member_has_no_port_of_an_endpoint(void **state)
{
    uint16_t ports[] = {PORT + 1, PORT};
    struct conf_endpoint endpoint = {.ports = ports, .port_count = 1};
    (void)state;
    conf.endpoints = &endpoint;
    conf.endpoint_count = 1;
    assert_true(says("a"));
    endpoint.port_count = 2;
    assert_false(says("b"));
    assert_int_equal(roster.refused_why, NAMED_PORT);
    roster_confine(&roster, &conf);
    assert_int_equal(roster.count, 0);
}

static void who_stands_in_the_configuration_is_not_discovered(void **state)
{
    (void)state;
    conf.members = members;
    conf.member_count = 1;
    assert_true(says("own a"));
    assert_int_equal(roster.count, 1);
    assert_true(has("a.x"));
}

static void one_answer_without_a_row_removes_nobody(void **state)
{
    (void)state;
    says("a b");
    now_ms += 1000;
    says("a");
    assert_false(nobody_holds());
    now_ms += 1000;
    says("a b");
    assert_false(say_for("a", ROSTER_GONE_MS));
    assert_true(say_for("a", 2000));
    assert_false(has("b.x"));
    assert_true(has("a.x"));
}

static void who_is_named_by_one_of_several_stays(void **state)
{
    (void)state;
    says("a b");
    for (int i = 0; i < 200; i++, now_ms += 500) {
        says(i % 2 ? "a" : "a b");
        assert_false(nobody_holds());
    }
}

static void an_empty_answer_changes_nothing(void **state)
{
    (void)state;
    says("a b");
    assert_false(say_for("", 10 * ROSTER_GONE_MS));
    assert_int_equal(roster.count, 2);
    assert_int_equal(roster.taken_ms, 1000000);
}

/* A wrong pattern must not empty a cluster. */
static void an_answer_of_which_all_is_refused_changes_nothing(void **state)
{
    (void)state;
    says("a b");
    assert_false(say_for("a.evil.example b_b", 10 * ROSTER_GONE_MS));
    assert_int_equal(roster.count, 2);
}

static void after_a_silence_the_minute_begins_anew(void **state)
{
    (void)state;
    says("a b");
    now_ms += 1000;
    says("a");
    now_ms += 10 * ROSTER_GONE_MS;
    says("a");
    assert_false(nobody_holds());
    assert_true(say_for("a", ROSTER_GONE_MS + 2000));
}

static void a_member_that_is_held_stays_as_long_as_its_hold(void **state)
{
    enum roster_hold holds[HOMING_MEMBERS_MAX] = {ROSTER_FREE, ROSTER_A_DAY, ROSTER_ALWAYS};
    (void)state;
    says("a b c");
    says("d");
    now_ms += ROSTER_HELD_MS - 1;
    assert_true(roster_leave(&roster, holds, now_ms));
    assert_false(has("a.x"));
    assert_true(has("b.x"));
    assert_true(has("c.x"));
    holds[0] = ROSTER_A_DAY;
    holds[1] = ROSTER_ALWAYS;
    now_ms++;
    assert_true(roster_leave(&roster, holds, now_ms));
    assert_false(has("b.x"));
    assert_true(has("c.x"));
    assert_true(has("d.x"));
    assert_int_equal(roster.count, 2);
}

static void fill(struct topology *topology, unsigned count)
{
    topology_init(topology);
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof(id), "n%u", i);
        topology_add(topology, id, NULL, NULL, 0);
    }
}

static void more_rows_than_members_are_refused_as_a_whole(void **state)
{
    struct topology topology;
    (void)state;
    says("a");
    fill(&topology, HOMING_MEMBERS_MAX + 1);
    assert_false(roster_take(&roster, &conf, &topology, "s:1", PORT, now_ms));
    assert_int_equal(roster.count, 1);
    assert_true(roster_is_crowded(&roster, now_ms));
    assert_false(roster_is_crowded(&roster, now_ms + ROSTER_TELL_MS));
}

static void who_does_not_fit_in_waits_for_room(void **state)
{
    struct topology topology;
    (void)state;
    conf.members = members;
    conf.member_count = 1;
    fill(&topology, HOMING_MEMBERS_MAX);
    assert_true(roster_take(&roster, &conf, &topology, "s:1", PORT, now_ms));
    assert_int_equal(roster.count, HOMING_MEMBERS_MAX - 1);
    assert_true(roster_is_crowded(&roster, now_ms));
    assert_false(has("n31.x"));
    say_for("n31", ROSTER_GONE_MS + 2000);
    assert_true(has("n31.x"));
    assert_int_equal(roster.count, 1);
}

static void an_id_of_a_region_has_the_pattern_of_its_region(void **state)
{
    (void)state;
    conf.host_pattern_count = 2;
    assert_true(says("a@eu-1 b c@us-1"));
    assert_true(has("a.eu.y"));
    assert_true(has("b.x"));
    assert_true(has("c.x")); /* a pattern without region is for every other one */
    rig_setup(NULL);
    conf.host_patterns = &patterns[1];
    assert_true(says("a@eu-1 b c@us-1"));
    assert_true(has("a.eu.y"));
    assert_true(has("b.eu.y")); /* a row without region can only mean the one pattern there is */
    assert_int_equal(roster.count, 2);
    assert_int_equal(roster.refused_why, NAMED_NO_REGION);
    assert_string_equal(roster.refused, "c");
}

static void what_is_refused_is_told_for_a_minute_and_printable(void **state)
{
    (void)state;
    assert_false(roster_has_refused(&roster, now_ms));
    says("a x\x1b[2Jy");
    assert_true(has("a.x"));
    assert_true(roster_has_refused(&roster, now_ms));
    assert_string_equal(roster.refused, "x?[2Jy");
    assert_string_equal(roster.refused_from, "s:1");
    assert_int_equal(roster.refused_why, NAMED_ODD);
    assert_false(roster_has_refused(&roster, now_ms + ROSTER_TELL_MS));
}

static void a_text_that_is_too_long_is_no_id_instead_of_another_one(void **state)
{
    struct topology topology;
    char id[TOPOLOGY_ID_SIZE + 1];
    (void)state;
    memset(id, 'a', sizeof(id));
    id[TOPOLOGY_ID_SIZE] = '\0';
    topology_init(&topology);
    topology_add(&topology, id, NULL, NULL, 0);
    assert_string_equal(topology.at[0].id, "");
    assert_false(roster_take(&roster, &conf, &topology, "s:1", PORT, now_ms));
    assert_int_equal(roster.refused_why, NAMED_ODD);
}

static void a_host_needs_a_pattern_or_a_network(void **state)
{
    (void)state;
    conf.engine = &hosts;
    assert_true(says("a.x evil.example 10.0.0.1 a.x.evil.example"));
    assert_int_equal(roster.count, 1);
    assert_int_equal(roster.refused_why, NAMED_OUTSIDE);
    conf.allowed_networks = &network;
    conf.allowed_network_count = 1;
    assert_true(says("a.x other.example 10.0.0.1 11.0.0.1 fd00::1"));
    assert_true(has("other.example")); /* the probe connects to addresses in the network alone */
    assert_true(has("10.0.0.1"));
    assert_int_equal(roster.count, 3);
    conf.timing.family = CONF_FAMILY_6;
    assert_false(says("10.0.0.2"));
}

static void an_engine_that_tells_ids_has_no_use_for_networks(void **state)
{
    struct roster_member saved = {.host = "other.example", .port = PORT};
    (void)state;
    conf.allowed_networks = &network;
    conf.allowed_network_count = 1;
    roster_restore(&roster, &conf, &saved);
    assert_int_equal(roster.count, 0);
}

static void what_is_saved_is_judged_again(void **state)
{
    struct roster_member saved = {.host = "a.x", .port = PORT, .from = "s:1", .missing_ms = 5};
    (void)state;
    roster_restore(&roster, &conf, &saved);
    roster_restore(&roster, &conf, &saved);
    assert_int_equal(roster.count, 1);
    assert_int_equal(roster.at[0].missing_ms, 0);
    snprintf(saved.host, sizeof(saved.host), "a.y");
    roster_restore(&roster, &conf, &saved);
    snprintf(saved.host, sizeof(saved.host), "B.x"); /* nobody saves it so */
    roster_restore(&roster, &conf, &saved);
    assert_int_equal(roster.count, 1);
}

static void another_configuration_drops_whom_it_does_not_allow(void **state)
{
    (void)state;
    says("own a b");
    uint64_t mark = roster_mark(&roster);
    roster_confine(&roster, &conf);
    assert_int_equal(roster_mark(&roster), mark);
    conf.members = members;
    conf.member_count = 1;
    roster_confine(&roster, &conf);
    assert_int_equal(roster.count, 2);
    assert_int_not_equal(roster_mark(&roster), mark);
    conf.host_patterns = &patterns[1];
    roster_confine(&roster, &conf);
    assert_int_equal(roster.count, 0);
}

static bool names_green(const char *host)
{
    struct topology topology;
    topology_init(&topology);
    topology_add_green(&topology, host, PORT);
    return roster_take(&roster, &conf, &topology, "s:1", PORT, now_ms);
}

static void W4a_a_green_server_needs_a_pattern_that_makes_its_host(void **state)
{
    (void)state;
    assert_true(names_green("a-green-k7h2ma.x"));
    assert_true(has("a-green-k7h2ma.x"));
    assert_false(names_green("a-green-k7h2ma.y"));
    assert_int_equal(roster.refused_why, NAMED_OUTSIDE);
    assert_false(names_green("a-green-k7h2ma.cluster-x"));
    assert_int_equal(roster.count, 1);
}

static void W4a_what_a_switchover_left_behind_is_no_member(void **state)
{
    (void)state;
    assert_false(says("a-old1 b-old12 C-OLD1"));
    assert_int_equal(roster.refused_why, NAMED_OLD);
    assert_true(says("a-old a1 old1 a-old1b"));
    assert_int_equal(roster.count, 4);
    conf.engine = &hosts;
    assert_false(says("a-old1.x"));
    assert_int_equal(roster.refused_why, NAMED_OLD);
}

#define IN_RIG(function) TEST_BETWEEN(rig_setup, NULL, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(who_is_named_joins_with_the_port_of_who_says_so),
        IN_RIG(a_row_has_a_port_of_its_own),
        IN_RIG(a_member_has_no_port_of_an_endpoint),
        IN_RIG(who_stands_in_the_configuration_is_not_discovered),
        IN_RIG(one_answer_without_a_row_removes_nobody),
        IN_RIG(who_is_named_by_one_of_several_stays),
        IN_RIG(an_empty_answer_changes_nothing),
        IN_RIG(an_answer_of_which_all_is_refused_changes_nothing),
        IN_RIG(after_a_silence_the_minute_begins_anew),
        IN_RIG(a_member_that_is_held_stays_as_long_as_its_hold),
        IN_RIG(more_rows_than_members_are_refused_as_a_whole),
        IN_RIG(who_does_not_fit_in_waits_for_room),
        IN_RIG(an_id_of_a_region_has_the_pattern_of_its_region),
        IN_RIG(what_is_refused_is_told_for_a_minute_and_printable),
        IN_RIG(a_text_that_is_too_long_is_no_id_instead_of_another_one),
        IN_RIG(a_host_needs_a_pattern_or_a_network),
        IN_RIG(an_engine_that_tells_ids_has_no_use_for_networks),
        IN_RIG(what_is_saved_is_judged_again),
        IN_RIG(another_configuration_drops_whom_it_does_not_allow),
        IN_RIG(W4a_a_green_server_needs_a_pattern_that_makes_its_host),
        IN_RIG(W4a_what_a_switchover_left_behind_is_no_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
