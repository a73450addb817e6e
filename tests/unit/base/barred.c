/* SPDX-License-Identifier: Apache-2.0
 *
 * barred.c - who is barred, for how long, and what the socket's access control list says of it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/base/barred.h"
#include "agent/base/stranger.h"
#include "tests/support/fake_loop.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* SO_PEERPIDFD, which the headers may not have. */
#define PEERPIDFD 77

struct fixture {
    struct loop *loop;
    struct sockpath sock;
    struct barred *barred;
};

static int rig_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char text[512];
    struct sockpath_error error = {text, sizeof(text)};

    f->loop = loop_new();
    assert_int_equal(sockpath_open(folder, "agent.sock", 0666, error, &f->sock), 0);
    assert_int_equal(sockpath_publish(&f->sock), 0);
    f->barred = barred_new(f->loop, &f->sock);
    assert_non_null(f->barred);
    *state = f;
    return 0;
}

static int rig_teardown(void **state)
{
    struct fixture *f = *state;

    barred_free(f->barred);
    sockpath_close(&f->sock);
    assert_int_equal(fake_loop_watchers(f->loop), 0);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void bar(const struct fixture *f, uid_t uid, pid_t pid)
{
    barred_add(f->barred, &(struct ucred){.pid = pid, .uid = uid}, BARRED_MS, "for a test");
}

static bool has(const struct fixture *f, uid_t uid, pid_t pid)
{
    return barred_has(f->barred, &(struct ucred){.pid = pid, .uid = uid}, 0);
}

/* Users that the list keeps out; -1: this file system has none. */
static int kept_out(const struct fixture *f)
{
    char value[4096];
    ssize_t n = getxattr(f->sock.path, "system.posix_acl_access", value, sizeof(value));

    if (n < 0)
        return errno == ENODATA ? 0 : -1;
    return (int)((size_t)n - 4) / 8 - 4; /* a version; the owner, its group, the mask, others */
}

static void a_user_is_barred_for_ten_minutes_and_nobody_else_is(void **state)
{
    struct fixture *f = *state;

    assert_false(has(f, 1001, 0));
    bar(f, 1001, 0);
    assert_true(has(f, 1001, 7));
    assert_false(has(f, 1002, 7));
    fake_loop_advance(f->loop, BARRED_MS - 1);
    assert_true(has(f, 1001, 0));
    fake_loop_advance(f->loop, 1);
    assert_false(has(f, 1001, 0));
}

static void the_time_begins_anew_with_each_attempt(void **state)
{
    struct fixture *f = *state;

    bar(f, 1001, 0);
    fake_loop_advance(f->loop, BARRED_MS / 2);
    bar(f, 1001, 0);
    fake_loop_advance(f->loop, BARRED_MS - 1);
    assert_true(has(f, 1001, 0));
    fake_loop_advance(f->loop, 1);
    assert_false(has(f, 1001, 0));
}

/* A user who was merely too many comes again sooner; not if he is barred for longer already. */
static void of_two_reasons_the_one_that_bars_for_longer_counts(void **state)
{
    struct fixture *f = *state;
    const struct ucred alice = {.uid = 1001}, bob = {.uid = 1002};

    barred_add(f->barred, &alice, BARRED_FLOOD_MS, "for a test");
    barred_add(f->barred, &bob, BARRED_MS, "for a test");
    barred_add(f->barred, &bob, BARRED_FLOOD_MS, "for a test");
    fake_loop_advance(f->loop, BARRED_FLOOD_MS);
    assert_false(has(f, 1001, 0));
    assert_true(has(f, 1002, 0));
}

/* Of uid 0 every container has one. */
static void root_is_barred_by_its_control_group_or_not_at_all(void **state)
{
    struct fixture *f = *state;

    bar(f, 0, 0);
    assert_false(has(f, 0, 0));
    bar(f, 0, getpid());
    assert_true(has(f, 0, getpid()));
    assert_false(has(f, 0, 0));
    assert_int_equal(kept_out(f) > 0, false);
}

/* The number of who has connected the socket is ours by now, if that process has ended. */
static uint64_t place_of_peer(struct fixture *f, bool has_ended)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid = has_ended ? fork() : 0;
    int status = 0;

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", f->sock.path);
    if (pid == 0)
        status = connect(client, (const struct sockaddr *)&at, sizeof(at));
    if (pid == 0 && has_ended)
        _exit(status != 0);
    if (pid > 0)
        assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    int accepted = accept(f->sock.fd, NULL, NULL);
    assert_true(accepted >= 0);
    uint64_t place = barred_place_of(accepted, getpid());
    close(accepted), close(client);
    return place;
}

static void nobody_is_barred_for_who_had_his_number_before(void **state)
{
    int pair[2], process;
    socklen_t len = sizeof(process);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int told = getsockopt(pair[0], SOL_SOCKET, PEERPIDFD, &process, &len);
    close(pair[0]), close(pair[1]);
    if (told != 0) /* before Linux 6.5 only the number is known */
        skip();
    close(process);
    assert_int_equal(place_of_peer(*state, false), barred_place(getpid()));
    assert_int_equal(place_of_peer(*state, true), 0);
}

static void who_is_barred_in_one_network_namespace_is_not_elsewhere(void **state)
{
    struct fixture *f = *state;
    const struct ucred alice = {.uid = 1001}, bob = {.uid = 1002};

    barred_add_at(f->barred, &alice, 7, BARRED_FLOOD_MS, "for a test");
    assert_true(barred_has(f->barred, &alice, 7));
    assert_false(barred_has(f->barred, &alice, 8));
    assert_false(barred_has(f->barred, &alice, 0));
    assert_false(barred_has(f->barred, &bob, 7));
    assert_int_equal(kept_out(f) > 0, false);
    bar(f, 1001, 0);
    assert_true(barred_has(f->barred, &alice, 8));
}

static void the_oldest_makes_room(void **state)
{
    struct fixture *f = *state;

    for (uid_t uid = 1; uid <= BARRED_MAX + 1; uid++) {
        bar(f, uid, 0);
        fake_loop_advance(f->loop, 1);
    }
    assert_false(has(f, 1, 0));
    for (uid_t uid = 2; uid <= BARRED_MAX + 1; uid++)
        assert_true(has(f, uid, 0));
}

static void the_sockets_own_list_keeps_them_out_as_long(void **state)
{
    struct fixture *f = *state;

    if (kept_out(f) < 0)
        skip();
    bar(f, 1002, 0);
    bar(f, 1001, 0);
    assert_int_equal(kept_out(f), 2);
    fake_loop_advance(f->loop, BARRED_MS);
    assert_int_equal(kept_out(f), 0);
}

static void the_list_of_another_socket_in_its_place_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct sockpath other;
    char text[512];
    struct sockpath_error error = {text, sizeof(text)};

    assert_int_equal(sockpath_open(folder, "agent.sock", 0666, error, &other), 0);
    assert_int_equal(sockpath_publish(&other), 0);
    bar(f, 1001, 0);
    assert_true(has(f, 1001, 0));
    assert_int_equal(kept_out(f) > 0, false);
    sockpath_close(&other);
}

static void
who_hangs_us_is_barred_in_his_network_namespace_and_with_the_third_everywhere(void **state)
{
    struct fixture *f = *state;
    const struct ucred alice = {.uid = 1001}, bob = {.uid = 1002};
    uint64_t own = netns_of(f->sock.fd);

    if (own == 0)
        skip();
    assert_int_equal(barred_place_in(f->barred, own), 0);
    assert_int_equal(barred_place_in(f->barred, own + 1), own + 1);
    assert_int_equal(barred_place_in(f->barred, 0), 0);
    barred_add_at(f->barred, &alice, own + 7, BARRED_FLOOD_MS, "for a test"); /* does not count */
    barred_add_from(f->barred, &alice, own + 1, BARRED_MS, "for a test");
    barred_add_from(f->barred, &alice, own + 2, BARRED_MS, "for a test");
    assert_true(barred_has(f->barred, &alice, own + 1) && barred_has(f->barred, &alice, own + 2));
    assert_false(barred_has(f->barred, &alice, own) || barred_has(f->barred, &alice, own + 3));
    assert_int_equal(kept_out(f) > 0, false);
    barred_add_from(f->barred, &alice, own + 3, BARRED_MS, "for a test");
    assert_true(barred_has(f->barred, &alice, own) && barred_has(f->barred, &alice, own + 4));
    barred_add_from(f->barred, &bob, own, BARRED_MS, "for a test");
    assert_true(barred_has(f->barred, &bob, own + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_user_is_barred_for_ten_minutes_and_nobody_else_is),
        TEST_IN(rig, the_time_begins_anew_with_each_attempt),
        TEST_IN(rig, of_two_reasons_the_one_that_bars_for_longer_counts),
        TEST_IN(rig, root_is_barred_by_its_control_group_or_not_at_all),
        TEST_IN(rig, nobody_is_barred_for_who_had_his_number_before),
        TEST_IN(rig, who_is_barred_in_one_network_namespace_is_not_elsewhere),
        TEST_IN(rig, who_hangs_us_is_barred_in_his_network_namespace_and_with_the_third_everywhere),
        TEST_IN(rig, the_oldest_makes_room),
        TEST_IN(rig, the_sockets_own_list_keeps_them_out_as_long),
        TEST_IN(rig, the_list_of_another_socket_in_its_place_is_left_alone),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
