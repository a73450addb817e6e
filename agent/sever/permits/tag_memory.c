/* SPDX-License-Identifier: Apache-2.0
 *
 * tag_memory.c - see tag_memory.h.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/sever/permits/tag_memory.h"

_Static_assert(TAG_WORDS == 4, "cookie, endpoint, generation, since_ms");

/* The next byte that exists, rounded down to its slot; the end of the memory if none does. Its file
 * system is shmem, which answers at once. */
static off_t next_data(int fd, off_t at)
{
    off_t data = lseek(fd, at, SEEK_DATA);

    if (data < at)
        return data < 0 && errno != ENXIO ? at : (off_t)sizeof(struct tag_memory);
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

    if (data >= (off_t)sizeof(struct tag_memory))
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
