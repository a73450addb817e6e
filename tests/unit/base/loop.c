/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.c - tests of agent/base/loop.c on the real libev and the real clock. Nothing here measures
 * how late something comes, only that it never comes early, or comes at all.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/closer.h"
#include "agent/base/loop.h"
#include "tests/support/fail.h"
#include "tests/support/test.h"

struct fixture {
    struct loop *loop;
    struct loop_timer *timer[3];
    struct loop_io *io;
    struct loop_signal *signal;
    int pair[2];
    int calls;
    uint64_t fired_ms;
};

static int rig_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->loop = loop_new();
    assert_non_null(f->loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->pair), 0);
    *state = f;
    return 0;
}

static int rig_teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        loop_timer_free(f->timer[i]);
    loop_io_free(f->io);
    loop_signal_free(f->signal);
    loop_free(f->loop);
    close(f->pair[0]);
    close(f->pair[1]);
    free(f);
    return 0;
}

static void stop_loop(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    f->fired_ms = loop_now_ms(f->loop);
    loop_stop(f->loop);
}

static void burn(unsigned ms)
{
    struct timespec pause = {.tv_nsec = (long)ms * 1000000};
    while (nanosleep(&pause, &pause) != 0)
        continue;
}

static void a_timer_never_fires_early(void **state)
{
    struct fixture *f = *state;
    f->timer[0] = loop_timer_new(f->loop, stop_loop, f);
    for (uint64_t delay_ms = 0; delay_ms < 8; delay_ms++) {
        uint64_t before_ms = loop_now_ms(f->loop);
        loop_timer_set(f->timer[0], delay_ms);
        loop_run(f->loop);
        assert_true(f->fired_ms >= before_ms + delay_ms);
    }
}

static void set_after_a_pause(void *arg)
{
    struct fixture *f = arg;
    burn(30); /* libev's cached time is now 30 ms old */
    f->fired_ms = loop_now_ms(f->loop);
    loop_timer_set(f->timer[1], 20);
}

static void a_timer_set_by_a_slow_callback_counts_from_now(void **state)
{
    struct fixture *f = *state;
    f->timer[0] = loop_timer_new(f->loop, set_after_a_pause, f);
    f->timer[1] = loop_timer_new(f->loop, stop_loop, f);
    loop_timer_set(f->timer[0], 0);
    uint64_t before_ms = loop_now_ms(f->loop);
    loop_run(f->loop);
    assert_true(f->fired_ms >= before_ms + 30 + 20);
}

static void setting_a_timer_again_moves_it(void **state)
{
    struct fixture *f = *state;
    f->timer[0] = loop_timer_new(f->loop, stop_loop, f);
    loop_timer_set(f->timer[0], 1);
    uint64_t before_ms = loop_now_ms(f->loop);
    loop_timer_set(f->timer[0], 25);
    loop_run(f->loop);
    assert_true(f->fired_ms >= before_ms + 25);
    assert_int_equal(f->calls, 1);
}

static void free_all_timers(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    for (int i = 0; i < 3; i++) {
        loop_timer_free(f->timer[i]);
        f->timer[i] = NULL;
    }
}

static void a_callback_may_free_every_timer_due_with_it(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        f->timer[i] = loop_timer_new(f->loop, free_all_timers, f);
        loop_timer_set(f->timer[i], 1);
    }
    burn(5);           /* all three are due in one turn */
    loop_run(f->loop); /* ends because nothing is left to wait for */
    assert_int_equal(f->calls, 1);
}

static void read_and_pause(void *arg, int events)
{
    struct fixture *f = arg;
    f->calls++;
    assert_int_equal(events, LOOP_READ);
    if (f->calls == 2) {
        loop_io_set(f->io, 0);
        loop_timer_set(f->timer[0], 10);
    }
}

static void a_readable_descriptor_is_reported_until_it_is_paused(void **state)
{
    struct fixture *f = *state;
    f->timer[0] = loop_timer_new(f->loop, stop_loop, f);
    f->io = loop_io_new(f->loop, f->pair[0], read_and_pause, f);
    loop_io_set(f->io, LOOP_READ);
    assert_int_equal(write(f->pair[1], "x", 1), 1);
    loop_run(f->loop);
    assert_int_equal(f->calls, 3); /* twice, as nobody read it, and the timer */
}

static void free_itself(void *arg, int events)
{
    struct fixture *f = arg;
    f->calls += events & LOOP_WRITE ? 1 : 100;
    loop_io_free(f->io);
    f->io = NULL;
}

static void a_descriptor_callback_may_free_its_own_watcher(void **state)
{
    struct fixture *f = *state;
    f->io = loop_io_new(f->loop, f->pair[0], free_itself, f);
    loop_io_set(f->io, LOOP_READ | LOOP_WRITE);
    loop_run(f->loop);
    assert_int_equal(f->calls, 1);
}

/* Whether the descriptor is registered at any epoll of this process. */
static bool is_registered(int fd)
{
    char path[64], line[256], entry[32];
    bool found = false;

    snprintf(entry, sizeof(entry), "tfd: %8d ", fd);
    for (int at = 0; at < 64; at++) {
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", at);
        FILE *info = fopen(path, "re");
        while (info && fgets(line, sizeof(line), info))
            found |= strncmp(line, entry, strlen(entry)) == 0;
        if (info)
            fclose(info);
    }
    return found;
}

/* Another process has it open: here it is a copy. */
static void what_is_closed_by_another_process_is_registered_no_more(void **state)
{
    struct fixture *f = *state;
    struct closer *closer = closer_new(f->loop);
    int copies[2] = {dup(f->pair[0]), dup(f->pair[1])};

    f->timer[0] = loop_timer_new(f->loop, stop_loop, f);
    f->io = loop_io_new(f->loop, f->pair[0], read_and_pause, f);
    loop_io_set(f->io, LOOP_READ);
    loop_timer_set(f->timer[0], 1);
    loop_run(f->loop);
    assert_true(is_registered(f->pair[0]));
    loop_io_free(f->io);
    f->io = NULL;
    closer_take(closer, f->pair[0]);
    assert_false(is_registered(f->pair[0]));
    f->pair[0] = dup(copies[0]);
    closer_free(closer);
    close(copies[0]), close(copies[1]);
}

static void stop_at_signal(void *arg, int signo)
{
    struct fixture *f = arg;
    f->calls = signo;
    loop_stop(f->loop);
}

static void a_signal_reaches_its_watcher(void **state)
{
    struct fixture *f = *state;
    f->signal = loop_signal_new(f->loop, SIGUSR1, stop_at_signal, f);
    assert_non_null(f->signal);
    raise(SIGUSR1);
    loop_run(f->loop);
    assert_int_equal(f->calls, SIGUSR1);
}

static void without_descriptors_new_says_so_and_does_not_abort(void **state)
{
    (void)state;
    struct rlimit old, none = {0};
    getrlimit(RLIMIT_NOFILE, &old);
    none.rlim_max = old.rlim_max;
    struct loop *first = loop_new();
    setrlimit(RLIMIT_NOFILE, &none);
    errno = 0;
    struct loop *second = loop_new();
    int error = errno;
    struct loop_signal *signal = loop_signal_new(first, SIGUSR2, stop_at_signal, NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_null(second);
    assert_int_equal(error, EMFILE);
    assert_null(signal);
    loop_free(first);
}

/* Runs a small life of a loop with the n-th allocation failing; whether one failed at all. */
static bool live_with_failure_of(int n)
{
    struct fixture f = {0};
    fail_allocation(n);
    f.loop = loop_new();
    if (f.loop) {
        f.timer[0] = loop_timer_new(f.loop, stop_loop, &f);
        f.io = loop_io_new(f.loop, STDIN_FILENO, read_and_pause, &f);
        f.signal = loop_signal_new(f.loop, SIGUSR1, stop_at_signal, &f);
        if (f.timer[0]) {
            loop_timer_set(f.timer[0], 0);
            loop_run(f.loop);
            assert_int_equal(f.calls, 1);
        }
    }
    bool failed = fail_happened();
    loop_timer_free(f.timer[0]);
    loop_io_free(f.io);
    loop_signal_free(f.signal);
    loop_free(f.loop);
    return failed;
}

static void any_one_failed_allocation_is_survived(void **state)
{
    (void)state;
    int n = 0;
    while (live_with_failure_of(n))
        n++;
    assert_true(n >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_timer_never_fires_early),
        TEST_IN(rig, a_timer_set_by_a_slow_callback_counts_from_now),
        TEST_IN(rig, setting_a_timer_again_moves_it),
        TEST_IN(rig, a_callback_may_free_every_timer_due_with_it),
        TEST_IN(rig, a_readable_descriptor_is_reported_until_it_is_paused),
        TEST_IN(rig, a_descriptor_callback_may_free_its_own_watcher),
        TEST_IN(rig, what_is_closed_by_another_process_is_registered_no_more),
        TEST_IN(rig, a_signal_reaches_its_watcher),
        TEST(without_descriptors_new_says_so_and_does_not_abort),
        TEST(any_one_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
