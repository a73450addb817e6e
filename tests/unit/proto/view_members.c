/* SPDX-License-Identifier: Apache-2.0
 *
 * view_members.c - tests of proto/view_read.c and view_write.c, one thread at a time: a cluster's
 * addresses and official names. For names and their answers: view_read_write.c.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/unit/proto/view_rig.h"

static void addresses_are_read_as_they_were_published(void **state)
{
    struct view_address at[8], read[8];

    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        uint32_t count = pattern_members(n, at);

        view_write_members(&view.writer, 2, at, count);
        assert_int_equal(view_read_members(&view.map, 2, 0xff, read, 8), count);
        assert_true(pattern_members_whole(read, count));
    }
    assert_int_equal(view_read_members(&view.map, 1, 0xff, read, 8), 0);
    assert_int_equal(view_read_members(&view.map, PATTERN_CLUSTERS, 0xff, read, 8), 0);
    view_write_members(&view.writer, PATTERN_CLUSTERS, at, 1);
}

static void addresses_are_chosen_by_any_of_the_flags(void **state)
{
    struct view_address at[3] = {
        {.address = {.family = 4, .port = 1}, .flags = VIEW_MEMBER_WRITER, .text = "10.0.0.1"},
        {.address = {.family = 4, .port = 2}, .flags = VIEW_MEMBER_READER | VIEW_MEMBER_DEMOTED},
        {.address = {.family = 6, .port = 3}, .flags = VIEW_MEMBER_READER, .text = "::1"},
    };
    struct view_address read[3];

    (void)state;
    view_write_members(&view.writer, 0, at, 3);
    assert_int_equal(view_read_members(&view.map, 0, VIEW_MEMBER_READER, read, 3), 2);
    assert_int_equal(read[0].address.port, 2);
    assert_int_equal(read[1].address.port, 3);
    assert_string_equal(read[1].text, "::1");
    assert_int_equal(view_read_members(&view.map, 0, VIEW_MEMBER_READER, read, 1), 1);
    assert_int_equal(view_read_members(&view.map, 0, 0, read, 3), 0);
    at[1].flags = 0;
    view_write_members(&view.writer, 0, at, 3);
    assert_int_equal(view_read_members(&view.map, 0, VIEW_MEMBER_DEMOTED, read, 3), 0);
    assert_int_equal(view_read_members(&view.map, 0, VIEW_MEMBER_ALL, read, 3), 3);
}

static void more_addresses_than_fit_are_cut_off(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX + 1] = {0},
                                                       read[HOMING_VIEW_ADDRESSES_MAX + 1];

    (void)state;
    for (int i = 0; i <= HOMING_VIEW_ADDRESSES_MAX; i++)
        at[i] = (struct view_address){.address = {.family = 4, .port = (uint16_t)i}, .flags = 1};
    view_write_members(&view.writer, 0, at, HOMING_VIEW_ADDRESSES_MAX + 1);
    assert_int_equal(view_read_members(&view.map, 0, 1, read, HOMING_VIEW_ADDRESSES_MAX + 1),
                     HOMING_VIEW_ADDRESSES_MAX);
    assert_int_equal(read[HOMING_VIEW_ADDRESSES_MAX - 1].address.port,
                     HOMING_VIEW_ADDRESSES_MAX - 1);
}

static void a_list_of_addresses_with_impossible_values_is_empty(void **state)
{
    struct view_address at = {.address.family = 4, .flags = 1}, read[1];
    view_word *copy;

    (void)state;
    for (int i = 0; i < 4; i++) {
        static const int words[] = {0, 10, 13, 16}; /* count, meta, text[2], last of text */

        view_write_members(&view.writer, 0, &at, 1);
        copy = (view_word *)&view.writer.clusters[0].copies[view.writer.clusters[0].seq & 1];
        assert_int_equal(view_read_members(&view.map, 0, 1, read, 1), 1);
        copy[words[i]] = UINT64_MAX;
        assert_int_equal(view_read_members(&view.map, 0, 1, read, 1), words[i] == 13 ? 1 : 0);
    }
}

/* V1: what was read of a list so far is void once it has changed. */
static void a_list_that_changes_while_it_is_read_is_noticed(void **state)
{
    struct view_address at[8], one;
    struct view_list list;
    uint32_t count = pattern_members(7, at);

    (void)state;
    view_write_members(&view.writer, 0, at, count);
    assert_true(view_list_open(&view.map, 0, &list));
    assert_int_equal(list.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(view_list_at(&list, i, &one));
        assert_int_equal(one.member, i);
    }
    assert_false(view_list_at(&list, count, &one));
    view_write_members(&view.writer, 0, at, count);
    assert_false(view_list_at(&list, 0, &one));
    assert_false(view_list_open(&view.map, PATTERN_CLUSTERS, &list));
}

static void an_official_name_is_that_of_the_member_with_the_address(void **state)
{
    static const char *const names[] = {"node-a.corp", "", "node-c.corp"};
    const struct view_address at[] = {
        {.address = {.family = 4, .port = 1}, .flags = 4, .member = 2, .text = "10.0.0.1"},
        {.address = {.family = 4, .port = 2}, .flags = 1, .member = 0, .text = "10.0.0.1"},
        {.address = {.family = 4}, .member = 1, .text = "10.0.0.2"},
        {.address = {.family = 4}, .member = 3, .text = "10.0.0.4"},
        {.address = {.family = 4}, .member = VIEW_MEMBER_NOBODY, .text = "10.0.0.5"},
    };
    char name[VIEW_OFFICIAL_SIZE];

    (void)state;
    assert_int_equal(pattern_write_named(&view.writer, 1, at, 5, names, 3), 0);
    assert_int_equal(view_read_official(&view.map, 1, "10.0.0.1", VIEW_MEMBER_WRITER, name), 11);
    assert_string_equal(name, "node-a.corp");
    assert_int_equal(view_read_official(&view.map, 1, "10.0.0.1", VIEW_MEMBER_READER, name), 11);
    assert_string_equal(name, "node-c.corp");
    for (char last = '2'; last <= '6'; last++) { /* unknown, none for it, nobody, no member */
        const char text[] = {'1', '0', '.', '0', '.', '0', '.', last, '\0'};

        assert_int_equal(view_read_official(&view.map, 1, text, 1, name), 0);
    }
    assert_int_equal(view_read_official(&view.map, 0, "10.0.0.1", 1, name), 0);
    assert_int_equal(view_read_official(&view.map, PATTERN_CLUSTERS, "10.0.0.1", 1, name), 0);
    view_write_members(&view.writer, 1, at, 5);
    assert_int_equal(view_read_official(&view.map, 1, "10.0.0.1", 1, name), 0);
}

/* V2. */
static void an_official_name_of_any_length_is_kept_or_left_out(void **state)
{
    const struct view_address at = {.address.family = 4, .flags = 1, .text = "10.0.0.1"};
    char long_name[300], name[VIEW_OFFICIAL_SIZE];
    const char *names[] = {long_name};
    view_word *words;

    (void)state;
    memset(long_name, 'a', sizeof(long_name));
    for (uint32_t len = 0; len < 290; len++) {
        long_name[len] = '\0';
        assert_int_equal(pattern_write_named(&view.writer, 0, &at, 1, names, 1), 0);
        assert_int_equal(view_read_official(&view.map, 0, "10.0.0.1", 1, name),
                         len <= HOMING_NAME_MAX ? len : 0);
        long_name[len] = 'a';
    }
    words = view.writer.officials[0].copies[view.writer.clusters[0].seq & 1];
    for (int i = 0; i < HOMING_NAME_WORDS; i++)
        words[i] = UINT64_MAX;
    assert_int_equal(view_read_official(&view.map, 0, "10.0.0.1", 1, name), 0);
    view.writer.clusters[0].copies[view.writer.clusters[0].seq & 1].officials = UINT64_MAX;
    assert_int_equal(view_read_official(&view.map, 0, "10.0.0.1", 1, name), 0);
}

/* A cluster keeps its places, until it has more members. */
static void official_names_without_a_place_are_reported(void **state)
{
    const struct view_address at = {.address.family = 4, .flags = 1, .text = "10.0.0.1"};
    const char *names[PATTERN_NAMES + 1];
    char name[VIEW_OFFICIAL_SIZE];
    struct view_writer *w = &view.writer;

    (void)state;
    for (int i = 0; i <= PATTERN_NAMES; i++)
        names[i] = "node";
    for (int i = 0; i < 100; i++)
        assert_int_equal(pattern_write_named(w, 0, &at, 1, names, PATTERN_NAMES - 2), 0);
    assert_int_equal(pattern_write_named(w, 1, &at, 1, names, 3), -ENOSPC);
    assert_int_equal(view_read_official(&view.map, 1, "10.0.0.1", 1, name), 0);
    assert_int_equal(pattern_write_named(w, 1, &at, 1, names, 2), 0);
    assert_int_equal(view_read_official(&view.map, 1, "10.0.0.1", 1, name), 4);
    names[0] = "other";
    assert_int_equal(pattern_write_named(w, 0, &at, 1, names, PATTERN_NAMES), -ENOSPC);
    assert_int_equal(view_read_official(&view.map, 0, "10.0.0.1", 1, name), 5);
    assert_int_equal(pattern_write_named(w, 0, &at, 1, names, 1), 0);
}

/* They would only be in the way: most lookups do not ask for them. */
static void what_does_not_ask_for_official_names_does_not_touch_them(void **state)
{
    struct name name;
    struct view_entry entry = pattern_entry(9);
    struct view_address read[8];
    size_t size = PATTERN_NAMES * sizeof(struct view_official);

    (void)state;
    assert_true(name_canonical("orders-db", &name));
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(pattern_write_members(&view.writer, entry.cluster, 9), 0);
    assert_int_equal(mprotect(view.writer.officials, size, PROT_NONE), 0);
    assert_int_equal(view_read(&view.map, &name, &entry), VIEW_FOUND);
    assert_true(view_has_hash(&view.map, name.hash));
    assert_int_equal(view_read_members(&view.map, entry.cluster, 0xff, read, 8), 9 % 8 + 1);
    assert_int_equal(mprotect(view.writer.officials, size, PROT_READ | PROT_WRITE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, addresses_are_read_as_they_were_published),
        TEST_IN(rig, addresses_are_chosen_by_any_of_the_flags),
        TEST_IN(rig, more_addresses_than_fit_are_cut_off),
        TEST_IN(rig, a_list_of_addresses_with_impossible_values_is_empty),
        TEST_IN(rig, a_list_that_changes_while_it_is_read_is_noticed),
        TEST_IN(rig, an_official_name_is_that_of_the_member_with_the_address),
        TEST_IN(rig, an_official_name_of_any_length_is_kept_or_left_out),
        TEST_IN(rig, official_names_without_a_place_are_reported),
        TEST_IN(rig, what_does_not_ask_for_official_names_does_not_touch_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
