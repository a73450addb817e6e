/* SPDX-License-Identifier: Apache-2.0
 *
 * disk.c - see state/disk.h.
 *
 * 1. W2: the last copy that is sure to be on disk is not overwritten. Whatever a crash makes of a
 *    save, the save before it is whole.
 * 2. The usual save changes neither the size nor the blocks nor the name of a file. So the file
 *    system has nothing to write to its journal. A commit of the journal would wait for all else
 *    that the node writes.
 * 3. A copy that was torn by a crash and a copy that the disk lost later look the same. In both
 *    cases the other copy is used. If a refresh followed the save (state.c), it holds the same
 *    verdict. If not, it holds the verdict before; then its term is at least a bound, which
 *    `unknown` would not have. This is always logged, because a save that was on disk may be gone.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/state/disk.h"
#include "proto/hash.h"

enum {
    /* A state has some 600 bytes, and 60 for each endpoint. A larger file was not written by us. */
    DISK_FILE_MAX = 4 * 1024 * 1024,
    /* Sizes of files are multiples of this, the sector of most disks. */
    DISK_SECTOR = 512,
    DISK_SUM_LINE = 21,
    /* "save ", 18 digits, a newline, the line of the sum, and the newline after the blanks. */
    DISK_TAIL_MAX = 64
};

typedef char disk_path[256];

uint64_t state_disk_sum(const char *text, size_t len)
{
    return hash_bytes(HASH_START, text, len);
}

static void path_of(const char *name, size_t i, const char *suffix, disk_path ret_path)
{
    snprintf(ret_path, sizeof(disk_path), "%s.%zu%s", name, i + 1, suffix);
}

void state_disk_done(struct state_disk *disk)
{
    free(disk->copies[0].text);
    free(disk->copies[1].text);
}

struct state_copy *state_disk_newest(struct state_disk *disk)
{
    struct state_copy *a = &disk->copies[0], *b = &disk->copies[1];

    if (!a->text || !b->text)
        return a->text ? a : b->text ? b : NULL;
    return b->number > a->number ? b : a;
}

/* ---- what is in a file ---- */

/* Writes number, sum, and blanks up to `size` behind the text with which `image` begins. Returns
 * the sum. */
static uint64_t image_seal(char *image, size_t len, size_t size, uint64_t number)
{
    char line[DISK_TAIL_MAX];
    size_t n = (size_t)snprintf(line, sizeof(line), "save %" PRIu64 "\n", number);

    memcpy(image + len, line, n);
    len += n;
    uint64_t sum = state_disk_sum(image, len);
    n = (size_t)snprintf(line, sizeof(line), "sum %016" PRIx64 "\n", sum);
    memcpy(image + len, line, n);
    len += n;
    memset(image + len, ' ', size - len);
    image[size - 1] = '\n';
    return sum;
}

/* Where the line of the number begins. The line of the sum and the blanks come behind it. 0: there
 * is no such line. */
static size_t tail_find(const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\n'))
        size--;
    if (size <= DISK_SUM_LINE)
        return 0;
    const char *end = memrchr(text, '\n', size - DISK_SUM_LINE);
    return end ? (size_t)(end - text) + 1 : 0;
}

/* A copy is whole if its text, when it is sealed once more, becomes the same image. */
int state_disk_check(struct state_copy *copy)
{
    size_t len = tail_find(copy->text, copy->size);

    if (len == 0 || len + DISK_TAIL_MAX > copy->size ||
        sscanf(copy->text + len, "save %18" SCNu64, &copy->number) != 1)
        return -EBADMSG;
    char *again = malloc(copy->size);
    if (!again)
        return -ENOMEM;
    copy->len = len;
    memcpy(again, copy->text, len);
    copy->sum = image_seal(again, len, copy->size, copy->number);
    int rv = memcmp(again, copy->text, copy->size) == 0 ? 0 : -EBADMSG;
    free(again);
    return rv;
}

/* ---- reading ---- */

static int read_all(int fd, char *text, size_t size)
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
    text[size] = '\0';
    return 0;
}

static int copy_read_fd(int fd, struct state_copy *copy)
{
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > DISK_FILE_MAX)
        return -EBADMSG;
    copy->size = (size_t)st.st_size;
    copy->text = malloc(copy->size + 1);
    if (!copy->text)
        return -ENOMEM;
    int rv = read_all(fd, copy->text, copy->size);
    return rv ? rv : state_disk_check(copy);
}

/* 0 with text NULL: there is no such file. -EBADMSG: it is not one of ours, or not whole. */
static int copy_read(int dir, const char *path, struct state_copy *ret_copy)
{
    struct state_copy copy = {0};
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    int rv = copy_read_fd(fd, &copy);
    close(fd);
    if (rv == 0)
        *ret_copy = copy;
    else
        free(copy.text);
    return rv == -EIO ? -EBADMSG : rv; /* EIO: the disk has lost it */
}

/* The file is kept for people who want to know what happened; an older one is replaced. */
void state_disk_reject(int dir, const char *name, struct state_disk *disk, struct state_copy *copy)
{
    size_t i = (size_t)(copy - disk->copies);
    disk_path path, aside;

    path_of(name, i, "", path);
    path_of(name, i, ".corrupt", aside);
    (void)renameat(dir, path, dir, aside);
    log_event(LOG_WARNING, "state_damaged",
              "a copy of a saved state was renamed aside: a crash of the machine interrupted its "
              "save, or the disk has lost it; the other copy, if whole, counts",
              LOG_STR("file", aside));
    free(copy->text);
    *copy = (struct state_copy){0};
    disk->damaged = true;
}

int state_disk_read(int dir, const char *name, struct state_disk *ret_disk)
{
    struct state_disk disk = {0};
    disk_path path;

    for (size_t i = 0; i < 2; i++) {
        path_of(name, i, "", path);
        int rv = copy_read(dir, path, &disk.copies[i]);
        if (rv == -EBADMSG) {
            state_disk_reject(dir, name, &disk, &disk.copies[i]);
        } else if (rv) {
            state_disk_done(&disk);
            return rv;
        }
    }
    *ret_disk = disk;
    return 0;
}

/* ---- writing ---- */

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* If that fails, the file is removed, because it must not be read as a good copy. The other copy is
 * whole. And where the disk refuses a block, a new file may get another one. */
static int copy_overwrite(int dir, const char *name, size_t i, const char *image, size_t size,
                          bool sync)
{
    disk_path path;

    path_of(name, i, "", path);
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    int rv = write_all(fd, image, size);
    if (rv == 0 && sync && fdatasync(fd))
        rv = -errno;
    close(fd);
    if (rv)
        unlinkat(dir, path, 0);
    return rv;
}

static int copy_write_new(int dir, const char *path, const char *image, size_t size)
{
    int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    int rv = write_all(fd, image, size);
    if (rv == 0 && fsync(fd))
        rv = -errno;
    if (close(fd) && rv == 0)
        rv = -errno;
    return rv;
}

/* Both are made at once, so that the next save, which may be for a failover, is a usual one. */
static int copies_make(int dir, const char *name, const char *image, size_t size)
{
    disk_path new, path;
    int rv = 0;

    for (size_t i = 0; i < 2 && rv == 0; i++) {
        path_of(name, i, ".new", new);
        rv = copy_write_new(dir, new, image, size);
    }
    for (size_t i = 0; i < 2; i++) {
        path_of(name, i, ".new", new);
        path_of(name, i, "", path);
        if (rv == 0 && renameat(dir, new, dir, path))
            rv = -errno;
        if (rv)
            unlinkat(dir, new, 0);
    }
    return rv == 0 && fsync(dir) ? -errno : rv;
}

/* Leaves half as much again free, because names of members and endpoints come and go. */
static size_t room_for(size_t len)
{
    return (len + len / 2 + DISK_TAIL_MAX + DISK_SECTOR - 1) / DISK_SECTOR * DISK_SECTOR;
}

/* Syncs a copy that another agent wrote, alive or not: neither its content nor its name is sure to
 * be on disk. */
static bool copy_sync(int dir, const char *name, size_t i)
{
    disk_path path;

    path_of(name, i, "", path);
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    int rv = fdatasync(fd);
    close(fd);
    return rv == 0 && fsync(dir) == 0;
}

/* Which copy may be overwritten: never the last one that is sure to be on disk. -1: none. */
static int next_turn(int dir, const char *name, struct state_disk *disk, struct state_known *known)
{
    const struct state_copy *copies = disk->copies, *newest = state_disk_newest(disk);

    if (!copies[0].text || !copies[1].text)
        return -1;
    for (int i = 0; i < 2; i++)
        if (newest->sum == known->newest && copies[i].sum == known->on_disk)
            return !i;
    if (!copy_sync(dir, name, (size_t)(newest - copies)))
        return -1;
    known->newest = known->on_disk = newest->sum;
    return newest == &copies[0];
}

static char *image_new(struct state_disk *disk, const char *text, size_t len, size_t size,
                       uint64_t *ret_sum)
{
    const struct state_copy *newest = state_disk_newest(disk);
    char *image = malloc(size);

    if (!image)
        return NULL;
    memcpy(image, text, len);
    *ret_sum = image_seal(image, len, size, newest ? newest->number + 1 : 1);
    return image;
}

int state_disk_write(int dir, const char *name, struct state_disk *disk, struct state_known *known,
                     const char *text, size_t len, bool sync)
{
    int turn = next_turn(dir, name, disk, known);
    bool fits = turn >= 0 && len + DISK_TAIL_MAX <= disk->copies[turn].size;
    size_t size = fits ? disk->copies[turn].size : room_for(len);
    uint64_t sum;
    char *image = image_new(disk, text, len, size, &sum);

    if (!image)
        return -ENOMEM;
    int rv = fits ? copy_overwrite(dir, name, (size_t)turn, image, size, sync)
                  : copies_make(dir, name, image, size);
    free(image);
    if (rv)
        return rv;
    known->newest = sum;
    if (sync || !fits)
        known->on_disk = sum;
    return 0;
}
