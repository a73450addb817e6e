/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.c - the resolver: TTLs, failures, the hosts file, official names.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/dns_rig.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

static void a_literal_is_its_own_address_and_is_never_looked_at_again(void **state)
{
    (void)state;
    watch("10.1.2.3", CONF_FAMILY_AUTO);
    assert_string_equal(said, "10.1.2.3");
    assert_true(fake_loop_next_ms(loop) == UINT64_MAX);
    forget();
    watch("2001:db8::1", CONF_FAMILY_6);
    assert_string_equal(said, "2001:db8::1");
    assert_int_equal(queries, 0);
}

static void a_literal_of_the_other_family_is_an_error(void **state)
{
    (void)state;
    watch("10.1.2.3", CONF_FAMILY_6);
    assert_string_equal(said, "the address is not of the configured family");
    assert_int_equal(calls, 1);
}

static void a_name_is_looked_up_again_when_its_ttl_has_passed(void **state)
{
    (void)state;
    watch("db.test", CONF_FAMILY_AUTO);
    assert_string_equal(said, "10.0.0.1");
    forget();
    pass(9900);
    assert_int_equal(queries, 0);
    zone.a[0] = "10.0.0.2";
    pass(1100);
    assert_string_equal(said, "10.0.0.2");
    assert_int_equal(calls, 1);
}

static void an_unchanged_set_in_another_order_is_no_news(void **state)
{
    (void)state;
    zone = (struct zone){.ttl = 1, .a = {"10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.1"}};
    watch("db.test", CONF_FAMILY_AUTO);
    assert_string_equal(said, "10.0.0.1 10.0.0.2 10.0.0.3");
    forget();
    zone = (struct zone){.ttl = 1, .a = {"10.0.0.2", "10.0.0.3", "10.0.0.1"}};
    pass(5000);
    assert_in_range(queries, 2, 12);
    assert_int_equal(calls, 0);
}

static void more_addresses_than_fit_are_the_same_ones_each_time(void **state)
{
    static const char *const ALL[] = {"10.0.0.9", "10.0.0.8", "10.0.0.7", "10.0.0.6", "10.0.0.5",
                                      "10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"};
    (void)state;
    zone.ttl = 1;
    for (size_t turn = 0; turn < 9; turn++) {
        for (size_t i = 0; i < 9; i++)
            zone.a[i] = ALL[(i + turn) % 9];
        if (turn == 0)
            watch("db.test", CONF_FAMILY_AUTO);
        else
            pass(2000);
    }
    assert_int_equal(calls, 1);
    assert_string_equal(said, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 "
                              "10.0.0.8");
}

static void both_families_are_asked_for_and_ipv4_comes_first(void **state)
{
    (void)state;
    zone.aaaa[0] = "2001:db8::1";
    watch("db.test", CONF_FAMILY_AUTO);
    assert_string_equal(said, "10.0.0.1 2001:db8::1");
}

static void a_family_that_is_not_wanted_is_not_asked_for(void **state)
{
    (void)state;
    zone.aaaa[0] = "2001:db8::1";
    watch("db.test", CONF_FAMILY_4);
    assert_string_equal(said, "10.0.0.1");
    assert_int_equal(aaaa_queries, 0);
    forget();
    watch("db.test", CONF_FAMILY_6);
    assert_string_equal(said, "2001:db8::1");
}

static void a_ttl_of_nothing_is_a_second_and_a_ttl_of_a_day_is_five_minutes(void **state)
{
    (void)state;
    zone.ttl = 0;
    watch("db.test", CONF_FAMILY_4);
    forget();
    pass(10000);
    assert_in_range(queries, 5, 10);
    zone.ttl = 86400;
    pass(2000);
    forget();
    pass(298000);
    assert_int_equal(queries, 0);
    pass(4000);
    assert_int_equal(queries, 1);
}

static void a_failed_lookup_takes_nothing_away_and_is_repeated(void **state)
{
    static const uint8_t RCODES[] = {3, 2};
    (void)state;
    zone.ttl = 1;
    watch("db.test", CONF_FAMILY_4);
    for (size_t i = 0; i < sizeof(RCODES); i++) {
        forget();
        zone.rcode = RCODES[i];
        pass(20000);
        assert_int_equal(calls, 0);
        assert_true(queries >= 2);
    }
    zone = (struct zone){.ttl = 1, .a = {"10.0.0.2"}};
    pass(15000);
    assert_string_equal(said, "10.0.0.2");
}

static void an_heir_keeps_what_was_known_while_dns_is_down_and_says_so_once(void **state)
{
    (void)state;
    struct resolve_host *old = watch("db.test", CONF_FAMILY_4);
    zone.rcode = 2;
    forget();
    watch_heir("db.test", CONF_FAMILY_4, old);
    resolve_host_free(old);
    pass(60000);
    assert_string_equal(said, "10.0.0.1");
    assert_int_equal(calls, 1);
    zone = (struct zone){.ttl = 1, .a = {"10.0.0.1"}};
    pass(15000);
    assert_int_equal(calls, 1);
    zone = (struct zone){.ttl = 1, .a = {"10.0.0.2"}};
    pass(15000);
    assert_string_equal(said, "10.0.0.2");
}

static void an_heir_whose_name_is_the_same_still_is_told_so(void **state)
{
    (void)state;
    struct resolve_host *old = watch("db.test", CONF_FAMILY_4);
    forget();
    watch_heir("db.test", CONF_FAMILY_4, old);
    assert_string_equal(said, "10.0.0.1");
    assert_int_equal(calls, 1);
    forget();
    zone.rcode = 3;
    watch_heir("other.test", CONF_FAMILY_4, old);
    assert_string_equal(said, "cannot resolve other.test: Domain name not found");
}

static void a_name_that_never_was_is_an_error_and_asked_for_ever_less_often(void **state)
{
    (void)state;
    zone.rcode = 3;
    watch("db.test", CONF_FAMILY_4);
    assert_string_equal(said, "cannot resolve db.test: Domain name not found");
    pass(60000);
    forget();
    pass(100000);
    assert_in_range(queries, 7, 15);
    zone.rcode = 0;
    pass(13000);
    assert_string_equal(said, "10.0.0.1");
}

static void the_hosts_file_comes_first_and_its_changes_are_noticed(void **state)
{
    (void)state;
    write_file(hosts, "# 9.9.9.9 db.test\n9.9.9.8 x # db.test\n10.0.0.7\tother DB.test # "
                      "old\n10.0.0.6 db.test\n::7 db.test");
    watch("db.test", CONF_FAMILY_4);
    assert_string_equal(said, "10.0.0.6 10.0.0.7");
    pass(10000);
    assert_int_equal(calls, 1);
    write_file(hosts, "10.0.0.8 db.test");
    pass(7000);
    assert_string_equal(said, "10.0.0.8");
    assert_int_equal(queries, 0);
    write_file(hosts, "");
    pass(7000);
    assert_string_equal(said, "10.0.0.1");
    assert_int_equal(queries, 1);
}

static void a_changed_resolv_conf_means_other_servers(void **state)
{
    (void)state;
    write_file(resolv_conf, "nameserver 127.77.77.77");
    zone.ttl = 1;
    pass(1000);
    watch("db.test", CONF_FAMILY_4); /* nobody listens there: refused at once */
    assert_int_equal(queries, 0);
    write_file(resolv_conf, "nameserver 127.0.0.1");
    pass(15000);
    assert_string_equal(said, "10.0.0.1");
}

static void a_host_freed_while_it_is_looked_up_hears_nothing(void **state)
{
    (void)state;
    struct resolve_host *host =
        resolve_host_new(resolver, "db.test", CONF_FAMILY_AUTO, heard, NULL);
    fake_loop_advance(loop, 0);
    resolve_host_free(host);
    pass(3000);
    assert_int_equal(calls, 0);
    resolve_host_new(resolver, "db.test", CONF_FAMILY_AUTO, heard, NULL);
    fake_loop_advance(loop, 0); /* and the resolver itself, in teardown */
}

/* What a program would get as canonical name, if it asked for the host. */
static void the_official_name_is_the_end_of_the_chain_of_aliases(void **state)
{
    (void)state;
    struct resolve_host *host = watch("db.test", CONF_FAMILY_AUTO);
    assert_string_equal(resolve_host_official(host), "db.test");
    zone.cnames[0] = "alias.test";
    zone.cnames[1] = "Node-A.corp";
    pass(11000);
    assert_string_equal(resolve_host_official(host), "Node-A.corp");
    assert_int_equal(calls, 2); /* with the same addresses */
    zone.cnames[1] = "node-b.corp";
    zone.aaaa[0] = "2001:db8::1";
    pass(11000);
    assert_string_equal(resolve_host_official(host), "node-b.corp");
    assert_int_equal(calls, 3);
    zone.rcode = 2;
    pass(30000);
    assert_string_equal(resolve_host_official(host), "node-b.corp");
    assert_int_equal(calls, 3);
}

static void the_official_name_is_complete_if_the_hosts_name_is_short(void **state)
{
    (void)state;
    write_file(resolv_conf, "nameserver 127.0.0.1\nsearch corp.test");
    assert_string_equal(resolve_host_official(watch("node-a", CONF_FAMILY_4)), "node-a.corp.test");
}

static void what_is_no_name_of_a_host_is_no_official_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"a/b", "a\x1b[m", "m\xfcnchen", "\"a\"", "a@b"};
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "10.0.0.7 %s db.test", bad[i]);
        write_file(hosts, line);
        pass(11000);
        assert_string_equal(resolve_host_official(host), "");
        assert_string_equal(said, "10.0.0.7");
    }
}

/* Its end would never be reached. */
static void a_ring_of_aliases_does_no_harm(void **state)
{
    (void)state;
    zone.cnames[0] = "a.test";
    zone.cnames[1] = "db.test";
    zone.cnames[2] = "a.test";
    watch("db.test", CONF_FAMILY_4);
    assert_string_equal(said, "10.0.0.1");
}

static void the_official_name_of_the_hosts_file_is_the_first_of_its_line(void **state)
{
    (void)state;
    write_file(hosts, "::1 six.corp db.test\n10.0.0.7 Node-A.corp node-a db.test\n"
                      "10.0.0.6 other.corp db.test");
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    assert_string_equal(resolve_host_official(host), "Node-A.corp");
    write_file(hosts, "10.0.0.7 node-b.corp db.test\n10.0.0.6 db.test");
    pass(7000);
    assert_string_equal(resolve_host_official(host), "node-b.corp");
    assert_int_equal(calls, 2);
    forget();
    assert_string_equal(resolve_host_official(watch("10.1.2.3", CONF_FAMILY_4)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(dns_rig, a_literal_is_its_own_address_and_is_never_looked_at_again),
        TEST_IN(dns_rig, a_literal_of_the_other_family_is_an_error),
        TEST_IN(dns_rig, a_name_is_looked_up_again_when_its_ttl_has_passed),
        TEST_IN(dns_rig, an_unchanged_set_in_another_order_is_no_news),
        TEST_IN(dns_rig, more_addresses_than_fit_are_the_same_ones_each_time),
        TEST_IN(dns_rig, both_families_are_asked_for_and_ipv4_comes_first),
        TEST_IN(dns_rig, a_family_that_is_not_wanted_is_not_asked_for),
        TEST_IN(dns_rig, a_ttl_of_nothing_is_a_second_and_a_ttl_of_a_day_is_five_minutes),
        TEST_IN(dns_rig, a_failed_lookup_takes_nothing_away_and_is_repeated),
        TEST_IN(dns_rig, a_name_that_never_was_is_an_error_and_asked_for_ever_less_often),
        TEST_IN(dns_rig, an_heir_keeps_what_was_known_while_dns_is_down_and_says_so_once),
        TEST_IN(dns_rig, an_heir_whose_name_is_the_same_still_is_told_so),
        TEST_IN(dns_rig, the_hosts_file_comes_first_and_its_changes_are_noticed),
        TEST_IN(dns_rig, a_changed_resolv_conf_means_other_servers),
        TEST_IN(dns_rig, a_host_freed_while_it_is_looked_up_hears_nothing),
        TEST_IN(dns_rig, the_official_name_is_the_end_of_the_chain_of_aliases),
        TEST_IN(dns_rig, the_official_name_is_complete_if_the_hosts_name_is_short),
        TEST_IN(dns_rig, what_is_no_name_of_a_host_is_no_official_name),
        TEST_IN(dns_rig, a_ring_of_aliases_does_no_harm),
        TEST_IN(dns_rig, the_official_name_of_the_hosts_file_is_the_first_of_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
