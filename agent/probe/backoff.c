/* SPDX-License-Identifier: Apache-2.0
 *
 * backoff.c - when to ask next. Pure; called by probe.c only.
 */
#include "config.h"

#include "agent/probe/backoff.h"

uint64_t backoff_tick(uint64_t now_ms, uint32_t period_ms, uint32_t phase)
{
    uint64_t shift = phase % period_ms / BACKOFF_GRID_MS * BACKOFF_GRID_MS;
    if (now_ms < shift)
        return shift;
    return now_ms - (now_ms - shift) % period_ms + period_ms;
}

static uint32_t random_next(struct backoff *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 17;
    b->random ^= b->random << 5;
    return b->random;
}

/* The pause, a quarter shorter to a quarter longer, so that a fleet does not come back to a
 * recovering server together. */
static uint32_t with_jitter(struct backoff *b, uint32_t pause_ms)
{
    return pause_ms - pause_ms / 4 + random_next(b) % (pause_ms / 2 + 1);
}

/* Whether the pace is fast, and the failure or the fast pace is still young. */
static bool is_urgent(const struct backoff *b, const struct backoff_why *why, uint64_t now_ms)
{
    uint64_t from = b->since_ms > why->fast_since_ms ? b->since_ms : why->fast_since_ms;
    return why->fast && !why->odd && now_ms - from < BACKOFF_URGENT_MS;
}

uint32_t backoff_fail(struct backoff *b, const struct backoff_why *why, uint64_t now_ms)
{
    if (b->since_ms == 0)
        b->since_ms = now_ms;
    if (is_urgent(b, why, now_ms))
        return why->fast_interval_ms;
    uint64_t pause =
        why->odd && why->interval_ms < BACKOFF_ODD_MS ? BACKOFF_ODD_MS : why->interval_ms;
    uint64_t most = why->starting ? BACKOFF_STARTING_MS : BACKOFF_MAX_MS;
    pause <<= b->failures < 16 ? b->failures : 16;
    b->failures++;
    return with_jitter(b, (uint32_t)(pause < most ? pause : most));
}

void backoff_reset(struct backoff *b)
{
    b->since_ms = 0;
    b->failures = 0;
}
