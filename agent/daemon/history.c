/* SPDX-License-Identifier: Apache-2.0
 *
 * history.c - see history.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/daemon/history.h"

struct history_entry *history_add(struct history *h, uint64_t now_ms, uint64_t wall_ms,
                                  const char *cluster, const char *event, const char *text)
{
    struct history_entry *entry = &h->at[h->count++ % HISTORY_MAX];

    entry->at_ms = now_ms;
    entry->wall_ms = wall_ms;
    snprintf(entry->cluster, sizeof(entry->cluster), "%s", cluster ? cluster : "");
    snprintf(entry->event, sizeof(entry->event), "%s", event);
    snprintf(entry->text, sizeof(entry->text), "%s", text);
    entry->is_switch = false;
    return entry;
}

static bool is_wanted(const struct history_entry *entry, const char *cluster)
{
    return !cluster || strncmp(entry->cluster, cluster, sizeof(entry->cluster) - 1) == 0;
}

static struct history_switch *last_switch(struct history *h, const char *cluster)
{
    uint64_t first = h->count > HISTORY_MAX ? h->count - HISTORY_MAX : 0;

    for (uint64_t i = h->count; i > first; i--) {
        struct history_entry *entry = &h->at[(i - 1) % HISTORY_MAX];
        if (entry->is_switch && is_wanted(entry, cluster))
            return &entry->change;
    }
    return NULL;
}

static struct history_switch *last_ordered(struct history *h, const char *cluster)
{
    struct history_switch *change = last_switch(h, cluster);

    return change && change->ordered ? change : NULL;
}

void history_note_ordered(struct history *h, const char *cluster, uint64_t order_ms)
{
    struct history_switch *change = last_switch(h, cluster);

    if (!change)
        return;
    change->ordered = true;
    change->order_ms = (int64_t)order_ms;
}

/* An order may be sent in pieces, of which some see the same connections. */
void history_note_untagged(struct history *h, const char *cluster, uint64_t untagged)
{
    struct history_switch *change = last_ordered(h, cluster);

    if (change && untagged > change->untagged)
        change->untagged = untagged;
}

void history_note_severed(struct history *h, const char *cluster, enum sever_kind kind,
                          const struct sever_counts *counts, bool done)
{
    struct history_switch *change = last_ordered(h, cluster);

    if (!change)
        return;
    if (kind == SEVER_DO) {
        change->aborted += counts->severed;
        change->not_aborted += counts->denied + counts->failed;
    } else {
        change->would_abort += counts->severed;
    }
    if (counts->processes > change->processes)
        change->processes = counts->processes;
    if (!change->severed)
        change->sweep_us = counts->first_us;
    change->severed = done;
}

void history_note_redirects(struct history *h, const char *cluster, uint64_t redirected,
                            uint64_t would_redirect)
{
    struct history_switch *change = last_ordered(h, cluster);

    if (!change)
        return;
    change->redirected = redirected;
    change->would_redirect = would_redirect;
}

static void put_ms(struct msg_writer *w, const char *key, int64_t ms)
{
    if (ms >= 0)
        msg_put_key_uint(w, key, (uint64_t)ms);
    else
        msg_put_key_nil(w, key);
}

static void put_severed(struct msg_writer *w, const struct history_switch *at)
{
    if (!at->ordered) {
        msg_put_key_nil(w, "sever");
        return;
    }
    msg_put_str(w, "sever");
    msg_open_map(w);
    msg_put_key_bool(w, "done", at->severed);
    put_ms(w, "order_ms", at->order_ms);
    msg_put_key_uint(w, "severed", at->aborted);
    msg_put_key_uint(w, "would_sever", at->would_abort);
    msg_put_key_uint(w, "not_severed", at->not_aborted);
    msg_put_key_uint(w, "untagged", at->untagged);
    msg_put_key_uint(w, "processes", at->processes);
    msg_put_key_uint(w, "sweep_us", at->sweep_us);
    msg_put_key_uint(w, "redirected", at->redirected);
    msg_put_key_uint(w, "would_redirect", at->would_redirect);
    msg_close(w);
}

static void put_switch(struct msg_writer *w, const struct history_switch *at)
{
    msg_open_map(w);
    msg_put_key_str(w, "from", at->from);
    msg_put_key_str(w, "to", at->to);
    msg_put_key_str(w, "term", at->term);
    msg_put_key_str(w, "reason", at->reason);
    msg_put_key_str(w, "evidence", at->evidence);
    put_ms(w, "old_writer_silent_ms", at->silent_ms);
    put_ms(w, "answer_ms", at->answer_ms);
    put_ms(w, "publish_ms", at->publish_ms);
    msg_put_key_str(w, "loss", at->loss);
    msg_put_key_uint(w, "loss_bytes", at->loss_bytes);
    msg_put_key_bool(w, "loss_exact", at->loss_exact);
    put_severed(w, at);
    msg_close(w);
}

static void put_entry(const struct history_entry *entry, uint64_t now_ms, struct msg_writer *w)
{
    msg_open_map(w);
    msg_put_key_uint(w, "ago_ms", now_ms - entry->at_ms);
    msg_put_key_uint(w, "at_unix_ms", entry->wall_ms);
    msg_put_key_str(w, "cluster", entry->cluster[0] ? entry->cluster : NULL);
    msg_put_key_str(w, "event", entry->event);
    msg_put_key_str(w, "text", entry->text);
    if (entry->is_switch) {
        msg_put_str(w, "switch");
        put_switch(w, &entry->change);
    } else {
        msg_put_key_nil(w, "switch");
    }
    msg_close(w);
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

/* ---- what a switch may have cost ---- */

uint64_t loss_bytes(const struct loss *loss)
{
    bool known = loss->comparable && !loss->shared && loss->last && loss->branch;

    return known && loss->last > loss->branch ? loss->last - loss->branch : 0;
}

void loss_print(const struct loss *loss, const struct engine_kind *engine, const char *from,
                const char *to, char *ret, size_t size)
{
    const char *what = loss->exact ? engine->branch : "first known position";
    char last[ENGINE_PRINT_SIZE], branch[ENGINE_PRINT_SIZE];

    engine_print_position(engine, loss->last, last, sizeof(last));
    engine_print_position(engine, loss->branch, branch, sizeof(branch));
    if (loss->handed)
        snprintf(ret, size,
                 "not known to homing; nothing, if AWS keeps its word: %s handed over to %s (W4a), "
                 "which is to be said only when all that was committed has arrived there",
                 from, to);
    else if (!loss->comparable)
        snprintf(ret, size, "not known: %s holds another data set", to);
    else if (loss->shared)
        snprintf(ret, size, "none: what %s committed is in the volume that %s writes into", from,
                 to);
    else if (!loss->last || !loss->branch)
        snprintf(ret, size, "not known: no position of %s was seen", loss->last ? to : from);
    else if (loss_bytes(loss))
        snprintf(ret, size,
                 "%s%" PRIu64 " %s: %s had written up to %s when last seen, and %s's %s is %s; "
                 "what was committed in between, or later on %s, is not on %s",
                 loss->exact ? "up to " : "at least ", loss_bytes(loss), engine->lag_unit, from,
                 last, to, what, branch, from, to);
    else
        snprintf(ret, size,
                 "%s: %s had written up to %s when last seen, and %s's %s is %s; only what %s "
                 "committed after that look can be missing",
                 loss->exact ? "none seen" : "none seen, but not certain", from, last, to, what,
                 branch, from);
}
