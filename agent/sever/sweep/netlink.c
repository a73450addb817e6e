/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink.c - see netlink.h.
 *
 * 1. Every call has MSG_DONTWAIT. The sender of a datagram must be the kernel (nl_pid 0), and the
 *    sequence number of a message must be one of this request's.
 * 2. The kernel makes the first part of a reply before sendto() returns, and the next part whenever
 *    one is read. So if the socket is empty before the end, another process reads from it.
 */
#include "config.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/sweep/netlink.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum {
    /* The kernel puts no more into one datagram of a dump. */
    DATAGRAM_MAX = 32768,
    /* Times that a dump is asked for again, because one was running. */
    BUSY_TRIES = 16
};

static uint8_t datagram[DATAGRAM_MAX];

/* Processor time of this thread. Nothing here waits, and a process must not lose its permit because
 * the machine is busy. */
static uint64_t spent_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The first one is random, so that a process that can put messages into the socket cannot guess. */
static uint32_t take_seq(uint32_t count)
{
    static uint32_t next;

    if (next == 0)
        (void)!getrandom(&next, sizeof(next), 0);
    uint32_t first = next;
    next += count;
    return first;
}

static int ask(int fd, const void *request, size_t len)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n = sendto(fd, request, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&kernel,
                       sizeof(kernel));

    return n < 0 ? -errno : (size_t)n == len ? 0 : -EPROTO;
}

/* The length of one datagram from the kernel; 0: another sender's. -EAGAIN: there is none. */
static ssize_t hear(int fd)
{
    struct sockaddr_nl from = {.nl_pid = 1};
    struct iovec iov = {datagram, sizeof(datagram)};
    struct msghdr m = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if (m.msg_namelen != sizeof(from) || from.nl_family != AF_NETLINK || from.nl_pid != 0 ||
        (m.msg_flags & MSG_TRUNC))
        return 0;
    return n;
}

/* Reads what was left there. That also ends a dump that another process began. */
static int drain(int fd, uint64_t deadline_ms)
{
    for (;;) {
        ssize_t n = hear(fd);
        if (n == -EAGAIN)
            return 0;
        if (n < 0 && n != -ENOBUFS)
            return (int)n;
        if (spent_ms() >= deadline_ms)
            return -ETIME;
    }
}

/* ---- a dump ---- */

struct hearing {
    uint32_t seq;
    bool whole; /* sockets of MPTCP themselves */
    netlink_fn *fn;
    void *arg;
    bool enough;
};

/* 1: the dump goes on; 0: it is complete; or its error. */
static int hear_part(struct hearing *h, size_t len)
{
    struct diag_message m;
    size_t at = 0;

    for (;;) {
        switch (diag_take(datagram, len, &at, h->seq, 1, &m)) {
        case DIAG_SOCKET:
            m.socket.whole = h->whole;
            if (!h->enough)
                h->enough = !h->fn(h->arg, &m.socket);
            break;
        case DIAG_ACK:
        case DIAG_DONE:
            return m.error;
        case DIAG_FOREIGN:
            break;
        case DIAG_END:
            return 1;
        default:
            return -EBADMSG;
        }
    }
}

static int hear_all(int fd, struct hearing *h, uint64_t deadline_ms)
{
    for (;;) {
        ssize_t n = hear(fd);
        if (n == -EAGAIN)
            return -EPROTO;
        int rv = n < 0 ? (int)n : n == 0 ? 1 : hear_part(h, (size_t)n);
        if (rv <= 0)
            return rv;
        if (spent_ms() >= deadline_ms)
            return -ETIME;
    }
}

static int dump_here(int fd, int family, enum diag_what what, const struct inet_address *at,
                     uint32_t count, netlink_fn *fn, void *arg)
{
    uint8_t request[DIAG_DUMP_MAX];
    struct hearing h = {.whole = what == DIAG_MPTCP, .fn = fn, .arg = arg};
    uint64_t deadline_ms = spent_ms() + NETLINK_DEADLINE_MS;
    int rv = -EBUSY;

    for (int i = 0; i < BUSY_TRIES && rv == -EBUSY; i++) {
        h.seq = take_seq(1);
        rv = drain(fd, deadline_ms);
        if (rv == 0)
            rv = ask(fd, request, diag_put_dump(family, what, at, count, h.seq, request));
        if (rv == 0)
            rv = hear_all(fd, &h, deadline_ms);
    }
    return rv;
}

/* ---- a dump by another process ---- */

/* What the kernel tells of a socket beside its addresses it reads under the socket's lock, for which it waits as long
 * as a program likes. */
struct listing {
    int family;
    enum diag_what what;
    const struct inet_address *at;
    uint32_t count;
    struct age age; /* of the processor that it runs on it has to know more */
};

/* Sockets on their way to the second descriptor. */
struct saved {
    struct diag_socket sockets[64];
    uint32_t count;
    bool failed;
};

static void save_all(struct saved *saved)
{
    size_t len = saved->count * sizeof(saved->sockets[0]);

    saved->failed |= write(DEPUTY_SECOND, saved->sockets, len) != (ssize_t)len;
    saved->count = 0;
}

static bool save(void *arg, const struct diag_socket *socket)
{
    struct saved *saved = arg;

    saved->sockets[saved->count++] = *socket;
    if (saved->count == sizeof(saved->sockets) / sizeof(saved->sockets[0]))
        save_all(saved);
    return !saved->failed;
}

static int list_there(int fd, const void *arg)
{
    const struct listing *l = arg;
    struct saved saved = {.count = 0};
    struct age age = l->age;

    age_note(&age);
    saved.failed = write(DEPUTY_SECOND, &age, sizeof(age)) != sizeof(age);
    int rv = dump_here(fd, l->family, l->what, l->at, l->count, save, &saved);
    save_all(&saved);
    return saved.failed ? ENOSPC : -rv;
}

static void hand_on(int memory, struct age *ret_age, netlink_fn *fn, void *arg)
{
    struct diag_socket sockets[64];
    struct age age;
    off_t at = sizeof(age);
    ssize_t n;

    if (pread(memory, &age, sizeof(age), 0) == sizeof(age))
        *ret_age = age;
    while ((n = pread(memory, sockets, sizeof(sockets), at)) > 0) {
        for (size_t i = 0; i < (size_t)n / sizeof(sockets[0]); i++)
            if (!fn(arg, &sockets[i]))
                return;
        at += n;
    }
}

static uint64_t netns_cookie(int fd)
{
    uint64_t netns = 0;
    socklen_t len = sizeof(netns);

    (void)getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &netns, &len);
    return netns;
}

int netlink_beside(int fd)
{
    int own = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    uint64_t netns = own < 0 ? 0 : netns_cookie(own);

    if (netns && netns == netns_cookie(fd))
        return own;
    if (own >= 0)
        close(own);
    return -1;
}

/* One of a network namespace hangs at a time, and its netlink socket with it. */
static uint64_t key_of(int fd, const struct listing *l)
{
    return netns_cookie(fd) << 16 | 1u << 15 | (uint64_t)l->family << 4 | (uint64_t)l->what;
}

static int dump_there(int fd, struct listing *l, netlink_fn *fn, void *arg)
{
    static struct deputies listing;
    uint64_t key = key_of(fd, l);
    int memory, rv;

    if (deputies_hang(&listing, key, UINT32_MAX - 1))
        return -ENOLCK;
    memory = memfd_create("sever-list", MFD_CLOEXEC);
    rv = memory < 0 ? -errno : deputy_run(&listing, fd, memory, list_there, l);
    if (rv >= 0)
        hand_on(memory, &l->age, fn, arg);
    if (memory >= 0)
        close(memory);
    if (rv == -EDEADLK) {
        deputies_blame(&listing, key, UINT32_MAX);
        log_event(
            LOG_WARNING, "socket_locked",
            "a program keeps a connection locked: what nobody has tagged stays, and so does what "
            "is of MPTCP");
    }
    if (rv < 0 && rv != -EDEADLK && rv != -ENOSPC) /* no process can be had */
        return dump_here(fd, l->family, l->what, l->at, l->count, fn, arg);
    return rv == -ENOSPC ? -ENOLCK : rv < 0 ? rv : -rv;
}

static bool note_any(void *arg, const struct diag_socket *socket)
{
    (void)socket;
    *(bool *)arg = true;
    return false;
}

/* Where nothing is there, which costs no process, no more can be told of it. */
int netlink_dump(int fd, int family, enum diag_what what, const struct inet_address *at,
                 uint32_t count, struct age *age, netlink_fn *fn, void *arg)
{
    struct listing l = {.family = family, .what = what, .at = at, .count = count};
    bool any = false;
    int rv;

    if (what == DIAG_TCP)
        return dump_here(fd, family, what, at, count, fn, arg);
    rv = dump_here(fd, family, what == DIAG_MPTCP ? DIAG_MPTCP_BARE : DIAG_TCP, at, count, note_any,
                   &any);
    if (!any || (rv && rv != -ETIME))
        return rv;
    l.age = *age;
    rv = dump_there(fd, &l, fn, arg);
    *age = l.age;
    return rv;
}

/* ---- aborts ---- */

static void hear_answers(uint32_t seq, uint32_t count, size_t len, int *errors)
{
    struct diag_message m;
    enum diag_kind kind;
    size_t at = 0;

    while ((kind = diag_take(datagram, len, &at, seq, count, &m)) != DIAG_END && kind != DIAG_BAD)
        if (kind == DIAG_ACK)
            errors[m.seq - seq] = m.error;
}

/* Some of a request. */
struct aborts {
    const uint8_t *request;
    uint32_t from, to;
};

static int send_aborts(int fd, const void *arg)
{
    const struct aborts *some = arg;

    for (uint32_t i = some->from; i < some->to; i++)
        (void)ask(fd, some->request + (size_t)i * DIAG_DESTROY_LEN, DIAG_DESTROY_LEN);
    return 0;
}

static void hear_all_answers(int fd, uint32_t seq, uint32_t count, int *errors)
{
    uint64_t deadline_ms = spent_ms() + NETLINK_DEADLINE_MS;
    ssize_t n = 0;

    while (n != -EAGAIN && spent_ms() < deadline_ms) {
        n = hear(fd);
        if (n < 0 && n != -EAGAIN && n != -ENOBUFS)
            return;
        if (n > 0)
            hear_answers(seq, count, (size_t)n, errors);
    }
}

/* Who sends from such a socket what cannot be read in has it locked, and who aborts it waits in the kernel. One that
 * hangs so is a process of its own, and aborts no other one when it goes on. */
static struct deputies aborting;

/* Those that follow `from` without one that is locked. */
static uint32_t end_of_run(const struct diag_socket *sockets, uint32_t count, uint32_t from)
{
    uint32_t to = from;

    while (to < count && !deputies_hang(&aborting, sockets[to].cookie, sockets[to].uid))
        to++;
    return to;
}

/* Returns the one to go on with. They are aborted one after the other: it hangs on the first that has no answer. */
static uint32_t abort_run(int fd, const struct diag_socket *sockets, const struct aborts *run,
                          uint32_t seq, uint32_t count, int *errors)
{
    int rv = deputy_run(&aborting, fd, -1, send_aborts, run);
    uint32_t at = run->from;

    if (rv < 0 && rv != -EDEADLK && rv != -ENOSPC) /* no process can be had */
        (void)send_aborts(fd, run);
    hear_all_answers(fd, seq, count, errors);
    if (rv != -EDEADLK && rv != -ENOSPC)
        return run->to;
    while (at < run->to && errors[at] != -ENODATA)
        at++;
    if (rv == -EDEADLK && at < run->to) {
        deputies_blame(&aborting, sockets[at].cookie, sockets[at].uid);
        log_event(LOG_WARNING, "socket_locked",
                  "a program keeps a connection locked: it is aborted when that ends",
                  LOG_INT("uid", sockets[at].uid), LOG_INT("inode", sockets[at].inode));
    }
    for (uint32_t i = at; i < run->to && rv == -ENOSPC; i++)
        errors[i] = -EBUSY;
    return rv == -ENOSPC ? run->to : at;
}

static void destroy(int fd, const struct diag_socket *sockets, uint32_t count, int *ret_errors)
{
    uint8_t request[NETLINK_DESTROY_MAX * DIAG_DESTROY_LEN];
    uint32_t seq = take_seq(count), at = 0;

    for (uint32_t i = 0; i < count; i++) {
        diag_put_destroy(&sockets[i], seq + i, request + (size_t)i * DIAG_DESTROY_LEN);
        ret_errors[i] = -ENODATA;
    }
    if (drain(fd, spent_ms() + NETLINK_DEADLINE_MS))
        return;
    while (at < count) {
        const struct aborts run = {request, at, end_of_run(sockets, count, at)};
        if (run.to == at)
            ret_errors[at++] = -EBUSY;
        else
            at = abort_run(fd, sockets, &run, seq, count, ret_errors);
    }
}

/* From a socket of our own nobody else takes the answers, which come while another process asks. */
void netlink_destroy(int fd, const struct diag_socket *sockets, uint32_t count, int *ret_errors)
{
    int other = netlink_beside(fd);

    destroy(other < 0 ? fd : other, sockets, count, ret_errors);
    if (other >= 0)
        close(other);
}
