/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c - as stream.h says: moves bytes between a socket, TLS (base/tls) and whoever speaks the
 * protocol.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "agent/base/stream/stream.h"
#include "proto/limits.h"

enum {
    READ_BYTES = 16384,  /* (1) */
    SEALED_BYTES = 4096, /* ciphertext that waits to be sent */
};

struct stream {
    enum stream_state state;
    struct stream_failure failure;
    int fd;
    bool connected;
    int broken; /* errno of a send (2) */
    char host[HOMING_NAME_MAX + 1];
    struct tls_context *context; /* NULL: in clear */
    struct tls *tls;
    struct bytes sealed;
};

static void fail(struct stream *s, enum stream_fault fault, const char *what, const char *why)
{
    if (s->state == STREAM_FAILED)
        return;
    s->state = STREAM_FAILED;
    s->failure.fault = fault;
    snprintf(s->failure.text, sizeof(s->failure.text), "%s%s", what, why);
}

static void fail_errno(struct stream *s, const char *what, int error)
{
    fail(s, STREAM_FAULT_NETWORK, what, strerror(error));
}

static void fail_tls(struct stream *s)
{
    fail(s, STREAM_FAULT_TLS, tls_error(s->tls), "");
}

static void end(struct stream *s)
{
    if (s->state == STREAM_OPEN)
        s->state = STREAM_ENDED;
}

/* Connecting. */

static int connect_to(int fd, const struct inet_address *to)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } at = {.any.sa_family = to->family == 4 ? AF_INET : AF_INET6};

    if (to->family == 4) {
        at.four.sin_port = htons(to->port);
        memcpy(&at.four.sin_addr, to->bytes, sizeof(at.four.sin_addr));
        return connect(fd, &at.any, sizeof(at.four));
    }
    at.six.sin6_port = htons(to->port);
    memcpy(&at.six.sin6_addr, to->bytes, sizeof(at.six.sin6_addr));
    return connect(fd, &at.any, sizeof(at.six));
}

static void begin_connect(struct stream *s, const struct inet_address *to)
{
    const int on = 1, bytes = READ_BYTES;

    s->fd =
        socket(to->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        fail(s, STREAM_FAULT_LOCAL, "no socket: ", strerror(errno));
        return;
    }
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (connect_to(s->fd, to) < 0 && errno != EINPROGRESS)
        fail_errno(s, "cannot connect: ", errno);
}

/* Whether the connection stands. */
static bool is_connected(struct stream *s)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer), error_size = sizeof(int);
    int error = 0;

    if (s->connected)
        return true;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0)
        error = errno;
    if (error != 0)
        fail_errno(s, "cannot connect: ", error);
    else
        s->connected = getpeername(s->fd, (struct sockaddr *)&peer, &size) == 0;
    return s->connected;
}

void stream_begin_tls(struct stream *stream)
{
    stream->tls = tls_new(stream->context, stream->host);
    if (!stream->tls)
        fail(stream, STREAM_FAULT_LOCAL, "no TLS connection: out of memory", "");
}

/* What there is to be read is read before anything is dialled. */
static void prepare_tls(struct stream *s, const struct stream_settings *settings)
{
    char error[TLS_ERROR_SIZE];

    if (settings->tls.mode == TLS_OFF)
        return;
    s->context = tls_context_ref(&settings->tls, error);
    if (!s->context)
        fail(s, STREAM_FAULT_LOCAL, error, "");
    else if (!settings->tls_later)
        stream_begin_tls(s);
}

struct stream *stream_new(const struct stream_settings *settings)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->fd = -1;
    snprintf(s->host, sizeof(s->host), "%s", settings->host);
    prepare_tls(s, settings);
    if (s->state == STREAM_OPEN)
        begin_connect(s, settings->address);
    return s;
}

/* Sending. */

/* As soon as TLS stands. */
static void encrypt(struct stream *s, struct bytes *plain)
{
    while (tls_state(s->tls) == TLS_OPEN && plain->count > 0) {
        size_t n = plain->count < TLS_WRITE_MAX ? plain->count : TLS_WRITE_MAX;
        if (!tls_write(s->tls, plain->data, n)) {
            fail_tls(s);
            return;
        }
        explicit_bzero(plain->data, n);
        bytes_drop(plain, n);
    }
}

static struct bytes *sendable(struct stream *s, struct bytes *plain)
{
    uint8_t taken[SEALED_BYTES];
    size_t n;

    if (!s->tls)
        return plain;
    encrypt(s, plain);
    if (s->sealed.count == 0 && (n = tls_take(s->tls, taken, sizeof(taken))) > 0 &&
        !bytes_add(&s->sealed, taken, n, sizeof(taken)))
        fail(s, STREAM_FAULT_LOCAL, "out of memory", "");
    return &s->sealed;
}

void stream_send(struct stream *stream, struct bytes *bytes)
{
    struct bytes *from;

    while (stream->connected && stream->broken == 0 &&
           (from = sendable(stream, bytes))->count > 0) {
        ssize_t n = send(stream->fd, from->data, from->count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            stream->broken = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
            return;
        }
        bytes_drop(from, (size_t)n);
    }
}

/* Receiving. */

static void decrypt(struct stream *s, const uint8_t *bytes, size_t count, stream_take_fn *take,
                    void *arg)
{
    uint8_t plain[READ_BYTES];
    size_t n;

    if (tls_feed(s->tls, bytes, count) < 0)
        fail(s, STREAM_FAULT_FLOOD, "the server sends more than was asked for", "");
    while ((n = tls_read(s->tls, plain, sizeof(plain))) > 0)
        take(arg, plain, n);
    if (tls_state(s->tls) == TLS_FAILED)
        fail_tls(s);
    if (tls_state(s->tls) == TLS_CLOSED)
        end(s);
}

static void receive(struct stream *s, stream_take_fn *take, void *arg)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);

    if (n > 0 && s->tls)
        decrypt(s, bytes, (size_t)n, take, arg);
    else if (n > 0)
        take(arg, bytes, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail_errno(s, "the connection broke: ", errno);
    else if (s->broken != 0)
        fail_errno(s, "the connection broke: ", s->broken);
    else if (n == 0)
        end(s);
}

enum stream_state stream_step(struct stream *stream, stream_take_fn *take, void *arg)
{
    if (stream->state == STREAM_OPEN && is_connected(stream))
        receive(stream, take, arg);
    return stream->state;
}

/* For the caller. */

enum stream_state stream_state(const struct stream *stream)
{
    return stream->state;
}

const struct stream_failure *stream_failure(const struct stream *stream)
{
    return &stream->failure;
}

int stream_descriptor(const struct stream *stream)
{
    return stream->fd;
}

/* A send that failed has to be found out by a step: a socket that is broken can be written. */
int stream_events(const struct stream *stream, bool more)
{
    bool plain = more && (!stream->tls || stream_is_encrypted(stream));
    bool sealed = stream->sealed.count > 0 || (stream->tls && tls_has_more(stream->tls));

    if (!stream->connected)
        return LOOP_WRITE;
    return plain || sealed || stream->broken != 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ;
}

bool stream_is_connected(const struct stream *stream)
{
    return stream->connected;
}

bool stream_is_in_tls(const struct stream *stream)
{
    return stream->tls && tls_state(stream->tls) != TLS_OPEN &&
           tls_state(stream->tls) != TLS_CLOSED;
}

bool stream_is_encrypted(const struct stream *stream)
{
    return stream->tls && tls_state(stream->tls) == TLS_OPEN;
}

int64_t stream_expires(const struct stream *stream)
{
    return stream->tls ? tls_peer_expires(stream->tls) : 0;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    if (stream->fd >= 0)
        close(stream->fd);
    tls_free(stream->tls);
    tls_context_unref(stream->context);
    bytes_free(&stream->sealed);
    free(stream);
}
