/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink.c - which netlink socket a group is asked through, while deputies hang with some.
 */
#include "config.h"

#include "agent/sever/sweep/netlink.h"
#include "tests/support/test.h"

enum {
    FIRST = 11, /* netlink sockets */
    SECOND = 12,
    OTHER = 13,
    TICKET = 5
};

static struct netlink_deputies deputies;
static struct group group, other;
static bool hangs;

bool __wrap_deputies_hang(struct deputies *of, uint64_t ticket);

bool __wrap_deputies_hang(struct deputies *of, uint64_t ticket)
{
    assert_ptr_equal(of, &deputies.listing);
    assert_int_equal(ticket, TICKET);
    return hangs;
}

static int setup(void **state)
{
    (void)state;
    group = (struct group){.netns = 7, .uid = 1, .netlink_count = 1, .next = &other};
    group.netlinks[0] = (struct group_netlink){.fd = FIRST, .ours = true, .ticket = TICKET};
    other = (struct group){.netns = 7, .uid = 2, .netlink_count = 1};
    other.netlinks[0] = (struct group_netlink){.fd = OTHER, .ours = true};
    hangs = true;
    return 0;
}

static const struct group *asked(void)
{
    return netlink_group(&deputies, &group, &group);
}

static void another_one_of_the_group_takes_its_place(void **state)
{
    (void)state;
    group.netlinks[1] = (struct group_netlink){.fd = SECOND, .ours = true};
    group.netlink_count = 2;
    assert_ptr_equal(asked(), &group);
    assert_int_equal(group.netlinks[0].fd, SECOND);
    assert_int_equal(group.netlinks[1].fd, FIRST);
    assert_int_equal(group.netlinks[1].ticket, TICKET);
}

static void it_is_asked_again_when_the_deputy_is_back(void **state)
{
    (void)state;
    hangs = false;
    assert_ptr_equal(asked(), &group);
    assert_int_equal(group.netlinks[0].fd, FIRST);
    assert_int_equal(group.netlinks[0].ticket, 0);
}

static void another_group_of_the_namespace_lends_its_own(void **state)
{
    (void)state;
    assert_ptr_equal(asked(), &other);
    assert_false(group_can_ask(&group));
}

static void nobody_lends_what_lists_other_users_or_another_namespace(void **state)
{
    (void)state;
    other.netlinks[0].ours = false;
    assert_null(asked());
    other.netlinks[0].ours = true;
    group.netlinks[0].ours = false;
    assert_null(asked());
    group.netlinks[0].ours = true;
    other.netns = 8;
    assert_null(asked());
    group.netns = other.netns = 0; /* it is not known */
    assert_null(asked());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(setup, another_one_of_the_group_takes_its_place),
        TEST_FROM(setup, it_is_asked_again_when_the_deputy_is_back),
        TEST_FROM(setup, another_group_of_the_namespace_lends_its_own),
        TEST_FROM(setup, nobody_lends_what_lists_other_users_or_another_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
