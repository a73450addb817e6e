/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.h - the views that this process has: asks the agent for one when there is need.
 *
 * One pass: a lookup calls attach_current() with the clock. If the newest view's heartbeat is
 * fresh, that view is returned, without a system call. If it is late, or the view was retired (V3,
 * V4), or there is no view, then one thread in each pause asks the agent, for 20 ms at most; all
 * others go on with what there is. A connect() calls attach_for_connect(), which asks a late agent
 * once more, for longer. A new view goes to the head of a chain. The views behind it stay, for
 * names that the new agent does not know yet.
 *
 * 1. No descriptor outlives a call, and none is ever left at 0, 1 or 2.
 * 2. Nothing that a reader may hold is unmapped: no struct attached, and no view's addresses.
 * 3. There is no lock. Only the agent's reply is waited for. errno is kept.
 */
#ifndef HOMING_SHIM_VIEW_ATTACH_H
#define HOMING_SHIM_VIEW_ATTACH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/view_read.h"

/* Views that are looked at, with the newest. With fewer, an agent that dies again and again before
 * its first verdict would hide the last view that had one. */
#define ATTACH_DEPTH 4

/* Views that one process can attach to in its life. An agent would have to restart every minute for
 * 11 days to reach it. From then on lookups go to the real resolver as soon as the last view is
 * stale. */
#define ATTACH_MAX 16384

struct attached {
    struct view_map map;
    const struct attached *older; /* NULL: none */
    void *base;
    size_t size;
};

/* The newest view; NULL: this process never had one. */
const struct attached *attach_current(uint64_t now_ms);

/* The same for a connect, because a connection may last for days. If this process never had a view,
 * and the agent was there but late, then the agent is asked once more: without waiting for the
 * pause, and for HOMING_ATTACH_PATIENCE_MS. This happens once in the life of a process. */
const struct attached *attach_for_connect(uint64_t now_ms);

/* The newest view, without a look at the clock and without asking the agent. NULL: there is none,
 * or it was retired. */
const struct attached *attach_present(void);

/* The same, retired or not. */
const struct attached *attach_newest(void);

/* In the newest view, whether whoever connects to a member of some cluster hands over a permit. NULL:
 * there was no view yet. */
extern _Atomic(const view_word *) attach_permits;

/* Found out at a glance. */
static inline bool attach_wants_permits(void)
{
    /* Pairs with the store in attach_publish(). */
    const view_word *word = atomic_load_explicit(&attach_permits, memory_order_acquire);

    return word && atomic_load_explicit(word, memory_order_relaxed);
}

/* The view behind `attached`, which is number `depth` of the chain; the newest is number 0. NULL:
 * there is none, or ATTACH_DEPTH views have been looked at. */
const struct attached *attach_older(const struct attached *attached, unsigned depth);

#endif
