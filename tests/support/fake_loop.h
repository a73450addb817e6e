/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_loop.h - what a test may do to the loop of fake_loop.c, which it links instead of loop.c.
 *
 * The clock starts at FAKE_LOOP_START_MS and moves only when told. Timers that are due at the same
 * millisecond fire in the order in which they were set. Descriptors are real, and looked at with
 * poll(2) before each step of the clock, so that real sockets work too.
 */
#ifndef HOMING_TESTS_SUPPORT_FAKE_LOOP_H
#define HOMING_TESTS_SUPPORT_FAKE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/loop.h"

/* Not 0: code that takes 0 for "never" shall be found out. */
#define FAKE_LOOP_START_MS 1000000

/* Moves the clock on by `ms`, firing what falls due on the way, each at its own time. */
void fake_loop_advance(struct loop *loop, uint64_t ms);

/* Calls the watchers of descriptors that are ready now; false if there were none. */
bool fake_loop_poll(struct loop *loop);

/* Calls the watchers of `fd` that wait for any of `events`;
 * for descriptors that are only numbers. */
void fake_loop_ready(struct loop *loop, int fd, int events);

/* Delivers a signal to its watchers. */
void fake_loop_raise(struct loop *loop, int signo);

/* Milliseconds to the next timer; UINT64_MAX if none is set. */
uint64_t fake_loop_next_ms(const struct loop *loop);

/* Watchers that exist: 0 when whatever a test started has cleaned up. */
size_t fake_loop_watchers(const struct loop *loop);

#endif
