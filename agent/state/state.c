/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c - see state.h. state/text.c makes the text, and state/disk.c brings it to the disk. Who is missing,
 * missing.c writes and reads.
 *
 * 1. W2: a save that returned 0 survives a crash of the machine, but for 2. A save that failed left
 *    what was saved before.
 * 2. A save is a refresh if only the times and the position are new. When it reaches the disk is
 *    left to the kernel: it outlives the agent, and would mean nothing after a crash of the
 *    machine. So the loop does not wait for the disk while nothing happens.
 * 3. Files are read and written only under the directory's lock. If another agent saved something
 *    since our last look that we may not overrule, it is not overwritten before it was merged.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/state/disk.h"
#include "agent/state/state.h"
#include "agent/state/text.h"

enum {
    /* Another agent holds the lock for one save. If it was stopped meanwhile, it must not stop us
     * for longer than a slow disk would. */
    STATE_LOCK_TRIES = 50,
    STATE_LOCK_PAUSE_MS = 2
};

/* The name of a cluster's files: safe, still to be recognised, with room for ".1.corrupt" behind
 * it. */
typedef char state_name[200];

/* What the operator ordered; 0: the configuration's mode. */
struct orders {
    int mode;
    bool frozen;
};

/* What we last wrote or read of a cluster. It stays when the cluster is removed. */
struct state_seen {
    uint64_t cluster;
    struct state_known known;
    uint64_t identity;
    struct term term;
    struct orders orders;
};

struct state {
    int dir;
    int lock; /* -1: not opened yet */
    struct state_seen *seen;
    uint32_t seen_count;
    char boot_id[40];
};

/* ---- opening ---- */

static void read_boot_id(char ret_id[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret_id, 36);

    ret_id[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* A user that may write there decides for every program on the node which member was the writer. */
static int check_dir(int fd)
{
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    return (st.st_mode & S_IWOTH) ? -EPERM : 0;
}

static int open_dir(const char *dir, int *ret_fd)
{
    if (mkdir(dir, 0700) && errno != EEXIST)
        return errno == EPERM ? -EACCES : -errno; /* -EPERM is check_dir()'s */
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rv = check_dir(fd);
    if (rv) {
        close(fd);
        return rv;
    }
    *ret_fd = fd;
    return 0;
}

int state_open(const char *dir, char *ret_error, size_t error_size, struct state **ret_state)
{
    struct state *state = calloc(1, sizeof(*state));
    int rv = state ? open_dir(dir, &state->dir) : -ENOMEM;

    if (rv) {
        snprintf(ret_error, error_size, "%s: %s", dir,
                 rv == -EPERM ? "others can write there" : strerror(-rv));
        free(state);
        return rv;
    }
    state->lock = -1;
    read_boot_id(state->boot_id);
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

/* One that others can write to meanwhile is opened again, which says so. */
bool state_is_at(const struct state *state, const char *dir)
{
    struct stat is, was;

    return check_dir(state->dir) == 0 && fstat(state->dir, &was) == 0 && stat(dir, &is) == 0 &&
           is.st_dev == was.st_dev && is.st_ino == was.st_ino;
}

/* ---- small parts ---- */

static uint64_t now_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct state_clock now(const struct state *state)
{
    struct state_clock clock = {
        .monotonic_ms = now_ms(CLOCK_MONOTONIC),
        .boot_ms = now_ms(CLOCK_BOOTTIME),
    };

    memcpy(clock.boot_id, state->boot_id, sizeof(clock.boot_id));
    return clock;
}

/* The lock is a file of its own, because others may open, and so lock, the directory. If it cannot
 * be made, this agent cannot save. It is there all the same if another agent can save. */
static int open_lock(const struct state *state)
{
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = openat(state->dir, "lock", O_RDWR | O_CREAT | flags, 0600);

    return fd >= 0 ? fd : openat(state->dir, "lock", O_RDONLY | flags);
}

/* 0 without a lock: there is no such file, so no agent saves here. */
static int take_lock(struct state *state)
{
    if (state->lock < 0)
        state->lock = open_lock(state);
    for (int i = 0; i < STATE_LOCK_TRIES && state->lock >= 0; i++) {
        if (flock(state->lock, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        nanosleep(&(struct timespec){.tv_nsec = STATE_LOCK_PAUSE_MS * 1000000L}, NULL);
    }
    return state->lock < 0 ? 0 : -EBUSY;
}

static void unlock(const struct state *state)
{
    if (state->lock >= 0)
        flock(state->lock, LOCK_UN);
}

static bool is_safe(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || (c == '.' && !first);
}

/* "orders" → "orders.state". A character that is not safe becomes '_', and a long name is cut. A
 * hash tells such names apart. */
static void file_name(const char *cluster, state_name ret_name)
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
                 (unsigned long long)state_disk_sum(cluster, strlen(cluster)));
}

static struct state_seen *seen_find(const struct state *state, const char *cluster)
{
    uint64_t hash = state_disk_sum(cluster, strlen(cluster));

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

/* Without memory it is not noted, which is safe: what is there then counts as another agent's, and
 * is merged. */
static void seen_note(struct state *state, const char *cluster, const struct state_known *known,
                      const struct state_cluster *saved)
{
    struct state_seen *seen = seen_find(state, cluster);

    if (!seen) {
        struct state_seen *grown = reallocarray(state->seen, state->seen_count + 1, sizeof(*grown));
        if (!grown)
            return;
        state->seen = grown;
        seen = &grown[state->seen_count++];
        seen->cluster = state_disk_sum(cluster, strlen(cluster));
    }
    seen->orders = orders_of(saved);
    seen->identity = saved->have_verdict ? saved->verdict.identity : 0;
    seen->term = saved->verdict.term;
    seen->known = *known;
}

/* ---- reading ---- */

/* Reads what was saved last; have_verdict false: nothing was. A copy that is whole but makes no
 * sense is put aside like one that is not whole; then the other one counts. */
static int take(const struct state *state, const struct conf_cluster *cluster, const char *name,
                struct state_disk *ret_disk, struct state_cluster *ret_saved)
{
    struct state_clock clock = now(state);
    struct state_cluster saved = {0};
    struct state_disk disk;
    struct state_copy *copy;
    int rv = state_disk_read(state->dir, name, &disk);

    if (rv)
        return rv;
    while ((copy = state_disk_newest(&disk))) {
        rv = state_text_decode(copy->text, copy->len, cluster, &clock, &saved);
        if (rv != -EBADMSG)
            break;
        state_disk_reject(state->dir, name, &disk, copy);
        rv = 0;
    }
    if (rv) {
        state_disk_done(&disk);
        return rv;
    }
    *ret_disk = disk;
    *ret_saved = saved;
    return 0;
}

int state_load(struct state *state, const struct conf_cluster *cluster,
               struct state_cluster *ret_saved)
{
    struct state_known known = {0};
    struct state_disk disk;
    state_name name;
    int rv = take_lock(state);

    if (rv)
        return rv;
    file_name(cluster->name, name);
    rv = take(state, cluster, name, &disk, ret_saved);
    unlock(state);
    if (rv)
        return rv;
    const struct state_copy *newest = state_disk_newest(&disk);
    if (newest)
        known.newest = newest->sum;
    else if (disk.damaged)
        rv = -EBADMSG;
    state_disk_done(&disk);
    if (rv == 0)
        seen_note(state, cluster->name, &known, ret_saved);
    return rv;
}

/* ---- saving ---- */

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

/* Theirs is not newer if we have seen it before, or something newer of the same data set: what ours
 * says differently came later, by an operator's accept. */
static bool has_newer_verdict(const struct state_seen *seen, const struct state_cluster *theirs,
                              const struct state_cluster *ours)
{
    const struct verdict *t = &theirs->verdict, *o = &ours->verdict;

    if (!theirs->have_verdict || t->identity == 0)
        return false;
    if (seen && seen->identity == t->identity && term_compare(t->term, seen->term) <= 0)
        return false;
    return t->identity != o->identity || term_compare(t->term, o->term) > 0;
}

/* Theirs are newer if they are not those that we saw last. */
static bool has_newer_orders(const struct state_seen *seen, const struct state_cluster *theirs,
                             const struct state_cluster *ours)
{
    struct orders t = orders_of(theirs), o = seen ? seen->orders : orders_of(ours);

    return t.mode != o.mode || t.frozen != o.frozen;
}

/* Whether another agent saved something that ours lacks: a newer term, another identity (an
 * operator told it to accept one), a higher generation, an operator's order. If a copy was damaged,
 * the other one may be older than what we know. Terms and generations show that; orders do not. */
static bool must_merge(const struct state_seen *seen, const struct state_disk *disk,
                       const struct state_cluster *theirs, const struct state_cluster *ours)
{
    return has_newer_verdict(seen, theirs, ours) || has_newer_generation(theirs, ours) ||
           (!disk->damaged && has_newer_orders(seen, theirs, ours));
}

/* The sum of the text without what a refresh brings, and without since_ms and left_ms. These
 * change with the writer, the address or the member; otherwise they only move by a millisecond, when it is translated between the clocks. */
static int lasting_sum(const struct conf_cluster *cluster, const struct state_cluster *saved,
                       uint64_t *ret_sum)
{
    struct state_cluster lasting = *saved;
    char *text;
    size_t len;

    lasting.verdict.confirmed_ms = lasting.verdict.since_ms = lasting.verdict.position = 0;
    for (uint32_t i = 0; i < lasting.left_count; i++)
        lasting.left[i].left_ms = 0;
    for (uint32_t i = 0; i < lasting.discovered_count; i++)
        lasting.discovered[i].since_ms = 0;
    int rv = state_text_encode(cluster, &lasting, &(struct state_clock){0}, &text, &len);
    if (rv)
        return rv;
    *ret_sum = state_disk_sum(text, len);
    free(text);
    return 0;
}

/* What is refreshed is on disk: the agent that saved it synced it, or it is synced before the
 * refresh (state/disk.c). */
static int is_refresh(const struct conf_cluster *cluster, const struct state_cluster *theirs,
                      const struct state_cluster *ours, bool *ret_is)
{
    uint64_t was, is;
    int rv = lasting_sum(cluster, theirs, &was);

    if (rv == 0)
        rv = lasting_sum(cluster, ours, &is);
    if (rv == 0)
        *ret_is = was == is;
    return rv;
}

static int save_over(struct state *state, const struct conf_cluster *cluster, const char *name,
                     struct state_disk *disk, const struct state_cluster *theirs,
                     const struct state_cluster *ours)
{
    const struct state_seen *seen = seen_find(state, cluster->name);
    const struct state_copy *newest = state_disk_newest(disk);
    struct state_known known = seen ? seen->known : (struct state_known){0};
    struct state_clock clock = now(state);
    bool refresh = false;
    size_t len;
    char *text;

    if (newest && newest->sum != known.newest && must_merge(seen, disk, theirs, ours))
        return -ESTALE;
    int rv = is_refresh(cluster, theirs, ours, &refresh);
    if (rv == 0)
        rv = state_text_encode(cluster, ours, &clock, &text, &len);
    if (rv)
        return rv;
    rv = state_disk_write(state->dir, name, disk, &known, text, len, !refresh);
    if (rv == 0)
        seen_note(state, cluster->name, &known, ours);
    free(text);
    return rv;
}

int state_save(struct state *state, const struct conf_cluster *cluster,
               const struct state_cluster *saved)
{
    struct state_cluster theirs;
    struct state_disk disk;
    state_name name;
    int rv = take_lock(state);

    if (rv)
        return rv;
    file_name(cluster->name, name);
    rv = take(state, cluster, name, &disk, &theirs);
    if (rv == 0) {
        rv = save_over(state, cluster, name, &disk, &theirs, saved);
        state_disk_done(&disk);
        free(theirs.endpoints);
    }
    unlock(state);
    return rv;
}

/* ---- whose permits were lost ---- */

/* With the lock held: what another agent saves before is not of a time to come. */
static struct missing_place here(const struct state *state)
{
    struct stat st;
    bool known = stat("/proc/self/ns/pid", &st) == 0;

    return (struct missing_place){.clock = now(state), .pids = known ? st.st_ino : 0};
}

int state_load_missing(struct state *state, struct state_missing *ret_list)
{
    int rv = take_lock(state);

    *ret_list = (struct state_missing){0};
    if (rv)
        return rv;
    struct missing_place place = here(state);
    rv = missing_load(state->dir, &place, ret_list);
    unlock(state);
    return rv;
}

int state_save_missing(struct state *state, const struct state_missing *list)
{
    int rv = take_lock(state);

    if (rv)
        return rv;
    struct missing_place place = here(state);
    rv = missing_save(state->dir, &place, list);
    unlock(state);
    return rv;
}
