/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - one connection to a server that speaks MySQL's protocol, without ever waiting. Called by
 * that engine, as it would call a client library.
 *
 * One pass: mysql_client_new() begins to connect. While the state is MYSQL_BUSY, the caller waits for
 * mysql_client_events() of mysql_client_descriptor(), and then calls mysql_client_step(). When it is
 * MYSQL_READY, mysql_client_ask() sends one question, and the state is MYSQL_BUSY until the answer is
 * complete. While MYSQL_READY the caller waits, too: that the server goes away is found by a step.
 * When it is MYSQL_FAILED, mysql_client_failure() says why, and nothing but _free() is left to do.
 *
 * The client owns the descriptor, one for its whole life; the caller owns the watcher, and frees that
 * first. Texts and answers are the client's.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_CLIENT_H
#define HOMING_AGENT_PROBE_MYSQL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/tls/tls.h"
#include "agent/probe/mysql/answer.h"
#include "agent/probe/mysql/failure.h"
#include "agent/probe/mysql/login.h"
#include "proto/inet_address.h"

struct mysql_client;

enum mysql_state {
    MYSQL_BUSY, /* connecting, logging in, or being answered */
    MYSQL_READY,
    MYSQL_FAILED,
};

/* Everything is copied, or not needed after mysql_client_new(). */
struct mysql_settings {
    const char *host; /* as configured: what the certificate has to bear */
    const struct inet_address *address;
    const char *user;
    const char *password; /* NULL or "": none */
    struct tls_settings tls;
    /* W11: nobody knows who is there. The password itself is sent only to a server that has proved
     * its name (TLS_VERIFY_FULL). */
    bool strange;
};

/* Begins to connect; the state may be MYSQL_FAILED at once. NULL: out of memory. */
struct mysql_client *mysql_client_new(const struct mysql_settings *settings);
/* Says goodbye if that does not wait, and closes. NULL is allowed. */
void mysql_client_free(struct mysql_client *client);

enum mysql_state mysql_client_state(const struct mysql_client *client);
/* -1: there is none, because it failed at once. */
int mysql_client_descriptor(const struct mysql_client *client);
/* LOOP_READ, LOOP_WRITE, or both; may differ after each step and each ask. */
int mysql_client_events(const struct mysql_client *client);
/* Goes on as far as possible without waiting, and at most by one read of 16 KiB. */
enum mysql_state mysql_client_step(struct mysql_client *client);

/* Only when MYSQL_READY. One statement; at most MYSQL_QUESTION_MAX bytes. The answer before this one
 * is gone. If it cannot be sent, the next step finds that out. */
void mysql_client_ask(struct mysql_client *client, const char *question);

/* The last answer: valid when MYSQL_READY, until the next ask. Before the first it is empty. A server
 * that answers a question with an error does not end the session: error.code is not 0 then. */
const struct mysql_answer *mysql_client_answer(const struct mysql_client *client);

/* Valid when MYSQL_FAILED. */
const struct mysql_failure *mysql_client_failure(const struct mysql_client *client);

/* Valid from the first time on that the state was MYSQL_READY; before that, all zero. */
const struct mysql_server *mysql_client_server(const struct mysql_client *client);

/* Whether TCP stands, or stood; and whether it is TLS that goes on, or has failed. */
bool mysql_client_is_connected(const struct mysql_client *client);
bool mysql_client_is_in_tls(const struct mysql_client *client);

/* When the server's certificate expires, in seconds since 1970; 0: no TLS, or not seen yet. */
int64_t mysql_client_expires(const struct mysql_client *client);

#endif
