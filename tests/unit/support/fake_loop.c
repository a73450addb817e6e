/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_loop.c - tests of tests/support/fake_loop.c: a simulation is worth no more than its clock.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

static struct loop *loop;
static struct loop_timer *timers[3];
static struct loop_io *io;
static char trace[64];

static int rig_setup(void **state)
{
    (void)state;
    trace[0] = '\0';
    loop = loop_new();
    return !loop;
}

static int rig_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        loop_timer_free(timers[i]);
        timers[i] = NULL;
    }
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    return 0;
}

static void note(void *arg)
{
    strcat(trace, arg);
}

static void timers_fire_in_order_of_time_then_of_setting(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, note, "a");
    timers[1] = loop_timer_new(loop, note, "b");
    timers[2] = loop_timer_new(loop, note, "c");
    loop_timer_set(timers[2], 20);
    loop_timer_set(timers[1], 20);
    loop_timer_set(timers[0], 10);
    fake_loop_advance(loop, 19);
    assert_string_equal(trace, "a");
    assert_int_equal(fake_loop_next_ms(loop), 1);
    fake_loop_advance(loop, 1);
    assert_string_equal(trace, "acb");
    assert_int_equal(loop_now_ms(loop), FAKE_LOOP_START_MS + 20);
}

static void free_all(void *arg)
{
    note(arg);
    for (int i = 0; i < 3; i++) {
        loop_timer_free(timers[i]);
        timers[i] = NULL;
    }
}

static void a_callback_may_free_every_timer(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        timers[i] = loop_timer_new(loop, free_all, "x");
        loop_timer_set(timers[i], 5);
    }
    fake_loop_advance(loop, 10);
    assert_string_equal(trace, "x");
}

static int pipe_fds[2];

static void drain(void *arg, int events)
{
    char byte;
    note(arg);
    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
}

static void a_real_descriptor_is_served_before_the_clock_moves(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    timers[0] = loop_timer_new(loop, note, "t");
    loop_timer_set(timers[0], 1);
    io = loop_io_new(loop, pipe_fds[0], drain, "r");
    loop_io_set(io, LOOP_READ);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    loop_run(loop); /* ends: nothing readable, no timer set */
    assert_string_equal(trace, "rt");
    loop_io_free(io);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void note_events(void *arg, int events)
{
    note(arg);
    assert_int_equal(events, LOOP_WRITE);
}

static void note_signal(void *arg, int signo)
{
    note(arg);
    assert_int_equal(signo, SIGHUP);
}

static void descriptors_and_signals_can_be_made_up(void **state)
{
    (void)state;
    io = loop_io_new(loop, 4711, note_events, "w");
    loop_io_set(io, LOOP_WRITE);
    struct loop_signal *watcher = loop_signal_new(loop, SIGHUP, note_signal, "s");
    fake_loop_ready(loop, 4711, LOOP_READ);
    fake_loop_ready(loop, 4711, LOOP_READ | LOOP_WRITE);
    fake_loop_raise(loop, SIGTERM);
    fake_loop_raise(loop, SIGHUP);
    assert_string_equal(trace, "ws");
    loop_io_free(io);
    loop_signal_free(watcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, timers_fire_in_order_of_time_then_of_setting),
        TEST_IN(rig, a_callback_may_free_every_timer),
        TEST_IN(rig, a_real_descriptor_is_served_before_the_clock_moves),
        TEST_IN(rig, descriptors_and_signals_can_be_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
