/* SPDX-License-Identifier: Apache-2.0
 *
 * uids.c - whose connections a permit speaks for: by the number that the kernel lists them with, and
 * by its answer about the permit's own connection.
 */
#include "config.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/permits/uids.h"
#include "tests/support/test.h"

static void a_user_speaks_for_his_own_connections_and_root_for_all(void **state)
{
    static const struct {
        struct uids uids;
        uint32_t listed;
        enum uids_fit expected;
    } rows[] = {
        {{.told = false}, 1001, UIDS_UNSURE}, /* an old kernel */
        {{.told = true, .ours = true, .count = 1, .of = {1001}}, 1001, UIDS_FIT},
        {{.told = true, .ours = true, .count = 1, .of = {1001}}, 1002, UIDS_FOREIGN},
        {{.told = true, .ours = true, .count = 1, .of = {1001}}, 0, UIDS_FOREIGN},
        {{.told = true, .ours = true, .count = 2, .of = {1001, 1002}}, 1002, UIDS_FIT},
        {{.told = true, .ours = true, .count = 1, .of = {0}}, 1002, UIDS_FIT},
        {{.told = true, .ours = true, .count = 1, .of = {65534}}, 65534, UIDS_FIT},
        {{.told = true, .ours = true, .count = 1, .of = {0}}, 65534, UIDS_FIT},
        /* in a user namespace, where 65534 may be anybody */
        {{.told = true, .count = 1, .of = {1001}}, 1001, UIDS_FIT},
        {{.told = true, .count = 1, .of = {1001}}, 65534, UIDS_FOREIGN},
        {{.told = true, .count = 1, .of = {0}}, 1002, UIDS_FIT},
        {{.told = true, .count = 1, .of = {0}}, 65534, UIDS_FOREIGN},
        {{.told = true, .count = 1, .of = {65534}}, 65534, UIDS_UNSURE},
        {{.told = true, .strict = true, .count = 1, .of = {65534}}, 65534, UIDS_FOREIGN},
        {{.told = true, .count = 1, .of = {65534}}, 1001, UIDS_FOREIGN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(uids_fit(&rows[i].uids, rows[i].listed), rows[i].expected);
}

static void another_user_that_the_process_was_is_added_by_its_number_in_the_list(void **state)
{
    struct uids uids = {.told = true, .count = 1, .of = {1001}}, none = {0};

    (void)state;
    uids_add(&uids, 101002, 101001);
    uids_add(&uids, 101002, 101001);
    assert_int_equal(uids.count, 2);
    assert_int_equal(uids_fit(&uids, 1002), UIDS_FIT);
    uids_add(&uids, 100000, 101001); /* root there: it would speak for all */
    assert_int_equal(uids.count, 2);
    for (uint32_t uid = 1; uid < 10; uid++)
        uids_add(&uids, 102000 + uid, 101001);
    assert_int_equal(uids.count, UIDS_MAX);
    uids_add(&none, 1, 2);
    assert_int_equal(none.count, 0);
}

/* What a program has left in the netlink socket, or asks through it, is no answer. */
static void the_kernel_tells_which_user_has_connected(void **state)
{
    int pair[2], netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct nlmsghdr other = {.nlmsg_len = sizeof(other), .nlmsg_type = 99, .nlmsg_flags = 5};
    struct uids uids;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (int i = 0; i < 3; i++)
        assert_true(sendto(netlink, &other, sizeof(other), 0, (struct sockaddr *)&kernel,
                           sizeof(kernel)) > 0);
    assert_int_equal(uids_ask(netlink, pair[0], &uids), 0);
    if (!uids.told)
        skip(); /* before Linux 5.3 */
    assert_true(uids.ours || geteuid() == UIDS_UNMAPPED);
    assert_int_equal(uids.count, 1);
    assert_int_equal(uids.of[0], geteuid());
    assert_int_equal(uids_ask(netlink, STDIN_FILENO, &uids), -EPROTO);
    assert_int_equal(uids_ask(pair[0], pair[0], &uids), -EPROTO);
    close(pair[1]);
    assert_int_equal(uids_ask(netlink, pair[0], &uids), -EPROTO); /* nobody is there any more */
    close(pair[0]);
    close(netlink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_speaks_for_his_own_connections_and_root_for_all),
        TEST(another_user_that_the_process_was_is_added_by_its_number_in_the_list),
        TEST(the_kernel_tells_which_user_has_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
