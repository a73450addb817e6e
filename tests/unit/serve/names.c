/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - the sockets are removed, replaced or closed while the agent runs: it notices, puts back
 * what it may, and says what it may not.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/serve_rig.h"
#include "tests/support/test.h"

static void assert_answers(struct serve_rig *rig, enum serve_socket socket)
{
    int fd = serve_rig_connect(rig, socket);

    assert_string_equal(serve_rig_ask(rig, fd, 1, "ping"), "1 \"pong\"");
    close(fd);
}

static void kept_well(struct serve_rig *rig)
{
    int rv = serve_keep(rig->serve, rig->error, sizeof(rig->error));

    if (rv != 0)
        fail_msg("%d: %s", rv, rig->error);
    for (int s = 0; s < SERVE_SOCKET_COUNT; s++)
        assert_answers(rig, (enum serve_socket)s);
}

static void kept_with(struct serve_rig *rig, int error, const char *part)
{
    assert_int_equal(serve_keep(rig->serve, rig->error, sizeof(rig->error)), error);
    if (!strstr(rig->error, part))
        fail_msg("'%s' does not say '%s'", rig->error, part);
}

/* Returns the listening socket. */
static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void a_socket_that_was_removed_is_put_back(void **state)
{
    struct serve_rig *rig = *state;

    for (int s = 0; s < SERVE_SOCKET_COUNT; s++) {
        assert_int_equal(unlink(serve_rig_path(rig, (enum serve_socket)s)), 0);
        kept_well(rig);
    }
}

static void clients_of_a_socket_that_was_removed_are_served_on(void **state)
{
    struct serve_rig *rig = *state;
    int served = serve_rig_connect(rig, SERVE_AGENT), waiting;

    assert_string_equal(serve_rig_ask(rig, served, 1, "ping"), "1 \"pong\"");
    waiting = serve_rig_connect(rig, SERVE_AGENT);
    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    kept_well(rig);
    assert_string_equal(serve_rig_ask(rig, served, 2, "ping"), "2 \"pong\"");
    assert_string_equal(serve_rig_ask(rig, waiting, 3, "ping"), "3 \"pong\"");
    close(served);
    close(waiting);
}

static void directories_that_were_removed_are_made_again(void **state)
{
    struct serve_rig *rig = *state;
    char lock[512];

    snprintf(lock, sizeof(lock), "%s/lock", serve_rig_dir(rig, SERVE_ADMIN));
    assert_int_equal(unlink(lock), 0);
    for (int s = 0; s < SERVE_SOCKET_COUNT; s++) {
        assert_int_equal(unlink(serve_rig_path(rig, (enum serve_socket)s)), 0);
        assert_int_equal(rmdir(serve_rig_dir(rig, (enum serve_socket)s)), 0);
    }
    kept_well(rig);
}

static void a_socket_at_which_nobody_listens_is_replaced(void **state)
{
    struct serve_rig *rig = *state;

    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    close(listen_at(serve_rig_path(rig, SERVE_AGENT)));
    kept_well(rig);
}

static void a_file_that_is_no_socket_is_left_and_told_of_until_it_is_gone(void **state)
{
    struct serve_rig *rig = *state;
    int fds;

    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    close(open(serve_rig_path(rig, SERVE_AGENT), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    fds = serve_rig_count_fds();
    kept_with(rig, -EEXIST, "is not a socket: move it away");
    assert_int_equal(serve_rig_count_fds(), fds);
    assert_answers(rig, SERVE_ADMIN);
    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    kept_well(rig);
}

/* As in a rollout. */
static void a_successor_keeps_the_names_and_they_come_back_when_it_is_gone(void **state)
{
    struct serve_rig *rig = *state;
    int fd;

    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    fd = listen_at(serve_rig_path(rig, SERVE_AGENT));
    assert_int_equal(serve_keep(rig->serve, rig->error, sizeof(rig->error)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    close(accept(fd, NULL, NULL)); /* who looked, and nobody else */
    close(fd);
    kept_well(rig);
}

static void rights_that_a_socket_lost_are_given_back(void **state)
{
    struct serve_rig *rig = *state;
    struct stat st;

    assert_int_equal(chmod(serve_rig_path(rig, SERVE_AGENT), 0600), 0);
    kept_well(rig);
    assert_int_equal(stat(serve_rig_path(rig, SERVE_AGENT), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    assert_int_equal(chmod(serve_rig_path(rig, SERVE_ADMIN), 0666),
                     0); /* wider is as it is wanted */
    kept_well(rig);
    assert_int_equal(stat(serve_rig_path(rig, SERVE_ADMIN), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
}

static void a_closed_directory_is_told_of_and_left(void **state)
{
    struct serve_rig *rig = *state;
    struct stat st;

    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_ADMIN), 0700), 0); /* may be meant */
    kept_well(rig);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 0750), 0);
    kept_with(rig, -EACCES, "chmod o+x");
    assert_int_equal(stat(serve_rig_dir(rig, SERVE_AGENT), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 0755), 0);
    kept_well(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(serve_rig, a_socket_that_was_removed_is_put_back),
        TEST_IN(serve_rig, clients_of_a_socket_that_was_removed_are_served_on),
        TEST_IN(serve_rig, directories_that_were_removed_are_made_again),
        TEST_IN(serve_rig, a_socket_at_which_nobody_listens_is_replaced),
        TEST_IN(serve_rig, a_file_that_is_no_socket_is_left_and_told_of_until_it_is_gone),
        TEST_IN(serve_rig, a_successor_keeps_the_names_and_they_come_back_when_it_is_gone),
        TEST_IN(serve_rig, rights_that_a_socket_lost_are_given_back),
        TEST_IN(serve_rig, a_closed_directory_is_told_of_and_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
