/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.c - what a sweep asks the kernel for. The kernel and the permits are stood in for; with both
 * of them it is tested by tests/live/sever.py.
 */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/sweep.h"
#include "tests/support/test.h"

static struct group group;
static int families[4];
static unsigned dumps;
static struct diag_socket listed;

struct group *__wrap_permits_first_group(const struct permits *permits);
int __wrap_netlink_dump(int fd, int family, const struct inet_address *at, uint32_t count,
                        netlink_fn *fn, void *arg);

struct group *__wrap_permits_first_group(const struct permits *permits)
{
    (void)permits;
    return &group;
}

int __wrap_netlink_dump(int fd, int family, const struct inet_address *at, uint32_t count,
                        netlink_fn *fn, void *arg)
{
    (void)fd;
    (void)at;
    (void)count;
    assert_in_range(dumps, 0, 3);
    families[dumps++] = family;
    if (family == listed.family)
        (void)fn(arg, &listed);
    return 0;
}

/* One sweep, turn by turn, of an order for one address. */
static struct sever_counts swept(const char *address)
{
    struct sever_order order = {.kind = SEVER_OBSERVE, .address_count = 1};
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = {.salt = 1};

    group = (struct group){.netlink_count = 1, .count = 1};
    dumps = 0;
    assert_true(inet_address_parse(address, 5432, &order.addresses[0]));
    sweep_begin(&sweep, &order, 0, &results);
    while (sweep_turn(&sweep, 0))
        ;
    sweep_end(&sweep);
    return results.counts;
}

static void connections_to_an_IPv4_address_are_listed_in_both_families(void **state)
{
    (void)state;
    listed = (struct diag_socket){.family = AF_INET, .cookie = 7};
    listed.id.idiag_dport = 0x3815; /* 5432 in network order */
    memcpy(listed.id.idiag_dst, (const uint8_t[]){10, 0, 0, 1}, 4);
    assert_int_equal(swept("10.0.0.1").seen, 1);
    assert_int_equal(dumps, 2);
    assert_int_equal(families[0], AF_INET6);
    assert_int_equal(families[1], AF_INET);
}

static void connections_to_an_IPv6_address_are_listed_in_its_own(void **state)
{
    (void)state;
    listed = (struct diag_socket){.family = AF_INET6, .cookie = 7};
    listed.id.idiag_dport = 0x3815;
    memcpy(listed.id.idiag_dst, (const uint8_t[]){0xfd, [15] = 1}, 16);
    assert_int_equal(swept("fd00::1").seen, 1);
    assert_int_equal(dumps, 1);
    assert_int_equal(families[0], AF_INET6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_to_an_IPv4_address_are_listed_in_both_families),
        TEST(connections_to_an_IPv6_address_are_listed_in_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
