/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.h - the views that this process has: asks the agent for one when there is need.
 *
 * One pass through it: a lookup calls attach_current() with the clock. The newest view's heartbeat
 * is fresh: that view, no system call. It is late, or the view was retired (V3, V4), or there is
 * none: one thread per pause asks the agent, 20 ms at most, and all others go on with what there
 * is. A connect() calls attach_for_connect(), which asks one that was late once more, for longer.
 * What was got goes to the head of the chain; views behind it stay for names that the new agent
 * does not know yet.
 *
 * 1. No descriptor outlives a call, none is ever left at 0, 1 or 2.
 * 2. What a reader may hold is never unmapped: neither a struct attached nor its memory.
 * 3. Nothing is locked or waited for but the agent's reply. errno is kept.
 */
#ifndef HOMING_SHIM_ATTACH_H
#define HOMING_SHIM_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#include "proto/view_read.h"

/* Views that are looked at, the newest included: an agent that dies again and again before it has
 * had its first verdict must not hide the last one that had. */
#define ATTACH_DEPTH 4

/* Views that one process can attach to in its life. Beyond it lookups fall to the real resolver
 * when the last one is stale; an agent would have to restart every minute for 11 days. */
#define ATTACH_MAX 16384

struct attached {
    struct view_map map;
    const struct attached *older; /* NULL: none */
    void *base;
    size_t size;
};

/* The newest view, or NULL: none was ever had. */
const struct attached *attach_current(uint64_t now_ms);

/* The same for a connect, which may last for days: where none was ever had, and the agent was there
 * but late, it is asked once more in the life of the process, without waiting for the pause, and
 * waited for ten times as long. An agent that is stopped so costs a process
 * HOMING_ATTACH_PATIENCE_MS once, and otherwise what lookups cost. */
const struct attached *attach_for_connect(uint64_t now_ms);

/* The newest view without asking the clock or anybody; NULL also if it was retired. */
const struct attached *attach_present(void);

/* The next one of the at most ATTACH_DEPTH that a lookup looks at, `depth` being the present one's,
 * 0 for the newest; NULL: no more. */
const struct attached *attach_older(const struct attached *attached, unsigned depth);

#endif
