/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_loop.c - loop.h on a virtual clock, so that the real agent can be replayed.
 *
 * 1. A callback may stop or free any watcher, its own included: after each call the lists are
 *    searched anew, and nothing is remembered across a call but numbers.
 * 2. Same input, same order: timers by (deadline, order of setting), descriptors by age.
 */
#include "config.h"

#include <poll.h>
#include <stdlib.h>

#include "tests/support/fake_loop.h"

struct loop {
    uint64_t now_ms;
    uint64_t sequence;
    bool stopped;
    struct loop_timer *timers;
    struct loop_io *ios;
    struct loop_signal *signals;
};

struct loop_timer {
    struct loop_timer *next;
    struct loop *loop;
    loop_timer_fn *fn;
    void *arg;
    bool set;
    uint64_t deadline_ms;
    uint64_t sequence;
};

struct loop_io {
    struct loop_io *next;
    struct loop *loop;
    loop_io_fn *fn;
    void *arg;
    int fd;
    int events;
    uint64_t sequence;
};

struct loop_signal {
    struct loop_signal *next;
    struct loop *loop;
    loop_signal_fn *fn;
    void *arg;
    int signo;
    uint64_t sequence;
};

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop)
        loop->now_ms = FAKE_LOOP_START_MS;
    return loop;
}

void loop_free(struct loop *loop)
{
    free(loop);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped) {
        if (fake_loop_poll(loop))
            continue;
        uint64_t wait_ms = fake_loop_next_ms(loop);
        if (wait_ms == UINT64_MAX)
            return;
        fake_loop_advance(loop, wait_ms);
    }
}

static struct loop_timer *fake_loop_next(const struct loop *loop)
{
    struct loop_timer *best = NULL;
    for (struct loop_timer *timer = loop->timers; timer; timer = timer->next) {
        if (!timer->set)
            continue;
        if (!best || timer->deadline_ms < best->deadline_ms ||
            (timer->deadline_ms == best->deadline_ms && timer->sequence < best->sequence))
            best = timer;
    }
    return best;
}

uint64_t fake_loop_next_ms(const struct loop *loop)
{
    const struct loop_timer *timer = fake_loop_next(loop);
    if (!timer)
        return UINT64_MAX;
    return timer->deadline_ms > loop->now_ms ? timer->deadline_ms - loop->now_ms : 0;
}

void fake_loop_advance(struct loop *loop, uint64_t ms)
{
    uint64_t until_ms = loop->now_ms + ms;
    fake_loop_poll(loop);
    for (;;) {
        struct loop_timer *timer = fake_loop_next(loop);
        if (!timer || timer->deadline_ms > until_ms)
            break;
        if (timer->deadline_ms > loop->now_ms)
            loop->now_ms = timer->deadline_ms;
        timer->set = false;
        timer->fn(timer->arg);
        fake_loop_poll(loop);
    }
    loop->now_ms = until_ms;
}

/* The oldest watcher younger than `after` that waits for what its descriptor now has. */
static struct loop_io *fake_loop_next_io(const struct loop *loop, uint64_t after, int *ret_events)
{
    struct loop_io *best = NULL;
    for (struct loop_io *io = loop->ios; io; io = io->next) {
        if (io->events == 0 || io->sequence <= after || (best && io->sequence > best->sequence))
            continue;
        struct pollfd poll_fd = {.fd = io->fd};
        poll_fd.events = (short)((io->events & LOOP_READ ? POLLIN : 0) |
                                 (io->events & LOOP_WRITE ? POLLOUT : 0));
        if (poll(&poll_fd, 1, 0) != 1 || poll_fd.revents & POLLNVAL)
            continue;
        int broken = poll_fd.revents & (POLLERR | POLLHUP);
        int ready = (poll_fd.revents & POLLIN || broken ? LOOP_READ : 0) |
                    (poll_fd.revents & POLLOUT || broken ? LOOP_WRITE : 0);
        if ((ready & io->events) == 0)
            continue;
        best = io;
        *ret_events = ready & io->events;
    }
    return best;
}

bool fake_loop_poll(struct loop *loop)
{
    bool any = false;
    int events;
    struct loop_io *io = fake_loop_next_io(loop, 0, &events);
    while (io) {
        uint64_t sequence = io->sequence;
        io->fn(io->arg, events);
        any = true;
        io = fake_loop_next_io(loop, sequence, &events);
    }
    return any;
}

void fake_loop_ready(struct loop *loop, int fd, int events)
{
    uint64_t done = 0;
    for (;;) {
        struct loop_io *next = NULL;
        for (struct loop_io *io = loop->ios; io; io = io->next)
            if (io->fd == fd && (io->events & events) != 0 && io->sequence > done &&
                (!next || io->sequence < next->sequence))
                next = io;
        if (!next)
            return;
        done = next->sequence;
        next->fn(next->arg, next->events & events);
    }
}

void fake_loop_raise(struct loop *loop, int signo)
{
    uint64_t done = 0;
    for (;;) {
        struct loop_signal *next = NULL;
        for (struct loop_signal *signal = loop->signals; signal; signal = signal->next)
            if (signal->signo == signo && signal->sequence > done &&
                (!next || signal->sequence < next->sequence))
                next = signal;
        if (!next)
            return;
        done = next->sequence;
        next->fn(next->arg, signo);
    }
}

size_t fake_loop_watchers(const struct loop *loop)
{
    size_t count = 0;
    for (const struct loop_timer *timer = loop->timers; timer; timer = timer->next)
        count++;
    for (const struct loop_io *io = loop->ios; io; io = io->next)
        count++;
    for (const struct loop_signal *signal = loop->signals; signal; signal = signal->next)
        count++;
    return count;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *arg)
{
    struct loop_timer *timer = malloc(sizeof(*timer));
    if (!timer)
        return NULL;
    *timer = (struct loop_timer){.next = loop->timers, .loop = loop, .fn = fn, .arg = arg};
    loop->timers = timer;
    return timer;
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms)
{
    timer->set = true;
    timer->deadline_ms = timer->loop->now_ms + delay_ms;
    timer->sequence = ++timer->loop->sequence;
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->set = false;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    struct loop_timer **link = &timer->loop->timers;
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    free(timer);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, loop_io_fn *fn, void *arg)
{
    struct loop_io *io = malloc(sizeof(*io));
    if (!io)
        return NULL;
    *io = (struct loop_io){.next = loop->ios, .loop = loop, .fn = fn, .arg = arg, .fd = fd};
    io->sequence = ++loop->sequence;
    loop->ios = io;
    return io;
}

void loop_io_set(struct loop_io *io, int events)
{
    io->events = events;
}

void loop_forget(struct loop *loop, int fd)
{
    (void)loop, (void)fd;
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    struct loop_io **link = &io->loop->ios;
    while (*link != io)
        link = &(*link)->next;
    *link = io->next;
    free(io);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
    struct loop_signal *signal = malloc(sizeof(*signal));
    if (!signal)
        return NULL;
    *signal = (struct loop_signal){.next = loop->signals, .loop = loop, .fn = fn, .arg = arg};
    signal->signo = signo;
    signal->sequence = ++loop->sequence;
    loop->signals = signal;
    return signal;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (!signal)
        return;
    struct loop_signal **link = &signal->loop->signals;
    while (*link != signal)
        link = &(*link)->next;
    *link = signal->next;
    free(signal);
}
