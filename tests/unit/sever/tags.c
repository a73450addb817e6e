/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - tests of agent/sever/sweep/tags.c, and of the memory that tags are read from: which
 * connections are outdated (W7).
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/sever/sweep/tags.h"
#include "tests/support/test.h"

#define ORDERS  0x1111u
#define READERS 0x2222u
#define SLOTS   65528

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

static void another_users_tag_says_nothing_and_is_counted(void **state)
{
    static const struct uids of_1001 = {.told = true, .ours = true, .count = 1, .of = {1001}};
    static const struct uids not_told = {.told = false};
    const struct tags_owner owner = {.own = true, .uids = &of_1001};
    const struct tags_owner old = {.own = true, .uids = &not_told};
    const struct tags_owner others = {.own = false, .uids = &of_1001};
    const uint64_t slots[3][4] = {{41, ORDERS, 7, 0}, {42, ORDERS, 7, 0}, {43, ORDERS, 7, 0}};
    struct tags tags = {0};

    (void)state;
    assert_int_equal(tags_add(&tags, &(struct diag_socket){.cookie = 41, .uid = 1001}), 0);
    assert_int_equal(tags_add(&tags, &(struct diag_socket){.cookie = 42, .uid = 1002}), 0);
    assert_int_equal(tags_add(&tags, &(struct diag_socket){.cookie = 43, .orphan = true}), 0);
    tags_judge(&tags, &order, slots, 3, &owner);
    assert_int_equal(verdict(&tags, 41), TAGS_OUTDATED);
    assert_int_equal(verdict(&tags, 42), TAGS_UNTAGGED);
    assert_int_equal(verdict(&tags, 43), TAGS_OUTDATED); /* no program has it any more */
    assert_int_equal(tags.foreign, 1);
    tags_judge(&tags, &order, slots, 3, &others);
    assert_int_equal(verdict(&tags, 42), TAGS_CURRENT);
    tags_judge(&tags, &order, slots, 3, &old);
    assert_int_equal(verdict(&tags, 42), TAGS_OUTDATED);
    assert_false(tags.entries[0].unsure);
    assert_true(tags.entries[1].unsure);
    tags_done(&tags);
}

/* In a namespace with several groups, users' numbers can be compared if the list has ours. */
static void of_other_groups_tags_only_those_count_that_can_be_the_users(void **state)
{
    static const struct {
        struct uids uids;
        uint32_t uid;
        enum tags_verdict expected; /* of a connection of 1001 */
    } rows[] = {
        {{.told = true, .ours = true, .count = 1, .of = {1001}}, 1001, TAGS_CURRENT},
        {{.told = true, .ours = true, .count = 1, .of = {1002}}, 1002, TAGS_UNTAGGED},
        {{.told = true, .ours = true, .count = 1, .of = {0}}, 0, TAGS_CURRENT},
        {{.told = false}, 1002, TAGS_CURRENT},
        /* of a user namespace: 5 there is 1001 here; 6 was 1001, and is 1002 */
        {{.told = true, .count = 1, .of = {5}}, 1001, TAGS_CURRENT},
        {{.told = true, .count = 1, .of = {6}}, 1002, TAGS_UNTAGGED},
        {{.told = true, .count = 2, .of = {6, 5}}, 1002, TAGS_CURRENT},
        {{.told = true, .count = 1, .of = {UIDS_UNMAPPED}}, 1002, TAGS_UNTAGGED},
        {{.told = true, .count = 1, .of = {0}}, 1002, TAGS_CURRENT}, /* its root may be anybody */
    };
    const uint64_t slot[1][4] = {{41, ORDERS, 7, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tags_owner owner = {.uid = rows[i].uid, .uids = &rows[i].uids, .comparable = true};
        struct tags tags = {0};
        assert_int_equal(tags_add(&tags, &(struct diag_socket){.cookie = 41, .uid = 1001}), 0);
        tags_note_users(&tags, NULL, 0);
        assert_int_equal(tags_concern(&tags, &owner), rows[i].expected == TAGS_CURRENT);
        tags_judge(&tags, &order, slot, 1, &owner);
        assert_int_equal(verdict(&tags, 41), rows[i].expected);
        tags_done(&tags);
    }
}

static void add_of(struct tags *tags, uint64_t cookie, uint32_t inode, bool whole, bool subflow)
{
    struct diag_socket s = {.cookie = cookie,
                            .inode = inode,
                            .state = 1,
                            .whole = whole,
                            .subflow = subflow,
                            .plain = whole && inode == 2};

    assert_int_equal(tags_add(tags, &s), 0);
}

static const struct tags_entry *entry(const struct tags *tags, uint64_t cookie)
{
    for (uint32_t i = 0; i < tags->count; i++)
        if (tags->entries[i].socket.cookie == cookie)
            return &tags->entries[i];
    fail();
    return NULL;
}

static void subflows_get_the_verdict_on_their_socket(void **state)
{
    const uint64_t slots[3][4] = {{10, ORDERS, 7, 0}, {20, READERS, 7, 0}, {1, ORDERS, 7, 0}};
    struct tags tags = {0};

    (void)state;
    add_of(&tags, 1, 9, false, false); /* TCP */
    add_of(&tags, 11, 1, false, false), add_of(&tags, 12, 1, false, true);
    add_of(&tags, 21, 2, false, false);
    add_of(&tags, 31, 3, false, false);
    add_of(&tags, 41, 4, false, true); /* of a socket that is not listed */
    add_of(&tags, 10, 1, true, false), add_of(&tags, 20, 2, true, false);
    add_of(&tags, 30, 3, true, false);
    tags_judge(&tags, &order, slots, 3, &own);
    assert_int_equal(tags_join_subflows(&tags), 0);
    assert_int_equal(tags.count, 6);
    assert_int_equal(entry(&tags, 1)->verdict, TAGS_OUTDATED);
    assert_false(entry(&tags, 1)->socket.subflow);
    for (uint64_t cookie = 11; cookie <= 12; cookie++) {
        assert_int_equal(entry(&tags, cookie)->verdict, TAGS_OUTDATED);
        assert_int_equal(entry(&tags, cookie)->endpoint, ORDERS);
        assert_true(entry(&tags, cookie)->socket.subflow && !entry(&tags, cookie)->socket.plain);
    }
    assert_int_equal(entry(&tags, 21)->verdict, TAGS_CURRENT);
    assert_true(entry(&tags, 21)->socket.plain);
    assert_int_equal(entry(&tags, 31)->verdict, TAGS_UNTAGGED);
    assert_int_equal(entry(&tags, 41)->verdict, TAGS_CURRENT);
    assert_true(entry(&tags, 41)->hidden && !entry(&tags, 31)->hidden);
    tags_done(&tags);
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

/* 0, or negative errno. */
static int judge_all(struct tags *tags, int fd, int *ret_slots)
{
    struct tag_reading reading;
    int rv, slots = 0;

    tag_memory_begin(fd, &reading);
    while ((rv = tags_judge_next(tags, &order, &reading, &own)) > 0)
        slots += rv;
    *ret_slots = slots;
    return rv;
}

int __real_mincore(void *at, size_t size, unsigned char *ret);
int __wrap_mincore(void *at, size_t size, unsigned char *ret);
static enum {
    AS_IT_IS,
    SWAPPED_OUT,
    NOT_TOLD, /* as of a file that may not be written */
} in_memory;

int __wrap_mincore(void *at, size_t size, unsigned char *ret)
{
    int rv = __real_mincore(at, size, ret);

    if (in_memory != AS_IT_IS)
        memset(ret, in_memory == NOT_TOLD, size / (size_t)sysconf(_SC_PAGESIZE));
    return rv;
}

/* First, last, and on both sides of a page's end: memory is sparse, and read in pieces. */
static const uint32_t lie_at[] = {0, 1, 119, 120, 247, 248, 5000, SLOTS - 1};
#define LIE_AT         (sizeof(lie_at) / sizeof(lie_at[0]))
#define SLOTS_PER_PAGE (4096 / (int)sizeof(struct tag))

static int sparse_memory(struct tags *tags)
{
    int fd = memfd_create("tags", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, (off_t)tag_memory_size(SLOTS)), 0);
    assert_int_equal(pwrite(fd, "", 1, 0), 1);
    for (size_t i = 0; i < LIE_AT; i++) {
        const uint64_t slot[4] = {i + 1, ORDERS, 1, 0};
        off_t where = (off_t)(offsetof(struct tag_memory, slots) + lie_at[i] * sizeof(struct tag));
        assert_int_equal(pwrite(fd, slot, sizeof(slot), where), sizeof(slot));
        add(tags, i + 1);
    }
    return fd;
}

static void all_are_found(struct tags *tags, int fd, int *ret_slots)
{
    assert_int_equal(judge_all(tags, fd, ret_slots), 0);
    for (uint32_t i = 0; i < tags->count; i++)
        assert_int_equal(tags->entries[i].verdict, TAGS_OUTDATED);
    tags_done(tags);
    close(fd);
}

static void tags_are_found_wherever_they_lie_in_memory(void **state)
{
    struct tags tags = {0};
    int fd = sparse_memory(&tags), slots;

    (void)state;
    all_are_found(&tags, fd, &slots);
    if (sysconf(_SC_PAGESIZE) == 4096) /* of five pages, each with the one behind it at most */
        assert_in_range(slots, 1, 10 * SLOTS_PER_PAGE);
}

/* Which pages exist is not known then, only how many. */
static void tags_are_found_in_pages_that_are_swapped_out(void **state)
{
    struct tags tags = {0};
    int fd = sparse_memory(&tags), slots;

    (void)state;
    in_memory = SWAPPED_OUT;
    all_are_found(&tags, fd, &slots);
    in_memory = AS_IT_IS;
}

static void tags_are_found_where_the_kernel_does_not_tell_which_pages_exist(void **state)
{
    struct tags tags = {0};
    int fd = sparse_memory(&tags), slots;

    (void)state;
    in_memory = NOT_TOLD;
    all_are_found(&tags, fd, &slots);
    in_memory = AS_IT_IS;
}

/* What is found ends the search: a large memory is mostly not there. */
static void no_more_is_read_than_is_there(void **state)
{
    const uint64_t slot[4] = {1, ORDERS, 1, 0};
    int fd = memfd_create("tags", MFD_CLOEXEC), slots;
    struct tags tags = {0};

    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)tag_memory_size(TAG_SLOTS_MAX)), 0);
    assert_int_equal(pwrite(fd, "h", 1, 0), 1);
    assert_int_equal(pwrite(fd, slot, sizeof(slot), 256 + 2000 * 32), sizeof(slot));
    add(&tags, 1);
    in_memory = SWAPPED_OUT;
    all_are_found(&tags, fd, &slots);
    in_memory = AS_IT_IS;
    assert_in_range(slots, 2000, 2000 + (int)(2 * sysconf(_SC_PAGESIZE) / 32));
}

static void counters_of_memories_add_up(void **state)
{
    const uint64_t counts[2] = {5, 3};
    uint64_t sum[TAG_COUNT_COUNT] = {10};
    int fd = memfd_create("tags", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)tag_memory_size(SLOTS)), 0);
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
        TEST(only_older_tags_of_the_endpoint_are_outdated),
        TEST(another_users_tag_says_nothing_and_is_counted),
        TEST(of_other_groups_tags_only_those_count_that_can_be_the_users),
        TEST(subflows_get_the_verdict_on_their_socket),
        TEST(an_empty_slot_tags_nothing),
        TEST(thousands_are_found_by_their_cookies),
        TEST(the_table_is_bounded),
        TEST(tags_are_found_wherever_they_lie_in_memory),
        TEST(tags_are_found_in_pages_that_are_swapped_out),
        TEST(tags_are_found_where_the_kernel_does_not_tell_which_pages_exist),
        TEST(no_more_is_read_than_is_there),
        TEST(counters_of_memories_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
