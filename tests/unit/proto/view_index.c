/* SPDX-License-Identifier: Apache-2.0
 *
 * view_index.c - tests of the view's index: which clusters may have a member at an address and port.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/support/test.h"
#include "tests/unit/proto/view_rig.h"

static struct view_address address(uint32_t n, uint16_t port)
{
    struct view_address at = {.address = {.family = 4, .port = port}, .text = "10.0.0.1"};

    memcpy(at.address.bytes, &n, sizeof(n));
    return at;
}

static uint32_t named(const struct view_map *map, const struct inet_address *at, uint32_t cluster,
                      uint32_t *ret_all)
{
    uint32_t place = 0, found, all = 0, times = 0;

    while (view_index_next(map, view_address_key(at), &place, &found)) {
        all++;
        times += found == cluster;
    }
    if (ret_all)
        *ret_all = all;
    return times;
}

static bool is_named(const struct inet_address *at, uint32_t cluster)
{
    return named(&view.map, at, cluster, NULL) == 1;
}

static void keys_are_those_of_the_protocol(void **state)
{
    struct inet_address four, six;

    (void)state;
    assert_true(inet_address_parse("10.0.0.1", 5432, &four));
    assert_true(inet_address_parse("fd00::1", 6432, &six));
    assert_true(view_address_key(&four) == 0x18745f0724c13386ull);
    assert_true(view_address_key(&six) == 0xf8a69a8543555552ull);
}

static void each_address_is_found_with_its_own_port_and_the_other_ones(void **state)
{
    struct view_address at[8];
    const uint16_t ports[] = {6432, 65535};
    struct inet_address other;

    (void)state;
    for (uint16_t i = 0; i < 8; i++)
        at[i] = address(i, (uint16_t)(5432 + i));
    view_write_cluster(
        &view.writer, 2,
        &(struct view_listing){.at = at, .count = 8, .ports = ports, .port_count = 2});
    for (int i = 0; i < 8; i++) {
        assert_true(is_named(&at[i].address, 2));
        other = at[i].address;
        for (unsigned port = 1; port <= 65535; port++) {
            other.port = (uint16_t)port;
            assert_int_equal(is_named(&other, 2),
                             port == 6432 || port == 65535 || port == 5432u + (unsigned)i);
        }
        other = at[i].address;
        other.family = 6;
        assert_false(is_named(&other, 2));
        assert_false(is_named(&at[i].address, 1));
    }
}

static void one_server_of_many_clusters_takes_no_place_from_others(void **state)
{
    struct view_address shared = address(7, 5432), own;
    uint32_t clusters = 3000, slots = HOMING_VIEW_SLOTS_MIN, all;
    size_t size = view_size(slots, clusters, 0);
    struct view_writer writer;
    struct view_map map;
    void *base = aligned_alloc(4096, size);

    (void)state;
    assert_non_null(base);
    view_write_init(&writer, base, size, slots, clusters, 1);
    assert_true(view_map_check(base, size, &map));
    for (uint32_t i = 0; i < clusters; i++) {
        const struct view_address both[] = {shared, address(1000 + i, 5432)};

        view_write_members(&writer, i, both, 2);
    }
    for (uint32_t i = 0; i < clusters; i++) {
        own = address(1000 + i, 5432);
        assert_int_equal(named(&map, &own.address, i, &all), 1);
        assert_int_equal(all, 1);
    }
    assert_int_equal(named(&map, &shared.address, 0, &all), 1);
    assert_int_equal(all, HOMING_VIEW_SHARING_MAX);
    free(base);
}

static void a_member_that_moves_ten_thousand_times_is_found_where_it_is(void **state)
{
    struct view_address there = address(0, 1), at;

    (void)state;
    view_write_members(&view.writer, 1, &there, 1);
    for (uint32_t n = 1; n <= 10000; n++) {
        at = address(n, 5432);
        view_write_members(&view.writer, 0, &at, 1);
        assert_true(is_named(&at.address, 0));
        assert_true(is_named(&there.address, 1));
    }
    at = address(1, 5432);
    assert_false(is_named(&at.address, 0)); /* long ago */
}

/* More addresses than there are places for: no row is lost that was there, and no time either. */
static void an_index_with_too_many_addresses_keeps_what_it_has(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    const uint16_t ports[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t found[3] = {0};

    (void)state;
    for (int round = 0; round < 3; round++)
        for (uint32_t c = 0; c < PATTERN_CLUSTERS; c++) {
            for (uint32_t i = 0; i < HOMING_VIEW_ADDRESSES_MAX; i++)
                at[i] = address(c * 1000 + i, 5432);
            view_write_cluster(
                &view.writer, c,
                &(struct view_listing){
                    .at = at, .count = HOMING_VIEW_ADDRESSES_MAX, .ports = ports, .port_count = 8});
            for (uint32_t i = 0; i < HOMING_VIEW_ADDRESSES_MAX; i++)
                found[round] += is_named(&at[i].address, c);
        }
    assert_true(found[0] > 0);
    assert_int_equal(found[1], found[2]);
}

static void clusters_that_want_permits_are_counted(void **state)
{
    struct view_address at[2] = {address(1, 5432), address(2, 5432)};
    const view_word *count = view_permit_clusters(&view.map);

    (void)state;
    at[1].flags = VIEW_MEMBER_PERMIT;
    for (uint32_t i = 0; i < 3; i++) {
        view_write_members(&view.writer, i, at, 2);
        view_write_members(&view.writer, i, at, 2);
        assert_int_equal(*count, i + 1);
    }
    view_write_members(&view.writer, 0, at, 1);
    assert_int_equal(*count, 2);
    view_write_members(&view.writer, 1, NULL, 0);
    assert_int_equal(*count, 1);
}

/* V2 */
static void a_view_without_an_index_or_with_a_bad_one(void **state)
{
    struct view_address at = address(1, 5432);
    struct view_header *header = view.writer.header;
    uint64_t count = header->index_count, offset = header->index_offset;
    struct view_map map;

    (void)state;
    view_write_members(&view.writer, 0, &at, 1);
    header->index_count = 0; /* 2.0; the offset then means nothing */
    for (uint64_t far = 0; far <= 1; far++) {
        header->index_offset = 0 - far * 4096;
        assert_true(view_map_check(header, header->size, &map));
        assert_null(map.index);
        assert_int_equal(named(&map, &at.address, 0, NULL), 0);
    }
    header->index_offset = offset;
    const uint64_t bad[] = {3, count + 1, 1ull << 40, 1ull << 63};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        header->index_count = bad[i];
        assert_false(view_map_check(header, header->size, &map));
    }
    header->index_count = count;
    header->index_offset = header->size;
    assert_false(view_map_check(header, header->size, &map));
    header->index_offset = offset + 1;
    assert_false(view_map_check(header, header->size, &map));
    header->index_offset = offset;
    assert_true(view_map_check(header, header->size, &map));
    for (uint64_t i = 0; i < count; i++) /* a cluster that there is not, in every row */
        view.writer.index[i] = view_address_key(&at.address) >> 16 << 16 | 0xffff;
    assert_int_equal(named(&map, &at.address, 0xfffe, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_those_of_the_protocol),
        TEST_IN(rig, each_address_is_found_with_its_own_port_and_the_other_ones),
        TEST(one_server_of_many_clusters_takes_no_place_from_others),
        TEST_IN(rig, a_member_that_moves_ten_thousand_times_is_found_where_it_is),
        TEST_IN(rig, an_index_with_too_many_addresses_keeps_what_it_has),
        TEST_IN(rig, clusters_that_want_permits_are_counted),
        TEST_IN(rig, a_view_without_an_index_or_with_a_bad_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
