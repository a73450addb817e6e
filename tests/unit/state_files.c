/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts on disk when things break: damaged files, killed agents, directories that are not as
 * they should be, full disks. What was saved before is still there (W2).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/state_rig.h"

/* ---- bad files ---- */

static void put_file(const struct fixture *f, const char *text)
{
    FILE *out = fopen(fixture_path(f, "orders.state"), "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void assert_corrupt(struct fixture *f)
{
    struct state_cluster got;

    unlink(fixture_path(f, "orders.state.corrupt"));
    assert_int_equal(state_load(f->state, &rig_cluster, &got), -EBADMSG);
    assert_false(fixture_has(f, "orders.state"));
    assert_true(fixture_has(f, "orders.state.corrupt"));
    assert_int_equal(fixture_load_term(f->state), 0);
}

static void a_corrupt_file_is_put_aside_and_said_so_once(void **state)
{
    struct fixture *f = *state;

    put_file(f, "");
    assert_corrupt(f);
    put_file(f, "homing-state 1\ncluster orders\n");
    assert_corrupt(f);
    fixture_save_term(f->state, 1);
    assert_int_equal(truncate(fixture_path(f, "orders.state"), 100), 0);
    assert_corrupt(f);
    fixture_save_term(f->state, 1);
    assert_int_equal(truncate(fixture_path(f, "orders.state"), 8 * 1024 * 1024), 0);
    assert_corrupt(f);
}

static void what_is_no_file_is_put_aside_without_waiting_for_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkfifo(fixture_path(f, "orders.state"), 0600), 0);
    assert_corrupt(f);
    assert_int_equal(symlink("/etc/passwd", fixture_path(f, "orders.state")), 0);
    assert_corrupt(f);
    assert_int_equal(mkdir(fixture_path(f, "orders.state"), 0700), 0);
    assert_corrupt(f);
    rmdir(fixture_path(f, "orders.state.corrupt"));
}

static void a_save_over_a_corrupt_file_succeeds_and_keeps_it_aside(void **state)
{
    struct fixture *f = *state;

    put_file(f, "rubbish");
    fixture_save_term(f->state, 5);
    assert_true(fixture_has(f, "orders.state.corrupt"));
    assert_int_equal(fixture_load_term(f->state), 5);
}

static void what_a_killed_agent_left_half_written_does_not_matter(void **state)
{
    struct fixture *f = *state;
    FILE *out;

    fixture_save_term(f->state, 5);
    out = fopen(fixture_path(f, "orders.state.new"), "w");
    assert_non_null(out);
    for (int i = 0; i < 5000; i++)
        fputs("left over", out);
    fclose(out);
    assert_int_equal(fixture_load_term(f->state), 5);
    fixture_save_term(f->state, 6);
    assert_int_equal(fixture_load_term(f->state), 6);
}

/* Tells each term that is on disk. */
static void save_until_killed(const struct fixture *f, uint64_t term, int tell)
{
    for (;; term++) {
        struct state_cluster saved = rig_saved();
        saved.verdict.term.lo = term;
        if (state_save(f->state, &rig_cluster, &saved) || write(tell, &term, sizeof(term)) < 0)
            _exit(1);
    }
}

static void a_killed_agent_leaves_its_last_save_or_the_one_it_was_at(void **state)
{
    struct fixture *f = *state;
    uint64_t term = 0;

    for (int round = 0; round < 30; round++) {
        int ends[2];
        uint64_t told = term;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            save_until_killed(f, term + 1, ends[1]);
        close(ends[1]);
        for (int i = 0; i <= round % 4; i++)
            assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &told, sizeof(told)) == sizeof(told))
            ;
        close(ends[0]);
        term = fixture_load_term(f->state);
        assert_in_range(term, told, told + 1);
    }
}

/* ---- directories that are not as they should be ---- */

static void a_bad_directory_is_one_clear_line(void **state)
{
    struct fixture *f = *state;
    struct state *none = NULL;
    char path[128], error[256] = "";

    snprintf(path, sizeof(path), "%s/no/such", f->base);
    assert_int_equal(state_open(path, error, sizeof(error), &none), -ENOENT);
    assert_non_null(strstr(error, path));
    put_file(f, "");
    assert_int_equal(state_open(fixture_path(f, "orders.state"), error, sizeof(error), &none),
                     -ENOTDIR);
    assert_non_null(strstr(error, "orders.state"));
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(state_open(f->dir, error, sizeof(error), &none), -EPERM);
    assert_non_null(strstr(error, "chmod"));
    assert_null(none);
}

static void assert_save_fails(struct fixture *f, int error, const struct state_cluster *saved)
{
    assert_int_equal(state_save(f->state, &rig_cluster, saved), error);
    assert_false(fixture_has(f, "orders.state.new"));
    assert_int_equal(fixture_load_term(f->state), 5);
}

static void a_save_that_cannot_be_finished_leaves_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();
    struct rlimit limit, small;

    fixture_save_term(f->state, 5);
    saved.verdict.term.lo = 6;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 64, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_save_fails(f, -EFBIG, &saved);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    fixture_save_term(f->state, 6);
}

/* In a child with a mount namespace of its own. 77: not allowed to. */
static int on_a_tiny_disk(const struct fixture *f)
{
    struct state_cluster saved = rig_saved(), got;
    char error[256];
    struct state *s;

    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", f->dir, "tmpfs", 0, "size=16k,mode=0700"))
        return 77;
    if (state_open(f->dir, error, sizeof(error), &s) || state_save(s, &rig_cluster, &saved))
        return 1;
    int fd = open(fixture_path(f, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, error, sizeof(error)) > 0)
        ;
    close(fd);
    saved.verdict.term.lo++;
    if (state_save(s, &rig_cluster, &saved) != -ENOSPC || fixture_has(f, "orders.state.new") ||
        state_load(s, &rig_cluster, &got) || got.verdict.term.lo != saved.verdict.term.lo - 1)
        return 2;
    free(got.endpoints);
    unlink(fixture_path(f, "filler"));
    if (state_save(s, &rig_cluster, &saved))
        return 3;
    state_close(s);
    if (mount("none", f->dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL))
        return 77;
    if (state_open(f->dir, error, sizeof(error), &s) || state_load(s, &rig_cluster, &got) ||
        !got.have_verdict || state_save(s, &rig_cluster, &saved) != -EROFS)
        return 4;
    free(got.endpoints);
    state_close(s);
    return 0;
}

static void a_full_or_read_only_disk_is_an_error_of_save_not_of_load(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(on_a_tiny_disk(f));
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("needs a mount namespace\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_corrupt_file_is_put_aside_and_said_so_once),
        TEST(what_is_no_file_is_put_aside_without_waiting_for_it),
        TEST(a_save_over_a_corrupt_file_succeeds_and_keeps_it_aside),
        TEST(what_a_killed_agent_left_half_written_does_not_matter),
        TEST(a_killed_agent_leaves_its_last_save_or_the_one_it_was_at),
        TEST(a_bad_directory_is_one_clear_line),
        TEST(a_save_that_cannot_be_finished_leaves_the_one_before),
        TEST(a_full_or_read_only_disk_is_an_error_of_save_not_of_load),
    };
    return cmocka_run_group_tests_name("state_files", tests, NULL, NULL);
}
