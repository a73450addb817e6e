/* SPDX-License-Identifier: Apache-2.0
 *
 * brake.c - W10: counts switches in a window of ten minutes.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/brake.h"

void brake_init(struct brake *b, bool on, uint64_t now_ms)
{
    memset(b, 0, sizeof(*b));
    b->last_ms = on ? now_ms : 0;
}

void brake_note(struct brake *b, uint64_t now_ms)
{
    b->at_ms[b->next] = now_ms;
    b->next = (b->next + 1) % (BRAKE_SWITCHES_MAX + 1);
    b->last_ms = now_ms;
}

static uint32_t count_recent(const struct brake *b, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i <= BRAKE_SWITCHES_MAX; i++)
        count += b->at_ms[i] != 0 && now_ms - b->at_ms[i] < BRAKE_WINDOW_MS;
    return count;
}

bool brake_holds(const struct brake *b, bool was_on, uint32_t max_switches, uint64_t now_ms)
{
    if (max_switches == 0)
        return false;
    if (max_switches > BRAKE_SWITCHES_MAX)
        max_switches = BRAKE_SWITCHES_MAX;
    if (was_on && now_ms < brake_until(b))
        return true;
    return count_recent(b, now_ms) > max_switches;
}

uint64_t brake_until(const struct brake *b)
{
    return b->last_ms + BRAKE_WINDOW_MS;
}
