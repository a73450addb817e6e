/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.c - see permit.h.
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "proto/limits.h"
#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/handover.h"
#include "shim/permit/permit.h"
#include "shim/view/process.h"

/* Hand-overs that may follow each other at once: a program that becomes a daemon closes what it
 * does not know. A program that goes on closing it hands over once a second from then on. */
#define PERMIT_FREE 8

/* Between two looks at whether homing-sever is still at the other end: it gives up on what it was
 * sent after half a second at the earliest. */
#define PERMIT_LOOK_MS 100

/* A claim that is older is overtaken: its thread was stopped, was cancelled, or has left by a jump.
 * A hand-over takes a tenth of a millisecond, and a thread may have to wait for a processor. */
#define PERMIT_CLAIM_MS 1000

struct permit {
    uint64_t forks;          /* of this process, see below */
    _Atomic uint64_t pid;    /* the process */
    _Atomic uint64_t parent; /* the process that started it */
    struct tags tags;
    /* The connection that was left open. */
    _Atomic uint64_t instance;   /* of the homing-sever that has the permit */
    _Atomic uint64_t connection; /* permit_connection() of it; 0: there is none */
    _Atomic uint64_t netns;      /* of the socket that it was made for; 0: not known */
    _Atomic uint32_t uid;        /* who has made it; 0: root, or not known */
    _Atomic bool lost;           /* homing-sever has closed its end */
    _Atomic uint64_t looked_ms;
    /* The next hand-over. */
    _Atomic uint64_t next_ms;    /* not before */
    _Atomic uint64_t claimed_ms; /* when the last one began */
    _Atomic uint32_t failures;   /* in a row */
    _Atomic uint32_t handed;     /* in all */
    /* What a fork has left. */
    uint64_t inherited;   /* a connection whose tags are among these; 0: none */
    _Atomic(void *) page; /* that process' struct permit: memory for that of a forked child */
};

/* The newest struct permit, and how often its process and those before it have forked until it came
 * about: that stands in a page which a forked child finds zeroed. So a child can tell its parent's
 * struct permit, which it still finds, from its own. */
static _Atomic(void *) permit_page, permit_forks;

static bool permit_is_inherited(const struct permit *permit)
{
    const _Atomic uint64_t *forks = atomic_load_explicit(&permit_forks, memory_order_relaxed);

    return atomic_load_explicit(forks, memory_order_relaxed) != permit->forks;
}

static bool permit_has_ended(uint64_t pid)
{
    struct rlimit64 limit;

    return syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &limit) != 0 &&
           libc_keep_errno().value == ESRCH;
}

/* Who finds another process' struct permit shares its memory. It is his if that one has ended. He cannot
 * tell if it may be outside of his pid namespace, as his parent is. */
static bool permit_is_left(const struct permit *permit)
{
    return (uint64_t)syscall(SYS_getppid) != 0 &&
           permit_has_ended(atomic_load_explicit(&permit->pid, memory_order_relaxed));
}

/* Whether it is not another process', as a vforked child's is its parent's. If such a child came
 * first, or a child of that, its parent takes over: nobody but a process that shares its memory can have
 * named it. */
static bool permit_is_ours(struct permit *permit)
{
    uint64_t pid = (uint64_t)syscall(SYS_getpid);

    if (atomic_load_explicit(&permit->pid, memory_order_relaxed) == pid)
        return true;
    if (atomic_load_explicit(&permit->parent, memory_order_relaxed) != pid &&
        !permit_is_left(permit))
        return false;
    atomic_store(&permit->pid, pid);
    atomic_store(&permit->parent, (uint64_t)syscall(SYS_getppid));
    return true;
}

/* ---- the first one of a process ---- */

/* Memory for one. That of the process before the one that has forked serves again. NULL: none. */
static struct permit *permit_room(struct permit *parents)
{
    _Atomic(void *) room = parents ? atomic_exchange(&parents->page, NULL) : NULL;
    struct permit *mine = process_memory(&room, PROCESS_PAGE);

    if (mine)
        *mine = (struct permit){.pid = (uint64_t)syscall(SYS_getpid),
                                .parent = (uint64_t)syscall(SYS_getppid),
                                .page = parents};
    return mine;
}

/* Two threads that come at once set up one each, and one of the two is shown. */
__attribute__((noinline, cold)) static struct permit *permit_set_up(void)
{
    _Atomic uint64_t *forks = process_page(&permit_forks);
    struct permit *parents = atomic_load(&permit_page), *mine;
    void *was = parents;
    uint64_t none = 0;

    if (!forks)
        return NULL;
    atomic_compare_exchange_strong(forks, &none, parents ? parents->forks + 1 : 1);
    if (parents && !permit_is_inherited(parents))
        return parents;
    mine = permit_room(parents);
    if (!mine)
        return NULL;
    mine->forks = atomic_load(forks);
    if (parents && tags_inherit(&mine->tags, &parents->tags))
        mine->inherited =
            atomic_load(&parents->connection) ? parents->connection : parents->inherited;
    if (!atomic_compare_exchange_strong(&permit_page, &was, mine)) {
        syscall(SYS_munmap, mine, PROCESS_PAGE);
        return was;
    }
    if (parents)
        tags_leave(&parents->tags);
    return mine;
}

/* This process' own, without setting it up. NULL: it has none, or it is another process'. */
static struct permit *permit_present(void)
{
    struct permit *own = atomic_load_explicit(&permit_page, memory_order_acquire);

    return own && !permit_is_inherited(own) && permit_is_ours(own) ? own : NULL;
}

/* The same, which is set up if need be. NULL: no memory can be had, or it is another process'. */
static struct permit *permit_own(void)
{
    struct permit *own = atomic_load_explicit(&permit_page, memory_order_acquire);

    if (!own || permit_is_inherited(own))
        own = permit_set_up();
    return own && permit_is_ours(own) ? own : NULL;
}

struct tags *permit_tags(void)
{
    struct permit *own = permit_present();

    return own ? &own->tags : NULL;
}

/* A forked child that has none of its own looks at its parent's tags, and copies them only if there
 * is one to be cleared. */
bool permit_untag(int fd)
{
    struct permit *own = atomic_load_explicit(&permit_page, memory_order_acquire);
    uint64_t tagged;

    if (!own)
        return true;
    if (!permit_is_inherited(own) && !permit_is_ours(own))
        return false;
    tagged = tags_cookie(&own->tags, fd);
    if (!tagged || tagged != socket_cookie(fd))
        return true;
    own = permit_own();
    if (own)
        tags_write(&own->tags, fd, &(struct tags_tag){0});
    return own;
}

/* ---- its connection ---- */

/* A descriptor's number, and of its socket's cookie as much as there is room for. In one word, so
 * that whoever replaces it closes what was there, and nothing else. 0: not a socket. */
static uint64_t permit_connection(int number)
{
    uint64_t cookie = socket_cookie(number);

    return cookie ? (uint64_t)number << 32 | (uint32_t)cookie : 0;
}

static int permit_number(uint64_t connection)
{
    return (int)(connection >> 32);
}

/* Whether it is still open: its number may be anything by now. */
static bool permit_is_open(uint64_t connection)
{
    return connection && permit_connection(permit_number(connection)) == connection;
}

static void permit_close(uint64_t connection)
{
    if (permit_is_open(connection))
        descriptor_close(permit_number(connection));
}

/* Who has made a socket, as homing-sever finds it listed. Not inlined, because of its stack. */
__attribute__((noinline)) static uint32_t permit_user(int fd)
{
    struct stat status;

    return descriptor_stat(fd, &status) == 0 ? status.st_uid : 0;
}

/* Whether the permit speaks for this socket: root's does for all users, another user's for his own. A
 * program may have gone to another network namespace, which homing-sever sees by another permit. */
static bool permit_is_for(const struct permit *own, int fd)
{
    uint32_t uid = atomic_load_explicit(&own->uid, memory_order_relaxed);

    if (uid != 0 && uid != permit_user(fd))
        return false;
    return atomic_load_explicit(&own->netns, memory_order_relaxed) == socket_netns(fd);
}

/* Not inlined, because of its stack. */
__attribute__((noinline)) static bool permit_is_held(const struct permit *own, uint64_t instance)
{
    return atomic_load(&own->instance) == instance &&
           permit_is_open(atomic_load(&own->connection)) && !atomic_load(&own->lost) &&
           !tags_outgrown(&own->tags);
}

/* homing-sever closes what it cannot take, for example when it is too busy. A program that connects
 * all the time looks now and then. poll() that asks for nothing tells of the end, and changes
 * nothing, whatever has that number by now. Not inlined, because of its stack. */
__attribute__((noinline)) static void permit_look(struct permit *own, uint64_t now_ms)
{
    uint64_t connection = atomic_load(&own->connection);
    struct pollfd at = {.fd = permit_number(connection)};

    if (!connection ||
        process_since_ms(now_ms, atomic_load_explicit(&own->looked_ms, memory_order_relaxed)) <
            PERMIT_LOOK_MS)
        return;
    atomic_store_explicit(&own->looked_ms, now_ms, memory_order_relaxed);
    if (descriptor_poll(&at, 0) > 0 && at.revents & POLLHUP)
        atomic_store(&own->lost, true);
}

static void permit_replace(struct permit *own, int number, int fd, uint64_t instance)
{
    uint64_t was = atomic_exchange(&own->connection, permit_connection(number));

    atomic_store(&own->uid, permit_user(number));
    atomic_store(&own->netns, socket_netns(fd < 0 ? number : fd));
    permit_close(was);
    permit_close(own->inherited);
    atomic_store(&own->lost, false);
    atomic_store(&own->instance, instance);
}

/* `number`: what handover() has returned. Where others crowd in, there may be room a moment later: a
 * program that makes its connections at its start, and then no more, is to get in with one of them.
 * So the pause begins with 2 ms, and doubles. */
static void permit_pause(struct permit *own, int number, uint64_t now_ms)
{
    bool done = number >= 0;
    uint32_t failures = done ? 0 : atomic_load(&own->failures) + 1;
    uint32_t handed = atomic_load(&own->handed) + done;
    uint64_t pause = 0;

    atomic_store(&own->failures, failures);
    atomic_store(&own->handed, handed);
    if (number == HANDOVER_CROWDED)
        pause = failures < 8 ? (uint64_t)1 << failures : HOMING_ATTACH_PAUSE_MS;
    else if (failures >= HOMING_ATTACH_FAILURES_FAST || (done && handed >= PERMIT_FREE))
        pause = HOMING_ATTACH_PAUSE_SLOW_MS;
    else if (!done)
        pause = HOMING_ATTACH_PAUSE_MS;
    atomic_store(&own->next_ms, now_ms + pause);
}

/* Not inlined, because most connects need none of its stack. */
__attribute__((noinline, cold)) static void
permit_hand_over(struct permit *own, int fd, uint64_t claim, uint64_t instance, uint64_t now_ms)
{
    int number = handover(&own->tags, claim);

    if (!tags_claims(&own->tags, claim)) { /* overtaken: the other one hands over */
        if (number >= 0)
            descriptor_close(number);
        return;
    }
    if (number >= 0)
        permit_replace(own, number, fd, instance);
    permit_pause(own, number, now_ms);
}

/* The claim of this thread, if it is the one to hand over now; else 0. The time is stored first:
 * who comes next must not take a claim that has just begun for an old one. */
static uint64_t permit_claim(struct permit *own, uint64_t now_ms)
{
    uint64_t since_ms = atomic_load(&own->claimed_ms);
    bool old = process_since_ms(now_ms, since_ms) >= PERMIT_CLAIM_MS;

    if (now_ms < atomic_load(&own->next_ms) || !tags_may_claim(&own->tags, old))
        return 0;
    atomic_store(&own->claimed_ms, now_ms);
    return tags_claim(&own->tags, old);
}

/* `fd`: -1, or the socket that the permit has to speak for. It need not for one that is tagged by
 * now: that was seen to when it was new. */
static bool permit_is_good(struct permit *own, int fd, uint64_t cookie, uint64_t instance)
{
    return permit_is_held(own, instance) &&
           (fd < 0 || (cookie && tags_cookie(&own->tags, fd) == cookie) || permit_is_for(own, fd));
}

static void permit_keep(struct permit *own, int fd, uint64_t cookie, uint64_t instance,
                        uint64_t now_ms)
{
    uint64_t claim;

    permit_look(own, now_ms);
    if (permit_is_good(own, fd, cookie, instance) || !(claim = permit_claim(own, now_ms)))
        return;
    if (!permit_is_good(own, fd, cookie, instance)) /* another thread may have just handed over */
        permit_hand_over(own, fd, claim, instance, now_ms);
    tags_release(&own->tags, claim);
}

struct tags *permit_ready(void)
{
    struct permit *own = permit_own();

    return own && tags_ready(&own->tags) ? &own->tags : NULL;
}

/* The first memory is the one that is handed over, if it can be. */
struct tags *permit_renew(int fd, uint64_t cookie, uint64_t instance, uint64_t now_ms)
{
    struct permit *own = permit_own();

    if (!own)
        return NULL;
    permit_keep(own, fd, cookie, instance, now_ms);
    tags_ready(&own->tags);
    return &own->tags;
}

/* While the inherited permit is good, it lasts as long as this process. */
bool permit_matters(uint64_t instance, uint64_t now_ms, tags_wanted_fn *wanted, const void *arg)
{
    struct permit *own = atomic_load_explicit(&permit_page, memory_order_acquire);

    if (!own)
        return false;
    if (permit_is_inherited(own)) {
        permit_look(own, now_ms);
        if (permit_is_held(own, instance))
            return false;
    } else if (!permit_is_ours(own)) {
        return false;
    }
    return tags_any(&own->tags, wanted, arg);
}

bool permit_hold(uint64_t instance, uint64_t now_ms)
{
    struct permit *own = permit_own();

    if (!own || !tags_ready(&own->tags))
        return false;
    permit_keep(own, -1, 0, instance, now_ms);
    return permit_is_held(own, instance);
}
