/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts on disk: what is saved is loaded, by the next agent and by the one beside it, whatever
 * happened to the files in between (W2).
 */
#include "config.h"

#include <dirent.h>
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
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/loop.h"
#include "agent/publish/state.h"
#include "tests/support/state_rig.h"

struct fixture {
    char base[64];
    char dir[80];
    struct state *state;
};

static struct state *open_another(const struct fixture *f)
{
    char error[256] = "";
    struct state *state = NULL;

    if (state_open(f->dir, error, sizeof(error), &state))
        fail_msg("%s", error);
    return state;
}

static int setup(void **state)
{
    static struct fixture f;

    strcpy(f.base, "/tmp/homing-test-XXXXXX");
    assert_non_null(mkdtemp(f.base));
    snprintf(f.dir, sizeof(f.dir), "%s/state", f.base);
    f.state = open_another(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char path[512];
    const struct dirent *e;
    DIR *d = opendir(f->dir);

    state_close(f->state);
    while (d && (e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, e->d_name);
        if (unlink(path))
            rmdir(path);
    }
    closedir(d);
    rmdir(f->dir);
    return rmdir(f->base);
}

static const char *path_of(const struct fixture *f, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return path;
}

static bool exists(const struct fixture *f, const char *name)
{
    struct stat st;

    return lstat(path_of(f, name), &st) == 0;
}

static uint64_t load_term(struct state *state)
{
    struct state_cluster got;

    assert_int_equal(state_load(state, &rig_cluster, &got), 0);
    free(got.endpoints);
    return got.have_verdict ? got.verdict.term.lo : 0;
}

static void save_term(struct state *state, uint64_t term)
{
    struct state_cluster saved = rig_saved();

    saved.verdict.term.lo = term;
    assert_int_equal(state_save(state, &rig_cluster, &saved), 0);
}

/* ---- there and back ---- */

static void what_is_saved_is_loaded_by_the_next_agent(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved(), got;
    struct loop *loop = loop_new();

    saved.verdict.confirmed_ms = loop_now_ms(loop);
    saved.verdict.since_ms = loop_now_ms(loop) - 5;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    state_close(f->state);
    f->state = open_another(f);
    assert_int_equal(state_load(f->state, &rig_cluster, &got), 0);
    /* Two clocks are read one after the other, and each is cut to milliseconds. */
    assert_in_range(got.verdict.confirmed_ms + 10, saved.verdict.confirmed_ms + 8,
                    saved.verdict.confirmed_ms + 12);
    got.verdict.confirmed_ms = saved.verdict.confirmed_ms;
    got.verdict.since_ms = saved.verdict.since_ms;
    rig_assert_same(&got, &saved);
    free(got.endpoints);
    loop_free(loop);
}

static void what_was_never_saved_is_no_verdict_and_no_error(void **state)
{
    struct fixture *f = *state;
    struct state_cluster got;

    assert_int_equal(state_load(f->state, &rig_cluster, &got), 0);
    assert_false(got.have_verdict);
    assert_false(got.have_mode);
    assert_null(got.endpoints);
}

static void the_last_save_is_what_counts(void **state)
{
    struct fixture *f = *state;

    for (uint64_t term = 1; term < 20; term++)
        save_term(f->state, term);
    assert_int_equal(load_term(f->state), 19);
    assert_false(exists(f, "orders.state.new"));
}

static void the_directory_is_made_for_the_agent_alone(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    save_term(f->state, 1);
    assert_int_equal(stat(path_of(f, "orders.state"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_cluster_name_cannot_leave_the_directory(void **state)
{
    static char longest[400];
    static char *const names[] = {"../orders", "a/b", "a_b", ".hidden", "lock", longest, "ä", "A"};
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved(), got;
    struct conf_cluster cluster = rig_cluster;

    memset(longest, 'x', sizeof(longest) - 1);
    for (uint64_t i = 0; i < 8; i++) {
        cluster.name = names[i];
        saved.verdict.position = i;
        assert_int_equal(state_save(f->state, &cluster, &saved), 0);
    }
    for (uint64_t i = 0; i < 8; i++) {
        cluster.name = names[i];
        assert_int_equal(state_load(f->state, &cluster, &got), 0);
        assert_int_equal(got.verdict.position, i);
        free(got.endpoints);
    }
    assert_int_equal(access(f->base, F_OK), 0);
    char outside[128];
    snprintf(outside, sizeof(outside), "%s/orders.state", f->base);
    assert_int_not_equal(access(outside, F_OK), 0);
}

/* ---- refreshing ---- */

/* Linked with --wrap=fsync. */
static int fsyncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    fsyncs++;
    return __real_fsync(fd);
}

static struct verdict load_verdict(const struct fixture *f)
{
    struct state *another = open_another(f);
    struct state_cluster got;

    assert_int_equal(state_load(another, &rig_cluster, &got), 0);
    free(got.endpoints);
    state_close(another);
    return got.verdict;
}

static void a_refreshed_confirmation_outlives_the_agent_without_an_fsync(void **state)
{
    struct fixture *f = *state;
    struct loop *loop = loop_new();
    struct state_cluster saved = rig_saved();

    fsyncs = 0;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(fsyncs, 2);
    for (uint64_t i = 1; i < 20; i++) {
        saved.verdict.position = i * 1000000;
        saved.verdict.confirmed_ms = loop_now_ms(loop);
        assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
        struct verdict got = load_verdict(f);
        assert_int_equal(got.position, i * 1000000);
        assert_in_range(got.confirmed_ms + 2, saved.verdict.confirmed_ms,
                        saved.verdict.confirmed_ms + 4);
    }
    assert_int_equal(fsyncs, 2);
    loop_free(loop);
}

static void a_refresh_of_an_older_state_means_nothing(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_true(exists(f, "orders.state.recent"));
    saved.verdict.term.lo++;
    saved.verdict.position = 7;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 7);
}

static void anything_but_a_refresh_is_on_disk_at_once(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    for (int i = 0; i < 4; i++) {
        if (i == 0)
            saved.verdict.state = CLUSTER_SUSPECT;
        else if (i == 1)
            saved.verdict.demoted = 0x1;
        else if (i == 2)
            saved.mode = CONF_MODE_OFF;
        else
            saved.endpoint_count = 1;
        fsyncs = 0;
        assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
        assert_int_equal(fsyncs, 2);
    }
}

static void a_refresh_does_not_hide_what_another_agent_saved(void **state)
{
    struct fixture *f = *state;
    struct state *other = open_another(f);
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_not_equal(load_term(other), 0);
    save_term(other, saved.verdict.term.lo + 1);
    saved.verdict.position++;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), -ESTALE);
    state_close(other);
}

static void a_damaged_refresh_is_as_none(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 99);
    assert_int_equal(truncate(path_of(f, "orders.state.recent"), 100), 0);
    assert_int_equal(load_verdict(f).position, rig_saved().verdict.position);
    saved.verdict.position = 100;
    assert_int_equal(truncate(path_of(f, "orders.state.recent"), 5000), 0);
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 100);
}

/* ---- two agents ---- */

static void another_agents_newer_term_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct state *other = open_another(f);
    struct state_cluster saved = rig_saved();

    save_term(f->state, 3);
    assert_int_equal(load_term(other), 3);
    save_term(other, 4);
    saved.verdict.term.lo = 3;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), -ESTALE);
    assert_int_equal(load_term(other), 4);

    /* Who has merged may save: an operator can have accepted an older term. */
    assert_int_equal(load_term(f->state), 4);
    save_term(f->state, 2);
    assert_int_equal(load_term(other), 2);
    state_close(other);
}

static void another_agents_older_term_is(void **state)
{
    struct fixture *f = *state;
    struct state *other = open_another(f);

    save_term(f->state, 3);
    assert_int_equal(load_term(other), 3);
    save_term(other, 3);
    save_term(f->state, 4);
    assert_int_equal(load_term(other), 4);
    state_close(other);
}

static void assert_stale_after(struct fixture *f, const struct state_cluster *theirs)
{
    struct state *other = open_another(f);
    struct state_cluster ours = rig_saved();

    assert_int_equal(unlink(path_of(f, "orders.state")) && errno != ENOENT, 0);
    save_term(f->state, ours.verdict.term.lo);
    assert_int_not_equal(load_term(other), 0);
    assert_int_equal(state_save(other, &rig_cluster, theirs), 0);
    assert_int_equal(state_save(f->state, &rig_cluster, &ours), -ESTALE);
    state_close(other);
}

static void another_identity_must_be_merged(void **state)
{
    struct state_cluster theirs = rig_saved();

    theirs.verdict.identity++;
    assert_stale_after(*state, &theirs);
}

static void a_higher_generation_must_be_merged(void **state)
{
    struct state_cluster theirs = rig_saved();
    struct state_endpoint endpoints[2];

    memcpy(endpoints, theirs.endpoints, sizeof(endpoints));
    endpoints[1].generation++;
    theirs.endpoints = endpoints;
    assert_stale_after(*state, &theirs);
}

static void an_operators_order_at_the_other_agent_must_be_merged(void **state)
{
    struct state_cluster theirs = rig_saved();

    theirs.mode = CONF_MODE_OFF;
    assert_stale_after(*state, &theirs);
    theirs = rig_saved();
    theirs.verdict.frozen = !theirs.verdict.frozen;
    assert_stale_after(*state, &theirs);
}

static void an_operators_order_here_overrules_what_the_other_agent_knows(void **state)
{
    struct fixture *f = *state;
    struct state *other = open_another(f);
    struct state_cluster saved = rig_saved();

    save_term(f->state, 3);
    assert_int_equal(load_term(other), 3);
    saved.verdict.position++;
    assert_int_equal(state_save(other, &rig_cluster, &saved), 0);
    saved.mode = CONF_MODE_OFF;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    state_close(other);
}

static void a_stopped_agent_that_holds_the_lock_does_not_stop_us_for_long(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    save_term(f->state, 1);
    int fd = open(path_of(f, "lock"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), -EBUSY);
    close(fd);
    save_term(f->state, 2);
}

/* ---- bad files ---- */

static void put_file(const struct fixture *f, const char *text)
{
    FILE *out = fopen(path_of(f, "orders.state"), "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void assert_corrupt(struct fixture *f)
{
    struct state_cluster got;

    unlink(path_of(f, "orders.state.corrupt"));
    assert_int_equal(state_load(f->state, &rig_cluster, &got), -EBADMSG);
    assert_false(exists(f, "orders.state"));
    assert_true(exists(f, "orders.state.corrupt"));
    assert_int_equal(load_term(f->state), 0);
}

static void a_corrupt_file_is_put_aside_and_said_so_once(void **state)
{
    struct fixture *f = *state;

    put_file(f, "");
    assert_corrupt(f);
    put_file(f, "homing-state 1\ncluster orders\n");
    assert_corrupt(f);
    save_term(f->state, 1);
    assert_int_equal(truncate(path_of(f, "orders.state"), 100), 0);
    assert_corrupt(f);
    save_term(f->state, 1);
    assert_int_equal(truncate(path_of(f, "orders.state"), 8 * 1024 * 1024), 0);
    assert_corrupt(f);
}

static void what_is_no_file_is_put_aside_without_waiting_for_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkfifo(path_of(f, "orders.state"), 0600), 0);
    assert_corrupt(f);
    assert_int_equal(symlink("/etc/passwd", path_of(f, "orders.state")), 0);
    assert_corrupt(f);
    assert_int_equal(mkdir(path_of(f, "orders.state"), 0700), 0);
    assert_corrupt(f);
    rmdir(path_of(f, "orders.state.corrupt"));
}

static void a_save_over_a_corrupt_file_succeeds_and_keeps_it_aside(void **state)
{
    struct fixture *f = *state;

    put_file(f, "rubbish");
    save_term(f->state, 5);
    assert_true(exists(f, "orders.state.corrupt"));
    assert_int_equal(load_term(f->state), 5);
}

static void what_a_killed_agent_left_half_written_does_not_matter(void **state)
{
    struct fixture *f = *state;
    FILE *out;

    save_term(f->state, 5);
    out = fopen(path_of(f, "orders.state.new"), "w");
    assert_non_null(out);
    for (int i = 0; i < 5000; i++)
        fputs("left over", out);
    fclose(out);
    assert_int_equal(load_term(f->state), 5);
    save_term(f->state, 6);
    assert_int_equal(load_term(f->state), 6);
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
        term = load_term(f->state);
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
    assert_int_equal(state_open(path_of(f, "orders.state"), error, sizeof(error), &none), -ENOTDIR);
    assert_non_null(strstr(error, "orders.state"));
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(state_open(f->dir, error, sizeof(error), &none), -EPERM);
    assert_non_null(strstr(error, "chmod"));
    assert_null(none);
}

static void assert_save_fails(struct fixture *f, int error, const struct state_cluster *saved)
{
    assert_int_equal(state_save(f->state, &rig_cluster, saved), error);
    assert_false(exists(f, "orders.state.new"));
    assert_int_equal(load_term(f->state), 5);
}

static void a_save_that_cannot_be_finished_leaves_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();
    struct rlimit limit, small;

    save_term(f->state, 5);
    saved.verdict.term.lo = 6;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 64, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_save_fails(f, -EFBIG, &saved);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    save_term(f->state, 6);
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
    int fd = open(path_of(f, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, error, sizeof(error)) > 0)
        ;
    close(fd);
    saved.verdict.term.lo++;
    if (state_save(s, &rig_cluster, &saved) != -ENOSPC || exists(f, "orders.state.new") ||
        state_load(s, &rig_cluster, &got) || got.verdict.term.lo != saved.verdict.term.lo - 1)
        return 2;
    free(got.endpoints);
    unlink(path_of(f, "filler"));
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_loaded_by_the_next_agent),
        TEST(what_was_never_saved_is_no_verdict_and_no_error),
        TEST(the_last_save_is_what_counts),
        TEST(the_directory_is_made_for_the_agent_alone),
        TEST(a_cluster_name_cannot_leave_the_directory),
        TEST(a_refreshed_confirmation_outlives_the_agent_without_an_fsync),
        TEST(a_refresh_of_an_older_state_means_nothing),
        TEST(anything_but_a_refresh_is_on_disk_at_once),
        TEST(a_refresh_does_not_hide_what_another_agent_saved),
        TEST(a_damaged_refresh_is_as_none),
        TEST(another_agents_newer_term_is_not_overwritten),
        TEST(another_agents_older_term_is),
        TEST(another_identity_must_be_merged),
        TEST(a_higher_generation_must_be_merged),
        TEST(an_operators_order_at_the_other_agent_must_be_merged),
        TEST(an_operators_order_here_overrules_what_the_other_agent_knows),
        TEST(a_stopped_agent_that_holds_the_lock_does_not_stop_us_for_long),
        TEST(a_corrupt_file_is_put_aside_and_said_so_once),
        TEST(what_is_no_file_is_put_aside_without_waiting_for_it),
        TEST(a_save_over_a_corrupt_file_succeeds_and_keeps_it_aside),
        TEST(what_a_killed_agent_left_half_written_does_not_matter),
        TEST(a_killed_agent_leaves_its_last_save_or_the_one_it_was_at),
        TEST(a_bad_directory_is_one_clear_line),
        TEST(a_save_that_cannot_be_finished_leaves_the_one_before),
        TEST(a_full_or_read_only_disk_is_an_error_of_save_not_of_load),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
