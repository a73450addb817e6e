/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - see tags.h. All but the two functions that read memory are pure.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sever/tags.h"

enum {
    SLOTS_AT_ONCE = 256, /* two pages */
    SLOT_WORDS = sizeof(struct tag) / sizeof(uint64_t)
};

_Static_assert(SLOT_WORDS == 4, "cookie, endpoint, generation, since_ms");

/* ---- by cookie ---- */

/* Cookies count up; their low bits spread well as they are. */
static uint32_t *place_of(const struct tags *tags, uint64_t cookie)
{
    uint32_t mask = tags->index_size - 1;
    uint32_t i = (uint32_t)(cookie ^ cookie >> 32) & mask;

    while (tags->index[i] && tags->entries[tags->index[i] - 1].socket.cookie != cookie)
        i = (i + 1) & mask;
    return &tags->index[i];
}

/* At most half full. */
static int grow(struct tags *tags)
{
    uint32_t size = tags->size ? tags->size * 2 : 64;
    struct tags_entry *entries = realloc(tags->entries, size * sizeof(*entries));
    uint32_t *index;

    if (!entries)
        return -ENOMEM;
    tags->entries = entries;
    index = calloc((size_t)size * 2, sizeof(*index));
    if (!index)
        return -ENOMEM;
    free(tags->index);
    tags->index = index;
    tags->index_size = size * 2;
    tags->size = size;
    for (uint32_t i = 0; i < tags->count; i++)
        *place_of(tags, entries[i].socket.cookie) = i + 1;
    return 0;
}

int tags_add(struct tags *tags, const struct diag_socket *socket)
{
    if (tags->count == TAGS_MAX)
        return -E2BIG;
    if (tags->count == tags->size) {
        int rv = grow(tags);
        if (rv)
            return rv;
    }
    uint32_t *place = place_of(tags, socket->cookie);
    if (*place == 0) {
        tags->entries[tags->count] = (struct tags_entry){.socket = *socket};
        *place = ++tags->count;
    }
    return 0;
}

void tags_done(struct tags *tags)
{
    free(tags->entries);
    free(tags->index);
    *tags = (struct tags){0};
}

/* ---- verdicts ---- */

static bool is_outdated(const struct sever_order *order, uint64_t endpoint, uint64_t generation)
{
    for (uint32_t i = 0; i < order->endpoint_count; i++)
        if (order->endpoints[i].id == endpoint)
            return generation < order->endpoints[i].older_than;
    return false;
}

static void judge(struct tags_entry *e, const struct sever_order *order, const uint64_t slot[4],
                  const struct tags_holder *holder)
{
    enum tags_verdict verdict =
        holder->own && is_outdated(order, slot[1], slot[2]) ? TAGS_OUTDATED : TAGS_CURRENT;

    if (verdict <= e->verdict)
        return;
    e->verdict = verdict;
    e->holder = *holder;
    e->endpoint = slot[1];
    e->generation = slot[2];
    e->since_ms = slot[3];
}

void tags_judge(struct tags *tags, const struct sever_order *order, const uint64_t (*slots)[4],
                uint32_t count, const struct tags_holder *holder)
{
    for (uint32_t i = 0; i < count && tags->count > 0; i++) {
        uint32_t at = slots[i][0] ? *place_of(tags, slots[i][0]) : 0;
        if (at)
            judge(&tags->entries[at - 1], order, slots[i], holder);
    }
}

/* ---- memories ---- */

/* The next byte that exists, at a slot; the end of the memory if none does. Only shmem is asked,
 * which answers at once. */
static off_t next_data(int fd, off_t at)
{
    off_t data = lseek(fd, at, SEEK_DATA);

    if (data < at)
        return data < 0 && errno != ENXIO ? at : (off_t)sizeof(struct tag_memory);
    return data - (data - (off_t)sizeof(struct tag_header)) % (off_t)sizeof(struct tag);
}

/* Reads whole slots, twice: one that was being written, and is not the same again, is left out. The
 * next sweep finds it. Returns the slots, 0 at the end, or negative errno. */
static int read_slots(int fd, off_t at, uint64_t (*ret_slots)[SLOT_WORDS])
{
    uint64_t again[SLOTS_AT_ONCE][SLOT_WORDS];
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

int tags_judge_memory(struct tags *tags, const struct sever_order *order, int fd,
                      const struct tags_holder *holder)
{
    uint64_t slots[SLOTS_AT_ONCE][SLOT_WORDS];
    off_t at = next_data(fd, sizeof(struct tag_header));

    while (at < (off_t)sizeof(struct tag_memory)) {
        int count = read_slots(fd, at, slots);
        if (count == -EINTR)
            continue;
        if (count <= 0)
            return count;
        tags_judge(tags, order, (const uint64_t(*)[SLOT_WORDS])slots, (uint32_t)count, holder);
        at = next_data(fd, at + (off_t)((size_t)count * sizeof(struct tag)));
    }
    return 0;
}

void tags_add_counters(int fd, uint64_t counts[TAG_COUNT_COUNT])
{
    uint64_t of[TAG_COUNT_COUNT];

    if (pread(fd, of, sizeof(of), offsetof(struct tag_header, counts)) != sizeof(of))
        return;
    for (int i = 0; i < TAG_COUNT_COUNT; i++)
        counts[i] += of[i];
}
