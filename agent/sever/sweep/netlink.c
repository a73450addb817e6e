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
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/barred.h"
#include "agent/base/log.h"
#include "agent/base/memfd.h"
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

/* A network namespace has four details that can hang: two families, two questions. A user has more of it at several of
 * his places only; and all users together have as many as the tasks of the service allow. */
static const struct deputies_limits aborting_limits = {.of_owner = 2, .of_uid = 16, .max = 64};
static const struct deputies_limits listing_limits = {.of_owner = 4, .of_uid = 8, .max = 32};

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

/* What is asked, as bytes: another process may ask it. */
struct question {
    uint8_t request[DIAG_DUMP_MAX];
    size_t len;
    uint32_t seq; /* the first of BUSY_TRIES */
    bool whole;
    struct age age; /* of the processor that it runs on it has to know more */
};

static void put_question(const struct netlink_list *l, enum diag_what what, struct question *ret)
{
    ret->seq = take_seq(BUSY_TRIES);
    ret->len = diag_put_dump(l->family, what, l->at, l->count, ret->seq, ret->request);
    ret->whole = what == DIAG_MPTCP;
}

static int dump(int fd, struct question *q, netlink_fn *fn, void *arg)
{
    struct hearing h = {.whole = q->whole, .fn = fn, .arg = arg};
    uint64_t deadline_ms = spent_ms() + NETLINK_DEADLINE_MS;
    int rv = -EBUSY;

    for (uint32_t i = 0; i < BUSY_TRIES && rv == -EBUSY; i++) {
        h.seq = q->seq + i;
        memcpy(q->request + offsetof(struct nlmsghdr, nlmsg_seq), &h.seq, sizeof(h.seq));
        rv = drain(fd, deadline_ms);
        if (rv == 0)
            rv = ask(fd, q->request, q->len);
        if (rv == 0)
            rv = hear_all(fd, &h, deadline_ms);
    }
    return rv;
}

static int dump_here(const struct netlink_list *l, enum diag_what what, netlink_fn *fn, void *arg)
{
    struct question q;

    put_question(l, what, &q);
    return dump(l->fd, &q, fn, arg);
}

/* ---- a dump by another process ---- */

/* What the kernel tells of a socket beside its addresses it reads under the socket's lock, for which it waits as long
 * as a program likes. */
_Static_assert(sizeof(struct question) <= DEPUTY_BYTES, "a question fits onto a desk");

/* Sockets on their way to a memory. */
struct saved {
    int memory;
    struct diag_socket sockets[64];
    uint32_t count;
    bool failed;
};

static void save_all(struct saved *saved)
{
    size_t len = saved->count * sizeof(saved->sockets[0]);

    saved->failed |= write(saved->memory, saved->sockets, len) != (ssize_t)len;
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

static int list_there(struct deputy_desk *desk, int fd, int memory)
{
    struct saved saved = {.memory = memory};
    struct question q;

    if (deputy_take(desk) < 0)
        return ECANCELED;
    memcpy(&q, desk->bytes, sizeof(q));
    age_note(&q.age);
    saved.failed = write(memory, &q.age, sizeof(q.age)) != sizeof(q.age);
    int rv = dump(fd, &q, save, &saved);
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

/* For each of these, one hangs at a time of a network namespace, and its netlink socket with it. */
static uint64_t key_of(const struct netlink_list *l)
{
    return netns_cookie(l->fd) << 16 | 1u << 15 | (uint64_t)l->family << 4 | (uint64_t)l->what;
}

/* Who has the lock is not told: it may be anybody in that network namespace. */
static struct deputy_owner asker(const void *arg, uint32_t piece)
{
    const struct netlink_list *l = arg;

    (void)piece;
    return (struct deputy_owner){l->uid, netns_cookie(l->fd)};
}

static void say_list_hangs(const struct netlink_list *l)
{
    log_event(LOG_WARNING, "socket_locked",
              "a program keeps a connection locked: what nobody has tagged stays, and so does what "
              "is of MPTCP, and no more is asked through this netlink socket until that ends",
              LOG_INT("uid", l->uid));
}

static int dump_into(struct deputies *listing, struct netlink_list *l, int memory, netlink_fn *fn,
                     void *arg)
{
    struct question q;
    const uint64_t before = listing->tickets;
    struct deputy_piece piece = {.what = key_of(l)};
    struct deputy_work work = {list_there, l->fd, memory, &q, sizeof(q), asker, l, &piece, 1, EIO};

    put_question(l, l->what, &q);
    q.age = *l->age;
    int rv = deputies_run(listing, &work);
    if (rv) /* no process can be had */
        return dump(l->fd, &q, fn, arg);
    if (piece.fate == DEPUTY_TRIED)
        hand_on(memory, l->age, fn, arg);
    if (piece.fate == DEPUTY_TRIED)
        return -work.answer;
    if (piece.fate != DEPUTY_STUCK || piece.ticket <= before)
        return -ENOLCK;
    say_list_hangs(l);
    l->ret_ticket = piece.ticket;
    return -EDEADLK;
}

static int dump_there(struct deputies *listing, struct netlink_list *l, netlink_fn *fn, void *arg)
{
    int memory = memfd_new("sever-list", 0);

    if (memory < 0)
        return -errno;
    int rv = dump_into(listing, l, memory, fn, arg);
    close(memory);
    return rv;
}

static bool note_any(void *arg, const struct diag_socket *socket)
{
    (void)socket;
    *(bool *)arg = true;
    return false;
}

/* Where nothing is there, which costs no process, no more can be told of it. */
int netlink_dump(struct netlink_deputies *deputies, struct netlink_list *list, netlink_fn *fn,
                 void *arg)
{
    bool any = false;
    int rv;

    if (list->what == DIAG_TCP || !deputies)
        return dump_here(list, list->what, fn, arg);
    rv = dump_here(list, list->what == DIAG_MPTCP ? DIAG_MPTCP_BARE : DIAG_TCP, note_any, &any);
    if (!any || (rv && rv != -ETIME))
        return rv;
    return dump_there(&deputies->listing, list, fn, arg);
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

/* A request that takes all of NETLINK_DESTROY_MAX. */
_Static_assert((size_t)NETLINK_DESTROY_MAX *DIAG_DESTROY_LEN <= DEPUTY_BYTES &&
                   NETLINK_DESTROY_MAX <= DEPUTY_PIECES,
               "all aborts fit onto a desk");

static void ask_to_abort(int fd, const uint8_t *request, uint32_t i)
{
    (void)ask(fd, request + (size_t)i * DIAG_DESTROY_LEN, DIAG_DESTROY_LEN);
}

static int abort_there(struct deputy_desk *desk, int fd, int none)
{
    int i;

    (void)none;
    while ((i = deputy_take(desk)) >= 0)
        ask_to_abort(fd, desk->bytes, (uint32_t)i);
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

/* ---- whose they are ---- */

struct owned {
    const struct diag_socket *sockets;
    const int *pids;
    uint64_t netns;
};

/* Root of every container may be the same user 0: of that, a control group is told apart, where it can be seen. */
static struct deputy_owner owner_of(const void *arg, uint32_t i)
{
    const struct owned *all = arg;
    uint32_t uid = all->sockets[i].uid;
    uint64_t place = uid == 0 && all->pids ? barred_place(all->pids[i]) : 0;

    return (struct deputy_owner){uid, place ? place : all->netns};
}

static void say_hangs(const struct diag_socket *socket)
{
    log_event(LOG_WARNING, "socket_locked",
              "a program keeps a connection locked: it is aborted when that ends",
              LOG_INT("uid", socket->uid), LOG_INT("inode", socket->inode));
}

static void say_owes(struct deputies *aborting, struct deputy_owner owner)
{
    if (deputies_tell(aborting, owner))
        log_event(LOG_WARNING, "stuck",
                  "a user keeps so many connections locked that no other one of his is aborted "
                  "until one of these locks ends",
                  LOG_INT("uid", owner.uid));
}

/* ---- they are aborted ---- */

/* `before`: what has a later ticket hangs since now. */
static void note_fates(struct deputies *aborting, const struct deputy_piece *pieces, uint32_t count,
                       uint64_t before, const struct owned *owned, int *errors)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].fate == DEPUTY_STUCK && pieces[i].ticket > before)
            say_hangs(&owned->sockets[i]);
        if (pieces[i].fate == DEPUTY_OWES)
            say_owes(aborting, owner_of(owned, i));
        if (pieces[i].fate != DEPUTY_TRIED && errors[i] == -ENODATA)
            errors[i] = -EBUSY;
    }
}

/* Who sends from such a socket what cannot be read in has it locked, and who aborts it waits in the kernel. */
static void destroy_there(struct deputies *aborting, int fd, const uint8_t *request,
                          const struct owned *owned, uint32_t seq, uint32_t count, int *errors)
{
    const uint64_t before = aborting->tickets;
    struct deputy_piece pieces[NETLINK_DESTROY_MAX] = {{0}};
    struct deputy_work work = {
        abort_there, fd,    -1,     request, (size_t)count * DIAG_DESTROY_LEN,
        owner_of,    owned, pieces, count,   0};

    for (uint32_t i = 0; i < count; i++)
        pieces[i].what = owned->sockets[i].cookie;
    int rv = deputies_run(aborting, &work);
    for (uint32_t i = 0; i < count && rv; i++)
        if (pieces[i].fate == DEPUTY_TODO) { /* no process can be had */
            ask_to_abort(fd, request, i);
            pieces[i].fate = DEPUTY_TRIED;
        }
    hear_all_answers(fd, seq, count, errors);
    note_fates(aborting, pieces, count, before, owned, errors);
}

static void destroy(struct netlink_deputies *deputies, int fd, const struct owned *owned,
                    uint32_t count, int *ret_errors)
{
    uint8_t request[NETLINK_DESTROY_MAX * DIAG_DESTROY_LEN];
    uint32_t seq = take_seq(count);

    for (uint32_t i = 0; i < count; i++) {
        diag_put_destroy(&owned->sockets[i], seq + i, request + (size_t)i * DIAG_DESTROY_LEN);
        ret_errors[i] = -ENODATA;
    }
    if (drain(fd, spent_ms() + NETLINK_DEADLINE_MS))
        return;
    if (deputies) {
        destroy_there(&deputies->aborting, fd, request, owned, seq, count, ret_errors);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        ask_to_abort(fd, request, i);
    hear_all_answers(fd, seq, count, ret_errors);
}

/* From a socket of our own nobody else takes the answers, which come while another process asks. */
void netlink_destroy(struct netlink_deputies *deputies, int fd, const struct diag_socket *sockets,
                     const int *pids, uint32_t count, int *ret_errors)
{
    const struct owned owned = {sockets, pids, netns_cookie(fd)};
    int other = netlink_beside(fd);

    destroy(deputies, other < 0 ? fd : other, &owned, count, ret_errors);
    if (other >= 0)
        close(other);
}

/* ---- which socket is asked ---- */

static void put_first(struct group *group, uint32_t i)
{
    struct group_netlink first = group->netlinks[i];

    group->netlinks[i] = group->netlinks[0];
    group->netlinks[0] = first;
}

static bool find_socket(struct netlink_deputies *deputies, struct group *group)
{
    for (uint32_t i = 0; i < group->netlink_count && !group_can_ask(group); i++) {
        if (group->netlinks[i].ticket &&
            !(deputies && deputies_hang(&deputies->listing, group->netlinks[i].ticket)))
            group->netlinks[i].ticket = 0;
        if (!group->netlinks[i].ticket)
            put_first(group, i);
    }
    return group_can_ask(group);
}

/* A list says of whose user namespace its users are counted; only of ours is it known to be the same. */
static bool can_lend(const struct group *group, const struct group *to)
{
    return group != to && to->netns && group->netns == to->netns && group_can_ask(group) &&
           group->netlinks[0].ours && to->netlink_count && to->netlinks[0].ours;
}

struct group *netlink_group(struct netlink_deputies *deputies, struct group *groups,
                            struct group *group)
{
    if (find_socket(deputies, group))
        return group;
    for (struct group *g = groups; g; g = g->next)
        if (can_lend(g, group))
            return g;
    return NULL;
}

/* ---- begin and end ---- */

void netlink_deputies_init(struct netlink_deputies *deputies)
{
    deputies_init(&deputies->aborting, aborting_limits);
    deputies_init(&deputies->listing, listing_limits);
}

void netlink_deputies_rest(struct netlink_deputies *deputies)
{
    deputies_rest(&deputies->aborting);
    deputies_rest(&deputies->listing);
}

void netlink_deputies_done(struct netlink_deputies *deputies)
{
    deputies_done(&deputies->aborting);
    deputies_done(&deputies->listing);
}
