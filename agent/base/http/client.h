/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - one GET to one server, in clear or over TLS, without blocking: a connection for each.
 *
 * One pass: http_client_new() begins to connect. Whenever the descriptor is ready for what
 * http_client_events() names, the caller calls http_client_step(), until it is no more HTTP_BUSY.
 *
 * 1. No call waits. Time-outs are the caller's: it frees the client.
 * 2. Redirects are not followed, and no proxy is used.
 * 3. Nobody's password is sent.
 */
#ifndef HOMING_AGENT_BASE_HTTP_CLIENT_H
#define HOMING_AGENT_BASE_HTTP_CLIENT_H

#include "agent/base/http/reader.h"
#include "agent/base/tls/tls.h"
#include "proto/inet_address.h"

/* Longest path that is asked for, with its final NUL. */
#define HTTP_PATH_SIZE 256

struct http_settings {
    const char *host;                   /* for the header Host, and for the certificate */
    const struct inet_address *address; /* with the port */
    const char *path;                   /* it begins with '/' */
    struct tls_settings tls;
    size_t body_max;
};

enum http_client_state {
    HTTP_BUSY,
    HTTP_ANSWERED,
    HTTP_BROKEN, /* http_client_failure() says why */
};

enum http_fault {
    HTTP_FAULT_NETWORK, /* no connection, or it ended too early */
    HTTP_FAULT_TLS,
    HTTP_FAULT_ANSWER, /* what came is no answer of HTTP, or it is too large */
    HTTP_FAULT_LOCAL,  /* of this process: no memory, no descriptor, no certificate */
};

struct http_failure {
    enum http_fault fault;
    bool connected; /* it was so, when it failed */
    char text[TLS_ERROR_SIZE];
};

struct http_client;

/* Settings are copied. NULL: out of memory. It may have failed already. */
struct http_client *http_client_new(const struct http_settings *settings);
void http_client_free(struct http_client *client); /* NULL is allowed */

enum http_client_state http_client_step(struct http_client *client);
enum http_client_state http_client_state(const struct http_client *client);
int http_client_descriptor(const struct http_client *client); /* -1: none was made */
int http_client_events(const struct http_client *client);     /* LOOP_READ, LOOP_WRITE */

/* How far it has come, or had come when it broke: whether TCP stands; whether TLS was begun, and does not stand. */
bool http_client_is_connected(const struct http_client *client);
bool http_client_is_in_tls(const struct http_client *client);

/* Of HTTP_ANSWERED, and of HTTP_BROKEN; they live as long as the client. */
const struct http_reader *http_client_answer(const struct http_client *client);
const struct http_failure *http_client_failure(const struct http_client *client);

#endif
