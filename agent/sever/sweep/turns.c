/* SPDX-License-Identifier: Apache-2.0
 *
 * turns.c - see turns.h.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/sever/sweep/turns.h"

enum {
    /* Steps of a spread, at most. They are no closer than about the time that a sweep takes. */
    STEPS = 16,
    STEP_MIN_MS = 10,
    /* The first share is 1 / 2^FIRST_SHARE_BITS. */
    FIRST_SHARE_BITS = 5
};

/* Places are 32-bit hashes: this many. */
#define ALL (1ull << 32)

/* The sweeps after the spread, counted from its end. */
static const uint32_t again_ms[] = {20, 200, 2000};

/* ---- when ---- */

static uint32_t steps_of(const struct sever_order *order)
{
    uint32_t steps = order->spread_ms / STEP_MIN_MS;

    if (order->kind != SEVER_DO)
        return 0;
    return steps < STEPS ? steps : STEPS;
}

bool turns_due_ms(const struct sever_order *order, uint32_t sweep, uint64_t *ret_ms)
{
    uint32_t steps = steps_of(order);

    if (sweep <= steps)
        *ret_ms = steps ? (uint64_t)order->spread_ms * sweep / steps : 0;
    else if (order->kind == SEVER_DO && sweep - steps <= sizeof(again_ms) / sizeof(again_ms[0]))
        *ret_ms = order->spread_ms + again_ms[sweep - steps - 1];
    else
        return false;
    return true;
}

uint32_t turns_now(const struct sever_order *order, uint32_t sweep, uint64_t elapsed_ms)
{
    uint64_t due_ms;

    while (sweep > 0 && turns_due_ms(order, sweep + 1, &due_ms) && due_ms <= elapsed_ms)
        sweep++;
    return sweep;
}

/* ---- which ---- */

/* How many places, of ALL, have had their turn when `sweep` is over. */
static uint64_t share(const struct sever_order *order, uint32_t sweep)
{
    uint32_t steps = steps_of(order);

    if (sweep >= steps)
        return ALL;
    uint64_t even = ALL * (sweep + 1) / (steps + 1);
    uint64_t doubled = ALL << sweep >> FIRST_SHARE_BITS;
    return doubled < even ? doubled : even;
}

/* A connection that is spared has no rank among those of its process. */
static bool is_candidate(const struct tags_entry *e)
{
    return e->verdict != TAGS_CURRENT;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_process(const void *x, const void *y)
{
    const struct tags_entry *a = x, *b = y;
    int rv = compare(is_candidate(b), is_candidate(a));

    if (rv == 0)
        rv = compare(a->owner.process, b->owner.process);
    return rv ? rv : compare(a->place, b->place);
}

static int by_rank(const void *x, const void *y)
{
    const struct tags_entry *a = x, *b = y;
    int rv = compare(a->rank, b->rank);

    return rv ? rv : compare(a->place, b->place);
}

void turns_sort(struct tags *tags, uint64_t salt)
{
    struct tags_entry *e = tags->entries;

    if (tags->count == 0)
        return;
    for (uint32_t i = 0; i < tags->count; i++)
        e[i].place = (uint32_t)(((e[i].socket.cookie ^ salt) * 0x9e3779b97f4a7c15u) >> 32);
    qsort(e, tags->count, sizeof(*e), by_process);
    for (uint32_t i = 1; i < tags->count; i++)
        e[i].rank = e[i].owner.process == e[i - 1].owner.process ? e[i - 1].rank + 1 : 0;
    qsort(e, tags->count, sizeof(*e), by_rank);
}

bool turns_take(const struct sever_order *order, uint32_t sweep, const struct tags_entry *entry)
{
    return entry->place < share(order, sweep) || (sweep == 0 && entry->rank == 0);
}
