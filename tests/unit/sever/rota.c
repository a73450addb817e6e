/* SPDX-License-Identifier: Apache-2.0
 *
 * rota.c - tests of agent/sever/sweep/rota.c: who comes first, and who waits for the next round.
 */
#include "config.h"

#include "agent/sever/sweep/rota.h"
#include "tests/support/test.h"

#define MANY 6000

static struct group groups[MANY + 1];

struct group *__wrap_permits_first_group(const struct permits *permits);

struct group *__wrap_permits_first_group(const struct permits *permits)
{
    (void)permits;
    return &groups[0];
}

/* User 2 has MANY namespaces with one process in each; after them all comes user 1. */
static void fill(struct rota *rota, uint32_t processes_of_1)
{
    for (uint32_t i = 0; i <= MANY; i++)
        groups[i] = (struct group){.netns = i + 1,
                                   .uid = i < MANY ? 2 : 1,
                                   .count = i < MANY ? 1 : processes_of_1,
                                   .next = i < MANY ? &groups[i + 1] : NULL};
    assert_int_equal(rota_fill(rota, NULL, NULL), 0);
}

static void who_has_little_comes_before_who_has_many_groups(void **state)
{
    struct rota rota = {0};
    struct rota_item *item;
    uint32_t seen = 0;

    (void)state;
    fill(&rota, 3);
    assert_ptr_equal(rota_next(&rota)->group, &groups[MANY]);
    rota_leave(&rota, true);
    for (; (item = rota_next(&rota)); seen++) {
        assert_int_equal(item->uid, 2);
        rota_leave(&rota, true);
    }
    assert_int_equal(seen, MANY);
    assert_false(rota_next_round(&rota, false));
    rota_done(&rota);
}

/* Even if it has more processes than the many groups together. */
static void many_groups_get_no_more_than_a_users_share(void **state)
{
    struct rota rota = {0};
    uint32_t of_2 = 0;

    (void)state;
    fill(&rota, MANY + 1);
    for (; rota_next(&rota)->uid == 2; of_2++) {
        rota_charge_list(&rota, ROTA_SHARE / 4);
        rota_leave(&rota, true);
    }
    assert_int_equal(of_2, 5); /* the first list is for nothing */
    rota_leave(&rota, true);
    assert_null(rota_next(&rota));
    assert_true(rota_next_round(&rota, false));
    assert_int_equal(rota_users(&rota), 1);
    for (of_2 = 0; rota_next(&rota); of_2++) {
        rota_charge_list(&rota, ROTA_SHARE / 4);
        rota_leave(&rota, true);
    }
    assert_int_equal(of_2, 9); /* twice as much */
    rota_done(&rota);
}

/* Each list costs a whole share. Returns how many rounds it takes. */
static uint32_t rounds_of_all(bool to_the_end)
{
    struct rota rota = {0};
    uint32_t seen = 0, rounds = 1;

    fill(&rota, 1);
    do
        for (; rota_next(&rota); seen++) {
            rota_charge_list(&rota, ROTA_SHARE);
            rota_leave(&rota, true);
        }
    while (rota_next_round(&rota, to_the_end) && ++rounds);
    assert_int_equal(seen, MANY + 1);
    rota_done(&rota);
    return rounds;
}

static void each_round_goes_on_with_what_is_left_until_nothing_is(void **state)
{
    (void)state;
    assert_in_range(rounds_of_all(false), 12, 14); /* 2 + 3 + 5 + 9 ... */
}

static void who_is_left_alone_is_gone_through_to_the_end(void **state)
{
    (void)state;
    assert_int_equal(rounds_of_all(true), 2);
}

static void who_was_late_before_comes_last(void **state)
{
    struct rota rota = {0};

    (void)state;
    fill(&rota, 1);
    groups[MANY].late = 1;
    assert_int_equal(rota_fill(&rota, NULL, NULL), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(rota_next(&rota)->uid, 2);
        rota_leave(&rota, true);
    }
    assert_int_equal(rota_next(&rota)->uid, 1);
    rota_done(&rota);
}

static void a_group_that_is_gone_is_left_out(void **state)
{
    struct rota rota = {0};

    (void)state;
    fill(&rota, 1);
    rota_leave(&rota, false);
    rota_group_gone(&rota, &groups[MANY]);
    for (uint32_t i = 0; i < MANY; i++)
        if (i != 7)
            rota_group_gone(&rota, &groups[i]);
    assert_ptr_equal(rota_next(&rota)->group, &groups[7]);
    rota_done(&rota);
}

static void a_namespace_counts_once(void **state)
{
    struct rota rota = {0};
    uint32_t counted = 0;

    (void)state;
    fill(&rota, 1);
    for (uint32_t i = 0; i < 10; i++)
        groups[i].netns = 1;
    for (uint32_t i = 10; i < 20; i++)
        groups[i].netns = 0; /* not known: each is one of its own */
    assert_int_equal(rota_fill(&rota, NULL, NULL), 0);
    for (struct rota_item *item; (item = rota_next(&rota)); rota_leave(&rota, true))
        counted += rota_counts_netns(&rota, item);
    assert_int_equal(counted, MANY + 1 - 9);
    rota_done(&rota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_little_comes_before_who_has_many_groups),
        TEST(many_groups_get_no_more_than_a_users_share),
        TEST(each_round_goes_on_with_what_is_left_until_nothing_is),
        TEST(who_is_left_alone_is_gone_through_to_the_end),
        TEST(who_was_late_before_comes_last),
        TEST(a_group_that_is_gone_is_left_out),
        TEST(a_namespace_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
