/* SPDX-License-Identifier: Apache-2.0
 *
 * returned.c - W7: a process comes back to a demoted member only if a connection of it was aborted, and not if
 * that was tried alone. The kernel and the permits are stood in for, the memory is real.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/sweep.h"
#include "tests/support/test.h"

enum {
    ENDPOINT = 0x1111,
    UID = 1,
    SWITCH = 8,   /* its generation */
    MADE = 90000, /* when the first connection was, and when it was swept */
    SWEPT = 100000,
    LATER = 105000 /* another one */
};

static struct group group;
static struct permit permit;
static struct strayed strayed;
static struct age age;
static uint64_t there; /* the cookie of the only connection to the demoted member */
static int answer;     /* the kernel's, if it is to be aborted */
static unsigned tried;

struct group *__wrap_permits_first_group(const struct permits *permits);
uint64_t __wrap_permits_ended(const struct permits *permits);
int __wrap_netlink_dump(struct netlink_deputies *deputies, struct netlink_list *list,
                        netlink_fn *fn, void *arg);
void __wrap_netlink_destroy(struct netlink_deputies *deputies, int fd,
                            const struct diag_socket *sockets, const int *pids, uint32_t count,
                            int *ret_errors);

struct group *__wrap_permits_first_group(const struct permits *of)
{
    (void)of;
    return &group;
}

uint64_t __wrap_permits_ended(const struct permits *of)
{
    (void)of;
    return 0;
}

int __wrap_netlink_dump(struct netlink_deputies *deputies, struct netlink_list *list,
                        netlink_fn *fn, void *arg)
{
    struct diag_socket socket = {
        .family = AF_INET, .cookie = there, .uid = UID, .state = 1, .inode = 99};

    (void)deputies;
    socket.id.idiag_dport = 0x3815; /* 5432 in network order */
    memcpy(socket.id.idiag_dst, (const uint8_t[]){10, 0, 0, 1}, 4);
    if (list->family == AF_INET && list->what != DIAG_MPTCP)
        (void)fn(arg, &socket);
    return 0;
}

void __wrap_netlink_destroy(struct netlink_deputies *deputies, int fd,
                            const struct diag_socket *sockets, const int *pids, uint32_t count,
                            int *ret_errors)
{
    (void)deputies, (void)fd, (void)pids;
    assert_int_equal(count, 1);
    assert_int_equal(sockets[0].cookie, there);
    tried++;
    ret_errors[0] = answer;
}

static int rig_setup(void **state)
{
    (void)state;
    memset(&strayed, 0, sizeof(strayed));
    age = (struct age){.known = true, .fresh = 1};
    permit = (struct permit){.group = &group,
                             .number = 7,
                             .tags = memfd_create("tags", MFD_CLOEXEC),
                             .uid = UID,
                             .uids = {.told = true, .ours = true, .count = 1, .of = {UID}}};
    assert_int_equal(ftruncate(permit.tags, (off_t)tag_memory_size(TAG_SLOTS_MAX)), 0);
    group =
        (struct group){.netns = 1, .uid = UID, .netlink_count = 1, .count = 1, .first = &permit};
    group.netlinks[0].ours = true;
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    return close(permit.tags);
}

/* The process connects there for a writer's name, though it should know better. */
static void connect_at(uint64_t cookie, uint64_t since_ms)
{
    uint64_t slot[4] = {cookie, ENDPOINT, 0, since_ms};

    assert_int_equal(
        pwrite(permit.tags, slot, sizeof(slot), (off_t)offsetof(struct tag_memory, slots)),
        sizeof(slot));
    there = cookie;
}

/* Whether it is tried to abort the connection. */
static bool tries(uint64_t now_ms)
{
    struct sever_order order = {
        .endpoints = {{ENDPOINT, SWITCH}}, .endpoint_count = 1, .address_count = 1};
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = {.salt = 1, .age = &age, .strayed = &strayed};

    tried = 0;
    assert_true(inet_address_parse("10.0.0.1", 5432, &order.addresses[0]));
    sweep_begin(&sweep, &order, 0, &results);
    while (sweep_turn(&sweep, now_ms))
        ;
    sweep_end(&sweep);
    sweep_results_done(&results);
    return tried;
}

static void W7_who_was_severed_and_comes_back_is_left_alone(void **state)
{
    (void)state;
    answer = 0;
    connect_at(20, MADE);
    assert_true(tries(SWEPT));
    connect_at(21, LATER);
    assert_false(tries(LATER + 5000));
}

static void W7_who_was_not_severed_does_not_come_back(void **state)
{
    static const int errors[] = {-ENOENT, -EPERM, -ENOMEM, -EBUSY, -EOPNOTSUPP};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        memset(&strayed, 0, sizeof(strayed));
        answer = errors[i];
        connect_at(20, MADE);
        assert_true(tries(SWEPT));
        assert_true(tries(SWEPT + 200));
        connect_at(21, LATER);
        answer = 0;
        assert_true(tries(LATER + 5000));
    }
}

static void W7_it_was_severed_when_that_was_done_and_not_when_it_was_tried_first(void **state)
{
    (void)state;
    answer = -EBUSY;
    connect_at(20, MADE);
    assert_true(tries(SWEPT));
    answer = 0;
    connect_at(21, LATER);
    assert_true(tries(LATER + 5000));
    connect_at(22, LATER + 1000);
    assert_true(tries(LATER + 6000));
    connect_at(23, LATER + 7000);
    assert_false(tries(LATER + 8000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, W7_who_was_severed_and_comes_back_is_left_alone),
        TEST_IN(rig, W7_who_was_not_severed_does_not_come_back),
        TEST_IN(rig, W7_it_was_severed_when_that_was_done_and_not_when_it_was_tried_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
