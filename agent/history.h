/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h - the last changes, in memory: what happened while nobody looked. Bounded (I6).
 */
#ifndef HOMING_HISTORY_H
#define HOMING_HISTORY_H

#include <stdint.h>

#include "proto/msg.h"

/* About 120 kB, taken as it fills; a hundred clusters that all switch at once still fit. */
#define HISTORY_MAX 256

struct history_entry {
    uint64_t at_ms; /* CLOCK_MONOTONIC */
    char cluster[64];
    char event[24]; /* writer_changed, state_changed, alarm_raised, alarm_cleared, order */
    char text[360];
};

struct history {
    struct history_entry at[HISTORY_MAX];
    uint64_t count; /* so far; the newest is at[(count - 1) % HISTORY_MAX] */
};

void history_add(struct history *h, uint64_t now_ms, const char *cluster, const char *event,
                 const char *text);

/* An array of at most `limit` maps, oldest first; `cluster` NULL: of all clusters. */
void history_put(const struct history *h, uint64_t now_ms, const char *cluster, uint32_t limit,
                 struct msg_writer *w);

/* The newest entry alone, as such a map; there must be one. */
void history_put_newest(const struct history *h, struct msg_writer *w);

#endif
