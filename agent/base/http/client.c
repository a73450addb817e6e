/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - as client.h says: the request to the stream, and what comes to the reader of the answer.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/http/client.h"
#include "agent/base/stream/stream.h"
#include "proto/limits.h"

enum {
    REQUEST_MAX = HTTP_PATH_SIZE + HOMING_NAME_MAX + 128,
};

struct http_client {
    enum http_client_state state;
    struct http_failure failure;
    struct stream *stream;
    struct bytes request; /* what is left of it */
    struct http_reader reader;
};

/* How it ends. */

static void fail(struct http_client *c, enum http_fault fault, const char *what, const char *why)
{
    if (c->state != HTTP_BUSY)
        return;
    c->state = HTTP_BROKEN;
    c->failure.fault = fault;
    c->failure.connected = c->stream && stream_is_connected(c->stream);
    snprintf(c->failure.text, sizeof(c->failure.text), "%s%s", what, why);
}

/* After each thing that the reader was told. */
static void judge_reader(struct http_client *c, enum http_fault fault)
{
    if (c->reader.state == HTTP_FAILED)
        fail(c, fault, "the server ", c->reader.wrong);
    else if (c->reader.state == HTTP_DONE && c->state == HTTP_BUSY)
        c->state = HTTP_ANSWERED;
}

static void judge_stream(struct http_client *c)
{
    static const enum http_fault faults[] = {
        [STREAM_FAULT_NETWORK] = HTTP_FAULT_NETWORK,
        [STREAM_FAULT_TLS] = HTTP_FAULT_TLS,
        [STREAM_FAULT_FLOOD] = HTTP_FAULT_TLS,
        [STREAM_FAULT_LOCAL] = HTTP_FAULT_LOCAL,
    };
    const struct stream_failure *failure = stream_failure(c->stream);

    if (stream_state(c->stream) == STREAM_FAILED)
        fail(c, faults[failure->fault], failure->text, "");
    if (stream_state(c->stream) == STREAM_ENDED && c->state == HTTP_BUSY) {
        http_reader_end(&c->reader);
        judge_reader(c, HTTP_FAULT_NETWORK);
    }
}

/* Beginning. */

/* An IPv6 literal stands in brackets. False: out of memory. */
static bool write_request(struct http_client *c, const struct http_settings *s)
{
    char text[REQUEST_MAX];
    bool six = strchr(s->host, ':');
    int length = snprintf(text, sizeof(text),
                          "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: homingd\r\n"
                          "Connection: close\r\n\r\n",
                          s->path, six ? "[" : "", s->host, six ? "]" : "", s->address->port);

    if (length < 0 || (size_t)length >= sizeof(text)) {
        fail(c, HTTP_FAULT_LOCAL, "the path that is to be asked for is too long", "");
        return true;
    }
    return bytes_add(&c->request, text, (size_t)length, sizeof(text));
}

struct http_client *http_client_new(const struct http_settings *settings)
{
    const struct stream_settings stream = {
        .address = settings->address, .host = settings->host, .tls = settings->tls};
    struct http_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    http_reader_init(&c->reader, settings->body_max);
    if (!write_request(c, settings) || !(c->stream = stream_new(&stream))) {
        http_client_free(c);
        return NULL;
    }
    judge_stream(c);
    return c;
}

/* For the caller. */

static void take(void *arg, const uint8_t *bytes, size_t count)
{
    struct http_client *c = arg;

    if (c->state != HTTP_BUSY)
        return;
    http_reader_take(&c->reader, bytes, count);
    judge_reader(c, HTTP_FAULT_ANSWER);
}

enum http_client_state http_client_step(struct http_client *client)
{
    if (client->state != HTTP_BUSY)
        return client->state;
    stream_step(client->stream, take, client);
    stream_send(client->stream, &client->request);
    judge_stream(client);
    return client->state;
}

enum http_client_state http_client_state(const struct http_client *client)
{
    return client->state;
}

int http_client_descriptor(const struct http_client *client)
{
    return stream_descriptor(client->stream);
}

int http_client_events(const struct http_client *client)
{
    return stream_events(client->stream, client->request.count > 0);
}

bool http_client_is_connected(const struct http_client *client)
{
    return stream_is_connected(client->stream);
}

bool http_client_is_in_tls(const struct http_client *client)
{
    return stream_is_in_tls(client->stream);
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
    stream_free(client->stream);
    bytes_free(&client->request);
    http_reader_done(&client->reader);
    free(client);
}
