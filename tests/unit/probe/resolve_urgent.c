/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve_urgent.c - W11 in the resolver: a name is asked for again and again, whatever its TTL.
 */
#include "config.h"

#include "tests/support/dns_rig.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

/* What is asked in `ms`, one family: questions. */
static uint32_t asked_in(uint64_t ms)
{
    forget();
    pass(ms);
    return queries;
}

static void an_urgent_name_is_asked_for_every_250_to_300_ms_whatever_its_ttl(void **state)
{
    (void)state;
    zone.ttl = 3600;
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    resolve_host_urge(host, true);
    assert_in_range(asked_in(60000), 199, 240);
    assert_int_equal(calls, queries); /* and each answer is told, the same one too */
    zone.a[0] = "10.0.0.2";
    forget();
    pass(1100);
    assert_string_equal(said, "10.0.0.2");
    resolve_host_urge(host, true); /* nothing new */
    resolve_host_urge(host, false);
    pass(1100);
    assert_int_equal(asked_in(60000), 0);
}

static void an_urgent_name_that_fails_is_asked_for_as_often(void **state)
{
    (void)state;
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    zone.rcode = 2;
    resolve_host_urge(host, true);
    assert_true(asked_in(60000) >= 199);
    assert_int_equal(calls, 0);
}

static void after_ten_minutes_the_ttl_counts_again(void **state)
{
    (void)state;
    zone.ttl = 60;
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    resolve_host_urge(host, true);
    pass(590000);
    assert_true(asked_in(5000) >= 16);
    pass(70000);
    assert_in_range(asked_in(600000), 8, 11);
}

static void an_urgent_name_is_asked_for_again_in_250_ms(void **state)
{
    (void)state;
    zone.ttl = 3600;
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    resolve_host_again(host);
    assert_int_equal(asked_in(2000), 0); /* it is not urgent */
    resolve_host_urge(host, true);
    for (int i = 0; i < 50; i++) {
        while (asked_in(50) == 0)
            ;
        resolve_host_again(host);
        assert_int_equal(asked_in(200), 0);
        assert_int_equal(asked_in(50), 1);
    }
}

static void an_urgent_name_of_the_hosts_file_is_told_again_and_again(void **state)
{
    (void)state;
    write_file(hosts, "10.0.0.6 node-a.corp db.test");
    struct resolve_host *host = watch("db.test", CONF_FAMILY_4);
    resolve_host_urge(host, true);
    forget();
    pass(10000);
    assert_in_range(calls, 33, 40);
    assert_string_equal(resolve_host_official(host), "node-a.corp"); /* this is told again, too */
    write_file(hosts, "10.0.0.7 db.test");
    pass(1000);
    assert_string_equal(said, "10.0.0.7");
}

static void an_urgent_literal_is_not_looked_at_again(void **state)
{
    (void)state;
    struct resolve_host *host = watch("10.1.2.3", CONF_FAMILY_4);
    resolve_host_urge(host, true);
    resolve_host_again(host);
    assert_true(fake_loop_next_ms(loop) == UINT64_MAX);
    resolve_host_urge(NULL, true);
    resolve_host_again(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(dns_rig, an_urgent_name_is_asked_for_every_250_to_300_ms_whatever_its_ttl),
        TEST_IN(dns_rig, an_urgent_name_that_fails_is_asked_for_as_often),
        TEST_IN(dns_rig, after_ten_minutes_the_ttl_counts_again),
        TEST_IN(dns_rig, an_urgent_name_is_asked_for_again_in_250_ms),
        TEST_IN(dns_rig, an_urgent_name_of_the_hosts_file_is_told_again_and_again),
        TEST_IN(dns_rig, an_urgent_literal_is_not_looked_at_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
