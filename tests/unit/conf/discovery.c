/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.c - the keys seeds and host_patterns: what a pattern is, what it makes and takes, and
 * which clusters may discover their members.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/conf/pattern.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* ---- patterns ---- */

static void a_pattern_is_a_host_with_one_mark(void **state)
{
    char pattern[CONF_HOST_MAX];
    (void)state;
    assert_null(conf_pattern_read("?.ABC.eu-west-1.rds.example.com.", pattern));
    assert_string_equal(pattern, "?.abc.eu-west-1.rds.example.com");
    assert_null(conf_pattern_read("db-?.internal", pattern));
    assert_string_equal(pattern, "db-?.internal");
}

static void what_would_take_any_host_is_no_pattern(void **state)
{
    static const char *const bad[] = {
        "",     "db.internal", "?.?.internal", "?",   "?.",  "10.0.0.?", "?.0.0.1",
        "?..x", "? .x",        "?.x:5432",     "[?]", "::?", "*.?.x",
    };
    char pattern[CONF_HOST_MAX] = "as before";
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (!conf_pattern_read(bad[i], pattern))
            fail_msg("'%s' is taken", bad[i]);
    assert_string_equal(pattern, "as before");
}

static void an_id_makes_the_host(void **state)
{
    struct conf_host host;
    (void)state;
    assert_true(conf_pattern_host("?.abc.internal", "Orders-1", &host));
    assert_string_equal(host.text, "orders-1.abc.internal");
    assert_int_equal(host.family, 0);
    assert_true(conf_pattern_host("db-?.internal", "2", &host));
    assert_string_equal(host.text, "db-2.internal");
}

static void what_is_no_id_makes_no_host(void **state)
{
    static const char *const bad[] = {"",    "a.b", "a.evil.example", "a/", "a b", "a_b",
                                      "a\n", "?",   "\xc3\xa9",       "a:", "a@"};
    char longest[65];
    struct conf_host host;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(conf_pattern_host("?.abc.internal", bad[i], &host));
    memset(longest, 'a', sizeof(longest));
    longest[64] = '\0';
    assert_false(conf_pattern_host("?.abc.internal", longest, &host));
    longest[63] = '\0';
    assert_true(conf_pattern_host("?.abc.internal", longest, &host));
}

static bool matches(const char *pattern, const char *text)
{
    struct conf_host host;
    assert_null(conf_value_host(text, &host));
    return conf_pattern_matches(pattern, &host);
}

static void a_host_of_another_domain_does_not_match(void **state)
{
    (void)state;
    assert_true(matches("?.abc.internal", "Orders-1.ABC.internal."));
    assert_true(matches("db-?.internal", "db-2.internal"));
    assert_false(matches("?.abc.internal", "abc.internal"));
    assert_false(matches("?.abc.internal", "a.b.abc.internal"));
    assert_false(matches("?.abc.internal", "evil.example"));
    assert_false(matches("?.abc.internal", "a.abc.internal.evil.example"));
    assert_false(matches("?.abc.internal", "axabc.internal"));
    assert_false(matches("db-?.internal", "db.internal"));
    assert_false(matches("?.abc.internal", "10.0.0.1"));
}

/* ---- clusters ---- */

static const struct engine_keyword keywords[] = {{.name = NULL}};
static const struct engine_kind ids = {.name = "ids",
                                       .default_port = 7,
                                       .tells = ENGINE_TELLS_IDS,
                                       .alias = alias_amazon,
                                       .region = alias_amazon_region,
                                       .keywords = keywords,
                                       .takes_others = true};
static const struct engine_kind regions = {.name = "regions",
                                           .default_port = 7,
                                           .tells = ENGINE_TELLS_IDS,
                                           .spans_regions = true,
                                           .alias = alias_amazon,
                                           .region = alias_amazon_region,
                                           .keywords = keywords,
                                           .takes_others = true};
static const struct engine_kind hosts = {.name = "hosts",
                                         .default_port = 7,
                                         .tells = ENGINE_TELLS_HOSTS,
                                         .keywords = keywords,
                                         .takes_others = true};
static const struct engine_kind mute = {.name = "mute",
                                        .also = "dumb",
                                        .default_port = 7,
                                        .alias = alias_amazon,
                                        .region = alias_amazon_region,
                                        .keywords = keywords,
                                        .takes_others = true};
static const struct engine_kind *const engines[] = {&ids, &regions, &hosts, &mute, NULL};

static int leave_folder(void **state)
{
    unlink("t.yaml");
    return folder_leave(state);
}

/* What conf_load() says of a cluster with these keys, and an endpoint of this name; the caller frees both. */
static char *load_named(const char *keys, const char *name, const char *role,
                        struct conf **ret_conf)
{
    char *answer = NULL;
    size_t size;
    FILE *file = fopen("t.yaml", "w"), *out = open_memstream(&answer, &size);
    assert_non_null(file);
    fprintf(file,
            "clusters:\n"
            "  - name: a\n"
            "    endpoints:\n      - {names: [%s], role: %s}\n"
            "%s",
            name, role, keys);
    fclose(file);
    *ret_conf = NULL;
    conf_load("t.yaml", engines, out, ret_conf);
    fclose(out);
    return answer;
}

static char *load(const char *keys, struct conf **ret_conf)
{
    return load_named(keys, "w", "writer", ret_conf);
}

static void assert_answer(const char *keys, const char *expected)
{
    struct conf *conf;
    char *answer = load(keys, &conf);
    assert_string_equal(answer, expected);
    assert_int_equal(!conf, *expected != '\0');
    conf_free(conf);
    free(answer);
}

static void one_seed_and_a_pattern_are_enough(void **state)
{
    struct conf *conf;
    (void)state;
    char *answer = load("    engine: ids\n"
                        "    seeds: [orders.cluster-abc.internal]\n"
                        "    host_patterns: ['?.abc.internal']\n",
                        &conf);
    assert_string_equal(answer, "");
    const struct conf_cluster *cluster = &conf->clusters[0];
    assert_int_equal(cluster->member_count, 0);
    assert_int_equal(cluster->seed_count, 1);
    assert_string_equal(cluster->seeds[0].host, "orders.cluster-abc.internal");
    assert_int_equal(cluster->seeds[0].port, 7);
    assert_true(cluster->seeds[0].roams);
    assert_int_equal(cluster->host_pattern_count, 1);
    assert_null(cluster->host_patterns[0].region);
    assert_string_equal(cluster->host_patterns[0].pattern, "?.abc.internal");
    assert_true(conf_discovers(cluster));
    conf_free(conf);
    free(answer);
    assert_answer("    engine: hosts\n    seeds: ['10.0.0.1:5']\n"
                  "    allowed_networks: [10.0.0.0/8]\n",
                  "");
}

static void a_cluster_whose_password_could_go_anywhere_is_refused(void **state)
{
    (void)state;
    assert_answer("    engine: hosts\n    seeds: [a]\n",
                  "t.yaml:2:5: cluster a: a seed may name any host as a member; set host_patterns "
                  "or allowed_networks, so that the password goes to no other\n");
    assert_answer("    engine: ids\n    seeds: [a]\n    allowed_networks: [10.0.0.0/8]\n",
                  "t.yaml:2:5: cluster a: engine ids tells the servers' ids alone; set "
                  "host_patterns, as in [\"?.db.example.com\"], so that their hosts are known\n");
}

static void an_engine_that_tells_nothing_has_neither(void **state)
{
    static const char *const answer =
        "t.yaml:2:5: cluster a: a server of engine mute does not tell of the others; list all of "
        "them under members, and remove seeds and host_patterns\n";
    (void)state;
    assert_answer("    engine: mute\n    seeds: [a]\n", answer);
    assert_answer("    engine: mute\n    members: [a]\n    host_patterns: ['?.x']\n", answer);
}

static void a_member_that_is_no_server_is_a_seed(void **state)
{
    (void)state;
    assert_answer(
        "    engine: ids\n    members: [O.Cluster-ab1.eu-west-1.rds.amazonaws.com]\n",
        "t.yaml:6:15: member 'o.cluster-ab1.eu-west-1.rds.amazonaws.com' is the endpoint of "
        "a cluster, which leads now to one server and now to another one: list it under "
        "seeds, and set host_patterns, as in [\"?.ab1.eu-west-1.rds.amazonaws.com\"]\n");
    assert_answer(
        "    engine: ids\n    members: [o.proxy-ab1.eu-west-1.rds.amazonaws.com]\n",
        "t.yaml:6:15: member 'o.proxy-ab1.eu-west-1.rds.amazonaws.com' is an endpoint of a "
        "proxy, and no server: list the endpoint of the cluster under seeds, and set "
        "host_patterns, as in [\"?.ab1.eu-west-1.rds.amazonaws.com\"]\n");
    assert_answer("    engine: ids\n    members: [o.ab1.eu-west-1.rds.amazonaws.com]\n", "");
    assert_answer("    engine: ids\n    seeds: [o.cluster-ab1.eu-west-1.rds.amazonaws.com]\n"
                  "    host_patterns: ['?.ab1.eu-west-1.rds.amazonaws.com']\n",
                  "");
}

static void where_servers_tell_nothing_such_a_member_is_warned_of(void **state)
{
    struct conf *conf;
    char *answer =
        load("    engine: mute\n    members: [o.cluster-ab1.eu-west-1.rds.amazonaws.com]\n", &conf);
    (void)state;
    assert_non_null(conf);
    assert_string_equal(answer, "t.yaml:6:15: warning: member "
                                "'o.cluster-ab1.eu-west-1.rds.amazonaws.com' is the endpoint of "
                                "a cluster, which leads now to one server and now to another one: "
                                "homing follows it no sooner "
                                "than DNS does; list each server by a name of its own, or write an "
                                "engine whose servers tell "
                                "of each other, and this name under seeds\n");
    conf_free(conf);
    free(answer);
}

static void a_pattern_that_makes_no_server_is_refused_with_one_that_does(void **state)
{
    (void)state;
    assert_answer(
        "    engine: ids\n    seeds: [a]\n"
        "    host_patterns: ['?.cluster-ab1.eu-west-1.rds.amazonaws.com']\n",
        "t.yaml:7:21: pattern '?.cluster-ab1.eu-west-1.rds.amazonaws.com' makes names as of "
        "the endpoint of a cluster, and of no server; write it as in "
        "\"?.ab1.eu-west-1.rds.amazonaws.com\"\n");
}

static void a_pattern_of_another_region_is_refused(void **state)
{
    (void)state;
    assert_answer("    engine: regions\n    seeds: [a]\n"
                  "    host_patterns:\n"
                  "      - {region: eu-west-1, pattern: '?.ab1.us-east-1.rds.amazonaws.com'}\n",
                  "t.yaml:8:18: pattern '?.ab1.us-east-1.rds.amazonaws.com' makes hosts of region "
                  "us-east-1, and is for region eu-west-1; correct one of them\n");
    assert_answer("    engine: regions\n    seeds: [a]\n"
                  "    host_patterns:\n"
                  "      - {region: eu-west-1, pattern: '?.ab1.eu-west-1.rds.amazonaws.com'}\n"
                  "      - {region: us-east-1, pattern: '?.db.internal'}\n",
                  "");
    assert_answer("    engine: regions\n    seeds: [o.ab2.eu-west-1.rds.amazonaws.com]\n"
                  "    host_patterns:\n"
                  "      - {region: us-east-1, pattern: '?.ab1.us-east-1.rds.amazonaws.com'}\n",
                  "");
}

static void a_seed_whose_servers_are_not_where_a_pattern_says_is_refused(void **state)
{
#define PATTERN "    host_patterns: ['?.ab1.eu-west-1.rds.amazonaws.com']\n"
    static const struct {
        const char *host, *pattern;
    } wrong[] = {
        {"o.cluster-ab2.eu-west-1.rds.amazonaws.com", "?.ab2.eu-west-1.rds.amazonaws.com"},
        {"o.cluster-ab1.eu-west-2.rds.amazonaws.com", "?.ab1.eu-west-2.rds.amazonaws.com"},
        {"o.ab2.eu-west-1.rds.amazonaws.com", "?.ab2.eu-west-1.rds.amazonaws.com"},
    };
    static const char *const good[] = {
        "o.ab1.eu-west-1.rds.amazonaws.com",
        "o.cluster-ro-ab1.eu-west-1.rds.amazonaws.com",
        "o.global-ab2.global.rds.amazonaws.com",
        "orders.internal",
        "10.0.0.1",
    };
    char keys[300], expected[300];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(keys, sizeof(keys), "    engine: ids\n    seeds: [%s]\n" PATTERN, wrong[i].host);
        snprintf(expected, sizeof(expected),
                 "t.yaml:6:13: seed '%s' is of another region or account than the hosts that "
                 "host_patterns makes; write \"%s\" there, or correct the seed\n",
                 wrong[i].host, wrong[i].pattern);
        assert_answer(keys, expected);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(keys, sizeof(keys), "    engine: ids\n    seeds: [%s]\n" PATTERN, good[i]);
        assert_answer(keys, "");
    }
    assert_answer("    engine: ids\n    members: [o.ab2.eu-west-1.rds.amazonaws.com]\n" PATTERN,
                  "t.yaml:6:15: member 'o.ab2.eu-west-1.rds.amazonaws.com' is of another region or "
                  "account than the hosts that host_patterns makes; write "
                  "\"?.ab2.eu-west-1.rds.amazonaws.com\" there, or correct the member\n");
    assert_answer("    engine: ids\n    seeds: [o.cluster-ab1.eu-west-1.rds.amazonaws.com]\n"
                  "    host_patterns: ['?.db.internal']\n",
                  "");
#undef PATTERN
}

static void a_name_that_leads_elsewhere_than_its_role_says_is_warned_of(void **state)
{
    static const struct {
        const char *name, *role, *answer;
    } cases[] = {
        {"o.cluster-ro-ab1.eu-west-1.rds.amazonaws.com", "writer",
         "t.yaml:4:9: warning: name 'o.cluster-ro-ab1.eu-west-1.rds.amazonaws.com' is the reader "
         "endpoint "
         "of a cluster, and the endpoint's role is writer; write role: reader, or another name\n"},
        {"o.cluster-ab1.eu-west-1.rds.amazonaws.com", "reader",
         "t.yaml:4:9: warning: name 'o.cluster-ab1.eu-west-1.rds.amazonaws.com' is the endpoint of "
         "a "
         "cluster, and the endpoint's role is reader; write role: writer, or another name\n"},
        {"o.cluster-ro-ab1.eu-west-1.rds.amazonaws.com", "reader", ""},
        {"o.cluster-ab1.eu-west-1.rds.amazonaws.com", "writer", ""},
        {"o.cluster-custom-ab1.eu-west-1.rds.amazonaws.com", "reader", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf;
        char *answer =
            load_named("    engine: ids\n    members: [a]\n", cases[i].name, cases[i].role, &conf);
        assert_string_equal(answer, cases[i].answer);
        conf_free(conf);
        free(answer);
    }
}

static void a_cluster_as_another_engine_is_warned_of(void **state)
{
    struct conf *conf;
    (void)state;
    char *answer = load_named("    engine: mute\n    members: [10.0.0.1]\n",
                              "o.cluster-ab1.eu-west-1.rds.amazonaws.com", "writer", &conf);
    assert_string_equal(answer,
                        "t.yaml:4:9: warning: name 'o.cluster-ab1.eu-west-1.rds.amazonaws.com' is "
                        "the endpoint of a cluster, whose servers are not asked as mute's "
                        "are; write the engine of that cluster\n");
    conf_free(conf);
    free(answer);
}

/* As programs of an instance with a blue/green deployment know it. */
static void a_servers_own_name_may_be_an_endpoints(void **state)
{
    struct conf *conf;
    (void)state;
    char *answer = load_named("    engine: mute\n    members: [o.ab1.eu-west-1.rds.amazonaws.com, "
                              "o-green-ab12cd.ab1.eu-west-1.rds.amazonaws.com]\n",
                              "o.ab1.eu-west-1.rds.amazonaws.com", "writer", &conf);
    assert_string_equal(answer, "");
    conf_free(conf);
    free(answer);
}

static void a_wrong_pattern_is_shown_where_it_stands(void **state)
{
    (void)state;
    assert_answer("    engine: ids\n    seeds: [a]\n    host_patterns: [db.internal]\n",
                  "t.yaml:7:21: pattern 'db.internal' has not exactly one '?'; write it where the "
                  "id of a server stands, as in ?.db.example.com\n");
    assert_answer("    engine: ids\n    seeds: [a]\n    host_patterns: [{pattern: '?'}]\n",
                  "t.yaml:7:31: pattern '?' would take every host; write the domain in which the "
                  "servers are, as in ?.db.example.com\n");
    assert_answer("    engine: ids\n    seeds: [a]\n    host_patterns: ['10.0.0.?']\n",
                  "t.yaml:7:21: pattern '10.0.0.?' makes no name of a host; write one with '?' in "
                  "place of a server's id, as in ?.db.example.com\n");
    assert_answer("    engine: ids\n    seeds: [a]\n"
                  "    host_patterns: [{region: a.b, pattern: '?.x'}]\n",
                  "t.yaml:7:30: region 'a.b' is no region; write letters, digits and hyphens, as "
                  "in eu-west-1\n");
}

static void keys_that_would_have_no_effect_are_refused(void **state)
{
    (void)state;
    assert_answer("    engine: ids\n    seeds: [{host: a, failover: false}]\n"
                  "    host_patterns: ['?.x']\n",
                  "t.yaml:6:23: unknown key 'failover'; known here are host, port\n");
}

#define PATTERNS(engine, patterns)                                                                 \
    "    engine: " engine "\n    seeds: [a]\n    host_patterns: " patterns "\n"

static void a_region_is_refused_where_servers_tell_of_none(void **state)
{
    (void)state;
    assert_answer(PATTERNS("hosts", "[{region: eu, pattern: '?.x'}]"),
                  "t.yaml:7:30: region is not for hosts, whose servers tell of none; write the "
                  "pattern alone\n");
    assert_answer(
        PATTERNS("ids", "[{pattern: '?.x', region: eu}]"),
        "t.yaml:7:46: region is not for ids, whose servers tell of none; write the pattern "
        "alone\n");
}

static void a_region_is_needed_where_there_are_some(void **state)
{
    struct conf *conf;
    (void)state;
    char *answer =
        load(PATTERNS("regions", "[{region: Eu-1, pattern: '?.e'}, {region: us, pattern: '?.e'}]"),
             &conf);
    assert_string_equal(answer, "");
    assert_string_equal(conf->clusters[0].host_patterns[0].region, "eu-1");
    assert_string_equal(conf->clusters[0].host_patterns[1].region, "us");
    conf_free(conf);
    free(answer);
    assert_answer(
        PATTERNS("regions", "[{region: eu, pattern: '?.e'}, '?.x']"),
        "t.yaml:7:51: pattern '?.x' is for no region, and each region of regions has hosts "
        "of its own; write it as in {region: eu-west-1, pattern: \"?.db.example.com\"}, "
        "once for each region\n");
}

static void a_pattern_in_vain_is_refused_where_it_stands(void **state)
{
    (void)state;
    assert_answer(
        PATTERNS("regions", "[{region: eu, pattern: '?.e'}, {region: EU, pattern: '?.x'}]"),
        "t.yaml:7:60: the pattern at t.yaml:7:30 is for all servers that '?.x' would be for, those "
        "of "
        "region eu; keep one of them\n");
    assert_answer(PATTERNS("ids", "['?.e', '?.x']"),
                  "t.yaml:7:28: the pattern at t.yaml:7:21 is for all servers that '?.x' would be "
                  "for; keep one of them\n");
    assert_answer(PATTERNS("hosts", "['?.e', '?.x', '?.E']"),
                  "t.yaml:7:35: the pattern at t.yaml:7:21 is for all servers that '?.e' would be "
                  "for; keep one of them\n");
}

static void a_port_of_an_endpoint_is_not_the_seeds(void **state)
{
    (void)state;
    assert_answer("      - {names: [v], role: writer, ports: [7]}\n"
                  "    engine: ids\n    seeds: [a]\n    host_patterns: ['?.x']\n",
                  "t.yaml:5:43: port 7 is that of seed 'a', and is steered without ports; remove "
                  "it from ports\n");
}

static void without_members_and_seeds_a_cluster_is_refused(void **state)
{
    (void)state;
    assert_answer("    engine: ids\n    host_patterns: ['?.x']\n",
                  "t.yaml:2:5: a cluster without members; list its servers\n");
    assert_answer("    engine: ids\n    seeds: []\n    host_patterns: ['?.x']\n",
                  "t.yaml:6:12: seeds is empty, and there are no members; list all servers under "
                  "members, or, "
                  "where they tell of each other, a name that leads to one of them under seeds\n");
}

static void a_seed_that_is_listed_twice_is_called_a_seed(void **state)
{
    (void)state;
    assert_answer(
        "    engine: ids\n    seeds: [a, a]\n    host_patterns: ['?.x']\n",
        "t.yaml:6:16: seed 'a', port 7, is already listed at t.yaml:6:13; keep one of them\n");
}

/* In a list in brackets YAML takes ?.x without quotes for a mapping. */
static void a_pattern_without_quotes_is_answered_with_one_in_quotes(void **state)
{
    struct conf *conf;
    char *answer = load("    engine: ids\n    seeds: [a]\n    host_patterns: [?.x]\n", &conf);
    (void)state;
    assert_null(conf);
    assert_non_null(strstr(answer, "in quotes, as in \"?.db.example.com\"\n"));
    free(answer);
}

static void members_alone_discover_nobody(void **state)
{
    struct conf *conf;
    (void)state;
    char *answer = load("    engine: hosts\n    members: [a]\n", &conf);
    assert_non_null(conf);
    assert_false(conf_discovers(&conf->clusters[0]));
    conf_free(conf);
    free(answer);
}

#define IN_FOLDER(function) TEST_BETWEEN(folder_enter, leave_folder, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pattern_is_a_host_with_one_mark),
        TEST(what_would_take_any_host_is_no_pattern),
        TEST(an_id_makes_the_host),
        TEST(what_is_no_id_makes_no_host),
        TEST(a_host_of_another_domain_does_not_match),
        IN_FOLDER(a_member_that_is_no_server_is_a_seed),
        IN_FOLDER(a_pattern_of_another_region_is_refused),
        IN_FOLDER(a_seed_whose_servers_are_not_where_a_pattern_says_is_refused),
        IN_FOLDER(a_cluster_as_another_engine_is_warned_of),
        IN_FOLDER(a_servers_own_name_may_be_an_endpoints),
        IN_FOLDER(a_name_that_leads_elsewhere_than_its_role_says_is_warned_of),
        IN_FOLDER(where_servers_tell_nothing_such_a_member_is_warned_of),
        IN_FOLDER(a_pattern_that_makes_no_server_is_refused_with_one_that_does),
        IN_FOLDER(one_seed_and_a_pattern_are_enough),
        IN_FOLDER(a_cluster_whose_password_could_go_anywhere_is_refused),
        IN_FOLDER(an_engine_that_tells_nothing_has_neither),
        IN_FOLDER(a_wrong_pattern_is_shown_where_it_stands),
        IN_FOLDER(keys_that_would_have_no_effect_are_refused),
        IN_FOLDER(a_region_is_refused_where_servers_tell_of_none),
        IN_FOLDER(a_region_is_needed_where_there_are_some),
        IN_FOLDER(a_pattern_in_vain_is_refused_where_it_stands),
        IN_FOLDER(a_port_of_an_endpoint_is_not_the_seeds),
        IN_FOLDER(without_members_and_seeds_a_cluster_is_refused),
        IN_FOLDER(a_seed_that_is_listed_twice_is_called_a_seed),
        IN_FOLDER(a_pattern_without_quotes_is_answered_with_one_in_quotes),
        IN_FOLDER(members_alone_discover_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
