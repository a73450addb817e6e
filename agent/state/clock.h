/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h - times that are saved: those of a process mean nothing to the next one, so they are written
 * on the boot clock, with the boot's id. Pure: state.c reads the clocks.
 */
#ifndef HOMING_AGENT_STATE_CLOCK_H
#define HOMING_AGENT_STATE_CLOCK_H

#include <stdint.h>

/* One moment on both clocks. boot_id "": not known; then no saved time means anything. */
struct state_clock {
    uint64_t monotonic_ms;
    uint64_t boot_ms;
    char boot_id[40];
};

/* A time of the process as the text has it, on the boot clock, and back. 0 is "never" on both. Only a time of this
 * boot can be brought back, and none that is in the future: another clock wrote that. */
uint64_t state_time_save(const struct state_clock *clock, uint64_t ms);
uint64_t state_time_load(const struct state_clock *clock, uint64_t boot_ms);

#endif
