/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - see client.h.
 *
 * 1. Descriptors that a client sends are neither received nor discarded here (stranger.h): the
 *    client is dropped, and a process of its own closes its socket (closer.h).
 * 2. A descriptor that we sent counts against our own RLIMIT_NOFILE until it is received. If a
 *    client asks for another one before that, it is dropped.
 */
#include "config.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/stranger.h"
#include "agent/serve/client.h"

enum {
    /* Read at once. Requests have some 20 to 100 bytes. */
    CLIENT_READ_SIZE = 512,
    /* How long a reply may be owed (SERVE_LATER). Shorter: whoever owes it cannot say that it is late
     * (connections.c). Longer: homingctl has given up by then. */
    CLIENT_LATER_MS = 5000
};

struct client {
    struct client_env *env;
    struct client_link link;
    struct loop_io *io;
    struct loop_timer *deadline;
    int fd;
    enum serve_socket socket;
    struct serve_peer peer;
    struct msg_parser parser;
    uint8_t in[CLIENT_READ_SIZE]; /* in[in_at..in_len): read, not parsed yet */
    size_t in_at;
    size_t in_len;
    uint8_t *out; /* out[out_at..out_len): to be sent */
    size_t out_at;
    size_t out_len;
    bool ended;    /* it will send no more */
    bool watching; /* it wants notifications */
    bool timed;    /* the deadline runs */
    bool partial;  /* the parser holds the beginning of a request */
    bool sent_fd;
    bool waiting; /* its reply comes later; until then nothing more is read */
    bool doomed;  /* dropped at the next turn */
};

static size_t has_pending(const struct client *c)
{
    return c->out_len - c->out_at;
}

static void start_deadline(struct client *c, uint64_t ms)
{
    if (c->doomed)
        return;
    loop_timer_set(c->deadline, ms);
    c->timed = true;
}

static void stop_deadline(struct client *c)
{
    loop_timer_stop(c->deadline);
    c->timed = false;
}

/* ---- sending ---- */

static ssize_t write_out(const struct client *c, const void *data, size_t len, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        m.msg_control = control.space;
        m.msg_controllen = sizeof(control.space);
    }
    ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void forget_out(struct client *c)
{
    c->env->pending -= has_pending(c);
    free(c->out);
    c->out = NULL;
    c->out_at = c->out_len = 0;
}

static bool keep(struct client *c, const void *data, size_t len)
{
    size_t had = has_pending(c);

    if (len > CLIENT_PENDING_MAX - c->env->pending)
        return false;
    uint8_t *out = malloc(had + len);
    if (!out)
        return false;
    if (had)
        memcpy(out, c->out + c->out_at, had);
    memcpy(out + had, data, len);
    free(c->out);
    c->out = out;
    c->out_at = 0;
    c->out_len = had + len;
    c->env->pending += len;
    return true;
}

/* Whether it may have another descriptor (2). */
static bool read_last_fd(const struct client *c)
{
    int unread = 0;

    return !c->sent_fd || (ioctl(c->fd, SIOCOUTQ, &unread) == 0 && unread == 0);
}

/* Sends now what can be sent now, and keeps the rest. The descriptor goes with the first byte. If
 * there is no room for that byte, the client has asked for much and read nothing: it is dropped. */
static bool send_out(struct client *c, const void *data, size_t len, int fd)
{
    if (fd >= 0 && (has_pending(c) || !read_last_fd(c)))
        return false;
    ssize_t n = has_pending(c) ? 0 : write_out(c, data, len, fd);
    if (n < 0 || (n == 0 && fd >= 0))
        return false;
    c->sent_fd |= fd >= 0;
    return (size_t)n == len || keep(c, (const uint8_t *)data + n, len - (size_t)n);
}

static bool flush(struct client *c)
{
    ssize_t n = write_out(c, c->out + c->out_at, has_pending(c), -1);
    if (n < 0)
        return false;
    c->out_at += (size_t)n;
    c->env->pending -= (size_t)n;
    if (has_pending(c) == 0) {
        forget_out(c);
        start_deadline(c, HOMING_CLIENT_DEADLINE_MS); /* for the next request */
    }
    return true;
}

/* ---- replying ---- */

static bool reply_to(struct client *c, const struct msg *msg)
{
    struct client_env *env = c->env;
    struct msg_writer reply;
    int fd = -1;

    msg_writer_init(&reply, HOMING_REPLY_MAX);
    env->fn(env->arg, c->socket, &c->peer, msg->id, msg->method, msg->params, &reply, &fd);
    if (fd == SERVE_LATER) {
        c->waiting = true;
        msg_writer_done(&reply);
        start_deadline(c, CLIENT_LATER_MS);
        return true;
    }
    if (fd == SERVE_WATCH) {
        c->watching = true;
        fd = -1;
    }
    if (msg_writer_finish(&reply) || reply.len == 0) {
        msg_writer_reset(&reply);
        msg_put_error(&reply, msg->id, MSG_ERROR_INTERNAL, "out of memory, or the reply too long");
        fd = -1;
    }
    bool sent = msg_writer_finish(&reply) == 0 && send_out(c, reply.data, reply.len, fd);
    msg_writer_done(&reply);
    start_deadline(c, HOMING_CLIENT_DEADLINE_MS);
    return sent;
}

/* Takes one message, or what there is of one, from what was read. */
static bool parse(struct client *c)
{
    struct msg msg;
    size_t used = 0;

    switch (msg_parser_feed(&c->parser, c->in + c->in_at, c->in_len - c->in_at, &used, &msg)) {
    case MSG_FED_MORE:
        c->in_at = c->in_len;
        c->partial = true;
        return true;
    case MSG_FED_MESSAGE:
        c->in_at += used;
        c->partial = false;
        if (msg.kind == MSG_REQUEST)
            return reply_to(c, &msg);
        return msg.kind == MSG_NOTIFICATION; /* it wants no reply, and we know none */
    default:
        return false;
    }
}

static bool read_in(struct client *c)
{
    ssize_t n = stranger_receive(c->fd, c->in, sizeof(c->in));

    if (n == -EBADMSG)
        c->env->hostile(c->env->gone_arg, c);
    if (n < 0)
        return n == -EAGAIN || n == -EINTR;
    c->in_at = 0;
    c->in_len = (size_t)n;
    c->ended = n == 0;
    if (n > 0 && !c->timed)
        start_deadline(c, HOMING_CLIENT_DEADLINE_MS);
    return n == 0 || parse(c);
}

/* ---- turns ---- */

static bool turn(struct client *c)
{
    if (has_pending(c))
        return flush(c);
    return c->in_at < c->in_len ? parse(c) : read_in(c);
}

/* Says what the next turn waits for. False: there is no next turn. If bytes were read already, they
 * are parsed when the socket has room for a reply. */
static bool wait_for(struct client *c)
{
    bool busy = has_pending(c) || c->in_at < c->in_len;

    if (c->doomed)
        return true;
    if (c->waiting) {
        loop_io_set(c->io, 0);
        return true;
    }
    if (!busy && c->ended)
        return false;
    if (!busy && c->watching && !c->partial)
        stop_deadline(c);
    loop_io_set(c->io, busy ? LOOP_WRITE : LOOP_READ);
    return true;
}

static void ready(void *arg, int events)
{
    struct client *c = arg;

    (void)events;
    if (!turn(c) || !wait_for(c))
        c->env->gone(c->env->gone_arg, c);
}

static void late(void *arg)
{
    struct client *c = arg;

    c->env->gone(c->env->gone_arg, c);
}

/* The client is dropped later, by its timer: a caller may still use it now. */
static void doom(struct client *c)
{
    c->doomed = true;
    loop_io_set(c->io, 0);
    loop_timer_set(c->deadline, 0);
}

void client_notify(struct client *c, const void *data, size_t len)
{
    if (!c->watching || c->doomed)
        return;
    if (has_pending(c) + len > CLIENT_WATCH_MAX || !send_out(c, data, len, -1)) {
        doom(c);
        return;
    }
    if (has_pending(c)) {
        if (!c->timed)
            start_deadline(c, HOMING_CLIENT_DEADLINE_MS);
        loop_io_set(c->io, LOOP_WRITE);
    }
}

bool client_reply(struct client *c, const struct msg_writer *reply)
{
    if (!c->waiting || c->doomed)
        return true;
    c->waiting = false;
    if (msg_writer_finish(reply) || !send_out(c, reply->data, reply->len, -1))
        return false;
    start_deadline(c, HOMING_CLIENT_DEADLINE_MS);
    return wait_for(c);
}

/* ---- coming and going ---- */

struct client *client_new(struct client_env *env, int fd, enum serve_socket socket,
                          const struct serve_peer *peer)
{
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->env = env;
    c->socket = socket;
    c->peer = *peer;
    c->peer.number = ++env->number;
    c->fd = -1;
    msg_parser_init(&c->parser, HOMING_REQUEST_MAX);
    c->io = loop_io_new(env->loop, fd, ready, c);
    c->deadline = loop_timer_new(env->loop, late, c);
    if (!c->io || !c->deadline) {
        client_free(c);
        errno = ENOMEM;
        return NULL;
    }
    c->fd = fd;
    stranger_prepare(fd);
    loop_io_set(c->io, LOOP_READ);
    start_deadline(c, HOMING_CLIENT_DEADLINE_MS);
    return c;
}

void client_begin(struct client *c)
{
    ready(c, LOOP_READ);
}

void client_free(struct client *c)
{
    forget_out(c);
    msg_parser_done(&c->parser);
    loop_timer_free(c->deadline);
    if (c->io)
        loop_io_free(c->io);
    closer_take(c->env->closer, c->fd);
    free(c);
}

const struct serve_peer *client_peer(const struct client *c)
{
    return &c->peer;
}

int client_fd(const struct client *c)
{
    return c->fd;
}

enum serve_socket client_socket(const struct client *c)
{
    return c->socket;
}

struct client_link *client_link(struct client *c)
{
    return &c->link;
}
