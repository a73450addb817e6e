/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c - see state.h; what is in a file is state_text.c's.
 *
 * 1. W2: a save that returned 0 survives a crash of the machine, and one that did not left the file
 *    before it whole: written aside, fsync'd, renamed, and the directory fsync'd.
 * 2. What is recent (state_text.h) goes to a file beside, overwritten in place and left to the
 *    kernel: it outlives us, and means nothing after a crash of the machine. So the loop does not
 *    wait for the disk while nothing happens.
 * 3. Every look at a file and every change of it is under the directory's lock; what another agent
 *    wrote since our last look, and we may not overrule, is read before it is overwritten.
 */
#include "config.h"

#include "agent/publish/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/publish/state_text.h"

enum {
    /* Another agent holds the lock for one save. One that was stopped in it must not stop us for
     * longer than a slow disk would. */
    STATE_LOCK_TRIES = 50,
    STATE_LOCK_PAUSE_MS = 2,
    /* Some 300 bytes and 60 for each endpoint; more was not written by us. */
    STATE_FILE_MAX = 4 * 1024 * 1024
};

/* Safe as a file name, and still to be recognised; ".corrupt" fits behind it. */
typedef char state_name[240];

/* What the operator ordered; 0: the configuration's mode. */
struct orders {
    int mode;
    bool frozen;
};

/* Which text of a cluster we wrote or read last; entries stay when clusters go. */
struct state_seen {
    uint64_t cluster;
    uint64_t sum;
    uint64_t lasting; /* sum of it without what is recent; 0: not known */
    uint64_t identity;
    struct term term;
    struct orders orders;
};

struct state {
    int dir;
    int lock; /* -1: could not be opened, yet */
    struct state_seen *seen;
    uint32_t seen_count;
    char boot_id[40];
};

/* A file as it is on disk; text NULL: there is none. */
struct state_file {
    char *text;
    size_t len;
};

/* ---- opening ---- */

static void state_read_boot_id(char ret_id[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret_id, 36);

    ret_id[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* Whoever may write there decides for every program on the node who the writer was. */
static int state_check_dir(int fd)
{
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    return (st.st_mode & S_IWOTH) ? -EPERM : 0;
}

static int state_open_dir(const char *dir, int *ret_fd)
{
    if (mkdir(dir, 0700) && errno != EEXIST)
        return -errno;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = state_check_dir(fd);
    if (r) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int state_open(const char *dir, char *ret_error, size_t error_size, struct state **ret_state)
{
    struct state *state = calloc(1, sizeof(*state));
    int r = state ? state_open_dir(dir, &state->dir) : -ENOMEM;

    if (r) {
        snprintf(ret_error, error_size, "%s: %s", dir,
                 r == -EPERM ? "writable by everybody: chmod o-w it" : strerror(-r));
        free(state);
        return r;
    }
    state->lock = -1;
    state_read_boot_id(state->boot_id);
    *ret_state = state;
    return 0;
}

void state_close(struct state *state)
{
    if (!state)
        return;
    close(state->dir);
    if (state->lock >= 0)
        close(state->lock);
    free(state->seen);
    free(state);
}

/* ---- small parts ---- */

static uint64_t now_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct state_clock state_now(const struct state *state)
{
    struct state_clock clock = {
        .monotonic_ms = now_ms(CLOCK_MONOTONIC),
        .boot_ms = now_ms(CLOCK_BOOTTIME),
    };

    memcpy(clock.boot_id, state->boot_id, sizeof(clock.boot_id));
    return clock;
}

/* A file of its own, because others may open, and so lock, the directory. Where it cannot be made
 * nothing can be written, and reading needs no lock: files change by rename() only. */
static int state_lock(struct state *state)
{
    if (state->lock < 0)
        state->lock = openat(state->dir, "lock",
                             O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    for (int i = 0; i < STATE_LOCK_TRIES && state->lock >= 0; i++) {
        if (flock(state->lock, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        nanosleep(&(struct timespec){.tv_nsec = STATE_LOCK_PAUSE_MS * 1000000L}, NULL);
    }
    return state->lock < 0 ? 0 : -EBUSY;
}

static void state_unlock(const struct state *state)
{
    if (state->lock >= 0)
        flock(state->lock, LOCK_UN);
}

static bool is_safe(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || (c == '.' && !first);
}

/* "orders" → "orders.state". What is not safe becomes '_', what is long is cut, and both are told
 * apart by a hash. */
static void state_file_name(const char *cluster, state_name ret_name)
{
    char name[161];
    bool same = true;
    size_t i;

    for (i = 0; cluster[i] && i < sizeof(name) - 1; i++) {
        name[i] = is_safe(cluster[i], i == 0) ? cluster[i] : '_';
        same = same && name[i] == cluster[i];
    }
    name[i] = '\0';
    if (same && !cluster[i])
        snprintf(ret_name, sizeof(state_name), "%s.state", name);
    else
        snprintf(ret_name, sizeof(state_name), "%s~%016llx.state", name,
                 (unsigned long long)state_text_sum(cluster, strlen(cluster)));
}

static struct state_seen *seen_find(const struct state *state, const char *cluster)
{
    uint64_t hash = state_text_sum(cluster, strlen(cluster));

    for (uint32_t i = 0; i < state->seen_count; i++)
        if (state->seen[i].cluster == hash)
            return &state->seen[i];
    return NULL;
}

static struct orders orders_of(const struct state_cluster *saved)
{
    return (struct orders){.mode = saved->have_mode ? (int)saved->mode : 0,
                           .frozen = saved->have_verdict && saved->verdict.frozen};
}

/* Forgetting is safe: then the file is another's, and has to be merged. */
static void seen_note(struct state *state, const char *cluster, const struct state_file *file,
                      const struct state_cluster *saved, uint64_t lasting)
{
    struct state_seen *seen = seen_find(state, cluster);

    if (!seen) {
        struct state_seen *grown = reallocarray(state->seen, state->seen_count + 1, sizeof(*grown));
        if (!grown)
            return;
        state->seen = grown;
        seen = &grown[state->seen_count++];
        seen->cluster = state_text_sum(cluster, strlen(cluster));
    }
    seen->orders = orders_of(saved);
    seen->identity = saved->have_verdict ? saved->verdict.identity : 0;
    seen->term = saved->verdict.term;
    seen->lasting = lasting;
    seen->sum = file->text ? state_text_sum(file->text, file->len) : 0;
}

/* ---- reading ---- */

static int read_all(int fd, size_t size, char *text)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = read(fd, text + got, size - got);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EBADMSG;
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int file_read_fd(int fd, struct state_file *ret_file)
{
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > STATE_FILE_MAX)
        return -EBADMSG;
    char *text = malloc((size_t)st.st_size + 1);
    if (!text)
        return -ENOMEM;
    int r = read_all(fd, (size_t)st.st_size, text);
    if (r) {
        free(text);
        return r;
    }
    *ret_file = (struct state_file){.text = text, .len = (size_t)st.st_size};
    return 0;
}

/* 0 with text NULL: there is no file. -EBADMSG: whatever it is, it is no file of ours. */
static int file_read(const struct state *state, const char *name, struct state_file *ret_file)
{
    int fd = openat(state->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        *ret_file = (struct state_file){0};
        return 0;
    }
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    int r = file_read_fd(fd, ret_file);
    close(fd);
    return r;
}

/* Kept for whoever wants to know what happened; the newest one. */
static void file_put_aside(const struct state *state, const char *name)
{
    char aside[sizeof(state_name) + 8];

    snprintf(aside, sizeof(aside), "%s.corrupt", name);
    (void)renameat(state->dir, name, state->dir, aside);
}

/* Reads the file and what it says. -EBADMSG: it was put aside; as if there were none. */
static int file_take(struct state *state, const struct conf_cluster *cluster, const char *name,
                     struct state_file *ret_file, struct state_cluster *ret_saved)
{
    struct state_clock clock = state_now(state);
    struct state_file file = {0};
    int r = file_read(state, name, &file);

    if (r == 0 && file.text)
        r = state_text_decode(file.text, file.len, cluster, &clock, ret_saved);
    else if (r == 0)
        *ret_saved = (struct state_cluster){0};
    if (r == -EBADMSG)
        file_put_aside(state, name);
    if (r) {
        free(file.text);
        return r;
    }
    *ret_file = file;
    return 0;
}

static void recent_name(const char *name, char ret_name[sizeof(state_name) + 16])
{
    snprintf(ret_name, sizeof(state_name) + 16, "%s.recent", name);
}

/* What cannot be read is not there. */
static void recent_take(struct state *state, const char *name, const struct state_file *file,
                        struct verdict *verdict)
{
    struct state_clock clock = state_now(state);
    char text[STATE_RECENT_MAX], recent[sizeof(state_name) + 16];

    recent_name(name, recent);
    int fd = openat(state->dir, recent, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    if (n > 0)
        (void)state_text_decode_recent(text, (size_t)n, &clock,
                                       state_text_sum(file->text, file->len), verdict);
}

int state_load(struct state *state, const struct conf_cluster *cluster,
               struct state_cluster *ret_saved)
{
    struct state_file file;
    state_name name;
    int r = state_lock(state);

    if (r)
        return r;
    state_file_name(cluster->name, name);
    r = file_take(state, cluster, name, &file, ret_saved);
    if (r == 0 && ret_saved->have_verdict)
        recent_take(state, name, &file, &ret_saved->verdict);
    state_unlock(state);
    if (r)
        return r;
    seen_note(state, cluster->name, &file, ret_saved, 0);
    free(file.text);
    return 0;
}

/* ---- saving ---- */

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) ? -errno : 0;
}

static int file_write(const struct state *state, const char *name, const struct state_file *file)
{
    char temp[sizeof(state_name) + 8];

    snprintf(temp, sizeof(temp), "%s.new", name);
    int fd = openat(state->dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = write_all(fd, file->text, file->len);
    if (close(fd) && r == 0)
        r = -errno;
    if (r == 0 && renameat(state->dir, temp, state->dir, name))
        r = -errno;
    if (r) {
        unlinkat(state->dir, temp, 0);
        return r;
    }
    return fsync(state->dir) ? -errno : 0;
}

static bool is_newer(struct term a, struct term b)
{
    return a.hi != b.hi ? a.hi > b.hi : a.lo > b.lo;
}

static const struct state_endpoint *endpoint_find(const struct state_cluster *saved, uint64_t id)
{
    for (uint32_t i = 0; i < saved->endpoint_count; i++)
        if (saved->endpoints[i].id == id)
            return &saved->endpoints[i];
    return NULL;
}

static bool has_newer_generation(const struct state_cluster *theirs,
                                 const struct state_cluster *ours)
{
    for (uint32_t i = 0; i < theirs->endpoint_count; i++) {
        const struct state_endpoint *own = endpoint_find(ours, theirs->endpoints[i].id);
        if (own && theirs->endpoints[i].generation > own->generation)
            return true;
    }
    return false;
}

/* A claim that differs from ours is older than ours if it is what we saw last: an operator has told
 * us to accept another one since. */
static bool has_newer_claim(const struct state_seen *seen, const struct state_cluster *theirs,
                            const struct state_cluster *ours)
{
    const struct verdict *t = &theirs->verdict, *o = &ours->verdict;

    if (!theirs->have_verdict || t->identity == 0)
        return false;
    if (seen && seen->identity == t->identity && !is_newer(t->term, seen->term))
        return false;
    return t->identity != o->identity || is_newer(t->term, o->term);
}

/* And so are orders. */
static bool has_newer_orders(const struct state_seen *seen, const struct state_cluster *theirs,
                             const struct state_cluster *ours)
{
    struct orders t = orders_of(theirs), o = seen ? seen->orders : orders_of(ours);

    return t.mode != o.mode || t.frozen != o.frozen;
}

/* Whether what another agent saved has something that ours lacks: a term, another identity (it was
 * told to accept one), a generation, an order of the operator. */
static bool must_merge(const struct state_seen *seen, const struct state_cluster *theirs,
                       const struct state_cluster *ours)
{
    return has_newer_claim(seen, theirs, ours) || has_newer_generation(theirs, ours) ||
           has_newer_orders(seen, theirs, ours);
}

/* -ESTALE if the file has to be read before it is overwritten. A corrupt one need not. *ret_ours:
 * it is as we saw it last. */
static int check_others(struct state *state, const struct conf_cluster *cluster, const char *name,
                        const struct state_cluster *ours, bool *ret_ours)
{
    const struct state_seen *seen = seen_find(state, cluster->name);
    struct state_cluster theirs;
    struct state_file file;
    int r = file_take(state, cluster, name, &file, &theirs);

    *ret_ours = false;
    if (r)
        return r == -EBADMSG ? 0 : r;
    if (file.text)
        *ret_ours = seen && seen->sum == state_text_sum(file.text, file.len);
    if (file.text && !*ret_ours && must_merge(seen, &theirs, ours))
        r = -ESTALE;
    free(file.text);
    free(theirs.endpoints);
    return r;
}

static int recent_write(struct state *state, const char *name, uint64_t of,
                        const struct verdict *verdict)
{
    struct state_clock clock = state_now(state);
    char text[STATE_RECENT_MAX], recent[sizeof(state_name) + 16];
    size_t len = state_text_encode_recent(verdict, &clock, of, text);

    recent_name(name, recent);
    int fd =
        openat(state->dir, recent, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, len);
    int r = n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
    struct stat st;
    if (r == 0 && fstat(fd, &st) == 0 && (size_t)st.st_size > len && ftruncate(fd, (off_t)len))
        r = -errno;
    close(fd);
    return r;
}

/* The sum of the text without what is recent, and without `since`, which changes with the writer
 * and otherwise only by the cut of a millisecond. */
static int lasting_sum(const struct conf_cluster *cluster, const struct state_cluster *saved,
                       const struct state_clock *clock, uint64_t *ret_sum)
{
    struct state_cluster lasting = *saved;
    char *text;
    size_t len;

    lasting.verdict.confirmed_ms = lasting.verdict.since_ms = lasting.verdict.position = 0;
    int r = state_text_encode(cluster, &lasting, clock, &text, &len);
    if (r)
        return r;
    *ret_sum = state_text_sum(text, len);
    free(text);
    return 0;
}

static int save_locked(struct state *state, const struct conf_cluster *cluster,
                       const struct state_cluster *saved, const struct state_file *file,
                       uint64_t lasting)
{
    state_name name;
    bool ours;

    state_file_name(cluster->name, name);
    int r = check_others(state, cluster, name, saved, &ours);
    if (r)
        return r;
    const struct state_seen *seen = seen_find(state, cluster->name);
    if (ours && seen->lasting == lasting)
        return recent_write(state, name, seen->sum, &saved->verdict);
    r = file_write(state, name, file);
    if (r == 0)
        seen_note(state, cluster->name, file, saved, lasting);
    return r;
}

int state_save(struct state *state, const struct conf_cluster *cluster,
               const struct state_cluster *saved)
{
    struct state_clock clock = state_now(state);
    struct state_file file;
    uint64_t lasting;
    int r = lasting_sum(cluster, saved, &clock, &lasting);

    if (r == 0)
        r = state_text_encode(cluster, saved, &clock, &file.text, &file.len);
    if (r)
        return r;
    r = state_lock(state);
    if (r == 0) {
        r = save_locked(state, cluster, saved, &file, lasting);
        state_unlock(state);
    }
    free(file.text);
    return r;
}
