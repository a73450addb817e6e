/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - as client.h says: moves bytes between a socket, TLS (base/tls) and the reader of the
 * answer.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/http/client.h"
#include "agent/base/loop.h"
#include "proto/limits.h"

enum {
    /* A read of a step, and what the kernel keeps for us: a server that sends without end is slowed
     * down. */
    READ_BYTES = 16384,
    REQUEST_SIZE = HTTP_PATH_SIZE + HOMING_NAME_MAX + 128,
    /* Ciphertext that waits to be sent. */
    SEALED_SIZE = 4096,
};

/* What is to be sent. */
struct unsent {
    const char *at;
    size_t count;
};

struct http_client {
    enum http_client_state state;
    struct http_failure failure;
    int fd;
    bool connected;
    int broken; /* errno of a send; what was received before is read first */
    char host[HOMING_NAME_MAX + 1];
    struct tls_context *context; /* NULL: in clear */
    struct tls *tls;
    char request[REQUEST_SIZE];
    struct unsent plain, sealed;
    char seal[SEALED_SIZE];
    struct http_reader reader;
};

/* How it ends. */

static void fail(struct http_client *c, enum http_fault fault, const char *what, const char *why)
{
    if (c->state != HTTP_BUSY)
        return;
    c->state = HTTP_BROKEN;
    c->failure.fault = fault;
    c->failure.connected = c->connected;
    snprintf(c->failure.text, sizeof(c->failure.text), "%s%s", what, why);
}

static void fail_errno(struct http_client *c, const char *what, int error)
{
    fail(c, HTTP_FAULT_NETWORK, what, strerror(error));
}

/* After each thing that the reader was told. */
static void judge_reader(struct http_client *c, enum http_fault fault)
{
    if (c->reader.state == HTTP_FAILED)
        fail(c, fault, "the server ", c->reader.wrong);
    else if (c->reader.state == HTTP_DONE && c->state == HTTP_BUSY)
        c->state = HTTP_ANSWERED;
}

static void take_end(struct http_client *c)
{
    http_reader_end(&c->reader);
    judge_reader(c, HTTP_FAULT_NETWORK);
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

static void begin_connect(struct http_client *c, const struct inet_address *to)
{
    const int bytes = READ_BYTES;

    c->fd =
        socket(to->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        fail(c, HTTP_FAULT_LOCAL, "no socket: ", strerror(errno));
        return;
    }
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (connect_to(c->fd, to) < 0 && errno != EINPROGRESS)
        fail_errno(c, "cannot connect: ", errno);
}

/* Whether the connection stands. */
static bool is_connected(struct http_client *c)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer), error_size = sizeof(int);
    int error = 0;

    if (c->connected)
        return true;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0)
        error = errno;
    if (error != 0)
        fail_errno(c, "cannot connect: ", error);
    else
        c->connected = getpeername(c->fd, (struct sockaddr *)&peer, &size) == 0;
    return c->connected;
}

/* An IPv6 literal stands in brackets. */
static void write_request(struct http_client *c, const struct http_settings *s)
{
    bool six = strchr(c->host, ':');
    int length = snprintf(c->request, sizeof(c->request),
                          "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: homingd\r\n"
                          "Connection: close\r\n\r\n",
                          s->path, six ? "[" : "", c->host, six ? "]" : "", s->address->port);

    c->plain = (struct unsent){c->request, (size_t)length};
    if (length < 0 || (size_t)length >= sizeof(c->request))
        fail(c, HTTP_FAULT_LOCAL, "the path that is to be asked for is too long", "");
}

static void begin_tls(struct http_client *c, const struct tls_settings *settings)
{
    char error[TLS_ERROR_SIZE];

    if (settings->mode == TLS_OFF)
        return;
    c->context = tls_context_ref(settings, error);
    if (!c->context) {
        fail(c, HTTP_FAULT_LOCAL, error, "");
        return;
    }
    c->tls = tls_new(c->context, c->host);
    if (!c->tls)
        fail(c, HTTP_FAULT_LOCAL, "no TLS connection: out of memory", "");
}

struct http_client *http_client_new(const struct http_settings *settings)
{
    struct http_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->fd = -1;
    http_reader_init(&c->reader, settings->body_max);
    snprintf(c->host, sizeof(c->host), "%s", settings->host);
    write_request(c, settings);
    begin_tls(c, &settings->tls);
    if (c->state == HTTP_BUSY)
        begin_connect(c, settings->address);
    return c;
}

/* Sending. */

static void drop(struct unsent *from, size_t count)
{
    from->at += count;
    from->count -= count;
}

/* The request goes into TLS as soon as that stands; what TLS says, to be sent. */
static void encrypt(struct http_client *c)
{
    if (tls_state(c->tls) == TLS_OPEN && c->plain.count > 0) {
        if (!tls_write(c->tls, c->plain.at, c->plain.count))
            fail(c, HTTP_FAULT_TLS, tls_error(c->tls), "");
        c->plain.count = 0;
    }
    if (c->sealed.count == 0)
        c->sealed = (struct unsent){c->seal, tls_take(c->tls, c->seal, sizeof(c->seal))};
}

static struct unsent *sendable(struct http_client *c)
{
    if (!c->tls)
        return &c->plain;
    encrypt(c);
    return &c->sealed;
}

static void flush(struct http_client *c)
{
    struct unsent *from;

    while (c->broken == 0 && (from = sendable(c))->count > 0) {
        ssize_t n = send(c->fd, from->at, from->count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            c->broken = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
            return;
        }
        drop(from, (size_t)n);
    }
}

/* Receiving. */

static void take_plain(struct http_client *c, const uint8_t *bytes, size_t count)
{
    http_reader_take(&c->reader, bytes, count);
    judge_reader(c, HTTP_FAULT_ANSWER);
}

static void decrypt(struct http_client *c, const uint8_t *bytes, size_t count)
{
    uint8_t plain[READ_BYTES];
    size_t n;

    if (tls_feed(c->tls, bytes, count) < 0)
        fail(c, HTTP_FAULT_TLS, "the server sends more than was asked for", "");
    while (c->state == HTTP_BUSY && (n = tls_read(c->tls, plain, sizeof(plain))) > 0)
        take_plain(c, plain, n);
    if (tls_state(c->tls) == TLS_FAILED)
        fail(c, HTTP_FAULT_TLS, tls_error(c->tls), "");
    if (tls_state(c->tls) == TLS_CLOSED)
        take_end(c);
}

static void receive(struct http_client *c)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

    if (n > 0 && c->tls)
        decrypt(c, bytes, (size_t)n);
    else if (n > 0)
        take_plain(c, bytes, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail_errno(c, "the connection broke: ", errno);
    else if (n == 0)
        take_end(c);
    else if (c->broken != 0)
        fail_errno(c, "the connection broke: ", c->broken);
}

/* For the caller. */

enum http_client_state http_client_step(struct http_client *client)
{
    if (client->state == HTTP_BUSY && is_connected(client)) {
        receive(client);
        flush(client);
    }
    return client->state;
}

enum http_client_state http_client_state(const struct http_client *client)
{
    return client->state;
}

int http_client_descriptor(const struct http_client *client)
{
    return client->fd;
}

/* A send that failed has to be found out by a step: a socket that is broken can be written. */
int http_client_events(const struct http_client *client)
{
    bool plain = client->plain.count > 0 && (!client->tls || tls_state(client->tls) == TLS_OPEN);
    bool sealed = client->sealed.count > 0 || (client->tls && tls_has_more(client->tls));

    if (!client->connected)
        return LOOP_WRITE;
    return plain || sealed || client->broken != 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ;
}

bool http_client_is_connected(const struct http_client *client)
{
    return client->connected;
}

bool http_client_is_in_tls(const struct http_client *client)
{
    return client->tls && tls_state(client->tls) != TLS_OPEN &&
           tls_state(client->tls) != TLS_CLOSED;
}

const struct http_reader *http_client_answer(const struct http_client *client)
{
    return &client->reader;
}

const struct http_failure *http_client_failure(const struct http_client *client)
{
    return &client->failure;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    if (client->fd >= 0)
        close(client->fd);
    tls_free(client->tls);
    tls_context_unref(client->context);
    http_reader_done(&client->reader);
    free(client);
}
