/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.c - see state/clock.h.
 */
#include "config.h"

#include <stdbool.h>

#include "agent/state/clock.h"

uint64_t state_time_save(const struct state_clock *clock, uint64_t ms)
{
    uint64_t age = ms < clock->monotonic_ms ? clock->monotonic_ms - ms : 0;

    return ms && age < clock->boot_ms ? clock->boot_ms - age : 0;
}

uint64_t state_time_load(const struct state_clock *clock, uint64_t boot_ms)
{
    uint64_t age = clock->boot_ms - boot_ms;
    bool known = boot_ms && boot_ms <= clock->boot_ms && age < clock->monotonic_ms;

    return known ? clock->monotonic_ms - age : 0;
}
