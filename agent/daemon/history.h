/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h - the last changes, in memory: what happened while nobody looked. Bounded (I6).
 */
#ifndef HOMING_AGENT_DAEMON_HISTORY_H
#define HOMING_AGENT_DAEMON_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/conf/engine_kind.h"
#include "proto/msg.h"
#include "proto/sever.h"

/* About 800 kB, taken as it fills; a hundred clusters that all switch at once still fit. */
#define HISTORY_MAX 256

/* What is known of one switch. What comes after it is filled in as it comes. Times are in ms, -1:
 * not known. */
struct history_switch {
    char from[96], to[96];
    char term[48];
    char reason[40];
    char evidence[800];
    char loss[640]; /* names of 60 characters, four times, and the words between */
    uint64_t loss_bytes;
    bool loss_exact;
    int64_t silent_ms;  /* for how long the old writer had not answered by then */
    int64_t answer_ms;  /* how long the answer took that decided the switch */
    int64_t publish_ms; /* from that answer to the view */
    bool ordered;       /* severing, or the count in observe, was ordered */
    bool severed;       /* and is done */
    int64_t order_ms;   /* from the answer to the order */
    uint64_t aborted;
    uint64_t would_abort; /* in observe */
    uint64_t not_aborted; /* denied, or failed */
    uint64_t untagged;    /* connections without a tag, left alone, as the first order saw them */
    uint64_t processes;
    uint64_t sweep_us;
    uint64_t redirected; /* on the whole node, since severing was ordered */
    uint64_t would_redirect;
};

struct history_entry {
    uint64_t at_ms;   /* CLOCK_MONOTONIC */
    uint64_t wall_ms; /* CLOCK_REALTIME then, as in the log */
    char cluster[64]; /* "": of the agent itself */
    char event[24];   /* writer_changed, state_changed, alarm_raised, alarm_cleared, order */
    char text[1200];  /* an alarm with the command that resolves it, in full */
    bool is_switch;
    struct history_switch change; /* if so */
};

struct history {
    struct history_entry at[HISTORY_MAX];
    uint64_t count; /* so far; the newest is at[(count - 1) % HISTORY_MAX] */
};

/* `cluster` NULL: of the agent itself. Returns the entry, so that a switch can be filled in; the
 * pointer is good until the next call. */
struct history_entry *history_add(struct history *h, uint64_t now_ms, uint64_t wall_ms,
                                  const char *cluster, const char *event, const char *text);

/* The next four fill in what comes after the newest switch of a cluster. Nothing happens if the
 * history has none any more; nor, for the last three, if no severing was ordered for it. */

/* Severing, or its count in observe, was ordered so long after the report that decided it. */
void history_note_ordered(struct history *h, const char *cluster, uint64_t order_ms);

/* The first order for it saw so many connections without a tag, and leaves them alone. */
void history_note_untagged(struct history *h, const char *cluster, uint64_t untagged);

/* An order ended; `done`: no other one is under way. */
void history_note_severed(struct history *h, const char *cluster, enum sever_kind kind,
                          const struct sever_counts *counts, bool done);

/* What the whole node redirected since the order. */
void history_note_redirects(struct history *h, const char *cluster, uint64_t redirected,
                            uint64_t would_redirect);

/* An array of at most `limit` maps, oldest first; `cluster` NULL: of all clusters. */
void history_put(const struct history *h, uint64_t now_ms, const char *cluster, uint32_t limit,
                 struct msg_writer *w);

/* The newest entry alone, as one such map. There must be an entry. */
void history_put_newest(const struct history *h, struct msg_writer *w);

/* What a switch may have cost: compares the last position that was seen on the old writer with the
 * one where the new writer's history parts from it. It is evidence, not an account. What the old
 * writer wrote after it was last seen is not known here. And what lies between the two positions
 * need not have been committed. */
struct loss {
    uint64_t last;   /* newest position seen on the old writer; 0: none */
    uint64_t branch; /* of the new writer; 0: not known */
    bool exact;      /* `branch` is the branch point; if not, that is there or before it */
    bool comparable; /* both hold one data set */
    bool shared;     /* both write into one volume */
    bool handed;     /* W4a: the old writer said that it has handed over; not `comparable` */
};

/* Bytes that were seen on the old writer behind the branch point; at least so many,
 * if not exact. */
uint64_t loss_bytes(const struct loss *loss);

/* One sentence, in the words of the engine's operators. */
void loss_print(const struct loss *loss, const struct engine_kind *engine, const char *from,
                const char *to, char *ret, size_t size);

#endif
