/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.c - loop.h on libev. The only file that includes ev.h.
 *
 * 1. A timer never fires early. libev counts from the time that it cached at the start of a turn,
 *    so the cache is refreshed before each start. When libev fires, our own clock decides.
 * 2. No wake-up without a reason: the backend is epoll, and no watcher of libev that polls is ever
 *    started.
 * 3. libev aborts if it cannot allocate. So a reserve is held, which is given back to malloc at
 *    that moment. loop_*_new() then fail until the reserve is whole again.
 * 4. When a watcher ends, libev leaves its descriptor registered, because it goes when it is closed. It
 *    does not if another process has it open (loop_forget()). libev does not tell which descriptor its epoll is. So
 *    that is found out when it is made; if that is wrong, nothing is forgotten.
 */
#include "config.h"

#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/loop.h"

/* What libev's tables may grow by at once: 16 bytes a timer, doubling, for 16,384 clusters with
 * some timers each. Never touched, so it costs address space, not memory. */
#define LOOP_RESERVE_BYTES ((size_t)4 * 1024 * 1024)

struct loop {
    struct ev_loop *ev;
    int epoll; /* libev's; -1: not known */
};

struct loop_timer {
    ev_timer ev;
    struct loop *loop;
    loop_timer_fn *fn;
    void *arg;
    uint64_t deadline_ns;
};

struct loop_io {
    ev_io ev;
    struct loop *loop;
    loop_io_fn *fn;
    void *arg;
    int events;
};

struct loop_signal {
    ev_signal ev;
    struct loop *loop;
    loop_signal_fn *fn;
    void *arg;
};

/* libev's allocator is one per process, and so is its reserve. */
static void *reserve;
static unsigned count;

static bool reserve_fill(void)
{
    if (!reserve)
        reserve = malloc(LOOP_RESERVE_BYTES);
    return reserve;
}

static void reserve_drop(void)
{
    free(reserve);
    reserve = NULL;
}

static void *allocate(void *old, long size)
{
    if (size <= 0) {
        free(old);
        return NULL;
    }
    void *new = realloc(old, (size_t)size);
    if (!new) {
        reserve_drop();
        new = realloc(old, (size_t)size);
    }
    return new;
}

/* The number that the next descriptor gets; -1: none is left. */
static int next_descriptor(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd;
}

/* -1: it is no epoll. One says of what it does not have that there is no such entry. */
static int if_epoll(int fd)
{
    int other = eventfd(0, EFD_CLOEXEC);
    bool is =
        fd >= 0 && other >= 0 && epoll_ctl(fd, EPOLL_CTL_DEL, other, NULL) < 0 && errno == ENOENT;

    if (other >= 0)
        close(other);
    return is ? fd : -1;
}

struct loop *loop_new(void)
{
    struct loop *loop = reserve_fill() ? malloc(sizeof(*loop)) : NULL;
    if (!loop) {
        errno = ENOMEM;
        return NULL;
    }
    ev_set_allocator(allocate);
    int next = next_descriptor();
    /* NOENV: the variable LIBEV_FLAGS must not choose another backend. */
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!loop->ev) {
        int saved = errno != 0 ? errno : EMFILE;
        free(loop);
        errno = saved;
        return NULL;
    }
    loop->epoll = if_epoll(next);
    count++;
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    ev_loop_destroy(loop->ev);
    free(loop);
    if (--count == 0)
        reserve_drop();
}

void loop_run(struct loop *loop)
{
    ev_run(loop->ev, 0);
}

void loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return clock_ns() / 1000000;
}

static void timer_start(struct loop_timer *timer, uint64_t delay_ns)
{
    ev_now_update(timer->loop->ev);
    ev_timer_set(&timer->ev, (ev_tstamp)delay_ns / 1e9, 0);
    ev_timer_start(timer->loop->ev, &timer->ev);
}

static void timer_fired(struct ev_loop *ev, ev_timer *watcher, int revents)
{
    (void)ev, (void)revents;
    struct loop_timer *timer = watcher->data;
    uint64_t now_ns = clock_ns();
    if (now_ns < timer->deadline_ns)
        timer_start(timer, timer->deadline_ns - now_ns);
    else
        timer->fn(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *arg)
{
    struct loop_timer *timer = reserve_fill() ? malloc(sizeof(*timer)) : NULL;
    if (!timer)
        return NULL;
    *timer = (struct loop_timer){.loop = loop, .fn = fn, .arg = arg};
    ev_timer_init(&timer->ev, timer_fired, 0, 0);
    timer->ev.data = timer;
    return timer;
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms)
{
    loop_timer_stop(timer);
    timer->deadline_ns = clock_ns() + delay_ms * 1000000;
    timer_start(timer, delay_ms * 1000000);
}

void loop_timer_stop(struct loop_timer *timer)
{
    ev_timer_stop(timer->loop->ev, &timer->ev);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    loop_timer_stop(timer);
    free(timer);
}

static void io_ready(struct ev_loop *ev, ev_io *watcher, int revents)
{
    (void)ev;
    struct loop_io *io = watcher->data;
    int events = 0;
    /* EV_ERROR: epoll refused the descriptor, and libev has stopped the watcher. The owner learns
     * the reason from its next read or write. */
    if (revents & (EV_READ | EV_ERROR))
        events |= LOOP_READ;
    if (revents & (EV_WRITE | EV_ERROR))
        events |= LOOP_WRITE;
    events &= io->events;
    if (revents & EV_ERROR)
        io->events = 0;
    if (events != 0)
        io->fn(io->arg, events);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, loop_io_fn *fn, void *arg)
{
    struct loop_io *io = reserve_fill() ? malloc(sizeof(*io)) : NULL;
    if (!io)
        return NULL;
    *io = (struct loop_io){.loop = loop, .fn = fn, .arg = arg};
    ev_io_init(&io->ev, io_ready, fd, 0);
    io->ev.data = io;
    return io;
}

void loop_io_set(struct loop_io *io, int events)
{
    if (events == io->events)
        return;
    ev_io_stop(io->loop->ev, &io->ev);
    io->events = events;
    ev_io_set(&io->ev, io->ev.fd,
              (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0));
    if (events != 0)
        ev_io_start(io->loop->ev, &io->ev);
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    ev_io_stop(io->loop->ev, &io->ev);
    free(io);
}

void loop_forget(struct loop *loop, int fd)
{
    int saved = errno;

    if (loop->epoll >= 0)
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    errno = saved;
}

static void signal_caught(struct ev_loop *ev, ev_signal *watcher, int revents)
{
    (void)ev, (void)revents;
    struct loop_signal *signal = watcher->data;
    signal->fn(signal->arg, watcher->signum);
}

/* libev opens an eventfd with the first signal watcher, and aborts where it cannot. */
static bool signal_affordable(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
    if (!signal_affordable() || !reserve_fill())
        return NULL;
    struct loop_signal *signal = malloc(sizeof(*signal));
    if (!signal)
        return NULL;
    *signal = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
    ev_signal_init(&signal->ev, signal_caught, signo);
    signal->ev.data = signal;
    ev_signal_start(loop->ev, &signal->ev);
    return signal;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (!signal)
        return;
    ev_signal_stop(signal->loop->ev, &signal->ev);
    free(signal);
}
