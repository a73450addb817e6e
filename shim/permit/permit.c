/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.c - see permit.h.
 */
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "proto/limits.h"
#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/permit/handover.h"
#include "shim/permit/permit.h"
#include "shim/view/process.h"

/* Hand-overs that may follow each other at once: a program that becomes a daemon closes what it
 * does not know. A program that goes on closing it hands over once a second from then on. */
#define PERMIT_FREE 8

/* Between two looks at whether homing-sever is still at the other end: it gives up on what it was
 * sent after half a second at the earliest. */
#define PERMIT_LOOK_MS 100

/* In a page that a forked child finds zeroed. */
struct permit {
    _Atomic uint64_t pid; /* the process that has set it up; 0: none yet */
    struct tags tags;
    /* The connection that was left open. */
    _Atomic uint64_t instance; /* of the homing-sever that has the permit */
    _Atomic uint64_t inode;    /* 0: there is no connection */
    _Atomic int number;        /* its descriptor */
    _Atomic bool lost;         /* homing-sever has closed its end */
    _Atomic uint64_t looked_ms;
    /* The next hand-over. */
    _Atomic uint64_t next_ms; /* not before */
    _Atomic uint32_t busy;    /* a thread is handing over; the counts are only for that thread */
    uint32_t failures;        /* in a row */
    uint32_t handed;          /* in all */
};

static _Atomic(void *) permit_page;

/* NULL: no memory can be had, or it is another process', as a vforked child's is its parent's. */
static struct permit *permit_own(void)
{
    struct permit *own;
    uint64_t owner, pid;

    if (process_sever_refused() || !(own = process_page(&permit_page)))
        return NULL;
    pid = (uint64_t)syscall(SYS_getpid);
    owner = atomic_load_explicit(&own->pid, memory_order_relaxed);
    if (owner == 0 && atomic_compare_exchange_strong(&own->pid, &owner, pid))
        return own;
    return owner == pid ? own : NULL;
}

struct tags *permit_tags(void)
{
    struct permit *own =
        atomic_load_explicit(&permit_page, memory_order_relaxed) ? permit_own() : NULL;

    return own ? &own->tags : NULL;
}

/* A socket's inode; 0: not a socket. */
static uint64_t permit_inode(int fd)
{
    struct stat status;

    return syscall(SYS_fstat, fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/* Whether the connection is still open: its number may be anything by now. */
static bool permit_is_open(const struct permit *own)
{
    uint64_t inode = atomic_load_explicit(&own->inode, memory_order_acquire);

    return inode && permit_inode(atomic_load(&own->number)) == inode;
}

static bool permit_is_held(const struct permit *own, uint64_t instance)
{
    return atomic_load(&own->instance) == instance && permit_is_open(own) &&
           !atomic_load(&own->lost);
}

/* homing-sever closes what it cannot take, for example when it is too busy. A program that connects
 * all the time looks now and then. ppoll() that asks for nothing tells of the end, and changes
 * nothing, whatever has that number by now. */
static void permit_look(struct permit *own, uint64_t now_ms)
{
    struct pollfd at = {.fd = atomic_load(&own->number)};
    struct timespec none = {0};

    if (now_ms - atomic_load_explicit(&own->looked_ms, memory_order_relaxed) < PERMIT_LOOK_MS)
        return;
    atomic_store_explicit(&own->looked_ms, now_ms, memory_order_relaxed);
    if (syscall(SYS_ppoll, &at, 1UL, &none, NULL, 0UL) > 0 && at.revents & POLLHUP)
        atomic_store(&own->lost, true);
}

static void permit_replace(struct permit *own, int connection, uint64_t instance)
{
    if (permit_is_open(own))
        descriptor_close(atomic_load(&own->number));
    atomic_store(&own->inode, 0);
    atomic_store(&own->number, connection);
    atomic_store(&own->inode, permit_inode(connection));
    atomic_store(&own->lost, false);
    atomic_store(&own->instance, instance);
}

static void permit_pause(struct permit *own, bool done, uint64_t now_ms)
{
    uint64_t pause = 0;

    own->failures = done ? 0 : own->failures + 1;
    own->handed += done;
    if (own->failures >= HOMING_ATTACH_FAILURES_FAST || (done && own->handed >= PERMIT_FREE))
        pause = HOMING_ATTACH_PAUSE_SLOW_MS;
    else if (!done)
        pause = HOMING_ATTACH_PAUSE_MS;
    atomic_store(&own->next_ms, now_ms + pause);
}

static void permit_hand_over(struct permit *own, uint64_t instance, uint64_t now_ms)
{
    int connection = handover(&own->tags);

    if (connection >= 0)
        permit_replace(own, connection, instance);
    permit_pause(own, connection >= 0, now_ms);
}

/* Whether this thread is the one to hand over now. */
static bool permit_begin(struct permit *own, uint64_t now_ms)
{
    uint32_t idle = 0;

    return now_ms >= atomic_load(&own->next_ms) &&
           atomic_compare_exchange_strong(&own->busy, &idle, 1);
}

struct tags *permit_renew(uint64_t instance, uint64_t now_ms)
{
    struct permit *own = permit_own();

    if (!own)
        return NULL;
    if (!tags_ready(&own->tags))
        return &own->tags;
    permit_look(own, now_ms);
    if (permit_is_held(own, instance) || !permit_begin(own, now_ms))
        return &own->tags;
    if (!permit_is_held(own, instance)) /* another thread may have just handed over */
        permit_hand_over(own, instance, now_ms);
    atomic_store(&own->busy, 0);
    return &own->tags;
}
