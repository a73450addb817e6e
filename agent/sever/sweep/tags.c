/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - see tags.h. Pure, but for tags_judge_memory().
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/sever/sweep/tags.h"

/* ---- by cookie ---- */

/* Cookies count up, so that their low bits spread well. */
static uint32_t *place_of(const struct tags *tags, uint64_t cookie)
{
    uint32_t mask = tags->index_size - 1;
    uint32_t i = (uint32_t)(cookie ^ cookie >> 32) & mask;

    while (tags->index[i] && tags->entries[tags->index[i] - 1].socket.cookie != cookie)
        i = (i + 1) & mask;
    return &tags->index[i];
}

/* The index stays at most half full. */
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

static void judge(struct tags_entry *e, const struct sever_order *order,
                  const uint64_t slot[TAG_WORDS], const struct tags_owner *owner)
{
    enum tags_verdict verdict =
        owner->own && is_outdated(order, slot[1], slot[2]) ? TAGS_OUTDATED : TAGS_CURRENT;

    if (verdict <= e->verdict)
        return;
    e->verdict = verdict;
    e->owner = *owner;
    e->endpoint = slot[1];
    e->generation = slot[2];
    e->since_ms = slot[3];
}

void tags_judge(struct tags *tags, const struct sever_order *order,
                const uint64_t (*slots)[TAG_WORDS], uint32_t count, const struct tags_owner *owner)
{
    for (uint32_t i = 0; i < count && tags->count > 0; i++) {
        uint32_t at = slots[i][0] ? *place_of(tags, slots[i][0]) : 0;
        if (at)
            judge(&tags->entries[at - 1], order, slots[i], owner);
    }
}

int tags_judge_memory(struct tags *tags, const struct sever_order *order, int fd,
                      const struct tags_owner *owner)
{
    uint64_t slots[TAG_MEMORY_SLOTS][TAG_WORDS];
    off_t at = 0;
    int count;

    while ((count = tag_memory_next(fd, &at, slots)) > 0)
        tags_judge(tags, order, (const uint64_t(*)[TAG_WORDS])slots, (uint32_t)count, owner);
    return count;
}
