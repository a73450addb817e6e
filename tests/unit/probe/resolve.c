/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.c - the resolver on a virtual clock, with a real c-ares and a DNS server that is part of
 * this test: a UDP socket on a loopback address, answered by hand.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/probe/resolve.h"
#include "tests/support/fake_loop.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* The server: one zone, the same answer for every name. */

struct zone {
    uint8_t rcode;     /* 3: no such name, 2: failure */
    uint32_t ttl;      /* seconds */
    const char *a[12]; /* IPv4, as text */
    const char *aaaa[4];
};

static struct zone zone;
static uint32_t queries; /* since the last forget() */
static uint32_t aaaa_queries;
static int server = -1;
static uint16_t server_port;

static size_t put_records(uint8_t *at, const char *const *texts, size_t count, uint8_t type)
{
    size_t size = type == 1 ? 4 : 16, used = 0;
    for (size_t i = 0; i < count && texts[i]; i++) {
        const uint8_t head[] = {0xc0, 12, 0, type, 0, 1};
        uint32_t ttl = htonl(zone.ttl);
        memcpy(at + used, head, 6);
        memcpy(at + used + 6, &ttl, 4);
        at[used + 10] = 0;
        at[used + 11] = (uint8_t)size;
        inet_pton(type == 1 ? AF_INET : AF_INET6, texts[i], at + used + 12);
        used += 12 + size;
    }
    return used;
}

static void reply(uint8_t *packet, size_t end, uint8_t type, const struct sockaddr_in *to)
{
    bool v4 = type == 1;
    size_t used = 0, each = v4 ? 16 : 28;
    if (zone.rcode == 0)
        used = put_records(packet + end, v4 ? zone.a : zone.aaaa, v4 ? 12 : 4, type);
    packet[2] = 0x84;
    packet[3] = 0x80 | zone.rcode;
    packet[7] = (uint8_t)(used / each); /* answers */
    packet[11] = 0;                     /* no EDNS */
    sendto(server, packet, end + used, 0, (const struct sockaddr *)to, sizeof(*to));
}

static bool serve(void)
{
    uint8_t packet[1024];
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(server, packet, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    if (n <= 12)
        return false;
    size_t at = 12;
    while (packet[at] != 0)
        at += packet[at] + 1u;
    queries++;
    aaaa_queries += packet[at + 2] == 28;
    reply(packet, at + 5, packet[at + 2], &from);
    return true;
}

/* The rig. */

static struct loop *loop;
static struct resolver *resolver;
static char dir[FOLDER_SIZE];
static char resolv_conf[64], hosts[64];
static uint32_t calls;
static char said[512]; /* the last call: addresses, or the error */

static void heard(void *arg, const struct inet_address *addresses, uint32_t count,
                  const char *error)
{
    (void)arg;
    calls++;
    snprintf(said, sizeof(said), "%s", !error ? "" : error);
    for (uint32_t i = 0; i < count; i++) {
        char text[48];
        inet_ntop(addresses[i].family == 4 ? AF_INET : AF_INET6, addresses[i].bytes, text,
                  sizeof(text));
        if (i > 0)
            strcat(said, " ");
        strcat(said, text);
    }
}

static void forget(void)
{
    calls = queries = aaaa_queries = 0;
    said[0] = '\0';
}

/* `generation` makes the file's size differ, however coarse the file system's clock. */
static void write_file(const char *path, const char *text)
{
    static int generation;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n#%*d\n", text, ++generation, 0);
    fclose(file);
}

static int rig_setup(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof(at);
    (void)state;
    folder_make(dir);
    snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", dir);
    snprintf(hosts, sizeof(hosts), "%s/hosts", dir);
    write_file(resolv_conf, "nameserver 127.0.0.1");
    write_file(hosts, "127.0.0.1 localhost");
    server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)&at, sizeof(at)) != 0)
        return 1;
    getsockname(server, (struct sockaddr *)&at, &length);
    server_port = ntohs(at.sin_port);
    zone = (struct zone){.ttl = 10, .a = {"10.0.0.1"}};
    forget();
    loop = loop_new();
    resolver = resolver_new_from(loop, resolv_conf, hosts, server_port);
    return !resolver;
}

static int rig_teardown(void **state)
{
    (void)state;
    resolver_free(resolver);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    close(server);
    unlink(resolv_conf);
    unlink(hosts);
    return rmdir(dir);
}

/* Lets everybody answer until nobody has anything to say. */
static void settle(void)
{
    for (int idle = 0; idle < 3; idle++) {
        bool served = serve();
        if (fake_loop_poll(loop) || served)
            idle = 0;
    }
}

static void pass(uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < 100 ? ms : 100;
        fake_loop_advance(loop, step);
        settle();
        ms -= step;
    }
}

static struct resolve_host *watch(const char *name, enum conf_family family)
{
    struct resolve_host *host = resolve_host_new(resolver, name, family, heard, NULL);
    assert_int_equal(calls, 0);
    fake_loop_advance(loop, 0);
    settle();
    return host;
}

/* The tests. */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_literal_is_its_own_address_and_is_never_looked_at_again),
        TEST_IN(rig, a_literal_of_the_other_family_is_an_error),
        TEST_IN(rig, a_name_is_looked_up_again_when_its_ttl_has_passed),
        TEST_IN(rig, an_unchanged_set_in_another_order_is_no_news),
        TEST_IN(rig, more_addresses_than_fit_are_the_same_ones_each_time),
        TEST_IN(rig, both_families_are_asked_for_and_ipv4_comes_first),
        TEST_IN(rig, a_family_that_is_not_wanted_is_not_asked_for),
        TEST_IN(rig, a_ttl_of_nothing_is_a_second_and_a_ttl_of_a_day_is_five_minutes),
        TEST_IN(rig, a_failed_lookup_takes_nothing_away_and_is_repeated),
        TEST_IN(rig, a_name_that_never_was_is_an_error_and_asked_for_ever_less_often),
        TEST_IN(rig, the_hosts_file_comes_first_and_its_changes_are_noticed),
        TEST_IN(rig, a_changed_resolv_conf_means_other_servers),
        TEST_IN(rig, a_host_freed_while_it_is_looked_up_hears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
