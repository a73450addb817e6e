/* SPDX-License-Identifier: Apache-2.0
 *
 * crash.c - W2 on a disk that is as bad as it may be: what was written since the last sync is there
 * or not, each piece of a file and each name for itself and in any order. At every sync, and after
 * every save, the machine crashes a few times: what is loaded then is what was saved last, or what
 * was being saved, and nothing else. Agents are killed at any system call, and calls fail.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/dice.h"
#include "tests/support/state_rig.h"
#include "tests/support/test.h"

enum {
    IMAGE_MAX = 8192,
    VERSIONS_MAX = 16,
    FILES_MAX = 16,
    COPIES = 2,
    CRASHES = 3,
    STEPS = 150,
    WALKS = 20,
    ENDPOINTS = 40
};

struct image {
    size_t size;
    char bytes[IMAGE_MAX];
};

/* versions[0] is on disk, the others may be, in parts. */
struct file {
    int count;   /* 0: not in use */
    ino_t inode; /* 0: has no name any more, but may have it again after a crash */
    bool lost;   /* a sync of it failed: the kernel does not write again what it could not */
    struct image versions[VERSIONS_MAX];
};

/* Which files may have the name after a crash, NULL for none; the last one has it now. */
struct dir_name {
    int count;
    struct file *files[STEPS * 4];
};

static struct {
    const struct state_rig *f;
    bool watched;
    struct file files[FILES_MAX];
    struct dir_name names[COPIES];
    uint64_t may[STEPS + 1]; /* the terms that may be loaded */
    int may_count;
    uint64_t term; /* the last one that was saved or tried */
    uint64_t dice;
    int fails_in; /* 1: the next call; 0: none */
    bool dies;    /* with that call: then none after it happens either */
    bool dead;
    int crashes;
} disk;

static uint32_t roll(uint64_t sides)
{
    return dice_roll(&disk.dice, (uint32_t)sides);
}

/* ---- what is saved ---- */

/* All of it follows from the term; every now and then it gets longer or shorter. */
static struct state_cluster state_of(uint64_t term)
{
    static struct state_endpoint endpoints[ENDPOINTS];
    struct state_cluster saved = state_rig_saved();

    for (uint64_t i = 0; i < ENDPOINTS; i++)
        endpoints[i] = (struct state_endpoint){i + 1, term * 1000 + i, term * 7919};
    saved.verdict.term.lo = term;
    saved.verdict.writer = (uint32_t)(term % 3);
    saved.verdict.demoted = 1U << (term + 1) % 3;
    saved.endpoints = endpoints;
    saved.endpoint_count = (uint32_t)(term / 8 * 9 % ENDPOINTS);
    return saved;
}

static uint64_t load(struct state *state)
{
    struct state_cluster got;

    assert_int_equal(state_load(state, &state_rig_cluster, &got), 0);
    uint64_t term = got.have_verdict ? got.verdict.term.lo : 0;
    struct state_cluster want = state_of(term);
    bool may = false;
    for (int i = 0; i < disk.may_count; i++)
        may = may || term == disk.may[i];
    if (!may)
        fail_msg("term %d was loaded after %d", (int)term, (int)disk.may[0]);
    if (term) {
        got.verdict.position = want.verdict.position;
        state_rig_assert_same(&got, &want);
    }
    free(got.endpoints);
    return term;
}

/* ---- crashes ---- */

static void crash_file(const struct file *file, const char *path)
{
    static struct image made;
    size_t piece = roll(2) ? 512 : 64;

    made.size = file->versions[roll((uint64_t)file->count)].size;
    for (size_t at = 0; at < made.size; at += piece)
        memcpy(made.bytes + at, file->versions[roll((uint64_t)file->count)].bytes + at, piece);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(made.bytes, 1, made.size, out), made.size);
    assert_int_equal(fclose(out), 0);
}

static void empty_directory(const char *dir)
{
    static const char *const names[] = {"1", "2", "1.corrupt", "2.corrupt"};
    char path[160];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/orders.state.%s", dir, names[i]);
        unlink(path);
    }
}

/* In another directory: this agent goes on. */
static void crash_once(const char *dir)
{
    char path[160], error[128];
    struct state *state;

    assert_int_equal(state_open(dir, error, sizeof(error), &state), 0);
    for (int i = 0; i < COPIES; i++) {
        const struct file *file = disk.names[i].files[roll((uint64_t)disk.names[i].count)];
        snprintf(path, sizeof(path), "%s/orders.state.%d", dir, i + 1);
        if (file)
            crash_file(file, path);
    }
    load(state);
    state_close(state);
    empty_directory(dir);
    disk.crashes++;
}

static void crash(void)
{
    char dir[96];

    snprintf(dir, sizeof(dir), "%s/crashed", disk.f->base);
    disk.watched = false;
    for (int i = 0; i < CRASHES; i++)
        crash_once(dir);
    disk.watched = true;
}

/* ---- the disk; linked with --wrap ---- */

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);

static bool is_watched(int fd)
{
    char link[32], path[160] = "";

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return disk.watched && readlink(link, path, sizeof(path) - 1) > 0 &&
           strncmp(path, disk.f->dir, strlen(disk.f->dir)) == 0;
}

static bool fails(void)
{
    if (disk.dead)
        return true;
    if (disk.fails_in == 0 || --disk.fails_in > 0)
        return false;
    disk.dead = disk.dies;
    return true;
}

static struct file *file_of(ino_t inode)
{
    struct file *unused = NULL;

    for (int i = 0; i < FILES_MAX; i++) {
        if (disk.files[i].count && disk.files[i].inode == inode)
            return &disk.files[i];
        if (!disk.files[i].count)
            unused = &disk.files[i];
    }
    assert_non_null(unused);
    memset(unused, 0, sizeof(*unused));
    unused->count = 1; /* empty */
    unused->inode = inode;
    return unused;
}

static struct file *file_of_fd(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return file_of(st.st_ino);
}

static struct file *file_of_path(int dir, const char *path)
{
    struct stat st;

    return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) ? NULL : file_of(st.st_ino);
}

static void file_note(int fd)
{
    struct file *file = file_of_fd(fd);
    int i = file->count < VERSIONS_MAX ? file->count++ : 1 + (int)roll(VERSIONS_MAX - 1);
    char link[32];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    FILE *in = fopen(link, "r");
    assert_non_null(in);
    memset(file->versions[i].bytes, 0, IMAGE_MAX);
    file->versions[i].size = fread(file->versions[i].bytes, 1, IMAGE_MAX, in);
    file->versions[file->count - 1] = file->versions[i]; /* what is there now is the last one */
    file->lost = false;
    fclose(in);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (!is_watched(fd))
        return __real_write(fd, bytes, len);
    bool was_dead = disk.dead, failed = fails();
    ssize_t n = was_dead ? -1 : __real_write(fd, bytes, failed ? roll(len) : len);
    file_note(fd);
    errno = ENOSPC;
    return failed ? -1 : n;
}

static int sync_failed(struct file *file)
{
    if (!disk.dead)
        file->lost = true;
    errno = EIO;
    return -1;
}

static int file_sync(int fd)
{
    struct file *file = file_of_fd(fd);

    crash();
    if (fails())
        return sync_failed(file);
    if (!file->lost) {
        file->versions[0] = file->versions[file->count - 1];
        file->count = 1;
    }
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return is_watched(fd) ? file_sync(fd) : 0;
}

/* No file is forgotten that can have its name again. */
static void files_forget(void)
{
    for (int i = 0; i < FILES_MAX; i++) {
        struct file *file = &disk.files[i];
        if (!file->inode && file != disk.names[0].files[0] && file != disk.names[1].files[0])
            file->count = 0;
    }
}

static int dir_sync(void)
{
    crash();
    if (fails()) {
        errno = EIO;
        return -1;
    }
    for (int i = 0; i < COPIES; i++) {
        disk.names[i].files[0] = disk.names[i].files[disk.names[i].count - 1];
        disk.names[i].count = 1;
    }
    files_forget();
    return 0;
}

int __wrap_fsync(int fd)
{
    struct stat st;

    if (!is_watched(fd))
        return 0;
    assert_int_equal(fstat(fd, &st), 0);
    return S_ISDIR(st.st_mode) ? dir_sync() : file_sync(fd);
}

static void name_note(const char *path, struct file *file)
{
    const char *at = path + strlen("orders.state.");
    struct dir_name *name = &disk.names[*at - '1'];
    struct file *was = name->files[name->count - 1];

    if (at[1] != '\0') /* a file aside */
        return;
    if (was)
        was->inode = 0;
    assert_true(name->count < (int)(sizeof(name->files) / sizeof(name->files[0])));
    name->files[name->count++] = file;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (!disk.watched)
        return __real_renameat(from_dir, from, to_dir, to);
    if (fails()) {
        errno = EIO;
        return -1;
    }
    struct file *file = file_of_path(from_dir, from);
    name_note(from, NULL);
    name_note(to, file);
    return __real_renameat(from_dir, from, to_dir, to);
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
    if (!disk.watched)
        return __real_unlinkat(dir, path, flags);
    if (fails()) {
        errno = EIO;
        return -1;
    }
    struct file *file = file_of_path(dir, path);
    if (file)
        file->inode = 0;
    name_note(path, NULL);
    return __real_unlinkat(dir, path, flags);
}

/* ---- agents ---- */

static void expect(uint64_t term, bool only)
{
    disk.may_count = only ? 0 : disk.may_count;
    disk.may[disk.may_count++] = term;
}

static int save(struct state *state, uint64_t term)
{
    struct state_cluster saved = state_of(term);

    saved.verdict.position = roll(1000000);
    int rv = state_save(state, &state_rig_cluster, &saved);
    if (rv == -ESTALE) {
        load(state);
        rv = state_save(state, &state_rig_cluster, &saved);
    }
    if (rv == 0)
        expect(term, true);
    return rv;
}

static void reopen(struct state **state)
{
    state_close(*state);
    *state = state_rig_open(disk.f);
    load(*state);
}

/* The step's calls may fail from one of them on; who is killed by that is started again. */
static void step(struct state *onlooker, struct state **state)
{
    uint64_t live = load(onlooker);
    bool refresh = live && roll(2);

    if (!refresh)
        expect(++disk.term, false);
    disk.fails_in = roll(3) ? 0 : 1 + (int)roll(8);
    disk.dies = roll(2);
    int rv = save(*state, refresh ? live : disk.term);
    bool died = disk.dead;
    assert_true(rv == 0 || disk.fails_in == 0 || died);
    disk.dead = false;
    disk.fails_in = 0;
    if (died && roll(2))
        reopen(state);
    crash();
}

static void walk(const struct state_rig *f, uint64_t seed)
{
    struct state *agents[] = {state_rig_open(f), state_rig_open(f), state_rig_open(f)};

    memset(&disk.files, 0, sizeof(disk.files));
    disk.dice = seed;
    disk.names[0] = disk.names[1] = (struct dir_name){.count = 1};
    disk.term = 0;
    expect(0, true);
    disk.watched = true;
    for (int i = 0; i < STEPS; i++)
        step(agents[0], &agents[1 + (roll(8) == 0)]);
    disk.watched = false;
    for (int i = 0; i < 3; i++)
        state_close(agents[i]);
    empty_directory(f->dir);
}

static void W2_a_crash_leaves_the_last_save_or_the_one_that_was_being_made(void **state)
{
    const struct state_rig *f = *state;
    char path[128];

    disk.f = f;
    for (uint64_t seed = 1; seed <= WALKS; seed++) {
        print_message("seed %d\n", (int)seed);
        walk(f, seed);
    }
    assert_true(disk.crashes > WALKS * STEPS);
    snprintf(path, sizeof(path), "%s/crashed/lock", f->base);
    unlink(path);
    snprintf(path, sizeof(path), "%s/crashed", f->base);
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(state_rig, W2_a_crash_leaves_the_last_save_or_the_one_that_was_being_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
