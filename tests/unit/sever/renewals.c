/* SPDX-License-Identifier: Apache-2.0
 *
 * renewals.c - a process that has a permit hands over again, also where there is no room for one more.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/permits/permits.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

enum {
    MAX = 8,
    ALICE = 1001,
    BOB = 1002,
    CAROL = 1003,
    ONE = 1, /* processes */
    OTHER = 2
};

static struct loop *loop;
static struct closer *closer;
static struct permits *permits;
static uint64_t handing_over;

uint64_t __wrap_process_id(int process);

uint64_t __wrap_process_id(int process)
{
    (void)process;
    return handing_over;
}

/* Of who has left, where the kernel tells that. */
static bool has_left;

int __real_process_open_peer(int socket, pid_t pid);
int __wrap_process_open_peer(int socket, pid_t pid);

int __wrap_process_open_peer(int socket, pid_t pid)
{
    return has_left ? -ESRCH : __real_process_open_peer(socket, pid);
}

static void group_gone(void *arg, struct group *group)
{
    (void)arg, (void)group;
}

static int rig_setup(void **state)
{
    (void)state;
    has_left = false;
    loop = loop_new();
    closer = closer_new(loop);
    permits = permits_new(loop, closer, MAX, group_gone, NULL);
    assert_non_null(permits);
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    permits_free(permits);
    closer_free(closer);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    return 0;
}

/* The program's end of its connection. */
static int hand_over_from(const struct permit_from *from, int expected)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(permits_add(permits, from, pair[0], open("/dev/null", O_RDONLY | O_CLOEXEC),
                                 open("/dev/null", O_RDONLY | O_CLOEXEC)),
                     expected);
    return pair[1];
}

static int hand_over(uint64_t process, uid_t uid, uint64_t netns, int expected)
{
    handing_over = process;
    return hand_over_from(&(struct permit_from){.netns = netns, .uid = uid}, expected);
}

static bool is_held(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) == 0;
}

static struct permits_figures figures(void)
{
    struct permits_figures f;

    permits_figures(permits, &f);
    return f;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void who_hands_over_again_gets_his_own_place_where_there_is_no_other(void **state)
{
    uint64_t others = 1000;
    int fds[MAX + 4];

    (void)state;
    fds[0] = hand_over(ONE, ALICE, 1, 0);
    fds[1] = hand_over(OTHER, BOB, 1, 0);
    for (int i = 2; i < MAX; i++)
        fds[i] = hand_over(++others, ALICE, 1, 0);
    fds[MAX] = hand_over(ONE, ALICE, 1, 0); /* who has the most */
    assert_false(is_held(fds[0]));
    assert_true(is_held(fds[MAX]));
    fds[MAX + 1] = hand_over(OTHER, BOB, 1, 0); /* who could take one away */
    assert_false(is_held(fds[1]));
    fds[MAX + 2] = hand_over(OTHER, CAROL, 2, 0); /* as another user, in another namespace */
    assert_false(is_held(fds[MAX + 1]));
    fds[MAX + 3] = hand_over(++others, ALICE, 1, -EDQUOT);
    for (int i = 2; i < MAX; i++)
        assert_true(is_held(fds[i]));
    struct permits_figures f = figures();
    assert_int_equal(f.permits, MAX);
    assert_int_equal(f.taken_away, 0);
    assert_int_equal(f.refused, 1);
    close_all(fds, MAX + 4);
}

static void while_there_is_room_he_gives_the_one_before_up_himself(void **state)
{
    int fds[] = {hand_over(1, ALICE, 1, 0), hand_over(1, ALICE, 1, 0)};

    (void)state;
    assert_true(is_held(fds[0]));
    assert_int_equal(figures().permits, 2);
    close_all(fds, 2);
}

/* He has connected, and his number is another one's by the time that his turn comes. */
static void who_has_the_number_of_another_one_by_now_is_not_taken_for_him(void **state)
{
    struct permit_from from = {.netns = 1, .uid = ALICE, .pid = getpid()};
    int fds[MAX + 1];

    (void)state;
    handing_over = 0; /* as on a kernel whose pidfds have no numbers */
    fds[0] = hand_over_from(&from, 0);
    has_left = true;
    from.uid = BOB;
    fds[1] = hand_over_from(&from, 0);
    const struct permit *of_bob = permits_first_group(permits)->first;
    assert_int_equal(of_bob->uid, BOB);
    assert_int_equal(of_bob->uids.count, 0);
    for (int i = 2; i < MAX; i++)
        fds[i] = hand_over_from(&from, 0);
    fds[MAX] = hand_over_from(&from, -EDQUOT);
    assert_true(is_held(fds[0]));
    assert_int_equal(figures().taken_away, 0);
    close_all(fds, MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, who_hands_over_again_gets_his_own_place_where_there_is_no_other),
        TEST_IN(rig, while_there_is_room_he_gives_the_one_before_up_himself),
        TEST_IN(rig, who_has_the_number_of_another_one_by_now_is_not_taken_for_him),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
