/* SPDX-License-Identifier: Apache-2.0
 *
 * sockpath.c - the sockets' names in the file system: who gets them, who replaces whom, what is
 * left behind.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/serve_rig.h"
#include "tests/support/test.h"

/* Linked with --wrap=time: what was left over is seen to be old. */
static time_t time_passed;

time_t __real_time(time_t *at);
time_t __wrap_time(time_t *at);

time_t __wrap_time(time_t *at)
{
    return __real_time(at) + time_passed;
}

/* A server that is not there yet. */
static int rig_setup(void **state)
{
    static struct serve_rig rig;

    serve_rig_init(&rig);
    time_passed = 0;
    *state = &rig;
    return 0;
}

static int rig_teardown(void **state)
{
    return serve_rig_teardown(state);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) ? 0 : st.st_ino;
}

/* Entries of a directory, the lock aside. */
static int count_names(const char *dir)
{
    const struct dirent *e;
    DIR *d = opendir(dir);
    int n = 0;

    while (d && (e = readdir(d)))
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, "lock");
    if (d)
        closedir(d);
    return n;
}

static void assert_answers(struct serve_rig *rig, enum serve_socket socket)
{
    int fd = serve_rig_connect(rig, socket);

    assert_string_equal(serve_rig_ask(rig, fd, 1, "ping"), "1 \"pong\"");
    close(fd);
}

/* Opening must fail with this error, say `part`, and leave nothing behind. */
static void assert_refused(struct serve_rig *rig, int error, const char *part)
{
    struct serve *serve = NULL;
    int fds = serve_rig_count_fds();

    assert_int_equal(serve_rig_open(rig, false, &serve), error);
    if (!strstr(rig->error, part))
        fail_msg("'%s' does not say '%s'", rig->error, part);
    assert_null(serve);
    assert_int_equal(serve_rig_count_fds(), fds);
}

static void listen_at(const char *path, bool then_die)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    if (!then_die)
        assert_int_equal(listen(fd, 1), 0);
    close(fd);
}

static void make_dirs(const struct serve_rig *rig)
{
    assert_int_equal(mkdir(serve_rig_dir(rig, SERVE_AGENT), 0755), 0);
    assert_int_equal(mkdir(serve_rig_dir(rig, SERVE_ADMIN), 0750), 0);
}

/* ---- appearing ---- */

static void nothing_is_visible_before_publish_and_all_after_it(void **state)
{
    struct serve_rig *rig = *state;

    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    assert_int_equal(serve_rig_try_connect(rig, SERVE_AGENT), -ENOENT);
    assert_int_equal(serve_rig_try_connect(rig, SERVE_ADMIN), -ENOENT);
    assert_int_equal(serve_publish(rig->serve), 0);
    assert_answers(rig, SERVE_AGENT);
    assert_answers(rig, SERVE_ADMIN);
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_AGENT)), 1);
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_ADMIN)), 1);
}

static void modes_are_as_stated_whatever_the_umask(void **state)
{
    struct serve_rig *rig = *state;
    mode_t before = umask(0077);

    serve_rig_start(rig);
    umask(before);
    assert_int_equal(mode_of(serve_rig_dir(rig, SERVE_AGENT)), 0755);
    assert_int_equal(mode_of(serve_rig_dir(rig, SERVE_ADMIN)), 0750);
    assert_int_equal(mode_of(serve_rig_path(rig, SERVE_AGENT)), 0666);
    assert_int_equal(mode_of(serve_rig_path(rig, SERVE_ADMIN)), 0660);
}

static void a_directory_that_is_there_keeps_its_mode(void **state)
{
    struct serve_rig *rig = *state;

    make_dirs(rig);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 0711), 0);
    serve_rig_start(rig);
    assert_int_equal(mode_of(serve_rig_dir(rig, SERVE_AGENT)), 0711);
}

static void slashes_at_the_end_of_run_dir_do_not_matter(void **state)
{
    struct serve_rig *rig = *state;

    strcat(rig->run_dir, "//");
    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    rig->run_dir[strlen(rig->run_dir) - 2] = '\0';
    assert_int_equal(serve_publish(rig->serve), 0);
    assert_answers(rig, SERVE_ADMIN);
}

/* ---- other agents ---- */

static void a_live_agent_is_named_and_left_alone(void **state)
{
    struct serve_rig *rig = *state;
    char who[64];

    serve_rig_start(rig);
    snprintf(who, sizeof(who), "pid %d, uid %u", (int)getpid(), geteuid());
    assert_refused(rig, -EADDRINUSE, who);
    assert_refused(rig, -EADDRINUSE, serve_rig_path(rig, SERVE_AGENT));
    assert_refused(rig, -EADDRINUSE, "--takeover");
    assert_answers(rig, SERVE_AGENT);
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_AGENT)), 1);
    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    assert_refused(rig, -EADDRINUSE,
                   serve_rig_path(rig, SERVE_ADMIN)); /* the other one counts too */
}

static void takeover_replaces_a_live_agent_whose_exit_then_removes_nothing(void **state)
{
    struct serve_rig *rig = *state;
    struct serve *second;

    serve_rig_start(rig);
    ino_t before = inode_of(serve_rig_path(rig, SERVE_AGENT));
    int old_client = serve_rig_connect(rig, SERVE_AGENT);
    assert_int_equal(serve_rig_open(rig, true, &second), 0);
    assert_int_equal(inode_of(serve_rig_path(rig, SERVE_AGENT)), before);
    assert_int_equal(serve_publish(second), 0);
    assert_int_not_equal(inode_of(serve_rig_path(rig, SERVE_AGENT)), before);
    assert_string_equal(serve_rig_ask(rig, old_client, 1, "ping"), "1 \"pong\""); /* not cut off */

    serve_close(rig->serve);
    rig->serve = second;
    assert_answers(rig, SERVE_AGENT);
    assert_answers(rig, SERVE_ADMIN);
    close(old_client);
}

static void of_two_agents_that_start_together_one_gets_both_sockets(void **state)
{
    struct serve_rig *rig = *state;
    struct serve *second;

    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    assert_int_equal(serve_rig_open(rig, false, &second), 0);
    assert_int_equal(serve_publish(second), 0);
    assert_int_equal(serve_publish(rig->serve), -EADDRINUSE);
    serve_close(rig->serve);
    rig->serve = second;
    assert_answers(rig, SERVE_AGENT);
    assert_answers(rig, SERVE_ADMIN);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct serve_rig *rig = *state;

    make_dirs(rig);
    listen_at(serve_rig_path(rig, SERVE_AGENT), false);
    listen_at(serve_rig_path(rig, SERVE_ADMIN), true);
    serve_rig_start(rig);
    assert_answers(rig, SERVE_AGENT);
    assert_answers(rig, SERVE_ADMIN);
}

static void an_agent_too_busy_to_accept_is_alive(void **state)
{
    struct serve_rig *rig = *state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fds[4], r = 0, n = 0;

    make_dirs(rig);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", serve_rig_path(rig, SERVE_AGENT));
    assert_int_equal(bind(busy, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(busy, 0), 0);
    while (n < 4 && (r = serve_rig_try_connect(rig, SERVE_AGENT)) >= 0)
        fds[n++] = r;
    assert_int_equal(r, -EAGAIN);
    assert_refused(rig, -EADDRINUSE, "agent.sock");
    while (n > 0)
        close(fds[--n]);
    close(busy);
}

/* ---- leaving ---- */

static void an_exit_removes_both_names(void **state)
{
    struct serve_rig *rig = *state;

    serve_rig_start(rig);
    serve_close(rig->serve);
    rig->serve = NULL;
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_AGENT)), 0);
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_ADMIN)), 0);
}

static void an_exit_before_publish_removes_the_temporary_names(void **state)
{
    struct serve_rig *rig = *state;

    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_AGENT)), 1);
    serve_close(rig->serve);
    rig->serve = NULL;
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_AGENT)), 0);
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_ADMIN)), 0);
}

static void an_exit_leaves_what_is_not_its_own(void **state)
{
    struct serve_rig *rig = *state;

    serve_rig_start(rig);
    assert_int_equal(unlink(serve_rig_path(rig, SERVE_AGENT)), 0);
    listen_at(serve_rig_path(rig, SERVE_AGENT), false);
    ino_t others = inode_of(serve_rig_path(rig, SERVE_AGENT));
    serve_close(rig->serve);
    rig->serve = NULL;
    assert_int_not_equal(others, 0);
    assert_int_equal(inode_of(serve_rig_path(rig, SERVE_AGENT)), others);
}

static void temporary_names_of_killed_agents_are_swept_once_they_are_old(void **state)
{
    struct serve_rig *rig = *state;
    char left[256], kept[256];

    make_dirs(rig);
    snprintf(left, sizeof(left), "%s/.agent.abcdef", serve_rig_dir(rig, SERVE_AGENT));
    snprintf(kept, sizeof(kept), "%s/.other.abcdef", serve_rig_dir(rig, SERVE_AGENT));
    listen_at(left, true);
    listen_at(kept, true);
    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    assert_int_not_equal(inode_of(left), 0); /* just made: may be about to listen */
    serve_close(rig->serve);
    time_passed = 3600;
    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    assert_int_equal(inode_of(left), 0);
    assert_int_not_equal(inode_of(kept), 0);
}

static void a_live_temporary_name_is_not_swept(void **state)
{
    struct serve_rig *rig = *state;
    struct serve *second;

    assert_int_equal(serve_rig_open(rig, false, &rig->serve), 0);
    time_passed = 3600;
    assert_int_equal(serve_rig_open(rig, false, &second), 0);
    serve_close(second);
    assert_int_equal(serve_publish(rig->serve), 0);
    assert_answers(rig, SERVE_AGENT);
}

/* ---- places that are not as they should be ---- */

static void what_is_not_a_socket_is_not_replaced(void **state)
{
    struct serve_rig *rig = *state;

    make_dirs(rig);
    int fd = open(serve_rig_path(rig, SERVE_AGENT), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(rig, -EEXIST, "not a socket");
    assert_int_equal(mode_of(serve_rig_path(rig, SERVE_AGENT)), 0600);
}

static void a_missing_parent_is_said(void **state)
{
    struct serve_rig *rig = *state;

    strcat(rig->run_dir, "/no/such");
    assert_refused(rig, -ENOENT, "No such file");
}

static void a_run_dir_that_is_a_file_is_said(void **state)
{
    struct serve_rig *rig = *state;
    int fd = open(rig->run_dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
    assert_refused(rig, -ENOTDIR, "not a directory");
}

static void a_path_too_long_for_a_socket_is_said(void **state)
{
    struct serve_rig *rig = *state;

    while (strlen(rig->run_dir) < sizeof(rig->run_dir) - 2)
        strcat(rig->run_dir, "x");
    assert_refused(rig, -ENAMETOOLONG, "shorter run_dir");
}

static void a_directory_that_everybody_may_write_to_is_refused(void **state)
{
    struct serve_rig *rig = *state;

    make_dirs(rig);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 0777), 0);
    assert_refused(rig, -EPERM, "chmod");
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 01777), 0); /* as /tmp is */
    serve_rig_start(rig);
}

static void a_directory_of_somebody_else_is_refused(void **state)
{
    struct serve_rig *rig = *state;

    if (geteuid() != 0) {
        print_message("needs root, to give a directory away\n");
        skip();
    }
    make_dirs(rig);
    assert_int_equal(chown(serve_rig_dir(rig, SERVE_ADMIN), 50000, 50000), 0);
    assert_refused(rig, -EPERM, "uid 50000");
}

static void a_directory_that_we_may_not_write_to_is_said(void **state)
{
    struct serve_rig *rig = *state;
    uid_t self = geteuid();

    make_dirs(rig);
    assert_int_equal(chmod(rig->base, 0755), 0);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_ADMIN), 0555), 0);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 0555), 0);
    assert_int_equal(self ? 0 : seteuid(50000), 0);
    assert_refused(rig, -EACCES,
                   "-admin/lock: Permission denied; is the directory another user's?");
    assert_int_equal(seteuid(self), 0);

    /* The other one alone. */
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_ADMIN), 0777 | S_ISVTX), 0);
    assert_int_equal(self ? 0 : seteuid(50000), 0);
    assert_refused(rig, -EACCES, "cannot make a socket");
    assert_int_equal(seteuid(self), 0);
    assert_int_equal(chmod(serve_rig_dir(rig, SERVE_AGENT), 0755), 0);
}

static void a_held_lock_is_an_error_after_a_second(void **state)
{
    struct serve_rig *rig = *state;
    char path[256];

    serve_rig_start(rig);
    snprintf(path, sizeof(path), "%s/lock", serve_rig_dir(rig, SERVE_ADMIN));
    assert_int_equal(mode_of(path), 0600);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_refused(rig, -EBUSY, "lock");
    serve_close(rig->serve); /* does what it can */
    rig->serve = NULL;
    assert_int_equal(count_names(serve_rig_dir(rig, SERVE_AGENT)), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, nothing_is_visible_before_publish_and_all_after_it),
        TEST_IN(rig, modes_are_as_stated_whatever_the_umask),
        TEST_IN(rig, a_directory_that_is_there_keeps_its_mode),
        TEST_IN(rig, slashes_at_the_end_of_run_dir_do_not_matter),
        TEST_IN(rig, a_live_agent_is_named_and_left_alone),
        TEST_IN(rig, takeover_replaces_a_live_agent_whose_exit_then_removes_nothing),
        TEST_IN(rig, of_two_agents_that_start_together_one_gets_both_sockets),
        TEST_IN(rig, a_stale_socket_is_replaced),
        TEST_IN(rig, an_agent_too_busy_to_accept_is_alive),
        TEST_IN(rig, an_exit_removes_both_names),
        TEST_IN(rig, an_exit_before_publish_removes_the_temporary_names),
        TEST_IN(rig, an_exit_leaves_what_is_not_its_own),
        TEST_IN(rig, temporary_names_of_killed_agents_are_swept_once_they_are_old),
        TEST_IN(rig, a_live_temporary_name_is_not_swept),
        TEST_IN(rig, what_is_not_a_socket_is_not_replaced),
        TEST_IN(rig, a_missing_parent_is_said),
        TEST_IN(rig, a_run_dir_that_is_a_file_is_said),
        TEST_IN(rig, a_path_too_long_for_a_socket_is_said),
        TEST_IN(rig, a_directory_that_everybody_may_write_to_is_refused),
        TEST_IN(rig, a_directory_of_somebody_else_is_refused),
        TEST_IN(rig, a_directory_that_we_may_not_write_to_is_said),
        TEST_IN(rig, a_held_lock_is_an_error_after_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
