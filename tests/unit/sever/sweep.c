/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.c - what a sweep asks the kernel for, whose connections it goes through first, and whose
 * memories it reads. The kernel and the permits are stood in for, the memories are real; with all of
 * them it is tested by tests/live/sever.py and tests/live/sever_crowd.py.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/sweep.h"
#include "tests/support/test.h"

#define ORDERS 0x1111u
/* A memory with so many tags costs more than the first round gives to a user. */
#define FULL (ROTA_SHARE + 1)

enum {
    GROUPS = 4,
    OWN = GROUPS, /* number of homing-sever's own namespace */
    SOCKETS = 8,
    DUMPS = 64,
    INODE = 99, /* of any socket */
    WHOLE = 98, /* of a socket of MPTCP and its subflow */
    KNOWN = 29  /* the last cookie of before homing-sever, in one test */
};

static struct age age;

#define SWEEP_NEW ((struct sweep){.salt = 1, .age = &age})

static struct group groups[GROUPS];
static uint32_t group_count;
static struct permit permits[GROUPS][2];
static uint64_t ended;

/* What each group's netlink socket lists; its number is that of the group. */
static struct diag_socket listed[GROUPS + 1][SOCKETS];
static struct dumped {
    int fd;
    int family;
    enum diag_what what;
} dumps[DUMPS];
static unsigned dump_count;
static uint64_t aborted[SOCKETS];
static unsigned aborted_count;

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
    return group_count ? &groups[0] : NULL;
}

uint64_t __wrap_permits_ended(const struct permits *of)
{
    (void)of;
    return ended;
}

static bool is_aborted(uint64_t cookie)
{
    for (unsigned i = 0; i < aborted_count; i++)
        if (aborted[i] == cookie)
            return true;
    return false;
}

int __wrap_netlink_dump(struct netlink_deputies *deputies, struct netlink_list *list,
                        netlink_fn *fn, void *arg)
{
    (void)deputies;
    assert_in_range(dump_count, 0, DUMPS - 1);
    dumps[dump_count++] = (struct dumped){list->fd, list->family, list->what};
    for (const struct diag_socket *s = listed[list->fd]; s->cookie; s++)
        if (list->family == s->family && s->whole == (list->what == DIAG_MPTCP))
            (void)(is_aborted(s->cookie) || fn(arg, s));
    return 0;
}

void __wrap_netlink_destroy(struct netlink_deputies *deputies, int fd,
                            const struct diag_socket *sockets, const int *pids, uint32_t count,
                            int *ret_errors)
{
    (void)deputies, (void)fd, (void)pids;
    for (uint32_t i = 0; i < count; i++) {
        assert_in_range(aborted_count, 0, SOCKETS - 1);
        aborted[aborted_count++] = sockets[i].cookie;
        ret_errors[i] = 0;
    }
}

/* ---- the scene ---- */

static void clear(void)
{
    for (uint32_t i = 0; i < group_count; i++)
        for (struct permit *p = groups[i].first; p; p = p->next)
            close(p->tags);
    memset(groups, 0, sizeof(groups));
    memset(permits, 0, sizeof(permits));
    memset(listed, 0, sizeof(listed));
    group_count = 0;
    dump_count = 0;
    aborted_count = 0;
    age = (struct age){.known = true, .fresh = 1};
}

/* A group of a user, in a namespace, with so many processes that have one memory between them. In it
 * the first `filled` slots hold tags, the last of them an outdated one for `cookie`. */
static struct group *add_group(uint32_t uid, uint64_t netns, uint32_t processes, uint32_t filled,
                               uint64_t cookie)
{
    struct group *g = &groups[group_count];
    int fd = memfd_create("tags", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, (off_t)tag_memory_size(TAG_SLOTS_MAX)), 0);
    for (uint32_t i = 0; i < filled; i++) {
        uint64_t slot[4] = {i + 1 == filled ? cookie : UINT64_MAX - i, ORDERS, 7, 0};
        off_t at = (off_t)(offsetof(struct tag_memory, slots) + i * sizeof(slot));
        assert_int_equal(pwrite(fd, slot, sizeof(slot), at), sizeof(slot));
    }
    *g = (struct group){.netns = netns, .uid = uid, .netlink_count = 1, .count = processes};
    g->netlinks[0].fd = (int)group_count;
    for (uint32_t i = 0; i < processes; i++) {
        struct permit *p = &permits[group_count][i];
        *p = (struct permit){.group = g,
                             .next = g->first,
                             .tags = i ? dup(fd) : fd,
                             .uid = uid,
                             .uids = {.told = true, .ours = true, .count = 1, .of = {uid}}};
        g->first = p;
    }
    g->netlinks[0].ours = true;
    if (group_count++)
        groups[group_count - 2].next = g;
    return g;
}

/* Connected to 10.0.0.1:5432. */
static struct diag_socket *lists(uint32_t group, uint64_t cookie, uint32_t uid)
{
    struct diag_socket *s = listed[group];

    while (s->cookie)
        s++;
    *s = (struct diag_socket){
        .family = AF_INET, .cookie = cookie, .uid = uid, .state = 1, .inode = INODE};
    s->id.idiag_dport = 0x3815; /* 5432 in network order */
    memcpy(s->id.idiag_dst, (const uint8_t[]){10, 0, 0, 1}, 4);
    return s;
}

static struct sever_order order_for(const char *address, bool untagged)
{
    struct sever_order order = {
        .endpoints = {{ORDERS, 8}}, .endpoint_count = 1, .address_count = 1, .untagged = untagged};

    assert_true(inet_address_parse(address, 5432, &order.addresses[0]));
    return order;
}

/* How many users it has left. */
static uint32_t sweep_once(struct sweep *sweep, const struct sever_order *order, uint32_t nth,
                           struct sweep_results *results)
{
    sweep_begin(sweep, order, nth, results);
    while (sweep_turn(sweep, 0))
        ;
    return sweep_users_left(sweep);
}

static void sweep_rest(struct sweep *sweep)
{
    struct sweep rest = SWEEP_NEW;

    sweep_begin_rest(&rest, sweep);
    while (sweep_turn(&rest, 0))
        ;
    assert_int_equal(sweep_users_left(&rest), 0);
    sweep_end(&rest);
    sweep_end(sweep);
}

/* ---- what is asked for ---- */

static void connections_to_an_IPv4_address_are_listed_in_both_families(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(1, 1, 1, 0, 0);
    lists(0, 7, 1);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 0);
    sweep_end(&sweep);
    assert_int_equal(results.counts.seen, 1);
    assert_int_equal(dump_count, 3);
    assert_int_equal(dumps[0].family, AF_INET6);
    assert_int_equal(dumps[1].family, AF_INET);
}

static void connections_to_an_IPv6_address_are_listed_in_its_own(void **state)
{
    struct sever_order order = order_for("fd00::1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;
    struct diag_socket *s;

    (void)state;
    clear();
    add_group(1, 1, 1, 0, 0);
    s = lists(0, 7, 1);
    s->family = AF_INET6;
    memcpy(s->id.idiag_dst, (const uint8_t[]){0xfd, [15] = 1}, 16);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 0);
    sweep_end(&sweep);
    assert_int_equal(results.counts.seen, 1);
    assert_int_equal(dump_count, 2);
    assert_int_equal(dumps[0].family, AF_INET6);
    assert_int_equal(dumps[1].family, AF_INET6);
}

static void a_subflow_gets_the_verdict_on_its_socket_of_MPTCP(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;
    struct diag_socket *whole;

    (void)state;
    clear();
    add_group(1, 1, 1, 1, 8);
    lists(0, 7, 1)->inode = WHOLE;
    whole = lists(0, 8, 1);
    whole->whole = true;
    whole->inode = WHOLE;
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 0);
    sweep_end(&sweep);
    assert_int_equal(dump_count, 3);
    assert_int_equal(dumps[2].what, DIAG_MPTCP);
    assert_int_equal(results.counts.seen, 1);
    assert_int_equal(results.counts.outdated, 1);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 7); /* the subflow; the program's tag names 8 */
    assert_int_equal(results.counts.mptcp_late, 1);
}

/* ---- who comes first ---- */

static void a_user_with_full_memories_delays_nobody_but_himself(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(2, 1, 1, FULL, 20); /* he even comes first */
    add_group(1, 1, 2, 1, 10);
    lists(0, 10, 1), lists(0, 20, 2);
    lists(1, 10, 1), lists(1, 20, 2);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 1);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 10);
    assert_int_equal(results.counts.memories, 1);
    sweep_rest(&sweep);
    assert_int_equal(aborted_count, 2);
    assert_int_equal(aborted[1], 20);
    assert_int_equal(results.counts.seen, 2);
    assert_int_equal(results.counts.outdated, 2);
    assert_int_equal(results.counts.processes, 3);
    assert_int_equal(results.counts.namespaces, 1);
}

/* The last two groups become one, with a memory of each. */
static void merge(void)
{
    struct group *to = &groups[group_count - 2];
    struct permit *p = groups[group_count - 1].first;

    p->group = to;
    to->first->next = p;
    to->count++;
    to->next = NULL;
    group_count--;
}

static void of_one_user_the_small_memories_come_first(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(1, 1, 1, FULL, 20);
    add_group(1, 1, 1, 1, 10);
    merge();
    lists(0, 10, 1), lists(0, 20, 1);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 1);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 10);
    sweep_rest(&sweep);
    assert_int_equal(aborted_count, 2);
    assert_int_equal(results.counts.outdated, 2);
    assert_int_equal(results.counts.seen, 2);
}

static void a_memory_that_comes_twice_is_read_once(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(1, 1, 2, 1, 10);
    lists(0, 10, 1);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 0);
    sweep_end(&sweep);
    assert_int_equal(results.counts.memories, 1);
    assert_int_equal(aborted_count, 1);
}

static void a_permit_that_ends_meanwhile_is_not_looked_at(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW, rest = SWEEP_NEW;

    (void)state;
    clear();
    add_group(1, 1, 1, 70000, 10); /* more than one turn */
    add_group(1, 1, 1, 80000, 20);
    merge();
    lists(0, 20, 1);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 1);
    sweep_begin_rest(&rest, &sweep);
    while (rest.judging.read == 0)
        assert_true(sweep_turn(&rest, 0));
    assert_int_equal(aborted_count, 0);
    groups[0].first->next = NULL; /* while the first memory is being read, the second one goes */
    groups[0].count = 1;
    ended++;
    while (sweep_turn(&rest, 0))
        ;
    sweep_end(&rest);
    sweep_end(&sweep);
    assert_int_equal(aborted_count, 0);
    close(permits[1][0].tags);
}

/* ---- what no program has tagged ---- */

static void memories_that_cannot_tell_are_not_waited_for(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(2, 1, 1, FULL, 10); /* with a tag that is not his to write */
    add_group(1, 1, 1, 1, 11);
    lists(0, 10, 1), lists(0, 20, 2);
    lists(1, 10, 1), lists(1, 20, 2);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 1);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 10);
    sweep_rest(&sweep);
    sweep_results_done(&results);
    assert_int_equal(aborted_count, 2);
    assert_int_equal(aborted[1], 20);
    assert_int_equal(results.counts.untagged, 2);
}

static void what_was_known_before_homing_sever_is_spared_and_counted(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(2, 1, 1, FULL, 12); /* what is left for the rest has the same age */
    add_group(1, 1, 1, 1, 11);
    age = (struct age){.known = true, .fresh = 2, .begun = {{1, KNOWN}}, .count = 1};
    lists(0, 10, 1), lists(1, 10, 1);
    lists(0, 20, 2), lists(1, 20, 2);
    lists(0, 30, 1), lists(1, 30, 1);
    (void)sweep_once(&sweep, &order, 0, &results);
    sweep_rest(&sweep);
    sweep_results_done(&results);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 30);
    assert_int_equal(results.counts.older, 2);
}

static void those_that_can_tell_are(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(0, 1, 1, FULL, 10); /* root may have tagged what is another user's */
    add_group(1, 1, 1, 1, 11);
    lists(0, 10, 1), lists(1, 10, 1);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 2); /* the other user waits for it */
    assert_int_equal(aborted_count, 0);
    sweep_rest(&sweep);
    sweep_results_done(&results);
    assert_int_equal(results.counts.untagged, 0);
}

/* ---- homing-sever's own namespace ---- */

static struct group own_group(uint64_t netns)
{
    struct group own = {.netns = netns, .uid = (uid_t)-1, .netlink_count = 1};

    own.netlinks[0].fd = OWN;
    own.netlinks[0].ours = true;
    return own;
}

/* How many lists of it a sweep asked for, beside a group of the namespace 1. */
static unsigned own_dumps(struct group *own, const struct sever_order *order, uint32_t nth,
                          struct sweep_results *results)
{
    struct sweep sweep = SWEEP_NEW;
    unsigned count = 0;

    sweep.own = own;
    dump_count = 0;
    aborted_count = 0;
    (void)sweep_once(&sweep, order, nth, results);
    sweep_end(&sweep);
    sweep_results_done(results);
    for (unsigned i = 0; i < dump_count; i++)
        count += dumps[i].fd == OWN;
    return count;
}

static void W7_the_own_namespace_needs_no_permit_and_comes_last(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct group own = own_group(2);

    (void)state;
    clear();
    add_group(1, 1, 1, 1, 11);
    lists(0, 10, 1), lists(OWN, 30, 3);
    assert_true(own_dumps(&own, &order, 0, &results) > 0);
    assert_int_equal(dumps[0].fd, 0);
    assert_int_equal(aborted_count, 2);
    assert_int_equal(aborted[1], 30);
    assert_int_equal(results.counts.namespaces, 2);
    assert_int_equal(results.counts.untagged, 2);
}

static void it_is_not_listed_twice(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct group own = own_group(1);

    (void)state;
    clear();
    add_group(1, 1, 1, 1, 11);
    lists(0, 10, 1), lists(OWN, 10, 1);
    assert_int_equal(own_dumps(&own, &order, 0, &results), 0);
    assert_int_equal(results.counts.untagged, 1);
}

static void other_orders_count_there_once_and_abort_nothing(void **state)
{
    struct sever_order order = order_for("10.0.0.1", false);
    struct sweep_results results = {.row_max = 0};
    struct group own = own_group(2);

    (void)state;
    clear();
    lists(OWN, 30, 3), lists(OWN, 40, 3);
    order.spared[0] = 40;
    order.spared_count = 1;
    assert_true(own_dumps(&own, &order, 0, &results) > 0);
    assert_int_equal(results.counts.seen, 2);
    assert_int_equal(results.counts.untagged, 1);
    assert_int_equal(aborted_count, 0);
    assert_int_equal(own_dumps(&own, &order, 1, &results), 0);
    order.kind = SEVER_LIST;
    assert_int_equal(own_dumps(&own, &order, 0, &results), 0);
}

/* The sum of all inodes, and 1 for each row. */
static uint32_t inodes_listed(bool untagged)
{
    struct sever_order order = order_for("10.0.0.1", untagged);
    struct sweep_results results = {.rows = (struct sever_row[8]){{0}}, .row_max = 8};
    struct sweep sweep = SWEEP_NEW;
    uint32_t sum = 0;

    order.kind = SEVER_LIST;
    order.spared[order.spared_count++] = 40;
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 0);
    sweep_end(&sweep);
    for (uint32_t i = 0; i < results.row_count; i++)
        sum += results.rows[i].inode + 1;
    free(results.untagged);
    return sum;
}

static void a_list_has_each_connection_without_a_tag_once_if_it_is_asked_for(void **state)
{
    (void)state;
    clear();
    add_group(1, 1, 1, 1, 8), add_group(2, 1, 1, 1, 9);
    for (int fd = 0; fd < 2; fd++) {
        lists(fd, 8, 1), lists(fd, 9, 2), lists(fd, 40, 1), lists(fd, 41, 1)->orphan = true;
        lists(fd, 30, 1)->inode = 300, lists(fd, 31, 2)->inode = 310;
    }
    assert_int_equal(inodes_listed(true), 300 + 310 + 4);
    assert_int_equal(inodes_listed(false), 2);
}

static void if_namespaces_cannot_be_told_apart_all_tags_spare_what_is_there(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct group own = own_group(0);

    (void)state;
    clear();
    add_group(3, 0, 1, 1, 30)->netlinks[0].ours = false;
    lists(OWN, 30, 3), lists(OWN, 40, 3);
    assert_true(own_dumps(&own, &order, 0, &results) > 0);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 40);
}

static void subflows_of_an_unknown_socket_are_spared(void **state)
{
    struct sever_order order = order_for("10.0.0.1", true);
    struct sweep_results results = {.row_max = 0};
    struct sweep sweep = SWEEP_NEW;

    (void)state;
    clear();
    add_group(1, 1, 1, 1, 8);
    lists(0, 7, 1)->subflow = true;
    lists(0, 9, 1);
    assert_int_equal(sweep_once(&sweep, &order, 0, &results), 0);
    sweep_end(&sweep);
    sweep_results_done(&results);
    assert_int_equal(aborted_count, 1);
    assert_int_equal(aborted[0], 9);
    assert_int_equal(results.counts.mptcp_hidden, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_to_an_IPv4_address_are_listed_in_both_families),
        TEST(connections_to_an_IPv6_address_are_listed_in_its_own),
        TEST(a_subflow_gets_the_verdict_on_its_socket_of_MPTCP),
        TEST(a_user_with_full_memories_delays_nobody_but_himself),
        TEST(of_one_user_the_small_memories_come_first),
        TEST(a_memory_that_comes_twice_is_read_once),
        TEST(a_permit_that_ends_meanwhile_is_not_looked_at),
        TEST(memories_that_cannot_tell_are_not_waited_for),
        TEST(what_was_known_before_homing_sever_is_spared_and_counted),
        TEST(those_that_can_tell_are),
        TEST(subflows_of_an_unknown_socket_are_spared),
        TEST(W7_the_own_namespace_needs_no_permit_and_comes_last),
        TEST(it_is_not_listed_twice),
        TEST(other_orders_count_there_once_and_abort_nothing),
        TEST(a_list_has_each_connection_without_a_tag_once_if_it_is_asked_for),
        TEST(if_namespaces_cannot_be_told_apart_all_tags_spare_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
