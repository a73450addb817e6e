/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.c - the table of addresses that were given out. It is one per process and only grows, so
 * each test uses addresses of its own, and the one that fills it comes last.
 */
#include "config.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "shim/view/seen.h"
#include "tests/support/test.h"

#define THREADS   8
#define ADDRESSES 200
#define NAMES     5

static struct seen_address at(uint32_t net, uint32_t host)
{
    uint32_t bytes = htonl(net << 16 | host);

    return seen_address(AF_INET, &bytes);
}

static bool has(const struct seen_address *address, uint64_t name, uint64_t *ret_stamp)
{
    struct seen seen;

    if (seen_find(address, &seen))
        for (uint32_t i = 0; i < seen.count; i++)
            if (seen.names[i].hash == name) {
                *ret_stamp = seen.names[i].stamp;
                return true;
            }
    return false;
}

static uint64_t latest_of(const struct seen_address *address)
{
    struct seen seen;
    uint64_t name = 0, stamp = 0;

    assert_true(seen_find(address, &seen));
    for (uint32_t i = 0; i < seen.count; i++)
        if (seen.names[i].stamp > stamp) {
            stamp = seen.names[i].stamp;
            name = seen.names[i].hash;
        }
    return name;
}

static void an_ipv4_address_is_its_mapped_form(void **test)
{
    struct in6_addr mapped, other;
    struct seen_address a = at(0x0a01, 7), b, c;

    (void)test;
    inet_pton(AF_INET6, "::ffff:10.1.0.7", &mapped);
    inet_pton(AF_INET6, "::10.1.0.7", &other);
    b = seen_address(AF_INET6, &mapped);
    c = seen_address(AF_INET6, &other);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(&a, &c, sizeof(a));
}

static void what_was_not_recorded_is_not_found(void **test)
{
    struct seen_address a = at(0x0a02, 1);
    struct seen seen;

    (void)test;
    assert_false(seen_may(&a));
    assert_false(seen_find(&a, &seen));
    assert_false(seen_is_full());
}

static void a_pair_is_kept_once(void **test)
{
    struct seen_address a = at(0x0a03, 1);
    struct seen seen;

    (void)test;
    for (int i = 0; i < 100; i++)
        seen_record(&a, 5);
    assert_true(seen_may(&a) && seen_find(&a, &seen));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.names[0].hash, 5);
    assert_false(seen.crowded);
}

static void the_name_looked_up_last_has_the_largest_stamp(void **test)
{
    static const uint64_t order[] = {5, 6, 7, 5, 5, 6, 7, 6, 5, 7, 7};
    struct seen_address a = at(0x0a04, 1);

    (void)test;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        seen_record(&a, order[i]);
        assert_int_equal(latest_of(&a), order[i]);
    }
}

static pthread_barrier_t start;
static _Atomic unsigned lost;

/* Records every pair in an order of its own; what one thread was given it finds at once. */
static void *storm(void *data)
{
    unsigned step = 1 + 2 * (unsigned)(uintptr_t)data;
    uint64_t stamp;

    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < ADDRESSES * NAMES * 20; i++) {
        unsigned pair = i * step % (ADDRESSES * NAMES);
        struct seen_address a = at(0x0a05, pair / NAMES);

        seen_record(&a, 10 + pair % NAMES);
        if (!has(&a, 10 + pair % NAMES, &stamp))
            lost++;
    }
    return NULL;
}

static void nothing_is_lost_in_a_storm_of_threads(void **test)
{
    pthread_t threads[THREADS];
    struct seen seen;
    uint64_t stamp;

    (void)test;
    pthread_barrier_init(&start, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(lost, 0);
    for (unsigned pair = 0; pair < ADDRESSES * NAMES; pair++) {
        struct seen_address a = at(0x0a05, pair / NAMES);

        assert_true(has(&a, 10 + pair % NAMES, &stamp));
        assert_true(seen_find(&a, &seen));
        for (uint32_t i = 0; i < seen.count; i++)
            assert_in_range(seen.names[i].hash, 10, 10 + NAMES - 1);
    }
    assert_false(seen_is_full());
}

/* Networks that differ in one byte of their number, with the same hosts in each. */
static void hosts_of_many_networks_do_not_crowd_each_other(void **test)
{
    (void)test;
    for (unsigned byte = 4; byte < 14; byte++)
        for (unsigned i = 1; i <= 24; i++) {
            struct in6_addr in = {.s6_addr = {0xfd, (uint8_t)byte, [15] = 10}};
            struct seen_address a;
            struct seen seen;

            in.s6_addr[byte] = (uint8_t)i;
            a = seen_address(AF_INET6, &in);
            for (uint64_t name = 5; name < 8; name++)
                seen_record(&a, name);
            assert_true(seen_find(&a, &seen));
            assert_int_equal(seen.count, 3);
            assert_false(seen.crowded);
        }
    assert_false(seen_is_full());
}

/* Hosts next to each other get slots next to each other: some then need seen_find(). */
static void the_only_name_is_said_only_where_there_is_one(void **test)
{
    struct seen seen;
    unsigned said = 0;

    (void)test;
    for (unsigned i = 0; i < 16; i++) {
        struct seen_address one = at(0x0a08, i), two = at(0x0a09, i), none = at(0x0a0a, i);

        assert_int_equal(seen_only(&none), 0);
        seen_record(&one, 5 + i);
        seen_record(&two, 5);
        seen_record(&two, 6);
    }
    for (unsigned i = 0; i < 16; i++) {
        struct seen_address one = at(0x0a08, i), two = at(0x0a09, i), none = at(0x0a0a, i);

        assert_true(seen_find(&one, &seen));
        assert_int_equal(seen.count, 1);
        assert_true(seen_only(&one) == 5 + i || seen_only(&one) == 0);
        said += seen_only(&one) != 0;
        assert_int_equal(seen_only(&two), 0);
        assert_int_equal(seen_only(&none), 0);
    }
    assert_in_range(said, 8, 16);
}

/* Two of its names were recorded; then the table fills, and then a third comes. */
static void a_full_table_keeps_what_it_has_and_says_what_it_left_out(void **test)
{
    struct seen_address kept = at(0x0a06, 1), crowded = at(0x0a06, 2), late = at(0x0a07, 1);
    struct seen seen;
    uint64_t stamp;

    (void)test;
    seen_record(&kept, 5);
    seen_record(&crowded, 5);
    seen_record(&crowded, 6);
    for (uint32_t i = 0; i < SEEN_SLOTS * 2; i++) {
        struct seen_address a = at(0x0b00 + (i >> 16), i & 0xffff);

        seen_record(&a, 9);
    }
    assert_true(seen_is_full());
    seen_record(&late, 5);
    assert_false(seen_find(&late, &seen));
    seen_record(&kept, 5);
    assert_true(seen_find(&kept, &seen));
    assert_int_equal(seen.count, 1);
    assert_false(seen.crowded);
    seen_record(&crowded, 7);
    assert_true(seen_find(&crowded, &seen));
    assert_int_equal(seen.count, 2);
    assert_true(seen.crowded);
    for (uint64_t name = 6; name >= 5; name--) {
        seen_record(&crowded, name);
        assert_int_equal(latest_of(&crowded), name);
        assert_true(seen_find(&crowded, &seen) && seen.crowded);
        assert_true(has(&crowded, name, &stamp));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ipv4_address_is_its_mapped_form),
        TEST(what_was_not_recorded_is_not_found),
        TEST(a_pair_is_kept_once),
        TEST(the_name_looked_up_last_has_the_largest_stamp),
        TEST(nothing_is_lost_in_a_storm_of_threads),
        TEST(hosts_of_many_networks_do_not_crowd_each_other),
        TEST(the_only_name_is_said_only_where_there_is_one),
        TEST(a_full_table_keeps_what_it_has_and_says_what_it_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
