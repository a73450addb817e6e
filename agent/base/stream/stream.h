/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h - one TCP connection to a server, in clear or in TLS, without ever waiting. Called by the
 * clients of protocols, which know what is said over it.
 *
 * One pass: stream_new() begins to connect. Whenever the descriptor is ready for what stream_events()
 * names, the client calls stream_step(), which hands it what the server says, and then stream_send()
 * with what it has to say itself. It goes on until it has what it wants, or the state is another one
 * than STREAM_OPEN.
 *
 * 1. A step reads 16 KiB at most, and the kernel keeps no more for us: a server that sends without end
 *    is slowed down.
 * 2. What was received before the connection broke is read first.
 * 3. Time-outs are the caller's: it frees the stream.
 */
#ifndef HOMING_AGENT_BASE_STREAM_STREAM_H
#define HOMING_AGENT_BASE_STREAM_STREAM_H

#include "agent/base/stream/bytes.h"
#include "agent/base/tls/tls.h"
#include "proto/inet_address.h"

struct stream;

/* All is copied. */
struct stream_settings {
    const struct inet_address *address; /* with the port */
    const char *host;                   /* as configured: what the certificate has to bear */
    struct tls_settings tls;
    bool tls_later; /* it begins in clear, until stream_begin_tls() */
};

enum stream_state {
    STREAM_OPEN,   /* or connecting */
    STREAM_ENDED,  /* the server has said that it sends no more */
    STREAM_FAILED, /* stream_failure() says why */
};

enum stream_fault {
    STREAM_FAULT_NETWORK,
    STREAM_FAULT_TLS,
    STREAM_FAULT_FLOOD, /* it sends more than was asked for */
    STREAM_FAULT_LOCAL, /* of this process: no memory, no descriptor, no certificate */
};

struct stream_failure {
    enum stream_fault fault;
    char text[TLS_ERROR_SIZE];
};

/* NULL: out of memory. It may have failed already. */
struct stream *stream_new(const struct stream_settings *settings);
void stream_free(struct stream *stream); /* NULL is allowed */

/* Takes what the server says, in as many pieces as come. It may end its own state, but not free the
 * stream. */
typedef void stream_take_fn(void *arg, const uint8_t *bytes, size_t count);

enum stream_state stream_step(struct stream *stream, stream_take_fn *take, void *arg);
/* Sends from the front of `bytes` what can be sent now. It is gone from there; if it goes into TLS, it
 * is overwritten, too, for it may be a password. Of a stream that has failed, what TLS has to say about
 * that. A failure is found out by the next step. */
void stream_send(struct stream *stream, struct bytes *bytes);
/* From now on in TLS; once, for settings with tls_later, when all that was said before has left. */
void stream_begin_tls(struct stream *stream);

enum stream_state stream_state(const struct stream *stream);
const struct stream_failure *stream_failure(const struct stream *stream);
int stream_descriptor(const struct stream *stream); /* -1: none was made */
/* LOOP_READ, LOOP_WRITE, or both. `more`: the client has something to be sent. */
int stream_events(const struct stream *stream, bool more);

/* How far it has come, or had come when it failed: whether TCP stands; whether TLS was begun, and does
 * not stand; whether it does. */
bool stream_is_connected(const struct stream *stream);
bool stream_is_in_tls(const struct stream *stream);
bool stream_is_encrypted(const struct stream *stream);
/* When the server's certificate expires, in seconds since 1970; 0: no TLS, or not seen yet. */
int64_t stream_expires(const struct stream *stream);

#endif
