/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c - verdicts on disk when things break: damaged files, killed agents, directories that are
 * not as they should be, full disks. What was saved before is still there (W2).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/state_rig.h"
#include "tests/support/test.h"

/* ---- bad files ---- */

static void put_file(const struct state_rig *f, const char *name, const char *bytes, size_t len)
{
    FILE *out = fopen(state_rig_path(f, name), "w");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static size_t get_file(const struct state_rig *f, const char *name, char *bytes, size_t size)
{
    FILE *in = fopen(state_rig_path(f, name), "r");

    assert_non_null(in);
    size_t len = fread(bytes, 1, size, in);
    assert_int_equal(fclose(in), 0);
    return len;
}

static void put_both(const struct state_rig *f, const char *text)
{
    put_file(f, "orders.state.1", text, strlen(text));
    put_file(f, "orders.state.2", text, strlen(text));
}

static void remove_aside(const struct state_rig *f, const char *name)
{
    if (unlink(state_rig_path(f, name)))
        rmdir(state_rig_path(f, name));
}

static void assert_corrupt(struct state_rig *f)
{
    struct state_cluster got;

    remove_aside(f, "orders.state.1.corrupt");
    remove_aside(f, "orders.state.2.corrupt");
    assert_int_equal(state_load(f->state, &state_rig_cluster, &got), -EBADMSG);
    assert_false(state_rig_has(f, "orders.state.1"));
    assert_false(state_rig_has(f, "orders.state.2"));
    assert_true(state_rig_has(f, "orders.state.1.corrupt"));
    assert_true(state_rig_has(f, "orders.state.2.corrupt"));
    assert_int_equal(state_rig_load_term(f->state), 0);
}

static void truncate_both(const struct state_rig *f, off_t size)
{
    state_rig_save_term(f->state, 1);
    assert_int_equal(truncate(state_rig_path(f, "orders.state.1"), size), 0);
    assert_int_equal(truncate(state_rig_path(f, "orders.state.2"), size), 0);
}

static void two_corrupt_copies_are_put_aside_and_said_so_once(void **state)
{
    struct state_rig *f = *state;

    put_both(f, "");
    assert_corrupt(f);
    put_both(f, "homing-state 1\ncluster orders\n");
    assert_corrupt(f);
    truncate_both(f, 100);
    assert_corrupt(f);
    truncate_both(f, 8 * 1024 * 1024);
    assert_corrupt(f);
}

static void what_is_no_file_is_put_aside_without_waiting_for_it(void **state)
{
    struct state_rig *f = *state;

    assert_int_equal(mkfifo(state_rig_path(f, "orders.state.1"), 0600), 0);
    assert_int_equal(symlink("/etc/passwd", state_rig_path(f, "orders.state.2")), 0);
    assert_corrupt(f);
    assert_int_equal(mkdir(state_rig_path(f, "orders.state.1"), 0700), 0);
    assert_int_equal(mkdir(state_rig_path(f, "orders.state.2"), 0700), 0);
    assert_corrupt(f);
    remove_aside(f, "orders.state.1.corrupt");
    remove_aside(f, "orders.state.2.corrupt");
}

static void a_save_over_corrupt_copies_succeeds_and_keeps_them_aside(void **state)
{
    struct state_rig *f = *state;

    put_both(f, "rubbish");
    state_rig_save_term(f->state, 5);
    assert_true(state_rig_has(f, "orders.state.1.corrupt"));
    assert_true(state_rig_has(f, "orders.state.2.corrupt"));
    assert_int_equal(state_rig_load_term(f->state), 5);
}

/* ---- one bad copy ---- */

/* The copies after a save of term 1, 2 and 3; the last of them over that of term 1. */
struct turn {
    char before[2048], after[2048];
    size_t size;
};

static struct turn take_turn(const struct state_rig *f)
{
    struct turn t;

    state_rig_save_term(f->state, 1); /* both */
    state_rig_save_term(f->state, 2); /* the second */
    t.size = get_file(f, "orders.state.1", t.before, sizeof(t.before));
    state_rig_save_term(f->state, 3);
    assert_int_equal(get_file(f, "orders.state.1", t.after, sizeof(t.after)), t.size);
    assert_in_range(t.size, 512, sizeof(t.after) - 1);
    return t;
}

/* By another agent: this one has seen term 3. */
static uint64_t load_with_first(const struct state_rig *f, const char *bytes, size_t len)
{
    put_file(f, "orders.state.1", bytes, len);
    struct state *another = state_rig_open(f);
    uint64_t term = state_rig_load_term(another);

    state_close(another);
    return term;
}

static void any_changed_bit_of_a_copy_is_seen(void **state)
{
    const struct state_rig *f = *state;
    struct turn t = take_turn(f);

    for (size_t i = 0; i < t.size; i++) {
        t.after[i] ^= (char)(1 << i % 8);
        assert_int_equal(load_with_first(f, t.after, t.size), 2);
        assert_true(state_rig_has(f, "orders.state.1.corrupt"));
        t.after[i] ^= (char)(1 << i % 8);
    }
    assert_int_equal(load_with_first(f, t.after, t.size), 3);
}

static void a_save_that_was_torn_anywhere_leaves_the_one_before(void **state)
{
    const struct state_rig *f = *state;
    struct turn t = take_turn(f);
    char torn[sizeof(t.after)];

    for (size_t i = 0; i <= t.size; i++) {
        bool all = memcmp(t.before + i, t.after + i, t.size - i) == 0;
        memcpy(torn, t.after, i);
        memcpy(torn + i, t.before + i, t.size - i);
        assert_int_equal(load_with_first(f, torn, t.size), all ? 3 : 2);
        all = memcmp(t.before, t.after, i) == 0;
        memcpy(torn, t.before, i);
        memcpy(torn + i, t.after + i, t.size - i);
        assert_int_equal(load_with_first(f, torn, t.size), all ? 3 : 2);
    }
}

/* In eight pieces, any of which arrived. */
static void a_save_that_was_torn_out_of_order_leaves_the_one_before(void **state)
{
    const struct state_rig *f = *state;
    struct turn t = take_turn(f);
    size_t piece = t.size / 8;
    char torn[sizeof(t.after)];

    for (unsigned arrived = 0; arrived < 256; arrived++) {
        for (unsigned i = 0; i < 8; i++)
            memcpy(torn + i * piece, (arrived >> i & 1 ? t.after : t.before) + i * piece, piece);
        bool all = memcmp(torn, t.after, t.size) == 0;
        assert_int_equal(load_with_first(f, torn, t.size), all ? 3 : 2);
    }
}

static void a_save_beside_a_corrupt_copy_makes_both_anew(void **state)
{
    const struct state_rig *f = *state;

    (void)take_turn(f);
    put_file(f, "orders.state.1", "rubbish", 7);
    state_rig_save_term(f->state, 4);
    assert_true(state_rig_has(f, "orders.state.1.corrupt"));
    assert_int_equal(load_with_first(f, "rubbish", 7), 4);
    assert_int_equal(unlink(state_rig_path(f, "orders.state.2")), 0);
    state_rig_save_term(f->state, 5);
    assert_true(state_rig_has(f, "orders.state.2"));
    assert_int_equal(state_rig_load_term(f->state), 5);
}

/* Of another cluster, or of a version that is not known: it is as one that is not whole. */
static void a_copy_that_makes_no_sense_does_not_hide_the_other(void **state)
{
    struct state_rig *f = *state;
    struct conf_cluster cluster = state_rig_cluster;
    struct state_cluster saved = state_rig_saved();
    char bytes[4096];

    cluster.name = "other";
    for (int i = 0; i < 3; i++) {
        saved.verdict.term.lo++;
        assert_int_equal(state_save(f->state, &cluster, &saved), 0);
    }
    size_t len = get_file(f, "other.state.1", bytes, sizeof(bytes));
    state_rig_save_term(f->state, 5);
    put_file(f, "orders.state.1", bytes, len);
    assert_int_equal(state_rig_load_term(f->state), 5);
    assert_true(state_rig_has(f, "orders.state.1.corrupt"));
}

/* ---- killed agents ---- */

static void what_a_killed_agent_left_half_written_does_not_matter(void **state)
{
    struct state_rig *f = *state;
    FILE *out;

    state_rig_save_term(f->state, 5);
    out = fopen(state_rig_path(f, "orders.state.1.new"), "w");
    assert_non_null(out);
    for (int i = 0; i < 5000; i++)
        fputs("left over", out);
    fclose(out);
    assert_int_equal(state_rig_load_term(f->state), 5);
    assert_int_equal(unlink(state_rig_path(f, "orders.state.2")), 0);
    state_rig_save_term(f->state, 6);
    assert_int_equal(state_rig_load_term(f->state), 6);
}

/* Tells each term that is on disk. */
static void save_until_killed(const struct state_rig *f, uint64_t term, int tell)
{
    for (;; term++) {
        struct state_cluster saved = state_rig_saved();
        saved.verdict.term.lo = term;
        if (state_save(f->state, &state_rig_cluster, &saved) ||
            write(tell, &term, sizeof(term)) < 0)
            _exit(1);
    }
}

static void a_killed_agent_leaves_its_last_save_or_the_one_it_was_at(void **state)
{
    struct state_rig *f = *state;
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
        term = state_rig_load_term(f->state);
        assert_in_range(term, told, told + 1);
    }
}

/* ---- directories that are not as they should be ---- */

static void a_bad_directory_is_one_clear_line(void **state)
{
    struct state_rig *f = *state;
    struct state *none = NULL;
    char path[128], error[256] = "";

    snprintf(path, sizeof(path), "%s/no/such", f->base);
    assert_int_equal(state_open(path, error, sizeof(error), &none), -ENOENT);
    assert_non_null(strstr(error, path));
    put_file(f, "file", "", 0);
    assert_int_equal(state_open(state_rig_path(f, "file"), error, sizeof(error), &none), -ENOTDIR);
    assert_non_null(strstr(error, "/file"));
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(state_open(f->dir, error, sizeof(error), &none), -EPERM);
    assert_non_null(strstr(error, "others can write there"));
    assert_null(none);
}

static void a_directory_that_was_removed_or_replaced_is_another_one(void **state)
{
    struct state_rig *f = *state;
    char beside[160];

    assert_true(state_is_at(f->state, f->dir));
    snprintf(beside, sizeof(beside), "%s.beside", f->dir);
    assert_int_equal(rename(f->dir, beside), 0);
    assert_false(state_is_at(f->state, f->dir));
    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_false(state_is_at(f->state, f->dir));
    assert_int_equal(rmdir(f->dir), 0);
    assert_int_equal(rename(beside, f->dir), 0);
    assert_true(state_is_at(f->state, f->dir));
}

static void assert_save_fails(struct state_rig *f, int error, const struct state_cluster *saved)
{
    assert_int_equal(state_save(f->state, &state_rig_cluster, saved), error);
    assert_false(state_rig_has(f, "orders.state.1.new"));
    assert_int_equal(state_rig_load_term(f->state), 5);
}

static void a_save_that_cannot_be_finished_leaves_the_one_before(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();
    struct rlimit limit, small;

    state_rig_save_term(f->state, 5);
    saved.verdict.term.lo = 6;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 64, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_save_fails(f, -EFBIG, &saved); /* in place */
    assert_save_fails(f, -EFBIG, &saved); /* anew */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    state_rig_save_term(f->state, 6);
}

static void fill(const struct state_rig *f)
{
    static const char page[4096];
    int fd = open(state_rig_path(f, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    while (write(fd, page, sizeof(page)) > 0)
        ;
    close(fd);
}

/* Saves in place, and, as that is too long for it, not anew. */
static int on_a_full_disk(struct state *s)
{
    static struct state_endpoint many[500];
    struct state_cluster saved = state_rig_saved(), longer = saved, got;

    saved.verdict.term.lo++;
    longer.verdict.term.lo += 2;
    longer.endpoints = many;
    longer.endpoint_count = 500;
    if (state_save(s, &state_rig_cluster, &saved) ||
        state_save(s, &state_rig_cluster, &longer) != -ENOSPC ||
        state_load(s, &state_rig_cluster, &got))
        return 2;
    free(got.endpoints);
    return got.verdict.term.lo == saved.verdict.term.lo ? 0 : 3;
}

static int on_a_read_only_disk(const struct state_rig *f)
{
    struct state_cluster saved = state_rig_saved(), got;
    char error[256];
    struct state *s;

    if (state_open(f->dir, error, sizeof(error), &s) || state_load(s, &state_rig_cluster, &got) ||
        !got.have_verdict || state_save(s, &state_rig_cluster, &saved) != -EROFS)
        return 5;
    free(got.endpoints);
    /* Who reads here is to wait for who writes through another mount. */
    int fd = open(state_rig_path(f, "lock"), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) || state_load(s, &state_rig_cluster, &got) != -EBUSY)
        return 6;
    close(fd);
    state_close(s);
    return 0;
}

/* In a child with a mount namespace of its own. 77: not allowed to. */
static int on_a_tiny_disk(const struct state_rig *f)
{
    struct state_cluster saved = state_rig_saved();
    char error[256];
    struct state *s;

    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", f->dir, "tmpfs", 0, "size=16k,mode=0700"))
        return 77;
    if (state_open(f->dir, error, sizeof(error), &s) || state_save(s, &state_rig_cluster, &saved))
        return 1;
    fill(f);
    int rv = on_a_full_disk(s);
    if (rv || state_rig_has(f, "orders.state.1.new"))
        return rv ? rv : 4;
    unlink(state_rig_path(f, "filler"));
    saved.verdict.term.lo += 2;
    if (state_save(s, &state_rig_cluster, &saved))
        return 7;
    state_close(s);
    if (mount("none", f->dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL))
        return 77;
    return on_a_read_only_disk(f);
}

static void a_full_or_read_only_disk_is_an_error_of_save_not_of_load(void **state)
{
    struct state_rig *f = *state;
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
    const struct CMUnitTest tests[] = {
        TEST_IN(state_rig, two_corrupt_copies_are_put_aside_and_said_so_once),
        TEST_IN(state_rig, what_is_no_file_is_put_aside_without_waiting_for_it),
        TEST_IN(state_rig, a_save_over_corrupt_copies_succeeds_and_keeps_them_aside),
        TEST_IN(state_rig, any_changed_bit_of_a_copy_is_seen),
        TEST_IN(state_rig, a_save_that_was_torn_anywhere_leaves_the_one_before),
        TEST_IN(state_rig, a_save_that_was_torn_out_of_order_leaves_the_one_before),
        TEST_IN(state_rig, a_save_beside_a_corrupt_copy_makes_both_anew),
        TEST_IN(state_rig, a_copy_that_makes_no_sense_does_not_hide_the_other),
        TEST_IN(state_rig, what_a_killed_agent_left_half_written_does_not_matter),
        TEST_IN(state_rig, a_killed_agent_leaves_its_last_save_or_the_one_it_was_at),
        TEST_IN(state_rig, a_bad_directory_is_one_clear_line),
        TEST_IN(state_rig, a_directory_that_was_removed_or_replaced_is_another_one),
        TEST_IN(state_rig, a_save_that_cannot_be_finished_leaves_the_one_before),
        TEST_IN(state_rig, a_full_or_read_only_disk_is_an_error_of_save_not_of_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
