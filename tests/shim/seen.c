/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.c - the table of addresses that were given out. There is one per process, so each test uses
 * addresses of its own. The tests that fill it come last, and of them the one that has no view yet
 * comes first.
 */
#include "config.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shim/view/attach.h"
#include "shim/view/seen.h"
#include "tests/support/fake_agent.h"
#include "tests/support/test.h"

#define THREADS   8
#define ADDRESSES 200
#define NAMES     5

/* The view of this process: none, until a test makes one. It stands in for attach.c's. */
static struct fake_agent agent;
static struct attached attached;
static const struct attached *newest;

const struct attached *attach_newest(void)
{
    return newest;
}

static void give(const struct seen_address *address, uint64_t name, bool managed)
{
    struct seen_lookup lookup = {.name = name, .managed = managed};

    seen_add(&lookup, address);
    seen_end(&lookup);
}

static void seen_record(const struct seen_address *address, uint64_t name)
{
    give(address, name, false);
}

static struct seen_address at(uint32_t net, uint32_t host)
{
    uint32_t bytes = htonl(net << 16 | host);

    return seen_address(AF_INET, &bytes);
}

/* All that is known of an address. */
struct names {
    uint32_t count;
    bool crowded;
    uint64_t asked;
    struct seen_name at[SEEN_PROBES];
};

static bool find(const struct seen_address *address, struct names *ret)
{
    struct seen seen;
    bool found = seen_find(address, &seen);
    uint64_t name = 0;

    *ret = (struct names){.crowded = seen.crowded, .asked = seen.asked};
    while (seen_next(address, name, &ret->at[ret->count])) {
        assert_true(ret->at[ret->count].hash > name);
        name = ret->at[ret->count++].hash;
        if (ret->count == SEEN_PROBES)
            break;
    }
    assert_true(found || ret->count == 0);
    return found;
}

static bool has(const struct seen_address *address, uint64_t name, uint64_t *ret_stamp)
{
    struct names seen;

    if (find(address, &seen))
        for (uint32_t i = 0; i < seen.count; i++)
            if (seen.at[i].hash == name) {
                *ret_stamp = seen.at[i].stamp;
                return true;
            }
    return false;
}

static uint64_t latest_of(const struct seen_address *address)
{
    struct names seen;
    uint64_t name = 0, stamp = 0;

    assert_true(find(address, &seen));
    for (uint32_t i = 0; i < seen.count; i++)
        if (seen.at[i].stamp > stamp) {
            stamp = seen.at[i].stamp;
            name = seen.at[i].hash;
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
    struct names seen;

    (void)test;
    assert_false(seen_may(&a));
    assert_false(find(&a, &seen));
    assert_false(seen_is_full());
}

static void a_pair_is_kept_once(void **test)
{
    struct seen_address a = at(0x0a03, 1);
    struct names seen;

    (void)test;
    for (int i = 0; i < 100; i++)
        seen_record(&a, 5);
    assert_true(seen_may(&a) && find(&a, &seen));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.at[0].hash, 5);
    assert_false(seen.crowded);
}

static void an_address_that_lost_a_name_is_crowded(void **test)
{
    struct seen_address a = at(0x0a0c, 1);
    struct names seen;

    (void)test;
    seen_record(&a, 5);
    assert_true(find(&a, &seen) && !seen.crowded);
    seen_lose(&a);
    assert_true(find(&a, &seen) && seen.crowded);
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
    struct names seen;
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
        assert_true(find(&a, &seen));
        for (uint32_t i = 0; i < seen.count; i++)
            assert_in_range(seen.at[i].hash, 10, 10 + NAMES - 1);
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
            struct names seen;

            in.s6_addr[byte] = (uint8_t)i;
            a = seen_address(AF_INET6, &in);
            for (uint64_t name = 5; name < 8; name++)
                seen_record(&a, name);
            assert_true(find(&a, &seen));
            assert_int_equal(seen.count, 3);
            assert_false(seen.crowded);
        }
    assert_false(seen_is_full());
}

/* Hosts next to each other get slots next to each other: some then need seen_find(). */
static void the_only_name_is_said_only_where_there_is_one(void **test)
{
    struct names seen;
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

        assert_true(find(&one, &seen));
        assert_int_equal(seen.count, 1);
        assert_true(seen_only(&one) == 5 + i || seen_only(&one) == 0);
        said += seen_only(&one) != 0;
        assert_int_equal(seen_only(&two), 0);
        assert_int_equal(seen_only(&none), 0);
    }
    assert_in_range(said, 8, 16);
}

static bool is_asked(const struct seen_address *address, uint64_t name)
{
    struct names seen;

    return find(address, &seen) && seen.asked == name;
}

static struct seen_name name_at(const struct seen_address *address, uint64_t name)
{
    struct names seen;

    assert_true(find(address, &seen));
    for (uint32_t i = 0; i < seen.count; i++)
        if (seen.at[i].hash == name)
            return seen.at[i];
    fail_msg("the name is not known");
    return (struct seen_name){0};
}

static void a_managed_name_has_left_an_address_once_it_was_given_another_of_the_family(void **test)
{
    struct seen_address a = at(0x0a10, 1), b = at(0x0a10, 2), c = at(0x0a10, 3), six = {{7, 7}};

    (void)test;
    give(&a, 100, true);
    give(&six, 100, true);
    give(&a, 101, true); /* another name */
    assert_false(name_at(&a, 100).left);
    give(&b, 100, true);
    assert_true(name_at(&a, 100).left);
    assert_false(name_at(&a, 101).left || name_at(&b, 100).left || name_at(&six, 100).left);
    for (int i = 0; i < 5; i++) { /* back, and in turns */
        give(&a, 100, true);
        assert_true(name_at(&b, 100).left && !name_at(&a, 100).left);
        give(&c, 100, true);
        assert_true(name_at(&a, 100).left && !name_at(&c, 100).left);
    }
    give(&c, 102, false);
    give(&a, 102, false);
    assert_false(name_at(&c, 102).left); /* a stranger is never said to have left */
}

static void several_addresses_of_one_lookup_are_all_present(void **test)
{
    struct seen_address a = at(0x0a11, 1), b = at(0x0a11, 2), c = at(0x0a11, 3);
    struct seen_lookup lookup = {.name = 110, .managed = true};

    (void)test;
    give(&c, 110, true);
    seen_add(&lookup, &a);
    seen_add(&lookup, &a);
    seen_add(&lookup, &b);
    seen_end(&lookup);
    assert_false(name_at(&a, 110).left || name_at(&b, 110).left);
    give(&b, 110, true);
    assert_true(name_at(&a, 110).left && name_at(&c, 110).left && !name_at(&b, 110).left);
}

static void a_connect_of_the_thread_uses_what_it_asked_for_once_in_each_family(void **test)
{
    struct seen_address a = at(0x0a12, 1), six = {{8, 8}}, other = at(0x0a12, 2);

    (void)test;
    give(&a, 120, true);
    give(&other, 120, true);
    give(&a, 124, true);
    give(&six, 124, true);
    assert_true(is_asked(&six, 124) && is_asked(&a, 124));
    assert_false(is_asked(&a, 120));
    seen_use(&other); /* it was not given for the name */
    seen_use(&six);
    assert_true(!is_asked(&six, 124) && is_asked(&a, 124));
    seen_use(&a);
    assert_false(is_asked(&six, 124) || is_asked(&a, 124));
    give(&a, 124, true);
    assert_true(is_asked(&a, 124));
    give(&six, 128, false); /* another lookup came in between */
    assert_false(is_asked(&a, 124));
}

static struct seen_address stranger(uint32_t i)
{
    return at(0x0b00 + (i >> 16), i & 0xffff);
}

/* Two of its names were recorded; then the table fills, and then a third comes. */
static void before_there_is_a_view_nothing_is_evicted(void **test)
{
    struct seen_address kept = at(0x0a06, 1), crowded = at(0x0a06, 2), late;
    uint32_t found = 0, i;
    struct names seen;
    uint64_t stamp;

    (void)test;
    seen_record(&kept, 5);
    seen_record(&crowded, 5);
    seen_record(&crowded, 6);
    for (i = 0; i < SEEN_SLOTS * 4; i++) {
        struct seen_address a = stranger(i);

        seen_record(&a, 9);
        if (find(&a, &seen))
            found++;
    }
    assert_true(seen_is_full());
    assert_in_range(found, SEEN_SLOTS / 2, SEEN_SLOTS);
    for (uint32_t again = 0; again < i; again++) {
        struct seen_address a = stranger(again);

        found -= find(&a, &seen);
    }
    assert_int_equal(found, 0);
    for (late = stranger(i); find(&late, &seen); late = stranger(++i))
        seen_record(&late, 5);
    seen_record(&kept, 5);
    assert_int_equal(name_at(&kept, 5).hash, 5);
    seen_record(&crowded, 7);
    assert_true(find(&crowded, &seen));
    assert_int_equal(seen.count, 2);
    assert_true(seen.crowded);
    for (uint64_t name = 6; name >= 5; name--) {
        seen_record(&crowded, name);
        assert_int_equal(latest_of(&crowded), name);
        assert_true(find(&crowded, &seen) && seen.crowded);
        assert_true(has(&crowded, name, &stamp));
    }
}

#define WRITER "writer.test"

static uint64_t hash_of(const char *text)
{
    struct name name;

    assert_true(name_canonical(text, &name));
    return name.hash;
}

/* One name, one cluster of two members: 10.99.0.1 and fd00::99. */
static void view_make(void)
{
    struct view_entry entry = {.mode = VIEW_MODE_SEVER,
                               .state = VIEW_STATE_STEADY,
                               .family = 4,
                               .max_stale_ms = 60000,
                               .text4 = "10.99.0.1"};
    const struct view_address members[] = {
        {.address = {{10, 99, 0, 1}, .family = 4}, .text = "10.99.0.1"},
        {.address = {{0xfd, [15] = 0x99}, .family = 6}, .text = "fd00::99"},
    };
    struct name name;

    assert_int_equal(fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN, 2), 0);
    view_write_members(&agent.writer, 1, members, 2);
    assert_true(name_canonical(WRITER, &name));
    assert_int_equal(view_write_entry(&agent.writer, &name, &entry), 0);
    assert_true(view_map_check(agent.writer.header, agent.size, &attached.map));
    newest = &attached;
}

/* The table is full of strangers from before there was a view. */
static void managed_names_have_room_whatever_strangers_there_are(void **test)
{
    uint64_t writer = hash_of(WRITER);
    struct seen_address address;
    struct names seen;

    (void)test;
    view_make();
    for (uint32_t i = 0; i < 300; i++) { /* failovers, each to an address that is new */
        address = at(0x0c00, i);
        give(&address, writer, true);
        for (uint32_t k = 0; k < 100; k++) {
            struct seen_address a = stranger(100000 + i * 100 + k);

            seen_record(&a, 1000 + k);
        }
    }
    for (uint32_t i = 0; i < 300; i++) {
        address = at(0x0c00, i);
        assert_int_equal(name_at(&address, writer).left, i < 299);
    }
    for (uint32_t i = 0; i < 100; i++) { /* and strangers are known, too, while they are new */
        struct seen_address a = stranger(200000 + i);

        seen_record(&a, 2000);
        assert_true(find(&a, &seen));
    }
}

/* Of these a name server may give as many as it likes. */
static struct seen_address alike(const struct seen_address *address, uint64_t i)
{
    uint64_t high = i << 40 | 1; /* what is put into one word is taken out of the other */

    return (struct seen_address){
        {address->words[0] ^ high, address->words[1] ^ (high >> 21 | high << 43)}};
}

static void a_pair_goes_only_if_its_name_and_address_are_no_matter_of_homings(void **test)
{
    struct seen_address member = at(0x0a63, 1), given = at(0x0c01, 1), managed = at(0x0c01, 2);
    uint64_t writer = hash_of(WRITER), stamp;

    (void)test;
    seen_record(&member, 3000);    /* a member's address, for a stranger */
    give(&given, writer, true);    /* a managed name's */
    seen_record(&given, 3001);     /* and a stranger's */
    give(&managed, writer, false); /* looked up while there was no view */
    for (uint64_t i = 1; i <= 3 * 4000; i++) {
        struct seen_address a = alike(&member, i), b = alike(&given, i), c = alike(&managed, i);

        seen_record(&a, 4000 + i % 3);
        seen_record(&b, 4000 + i % 3);
        seen_record(&c, 4000 + i % 3);
    }
    assert_true(has(&member, 3000, &stamp));
    assert_true(has(&given, writer, &stamp));
    assert_true(has(&given, 3001, &stamp));
    assert_true(has(&managed, writer, &stamp));
    give(&member, writer, true);
    assert_true(has(&member, 3000, &stamp) && has(&member, writer, &stamp));
}

static void strangers_of_one_address_leave_room_for_managed_names(void **test)
{
    struct seen_address address = at(0x0c02, 1);
    uint64_t writer = hash_of(WRITER);
    struct names seen;

    (void)test;
    for (uint64_t name = 5000; name < 5100; name++)
        seen_record(&address, name);
    give(&address, writer, true);
    assert_int_equal(name_at(&address, writer).hash, writer);
    for (uint64_t name = 5100; name < 5200; name++)
        seen_record(&address, name);
    assert_true(find(&address, &seen));
    assert_int_equal(name_at(&address, writer).hash, writer);
    assert_true(seen.crowded);
    assert_in_range(seen.count, 1, SEEN_STRANGERS + 1);
}

/* Strangers come and go in all threads, and each thread's own managed pair stays. */
static void *storm_of_strangers(void *data)
{
    uint32_t number = (uint32_t)(uintptr_t)data;
    struct seen_address own = at(0x0c03, number);
    uint64_t writer = hash_of(WRITER), stamp;

    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < 20000; i++) {
        struct seen_address a = stranger(300000 + i * THREADS + number);

        seen_record(&a, 6000 + number);
        if (i % 16 == 0)
            give(&own, writer, true);
        if (i && !has(&own, writer, &stamp))
            lost++;
    }
    return NULL;
}

static void nothing_of_a_managed_name_is_lost_in_a_storm_of_strangers(void **test)
{
    pthread_t threads[THREADS];

    (void)test;
    lost = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm_of_strangers, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ipv4_address_is_its_mapped_form),
        TEST(what_was_not_recorded_is_not_found),
        TEST(a_pair_is_kept_once),
        TEST(an_address_that_lost_a_name_is_crowded),
        TEST(the_name_looked_up_last_has_the_largest_stamp),
        TEST(nothing_is_lost_in_a_storm_of_threads),
        TEST(hosts_of_many_networks_do_not_crowd_each_other),
        TEST(the_only_name_is_said_only_where_there_is_one),
        TEST(a_managed_name_has_left_an_address_once_it_was_given_another_of_the_family),
        TEST(several_addresses_of_one_lookup_are_all_present),
        TEST(a_connect_of_the_thread_uses_what_it_asked_for_once_in_each_family),
        TEST(before_there_is_a_view_nothing_is_evicted),
        TEST(managed_names_have_room_whatever_strangers_there_are),
        TEST(a_pair_goes_only_if_its_name_and_address_are_no_matter_of_homings),
        TEST(strangers_of_one_address_leave_room_for_managed_names),
        TEST(nothing_of_a_managed_name_is_lost_in_a_storm_of_strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
