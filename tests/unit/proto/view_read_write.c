/* SPDX-License-Identifier: Apache-2.0
 *
 * view_read_write.c - tests of proto/view_read.c and view_write.c, one thread at a time. What
 * happens between threads and to a writer that is killed: view_torn.c.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/test.h"
#include "tests/unit/proto/view_rig.h"

static struct name named(const char *text)
{
    struct name name;

    assert_true(name_canonical(text, &name));
    return name;
}

static enum view_found look_up(const char *text, struct view_entry *ret)
{
    struct name name = named(text);

    return view_read(&view.map, &name, ret);
}

static void publish(const char *text, uint64_t n)
{
    struct name name = named(text);
    struct view_entry entry = pattern_entry(n);

    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
}

static void an_answer_is_read_as_it_was_published(void **state)
{
    struct view_entry entry;

    (void)state;
    for (uint64_t n = 0; n < 70000; n += 7) {
        publish("orders-db", n);
        assert_int_equal(look_up("ORDERS-db.", &entry), VIEW_FOUND);
        assert_true(entry.generation == n);
        assert_true(pattern_entry_whole(&entry));
    }
    assert_int_equal(view.writer.names, 1);
}

static void names_of_all_lengths_are_told_apart(void **state)
{
    char text[64];
    struct view_entry entry;

    (void)state;
    memset(text, 'a', sizeof(text));
    for (int len = 1; len < 60; len++) {
        text[len] = '\0';
        publish(text, (uint64_t)len);
        text[len] = 'a';
    }
    for (int len = 1; len < 64; len++) {
        text[len] = '\0';
        assert_int_equal(look_up(text, &entry), len < 60 ? VIEW_FOUND : VIEW_ABSENT);
        if (len < 60)
            assert_int_equal(entry.generation, len);
        text[len] = 'a';
    }
}

/* Everything but the hash is compared too: two names may share one. */
static void a_name_with_the_hash_of_another_is_absent(void **state)
{
    struct name other = named("orders-b"), shorter = named("orders-d");
    struct view_entry entry;

    (void)state;
    publish("orders-db", 1);
    other.hash = shorter.hash = named("orders-db").hash;
    assert_int_equal(view_read(&view.map, &other, &entry), VIEW_ABSENT);
    assert_int_equal(view_read(&view.map, &shorter, &entry), VIEW_ABSENT);
}

static void two_names_with_one_hash_are_both_found(void **state)
{
    struct name a = named("a"), b = named("b");
    struct view_entry one = pattern_entry(1), two = pattern_entry(2), entry;

    (void)state;
    b.hash = a.hash;
    assert_int_equal(view_write_entry(&view.writer, &a, &one), 0);
    assert_int_equal(view_write_entry(&view.writer, &b, &two), 0);
    assert_int_equal(view_read(&view.map, &a, &entry), VIEW_FOUND);
    assert_int_equal(entry.generation, 1);
    assert_int_equal(view_read(&view.map, &b, &entry), VIEW_FOUND);
    assert_int_equal(entry.generation, 2);
}

static void a_name_that_is_gone_is_absent_until_published_again(void **state)
{
    struct view_entry entry;
    struct name name = named("orders-db"), unknown = named("never-there");

    (void)state;
    publish("orders-db", 1);
    view_write_gone(&view.writer, &name);
    view_write_gone(&view.writer, &unknown);
    assert_int_equal(look_up("orders-db", &entry), VIEW_ABSENT);
    publish("orders-db", 2);
    assert_int_equal(look_up("orders-db", &entry), VIEW_FOUND);
    assert_int_equal(entry.generation, 2);
    assert_int_equal(view.writer.names, 1);
}

static void a_confirmation_changes_only_its_time(void **state)
{
    struct view_entry entry, expected = pattern_entry(5);
    struct name name = named("orders-db"), unknown = named("never-there");

    (void)state;
    publish("orders-db", 5);
    view_write_confirmed(&view.writer, &name, 123456);
    view_write_confirmed(&view.writer, &unknown, 1);
    assert_int_equal(look_up("orders-db", &entry), VIEW_FOUND);
    expected.confirmed_ms = 123456;
    assert_true(pattern_entry_equal(&entry, &expected));
}

/* W9: a new answer never inherits the age of the one before. */
static void a_new_answer_brings_its_own_confirmation(void **state)
{
    struct view_entry entry, never = pattern_entry(6);
    struct name name = named("orders-db");

    (void)state;
    publish("orders-db", 5);
    view_write_confirmed(&view.writer, &name, 123456);
    never.confirmed_ms = 0;
    assert_int_equal(view_write_entry(&view.writer, &name, &never), 0);
    assert_int_equal(look_up("orders-db", &entry), VIEW_FOUND);
    assert_int_equal(entry.confirmed_ms, 0);
}

static void a_view_takes_names_until_it_is_half_full(void **state)
{
    struct view_entry entry = pattern_entry(1);
    uint32_t half = view.writer.slot_count / 2;
    char text[32];

    (void)state;
    for (uint32_t i = 0; i < half; i++) {
        snprintf(text, sizeof(text), "db-%u", i);
        publish(text, i);
    }
    struct name more = named("one-more");
    assert_int_equal(view_write_entry(&view.writer, &more, &entry), -ENOSPC);
    assert_int_equal(look_up("one-more", &entry), VIEW_ABSENT);
    publish("db-0", 1000);
    for (uint32_t i = 1; i < half; i++) {
        snprintf(text, sizeof(text), "db-%u", i);
        assert_int_equal(look_up(text, &entry), VIEW_FOUND);
        assert_int_equal(entry.generation, i);
    }
}

static void a_chain_grows_no_longer_than_readers_walk(void **state)
{
    struct view_entry entry = pattern_entry(1);
    struct name name = named("x");

    (void)state;
    for (uint32_t i = 0; i < HOMING_VIEW_PROBES_MAX; i++) {
        name.words[0] = i + 1;
        assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
        assert_int_equal(view_read(&view.map, &name, &entry), VIEW_FOUND);
        assert_int_equal(view_read_hash(&view.map, name.hash, &entry), VIEW_FOUND);
        assert_true(view_has_hash(&view.map, name.hash));
    }
    name.words[0] = 1000;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), -ENOSPC);
    assert_int_equal(view_read(&view.map, &name, &entry), VIEW_ABSENT);
}

static void a_chain_goes_round_the_end_of_the_table(void **state)
{
    struct view_entry entry = pattern_entry(1);
    struct name name = named("x");

    (void)state;
    name.hash |= view.map.slot_mask;
    for (uint32_t i = 0; i < 8; i++) {
        name.words[0] = i + 1;
        assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
        assert_int_equal(view_read(&view.map, &name, &entry), VIEW_FOUND);
    }
}

static void what_is_no_answer_is_not_published(void **state)
{
    struct name name = named("orders-db");
    struct view_entry bad[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        bad[i] = pattern_entry(1);
    bad[0].mode = VIEW_MODE_COUNT;
    bad[1].state = VIEW_STATE_COUNT;
    bad[2].role = VIEW_ROLE_COUNT;
    bad[3].family = 5;
    bad[4].cluster = PATTERN_CLUSTERS;
    for (int i = 0; i < 5; i++)
        assert_int_equal(view_write_entry(&view.writer, &name, &bad[i]), -EINVAL);
    assert_int_equal(look_up("orders-db", &bad[0]), VIEW_ABSENT);
}

/* What stands behind a text's NUL in the writer's memory is nobody's business; a text without one
 * is cut. */
static void texts_are_published_up_to_their_nul(void **state)
{
    struct name name = named("orders-db");
    struct view_entry entry = pattern_entry(1), read;

    (void)state;
    memcpy(entry.text4, "10.0.0.1\0secret!", 16);
    memset(entry.text6, 'f', sizeof(entry.text6));
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(look_up("orders-db", &read), VIEW_FOUND);
    assert_memory_equal(read.text4, "10.0.0.1\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(strlen(read.text6), sizeof(read.text6) - 1);
}

static view_word *copy_in_use(const char *text)
{
    struct name name = named(text);

    for (uint32_t i = 0; i < view.writer.slot_count; i++)
        if (view.writer.slots[i].hash == name.hash)
            return (view_word *)&view.writer.slots[i].copies[view.writer.slots[i].seq & 1];
    fail();
    return NULL;
}

/* V2. */
static void an_answer_with_impossible_values_is_torn(void **state)
{
    static const struct {
        size_t word;
        uint64_t xor ;
    } harms[] = {
        {0, 0xff000000},
        {5, 0xffull << 32},
        {7, 0xffull << 56},
        {13, 0xffull << 56},
    };
    struct view_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
        publish("orders-db", 1);
        copy_in_use("orders-db")[harms[i].word] ^= harms[i].xor ;
        assert_int_equal(look_up("orders-db", &entry), VIEW_TORN);
    }
}

/* A program may live for years beside agents that are replaced. Its reader must not give up a name,
 * in the middle of a failover, because an agent has something new to say of it. */
static void values_of_a_newer_agent_have_a_meaning(void **state)
{
    struct view_entry entry;
    view_word *meta;

    (void)state;
    for (unsigned newer = 0; newer < 256; newer++) {
        publish("orders-db", 1);
        meta = copy_in_use("orders-db");
        *meta = (*meta & ~0xffffffull) | newer << 16 | newer << 8 | newer;
        assert_int_equal(look_up("orders-db", &entry),
                         newer == VIEW_MODE_GONE ? VIEW_ABSENT : VIEW_FOUND);
        if (newer == VIEW_MODE_GONE)
            continue;
        assert_int_equal(entry.mode, newer < VIEW_MODE_COUNT ? newer : VIEW_MODE_CONNECT);
        assert_int_equal(entry.state, newer < VIEW_STATE_COUNT ? newer : VIEW_STATE_STALE);
        assert_int_equal(entry.role, newer < VIEW_ROLE_COUNT ? newer : VIEW_ROLE_WRITER);
        if (newer >= VIEW_STATE_COUNT)
            assert_true(view_entry_stale(&entry, entry.confirmed_ms));
    }
}

static void a_header_that_promises_more_than_there_is_is_refused(void **state)
{
    static const struct {
        size_t word;
        uint64_t value;
    } harms[] = {
        {0, 0},
        {0, VIEW_MAGIC + 1},
        {1, 0},
        {1, 1ull << 32},
        {1, 3ull << 32},
        {2, UINT64_MAX},
        {2, 0},
        {2, 4096},
        {4, 0},
        {4, 3},
        {4, 1ull << 20},
        {4, 1ull << 32},
        {4, UINT64_MAX},
        {5, 1000},
        {5, 1ull << 32},
        {6, 0},
        {6, 4100},
        {6, UINT64_MAX - 7},
        {6, 1ull << 40},
        {7, 8},
        {7, 12345},
        {7, UINT64_MAX - 7},
        {16, 0},
        {16, 568},
        {16, 580},
        {16, 1ull << 21},
        {16, 1 << 19},
        {16, 0 - 576ull},
        {17, 0},
        {17, 9400},
        {17, 1 << 19},
        {18, 1000},
        {18, 1ull << 32},
        {19, 8},
        {19, UINT64_MAX - 7},
        {20, 0},
        {20, 504},
        {20, 1 << 19},
    };
    uint64_t *header = view.base;
    struct view_map map;

    (void)state;
    for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
        uint64_t good = header[harms[i].word];

        header[harms[i].word] = harms[i].value;
        if (view_map_check(view.base, view.size, &map))
            fail_msg("accepted: word %zu = %#llx", harms[i].word,
                     (unsigned long long)harms[i].value);
        header[harms[i].word] = good;
    }
    assert_true(view_map_check(view.base, view.size, &map));
    assert_false(view_map_check(view.base, view.size - 8, &map));
    assert_false(view_map_check(view.base, 8, &map));
}

static void a_view_that_is_not_aligned_is_refused(void **state)
{
    char *copy = malloc(view.size + 4);
    struct view_map map;

    (void)state;
    memcpy(copy + 4, view.base, view.size);
    assert_false(view_map_check(copy + 4, view.size, &map));
    free(copy);
}

/* Copies `count` things to where the view of a newer agent would have them, and the rest of each
 * place is that agent's own. */
static void spread(char *to, size_t to_stride, const void *from, size_t stride, uint32_t count)
{
    memset(to, 0xee, count * to_stride);
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + i * to_stride, (const char *)from + i * stride, stride);
}

static void a_view_with_larger_slots_clusters_and_names_is_read(void **state)
{
    const struct view_writer *w = &view.writer;
    size_t slot = sizeof(struct view_slot) + 64, cluster = sizeof(struct view_cluster) + 8,
           official = sizeof(struct view_official) + 1024;
    size_t slots_at = 4096, clusters_at = slots_at + w->slot_count * slot,
           officials_at = clusters_at + PATTERN_CLUSTERS * cluster,
           size = officials_at + PATTERN_NAMES * official;
    char *wide = aligned_alloc(8, size), name[VIEW_OFFICIAL_SIZE], expected[64];
    const uint64_t tables[] = {slot, cluster, PATTERN_NAMES, officials_at, official};
    struct view_address read[8];
    struct name orders = named("orders-db");
    struct view_entry entry;
    struct view_map map;

    (void)state;
    publish("orders-db", 9);
    for (uint32_t c = 0; c < 2; c++)
        assert_int_equal(pattern_write_members(&view.writer, c, 9), 0);
    memcpy(wide, view.base, 4096);
    ((uint64_t *)wide)[2] = size;
    ((uint64_t *)wide)[7] = clusters_at;
    memcpy((uint64_t *)wide + 16, tables, sizeof(tables));
    spread(wide + slots_at, slot, w->slots, sizeof(*w->slots), w->slot_count);
    spread(wide + clusters_at, cluster, w->clusters, sizeof(*w->clusters), PATTERN_CLUSTERS);
    spread(wide + officials_at, official, w->officials, sizeof(*w->officials), PATTERN_NAMES);

    assert_true(view_map_check(wide, size, &map));
    assert_int_equal(view_read(&map, &orders, &entry), VIEW_FOUND);
    assert_true(pattern_entry_whole(&entry));
    assert_true(view_has_hash(&map, orders.hash));
    assert_true(pattern_members_whole(read, view_read_members(&map, 1, VIEW_MEMBER_ALL, read, 8)));
    pattern_official(9, 0, expected);
    assert_int_equal(view_read_official(&map, 1, read[0].text, 0, name), strlen(expected));
    assert_string_equal(name, expected);
    free(wide);
}

static void a_later_minor_version_is_read(void **state)
{
    struct view_map map;

    (void)state;
    ((uint64_t *)view.base)[1] += 7;
    assert_true(view_map_check(view.base, view.size, &map));
}

/* What V3 and V4 are decided by. */
static void heartbeat_retirement_and_instance_are_seen(void **state)
{
    (void)state;
    assert_int_equal(view.map.instance, 77);
    assert_false(view_retired(&view.map));
    view_write_heartbeat(&view.writer, 4711);
    view_write_retired(&view.writer);
    assert_int_equal(view_heartbeat_ms(&view.map), 4711);
    assert_true(view_retired(&view.map));
    view_write_sever_instance(&view.writer, 12);
    assert_int_equal(view.writer.header->sever_instance, 12);
}

/* By which a process that was left alone learns that it may not be any more. */
static void
a_new_name_another_mode_a_first_answer_and_a_new_port_are_changes_and_nothing_else_is(void **state)
{
    struct view_entry entry = pattern_entry(3);
    uint64_t before = view_changes(&view.map);
    struct view_address member = {.address = {.family = 4, .port = 7777}, .text = "10.0.0.1"};
    struct name name;

    (void)state;
    assert_true(name_canonical("changes.test", &name));
    entry.mode = VIEW_MODE_NAMES;
    entry.state = VIEW_STATE_UNKNOWN;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(view_changes(&view.map), ++before);
    entry.generation++;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(view_changes(&view.map), before);
    entry.state = VIEW_STATE_STEADY;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(view_changes(&view.map), ++before);
    entry.state = VIEW_STATE_SUSPECT;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    view_write_confirmed(&view.writer, &name, 1);
    assert_int_equal(view_changes(&view.map), before);
    entry.mode = VIEW_MODE_SEVER;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(view_changes(&view.map), ++before);
    entry.ports = 6432;
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(view_changes(&view.map), ++before);
    view_write_members(&view.writer, 0, &member, 1);
    assert_int_equal(view_changes(&view.map), ++before);
    member.flags = VIEW_MEMBER_DEMOTED;
    member.address.bytes[0]++;
    view_write_members(&view.writer, 0, &member, 1);
    assert_int_equal(view_changes(&view.map), before);
    view_write_gone(&view.writer, &name);
    assert_int_equal(view_write_entry(&view.writer, &name, &entry), 0);
    assert_int_equal(view_changes(&view.map), ++before);
}

/* A reader that meets a hole of the memfd would make the kernel allocate a page for it. */
static void every_word_of_a_new_view_was_written(void **state)
{
    const uint64_t *words = view.base;

    (void)state;
    for (size_t i = 64; i < view.size / 8; i++)
        assert_int_equal(words[i], 0);
}

/* W9. */
static void an_answer_is_stale_by_state_or_by_age(void **state)
{
    static const struct {
        enum view_state state;
        uint64_t confirmed, now;
        bool stale;
    } cases[] = {
        {VIEW_STATE_STEADY, 1000, 1000, false},    {VIEW_STATE_STEADY, 1000, 31000, false},
        {VIEW_STATE_STEADY, 1000, 31001, true},    {VIEW_STATE_SUSPECT, 1000, 31000, false},
        {VIEW_STATE_NO_WRITER, 1000, 2000, false}, {VIEW_STATE_AMBIGUOUS, 1000, 2000, false},
        {VIEW_STATE_FROZEN, 1000, 2000, false},    {VIEW_STATE_FROZEN, 1000, 40000, true},
        {VIEW_STATE_UNKNOWN, 1000, 1000, true},    {VIEW_STATE_STALE, 1000, 1000, true},
        {VIEW_STATE_STEADY, 0, 10, true},          {VIEW_STATE_STEADY, 1250, 1000, false},
        {VIEW_STATE_STEADY, 1251, 1000, true},     {VIEW_STATE_STEADY, UINT64_MAX, 1000, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct view_entry entry = {
            .state = cases[i].state, .confirmed_ms = cases[i].confirmed, .max_stale_ms = 30000};

        if (view_entry_stale(&entry, cases[i].now) != cases[i].stale)
            fail_msg("case %zu", i);
    }
}

static void capacity_is_a_power_of_two_and_four_times_the_names(void **state)
{
    (void)state;
    assert_int_equal(view_slots_for(0), 256);
    assert_int_equal(view_slots_for(64), 256);
    assert_int_equal(view_slots_for(65), 512);
    assert_int_equal(view_slots_for(10000), 65536);
    assert_int_equal(view_slots_for(UINT32_MAX), 1u << 31);
    assert_int_equal(view_size(256, 0, 0) % 4096, 0);
    assert_int_equal(view_size(256, 3, 5) % 4096, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, an_answer_is_read_as_it_was_published),
        TEST_IN(rig, names_of_all_lengths_are_told_apart),
        TEST_IN(rig, a_name_with_the_hash_of_another_is_absent),
        TEST_IN(rig, two_names_with_one_hash_are_both_found),
        TEST_IN(rig, a_name_that_is_gone_is_absent_until_published_again),
        TEST_IN(rig, a_confirmation_changes_only_its_time),
        TEST_IN(rig, a_new_answer_brings_its_own_confirmation),
        TEST_IN(rig, a_view_takes_names_until_it_is_half_full),
        TEST_IN(rig, a_chain_grows_no_longer_than_readers_walk),
        TEST_IN(rig, a_chain_goes_round_the_end_of_the_table),
        TEST_IN(rig, what_is_no_answer_is_not_published),
        TEST_IN(rig, texts_are_published_up_to_their_nul),
        TEST_IN(rig, an_answer_with_impossible_values_is_torn),
        TEST_IN(rig, values_of_a_newer_agent_have_a_meaning),
        TEST_IN(rig, a_header_that_promises_more_than_there_is_is_refused),
        TEST_IN(rig, a_view_that_is_not_aligned_is_refused),
        TEST_IN(rig, a_view_with_larger_slots_clusters_and_names_is_read),
        TEST_IN(rig, a_later_minor_version_is_read),
        TEST_IN(rig, heartbeat_retirement_and_instance_are_seen),
        TEST_IN(
            rig,
            a_new_name_another_mode_a_first_answer_and_a_new_port_are_changes_and_nothing_else_is),
        TEST_IN(rig, every_word_of_a_new_view_was_written),
        TEST_IN(rig, an_answer_is_stale_by_state_or_by_age),
        TEST_IN(rig, capacity_is_a_power_of_two_and_four_times_the_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
