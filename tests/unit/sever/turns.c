/* SPDX-License-Identifier: Apache-2.0
 *
 * turns.c - tests of agent/sever/sweep/turns.c: in what order, and how fast, connections are
 * severed.
 */
#include "config.h"

#include "agent/sever/sweep/turns.h"
#include "tests/support/test.h"

#define ORDERS 0x1111u
#define SALT   0x5a17

static const struct sever_order at_once = {.kind = SEVER_DO};
static const struct sever_order usual = {.kind = SEVER_DO, .spread_ms = 50};
static const struct sever_order slow = {.kind = SEVER_DO, .spread_ms = 2000};

/* Processes with so many outdated connections each, and as many that are current. */
static struct tags pools(uint32_t processes, uint32_t size)
{
    struct sever_order order = {.endpoints = {{ORDERS, 8}}, .endpoint_count = 1};
    struct tags tags = {0};
    uint64_t cookie = 0;

    for (uint32_t i = 0; i < processes; i++)
        for (uint32_t k = 0; k < 2 * size; k++) {
            const uint64_t slot[1][4] = {{++cookie, ORDERS, 7 + k % 2, 0}};
            struct tags_owner owner = {.process = 100 + i, .own = true};
            assert_int_equal(tags_add(&tags, &(struct diag_socket){.cookie = cookie}), 0);
            tags_judge(&tags, &order, slot, 1, &owner);
        }
    turns_sort(&tags, SALT);
    return tags;
}

static uint32_t taken(const struct tags *tags, const struct sever_order *order, uint32_t sweep,
                      uint64_t process)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tags->count; i++) {
        const struct tags_entry *e = &tags->entries[i];
        bool is = e->verdict == TAGS_OUTDATED && (!process || e->owner.process == process);
        count += is && turns_take(order, sweep, e);
    }
    return count;
}

static void assert_due(const struct sever_order *order, const uint64_t *ms, uint32_t count)
{
    uint64_t due_ms = 77;

    for (uint32_t i = 0; i < count; i++) {
        assert_true(turns_due_ms(order, i, &due_ms));
        assert_int_equal(due_ms, ms[i]);
    }
    assert_false(turns_due_ms(order, count, &due_ms));
    assert_int_equal(due_ms, ms[count - 1]);
}

static void sweeps_come_in_steps_of_the_spread_and_then_three_times_more(void **state)
{
    static const uint64_t none[] = {0, 20, 200, 2000};
    static const uint64_t some[] = {0, 10, 20, 30, 40, 50, 70, 250, 2050};
    struct sever_order look = {.kind = SEVER_OBSERVE, .spread_ms = 50}, tiny = at_once;
    uint64_t due_ms;

    (void)state;
    tiny.spread_ms = 9;
    assert_due(&at_once, none, 4);
    assert_due(&usual, some, 9);
    assert_due(&look, none, 1);
    assert_true(turns_due_ms(&tiny, 0, &due_ms));
    assert_int_equal(due_ms, 0);
    assert_true(turns_due_ms(&slow, 1, &due_ms));
    assert_int_equal(due_ms, 125); /* 16 steps at most */
    assert_true(turns_due_ms(&slow, 16, &due_ms));
    assert_int_equal(due_ms, 2000);
}

static void sweeps_that_last_longer_than_their_steps_leave_some_out(void **state)
{
    (void)state;
    assert_int_equal(turns_now(&usual, 1, 10), 1);
    assert_int_equal(turns_now(&usual, 1, 29), 2);
    assert_int_equal(turns_now(&usual, 1, 65), 5);
    assert_int_equal(turns_now(&usual, 2, 10000), 8);
    assert_int_equal(turns_now(&usual, 8, 10000), 8);
    assert_int_equal(turns_now(&usual, 0, 10000), 0); /* but not the first */
}

static void without_a_spread_the_first_sweep_takes_all(void **state)
{
    struct sever_order look = {.kind = SEVER_OBSERVE, .spread_ms = 2000};
    struct tags tags = pools(5, 40);

    (void)state;
    assert_int_equal(taken(&tags, &at_once, 0, 0), 200);
    assert_int_equal(taken(&tags, &look, 0, 0), 200);
    tags_done(&tags);
}

static void a_spread_begins_with_one_of_each_process(void **state)
{
    struct tags tags = pools(50, 40), single = pools(500, 1);

    (void)state;
    for (uint64_t process = 100; process < 150; process++)
        assert_in_range(taken(&tags, &usual, 0, process), 1, 8);
    assert_in_range(taken(&tags, &usual, 0, 0), 50, 50 + 2000 / 32 * 3 / 2);
    assert_int_equal(taken(&single, &slow, 0, 0), 500);
    tags_done(&tags);
    tags_done(&single);
}

/* By hashes, hence not to the last one. */
static void assert_about(uint32_t count, uint32_t expected)
{
    assert_in_range(count, expected * 9 / 10, expected * 11 / 10);
}

static void shares_double_but_are_never_more_than_even(void **state)
{
    struct tags tags = pools(5, 6000);

    (void)state;
    for (uint32_t sweep = 0; sweep < 5; sweep++)
        assert_about(taken(&tags, &usual, sweep, 0), 30000u / 32 << sweep);
    assert_int_equal(taken(&tags, &usual, 5, 0), 30000);
    assert_int_equal(taken(&tags, &usual, 8, 0), 30000);
    assert_about(taken(&tags, &slow, 0, 0), 30000 / 32);
    assert_about(taken(&tags, &slow, 2, 0), 30000 / 8);
    for (uint32_t sweep = 3; sweep < 16; sweep++)
        assert_about(taken(&tags, &slow, sweep, 0), 30000 * (sweep + 1) / 17);
    assert_int_equal(taken(&tags, &slow, 16, 0), 30000);
    tags_done(&tags);
}

/* Else a repetition would shorten the spread: but for the first of each process, which is always
 * one of those that come first anyway. */
static void a_turn_depends_on_the_connection_alone(void **state)
{
    struct tags tags = pools(50, 40), again = {0};
    uint32_t first = 0;

    (void)state;
    for (uint32_t i = 0; i < tags.count; i++)
        assert_int_equal(tags_add(&again, &tags.entries[i].socket), 0);
    turns_sort(&again, SALT);
    for (uint32_t i = 0; i < tags.count; i++)
        for (uint32_t k = 0; k < again.count; k++) {
            if (tags.entries[i].socket.cookie != again.entries[k].socket.cookie)
                continue;
            first += turns_take(&usual, 0, &tags.entries[i]) &&
                     !turns_take(&usual, 0, &again.entries[k]);
            for (uint32_t sweep = 1; sweep < 6; sweep++)
                assert_int_equal(turns_take(&usual, sweep, &tags.entries[i]),
                                 turns_take(&usual, sweep, &again.entries[k]));
        }
    assert_in_range(first, 1, 50 * 2); /* of 4,000, half of which are current */
    tags_done(&tags);
    tags_done(&again);
}

static void all_processes_have_their_first_before_anybody_has_a_second(void **state)
{
    struct tags tags = pools(50, 40);
    uint32_t had[50] = {0}, round = 0;

    (void)state;
    for (uint32_t i = 0; i < tags.count; i++) {
        const struct tags_entry *e = &tags.entries[i];
        if (e->verdict != TAGS_OUTDATED)
            continue;
        assert_int_equal(had[e->owner.process - 100]++, round / 50);
        round++;
    }
    assert_int_equal(round, 2000);
    tags_done(&tags);
}

/* qsort() takes no NULL, which UBSan sees. */
static void nothing_listed_has_no_order(void **state)
{
    struct tags tags = {0};

    (void)state;
    turns_sort(&tags, SALT);
    assert_int_equal(tags.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sweeps_come_in_steps_of_the_spread_and_then_three_times_more),
        TEST(sweeps_that_last_longer_than_their_steps_leave_some_out),
        TEST(without_a_spread_the_first_sweep_takes_all),
        TEST(a_spread_begins_with_one_of_each_process),
        TEST(shares_double_but_are_never_more_than_even),
        TEST(a_turn_depends_on_the_connection_alone),
        TEST(all_processes_have_their_first_before_anybody_has_a_second),
        TEST(nothing_listed_has_no_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
