/* SPDX-License-Identifier: Apache-2.0
 *
 * backoff.h - when to ask next. Pure: times in, times out.
 *
 * probe.c asks it for the next tick of a healthy member, and for the pause after a failure.
 */
#ifndef HOMING_AGENT_PROBE_BACKOFF_H
#define HOMING_AGENT_PROBE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Ticks of all clusters fall on multiples of this: 100 clusters are spread over their interval,
     * but wake the process at most 100 times a second together. Larger: they come in bunches.
     * Smaller: they do not fall together. */
    BACKOFF_GRID_MS = 10,
    BACKOFF_MAX_MS = 10000,
    /* A member that fails is tried at the fast pace for so long. Shorter: a server that restarts in
     * a failover is seen late; longer: a dead one costs more. */
    BACKOFF_URGENT_MS = 30000,
    /* First pause if asking again makes it worse (no room) or is useless (not this engine). */
    BACKOFF_ODD_MS = 1000,
    /* Longest pause while a server says that it is starting up. */
    BACKOFF_STARTING_MS = 1000,
};

/* The first multiple of `period_ms`, shifted by the cluster's phase, after `now_ms`. */
uint64_t backoff_tick(uint64_t now_ms, uint32_t period_ms, uint32_t phase);

struct backoff {
    uint64_t since_ms; /* when it first failed since it last did well; 0: it did not fail */
    uint32_t failures; /* how many since then got a growing pause */
    uint32_t random;   /* never 0 */
};

struct backoff_why {
    uint32_t interval_ms;
    uint32_t fast_interval_ms;
    bool fast;              /* the cluster's pace is fast ... */
    uint64_t fast_since_ms; /* ... since then */
    bool odd;
    bool starting;
};

/* Notes a failure; returns the pause before the next attempt. */
uint32_t backoff_fail(struct backoff *b, const struct backoff_why *why, uint64_t now_ms);

/* The member does well again. */
void backoff_reset(struct backoff *b);

#endif
