/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.c - see permit.h.
 *
 * Tags begin in anonymous memory, since the first connects of a pool may come before, or while, one
 * thread hands over. Each hand-over makes a new memfd, for no descriptor of the old one was kept,
 * and moves the tags: two places in the address space take turns and are never unmapped, so that a
 * thread that was suspended while writing a tag writes into one of them whenever it goes on.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "proto/limits.h"
#include "shim/libc.h"
#include "shim/permit.h"
#include "shim/process.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/* Hand-overs that may follow each other at once: an application that closes what it does not know
 * does so when it becomes a daemon. After that one a second, for who does it again and again. */
#define PERMIT_FREE 8

/* Between two looks at whether homing-sever is still at the other end: it gives up on what it was
 * sent after half a second at the earliest. */
#define PERMIT_LOOK_MS 100

/* The left-open connection goes to this number or above: beyond those that programs hand to their
 * children or take for granted, below what would make the kernel grow its table for it. */
#define PERMIT_NUMBER 1000

/* In a page that a forked child finds zeroed. */
struct permit {
    _Atomic uint64_t pid;
    _Atomic(struct tag_memory *) tags;
    _Atomic uint32_t tags_end; /* slots beyond were never written */
    _Atomic uint32_t busy;     /* somebody is handing over; the rest is his */
    _Atomic uint64_t next_ms;
    _Atomic uint64_t instance; /* that it was handed to */
    _Atomic uint64_t inode;    /* of the left-open connection; 0: none */
    _Atomic int number;        /* its descriptor */
    _Atomic bool lost;         /* its other end was closed */
    _Atomic uint64_t looked_ms;
    uint32_t failures, handed; /* in a row; in all */
    struct tag_memory *spare;  /* the place that the tags are not in */
};

static _Atomic(void *) permit_page;

static long permit_close(int fd)
{
    return syscall(SYS_close, fd);
}

/* The state, or NULL: none can be had, or it is another process': a vforked child's parent's. */
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

/* ---- tags ---- */

static void *permit_map(void *at, int fd)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *map = (void *)syscall(SYS_mmap, at, sizeof(struct tag_memory), PROT_READ | PROT_WRITE,
                                flags | (at ? MAP_FIXED : 0), fd, 0L);

    return map == MAP_FAILED ? NULL : map;
}

/* A thread that comes second gives its memory back: nobody has seen it. */
static struct tag_memory *permit_tags(struct permit *own)
{
    /* Pairs with the exchange here and in permit_move(). */
    struct tag_memory *tags = atomic_load_explicit(&own->tags, memory_order_acquire), *none = NULL;

    if (tags || !(tags = permit_map(NULL, -1)))
        return tags;
    if (atomic_compare_exchange_strong(&own->tags, &none, tags))
        return tags;
    syscall(SYS_munmap, tags, sizeof(*tags));
    return none;
}

static uint64_t permit_word(const tag_word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Each store is a release, so that who reads the memory in pieces meets them in this order. */
static void permit_write(struct tag *slot, const uint64_t words[4])
{
    atomic_store_explicit(&slot->cookie, 0, memory_order_release);
    atomic_store_explicit(&slot->endpoint, words[1], memory_order_release);
    atomic_store_explicit(&slot->generation, words[2], memory_order_release);
    atomic_store_explicit(&slot->since_ms, words[3], memory_order_release);
    atomic_store_explicit(&slot->cookie, words[0], memory_order_release);
}

/* The end is raised before the slot is written: who moves the tags looks at it after the memory was
 * exchanged, and thereby at every slot that was written before. */
static void permit_raise_end(struct permit *own, uint32_t end)
{
    uint32_t was = atomic_load_explicit(&own->tags_end, memory_order_relaxed);

    while (was < end && !atomic_compare_exchange_weak(&own->tags_end, &was, end))
        ;
}

/* Written again if the tags moved in between: either the mover saw it in the old memory, or this
 * thread sees the new one. */
static void permit_put(struct permit *own, uint32_t fd, const uint64_t words[4])
{
    struct tag_memory *tags = permit_tags(own), *then;

    if (!tags)
        return;
    permit_raise_end(own, fd + 1);
    do {
        then = tags;
        permit_write(&tags->slots[fd], words);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the exchange in permit_move() */
        tags = atomic_load(&own->tags);
    } while (tags != then);
}

static uint64_t permit_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
    return cookie;
}

/* The cookie of the tag at `fd`; 0: none. */
static uint64_t permit_tagged(struct permit *own, int fd)
{
    const struct tag_memory *tags = atomic_load_explicit(&own->tags, memory_order_acquire);

    return tags && (unsigned)fd < TAG_SLOTS ? permit_word(&tags->slots[fd].cookie) : 0;
}

static bool permit_has_tagged(struct permit *permit, int fd)
{
    uint64_t tagged = permit ? permit_tagged(permit, fd) : 0;

    return tagged && permit_cookie(fd) == tagged;
}

bool permit_tag(struct permit *permit, int fd, uint64_t endpoint, uint64_t generation,
                uint64_t now_ms, bool anew)
{
    uint64_t words[4] = {0, endpoint, generation, now_ms};

    if (!permit || (unsigned)fd >= TAG_SLOTS || !(words[0] = permit_cookie(fd)))
        return true;
    if (!anew && permit_tagged(permit, fd) == words[0])
        return false;
    permit_put(permit, (uint32_t)fd, words);
    return true;
}

void permit_untag(struct permit *permit, int fd)
{
    if (permit_has_tagged(permit, fd))
        permit_put(permit, (uint32_t)fd, (const uint64_t[4]){0});
}

void permit_count(struct permit *permit, enum tag_count what)
{
    struct tag_memory *tags =
        permit ? atomic_load_explicit(&permit->tags, memory_order_acquire) : NULL;

    if (tags)
        atomic_fetch_add_explicit(&tags->header.counts[what], 1, memory_order_relaxed);
}

struct permit *permit_known(void)
{
    return atomic_load_explicit(&permit_page, memory_order_relaxed) ? permit_own() : NULL;
}

/* Called before the exchange, when nobody else writes into `to`, and after it for what was written
 * late: then a slot that is in use already is younger. */
static void permit_copy(struct permit *own, const struct tag_memory *from, struct tag_memory *to)
{
    uint32_t end = atomic_load(&own->tags_end);

    for (uint32_t i = 0; i < end; i++) {
        const struct tag *slot = &from->slots[i];
        uint64_t words[4] = {atomic_load_explicit(&slot->cookie, memory_order_acquire),
                             permit_word(&slot->endpoint), permit_word(&slot->generation),
                             permit_word(&slot->since_ms)};

        if (words[0] && (permit_word(&to->slots[i].cookie) == 0 ||
                         permit_word(&to->slots[i].since_ms) < words[3]))
            permit_write(&to->slots[i], words);
    }
}

static void permit_head(struct tag_memory *to)
{
    atomic_store_explicit(&to->header.magic, TAG_MAGIC, memory_order_relaxed);
    atomic_store_explicit(&to->header.version, TAG_VERSION, memory_order_relaxed);
    atomic_store_explicit(&to->header.slots, TAG_SLOTS, memory_order_relaxed);
}

/* Taken away from the old memory, of which homing-sever keeps the counts when it is gone: nothing
 * is counted twice. What a thread that has not seen the exchange counts there stays there. */
static void permit_move_counts(struct tag_memory *from, struct tag_memory *to)
{
    for (int i = 0; i < TAG_COUNT_COUNT; i++) {
        uint64_t counted =
            atomic_exchange_explicit(&from->header.counts[i], 0, memory_order_relaxed);

        atomic_fetch_add_explicit(&to->header.counts[i], counted, memory_order_relaxed);
    }
}

/* Moves the tags into `memory`. */
static bool permit_move(struct permit *own, int memory)
{
    struct tag_memory *from = permit_tags(own), *to = from ? permit_map(own->spare, memory) : NULL;

    if (!to)
        return false;
    permit_head(to);
    permit_copy(own, from, to);
    atomic_exchange(&own->tags, to);
    permit_copy(own, from, to);
    permit_move_counts(from, to);
    own->spare = from;
    return true;
}

/* ---- descriptors ---- */

static rlim_t permit_limit(int resource)
{
    struct rlimit64 limit = {.rlim_cur = RLIM64_INFINITY};

    syscall(SYS_prlimit64, 0, resource, NULL, &limit);
    return limit.rlim_cur;
}

/* Moves a descriptor to `number` or above, at least away from 0, 1 and 2. */
static int permit_lift(int fd, int number)
{
    int moved;

    if (fd < 0 || fd >= number)
        return fd;
    moved = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, number);
    if (moved < 0 && number > 3)
        return permit_lift(fd, 3);
    permit_close(fd);
    return moved;
}

static int permit_number(void)
{
    rlim_t limit = permit_limit(RLIMIT_NOFILE);

    if (limit < 8)
        return 3;
    return limit > PERMIT_NUMBER ? PERMIT_NUMBER : (int)(limit * 3 / 4);
}

static int permit_connect(void)
{
    struct sockaddr_un address;
    int fd;

    if (!process_permit_socket(&address))
        return -1;
    fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fd = permit_lift(fd, permit_number());
    if (fd < 0 || syscall(SYS_connect, fd, &address, sizeof(address)) == 0)
        return fd;
    permit_close(fd);
    return -1;
}

/* Growing a file beyond RLIMIT_FSIZE would not fail but kill the process (SIGXFSZ). */
static int permit_memory(void)
{
    int fd;

    if (permit_limit(RLIMIT_FSIZE) < sizeof(struct tag_memory))
        return -1;
    fd = (int)syscall(SYS_memfd_create, "homing-tags",
                      MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0) /* a kernel before 6.3 */
        fd = (int)syscall(SYS_memfd_create, "homing-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fd = permit_lift(fd, 3);
    if (fd < 0 || (syscall(SYS_ftruncate, fd, sizeof(struct tag_memory)) == 0 &&
                   syscall(SYS_fcntl, fd, F_ADD_SEALS, PERMIT_TAG_SEALS) == 0))
        return fd;
    permit_close(fd);
    return -1;
}

static bool permit_send(int connection, const int fds[PERMIT_FD_COUNT])
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * PERMIT_FD_COUNT)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int) * PERMIT_FD_COUNT),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {(void *)permit_hello, sizeof(permit_hello)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    for (int i = 0; i < PERMIT_FD_COUNT; i++)
        ((int *)CMSG_DATA(&control.header))[i] = fds[i];
    return syscall(SYS_sendmsg, connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           sizeof(permit_hello);
}

/* All but the connection is closed again, whatever comes. */
static bool permit_give(struct permit *own, int connection)
{
    int fds[PERMIT_FD_COUNT];
    bool given = false;

    fds[PERMIT_FD_NETLINK] = permit_lift(
        (int)syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), 3);
    if (fds[PERMIT_FD_NETLINK] < 0)
        return false;
    fds[PERMIT_FD_TAGS] = permit_memory();
    if (fds[PERMIT_FD_TAGS] >= 0) {
        given = permit_move(own, fds[PERMIT_FD_TAGS]) && permit_send(connection, fds);
        permit_close(fds[PERMIT_FD_TAGS]);
    }
    permit_close(fds[PERMIT_FD_NETLINK]);
    return given;
}

/* The socket's inode; 0: not a socket. */
static uint64_t permit_inode(int fd)
{
    struct stat status;

    return syscall(SYS_fstat, fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/* Whether the left-open connection is there: its number may be anything by now. */
static bool permit_holds(const struct permit *own)
{
    uint64_t inode = atomic_load_explicit(&own->inode, memory_order_acquire);

    return inode && permit_inode(atomic_load(&own->number)) == inode;
}

static void permit_replace(struct permit *own, int connection)
{
    if (permit_holds(own))
        permit_close(atomic_load(&own->number));
    atomic_store(&own->inode, 0);
    atomic_store(&own->number, connection);
    atomic_store(&own->inode, permit_inode(connection));
    atomic_store(&own->lost, false);
}

/* homing-sever closes what it cannot take, be it because it was too busy. A program that connects
 * all the time looks now and then; asked for nothing, ppoll() tells the end and changes nothing,
 * whoever's number it is by now. */
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
    int connection = permit_connect();
    bool done = connection >= 0 && permit_give(own, connection);

    if (done) {
        permit_replace(own, connection);
        atomic_store(&own->instance, instance);
    } else if (connection >= 0) {
        permit_close(connection);
    }
    permit_pause(own, done, now_ms);
}

static bool permit_is_held(const struct permit *own, uint64_t instance)
{
    return atomic_load(&own->instance) == instance && permit_holds(own) && !atomic_load(&own->lost);
}

struct permit *permit_renew(uint64_t instance, uint64_t now_ms)
{
    struct permit *own = permit_own();
    uint32_t idle = 0;

    if (!own || !permit_tags(own))
        return own;
    permit_look(own, now_ms);
    if (permit_is_held(own, instance))
        return own;
    if (now_ms < atomic_load(&own->next_ms) ||
        !atomic_compare_exchange_strong(&own->busy, &idle, 1))
        return own;
    if (!permit_is_held(own, instance)) /* by who was busy just before */
        permit_hand_over(own, instance, now_ms);
    atomic_store(&own->busy, 0);
    return own;
}
