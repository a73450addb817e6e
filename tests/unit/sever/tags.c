/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - tests of agent/sever/sweep/tags.c, and of the memory that tags are read from: which
 * connections are outdated (W7).
 */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/sever/sweep/tags.h"
#include "tests/support/test.h"

#define ORDERS  0x1111u
#define READERS 0x2222u

static const struct sever_order order = {.endpoints = {{ORDERS, 8}, {0x3333, 100}},
                                         .endpoint_count = 2};
static const struct tags_owner own = {.pid = 1, .own = true}, foreign = {.pid = 2};

static void add(struct tags *tags, uint64_t cookie)
{
    assert_int_equal(tags_add(tags, &(struct diag_socket){.cookie = cookie}), 0);
}

static enum tags_verdict verdict(const struct tags *tags, uint64_t cookie)
{
    for (uint32_t i = 0; i < tags->count; i++)
        if (tags->entries[i].socket.cookie == cookie)
            return tags->entries[i].verdict;
    fail();
    return TAGS_VERDICT_COUNT;
}

static void only_older_tags_of_the_endpoint_are_outdated(void **state)
{
    static const struct {
        uint64_t endpoint, generation;
        const struct tags_owner *owner;
        enum tags_verdict expected;
    } rows[] = {
        {ORDERS, 7, &own, TAGS_OUTDATED},  {ORDERS, 0, &own, TAGS_OUTDATED},
        {ORDERS, 8, &own, TAGS_CURRENT},   {ORDERS, 9, &own, TAGS_CURRENT},
        {READERS, 7, &own, TAGS_CURRENT},  {0x3333, 99, &own, TAGS_OUTDATED},
        {0x3333, 100, &own, TAGS_CURRENT}, {ORDERS, 7, &foreign, TAGS_CURRENT},
        {0, 0, &own, TAGS_CURRENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint64_t slot[1][4] = {{42, rows[i].endpoint, rows[i].generation, 0}};
        struct tags tags = {0};
        add(&tags, 42);
        add(&tags, 43);
        tags_judge(&tags, &order, slot, 1, rows[i].owner);
        assert_int_equal(verdict(&tags, 42), rows[i].expected);
        assert_int_equal(verdict(&tags, 43), TAGS_UNTAGGED);
        tags_done(&tags);
    }
}

static void an_empty_slot_tags_nothing(void **state)
{
    const uint64_t slots[2][4] = {{0, ORDERS, 1, 0}, {7, ORDERS, 1, 0}};
    struct tags tags = {0};

    (void)state;
    tags_judge(&tags, &order, slots, 2, &own); /* nothing is listed */
    add(&tags, 1);
    tags_judge(&tags, &order, slots, 2, &own);
    assert_int_equal(verdict(&tags, 1), TAGS_UNTAGGED);
    tags_done(&tags);
}

static void thousands_are_found_by_their_cookies(void **state)
{
    struct tags tags = {0};

    (void)state;
    for (uint64_t i = 1; i <= 5000; i++)
        add(&tags, i * 4099);
    add(&tags, 4099); /* listed twice: one entry */
    assert_int_equal(tags.count, 5000);
    for (uint64_t i = 1; i <= 5000; i += 2) {
        const uint64_t slot[1][4] = {{i * 4099, ORDERS, 1, 0}};
        tags_judge(&tags, &order, slot, 1, &own);
    }
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(tags.entries[i].verdict, i % 2 ? TAGS_UNTAGGED : TAGS_OUTDATED);
    tags_done(&tags);
}

static void the_table_is_bounded(void **state)
{
    struct tags tags = {0};

    (void)state;
    for (uint64_t i = 1; i <= TAGS_MAX; i++)
        add(&tags, i);
    assert_int_equal(tags_add(&tags, &(struct diag_socket){.cookie = TAGS_MAX + 1}), -E2BIG);
    tags_done(&tags);
}

/* First, last, and on both sides of a page's end: memory is sparse, and read in pieces. */
static void tags_are_found_wherever_they_lie_in_memory(void **state)
{
    static const uint32_t at[] = {0, 1, 119, 120, 247, 248, 5000, TAG_SLOTS - 1};
    int fd = memfd_create("tags", MFD_CLOEXEC);
    struct tags tags = {0};

    (void)state;
    assert_int_equal(ftruncate(fd, sizeof(struct tag_memory)), 0);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        const uint64_t slot[4] = {i + 1, ORDERS, 1, 0};
        off_t where = (off_t)(offsetof(struct tag_memory, slots) + at[i] * sizeof(struct tag));
        assert_int_equal(pwrite(fd, slot, sizeof(slot), where), sizeof(slot));
        add(&tags, i + 1);
    }
    assert_int_equal(tags_judge_memory(&tags, &order, fd, &own), 0);
    for (uint32_t i = 0; i < tags.count; i++)
        assert_int_equal(tags.entries[i].verdict, TAGS_OUTDATED);
    tags_done(&tags);
    close(fd);
}

static void counters_of_memories_add_up(void **state)
{
    const uint64_t counts[2] = {5, 3};
    uint64_t sum[TAG_COUNT_COUNT] = {10};
    int fd = memfd_create("tags", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(ftruncate(fd, sizeof(struct tag_memory)), 0);
    assert_int_equal(pwrite(fd, counts, sizeof(counts), offsetof(struct tag_header, counts)),
                     sizeof(counts));
    tag_memory_add_counts(fd, sum);
    tag_memory_add_counts(-1, sum); /* gone: nothing to add */
    assert_int_equal(sum[TAG_COUNT_CONNECTS], 15);
    assert_int_equal(sum[TAG_COUNT_REDIRECTED], 3);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_older_tags_of_the_endpoint_are_outdated), TEST(an_empty_slot_tags_nothing),
        TEST(thousands_are_found_by_their_cookies),         TEST(the_table_is_bounded),
        TEST(tags_are_found_wherever_they_lie_in_memory),   TEST(counters_of_memories_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
