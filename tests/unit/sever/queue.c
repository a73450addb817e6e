/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.c - who is served next, and who loses when the line is full: between users, and between the
 * network namespaces of one user.
 */
#include "config.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/stranger.h"
#include "agent/sever/permits/queue.h"
#include "proto/limits.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

enum {
    MAX = 8,
    ALICE = 1001,
    BOB = 1002,
    CAROL = 1003,
    HERE = 1, /* network namespaces */
    ELSEWHERE = 2
};

static struct loop *loop;
static struct closer *closer;
static struct queue *queue;
static uint64_t netns; /* of who comes next */
static uid_t flooding;
static uint64_t flooding_at;
static uint32_t floods;

uint64_t __wrap_netns_of(int fd);

uint64_t __wrap_netns_of(int fd)
{
    (void)fd;
    return netns;
}

static void readable(void *arg)
{
    (void)arg;
}

/* Of this test, a process' pid is its control group. */
uint64_t __wrap_barred_place(pid_t pid);

uint64_t __wrap_barred_place(pid_t pid)
{
    return (uint64_t)pid;
}

static void flooded(void *arg, const struct ucred *user, uint64_t place)
{
    (void)arg;
    flooding = user->uid;
    flooding_at = place;
    floods++;
}

static int rig_setup(void **state)
{
    const struct queue_owner owner = {.readable = readable, .flooded = flooded, .netns = HERE};

    (void)state;
    loop = loop_new();
    closer = closer_new(loop);
    queue = queue_new(loop, closer, MAX, &owner);
    assert_non_null(queue);
    netns = HERE;
    flooding = 0;
    floods = 0;
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    queue_free(queue);
    closer_free(closer);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    return 0;
}

/* The program's end of a connection in line. */
static int come(uid_t uid, bool sends)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    if (sends)
        assert_int_equal(write(pair[1], "!", 1), 1);
    queue_add(queue, pair[0], &(struct ucred){.uid = uid});
    return pair[1];
}

/* Whether the other end is closed. */
static bool has_ended(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) > 0 && at.revents & POLLHUP;
}

static void let_speak(void)
{
    while (fake_loop_poll(loop))
        ;
}

/* Whose turn it is, and then no more. 0: nobody's. */
static uid_t serve(void)
{
    struct queued *first = queue_first(queue);
    uid_t uid = first ? first->peer.uid : 0;

    if (first)
        close(queue_take(first));
    return uid;
}

static uint32_t waiting(void)
{
    struct queue_figures figures;

    queue_figures(queue, &figures);
    return figures.waiting;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void users_have_their_turns_one_after_the_other(void **state)
{
    static const uid_t expected[] = {ALICE, BOB, CAROL, ALICE, BOB, ALICE, ALICE, 0};
    int fds[7];

    (void)state;
    for (int i = 0; i < 4; i++)
        fds[i] = come(ALICE, true);
    fds[4] = come(BOB, true);
    fds[5] = come(BOB, true);
    fds[6] = come(CAROL, true);
    let_speak();
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(serve(), expected[i]);
    close_all(fds, 7);
}

/* Who leaves and comes again is not before those who wait. */
static void who_comes_anew_stands_behind_those_who_wait(void **state)
{
    int fds[6];

    (void)state;
    for (int i = 0; i < 3; i++)
        fds[i] = come(ALICE, true);
    let_speak();
    assert_int_equal(serve(), ALICE);
    for (int i = 3; i < 6; i++) {
        fds[i] = come(BOB, true);
        let_speak();
        assert_int_equal(serve(), i % 2 ? ALICE : BOB);
    }
    close_all(fds, 6);
}

static void namespaces_of_one_user_have_their_turns_too(void **state)
{
    int fds[4];

    (void)state;
    for (int i = 0; i < 3; i++)
        fds[i] = come(0, true);
    netns = 2;
    fds[3] = come(0, true);
    let_speak();
    close(queue_take(queue_first(queue)));
    close(queue_take(queue_first(queue)));
    assert_true(has_ended(fds[3]));
    assert_false(has_ended(fds[1]));
    close_all(fds, 4);
}

static void of_a_full_line_the_user_with_the_most_loses_the_oldest_that_is_silent(void **state)
{
    int fds[MAX + 1];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = come(ALICE, i < 2);
    fds[MAX] = come(BOB, true);
    assert_int_equal(waiting(), MAX);
    for (int i = 0; i <= MAX; i++)
        assert_int_equal(has_ended(fds[i]), i == 2);
    close_all(fds, MAX + 1);
}

static void or_else_the_newest(void **state)
{
    int fds[MAX + 1];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = come(ALICE, true);
    fds[MAX] = come(BOB, true);
    for (int i = 0; i <= MAX; i++)
        assert_int_equal(has_ended(fds[i]), i == MAX - 1);
    close_all(fds, MAX + 1);
}

static void that_user_himself_does_not_get_in(void **state)
{
    struct queue_figures figures;
    int fds[MAX + 2];

    (void)state;
    fds[0] = come(BOB, true);
    for (int i = 1; i < MAX + 2; i++)
        fds[i] = come(ALICE, true);
    for (int i = 0; i < MAX + 2; i++)
        assert_int_equal(has_ended(fds[i]), i >= MAX);
    queue_figures(queue, &figures);
    assert_int_equal(figures.crowded_out, 2);
    assert_int_equal(figures.crowded_uid, ALICE);
    close_all(fds, MAX + 2);
}

static void who_has_as_much_throws_nobody_out(void **state)
{
    int fds[MAX + 1];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = come(i % 2 ? ALICE : BOB, true);
    fds[MAX] = come(BOB, true);
    for (int i = 0; i <= MAX; i++)
        assert_int_equal(has_ended(fds[i]), i == MAX);
    close_all(fds, MAX + 1);
}

static void of_one_user_the_namespace_with_the_most_loses(void **state)
{
    int fds[MAX + 1];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = come(0, true);
    netns = 2;
    fds[MAX] = come(0, true);
    for (int i = 0; i <= MAX; i++)
        assert_int_equal(has_ended(fds[i]), i == MAX - 1);
    close_all(fds, MAX + 1);
}

static void who_keeps_the_receiver_busy_comes_after_the_others(void **state)
{
    int fds[5];

    (void)state;
    for (int i = 0; i < 3; i++)
        fds[i] = come(ALICE, true);
    let_speak();
    assert_int_equal(serve(), ALICE);
    queue_charge(queue, ALICE, 500);
    fds[3] = come(BOB, true);
    fds[4] = come(BOB, true);
    let_speak();
    assert_int_equal(serve(), BOB);
    assert_int_equal(serve(), BOB);
    assert_int_equal(serve(), ALICE); /* there is nobody else */
    close_all(fds, 5);
    fds[0] = come(BOB, true);
    let_speak();
    fake_loop_advance(loop, QUEUE_SLOW_TIMES * 500);
    assert_int_equal(serve(), ALICE); /* it is over */
    close(fds[0]);
}

/* It is remembered while he has nothing in line. */
static void so_he_does_if_he_was_away(void **state)
{
    int fds[3];

    (void)state;
    fds[0] = come(ALICE, true);
    let_speak();
    assert_int_equal(serve(), ALICE);
    queue_charge(queue, ALICE, 500);
    fds[1] = come(ALICE, true);
    fds[2] = come(BOB, true);
    let_speak();
    assert_int_equal(serve(), BOB);
    close_all(fds, 3);
}

static void what_sends_nothing_is_closed_in_the_end(void **state)
{
    int silent = come(ALICE, false), other = come(BOB, true);

    (void)state;
    let_speak();
    fake_loop_advance(loop, HOMING_CLIENT_DEADLINE_MS);
    assert_true(has_ended(silent));
    assert_false(has_ended(other));
    close(silent);
    close(other);
}

static void who_comes_in_vain_all_the_time_is_named(void **state)
{
    (void)state;
    for (int i = 0; i < QUEUE_FLOOD - 1; i++)
        queue_note_vain(queue, &(struct ucred){.uid = ALICE}, HERE);
    queue_note_vain(queue, &(struct ucred){.uid = BOB}, HERE);
    assert_int_equal(floods, 0);
    queue_note_vain(queue, &(struct ucred){.uid = ALICE}, HERE);
    assert_int_equal(floods, 1);
    assert_int_equal(flooding, ALICE);
}

static void who_comes_in_vain_now_and_then_is_not(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * QUEUE_FLOOD; i++) {
        queue_note_vain(queue, &(struct ucred){.uid = ALICE}, HERE);
        if (i % (QUEUE_FLOOD / 2) == 0)
            fake_loop_advance(loop, QUEUE_FLOOD_MS);
    }
    assert_int_equal(floods, 0);
}

static void come_in_vain(uid_t uid, pid_t place, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        queue_note_vain(queue, &(struct ucred){.uid = uid, .pid = place}, HERE);
}

/* He comes when the others have come often enough for all of root. */
static void of_root_the_control_group_that_floods_is_named_and_no_other(void **state)
{
    (void)state;
    come_in_vain(0, 7, QUEUE_FLOOD / 2);
    come_in_vain(0, 8, QUEUE_FLOOD / 2 - 1);
    come_in_vain(0, 9, 3);
    assert_int_equal(floods, 0);
    come_in_vain(0, 7, QUEUE_FLOOD / 2 - 1);
    come_in_vain(0, 9, 1);
    assert_int_equal(floods, 0);
    come_in_vain(0, 7, 1);
    assert_int_equal(floods, 1);
    assert_int_equal(flooding, 0);
    assert_int_equal(flooding_at, 7);
}

static void of_root_whose_control_group_is_not_seen_nobody_is(void **state)
{
    (void)state;
    come_in_vain(0, 0, 2 * QUEUE_FLOOD);
    assert_int_equal(floods, 0);
}

/* Of a user that several containers have, each is a user of its own. */
static void of_a_user_elsewhere_the_network_namespace_that_floods_is_named(void **state)
{
    const struct ucred alice = {.uid = ALICE};

    (void)state;
    for (int i = 0; i < QUEUE_FLOOD - 1; i++)
        queue_note_vain(queue, &alice, ELSEWHERE);
    queue_note_vain(queue, &alice, HERE);
    queue_note_vain(queue, &alice, ELSEWHERE + 1);
    assert_int_equal(floods, 0);
    netns = ELSEWHERE;
    for (int i = 0; i < MAX + 1; i++)
        close(come(ALICE, false));
    assert_int_equal(floods, 1);
    assert_int_equal(flooding, ALICE);
    assert_int_equal(flooding_at, ELSEWHERE);
}

/* Nor does he get away by means of users that are many. */
static void who_floods_is_named_among_more_users_than_are_counted(void **state)
{
    (void)state;
    come_in_vain(ALICE, 1, 2);
    for (uint32_t i = 2; i < QUEUE_FLOOD; i++) {
        come_in_vain(10000 + i, 1, 1);
        come_in_vain(ALICE, 1, 1);
    }
    assert_int_equal(floods, 1);
    assert_int_equal(flooding, ALICE);
}

static void so_is_who_only_connects(void **state)
{
    (void)state;
    for (int i = 0; i < MAX + QUEUE_FLOOD - 1; i++)
        close(come(ALICE, false));
    assert_int_equal(floods, 0);
    close(come(ALICE, false));
    assert_int_equal(flooding, ALICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, users_have_their_turns_one_after_the_other),
        TEST_IN(rig, who_comes_anew_stands_behind_those_who_wait),
        TEST_IN(rig, namespaces_of_one_user_have_their_turns_too),
        TEST_IN(rig, of_a_full_line_the_user_with_the_most_loses_the_oldest_that_is_silent),
        TEST_IN(rig, or_else_the_newest),
        TEST_IN(rig, that_user_himself_does_not_get_in),
        TEST_IN(rig, who_has_as_much_throws_nobody_out),
        TEST_IN(rig, of_one_user_the_namespace_with_the_most_loses),
        TEST_IN(rig, who_keeps_the_receiver_busy_comes_after_the_others),
        TEST_IN(rig, so_he_does_if_he_was_away),
        TEST_IN(rig, what_sends_nothing_is_closed_in_the_end),
        TEST_IN(rig, who_comes_in_vain_all_the_time_is_named),
        TEST_IN(rig, so_is_who_only_connects),
        TEST_IN(rig, of_root_the_control_group_that_floods_is_named_and_no_other),
        TEST_IN(rig, of_root_whose_control_group_is_not_seen_nobody_is),
        TEST_IN(rig, of_a_user_elsewhere_the_network_namespace_that_floods_is_named),
        TEST_IN(rig, who_floods_is_named_among_more_users_than_are_counted),
        TEST_IN(rig, who_comes_in_vain_now_and_then_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
