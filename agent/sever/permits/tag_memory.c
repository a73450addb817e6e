/* SPDX-License-Identifier: Apache-2.0
 *
 * tag_memory.c - see tag_memory.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/sever/permits/tag_memory.h"

_Static_assert(TAG_WORDS == 4, "cookie, endpoint, generation, since_ms");

/* The next byte that exists, rounded down to its slot; -1: none does. Its file system is shmem,
 * which answers at once. */
static off_t next_data(int fd, off_t at)
{
    off_t data = lseek(fd, at, SEEK_DATA);

    if (data < at)
        return data < 0 && errno != ENXIO ? at : -1;
    return data - (data - (off_t)sizeof(struct tag_header)) % (off_t)sizeof(struct tag);
}

/* Reads whole slots twice. One that is not the same again was being written, and loses its cookie.
 * Returns how many, 0 at the end, or negative errno. */
static int read_slots(int fd, off_t at, uint64_t (*ret_slots)[TAG_WORDS])
{
    uint64_t again[TAG_MEMORY_SLOTS][TAG_WORDS];
    ssize_t n = pread(fd, ret_slots, sizeof(again), at);
    ssize_t m = n < 0 ? n : pread(fd, again, (size_t)n, at);

    if (m < 0)
        return -errno;
    int count = (int)((size_t)m / sizeof(struct tag));
    for (int i = 0; i < count; i++)
        if (memcmp(ret_slots[i], again[i], sizeof(again[i])) != 0)
            ret_slots[i][0] = 0;
    return count;
}

int tag_memory_next(int fd, off_t *at, uint64_t (*ret_slots)[TAG_WORDS])
{
    off_t data = next_data(fd, *at ? *at : (off_t)sizeof(struct tag_header));
    int count = -EINTR;

    if (data < 0)
        return 0;
    while (count == -EINTR)
        count = read_slots(fd, data, ret_slots);
    if (count > 0)
        *at = data + (off_t)((size_t)count * sizeof(struct tag));
    return count;
}

void tag_memory_add_counts(int fd, uint64_t counts[TAG_COUNT_COUNT])
{
    uint64_t of[TAG_COUNT_COUNT];

    if (pread(fd, of, sizeof(of), offsetof(struct tag_header, counts)) != sizeof(of))
        return;
    for (int i = 0; i < TAG_COUNT_COUNT; i++)
        counts[i] += of[i];
}

/* ---- who uses it ---- */

/* An answer that took so long and for which the kernel slept was a wait. If it took long because others
 * had the processor, it did not sleep. */
#define WAIT_MS 10

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static long sleeps(void)
{
    struct rusage usage = {.ru_nvcsw = 0};

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

/* The kernel takes this seal only of memory that nobody has mapped so. If somebody has, it says so before it
 * looks at the pages and may wait for them. */
enum tag_memory_use tag_memory_use(int fd, uint64_t *ret_took_ms)
{
    uint64_t start = now_ms();
    long slept = sleeps();
    bool is_busy = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) && errno == EBUSY;

    *ret_took_ms = now_ms() - start;
    if (!is_busy)
        return TAG_MEMORY_UNUSED;
    return *ret_took_ms >= WAIT_MS && sleeps() > slept ? TAG_MEMORY_PINNED : TAG_MEMORY_MAPPED;
}
