/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - as client.h says: the protocol (wire.c) over a stream (base/stream).
 */
#include "config.h"

#include <stdlib.h>

#include "agent/base/loop.h"
#include "agent/base/stream/stream.h"
#include "agent/probe/mysql/client.h"
#include "agent/probe/mysql/wire.h"

struct mysql_client {
    struct stream *stream;
    bool tls_begun;
    struct wire wire;
};

/* After each thing that the stream was told. */
static void judge_stream(struct mysql_client *c)
{
    static const enum mysql_fault faults[] = {
        [STREAM_FAULT_NETWORK] = MYSQL_FAULT_NETWORK,
        [STREAM_FAULT_TLS] = MYSQL_FAULT_TLS,
        [STREAM_FAULT_FLOOD] = MYSQL_FAULT_PROTOCOL,
        [STREAM_FAULT_LOCAL] = MYSQL_FAULT_LOCAL,
    };
    const struct stream_failure *failure = stream_failure(c->stream);

    if (stream_state(c->stream) == STREAM_FAILED)
        wire_fail(&c->wire, faults[failure->fault], failure->text);
    if (stream_state(c->stream) == STREAM_ENDED)
        wire_fail(&c->wire, MYSQL_FAULT_NETWORK, "the server has closed the connection");
}

struct mysql_client *mysql_client_new(const struct mysql_settings *settings)
{
    const struct wire_settings wire = {.user = settings->user,
                                       .password = settings->password,
                                       .tls = settings->tls.mode,
                                       .strange = settings->strange};
    const struct stream_settings stream = {.address = settings->address,
                                           .host = settings->host,
                                           .tls = settings->tls,
                                           .tls_later = true};
    struct mysql_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    if (!wire_init(&c->wire, &wire) || !(c->stream = stream_new(&stream))) {
        mysql_client_free(c);
        return NULL;
    }
    judge_stream(c);
    return c;
}

/* One step. */

/* The login goes on as soon as TLS stands. */
static void look_encrypted(struct mysql_client *c)
{
    if (c->wire.state == WIRE_TLS && stream_is_encrypted(c->stream))
        wire_encrypted(&c->wire);
}

static void take(void *arg, const uint8_t *bytes, size_t count)
{
    struct mysql_client *c = arg;

    look_encrypted(c);
    wire_take(&c->wire, bytes, count);
}

/* When the request for TLS has left. */
static void begin_tls(struct mysql_client *c)
{
    if (c->wire.state == WIRE_TLS && c->wire.out.count == 0 && !c->tls_begun) {
        c->tls_begun = true;
        stream_begin_tls(c->stream);
    }
}

/* For the caller. */

enum mysql_state mysql_client_step(struct mysql_client *client)
{
    if (client->wire.state == WIRE_FAILED)
        return MYSQL_FAILED;
    stream_step(client->stream, take, client);
    look_encrypted(client);
    stream_send(client->stream, &client->wire.out);
    begin_tls(client);
    stream_send(client->stream, &client->wire.out);
    judge_stream(client);
    return mysql_client_state(client);
}

void mysql_client_ask(struct mysql_client *client, const char *question)
{
    wire_ask(&client->wire, question);
    stream_send(client->stream, &client->wire.out);
    judge_stream(client);
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
    return stream_descriptor(client->stream);
}

/* A failed one has to be found out by a step. */
int mysql_client_events(const struct mysql_client *client)
{
    int events = stream_events(client->stream, client->wire.out.count > 0);

    return client->wire.state == WIRE_FAILED ? events | LOOP_WRITE : events;
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
    return stream_is_connected(client->stream);
}

bool mysql_client_is_in_tls(const struct mysql_client *client)
{
    return client->wire.failure.fault == MYSQL_FAULT_TLS || stream_is_in_tls(client->stream);
}

int64_t mysql_client_expires(const struct mysql_client *client)
{
    return stream_expires(client->stream);
}

void mysql_client_free(struct mysql_client *client)
{
    if (!client)
        return;
    if (client->wire.state == WIRE_READY) {
        wire_leave(&client->wire);
        stream_send(client->stream, &client->wire.out);
    }
    stream_free(client->stream);
    wire_done(&client->wire);
    free(client);
}
