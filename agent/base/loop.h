/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.h - the one event loop: timers, descriptors, signals, and the clock.
 *
 * loop.c is built on libev (the only file that includes ev.h); tests/support/fake_loop.c is built
 * on a virtual clock, so that the real agent can be replayed. One thread. A callback may stop or
 * free any watcher, its own included. A watcher that was freed is never called.
 */
#ifndef HOMING_AGENT_BASE_LOOP_H
#define HOMING_AGENT_BASE_LOOP_H

#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2
};

typedef void loop_timer_fn(void *arg);
typedef void loop_io_fn(void *arg, int events);
typedef void loop_signal_fn(void *arg, int signo);

/* NULL: out of memory or descriptors (errno). */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC in ms, read now (not cached per turn): ages and deadlines. */
uint64_t loop_now_ms(const struct loop *loop);

/* Fires once. Not started until loop_timer_set(); another loop_timer_set() moves it. It may fire
 * late, but never early. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is allowed */

/* Level-triggered. Events 0: a pause. The descriptor stays the caller's, and must outlive the
 * watcher. */
struct loop_io *loop_io_new(struct loop *loop, int fd, loop_io_fn *fn, void *arg);
void loop_io_set(struct loop_io *io, int events);
void loop_io_free(struct loop_io *io);

/* Before a descriptor is closed that was watched, and that another process has open, too: else its events
 * still come, and each of them has all descriptors registered anew. No watcher has it any more. */
void loop_forget(struct loop *loop, int fd);

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *signal);

#endif
