/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - as client.h says: moves bytes between a socket, TLS (base/tls) and the protocol
 * (wire.c).
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
#include "agent/probe/mysql/client.h"
#include "agent/probe/mysql/wire.h"

enum {
    /* A read of a step, and what the kernel keeps for us: a server that sends without end is slowed
     * down. */
    READ_BYTES = 16384,
};

struct mysql_client {
    int fd;
    bool connected;
    int broken; /* errno of a send; what was received before is read first */
    struct tls_context *context;
    struct tls *tls;
    struct bytes unsent; /* ciphertext */
    struct wire wire;
    char *host;
};

static void fail_errno(struct mysql_client *c, const char *what, int error)
{
    char text[MYSQL_TEXT_SIZE];

    snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
    wire_fail(&c->wire, MYSQL_FAULT_NETWORK, text);
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

static void begin_connect(struct mysql_client *c, const struct inet_address *to)
{
    const int on = 1, bytes = READ_BYTES;
    char text[MYSQL_TEXT_SIZE];

    c->fd =
        socket(to->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        snprintf(text, sizeof(text), "no socket: %s", strerror(errno));
        wire_fail(&c->wire, MYSQL_FAULT_LOCAL, text);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (connect_to(c->fd, to) < 0 && errno != EINPROGRESS)
        fail_errno(c, "cannot connect", errno);
}

/* Whether the connection stands. */
static bool is_connected(struct mysql_client *c)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer), error_size = sizeof(int);
    int error = 0;

    if (c->connected)
        return true;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0)
        error = errno;
    if (error != 0)
        fail_errno(c, "cannot connect", error);
    else
        c->connected = getpeername(c->fd, (struct sockaddr *)&peer, &size) == 0;
    return c->connected;
}

struct mysql_client *mysql_client_new(const struct mysql_settings *settings)
{
    const struct wire_settings wire = {.user = settings->user,
                                       .password = settings->password,
                                       .tls = settings->tls.mode,
                                       .strange = settings->strange};
    char error[TLS_ERROR_SIZE];
    struct mysql_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->fd = -1;
    c->host = strdup(settings->host);
    if (!wire_init(&c->wire, &wire) || !c->host) {
        mysql_client_free(c);
        return NULL;
    }
    if (settings->tls.mode != TLS_OFF)
        c->context = tls_context_ref(&settings->tls, error);
    if (settings->tls.mode != TLS_OFF && !c->context)
        wire_fail(&c->wire, MYSQL_FAULT_LOCAL, error);
    else
        begin_connect(c, settings->address);
    return c;
}

/* Sending. */

static void fail_tls(struct mysql_client *c)
{
    wire_fail(&c->wire, MYSQL_FAULT_TLS, tls_error(c->tls));
}

/* What the protocol says goes into TLS, as soon as that stands; what TLS says, to be sent. */
static void encrypt(struct mysql_client *c)
{
    struct bytes *out = &c->wire.out;
    uint8_t taken[4096];

    while (tls_state(c->tls) == TLS_OPEN && out->count > 0) {
        size_t n = out->count < TLS_WRITE_MAX ? out->count : TLS_WRITE_MAX;
        if (!tls_write(c->tls, out->data, n)) {
            fail_tls(c);
            return;
        }
        explicit_bzero(out->data, n); /* it may be the password */
        bytes_drop(out, n);
    }
    for (size_t n; c->unsent.count == 0 && (n = tls_take(c->tls, taken, sizeof(taken))) > 0;)
        if (!bytes_add(&c->unsent, taken, n, sizeof(taken)))
            wire_fail(&c->wire, MYSQL_FAULT_LOCAL, "out of memory");
}

/* What is ready to be sent. */
static struct bytes *sendable(struct mysql_client *c)
{
    if (!c->tls)
        return &c->wire.out;
    encrypt(c);
    return &c->unsent;
}

static void flush(struct mysql_client *c)
{
    struct bytes *from;

    while (c->broken == 0 && (from = sendable(c))->count > 0) {
        ssize_t n = send(c->fd, from->data, from->count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            c->broken = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
            return;
        }
        bytes_drop(from, (size_t)n);
    }
}

/* When the request for TLS has left. */
static void begin_tls(struct mysql_client *c)
{
    if (c->wire.state != WIRE_TLS || c->tls || c->wire.out.count > 0)
        return;
    c->tls = tls_new(c->context, c->host);
    if (!c->tls)
        wire_fail(&c->wire, MYSQL_FAULT_LOCAL, "no TLS connection: out of memory");
}

/* Receiving. */

static void decrypt(struct mysql_client *c, const uint8_t *bytes, size_t count)
{
    uint8_t plain[READ_BYTES];
    size_t n;

    if (tls_feed(c->tls, bytes, count) < 0)
        wire_fail(&c->wire, MYSQL_FAULT_PROTOCOL, "the server sends more than was asked for");
    if (tls_state(c->tls) == TLS_OPEN && c->wire.state == WIRE_TLS)
        wire_encrypted(&c->wire);
    while ((n = tls_read(c->tls, plain, sizeof(plain))) > 0)
        wire_take(&c->wire, plain, n);
    if (tls_state(c->tls) == TLS_FAILED)
        fail_tls(c);
    if (tls_state(c->tls) == TLS_CLOSED)
        wire_fail(&c->wire, MYSQL_FAULT_NETWORK, "the server has closed the connection");
}

static void receive(struct mysql_client *c)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

    if (n > 0 && c->tls)
        decrypt(c, bytes, (size_t)n);
    else if (n > 0)
        wire_take(&c->wire, bytes, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail_errno(c, "the connection broke", errno);
    else if (c->broken != 0)
        fail_errno(c, "the connection broke", c->broken);
    else if (n == 0)
        wire_fail(&c->wire, MYSQL_FAULT_NETWORK, "the server has closed the connection");
}

/* For the caller. */

enum mysql_state mysql_client_step(struct mysql_client *client)
{
    if (client->wire.state != WIRE_FAILED && is_connected(client)) {
        receive(client);
        flush(client);
        begin_tls(client);
        flush(client);
    }
    return mysql_client_state(client);
}

void mysql_client_ask(struct mysql_client *client, const char *question)
{
    wire_ask(&client->wire, question);
    flush(client);
}

enum mysql_state mysql_client_state(const struct mysql_client *client)
{
    switch (client->wire.state) {
    case WIRE_READY:
        return MYSQL_READY;
    case WIRE_FAILED:
        return MYSQL_FAILED;
    default:
        return MYSQL_BUSY;
    }
}

int mysql_client_descriptor(const struct mysql_client *client)
{
    return client->fd;
}

/* A failed one has to be found out by a step: a socket that is broken can be written. */
int mysql_client_events(const struct mysql_client *client)
{
    bool more = client->tls && (tls_has_more(client->tls) || client->unsent.count > 0);
    bool plain = client->wire.out.count > 0 && (!client->tls || tls_state(client->tls) == TLS_OPEN);

    if (!client->connected)
        return LOOP_WRITE;
    return more || plain || client->wire.state == WIRE_FAILED ? LOOP_READ | LOOP_WRITE : LOOP_READ;
}

const struct mysql_answer *mysql_client_answer(const struct mysql_client *client)
{
    return &client->wire.result.answer;
}

const struct mysql_failure *mysql_client_failure(const struct mysql_client *client)
{
    return &client->wire.failure;
}

const struct mysql_server *mysql_client_server(const struct mysql_client *client)
{
    return &client->wire.login.server;
}

bool mysql_client_is_connected(const struct mysql_client *client)
{
    return client->connected;
}

bool mysql_client_is_in_tls(const struct mysql_client *client)
{
    return client->wire.failure.fault == MYSQL_FAULT_TLS ||
           (client->tls && tls_state(client->tls) == TLS_HANDSHAKE);
}

int64_t mysql_client_expires(const struct mysql_client *client)
{
    return client->tls ? tls_peer_expires(client->tls) : 0;
}

void mysql_client_free(struct mysql_client *client)
{
    if (!client)
        return;
    if (client->wire.state == WIRE_READY) {
        wire_leave(&client->wire);
        flush(client);
    }
    if (client->fd >= 0)
        close(client->fd);
    tls_free(client->tls);
    tls_context_unref(client->context);
    bytes_free(&client->unsent);
    wire_done(&client->wire);
    free(client->host);
    free(client);
}
