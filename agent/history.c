/* SPDX-License-Identifier: Apache-2.0
 *
 * history.c - see history.h.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/history.h"

void history_add(struct history *h, uint64_t now_ms, const char *cluster, const char *event,
                 const char *text)
{
    struct history_entry *entry = &h->at[h->count++ % HISTORY_MAX];

    entry->at_ms = now_ms;
    snprintf(entry->cluster, sizeof(entry->cluster), "%s", cluster);
    snprintf(entry->event, sizeof(entry->event), "%s", event);
    snprintf(entry->text, sizeof(entry->text), "%s", text);
}

static bool is_wanted(const struct history_entry *entry, const char *cluster)
{
    return !cluster || strncmp(entry->cluster, cluster, sizeof(entry->cluster) - 1) == 0;
}

static void put_entry(const struct history_entry *entry, uint64_t now_ms, struct msg_writer *w)
{
    msg_put_map(w, 4);
    msg_put_key_uint(w, "ago_ms", now_ms - entry->at_ms);
    msg_put_key_str(w, "cluster", entry->cluster);
    msg_put_key_str(w, "event", entry->event);
    msg_put_key_str(w, "text", entry->text);
}

void history_put(const struct history *h, uint64_t now_ms, const char *cluster, uint32_t limit,
                 struct msg_writer *w)
{
    uint64_t first = h->count > HISTORY_MAX ? h->count - HISTORY_MAX : 0;
    uint32_t wanted = 0, skip;

    for (uint64_t i = first; i < h->count; i++)
        wanted += is_wanted(&h->at[i % HISTORY_MAX], cluster);
    skip = wanted > limit ? wanted - limit : 0;

    msg_put_array(w, wanted - skip);
    for (uint64_t i = first; i < h->count; i++) {
        const struct history_entry *entry = &h->at[i % HISTORY_MAX];
        if (!is_wanted(entry, cluster))
            continue;
        if (skip)
            skip--;
        else
            put_entry(entry, now_ms, w);
    }
}

void history_put_newest(const struct history *h, struct msg_writer *w)
{
    const struct history_entry *entry = &h->at[(h->count - 1) % HISTORY_MAX];

    put_entry(entry, entry->at_ms, w);
}
