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
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/sever/sweep/netlink.h"

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

int netlink_dump(int fd, int family, enum diag_what what, const struct inet_address *at,
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

void netlink_destroy(int fd, const struct diag_socket *sockets, uint32_t count, int *ret_errors)
{
    uint8_t request[NETLINK_DESTROY_MAX * DIAG_DESTROY_LEN];
    uint64_t deadline_ms = spent_ms() + NETLINK_DEADLINE_MS;
    uint32_t seq = take_seq(count);
    ssize_t n = 0;

    for (uint32_t i = 0; i < count; i++) {
        diag_put_destroy(&sockets[i], seq + i, request + (size_t)i * DIAG_DESTROY_LEN);
        ret_errors[i] = -ENODATA;
    }
    if (drain(fd, deadline_ms) || ask(fd, request, (size_t)count * DIAG_DESTROY_LEN))
        return;
    while (n != -EAGAIN && spent_ms() < deadline_ms) {
        n = hear(fd);
        if (n < 0 && n != -EAGAIN && n != -ENOBUFS)
            return;
        if (n > 0)
            hear_answers(seq, count, (size_t)n, ret_errors);
    }
}
