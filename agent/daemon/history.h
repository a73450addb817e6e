/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h - the last changes, in memory: what happened while nobody looked. Bounded (I6).
 */
#ifndef HOMING_AGENT_DAEMON_HISTORY_H
#define HOMING_AGENT_DAEMON_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/msg.h"
#include "proto/sever.h"

/* About 600 kB, taken as it fills; a hundred clusters that all switch at once still fit. */
#define HISTORY_MAX 256

/* What is known of one switch; of what came after it, as it comes. Times in ms, -1: not known. */
struct history_switch {
    char from[96], to[96];
    char term[48];
    char reason[40];
    char evidence[800];
    char loss[640]; /* names of 60 characters, four times, and the words between */
    uint64_t loss_bytes;
    bool loss_exact;
    int64_t silent_ms;  /* for how long the old writer had not answered when it was decided */
    int64_t answer_ms;  /* how long the answer that decided it had taken */
    int64_t publish_ms; /* from that answer to the view */
    bool ordered;       /* severing, or the count in observe, was ordered; and is done: */
    bool severed;
    int64_t order_ms; /* from the answer to the order */
    uint64_t aborted;
    uint64_t would_abort; /* in observe */
    uint64_t not_aborted; /* denied, or failed */
    uint64_t processes;
    uint64_t sweep_us;
    uint64_t redirected; /* on the whole node, until severing was done */
    uint64_t would_redirect;
};

struct history_entry {
    uint64_t at_ms; /* CLOCK_MONOTONIC */
    char cluster[64];
    char event[24]; /* writer_changed, state_changed, alarm_raised, alarm_cleared, order */
    char text[360];
    bool is_switch;
    struct history_switch change; /* if so */
};

struct history {
    struct history_entry at[HISTORY_MAX];
    uint64_t count; /* so far; the newest is at[(count - 1) % HISTORY_MAX] */
};

/* Returns it, to be filled in if it is a switch; the pointer is good until the next call. */
struct history_entry *history_add(struct history *h, uint64_t now_ms, const char *cluster,
                                  const char *event, const char *text);

/* What comes after the newest switch of a cluster; nothing happens if there is none any more. */

/* Severing, or its count in observe, was ordered so long after the report that decided it. */
void history_note_ordered(struct history *h, const char *cluster, uint64_t order_ms);

/* An order ended; `done`: it was the last. Of a switch that was ordered. */
void history_note_severed(struct history *h, const char *cluster, enum sever_kind kind,
                          const struct sever_counts *counts, bool done);

/* What the whole node redirected since then. Of a switch that was ordered. */
void history_note_redirects(struct history *h, const char *cluster, uint64_t redirected,
                            uint64_t would_redirect);

/* An array of at most `limit` maps, oldest first; `cluster` NULL: of all clusters. */
void history_put(const struct history *h, uint64_t now_ms, const char *cluster, uint32_t limit,
                 struct msg_writer *w);

/* The newest entry alone, as such a map; there must be one. */
void history_put_newest(const struct history *h, struct msg_writer *w);

#endif
