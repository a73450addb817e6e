/* SPDX-License-Identifier: Apache-2.0
 *
 * conf.c - tests of agent/conf: good configurations, the dump, password files, and running
 * out of memory. Bad configurations are in bad.txt.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/probe/engines/engines.h"
#include "tests/support/fail.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

#define CLUSTER(name, dns, more)                                                                   \
    "  - name: " name "\n"                                                                         \
    "    engine: postgresql\n"                                                                     \
    "    members: [db1, db2]\n"                                                                    \
    "    endpoints: [{names: [" dns "], role: writer}]\n" more

/* Every key, every form of a member, and one text that needs escapes. */
static const char full[] =
    "agent:\n"
    "  run_dir: /tmp/run//\n"
    "  state_dir: /tmp/state\n"
    "  defaults: {mode: off, interval: 300ms, max_stale: 1m, max_lag: 1GB, keepalive: 5s}\n"
    "clusters:\n"
    "  - name: orders\n"
    "    engine: postgresql\n"
    "    members:\n"
    "      - 10.77.0.2:5433\n"
    "      - DB-b.Internal.\n"
    "      - {host: dr.far.internal, port: 5434, failover: false}\n"
    "      - {host: '10.77.0.9:5435'}\n"
    "      - 'FD00::0:1'\n"
    "      - '[fd00::2]:5436'\n"
    "    connection: \"user='h\\\\' \\\"x' sslpassword = 'top secret' dbname=postgres\"\n"
    "    password_file: orders.pw\n"
    "    mode: observe\n"
    "    interval: 200ms\n"
    "    fast_interval: 20ms\n"
    "    timeout: 2s\n"
    "    hold: 0s\n"
    "    max_lag: 3B\n"
    "    max_switches: 0\n"
    "    family: auto\n"
    "    allowed_networks: [10.64.0.0/11, 'fd00::/8']\n"
    "    endpoints:\n"
    "      - {names: [Orders-DB, orders-db.internal.], role: writer, mode: names, hold: 1500ms}\n"
    "      - {names: [orders-ro], role: reader}\n" CLUSTER("other", "other-db", "");

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(name, mode), 0);
}

static int enter_folder(void **state)
{
    if (folder_enter(state))
        return -1;
    put("orders.pw", "p\xc3\xa4ss\n", 0640);
    return 0;
}

static int leave_folder(void **state)
{
    unlink("t.yaml");
    unlink("orders.pw");
    return folder_leave(state);
}

/* The answer, empty when all is well; the caller frees both. */
static char *load(const char *file, struct conf **ret_conf, int *ret_r)
{
    char *answer = NULL;
    size_t size;
    FILE *out = open_memstream(&answer, &size);
    *ret_r = conf_load(file, engine_kinds, out, ret_conf);
    fclose(out);
    return answer;
}

static struct conf *load_good(const char *yaml)
{
    struct conf *conf = NULL;
    int rv;
    put("t.yaml", yaml, 0600);
    char *answer = load("t.yaml", &conf, &rv);
    if (rv != 0)
        fail_msg("%s", answer);
    free(answer);
    return conf;
}

static char *dump(const struct conf *conf)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    conf_dump(conf, out);
    fclose(out);
    return text;
}

static void what_is_not_given_has_a_default(void **state)
{
    (void)state;
    struct conf *conf = load_good("clusters:\n" CLUSTER("a", "w", ""));
    const struct conf_cluster *cluster = &conf->clusters[0];
    const struct conf_timing *timing = &cluster->timing;
    assert_string_equal(conf->file, "t.yaml");
    assert_string_equal(conf->run_dir, "/run/homing");
    assert_string_equal(conf->state_dir, "/var/lib/homing");
    assert_string_equal(cluster->engine->name, "postgresql");
    assert_string_equal(cluster->connection, "");
    assert_null(cluster->password_file);
    assert_int_equal(cluster->members[1].port, 5432);
    assert_true(cluster->members[1].failover);
    assert_int_equal(timing->interval_ms, 250);
    assert_int_equal(timing->fast_interval_ms, 50);
    assert_int_equal(timing->timeout_ms, 1000);
    assert_int_equal(timing->max_stale_ms, 30000);
    assert_int_equal(timing->hold_ms, 2000);
    assert_int_equal(timing->keepalive_ms, 0);
    assert_int_equal(timing->sever_spread_ms, 50);
    assert_int_equal(timing->max_switches, 5);
    assert_int_equal(timing->max_lag, 16 * 1024 * 1024);
    assert_int_equal(timing->mode, CONF_MODE_HIGHEST);
    assert_int_equal(timing->family, CONF_FAMILY_AUTO);
    assert_int_equal(cluster->endpoints[0].mode, CONF_MODE_HIGHEST);
    assert_int_equal(cluster->endpoints[0].hold_ms, 2000);
    conf_free(conf);
}

static void the_innermost_value_wins(void **state)
{
    (void)state;
    struct conf *conf = load_good(full);
    const struct conf_cluster *orders = &conf->clusters[0], *other = &conf->clusters[1];
    assert_int_equal(orders->timing.interval_ms, 200);
    assert_int_equal(other->timing.interval_ms, 300);
    assert_int_equal(orders->timing.max_stale_ms, 60000);
    assert_int_equal(orders->timing.keepalive_ms, 5000);
    assert_int_equal(orders->timing.max_lag, 3);
    assert_int_equal(orders->timing.max_switches, 0);
    assert_int_equal(other->timing.max_lag, (uint64_t)1 << 30);
    assert_int_equal(orders->endpoints[0].mode, VIEW_MODE_NAMES);
    assert_int_equal(orders->endpoints[0].hold_ms, 1500);
    assert_int_equal(orders->endpoints[1].mode, VIEW_MODE_OBSERVE);
    assert_int_equal(orders->endpoints[1].hold_ms, 0);
    assert_int_equal(other->endpoints[0].mode, VIEW_MODE_OFF);
    conf_free(conf);
}

static void members_and_names_are_kept_in_canonical_form(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        unsigned port;
        bool failover;
    } expected[] = {
        {"10.77.0.2", 5433, true}, {"db-b.internal", 5432, true}, {"dr.far.internal", 5434, false},
        {"10.77.0.9", 5435, true}, {"fd00::1", 5432, true},       {"fd00::2", 5436, true},
    };
    struct conf *conf = load_good(full);
    const struct conf_cluster *cluster = &conf->clusters[0];
    struct name name;
    assert_int_equal(cluster->member_count, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_string_equal(cluster->members[i].host, expected[i].host);
        assert_int_equal(cluster->members[i].port, expected[i].port);
        assert_int_equal(cluster->members[i].failover, expected[i].failover);
        assert_int_equal(cluster->members[i].at.line, 9 + i);
        assert_int_equal(cluster->members[i].at.column, 9);
    }
    assert_string_equal(conf->run_dir, "/tmp/run");
    assert_string_equal(cluster->endpoints[0].names[0].text, "orders-db");
    assert_string_equal(cluster->endpoints[0].names[1].text, "orders-db.internal");
    assert_true(name_canonical("orders-db.internal", &name));
    assert_int_equal(cluster->endpoints[0].names[1].name.hash, name.hash);
    assert_int_equal(cluster->endpoints[0].names[1].name.len, name.len);
    assert_memory_equal(cluster->endpoints[0].names[1].name.words, name.words, name.len);
    assert_int_equal(cluster->endpoints[1].role, VIEW_ROLE_READER);
    conf_free(conf);
}

static bool allowed(const struct conf_cluster *cluster, uint8_t family, const char *text)
{
    uint8_t bytes[16] = {0};
    assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, text, bytes), 1);
    return conf_address_allowed(cluster, family, bytes);
}

static void allowed_networks_hold_exactly_their_addresses(void **state)
{
    (void)state;
    struct conf *conf = load_good(full);
    assert_true(allowed(&conf->clusters[0], 4, "10.64.0.0"));
    assert_true(allowed(&conf->clusters[0], 4, "10.95.255.255"));
    assert_false(allowed(&conf->clusters[0], 4, "10.63.255.255"));
    assert_false(allowed(&conf->clusters[0], 4, "10.96.0.0"));
    assert_true(allowed(&conf->clusters[0], 6, "fdff::1"));
    assert_false(allowed(&conf->clusters[0], 6, "fe00::1"));
    assert_false(allowed(&conf->clusters[0], 6, "a40::1")); /* begins with 10.64 */
    assert_true(allowed(&conf->clusters[1], 6, "fe00::1"));
    conf_free(conf);
}

static void a_dump_loads_and_dumps_the_same_again(void **state)
{
    (void)state;
    struct conf *conf = load_good(full);
    char *first = dump(conf);
    conf_free(conf);
    conf = load_good(first);
    char *second = dump(conf);
    assert_string_equal(second, first);
    assert_int_equal(conf->clusters[0].timing.keepalive_ms, 5000);
    assert_int_equal(conf->clusters[0].endpoints[1].hold_ms, 0);
    conf_free(conf);
    free(first);
    free(second);
}

static void a_dump_hides_secrets_and_keeps_the_rest_of_the_connection(void **state)
{
    (void)state;
    struct conf *conf = load_good(full);
    char *text = dump(conf);
    assert_null(strstr(text, "secret"));
    assert_non_null(
        strstr(text, "connection: \"user='h\\\\' \\\"x' sslpassword = *** dbname=postgres\"\n"));
    free(text);
    conf_free(conf);
}

static void no_line_of_a_dump_ends_with_a_blank(void **state)
{
    (void)state;
    struct conf *conf = load_good(full);
    char *text = dump(conf);
    assert_null(strstr(text, " \n"));
    conf_free(conf);
    free(text);
    conf = load_good("clusters: []\n");
    text = dump(conf);
    assert_non_null(strstr(text, "\nclusters: []\n"));
    conf_free(conf);
    free(text);
}

static void a_hidden_secret_ends_where_its_quote_ended_it(void **state)
{
    (void)state;
    struct conf *conf = load_good(
        "clusters:\n" CLUSTER("a", "w", "    connection: sslpassword='top secret'dbname=x\n"));
    char *text = dump(conf);
    assert_non_null(strstr(text, "connection: \"sslpassword=*** dbname=x\"\n"));
    free(text);
    conf_free(conf);
}

static void a_dump_of_defaults_loads_without_a_warning(void **state)
{
    (void)state;
    struct conf *conf =
        load_good("clusters:\n" CLUSTER("a", "w", "    allowed_networks: [10.0.0.0/8]\n"));
    char *text = dump(conf);
    conf_free(conf);
    put("t.yaml", text, 0600);
    free(text);
    int rv;
    char *answer = load("t.yaml", &conf, &rv);
    assert_int_equal(rv, 0);
    assert_string_equal(answer, "");
    free(answer);
    conf_free(conf);
}

static void a_password_file_is_found_beside_the_configuration_and_read_at_use(void **state)
{
    (void)state;
    char *password = NULL;
    char path[64];
    put("t.yaml", full, 0600);
    snprintf(path, sizeof(path), "%s/t.yaml", folder);
    assert_int_equal(chdir("/"), 0);
    struct conf *conf = NULL;
    int rv;
    char *answer = load(path, &conf, &rv);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(rv, 0);
    assert_int_equal(conf_password(&conf->clusters[0], &password), 0);
    assert_string_equal(password, "p\xc3\xa4ss");
    free(password);
    put("orders.pw", "changed\r\n", 0600);
    assert_int_equal(conf_password(&conf->clusters[0], &password), 0);
    assert_string_equal(password, "changed");
    free(password);
    assert_int_equal(conf_password(&conf->clusters[1], &password), 0);
    assert_null(password);
    put("orders.pw", "p\n", 0640);
    free(answer);
    conf_free(conf);
}

static void a_bad_password_file_is_an_error_at_its_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *answer;
    } cases[] = {
        {"p\n", 0604, "can be read or changed by others; run chmod o-rwx on it"},
        {"p\n", 0602, "can be read or changed by others; run chmod o-rwx on it"},
        {"\n", 0600, "is empty; write the password into it"},
        {"p\nq\n", 0600,
         "holds more than one line, or a NUL byte; write only the password into it"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf = NULL;
        char expected[200];
        int rv;
        put("orders.pw", cases[i].text, cases[i].mode);
        put("t.yaml", "clusters:\n" CLUSTER("a", "w", "    password_file: orders.pw\n"), 0600);
        char *answer = load("t.yaml", &conf, &rv);
        snprintf(expected, sizeof(expected), "t.yaml:6:20: password_file orders.pw %s\n",
                 cases[i].answer);
        assert_string_equal(answer, expected);
        assert_int_equal(rv, -EINVAL);
        assert_null(conf);
        free(answer);
    }
    put("orders.pw", "p\n", 0640);
}

static void a_line_of_a_pgpass_as_the_password_is_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool warned;
    } cases[] = {
        {"db:5432:orders:homing:p\n", true},
        {"*:*:*:homing:p:q\n", true},
        {"a:b:c:d:e\n", false},
        {"a:5432:b:c\n", false},
        {"db:5432/?Action=connect&X=1:2:3:4\n", false},
        {"::::\n", false},
        {"p\n", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf = NULL;
        int rv;
        put("orders.pw", cases[i].text, 0600);
        put("t.yaml", "clusters:\n" CLUSTER("a", "w", "    password_file: orders.pw\n"), 0600);
        char *answer = load("t.yaml", &conf, &rv);
        bool warned = strstr(answer, "t.yaml:6:20: warning: password_file orders.pw looks like a "
                                     "line of a .pgpass, host:port:database:user:password, and is "
                                     "taken as the password from its beginning; write only the "
                                     "password into it\n");
        assert_int_equal(warned, cases[i].warned);
        assert_int_equal(rv, 0);
        conf_free(conf);
        free(answer);
    }
    put("orders.pw", "p\n", 0640);
}

static void a_password_file_opened_to_others_after_the_start_is_not_used(void **state)
{
    (void)state;
    char *password = folder;
    struct conf *conf = load_good(full);
    put("orders.pw", "p\n", 0644);
    assert_int_equal(conf_password(&conf->clusters[0], &password), -EACCES);
    assert_int_equal(unlink("orders.pw"), 0);
    assert_int_equal(conf_password(&conf->clusters[0], &password), -ENOENT);
    assert_ptr_equal(password, folder);
    put("orders.pw", "p\n", 0640);
    conf_free(conf);
}

static void the_installed_example_loads_and_changes_nothing(void **state)
{
    (void)state;
    char path[4096];
    struct conf *conf = NULL;
    int rv;
    const char *top = getenv("HOMING_SRCDIR");
    snprintf(path, sizeof(path), "%s/packaging/homing.yaml", top ? top : ".");
    char *answer = load(path, &conf, &rv);
    /* Its networks are not known here; what that means is said, and nothing else. */
    assert_non_null(strstr(answer, "warning: cluster example: whoever answers DNS"));
    assert_int_equal(strcspn(answer, "\n"), strlen(answer) - 1);
    assert_int_equal(rv, 0);
    assert_int_equal(conf->cluster_count, 1);
    for (uint32_t i = 0; i < conf->clusters[0].endpoint_count; i++)
        assert_int_equal(conf->clusters[0].endpoints[i].mode, VIEW_MODE_OBSERVE);
    free(answer);
    conf_free(conf);
}

static bool load_with_failure_of(int n)
{
    struct conf *conf = NULL;
    char *answer = NULL;
    size_t size;
    FILE *out = open_memstream(&answer, &size);
    fail_allocation(n);
    int rv = conf_load("t.yaml", engine_kinds, out, &conf);
    bool happened = fail_happened();
    fclose(out);
    assert_int_equal(rv, happened ? -ENOMEM : 0);
    if (happened) {
        assert_null(conf);
        assert_non_null(strstr(answer, "out of memory"));
    }
    conf_free(conf);
    free(answer);
    return happened;
}

static void any_one_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    int n = 0;
    put("t.yaml", full, 0600);
    while (load_with_failure_of(n))
        n++;
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_given_has_a_default),
        TEST(the_innermost_value_wins),
        TEST(members_and_names_are_kept_in_canonical_form),
        TEST(allowed_networks_hold_exactly_their_addresses),
        TEST(a_dump_loads_and_dumps_the_same_again),
        TEST(a_dump_hides_secrets_and_keeps_the_rest_of_the_connection),
        TEST(no_line_of_a_dump_ends_with_a_blank),
        TEST(a_hidden_secret_ends_where_its_quote_ended_it),
        TEST(a_dump_of_defaults_loads_without_a_warning),
        TEST(a_password_file_is_found_beside_the_configuration_and_read_at_use),
        TEST(a_bad_password_file_is_an_error_at_its_key),
        TEST(a_line_of_a_pgpass_as_the_password_is_warned_of),
        TEST(a_password_file_opened_to_others_after_the_start_is_not_used),
        TEST(the_installed_example_loads_and_changes_nothing),
        TEST(any_one_failed_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
