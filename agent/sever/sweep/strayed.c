/* SPDX-License-Identifier: Apache-2.0
 *
 * strayed.c - see strayed.h. Pure.
 */
#include "config.h"

#include <stddef.h>

#include "agent/sever/sweep/strayed.h"

enum {
    /* After so long every process has the present view (V4). */
    VIEW_MS = 1000,
    /* What was made until then is aborted after so long: before the last sweep of the order. */
    WAIT_MS = 1500,
    /* Rows that one process may be in. */
    PROBES = 8
};

static uint64_t older_than(const struct sever_order *order, uint64_t endpoint)
{
    for (uint32_t i = 0; i < order->endpoint_count; i++)
        if (order->endpoints[i].id == endpoint)
            return order->endpoints[i].older_than;
    return 0;
}

/* The first of its rows; the others follow. */
static uint32_t first_row(uint64_t process, uint64_t endpoint)
{
    uint64_t hash = (process ^ endpoint) * 0x9e3779b97f4a7c15u;

    return (uint32_t)(hash >> 32) % STRAYED_MAX;
}

static bool is_of(const struct strayed_row *row, uint64_t process, uint64_t endpoint)
{
    return row->process == process && row->endpoint == endpoint;
}

/* Of this process and endpoint, whatever the switch; SIZE_MAX: there is none. */
static size_t find(const struct strayed *strayed, const struct tags_entry *e)
{
    uint32_t first = first_row(e->owner.number, e->endpoint);

    for (uint32_t i = 0; i < PROBES; i++) {
        size_t at = (first + i) % STRAYED_MAX;
        if (is_of(&strayed->rows[at], e->owner.number, e->endpoint))
            return at;
    }
    return SIZE_MAX;
}

/* Free, or the one that is the longest ago. */
static size_t find_room(const struct strayed *strayed, const struct tags_entry *e)
{
    size_t best = first_row(e->owner.number, e->endpoint);

    for (uint32_t i = 1, first = (uint32_t)best; i < PROBES; i++) {
        size_t at = (first + i) % STRAYED_MAX;
        if (strayed->rows[at].at_ms < strayed->rows[best].at_ms)
            best = at;
    }
    return best;
}

/* What has a generation is what a pool had before the switch: all of it goes. */
static bool may_stray(const struct tags_entry *e)
{
    return e->generation == 0 && e->owner.number != 0;
}

enum strayed_fate strayed_judge(const struct strayed *strayed, const struct sever_order *order,
                                const struct tags_entry *entry, uint64_t now_ms)
{
    size_t at = may_stray(entry) ? find(strayed, entry) : SIZE_MAX;

    if (at == SIZE_MAX)
        return STRAYED_GOES;
    const struct strayed_row *row = &strayed->rows[at];
    if (row->older_than != older_than(order, entry->endpoint) || entry->since_ms <= row->at_ms)
        return STRAYED_GOES;
    if (entry->since_ms > row->at_ms + VIEW_MS)
        return STRAYED_STAYS;
    return now_ms < row->at_ms + WAIT_MS ? STRAYED_WAITS : STRAYED_GOES;
}

void strayed_note(struct strayed *strayed, const struct sever_order *order,
                  const struct tags_entry *entry, uint64_t now_ms)
{
    uint64_t generation = older_than(order, entry->endpoint);
    size_t at = find(strayed, entry);

    if (!may_stray(entry) || (at != SIZE_MAX && strayed->rows[at].older_than == generation))
        return;
    strayed->rows[at == SIZE_MAX ? find_room(strayed, entry) : at] =
        (struct strayed_row){.process = entry->owner.number,
                             .endpoint = entry->endpoint,
                             .older_than = generation,
                             .at_ms = now_ms};
}

bool strayed_tells(struct strayed *strayed, const struct tags_entry *entry)
{
    size_t at = find(strayed, entry);
    bool tells = at != SIZE_MAX && !strayed->rows[at].told;

    if (tells)
        strayed->rows[at].told = true;
    return tells;
}
